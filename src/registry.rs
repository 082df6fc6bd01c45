//! The registry: TOML files → checked jobs, or every error of every file at once.
//!
//! Reads files and nothing else: no ledger and no clock (the caller passes the time). No TOML type leaves this module,
//! and it keeps no text of the files.

mod command;
mod daemon;
mod dates;
mod dependencies;
mod depends_on;
mod diagnostic;
mod excerpt;
mod file;
mod jitter;
mod jobs;
mod keys;
mod pools;
mod retry;
mod run_policy;
mod schema;
mod source_file;
mod suggest;
mod syntax;
mod table_reader;
mod time;
mod wording;

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use toml::de::{DeTable, DeValue};

pub use daemon::DaemonSettings;
pub use diagnostic::{Diagnostic, RegistryError};
pub use schema::schema;

use crate::job::Job;
use crate::text::quoted;
use diagnostic::Level;
use file::Included;
use jobs::Draft;
use keys::Key;
use pools::Pool;
use source_file::SourceFile;
use suggest::Suggester;
use syntax::Document;
use table_reader::TableReader;
use wording::kind;

/// The jobs and the settings of the daemon.
#[derive(Debug, Clone)]
pub struct Registry {
    /// The settings that do not belong to one job.
    pub daemon: DaemonSettings,
    /// In the order of the files and of their lines. Names are unique, and every dependency exists.
    pub jobs: Vec<Job>,
    /// The size of each pool by its name: how many attempts of its jobs may run at once. The pool of every job exists.
    pub pools: BTreeMap<String, usize>,
    /// The files that were read, the main file first.
    pub files: Vec<PathBuf>,
    /// In the order of the files and of their lines.
    pub warnings: Vec<Diagnostic>,
}

impl Registry {
    /// The folder of the main file.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.files.first()?.parent()
    }

    /// Reads the registry at `path` with the files that it includes. `now` decides whether a schedule has a future date.
    ///
    /// # Errors
    /// A file that cannot be read, or every error of every file.
    pub fn load(path: &Path, now: DateTime<Utc>) -> Result<Self, RegistryError> {
        let main = file::read(path).map_err(|error| unreadable(path, error))?;
        let mut loading = Loading::new(now);
        let (daemon, includes) = loading.main_file(main);
        loading.included_files(&includes, daemon.timezone);
        loading.finish(daemon)
    }

    /// Parses a registry from memory: the texts of its files with their paths. Opens no file.
    ///
    /// `included` replaces what `main` includes.
    ///
    /// # Errors
    /// Every error of every file.
    pub fn parse(main: (&Path, &[u8]), included: &[(&Path, &[u8])], now: DateTime<Utc>) -> Result<Self, RegistryError> {
        let source = |(path, bytes): (&Path, &[u8])| file::from_bytes(path, bytes.to_owned(), bytes.len() as u64);
        let mut loading = Loading::new(now);
        let (daemon, _) = loading.main_file(source(main));
        for file in included {
            loading.included_file(source(*file), daemon.timezone);
        }
        loading.finish(daemon)
    }

    /// Renders the warnings with their lines; empty if there are none.
    #[must_use]
    pub fn render_warnings(&self, color: bool) -> String {
        diagnostic::render_all(&self.warnings, color)
    }
}

fn unreadable(path: &Path, source: std::io::Error) -> RegistryError {
    let message = format!("cannot read the registry `{}`: {}", path.display(), file::reason(&source));
    let diagnostic = Diagnostic::of_file(path, Level::Error, message, None);
    RegistryError::Unreadable { diagnostic: Box::new(diagnostic), source }
}

struct Loading {
    now: DateTime<Utc>,
    suggester: Suggester,
    files: Vec<SourceFile>,
    drafts: Vec<Draft>,
    pools: Vec<Pool>,
}

/// One item of `include`.
struct Include {
    pattern: String,
    span: std::ops::Range<usize>,
}

impl Loading {
    fn new(now: DateTime<Utc>) -> Self {
        Self { now, suggester: Suggester::new(), files: Vec::new(), drafts: Vec::new(), pools: Vec::new() }
    }

    fn main_file(&mut self, file: SourceFile) -> (DaemonSettings, Vec<Include>) {
        let mut daemon = DaemonSettings::default();
        let mut includes = Vec::new();
        if !file.is_broken() {
            let blanked = OnceCell::new();
            let document = Document::parse(&file, &blanked);
            let top = reader(&file, &self.suggester, document.table(), keys::TOP);
            top.unknown_keys();
            if let Some(reader) = top.sub_table("daemon", keys::DAEMON, "`[daemon]`".to_owned()) {
                daemon = daemon::read(&reader);
            }
            for text in top.strings("include", true).unwrap_or_default() {
                includes.push(Include { pattern: text.value.to_owned(), span: text.span });
            }
            read_jobs(&top, daemon.timezone, self.now, self.files.len(), &mut self.drafts);
            pools::read(&top, self.files.len(), &mut self.pools);
        }
        self.files.push(file);
        (daemon, includes)
    }

