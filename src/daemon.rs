//! The daemon: wires the registry, the scheduler, the ledger and the runner to one another, to signals and to systemd.
//!
//! It decides nothing about dates. The [`engine`] keeps the order of things: what the scheduler decides is written,
//! then done, then told.

pub mod engine;
mod launch;
mod once;
mod operate;
mod scribe;
mod start;
mod stop;
pub mod voice;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use futures_util::StreamExt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook_tokio::Signals;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::job::Job;
use crate::registry::Registry;
use crate::runner::{Launch, Report, Runner};
use crate::scheduler::{Event, Note, Start};
use crate::session::{AttemptEnd, AttemptKey, Entry, Outcome};
use crate::{clock, systemd};
use engine::Engine;
use launch::prepare;
use scribe::{Scribe, Word};
use start::Mode;
use stop::Stopping;
use voice::Voice;

pub use voice::LogFormat;

pub use once::once;
pub use operate::{Ask, operate};

/// The wall clock is read again at least this often: it can be set, and the machine can sleep. Operators' requests are
/// looked for as often.
const LOOK: Duration = Duration::from_secs(1);

/// Nothing new is recorded while so many commits are under way: what is decided must not outrun what is written.
const IN_FLIGHT: u64 = 4;

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
    Runner(Report),
    Scribe(Word),
}

/// How it stands with the operators' requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Requests {
    Unasked,
    Asked,
    Arrived,
}

/// A running daemon.
struct Daemon {
    options: Options,
    mode: Mode,
    engine: Engine,
    runner: Runner,
    scribe: Scribe,
    inbox: UnboundedReceiver<Message>,
    voice: Voice,
    logs: PathBuf,
    /// What tells the processes of this ledger's attempts from those of others.
    mark: String,
    /// What every job inherits of our environment.
    inherited: Vec<(OsString, OsString)>,
    /// Entries that nobody waits for: they go with the next commit, or a second later.
    later: Vec<Entry>,
    output_limit: u64,
    /// The ledger as the registry named it at the start.
    ledger_named: Option<String>,
    stop_grace: Duration,
    longest_kill_grace: Duration,
    stopping: Option<Stopping>,
    /// The ledger cannot be written at the moment.
    in_trouble: bool,
    /// Why the daemon must not go on.
    fatal: Option<String>,
    /// An attempt ended without success.
    saw_failure: bool,
    requests: Requests,
    /// When the attempts of an earlier daemon have taken as long as they may.
    overdue_at: Vec<(Instant, AttemptKey)>,
    /// Open attempts of an earlier daemon that this one leaves to a later one.
    left_alone: usize,
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
        systemd::ready(&daemon.status());
        daemon.run(&mut signals).await
    })
}

