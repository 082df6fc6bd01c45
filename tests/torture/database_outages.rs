//! Outages of PostgreSQL: it is stopped, killed and restarted.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::environment::processes_where;
use crate::fault_log::{Fault, FaultLog};
use crate::postgres::Postgres;
use crate::random::Random;

/// Causes outages until it must end; the server runs afterwards.
pub(crate) fn inject(server: &Postgres, fault_log: &FaultLog, seed: u64, over: &AtomicBool) {
    let mut random = Random::fork(seed, "database");
    loop {
        if !pause(random.millis(300, 5000), over) {
            return;
        }
        let (kill, away) = (random.once_in(2), random.millis(0, 2500));
        if kill {
            fault_log.did(Fault::KillDatabase, &format!("away for {away:?}"));
            kill_server(server);
        } else {
            fault_log.did(Fault::StopDatabase, &format!("away for {away:?}"));
            server.stop();
        }
        pause(away, over);
        server.resume();
        fault_log.note("PostgreSQL is back");
    }
}

/// Waits; false if it must end.
fn pause(duration: Duration, over: &AtomicBool) -> bool {
    let until = Instant::now() + duration;
    while Instant::now() < until && !over.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(10));
    }
    !over.load(Ordering::SeqCst)
}

fn folder(server: &Postgres) -> PathBuf {
    let url = server.url("");
    PathBuf::from(url.rsplit_once("host=").expect("it listens in a folder").1)
}

/// Kills the first process of a server, and waits until the others have noticed.
fn kill_server(server: &Postgres) {
    let data = folder(server).join("data");
    let file = fs::read_to_string(data.join("postmaster.pid")).expect("the server runs");
    let pid: i32 = file.lines().next().and_then(|line| line.trim().parse().ok()).expect("a process number");
    let pid = Pid::from_raw(pid).expect("a process number");
    let descriptor = pidfd_open(pid, PidfdFlags::empty()).expect("the server runs");
    assert!(of(&data).contains(&pid.as_raw_nonzero().get()), "it is our server that is killed");
    pidfd_send_signal(descriptor, Signal::KILL).expect("it can be killed");
    let since = Instant::now();
    while !of(&data).is_empty() {
        assert!(since.elapsed() < Duration::from_mins(1), "PostgreSQL's processes outlive their first");
        std::thread::sleep(Duration::from_millis(10));
    }
    // Until somebody has waited for it, its number would count as that of a server that runs.
    for lock in [data.join("postmaster.pid"), folder(server).join(".s.PGSQL.5432.lock")] {
        fs::remove_file(lock).expect("it left its lock");
    }
}

/// The processes of the server with this directory: they all work in it.
fn of(data: &Path) -> Vec<i32> {
    let all = processes_where(|line| line.starts_with(b"postgres") || line.windows(9).any(|part| part == b"/postgres"));
    let is_there = |pid: &i32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == data);
    all.into_iter().filter(is_there).collect()
}
