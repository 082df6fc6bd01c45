//! What every command needs: the registry, the ledger, the time, and the jobs by their names.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::arguments::Global;
use super::failure::Failure;
use crate::environment::use_color;
use crate::job::JobName;
use crate::ledger::{LedgerUrl, OpenError, OpenErrorKind, Reader};
use crate::registry::{Registry, RegistryCopy, RegistryError};
use crate::report::daemon::{DaemonFinding, findings, hold_of_start, report_of, start_waits};
use crate::report::zones::Zones;
use crate::text::to_the_second;
use crate::{clock, daemon, paths};

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

    /// The registry as its files are, whole or not at all.
    pub(super) fn registry_of_files(&self) -> Result<Registry, Failure> {
        Ok(Registry::load(&self.registry_path()?, self.now)?)
    }

    /// The registry. If its files have mistakes, prints them, and returns what the running daemon has in force.
    pub(super) fn registry(&self) -> Result<Registry, Failure> {
        let (registry, mistakes) = self.registry_or_in_force()?;
        if let Some((error, text)) = mistakes {
            let mut err = io::stderr().lock();
            // A closed stderr cannot be reported.
            let _ = writeln!(err, "{}\nwarning: {text}", error.render(use_color(&err)));
        }
        Ok(registry)
    }

    /// The registry; or its mistakes, a sentence about them, and the registry that the running daemon has in force.
    pub(super) fn registry_or_in_force(&self) -> Result<(Registry, Option<(RegistryError, String)>), Failure> {
        let path = self.registry_path()?;
        let error = match Registry::load(&path, self.now) {
            Ok(registry) => return Ok((registry, None)),
            Err(error) => error,
        };
        let Some((registry, read_at)) = self.in_force(&path, &error) else { return Err(error.into()) };
        let read_at = to_the_second(read_at, registry.daemon.timezone);
        let text = format!("`{}` cannot be used; the daemon goes on with what it read at {read_at}", path.display());
        Ok((registry, Some((error, text))))
    }

    /// What the running daemon has in force of the registry at `path`, which has mistakes, and when it was read. Whatever
    /// keeps it from being found, the mistakes are reported.
    fn in_force(&self, path: &Path, error: &RegistryError) -> Option<(Registry, DateTime<Utc>)> {
        let url = paths::ledger(self.global.ledger.as_deref(), error.ledger(), path.parent()).ok()?;
        let report = report_of(&mut Reader::open(&url).ok()?, path).ok()??;
        let copy = RegistryCopy::from_bytes(&fs::read(paths::registry_copy(&url)).ok()?).ok()?;
        let is_in_force = copy.digest() == report.digest;
        Some((copy.parse(self.now).ok().filter(|_| is_in_force)?, report.read_at().ok()?))
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

    /// What a list reads: the registry if there is one, the ledger, and the zones of the jobs. Fails if neither knows `job`.
    pub(super) fn ledger(&self, job: Option<&JobName>) -> Result<(Option<Registry>, Option<Reader>, Zones), Failure> {
        let registry = self.registry_if_any()?;
        let mut reader = self.reader(registry.as_ref())?;
        let records = reader.as_mut().map(Reader::jobs).transpose()?.unwrap_or_default();
        let zones = Zones::new(registry.as_ref(), &records);
        job.map_or(Ok(()), |job| zones.know(job))?;
        Ok((registry, reader, zones))
    }

    /// The jobs as the ledger has them: those that are renamed have their previous names until they have taken over.
    pub(super) fn recorded_as(&self, jobs: Option<Vec<JobName>>, zones: &Zones) -> Option<Vec<JobName>> {
        jobs.map(|jobs| jobs.iter().map(|job| self.recorded_name(job, zones)).collect())
    }

    /// The name under which the ledger has a job, and a note if it is a previous one.
    pub(super) fn recorded_name(&self, job: &JobName, zones: &Zones) -> JobName {
        let recorded = zones.recorded_as(job);
        if recorded != job {
            self.remark(&format!("`{job}` has not yet taken over the dates of `{recorded}`, which are shown"));
        }
        recorded.clone()
    }

    /// The ledger; `None` if there is none yet.
    pub(super) fn reader_if_any(&self, registry: Option<&Registry>) -> Result<Option<Reader>, Failure> {
        match Reader::open(&self.ledger_url(registry)?) {
            Ok(reader) => Ok(Some(reader)),
            Err(OpenError { kind: OpenErrorKind::Missing, .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The daemon's options.
    pub(super) fn daemon_options(&self) -> Result<daemon::Options, Failure> {
        let Global { ledger, log_format, quiet, .. } = &self.global;
        Ok(daemon::Options {
            registry: self.registry_path()?,
            ledger: ledger.clone(),
            log_format: *log_format,
            quiet: *quiet,
        })
    }

    /// Warns about a daemon that does not run, hangs, or has not read the registry as it is now, and about a clock that it
    /// or the next `once` does not believe.
    pub(super) fn warn_about_daemon(&self, registry: &Registry, reader: Option<&mut Reader>) -> Result<(), Failure> {
        let Some(reader) = reader else { return Ok(()) };
        let findings = findings(reader, registry, self.now)?;
        self.warn(&findings);
        // A ledger that only `once` writes needs no daemon.
        if findings.is_empty()
            && let Some(hold) = hold_of_start(reader, registry, self.now)?
        {
            self.remark(&start_waits(hold, registry.daemon.timezone, self.now));
        }
        Ok(())
    }

    /// Prints warnings to stderr, unless `--quiet`.
    pub(super) fn warn<'a>(&self, findings: impl IntoIterator<Item = &'a DaemonFinding>) {
        for finding in findings.into_iter().filter(|_| !self.global.quiet) {
            // A closed stderr cannot be reported.
            let _ = writeln!(io::stderr(), "warning: {}", finding.message);
        }
    }

    /// Prints a note of several lines to stderr, unless `--quiet`.
    pub(super) fn remark_all(&self, lines: &[String]) {
        if !lines.is_empty() {
            self.remark(&lines.join("\n"));
        }
    }

    /// Prints a note to stderr, unless `--quiet`.
    pub(super) fn remark(&self, text: &str) {
        if !self.global.quiet {
            // A closed stderr cannot be reported.
            let _ = writeln!(io::stderr(), "note: {text}");
        }
    }
}
