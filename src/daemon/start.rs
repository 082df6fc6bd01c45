//! The beginning of a daemon: the registry, the ledger, and what was running when the last one ended.

use std::fmt::Display;
use std::fs::DirBuilder;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook_tokio::Signals;

use crate::control::{Configuration, Control, Mode, Recovery};
use crate::environment::use_color;
use crate::ledger::{LedgerUrl, OpenError, OpenErrorKind, Owner, Writer};
use crate::log_queue::LogQueue;
use crate::registry::{Registry, RegistryCopy};
use crate::report::other_ledgers;
use crate::scheduler::{Recovered, recordings_needed};
use crate::session::Request;
use crate::systemd::Notifier;
use crate::text::{counted, fnv_1a};
use crate::warden_client::{WardenClient, WardenLocation};
use crate::{clock, environment, exit_code, paths, warden};

use super::catch_up_notice;
use super::executor::Executor;
use super::heartbeat::Heartbeat;
use super::launch::{LaunchSettings, length_of};
use super::ledger_thread::LedgerThread;
use super::options::Options;
use super::reporter::Reporter;

/// Between two tries at a ledger that cannot be reached.
const RETRY: Duration = Duration::from_secs(2);

/// What a daemon was started with.
pub(super) struct Setting {
    pub(super) options: Options,
    pub(super) mode: Mode,
    pub(super) ledger: LedgerUrl,
    /// The ledger as the registry named it.
    pub(super) ledger_named: Option<String>,
    /// The warden outlives the daemon, so that what runs can be left to it.
    pub(super) warden_survives: bool,
}

/// A daemon that holds the ledger, and whose first decisions wait to be written.
pub(super) struct Prepared {
    pub(super) setting: Setting,
    pub(super) ledger_thread: LedgerThread,
}

/// Prints to standard error. Waits a second at most for the reader.
fn print(text: &str) {
    // Without a thread, nothing can be printed but by waiting.
    if let Ok(queue) = LogQueue::stderr() {
        queue.push(text.as_bytes().to_vec());
        queue.flush();
    } else {
        _ = write!(io::stderr(), "{text}");
    }
}

/// Reports why a command ends, before there is a [`Reporter`].
pub(super) fn fail(error: &dyn Display, code: u8) -> ExitCode {
    print(&format!("error: {error}\n"));
    ExitCode::from(code)
}

/// A short name of a ledger, the same at every start: FNV-1a of where it is.
fn ledger_id(url: &LedgerUrl) -> String {
    let place = match url {
        LedgerUrl::Sqlite(path) => path.canonicalize().unwrap_or_else(|_| path.clone()).display().to_string(),
        LedgerUrl::Postgres(_) => url.to_string(),
    };
    format!("{:x}", fnv_1a(place.bytes()))
}

/// Reads the registry, and says what is wrong with it.
fn read_registry(options: &Options) -> Result<(Registry, RegistryCopy), ExitCode> {
    Registry::load_and_copy(&options.registry, clock::now()).map_err(|error| {
        print(&format!("{}\n", error.render(use_color(&io::stderr()))));
        ExitCode::from(exit_code::REGISTRY)
    })
}

/// Finds the ledger. The place that nobody named is made, so that the first start needs no preparation.
pub(super) fn find_ledger(options: &Options, registry: &Registry) -> Result<LedgerUrl, ExitCode> {
    let (given, of_registry) = (options.ledger.as_deref(), registry.daemon.ledger.as_deref());
    let url = paths::ledger(given, of_registry, registry.folder()).map_err(|error| fail(&error, 1))?;
    if let LedgerUrl::Sqlite(path) = &url
        && given.or(of_registry).is_none_or(|named| named.trim().is_empty())
        && let Some(folder) = path.parent()
    {
        // What it cannot make, the ledger says in its own words.
        _ = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    }
    Ok(url)
}

