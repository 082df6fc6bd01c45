//! The commands that change dates, without a daemon: what each does, what its dry run says, and what it refuses.

mod attempting;
mod backfill;
mod cancel;
mod confirmation;
mod downstream;
mod enabling;
mod explanations;
mod off_record;
mod refusals;
mod repeating;
mod settling;
mod why;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crontabber::session::{AttemptKey, Outcome};
use serde_json::Value;

use crate::fixture::{Fixture, Said, at, said};

const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// Now it is 13:00 of the fifth in Berlin. `load` has failed at the third, `free` at the second; `six` never ran.
const JOBS: &str = r#"
[daemon]
timezone = "Europe/Berlin"
[jobs.load]
schedule = "0 3 * * *"
start = 2024-11-01
backfill = true
retry = { after = "3h" }
command = "true"
[jobs.free]
schedule = "0 4 * * *"
start = 2024-11-01
backfill = true
order = "independent"
retry = { attempts = 1 }
command = "true"
[jobs.six]
schedule = "0 */6 * * *"
start = 2024-11-04
end = 2024-11-07
backfill = true
depends_on = ["load"]
command = "true"
[jobs.newest]
schedule = "0 5 * * *"
command = "true"
"#;

/// A folder with a ledger, and somebody who types commands in it at 13:00 of the fifth of November 2024, in Berlin.
struct Hand {
    place: Fixture,
    user: String,
    host: String,
}

