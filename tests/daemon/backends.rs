//! The real daemon on a PostgreSQL server that stops and starts, and on a disk that is full.

use std::fs::{self, File};
use std::io::Write;

use crate::disk::Disk;
use crate::lab::{DAILY, Lab, SLOW, stdout};
use crate::postgres::{self, Postgres};

/// A job whose two dates wait for a file before they end.
fn slow() -> String {
    SLOW.replace("end = 2026-11-01", "end = 2026-11-02")
}

#[test]
fn dates_run_once_and_in_order_on_postgresql() {
    let lab = Lab::new(DAILY).with_ledger(&postgres::database()).with_environment("XDG_STATE_HOME", "/tmp");
    lab.ok("once");
    lab.ok("once");
    assert_eq!(lab.lines("ran").len(), 6);
    assert!(lab.lines("ran").is_sorted());
    assert!(lab.sessions("load").iter().all(|row| row.ends_with("succeeded 1")));
    lab.ok("reset load");
    lab.ok("run load");
    assert_eq!(lab.lines("ran").len(), 7);
}

#[test]
fn a_second_daemon_on_postgresql_names_the_first() {
    let lab = Lab::new(DAILY).with_ledger(&postgres::database());
    let daemon = lab.daemon();
    lab.until("a first daemon", || lab.lines("ran").len() == 6);
    let second = lab.fails(3, "");
    assert!(second.contains(&daemon.pid().to_string()), "{second}");
    // Nothing is left to run; the daemon is asked.
    lab.fails(1, "run load");
}

#[test]
fn a_daemon_waits_for_postgresql_that_is_down_at_its_start() {
    let server = Postgres::start();
    let lab = Lab::new(DAILY).with_ledger(&server.database());
    server.stop();
    let _daemon = lab.daemon();
    lab.until("it says so", || lab.log().contains("cannot be reached"));
    server.resume();
    lab.until("its work", || lab.lines("ran").len() == 6);
}

#[test]
fn outcomes_are_kept_while_postgresql_is_away() {
    let server = Postgres::start();
    let lab = Lab::new(&slow()).with_ledger(&server.database());
    let mut daemon = lab.daemon();
    lab.until_file("pids");
    server.stop();
    fs::write(lab.path("go"), "").unwrap();
    lab.until("the ledger cannot be written", || lab.log().contains("cannot be written"));
    says_why_the_ledger_cannot_be_written(&lab);
    assert_eq!(lab.lines("pids").len(), 1, "nothing new is started");
    server.resume();
    lab.until("the rest", || lab.lines("ran").len() == 2);
    assert_eq!(lab.lines("pids").len(), 2);
    assert!(daemon.stop().success());
    assert_eq!(lab.sessions("slow"), ["2026-11-01 succeeded 1", "2026-11-02 succeeded 1"]);
}

/// A lab whose ledger is on a disk of one megabyte; `None`, with a message, where a mount is not allowed.
fn small_disk(registry: &str) -> Option<(Lab, Disk)> {
    let lab = Lab::new(registry);
    let disk = Disk::mount(&lab.path("disk"), 1024)?;
    let ledger = format!("sqlite://{}", disk.path("ledger.db").display());
    Some((lab.with_ledger(&ledger), disk))
}

/// Fills the disk once a job runs, and then lets the job end.
fn end_on_a_full_disk(lab: &Lab, disk: &Disk) {
    disk.fill_but(0);
    fs::write(lab.path("go"), "").expect("a file");
    lab.until("the ledger cannot be written", || lab.log().contains("cannot be written"));
    says_why_the_ledger_cannot_be_written(lab);
}

/// The daemon says once that the ledger cannot be written, and then why.
fn says_why_the_ledger_cannot_be_written(lab: &Lab) {
    let log = lab.log();
    let line = log.lines().find(|line| line.contains("cannot be written")).expect("a line");
    let (_, reason) = line.split_once("the ledger cannot be written: ").expect("the reason");
    let (reason, next) = reason.split_once("; no new attempt starts").expect("what happens next");
    assert!(!reason.is_empty() && !reason.contains("unavailable"), "{line}");
    assert!(!format!("{reason}{next}").contains("cannot be written"), "{line}");
}

#[test]
fn outcomes_are_kept_while_the_disk_is_full() {
    let Some((lab, disk)) = small_disk(&slow()) else { return };
    let mut daemon = lab.daemon();
    lab.until_file("pids");
    end_on_a_full_disk(&lab, &disk);
    disk.free();
    lab.until("the rest", || lab.lines("ran").len() == 2);
    assert_eq!(lab.lines("pids").len(), 2, "nothing ran twice");
    assert!(daemon.stop().success());
    assert_eq!(lab.sessions("slow"), ["2026-11-01 succeeded 1", "2026-11-02 succeeded 1"]);
}

#[test]
fn the_warden_keeps_outcomes_when_the_daemon_stops_with_a_full_disk() {
    let Some((lab, disk)) = small_disk(&slow()) else { return };
    let mut daemon = lab.daemon();
    lab.until_file("pids");
    end_on_a_full_disk(&lab, &disk);
    assert!(daemon.stop().success());
    assert!(lab.log().contains("the warden keeps what ended"), "{}", lab.log());
    disk.free();
    lab.ok("once");
    assert_eq!(lab.outcomes("slow"), ["succeeded", "succeeded"]);
}

#[test]
fn a_warden_works_on_when_its_log_cannot_be_written() {
    // The job's output does not fit on the full disk, so the warden logs a warning, on the same disk.
    let Some((lab, disk)) = small_disk(&slow().replace("; echo done", "; seq 1000; echo done")) else { return };
    let mut daemon = lab.daemon();
    lab.until_file("pids");
    let warden = lab.warden();
    // Fill the last block of the warden's log.
    let mut log = File::options().append(true).open(disk.path("warden/warden.log")).unwrap();
    let room = 4096 - log.metadata().unwrap().len() % 4096;
    log.write_all(" ".repeat(usize::try_from(room).unwrap()).as_bytes()).unwrap();
    drop(log);
    end_on_a_full_disk(&lab, &disk);
    lab.until("the end of the first", || lab.lines("ran").len() == 1);
    disk.free();
    lab.until("the rest", || lab.lines("ran").len() == 2);
    assert!(lab.has_warden() && lab.warden() == warden);
    assert!(daemon.stop().success());
    assert_eq!(lab.outcomes("slow"), ["succeeded", "succeeded"]);
}

#[test]
fn a_daemon_that_ended_is_missed_while_the_disk_is_full() {
    let Some((lab, disk)) = small_disk(DAILY) else { return };
    let mut daemon = lab.daemon();
    lab.until("its work", || lab.lines("ran").len() == 6);
    disk.fill_but(0);
    daemon.kill();
    let health = lab.run(&["health"]);
    assert!(stdout(&health).starts_with("CRITICAL - the daemon does not run"), "{health:?}");
    disk.free();
}
