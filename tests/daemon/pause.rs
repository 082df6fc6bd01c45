//! `pause` and `resume`, with and without a daemon, on both databases.

use crate::lab::{DAILY, Lab, days, stderr};
use crate::postgres;

/// A job of the night, and another one.
fn registry() -> String {
    let other = DAILY.replace("[jobs.load]", "[jobs.other]").replace("DIR/ran", "DIR/other");
    format!("{DAILY}tags = [\"night\"]\n{other}")
}

fn on_both() -> [Lab; 2] {
    [Lab::new(&registry()), Lab::new(&registry()).with_ledger(&postgres::database())]
        .map(|lab| lab.with_clock("@2026-11-03 12:00:00"))
}

#[test]
fn a_paused_job_waits_for_once_and_for_a_daemon_and_every_command_says_so() {
    for lab in on_both() {
        let dry = lab.ok("pause --tag night --reason migration --dry-run");
        assert!(
            dry.starts_with("dry run, nothing is changed; it would answer: all jobs with the tag `night`"),
            "{dry}"
        );
        let paused = lab.json(&["pause", "--tag", "night", "--reason", "migration"]);
        assert_eq!((&paused["done"], &paused["job"], &paused["tag"]), (&true.into(), &().into(), &"night".into()));
        let log = stderr(&lab.run(&["once"]));
        assert!(log.contains("all jobs with the tag `night` are paused (1 job, 3 due dates unsettled)"), "{log}");
        assert_eq!((lab.lines("ran").len(), lab.lines("other").len()), (0, 3), "{log}");
        let list = lab.json(&["list"]);
        let row = &list[0];
        assert_eq!((&row["state"], &row["enabled"], &row["backlog"]), (&"paused".into(), &false.into(), &3.into()));
        for by in [&row["blocked_by"], &row["disabled_by"][0]] {
            assert_eq!((&by["by"], &by["tag"]), (&"pause".into(), &"night".into()), "{row}");
            assert_eq!((&by["reason"], by["user"].is_string()), (&"migration".into(), true), "{row}");
        }
        for command in ["list", "status load", "plan", "why load 2026-11-02"] {
            let said = lab.ok(command);
            assert!(said.contains("paused all jobs with the tag `night` at 2026-11-03T12:00"), "{command}: {said}");
            assert!(said.contains("crontabber resume --tag night"), "{command}: {said}");
        }
        // A pause that is forgotten is seen; a planned one does not page.
        lab.ok("health");
        lab.set_clock("@2026-11-03 12:20:00");
        let health = lab.exits(1, "health").0;
        assert!(health.contains("3 due dates of 1 job wait for the end of a pause"), "{health}");
        lab.ok("pause --tag night --until 2026-11-03T14:00");
        lab.ok("health");
        let refused = lab.fails(1, "run load");
        assert!(refused.contains("is paused") && refused.contains("--force"), "{refused}");
        lab.ok("run load --force");
        assert_eq!(lab.lines("ran"), days(1, 1, ""));
        let mut daemon = lab.daemon();
        lab.until("the daemon says so", || lab.log().contains("are paused (1 job, 2 due dates unsettled)"));
        // The time of the pause passes.
        lab.set_clock("@2026-11-03 14:00:00");
        lab.until("all dates", || lab.lines("ran") == days(1, 3, ""));
        assert!(lab.log().contains("are resumed: the `--until` of their pause has passed"), "{}", lab.log());
        // Beside a daemon.
        let said = lab.ok("pause --reason lunch");
        assert!(said.starts_with("all jobs are paused (2 jobs)"), "{said}");
        lab.set_clock("@2026-11-04 12:00:00");
        lab.until("the date is recorded", || lab.sessions("other").len() == 4);
        let said = lab.ok("resume");
        assert!(said.starts_with("all jobs are resumed (2 jobs): 2 due dates run now, in order"), "{said}");
        lab.until("they run", || lab.lines("ran").len() == 4 && lab.lines("other").len() == 4);
        assert!(lab.ok("resume").contains("there is no pause of all jobs: nothing was changed"));
        let audit = lab.json(&["audit"]);
        let acts: Vec<&str> = audit.as_array().unwrap().iter().map(|act| act["action"].as_str().unwrap()).collect();
        assert_eq!(acts, ["resume", "resume", "pause", "run", "run", "pause", "pause"], "{audit}");
        assert!(lab.ok("audit").contains("lunch"));
        assert!(daemon.stop().success());
    }
}

#[test]
fn the_times_of_a_pause_are_those_of_the_zone_of_the_daemon() {
    let lab = Lab::new(&format!("[daemon]\ntimezone = \"Asia/Tokyo\"\n{DAILY}timezone = \"UTC\"\n"))
        .with_clock("@2026-11-03 12:00:00");
    let until = "it ends at 2026-11-04T09:00:00+09:00, or with `crontabber resume`";
    for command in ["pause --until 2026-11-04T09:00 --dry-run", "pause --until 2026-11-04T09:00"] {
        let said = lab.ok(command);
        assert!(said.contains(until), "{command}: {said}");
    }
    // The answer to an order for a job has the zone of the job.
    let retried = lab.ok("backfill load --from 2026-10-01 --to 2026-10-02");
    assert!(retried.contains("it ends at 2026-11-04T00:00:00+00:00"), "{retried}");
    assert!(retried.contains("paused all jobs at 2026-11-03T12:00:00+00:00; it ends"), "{retried}");
    let refused = lab.fails(1, "pause --until 2026-11-03T20:00");
    assert!(refused.contains("2026-11-03T20:00:00+09:00 is not in the future"), "{refused}");
    let _daemon = lab.daemon();
    lab.until("the daemon says so", || lab.log().contains(until));
    assert!(lab.ok("pause --until 2026-11-04T09:00").contains(until), "beside the daemon");
}

#[test]
fn of_two_pauses_at_once_every_command_names_both() {
    for lab in on_both() {
        lab.ok("pause --tag night --until 2026-11-05T14:00 --reason migration");
        lab.ok("pause --reason lunch");
        let ends = ["`crontabber resume` ends it", "or with `crontabber resume --tag night`"];
        for command in ["list", "status load", "plan", "plan load", "why load"] {
            let output = lab.run(&command.split(' ').collect::<Vec<_>>());
            let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
            assert!(ends.iter().all(|end| said.contains(end)), "{command}: {said}");
        }
        let row = &lab.json(&["list"])[0];
        let reasons = |rows: &serde_json::Value| -> Vec<String> {
            rows.as_array().unwrap().iter().map(|by| by["reason"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(reasons(&row["disabled_by"]), ["lunch", "migration"], "{row}");
        assert_eq!(row["blocked_by"]["reason"], "lunch", "{row}");
        assert_eq!(reasons(&row["blocked_by"]["others"]), ["migration"], "{row}");
        for command in ["run load", "backfill load --from 2026-10-01 --to 2026-10-02"] {
            let output = lab.run(&command.split(' ').collect::<Vec<_>>());
            let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
            assert!(ends.iter().all(|end| said.contains(end)), "{command}: {said}");
        }
        // What remains after one has ended is still said.
        lab.ok("resume");
        let row = &lab.json(&["list"])[0];
        assert_eq!((&row["state"], &row["blocked_by"]["tag"]), (&"paused".into(), &"night".into()), "{row}");
        assert!(row["blocked_by"]["others"].is_null(), "{row}");
    }
}
