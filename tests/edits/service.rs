//! A running daemon of a case, which reports to a socket when it is ready and when it has reloaded.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::process::Signal;

use crate::lab::{Daemon, Lab};

/// A daemon, and the socket to which it reports as to systemd.
pub(crate) struct Service {
    daemon: Daemon,
    socket: UnixDatagram,
}

impl Service {
    /// Starts a daemon, and waits until it is ready.
    pub(crate) fn start(lab: &Lab) -> Self {
        let path = lab.path("notify");
        // One of an earlier daemon.
        _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_mins(1))).expect("a time limit");
        let log = std::fs::File::options().create(true).append(true).open(lab.path("daemon.log")).expect("a log");
        let mut command = lab.command(&[]);
        command.env("NOTIFY_SOCKET", &path).stdout(log.try_clone().expect("a log")).stderr(log);
        let service = Self { daemon: Daemon::start(&mut command), socket };
        service.await_word("READY=1");
        service
    }

    /// Lets it read the registry, and waits until it has done so.
    pub(crate) fn reload(&self) {
        self.daemon.signal(Signal::HUP);
        self.await_word("RELOADING=1");
        self.await_word("READY=1");
    }

    fn await_word(&self, word: &str) {
        let mut bytes = [0; 4096];
        loop {
            let length = self.socket.recv(&mut bytes).expect("the daemon reports");
            if String::from_utf8_lossy(&bytes[..length]).lines().any(|line| line == word) {
                return;
            }
        }
    }

    /// Stops it; returns what is wrong.
    pub(crate) fn stop(mut self) -> Option<String> {
        let status = self.daemon.stop();
        (!status.success()).then(|| format!("the daemon ended with {status}"))
    }
}
