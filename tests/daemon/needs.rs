//! What jobs need of the world and of one another, with real processes: `done_when`, `require`, `covers`, pools; and what
//! becomes of dates that come too late.

use std::fs;

use crate::clock;
use crate::lab::{Lab, lives, stdout};
use crate::postgres;

/// What `done_when` says of each date: it is done, it is not, it crashes, and it hangs.
const DONE_WHEN: &str = r#"
[jobs.load]
schedule = "0 3 * * *"
backfill = true
start = 2024-11-01
end = 2024-11-04
timeout = "1s"
retry = { after = "1s" }
done_when = "case $CRONTABBER_SESSION_DATE in *-01) exit 0;; *-02) exit 1;; *-03) kill -9 $$;; *) echo $$ >> DIR/hung; test -e DIR/go || sleep 1000;; esac"
command = "echo $CRONTABBER_SESSION_DATE >> DIR/ran"
"#;

fn the_world_is_asked(lab: &Lab) {
    let mut daemon = lab.daemon();
    lab.until("what hangs", || lab.lines("hung").len() == 1);
    assert_eq!(
        lab.sessions("load")[..3],
        ["2024-11-01 succeeded 0", "2024-11-02 succeeded 1", "2024-11-03 succeeded 1"]
    );
    lab.until("what hung is attempted", || lab.lines("ran").len() == 3);
    assert_eq!(lab.lines("ran"), ["2024-11-02", "2024-11-03", "2024-11-04"]);
    lab.until("what hung is gone", || !lives(&lab.lines("hung")[0]));
    lab.until("the last", || lab.sessions("load")[3] == "2024-11-04 succeeded 1");
    let settled = lab.json(&["why", "load", "2024-11-01"]);
    assert_eq!(settled["settled_by"], "done-when", "{settled}");
    assert!(daemon.stop().success());
}

#[test]
fn the_world_is_asked_on_sqlite() {
    the_world_is_asked(&Lab::new(DONE_WHEN));
}

#[test]
fn the_world_is_asked_on_postgresql() {
    the_world_is_asked(&Lab::new(DONE_WHEN).with_ledger(&postgres::database()));
}

#[test]
fn what_is_required_is_started_once_for_a_date() {
    let lab = Lab::new(
        r#"
[jobs.report]
schedule = "0 3 * * *"
backfill = true
start = 2024-11-01
end = 2024-11-02
require = ["rates"]
command = "echo report $CRONTABBER_SESSION_DATE >> DIR/ran"
[jobs.bill]
schedule = "0 3 * * *"
backfill = true
start = 2024-11-01
end = 2024-11-02
require = ["rates"]
command = "echo bill $CRONTABBER_SESSION_DATE >> DIR/ran"
[jobs.rates]
retry = { after = "1s" }
command = "echo rates $CRONTABBER_SESSION_DATE $CRONTABBER_TRIGGER >> DIR/ran; test $CRONTABBER_SESSION_DATE$CRONTABBER_ATTEMPT != 2024-11-021"
"#,
    );
    let mut daemon = lab.daemon();
    lab.until("all of it", || {
        ["report", "bill"].iter().all(|job| lab.sessions(job) == ["2024-11-01 succeeded 1", "2024-11-02 succeeded 1"])
    });
    assert_eq!(lab.sessions("rates"), ["2024-11-01 succeeded 1", "2024-11-02 succeeded 2"]);
    let ran = lab.lines("ran");
    assert_eq!(ran.iter().filter(|line| line.starts_with("rates 2024-11-01")).count(), 1, "{ran:?}");
    assert_eq!(ran[0], "rates 2024-11-01 required");
    let last = ran.iter().rposition(|line| line.starts_with("rates 2024-11-02")).unwrap();
    let first = ran.iter().position(|line| line.ends_with("2024-11-02") && !line.starts_with("rates")).unwrap();
    assert!(last < first, "{ran:?}");
    assert!(daemon.stop().success());
}

#[test]
fn a_day_waits_for_all_its_hours() {
    let lab = Lab::new(
        r#"
[jobs.day]
schedule = "0 0 * * *"
backfill = true
start = 2024-11-01
end = 2024-11-01
depends_on = [{ job = "hourly", covers = "day" }]
command = "echo day $CRONTABBER_SESSION_DATE >> DIR/ran"
[jobs.hourly]
schedule = "0 * * * *"
backfill = true
start = 2024-11-01
end = 2024-11-01
retry = { after = "1s" }
command = "test $CRONTABBER_UNIXTIME -lt 1730498400 || test -e DIR/go && echo hour >> DIR/ran"
"#,
    );
    let mut daemon = lab.daemon();
    lab.until("the hours before 22:00", || lab.lines("ran").len() == 22);
    let why = lab.json(&["why", "day"]);
    assert!(why["waits"].to_string().contains("hourly"), "{why}");
    assert_eq!(lab.sessions("day"), ["2024-11-01 waiting 0"]);
    fs::write(lab.path("go"), "").unwrap();
    lab.until("the day", || lab.lines("ran").len() == 25);
    assert_eq!(lab.lines("ran").last().unwrap(), "day 2024-11-01");
    assert!(daemon.stop().success());
}

