//! The daemon: wires the registry, the scheduler, the ledger and the runner to one another, to signals and to systemd.
//!
//! It decides nothing about dates. The [`engine`] keeps the order of things: what the scheduler decides is written,
//! then done, then told.

mod catch_up_notice;
mod launch;
mod ledger_thread;
mod once;
mod reload;
pub mod reporter;
mod start;
mod stop;
mod submit;

use std::collections::HashSet;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use futures_util::StreamExt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook_tokio::Signals;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::clock;
use crate::control::{Control, Greeting};
use crate::ledger::LedgerUrl;
use crate::registry::Registry;
use crate::scheduler::{Event, Notification, Start};
use crate::session::{AttemptKey, Outcome};
use crate::systemd::{self, Notifier};
use crate::warden_client::{Launch, Search, WardenClient, WardenEvent, WardenReceiver};
use launch::{Surroundings, prepare, prepare_probe};
use ledger_thread::{LedgerEvent, LedgerThread};
use reporter::Reporter;
use start::Mode;
use stop::Stopping;

pub use reporter::LogFormat;

pub use once::once;
pub use submit::{Ask, operate};

/// The wall clock is read again at least this often: it can be set, and the machine can sleep.
const LOOK: Duration = Duration::from_secs(1);

/// Between two looks for what operators ask: they are to be answered within a second.
const ASK: Duration = Duration::from_millis(200);

/// Between two requests to a warden of another version to make room.
const RETIRE: Duration = Duration::from_mins(1);

/// The registry has errors: systemd need not try again.
pub const EXIT_REGISTRY: u8 = 78;

/// Another crontabber holds the ledger.
pub const EXIT_BUSY: u8 = 3;

/// What the command line says about a daemon.
#[derive(Debug, Clone)]
pub struct Options {
    /// The registry.
    pub registry: PathBuf,
    /// The ledger, as said on the command line or in the environment.
    pub ledger: Option<String>,
    /// How to write the log.
    pub log_format: Option<LogFormat>,
    /// Say only what is wrong.
    pub quiet: bool,
    /// Answer in JSON, where something is answered.
    pub json: bool,
}

/// What arrives from the other threads.
#[derive(Debug)]
enum Message {
    Search(Search),
    LedgerThread(LedgerEvent),
}

/// A running daemon.
struct Daemon {
    options: Options,
    mode: Mode,
    engine: Control,
    runner: WardenClient,
    receiver: WardenReceiver,
    /// The connection to the warden, to be waited for.
    line: Option<UnixStream>,
    scribe: LedgerThread,
    inbox: UnboundedReceiver<Message>,
    outbox: UnboundedSender<Message>,
    voice: Reporter,
    notifier: Notifier,
    logs: PathBuf,
    ledger: LedgerUrl,
    /// What tells the processes of this ledger's attempts from those of others.
    mark: String,
    /// What every job inherits of our environment.
    inherited: Vec<(OsString, OsString)>,
    /// Where a job is started that says nothing of it.
    home: Option<PathBuf>,
    output_limit: u64,
    /// The ledger as the registry named it at the start.
    ledger_named: Option<String>,
    stop_grace: Duration,
    longest_kill_grace: Duration,
    stopping: Option<Stopping>,
    /// Why the daemon must not go on.
    fatal: Option<String>,
    /// An attempt ended without success.
    saw_failure: bool,
    /// Open attempts of an earlier daemon that are not waited for.
    left_alone: HashSet<AttemptKey>,
    /// When a warden of another version was asked last to make room.
    asked_to_retire: Option<Instant>,
    /// Whether the warden outlives us, so that what runs can be left to it.
    leaves_jobs: bool,
}

