//! A ledger of ten million sessions of two thousand jobs: how large its file is, and how soon one is told something of it.
//!
//! The rows are what crontabber would have written: daily, hourly and frequent jobs up to now, one attempt a date with all
//! that is measured of it, now and then one that failed first, and dates that were skipped. They enter in the order of
//! their dates, as they do in life: the pages of a file that was filled job by job would be fuller.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use crontabber::clock;
use crontabber::job::JobName;
use crontabber::ledger::{LedgerUrl, Owner, Writer};
use crontabber::session::{Entry, JobRecord};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::{Outcome, crontabber, folder, median, row, timed};

const SESSIONS: i64 = 10_000_000;
const JOBS: usize = 2_000;

/// So often each command is asked.
const TIMES: usize = 11;

/// Minutes from one date of a job to the next.
fn step(job: usize) -> i64 {
    match job {
        0..20 => 5,
        20..300 => 60,
        _ => 1440,
    }
}

/// Every second job.
fn is_backfillable(job: usize) -> bool {
    job.is_multiple_of(2)
}

/// The minute of a job's first date in a day.
fn minute(job: usize) -> i64 {
    i64::try_from(job).unwrap_or_default() * 7 % step(job)
}

fn schedule(job: usize) -> String {
    match (step(job), minute(job)) {
        (1440, minute) => format!("{} {} * * *", minute % 60, minute / 60),
        (60, minute) => format!("{minute} * * * *"),
        (step, minute) => format!("{minute}-59/{step} * * * *"),
    }
}

/// Makes the ledger, and measures it. A number among the arguments is that of its sessions.
pub(crate) fn scale(place: &Path) -> Outcome<()> {
    let wanted = std::env::args().skip(1).find_map(|argument| argument.parse::<i64>().ok()).unwrap_or(SESSIONS);
    let a_day: i64 = (0..JOBS).map(|job| 1440 / step(job)).sum();
    let now = clock::now();
    let first = now.duration_trunc(TimeDelta::days(1))? - TimeDelta::days(wanted / a_day);
    let mut registry = String::from("[daemon]\ntimezone = \"UTC\"\n");
    for job in 0..JOBS {
        write!(registry, "[jobs.job-{job}]\nschedule = \"{}\"\ncommand = [\"/bin/true\"]\n", schedule(job))?;
        if is_backfillable(job) {
            registry.push_str("backfill = true\n");
        }
    }
    let folder = folder(place, &registry)?;
    let file = folder.join("ledger.db");
    enter(&file, first)?;
    let mut sessions = 0;
    let seconds = timed(|| {
        sessions = fill(&file, first, now)?;
        Ok(())
    })?;
    let bytes = fs::metadata(&file)?.len() as f64;
    let millions = sessions as f64 / 1e6;
    row(
        &format!("a ledger of {millions:.1} million sessions of {JOBS} jobs, each with its attempt: bytes a session"),
        "at most 160",
        &format!("{:.0}", bytes / sessions as f64),
        "-",
        &format!("{:.2} GB, filled in {seconds:.0} s", bytes / 1e9),
    );
    let middle = (first + TimeDelta::days(wanted / a_day / 2)).format("%Y-%m-%d").to_string();
    let questions: [(&[&str], &str); 9] = [
        (&["why", "job-777", &middle], "under 100 ms"),
        (&["sessions", "--last", "7d"], "under 100 ms"),
        (&["status", "job-3"], "under 100 ms"),
        (&["calendar", "job-3"], "under 100 ms"),
        (&["check"], "under 1 s"),
        (&["list"], "-"),
        (&["health"], "-"),
        (&["attempts"], "-"),
        (&["attempts", "job-777", &middle], "-"),
    ];
    for (question, asked) in questions {
        if is_known(&folder, question)? {
            ask(&folder, question, asked)?;
        }
    }
    // The zone of every job is edited.
    fs::write(folder.join("jobs.toml"), registry.replace("\"UTC\"", "\"Europe/Berlin\""))?;
    ask(&folder, &["check", "--json"], "under 1 s")?;
    fs::write(folder.join("jobs.toml"), registry)?;
    let seconds = timed(|| {
        let said = crontabber(&folder).args(["verify", "-q"]).stdout(Stdio::piped()).output()?;
        let broken = String::from_utf8_lossy(&said.stdout).lines().take(5).collect::<Vec<_>>().join("; ");
        if said.status.success() { Ok(()) } else { Err(format!("no crontabber writes such a ledger: {broken}").into()) }
    })?;
    row("`verify` of them", "-", &format!("{seconds:.0} s"), "-", "the promise holds");
    fs::remove_dir_all(folder)?;
    Ok(())
}

