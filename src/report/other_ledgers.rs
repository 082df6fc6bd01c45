//! Other ledgers of a registry, while the one in force is new: somebody has probably changed `ledger`, and the whole past
//! would run again.
//!
//! A ledger in the state directory, or beside the one in force, is one of this registry if the last process that held it
//! had this registry, or one that is gone; and if it has jobs of these names. Registries that share a directory are left
//! alone.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::daemon::is_same;
use crate::job::{Job, JobName};
use crate::ledger::{LedgerUrl, Reader, is_ledger_file};
use crate::paths;
use crate::registry::{Registry, RegistryCopy};
use crate::text::{counted, listed};

/// So many files of a directory are looked at.
const MOST_FILES: usize = 1_000;

/// The warning that a ledger without jobs is new while the registry has another one; `None` if it has none.
pub(crate) fn warning(url: &LedgerUrl, registry: &Registry, now: DateTime<Utc>) -> Option<String> {
    let mut others: Vec<String> = folders(url)
        .iter()
        .flat_map(|folder| files(folder))
        .filter_map(|file| if is_in_force(url, &file) { None } else { of_registry(&file, registry, now) })
        .collect();
    others.sort();
    others.dedup();
    if others.is_empty() {
        return None;
    }
    Some(format!(
        "the ledger {url} is new, and this registry has another one: {}; with the new one, jobs with `backfill = true` run all \
         their dates again from `start` on. If that is not meant, stop crontabber, and name the other one with `--ledger` or \
         `ledger` in `[daemon]`",
        listed(&others, "and")
    ))
}

/// Where other ledgers are looked for: in the state directory, and beside an SQLite file.
fn folders(url: &LedgerUrl) -> Vec<PathBuf> {
    let beside = match url {
        LedgerUrl::Sqlite(file) => std::path::absolute(file).ok().and_then(|file| Some(file.parent()?.to_owned())),
        LedgerUrl::Postgres(_) => None,
    };
    paths::state_directory().into_iter().chain(beside).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(MOST_FILES);
    entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect()
}

/// Whether a file belongs to the ledger in force. SQLite's own files beside it must not be opened: closing one would release
/// its locks.
fn is_in_force(url: &LedgerUrl, file: &Path) -> bool {
    let ours = match url {
        LedgerUrl::Sqlite(ours) => ours.canonicalize().unwrap_or_else(|_| ours.clone()),
        LedgerUrl::Postgres(_) => paths::registry_copy(url),
    };
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let is_beside = match (ours.parent(), file.parent()) {
        (Some(ours), Some(other)) => is_same(ours, other),
        _ => false,
    };
    let is_named_alike = name(file).zip(name(&ours)).is_some_and(|(file, ours)| file.starts_with(&ours));
    is_same(&ours, file) || (is_beside && is_named_alike)
}

/// A ledger of this registry, in words: the SQLite ledger in a file, or the PostgreSQL ledger whose registry was copied to
/// the file.
fn of_registry(file: &Path, registry: &Registry, now: DateTime<Utc>) -> Option<String> {
    if is_ledger_file(file) {
        return of_sqlite(file, registry);
    }
    file.file_name()?.to_str()?.starts_with(paths::COPY_OF_POSTGRES).then_some(())?;
    let copied = RegistryCopy::from_bytes(&fs::read(file).ok()?).ok()?.parse(now).ok()?;
    is_same(copied.files.first()?, registry.files.first()?).then_some(())?;
    let url = copied.daemon.ledger.as_deref().and_then(|url| LedgerUrl::parse(url).ok());
    Some(match url.filter(|url| matches!(url, LedgerUrl::Postgres(_))) {
        Some(url) => url.to_string(),
        None => "one in PostgreSQL, which `--ledger` named".to_owned(),
    })
}

fn of_sqlite(file: &Path, registry: &Registry) -> Option<String> {
    let url = LedgerUrl::Sqlite(file.to_owned());
    let mut reader = Reader::open(&url).ok()?;
    let names: HashSet<&JobName> = registry.jobs.iter().flat_map(names).collect();
    let common = reader.jobs().ok()?.iter().filter(|record| names.contains(&record.name)).count();
    let last = reader.heartbeat().ok()?.map(|last| last.registry);
    let is_of_other = last.is_some_and(|last| last.exists() && !registry.files.iter().any(|file| is_same(file, &last)));
    (common > 0 && !is_of_other).then(|| format!("{url} with {}", counted(common as u64, "job")))
}

/// The names that a job has or had.
fn names(job: &Job) -> impl Iterator<Item = &JobName> {
    std::iter::once(&job.name).chain(&job.previously)
}
