//! A reader of what the daemon reports stops reading: the daemon and the warden work as before.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::lab::{DAILY, Daemon, Lab, MANY, not_run};

/// Far more than a stop takes, far less than a reader that never reads.
const USUAL: Duration = Duration::from_secs(10);

/// Waits until every date has succeeded, has a request answered, and ends the daemon.
fn expect_normal_work(lab: &Lab, daemon: &mut Daemon) {
    lab.until("every date succeeds", || lab.lines("ran").len() == 6);
    lab.ok("disable load --reason silence");
    expect_quick_stop(daemon);
    assert!(lab.sessions("load").iter().all(|row| row.ends_with("succeeded 1")), "{:?}", lab.sessions("load"));
}

fn expect_quick_stop(daemon: &mut Daemon) {
    let since = Instant::now();
    assert!(daemon.stop().success());
    assert!(since.elapsed() < USUAL, "the stop took {:?}", since.elapsed());
}

/// A bound datagram socket that has no room for another message.
fn full_socket(path: &Path) -> UnixDatagram {
    let reader = UnixDatagram::bind(path).expect("a socket");
    fill(path);
    reader
}

fn fill(path: &Path) {
    let sender = UnixDatagram::unbound().expect("a socket");
    sender.set_nonblocking(true).expect("a socket");
    let full = (0..100_000).find_map(|_| sender.send_to(b"filler", path).err()).expect("it is full some time");
    assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
}

/// Reads datagrams until one has what is looked for, and returns that one.
fn read_until(reader: &UnixDatagram, wanted: &str) -> String {
    reader.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = reader.recv(&mut buffer).unwrap_or_else(|error| panic!("no `{wanted}`: {error}"));
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if text.contains(wanted) {
            return text;
        }
    }
}

fn lab_with_full_notify_socket() -> (Lab, UnixDatagram) {
    let lab = Lab::new(DAILY);
    let path = lab.path("notify");
    let reader = full_socket(&path);
    (lab.with_environment("NOTIFY_SOCKET", &path.display().to_string()), reader)
}

#[test]
fn a_notify_socket_that_nobody_reads_stops_nothing() {
    let (lab, _reader) = lab_with_full_notify_socket();
    expect_normal_work(&lab, &mut lab.daemon());
}

#[test]
fn readiness_arrives_when_the_notify_socket_is_read_again() {
    let (lab, reader) = lab_with_full_notify_socket();
    let mut daemon = lab.daemon();
    lab.until("every date succeeds", || lab.lines("ran").len() == 6);
    let ready = read_until(&reader, "READY=1");
    assert!(ready.contains("STATUS=0 running") || ready.contains("STATUS=1 running"), "{ready}");
    assert!(read_until(&reader, "WATCHDOG=1").contains("STATUS=0 running, 0 behind"));
    daemon.signal(Signal::TERM);
    assert!(read_until(&reader, "STOPPING=1").contains("EXTEND_TIMEOUT_USEC="));
    assert!(daemon.wait().success());
}

/// A pipe that has no room for another byte.
fn full_pipe() -> (File, OwnedFd) {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
    let size = fcntl_setpipe_size(&writer, 4096).expect("a size");
    File::from(writer.try_clone().expect("a pipe")).write_all(&vec![b'.'; size]).expect("room");
    (File::from(reader), writer)
}

/// Reads a log to its end, in a thread: the daemon holds the other end for as long as it lives.
fn read_to_end(mut reader: File) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut log = Vec::new();
        reader.read_to_end(&mut log).expect("a log");
        String::from_utf8_lossy(&log).into_owned()
    })
}

#[test]
fn a_log_pipe_that_nobody_reads_stops_nothing() {
    let lab = Lab::new(DAILY);
    let (_reader, writer) = full_pipe();
    expect_normal_work(&lab, &mut Daemon::start(lab.command(&[]).stderr(writer)));
}

#[test]
fn a_log_that_is_read_late_is_complete() {
    let lab = Lab::new(DAILY);
    let (reader, writer) = full_pipe();
    let mut daemon = Daemon::start(lab.command(&[]).stderr(writer));
    lab.until("every date succeeds", || lab.lines("ran").len() == 6);
    let log = read_to_end(reader);
    assert!(daemon.stop().success());
    let log = log.join().unwrap();
    assert_eq!(log.matches("succeeded in").count(), 6, "{log}");
    assert!(log.contains("crontabber 0.1.0 with 1 job of") && log.ends_with("stopped\n"), "{log}");
    assert!(!log.contains("dropped"), "{log}");
}

#[test]
fn a_log_pipe_without_a_reader_stops_nothing() {
    let lab = Lab::new(DAILY);
    let (reader, writer) = full_pipe();
    drop(reader);
    expect_normal_work(&lab, &mut Daemon::start(lab.command(&[]).stderr(writer)));
}

#[test]
fn an_error_at_the_start_that_nobody_reads_ends_the_daemon_all_the_same() {
    let lab = Lab::new("[jobs.a]\nscedule = 1\n");
    let (_reader, writer) = full_pipe();
    let mut daemon = Daemon::start(lab.command(&[]).stderr(writer));
    let since = Instant::now();
    assert_eq!(daemon.wait().code(), Some(78));
    assert!(since.elapsed() < USUAL, "it took {:?}", since.elapsed());
}

