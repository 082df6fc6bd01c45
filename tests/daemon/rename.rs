//! A job that is renamed while an attempt of its previous name runs: every command answers for the new name.

use crate::lab::Lab;
use rustix::process::Signal;

const OLD: &str = r#"
[jobs.old]
schedule = "0 3 * * *"
timezone = "UTC"
start = 2024-11-01
end = 2024-11-02
backfill = true
command = "echo ran >> DIR/ran; until test -e DIR/go; do sleep 0.02; done"
"#;

/// The attempt at the first date runs, and the daemon has read the new name.
fn renamed() -> (Lab, crate::lab::Daemon) {
    let lab = Lab::new(OLD);
    let daemon = lab.daemon();
    lab.until("the attempt", || lab.lines("ran").len() == 1);
    lab.write_registry(&OLD.replace("[jobs.old]", "[jobs.new]\npreviously = \"old\""));
    daemon.signal(Signal::HUP);
    lab.until("the new name", || lab.log().contains("new: renamed from `old`"));
    (lab, daemon)
}

#[test]
fn a_job_that_waits_for_its_ledger_is_shown_under_its_new_name() {
    let (lab, _daemon) = renamed();
    let list = lab.ok("list");
    assert!(list.contains("takes over the dates of `old` once the open attempt of `old` has ended"), "{list}");
    assert!(list.contains("2024-11-01T03:00:00+00:00, attempt 1"), "{list}");
    assert!(!list.contains("ghost"), "{list}");
    assert!(lab.ok("ghosts").starts_with("no ghosts"));
    let row = &lab.json(&["list"])[0];
    assert_eq!((&row["job"], &row["state"]), (&"new".into(), &"running".into()));
    assert!(lab.ok("health").starts_with("OK - 1 job"), "{}", lab.ok("health"));
    let why = lab.ok("why new 2024-11-01");
    assert!(why.contains("2024-11-01T03:00:00+00:00 is running"), "{why}");
    let why = lab.ok("why new 2024-11-02");
    assert!(
        why.ends_with("next: `new` takes over the dates of `old` once the open attempt of `old` has ended\n"),
        "{why}"
    );
    let status = lab.ok("status new");
    assert!(status.contains("takes over the dates of `old`") && status.contains("In the registry"), "{status}");
    assert_eq!(lab.json(&["sessions", "new"]).as_array().map(Vec::len), Some(2));
    assert_eq!(lab.json(&["attempts", "new", "2024-11-01"])[0]["outcome"], serde_json::Value::Null);
    lab.ok("log new");
    let refused = lab.fails(1, "skip new --date 2024-11-02");
    assert!(refused.contains("`crontabber kill new` ends it"), "{refused}");
    std::fs::write(lab.path("go"), "").unwrap();
    lab.until("the rest", || lab.sessions("new").iter().all(|row| row.contains("succeeded")));
}

#[test]
fn what_runs_of_a_renamed_job_is_killed_under_its_new_name() {
    let (lab, _daemon) = renamed();
    let said = lab.ok("kill new 2024-11-01");
    assert!(said.contains("`new`: attempt 1 at 2024-11-01T03:00:00+00:00 was ended"), "{said}");
    assert!(said.contains("`crontabber retry new --held`"), "{said}");
    lab.until("the takeover", || lab.json(&["list"])[0]["state"] == "held");
    std::fs::write(lab.path("go"), "").unwrap();
    lab.ok("retry new --held");
    lab.until("both dates", || lab.sessions("new").iter().all(|row| row.contains("succeeded")));
}
