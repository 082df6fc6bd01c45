//! Notifications to systemd: ready, reloading, stopping, alive, and a line of status. Without systemd, nothing is sent.
//!
//! A notification never blocks: a supervisor that does not read its socket must not stop the daemon.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use sd_notify::NotifyState;

/// The socket that systemd named in `$NOTIFY_SOCKET`, and what it has yet to be sent.
#[derive(Debug)]
pub struct Notifier {
    socket: Option<OsString>,
    /// The newest change of state that the socket had no room for. A later change replaces it.
    unsent: Option<String>,
}

impl Notifier {
    /// Reads `$NOTIFY_SOCKET`.
    #[must_use]
    pub fn from_environment() -> Self {
        Self { socket: env::var_os("NOTIFY_SOCKET"), unsent: None }
    }

    /// The daemon serves, or a reload is finished.
    pub fn ready(&mut self, status: &str) {
        self.change(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// The registry is read again; [`Notifier::ready`] follows.
    pub fn reloading(&mut self) {
        match NotifyState::monotonic_usec_now() {
            Ok(since) => self.change(&[NotifyState::Reloading, since]),
            Err(_) => self.change(&[NotifyState::Reloading]),
        }
    }

    /// The daemon stops, which takes `at_most`: the registry may allow more time than the unit does.
    pub fn stopping(&mut self, at_most: Duration) {
        let microseconds = u32::try_from(at_most.as_micros()).unwrap_or(u32::MAX);
        self.change(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(microseconds)]);
    }

    /// The daemon starts and has nothing to report but its status.
    pub fn status(&self, text: &str) {
        // The next status says it better.
        _ = self.send(&text_of(&[NotifyState::Status(text)]));
    }

    /// The daemon is alive, with a line for `systemctl status`. Sends first what could not be sent before.
    pub fn alive(&mut self, status: &str) {
        if let Some(unsent) = self.unsent.take() {
            self.send_or_keep(unsent);
        }
        _ = self.send(&text_of(&[NotifyState::Watchdog, NotifyState::Status(status)]));
    }

    fn change(&mut self, states: &[NotifyState<'_>]) {
        self.send_or_keep(text_of(states));
    }

    fn send_or_keep(&mut self, text: String) {
        self.unsent = self.send(&text).is_err().then_some(text);
    }

    fn send(&self, text: &str) -> io::Result<()> {
        let Some(path) = &self.socket else { return Ok(()) };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.send_to(text.as_bytes(), path).map(|_| ())
    }
}

fn text_of(states: &[NotifyState<'_>]) -> String {
    states.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// How often the watchdog expects [`Notifier::alive`]: half of systemd's limit. `None` without a watchdog.
#[must_use]
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}
