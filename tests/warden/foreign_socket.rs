//! Something else where the warden's socket belongs.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::lab::{DAILY, Lab, SLOW, signal_process};

fn bind(lab: &Lab) -> UnixListener {
    fs::create_dir_all(lab.path("warden")).unwrap();
    UnixListener::bind(lab.path("warden/socket")).unwrap()
}

/// Another program that listens at the socket of a lab's warden, until the test ends.
fn stranger(lab: &Lab, behave: impl Fn(UnixStream) + Send + 'static) {
    let listener = bind(lab);
    std::thread::spawn(move || listener.incoming().flatten().for_each(behave));
}

/// A wake must end soon, say what is wrong with the socket, and start nothing.
fn fails_soon(lab: &Lab, says: &str) -> String {
    let since = Instant::now();
    let text = lab.fails(1, "once");
    assert!(since.elapsed() < Duration::from_secs(12), "{:?}", since.elapsed());
    assert!(text.contains(&lab.path("warden/socket").display().to_string()), "it names the socket: {text}");
    assert!(text.contains(says), "{text}");
    assert!(lab.lines("ran").is_empty(), "nothing is started");
    text
}

/// And when the way is free, every date has its turn.
fn then_works(lab: &Lab) {
    fs::remove_file(lab.path("warden/socket")).unwrap();
    lab.ok("once");
    assert_eq!(lab.lines("ran").len(), 6);
}

#[test]
fn a_stranger_that_says_nothing_is_named() {
    let lab = Lab::new(DAILY);
    let (sender, kept) = std::sync::mpsc::channel();
    stranger(&lab, move |stream| sender.send(stream).unwrap());
    fails_soon(&lab, "if it is another program, stop it");
    drop(kept);
    then_works(&lab);
}

#[test]
fn a_stranger_that_answers_byte_by_byte_is_not_waited_for() {
    let lab = Lab::new(DAILY);
    stranger(&lab, |mut stream| {
        // The beginning of a message that will never be whole.
        while stream.write_all(&[0, 0, 1, 0]).is_ok() {
            std::thread::sleep(Duration::from_millis(500));
        }
    });
    fails_soon(&lab, "has not answered");
    then_works(&lab);
}

#[test]
fn a_stranger_that_takes_no_connection_is_named() {
    let lab = Lab::new(DAILY);
    let listener = bind(&lab);
    rustix::net::listen(&listener, 0).unwrap();
    let waits = UnixStream::connect(lab.path("warden/socket")).unwrap();
    fails_soon(&lab, "has not answered");
    drop((waits, listener));
    then_works(&lab);
}

#[test]
fn a_stranger_that_talks_of_something_else_is_named() {
    for (answer, says) in [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".as_slice(), "is not the socket of our warden"),
        (&[0xff; 64], "4294967295 bytes"),
        (&[0; 64], "is not the socket of our warden"),
        // A whole message, of a warden that does not say who it is.
        (&[4, 0, 0, 0, 0x82, 3, 0x80, 0], "is not the socket of our warden"),
    ] {
        let lab = Lab::new(DAILY);
        stranger(&lab, move |mut stream| {
            _ = stream.write_all(answer);
            _ = stream.read_to_end(&mut Vec::new());
        });
        let said = fails_soon(&lab, says);
        assert!(said.contains("stop the program that listens there, or remove the socket"), "{said}");
        then_works(&lab);
    }
}

#[test]
fn a_stranger_that_hangs_up_is_named() {
    let lab = Lab::new(DAILY);
    stranger(&lab, drop);
    fails_soon(&lab, "closes the connection without a reply");
    then_works(&lab);
}

#[test]
fn what_is_no_socket_is_left_alone_and_named() {
    let lab = Lab::new(DAILY);
    fs::create_dir_all(lab.path("warden")).unwrap();
    fs::write(lab.path("warden/socket"), "mine").unwrap();
    fails_soon(&lab, "is where the warden's socket must be: move it away");
    assert_eq!(fs::read_to_string(lab.path("warden/socket")).unwrap(), "mine");
    fs::remove_file(lab.path("warden/socket")).unwrap();
    fs::create_dir(lab.path("warden/socket")).unwrap();
    fails_soon(&lab, "is where the warden's socket must be: move it away");
    fs::remove_dir(lab.path("warden/socket")).unwrap();
    // A link is how a socket of systemd's is found.
    symlink("nowhere", lab.path("warden/socket")).unwrap();
    lab.ok("once");
    assert_eq!(lab.lines("ran").len(), 6);
}

#[test]
fn a_stale_socket_is_replaced_and_all_is_for_its_owner_only() {
    let lab = Lab::new(SLOW);
    drop(bind(&lab));
    fs::set_permissions(lab.path("warden"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(lab.path("warden/socket"), fs::Permissions::from_mode(0o000)).unwrap();
    let _daemon = lab.daemon();
    lab.until_file("pids");
    for (name, mode) in
        [("warden", 0o700), ("warden/socket", 0o600), ("warden/journal", 0o600), ("warden/warden.log", 0o600)]
    {
        let found = fs::metadata(lab.path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{name}: {found:o}");
    }
    fs::write(lab.path("go"), "").unwrap();
    lab.until("its end", || lab.lines("ran").len() == 1);
}

#[test]
fn a_socket_that_is_removed_while_a_job_runs_starts_nothing_twice() {
    let lab = Lab::new(SLOW);
    let mut daemon = lab.daemon();
    lab.until_file("pids");
    let first = lab.warden().unwrap();
    daemon.kill();
    fs::remove_file(lab.path("warden/socket")).unwrap();
    fails_soon(&lab, "if it is the warden, its log is");
    let log = fs::read_to_string(lab.path("warden/warden.log")).unwrap();
    assert!(log.contains("another warden uses the journal"), "{log}");
    fs::write(lab.path("go"), "").unwrap();
    let is_gone = || !fs::exists(format!("/proc/{first}/fd/0")).unwrap();
    lab.until("the first warden's end", is_gone);
    lab.ok("once");
    assert_eq!(lab.outcomes("slow"), ["succeeded"]);
    assert_eq!(lab.lines("pids").len(), 1);
}

#[test]
fn a_warden_that_is_frozen_is_asked_again() {
    let lab = Lab::new(SLOW);
    let mut daemon = lab.daemon();
    lab.until_file("pids");
    daemon.kill();
    let warden = lab.warden().unwrap();
    signal_process(warden, Signal::STOP);
    fails_soon(&lab, "if it is the warden, its log is");
    signal_process(warden, Signal::CONT);
    fs::write(lab.path("go"), "").unwrap();
    lab.ok("once");
    assert_eq!(lab.outcomes("slow"), ["succeeded"]);
    assert_eq!(lab.lines("pids").len(), 1);
}
