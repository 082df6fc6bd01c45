//! The registry as users see it: files in, jobs or printed mistakes out. One file for each table or key of jobs.toml.
#![expect(clippy::too_many_lines, reason = "a table of mistakes is long, and is read from top to bottom")]

use std::fs;
use std::path::Path;

use chrono::{DateTime, Utc};
use crontabber::registry::{Registry, RegistryError};
use insta::assert_snapshot;
use tempfile::TempDir;

mod command;
mod cycles;
mod daemon;
mod depends_on;
mod diagnostics;
mod file;
mod include;
mod job;
mod job_types;
mod job_values;
mod no_schedule;
mod pools;
mod previously;
mod random_text;
mod run_policy;
mod schedule;
mod schema;
mod secrets;
mod syntax;
mod timing;
mod unknown_keys;

fn now() -> DateTime<Utc> {
    "2026-11-20T12:00:00Z".parse().expect("an instant")
}

/// Writes files into a new folder; the first is the registry.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a new folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a path in the folder")).expect("a new folder");
        fs::write(path, text).expect("a new file");
    }
    folder
}

fn load(folder: &TempDir) -> Result<Registry, RegistryError> {
    Registry::load(&folder.path().join("jobs.toml"), now())
}

/// The mistakes of a registry as they are printed, with paths relative to its folder.
fn mistakes_in(files: &[(&str, &str)]) -> String {
    let folder = folder(files);
    let error = load(&folder).expect_err("the registry has a mistake");
    without_folder(&error.render(false), folder.path())
}

fn mistakes(text: &str) -> String {
    mistakes_in(&[("jobs.toml", text)])
}

/// The mistakes of a job that is valid except for these lines.
fn mistakes_in_job(lines: &str) -> String {
    mistakes(&format!("[jobs.load]\nschedule = \"15 1 * * *\"\ncommand = \"true\"\n{lines}\n"))
}

fn warnings(text: &str) -> String {
    let folder = folder(&[("jobs.toml", text)]);
    without_folder(&load(&folder).expect("a registry").render_warnings(false), folder.path())
}

fn without_folder(text: &str, folder: &Path) -> String {
    text.replace(&format!("{}/", folder.display()), "")
}

/// A job without a schedule, with these lines.
fn job_with(name: &str, lines: &str) -> String {
    format!("[jobs.{name}]\ncommand = \"true\"\n{lines}\n")
}

/// A daily job with these lines.
fn daily(name: &str, lines: &str) -> String {
    job_with(name, &format!("schedule = \"@daily\"\n{lines}"))
}

fn graph(edges: &[(&str, &[&str])]) -> String {
    edges
        .iter()
        .map(|(name, on)| format!("[jobs.{name}]\nschedule = \"@daily\"\ncommand = \"true\"\ndepends_on = {on:?}\n"))
        .collect::<Vec<_>>()
        .concat()
}

/// The example of the design document.
const DESIGN: &str = r#"
[daemon]
ledger   = "sqlite:///var/lib/crontabber/ledger.db"   # or postgres://…; default: in the state directory
timezone = "Europe/Berlin"                            # default for jobs; default UTC
max_running = 16

[jobs.load]
schedule = "15 1 * * *"
backfill = true
start    = 2026-11-01                                 # a day in the job's zone, or an instant
command  = ["/usr/local/bin/load", "--day", "{date:%Y-%m-%d}"]

[jobs.clean-reports]
description = "fills reports_clean for one day"
every    = "1d"
at       = "02:30"
backfill = true
depends_on = ["load"]
command  = "psql -v ON_ERROR_STOP=1 -c \"select cleanup('$CRONTABBER_SESSION_DATE')\""   # a string goes to /bin/sh -c
retry    = { after = "5m", factor = 2, at_most = "1h" }   # the default: every 5 minutes, for ever
timeout  = "2h"
"#;
