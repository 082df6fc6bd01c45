//! Cycles of `depends_on` and `require`.

use super::*;

#[test]
fn every_cycle_is_reported_once() {
    assert_snapshot!(mistakes(&graph(&[
        ("x", &["c"]),
        ("c", &["a"]),
        ("a", &["b", "d"]),
        ("b", &["c", "x"]),
        ("d", &["a"]),
        ("alone", &["x", "d"]),
    ])), @r#"
    error: dependency cycle: `x` → `c` → `a` → `b` → `x`
     --> jobs.toml:4:15
      |
    4 | depends_on = ["c"]
      |               ^^^ none of these jobs can ever start

    error: dependency cycle: `c` → `a` → `b` → `c`
     --> jobs.toml:8:15
      |
    8 | depends_on = ["a"]
      |               ^^^ none of these jobs can ever start

    error: dependency cycle: `a` → `d` → `a`
      --> jobs.toml:12:20
       |
    12 | depends_on = ["b", "d"]
       |                    ^^^ none of these jobs can ever start
    "#);
}

#[test]
fn a_long_cycle_is_abbreviated() {
    let names: Vec<String> = (0..10_000).map(|number| format!("j{number}")).collect();
    let text: String = (0..names.len()).map(|at| graph(&[(&names[at], &[&names[(at + 1) % names.len()]])])).collect();
    assert_snapshot!(mistakes(&text), @r#"
    error: dependency cycle: `j0` → `j1` → `j2` → `j3` → `j4` → `j5` → `j6` → `j7` → `j8` → `j9` → … 9980 more … → `j9990` → `j9991` → `j9992` → `j9993` → `j9994` → `j9995` → `j9996` → `j9997` → `j9998` → `j9999` → `j0`
     --> jobs.toml:4:15
      |
    4 | depends_on = ["j1"]
      |               ^^^^ none of these jobs can ever start
    "#);
}

#[test]
fn a_cycle_through_require() {
    assert_snapshot!(mistakes(&format!(
        "{}{}{}",
        daily("a", "require = \"x\""),
        job_with("x", "require = [\"y\"]"),
        job_with("y", "depends_on = [{ job = \"a\", offset = \"-1d\" }]"),
    )), @r#"
    error: dependency cycle: `a` → `x` → `y` → `a`
     --> jobs.toml:4:11
      |
    4 | require = "x"
      |           ^^^ none of these jobs can ever start
    "#);
}