#[test]
fn a_pool_has_no_more_places_than_it_has() {
    let job = |name: &str| {
        format!(
            "[jobs.{name}]\nschedule = \"0 3 * * *\"\nbackfill = true\nstart = 2024-11-01\nend = 2024-11-03\n\
             order = \"independent\"\nmax_parallel = 3\npool = \"db\"\n\
             command = \"mkdir DIR/one 2>/dev/null && D=one || {{ mkdir DIR/two && D=two || echo full >> DIR/ran; }}; \
             echo {name} >> DIR/ran; sleep 0.1; rmdir DIR/$D\"\n"
        )
    };
    let lab = Lab::new(&format!("[pools.db]\nsize = 2\n{}{}{}", job("a"), job("b"), job("c")));
    let mut daemon = lab.daemon();
    lab.until("all of it", || {
        let is_done = |rows: &[String]| rows.len() == 3 && rows.iter().all(|row| row.ends_with("succeeded 1"));
        ["a", "b", "c"].iter().all(|job| is_done(&lab.sessions(job)))
    });
    let ran = lab.lines("ran");
    assert!(ran.len() == 9 && !ran.contains(&"full".to_owned()), "{ran:?}");
    assert!(daemon.stop().success());
}

#[test]
fn after_a_downtime_the_newest_are_run_and_the_others_have_their_rows() {
    let registry = r#"
[jobs.hourly]
schedule = "0 * * * *"
backfill = true
start = 2026-11-05T10:00:00Z
catch_up = { max_dates = 3 }
command = "echo $CRONTABBER_DATE >> DIR/ran"
"#;
    let lab = clock::lab(registry).with_environment("TZ", "UTC");
    clock::set_clock(&lab, "2026-11-05 10:30:00");
    let mut daemon = lab.daemon();
    lab.until("the first", || lab.lines("ran").len() == 1);
    assert!(lab.run(&["backfill", "hourly", "--from", "2026-11-05T09:00", "--reason", "by hand"]).status.success());
    lab.until("the one before", || lab.lines("ran").len() == 2);
    assert!(daemon.stop().success());
    clock::set_clock(&lab, "2026-11-06 10:30:00");
    // It has another name now, and is the same job.
    lab.write_registry(&registry.replace("[jobs.hourly]", "[jobs.each-hour]\npreviously = \"hourly\""));
    // Also before the daemon knows: two of the three dates have been attempted.
    let dry =
        lab.run(&["backfill", "each-hour", "--from", "2026-11-05T08:00", "--to", "2026-11-05T11:00", "--dry-run"]);
    assert!(stdout(&dry).contains("backfill of `each-hour`: 2026-11-05T08:00:00+00:00"), "{dry:?}");
    let mut daemon = lab.daemon();
    lab.until("the newest", || lab.lines("ran").len() == 5);
    let hours = ["2026-11-05T10", "2026-11-05T09", "2026-11-06T08", "2026-11-06T09", "2026-11-06T10"];
    let ran = lab.lines("ran");
    assert!(ran.iter().zip(hours).all(|(ran, hour)| ran.starts_with(hour)), "{ran:?}");
    let rows = lab.json(&["sessions", "each-hour"]);
    let rows = rows.as_array().unwrap();
    let skipped: Vec<_> = rows.iter().filter(|row| row["state"] == "skipped").collect();
    assert_eq!((rows.len(), skipped.len()), (26, 21));
    assert!(skipped.iter().all(|row| row["reason"] == "too-old"), "{skipped:?}");
    assert!(daemon.stop().success());
    assert!(lab.json(&["ghosts"]).as_array().unwrap().is_empty(), "the old name is gone");
    assert_eq!(lab.json(&["audit", "each-hour"])[0]["reason"], "by hand");
}

#[test]
fn what_comes_due_while_another_date_runs_is_skipped_if_so_wanted() {
    let lab = clock::lab(
        r#"
[jobs.hourly]
schedule = "0 * * * *"
backfill = true
overlap = "skip"
start = 2026-11-05T10:00:00Z
command = "echo $CRONTABBER_DATE >> DIR/ran; until test -e DIR/go; do sleep 0.02; done"
"#,
    )
    .with_environment("TZ", "UTC");
    clock::set_clock(&lab, "2026-11-05 10:30:00");
    let mut daemon = lab.daemon();
    lab.until("the first", || lab.lines("ran").len() == 1);
    clock::set_clock(&lab, "2026-11-05 10:59:58");
    lab.until("the next is skipped", || lab.sessions("hourly").contains(&"2026-11-05 skipped 0".to_owned()));
    fs::write(lab.path("go"), "").unwrap();
    lab.until("its end", || lab.sessions("hourly")[0] == "2026-11-05 succeeded 1");
    clock::set_clock(&lab, "2026-11-05 11:59:58");
    lab.until("the next but one", || lab.lines("ran").len() == 2);
    lab.until("its end", || lab.sessions("hourly")[2] == "2026-11-05 succeeded 1");
    assert_eq!(lab.json(&["sessions", "hourly"])[1]["reason"], "overtime");
    assert!(daemon.stop().success());
}
