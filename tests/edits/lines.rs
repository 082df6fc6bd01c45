//! The jobs of a case: a script that writes a line for each attempt, and fails on some days.

use std::fs;

use chrono::{DateTime, Utc};

use crate::lab::Lab;
use crate::random::Random;
use crate::rules::At;

const SCRIPT: &str = r#"outcome=succeeded
. DIR/failing
echo "$CRONTABBER_JOB $CRONTABBER_UNIXTIME $CRONTABBER_DATE $CRONTABBER_SESSION_DATE $CRONTABBER_IDEMPOTENCY_KEY $CRONTABBER_ATTEMPT $outcome" >> DIR/lines-$1
test $outcome = succeeded
"#;

/// An attempt, as its job wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// The name of the job at that time.
    pub(crate) job: String,
    pub(crate) date: At,
    /// `CRONTABBER_DATE`.
    pub(crate) told: String,
    /// `CRONTABBER_SESSION_DATE`.
    pub(crate) day: String,
    pub(crate) key: String,
    pub(crate) attempt: u32,
    pub(crate) succeeded: bool,
}

impl Line {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        let [job, seconds, told, day, key, attempt, outcome] = words.as_slice() else { return None };
        Some(Self {
            job: (*job).to_owned(),
            date: DateTime::<Utc>::from_timestamp(seconds.parse().ok()?, 0)?,
            told: (*told).to_owned(),
            day: (*day).to_owned(),
            key: (*key).to_owned(),
            attempt: attempt.parse().ok()?,
            succeeded: *outcome == "succeeded",
        })
    }
}

/// Writes the script of the jobs.
pub(crate) fn write_script(lab: &Lab) {
    fs::write(lab.path("job.sh"), SCRIPT.replace("DIR", &lab.folder.path().display().to_string())).expect("a script");
    let_all_succeed(lab);
}

/// From now on no date fails.
pub(crate) fn let_all_succeed(lab: &Lab) {
    fs::write(lab.path("failing"), ":\n").expect("a file");
}

/// From now on the jobs fail on days whose number ends with certain digits; returns which.
pub(crate) fn let_some_fail(lab: &Lab, files: u32, random: &mut Random) -> String {
    let patterns = (1..=files).map(|file| format!("{file}-*{}", random.below(10))).collect::<Vec<_>>().join("|");
    let text = format!("case $1-$CRONTABBER_SESSION_DATE in {patterns}) outcome=failed;; esac\n");
    fs::write(lab.path("failing"), &text).expect("a file");
    patterns
}

/// The lines of all jobs after the first so many of each file; moves these counts on.
pub(crate) fn read_new(lab: &Lab, files: u32, read: &mut Vec<usize>) -> Vec<Line> {
    read.resize(files as usize + 1, 0);
    let mut new = Vec::new();
    for file in 1..=files {
        let lines = lab.lines(&format!("lines-{file}"));
        let count = &mut read[file as usize];
        new.extend(lines[*count..].iter().map(|text| Line::parse(text).unwrap_or_else(|| panic!("a line: {text}"))));
        *count = lines.len();
    }
    new
}
