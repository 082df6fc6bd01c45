//! What the warden writes down, and finds again.

use std::collections::BTreeMap;

use crontabber_core::session::{AttemptEnd, AttemptKey};

use super::{Entry, FLUSH_AFTER, Settling, Warden};
use crate::link::{Link, Tell};
use crate::machine::{Machine, Record};

/// A half of the spool holds so many records; then what matters is written to the other.
const HALF: usize = 300;

impl Warden {
    /// Takes what a spool tells, and goes on in a fresh half of it.
    pub(super) fn read_spool(&mut self, machine: &mut Machine) {
        for record in machine.disk.records.clone() {
            match record {
                Record::Begun(attempt, boot) => {
                    self.entries.insert(attempt, Entry { boot, process: None, end: None });
                }
                Record::Process(attempt, process) => {
                    if let Some(entry) = self.entries.get_mut(&attempt) {
                        entry.process = Some(process);
                    }
                }
                Record::Ended(attempt, end) => self.entries.entry(attempt).or_default().end = Some(end),
                Record::Forgotten(attempt) => _ = self.entries.remove(&attempt),
                Record::Ledger(boot) => self.knows_ledger = boot == machine.boot,
            }
        }
        self.turn_over(machine);
    }

    fn turn_over(&mut self, machine: &mut Machine) {
        let mut image = Vec::new();
        image.extend(self.knows_ledger.then_some(Record::Ledger(machine.boot)));
        for (attempt, Entry { boot, process, end }) in &self.entries {
            image.push(Record::Begun(attempt.clone(), *boot));
            image.extend(process.clone().map(|process| Record::Process(attempt.clone(), process)));
            image.extend(end.clone().map(|end| Record::Ended(attempt.clone(), end)));
        }
        (machine.disk.records, machine.disk.flushed) = (image, 0);
        self.pending.clear();
        Self::flush(machine);
    }

    pub(super) fn begin(&mut self, attempt: &AttemptKey, machine: &mut Machine) {
        machine.fate(attempt).begun = true;
        let begun = Entry { boot: machine.boot, process: None, end: None };
        self.entries.entry(attempt.clone()).or_insert(begun);
        self.pending.push(Record::Begun(attempt.clone(), machine.boot));
    }

    /// The ledger has the end of this attempt.
    pub(super) fn forget(&mut self, attempt: &AttemptKey) {
        let is_unflushed = self.ended.iter().any(|(ended, _)| ended == attempt);
        if !self.numbers.contains(attempt) && !is_unflushed && self.entries.remove(attempt).is_some() {
            self.pending.push(Record::Forgotten(attempt.clone()));
        }
    }

    /// Hands what is to be written to the kernel.
    pub(super) fn write(&mut self, machine: &mut Machine) {
        if machine.disk.records.len() + self.pending.len() > HALF.max(4 * self.entries.len()) {
            self.turn_over(machine);
        }
        machine.disk.records.append(&mut self.pending);
    }

    /// What the kernel has is durable.
    pub(super) fn flush(machine: &mut Machine) {
        let new: Vec<(AttemptKey, AttemptEnd)> = machine.disk.records[machine.disk.flushed..]
            .iter()
            .filter_map(|record| match record {
                Record::Ended(attempt, end) => Some((attempt.clone(), end.clone())),
                _ => None,
            })
            .collect();
        machine.disk.flushed = machine.disk.records.len();
        for (attempt, end) in new {
            machine.deliver(&attempt, &end);
        }
    }

    /// When ends must be durable that the ledger has not taken.
    pub(super) fn flush_at(&self) -> Option<i64> {
        let due = self.unflushed.iter().find(|(_, attempt)| self.entries.contains_key(attempt));
        due.map(|(at, _)| *at)
    }

    pub(super) fn flush_all(&mut self, machine: &mut Machine) {
        self.write(machine);
        Self::flush(machine);
        self.unflushed.clear();
    }

    /// Writes down what ended, and then tells it: what is written outlives the warden, though not the machine.
    pub(super) fn settle(&mut self, machine: &mut Machine, links: &mut BTreeMap<u64, Link>) {
        match self.settling {
            Settling::No => {
                self.write(machine);
                for (attempt, end) in &self.ended {
                    machine.fate(attempt).said = Some((machine.boot, end.clone()));
                }
                self.settling = Settling::Written;
            }
            Settling::Written => {
                self.unflushed.retain(|(_, attempt)| self.entries.contains_key(attempt));
                let at = machine.monotonic + FLUSH_AFTER;
                self.unflushed.extend(self.ended.iter().map(|(attempt, _)| (at, attempt.clone())));
                let mut tells = std::mem::take(&mut self.replies);
                tells.extend(
                    std::mem::take(&mut self.ended).into_iter().map(|(attempt, end)| Tell::Ended(attempt, end)),
                );
                for link in links.values_mut().filter(|link| link.has_warden && link.has_daemon) {
                    link.tells.extend(tells.iter().cloned());
                }
                self.settling = Settling::No;
            }
        }
    }
}
