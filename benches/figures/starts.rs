//! How fast dates start, against the floor: small programs that start nothing but processes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use crontabber::clock;

use crate::floor::Floor;
use crate::{Outcome, crontabber, folder, median, megabytes, row, timed, warden_pid};

/// How often each side runs here: single runs differ more than the sides do.
const ROUNDS: usize = 7;

/// How many minutes a thousand jobs are due in.
const INSTANTS: usize = 3;

/// Runs one wake on a fresh ledger; returns the seconds that the whole process took.
fn wake(place: &Path, registry: &str) -> Outcome<f64> {
    let folder = folder(place, registry)?;
    timed(|| {
        let status = crontabber(&folder).args(["-q", "once"]).status()?;
        if status.success() { Ok(()) } else { Err(format!("once: {status}").into()) }
    })
}

/// A registry of `jobs` backfillable jobs with `dates` dates each, all of them due.
fn registry_behind(jobs: usize, dates: i64) -> String {
    let start = clock::now() - TimeDelta::minutes(dates) + TimeDelta::seconds(1);
    let mut text = String::from("[daemon]\nmax_running = 16\n");
    for job in 0..jobs {
        let start = start.format("%Y-%m-%dT%H:%M:%SZ");
        write!(text, "[jobs.j{job}]\nschedule = \"* * * * *\"\nbackfill = true\nstart = {start}\n").expect("memory");
        text.push_str("command = [\"/bin/true\"]\n");
    }
    text
}

/// Compares the starts of `jobs` jobs of `dates` dates each with the floor, round by round.
fn compare(place: &Path, figure: &str, asked: f64, (jobs, dates): (usize, u32)) -> Outcome<()> {
    let floor = Floor::new(place)?;
    let starts = jobs * dates as usize;
    let (mut floors, mut all, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (low, high) = (floor.seconds(starts, jobs)?, wake(place, &registry_behind(jobs, dates.into()))?);
        ratios.push(low / high);
        floors.push(low);
        all.push(high);
    }
    let rate = |seconds: f64| format!("{:.0} starts/s", starts as f64 / seconds);
    let lowest = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    row(
        figure,
        &format!("at least {asked}"),
        &format!("{:.2}", median(ratios)),
        &rate(median(floors)),
        &format!("{}, the worst of {ROUNDS} rounds {lowest:.2}", rate(median(all))),
    );
    Ok(())
}

pub(crate) fn catch_up(place: &Path) -> Outcome<()> {
    compare(place, "catch-up of 2,000 dates of one strict job, the whole process, against the floor", 0.75, (1, 2000))
}

pub(crate) fn sixteen_jobs(place: &Path) -> Outcome<()> {
    compare(place, "sixteen jobs of 300 dates, against 16 floors at once", 0.7, (16, 300))
}

/// A thousand jobs that are due every minute, under a daemon: how long after the minute the last of them starts.
pub(crate) fn one_instant(place: &Path) -> Outcome<()> {
    let mut registry = String::new();
    for job in 0..1000 {
        write!(registry, "[jobs.j{job}]\nschedule = \"* * * * *\"\ncommand = [\"/bin/true\"]\n").expect("memory");
    }
    let floor = Floor::new(place)?;
    let folder = folder(place, &registry)?;
    let mut daemon = crontabber(&folder).arg("-q").spawn()?;
    let mut floors = Vec::new();
    for _ in 0..INSTANTS {
        let now = clock::now();
        let minute = now.duration_trunc(TimeDelta::minutes(1))? + TimeDelta::minutes(1);
        // The jobs of the minute have ended when the floor runs.
        std::thread::sleep((minute - now + TimeDelta::seconds(15)).to_std()?);
        floors.push(floor.seconds(1000, 16)?);
    }
    let warden = warden_pid(&folder).ok_or("no warden")?;
    let (of_daemon, of_warden) = (megabytes(daemon.id(), "Pss")?, megabytes(warden, "Pss")?);
    daemon.kill()?;
    daemon.wait()?;
    let attempts = crontabber(&folder).args(["attempts", "--json"]).stdout(Stdio::piped()).output()?;
    let attempts: serde_json::Value = serde_json::from_slice(&attempts.stdout)?;
    let mut last_starts: BTreeMap<DateTime<Utc>, f64> = BTreeMap::new();
    for attempt in attempts.as_array().ok_or("no array")? {
        let instant = |key: &str| attempt[key].as_str().ok_or("no instant")?.parse().map_err(|_| "no instant");
        let (date, started): (DateTime<Utc>, DateTime<Utc>) = (instant("date")?, instant("started_at")?);
        let after = last_starts.entry(date).or_default();
        *after = after.max((started - date).as_seconds_f64());
    }
    let all: Vec<f64> = last_starts.into_values().collect();
    let (low, high) = (median(floors), median(all));
    row(
        "1,000 jobs due at one instant: when the last of them starts, against 16 floors at once for 1,000",
        "at most 1.2",
        &format!("{:.2}", high / low),
        &format!("{low:.2} s"),
        &format!("{high:.2} s"),
    );
    row(
        "memory (PSS) of the daemon and the warden of these jobs",
        "at most 14 MB",
        &format!("{:.1} MB", of_daemon + of_warden),
        "-",
        &format!("daemon {of_daemon:.1} MB, warden {of_warden:.1} MB"),
    );
    Ok(())
}
