//! The figures of the README, each beside a floor that is measured in the same run.
//!
//! `scripts/bench` runs this on a release build. A figure is the median of several alternating runs; it says nothing
//! about another machine, only the ratio does.

#![expect(clippy::print_stdout, reason = "a table is what it is for")]
#![expect(clippy::cast_precision_loss, reason = "figures are for people")]

#[path = "figures/daemon.rs"]
mod daemon;
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

/// So often each side of a comparison runs.
const ROUNDS: usize = 3;

fn main() -> Outcome<()> {
    // `cargo bench` says so; a test runner that lists what it finds does not.
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
    command.arg("--config").arg(folder.join("jobs.toml"));
    command.arg("--ledger").arg(format!("sqlite://{}", folder.join("ledger.db").display()));
    command.env_remove("NOTIFY_SOCKET").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
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

fn resident_megabytes(pid: u32) -> Outcome<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS")).ok_or("no VmRSS")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
    Ok(kilobytes / 1024.0)
}
