//! A job that is renamed while an attempt of its previous name runs: every command answers for the new name.

use crate::lab::{Lab, stderr};
use crate::postgres;
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
    let plan = lab.ok("plan");
    assert!(plan.contains("new ") && plan.contains("takes over the dates of `old`"), "{plan}");
    // So is one whose first date under the new name is yet to come.
    let later = OLD.replace("[jobs.old]", "[jobs.new]\npreviously = \"old\"").replace("2024-11-0", "2098-11-0");
    lab.write_registry(&later);
    let planned = lab.json(&["plan"]);
    assert_eq!((&planned[0]["job"], &planned[0]["date"]), (&"new".into(), &"2098-11-01T03:00:00+00:00".into()));
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

const BILL: &str = r#"
[daemon]
clock_guard = "400d"

[jobs.bill]
schedule = "0 3 5 * *"
timezone = "UTC"
start = 2026-03-01
backfill = true
command = "echo $CRONTABBER_JOB $CRONTABBER_SESSION_DATE >> DIR/ran"
"#;

const OTHER: &str = r#"
[jobs.other]
schedule = "0 3 1 * *"
timezone = "UTC"
start = 2026-05-01
backfill = true
command = "echo other $CRONTABBER_SESSION_DATE >> DIR/ran"
"#;

/// A lab for each kind of ledger, with three dates of `bill` that have run.
fn billed() -> [Lab; 2] {
    [Lab::new(BILL), Lab::new(BILL).with_ledger(&postgres::database())].map(|lab| {
        let lab = lab.with_clock("@2026-05-18 12:00:00");
        lab.ok("once");
        assert_eq!(lab.lines("ran"), ["bill 2026-03-05", "bill 2026-04-05", "bill 2026-05-05"]);
        lab
    })
}

#[test]
fn a_new_name_for_the_same_command_waits_for_a_word_and_others_go_on() {
    let renamed = BILL.replace("[jobs.bill]", "[jobs.invoice]");
    for lab in billed() {
        lab.write_registry(&format!("{renamed}{OTHER}"));
        let check = lab.ok("check");
        let question = "invoice: held: is this `bill`, which is gone from the registry? Write `previously = \"bill\"`";
        assert!(check.contains(question), "{check}");
        assert_eq!(lab.json(&["check"])["edits"][0]["change"], "held");
        for _ in 0..2 {
            let log = stderr(&lab.run(&["once"]));
            assert!(log.contains(question), "{log}");
        }
        assert_eq!(lab.lines("ran")[3..], ["other 2026-05-01"], "{}", lab.ledger);
        let list = lab.ok("list");
        assert!(list.contains("it is probably `bill`, which is gone"), "{list}");
        let refused = lab.fails(1, "enable invoice --catch-up");
        assert!(refused.contains("write `previously = \"bill\"` in the registry"), "{refused}");
        lab.write_registry(&format!(
            "{}{OTHER}",
            renamed.replace("[jobs.invoice]", "[jobs.invoice]\npreviously = \"bill\"")
        ));
        lab.set_clock("@2026-06-18 12:00:00");
        lab.ok("once");
        assert_eq!(lab.lines("ran").iter().filter(|line| line.contains("invoice")).count(), 1, "{}", lab.ledger);
        assert!(lab.lines("ran").contains(&"invoice 2026-06-05".to_owned()));
        lab.verify();
    }
}

#[test]
fn a_job_that_had_no_other_name_begins_with_its_start() {
    let renamed = BILL.replace("[jobs.bill]", "[jobs.invoice]\npreviously = false");
    for lab in billed() {
        lab.write_registry(&renamed);
        let check = lab.ok("check");
        assert!(
            check.contains("invoice: new; 3 dates due") && check.contains("bill: gone from the registry"),
            "{check}"
        );
        lab.ok("once");
        assert_eq!(lab.lines("ran")[3..], ["invoice 2026-03-05", "invoice 2026-04-05", "invoice 2026-05-05"]);
        // It has dates of its own now.
        lab.write_registry(&renamed.replace("false", "\"bill\""));
        let check = lab.ok("check");
        assert!(check.contains("invoice: `previously = \"bill\"` has no effect"), "{check}");
        lab.ok("once");
        assert_eq!(lab.lines("ran").len(), 6);
        lab.verify();
    }
}

