//! The registry: TOML files → checked jobs, or every error of every file at once.
//!
//! Reads files and nothing else: no ledger and no clock (the caller passes the time). No TOML type leaves this module,
//! and it keeps no text of the files.

mod command;
mod copy;
mod daemon;
mod dates;
mod dependencies;
mod dependency_order;
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

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

pub use copy::RegistryCopy;
pub use daemon::DaemonSettings;
pub use diagnostic::{Diagnostic, RegistryError};
pub use schema::schema;

use crate::job::Job;
use crate::text::{has_wildcards, listed, quoted};
use depends_on::Named;
use diagnostic::{Level, NamedLedger};
use jobs::Draft;
use pools::Pool;
use source_file::SourceFile;
use suggest::Suggester;
use table_reader::TableReader;

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
    /// The patterns of `include` that match no file.
    pub unmatched: Vec<String>,
    /// In the order of the files and of their lines.
    pub warnings: Vec<Diagnostic>,
    /// Of the text of all files: equal for two registries only if their texts are.
    pub digest: u64,
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
        Self::load_with(Loading::new(now), path)
    }

    /// Loads the registry, and warns about programs, folders and files of jobs that do not exist here. A daemon does not
    /// look for them, since a file server that hangs must not hold up a reload.
    ///
    /// # Errors
    /// As [`Registry::load`].
    pub fn load_and_look_for_paths(path: &Path, now: DateTime<Utc>) -> Result<Self, RegistryError> {
        Self::load_with(Loading { looks_for_paths: true, ..Loading::new(now) }, path)
    }

    /// Loads the registry, and copies the texts of its files.
    ///
    /// # Errors
    /// As [`Registry::load`].
    pub fn load_and_copy(path: &Path, now: DateTime<Utc>) -> Result<(Self, RegistryCopy), RegistryError> {
        let loading = Loading::new(now).with_files(path)?;
        let copy = RegistryCopy::new(&loading.files);
        Ok((loading.finish()?, copy))
    }

    fn load_with(loading: Loading, path: &Path) -> Result<Self, RegistryError> {
        loading.with_files(path)?.finish()
    }

    /// Parses a registry from memory: the texts of its files with their paths. Opens no file.
    ///
    /// `included` replaces what `main` includes.
    ///
    /// # Errors
    /// Every error of every file.
    pub fn parse(main: (&Path, &[u8]), included: &[(&Path, &[u8])], now: DateTime<Utc>) -> Result<Self, RegistryError> {
        let mut loading = Loading::new(now);
        for (path, bytes) in std::iter::once(&main).chain(included) {
            loading.file(file::from_bytes(path, bytes.to_vec(), bytes.len() as u64));
        }
        loading.finish()
    }

    /// Renders the warnings with their lines; empty if there are none.
    #[must_use]
    pub fn render_warnings(&self, color: bool) -> String {
        diagnostic::render_all(&self.warnings, color)
    }
}

/// What to do about a registry without jobs.
const ADD_A_JOB: &str = "add one: `[jobs.hello]` with `schedule = \"0 3 * * *\"` and `command = \"echo hello\"`";

fn unreadable(path: &Path, source: std::io::Error) -> RegistryError {
    let message = format!("cannot read the registry `{}`: {}", path.display(), file::reason(&source));
    let diagnostic = Diagnostic::of_file(path, Level::Error, message, None);
    RegistryError::Unreadable { diagnostic: Box::new(diagnostic), source }
}

struct Loading {
    now: DateTime<Utc>,
    suggester: Suggester,
    daemon: DaemonSettings,
    /// The items of `include`.
    includes: Vec<Named>,
    /// Those that match no file.
    unmatched: Vec<String>,
    files: Vec<SourceFile>,
    drafts: Vec<Draft>,
    pools: Vec<Pool>,
    looks_for_paths: bool,
}

impl Loading {
    fn new(now: DateTime<Utc>) -> Self {
        Self {
            now,
            suggester: Suggester::new(),
            daemon: DaemonSettings::default(),
            includes: Vec::new(),
            unmatched: Vec::new(),
            files: Vec::new(),
            drafts: Vec::new(),
            pools: Vec::new(),
            looks_for_paths: false,
        }
    }