    fn included_files(&mut self, includes: &[Include], zone: Tz) {
        let main_path = self.files[0].path.clone();
        let identity = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let main_identity = identity(&main_path);
        let mut seen = HashSet::from([main_identity.clone()]);
        for include in includes {
            let refuse = |loading: &Self, problem: String, hint: Option<String>| {
                let message = format!("the registry: `include` {} {problem}", quoted(&include.pattern));
                loading.files[0].error(include.span.clone(), message, hint);
            };
            let paths = match file::included(&main_path, &include.pattern) {
                Err(error) => {
                    refuse(self, error.message, error.hint);
                    continue;
                }
                Ok(Included::File(path)) if identity(&path) == main_identity => {
                    refuse(self, "names the file that contains it".to_owned(), None);
                    continue;
                }
                Ok(Included::File(path)) => vec![path],
                Ok(Included::Matching(paths)) if paths.is_empty() => {
                    let message = format!("the registry: `include` {} matches no file", quoted(&include.pattern));
                    self.files[0].warning(include.span.clone(), message, None);
                    continue;
                }
                Ok(Included::Matching(paths)) => paths,
            };
            for path in paths {
                if !seen.insert(identity(&path)) {
                    continue;
                }
                match file::read(&path) {
                    Ok(file) => self.included_file(file, zone),
                    Err(error) => {
                        refuse(self, format!("is invalid: `{}`: {}", path.display(), file::reason(&error)), None);
                    }
                }
            }
        }
    }

    fn included_file(&mut self, file: SourceFile, zone: Tz) {
        if !file.is_broken() {
            let blanked = OnceCell::new();
            let document = Document::parse(&file, &blanked);
            let top = reader(&file, &self.suggester, document.table(), keys::INCLUDED);
            top.unknown_keys();
            read_jobs(&top, zone, self.now, self.files.len(), &mut self.drafts);
            pools::read(&top, self.files.len(), &mut self.pools);
        }
        self.files.push(file);
    }

    fn finish(self, daemon: DaemonSettings) -> Result<Registry, RegistryError> {
        dependencies::check(&self.drafts, &self.files, &self.suggester);
        let pools = pools::check(&self.pools, &self.drafts, &self.files, &self.suggester);
        let mut diagnostics = Vec::new();
        let mut warnings = Vec::new();
        if self.drafts.is_empty() && self.files.iter().all(|file| file.errors() == 0) {
            let hint =
                "add one: `[jobs.hello]` with `schedule = \"0 3 * * *\"` and `command = \"echo hello\"`".to_owned();
            self.files[0].file_error("the registry has no jobs", Some(hint));
        }
        let files = self.files.iter().map(|file| file.path.clone()).collect();
        for file in self.files {
            file.finish(&mut diagnostics, &mut warnings);
        }
        if !diagnostics.is_empty() {
            return Err(RegistryError::Invalid { diagnostics });
        }
        let jobs = self.drafts.into_iter().filter_map(|draft| draft.job).collect();
        Ok(Registry { daemon, jobs, pools, files, warnings })
    }
}

fn reader<'a>(
    file: &'a SourceFile,
    suggester: &'a Suggester,
    table: &'a DeTable<'a>,
    keys: &'static [Key],
) -> TableReader<'a> {
    TableReader { file, suggester, label: "the registry".to_owned(), table, keys }
}

/// Reads the jobs of a file, in the order of their lines.
fn read_jobs(top: &TableReader<'_>, zone: Tz, now: DateTime<Utc>, file: usize, drafts: &mut Vec<Draft>) {
    const KEY: &str = "jobs";
    let Some(value) = top.get(KEY) else { return };
    let DeValue::Table(table) = value.get_ref() else {
        top.wrong_type(KEY, value, Some("a job is declared as `[jobs.NAME]`".to_owned()));
        return;
    };
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    for (name, value) in entries {
        if value.span() == (0..0) {
            continue;
        }
        let label = format!("job {}", quoted(name.get_ref()));
        let DeValue::Table(table) = value.get_ref() else {
            let message = format!("{label} must be a table, not {}", kind(value.get_ref()));
            let hint = "a job is declared as `[jobs.NAME]`, with its keys below".to_owned();
            top.file.error(name.span(), message, Some(hint));
            continue;
        };
        let reader = top.other(label, table, keys::JOB);
        drafts.push(jobs::read(&reader, name, zone, now, file));
    }
}
