//! The beginning of a daemon: the registry, the ledger, and the attempts that were open when the last one ended.

use std::collections::{HashSet, VecDeque};

use chrono::{DateTime, Utc};

use super::Control;
use super::attempts::Attempts;
use super::batch::{Batch, Write};
use super::clock::guard_of;
use super::clock_guard::ClockGuard;
use super::configuration::{Configuration, Mode, Recovery};
use super::effect::{Effect, Notice};
use super::input::Time;
use super::request_reader::RequestReader;
use super::warden::{PROBE, WardenState};
use crate::scheduler::{Event, Scheduler};
use crate::session::{AttemptKey, AttemptRecord, Outcome};

impl Control {
    /// Begins where the last daemon ended, as far as the first decisions.
    #[must_use]
    pub fn start(mode: Mode, configuration: Configuration, recovery: Recovery, time: Time) -> Self {
        let Recovery { ledger, kills, warden, host, boot_id, clock_seen } = recovery;
        let open = ledger.open.clone();
        let mut scheduler = Scheduler::new(ledger, &host, 0, time.wall);
        if mode == Mode::Once {
            scheduler.set_horizon(time.wall);
        }
        let mut control = Self {
            scheduler,
            mode,
            clock: ClockGuard::new(guard_of(mode, &configuration), clock_seen, time),
            configuration: Configuration::default(),
            batch: Batch::default(),
            write: Write::default(),
            attempts: Attempts::default(),
            ready: Vec::new(),
            ready_probes: Vec::new(),
            look_up_at: std::time::Duration::ZERO,
            requests: RequestReader::default(),
            effects: VecDeque::new(),
            is_connected: true,
            stop: None,
            saw_failure: false,
            left_alone: HashSet::new(),
            asked_to_retire: None,
            reload: None,
        };
        control.note_clock(Notice::ClockBelieved);
        // A kill that nobody answered comes before any start, which it did not mean, and before any end, which it did.
        for kill in kills {
            control.decide(Event::Request(kill), time.wall);
        }
        control.configure(configuration, time.wall);
        if mode == Mode::Operate {
            // The next daemon that serves waits for them; a request of an operator does not.
            control.left_alone = open.iter().map(|record| record.key.clone()).collect();
        }
        control.take_up(open, warden, (&host, boot_id.as_deref()), time.wall);
        control
    }

    /// Puts a registry in force.
    pub(super) fn configure(&mut self, configuration: Configuration, now: DateTime<Utc>) {
        // An operator's run takes a slot of its own, and must not start others.
        let slots = if self.mode == Mode::Operate { 0 } else { configuration.max_running };
        self.scheduler.set_max_running(slots);
        self.scheduler.set_pools(configuration.pools.clone());
        self.scheduler.set_announce_over(configuration.announce_over);
        self.scheduler.set_timezone(configuration.timezone);
        self.clock.set_guard(guard_of(self.mode, &configuration));
        self.note_clock(Notice::ClockBelieved);
        self.decide(Event::Registry(configuration.jobs.clone()), now);
        self.configuration = configuration;
        self.attempts.measure_again();
    }

    /// Takes up the attempts that were open when the last daemon ended, with what the warden knows of them.
    fn take_up(
        &mut self,
        open: Vec<AttemptRecord>,
        mut known: WardenState,
        (host, boot_id): (&str, Option<&str>),
        now: DateTime<Utc>,
    ) {
        // A name can be used again: an end that the warden kept may bear the name of an attempt that was just opened.
        let were_open: HashSet<AttemptKey> = open.iter().map(|record| record.key.clone()).collect();
        let is_news = |attempt: &AttemptKey| attempt.number == PROBE || were_open.contains(attempt);
        let stale: Vec<_> = known.ended.extract_if(.., |(attempt, _)| !is_news(attempt)).collect();
        for AttemptRecord { key, host: its_host, process, started_at, .. } in open {
            let is_running = known.running.contains(&key);
            let is_known = is_running || known.ended.iter().any(|(ended, _)| *ended == key);
            // A machine may have got another name, and is still the same until it is booted again.
            let is_here = its_host == host || process.as_ref().is_some_and(|its| Some(its.boot_id.as_str()) == boot_id);
            self.attempts.restore(key.clone(), started_at, process);
            if is_running {
                self.effects.push_back(Effect::Report(Notice::TakenUp { attempt: key }));
            } else if !is_known && !is_here {
                self.close(&key, Outcome::Lost, format!("it ran on {its_host}, which cannot be asked"), now);
            }
        }
        if !stale.is_empty() {
            self.effects.push_back(Effect::Forget(stale.into_iter().map(|(attempt, _)| attempt).collect()));
        }
        self.warden_connected(known, now);
    }
}
