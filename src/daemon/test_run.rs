//! `crontabber test`: runs one date of a job in the terminal, off the record.
//!
//! The scheduler decides in memory what the job is told and what would be recorded, and [`prepare`] makes the launch, as for
//! an attempt of the daemon. Nothing is written, and no warden knows of it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::executor::PROBE_TIMEOUT;
use super::launch::{LaunchSettings, length_of, prepare};
use super::reporter::messages;
use crate::control::{PROBE, probe_answer};
use crate::job::{Command, JobName, OnUnknown};
use crate::ledger::{LedgerUrl, OwnerRecord, Reader};
use crate::registry::Registry;
use crate::report::error::ReportError;
use crate::report::scheduling::{Decided, Question, ask, recorded_as};
use crate::scheduler::{Event, LastSuccess, Notification, ProbeAnswer, Recovered, Scheduler, Start};
use crate::session::{AttemptEnd, AttemptKey, Outcome, SessionKey, State};
use crate::text::in_zone;
use crate::warden::Foreground;
use crate::warden_client::Launch;
use crate::{clock, environment, paths, warden};

/// A date that can be run; see the module's page.
pub(crate) struct TestRun {
    scheduler: Scheduler,
    start: Start,
    settings: LaunchSettings,
    inherited: Inherited,
}

/// What a job inherits.
struct Inherited {
    environment: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
    /// The daemon that it is from, and its user if that is not ours.
    daemon: Option<(u32, Option<String>)>,
}

/// What would have been recorded.
pub(crate) struct Closed {
    pub(crate) attempt: AttemptKey,
    pub(crate) zone: Tz,
    pub(crate) end: AttemptEnd,
    pub(crate) state: State,
    pub(crate) text: String,
}

/// What `done_when` says, and what follows.
pub(crate) struct Probed {
    pub(crate) answer: ProbeAnswer,
    /// The daemon would not run the command, and would record this instead.
    pub(crate) instead: Option<State>,
    pub(crate) text: String,
}

impl TestRun {
    /// Opens the attempt in memory.
    ///
    /// # Errors
    /// The job is running, or does not have the date; or the ledger cannot be read.
    pub(crate) fn new(
        job: &JobName,
        date: DateTime<Utc>,
        registry: Registry,
        mut reader: Option<&mut Reader>,
        url: &LedgerUrl,
        now: DateTime<Utc>,
    ) -> Result<Self, ReportError> {
        let output_limit = registry.daemon.output_limit;
        let recovered = reader.as_deref_mut().map_or_else(|| Ok(Recovered::default()), Reader::recovered)?;
        let recorded_as = recorded_as(&registry, &recovered, job);
        let Decided { mut scheduler, .. } = ask(recovered, registry, Question::State, now);
        let generation = scheduler.view(job).map_or(1, |view| view.record.generation);
        let key = SessionKey { job: recorded_as, generation, date };
        let recorded = reader.as_deref_mut().map(|reader| reader.session(&key)).transpose()?.flatten();
        let mut start = scheduler.open_off_record(job, date, recorded.as_ref()).map_err(ReportError::new)?;
        if let (LastSuccess::InLedger, Some(reader)) = (start.last_success, reader.as_deref_mut()) {
            start.last_success = LastSuccess::Known(reader.success_before(&key)?);
        }
        let owner = reader.map(Reader::owner).transpose()?.flatten();
        let inherited = Inherited::new(owner.filter(|owner| owner.alive), url);
        let settings = LaunchSettings {
            inherited_length: length_of(&inherited.environment),
            home: inherited.folder.clone(),
            // No ledger has this suffix: no warden takes these processes for those of an attempt.
            ledger_id: format!("test-{}", std::process::id()),
            logs: paths::logs(url),
            output_limit,
        };
        Ok(Self { scheduler, start, settings, inherited })
    }

    /// The date, in its zone.
    pub(crate) fn date(&self) -> String {
        in_zone(self.start.attempt.session.date, self.start.zone)
    }

    /// What is about to happen.
    pub(crate) fn announcement(&self) -> String {
        let Self { start: Start { job, .. }, inherited, .. } = self;
        let folder = job.working_directory.as_deref().or(inherited.folder.as_deref());
        let folder = folder.map(|folder| format!(" in `{}`", folder.display())).unwrap_or_default();
        let from = match &inherited.daemon {
            Some((pid, user)) => {
                let user = user.as_ref().map(|user| format!(" of user `{user}`")).unwrap_or_default();
                format!("the daemon{user} (process {pid})")
            }
            None => "this terminal".to_owned(),
        };
        format!(
            "this really runs the command of `{}` for {}, as `{}`{folder}, with the environment of {from}; nothing is recorded",
            job.name,
            self.date(),
            environment::user_name(),
        )
    }

