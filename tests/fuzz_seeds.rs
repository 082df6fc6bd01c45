//! The seeds of the fuzzer, each given to the check of its target: what the fuzzer once found stays found.

#[expect(unreachable_pub, reason = "the fuzzer's own crate compiles these files too, and shows its targets the checks")]
#[path = "../fuzz/src/lib.rs"]
mod checks;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

#[test]
fn every_seed_keeps_what_its_target_checks() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let mut broken = Vec::new();
    for (target, check) in checks::TARGETS {
        let mut seeds = 0;
        let entries = fs::read_dir(folder.join(target)).expect("every target has a folder of seeds");
        for entry in entries {
            let path = entry.expect("an entry").path();
            let data = fs::read(&path).expect("a seed");
            if catch_unwind(|| check(&data)).is_err() {
                broken.push(path);
            }
            seeds += 1;
        }
        assert!(seeds > 0, "{target} has no seeds");
    }
    assert!(broken.is_empty(), "{} seeds break a check, each for the reason above: {broken:#?}", broken.len());
}
