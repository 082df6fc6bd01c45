//! What the daemon writes to a terminal and to a log.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use crate::lab::{DAILY, Lab, MANY, stderr};

#[test]
fn a_json_log_has_one_object_a_line() {
    let lab = Lab::new(DAILY);
    let output = lab.run(&["--log-format", "json", "once"]);
    let lines = stderr(&output);
    let events: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ended = events.iter().find(|event| event["outcome"] == "succeeded").expect("an end");
    assert_eq!(ended["job"], "load");
    assert!(ended["duration_seconds"].is_number() && ended["message"].is_string(), "{ended}");
}

#[test]
fn a_terminal_gets_lines_a_progress_bar_and_the_next_date() {
    let lab = Lab::new(&format!(
        "{}{MANY}\n[jobs.yearly]\nschedule = \"@yearly\"\ncommand = \"true\"\n",
        DAILY.replace("echo", "test $CRONTABBER_SESSION_DATE$CRONTABBER_ATTEMPT != 2026-11-041 && echo")
    ));
    // `script` of util-linux gives the daemon a terminal.
    let config = lab.path("jobs.toml").display().to_string();
    let typed =
        format!("stty cols 100; {} --config {config} --ledger {}", env!("CARGO_BIN_EXE_crontabber"), lab.ledger);
    let mut terminal = std::process::Command::new("script");
    terminal.args(["-q", "-f", "-c", &typed]).arg(lab.path("terminal")).env_remove("JOURNAL_STREAM");
    let mut terminal = terminal.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let screen = || String::from_utf8_lossy(&fs::read(lab.path("terminal")).unwrap_or_default()).into_owned();
    lab.until("the bar's end and its rest", || {
        screen().contains("caught up: 144 dates") && screen().contains("retry at")
    });
    let text = screen();
    // Ctrl-C.
    terminal.stdin.take().unwrap().write_all(b"\x03").unwrap();
    terminal.wait().unwrap();
    lab.until("the daemon's end", || lab.run(&["once"]).status.code() != Some(3));
    assert!(text.contains("144") && text.contains("many"), "{text}");
    assert!(text.contains("2026-11-01T03:00:00+00:00  attempt 1") && text.contains("failed(1)"), "{text}");
    assert!(text.contains("3 behind"), "how many dates wait: {text}");
}