impl Daemon {
    async fn run(&mut self, signals: &mut Signals) -> ExitCode {
        let watchdog = systemd::watchdog_interval();
        let look = watchdog.map_or(LOOK, |interval| interval.min(LOOK));
        let mut looked = Instant::now();
        while !self.is_done() {
            self.tick();
            self.flush();
            self.rest();
            let pause = self.pause(look);
            tokio::select! {
                message = self.inbox.recv() => self.take(message),
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
            self.pursue_stop();
        }
        self.finish()
    }

    /// How long nothing needs to be done, as far as is known now.
    fn pause(&self, look: Duration) -> Duration {
        if self.in_trouble || self.stopping.is_some() || self.engine.in_flight() >= IN_FLIGHT {
            return look;
        }
        let next = self.engine.scheduler.next_wake().map(|(at, _)| (at - clock::now()).to_std().unwrap_or_default());
        next.map_or(look, |next| next.min(look))
    }

    /// What is done every second.
    fn look(&mut self) {
        systemd::alive();
        systemd::status(&self.status());
        if !self.later.is_empty() && !self.in_trouble {
            self.scribe.write(std::mem::take(&mut self.later));
        }
        // An answer that is decided goes first, or the request would be seen a second time.
        self.flush();
        self.end_overdue();
        if self.requests != Requests::Asked && self.stopping.is_none() {
            self.requests = Requests::Asked;
            self.scribe.ask_requests();
        }
    }

    fn status(&self) -> String {
        let scheduler = &self.engine.scheduler;
        let base = format!("{} running, {} behind", scheduler.running(), scheduler.behind());
        match (&self.stopping, self.in_trouble) {
            (_, true) => format!("the ledger cannot be written: {base}"),
            (Some(_), false) => format!("stopping: {base}"),
            (None, false) => base,
        }
    }

    /// Lets the scheduler see the time, if something is due. While nothing can be written, nothing new is decided.
    fn tick(&mut self) {
        let now = clock::now();
        let is_due = self.engine.scheduler.next_wake().is_some_and(|(at, _)| at <= now);
        let set_back = now + TimeDelta::seconds(1) < self.engine.scheduler.now();
        let may = !self.in_trouble && self.stopping.is_none() && self.engine.in_flight() < IN_FLIGHT;
        if (is_due || set_back) && may {
            self.engine.handle(Event::Tick, now);
        }
    }

    /// Has written what was decided, and then started; what needs no writing is told at once.
    fn flush(&mut self) {
        let Some(commit) = self.engine.flush() else {
            self.release(0);
            return;
        };
        let mut entries = std::mem::take(&mut self.later);
        entries.extend(commit.entries);
        let launches = commit.starts.iter().filter_map(|start| self.prepare(start)).collect();
        self.scribe.commit(commit.number, entries, launches);
    }

    /// Tells what waited for the commits up to `number` to be durable.
    fn release(&mut self, number: u64) {
        for note in self.engine.released(number) {
            self.note(&note);
        }
    }

    fn note(&mut self, note: &Note) {
        if let Note::Closed { end, .. } = note {
            // What was lost had been started by an earlier crontabber.
            self.saw_failure |= !matches!(end.outcome, Outcome::Succeeded | Outcome::Interrupted | Outcome::Lost);
        }
        self.voice.tell(note);
    }

    /// Describes the process of an attempt; one that cannot be described has failed.
    fn prepare(&mut self, start: &Start) -> Option<Launch> {
        match prepare(start, &self.inherited, &self.mark, &self.logs, self.output_limit) {
            Ok(launch) => Some(launch),
            Err(error) => {
                let end = AttemptEnd {
                    outcome: Outcome::Failed { code: 125 },
                    ended_at: clock::now(),
                    duration: None,
                    detail: Some(error.to_string()),
                    has_log: false,
                    usage: None,
                };
                self.engine.handle(Event::Ended { attempt: start.attempt.clone(), end }, clock::now());
                None
            }
        }
    }

    fn take(&mut self, message: Option<Message>) {
        match message {
            Some(Message::Runner(report)) => self.take_report(report),
            Some(Message::Scribe(word)) => self.take_word(word),
            None => self.fatal = Some("the threads that do the work are gone".to_owned()),
        }
    }

    fn take_report(&mut self, report: Report) {
        match report {
            Report::Started { attempt, process } => self.later.push(Entry::Process { attempt, process }),
            Report::Ended { attempt, end } => self.engine.handle(Event::Ended { attempt, end }, clock::now()),
        }
    }

    fn take_word(&mut self, word: Word) {
        match word {
            Word::Committed(number) => self.release(number),
            Word::Requests(requests) => {
                self.requests = Requests::Arrived;
                for request in requests {
                    self.engine.handle(Event::Request(request), clock::now());
                }
            }
            Word::NotStarted(attempts) => {
                for attempt in attempts {
                    let ended_at = clock::now();
                    let detail = Some("the daemon was stopped before it was started".to_owned());
                    let outcome = Outcome::Interrupted;
                    let end = AttemptEnd { outcome, ended_at, duration: None, detail, has_log: false, usage: None };
                    self.engine.handle(Event::Ended { attempt, end }, ended_at);
                }
            }
            Word::Trouble(error) => {
                self.in_trouble = true;
                self.voice.warn(&format!(
                    "the ledger cannot be written: {error}; nothing new is started, the outcomes of what runs are kept, \
                     and it is tried again every half second"
                ));
            }
            Word::Recovered { after } => {
                self.in_trouble = false;
                let after = crate::duration::format(after);
                self.voice.say(&format!("the ledger is written again, after {after}"));
            }
            Word::Fatal(error) => self.fatal = Some(error),
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

    /// Ends what an earlier daemon started and what has outlived its job's `timeout` under this one.
    fn end_overdue(&mut self) {
        let now = Instant::now();
        let runner = &self.runner;
        self.overdue_at.retain(|(at, attempt)| {
            if *at <= now {
                runner.stop(attempt, Outcome::TimedOut);
            }
            *at > now
        });
    }

    /// Reads the registry again; the one in force stays if there is any mistake in it.
    fn reload(&mut self) {
        systemd::reloading();
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
        systemd::ready(&self.status());
    }

    fn adopt(&mut self, registry: Registry) {
        for warning in &registry.warnings {
            self.voice.warn(&warning.render(false));
        }
        if self.ledger_named != registry.daemon.ledger {
            self.voice.warn("the registry names another ledger: that takes effect when the daemon is restarted");
        }
        self.output_limit = registry.daemon.output_limit;
        self.stop_grace = registry.daemon.stop_grace;
        // An operator's run takes a place of its own, and must not start the others.
        let places = if self.mode == Mode::Operate { 0 } else { registry.daemon.max_running };
        self.engine.scheduler.set_max_running(places);
        self.longest_kill_grace = registry.jobs.iter().map(|job| job.kill_grace).max().unwrap_or_default();
        self.voice.learn(registry.jobs.iter());
        let jobs: Vec<Arc<Job>> = registry.jobs.into_iter().map(Arc::new).collect();
        self.engine.handle(Event::Registry(jobs), clock::now());
    }

    /// Tells a person that nothing is left to do for now.
    fn rest(&mut self) {
        let scheduler = &self.engine.scheduler;
        if self.engine.is_settled() && scheduler.running() == 0 && self.stopping.is_none() {
            let next = scheduler.next_wake();
            let now = clock::now();
            if next.as_ref().is_none_or(|(at, _)| *at - now > TimeDelta::seconds(2)) {
                let next = next.map(|(at, job)| (job.clone(), at));
                self.voice.rest(next.as_ref().map(|(job, at)| (job, *at)), 0, now);
            }
        }
    }

    fn open_attempts(&self) -> Vec<AttemptKey> {
        self.engine.scheduler.open_attempts()
    }
}