/// Runs the daemon until it is told to stop.
#[must_use]
pub fn serve(options: Options) -> ExitCode {
    start::with_runtime(async {
        let mut signals = match stop::signals() {
            Ok(signals) => signals,
            Err(error) => return start::fail(&format!("cannot listen to signals: {error}"), 1),
        };
        let mut daemon = match start::start(options, Mode::Serve, &mut signals).await {
            Ok(daemon) => daemon,
            Err(code) => return code,
        };
        let status = daemon.status();
        daemon.notifier.ready(&status);
        daemon.run(&mut signals).await
    })
}

/// Waits until the warden has something to say; for ever while there is none.
async fn hear(line: Option<&UnixStream>) -> io::Result<()> {
    match line {
        Some(line) => line.readable().await,
        None => std::future::pending().await,
    }
}

impl Daemon {
    async fn run(&mut self, signals: &mut Signals) -> ExitCode {
        let watchdog = systemd::watchdog_interval();
        let look = watchdog.map_or(LOOK, |interval| interval.min(LOOK));
        let (mut looked, mut asked) = (Instant::now(), Instant::now());
        while !self.is_done() {
            self.tick();
            self.flush();
            self.rest();
            let pause = self.pause(look.min(ASK));
            tokio::select! {
                message = self.inbox.recv() => self.take(message),
                is_heard = hear(self.line.as_ref()) => self.hear(is_heard),
                signal = signals.next() => self.signal(signal),
                () = tokio::time::sleep(pause) => {}
            }
            while let Ok(message) = self.inbox.try_recv() {
                self.take(Some(message));
            }
            if looked.elapsed() >= look {
                looked = Instant::now();
                self.look();
            }
            if asked.elapsed() >= ASK {
                asked = Instant::now();
                self.ask_requests();
            }
            self.pursue_stop();
        }
        self.finish()
    }

    /// How long nothing needs to be done, as far as is known now.
    fn pause(&self, look: Duration) -> Duration {
        if self.stopping.is_some() || !self.engine.may_decide() {
            return look;
        }
        let next = self.engine.scheduler.next_wake().map(|(at, _)| (at - clock::now()).to_std().unwrap_or_default());
        next.map_or(look, |next| next.min(look))
    }

    /// What is done every second.
    fn look(&mut self) {
        let status = self.status();
        self.notifier.alive(&status);
        if let Some(entries) = self.engine.take_later() {
            self.scribe.write(entries);
        }
        let asked = self.asked_to_retire.is_some_and(|at| at.elapsed() < RETIRE);
        let rests = self.engine.scheduler.running() == 0 && self.engine.is_settled();
        if rests && self.mode == Mode::Serve && !asked {
            self.asked_to_retire = Some(Instant::now());
            self.runner.replace_other_version();
        }
    }

    /// Looks for what operators ask.
    fn ask_requests(&mut self) {
        // An answer that is decided goes first, or the request would be seen a second time.
        self.flush();
        // While it waits for what runs, an operator may want that ended.
        let listens = matches!(self.stopping, None | Some(Stopping::Waiting(_)));
        if listens && self.engine.wants_requests() {
            self.scribe.ask_requests();
        }
    }

    fn status(&self) -> String {
        let scheduler = &self.engine.scheduler;
        let base = format!("{} running, {} behind", scheduler.running(), scheduler.behind());
        if !self.engine.is_connected() {
            return format!("there is no warden: {base}");
        }
        match (&self.stopping, self.engine.is_writable()) {
            (_, false) => format!("the ledger cannot be written: {base}"),
            (Some(_), true) => format!("stopping: {base}"),
            (None, true) => base,
        }
    }

    /// Lets the scheduler see the time, if something is due.
    fn tick(&mut self) {
        if self.stopping.is_none() {
            self.engine.tick(clock::now());
        }
    }

    /// Has written what was decided, and then started; what needs no writing is told at once.
    fn flush(&mut self) {
        for attempt in self.engine.take_kills() {
            self.runner.stop(&attempt, Outcome::Cancelled);
        }
        let Some(commit) = self.engine.flush() else {
            self.release(0);
            return;
        };
        let mut launches: Vec<Launch> = commit.starts.iter().filter_map(|start| self.prepare(start)).collect();
        launches.extend(commit.probes.iter().filter_map(|probe| self.prepare_probe(probe)));
        self.scribe.commit(commit.number, commit.entries, launches);
    }

