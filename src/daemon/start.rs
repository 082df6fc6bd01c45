//! The beginning of a daemon: the registry, the ledger, and what was running when the last one ended.

use std::collections::HashSet;
use std::fmt::Display;
use std::fs::DirBuilder;
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::DirBuilderExt;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::StreamExt;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook_tokio::Signals;
use tokio::sync::mpsc::unbounded_channel;

use crate::ledger::{LedgerUrl, OpenError, Owner, Writer};
use crate::log_queue::LogQueue;
use crate::registry::Registry;
use crate::scheduler::{Recovered, Scheduler};
use crate::session::{AttemptKey, AttemptRecord, Request};
use crate::systemd::Notifier;
use crate::warden_client::{WardenClient, WardenLocation, WardenState};
use crate::{clock, paths, warden};

use super::ledger_thread::LedgerThread;
use super::reporter::Reporter;
use super::{Daemon, EXIT_BUSY, EXIT_REGISTRY, Message, Options};
use crate::control::Control;

/// Between two tries at a ledger that cannot be reached.
const RETRY: Duration = Duration::from_secs(2);

/// What a daemon is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// To run until it is told to stop.
    Serve,
    /// To attempt what is due now.
    Once,
    /// To do what operators ask for, and nothing else.
    Operate,
}

/// Runs something asynchronous to its end.
pub(super) fn with_runtime(work: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => fail(&format!("cannot start: {error}"), 1),
    }
}

/// Prints to standard error, and does not wait for ever for its reader.
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
fn mark(url: &LedgerUrl) -> String {
    let place = match url {
        LedgerUrl::Sqlite(path) => path.canonicalize().unwrap_or_else(|_| path.clone()).display().to_string(),
        LedgerUrl::Postgres(_) => url.to_string(),
    };
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:x}", place.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}

/// Reads the registry, and says what is wrong with it.
pub(super) fn read_registry(options: &Options) -> Result<Registry, ExitCode> {
    Registry::load(&options.registry, clock::now()).map_err(|error| {
        let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        print(&format!("{}\n", error.render(colour)));
        ExitCode::from(EXIT_REGISTRY)
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
pub(super) async fn start(options: Options, mode: Mode, signals: &mut Signals) -> Result<Daemon, ExitCode> {
    let registry = read_registry(&options)?;
    let url = find_ledger(&options, &registry)?;
    let mut voice = Reporter::new(options.log_format, options.quiet)
        .map_err(|error| fail(&format!("cannot start a thread: {error}"), 1))?;
    let notifier = Notifier::from_environment();
    let (recovered, kills, writer) = open(&url, mode, &mut voice, &notifier, signals).await?;
    let now = clock::now();
    let open_attempts = recovered.open.clone();
    voice.say(&format!(
        "crontabber {} with {} jobs of {} and the ledger {url}",
        env!("CARGO_PKG_VERSION"),
        registry.jobs.len(),
        options.registry.display()
    ));
    let mut scheduler = Scheduler::new(recovered, &paths::host_name(), 0, now);
    if mode == Mode::Once {
        scheduler.set_horizon(now);
    }
    let (outbox, inbox) = unbounded_channel();
    let words = outbox.clone();
    let (house, mark) = (paths::warden(&url), mark(&url));
    let leaves_jobs = !dies_with_us(&house);
    let (runner, receiver, known) = WardenClient::new(house, &mark).map_err(|error| {
        voice.fail(&error.to_string());
        ExitCode::FAILURE
    })?;
    let scribe = LedgerThread::new(writer, runner.clone(), move |word| _ = words.send(Message::LedgerThread(word)));
    let scribe = scribe.map_err(|error| fail(&format!("cannot start a thread: {error}"), 1))?;
    let mut daemon = Daemon {
        options,
        mode,
        engine: Control::new(scheduler),
        runner,
        receiver,
        line: None,
        scribe,
        inbox,
        outbox,
        voice,
        notifier,
        logs: paths::logs(&url),
        ledger: url.clone(),
        mark,
        ledger_named: registry.daemon.ledger.clone(),
        inherited: warden::inherited_environment(),
        home: std::env::current_dir().ok(),
        output_limit: 0,
        stop_grace: Duration::ZERO,
        longest_kill_grace: Duration::ZERO,
        stopping: None,
        fatal: None,
        saw_failure: false,
        left_alone: HashSet::new(),
        asked_to_retire: None,
        leaves_jobs,
    };
    daemon.attach();
    daemon.engine.recall(kills, now);
    daemon.adopt(registry);
    daemon.take_up(open_attempts, known);
    daemon.flush();
    Ok(daemon)
}

impl Daemon {
    /// Takes up the attempts that were open when the last daemon ended: those that run are waited for.
    fn take_up(&mut self, open: Vec<AttemptRecord>, known: WardenState) {
        for attempt in open.iter().filter(|attempt| known.running.contains(&attempt.key)) {
            let AttemptKey { session, number } = &attempt.key;
            self.voice.say(&format!("{}: attempt {number} still runs, and is waited for", session.job));
        }
        let (host, boot_id) = (paths::host_name(), warden::boot_id().ok());
        let greeting = self.engine.take_up(open, known, (&host, boot_id.as_deref()), clock::now());
        self.greet(greeting);
        if self.mode == Mode::Operate {
            // Whoever serves next waits for them; an operator's request does not.
            self.left_alone = self.engine.scheduler.open_attempts().into_iter().collect();
        }
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
type Opened = (Recovered, Vec<Request>, Writer);

/// Opens the ledger; a daemon waits for one that cannot be reached.
async fn open(
    url: &LedgerUrl,
    mode: Mode,
    voice: &mut Reporter,
    notifier: &Notifier,
    signals: &mut Signals,
) -> Result<Opened, ExitCode> {
    let mut said = false;
    loop {
        let error = match open_once(url) {
            Ok(opened) => return Ok(opened),
            Err(error) => error,
        };
        match &error {
            OpenError::Busy { .. } => {
                // Beside a daemon, an operator's request is handed to it.
                if mode != Mode::Operate {
                    voice.fail(&error.to_string());
                }
                return Err(ExitCode::from(EXIT_BUSY));
            }
            OpenError::Unreachable { .. } if mode == Mode::Serve => {
                if !said {
                    voice.warn(&format!("{error}; tried again every {} seconds", RETRY.as_secs()));
                    notifier.status("waiting for the ledger");
                    said = true;
                }
            }
            _ => {
                voice.fail(&error.to_string());
                return Err(ExitCode::FAILURE);
            }
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            signal = signals.next() => {
                if matches!(signal, Some(SIGTERM | SIGINT)) {
                    voice.say("stopped before the ledger could be reached");
                    return Err(ExitCode::SUCCESS);
                }
            }
        }
    }
}

fn open_once(url: &LedgerUrl) -> Result<Opened, OpenError> {
    let owner =
        Owner { host: paths::host_name(), pid: std::process::id(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let mut writer = Writer::open(url, &owner, clock::now())?;
    let recovered = writer.load().map_err(|error| OpenError::unread(url, &error))?;
    let kills = writer.kills().map_err(|error| OpenError::unread(url, &error))?;
    Ok((recovered, kills, writer))
}
