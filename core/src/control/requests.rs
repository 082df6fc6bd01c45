//! When the requests of operators are read, and in which order they are decided.
//!
//! A request carries what the ledger says of the dates it names. So requests are read only while everything that was
//! decided is durable, and one about a job that was changed since is left for the next read.

use chrono::{DateTime, Utc};

use super::Control;
use super::stop_stage::StopStage;
use crate::scheduler::Event;
use crate::session::{Entry, Request};

impl Control {
    /// Says whether requests may be read: not while the daemon kills or hands over, and not before the warden has said
    /// of every attempt whether it runs.
    pub(super) fn may_read_requests(&self) -> bool {
        let listens = matches!(self.stop, None | Some(StopStage::Waiting { .. }));
        listens
            && self.reload.is_none()
            && !self.requests.is_reading
            && self.write.is_writable()
            && self.attempts.unanswered.is_empty()
    }

    /// Decides the requests that were read, until one could rest on what is no longer true.
    pub(super) fn take_requests(&mut self, requests: Vec<Request>, now: DateTime<Utc>) {
        let mut is_decided = true;
        for request in requests {
            let is_about = |entry: &Entry| request.job.as_ref().is_some_and(|job| entry.concerns(job));
            if self.batch.entries.iter().any(is_about) {
                self.requests.read_again();
                return;
            }
            let id = request.id;
            if self.batch.answers(id) {
                continue;
            }
            self.decide(Event::Request(request), now);
            is_decided &= self.scheduler.is_pending(id) || self.batch.answers(id);
        }
        self.requests.end(is_decided);
    }
}
