//! Where things are: the registry, the ledger, the logs of attempts.
//!
//! Looks at paths and at the environment, and opens nothing: whether a file can be read is for the one who reads it.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{env, fs};

use chrono::{DateTime, SecondsFormat, Utc};

use crate::ledger::{LedgerUrl, LedgerUrlError};
use crate::session::{AttemptKey, REPLACED};
use crate::text::{fnv_1a, listed};
use crate::warden_client::WardenLocation;

/// The registry's name, wherever it is looked for.
const REGISTRY: &str = "jobs.toml";

/// Where packages put the registry.
const SYSTEM_REGISTRY: &str = "/etc/crontabber/jobs.toml";

/// Where logs go when nothing in the environment says where state belongs.
const SYSTEM_STATE: &str = "/var/lib/crontabber";

/// The beginning of the name of a registry's copy, for a ledger in PostgreSQL.
pub(crate) const COPY_OF_POSTGRES: &str = "registry-";

/// Why we do not know where something is.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// No file at any of the places where a registry is looked for.
    #[error("there is no registry: looked for {}", listed(&quoted_paths(.looked), "and"))]
    NoRegistry {
        /// The places, in their order.
        looked: Vec<PathBuf>,
    },
    /// Nothing says where a ledger belongs.
    #[error("nothing says where the ledger is: `$STATE_DIRECTORY`, `$XDG_STATE_HOME` and `$HOME` are not set")]
    NoStateDirectory,
    /// `--ledger` or `$CRONTABBER_LEDGER` is not the URL of a ledger.
    #[error(transparent)]
    Given(LedgerUrlError),
    /// The registry's `ledger` is not the URL of a ledger.
    #[error("the registry's `ledger` is not usable")]
    Registry(#[source] LedgerUrlError),
}

impl PlaceError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoRegistry { .. } => Some("name one with `--config FILE`, or write one of these"),
            Self::NoStateDirectory => Some("name one with `--ledger sqlite:///path/to/ledger.db`"),
            Self::Given(_) => None,
            Self::Registry(_) => Some("it is the key `ledger` of the registry's table `[daemon]`"),
        }
    }
}

fn quoted_paths(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().map(|path| format!("`{}`", path.display())).collect()
}

/// Finds the registry: `given` (`--config` or `$CRONTABBER_CONFIG`) whether it exists or not, else the first that exists
/// of `./jobs.toml`, the user's and the system's.
///
/// # Errors
/// [`PlaceError::NoRegistry`], with where it looked.
pub fn registry(given: Option<&Path>) -> Result<PathBuf, PlaceError> {
    if let Some(given) = given.filter(|path| !path.as_os_str().is_empty()) {
        return Ok(given.to_owned());
    }
    let mut looked = vec![PathBuf::from(REGISTRY)];
    looked.extend(user_directory("XDG_CONFIG_HOME", ".config").map(|config| config.join(REGISTRY)));
    looked.push(PathBuf::from(SYSTEM_REGISTRY));
    match looked.iter().find(|path| path.exists()) {
        Some(found) => Ok(found.clone()),
        None => Err(PlaceError::NoRegistry { looked }),
    }
}

/// Finds the ledger: `given` (`--ledger` or `$CRONTABBER_LEDGER`), else the registry's, else `ledger.db` in the state
/// directory. A relative SQLite path means from the current directory; where the registry has it, from the registry's own
/// `folder`, so that it is the same ledger wherever one stands.
///
/// # Errors
/// A URL that is none, or nothing that says where state belongs.
pub fn ledger(given: Option<&str>, registry: Option<&str>, folder: Option<&Path>) -> Result<LedgerUrl, PlaceError> {
    if let Some(given) = given.filter(|url| !url.trim().is_empty()) {
        return LedgerUrl::parse(given).map_err(PlaceError::Given);
    }
    if let Some(url) = registry {
        let url = LedgerUrl::parse(url).map_err(PlaceError::Registry)?;
        return Ok(match (url, folder) {
            (LedgerUrl::Sqlite(path), Some(folder)) => LedgerUrl::Sqlite(folder.join(path)),
            (url, _) => url,
        });
    }
    let state = state_directory().ok_or(PlaceError::NoStateDirectory)?;
    Ok(LedgerUrl::Sqlite(state.join("ledger.db")))
}

/// The folder of the logs of a ledger's attempts: beside an SQLite file, else in the state directory. It is absolute: who
/// writes there has another current directory.
#[must_use]
pub fn logs(ledger: &LedgerUrl) -> PathBuf {
    let folder = match ledger {
        LedgerUrl::Sqlite(file) => file.with_file_name("logs"),
        LedgerUrl::Postgres(_) => state_directory().unwrap_or_else(|| PathBuf::from(SYSTEM_STATE)).join("logs"),
    };
    std::path::absolute(&folder).unwrap_or(folder)
}

/// The copy of the registry that the daemon of a ledger has in force: beside an SQLite file, else in the state directory
/// of the daemon, with a name of its own for each ledger.
#[must_use]
pub fn registry_copy(ledger: &LedgerUrl) -> PathBuf {
    match ledger {
        LedgerUrl::Sqlite(file) => {
            let mut name = fs::canonicalize(file).unwrap_or_else(|_| file.clone()).into_os_string();
            name.push(".registry");
            PathBuf::from(name)
        }
        LedgerUrl::Postgres(url) => logs(ledger).with_file_name(format!("{COPY_OF_POSTGRES}{:x}", fnv_1a(url.bytes()))),
    }
}

