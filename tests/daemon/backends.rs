//! The real daemon on a PostgreSQL server that stops and starts, and on a disk that is full.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lab::{DAILY, Lab, stderr};
use crate::postgres::{self, Postgres};

/// A job that waits for a file before it ends.
const SLOW: &str = r#"
[jobs.slow]
schedule = "0 3 * * *"
backfill = true
start = 2026-11-01
end = 2026-11-02
command = "echo $CRONTABBER_SESSION_DATE >> DIR/began; while ! test -e DIR/go; do sleep 0.05; done; echo $CRONTABBER_SESSION_DATE >> DIR/ran"
"#;

#[test]
fn dates_run_once_and_in_order_on_postgresql() {
    let lab = Lab::new(DAILY).with_ledger(&postgres::database()).with_environment("XDG_STATE_HOME", "/tmp");
    assert!(lab.run(&["once"]).status.success());
    assert!(lab.run(&["once"]).status.success());
    assert_eq!(lab.lines("ran").len(), 6);
    assert!(lab.lines("ran").is_sorted());
    assert!(lab.sessions("load").iter().all(|row| row.ends_with("succeeded 1")));
    assert!(lab.run(&["reset", "load"]).status.success());
    assert!(lab.run(&["run", "load"]).status.success());
    assert_eq!(lab.lines("ran").len(), 7);
}

#[test]
fn a_second_daemon_on_postgresql_names_the_first() {
    let lab = Lab::new(DAILY).with_ledger(&postgres::database());
    let mut daemon = lab.daemon();
    lab.until("a first daemon", || lab.lines("ran").len() == 6);
    let second = lab.run(&[]);
    assert_eq!(second.status.code(), Some(3));
    assert!(stderr(&second).contains(&daemon.pid().to_string()), "{}", stderr(&second));
    assert!(lab.run(&["run", "load"]).status.code() == Some(1), "nothing is left to run; asked beside the daemon");
    assert!(daemon.stop().success());
}

#[test]
fn a_daemon_waits_for_postgresql_that_is_down_at_its_start() {
    let server = Postgres::start();
    let lab = Lab::new(DAILY).with_ledger(&server.database());
    server.stop();
    let mut daemon = lab.daemon();
    lab.until("it says so", || lab.log().contains("cannot be reached"));
    server.resume();
    lab.until("its work", || lab.lines("ran").len() == 6);
    assert!(daemon.stop().success());
}

#[test]
fn outcomes_are_kept_while_postgresql_is_away() {
    let server = Postgres::start();
    let lab = Lab::new(SLOW).with_ledger(&server.database());
    let mut daemon = lab.daemon();
    lab.until_file("began");
    server.stop();
    fs::write(lab.path("go"), "").unwrap();
    lab.until("it says so", || lab.log().contains("cannot be written"));
    assert_eq!(lab.lines("began").len(), 1, "nothing new is started");
    server.resume();
    lab.until("the rest", || lab.lines("ran").len() == 2);
    assert_eq!(lab.lines("began").len(), 2);
    assert!(daemon.stop().success());
    assert_eq!(lab.sessions("slow"), ["2026-11-01 succeeded 1", "2026-11-02 succeeded 1"]);
}

/// A lab whose ledger is on a disk of one megabyte; `None`, with a message, where a mount is not allowed.
#[expect(clippy::print_stdout, reason = "what is left out is reported by name")]
fn small_disk(test: &str, registry: &str) -> Option<(Lab, PathBuf)> {
    let lab = Lab::new(registry);
    let disk = lab.path("disk");
    fs::create_dir(&disk).expect("a folder");
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(&disk).status();
    if !mount.is_ok_and(|status| status.success()) {
        println!("not run: {test} (needs to mount a small file system)");
        return None;
    }
    let ledger = format!("sqlite://{}", disk.join("ledger.db").display());
    Some((lab.with_ledger(&ledger), disk))
}

/// Fills a disk to the last byte.
fn fill(disk: &Path) {
    let filler = format!("of={}", disk.join("filler").display());
    _ = Command::new("dd").args(["if=/dev/zero", "bs=4k"]).arg(filler).output();
}

fn unmount(disk: &Path) {
    assert!(Command::new("umount").arg("-l").arg(disk).status().is_ok_and(|status| status.success()));
}

#[test]
fn outcomes_are_kept_while_the_disk_is_full() {
    let Some((lab, disk)) = small_disk("outcomes_are_kept_while_the_disk_is_full", SLOW) else { return };
    let mut daemon = lab.daemon();
    lab.until_file("began");
    fill(&disk);
    fs::write(lab.path("go"), "").unwrap();
    lab.until("it says so", || lab.log().contains("cannot be written"));
    fs::remove_file(disk.join("filler")).unwrap();
    lab.until("the rest", || lab.lines("ran").len() == 2);
    assert_eq!(lab.lines("began").len(), 2, "nothing ran twice");
    let stopped = daemon.stop();
    let sessions = lab.sessions("slow");
    unmount(&disk);
    assert!(stopped.success());
    assert_eq!(sessions, ["2026-11-01 succeeded 1", "2026-11-02 succeeded 1"]);
}

#[test]
fn the_warden_keeps_outcomes_when_the_daemon_stops_with_a_full_disk() {
    let name = "the_warden_keeps_outcomes_when_the_daemon_stops_with_a_full_disk";
    let Some((lab, disk)) = small_disk(name, SLOW) else { return };
    let mut daemon = lab.daemon();
    lab.until_file("began");
    fill(&disk);
    fs::write(lab.path("go"), "").unwrap();
    lab.until("it says so", || lab.log().contains("cannot be written"));
    let status = daemon.stop();
    assert!(lab.log().contains("the warden keeps what ended"), "{}", lab.log());
    fs::remove_file(disk.join("filler")).unwrap();
    let once = lab.run(&["once"]);
    let outcomes = lab.outcomes("slow");
    unmount(&disk);
    assert!(status.success() && once.status.success(), "{}", stderr(&once));
    assert_eq!(outcomes, ["succeeded", "succeeded"]);
}

#[test]
fn a_warden_works_on_when_its_log_cannot_be_written() {
    let name = "a_warden_works_on_when_its_log_cannot_be_written";
    // The job's output does not fit on the full disk, so the warden logs a warning, on the same disk.
    let loud = SLOW.replace("; echo", "; seq 1000; echo");
    let Some((lab, disk)) = small_disk(name, &loud) else { return };
    let mut daemon = lab.daemon();
    lab.until_file("began");
    let warden = lab.warden();
    // Fill the last block of the warden's log.
    let mut log = File::options().append(true).open(disk.join("warden/warden.log")).unwrap();
    let room = 4096 - log.metadata().unwrap().len() % 4096;
    log.write_all(" ".repeat(usize::try_from(room).unwrap()).as_bytes()).unwrap();
    fill(&disk);
    fs::write(lab.path("go"), "").unwrap();
    lab.until("the end of the first", || lab.lines("ran").len() == 1);
    lab.until("it says so", || lab.log().contains("cannot be written"));
    fs::remove_file(disk.join("filler")).unwrap();
    lab.until("the rest", || lab.lines("ran").len() == 2);
    let still = lab.has_warden() && lab.warden() == warden;
    let stopped = daemon.stop();
    let outcomes = lab.outcomes("slow");
    unmount(&disk);
    assert!(still && stopped.success());
    assert_eq!(outcomes, ["succeeded", "succeeded"]);
}
