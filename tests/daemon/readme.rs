//! The README is true: what it tells a reader to type works, and so do its registry and the example.

use std::fs;
use std::process::{Command, Stdio};

use crate::lab::{Daemon, Lab, stderr, stdout};

fn readme() -> String {
    fs::read_to_string("README.md").expect("a README")
}

/// The lines that a reader is to type: those of `console` blocks, without the prompt.
fn typed() -> Vec<String> {
    let mut lines = Vec::new();
    let mut inside = false;
    for line in readme().lines() {
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            _ if inside => lines.extend(line.strip_prefix("$ ").map(str::to_owned)),
            _ => {}
        }
    }
    lines
}

/// The first block of a language.
fn block(language: &str) -> String {
    let text = readme();
    let start = text.find(&format!("```{language}\n")).expect("a block") + language.len() + 4;
    text[start..].split("```").next().expect("an end").to_owned()
}

fn example() -> String {
    fs::read_to_string("jobs.example.toml").expect("the example")
}

#[test]
fn the_first_command_catches_up_and_heals_and_the_others_show_it() {
    let lab = Lab::new(&example());
    let ledger = format!("sqlite://{}", lab.path("crontabber-example/ledger.db").display());
    let lab = lab.with_ledger(&ledger);
    fs::write(lab.path("jobs.example.toml"), example()).expect("a copy");
    // As it is typed, in the folder of the example.
    let there = |line: &str| {
        let mut command = lab.bare();
        command.current_dir(&lab.folder).args(["--config", "jobs.example.toml"]).args(line.split_whitespace());
        command
    };
    let typed = typed();
    let ours: Vec<&str> = typed
        .iter()
        .filter_map(|line| line.strip_prefix("cargo run --release -- --config jobs.example.toml"))
        .collect();
    assert!(ours.len() >= 3 && ours[0].is_empty(), "the daemon first, then what shows it: {typed:?}");
    let _daemon = Daemon { child: there("").stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a daemon") };
    let is_settled = |job: &str| {
        let rows = lab.sessions(job);
        rows.len() > 3 && rows.iter().all(|row| row.contains("succeeded"))
    };
    lab.until("all days", || is_settled("load-day") && is_settled("clean-day") && is_settled("sync-hour"));
    let clean = lab.json(&["attempts", "clean-day"]);
    let outcomes: Vec<&str> = clean
        .as_array()
        .expect("an array")
        .iter()
        .filter(|attempt| attempt["date"].as_str().is_some_and(|date| date.starts_with("2026-11-05")))
        .filter_map(|attempt| attempt["outcome"].as_str())
        .collect();
    assert_eq!(outcomes, ["failed", "failed", "succeeded"]);
    for arguments in &ours[1..] {
        let output = there(arguments).output().expect("the binary runs");
        assert!(output.status.success(), "{arguments}: {}", stderr(&output));
        assert!(stdout(&output).contains("clean-day"), "{arguments}: {}", stdout(&output));
    }
    let log = stdout(&there("log clean-day 2026-11-05").output().expect("the binary runs"));
    assert!(log.starts_with("cleaned 2026-11-05"), "{log}");
}

#[test]
fn every_other_line_to_type_names_files_that_are_there() {
    for line in typed().iter().filter(|line| line.starts_with("sudo")) {
        for word in line.split_whitespace().filter(|word| word.starts_with("packaging/")) {
            assert!(fs::exists(word).expect("a look"), "{word}");
        }
    }
    assert!(fs::read_to_string("scripts/test").is_ok_and(|script| script.starts_with("#!")));
    assert!(fs::read_to_string("scripts/bench").is_ok_and(|script| script.starts_with("#!")));
}

#[test]
fn the_registry_of_the_readme_and_the_example_have_no_mistakes() {
    let lab = Lab::new(&block("toml"));
    lab.ok("check");
    lab.write_registry(&example());
    let output = lab.run(&["check"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(!stderr(&output).contains("warning"), "{}", stderr(&output));
}

#[test]
fn every_command_and_flag_of_the_readmes_table_is_known() {
    let lab = Lab::new(&block("toml"));
    let text = readme();
    let table = text.split("## Commands").nth(1).expect("the commands");
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        for command in cells[0].split('`').skip(1).step_by(2) {
            let name = command.split_whitespace().next().expect("a name");
            let output = lab.run(&[name, "--help"]);
            assert!(output.status.success(), "{name}: {}", stderr(&output));
        }
        for flag in cells[1].split('`').skip(1).step_by(2) {
            let flag = flag.split_whitespace().next().expect("a flag");
            assert!(stdout(&lab.run(&["--help"])).contains(flag), "{flag}");
        }
    }
}

#[test]
fn the_schema_beside_the_example_is_the_one_that_we_print() {
    let printed = Command::new(env!("CARGO_BIN_EXE_crontabber")).arg("schema").output().expect("the binary runs");
    let beside =
        fs::read("jobs.schema.json").expect("jobs.schema.json: made by `crontabber schema > jobs.schema.json`");
    assert!(printed.stdout == beside, "`crontabber schema > jobs.schema.json` makes it anew");
}
