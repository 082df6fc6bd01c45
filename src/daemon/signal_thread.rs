//! The thread that takes signals and answers the watchdog, so that a ledger that hangs delays no signal.
//!
//! The ledger thread is the first thread of the process: it uses the memory that reading the registry has left, which
//! malloc(3) gives to no other thread.

use std::process::{self, ExitCode};
use std::time::Duration;
use std::{io, thread};

use futures_util::StreamExt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook_tokio::Signals;
use tokio::runtime::{self, Runtime};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::ledger_thread::{Fatal, Shared};
use super::reporter::FlushAtEnd;
use super::start::{Prepared, Setting};
use super::{catch_up_notice, start};
use crate::control::{Exit, Input, Mode};
use crate::registry::{Registry, RegistryCopy};
use crate::{clock, systemd};

/// The daemon reports that it is alive at least this often.
const LOOK: Duration = Duration::from_secs(1);

/// A daemon that leaves waits this long, so that the warden carries out its kills before the next start asks about them.
const LEAVING: Duration = Duration::from_millis(300);

/// A daemon that holds the ledger.
struct Daemon {
    setting: Setting,
    shared: Shared,
}

/// The signals that have arrived, and what waits for more.
pub(super) struct SignalQueue {
    pub(super) runtime: Runtime,
    pub(super) signals: Signals,
}

impl SignalQueue {
    /// Begins to catch the signals that the daemon knows.
    ///
    /// # Errors
    /// The operating system refuses.
    pub(super) fn new() -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let signals = runtime.block_on(async { Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1]) })?;
        Ok(Self { runtime, signals })
    }
}

/// Ends the process if its thread panics: a daemon that takes no signals must not go on.
struct ExitOnPanic;

impl Drop for ExitOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            process::exit(1);
        }
    }
}

/// Runs a daemon to its end.
pub(super) fn run(prepared: Prepared, SignalQueue { runtime, signals }: &mut SignalQueue) -> ExitCode {
    let Prepared { setting, ledger_thread } = prepared;
    let daemon = Daemon { setting, shared: ledger_thread.shared() };
    let (done, is_done) = oneshot::channel();
    thread::scope(|scope| {
        let signal_thread = thread::Builder::new().name("signals".to_owned()).spawn_scoped(scope, || {
            let _guard = ExitOnPanic;
            runtime.block_on(daemon.run(is_done, signals))
        });
        match signal_thread {
            Ok(signal_thread) => {
                // The other thread waits for it.
                _ = done.send(ledger_thread.run());
                signal_thread.join().unwrap_or(ExitCode::FAILURE)
            }
            Err(error) => start::fail(&format!("cannot start a thread: {error}"), 1),
        }
    })
}

impl Daemon {
    async fn run(&self, mut is_done: oneshot::Receiver<Result<Exit, Fatal>>, signals: &mut Signals) -> ExitCode {
        if self.setting.mode == Mode::Serve {
            let mut executor = self.shared.lock();
            let status = executor.status();
            executor.notifier.ready(&status);
        }
        let look = systemd::watchdog_interval().map_or(LOOK, |interval| interval.min(LOOK));
        let mut next_look = Instant::now() + look;
        loop {
            tokio::select! {
                end = &mut is_done => {
                    let panicked = Err("the ledger thread is gone".to_owned());
                    return self.finish(end.unwrap_or(panicked));
                }
                signal = signals.next() => self.take_signal(signal),
                () = sleep_until(next_look) => {
                    next_look = Instant::now() + look;
                    let mut executor = self.shared.lock();
                    let status = executor.status();
                    executor.notifier.alive(&status);
                }
            }
            let exit = self.shared.lock().advance();
            self.shared.wake();
            if let Some(exit @ Exit::Left { .. }) = exit {
                // The ledger thread may hang in a write.
                return self.finish(Ok(exit));
            }
        }
    }

    fn take_signal(&self, signal: Option<i32>) {
        match signal {
            Some(SIGTERM | SIGINT) => self.shared.lock().handle(Input::Stop),
            Some(SIGHUP) if !self.shared.lock().control.is_stopping() => self.reload(),
            Some(SIGUSR1) => {
                let mut executor = self.shared.lock();
                executor.reporter.say("woken by a signal");
                executor.handle(Input::Wake);
            }
            _ => {}
        }
    }

    /// Reads the registry again. The one in force stays if the new one has errors.
    fn reload(&self) {
        self.shared.lock().notifier.reloading();
        match Registry::load_and_copy(&self.setting.options.registry, clock::now()) {
            Ok((registry, copy)) => self.put_in_force(&registry, copy),
            Err(error) => {
                let text =
                    format!("the registry in force stays, since the new one has errors:\n{}", error.render(false));
                self.shared.lock().reporter.warn(&text);
            }
        }
        let mut executor = self.shared.lock();
        let status = executor.status();
        executor.notifier.ready(&status);
    }

    fn put_in_force(&self, registry: &Registry, copy: RegistryCopy) {
        let mut executor = self.shared.lock();
        executor.reporter.say(&format!("{} read again", self.setting.options.registry.display()));
        if self.setting.ledger_named != registry.daemon.ledger {
            executor.reporter.warn("the registry names another ledger: that takes effect when the daemon is restarted");
        }
        start::report_warnings(registry, &mut executor.reporter);
        executor.learn(registry);
        executor.heartbeat.read_registry(registry, copy);
        executor.handle(Input::Reload(start::configuration(registry, self.setting.warden_survives)));
        executor.move_renamed_logs(registry);
        let missed = catch_up_notice::missed(executor.control.scheduler(), registry, None);
        // The ledger is asked how long a date takes: without the lock, since it may be slow to answer.
        drop(executor);
        if let Some(text) = catch_up_notice::text(missed, registry, &self.setting.ledger) {
            self.shared.lock().reporter.warn(&text);
        }
    }

    /// Reports how it ended.
    fn finish(&self, end: Result<Exit, Fatal>) -> ExitCode {
        let mut executor = self.shared.lock();
        if end.is_ok() {
            executor.tick();
            executor.heartbeat.end();
        }
        let reporter = &mut executor.reporter;
        let has_failed = match end {
            Err(error) => {
                reporter.fail(&error);
                return ExitCode::FAILURE;
            }
            Ok(Exit::Left { is_running }) => {
                if is_running {
                    // The ledger thread reads the answers of the warden, and may hang: only the time can be waited for.
                    thread::sleep(LEAVING);
                }
                reporter.warn("left before every end was recorded; the warden keeps what ended for the next start");
                // Not by a return, which waits for the ledger thread.
                drop(FlushAtEnd);
                process::exit(1);
            }
            Ok(Exit::Unwritten { has_ends, has_failed }) => {
                if has_ends {
                    reporter.warn(
                        "left while the ledger cannot be written; the warden keeps what ended for the next start",
                    );
                }
                has_failed
            }
            Ok(Exit::Recorded { has_failed }) => has_failed,
        };
        if self.setting.mode == Mode::Serve {
            reporter.say("stopped");
        }
        ExitCode::from(u8::from(has_failed))
    }
}
