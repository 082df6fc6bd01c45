//! The end of a daemon: nothing new is started, what runs has its grace, and every end is recorded.

use std::time::Duration;

use super::Control;
use super::configuration::Mode;
use super::effect::{Effect, Notice};
use super::input::{Exit, Time};
use super::stop_stage::StopStage;
use crate::scheduler::Event;
use crate::session::Outcome;

impl Control {
    /// The first signal begins the stop, the second kills, the third leaves.
    pub(super) fn begin_or_hasten_stop(&mut self, time: Time) {
        match self.stop {
            None => self.begin_stop(time),
            // The operator has already waited, and the ledger may be away for hours.
            Some(_) if !self.write.is_writable() => {
                self.kill_all();
                self.stop = Some(StopStage::Leaving);
            }
            Some(StopStage::Waiting { .. } | StopStage::Terminating | StopStage::HandingOver) => {
                let running = self.scheduler.open_attempts();
                self.effects.push_back(Effect::Report(Notice::Killing { running }));
                self.kill_all();
                self.stop = Some(StopStage::Killing);
            }
            Some(StopStage::Killing | StopStage::Leaving) => self.stop = Some(StopStage::Leaving),
        }
    }

    fn begin_stop(&mut self, time: Time) {
        let grace = self.configuration.stop_grace;
        self.stop = Some(StopStage::Waiting { until: time.monotonic + grace });
        self.reload = None;
        self.decide(Event::Stop, time.wall);
        self.start_ready(time.wall);
        let running = self.scheduler.open_attempts();
        let is_writable = self.write.is_writable();
        self.effects.push_back(Effect::Report(Notice::Stopping { running, grace, is_writable }));
    }

    fn kill_all(&mut self) {
        for attempt in self.attempts.given_out() {
            self.effects.push_back(Effect::Stop { attempt, outcome: Outcome::Interrupted, at_once: true });
        }
    }

    /// Ends what has outlived the grace of the stop, or leaves it to a warden that outlives the daemon.
    pub(super) fn pursue_stop(&mut self, time: Time) {
        let Some(StopStage::Waiting { until }) = self.stop else { return };
        if time.monotonic < until {
            return;
        }
        let running = self.attempts.given_out();
        if self.configuration.warden_survives {
            self.stop = Some(StopStage::HandingOver);
            self.effects.push_back(Effect::Report(Notice::HandingOver { running }));
            return;
        }
        self.stop = Some(StopStage::Terminating);
        for attempt in running.iter().cloned() {
            self.effects.push_back(Effect::Stop { attempt, outcome: Outcome::Interrupted, at_once: false });
        }
        self.effects.push_back(Effect::Report(Notice::Terminating { running }));
    }

    pub(super) fn stop_due_at(&self) -> Option<Duration> {
        match self.stop {
            Some(StopStage::Waiting { until }) => Some(until),
            _ => None,
        }
    }

    /// How the daemon ends, if nothing is left to wait for.
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        if self.stop == Some(StopStage::Leaving) {
            return Some(Exit::Left { is_running: self.scheduler.running() > 0 });
        }
        let is_over = self.stop.is_some()
            || match self.mode {
                Mode::Serve => false,
                Mode::Once => self.scheduler.is_idle() && !self.scheduler.holds_dates(),
                Mode::Operate => self.requests.is_done && !self.scheduler.has_pending(),
            };
        // What was only to be recorded is recorded at the next start as well, and the warden keeps the ends until then.
        let is_recorded = self.is_settled() || !self.write.is_writable();
        if !is_over || !is_recorded {
            return None;
        }
        if self.stop != Some(StopStage::HandingOver) && self.attempts.has_given_other_than(&self.left_alone) {
            return None;
        }
        let has_failed = match self.mode {
            Mode::Serve => false,
            Mode::Once => self.saw_failure || self.stop.is_some(),
            Mode::Operate => self.stop.is_some(),
        };
        if self.is_settled() {
            return Some(Exit::Recorded { has_failed });
        }
        let has_ends = self.write.holds_ends() || !self.batch.ends.is_empty();
        Some(Exit::Unwritten { has_ends, has_failed })
    }
}
