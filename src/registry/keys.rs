//! The keys of the registry: names, shapes and descriptions.
//!
//! The checks and the JSON Schema use this one table, so that they cannot differ.

mod job;

pub(super) use job::{CATCH_UP, DEPENDENCY, JOB, NEED_A_SCHEDULE, RETRY};

#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    /// The description in the schema.
    pub(super) about: &'static str,
    /// What other tools call it, in lower case without `_` and `-`.
    pub(super) foreign: &'static [&'static str],
}

/// The shape of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    String,
    /// One of these strings.
    Choice(&'static [&'static str]),
    Boolean,
    /// An integer of at least 1.
    Count,
    /// An integer of at least 0.
    Unsigned,
    /// An integer, which may be negative.
    AnyInteger,
    /// A number of at least 1.
    Factor,
    Duration,
    /// A duration with an optional sign.
    Offset,
    Time,
    /// Bytes, as an integer or as a string with a unit.
    Size,
    Zone,
    DayOrInstant,
    Command,
    Strings,
    StringOrStrings,
    /// An array of job names and of [`DEPENDENCY`] tables; or one of these.
    Dependencies,
    /// A table of strings.
    Environment,
    Table(&'static [Key]),
    /// A table of jobs by name.
    Jobs,
    /// A table of pools by name.
    Pools,
}

impl Shape {
    /// What is expected, to complete "must be …".
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::String | Self::Choice(_) => "a string",
            Self::Boolean => "`true` or `false`",
            Self::Count | Self::Unsigned | Self::AnyInteger => "an integer",
            Self::Factor => "a number",
            Self::Duration => "a duration such as `\"10m\"`",
            Self::Offset => "a signed duration such as `\"-1d\"`",
            Self::Time => "a time of day such as `\"07:30\"`",
            Self::Size => "a number of bytes, or a string such as `\"1MiB\"`",
            Self::Zone => "a time zone such as `\"Europe/Berlin\"`",
            Self::DayOrInstant => "a day or an instant",
            Self::Command => "a string or an array of strings",
            Self::Strings => "an array of strings",
            Self::StringOrStrings => "an array of strings or a string",
            Self::Dependencies => "an array of jobs or a job",
            Self::Environment => "a table of strings",
            Self::Table(_) | Self::Jobs | Self::Pools => "a table",
        }
    }
}

const fn key(name: &'static str, shape: Shape, about: &'static str, foreign: &'static [&'static str]) -> Key {
    Key { name, shape, about, foreign }
}

/// The top level.
pub(super) static TOP: &[Key] = &[
    key("daemon", Shape::Table(DAEMON), "Settings of the daemon.", &["settings", "global", "defaults", "crontabber"]),
    key(
        "include",
        Shape::StringOrStrings,
        "More files with jobs and pools, relative to this file. The last part of a path may contain `*` and `?`.",
        &["includes", "import", "files"],
    ),
    key("jobs", Shape::Jobs, "Jobs by name.", &["job", "tasks", "task", "schedules"]),
    POOLS,
];

/// The top level of an included file.
pub(super) static INCLUDED: &[Key] = &[key("jobs", Shape::Jobs, "Jobs by name.", &["job", "tasks", "task"]), POOLS];

const POOLS: Key = key(
    "pools",
    Shape::Pools,
    "Pools by name. A pool limits how many attempts of its jobs run at once.",
    &["pool", "queues", "queue", "resources", "resource", "limits", "semaphores"],
);

/// A pool.
pub(super) static POOL: &[Key] = &[key(
    "size",
    Shape::Count,
    "How many attempts of the jobs in this pool may run at once.",
    &["slots", "places", "limit", "max", "count", "concurrency", "capacity", "maxrunning"],
)];

/// `[daemon]`.
pub(super) static DAEMON: &[Key] = &[
    key(
        "ledger",
        Shape::String,
        "The URL of the ledger: `sqlite:///PATH` or `postgres://…`. Default: `ledger.db` in the state directory.",
        &["database", "db", "databaseurl", "url", "dsn", "store"],
    ),
    key(
        "timezone",
        Shape::Zone,
        "The default time zone of jobs, such as `Europe/Berlin`. Default: `UTC`.",
        &["tz", "zone"],
    ),
    key(
        "max_running",
        Shape::Count,
        "How many attempts of all jobs may run at once. Default: 16.",
        &["maxconcurrent", "concurrency", "maxjobs", "parallel", "parallelism", "workers", "maxparallel"],
    ),
    key(
        "stop_grace",
        Shape::Duration,
        "How long a stopping daemon waits for running attempts. Default: `1m`.",
        &["grace", "shutdowntimeout", "stoptimeout", "gracefultimeout"],
    ),
    key(
        "output_limit",
        Shape::Size,
        "How many bytes of the output of an attempt are kept: its head and its tail. Default: `1MiB`.",
        &["maxoutput", "loglimit", "outputsize", "logsize", "maxlogsize"],
    ),
    key(
        "announce_over",
        Shape::Unsigned,
        "Before catching up on more dates than this, the daemon logs how many dates of which job, and for about how long. Default: 100.",
        &["announce", "announceabove", "announcefrom", "confirmover", "warnover"],
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_word_of_others_means_one_key() {
        for keys in [TOP, INCLUDED, DAEMON, POOL, JOB, RETRY, CATCH_UP, DEPENDENCY] {
            let mut seen = BTreeSet::new();
            for word in keys.iter().flat_map(|key| key.foreign) {
                assert!(seen.insert(word), "`{word}` stands for two keys");
                assert!(!keys.iter().any(|key| key.name == *word), "`{word}` is a key itself");
                assert!(!word.contains(['_', '-']) && *word == word.to_lowercase(), "`{word}` is never found");
            }
        }
    }

    #[test]
    fn what_needs_a_schedule_is_a_key() {
        for name in NEED_A_SCHEDULE {
            assert!(JOB.iter().any(|key| key.name == *name), "{name}");
        }
    }
}
