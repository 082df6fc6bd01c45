//! Files that cannot be a registry, and registries that are parsed from memory.

use super::*;

#[test]
fn a_missing_file() {
    let error = Registry::load(Path::new("/nonexistent/jobs.toml"), now()).unwrap_err();
    assert!(
        matches!(&error, RegistryError::Unreadable { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    );
    assert_snapshot!(error.render(false), @r#"
    error: cannot read the registry `/nonexistent/jobs.toml`: no such file
    --> /nonexistent/jobs.toml
    "#);
    assert_snapshot!(error, @"cannot read the registry `/nonexistent/jobs.toml`: no such file");
}

#[test]
fn a_directory() {
    assert_snapshot!(Registry::load(Path::new("/"), now()).unwrap_err().render(false), @r#"
    error: cannot read the registry `/`: it is a directory
    --> /
    "#);
}

#[test]
fn a_file_without_jobs() {
    assert_snapshot!(mistakes(""), @r#"
    error: the registry has no jobs
    --> jobs.toml
     = help: add one: `[jobs.hello]` with `schedule = "0 3 * * *"` and `command = "echo hello"`
    "#);
    assert_snapshot!(mistakes("# nothing\n[jobs]\n"), @r#"
    error: the registry has no jobs
    --> jobs.toml
     = help: add one: `[jobs.hello]` with `schedule = "0 3 * * *"` and `command = "echo hello"`
    "#);
}

#[test]
fn a_file_that_is_too_large() {
    assert_snapshot!(mistakes(&"#".repeat(10_000_000)), @r#"
    error: the file has 9.6 MiB; a registry may have at most 8 MiB
    --> jobs.toml
     = help: split it with `include`
    "#);
    assert!(Registry::load(Path::new("/dev/zero"), now()).unwrap_err().to_string().contains("at most 8 MiB"));
}

#[test]
fn a_file_that_is_not_utf_8() {
    let folder = folder(&[]);
    fs::write(folder.path().join("jobs.toml"), b"[jobs.a]\ndescription = \"gr\xf6\xdfe\"\n").unwrap();
    assert_snapshot!(without_folder(&load(&folder).unwrap_err().render(false), folder.path()), @r#"
    error: the file is not UTF-8: byte 0xf6
     --> jobs.toml:2:18
      |
    2 | description = "gr��e"
      |                  ^ save the file as UTF-8
    "#);
}

#[cfg(unix)]
#[test]
fn load_and_parse_agree() {
    let main = "include = \"jobs.d/*\"\n[daemon]\ntimezone = \"Europe/Berlin\"\n[jobs.a]\nschedule = \"@daily\"\n";
    let more = "[jobs.b]\nevery = \"1d\"\ncommand = \"true\"\ndepends_on = \"a\"\nstart = 2026-11-01\n";
    for command in ["", "command = \"true\"\n"] {
        let main = format!("{main}{command}");
        let folder = folder(&[("jobs.toml", &main), ("jobs.d/b.toml", more)]);
        let paths = ["jobs.toml", "jobs.d/b.toml"].map(|name| folder.path().join(name));
        let read = Registry::parse((&paths[0], main.as_bytes()), &[(&paths[1], more.as_bytes())], now());
        match (load(&folder), read) {
            (Ok(loaded), Ok(read)) => assert_eq!((loaded.jobs, loaded.files), (read.jobs, read.files)),
            (Err(loaded), Err(read)) => assert_eq!(loaded.diagnostics(), read.diagnostics()),
            (loaded, read) => panic!("loaded {loaded:?}, read {read:?}"),
        }
    }
    let large = vec![b'#'; 9 * 1024 * 1024];
    let error = Registry::parse((Path::new("jobs.toml"), &large), &[], now()).unwrap_err();
    assert_eq!(error.to_string(), "jobs.toml: the file has 9.0 MiB; a registry may have at most 8 MiB");
}
