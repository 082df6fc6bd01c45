//! The real daemon, with real processes and signals, on SQLite.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use crate::lab::{DAILY, Daemon, Lab, kill_group, lives, signal_process, stderr, stdout};
use rustix::process::Signal;

fn days(from: u32, to: u32, more: &str) -> Vec<String> {
    (from..=to).map(|day| format!("2026-11-{day:02}{more}")).collect()
}

#[test]
fn one_wake_gives_every_date_to_its_job_in_order_once() {
    let lab = Lab::new(DAILY);
    assert!(lab.run(&["once"]).status.success());
    assert_eq!(lab.lines("ran"), days(1, 6, ""));
    assert_eq!(lab.sessions("load"), days(1, 6, " succeeded 1"));
    assert!(lab.run(&["once"]).status.success());
    assert_eq!(lab.lines("ran").len(), 6, "a date that succeeded is not given to its job again");
}

#[test]
fn a_wake_in_which_an_attempt_failed_exits_with_1() {
    let lab = Lab::new(&DAILY.replace("echo", "test $CRONTABBER_SESSION_DATE != 2026-11-03 && echo"));
    let output = lab.run(&["once"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let mut expected = days(1, 2, " succeeded 1");
    expected.push("2026-11-03 failed 1".to_owned());
    expected.extend(days(4, 6, " waiting 0"));
    assert_eq!(lab.sessions("load"), expected);
    assert_eq!(lab.run(&["once"]).status.code(), Some(0), "it is not due again yet, and nothing failed");
}

#[test]
fn a_crash_in_the_middle_of_a_catch_up_repeats_no_date_that_succeeded() {
    let lab = Lab::new(
        r#"
[jobs.load]
schedule = "*/10 * * * *"
backfill = true
start = 2026-11-01
end = 2026-11-01
command = ["/bin/sh", "-c", "echo $CRONTABBER_UNIXTIME start >> DIR/ran; echo $CRONTABBER_UNIXTIME end >> DIR/ran"]
"#,
    );
    for crash in 1..=5 {
        let mut daemon = lab.daemon();
        lab.until("more dates", || lab.lines("ran").len() > crash * 20);
        daemon.kill();
    }
    assert!(lab.run(&["once"]).status.success());
    lab.until("all dates", || {
        lab.run(&["once"]).status.success() && lab.sessions("load").iter().all(|row| row.contains("succeeded"))
    });
    assert_eq!(lab.sessions("load").len(), 144);
    let lines = lab.lines("ran");
    let mut ends: Vec<&str> = lines.iter().filter_map(|line| line.strip_suffix(" end")).collect();
    assert!(ends.is_sorted(), "in order");
    let all = ends.len();
    ends.dedup();
    assert_eq!((ends.len(), all), (144, 144), "each date once");
    assert!(!lab.outcomes("load").contains(&"lost".to_owned()), "every end is known");
}

#[test]
fn a_second_daemon_exits_with_3_and_names_the_first() {
    let lab = Lab::new(DAILY);
    let mut daemon = lab.daemon();
    lab.until("a first daemon", || lab.lines("ran").len() == 6);
    let second = lab.run(&[]);
    assert_eq!(second.status.code(), Some(3));
    assert!(stderr(&second).contains(&daemon.pid().to_string()), "{}", stderr(&second));
    assert_eq!(lab.run(&["once"]).status.code(), Some(3));
    assert!(daemon.stop().success());
    assert!(lab.run(&["once"]).status.success());
}

#[test]
fn of_two_started_at_the_same_instant_one_works() {
    let lab = Lab::new(DAILY);
    let pair: Vec<_> =
        (0..2).map(|_| lab.command(&["once"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()).collect();
    let mut codes: Vec<_> = pair.into_iter().map(|mut child| child.wait().unwrap().code().unwrap()).collect();
    codes.sort_unstable();
    // The second may come so late that the first is done.
    assert!(codes == [0, 3] || codes == [0, 0], "{codes:?}");
    assert_eq!(lab.lines("ran"), days(1, 6, ""));
}

/// A job that says that it runs, and waits for a file before it ends.
const SLOW: &str = r#"
[jobs.slow]
schedule = "0 3 * * *"
backfill = true
start = 2026-11-01
end = 2026-11-01
retry = { after = "1s", attempts = 1 }
command = "echo $$ >> DIR/pids; while ! test -e DIR/go; do sleep 0.05; done; echo done >> DIR/ran"
"#;

#[test]
fn a_stop_waits_for_what_runs() {
    let lab = Lab::new(SLOW);
    let mut daemon = lab.daemon();
    lab.until_file("pids");
    daemon.signal(Signal::TERM);
    lab.until("the stop is said", || lab.log().contains("stopping"));
    fs::write(lab.path("go"), "").unwrap();
    assert!(daemon.wait().success());
    assert_eq!(lab.sessions("slow"), ["2026-11-01 succeeded 1"]);
}

#[test]
fn a_second_signal_kills_and_uses_up_no_attempt() {
    let lab = Lab::new(SLOW);
    let mut daemon = lab.daemon();
    lab.until_file("pids");
    daemon.signal(Signal::TERM);
    lab.until("the stop is said", || lab.log().contains("stopping"));
    daemon.signal(Signal::TERM);
    assert!(daemon.wait().success());
    assert!(!lives(&lab.lines("pids")[0]));
    assert_eq!(lab.outcomes("slow"), ["interrupted"]);
    fs::write(lab.path("go"), "").unwrap();
    assert!(lab.run(&["once"]).status.success());
    assert_eq!(lab.sessions("slow"), ["2026-11-01 succeeded 2"], "though its retry has one attempt only");
}

#[test]
fn what_outlives_the_stop_grace_is_left_to_the_warden_and_taken_up() {
    let lab = Lab::new(&format!("[daemon]\nstop_grace = \"100ms\"\n{SLOW}"));
    let mut daemon = lab.daemon();
    lab.until_file("pids");
    assert!(daemon.stop().success());
    assert!(lab.log().contains("left to the warden: slow"), "{}", lab.log());
    assert_eq!(lab.outcomes("slow"), ["open"]);
    // It ends while nobody but the warden is there.
    fs::write(lab.path("go"), "").unwrap();
    lab.until_file("ran");
    let mut daemon = lab.daemon();
    lab.until("its end is known", || lab.sessions("slow") == ["2026-11-01 succeeded 1"]);
    assert_eq!(lab.lines("pids").len(), 1, "no second one beside it");
    assert!(daemon.stop().success());
}

#[test]
fn what_outlives_the_stop_grace_is_interrupted_where_the_warden_ends_with_us() {
    let lab = Lab::new(&format!("[daemon]\nstop_grace = \"100ms\"\n{SLOW}"));
    let command = lab.command(&[]);
    // As a service of systemd's without a unit for the warden.
    let child = Command::new("/bin/sh")
        .args(["-c", "SYSTEMD_EXEC_PID=$$ exec \"$@\"", "sh"])
        .arg(command.get_program())
        .args(command.get_args())
        .stderr(File::create(lab.path("daemon.log")).unwrap())
        .spawn()
        .unwrap();
    let mut daemon = Daemon { child };
    lab.until_file("pids");
    assert!(daemon.stop().success());
    assert_eq!(lab.outcomes("slow"), ["interrupted"]);
    assert_eq!(lab.sessions("slow"), ["2026-11-01 waiting 1"], "it uses up no attempt");
}

#[test]
fn a_job_still_going_from_before_is_waited_for_and_its_end_is_known() {
    let lab = Lab::new(SLOW);
    let mut daemon = lab.daemon();
    lab.until_file("pids");
    daemon.kill();
    let mut daemon = lab.daemon();
    lab.until("it is found", || lab.log().contains("slow: attempt 1 still runs, and is waited for"));
    assert_eq!(lab.outcomes("slow"), ["open"]);
    fs::write(lab.path("go"), "").unwrap();
    lab.until("it succeeds", || lab.sessions("slow") == ["2026-11-01 succeeded 1"]);
    assert_eq!(lab.outcomes("slow"), ["succeeded"]);
    assert_eq!(lab.lines("pids").len(), 1, "no second one beside it");
    assert!(daemon.stop().success());
}

#[test]
fn a_job_whose_warden_was_killed_is_waited_for_and_then_lost() {
    let lab = Lab::new(&SLOW.replace(", attempts = 1", ""));
    let mut daemon = lab.daemon();
    lab.until_file("pids");
    lab.kill_warden();
    lab.until("there is another", || lab.log().contains("there is a warden again"));
    assert_eq!(lab.lines("pids").len(), 1, "no second one beside it");
    assert_eq!(lab.outcomes("slow"), ["open"]);
    fs::write(lab.path("go"), "").unwrap();
    lab.until("it is attempted again", || lab.sessions("slow") == ["2026-11-01 succeeded 2"]);
    assert_eq!(lab.outcomes("slow"), ["lost", "succeeded"]);
    assert!(daemon.stop().success());
}

#[test]
fn a_process_whose_number_was_never_written_is_found() {
    let lab = Lab::new(SLOW);
    // The number is written with the next commit or a moment later: who is killed at once has not written it.
    let mut daemon = lab.daemon();
    lab.until_file("pids");
    daemon.kill();
    lab.kill_warden();
    let mut daemon = lab.daemon();
    lab.until("it is found", || lab.json(&["attempts", "slow"])[0]["pid"].is_number());
    assert_eq!(lab.lines("pids").len(), 1, "no second one beside it");
    signal_process(lab.lines("pids")[0].trim().parse().unwrap(), Signal::KILL);
    lab.until("it is lost", || lab.outcomes("slow") == ["lost"]);
    assert!(daemon.stop().success());
    assert_eq!(lab.sessions("slow"), ["2026-11-01 held 1"], "its one attempt is used up");
}

#[test]
fn a_reload_takes_new_jobs_and_keeps_the_old_registry_on_a_mistake() {
    let lab = Lab::new(DAILY);
    let mut daemon = lab.daemon();
    lab.until("the first registry", || lab.lines("ran").len() == 6);
    lab.write_registry(&DAILY.replace("schedule", "scedule"));
    daemon.signal(Signal::HUP);
    lab.until("the mistake is said", || lab.log().contains("did you mean"));
    lab.write_registry(&format!("{DAILY}\n{}", DAILY.replace("load", "more").replace("DIR/ran", "DIR/more")));
    daemon.signal(Signal::HUP);
    lab.until("the new job", || lab.lines("more").len() == 6);
    let log = lab.log();
    assert!(log.contains("more: new; 6 dates due, from 2026-11-01T03:00"), "{log}");
    lab.write_registry(&DAILY.replace("load", "more").replace("DIR/ran", "DIR/more").replace("0 3", "0 4"));
    daemon.signal(Signal::HUP);
    lab.until("the change", || lab.log().contains("more: changed: schedule"));
    assert!(lab.log().contains("load: gone from the registry"), "{}", lab.log());
    assert!(stdout(&lab.run(&["ghosts"])).contains("load"));
    assert!(daemon.stop().success());
}

#[test]
fn many_missed_dates_are_told_of_before_they_are_attempted() {
    let many = format!("[daemon]\nannounce_over = 5\n{DAILY}");
    let lab = Lab::new(&many);
    let mut daemon = lab.daemon();
    let have_succeeded = |count| lab.log().matches("succeeded in").count() == count;
    lab.until("the dates", || have_succeeded(6));
    let told = "6 dates were missed, and are attempted now, oldest first: 6 of load; `crontabber skip` or `disable`";
    let place = |text: &str| lab.log().find(text).unwrap_or_else(|| panic!("{text}: {}", lab.log()));
    assert!(place(told) < place("load: 2026-11-01T03:00"), "before the first of them: {}", lab.log());
    // With a reload, and by then one knows how long one takes.
    lab.write_registry(&many.replace("2026-11-01", "2026-10-29").replace("announce_over = 5", "announce_over = 2"));
    daemon.signal(Signal::HUP);
    lab.until("the others", || have_succeeded(9));
    let told = "3 dates were missed, and are attempted now, oldest first: 3 of load (less than a minute)";
    assert!(place(told) < place("load: 2026-10-29T03:00"), "{}", lab.log());
    // No more than that is no news.
    lab.write_registry(&many.replace("2026-11-01", "2026-10-24"));
    daemon.signal(Signal::HUP);
    lab.until("the rest", || have_succeeded(14));
    assert_eq!(lab.log().matches("dates were missed").count(), 2, "{}", lab.log());
    assert!(daemon.stop().success());
}

#[test]
fn a_dependent_waits_for_the_same_date_and_heals() {
    let lab = Lab::new(
        r#"
[jobs.clean]
schedule = "0 4 * * *"
backfill = true
start = 2026-11-01
end = 2026-11-04
depends_on = ["load"]
command = "echo clean $CRONTABBER_SESSION_DATE >> DIR/ran"

[jobs.load]
schedule = "0 3 * * *"
backfill = true
start = 2026-11-01
end = 2026-11-04
retry = { after = "1s" }
command = "test $CRONTABBER_SESSION_DATE$CRONTABBER_ATTEMPT != 2026-11-031 && echo load $CRONTABBER_SESSION_DATE >> DIR/ran"
"#,
    );
    let mut daemon = lab.daemon();
    lab.until("all of it", || lab.lines("ran").len() == 8);
    let expected: Vec<String> =
        (1..=4).flat_map(|day| [format!("load 2026-11-0{day}"), format!("clean 2026-11-0{day}")]).collect();
    let mut seen = lab.lines("ran");
    assert_eq!(
        seen.iter().position(|line| line == "clean 2026-11-03"),
        seen.iter()
            .position(|line| line == "load 2026-11-03")
            .map(|place| place + 1)
            .max(seen.iter().position(|line| line == "clean 2026-11-03"))
    );
    seen.sort_by_key(|line| line.rsplit(' ').next().unwrap().to_owned());
    assert_eq!(seen, expected);
    assert!(daemon.stop().success());
}

#[test]
fn commands_that_cannot_start_are_named_by_their_outcome() {
    let lab = Lab::new(
        r#"
[daemon]
timezone = "UTC"
[jobs.missing]
schedule = "0 3 * * *"
start = 2026-11-01
end = 2026-11-01
command = ["no-such-program"]
[jobs.text]
schedule = "0 3 * * *"
start = 2026-11-01
end = 2026-11-01
command = ["DIR/jobs.toml"]
[jobs.folder]
schedule = "0 3 * * *"
start = 2026-11-01
end = 2026-11-01
command = ["/bin/true"]
working_directory = "DIR/nowhere"
[jobs.environment]
schedule = "0 3 * * *"
start = 2026-11-01
end = 2026-11-01
command = ["/bin/true"]
environment_file = "DIR/nowhere"
"#,
    );
    assert_eq!(lab.run(&["once"]).status.code(), Some(1));
    for (job, code, detail) in [
        ("missing", 127, "no-such-program"),
        ("text", 126, "jobs.toml"),
        ("folder", 125, "nowhere"),
        ("environment", 125, "nowhere"),
    ] {
        let attempt = &lab.json(&["attempts", job])[0];
        assert_eq!(
            (attempt["outcome"].as_str(), attempt["exit_code"].as_i64()),
            (Some("failed"), Some(code)),
            "{attempt}"
        );
        assert!(attempt["detail"].as_str().unwrap().contains(detail), "{attempt}");
    }
}

#[test]
fn outcomes_tell_signals_and_timeouts_from_failures() {
    let lab = Lab::new(
        r#"
[jobs.killed]
schedule = "0 3 * * *"
start = 2026-11-01
end = 2026-11-01
command = "kill -9 $$"
[jobs.late]
schedule = "0 3 * * *"
start = 2026-11-01
end = 2026-11-01
timeout = "200ms"
kill_grace = "100ms"
command = "trap '' TERM; while :; do sleep 0.02; done"
[jobs.loud]
schedule = "0 3 * * *"
start = 2026-11-01
end = 2026-11-01
command = "head -c 30000000 /dev/zero; printf '\\377\\376 the end'"
"#,
    );
    assert_eq!(lab.run(&["once"]).status.code(), Some(1));
    let killed = &lab.json(&["attempts", "killed"])[0];
    assert_eq!((killed["outcome"].as_str(), killed["signal"].as_i64()), (Some("killed"), Some(9)));
    assert_eq!(lab.outcomes("late"), ["timed-out"]);
    assert_eq!(lab.outcomes("loud"), ["succeeded"]);
    let log = lab.run(&["log", "loud"]).stdout;
    assert!(log.len() < 1_200_000 && log.ends_with(b"\xff\xfe the end"), "{} bytes", log.len());
}

#[test]
fn a_job_sees_its_date_and_none_of_our_secrets() {
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
    assert!(lab.run(&["once"]).status.success());
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
fn run_attempts_a_job_now_without_a_daemon_and_beside_one() {
    let lab = Lab::new(
        r#"
[jobs.hand]
schedule = "0 3 1 1 *"
command = "echo hand >> DIR/ran; test ! -e DIR/fail"
[jobs.load]
schedule = "0 3 * * *"
backfill = true
start = 2026-11-01
end = 2026-11-02
command = "echo load >> DIR/loaded"
"#,
    );
    let output = lab.run(&["run", "hand"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!((lab.lines("ran").len(), lab.lines("loaded").len()), (1, 0), "it, and nothing else");
    fs::write(lab.path("fail"), "").unwrap();
    assert_eq!(lab.run(&["--job", "hand"]).status.code(), Some(1));
    fs::remove_file(lab.path("fail")).unwrap();
    let mut daemon = lab.daemon();
    lab.until("a daemon", || lab.lines("loaded").len() == 2);
    let output = lab.run(&["run", "hand", "--reason", "to see it"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(lab.lines("ran").len(), 3);
    let refused = lab.run(&["run", "load", "--date", "2026-11-01"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("not given to its job twice"), "{}", stderr(&refused));
    let output = lab.run(&["--reset-job", "load"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("2 dates from 2026-11-01T03:00:00+00:00 on"), "{}", stdout(&output));
    lab.until("its dates run again", || lab.lines("loaded").len() == 4);
    assert!(daemon.stop().success());
    assert!(lab.run(&["reset", "load"]).status.success());
    assert_eq!(lab.lines("loaded").len(), 4, "a reset runs nothing by itself");
    assert!(lab.run(&["run", "nobody"]).status.code() != Some(0));
}

#[test]
fn health_warns_at_a_first_failure_and_is_critical_at_a_second() {
    let lab = Lab::new(
        r#"
[jobs.load]
schedule = "0 3 * * *"
backfill = true
start = 2026-11-01
end = 2026-11-01
retry = { after = "1ms" }
command = "exit 3"
"#,
    );
    lab.run(&["once"]);
    let first = lab.run(&["health"]);
    assert_eq!(first.status.code(), Some(1), "{}", stdout(&first));
    assert!(stdout(&first).starts_with("WARNING"), "{}", stdout(&first));
    lab.run(&["once"]);
    let second = lab.run(&["--nagios"]);
    assert_eq!(second.status.code(), Some(2), "{}", stdout(&second));
    assert!(stdout(&second).starts_with("CRITICAL") && stdout(&second).contains("load"), "{}", stdout(&second));
}

#[test]
fn a_registry_that_cannot_be_used_exits_with_78() {
    let lab = Lab::new("");
    for (registry, says) in [
        ("", "no jobs"),
        ("[jobs.a", "jobs.toml:1"),
        ("[jobs.a]\nbackfill = true\ncommand = \"true\"\n", "schedule"),
        ("[jobs.a]\nschedule = \"0 0 30 2 *\"\ncommand = \"true\"\n", "never"),
        ("[jobs.a]\nschedule = \"0 3 * * *\"\ncommand = \"true\"\ndepends_on = [\"a\"]\n", "itself"),
        ("[jobs.a]\nschedule = \"0 3 * * *\"\ncommand = \"true\"\nstart = 2026-11-02\nend = 2026-11-01\n", "end"),
    ] {
        lab.write_registry(registry);
        for arguments in [&["once"][..], &["check"], &["list"], &[]] {
            let output = lab.run(arguments);
            assert_eq!(output.status.code(), Some(78), "{registry:?} {arguments:?}: {}", stderr(&output));
            assert!(stderr(&output).contains(says), "{registry:?}: {}", stderr(&output));
        }
    }
    fs::remove_file(lab.path("jobs.toml")).unwrap();
    assert_eq!(lab.run(&["once"]).status.code(), Some(78));
    assert!(!lab.path("ledger.db").exists(), "nothing was created");
}

#[test]
fn a_ledger_that_cannot_be_used_says_why() {
    let lab = Lab::new(DAILY);
    fs::write(lab.path("ledger.db"), "this is no database, though it is long enough to be looked at".repeat(20))
        .unwrap();
    let output = lab.run(&["once"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no database"), "{}", stderr(&output));
    let lab = Lab::new(DAILY).with_ledger("sqlite:///nowhere/at/all/ledger.db");
    let output = lab.run(&["once"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("does not exist"), "{}", stderr(&output));
    assert!(lab.lines("ran").is_empty());
}

#[test]
fn secrets_are_for_their_owner_only() {
    let lab = Lab::new(&DAILY.replace(">> DIR/ran", ""));
    assert!(lab.run(&["once"]).status.success());
    let mode = |name: &str| fs::metadata(lab.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("ledger.db"), mode("logs")), (0o600, 0o700));
    assert_eq!(stdout(&lab.run(&["log", "load", "2026-11-02"])).trim(), "2026-11-02");
}

#[test]
fn a_log_in_json_has_an_object_a_line() {
    let lab = Lab::new(DAILY);
    let output = lab.run(&["--log-format", "json", "once"]);
    let lines = stderr(&output);
    let events: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ended = events.iter().find(|event| event["outcome"] == "succeeded").expect("an end");
    assert_eq!(ended["job"], "load");
    assert!(ended["duration_seconds"].is_number() && ended["message"].is_string(), "{ended}");
}

#[test]
fn a_wake_after_a_crash_attempts_what_was_lost() {
    let lab = Lab::new(&DAILY.replace("echo", "test -e DIR/go || sleep 100; echo"));
    let mut daemon = lab.daemon();
    lab.until("an attempt", || lab.outcomes("load") == ["open"]);
    lab.until("its process", || lab.json(&["attempts", "load"])[0]["pid"].is_number());
    let pid = lab.json(&["attempts", "load"])[0]["pid"].as_i64().unwrap();
    daemon.kill();
    lab.kill_warden();
    kill_group(pid);
    fs::write(lab.path("go"), "").unwrap();
    let output = lab.run(&["once"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(lab.lines("ran"), days(1, 6, ""));
}

#[test]
fn two_ledgers_with_the_same_jobs_do_not_take_each_others_processes() {
    let (one, other) = (Lab::new(SLOW), Lab::new(SLOW));
    let mut first = one.daemon();
    one.until_file("pids");
    let mut second = other.daemon();
    other.until_file("pids");
    // Killed before the number of its process is written: it is found by its environment, and by its ledger's mark.
    second.kill();
    other.kill_warden();
    let mut second = other.daemon();
    other.until("its own process", || other.json(&["attempts", "slow"])[0]["pid"].is_number());
    let own = other.lines("pids")[0].clone();
    assert_eq!(other.json(&["attempts", "slow"])[0]["pid"].to_string(), own);
    fs::write(one.path("go"), "").unwrap();
    one.until("the other's end", || one.lines("ran").len() == 1);
    assert_eq!(other.outcomes("slow"), ["open"]);
    fs::write(other.path("go"), "").unwrap();
    other.until("its own end", || other.outcomes("slow") == ["lost"]);
    assert!(first.stop().success() && second.stop().success());
}

#[test]
fn a_failure_of_a_second_date_is_a_second_failure() {
    let lab = Lab::new(
        r#"
[jobs.load]
schedule = "0 3 * * *"
backfill = true
order = "independent"
start = 2026-11-01
end = 2026-11-02
command = "exit 3"
"#,
    );
    assert_eq!(lab.run(&["once"]).status.code(), Some(1));
    let health = lab.run(&["health"]);
    assert_eq!(health.status.code(), Some(2), "{}", stdout(&health));
    assert!(
        stdout(&health).contains("2026-11-01") && stdout(&health).contains("2 dates failed"),
        "{}",
        stdout(&health)
    );
}

#[test]
fn a_signal_wakes_and_an_interrupt_stops() {
    let lab = Lab::new(DAILY);
    let mut daemon = lab.daemon();
    lab.until("its work", || lab.lines("ran").len() == 6);
    daemon.signal(Signal::USR1);
    lab.until("it is woken", || lab.log().contains("woken by a signal"));
    daemon.signal(Signal::INT);
    assert!(daemon.wait().success());
    assert!(lab.log().contains("stopped"), "{}", lab.log());
    assert_eq!(lab.lines("ran").len(), 6);
}

#[test]
fn a_wake_that_is_cut_short_says_so() {
    let lab = Lab::new(SLOW);
    let log = fs::File::create(lab.path("daemon.log")).unwrap();
    let mut child = lab.command(&["once"]).stdout(Stdio::null()).stderr(log).spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    lab.until_file("pids");
    signal_process(pid, Signal::INT);
    lab.until("the stop is said", || lab.log().contains("stopping"));
    signal_process(pid, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(lab.outcomes("slow"), ["interrupted"]);
}

/// Runs a command as a user who owns nothing, which takes root; `None`, and said so, where we are not.
#[expect(clippy::print_stdout, reason = "what is left out is reported by name")]
fn run_as_nobody(test: &str, lab: &Lab, arguments: &[&str]) -> Option<std::process::Output> {
    if !rustix::process::getuid().is_root() {
        println!("not run: {test} (needs root, to be nobody)");
        return None;
    }
    // Nobody may not look into every folder in which a binary is built.
    let binary = lab.path("crontabber");
    fs::copy(env!("CARGO_BIN_EXE_crontabber"), &binary).expect("a copy");
    fs::set_permissions(lab.folder.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
    let mut command = std::process::Command::new(binary);
    command.arg("--config").arg(lab.path("jobs.toml")).args(arguments).env_clear().uid(65534).gid(65534);
    Some(command.current_dir("/").output().expect("the binary runs"))
}

#[test]
fn a_registry_that_may_not_be_read_exits_with_78() {
    let lab = Lab::new(DAILY);
    fs::set_permissions(lab.path("jobs.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    let test = "a_registry_that_may_not_be_read_exits_with_78";
    let Some(output) = run_as_nobody(test, &lab, &["once"]) else { return };
    assert_eq!(output.status.code(), Some(78), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("jobs.toml") && stderr(&output).contains("ermission denied"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_ledger_in_a_folder_that_may_not_be_written_says_so() {
    let lab = Lab::new(DAILY);
    let ledger = lab.ledger.clone();
    let test = "a_ledger_in_a_folder_that_may_not_be_written_says_so";
    let Some(output) = run_as_nobody(test, &lab, &["--ledger", &ledger, "once"]) else { return };
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("cannot be written"), "{}", stderr(&output));
    assert!(lab.lines("ran").is_empty(), "nothing was started");
}

#[test]
fn on_a_terminal_it_prints_lines_a_bar_and_when_it_looks_again() {
    let lab = Lab::new(&format!(
        "{}\n[jobs.many]\nschedule = \"*/10 * * * *\"\nbackfill = true\nstart = 2026-11-01\nend = 2026-11-01\n\
         command = [\"/bin/true\"]\n[jobs.yearly]\nschedule = \"@yearly\"\ncommand = \"true\"\n",
        DAILY.replace("echo", "test $CRONTABBER_SESSION_DATE$CRONTABBER_ATTEMPT != 2026-11-041 && echo")
    ));
    // A terminal of its own for the daemon: util-linux's `script`, which is on every Debian.
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

#[test]
fn completions_are_those_of_the_shell() {
    let lab = Lab::new(DAILY);
    for (shell, mark) in [("bash", "complete -F"), ("zsh", "#compdef crontabber"), ("fish", "complete -c crontabber")] {
        let output = lab.run(&["completions", shell]);
        assert!(output.status.success() && stdout(&output).contains(mark), "{shell}: {}", stderr(&output));
    }
}

#[test]
fn what_root_does_by_hand_leaves_the_warden_of_another_user_its_files() {
    let lab = Lab::new(DAILY);
    if !rustix::process::geteuid().is_root() {
        println!("not run: what_root_does_by_hand_leaves_the_warden_of_another_user_its_files (needs root)");
        return;
    }
    let nobody = Some(65534);
    std::os::unix::fs::chown(lab.folder.path(), nobody, nobody).unwrap();
    assert!(lab.run(&["once"]).status.success());
    let mut files: Vec<_> = fs::read_dir(lab.path("warden")).unwrap().map(|file| file.unwrap().path()).collect();
    files.push(lab.path("warden"));
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        let owner = std::os::unix::fs::MetadataExt::uid(&fs::symlink_metadata(&file).unwrap());
        assert_eq!(Some(owner), nobody, "{}", file.display());
    }
}

#[test]
fn a_command_that_is_longer_than_any_program_can_take_has_failed() {
    let lab = Lab::new(&DAILY.replace("echo", &format!("true {} && echo", "x".repeat(4_000_000))));
    assert_eq!(lab.run(&["once"]).status.code(), Some(1));
    let attempts = lab.json(&["attempts", "load"]);
    assert!(attempts[0]["detail"].as_str().unwrap().contains("no program can be started with more"), "{attempts}");
}

#[test]
fn a_daemon_whose_log_nobody_reads_any_more_goes_on() {
    let lab = Lab::new(DAILY);
    let mut child = lab.command(&[]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    let mut daemon = Daemon { child };
    lab.until("its work", || lab.lines("ran").len() == 6);
    assert!(daemon.stop().success());
}