/// Starts a daemon as far as its first decisions.
pub(super) async fn start(options: Options, mode: Mode, signals: &mut Signals) -> Result<Prepared, ExitCode> {
    let (registry, copy) = read_registry(&options)?;
    let url = find_ledger(&options, &registry)?;
    let mut reporter = Reporter::new(options.log_format, options.quiet)
        .map_err(|error| fail(&format!("cannot start a thread: {error}"), 1))?;
    let notifier = Notifier::from_environment();
    let OpenedLedger { mut ledger, kills, clock_seen, mut writer } =
        open(&url, mode, &mut reporter, &notifier, signals).await?;
    reporter.say(&format!(
        "crontabber {} with {} of {} and the ledger {url}",
        env!("CARGO_PKG_VERSION"),
        counted(registry.jobs.len() as u64, "job"),
        options.registry.display()
    ));
    if mode != Mode::Operate {
        report_warnings(&registry, &mut reporter);
        if ledger.jobs.is_empty()
            && let Some(text) = other_ledgers::warning(&url, &registry, clock::now())
        {
            reporter.warn(&text);
        }
        reporter.quote_output(paths::logs(&url));
    }
    let heartbeat = Heartbeat::start(mode, &url, &options.registry, &registry, copy, clock_seen)
        .map_err(|error| fail(&format!("cannot start a thread: {error}"), 1))?;
    let (location, ledger_id) = (paths::warden(&url), ledger_id(&url));
    let warden_survives = !dies_with_us(&location);
    let inherited = warden::inherited_environment();
    let (client, receiver, warden) = WardenClient::new(location, &ledger_id, &inherited).map_err(|error| {
        reporter.fail(&error.to_string());
        ExitCode::FAILURE
    })?;
    let configuration = configuration(&registry, warden_survives);
    ledger.recordings = writer.recordings(&recordings_needed(&ledger, &registry.jobs)).map_err(|error| {
        reporter.fail(&OpenError::unread(&url, &error).to_string());
        ExitCode::FAILURE
    })?;
    let (host, boot_id) = (environment::host_name(), warden::boot_id().ok());
    let recovery = Recovery { ledger, kills, warden, host, boot_id, clock_seen };
    let control = Control::start(mode, configuration, recovery, clock::time());
    let settings = LaunchSettings {
        inherited_length: length_of(&inherited),
        home: std::env::current_dir().ok(),
        ledger_id,
        logs: paths::logs(&url),
        output_limit: registry.daemon.output_limit,
    };
    let longest_kill_grace = Duration::ZERO;
    let mut executor =
        Executor { control, reporter, notifier, heartbeat, warden: client, settings, longest_kill_grace };
    executor.learn(&registry);
    executor.move_renamed_logs(&registry);
    if mode != Mode::Operate {
        let missed = catch_up_notice::missed(executor.control.scheduler(), &registry, clock_seen);
        if let Some(text) = catch_up_notice::text(missed, &registry, &url) {
            executor.reporter.warn(&text);
        }
    }
    executor.perform();
    let ledger_thread =
        LedgerThread::new(executor, writer, receiver).map_err(|error| fail(&format!("cannot start: {error}"), 1))?;
    let ledger_named = registry.daemon.ledger.clone();
    Ok(Prepared { setting: Setting { options, mode, ledger: url, ledger_named, warden_survives }, ledger_thread })
}

/// Reports the warnings of a registry.
pub(super) fn report_warnings(registry: &Registry, reporter: &mut Reporter) {
    for warning in &registry.warnings {
        let text = warning.render(false);
        reporter.warn(text.strip_prefix("warning: ").unwrap_or(&text));
    }
}

/// What the control takes from a registry.
pub(super) fn configuration(registry: &Registry, warden_survives: bool) -> Configuration {
    Configuration {
        jobs: registry.jobs.iter().cloned().map(Arc::new).collect(),
        pools: registry.pools.clone(),
        max_running: registry.daemon.max_running,
        announce_over: registry.daemon.announce_over,
        timezone: registry.daemon.timezone,
        clock_guard: registry.daemon.clock_guard,
        stop_grace: registry.daemon.stop_grace,
        warden_survives,
    }
}

/// Says whether the warden will end with us: in a container whose first process we are, and as a service of systemd whose
/// warden is none of its own.
fn dies_with_us(house: &WardenLocation) -> bool {
    let us = std::process::id();
    let of_systemd = std::env::var("SYSTEMD_EXEC_PID").is_ok_and(|pid| pid == us.to_string());
    us == 1 || (of_systemd && house.managed.is_none())
}

/// What the ledger has, what of it operators want ended, and who writes it from now on.
struct OpenedLedger {
    ledger: Recovered,
    kills: Vec<Request>,
    /// The newest time that the last process believed.
    clock_seen: Option<DateTime<Utc>>,
    writer: Writer,
}

/// Opens the ledger; a daemon waits for one that cannot be reached.
async fn open(
    url: &LedgerUrl,
    mode: Mode,
    reporter: &mut Reporter,
    notifier: &Notifier,
    signals: &mut Signals,
) -> Result<OpenedLedger, ExitCode> {
    let mut is_reported = false;
    loop {
        let error = match open_once(url) {
            Ok(opened) => return Ok(opened),
            Err(error) => error,
        };
        match &error.kind {
            OpenErrorKind::Busy { .. } => {
                // Beside a daemon, an operator's request is handed to it.
                if mode != Mode::Operate {
                    reporter.fail(&error.to_string());
                }
                return Err(ExitCode::from(exit_code::BUSY));
            }
            OpenErrorKind::Unreachable(_) if mode == Mode::Serve => {
                if !is_reported {
                    reporter.warn(&format!("{error}; the daemon tries again every {} seconds", RETRY.as_secs()));
                    notifier.status("waiting for the ledger");
                    is_reported = true;
                }
            }
            _ => {
                reporter.fail(&error.to_string());
                return Err(ExitCode::FAILURE);
            }
        }
        tokio::select! {
            // No server reports that it can be reached again. A signal ends the wait.
            () = tokio::time::sleep(RETRY) => {}
            signal = signals.next() => {
                if matches!(signal, Some(SIGTERM | SIGINT)) {
                    reporter.say("stopped before the ledger could be reached");
                    return Err(ExitCode::SUCCESS);
                }
            }
        }
    }
}

fn open_once(url: &LedgerUrl) -> Result<OpenedLedger, OpenError> {
    let owner = Owner {
        host: environment::host_name(),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let mut writer = Writer::open(url, &owner, clock::now())?;
    let ledger = writer.load().map_err(|error| OpenError::unread(url, &error))?;
    let kills = writer.kills().map_err(|error| OpenError::unread(url, &error))?;
    let heartbeat = writer.heartbeat().map_err(|error| OpenError::unread(url, &error))?;
    let clock_seen = heartbeat.and_then(|heartbeat| heartbeat.clock_seen());
    Ok(OpenedLedger { ledger, kills, clock_seen, writer })
}