#[test]
fn a_terminal_that_nobody_reads_stops_nothing() {
    let lab = Lab::new(&format!("{DAILY}{MANY}"));
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    let open = |flags: OFlags| {
        let flags = i32::try_from((flags | OFlags::NOCTTY).bits()).unwrap();
        File::options().write(true).custom_flags(flags).open(&name).unwrap()
    };
    let mut filler = open(OFlags::NONBLOCK);
    let full = (0..1_000_000).find_map(|_| filler.write(b"filler").err()).expect("it is full some time");
    assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    let mut daemon = Daemon::start(lab.command(&[]).env("TERM", "xterm").stderr(open(OFlags::empty())));
    lab.until("a bar's worth of dates", || {
        lab.sessions("many").iter().filter(|row| row.contains("succ")).count() == 144
    });
    expect_normal_work(&lab, &mut daemon);
}

/// Starts a daemon whose journal is a socket of the test, which takes a mount namespace. `None` where there is none.
fn daemon_with_journal(lab: &Lab, journal: &Path) -> Option<Daemon> {
    let unshare = |script: &str| {
        let mut unshare = Command::new("unshare");
        unshare.arg(if rustix::process::getuid().is_root() { "--mount" } else { "--map-root-user" });
        unshare.args(["--mount", "sh", "-c", script]);
        unshare
    };
    if !unshare("mount -t tmpfs none /run").output().expect("util-linux").status.success() {
        not_run("a mount namespace");
        return None;
    }
    let script = "mount -t tmpfs none /run && mkdir -p /run/systemd/journal && mount --bind \"$0\" /run/systemd/journal && \
                  exec \"$@\"";
    let command = lab.command(&[]);
    let mut daemon = unshare(script);
    daemon.arg(journal).arg(command.get_program()).args(command.get_args());
    daemon.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("JOURNAL_STREAM", "8:1");
    daemon.stdin(Stdio::null()).stderr(File::create(lab.path("daemon.log")).expect("a log"));
    Some(Daemon::start(&mut daemon))
}

#[test]
fn a_journal_that_nobody_reads_stops_nothing_and_gets_every_entry_when_it_is_read() {
    let lab = Lab::new(DAILY);
    fs::create_dir(lab.path("journal")).unwrap();
    let reader = full_socket(&lab.path("journal/socket"));
    let Some(mut daemon) = daemon_with_journal(&lab, &lab.path("journal")) else { return };
    lab.until("every date succeeds", || lab.lines("ran").len() == 6);
    lab.ok("disable load");
    let entry = read_until(&reader, "load: 2026-11-06T03:00:00+00:00 attempt 1 succeeded");
    let field = |name: &str, value: &str| {
        let length = u64::try_from(value.len()).unwrap().to_le_bytes();
        let field = [name.as_bytes(), b"\n", &length, value.as_bytes(), b"\n"].concat();
        assert!(entry.contains(&*String::from_utf8_lossy(&field)), "{name}={value}: {entry:?}");
    };
    field("SYSLOG_IDENTIFIER", "crontabber");
    field("PRIORITY", "5");
    field("CRONTABBER_JOB", "load");
    field("CRONTABBER_DATE", "2026-11-06T03:00:00+00:00");
    field("CRONTABBER_ATTEMPT", "1");
    field("CRONTABBER_OUTCOME", "succeeded");
    fill(&lab.path("journal/socket"));
    expect_quick_stop(&mut daemon);
    assert_eq!(lab.log(), "", "all of it goes to the journal");
}

#[test]
fn a_warden_whose_log_nobody_reads_stops_nothing() {
    let lab = Lab::new(&DAILY.replace("echo", "sleep 0.1; echo"));
    fs::create_dir(lab.path("warden")).unwrap();
    let listener = UnixListener::bind(lab.path("warden/socket")).unwrap();
    let (_reader, writer) = full_pipe();
    let mut command = lab.bare();
    command.args(["warden", "--folder"]).arg(lab.path("warden")).stdin(OwnedFd::from(listener)).stderr(writer);
    let mut warden = Daemon::start(&mut command);
    expect_normal_work(&lab, &mut lab.daemon());
    assert!(!lab.path("warden/warden.log").exists(), "there was no other warden");
    expect_quick_stop(&mut warden);
}

#[test]
fn a_command_whose_output_nobody_reads_stops_nothing() {
    let many = DAILY.replace("2026-11-01", "2026-01-01");
    let lab = Lab::new(&format!("{many}\n[jobs.yearly]\nschedule = \"@yearly\"\ncommand = \"true\"\n"));
    let mut daemon = lab.daemon();
    lab.until("dates to list", || lab.lines("ran").len() > 20);
    let (_reader, writer) = full_pipe();
    let mut listing = lab.command(&["sessions", "load"]).stdout(writer).spawn().unwrap();
    let (_reader, writer) = full_pipe();
    let mut asking = lab.command(&["--json", "disable", "yearly"]).stdout(writer).spawn().unwrap();
    let seen = lab.lines("ran").len();
    lab.until("more dates", || lab.lines("ran").len() > seen + 20);
    assert!(listing.try_wait().unwrap().is_none() && asking.try_wait().unwrap().is_none(), "both wait for a reader");
    expect_quick_stop(&mut daemon);
    for command in [&mut listing, &mut asking] {
        command.kill().unwrap();
        command.wait().unwrap();
    }
}
