//! `verify` finds no violation in the ledger of a real daemon after failures, a crash, requests and a changed schedule.

use rustix::process::Signal;

use crate::lab::Lab;
use crate::postgres;

/// A job that fails at one date until a file exists, a job that depends on it, and one that runs its newest date only.
const JOBS: &str = r#"
[jobs.load]
schedule = "0 3 * * *"
backfill = true
start = 2026-11-01
end = 2026-11-05
retry = { after = "100ms" }
command = "echo $CRONTABBER_SESSION_DATE >> DIR/load; sleep 0.03; test $CRONTABBER_SESSION_DATE != 2026-11-03 || test -e DIR/healed"
[jobs.clean]
schedule = "0 4 * * *"
backfill = true
start = 2026-11-01
end = 2026-11-05
depends_on = ["load"]
command = "echo $CRONTABBER_SESSION_DATE >> DIR/clean"
[jobs.newest]
schedule = "0 3 * * *"
start = 2026-11-01
end = 2026-11-05
command = "true"
"#;

fn expect_no_violation(lab: &Lab) {
    let mut daemon = lab.daemon();
    lab.until("a date that is attempted again and again", || lab.outcomes("load").len() > 4);
    // Beside the daemon, in the middle of its work.
    for _ in 0..10 {
        lab.verify();
    }
    daemon.kill();
    lab.verify();
    let mut daemon = lab.daemon();
    std::fs::write(lab.path("healed"), "").expect("a file");
    lab.until("the last date", || lab.lines("clean").len() == 5);
    // An operator has dates repeated, which later dates have succeeded after.
    lab.ok("retry load 2026-11-02 --again");
    lab.until("a repeated date", || lab.lines("load").last().is_some_and(|date| date == "2026-11-02"));
    lab.ok("backfill load --from 2026-11-01 --to 2026-11-03 --only all");
    lab.until("two repeated dates", || lab.lines("load").ends_with(&["2026-11-01".into(), "2026-11-02".into()]));
    lab.verify();
    lab.ok("run newest");
    lab.ok("reset load --reason again");
    lab.until("all of it again", || lab.sessions("load").iter().filter(|row| row.contains("succeeded")).count() == 5);
    lab.verify();
    // Another schedule, and a start that is moved back.
    lab.write_registry(&JOBS.replace("0 3 * * *", "30 3 * * *").replace("start = 2026-11-01", "start = 2026-10-30"));
    daemon.signal(Signal::HUP);
    lab.until("the dates before", || lab.sessions("load").iter().filter(|row| row.contains("succeeded")).count() == 7);
    lab.until("the end of it", || !lab.outcomes("clean").iter().any(|outcome| outcome == "open"));
    assert!(daemon.stop().success());
    lab.verify();
    let report = lab.json(&["verify"]);
    assert_eq!((report["jobs"].as_u64(), report["violations"].as_array().map(Vec::len)), (Some(3), Some(0)));
    assert!(report["sessions"].as_u64() > Some(20) && report["attempts"].as_u64() > Some(20), "{report}");
    assert!(lab.ok("verify").starts_with("the promise holds: 3 jobs, "));
}

#[test]
fn a_ledger_on_sqlite_has_no_violation() {
    expect_no_violation(&Lab::new(JOBS));
}

#[test]
fn a_ledger_on_postgresql_has_no_violation() {
    expect_no_violation(&Lab::new(JOBS).with_ledger(&postgres::database()).with_environment("XDG_STATE_HOME", "/tmp"));
}