    /// What the job inherits.
    pub(crate) fn inherited_environment(&self) -> Vec<(OsString, OsString)> {
        self.inherited.environment.clone()
    }

    /// Runs `done_when`, if the job has it.
    pub(crate) fn probe(&self, foreground: &mut Foreground) -> Option<Probed> {
        let Start { job, attempt: AttemptKey { session, .. }, zone, .. } = &self.start;
        let command = job.done_when.as_ref()?;
        let timeout = Some(job.timeout.unwrap_or(PROBE_TIMEOUT));
        let attempt = AttemptKey { session: session.clone(), number: PROBE };
        let answer = probe_answer(&self.run_command(&attempt, command, timeout, foreground));
        let (session, zone) = (session.clone(), *zone);
        let (note, instead) = match &answer {
            ProbeAnswer::Done => (Notification::WasDone { session, zone }, Some(State::Succeeded)),
            ProbeAnswer::Unknown(answer) => {
                let is_held = job.on_unknown == OnUnknown::Hold;
                let reason = format!("its `done_when` gave no answer: {answer}");
                let held = is_held.then_some(State::Held { reason });
                (Notification::DoneWhenUnanswered { session, zone, answer: answer.clone(), is_held }, held)
            }
            ProbeAnswer::NotDone | ProbeAnswer::Lost => {
                let text = format!("`done_when` of `{}` says that {} is not done", job.name, self.date());
                return Some(Probed { answer, instead: None, text });
            }
        };
        let text = messages::sentence(&note, zone);
        Some(Probed { answer, instead, text })
    }

    /// Runs the command to its end.
    pub(crate) fn run(mut self, foreground: &mut Foreground) -> Result<Closed, ReportError> {
        let attempt = self.start.attempt.clone();
        let end = self.run_command(&attempt, &self.start.job.command, self.start.job.timeout, foreground);
        let step = self.scheduler.handle(Event::Ended { attempt, end }, clock::now());
        let closed = step.notes.into_iter().find_map(|note| match note {
            Notification::Closed { attempt, zone, end, state, .. } => {
                let mut text = messages::closed(&attempt, &end, &state, 0, zone);
                if let (State::Failed { .. }, Some(most)) = (&state, self.start.job.retry.attempts) {
                    text.push_str(&format!("; {most} attempts at most"));
                }
                let text = format!("{}: {text}", attempt.session.job);
                Some(Closed { attempt, zone, end, state, text })
            }
            _ => None,
        });
        closed.ok_or_else(|| ReportError::new("the scheduler does not know the attempt"))
    }

    fn run_command(
        &self,
        attempt: &AttemptKey,
        command: &Command,
        timeout: Option<Duration>,
        foreground: &mut Foreground,
    ) -> AttemptEnd {
        match prepare(&self.start, attempt, command, &self.settings) {
            Ok(launch) => foreground.run(&Launch { timeout, ..launch }),
            Err(error) => AttemptEnd {
                outcome: Outcome::Failed { code: 125 },
                ended_at: clock::now(),
                duration: None,
                detail: Some(error.to_string()),
                has_log: false,
                usage: None,
            },
        }
    }
}

impl Inherited {
    /// What jobs inherit from the daemon, if it runs on this machine and we may see it; else what they would inherit from us.
    fn new(owner: Option<OwnerRecord>, url: &LedgerUrl) -> Self {
        let is_here = |owner: &OwnerRecord| owner.host == environment::host_name();
        // A warden that systemd starts has an environment of its own.
        let daemon = owner.filter(|owner| is_here(owner) && paths::warden(url).managed.is_none());
        let of_daemon = daemon.and_then(|OwnerRecord { pid, .. }| {
            let process = PathBuf::from(format!("/proc/{pid}"));
            let user = fs::metadata(&process).ok()?.uid();
            let other = Some(user).filter(|user| *user != rustix::process::getuid().as_raw());
            Some(Self {
                environment: warden::environment_of(pid)?,
                folder: Some(fs::read_link(process.join("cwd")).ok()?),
                daemon: Some((pid, other.map(environment::name_of_user))),
            })
        });
        of_daemon.unwrap_or_else(|| Self {
            environment: warden::inherited_environment(),
            folder: std::env::current_dir().ok(),
            daemon: None,
        })
    }
}