/// The word of a program of the system.
fn word(program: &str, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Hand {
    /// A ledger that has lived through the dates until now.
    fn new() -> Self {
        let hand = Self::fresh(JOBS);
        hand.place.live(at("2024-11-05T11:00:00Z"), |attempt: &AttemptKey| {
            let (job, date) = (attempt.session.job.as_str(), attempt.session.date);
            let fails = (job == "load" && date == at("2024-11-03T02:00:00Z"))
                || (job == "free" && date == at("2024-11-02T03:00:00Z"));
            Some(if fails { Outcome::Failed { code: 4 } } else { Outcome::Succeeded })
        });
        hand
    }

    /// No ledger yet.
    fn fresh(registry: &str) -> Self {
        Self { place: Fixture::new(registry), user: word("id", "-un"), host: word("uname", "-n") }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let library = std::env::var("CRONTABBER_FAKETIME").unwrap_or_else(|_| LIBRARY.to_owned());
        assert!(Path::new(&library).exists(), "`{library}` is missing: install Debian's package `faketime`");
        let mut command = self.place.command(arguments);
        command.env("LD_PRELOAD", library).env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("FAKETIME_NO_CACHE", "1");
        command.env("FAKETIME", "2024-11-05 12:00:00").env("TZ", "UTC");
        command
    }

    fn ask(&self, arguments: &[&str]) -> Said {
        said(&self.command(arguments).output().unwrap())
    }

    /// What a command says, for a snapshot.
    fn tell(&self, line: &str) -> String {
        let arguments: Vec<&str> = line.split(' ').collect();
        let Said { out, err, exit } = self.ask(&arguments);
        let who = format!("by {}", self.user);
        let disabled = format!("{} disabled it", self.user);
        let told = format!("{line}: {exit}\n{err}{out}");
        told.trim_end().replace(&who, "by USER").replace(&disabled, "USER disabled it")
    }

    /// What several commands say, one after the other.
    fn tell_all(&self, lines: &[&str]) -> String {
        let told: Vec<String> = lines.iter().map(|line| self.tell(line)).collect();
        told.join("\n")
    }

    /// Each session: its job and date, and all that the ledger knows of it.
    fn sessions(&self) -> BTreeMap<String, Value> {
        let rows = self.ask(&["sessions", "--json"]).json();
        let key = |row: &Value| format!("{} {}", row["job"].as_str().unwrap(), row["date"].as_str().unwrap());
        rows.as_array().unwrap().iter().map(|row| (key(row), row.clone())).collect()
    }

    /// Everything that a dry run must leave as it is.
    fn everything(&self) -> Vec<String> {
        let readings =
            [&["sessions", "--json"][..], &["attempts", "--json"], &["audit", "--json"], &["list", "--json"]];
        readings.into_iter().map(|reading| self.ask(reading).out).collect()
    }

    /// `date state` of each session of a job.
    fn states(&self, job: &str) -> String {
        let rows = self.ask(&["sessions", job, "--json"]).json();
        let state =
            |row: &Value| format!("{} {}", &row["date"].as_str().unwrap()[5..16], row["state"].as_str().unwrap());
        rows.as_array().unwrap().iter().map(state).collect::<Vec<_>>().join("\n")
    }

    /// Does what a line says, first dry: the dry run changes nothing, and then exactly what it said is done.
    fn does_what_its_dry_run_says(&self, line: &str) -> String {
        let with = |more: &[&'static str]| -> Vec<String> {
            line.split(' ').map(str::to_owned).chain(more.iter().map(|more| (*more).to_owned())).collect()
        };
        let ask = |more: &[&'static str]| {
            let all = with(more);
            self.ask(&all.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let before = self.everything();
        let sessions = self.sessions();
        let told = ask(&["--dry-run"]);
        let dry = ask(&["--dry-run", "--json"]);
        assert_eq!((told.exit, dry.exit, dry.err.as_str()), (0, 0, ""), "{line}: {told:?} {dry:?}");
        assert_eq!(self.everything(), before, "{line}: a dry run changes nothing");
        let real = ask(&["--json", "--reason", "a-reason"]);
        assert_eq!(real.exit, 0, "{line}: {real:?}");
        let (dry, real) = (dry.json(), real.json());
        for field in ["job", "operation", "done", "text", "count", "from", "to"] {
            assert_eq!(dry[field], real[field], "{line}: `{field}`\n{dry}\n{real}");
        }
        assert_eq!((&dry["dry_run"], &real["dry_run"]), (&Value::Bool(true), &Value::Bool(false)));
        let text = dry["text"].as_str().unwrap();
        assert!(
            told.out.starts_with(&format!("dry run, nothing is changed; it would answer: {text}\n")),
            "{line}: {told:?}"
        );
        // The rows that are another than before are those of the dates that were named, and of no others.
        let job = dry["job"].as_str().unwrap();
        let named: Vec<String> =
            dry["dates"].as_array().unwrap().iter().map(|date| format!("{job} {}", date.as_str().unwrap())).collect();
        let after = self.sessions();
        let changed: Vec<String> =
            after.iter().filter(|(key, row)| sessions.get(*key) != Some(row)).map(|(key, _)| key.clone()).collect();
        assert_eq!(changed, named, "{line}: {dry}");
        assert_eq!(Some(named.len() as u64), dry["count"].as_u64(), "{line}: {dry}");
        self.is_in_the_audit(&dry);
        let verified = self.ask(&["verify"]);
        assert_eq!(verified.exit, 0, "{line}: {verified:?}");
        told.out
    }

    /// The newest act is the one that was announced, with who did it, where, when and why.
    fn is_in_the_audit(&self, dry: &Value) {
        let audit = self.ask(&["audit", "--limit", "1", "--json"]).json();
        let act = &audit[0];
        let fields =
            [("action", "operation"), ("job", "job"), ("done", "done"), ("answer", "text"), ("dates", "count")];
        for (field, announced) in fields {
            assert_eq!(act[field], dry[announced], "`{field}`: {act}");
        }
        if dry["count"].as_u64() > Some(0) {
            assert_eq!((&act["from"], &act["to"]), (&dry["from"], &dry["to"]), "{act}");
        }
        let expected = [&self.user, &self.host, "a-reason", "2024-11-05T13:00:00+01:00"];
        assert_eq!(["user", "host", "reason", "at"].map(|field| act[field].as_str().unwrap()), expected);
    }
}
