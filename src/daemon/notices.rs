//! What the daemon reports of itself: its stop, its ledger and its warden.

use std::process;

use chrono_tz::Tz;

use crate::control::Notice;
use crate::duration;
use crate::session::AttemptKey;
use crate::text::{counted, to_the_second};

use super::reporter::Reporter;

/// At most this many jobs are named.
const NAMED: usize = 5;

/// Reports a notice; what the scheduler says is for [`Reporter::notify`].
pub(super) fn report(notice: &Notice, reporter: &mut Reporter) {
    match notice {
        Notice::Scheduler(notification) => reporter.notify(notification),
        Notice::LedgerAway { error } => reporter.warn(&format!(
            "the ledger cannot be written: {error}; no new attempt starts, the warden keeps the outcomes of running \
             attempts, and the daemon tries again every half second"
        )),
        Notice::LedgerBack { after } => {
            reporter.say(&format!("the ledger is written again, after {}", duration::format(*after)));
        }
        Notice::ClockHeld { hold, now } => reporter.warn(&format!(
            "the clock is {} ahead of {}, when it was last seen: it may be wrong, and no new date is recorded or started; \
             retries and running attempts continue. The clock is believed once it has run on for {}, or at once with `kill -USR1 {}`",
            duration::format(hold.ahead(*now)),
            to_the_second(hold.seen, Tz::UTC),
            duration::format(hold.wait(*now)),
            process::id()
        )),
        Notice::ClockBelieved => reporter.say("the clock is believed: dates are recorded and started again"),
        Notice::ClockSetRight => reporter.say("the clock was set right: the dates that were held are not due"),
        Notice::WardenGone => {
            reporter.warn("the warden is gone; the daemon looks for another, and no new attempt starts meanwhile");
        }
        Notice::WardenBack => reporter.say("there is a warden again"),
        Notice::WardenTrouble { text } => reporter.warn(text),
        Notice::UnknownAttempt { attempt } => reporter.warn(&format!(
            "{}: attempt {} runs, and the ledger does not have it: was the ledger put back to an earlier state?",
            attempt.session.job, attempt.number
        )),
        Notice::TakenUp { attempt } => reporter.say(&format!(
            "{}: attempt {} still runs; the daemon waits for its end",
            attempt.session.job, attempt.number
        )),
        Notice::Stopping { running, grace, is_writable } => {
            if !is_writable {
                reporter.warn(
                    "stopping: the ledger cannot be written; the warden keeps the outcomes of running attempts for the next start",
                );
            }
            if !running.is_empty() {
                reporter.say(&format!(
                    "stopping: {} running, which may take {} to end ({}); a second signal kills",
                    running.len(),
                    duration::format(*grace),
                    names(running)
                ));
            }
        }
        Notice::Terminating { running } if !running.is_empty() => {
            let names = names(running);
            reporter.say(&format!("ending {names}: interrupted, the next start attempts these dates again"));
        }
        Notice::HandingOver { running } if !running.is_empty() => {
            reporter.say(&format!("left to the warden: {}; the next start takes them up", names(running)));
        }
        Notice::Terminating { .. } | Notice::HandingOver { .. } => {}
        Notice::Killing { running } => reporter.say(&format!(
            "killing {}: the next start attempts the interrupted dates again",
            counted(running.len() as u64, "attempt")
        )),
    }
}

/// The names of the jobs that run.
fn names(running: &[AttemptKey]) -> String {
    let mut names: Vec<String> = running.iter().map(|attempt| attempt.session.job.to_string()).collect();
    names.sort_unstable();
    if names.len() > NAMED {
        let more = names.len() - NAMED;
        names.truncate(NAMED);
        names.push(format!("{more} more"));
    }
    names.join(", ")
}
