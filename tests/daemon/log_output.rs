//! What the daemon writes to a terminal and to a log.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use crate::lab::{DAILY, Lab, MANY, stderr, stdout};

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
        DAILY.replace(
            "echo",
            "test $CRONTABBER_SESSION_DATE$CRONTABBER_ATTEMPT != 2026-11-041 || ! echo spoiled && echo"
        )
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
        screen().contains("caught up: 144 dates") && screen().contains("| spoiled")
    });
    let text = screen();
    // Ctrl-C.
    terminal.stdin.take().unwrap().write_all(b"\x03").unwrap();
    terminal.wait().unwrap();
    lab.until("the daemon's end", || lab.run(&["once"]).status.code() != Some(3));
    assert!(text.contains("144") && text.contains("many"), "{text}");
    assert!(text.contains("2026-11-01T03:00:00+00:00  attempt 1") && text.contains("failed(1)"), "{text}");
    assert!(text.contains("all of it: `crontabber log load 2026-11-04T03:00:00+00:00`"), "{text}");
    assert!(text.contains("3 behind"), "how many dates wait: {text}");
}

/// A job that fails with output that would like to be lines of the log.
const NOISY: &str = r#"
[jobs.load]
schedule = "0 3 * * *"
backfill = true
start = 2026-11-01
end = 2026-11-01
retry = { attempts = 1 }
command = "seq 1 9; printf 'a \\033[31mred\\033[0m line\\n2026-11-01 ERROR faked\\r\\n\\377\\n\\n'; exit 3"
"#;

#[test]
fn the_log_quotes_what_a_failed_attempt_printed_last() {
    let lab = Lab::new(NOISY);
    let log = stderr(&lab.run(&["once"]));
    let at = log.find(" attempt 1 failed(3) in ").expect("the failure");
    let quoted = "WARN load: 2026-11-01T03:00:00+00:00 attempt 1 printed last: 8 | 9 | a red line | 2026-11-01 ERROR faked | \u{fffd} \
                  (all of it: `crontabber log load 2026-11-01T03:00:00+00:00`) job=load";
    assert!(log[at..].contains(quoted), "{log}");
    assert!(!log.contains("\x1b[31m") && !log.lines().any(|line| line.starts_with("2026-11-01 ERROR")), "{log}");
    let said = lab.ok("log load 2026-11-01T03:00:00+00:00");
    assert!(said.starts_with("1\n2\n"), "the command that the log names: {said}");
}

#[test]
fn a_json_log_has_the_last_lines_in_a_field() {
    let lab = Lab::new(NOISY);
    let log = stderr(&lab.run(&["--log-format", "json", "once"]));
    let events: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let quotes: Vec<&serde_json::Value> = events.iter().filter(|event| event["output"].is_string()).collect();
    let [quote] = quotes.as_slice() else { panic!("one quote: {log}") };
    assert_eq!(quote["output"], "8\n9\na red line\n2026-11-01 ERROR faked\n\u{fffd}");
    assert_eq!((&quote["job"], &quote["attempt"]), (&"load".into(), &1.into()));
}

#[test]
fn a_log_that_cannot_be_read_stops_nothing() {
    // The job puts a named pipe in the place of its log, as a disk that does not answer would look.
    let lab = Lab::new(
        "[jobs.load]\nschedule = \"0 3 * * *\"\nbackfill = true\nstart = 2026-11-01\nend = 2026-11-03\n\
         retry = { attempts = 1 }\norder = \"independent\"\n\
         command = \"echo oh; sleep 0.2; cd DIR/logs/load && for log in *.log; do rm $log && mkfifo $log; done; exit 1\"\n",
    );
    let output = lab.run(&["once"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(lab.outcomes("load"), ["failed"; 3]);
    assert!(!stderr(&output).contains("printed last"), "{output:?}");
    let why = lab.ok("why load 2026-11-01");
    assert!(why.contains("failed(1)") && !why.contains(" | "), "{why}");
}

#[test]
fn run_list_and_why_quote_a_failed_attempt() {
    let lab = Lab::new(NOISY);
    let run = lab.run(&["run", "load"]);
    assert_eq!(run.status.code(), Some(1));
    let said = stdout(&run);
    let quoted = "\n  | 8\n  | 9\n  | a red line\n  | 2026-11-01 ERROR faked\n  | \u{fffd}\n\
                  all of it: `crontabber log load 2026-11-01T03:00:00+00:00`\n";
    assert!(said.contains("attempt 1 failed(3) in ") && said.ends_with(quoted), "{said}");
    let why = lab.ok("why load");
    assert!(
        why.contains(
            "    | 8\n    | 9\n    | a red line\n    | 2026-11-01 ERROR faked\n    | \u{fffd}\n    all of it: `"
        ),
        "{why}"
    );
    let list = lab.ok("list");
    assert!(list.contains("\n  | \u{fffd}\n"), "{list}");
    assert_eq!(lab.json(&["why", "load"])["last_lines"][2], "a red line");
    assert_eq!(lab.json(&["list"])[0]["last_line"], "\u{fffd}");
    lab.run(&["retry", "load", "--held"]);
    let run = lab.json(&["run", "load"]);
    assert_eq!((&run["outcome"], &run["last_lines"][1]), (&"failed".into(), &"9".into()));
    std::fs::remove_dir_all(lab.path("logs")).unwrap();
    assert!(lab.json(&["list"])[0]["last_line"].is_null(), "a log that is gone is not quoted");
    assert!(lab.ok("why load").contains("attempt 2 started"));
}