    /// Reads the file at `path`, and those that it includes.
    fn with_files(mut self, path: &Path) -> Result<Self, RegistryError> {
        let main = file::read(path).map_err(|error| unreadable(path, error))?;
        self.file(main);
        self.included_files();
        Ok(self)
    }

    /// Reads a file: first the main file, then the included files.
    fn file(&mut self, mut file: SourceFile) {
        file.looks_for_paths = self.looks_for_paths;
        if !file.is_broken() {
            let number = self.files.len();
            let table = syntax::parse(&file);
            let keys = if number == 0 { keys::TOP } else { keys::INCLUDED };
            let label = "the registry".to_owned();
            let top = TableReader { file: &file, suggester: &self.suggester, label, table: &table, keys };
            top.unknown_keys();
            if number == 0 {
                if let Some(reader) = top.sub_table("daemon", keys::DAEMON, "`[daemon]`".to_owned(), |_| None) {
                    self.daemon = daemon::read(&reader);
                }
                self.includes = top.strings("include", true).unwrap_or_default().iter().map(Named::new).collect();
            }
            jobs::read(&top, self.daemon.timezone, self.now, number, &mut self.drafts);
            pools::read(&top, number, &mut self.pools);
        }
        self.files.push(file);
    }

    fn included_files(&mut self) {
        let main_path = self.files[0].path.clone();
        let identity = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let main_identity = identity(&main_path);
        let mut seen = HashSet::from([main_identity.clone()]);
        for Named { name, span } in std::mem::take(&mut self.includes) {
            let about = |problem: &str| format!("the registry: `include` {} {problem}", quoted(&name));
            let paths = match file::included(&main_path, &name) {
                Ok(paths) => paths,
                Err((problem, hint)) => {
                    self.files[0].error(span, about(&problem), hint);
                    continue;
                }
            };
            if paths.is_empty() {
                self.files[0].warning(span.clone(), about("matches no file"), None);
                self.unmatched.push(name.clone());
            }
            for path in paths {
                let identity = identity(&path);
                if identity == main_identity && !has_wildcards(&name) {
                    self.files[0].error(span.clone(), about("names the file that contains it"), None);
                } else if seen.insert(identity) {
                    match file::read(&path) {
                        Ok(file) => self.file(file),
                        Err(error) => {
                            let problem = format!("is invalid: `{}`: {}", path.display(), file::reason(&error));
                            self.files[0].error(span.clone(), about(&problem), None);
                        }
                    }
                }
            }
        }
    }

    fn finish(self) -> Result<Registry, RegistryError> {
        dependencies::check(&self.drafts, &self.files, &self.suggester);
        let pools = pools::check(&self.pools, &self.drafts, &self.files, &self.suggester);
        let mut diagnostics = Vec::new();
        let mut warnings = Vec::new();
        if self.drafts.is_empty() && self.files.iter().all(|file| file.errors() == 0) {
            match self.unmatched.as_slice() {
                [] => self.files[0].file_error("the registry has no jobs", ADD_A_JOB),
                unmatched => {
                    let patterns: Vec<String> = unmatched.iter().map(|name| quoted(name)).collect();
                    let message =
                        format!("the registry has no jobs: `include` {} matches no file", listed(&patterns, "or"));
                    self.files[0].file_error(message, "is the file system mounted that has the files?");
                }
            }
        }
        let files = self.files.iter().map(|file| file.path.clone()).collect();
        let digest = copy::digest(self.files.iter().map(|file| file.text.as_str()));
        for file in self.files {
            file.finish(&mut diagnostics, &mut warnings);
        }
        if !diagnostics.is_empty() {
            return Err(RegistryError::Invalid { diagnostics, ledger: NamedLedger(self.daemon.ledger) });
        }
        let jobs = self.drafts.into_iter().filter_map(|draft| draft.job).collect();
        Ok(Registry { daemon: self.daemon, jobs, pools, files, unmatched: self.unmatched, warnings, digest })
    }
}
