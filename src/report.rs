//! What crontabber says about jobs and dates, as data: the command line prints it, and any other interface can.
//!
//! Nothing here parses arguments, prints, or knows about terminals. Rows (`…Row`) are what programs read: their fields are
//! those of the JSON.

pub(crate) mod attempts;
pub(crate) mod daemon;
pub mod date;
pub(crate) mod date_resolve;
pub(crate) mod downstream;
pub(crate) mod duration_stats;
pub(crate) mod edits;
pub(crate) mod error;
pub(crate) mod health;
pub mod job_filter;
pub(crate) mod jobs;
pub(crate) mod last_lines;
pub(crate) mod lateness;
pub(crate) mod merged_dates;
pub(crate) mod orphans;
pub(crate) mod other_ledgers;
pub(crate) mod plan;
pub(crate) mod preview;
pub(crate) mod scheduling;
pub(crate) mod sessions;
pub(crate) mod severity;
pub(crate) mod status;
pub(crate) mod why;
pub(crate) mod zones;
