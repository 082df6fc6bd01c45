//! `CRONTABBER_LAST_SUCCESS` is the newest success before the job's own date, whichever dates have succeeded after it.

use crate::lab::Lab;
use crate::postgres;

/// Each date notes the last success; the second fails until a file exists.
const JOBS: &str = r#"
[jobs.j]
schedule = "0 1 * * *"
backfill = true
start = 2024-11-01
end = 2024-11-04
retry = { after = "100ms" }
command = "echo $CRONTABBER_SESSION_DATE ${CRONTABBER_LAST_SUCCESS%T*} >> DIR/told; test $CRONTABBER_SESSION_DATE != 2024-11-02 || test -e DIR/fixed"
"#;

fn expect_the_own_past(lab: &Lab) {
    let mut daemon = lab.daemon();
    lab.until("a date that fails", || lab.lines("told").len() > 2);
    lab.ok("done j 2024-11-03");
    std::fs::write(lab.path("fixed"), "").expect("a file");
    lab.until("the last date", || lab.lines("told").last().is_some_and(|line| line.starts_with("2024-11-04")));
    let told = lab.lines("told");
    assert_eq!(told[0], "2024-11-01");
    assert_eq!(told[told.len() - 2..], ["2024-11-02 2024-11-01", "2024-11-04 2024-11-03"]);
    lab.ok("backfill j --from 2024-10-31 --to 2024-11-03 --only all");
    lab.until("a backfill", || lab.lines("told").len() == told.len() + 3);
    assert_eq!(lab.lines("told")[told.len()..], ["2024-10-31", "2024-11-01 2024-10-31", "2024-11-02 2024-11-01"]);
    assert!(daemon.stop().success());
    // Without a daemon as well.
    lab.ok("retry j 2024-11-04 --again");
    lab.ok("once -q");
    assert_eq!(lab.lines("told").last().map(String::as_str), Some("2024-11-04 2024-11-03"));
}

#[test]
fn on_sqlite() {
    expect_the_own_past(&Lab::new(JOBS));
}

#[test]
fn on_postgresql() {
    expect_the_own_past(&Lab::new(JOBS).with_ledger(&postgres::database()).with_environment("XDG_STATE_HOME", "/tmp"));
}
