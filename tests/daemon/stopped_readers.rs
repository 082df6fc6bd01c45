//! A reader of what the daemon reports stops reading: the daemon and the warden work as before.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use crate::lab::{DAILY, Daemon, Lab, stderr};

/// Far more than a stop takes, far less than a reader that never reads.
const USUAL: Duration = Duration::from_secs(10);

/// Waits until every date has succeeded, has a request answered, and ends the daemon.
fn expect_normal_work(lab: &Lab, daemon: &mut Daemon) {
    lab.until("every date succeeds", || lab.lines("ran").len() == 6);
    let answer = lab.run(&["disable", "load", "--reason", "nobody reads the log"]);
    assert!(answer.status.success(), "{}", stderr(&answer));
    expect_quick_stop(daemon);
    assert!(lab.sessions("load").iter().all(|row| row.ends_with("succeeded 1")), "{:?}", lab.sessions("load"));
}

fn expect_quick_stop(daemon: &mut Daemon) {
    let since = Instant::now();
    assert!(daemon.stop().success());
    assert!(since.elapsed() < USUAL, "the stop took {:?}", since.elapsed());
}

/// A bound datagram socket that has no room for another message.
fn full_socket(path: &std::path::Path) -> UnixDatagram {
    let reader = UnixDatagram::bind(path).expect("a socket");
    let sender = UnixDatagram::unbound().expect("a socket");
    sender.set_nonblocking(true).expect("a socket");
    let full = (0..100_000).find_map(|_| sender.send_to(b"filler", path).err()).expect("it is full some time");
    assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    reader
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

#[test]
fn a_notify_socket_that_nobody_reads_stops_nothing() {
    let lab = Lab::new(DAILY);
    let path = lab.path("notify");
    let _reader = full_socket(&path);
    let lab = lab.with_environment("NOTIFY_SOCKET", &path.display().to_string());
    expect_normal_work(&lab, &mut lab.daemon());
}

#[test]
fn readiness_arrives_when_the_notify_socket_is_read_again() {
    let lab = Lab::new(DAILY);
    let path = lab.path("notify");
    let reader = full_socket(&path);
    let lab = lab.with_environment("NOTIFY_SOCKET", &path.display().to_string());
    let mut daemon = lab.daemon();
    lab.until("every date succeeds", || lab.lines("ran").len() == 6);
    let ready = read_until(&reader, "READY=1");
    assert!(ready.contains("STATUS=0 running") || ready.contains("STATUS=1 running"), "{ready}");
    assert!(read_until(&reader, "WATCHDOG=1").contains("STATUS=0 running, 0 behind"));
    daemon.signal(rustix::process::Signal::TERM);
    assert!(read_until(&reader, "STOPPING=1").contains("EXTEND_TIMEOUT_USEC="));
    assert!(daemon.wait().success());
}