/// Where the warden of a ledger lives: beside the logs; its socket is the one that systemd keeps for the unit, if it does.
#[must_use]
pub fn warden(ledger: &LedgerUrl) -> WardenLocation {
    let folder = logs(ledger).with_file_name("warden");
    let runtime = variable("RUNTIME_DIRECTORY").and_then(|paths| env::split_paths(&paths).next());
    let managed = runtime.map(|runtime| runtime.join("warden.sock")).filter(|socket| socket.exists());
    WardenLocation { managed, ..WardenLocation::new(folder) }
}

/// The folder of a warden that systemd starts: in the state directory of its unit.
#[must_use]
pub fn warden_of_unit() -> Option<PathBuf> {
    let folder = variable("STATE_DIRECTORY").and_then(|paths| env::split_paths(&paths).next());
    folder.map(|folder| folder.join("warden"))
}

/// The log of one attempt, `JOB/20261103T013000Z.1.log`: the date in UTC, then the number.
///
/// A generation after the first stands before the number (`.g2.1.log`), so that a reset overwrites nothing. What a job had
/// recorded before it took over another job is in a folder of its own, [`replaced_logs`].
#[must_use]
pub fn log_file(logs: &Path, attempt: &AttemptKey) -> PathBuf {
    let session = &attempt.session;
    let generation = match session.generation {
        REPLACED | 1 => String::new(),
        later => format!(".g{later}"),
    };
    let folder = logs.join(session.job.as_str());
    let folder = if session.generation == REPLACED { replaced_logs(&folder) } else { folder };
    folder.join(format!("{}{generation}.{}.log", compact(session.date), attempt.number))
}

/// Within the folder of a job: the logs of what it had recorded before it took over another job.
#[must_use]
pub fn replaced_logs(of_job: &Path) -> PathBuf {
    of_job.join("replaced")
}

/// A date as part of a file's name: `20261103T013000Z`, with microseconds only where there are any.
fn compact(date: DateTime<Utc>) -> String {
    let mut text = date.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    text.retain(|character| !matches!(character, '-' | ':'));
    text
}

/// Where state belongs: what systemd says, else what the user says, else the service's if we may use it, else the user's
/// state directory.
pub(crate) fn state_directory() -> Option<PathBuf> {
    // systemd separates several directories by colons; the first is the unit's main one.
    let of_unit = variable("STATE_DIRECTORY").and_then(|paths| env::split_paths(&paths).next());
    let of_service = || variable("XDG_STATE_HOME").is_none().then(service_state).flatten();
    of_unit.or_else(of_service).or_else(|| user_directory("XDG_STATE_HOME", ".local/state"))
}

/// The service's state directory, for its own user and for root: so that `sudo crontabber list` shows the service's
/// ledger, where nothing in the environment tells of it.
fn service_state() -> Option<PathBuf> {
    let owner = fs::metadata(SYSTEM_STATE).ok().filter(fs::Metadata::is_dir)?.uid();
    let us = rustix::process::geteuid();
    (us.is_root() || us.as_raw() == owner).then(|| PathBuf::from(SYSTEM_STATE))
}

/// A directory of the user for crontabber: `name`'s, else below the home directory.
fn user_directory(name: &str, below_home: &str) -> Option<PathBuf> {
    // The XDG specification says to ignore relative paths.
    let named = variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = named.or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(below_home)))?;
    Some(base.join("crontabber"))
}

fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::JobName;
    use crate::session::SessionKey;

    fn file(date: &str, generation: u32, number: u32) -> String {
        let session = SessionKey { job: JobName::new("load").unwrap(), generation, date: date.parse().unwrap() };
        log_file(Path::new("logs"), &AttemptKey { session, number }).display().to_string()
    }

    #[test]
    fn a_log_is_named_by_its_date_and_number() {
        assert_eq!(file("2026-11-03T01:30:00Z", 1, 1), "logs/load/20261103T013000Z.1.log");
        assert_eq!(file("2026-11-03T01:30:00Z", 2, 14), "logs/load/20261103T013000Z.g2.14.log");
        assert_eq!(file("2026-11-03T01:30:00Z", 0, 1), "logs/load/replaced/20261103T013000Z.1.log");
        assert_eq!(file("2026-11-03T01:30:00.000250Z", 1, 1), "logs/load/20261103T013000.000250Z.1.log");
    }

    #[test]
    fn logs_are_beside_the_file() {
        assert_eq!(logs(&LedgerUrl::Sqlite("/state/ledger.db".into())), Path::new("/state/logs"));
        assert_eq!(logs(&LedgerUrl::Sqlite("ledger.db".into())), env::current_dir().unwrap().join("logs"));
    }

    #[test]
    fn what_is_given_comes_first() {
        assert_eq!(registry(Some(Path::new("elsewhere.toml"))).unwrap(), Path::new("elsewhere.toml"));
        let url = ledger(Some("sqlite:///given.db"), Some("sqlite:///registry.db"), None).unwrap();
        assert_eq!(url, LedgerUrl::Sqlite("/given.db".into()));
        let url = ledger(Some(""), Some("state/registry.db"), Some(Path::new("/etc/jobs"))).unwrap();
        assert_eq!(url, LedgerUrl::Sqlite("/etc/jobs/state/registry.db".into()));
    }
}
