//! The end of an attempt that waits for its leftovers: processes that outlive the attempt's own process.
//!
//! If the attempt was stopped or has failed, they get TERM, after its grace KILL, and its end is reported once they are
//! gone: no other attempt of the date runs beside them. If it has succeeded, they are left alone and named. In either case
//! they first have a moment to end by themselves, in which their output is kept. Leftovers that KILL does not end are given
//! up.

use std::time::{Duration, Instant};

use rustix::fd::OwnedFd;
use rustix::process::Signal;

use super::attempt::Id;
use super::cgroup::Group;
use super::output::Output;
use super::process::{Termination, signal_member};
use super::procfs::{Member, process_name};
use crate::session::{AttemptEnd, Outcome};

/// How long leftovers have to end by themselves.
const SETTLE: Duration = Duration::from_millis(100);
/// The shortest and the longest pause between two checks.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LAST_PAUSE: Duration = Duration::from_millis(500);
/// How long KILL is repeated.
const GIVE_UP: Duration = Duration::from_secs(10);
/// How many leftovers are named.
const NAMED: usize = 5;

/// What happens to the leftovers, and until when.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stage {
    Settling(Instant),
    Terminating(Instant),
    Killing(Instant),
}

/// An end that is in the journal, and is reported once the leftovers of its attempt are gone.
#[derive(Debug)]
pub(super) struct PendingEnd {
    pub(super) attempt: Id,
    pub(super) end: AttemptEnd,
    pub(super) output: Option<Output>,
    pub(super) pipe: Option<OwnedFd>,
    pub(super) group: Option<Group>,
    /// The process group of an attempt that was stopped, whose members have had their signals.
    stopped: Option<i32>,
    kill_grace: Duration,
    pub(super) stage: Stage,
    pub(super) check_at: Instant,
    pause: Duration,
    /// TERM was sent. What a process starts to clean up gets none.
    is_terminated: bool,
    /// How many leftovers were found first, and their names.
    found: Option<(usize, String)>,
}

impl PendingEnd {
    /// The end of an attempt of an earlier warden.
    pub(super) fn new(attempt: Id, end: AttemptEnd, kill_grace: Duration, termination: Option<Termination>) -> Self {
        let now = Instant::now();
        let stage = match termination {
            None => Stage::Settling(after(now, SETTLE)),
            Some(Termination { killed: true, .. }) => Stage::Killing(after(now, GIVE_UP)),
            Some(_) => Stage::Terminating(after(now, kill_grace)),
        };
        Self {
            attempt,
            end,
            output: None,
            pipe: None,
            group: None,
            stopped: None,
            kill_grace,
            stage,
            check_at: now,
            pause: FIRST_PAUSE,
            is_terminated: false,
            found: None,
        }
    }

    /// The end of a child.
    pub(super) fn of_child(self, output: Output, pipe: Option<OwnedFd>, group: Option<Group>) -> Self {
        let end = AttemptEnd { has_log: output.has_log(), ..self.end };
        Self { end, output: Some(output), pipe, group, ..self }
    }

    /// The end of an attempt whose process group was stopped.
    pub(super) fn of_stopped(self, group: Option<i32>) -> Self {
        Self { stopped: group, ..self }
    }

    /// The output that is still kept, which can be read: its last process may have ended.
    pub(super) fn output(&mut self) -> Option<(&mut Option<OwnedFd>, &mut Output)> {
        if let Stage::Settling(_) = self.stage {
            self.check_at = Instant::now();
        }
        Some((&mut self.pipe, self.output.as_mut()?))
    }

    /// Whether an earlier warden started the attempt: then its processes are not our descendants.
    pub(super) fn is_adopted(&self) -> bool {
        self.output.is_none()
    }

    /// Ends leftovers on request.
    pub(super) fn stop(&mut self, at_once: bool) {
        let now = Instant::now();
        (self.check_at, self.pause) = (now, FIRST_PAUSE);
        self.stage = match self.stage {
            Stage::Settling(_) | Stage::Terminating(_) if at_once => Stage::Killing(after(now, GIVE_UP)),
            Stage::Settling(_) => Stage::Terminating(after(now, self.kill_grace)),
            stage => stage,
        };
    }

    /// Acts on the leftovers that were found; false if the end is to be reported.
    pub(super) fn act(&mut self, members: &[Member], now: Instant) -> bool {
        let named: Vec<Member> = members.iter().filter(|member| Some(member.group) != self.stopped).copied().collect();
        if self.found.is_none() && !named.is_empty() {
            self.found = Some((named.len(), names(&named)));
        }
        self.stage = match self.stage {
            _ if members.is_empty() => return false,
            Stage::Settling(_) if self.end.outcome == Outcome::Succeeded => return false,
            Stage::Killing(until) if until <= now => return false,
            Stage::Settling(_) => Stage::Terminating(after(now, self.kill_grace)),
            Stage::Terminating(until) if until <= now => {
                self.pause = FIRST_PAUSE;
                Stage::Killing(after(now, GIVE_UP))
            }
            stage => stage,
        };
        let until = match self.stage {
            Stage::Killing(until) => {
                if let Some(group) = &self.group {
                    group.kill();
                }
                for member in members {
                    signal_member(*member, Signal::KILL);
                }
                until
            }
            Stage::Settling(until) | Stage::Terminating(until) => {
                if !self.is_terminated {
                    for member in members {
                        signal_member(*member, Signal::TERM);
                        signal_member(*member, Signal::CONT);
                    }
                    self.is_terminated = true;
                }
                until
            }
        };
        self.check_at = after(now, self.pause).min(until);
        self.pause = self.pause.saturating_mul(2).min(LAST_PAUSE);
        true
    }

    /// What became of the leftovers; `rest` are those of the last check.
    pub(super) fn fate(&self, rest: &[Member]) -> Option<String> {
        let (number, names) = match &self.found {
            Some(found) if rest.is_empty() => found.clone(),
            _ if rest.is_empty() => return None,
            _ => (rest.len(), names(rest)),
        };
        let (what, was, run) = if number == 1 { ("process", "was", "runs") } else { ("processes", "were", "run") };
        let fate = match self.stage {
            Stage::Killing(_) if rest.is_empty() => format!("{was} killed"),
            Stage::Killing(_) => format!("still {run} after KILL"),
            _ if rest.is_empty() => format!("{was} ended"),
            _ => format!("still {run}"),
        };
        Some(format!("{number} {what} that it left behind {fate}: {names}"))
    }
}

/// The instant `pause` after another one.
pub(super) fn after(now: Instant, pause: Duration) -> Instant {
    now.checked_add(pause).unwrap_or(now)
}

/// Names some processes.
fn names(members: &[Member]) -> String {
    let name = |member: &Member| format!("{} {}", member.pid, process_name(member.pid));
    let mut text = members.iter().take(NAMED).map(name).collect::<Vec<_>>().join(", ");
    let more = members.len().saturating_sub(NAMED);
    if more > 0 {
        text.push_str(&format!(", and {more} more"));
    }
    text
}
