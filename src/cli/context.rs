//! What every command needs: the registry, the ledger, the time, and the jobs by their names.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::arguments::Global;
use super::failure::Failure;
use crate::job::{Job, JobName};
use crate::ledger::{LedgerUrl, OpenError, OpenErrorKind, Reader};
use crate::registry::Registry;
use crate::schedule::Timetable;
use crate::scheduler::{Event, Recovered, Scheduler, Step};
use crate::session::JobRecord;
use crate::{clock, daemon, paths};

/// How many names are offered for one that is not known.
const OFFERED: usize = 3;

/// What the command line says about every command, and the time by which it is done.
#[derive(Debug)]
pub(super) struct Context {
    /// The options of every command.
    pub(super) global: Global,
    /// The time; one for the whole command.
    pub(super) now: DateTime<Utc>,
}

impl Context {
    /// Takes the time.
    pub(super) fn new(global: Global) -> Self {
        Self { global, now: clock::now() }
    }

    /// Says whether JSON is wanted.
    pub(super) fn json(&self) -> bool {
        self.global.json
    }

    /// Where the registry is.
    pub(super) fn registry_path(&self) -> Result<PathBuf, Failure> {
        Ok(paths::registry(self.global.config().as_deref())?)
    }

    /// The registry, whole or not at all.
    pub(super) fn registry(&self) -> Result<Registry, Failure> {
        Ok(Registry::load(&self.registry_path()?, self.now)?)
    }

    /// The registry for a command that only reads the ledger: where the ledger was named, it can do without.
    pub(super) fn registry_if_any(&self) -> Result<Option<Registry>, Failure> {
        let is_named = self.global.ledger.as_ref().is_some_and(|url| !url.trim().is_empty());
        match self.registry() {
            Ok(registry) => Ok(Some(registry)),
            Err(failure) if is_named => {
                self.remark(&format!("without the registry, zones are those in the ledger: {}", failure.line()));
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    /// Where the ledger is.
    pub(super) fn ledger_url(&self, registry: Option<&Registry>) -> Result<LedgerUrl, Failure> {
        let of_registry = registry.and_then(|registry| registry.daemon.ledger.as_deref());
        let folder = registry.and_then(Registry::folder);
        Ok(paths::ledger(self.global.ledger.as_deref(), of_registry, folder)?)
    }

    /// Where the logs of attempts are.
    pub(super) fn logs(&self, registry: Option<&Registry>) -> Result<PathBuf, Failure> {
        Ok(paths::logs(&self.ledger_url(registry)?))
    }

    /// The ledger; `None`, and a remark, if there is none yet.
    pub(super) fn reader(&self, registry: Option<&Registry>) -> Result<Option<Reader>, Failure> {
        match Reader::open(&self.ledger_url(registry)?) {
            Ok(reader) => Ok(Some(reader)),
            Err(missing) if matches!(missing.kind, OpenErrorKind::Missing) => {
                self.remark(&missing.to_string());
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The ledger; `None` if there is none yet.
    pub(super) fn reader_if_any(&self, registry: Option<&Registry>) -> Result<Option<Reader>, Failure> {
        match Reader::open(&self.ledger_url(registry)?) {
            Ok(reader) => Ok(Some(reader)),
            Err(OpenError { kind: OpenErrorKind::Missing, .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What the daemon is told of the command line.
    pub(super) fn daemon_options(&self) -> Result<daemon::Options, Failure> {
        let Global { ledger, log_format, quiet, json, .. } = &self.global;
        Ok(daemon::Options {
            registry: self.registry_path()?,
            ledger: ledger.clone(),
            log_format: log_format.map(Into::into),
            quiet: *quiet,
            json: *json,
        })
    }

    /// Tells people something beside the answer.
    pub(super) fn remark(&self, text: &str) {
        if !self.global.quiet {
            // Nobody can be told that stderr is closed.
            let _ = writeln!(io::stderr(), "note: {text}");
        }
    }
}

/// What the scheduler is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// Where everything stands.
    State,
    /// What a wake would start.
    Wake,
}

/// Asks the daemon's own scheduler what it would do with a ledger and a registry; nothing of it is written.
pub(super) fn ask(
    recovered: Recovered,
    registry: Registry,
    question: Question,
    now: DateTime<Utc>,
) -> (Scheduler, Step, Vec<Arc<Job>>) {
    let jobs: Vec<Arc<Job>> = registry.jobs.into_iter().map(Arc::new).collect();
    let mut scheduler = Scheduler::new(recovered, &paths::host_name(), registry.daemon.max_running, now);
    scheduler.set_pools(registry.pools);
    if question == Question::State {
        scheduler.freeze();
    }
    let step = scheduler.handle(Event::Registry(jobs.clone()), now);
    (scheduler, step, jobs)
}

/// The zone of each job: the registry's, a ghost's from its stored timetable, else UTC.
#[derive(Debug, Default)]
pub(super) struct Zones(HashMap<JobName, Tz>);

impl Zones {
    /// Learns the zones of all jobs there are.
    pub(super) fn new(registry: Option<&Registry>, records: &[JobRecord]) -> Self {
        let jobs = registry.map_or(&[][..], |registry| &registry.jobs);
        let mut zones: HashMap<JobName, Tz> = jobs.iter().map(|job| (job.name.clone(), job.timetable.zone())).collect();
        for record in records {
            zones.entry(record.name.clone()).or_insert_with(|| stored_zone(record));
        }
        Self(zones)
    }

    /// The zone of a job.
    pub(super) fn of(&self, job: &JobName) -> Tz {
        self.0.get(job).copied().unwrap_or(Tz::UTC)
    }

    /// Refuses a job that neither the registry nor the ledger has.
    pub(super) fn know(&self, job: &JobName) -> Result<(), Failure> {
        if self.0.contains_key(job) { Ok(()) } else { Err(unknown_job(job.as_str(), self.0.keys())) }
    }
}

/// The zone of a timetable as the ledger keeps it.
pub(super) fn stored_zone(record: &JobRecord) -> Tz {
    record.timetable.parse::<Timetable>().map_or(Tz::UTC, |timetable| timetable.zone())
}

/// Says that there is no such job, and which was meant.
pub(super) fn unknown_job<'known>(name: &str, known: impl Iterator<Item = &'known JobName>) -> Failure {
    // A letter of the wrong case is the least of slips.
    let typed = name.to_lowercase();
    let mut near: Vec<(usize, &str)> = known
        .map(|known| (known.as_str(), known.as_str().to_lowercase()))
        .map(|(known, lower)| (strsim::damerau_levenshtein(&typed, &lower), known, lower.starts_with(&typed)))
        .filter(|(distance, _, begins)| *distance <= (name.len() / 3).max(1) || *begins)
        .map(|(distance, known, _)| (distance, known))
        .collect();
    near.sort_unstable();
    let names: Vec<String> = near.iter().take(OFFERED).map(|(_, name)| format!("`{name}`")).collect();
    let hint = match names.as_slice() {
        [] => "`crontabber list` names the jobs".to_owned(),
        [one] => format!("did you mean {one}?"),
        [first @ .., last] => format!("did you mean {} or {last}?", first.join(", ")),
    };
    Failure::usage(format!("there is no job `{name}`")).hint(Some(hint))
}
