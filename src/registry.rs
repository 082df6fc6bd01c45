//! The registry: TOML files → checked jobs, or every mistake of every file at once.
//!
//! Reads files and nothing else: no ledger, no clock (the caller says what time it is), no job is started. No TOML type
//! leaves this module, and none of the text of the files is kept.

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
mod moment;
mod pools;
mod retry;
mod run_policy;
mod schema;
mod source_file;
mod suggest;
mod syntax;
mod table_reader;

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
use diagnostic::Level;
use file::Included;
use jobs::Draft;
use keys::Key;
use pools::Pool;
use source_file::SourceFile;
use suggest::Nearest;
use syntax::Document;
use table_reader::{TableReader, kind, quoted};

/// What the registry says: the jobs, and the settings of the daemon.
#[derive(Debug, Clone)]
pub struct Registry {
    /// The settings that are not about one job.
    pub daemon: DaemonSettings,
    /// In the order of the files and of their text; the names are unique, and no dependency is missing.
    pub jobs: Vec<Job>,
    /// What several jobs share: how many attempts of the jobs in a pool may run at once, by the name of the pool. No job
    /// is in a pool that is not here.
    pub pools: BTreeMap<String, usize>,
    /// The files that were read, the one that was asked for first.
    pub files: Vec<PathBuf>,
    /// What is worth a look, and stops nothing.
    pub warnings: Vec<Diagnostic>,
}

impl Registry {
    /// The folder of the registry's file.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.files.first()?.parent()
    }

    /// Reads the registry at `path` with all that it includes. `now` decides whether a schedule will ever fire.
    ///
    /// # Errors
    /// A file that cannot be read, or every mistake of every file.
    pub fn load(path: &Path, now: DateTime<Utc>) -> Result<Self, RegistryError> {
        let main = file::read(path).map_err(|error| unreadable(path, error))?;
        let mut loading = Loading::new(now);
        let (daemon, includes) = loading.main_page(main);
        loading.included_pages(&includes, daemon.timezone);
        loading.finish(daemon)
    }

    /// Reads a registry whose files are at hand already, each with its path, and opens none.
    ///
    /// The `included` ones count as what the `main` one includes, whatever it says itself.
    ///
    /// # Errors
    /// Every mistake of every file.
    pub fn parse(main: (&Path, &[u8]), included: &[(&Path, &[u8])], now: DateTime<Utc>) -> Result<Self, RegistryError> {
        let page = |(path, bytes): (&Path, &[u8])| file::page(path, bytes.to_owned(), bytes.len() as u64);
        let mut loading = Loading::new(now);
        let (daemon, _) = loading.main_page(page(main));
        for file in included {
            loading.included_page(page(*file), daemon.timezone);
        }
        loading.finish(daemon)
    }

    /// Shows what is worth a look, each with its line and caret; empty if there is nothing.
    #[must_use]
    pub fn render_warnings(&self, color: bool) -> String {
        diagnostic::render_all(&self.warnings, color)
    }
}

fn unreadable(path: &Path, source: std::io::Error) -> RegistryError {
    let message = format!("cannot read the registry `{}`: {}", path.display(), file::reason(&source));
    let mistake = Diagnostic::whole(path, Level::Error, message, None);
    RegistryError::Unreadable { mistake: Box::new(mistake), source }
}

/// What is known while the files are read.
struct Loading {
    now: DateTime<Utc>,
    nearest: Nearest,
    /// The files read so far.
    pages: Vec<SourceFile>,
    /// The jobs found so far, in order.
    drafts: Vec<Draft>,
    /// The pools found so far, in order.
    pools: Vec<Pool>,
}

/// One `include` as it stands in the main file.
struct Include {
    pattern: String,
    span: std::ops::Range<usize>,
}

impl Loading {
    fn new(now: DateTime<Utc>) -> Self {
        Self { now, nearest: Nearest::new(), pages: Vec::new(), drafts: Vec::new(), pools: Vec::new() }
    }

    fn main_page(&mut self, page: SourceFile) -> (DaemonSettings, Vec<Include>) {
        let mut daemon = DaemonSettings::default();
        let mut includes = Vec::new();
        if !page.is_broken() {
            let blanked = OnceCell::new();
            let document = Document::parse(&page, &blanked);
            let top = section(&page, &self.nearest, document.table(), keys::TOP);
            top.unknown_keys();
            if let Some(section) = top.section("daemon", keys::DAEMON, "`[daemon]`".to_owned()) {
                daemon = daemon::read(&section);
            }
            for text in top.texts("include", true).unwrap_or_default() {
                includes.push(Include { pattern: text.value.to_owned(), span: text.span });
            }
            read_jobs(&top, daemon.timezone, self.now, self.pages.len(), &mut self.drafts);
            pools::read(&top, self.pages.len(), &mut self.pools);
        }
        self.pages.push(page);
        (daemon, includes)
    }

