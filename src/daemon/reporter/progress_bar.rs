//! Progress bars, one for each job that catches up on many dates.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::job::JobName;

/// The bars.
pub(super) struct Bar {
    all: MultiProgress,
    jobs: HashMap<JobName, ProgressBar>,
}

impl Bar {
    pub(super) fn new() -> Self {
        Self { all: MultiProgress::new(), jobs: HashMap::new() }
    }

    /// Shows a bar for a job, or makes its bar longer.
    pub(super) fn begin(&mut self, job: &JobName, behind: u64) {
        let all = &self.all;
        let bar = self.jobs.entry(job.clone()).or_insert_with(|| {
            let template = "          {prefix} {wide_bar} {pos}/{len} {msg} {per_sec} eta {eta}";
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = all.add(ProgressBar::new(behind)).with_style(style);
            bar.set_prefix(job.to_string());
            bar
        });
        let length = bar.position() + behind;
        if bar.length().is_none_or(|now| now < length) {
            bar.set_length(length);
        }
    }

    pub(super) fn covers(&self, job: &JobName) -> bool {
        self.jobs.contains_key(job)
    }

    /// Moves a job's bar; with its last date gives how many dates it covered, and how long that took.
    pub(super) fn advance(&mut self, job: &JobName, behind: u64, date: &str) -> Option<(u64, Duration)> {
        let bar = self.jobs.get(job)?;
        let length = bar.length().unwrap_or_default().max(behind);
        bar.set_position(length - behind);
        bar.set_message(date.to_owned());
        if behind > 0 {
            return None;
        }
        let finished = (length, bar.elapsed());
        bar.finish_and_clear();
        self.jobs.remove(job);
        Some(finished)
    }

    /// Does something while no bar is on the screen.
    pub(super) fn suspend(&self, act: impl FnOnce()) {
        self.all.suspend(act);
    }
}
