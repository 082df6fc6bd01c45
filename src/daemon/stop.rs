//! The end of a daemon: nothing is started, what runs has its grace, and every outcome is written.

use std::io;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook_tokio::Signals;

use crate::clock;
use crate::duration;
use crate::scheduler::Event;
use crate::session::Outcome;

use super::Daemon;
use super::start::Mode;

/// For the signals of a daemon that leaves at once.
const LAST_MOMENT: Duration = Duration::from_millis(300);

/// For what a stop takes besides its graces.
const SLACK: Duration = Duration::from_secs(15);

/// Listens to the signals that the daemon knows.
pub(super) fn signals() -> io::Result<Signals> {
    Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1])
}

/// How far a stop has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopping {
    /// What runs may end by itself until then.
    Waiting(Instant),
    /// What runs was sent TERM, and is sent KILL by the warden after its `kill_grace`.
    Terminating,
    /// What runs was sent KILL.
    Killing,
    /// What runs is left to the warden, and the next daemon takes it up.
    HandingOver,
    /// Whatever is left, is left.
    Leaving,
}

impl Daemon {
    /// The first signal begins the stop, the second kills, the third leaves.
    pub(super) fn begin_or_hasten_stop(&mut self) {
        let running = self.engine.scheduler.running();
        match self.stopping {
            None => {
                self.notifier.stopping(self.stop_grace + self.longest_kill_grace + SLACK);
                self.scribe.start_nothing();
                self.engine.handle(Event::Stop, clock::now());
                if !self.engine.is_writable() {
                    self.voice
                        .warn("stopping: the ledger cannot be written; the warden keeps what ended for the next start");
                }
                self.stopping = Some(Stopping::Waiting(Instant::now() + self.stop_grace));
                if running > 0 {
                    let grace = duration::format(self.stop_grace);
                    self.voice.say(&format!(
                        "stopping: {running} running, which may take {grace} to end ({}); a second signal kills",
                        self.name_open_attempts()
                    ));
                }
            }
            // Nobody can wait for ever for a ledger that is away.
            Some(_) if !self.engine.is_writable() => {
                for attempt in self.open_attempts() {
                    self.runner.kill(&attempt, Outcome::Interrupted);
                }
                self.stopping = Some(Stopping::Leaving);
            }
            Some(Stopping::Waiting(_) | Stopping::Terminating | Stopping::HandingOver) => {
                // Kill at once on a second signal: the operator has already waited.
                self.voice
                    .say(&format!("killing {running} attempts: their dates are attempted again at the next start"));
                for attempt in self.open_attempts() {
                    self.runner.kill(&attempt, Outcome::Interrupted);
                }
                self.stopping = Some(Stopping::Killing);
            }
            Some(Stopping::Killing | Stopping::Leaving) => self.stopping = Some(Stopping::Leaving),
        }
    }

    /// Ends what has outlived its grace.
    pub(super) fn pursue_stop(&mut self) {
        if let Some(Stopping::Waiting(until)) = self.stopping
            && Instant::now() >= until
        {
            let open = self.open_attempts();
            if self.leaves_jobs {
                if !open.is_empty() {
                    let names = self.name_open_attempts();
                    self.voice.say(&format!("left to the warden: {names}; the next start takes them up"));
                }
                self.stopping = Some(Stopping::HandingOver);
                return;
            }
            if !open.is_empty() {
                let names = self.name_open_attempts();
                self.voice.say(&format!("ending {names}: interrupted, attempted again at the next start"));
            }
            for attempt in open {
                self.runner.stop(&attempt, Outcome::Interrupted);
            }
            self.stopping = Some(Stopping::Terminating);
        }
    }

    fn name_open_attempts(&self) -> String {
        let mut names: Vec<String> =
            self.open_attempts().iter().map(|attempt| attempt.session.job.to_string()).collect();
        if names.len() > 5 {
            let more = names.len() - 5;
            names.truncate(5);
            names.push(format!("{more} more"));
        }
        names.join(", ")
    }

    /// Says whether there is nothing left to wait for.
    pub(super) fn is_done(&self) -> bool {
        // What was only to be recorded is recorded at the next start as well, and the warden keeps what ended until then.
        let written = self.engine.is_settled() || !self.engine.is_writable();
        let is_left = self.stopping == Some(Stopping::HandingOver);
        let waits = || self.engine.given_out().any(|attempt| !self.left_alone.contains(attempt));
        let ended = written && (is_left || !waits());
        let has_served = match self.mode {
            Mode::Serve => self.stopping.is_some(),
            Mode::Once => self.stopping.is_some() || self.engine.scheduler.is_idle(),
            Mode::Operate => {
                let answered = self.engine.has_heard_requests() && !self.engine.scheduler.has_pending();
                self.stopping.is_some() || answered
            }
        };
        self.fatal.is_some() || self.stopping == Some(Stopping::Leaving) || (has_served && ended)
    }

    /// Gives the ledger back, and says how it ended.
    pub(super) fn finish(&mut self) -> ExitCode {
        if let Some(fatal) = self.fatal.take() {
            self.voice.fail(&fatal);
            return ExitCode::FAILURE;
        }
        if self.stopping == Some(Stopping::Leaving) {
            if self.engine.scheduler.running() > 0 {
                // The warden has yet to kill what it was asked to, which the next start need not wait for then.
                std::thread::sleep(LAST_MOMENT);
            }
            self.voice.warn(
                "left before every outcome was written; the warden keeps what ended, and the next start takes it up",
            );
            return ExitCode::FAILURE;
        }
        if self.engine.is_settled() {
            self.scribe.close();
        } else if self.engine.holds_outcomes() {
            self.voice.warn("left while the ledger cannot be written; the warden keeps what ended for the next start");
        }
        if self.mode == Mode::Serve {
            self.voice.say("stopped");
        }
        let is_cut_short = self.stopping.is_some();
        ExitCode::from(u8::from(self.mode == Mode::Once && (self.saw_failure || is_cut_short)))
    }
}
