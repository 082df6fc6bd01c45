//! Operators' requests: the commands that change dates, beside a real daemon and without one.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::lab::{Lab, lives};
use crate::postgres;

/// `load` waits for the file `go` at each date; `quick` does not.
const JOBS: &str = r#"
[jobs.load]
schedule = "0 3 * * *"
backfill = true
start = 2024-11-01
end = 2024-11-05
command = "sleep 1000 & echo $! >> DIR/pids; echo $$ >> DIR/pids; until test -e DIR/go; do sleep 0.02; done; kill $!"
[jobs.quick]
schedule = "0 4 * * *"
backfill = true
start = 2024-11-01
end = 2024-11-03
retry = { attempts = 1 }
command = "echo $CRONTABBER_SESSION_DATE $CRONTABBER_TRIGGER $CRONTABBER_ATTEMPT >> DIR/quick; test ! -e DIR/bad"
"#;

/// How long each command took, from its start to its answer.
struct Stopwatch<'a> {
    lab: &'a Lab,
    times: Vec<Duration>,
}

impl Stopwatch<'_> {
    /// Runs a command; what it did is in the ledger when it ends.
    fn run(&mut self, line: &str) {
        let since = Instant::now();
        self.lab.ok(line);
        self.times.push(since.elapsed());
    }

    /// The promise is a second; the other is for a busy machine.
    fn stop(mut self) {
        self.times.sort_unstable();
        let median = self.times[self.times.len() / 2];
        assert!(median < Duration::from_secs(2), "an effect is seen after {median:?}: {:?}", self.times);
    }
}

fn is_row(lab: &Lab, job: &str, row: &str) -> bool {
    lab.sessions(job).iter().any(|session| session == row)
}

/// Waits until the given number of daemons have opened the ledger: before that, a command would open it.
fn until_it_serves(lab: &Lab, times: usize) {
    lab.until("the daemon serves", || lab.log().matches(" jobs of ").count() == times);
}

fn the_daemon_carries_out_every_command(lab: &Lab) {
    let _daemon = lab.daemon();
    lab.until("both jobs", || lab.lines("pids").len() == 2 && lab.lines("quick").len() == 3);
    let mut watch = Stopwatch { lab, times: Vec::new() };
    watch.run("skip load --date 2024-11-02");
    assert!(is_row(lab, "load", "2024-11-02 skipped 0"));
    watch.run("done load 2024-11-03");
    assert!(is_row(lab, "load", "2024-11-03 succeeded 0"));
    watch.run("disable quick --reason maintenance");
    lab.fails(1, "run quick");
    watch.run("enable quick");
    watch.run("kill load");
    assert!(is_row(lab, "load", "2024-11-01 held 1"));
    watch.run("retry load --held");
    lab.until("its second attempt", || is_row(lab, "load", "2024-11-01 running 2"));
    watch.run("skip load --to 2024-11-05T03:00");
    assert!(is_row(lab, "load", "2024-11-04 skipped 0"));
    watch.run("backfill quick --from 2024-10-30 --name october");
    lab.until("the backfill", || lab.lines("quick").len() == 5);
    watch.run("reset quick --to 2024-11-03");
    lab.until("what the reset repeats", || lab.lines("quick").len() == 6);
    watch.run("retry quick 2024-11-03 --again");
    lab.until("what is repeated", || lab.lines("quick").len() == 7);
    watch.stop();
    let expected = ["2024-10-30 backfill 1", "2024-10-31 backfill 1", "2024-11-03 catch-up 1", "2024-11-03 manual 2"];
    assert_eq!(lab.lines("quick")[3..], expected);
    fs::write(lab.path("go"), "").expect("a file");
    lab.until("the rest", || is_row(lab, "load", "2024-11-05 succeeded 1"));
    assert_eq!(lab.outcomes("load"), ["cancelled", "succeeded", "succeeded"]);
    let audit = lab.json(&["audit"]);
    let acts = audit.as_array().expect("acts");
    let done = acts.iter().filter(|act| act["done"] == true).count();
    assert_eq!((acts.len(), done), (11, 10), "one was refused: {audit}");
    lab.verify();
}