    /// Does what waited for the commits up to `number` to be durable.
    fn release(&mut self, number: u64) {
        let released = self.engine.released(number, clock::now());
        for note in &released.notes {
            self.note(note);
        }
        if !released.forget.is_empty() {
            self.runner.forget(&released.forget);
        }
        if !released.watch.is_empty() {
            // Not a greeting: there may be yet another warden by now, that has not been asked about all the others.
            self.runner.watch(released.watch);
        }
    }

    fn note(&mut self, note: &Notification) {
        if let Notification::Closed { end, .. } = note {
            // What was lost had been started by an earlier crontabber.
            self.saw_failure |= !matches!(end.outcome, Outcome::Succeeded | Outcome::Interrupted | Outcome::Lost);
        }
        if let Notification::Renamed { job, previously } = note {
            self.move_logs(previously, job);
        }
        self.voice.tell(note);
    }

    /// What every attempt has in common.
    fn around(&self) -> Surroundings<'_> {
        Surroundings {
            inherited: &self.inherited,
            home: self.home.as_deref(),
            mark: &self.mark,
            logs: &self.logs,
            output_limit: self.output_limit,
        }
    }

    /// Describes the process of an attempt; one that cannot be described has failed.
    fn prepare(&mut self, start: &Start) -> Option<Launch> {
        match prepare(start, &self.around()) {
            Ok(launch) => Some(launch),
            Err(error) => {
                let outcome = Outcome::Failed { code: 125 };
                self.engine.not_started(&start.attempt, outcome, error.to_string(), clock::now());
                None
            }
        }
    }

    /// Describes the process that tells whether a date is done. One that cannot be described says no: its attempt will
    /// say why.
    fn prepare_probe(&mut self, probe: &Start) -> Option<Launch> {
        if let Some(Ok(launch)) = prepare_probe(probe, &self.around()) {
            return Some(launch);
        }
        let attempt = AttemptKey { number: crate::control::PROBE, ..probe.attempt.clone() };
        self.engine.not_started(&attempt, Outcome::Failed { code: 125 }, String::new(), clock::now());
        None
    }

    fn take(&mut self, message: Option<Message>) {
        match message {
            Some(Message::Search(Search::Failed(text))) => self.voice.warn(&text),
            Some(Message::Search(Search::Found(found))) => {
                let mut reports = Vec::new();
                self.receiver.attach(found, &mut |report| reports.push(report));
                self.take_reports(reports);
                self.attach();
            }
            Some(Message::LedgerThread(word)) => self.take_word(word),
            None => self.fatal = Some("the threads that do the work are gone".to_owned()),
        }
    }

    /// Hears the warden, which has something to say.
    fn hear(&mut self, is_heard: io::Result<()>) {
        if let Err(error) = is_heard {
            self.fatal = Some(format!("the warden cannot be heard: {error}"));
            return;
        }
        let (mut reports, receiver) = (Vec::new(), &mut self.receiver);
        let mut hear = || {
            receiver.read_events(&mut |report| reports.push(report));
            // All that has come was read.
            Err::<(), _>(io::ErrorKind::WouldBlock.into())
        };
        _ = self.line.as_ref().map(|line| line.try_io(Interest::READABLE, &mut hear));
        self.take_reports(reports);
    }

    fn take_reports(&mut self, reports: Vec<WardenEvent>) {
        for report in reports {
            if report == WardenEvent::Disconnected {
                self.line = None;
                let outbox = self.outbox.clone();
                if let Err(error) = self.receiver.search(move |sought| _ = outbox.send(Message::Search(sought))) {
                    self.fatal = Some(format!("cannot look for a warden: {error}"));
                }
            }
            self.take_report(report);
        }
    }

    /// Waits for the warden's words from now on.
    fn attach(&mut self) {
        let line = self.receiver.fd().map(|fd| UnixStream::from_std(fd.try_clone_to_owned()?.into())).transpose();
        match line {
            Ok(line) => self.line = line,
            Err(error) => self.fatal = Some(format!("the warden cannot be heard: {error}")),
        }
    }

    fn take_report(&mut self, report: WardenEvent) {
        match report {
            WardenEvent::Connected(known) => {
                self.voice.say("there is a warden again");
                let greeting = self.engine.greet(known, clock::now());
                self.greet(greeting);
            }
            WardenEvent::Warning(text) => self.voice.warn(&text),
            report => {
                if report == WardenEvent::Disconnected && self.stopping.is_none() {
                    self.voice.warn("the warden is gone; another is looked for, and nothing new is started meanwhile");
                }
                if let Some(attempt) = self.engine.hear(report, clock::now()) {
                    self.runner.forget(&[attempt]);
                }
            }
        }
    }

    /// Asks a warden that is there (again) what is not known.
    fn greet(&mut self, greeting: Greeting) {
        for stranger in &greeting.strangers {
            self.voice.warn(&format!(
                "{}: attempt {} runs, and the ledger does not know it: was the ledger put back to an earlier state?",
                stranger.session.job, stranger.number
            ));
        }
        self.runner.forget(&greeting.forget);
        self.runner.watch_all(greeting.watch);
    }

    fn take_word(&mut self, word: LedgerEvent) {
        match word {
            LedgerEvent::Committed(number) => self.release(number),
            LedgerEvent::Requests(requests) => self.engine.take_requests(requests, clock::now()),
            LedgerEvent::NotStarted(attempts) => self.engine.refused(attempts, clock::now()),
            LedgerEvent::Trouble(error) => {
                self.engine.set_writable(false);
                self.voice.warn(&format!(
                    "the ledger cannot be written: {error}; nothing new is started, the outcomes of what runs are kept, \
                     and it is tried again every half second"
                ));
            }
            LedgerEvent::Recovered { after } => {
                self.engine.set_writable(true);
                let after = crate::duration::format(after);
                self.voice.say(&format!("the ledger is written again, after {after}"));
            }
            LedgerEvent::Fatal(error) => self.fatal = Some(error),
        }
    }

    fn signal(&mut self, signal: Option<i32>) {
        match signal {
            Some(SIGTERM | SIGINT) => self.begin_or_hasten_stop(),
            Some(SIGHUP) if self.stopping.is_none() => self.reload(),
            Some(SIGUSR1) => {
                self.voice.say("woken by a signal");
                self.engine.handle(Event::Tick, clock::now());
            }
            _ => {}
        }
    }

    /// Reads the registry again; the one in force stays if there is any mistake in it.
    fn reload(&mut self) {
        self.notifier.reloading();
        match Registry::load(&self.options.registry, clock::now()) {
            Ok(registry) => {
                self.voice.say(&format!("{} read again", self.options.registry.display()));
                self.adopt(registry);
            }
            Err(error) => {
                let mistakes = error.render(false);
                self.voice.warn(&format!("the registry in force stays, since there are mistakes:\n{mistakes}"));
            }
        }
        let status = self.status();
        self.notifier.ready(&status);
    }

    /// Tells a person that nothing is left to do for now.
    fn rest(&mut self) {
        let scheduler = &self.engine.scheduler;
        if self.engine.is_settled() && scheduler.running() == 0 && self.stopping.is_none() {
            let next = scheduler.next_wake();
            let now = clock::now();
            if next.as_ref().is_none_or(|(at, _)| *at - now > TimeDelta::seconds(2)) {
                let next = next.map(|(at, job)| (job.clone(), at));
                self.voice.rest(next.as_ref().map(|(job, at)| (job, *at)), now);
            }
        }
    }

    fn open_attempts(&self) -> Vec<AttemptKey> {
        self.engine.scheduler.open_attempts()
    }
}
