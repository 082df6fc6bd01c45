//! The figures of the README, each beside a floor that is measured in the same run.
//!
//! `scripts/bench` runs this on a release build. A figure is the median of several alternating rounds; only a ratio says
//! something about another machine.

#![expect(clippy::print_stdout, reason = "a table is what it is for")]
#![expect(clippy::cast_precision_loss, reason = "figures are for people")]

#[path = "figures/daemon.rs"]
mod daemon;
#[path = "figures/floor.rs"]
mod floor;
#[path = "figures/lists.rs"]
mod lists;
#[path = "figures/orders.rs"]
mod orders;
#[path = "../tests/support/postgres.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod postgres;
#[path = "figures/scale.rs"]
mod scale;
#[path = "figures/starts.rs"]
mod starts;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Measures something in a folder, and prints a row.
type Figure = fn(&Path) -> Outcome<()>;

/// How often each side of a comparison runs.
const ROUNDS: usize = 3;

fn main() -> Outcome<()> {
    // `cargo bench` passes it; a test runner that lists tests does not.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let place = tempfile::Builder::new().prefix("crontabber-bench").tempdir()?;
    println!("| figure | asked | measured | floor | crontabber |");
    println!("|---|---|---|---|---|");
    let figures: [(&str, Figure); 10] = [
        ("catch-up", starts::catch_up),
        ("sixteen-jobs", starts::sixteen_jobs),
        ("one-instant", starts::one_instant),
        ("recovery", daemon::recovery),
        ("plan", lists::plan),
        ("many-jobs", daemon::many_jobs),
        ("many-rows", lists::many_rows),
        ("backfill", orders::backfill),
        ("effect", orders::effect),
        ("scale", scale::scale),
    ];
    let mut wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    // A number is that of the sessions of `scale`.
    wanted.retain(|argument| argument.parse::<u64>().is_err());
    for (name, figure) in figures {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            figure(place.path())?;
        }
    }
    Ok(())
}

/// Prints one row of the table.
fn row(figure: &str, asked: &str, measured: &str, floor: &str, ours: &str) {
    println!("| {figure} | {asked} | **{measured}** | {floor} | {ours} |");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn crontabber(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crontabber"));
    clean_environment(&mut command);
    command.arg("--config").arg(folder.join("jobs.toml"));
    command.arg("--ledger").arg(format!("sqlite://{}", folder.join("ledger.db").display()));
    command.env_remove("NOTIFY_SOCKET").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Removes what cargo adds to the environment. With its `LD_LIBRARY_PATH` every `/bin/true` looks for libc in five folders
/// first, which costs more than 100 µs on both sides and brings their ratio closer to 1.
fn clean_environment(command: &mut Command) {
    let of_cargo = |name: &str| name.starts_with("CARGO") || name.starts_with("RUST") || name == "LD_LIBRARY_PATH";
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_cargo)) {
        command.env_remove(name);
    }
}

/// A fresh folder with a registry.
fn folder(place: &Path, registry: &str) -> Outcome<PathBuf> {
    let folder = tempfile::Builder::new().tempdir_in(place)?.keep();
    fs::write(folder.join("jobs.toml"), registry)?;
    Ok(folder)
}

fn timed(work: impl FnOnce() -> Outcome<()>) -> Outcome<f64> {
    let since = Instant::now();
    work()?;
    Ok(since.elapsed().as_secs_f64())
}

/// Megabytes of a process, of one of the kinds in its `smaps_rollup`: `Rss`, `Pss`, `Private_Dirty`.
fn megabytes(pid: u32, kind: &str) -> Outcome<f64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = rollup.lines().find(|line| line.split(':').next() == Some(kind)).ok_or("no such kind of memory")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
    Ok(kilobytes / 1024.0)
}

/// The process of the warden of a folder, once it serves.
fn warden_pid(folder: &Path) -> Option<u32> {
    let log = fs::read_to_string(folder.join("warden/warden.log")).ok()?;
    log.rsplit_once("serves pid=")?.1.split_whitespace().next()?.parse().ok()
}
