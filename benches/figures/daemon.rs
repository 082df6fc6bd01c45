//! What a daemon is and costs: soon ready, small, at rest, and back after it was killed.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::{Outcome, ROUNDS, crontabber, folder, median, megabytes, row, warden_pid};

/// Five hundred attempts that run while the daemon is killed: how soon the next one knows them all, and starts what is
/// due besides; and what the warden holds of its own meanwhile.
pub(crate) fn recovery(place: &Path) -> Outcome<()> {
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
    let warden = loop {
        let children = |pid: u32| fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        match warden_pid(&folder) {
            Some(pid) if children(pid).split_whitespace().count() == RUNNING => break pid,
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    std::thread::sleep(Duration::from_millis(500));
    let (own, resident) = (megabytes(warden, "Private_Dirty")?, megabytes(warden, "Rss")?);
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

/// A daemon with 10,000 daily jobs: how soon it is ready, how large it is, what it costs at rest.
pub(crate) fn many_jobs(place: &Path) -> Outcome<()> {
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
    let resident = megabytes(daemon.id(), "Rss")?;
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
