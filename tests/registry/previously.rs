//! `previously`: the former name of a job.

use super::*;

#[test]
fn former_names() {
    let registry = format!("{}{}", daily("a", "previously = \"old\""), daily("b", ""));
    let folder = folder(&[("jobs.toml", &registry)]);
    assert_eq!(load(&folder).unwrap().jobs[0].previously.as_ref().map(AsRef::as_ref), Some("old"));
    assert_snapshot!(mistakes(&format!(
        "{}{}{}{}{}{}",
        daily("a", "previously = \"b\""),
        daily("b", "previously = \"b\""),
        daily("c", "previously = \"old\""),
        daily("d", "previously = \"old\""),
        daily("e", "previously = \"my job\""),
        daily("f", "previously = [\"x\"]"),
    )), @r#"
    error: job `a` was previously `b`, which still exists
     --> jobs.toml:4:14
      |
    4 | previously = "b"
      |              ^^^ a job can take over only the ledger of a removed job

    error: job `b` was previously `b`, which is its current name
     --> jobs.toml:8:14
      |
    8 | previously = "b"
      |              ^^^

    error: job `d` was previously `old`, and so was `c`
      --> jobs.toml:16:14
       |
    16 | previously = "old"
       |              ^^^^^ only one job can take over its ledger; `c` is at jobs.toml:9

    error: job `e`: `previously` is not a valid job name: a job name consists of `A-Z a-z 0-9 . _ -`, not ' '
      --> jobs.toml:20:14
       |
    20 | previously = "my job"
       |              ^^^^^^^^

    error: job `f`: `previously` must be a string or `false`, not an array
      --> jobs.toml:24:14
       |
    24 | previously = ["x"]
       |              ^^^^^
    "#);
}
