//! Pauses: no new attempt of some jobs starts, and their dates are recorded.

use std::fmt;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::job::Job;
use crate::text::{in_zone, to_the_second};

/// Which jobs a pause is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PauseScope {
    All,
    /// The jobs that have this tag now.
    Tag(String),
}

impl PauseScope {
    /// Whether a job of the registry is one of them.
    #[must_use]
    pub fn has(&self, job: &Job) -> bool {
        match self {
            Self::All => true,
            Self::Tag(tag) => job.tags.contains(tag),
        }
    }

    /// The tag; absent if it is about all jobs.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::Tag(tag) => Some(tag),
        }
    }

    /// The command that ends such a pause.
    #[must_use]
    pub fn resume_command(&self) -> String {
        self.tag().map_or_else(|| "crontabber resume".to_owned(), |tag| format!("crontabber resume --tag {tag}"))
    }
}

impl fmt::Display for PauseScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all jobs"),
            Self::Tag(tag) => write!(f, "all jobs with the tag `{tag}`"),
        }
    }
}

/// A pause in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    pub scope: PauseScope,
    pub at: DateTime<Utc>,
    /// When it ends by itself.
    pub until: Option<DateTime<Utc>>,
    pub user: String,
    /// Why, in the operator's words.
    pub reason: Option<String>,
}

impl Pause {
    /// Who paused what, when and why.
    #[must_use]
    pub fn describe(&self, zone: Tz) -> String {
        let Self { scope, at, user, reason, .. } = self;
        let because = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        format!("{user} paused {scope} at {}{because}", to_the_second(*at, zone))
    }

    /// What ends it.
    #[must_use]
    pub fn end(&self, zone: Tz) -> String {
        let command = self.scope.resume_command();
        match self.until {
            Some(until) => format!("it ends at {}, or with `{command}`", in_zone(until, zone)),
            None => format!("`{command}` ends it"),
        }
    }

    /// Each of several pauses, with what ends it.
    #[must_use]
    pub fn describe_all<'a>(pauses: impl IntoIterator<Item = &'a Self>, zone: Tz) -> String {
        let each = pauses.into_iter().map(|pause| format!("{}; {}", pause.describe(zone), pause.end(zone)));
        each.collect::<Vec<_>>().join("; ")
    }
}
