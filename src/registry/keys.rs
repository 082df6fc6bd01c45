//! The keys of the registry: their names, what they hold and what they are for.
//!
//! The one table that both the check of a file and its JSON Schema come from, so that they cannot drift apart.

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
    /// A number of at least 1.
    Factor,
    Duration,
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
    /// A table of text under names of variables.
    Environment,
    Table(&'static [Key]),
    /// A table of jobs under their names.
    Jobs,
}

impl Shape {
    /// Says what is expected, as the end of "it must be".
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Text | Self::Word(_) => "text in quotes",
            Self::Flag => "`true` or `false`",
            Self::Count => "a whole number",
            Self::Factor => "a number",
            Self::Duration => "a duration in quotes",
            Self::Size => "a number of bytes, or text such as `\"1MiB\"`",
            Self::Zone => "the name of a time zone in quotes",
            Self::Moment => "a day or an instant",
            Self::Command => "text in quotes, or a list of it",
            Self::Texts => "a list of text",
            Self::TextOrTexts => "a list of text, or one text",
            Self::Environment => "a table of text",
            Self::Table(_) | Self::Jobs => "a table",
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
];

/// What an included file holds.
pub(super) static INCLUDED: &[Key] =
    &[key("jobs", Shape::Jobs, "The jobs, each under its name.", &["job", "tasks", "task"])];

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
];

/// What a job holds.
pub(super) static JOB: &[Key] = &[
    key("description", Shape::Text, "What the job is for, for people.", &["comment", "summary", "about", "title"]),
    key(
        "schedule",
        Shape::Text,
        "The dates of the job as five fields of crontab(5), or `@hourly`, `@daily` and so on.",
        &["cron", "crontab", "when", "oncalendar", "calendar"],
    ),
    key(
        "every",
        Shape::Text,
        "The dates of the job as an interval: `15m`, `2h`, `1d`.",
        &["interval", "freq", "frequency", "period", "repeat"],
    ),
    key(
        "at",
        Shape::Text,
        "With an `every` of whole days: the time of day, such as `02:30`. Default: `00:00`.",
        &["time", "hour", "timeofday"],
    ),
    key(
        "timezone",
        Shape::Zone,
        "The time zone of the schedule, such as `Europe/Berlin`. Default: that of `[daemon]`.",
        &["tz", "zone", "crontz"],
    ),
    key(
        "start",
        Shape::Moment,
        "The first day, in the job's zone, or the first instant. Default: when the job is first seen.",
        &["startdate", "from", "since", "begin", "startsat"],
    ),
    key(
        "end",
        Shape::Moment,
        "The last day, in the job's zone and included, or the last instant.",
        &["enddate", "until", "to", "stop", "endsat"],
    ),
    key(
        "delay",
        Shape::Duration,
        "How long after its date a session may start at the earliest.",
        &["offset", "wait", "lag"],
    ),
    key(
        "backfill",
        Shape::Flag,
        "Whether every date matters, missed ones included, or only the newest. Default: false.",
        &["catchup", "backfillable", "persistent", "anacron"],
    ),
    key(
        "order",
        Shape::Word(&["strict", "independent"]),
        "With `backfill`: whether a date waits for the earlier ones (`strict`, the default) or not (`independent`).",
        &["ordering", "dependsonpast"],
    ),
    key(
        "command",
        Shape::Command,
        "What is started: text for `/bin/sh -c`, or a list of arguments in which `{date}`, `{date:STRFTIME}` and `{job}` are filled in.",
        &["cmd", "exec", "execstart", "run", "script", "shell", "program", "args", "argv", "entrypoint"],
    ),
    key(
        "working_directory",
        Shape::Text,
        "Where the command is started; relative to the folder of this file.",
        &["cwd", "workdir", "dir", "directory", "chdir", "wd"],
    ),
    key(
        "environment",
        Shape::Environment,
        "Variables added to the environment of the command.",
        &["env", "environ", "vars", "variables"],
    ),
    key(
        "environment_file",
        Shape::Text,
        "A file of `NAME=value` lines, read at every start; relative to the folder of this file.",
        &["envfile", "dotenv"],
    ),
    key(
        "retry",
        Shape::Table(RETRY),
        "When a failed date is attempted again. Default: every 5 minutes, for ever.",
        &["retries", "retrypolicy", "restart", "backoff"],
    ),
    key(
        "timeout",
        Shape::Duration,
        "How long an attempt may take. Default: as long as it likes.",
        &["maxruntime", "maxduration", "deadline", "runtimemax", "timelimit"],
    ),
    key(
        "kill_grace",
        Shape::Duration,
        "How long after TERM an attempt is killed. Default: `10s`.",
        &["killafter", "killtimeout", "termgrace"],
    ),
    key(
        "depends_on",
        Shape::TextOrTexts,
        "Jobs whose dates up to D must be settled before D starts.",
        &["depends", "dependencies", "requires", "after", "needs", "dependson"],
    ),
    key(
        "on_lost",
        Shape::Word(&["retry", "hold"]),
        "What follows an attempt whose outcome cannot be known: another one (`retry`, the default) or a person's decision (`hold`).",
        &["onunknown", "lost"],
    ),
    key("enabled", Shape::Flag, "Whether the job runs at all. Default: true.", &["enable", "active", "on"]),
    key("tags", Shape::Texts, "Words to find the job by.", &["tag", "labels", "groups"]),
];

/// What `retry` of a job holds.
pub(super) static RETRY: &[Key] = &[
    key(
        "after",
        Shape::Duration,
        "The wait before the second attempt. Default: `5m`.",
        &["delay", "wait", "interval", "initial", "initialdelay", "every", "backoff"],
    ),
    key(
        "factor",
        Shape::Factor,
        "Each further wait is the last one times this. Default: 1.",
        &["multiplier", "backofffactor", "exponent", "base"],
    ),
    key(
        "at_most",
        Shape::Duration,
        "The longest wait.",
        &["max", "maxdelay", "maxwait", "maxinterval", "maximum", "cap", "limit"],
    ),
    key(
        "attempts",
        Shape::Count,
        "How many attempts a date has, the first included; then it is held. Default: no limit.",
        &["maxattempts", "retries", "maxretries", "count", "times", "tries", "number"],
    ),
];
