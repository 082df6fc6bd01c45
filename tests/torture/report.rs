//! The results of torture runs.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::fault_log::Fault;

/// The figures of one round, or of several.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) faults: BTreeMap<Fault, u64>,
    /// Dates that succeeded.
    pub(crate) dates: u64,
    pub(crate) attempts: u64,
    /// Those that succeeded during the faults, not in the recovery.
    pub(crate) amid: u64,
    /// Attempts that the ledger has as lost.
    pub(crate) lost: u64,
    /// Dates that ran again after a success whose record was lost with a killed warden.
    pub(crate) excused: u64,
    pub(crate) violations: u64,
    /// Unrequested exits of the daemon, by the last line of the log.
    pub(crate) ends: BTreeMap<String, u64>,
    /// Violations.
    pub(crate) problems: Vec<String>,
    /// How long the recovery took.
    pub(crate) recovery: Duration,
}

impl Tally {
    pub(crate) fn is_bad(&self) -> bool {
        self.violations > 0 || !self.problems.is_empty()
    }

    /// Adds the figures of another round.
    pub(crate) fn add(&mut self, other: Self) {
        for (fault, count) in other.faults {
            *self.faults.entry(fault).or_default() += count;
        }
        for (end, count) in other.ends {
            *self.ends.entry(end).or_default() += count;
        }
        self.dates += other.dates;
        self.attempts += other.attempts;
        self.amid += other.amid;
        self.lost += other.lost;
        self.excused += other.excused;
        self.violations += other.violations;
        self.problems.extend(other.problems);
        self.recovery += other.recovery;
    }

    /// One line.
    pub(crate) fn line(&self) -> String {
        let faults: u64 = self.faults.values().sum();
        let Self { dates, attempts, amid, lost, excused, violations, recovery, .. } = self;
        format!(
            "{faults} faults, {dates} dates, {attempts} attempts ({amid} amid the faults), {lost} lost, {excused} repeated for a killed warden, \
             {violations} violations; recovered in {recovery:.1?}"
        )
    }

    /// A table.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        let mut row = |name: &str, value: &str| text.push_str(&format!("{name:<56} {value:>9}\n"));
        for (fault, name) in Fault::NAMES {
            row(name, &self.faults.get(&fault).unwrap_or(&0).to_string());
        }
        row("dates run", &self.dates.to_string());
        row("attempts", &self.attempts.to_string());
        row("attempts that ended amid the faults", &self.amid.to_string());
        row("outcomes lost", &self.lost.to_string());
        row("dates repeated, their warden killed before it could say", &self.excused.to_string());
        row("violations", &self.violations.to_string());
        row("seconds to recover", &self.recovery.as_secs().to_string());
        for (end, count) in &self.ends {
            text.push_str(&format!("the daemon ended unasked {count} times: {end}\n"));
        }
        for problem in &self.problems {
            text.push_str(&format!("\nPROBLEM {problem}\n"));
        }
        text
    }
}
