//! Compares the ledger at the end with the files of the jobs.

use std::collections::HashMap;

use chrono::DateTime;
use serde_json::Value;

use crate::checker::Story;
use crate::environment::Environment;
use crate::fault_log::Gap;
use crate::lab::{stderr, stdout};

/// An attempt, as the ledger has it.
struct Row {
    outcome: String,
    code: Option<i64>,
    text: String,
}

/// What the ledger has.
pub(crate) struct Rows(HashMap<(String, i64, u32), Row>);

impl Rows {
    pub(crate) fn read(environment: &Environment) -> Self {
        let rows = environment.lab.json(&["attempts"]);
        let all = rows.as_array().into_iter().flatten().filter_map(|row| {
            let job = row["job"].as_str()?.to_owned();
            let date = DateTime::parse_from_rfc3339(row["date"].as_str()?).ok()?.timestamp();
            let number = u32::try_from(row["attempt"].as_u64()?).ok()?;
            let outcome = row["outcome"].as_str().unwrap_or("open").to_owned();
            Some(((job, date, number), Row { outcome, code: row["exit_code"].as_i64(), text: row.to_string() }))
        });
        Self(all.collect())
    }

    pub(crate) fn count(&self, outcome: &str) -> u64 {
        self.0.values().filter(|row| row.outcome == outcome).count() as u64
    }

    /// The differences between the ledger and the jobs' files.
    pub(crate) fn compare(&self, stories: &mut [Story], gaps: &[Gap]) {
        for story in stories {
            for one in story.tries.clone() {
                let row = self.0.get(&(story.job.clone(), one.date, one.attempt));
                let Some(row) = row else {
                    story.wrong_try(&one, "the ledger does not know this attempt".to_owned());
                    continue;
                };
                let is_true = match (row.outcome.as_str(), one.ended) {
                    ("failed", Some((_, status))) => row.code == Some(i64::from(status)),
                    // For its timeout it was killed before it could say that it ended, or after it had failed.
                    ("succeeded", Some((_, 0))) | ("timed-out", None | Some((_, 1..))) => true,
                    ("lost" | "timed-out" | "interrupted", _) => one.is_excused(gaps),
                    _ => false,
                };
                if !is_true {
                    story.wrong_try(&one, format!("the ledger says otherwise: {}", row.text));
                }
            }
            let unknown = self.0.iter().filter(|((job, date, attempt), row)| {
                *job == story.job && row.outcome == "succeeded" && !story.knows(*date, *attempt)
            });
            let unknown: Vec<(i64, String)> = unknown.map(|((_, date, _), row)| (*date, row.text.clone())).collect();
            for (date, text) in unknown {
                story.wrong(0, Some(date), format!("the ledger has a success that its job knows nothing of: {text}"));
            }
        }
    }
}

/// Whether every due date of every job is settled.
pub(crate) fn is_drained(environment: &Environment) -> bool {
    let output = environment.lab.run(&["--json", "list"]);
    let Ok(rows) = serde_json::from_slice::<Value>(&output.stdout) else { return false };
    let done = |row: &Value| row["backlog"] == 0 && row["running"].as_array().is_some_and(Vec::is_empty);
    rows.as_array().is_some_and(|rows| rows.len() == environment.jobs.len() && rows.iter().all(done))
}

/// What `crontabber verify` finds, if it finds anything.
pub(crate) fn verify(environment: &Environment) -> Option<String> {
    let output = environment.lab.run(&["verify"]);
    (!output.status.success()).then(|| format!("{}{}", stdout(&output), stderr(&output)))
}
