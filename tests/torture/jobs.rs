//! The jobs of the torture, and their registry.

use std::path::Path;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use crate::job_program::{AS_JOB, Behaviour, TIMEOUT};

/// The date policy of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Every date, in order.
    Strict,
    /// Every date; a failed one holds no other.
    Independent,
    /// Only the newest date.
    Newest,
}

/// A job with a date every minute.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TortureJob {
    pub(crate) name: &'static str,
    pub(crate) order: Order,
    pub(crate) depends_on: Option<&'static str>,
    pub(crate) behaviour: Behaviour,
    /// Dates per second of the run, such that it always has to catch up.
    pub(crate) rate: f64,
    /// It is started by a shell.
    pub(crate) shell: bool,
}

const STRICT: TortureJob = TortureJob {
    name: "",
    order: Order::Strict,
    depends_on: None,
    behaviour: Behaviour { sleep: 20, fail: 0, print: 0, hang: 0 },
    rate: 10.0,
    shell: false,
};

/// One of each kind.
pub(crate) fn mixed() -> Vec<TortureJob> {
    let behaviour = STRICT.behaviour;
    vec![
        TortureJob { name: "quick", ..STRICT },
        TortureJob { name: "slow", behaviour: Behaviour { sleep: 300, ..behaviour }, rate: 3.0, ..STRICT },
        TortureJob { name: "shell", shell: true, rate: 8.0, ..STRICT },
        TortureJob { name: "dependent", depends_on: Some("quick"), ..STRICT },
        TortureJob { name: "flaky", behaviour: Behaviour { fail: 20, ..behaviour }, rate: 6.0, ..STRICT },
        TortureJob {
            name: "loose",
            order: Order::Independent,
            behaviour: Behaviour { fail: 8, ..behaviour },
            rate: 10.0,
            ..STRICT
        },
        TortureJob { name: "loud", behaviour: Behaviour { print: 300_000, ..behaviour }, rate: 5.0, ..STRICT },
        TortureJob { name: "late", behaviour: Behaviour { hang: 40, ..behaviour }, rate: 3.0, ..STRICT },
        TortureJob { name: "newest", order: Order::Newest, behaviour: Behaviour { fail: 3, ..behaviour }, ..STRICT },
    ]
}

/// Quick jobs, for a daemon that is killed all the time.
pub(crate) fn quick() -> Vec<TortureJob> {
    let rate = 14.0;
    vec![
        TortureJob { name: "first", rate, ..STRICT },
        TortureJob { name: "second", rate, ..STRICT },
        TortureJob { name: "third", rate, ..STRICT },
        TortureJob { name: "dependent", depends_on: Some("first"), rate, ..STRICT },
        TortureJob {
            name: "loose",
            order: Order::Independent,
            behaviour: Behaviour { fail: 10, ..STRICT.behaviour },
            rate,
            ..STRICT
        },
    ]
}

impl TortureJob {
    /// The first date, such that there are enough dates for a run of this length.
    pub(crate) fn start(&self, now: DateTime<Utc>, seconds: f64) -> DateTime<Utc> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a number of minutes, and a few more or less do not matter"
        )]
        let minutes = (self.rate * seconds).ceil() as i64;
        let minute = now.duration_trunc(TimeDelta::minutes(1)).expect("a minute");
        minute - TimeDelta::minutes(minutes)
    }
}

/// Writes the registry. The two editions differ in nothing that changes a date.
pub(crate) fn registry(jobs: &[(TortureJob, DateTime<Utc>)], folder: &Path, seed: u64, edition: u64) -> String {
    let program = std::env::current_exe().expect("our own path");
    let mut text = String::from("[daemon]\nmax_running = 6\nstop_grace = \"500ms\"\noutput_limit = \"4KiB\"\n");
    for (job, start) in jobs {
        let TortureJob { name, behaviour, .. } = job;
        let words = [
            program.display().to_string(),
            AS_JOB.to_owned(),
            folder.display().to_string(),
            seed.to_string(),
            behaviour.to_string(),
        ];
        text.push_str(&format!("\n[jobs.{name}]\ndescription = \"edition {edition}\"\nschedule = \"* * * * *\"\n"));
        text.push_str(&format!("start = {}\n", start.format("%Y-%m-%dT%H:%M:%SZ")));
        text.push_str(match job.order {
            Order::Strict => "backfill = true\n",
            Order::Independent => "backfill = true\norder = \"independent\"\n",
            Order::Newest => "",
        });
        if let Some(other) = job.depends_on {
            text.push_str(&format!("depends_on = [\"{other}\"]\n"));
        }
        if behaviour.hang > 0 {
            text.push_str(&format!("timeout = \"{}s\"\nkill_grace = \"2s\"\n", TIMEOUT.as_secs()));
        }
        if job.shell {
            // A second command keeps the shell from becoming the first.
            text.push_str(&format!("command = \"{}; exit $?\"\n", words.join(" ")));
        } else {
            text.push_str(&format!("command = {words:?}\n"));
        }
        // The jobs need no other clock, and start quicker without.
        text.push_str("environment = { LD_PRELOAD = \"\" }\nretry = { after = \"1s\", factor = 1 }\n");
    }
    text
}
