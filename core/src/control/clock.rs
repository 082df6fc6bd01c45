//! What follows when the wall clock is no longer believed, or is believed again.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Control;
use super::clock_guard::ClockGuard;
use super::configuration::{Configuration, Mode};
use super::effect::{Effect, Notice};
use super::input::Time;
use crate::session::ClockHold;

/// How far ahead the clock may jump. A request of an operator is decided by the clock as it is.
pub(super) fn guard_of(mode: Mode, configuration: &Configuration) -> Option<Duration> {
    configuration.clock_guard.filter(|_| mode != Mode::Operate)
}

/// Until when a daemon or a `once` that starts now does not believe the clock. `seen` is what the last process believed.
#[must_use]
pub fn clock_hold_of_start(
    guard: Option<Duration>,
    seen: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Option<ClockHold> {
    ClockGuard::new(guard, seen, Time { wall: now, monotonic: Duration::ZERO }).hold()
}

impl Control {
    /// The newest time by the wall clock that was believed. The next process begins with it.
    #[must_use]
    pub fn clock_seen(&self) -> DateTime<Utc> {
        self.clock.seen()
    }

    /// Until when the clock is not believed, if it is too far ahead.
    #[must_use]
    pub fn clock_hold(&self) -> Option<ClockHold> {
        self.clock.hold()
    }

    pub(super) fn watch_clock(&mut self, time: Time) {
        let is_set = self.clock.see(time);
        self.note_clock(if is_set { Notice::ClockSetRight } else { Notice::ClockBelieved });
    }

    /// A person says that the clock is right.
    pub(super) fn confirm_clock(&mut self) {
        self.clock.confirm();
        self.note_clock(Notice::ClockBelieved);
    }

    /// Tells the scheduler and the log if the clock is held now, or is no longer; then `released` says why.
    pub(super) fn note_clock(&mut self, released: Notice) {
        let hold = self.clock.hold();
        let before = self.scheduler.clock_hold();
        self.scheduler.set_clock_hold(hold);
        if before.map(|before| before.seen) != hold.map(|hold| hold.seen) {
            let notice = |hold| Notice::ClockHeld { hold, now: self.clock.now() };
            self.effects.push_back(Effect::Report(hold.map_or(released, notice)));
        }
    }
}
