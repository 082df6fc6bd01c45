//! The figures of the README, each beside a floor that is measured in the same run.
//!
//! `scripts/bench` runs this on a release build. A figure is the median of several alternating runs; it says nothing
//! about another machine, only the ratio does.

#![expect(clippy::print_stdout, reason = "a table is what it is for")]
#![expect(clippy::cast_precision_loss, reason = "figures are for people")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use crontabber::clock;
use crontabber::job::JobName;
use crontabber::ledger::{LedgerUrl, Owner, Writer};
use crontabber::session::{Entry, JobRecord, NewSession, SkipReason, State, Trigger};

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
    let figures: [(&str, Figure); 7] = [
        ("catch-up", catch_up),
        ("sixteen-jobs", sixteen_jobs),
        ("one-instant", one_instant),
        ("recovery", recovery),
        ("plan", plan),
        ("many-jobs", many_jobs),
        ("many-rows", many_rows),
    ];
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
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

fn timed(work: impl FnOnce() -> Outcome<()>) -> Outcome<f64> {
    let since = Instant::now();
    work()?;
    Ok(since.elapsed().as_secs_f64())
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

fn catch_up(place: &Path) -> Outcome<()> {
    compare(
        "catch-up of 3,000 dates of one strict job, against a bare loop",
        0.7,
        3000,
        || timed(|| bare_loop(place, 3000)),
        || wake(place, &registry_behind(1, 3000)),
    )
}

fn sixteen_jobs(place: &Path) -> Outcome<()> {
    compare(
        "sixteen jobs of 300 dates, against bare loops with 16 in flight",
        0.7,
        4800,
        || timed(|| bare_threads(place, 16, 4800)),
        || wake(place, &registry_behind(16, 300)),
    )
}

/// A thousand jobs that are due every minute, under a daemon: how long after the minute the last of them starts.
fn one_instant(place: &Path) -> Outcome<()> {
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

/// Five hundred attempts that run while the daemon is killed: how soon the next one knows them all, and starts what is
/// due besides; and what the warden holds of its own meanwhile.
fn recovery(place: &Path) -> Outcome<()> {
    const RUNNING: usize = 500;
    let one = |job: &str, command: &str| {
        format!(
            "[jobs.{job}]\nevery = \"1d\"\nbackfill = true\nstart = 2026-01-01\nend = 2026-01-01\ncommand = {command}\n"
        )
    };
    let mut registry = String::from("[daemon]\nmax_running = 600\nstop_grace = \"0s\"\n");
    for job in 0..RUNNING {
        registry.push_str(&one(&format!("j{job}"), "[\"/bin/sleep\", \"1000\"]"));
    }
    let folder = folder(place, &registry)?;
    let daemon =
        |log: &str| crontabber(&folder).args(["--log-format", "text"]).stderr(File::create(folder.join(log))?).spawn();
    let mut first = daemon("first.log")?;
    let warden_log = folder.join("warden/warden.log");
    let warden = loop {
        let log = fs::read_to_string(&warden_log).unwrap_or_default();
        let pid =
            log.rsplit_once("serves pid=").and_then(|(_, pid)| pid.split_whitespace().next()?.parse::<u32>().ok());
        let children = |pid: u32| fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        match pid {
            Some(pid) if children(pid).split_whitespace().count() == RUNNING => break pid,
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    std::thread::sleep(Duration::from_millis(500));
    let (own, resident) = (own_megabytes(warden)?, resident_megabytes(warden)?);
    let (mut seconds, mut log) = (Vec::new(), String::new());
    for round in 0..ROUNDS {
        first.kill()?;
        first.wait()?;
        let next = folder.join(format!("started-{round}"));
        registry.push_str(&one(&format!("next{round}"), &format!("[\"/bin/touch\", \"{}\"]", next.display())));
        fs::write(folder.join("jobs.toml"), &registry)?;
        let since = Instant::now();
        let name = format!("daemon-{round}.log");
        first = daemon(&name)?;
        while log.matches("still runs").count() < RUNNING || !next.exists() {
            std::thread::sleep(Duration::from_millis(2));
            log = fs::read_to_string(folder.join(&name))?;
        }
        seconds.push(since.elapsed().as_secs_f64());
        log.clear();
    }
    first.kill()?;
    first.wait()?;
    // Twice: what runs is killed with it.
    let warden_pid = rustix::process::Pid::from_raw(i32::try_from(warden)?).ok_or("no process")?;
    for _ in 0..2 {
        rustix::process::kill_process(warden_pid, rustix::process::Signal::TERM)?;
        std::thread::sleep(Duration::from_millis(100));
    }
    row(
        "a killed daemon, started again, knows 500 running attempts and has started the next date",
        "within 2 s",
        &format!("{:.2} s", median(seconds)),
        "-",
        "-",
    );
    row(
        "memory of the warden's own, with 500 running jobs",
        "under 4 MB",
        &format!("{own:.1} MB"),
        "-",
        &format!("{resident:.1} MB resident with the program's pages"),
    );
    Ok(())
}

/// What nobody else holds and could not be read again from a file: the memory that a process is the cause of.
fn own_megabytes(pid: u32) -> Outcome<f64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = rollup.lines().find(|line| line.starts_with("Private_Dirty")).ok_or("no Private_Dirty")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
    Ok(kilobytes / 1024.0)
}

fn plan(place: &Path) -> Outcome<()> {
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

/// A daemon with 10,000 daily jobs: how soon it is ready, how large it is, what it costs at rest.
fn many_jobs(place: &Path) -> Outcome<()> {
    let mut registry = String::new();
    for job in 0..10_000 {
        write!(
            registry,
            "[jobs.job-{job}]\nschedule = \"{} {} * * *\"\ncommand = [\"/bin/true\"]\n",
            job % 60,
            job / 60 % 24
        )
        .expect("memory");
    }
    let folder = folder(place, &registry)?;
    let socket = folder.join("notify");
    let notify = UnixDatagram::bind(&socket)?;
    notify.set_read_timeout(Some(Duration::from_mins(1)))?;
    let since = Instant::now();
    let mut daemon = crontabber(&folder).arg("-q").env("NOTIFY_SOCKET", &socket).spawn()?;
    let mut message = [0; 512];
    loop {
        let length = notify.recv(&mut message)?;
        if message[..length].starts_with(b"READY=1") {
            break;
        }
    }
    let ready = since.elapsed().as_secs_f64();
    std::thread::sleep(Duration::from_secs(3));
    let before = cpu_seconds(daemon.id())?;
    let since = Instant::now();
    std::thread::sleep(Duration::from_secs(20));
    let idle = (cpu_seconds(daemon.id())? - before) / since.elapsed().as_secs_f64();
    let resident = resident_megabytes(daemon.id())?;
    daemon.kill()?;
    daemon.wait()?;
    row("a daemon with 10,000 daily jobs is ready", "under 2 s", &format!("{ready:.2} s"), "-", "-");
    row("its memory", "under 60 MB", &format!("{resident:.0} MB"), "-", "-");
    row("its load at rest, of one core", "under 1 %", &format!("{:.2} %", idle * 100.0), "-", "-");
    Ok(())
}

fn cpu_seconds(pid: u32) -> Outcome<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().ok_or("no stat")?.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / 100.0)
}

fn resident_megabytes(pid: u32) -> Outcome<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS")).ok_or("no VmRSS")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
    Ok(kilobytes / 1024.0)
}

/// A ledger with a million rows of twenty jobs.
fn many_rows(place: &Path) -> Outcome<()> {
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
        peak = peak.max(resident_megabytes(streamed.id()).unwrap_or_default());
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
        let timetable = "schedule=\"0 3 * * *\" zone=\"UTC\"".to_owned();
        let record = JobRecord {
            name: job.clone(),
            generation: 1,
            seen_at: now,
            since: first,
            anchor: first,
            clock: None,
            timetable,
            last_success: None,
        };
        writer.commit(&[vec![Entry::Enter(record)]])?;
        let mut clock = None;
        for chunk in 0..10 {
            let dates = (0..5000).map(|minute| first + TimeDelta::minutes(1 + chunk * 5000 + minute));
            let state = State::Skipped { reason: SkipReason::Superseded };
            let sessions: Vec<NewSession> = dates
                .map(|date| NewSession { date, state: state.clone(), trigger: Trigger::Schedule, backfill: None })
                .collect();
            let to = sessions.last().map(|session| session.date);
            let entry = Entry::Record { job: job.clone(), generation: 1, clock, to, sessions, at: now };
            writer.commit(&[vec![entry]])?;
            clock = to;
        }
    }
    File::open(path)?.sync_all()?;
    Ok(())
}
