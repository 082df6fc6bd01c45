//! Whether the daemon of a ledger runs and works, and whether it has read the registry as it is now.
//!
//! A ledger that only `once` has written has no daemon, and none is missed.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::severity::Severity;
use crate::control::clock_hold_of_start;
use crate::duration;
use crate::environment;
use crate::job::JobName;
use crate::ledger::{Heartbeat, LedgerError, Reader};
use crate::registry::Registry;
use crate::scheduler::Recovered;
use crate::session::ClockHold;
use crate::text::{counted, listed, quoted, to_the_second};

/// A daemon that reports every ten seconds, and has not for this long, hangs.
const SILENT: TimeDelta = TimeDelta::seconds(60);

/// A daemon that was stopped this recently may only be restarted.
const RESTART: TimeDelta = TimeDelta::minutes(5);

/// So many jobs are named that are in no file.
const NAMED: usize = 8;

/// What is wrong with the daemon, or with its registry as a whole.
#[derive(Debug, Serialize)]
pub(crate) struct DaemonFinding {
    pub(crate) status: Severity,
    pub(crate) message: String,
}

/// What is wrong with the daemon of a ledger, the worst first. `registry` is what its files are now.
pub(crate) fn findings(
    reader: &mut Reader,
    registry: &Registry,
    now: DateTime<Utc>,
) -> Result<Vec<DaemonFinding>, LedgerError> {
    let zone = registry.daemon.timezone;
    if let Some(report) = reader.heartbeat_beside()?
        && let Some(hold) = report.clock_hold()
    {
        // Nothing else that depends on the time can be judged.
        return Ok(vec![clock_held(hold, report.pid, zone, now)]);
    }
    let Some(report) = reader.heartbeat()?.filter(|report| report.is_daemon) else { return Ok(Vec::new()) };
    let (seen_at, owner) = (report.seen_at()?, reader.owner()?);
    let Some(owner) = owner.filter(|owner| owner.alive) else {
        let mut absent = absent(&report, seen_at, zone, now);
        let hold = clock_hold_of_start(registry.daemon.clock_guard, report.clock_seen(), now);
        absent.message.extend(hold.map(|hold| format!("; {}", start_waits(hold, zone, now))));
        return Ok(vec![absent]);
    };
    if owner.pid != report.pid || owner.host != report.host {
        // It answers an operator, or starts and has not reported yet.
        return Ok(Vec::new());
    }
    let mut findings = Vec::new();
    if now - seen_at > SILENT {
        let since = to_the_second(seen_at, zone);
        let message = format!("the daemon{} hangs: it has not reported since {since}", process(&report));
        findings.push(DaemonFinding { status: Severity::Critical, message });
    }
    if report.host == environment::host_name() {
        findings.extend(unread(&report, registry, zone)?);
    }
    Ok(findings)
}

/// What the daemon reports that has this registry in force, if one runs on this machine.
pub(crate) fn report_of(reader: &mut Reader, file: &Path) -> Result<Option<Heartbeat>, LedgerError> {
    let is_alive = reader.owner()?.is_some_and(|owner| owner.alive);
    let is_ours = |report: &Heartbeat| {
        report.is_daemon && report.host == environment::host_name() && is_same(&report.registry, file)
    };
    Ok(reader.heartbeat()?.filter(|report| is_alive && is_ours(report)))
}

/// The registry has no files where it had some, and the ledger has jobs that are in no file.
pub(crate) fn vanished(registry: &Registry, ghosts: &[JobName]) -> Option<DaemonFinding> {
    let patterns: Vec<String> = registry.unmatched.iter().map(|name| quoted(name)).collect();
    if patterns.is_empty() || ghosts.is_empty() {
        return None;
    }
    let names: Vec<String> = ghosts.iter().take(NAMED).map(|name| quoted(name.as_str())).collect();
    let more = if ghosts.len() > NAMED { " and others" } else { "" };
    let (patterns, jobs) = (listed(&patterns, "or"), counted(ghosts.len() as u64, "job"));
    let message = format!(
        "`include` {patterns} matches no file of the registry, and {jobs} of the ledger never run: {}{more}",
        names.join(", ")
    );
    Some(DaemonFinding { status: Severity::Warning, message })
}