/// Says whether this crontabber has the command, and the option after it.
fn is_known(folder: &Path, question: &[&str]) -> Outcome<bool> {
    let help = crontabber(folder).args([question[0], "--help"]).stdout(Stdio::piped()).output()?;
    let option = question.iter().find(|argument| argument.starts_with("--"));
    let text = String::from_utf8(help.stdout)?;
    Ok(help.status.success() && option.is_none_or(|option| text.contains(option)))
}

/// Asks several times, and beside each the same program for its version: what a process costs before it does anything.
fn ask(folder: &Path, question: &[&str], asked: &str) -> Outcome<()> {
    let milliseconds = |arguments: &[&str]| {
        let seconds = timed(|| {
            let status = crontabber(folder).args(arguments).status()?;
            // What `health` finds is no failure here.
            if status.code().is_some_and(|code| code < 2 || arguments[0] == "health") {
                Ok(())
            } else {
                Err(format!("{arguments:?}: {status}").into())
            }
        })?;
        Outcome::Ok(1000.0 * seconds)
    };
    let (mut floors, mut all) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        floors.push(milliseconds(&["version"])?);
        all.push(milliseconds(question)?);
    }
    let slowest = all.iter().copied().fold(0.0, f64::max);
    row(
        &format!("`{}` of them", question.join(" ")),
        asked,
        &format!("{:.0} ms", median(all)),
        &format!("{:.0} ms", median(floors)),
        &format!("at most {slowest:.0} ms"),
    );
    Ok(())
}

