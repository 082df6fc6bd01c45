//! What is printed of many dates: those ahead, and those in the ledger.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use crontabber::clock;
use crontabber::job::JobName;
use crontabber::ledger::{LedgerUrl, Owner, Writer};
use crontabber::session::{Entry, JobRecord, NewSession, SkipReason, State, Trigger};

use crate::{Outcome, ROUNDS, crontabber, folder, median, megabytes, row, timed};

pub(crate) fn plan(place: &Path) -> Outcome<()> {
    let folder = folder(place, "[jobs.minute]\nschedule = \"* * * * *\"\ncommand = \"true\"\n")?;
    let mut seconds = Vec::new();
    for _ in 0..ROUNDS {
        seconds.push(timed(|| {
            let range = ["plan", "minute", "--from", "2016-01-01", "--to", "2026-01-01", "--json"];
            let status = crontabber(&folder).args(range).status()?;
            if status.success() { Ok(()) } else { Err("plan failed".into()) }
        })?);
    }
    let dates = 3653 * 1440;
    row(
        "`plan` of ten years of minutes, as JSON",
        "under 5 s",
        &format!("{:.2} s", median(seconds)),
        "-",
        &format!("{dates} dates"),
    );
    Ok(())
}

/// A ledger with a million rows of twenty jobs.
pub(crate) fn many_rows(place: &Path) -> Outcome<()> {
    let mut registry = String::new();
    for job in 0..20 {
        write!(registry, "[jobs.job-{job}]\nschedule = \"0 3 * * *\"\ncommand = [\"/bin/true\"]\n").expect("memory");
    }
    let folder = folder(place, &registry)?;
    let seconds = timed(|| fill(&folder.join("ledger.db")))?;
    println!("| a ledger of a million rows, written | - | {:.0} rows/s | - | - |", 1e6 / seconds);
    for arguments in [&["list"][..], &["sessions", "job-7"]] {
        let mut milliseconds = Vec::new();
        for _ in 0..7 {
            milliseconds.push(
                1000.0
                    * timed(|| {
                        let status = crontabber(&folder).args(arguments).status()?;
                        if status.success() { Ok(()) } else { Err("it failed".into()) }
                    })?,
            );
        }
        let figure = format!("`{}` with a million rows", arguments.join(" "));
        row(&figure, "under 100 ms", &format!("{:.0} ms", median(milliseconds)), "-", "-");
    }
    let mut streamed = crontabber(&folder).args(["sessions", "--json"]).stdout(Stdio::piped()).spawn()?;
    let since = Instant::now();
    let mut bytes = 0;
    let mut buffer = vec![0; 1 << 16];
    let mut out = streamed.stdout.take().ok_or("no output")?;
    let mut peak = 0.0_f64;
    loop {
        let read = out.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        bytes += read;
        peak = peak.max(megabytes(streamed.id(), "Rss").unwrap_or_default());
    }
    streamed.wait()?;
    let (seconds, megabytes) = (since.elapsed().as_secs_f64(), bytes as f64 / 1e6);
    row(
        "`sessions --json`, all million",
        "streams",
        &format!("{seconds:.1} s"),
        "-",
        &format!("{megabytes:.0} MB, {peak:.0} MB resident"),
    );
    Ok(())
}

fn fill(path: &Path) -> Outcome<()> {
    let now = clock::now();
    let owner =
        Owner { host: "bench".to_owned(), pid: std::process::id(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let mut writer = Writer::open(&LedgerUrl::Sqlite(path.to_owned()), &owner, now)?;
    let first: DateTime<Utc> = "2020-01-01T00:00:00Z".parse()?;
    for number in 0..20 {
        let job = JobName::new(&format!("job-{number}"))?;
        let timetable = "schedule=\"0 3 * * *\" zone=\"UTC\" delay=\"0\"".to_owned();
        let record = JobRecord {
            name: job.clone(),
            stable_name: job.to_string(),
            generation: 1,
            has_replaced: false,
            seen_at: now,
            first_date: first,
            timetable_from: first,
            watermark: None,
            timetable,
            last_success: None,
            complete_after: None,
            has_excluded: false,
            action: String::new(),
            in_registry: true,
            strict_after: None,
        };
        writer.commit(&[Entry::Enter(record)])?;
        let mut watermark = None;
        for chunk in 0..10 {
            let dates = (0..5000).map(|minute| first + TimeDelta::minutes(1 + chunk * 5000 + minute));
            let state = State::Skipped { reason: SkipReason::Superseded };
            let sessions: Vec<NewSession> = dates
                .map(|date| NewSession { date, state: state.clone(), trigger: Trigger::Schedule, backfill: None })
                .collect();
            let to = sessions.last().map(|session| session.date);
            let entry = Entry::Record {
                job: job.clone(),
                generation: 1,
                watermark,
                to,
                zone: chrono_tz::UTC,
                sessions,
                at: now,
            };
            writer.commit(&[entry])?;
            watermark = to;
        }
    }
    File::open(path)?.sync_all()?;
    Ok(())
}