#[test]
fn the_daemon_carries_out_every_command_on_sqlite() {
    the_daemon_carries_out_every_command(&Lab::new(JOBS));
}

#[test]
fn the_daemon_carries_out_every_command_on_postgresql() {
    the_daemon_carries_out_every_command(&Lab::new(JOBS).with_ledger(&postgres::database()));
}

#[test]
fn kill_ends_all_processes_of_an_attempt_and_holds_its_date() {
    let lab = Lab::new(JOBS);
    let mut daemon = lab.daemon();
    lab.until("its processes", || lab.lines("pids").len() == 2);
    let dry = lab.ok("kill load --dry-run");
    assert!(dry.contains("attempt 1 at 2024-11-01T03:00:00+00:00 was ended, and is held"), "{dry}");
    assert!(lab.lines("pids").iter().all(|pid| lives(pid)), "nothing was ended");
    lab.fails(1, "kill load 2024-11-02");
    let killed = lab.ok("kill load 2024-11-01 --reason mistake");
    assert!(killed.contains("was ended, and is held"), "{killed}");
    lab.until("no process is left", || !lab.lines("pids").iter().any(|pid| lives(pid)));
    assert_eq!(lab.sessions("load")[..2], ["2024-11-01 held 1", "2024-11-02 waiting 0"]);
    let why = lab.ok("why load");
    assert!(why.contains("is held") && why.contains("(mistake)"), "{why}");
    // It stays held after a restart.
    assert!(daemon.stop().success());
    let _daemon = lab.daemon();
    until_it_serves(&lab, 2);
    lab.ok("disable quick");
    assert_eq!(lab.lines("pids").len(), 2);
    fs::write(lab.path("go"), "").unwrap();
    lab.ok("retry load 2024-11-01");
    lab.until("all dates", || lab.sessions("load").iter().all(|row| row.contains("succeeded")));
    assert_eq!(lab.sessions("load")[0], "2024-11-01 succeeded 2");
}

#[test]
fn every_command_works_without_a_daemon() {
    let lab = Lab::new(JOBS);
    let mut daemon = lab.daemon();
    lab.until("both jobs", || lab.lines("pids").len() == 2 && is_row(&lab, "quick", "2024-11-03 succeeded 1"));
    daemon.kill();
    lab.ok("skip load --date 2024-11-02");
    lab.ok("disable quick");
    assert_eq!(lab.sessions("load")[..2], ["2024-11-01 running 1", "2024-11-02 skipped 0"], "what runs is left alone");
    lab.ok("backfill quick --from 2024-10-31");
    // An attempt that no daemon watches can be killed too.
    lab.ok("kill load");
    lab.until("no process is left", || !lab.lines("pids").iter().any(|pid| lives(pid)));
    assert_eq!(lab.sessions("load")[0], "2024-11-01 held 1");
    fs::write(lab.path("go"), "").unwrap();
    lab.ok("retry load --held");
    assert_eq!(lab.lines("quick").len(), 3, "a command attempts nothing");
    let _daemon = lab.daemon();
    lab.until("the rest", || is_row(&lab, "load", "2024-11-05 succeeded 1"));
    assert_eq!(lab.lines("quick").len(), 3, "it is disabled");
    lab.ok("enable quick --catch-up");
    lab.until("the backfill", || lab.lines("quick").last().is_some_and(|line| line == "2024-10-31 backfill 1"));
    assert_eq!(lab.sessions("load")[1], "2024-11-02 skipped 0");
}

