//! The command reference is what the definitions of the commands say, and every command's help works.

use std::fs;

use crate::fixture::Fixture;

#[test]
fn the_reference_is_what_the_definitions_say() {
    let printed = Fixture::new("").ask(&["reference"]);
    assert_eq!((printed.exit, printed.err.as_str()), (0, ""));
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/commands.md");
    let is_alike = fs::read_to_string(file).is_ok_and(|kept| kept == printed.out);
    assert!(is_alike, "docs/commands.md is made anew by: crontabber reference > docs/commands.md");
}

#[test]
fn every_command_of_the_reference_has_a_help() {
    let place = Fixture::new("");
    let page = place.ask(&["reference"]).out;
    let commands: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert!(commands.len() > 15, "{commands:?}");
    for command in commands {
        for help in ["--help", "-h"] {
            let said = place.ask(&[command, help]);
            assert_eq!((said.exit, said.err.as_str()), (0, ""), "{command} {help}");
            assert!(said.out.contains(&format!("Usage: crontabber {command}")), "{command}: {}", said.out);
        }
        assert!(page.contains(&format!("- [`{command}`](#{command}): ")), "{command} is in the list");
    }
}
