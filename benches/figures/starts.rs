//! How fast dates start, against loops that start nothing but processes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use crontabber::clock;

use crate::{Outcome, ROUNDS, crontabber, folder, median, row, timed};

/// The floor: start a process, wait for it, and make a line about it durable.
fn bare_loop(place: &Path, starts: usize) -> Outcome<()> {
    let file = tempfile::NamedTempFile::new_in(place)?;
    let mut log = OpenOptions::new().append(true).open(file.path())?;
    for start in 0..starts {
        let mut child = true_process()?;
        child.wait()?;
        writeln!(log, "{start} succeeded")?;
        log.sync_data()?;
    }
    Ok(())
}

fn true_process() -> Outcome<Child> {
    let null = Stdio::null;
    Ok(Command::new("/bin/true").stdin(null()).stdout(null()).stderr(null()).spawn()?)
}

/// The floor with several processes in flight.
fn bare_threads(place: &Path, threads: usize, starts: usize) -> Outcome<()> {
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads)
            .map(|_| scope.spawn(move || bare_loop(place, starts / threads).map_err(|error| error.to_string())))
            .collect();
        for thread in all {
            thread.join().map_err(|_| "a thread panicked")??;
        }
        Ok(())
    })
}

/// Runs one wake on a fresh ledger; gives the seconds that it took.
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

fn compare(
    figure: &str,
    asked: f64,
    starts: usize,
    mut floor: impl FnMut() -> Outcome<f64>,
    mut ours: impl FnMut() -> Outcome<f64>,
) -> Outcome<()> {
    let (mut floors, mut all, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (low, high) = (floor()?, ours()?);
        ratios.push(low / high);
        floors.push(low);
        all.push(high);
    }
    let rate = |seconds: f64| format!("{:.0} starts/s", starts as f64 / seconds);
    row(
        figure,
        &format!("at least {asked}"),
        &format!("{:.2}", median(ratios)),
        &rate(median(floors)),
        &rate(median(all)),
    );
    Ok(())
}

pub(crate) fn catch_up(place: &Path) -> Outcome<()> {
    compare(
        "catch-up of 3,000 dates of one strict job, against a bare loop",
        0.7,
        3000,
        || timed(|| bare_loop(place, 3000)),
        || wake(place, &registry_behind(1, 3000)),
    )
}

pub(crate) fn sixteen_jobs(place: &Path) -> Outcome<()> {
    compare(
        "sixteen jobs of 300 dates, against bare loops with 16 in flight",
        0.7,
        4800,
        || timed(|| bare_threads(place, 16, 4800)),
        || wake(place, &registry_behind(16, 300)),
    )
}

/// A thousand jobs that are due every minute, under a daemon: how long after the minute the last of them starts.
pub(crate) fn one_instant(place: &Path) -> Outcome<()> {
    let mut registry = String::new();
    for job in 0..1000 {
        write!(registry, "[jobs.j{job}]\nschedule = \"* * * * *\"\ncommand = [\"/bin/true\"]\n").expect("memory");
    }
    let folder = folder(place, &registry)?;
    let mut daemon = crontabber(&folder).arg("-q").spawn()?;
    let mut floors = Vec::new();
    for _ in 0..ROUNDS {
        let now = clock::now();
        let minute = now.duration_trunc(TimeDelta::minutes(1))? + TimeDelta::minutes(1);
        // Each minute's jobs are long done when the floor has its turn.
        std::thread::sleep((minute - now + TimeDelta::seconds(15)).to_std()?);
        floors.push(timed(|| bare_threads(place, 16, 1000))?);
    }
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
        "1,000 jobs due at one instant: the last starts so long after it, in times of the bare loops for 1,000",
        "at most 1.3",
        &format!("{:.2}", high / low),
        &format!("{low:.2} s"),
        &format!("{high:.2} s"),
    );
    Ok(())
}