#[test]
fn a_kill_survives_a_crash_of_the_daemon() {
    // Its job ends only after a while.
    let lab = Lab::new(
        r#"
[jobs.load]
schedule = "0 3 * * *"
backfill = true
start = 2024-11-01
end = 2024-11-05
kill_grace = "5m"
command = "trap 'touch DIR/told; until test -e DIR/go; do sleep 0.02; done; exit 3' TERM; echo $$ >> DIR/pids; while true; do sleep 0.02; done"
"#,
    );
    let mut daemon = lab.daemon();
    lab.until("its process", || lab.lines("pids").len() == 1);
    let mut asking = lab.command(&["kill", "load"]).spawn().unwrap();
    lab.until("its SIGTERM", || lab.path("told").exists());
    daemon.kill();
    // Without a daemon, the command would wait for the end itself.
    asking.kill().unwrap();
    asking.wait().unwrap();
    assert_eq!(lab.json(&["audit", "load"])[0]["done"], Value::Null);
    fs::write(lab.path("go"), "").unwrap();
    lab.until("its process is gone", || !lab.lines("pids").iter().any(|pid| lives(pid)));
    let mut daemon = lab.daemon();
    lab.until("the request is answered", || lab.json(&["audit", "load"])[0]["done"] == true);
    assert_eq!(lab.sessions("load")[..2], ["2024-11-01 held 1", "2024-11-02 waiting 0"]);
    assert!(daemon.stop().success());
    assert_eq!(lab.lines("pids").len(), 1, "nothing else was started");
    lab.verify();
}

#[test]
fn a_stopping_daemon_answers_requests_and_starts_nothing() {
    let lab = Lab::new(JOBS);
    let mut daemon = lab.daemon();
    lab.until("its processes", || lab.lines("pids").len() == 2 && lab.lines("quick").len() == 3);
    daemon.signal(Signal::TERM);
    lab.until("the stop is said", || lab.log().contains("stopping"));
    lab.ok("skip load --date 2024-11-02");
    assert!(is_row(&lab, "load", "2024-11-02 skipped 0"));
    lab.ok("backfill quick --from 2024-10-31");
    let refused = lab.fails(1, "run quick");
    assert!(refused.contains("the daemon is stopping"), "{refused}");
    fs::write(lab.path("go"), "").unwrap();
    assert!(daemon.wait().success());
    assert_eq!(lab.lines("quick").len(), 3);
    assert!(is_row(&lab, "quick", "2024-10-31 waiting 0"));
}

#[test]
fn a_backfill_continues_after_a_crash_of_the_daemon() {
    // The first attempt kills the daemon before most dates of the backfill are recorded.
    let lab = Lab::new(
        r#"
[jobs.minutes]
schedule = "* * * * *"
backfill = true
start = 2024-11-01
end = 2024-11-01
command = "true"
[jobs.other]
schedule = "* * * * *"
backfill = true
start = 2024-12-01T00:00:00Z
end = 2024-12-01T00:00:00Z
command = "echo $CRONTABBER_UNIXTIME >> DIR/ran; if mkdir DIR/killed; then kill -9 $(cat DIR/pid); fi; until test -e DIR/go; do sleep 0.02; done"
"#,
    );
    fs::create_dir(lab.path("killed")).unwrap();
    fs::write(lab.path("go"), "").unwrap();
    let mut daemon = lab.daemon();
    lab.until("its own date", || lab.sessions("other") == ["2024-12-01 succeeded 1"]);
    fs::remove_file(lab.path("go")).unwrap();
    fs::write(lab.path("pid"), daemon.pid().to_string()).unwrap();
    fs::remove_dir(lab.path("killed")).unwrap();
    let order = "backfill other --from 2024-11-17T02:40:00Z --count 20000 --yes --name many";
    let mut asking = lab.command(&order.split(' ').collect::<Vec<_>>()).spawn().unwrap();
    daemon.wait();
    // Without a daemon, the command would continue itself.
    asking.kill().unwrap();
    asking.wait().unwrap();
    let entered = lab.json(&["sessions", "other"]).as_array().unwrap().len();
    assert!((2..20_000).contains(&entered), "some of them have entered: {entered}");
    let _daemon = lab.daemon();
    lab.until("all of it has entered", || lab.json(&["audit", "other"])[0]["done"] == true);
    assert_eq!(lab.json(&["audit", "other"])[0]["dates"], 20_000);
    let rows = lab.json(&["sessions", "other"]);
    let of_backfill = rows.as_array().unwrap().iter().filter(|row| row["trigger"] == "backfill");
    let dates: std::collections::BTreeSet<&str> = of_backfill.map(|row| row["date"].as_str().unwrap()).collect();
    assert_eq!(dates.len(), 20_000);
    assert_eq!(lab.lines("ran").len(), 2, "its first date is the only one that was started, and that once");
    lab.fails(1, "backfill other --from 2024-11-01 --name many");
    lab.verify();
    lab.ok("kill other");
}

