//! Any text gives a registry or mistakes, and never a panic.

use proptest::prelude::*;

use super::*;

/// Loads and prints whatever comes of it.
fn survives(bytes: &[u8]) {
    let folder = folder(&[]);
    let path = folder.path().join("jobs.toml");
    fs::write(&path, bytes).expect("a new file");
    match Registry::load(&path, now()) {
        Ok(registry) => drop(registry.render_warnings(false)),
        Err(error) => {
            assert!(!error.diagnostics().is_empty());
            assert!(!error.render(false).is_empty());
        }
    }
}

/// Lines that a registry may have, in any order and with anything among them.
fn lines() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("[jobs.a]\n"),
        Just("[jobs.b]\n"),
        Just("[jobs]\n"),
        Just("[[jobs.a]]\n"),
        Just("[daemon]\n"),
        Just("[jobs.a.retry]\n"),
        Just("schedule = \"@daily\"\n"),
        Just("schedule = \"0 99 * ä *\"\n"),
        Just("command = [\"{date}\", \"{x\"]\n"),
        Just("command = \"\"\"\n"),
        Just("depends_on = [\"a\", \"b\"]\n"),
        Just("depends_on = [{ job = \"a\", offset = \"-1dä\" }, { covers = \"day\" }]\n"),
        Just("require = \"b\"\n"),
        Just("[pools.a]\nsize = 1\n"),
        Just("pool = \"a\"\n"),
        Just("catch_up.max_dates = 3\n"),
        Just("expect_by = \"7:ä\"\n"),
        Just("jitter = \"10m\"\npreviously = \"b\"\n"),
        Just("start = 2026-11-01\n"),
        Just("end = 2026-13-01\n"),
        Just("retry.after = \"5m\"\n"),
        Just("a.b.c = {d.e = [1, {}]}\n"),
        Just("ledger = 'postgres://u:p@h'\n"),
        Just("x = "),
        Just("environment.A = 1\n"),
        Just("\u{feff}"),
        Just("\"ä\\u00e4\" = 1 # ü\n"),
        Just("timezone = \"Europe/Berln\"\r\n"),
        Just("\0"),
        Just("jobs.a = {"),
        Just("}\n"),
        Just("]"),
        Just("'''"),
        Just("\\"),
        Just(","),
        Just("  "),
        Just("\n"),
    ];
    prop::collection::vec(word, 0..30).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        survives(&bytes);
    }

    #[test]
    fn shuffled_lines_of_a_registry(text in lines()) {
        survives(text.as_bytes());
    }

    #[test]
    fn a_registry_with_one_byte_changed(at in 0..DESIGN.len(), byte in any::<u8>(), keep in any::<bool>()) {
        let mut bytes = DESIGN.as_bytes().to_vec();
        bytes.splice(at..at + usize::from(!keep), [byte]);
        survives(&bytes);
    }
}