/// Makes the ledger with its jobs, as crontabber does.
fn enter(file: &Path, first: DateTime<Utc>) -> Outcome<()> {
    let owner =
        Owner { host: "bench".to_owned(), pid: std::process::id(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let mut writer = Writer::open(&LedgerUrl::Sqlite(file.to_owned()), &owner, first)?;
    let mut entries = Vec::new();
    for job in 0..JOBS {
        entries.push(Entry::Enter(JobRecord {
            name: JobName::new(&format!("job-{job}"))?,
            stable_name: format!("job-{job}"),
            generation: 1,
            has_replaced: false,
            seen_at: first,
            first_date: first,
            timetable_from: first - TimeDelta::microseconds(1),
            watermark: None,
            timetable: format!("schedule=\"{}\" zone=\"UTC\" delay=\"0\"", schedule(job)),
            last_success: None,
            complete_after: is_backfillable(job).then_some(first - TimeDelta::microseconds(1)),
            has_excluded: false,
            action: String::new(),
            in_registry: true,
            strict_after: None,
        }));
    }
    writer.commit(&entries)?;
    Ok(())
}

/// Writes the sessions and the attempts of each day behind crontabber's back, and returns how many sessions there are.
fn fill(file: &Path, first: DateTime<Utc>, now: DateTime<Utc>) -> Outcome<i64> {
    let mut sqlite = SqliteConnection::establish(file.to_str().ok_or("a path that is no text")?)?;
    sqlite.batch_execute(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -400000; PRAGMA temp_store = MEMORY;
         CREATE TEMP TABLE plan (job_id INTEGER PRIMARY KEY, step, minute, typical);
         CREATE TEMP TABLE turn (number INTEGER PRIMARY KEY);
         WITH RECURSIVE counted (number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM counted WHERE number < 287)
         INSERT INTO turn SELECT number FROM counted;
         CREATE TEMP TABLE due (date, job_id, late, taken, luck, chance);
         INSERT INTO zones (id, name) VALUES (0, 'UTC');
         INSERT INTO hosts (id, name, boot_id) VALUES (-1, 'db1.example.com', NULL);",
    )?;
    for job in 0..JOBS {
        let typical = 700_000 + 50_000 * (job % 97) * (job % 31);
        let (id, step, minute) = (job + 1, step(job), minute(job));
        sqlite.batch_execute(&format!("INSERT INTO plan VALUES ({id}, {step}, {minute}, {typical})"))?;
    }
    let (mut day, mut boot) = (first, 0);
    while day < now {
        sqlite.batch_execute("BEGIN")?;
        if (day - first).num_days() >= 60 * boot {
            boot += 1;
            let uuid = format!("c0ffee00-1234-5678-9abc-{boot:012}");
            sqlite.batch_execute(&format!("INSERT INTO hosts VALUES ({boot}, 'db1.example.com', '{uuid}')"))?;
        }
        let (from, to) = (day.timestamp_micros(), now.timestamp_micros());
        let booted = (first + TimeDelta::days(60 * (boot - 1))).timestamp_micros();
        let text = DAY.replace("{day}", &from.to_string()).replace("{now}", &to.to_string());
        let text = text.replace("{boot}", &boot.to_string()).replace("{booted}", &booted.to_string());
        sqlite.batch_execute(&text)?;
        sqlite.batch_execute("COMMIT")?;
        day += TimeDelta::days(1);
    }
    sqlite.batch_execute(&END.replace("{now}", &now.timestamp_micros().to_string()))?;
    Ok(diesel::dsl::sql::<diesel::sql_types::BigInt>("SELECT count(*) FROM sessions").get_result(&mut sqlite)?)
}

/// The rows of one day, in the order of their dates. What looks like chance is a hash of job and date.
const DAY: &str = "
    DELETE FROM due;
    INSERT INTO due
    SELECT date, job_id, 2000 + chance % 900000, typical / 2 + chance * 31 % typical,
        CASE WHEN step = 5 THEN 20 ELSE 0 END + CASE WHEN job_id % 2 = 1 THEN 10 ELSE 0 END + chance % 970, chance
    FROM (
        SELECT date, job_id, step, typical, (job_id * 7919 + date / 60000000 * 104729) % 1000003 AS chance
        FROM (
            SELECT {day} + (minute + number * step) * 60000000 AS date, job_id, step, typical
            FROM plan CROSS JOIN turn WHERE number < 1440 / step
        )
    )
    WHERE date <= {now} ORDER BY date, job_id;
    INSERT INTO sessions (
        job_id, generation, date, state, trigger, zone_id, attempts, counted_attempts, reason, recorded_at, settled_at
    )
    SELECT job_id, 1, date, CASE WHEN luck < 10 THEN 5 ELSE 1 END, luck < 30, 0,
        CASE WHEN luck < 10 THEN 0 WHEN luck < 20 THEN 2 ELSE 1 END,
        CASE WHEN luck < 10 THEN 0 WHEN luck < 20 THEN 2 ELSE 1 END,
        CASE WHEN luck < 10 THEN 'superseded' END, date + late,
        date + late + CASE WHEN luck < 10 THEN 0 WHEN luck < 20 THEN 300001800 + taken ELSE 900 + taken END
    FROM due ORDER BY rowid;
    INSERT INTO attempts (
        job_id, generation, date, number, trigger, zone_id, host_id, pid, start_ticks, started_at, ended_at, outcome,
        exit_code, duration_micros, has_log, cpu_user_micros, cpu_system_micros, peak_memory_bytes
    )
    SELECT job_id, 1, date, 1, luck < 30, 0, {boot}, 1000 + chance * 17 % 4000000, (date + late - {booted}) / 10000 + 40,
        date + late + 400, date + late + 900 + taken, luck < 20, CASE WHEN luck < 20 THEN 1 END, taken, 1,
        1000 + chance * 7 % 900000, 1000 + chance * 3 % 90000, 4096 * (1000 + chance * 11 % 20000)
    FROM due WHERE luck >= 10
    UNION ALL
    SELECT job_id, 1, date, 2, 5, 0, {boot}, 1000 + chance * 19 % 4000000, (date + late - {booted}) / 10000 + 30130,
        date + late + 300001300, date + late + 300001800 + taken, 0, NULL, taken, 1,
        1000 + chance * 5 % 900000, 1000 + chance * 2 % 90000, 4096 * (1000 + chance * 13 % 20000)
    FROM due WHERE luck >= 10 AND luck < 20
    ORDER BY 3, 1, 4;
";

/// The newest dates of some jobs are not settled; and the jobs know how far they are.
const END: &str = "
    CREATE TEMP TABLE newest AS
    SELECT id AS job_id, (SELECT max(date) FROM sessions WHERE job_id = jobs.id AND generation = 1) AS date FROM jobs;
    BEGIN;
    UPDATE attempts SET outcome = 1, exit_code = 1 FROM newest, sessions
    WHERE newest.job_id = attempts.job_id AND attempts.generation = 1 AND newest.date = attempts.date
    AND sessions.job_id = newest.job_id AND sessions.generation = 1 AND sessions.date = newest.date
    AND attempts.number = sessions.attempts AND newest.job_id % 80 < 2;
    UPDATE sessions SET state = 3, retry_at = {now} + 300000000, settled_at = NULL FROM newest
    WHERE newest.job_id = sessions.job_id AND sessions.generation = 1 AND newest.date = sessions.date
    AND newest.job_id % 80 = 0 AND attempts > 0;
    UPDATE sessions SET state = 4, reason = 'attempt 1 failed: exit status 1', settled_at = NULL FROM newest
    WHERE newest.job_id = sessions.job_id AND sessions.generation = 1 AND newest.date = sessions.date
    AND newest.job_id % 80 = 1 AND attempts > 0;
    UPDATE jobs SET watermark = (SELECT date FROM newest WHERE job_id = id),
    last_success = (SELECT max(date) FROM sessions WHERE job_id = id AND generation = 1 AND state = 1);
    COMMIT;
    PRAGMA journal_mode = WAL;
";
