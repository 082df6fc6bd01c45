//! `include`: which files are read, in which order, and what is wrong with one.

use super::*;

#[test]
fn included_files_are_read_in_order() {
    let job = |name: &str| format!("[jobs.{name}]\nschedule = \"@daily\"\ncommand = \"true\"\n");
    let folder = folder(&[
        ("jobs.toml", &format!("include = [\"more/last.toml\", \"jobs.d/*.toml\", \"more/*\"]\n{}", job("main"))),
        ("jobs.d/b.toml", &format!("{}{}", job("z"), job("a"))),
        ("jobs.d/a.toml", &job("b")),
        ("jobs.d/.hidden.toml", "no TOML"),
        ("jobs.d/a.toml~", "no TOML"),
        ("jobs.d/folder.toml/x", "no TOML"),
        ("more/last.toml", &job("last")),
    ]);
    let registry = load(&folder).unwrap();
    let names: Vec<&str> = registry.jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["main", "last", "b", "z", "a"]);
    let files: Vec<_> = registry.files.iter().map(|file| file.strip_prefix(folder.path()).unwrap()).collect();
    assert_eq!(files, ["jobs.toml", "more/last.toml", "jobs.d/a.toml", "jobs.d/b.toml"].map(Path::new));
}

#[test]
fn mistakes_in_includes() {
    let job = "[jobs.load]\nschedule = \"@daily\"\ncommand = \"true\"\n";
    assert_snapshot!(mistakes_in(&[
        ("jobs.toml", &format!("include = [\"gone.toml\", \"jobs.d\", \"a/*/b.toml\", \"\", \"jobs.toml\", \"jobs.d/*\", 3]\n{job}")),
        ("jobs.d/a.toml", &format!("include = \"x\"\n{job}\n[jobs.b]\ndepends_on = \"laod\"\n[daemon]\nmax_running = 1\n")),
        ("jobs.d/b.toml", "[jobs.c\n"),
        ("jobs.d/c.toml", "[jobs.c]\ncommand = \"\"\n"),
    ]), @r#"
    error: the registry: `include` `gone.toml` is invalid: `gone.toml`: no such file
     --> jobs.toml:1:12
      |
    1 | include = ["gone.toml", "jobs.d", "a/*/b.toml", "", "jobs.toml", "jobs.d/*", 3]
      |            ^^^^^^^^^^^

    error: the registry: `include` `jobs.d` names a directory
     --> jobs.toml:1:25
      |
    1 | include = ["gone.toml", "jobs.d", "a/*/b.toml", "", "jobs.toml", "jobs.d/*", 3]
      |                         ^^^^^^^^ write `jobs.d/*.toml`

    error: the registry: `include` `a/*/b.toml` has a wildcard before the last part of the path
     --> jobs.toml:1:35
      |
    1 | include = ["gone.toml", "jobs.d", "a/*/b.toml", "", "jobs.toml", "jobs.d/*", 3]
      |                                   ^^^^^^^^^^^^ only the last part may contain `*` and `?`

    error: the registry: `include` `""` is not a path
     --> jobs.toml:1:49
      |
    1 | include = ["gone.toml", "jobs.d", "a/*/b.toml", "", "jobs.toml", "jobs.d/*", 3]
      |                                                 ^^ such as `jobs.d/*.toml`

    error: the registry: `include` `jobs.toml` names the file that contains it
     --> jobs.toml:1:53
      |
    1 | include = ["gone.toml", "jobs.d", "a/*/b.toml", "", "jobs.toml", "jobs.d/*", 3]
      |                                                     ^^^^^^^^^^^

    error: the registry: `include` must contain only strings, not an integer
     --> jobs.toml:1:78
      |
    1 | include = ["gone.toml", "jobs.d", "a/*/b.toml", "", "jobs.toml", "jobs.d/*", 3]
      |                                                                              ^ put it in quotes: `"3"`

    error: the registry has unknown key `include`
     --> jobs.d/a.toml:1:1
      |
    1 | include = "x"
      | ^^^^^^^ an included file may contain only jobs and pools

    error: job `load` is declared twice
     --> jobs.d/a.toml:2:7
      |
    2 | [jobs.load]
      |       ^^^^ first declared at jobs.toml:2

    error: job `b` has no `command`
     --> jobs.d/a.toml:6:7
      |
    6 | [jobs.b]
      |       ^ add `command = ["/path/to/program", "--day", "{date:%Y-%m-%d}"]`

    error: the registry has unknown key `daemon`
     --> jobs.d/a.toml:8:2
      |
    8 | [daemon]
      |  ^^^^^^ an included file may contain only jobs and pools

    error: unclosed table, expected `]`
     --> jobs.d/b.toml:1:8
      |
    1 | [jobs.c
      |        ^

    error: job `c` is declared twice
     --> jobs.d/c.toml:1:7
      |
    1 | [jobs.c]
      |       ^ first declared at jobs.d/b.toml:1

    error: job `c`: `command` is empty
     --> jobs.d/c.toml:2:11
      |
    2 | command = ""
      |           ^^
    "#);
}

#[test]
fn a_dangling_link() {
    let folder = folder(&[("jobs.toml", "include = \"jobs.d/*\"\n"), ("jobs.d/a", "")]);
    std::os::unix::fs::symlink("nowhere", folder.path().join("jobs.d/b")).unwrap();
    assert_snapshot!(without_folder(&load(&folder).unwrap_err().render(false), folder.path()), @r#"
    error: the registry: `include` `jobs.d/*` is invalid: `jobs.d/b`: no such file
     --> jobs.toml:1:11
      |
    1 | include = "jobs.d/*"
      |           ^^^^^^^^^^
    "#);
}
