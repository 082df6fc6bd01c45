//! What an attempt gets, and which outcome it has.

use std::fs;

use crate::lab::{DAILY, Lab, job, stderr};

#[test]
fn a_command_that_cannot_start_fails_with_125_to_127() {
    let cases = [
        ("missing", r#"command = ["no-such-program"]"#, 127, "no-such-program"),
        ("text", r#"command = ["DIR/jobs.toml"]"#, 126, "jobs.toml"),
        ("folder", "command = \"true\"\nworking_directory = \"DIR/nowhere\"", 125, "nowhere"),
        ("environment", "command = \"true\"\nenvironment_file = \"DIR/nowhere\"", 125, "nowhere"),
    ];
    let lab = Lab::new(&cases.map(|(name, lines, ..)| job(name, 1, lines)).concat());
    lab.fails(1, "once");
    for (name, _, code, detail) in cases {
        let attempt = &lab.json(&["attempts", name])[0];
        assert_eq!((attempt["outcome"].as_str(), attempt["exit_code"].as_i64()), (Some("failed"), Some(code)));
        assert!(attempt["detail"].as_str().unwrap().contains(detail), "{attempt}");
    }
}

#[test]
fn outcomes_distinguish_signals_timeouts_and_failures() {
    let late = "timeout = \"200ms\"\nkill_grace = \"100ms\"\ncommand = \"trap '' TERM; while :; do sleep 0.02; done\"";
    let loud = r#"command = "head -c 30000000 /dev/zero; printf '\\377\\376 the end'""#;
    let jobs = [job("killed", 1, r#"command = "kill -9 $$""#), job("late", 1, late), job("loud", 1, loud)];
    let lab = Lab::new(&jobs.concat());
    lab.fails(1, "once");
    let killed = &lab.json(&["attempts", "killed"])[0];
    assert_eq!((killed["outcome"].as_str(), killed["signal"].as_i64()), (Some("killed"), Some(9)));
    assert_eq!(lab.outcomes("late"), ["timed-out"]);
    assert_eq!(lab.outcomes("loud"), ["succeeded"]);
    let log = lab.run(&["log", "loud"]).stdout;
    assert!(log.len() < 1_200_000 && log.ends_with(b"\xff\xfe the end"), "{} bytes", log.len());
}

#[test]
fn a_command_longer_than_the_kernel_takes_fails() {
    let lab = Lab::new(&DAILY.replace("echo", &format!("true {} && echo", "x".repeat(4_000_000))));
    lab.fails(1, "once");
    let attempts = lab.json(&["attempts", "load"]);
    assert!(attempts[0]["detail"].as_str().unwrap().contains("no program can be started with more"), "{attempts}");
}

#[test]
fn a_job_gets_its_date_and_none_of_the_daemons_secrets() {
    let lab = Lab::new(
        r#"
[jobs.env]
schedule = "0 3 * * *"
timezone = "Europe/Berlin"
backfill = true
start = 2026-11-02
end = 2026-11-02
environment = { COLOUR = "blue" }
environment_file = "DIR/env"
command = ["/bin/sh", "-c", "env | grep -E '^(CRONTABBER|COLOUR|TASTE|NOTIFY)' | sort > DIR/seen; echo $0 $1 >> DIR/seen", "{job}", "{date:%d.%m.%Y}"]
"#,
    )
    .with_environment("CRONTABBER_LEDGER_SECRET", "hunter2");
    fs::write(lab.path("env"), "# a comment\nTASTE=\"sweet\"\nCOLOUR=red\n").unwrap();
    lab.ok("once");
    let seen: Vec<String> = lab.lines("seen").into_iter().filter(|line| !line.contains("ATTEMPT_ID")).collect();
    insta::assert_snapshot!(seen.join("\n"), @r"
    COLOUR=blue
    CRONTABBER_ATTEMPT=1
    CRONTABBER_DATE=2026-11-02T03:00:00+01:00
    CRONTABBER_IDEMPOTENCY_KEY=env/1/1793584800000000
    CRONTABBER_JOB=env
    CRONTABBER_LAST_SUCCESS=
    CRONTABBER_NEXT_DATE=
    CRONTABBER_PREVIOUS_DATE=
    CRONTABBER_SESSION_DATE=2026-11-02
    CRONTABBER_TRIGGER=catch-up
    CRONTABBER_UNIXTIME=1793584800
    TASTE=sweet
    env 02.11.2026
    ");
}

#[test]
fn no_attempt_runs_beside_what_an_earlier_one_left_in_a_session_of_its_own() {
    let command = r#"
timeout = "300ms"
kill_grace = "10s"
retry = { after = "100ms", attempts = 2 }
command = """setsid sh -c 'trap "sleep 0.3; echo ends $CRONTABBER_ATTEMPT >> DIR/trace; exit" TERM
echo begins $CRONTABBER_ATTEMPT >> DIR/trace; while :; do sleep 0.02; done' > /dev/null & wait"""
"#;
    let lab = Lab::new(&job("load", 1, command));
    let _daemon = lab.daemon();
    lab.until("two attempts", || lab.outcomes("load") == ["timed-out", "timed-out"]);
    assert_eq!(lab.lines("trace"), ["begins 1", "ends 1", "begins 2", "ends 2"]);
    let detail = lab.json(&["attempts", "load"])[0]["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("that it left behind"), "{detail}");
    assert!(lab.ok("why load 2026-11-01").contains("that it left behind"));
}

#[test]
fn what_a_success_leaves_behind_is_named_by_attempts_why_and_log() {
    let command = r#"command = "while ! test -e DIR/go; do sleep 0.05; done & echo $! > DIR/pid""#;
    let lab = Lab::new(&job("load", 1, command));
    lab.ok("once");
    let detail = lab.json(&["attempts", "load"])[0]["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains(" left behind still run") && detail.contains(&lab.lines("pid")[0]), "{detail}");
    let why = lab.ok("why load 2026-11-01");
    assert!(why.split_whitespace().collect::<Vec<_>>().join(" ").contains(&detail), "{why}");
    let log = lab.run(&["log", "load"]);
    assert!(stderr(&log).contains(&detail), "{}", stderr(&log));
    assert!(String::from_utf8(log.stdout).unwrap().starts_with("[crontabber: a process that the attempt left behind"));
    fs::write(lab.path("go"), "").unwrap();
}