/// The clock is too far ahead to be believed.
fn clock_held(hold: ClockHold, pid: u32, zone: Tz, now: DateTime<Utc>) -> DaemonFinding {
    let (ahead, since) = (duration::format(hold.ahead(now)), to_the_second(hold.seen, zone));
    let wait = duration::format(hold.wait(now));
    let message = format!(
        "the clock is {ahead} ahead of {since}, when it was last seen, and may be wrong: no new date is recorded or started \
         until it has run on for {wait}; `kill -USR1 {pid}` confirms it"
    );
    DaemonFinding { status: Severity::Warning, message }
}

/// Until when a daemon or a `once` that starts now does not believe the clock; `None` if it does, and beside a daemon.
pub(crate) fn hold_of_start(
    reader: &mut Reader,
    registry: &Registry,
    now: DateTime<Utc>,
) -> Result<Option<ClockHold>, LedgerError> {
    if reader.owner()?.is_some_and(|owner| owner.alive) {
        return Ok(None);
    }
    let seen = reader.heartbeat()?.and_then(|report| report.clock_seen());
    Ok(clock_hold_of_start(registry.daemon.clock_guard, seen, now))
}

/// The startup state of a daemon that starts now, or, beside a daemon, what that one believes of the clock.
pub(crate) fn startup_state(
    reader: &mut Reader,
    registry: &Registry,
    now: DateTime<Utc>,
) -> Result<Recovered, LedgerError> {
    let recovered = reader.recovered_for(&registry.jobs)?;
    let clock_hold = recovered.clock_hold.or(hold_of_start(reader, registry, now)?);
    Ok(Recovered { clock_hold, ..recovered })
}

/// Says that a start waits for the clock.
pub(crate) fn start_waits(hold: ClockHold, zone: Tz, now: DateTime<Utc>) -> String {
    format!(
        "a start waits {} for the clock, which is {} ahead of {}, when it was last seen (`clock_guard`)",
        duration::format(hold.wait(now)),
        duration::format(hold.ahead(now)),
        to_the_second(hold.seen, zone)
    )
}

/// No daemon runs.
fn absent(report: &Heartbeat, seen_at: DateTime<Utc>, zone: Tz, now: DateTime<Utc>) -> DaemonFinding {
    let (at, host) = (to_the_second(seen_at, zone), host(report));
    let (status, why) = if report.is_stopped {
        let status = if now - seen_at < RESTART { Severity::Warning } else { Severity::Critical };
        (status, format!("it was stopped at {at}"))
    } else {
        (Severity::Critical, format!("it ended without being stopped, and was last seen at {at}"))
    };
    DaemonFinding { status, message: format!("the daemon{host} does not run: {why}; until it does, no job starts") }
}

/// The registry has changed since the daemon has read it.
fn unread(report: &Heartbeat, registry: &Registry, zone: Tz) -> Result<Option<DaemonFinding>, LedgerError> {
    let Some(main) = registry.files.first() else { return Ok(None) };
    let finding = |message| Some(DaemonFinding { status: Severity::Warning, message });
    if !is_same(&report.registry, main) {
        let (daemon, ours) = (report.registry.display(), main.display());
        return Ok(finding(format!("the daemon{} has read the registry `{daemon}`, not `{ours}`", process(report))));
    }
    if report.digest == registry.digest {
        return Ok(None);
    }
    let read_at = report.read_at()?;
    let newest = registry.files.iter().filter_map(|file| Some((modified(file)?, file))).max();
    let (file, since) = match newest.filter(|(at, _)| *at >= read_at) {
        Some((at, file)) => (file, format!("it was changed at {}", to_the_second(at, zone))),
        // A file that is gone, or was replaced by an older one.
        None => (main, format!("{}, and it has changed", to_the_second(read_at, zone))),
    };
    let (file, pid) = (file.display(), report.pid);
    Ok(finding(format!(
        "the daemon has not read `{file}` since {since}: `kill -HUP {pid}` reloads it, after `crontabber check`"
    )))
}

fn modified(file: &PathBuf) -> Option<DateTime<Utc>> {
    Some(fs::metadata(file).ok()?.modified().ok()?.into())
}

pub(super) fn is_same(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        // A file that is away.
        _ => std::path::absolute(a).ok() == std::path::absolute(b).ok(),
    }
}

/// The process of a daemon, after its name.
fn process(report: &Heartbeat) -> String {
    format!(" (process {} on `{}`)", report.pid, report.host)
}

/// The host of a daemon, after its name, if it is another one.
fn host(report: &Heartbeat) -> String {
    if report.host == environment::host_name() { String::new() } else { format!(" on `{}`", report.host) }
}
