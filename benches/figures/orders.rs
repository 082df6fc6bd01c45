//! What operators wait for: a backfill of many dates while others come due, and the effect of a command on a daemon.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use crontabber::clock;
use crontabber::job::JobName;
use crontabber::ledger::{LedgerUrl, Owner, Writer};
use crontabber::session::{Entry, JobRecord, NewSession, State, Trigger};

use crate::postgres;
use crate::{Outcome, ROUNDS, crontabber, folder, median, row, timed};

/// Minutes that a backfill is about.
const DATES: i64 = 100_000;

/// Jobs that have a date each minute meanwhile.
const BEATS: usize = 20;

/// A hundred thousand dates are ordered just before a minute is full, and the dates that come due then are waited for.
pub(crate) fn backfill(place: &Path) -> Outcome<()> {
    let mut registry = String::from("[daemon]\nmax_running = 40\n");
    for round in 0..ROUNDS {
        registry.push_str(&job(&format!("history{round}"), "* * * * *", "sleep 30"));
    }
    for beat in 0..BEATS {
        registry.push_str(&job(&format!("beat{beat}"), "* * * * *", "true"));
    }
    let folder = folder(place, &registry)?;
    let mut daemon = crontabber(&folder).stderr(File::create(folder.join("daemon.log"))?).spawn()?;
    wait_for(&folder)?;
    let (mut seconds, mut late, mut floors) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let from = (clock::now() - TimeDelta::minutes(DATES)).to_rfc3339();
        std::thread::sleep(Duration::from_millis(until_the_end_of_the_minute()));
        let full = clock::now() + TimeDelta::minutes(1);
        let full = full.with_second(0).and_then(|full| full.with_nanosecond(0)).ok_or("no such minute")?;
        let name = format!("history{round}");
        let order = ["backfill", &name, "--from", &from, "--yes"];
        seconds.push(timed(|| succeeds(crontabber(&folder).args(order)))?);
        std::thread::sleep((full + TimeDelta::seconds(4) - clock::now()).to_std().unwrap_or_default());
        for beat in 0..BEATS {
            late.push(lateness(&folder, &format!("beat{beat}"), full)?);
        }
        floors.push(bare(&folder, round)?);
    }
    end(&mut daemon)?;
    row(
        "a backfill of 100,000 dates is entered",
        "under 3 s",
        &format!("{:.2} s", median(seconds)),
        &format!("{:.2} s: the same rows in one transaction", median(floors)),
        "-",
    );
    let worst = late.iter().copied().fold(0.0, f64::max);
    row(
        "the dates of 20 jobs that come due meanwhile are started",
        "within 1 s",
        &format!("{:.2} s after they are due", median(late)),
        "-",
        &format!("the last of them {worst:.2} s"),
    );
    Ok(())
}

/// How soon a daemon has done what a command asks: the command's whole time.
pub(crate) fn effect(place: &Path) -> Outcome<()> {
    for backend in ["SQLite", "PostgreSQL"] {
        let folder = folder(place, &job("load", "0 0 1 1 *", "true"))?;
        let url = match backend {
            "SQLite" => format!("sqlite://{}", folder.join("ledger.db").display()),
            _ => postgres::database(),
        };
        let command = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_crontabber"));
            command.arg("--config").arg(folder.join("jobs.toml")).arg("--ledger").arg(&url);
            command.env_remove("NOTIFY_SOCKET").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        let mut daemon = command().spawn()?;
        while !command().args(["sessions", "load"]).status()?.success() {
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(500));
        let (mut seconds, mut floors) = (Vec::new(), Vec::new());
        for _ in 0..11 {
            for word in ["disable", "enable"] {
                seconds.push(timed(|| succeeds(command().args([word, "load"])))?);
            }
            floors.push(timed(|| succeeds(command().args(["sessions", "load"])))?);
        }
        end(&mut daemon)?;
        let worst = seconds.iter().copied().fold(0.0, f64::max);
        row(
            &format!("a daemon has done what a command asks, on {backend}"),
            "under 1 s",
            &format!("{:.2} s", median(seconds)),
            &format!("{:.2} s: a command that reads", median(floors)),
            &format!("the slowest {worst:.2} s"),
        );
    }
    Ok(())
}

fn job(name: &str, schedule: &str, command: &str) -> String {
    format!(
        "[jobs.{name}]\nschedule = \"{schedule}\"\nbackfill = true\ncommand = [\"/bin/sh\", \"-c\", \"{command}\"]\n"
    )
}

fn succeeds(command: &mut Command) -> Outcome<()> {
    if command.status()?.success() { Ok(()) } else { Err(format!("{command:?} failed").into()) }
}

fn wait_for(folder: &Path) -> Outcome<()> {
    let since = Instant::now();
    while !folder.join("ledger.db").exists() || succeeds(crontabber(folder).arg("list")).is_err() {
        if since.elapsed() > Duration::from_secs(20) {
            return Err("the daemon does not start".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_secs(1));
    Ok(())
}

fn end(daemon: &mut Child) -> Outcome<()> {
    daemon.kill()?;
    daemon.wait()?;
    Ok(())
}

/// Milliseconds until half a second before the next full minute.
fn until_the_end_of_the_minute() -> u64 {
    let now = clock::now();
    let into = u64::from(now.second()) * 1_000 + u64::from(now.timestamp_subsec_millis());
    (59_500 + 60_000 - into) % 60_000
}

/// Seconds from when a date was due until its attempt was started.
fn lateness(folder: &Path, job: &str, date: DateTime<Utc>) -> Outcome<f64> {
    let mut command = crontabber(folder);
    let output = command.args(["attempts", job, &date.to_rfc3339(), "--json"]).stdout(Stdio::piped()).output()?;
    let attempts: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let started = attempts[0]["started_at"].as_str().ok_or_else(|| format!("{job} was not started at {date}"))?;
    let started: DateTime<Utc> = started.parse()?;
    Ok((started - date).as_seconds_f64())
}

/// The floor: as many rows, in one transaction of nothing else.
fn bare(folder: &Path, round: usize) -> Outcome<f64> {
    let url = LedgerUrl::Sqlite(folder.join(format!("floor{round}.db")));
    let owner = Owner { host: "floor".to_owned(), pid: 1, version: "0.1.0".to_owned() };
    let now = clock::now();
    let mut writer = Writer::open(&url, &owner, now)?;
    let (name, first) = (JobName::new("floor")?, now - TimeDelta::minutes(DATES));
    let record = JobRecord {
        name: name.clone(),
        stable_name: name.to_string(),
        generation: 1,
        has_replaced: false,
        seen_at: now,
        first_date: first,
        timetable_from: first - TimeDelta::microseconds(1),
        watermark: None,
        timetable: "floor".to_owned(),
        last_success: None,
        complete_after: None,
        has_excluded: false,
        action: String::new(),
        in_registry: true,
        strict_after: None,
    };
    writer.commit(&[Entry::Enter(record)])?;
    let dates = (0..DATES).map(|minute| first + TimeDelta::minutes(minute));
    let new = |date| NewSession { date, state: State::Waiting, trigger: Trigger::Backfill, backfill: None };
    let sessions: Vec<NewSession> = dates.map(new).collect();
    let entry = Entry::Record {
        job: name,
        generation: 1,
        watermark: None,
        to: Some(now),
        zone: chrono_tz::UTC,
        sessions,
        at: now,
    };
    timed(|| Ok(writer.commit(&[entry])?))
}
