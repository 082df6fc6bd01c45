//! Waits for leftovers, processes that outlive the own process of their attempt, before the end of the attempt is reported.
//!
//! They are found by the name of the attempt in their environment, and in its control group. All passes over `/proc`
//! together take a bounded share of the time.

use std::time::{Duration, Instant};

use tracing::warn;

use super::Supervisor;
use crate::clock;
use crate::session::AttemptEnd;
use crate::warden::attempt::Id;
use crate::warden::cgroup::Group;
use crate::warden::pending_end::{FIRST_PAUSE, PendingEnd, Stage, after};
use crate::warden::pipe::drain;
use crate::warden::process::Termination;
use crate::warden::procfs::{Member, find_members};
use crate::warden::protocol::Ended;

/// After a pass over `/proc` there is none for so many times its duration.
const SCAN_PAUSE: u32 = 4;

impl Supervisor {
    /// Reports the end of a child, at once if nothing of its attempt is left.
    pub(super) fn end_child(&mut self, number: u64, pending: PendingEnd) {
        let is_stopped = !matches!(pending.stage, Stage::Settling(_));
        if is_stopped || pending.pipe.is_some() || self.has_reparented(&pending.attempt) {
            self.hold(number, pending);
        } else {
            self.report_end(number, pending, &[]);
        }
    }

    /// Keeps an end until the leftovers of its attempt are gone. The journal has it already, so that a crash of the warden
    /// does not lose it.
    pub(super) fn hold(&mut self, number: u64, pending: PendingEnd) {
        self.journal.end(Ended::new(pending.attempt.to_string(), &pending.end));
        self.pending_ends.insert(number, pending);
    }

    /// Ends leftovers on request.
    pub(super) fn stop_leftovers(&mut self, number: u64, at_once: bool) {
        if let Some(pending) = self.pending_ends.get_mut(&number) {
            pending.stop(at_once);
        }
    }

    /// Checks the leftovers that are due. One pass over `/proc` serves them all.
    pub(super) fn check_leftovers(&mut self) {
        let now = Instant::now();
        let due = self.pending_ends.iter().filter(|(_, pending)| pending.check_at <= now).map(|(number, _)| *number);
        let due: Vec<u64> = due.collect();
        let sought: Vec<u64> = due.into_iter().filter(|number| !self.settle(*number, now)).collect();
        if sought.is_empty() {
            return;
        }
        if self.scan_at > now {
            for number in sought {
                if let Some(pending) = self.pending_ends.get_mut(&number) {
                    pending.check_at = self.scan_at;
                }
            }
            return;
        }
        let pending: Vec<&PendingEnd> = sought.iter().filter_map(|number| self.pending_ends.get(number)).collect();
        let names = pending.iter().map(|pending| pending.attempt.as_bytes()).collect();
        let mut found = find_members(&names, pending.iter().any(|pending| pending.is_adopted()));
        self.scan_at = after(Instant::now(), now.elapsed().saturating_mul(SCAN_PAUSE));
        for number in sought {
            let Some(mut pending) = self.pending_ends.remove(&number) else { continue };
            let mut members = found.remove(pending.attempt.as_bytes()).unwrap_or_default();
            members.extend(pending.group.iter().flat_map(Group::processes).filter_map(Member::read));
            members.sort_unstable();
            members.dedup();
            if pending.act(&members, now) {
                self.pending_ends.insert(number, pending);
            } else {
                self.report_end(number, pending, &members);
            }
        }
    }

    /// Waits for leftovers to end by themselves; false once the time for that has passed.
    fn settle(&mut self, number: u64, now: Instant) -> bool {
        let Some(pending) = self.pending_ends.get(&number) else { return true };
        let Stage::Settling(until) = pending.stage else { return false };
        if until <= now {
            return false;
        }
        let (attempt, is_open) = (Id::clone(&pending.attempt), pending.pipe.is_some());
        if is_open || self.has_reparented(&attempt) {
            if let Some(pending) = self.pending_ends.get_mut(&number) {
                pending.check_at = after(now, FIRST_PAUSE).min(until);
            }
        } else if let Some(pending) = self.pending_ends.remove(&number) {
            self.report_end(number, pending, &[]);
        }
        true
    }

    /// Completes the log of an attempt, and reports its end.
    fn report_end(&mut self, number: u64, mut pending: PendingEnd, rest: &[Member]) {
        let mut details: Vec<String> = pending.end.detail.take().into_iter().collect();
        if let Some(fate) = pending.fate(rest) {
            if !rest.is_empty() {
                warn!(attempt = %pending.attempt, "{fate}");
            }
            details.push(fate);
        }
        if let Some(mut output) = pending.output.take() {
            drain(&mut pending.pipe, &mut output, &mut self.buffer);
            let (has_log, error) = output.finish(pending.pipe.is_some());
            pending.end.has_log = has_log;
            details.extend(error);
        }
        if let Some(pipe) = pending.pipe {
            self.orphaned_pipes.insert(number, pipe);
        }
        if let Some(group) = pending.group {
            pending.end.usage = pending.end.usage.and_then(|own| group.usage(Some(own)));
            self.lingering_groups.add(group);
        }
        pending.end.ended_at = clock::now();
        pending.end.detail = if details.is_empty() { None } else { Some(details.join("; ")) };
        self.finish(&pending.attempt, &pending.end);
    }

    fn has_reparented(&mut self, attempt: &Id) -> bool {
        let jobs = || self.children.values().map(|child| child.pid.as_raw_nonzero().get()).collect();
        self.reparented.has_process_of(attempt, jobs)
    }

    /// Reaps leftovers that have exited.
    pub(super) fn reap_leftovers(&mut self) {
        let jobs = || self.children.values().map(|child| child.pid.as_raw_nonzero().get()).collect();
        self.reparented.reap(jobs);
    }

    /// Holds those of these ends whose attempts have processes that run, and returns the others.
    pub(super) fn hold_with_leftovers(
        &mut self,
        ends: Vec<(Id, AttemptEnd)>,
        grace: Duration,
    ) -> Vec<(Id, AttemptEnd)> {
        if ends.is_empty() {
            return ends;
        }
        let found = find_members(&ends.iter().map(|(attempt, _)| attempt.as_bytes()).collect(), true);
        let (left, gone) = ends.into_iter().partition(|(attempt, _)| found.contains_key(attempt.as_bytes()));
        let left: Vec<(Id, AttemptEnd)> = left;
        for (attempt, end) in left {
            if let Some(number) = self.assign_number(&attempt) {
                let termination = Some(Termination::new(end.outcome));
                self.hold(number, PendingEnd::new(attempt, end, grace, termination));
            }
        }
        gone
    }
}
