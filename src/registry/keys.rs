//! The keys of the registry: their names, what they hold and what they are for.
//!
//! The one table that both the check of a file and its JSON Schema come from, so that they cannot drift apart.

mod job;

pub(super) use job::{CATCH_UP, DEPENDENCY, JOB, NEED_A_SCHEDULE, RETRY};

/// One key of a table of the registry.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    /// For people: the description in the schema.
    pub(super) about: &'static str,
    /// What other tools call it, in lower case without `_` and `-`.
    pub(super) foreign: &'static [&'static str],
}

/// What a key holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    Flag,
    /// A whole number of at least 1.
    Count,
    /// A whole number of at least 0.
    Whole,
    /// A whole number, which may be negative.
    Integer,
    /// A number of at least 1.
    Factor,
    Duration,
    /// A duration with its sign.
    Offset,
    /// A time of day.
    Time,
    /// Bytes, as a number or as text with a unit.
    Size,
    Zone,
    /// A day or an instant.
    Moment,
    Command,
    /// A list of text.
    Texts,
    /// A list of text, or one text.
    TextOrTexts,
    /// A list of names of jobs and of tables that say more of one; or one of these.
    Dependencies,
    /// A table of text under names of variables.
    Environment,
    Table(&'static [Key]),
    /// A table of jobs under their names.
    Jobs,
    /// A table of pools under their names.
    Pools,
}

impl Shape {
    /// Says what is expected, as the end of "it must be".
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Text | Self::Word(_) => "text in quotes",
            Self::Flag => "`true` or `false`",
            Self::Count | Self::Whole | Self::Integer => "a whole number",
            Self::Factor => "a number",
            Self::Duration => "a duration in quotes",
            Self::Offset => "a duration with its sign in quotes",
            Self::Time => "a time of day",
            Self::Size => "a number of bytes, or text such as `\"1MiB\"`",
            Self::Zone => "the name of a time zone in quotes",
            Self::Moment => "a day or an instant",
            Self::Command => "text in quotes, or a list of it",
            Self::Texts => "a list of text",
            Self::TextOrTexts => "a list of text, or one text",
            Self::Dependencies => "a list of jobs, or one job",
            Self::Environment => "a table of text",
            Self::Table(_) | Self::Jobs | Self::Pools => "a table",
        }
    }
}

const fn key(name: &'static str, shape: Shape, about: &'static str, foreign: &'static [&'static str]) -> Key {
    Key { name, shape, about, foreign }
}

/// What a registry holds.
pub(super) static TOP: &[Key] = &[
    key("daemon", Shape::Table(DAEMON), "Settings of the daemon.", &["settings", "global", "defaults", "crontabber"]),
    key(
        "include",
        Shape::TextOrTexts,
        "More files with jobs: paths relative to this file; the last part may hold `*` and `?`.",
        &["includes", "import", "files"],
    ),
    key("jobs", Shape::Jobs, "The jobs, each under its name.", &["job", "tasks", "task", "schedules"]),
    POOLS,
];

/// What an included file holds.
pub(super) static INCLUDED: &[Key] =
    &[key("jobs", Shape::Jobs, "The jobs, each under its name.", &["job", "tasks", "task"]), POOLS];

const POOLS: Key = key(
    "pools",
    Shape::Pools,
    "What several jobs share, each under its name: no more attempts of them run at once than a pool has places.",
    &["pool", "queues", "queue", "resources", "resource", "limits", "semaphores"],
);

/// What a pool holds.
pub(super) static POOL: &[Key] = &[key(
    "size",
    Shape::Count,
    "How many attempts of the jobs in this pool may run at once.",
    &["slots", "places", "limit", "max", "count", "concurrency", "capacity", "maxrunning"],
)];

/// What `[daemon]` holds.
pub(super) static DAEMON: &[Key] = &[
    key(
        "ledger",
        Shape::Text,
        "Where the ledger is: `sqlite:///PATH` or `postgres://…`. Default: `ledger.db` in the state directory.",
        &["database", "db", "databaseurl", "url", "dsn", "store"],
    ),
    key(
        "timezone",
        Shape::Zone,
        "The time zone of jobs that name none, such as `Europe/Berlin`. Default: `UTC`.",
        &["tz", "zone"],
    ),
    key(
        "max_running",
        Shape::Count,
        "How many attempts may run at once, over all jobs. Default: 16.",
        &["maxconcurrent", "concurrency", "maxjobs", "parallel", "parallelism", "workers", "maxparallel"],
    ),
    key(
        "stop_grace",
        Shape::Duration,
        "How long a stopping daemon waits for what still runs. Default: `1m`.",
        &["grace", "shutdowntimeout", "stoptimeout", "gracefultimeout"],
    ),
    key(
        "output_limit",
        Shape::Size,
        "How many bytes of the output of an attempt are kept: the head and the tail. Default: `1MiB`.",
        &["maxoutput", "loglimit", "outputsize", "logsize", "maxlogsize"],
    ),
    key(
        "announce_over",
        Shape::Whole,
        "Before more missed dates than this are run, it is said how many of which job and for about how long. Default: 100.",
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