#[test]
fn a_job_disabled_until_a_time_is_enabled_at_that_time() {
    let lab = Lab::new(
        r#"
[jobs.hourly]
schedule = "0 * * * *"
backfill = true
start = 2026-11-05T10:00:00Z
command = "echo $CRONTABBER_DATE >> DIR/ran"
"#,
    )
    .with_clock("@2026-11-05 10:30:00");
    let mut daemon = lab.daemon();
    lab.until("the first", || lab.lines("ran").len() == 1);
    lab.ok("disable hourly --until 2026-11-05T15:30 --reason moving");
    lab.set_clock("@2026-11-05 14:30:00");
    let refused = lab.fails(2, "enable hourly");
    assert!(refused.contains("has missed 4 dates"), "{refused}");
    assert_eq!(lab.lines("ran").len(), 1);
    assert!(daemon.stop().success());
    // It still holds after a restart.
    let _daemon = lab.daemon();
    lab.set_clock("@2026-11-05 15:29:58");
    lab.until("all that it has missed", || lab.lines("ran").len() == 6);
    let log = lab.log();
    assert!(log.contains("hourly") && log.contains("enabled again"), "{log}");
    lab.until("their ends", || lab.sessions("hourly").iter().all(|row| row.ends_with("succeeded 1")));
}

#[test]
fn run_works_with_and_without_a_daemon() {
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
    lab.ok("run hand");
    assert_eq!((lab.lines("ran").len(), lab.lines("loaded").len()), (1, 0), "it, and nothing else");
    fs::write(lab.path("fail"), "").unwrap();
    lab.fails(1, "--job hand");
    fs::remove_file(lab.path("fail")).unwrap();
    let mut daemon = lab.daemon();
    lab.until("a daemon", || lab.lines("loaded").len() == 2);
    lab.ok("run hand --reason test");
    assert_eq!(lab.lines("ran").len(), 3);
    let refused = lab.fails(1, "run load --date 2026-11-01");
    assert!(refused.contains("is settled; `crontabber retry --again` repeats it"), "{refused}");
    let reset = lab.ok("--reset-job load");
    assert!(reset.contains("2 dates from 2026-11-01T03:00:00+00:00 on"), "{reset}");
    lab.until("its dates run again", || lab.lines("loaded").len() == 4);
    assert!(daemon.stop().success());
    lab.ok("reset load");
    assert_eq!(lab.lines("loaded").len(), 4, "a reset runs nothing by itself");
    assert!(lab.run(&["run", "nobody"]).status.code() != Some(0));
}

#[test]
fn what_hangs_below_runs_after_what_it_depends_on() {
    let lab = Lab::new(
        r#"
[jobs.load]
schedule = "0 3 * * *"
backfill = true
start = 2024-11-01
end = 2024-11-03
command = "echo load $CRONTABBER_SESSION_DATE >> DIR/order; until test -e DIR/go; do sleep 0.02; done"
[jobs.clean]
schedule = "0 4 * * *"
backfill = true
start = 2024-11-01
end = 2024-11-03
depends_on = ["load"]
command = "echo clean $CRONTABBER_SESSION_DATE >> DIR/order"
"#,
    );
    fs::write(lab.path("go"), "").expect("a file");
    let _daemon = lab.daemon();
    lab.until("all dates", || lab.sessions("clean").iter().filter(|row| row.contains("succeeded")).count() == 3);
    fs::remove_file(lab.path("go")).expect("a file");
    fs::remove_file(lab.path("order")).expect("a file");
    lab.fails(2, "retry load 2024-11-02 --again --downstream");
    lab.ok("retry load 2024-11-02 --again --downstream --yes");
    lab.until("the repetition", || lab.lines("order") == ["load 2024-11-02"]);
    assert_eq!(lab.sessions("clean"), ["2024-11-01 succeeded 1", "2024-11-02 waiting 1", "2024-11-03 succeeded 1"]);
    fs::write(lab.path("go"), "").expect("a file");
    lab.until("what hangs below", || is_row(&lab, "clean", "2024-11-02 succeeded 2"));
    assert_eq!(lab.lines("order"), ["load 2024-11-02", "clean 2024-11-02"]);
}
