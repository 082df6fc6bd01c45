//! What follows when the wall clock is no longer believed, or is believed again.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Control;
use super::configuration::{Configuration, Mode};
use super::effect::{Effect, Notice};
use super::input::Time;

/// How far ahead the clock may jump. A request of an operator is decided by the clock as it is.
pub(super) fn guard_of(mode: Mode, configuration: &Configuration) -> Option<Duration> {
    configuration.clock_guard.filter(|_| mode != Mode::Operate)
}

impl Control {
    /// The newest time by the wall clock that was believed. The next process begins with it.
    #[must_use]
    pub fn clock_seen(&self) -> DateTime<Utc> {
        self.clock.seen()
    }

    /// Says whether the clock is too far ahead to be believed.
    #[must_use]
    pub fn is_clock_held(&self) -> bool {
        self.clock.is_held()
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
        let held_after = self.clock.is_held().then(|| self.clock.seen());
        if self.scheduler.held_after() == held_after {
            return;
        }
        self.scheduler.hold_after(held_after);
        let notice = held_after.map_or(released, |seen| Notice::ClockHeld {
            seen,
            ahead: self.clock.ahead().to_std().unwrap_or_default(),
            wait: self.clock.wait(),
        });
        self.effects.push_back(Effect::Report(notice));
    }
}
