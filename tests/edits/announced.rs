//! What `crontabber check --json` announces of an edit, and whether that is what then happened.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use serde_json::Value;

use crate::ledger::{JobRows, Row};
use crate::rules::At;

/// What is announced of one job.
#[derive(Debug, Clone, Default)]
pub(crate) struct Announced {
    pub(crate) is_held: bool,
    added: BTreeSet<At>,
    excluded: BTreeSet<At>,
    /// Each with the date that stands for it.
    pub(crate) moved: BTreeMap<At, At>,
    /// The sentences.
    text: String,
}

impl Announced {
    /// What `check --json` says about a job.
    pub(crate) fn of(check: &Value, job: &str) -> Self {
        let mut announced = Self::default();
        for edit in check["edits"].as_array().into_iter().flatten().filter(|edit| edit["job"] == job) {
            let at = |date: &Value| {
                let text = date.as_str().expect("a date");
                DateTime::parse_from_rfc3339(text).expect("an instant").to_utc()
            };
            let dates = |key: &str| edit[key].as_array().into_iter().flatten();
            announced.is_held |= edit["change"] == "held";
            announced.added.extend(dates("added").map(at));
            announced.excluded.extend(dates("excluded").map(at));
            announced.moved.extend(dates("moved").map(|pair| (at(&pair["date"]), at(&pair["of"]))));
            announced.text.push_str(edit["text"].as_str().unwrap_or_default());
        }
        announced
    }

    /// Compares it with what the wake did to the rows of the job.
    pub(crate) fn compare(&self, before: &JobRows, after: &JobRows) -> Vec<String> {
        let mut wrong = Vec::new();
        let was = |date: &At| before.rows.get(date);
        let mut compare = |what: &str, announced: &BTreeSet<At>, done: BTreeSet<At>| {
            if *announced != done {
                let (name, text) = (&after.name, &self.text);
                wrong.push(format!("{name}: announced as {what}: {announced:?}; done: {done:?}; the words: {text}"));
            }
        };
        let is_excluded = |row: &Row| row.state == "skipped: excluded";
        let excluded = |(date, row): &(&At, &Row)| is_excluded(row) && !was(date).is_some_and(is_excluded);
        compare("excluded", &self.excluded, after.rows.iter().filter(excluded).map(|(date, _)| *date).collect());
        if self.is_held {
            return wrong;
        }
        let Some(watermark) = before.watermark else { return wrong };
        let is_new = |(date, row): &(&At, &Row)| !row.is_out() && was(date).is_none_or(Row::is_out);
        let added = after.rows.range(..=watermark).filter(is_new).map(|(date, _)| *date).collect();
        compare("added", &self.added, added);
        wrong
    }
}