    fn included_pages(&mut self, includes: &[Include], zone: Tz) {
        let main_path = self.pages[0].path.clone();
        let identity = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let main_identity = identity(&main_path);
        let mut seen = HashSet::from([main_identity.clone()]);
        for include in includes {
            let refuse = |loading: &Self, problem: String, hint: Option<String>| {
                let message = format!("the registry: `include` {} {problem}", quoted(&include.pattern));
                loading.pages[0].mistake(include.span.clone(), message, hint);
            };
            let paths = match file::included(&main_path, &include.pattern) {
                Err(error) => {
                    refuse(self, error.message, error.hint);
                    continue;
                }
                Ok(Included::File(path)) if identity(&path) == main_identity => {
                    refuse(self, "names the file that it stands in".to_owned(), None);
                    continue;
                }
                Ok(Included::File(path)) => vec![path],
                Ok(Included::Matching(paths)) if paths.is_empty() => {
                    let message = format!("the registry: `include` {} matches no file", quoted(&include.pattern));
                    self.pages[0].warning(include.span.clone(), message, None);
                    continue;
                }
                Ok(Included::Matching(paths)) => paths,
            };
            for path in paths {
                if !seen.insert(identity(&path)) {
                    continue;
                }
                match file::read(&path) {
                    Ok(page) => self.included_page(page, zone),
                    Err(error) => {
                        refuse(self, format!("cannot be read: `{}`: {}", path.display(), file::reason(&error)), None);
                    }
                }
            }
        }
    }

    fn included_page(&mut self, page: SourceFile, zone: Tz) {
        if !page.is_broken() {
            let blanked = OnceCell::new();
            let document = Document::parse(&page, &blanked);
            let top = section(&page, &self.nearest, document.table(), keys::INCLUDED);
            top.unknown_keys();
            read_jobs(&top, zone, self.now, self.pages.len(), &mut self.drafts);
            pools::read(&top, self.pages.len(), &mut self.pools);
        }
        self.pages.push(page);
    }

    fn finish(self, daemon: DaemonSettings) -> Result<Registry, RegistryError> {
        dependencies::check(&self.drafts, &self.pages, &self.nearest);
        let pools = pools::check(&self.pools, &self.drafts, &self.pages, &self.nearest);
        let mut mistakes = Vec::new();
        let mut warnings = Vec::new();
        if self.drafts.is_empty() && self.pages.iter().all(|page| page.mistakes() == 0) {
            let hint =
                "add one: `[jobs.hello]` with `schedule = \"0 3 * * *\"` and `command = \"echo hello\"`".to_owned();
            self.pages[0].whole("the registry holds no jobs", Some(hint));
        }
        let files = self.pages.iter().map(|page| page.path.clone()).collect();
        for page in self.pages {
            page.finish(&mut mistakes, &mut warnings);
        }
        if !mistakes.is_empty() {
            return Err(RegistryError::Mistaken { mistakes });
        }
        let jobs = self.drafts.into_iter().filter_map(|draft| draft.job).collect();
        Ok(Registry { daemon, jobs, pools, files, warnings })
    }
}

fn section<'a>(
    page: &'a SourceFile,
    nearest: &'a Nearest,
    table: &'a DeTable<'a>,
    keys: &'static [Key],
) -> TableReader<'a> {
    TableReader { page, nearest, whose: "the registry".to_owned(), table, keys }
}

/// Reads the jobs of a file, in the order of its text.
fn read_jobs(top: &TableReader<'_>, zone: Tz, now: DateTime<Utc>, page: usize, drafts: &mut Vec<Draft>) {
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
        let whose = format!("job {}", quoted(name.get_ref()));
        let DeValue::Table(table) = value.get_ref() else {
            let message = format!("{whose} must be a table, not {}", kind(value.get_ref()));
            let hint = "a job is declared as `[jobs.NAME]`, with its keys below".to_owned();
            top.page.mistake(name.span(), message, Some(hint));
            continue;
        };
        let section = TableReader { page: top.page, nearest: top.nearest, whose, table, keys: keys::JOB };
        drafts.push(jobs::read(&section, name, zone, now, page));
    }
}
