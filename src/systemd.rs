//! What systemd is told: ready, reloading, stopping, alive, and a line of status. Without systemd, nothing.

use std::time::Duration;

use sd_notify::NotifyState;

/// Tells systemd, if it started us. It is no error if it does not listen.
fn tell(states: &[NotifyState<'_>]) {
    _ = sd_notify::notify(states);
}

/// The daemon does its work.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The registry is read again; [`ready`] ends it.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(since) => tell(&[NotifyState::Reloading, since]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The daemon ends, and may take so long: more than its unit gives it, if the registry says so.
pub fn stopping(at_most: Duration) {
    let microseconds = u32::try_from(at_most.as_micros()).unwrap_or(u32::MAX);
    tell(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(microseconds)]);
}

/// One line for `systemctl status`.
pub fn status(text: &str) {
    tell(&[NotifyState::Status(text)]);
}

/// How often the watchdog wants to hear from us: half of what systemd waits. `None` without a watchdog.
#[must_use]
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}

/// The daemon is alive.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}