#[test]
fn the_only_job_that_is_new_may_be_the_only_one_that_is_gone() {
    let other = BILL.replace("[jobs.bill]", "[jobs.invoice]").replace("echo", "sleep 0; echo");
    let [lab, _] = billed();
    lab.write_registry(&other);
    assert!(lab.ok("check").contains("invoice: held: is this `bill`"), "{}", lab.ok("check"));
    // Two new ones with other commands are other jobs.
    lab.write_registry(&format!("{other}{OTHER}"));
    assert!(lab.ok("check").contains("invoice: new; 3 dates due"), "{}", lab.ok("check"));
}

#[test]
fn a_job_that_returns_is_caught_up_unless_its_command_is_another() {
    for lab in billed() {
        lab.write_registry(&format!("{BILL}{OTHER}"));
        lab.ok("once");
        lab.write_registry(OTHER);
        assert!(lab.ok("check").contains("bill: gone from the registry"), "{}", lab.ok("check"));
        lab.ok("once");
        assert!(!lab.ok("check").contains("bill"), "it was told: {}", lab.ok("check"));
        lab.set_clock("@2026-06-18 12:00:00");
        lab.write_registry(&format!("{BILL}{OTHER}"));
        lab.ok("once");
        assert!(lab.lines("ran").contains(&"bill 2026-06-05".to_owned()), "{}", lab.ledger);
        lab.write_registry(OTHER);
        lab.ok("once");
        lab.set_clock("@2026-07-18 12:00:00");
        lab.write_registry(&format!("{}{OTHER}", BILL.replace("echo", "sleep 0; echo")));
        let held = "bill: held: it was gone from the registry, and is back with another command";
        assert!(lab.ok("check").contains(held), "{}", lab.ok("check"));
        for _ in 0..2 {
            lab.ok("once");
            assert!(!lab.lines("ran").contains(&"bill 2026-07-05".to_owned()), "{}", lab.ledger);
        }
        lab.ok("enable bill --catch-up");
        lab.ok("once");
        assert!(lab.lines("ran").contains(&"bill 2026-07-05".to_owned()), "{}", lab.ledger);
        assert!(!lab.ok("check").contains("bill:"), "{}", lab.ok("check"));
        lab.verify();
    }
}

#[test]
fn a_former_name_that_is_said_later_counts_until_a_date_of_the_new_one_has_succeeded() {
    let unsaid = BILL.replace("[jobs.bill]", "[jobs.invoice]\npreviously = false");
    let failing = unsaid.replace("command = \"", "command = \"echo no such table; exit 1; ");
    for lab in billed() {
        lab.write_registry(&failing);
        lab.fails(1, "once");
        assert_eq!(lab.lines("ran").len(), 3);
        lab.write_registry(&unsaid.replace("previously = false", "previously = \"bill\""));
        let check = lab.ok("check");
        assert!(check.contains("invoice: renamed from `bill`: it continues with the dates of that job"), "{check}");
        lab.set_clock("@2026-06-18 12:00:00");
        let log = stderr(&lab.run(&["once"]));
        assert!(log.contains("those of its own, of which none succeeded, are an earlier generation"), "{log}");
        assert_eq!(lab.lines("ran")[3..], ["invoice 2026-06-05"], "{}", lab.ledger);
        let all = lab.json(&["attempts", "invoice", "--all-generations"]);
        let replaced: Vec<_> = all.as_array().unwrap().iter().filter(|row| row["generation"] == 0).collect();
        let [replaced] = replaced.as_slice() else { panic!("{all}") };
        // The output of the attempt under the new name is kept.
        let kept = replaced["log"].as_str().unwrap();
        assert!(kept.contains("/invoice/replaced/"), "{kept}");
        assert_eq!(std::fs::read_to_string(kept).unwrap(), "no such table\n");
        assert!(lab.ok("ghosts").starts_with("no ghosts"));
        lab.verify();
        lab.ok("once");
        assert_eq!(lab.lines("ran").len(), 4, "{}", lab.ledger);
    }
}

#[test]
fn a_former_name_that_the_ledger_does_not_know_is_told() {
    for lab in billed() {
        lab.write_registry(&format!("{BILL}{}", OTHER.replace("backfill", "previously = \"bil\"\nbackfill")));
        let told = "other: `previously = \"bil\"` has no effect, because the ledger has no job of that name";
        let check = lab.ok("check");
        assert!(check.contains(told) && check.contains("other: new; "), "{check}");
        assert_eq!(lab.json(&["check"])["edits"][0]["change"], "none");
        let log = stderr(&lab.run(&["once"]));
        assert!(log.contains(told), "{log}");
        assert!(!lab.ok("check").contains("bil\""), "it was told: {}", lab.ok("check"));
        assert!(!stderr(&lab.run(&["once"])).contains("no effect"));
        lab.verify();
    }
}
