//! The keys of a job and of the tables in it.

use super::{Key, Shape, key};

/// `[jobs.NAME]`.
pub(in crate::registry) static JOB: &[Key] = &[
    key("description", Shape::String, "A description of the job.", &["comment", "summary", "about", "title"]),
    key(
        "schedule",
        Shape::String,
        "The dates of the job: five fields as in crontab(5), or `@hourly`, `@daily` and so on.",
        &["cron", "crontab", "when", "oncalendar", "calendar"],
    ),
    key(
        "every",
        Shape::String,
        "The dates of the job as an interval: `15m`, `2h`, `1d`.",
        &["interval", "freq", "frequency", "period", "repeat"],
    ),
    key(
        "at",
        Shape::String,
        "The time of day for an `every` of whole days, such as `02:30`. Default: `00:00`.",
        &["time", "hour", "timeofday"],
    ),
    key(
        "timezone",
        Shape::Zone,
        "The time zone of the schedule, such as `Europe/Berlin`. Default: `timezone` of `[daemon]`.",
        &["tz", "zone", "crontz"],
    ),
    key(
        "start",
        Shape::DayOrInstant,
        "The first day, in the job's zone, or the first instant. Default: when the daemon first sees the job.",
        &["startdate", "from", "since", "begin", "startsat"],
    ),
    key(
        "end",
        Shape::DayOrInstant,
        "The last day, in the job's zone, or the last instant; both inclusive.",
        &["enddate", "until", "to", "stop", "endsat"],
    ),
    key(
        "delay",
        Shape::Duration,
        "How long after its date a session becomes due. Default: `0s`.",
        &["offset", "wait", "lag"],
    ),
    key(
        "jitter",
        Shape::Duration,
        "The longest addition to `delay`. Every job gets its own share of it, always the same on one machine, so that jobs do not all start at once.",
        &["randomdelay", "randomizeddelay", "randomizeddelaysec", "splay", "spread", "fuzz"],
    ),
    key(
        "backfill",
        Shape::Boolean,
        "Whether every date runs, missed dates included, or only the newest one. Default: false.",
        &["catchup", "backfillable", "persistent", "anacron"],
    ),
    key(
        "order",
        Shape::Choice(&["strict", "independent"]),
        "With `backfill`: whether a date waits for all earlier dates (`strict`, the default) or not (`independent`).",
        &["ordering", "dependsonpast"],
    ),
    key(
        "max_parallel",
        Shape::Count,
        "With `order = \"independent\"`: how many dates of the job may run at once. Default: 1.",
        &["parallel", "parallelism", "concurrency", "maxactiveruns", "maxconcurrent", "maxinstances"],
    ),
    key(
        "catch_up",
        Shape::Table(CATCH_UP),
        "Which missed dates run; the others are recorded as skipped, too old. Default: all.",
        &["catchuplimit", "catchupwindow"],
    ),
    key(
        "overlap",
        Shape::Choice(&["wait", "skip"]),
        "What happens to a date that becomes due while the previous one is running: it waits (`wait`, the default) or is skipped (`skip`).",
        &["onoverlap", "concurrencypolicy", "overlappolicy", "skiponovertime"],
    ),
    key(
        "skip_late",
        Shape::Duration,
        "A date that could only start later than this after it was due is skipped. Default: no date is.",
        &["skipdelayedby", "startingdeadlineseconds", "misfiregracetime", "maxlateness"],
    ),
    key(
        "pool",
        Shape::String,
        "The pool that limits the attempts of the job: `[pools.NAME]`.",
        &["queue", "resource", "semaphore", "mutex", "lock"],
    ),
    key(
        "priority",
        Shape::AnyInteger,
        "Among jobs that are ready, the one with the highest number starts first. Default: 0.",
        &["prio", "priorityweight", "weight", "importance"],
    ),
    key(
        "command",
        Shape::Command,
        "What to run: a string for `/bin/sh -c`, or an array of arguments in which `{date}`, `{date:STRFTIME}` and `{job}` are replaced.",
        &["cmd", "exec", "execstart", "run", "script", "shell", "program", "args", "argv", "entrypoint"],
    ),
    key(
        "working_directory",
        Shape::String,
        "The working directory of the command, relative to the folder of this file.",
        &["cwd", "workdir", "dir", "directory", "chdir", "wd"],
    ),
    key(
        "environment",
        Shape::Environment,
        "Environment variables to add for the command.",
        &["env", "environ", "vars", "variables"],
    ),
    key(
        "environment_file",
        Shape::String,
        "A file of `NAME=value` lines, read at every start; relative to the folder of this file.",
        &["envfile", "dotenv"],
    ),
    key(
        "retry",
        Shape::Table(RETRY),
        "When a failed date is retried. Default: every 5 minutes, without limit.",
        &["retries", "retrypolicy", "restart", "backoff"],
    ),
    key(
        "timeout",
        Shape::Duration,
        "The longest run time of an attempt, after which it is stopped. Default: unlimited.",
        &["maxruntime", "deadline", "runtimemax", "timelimit"],
    ),
    key(
        "max_duration",
        Shape::Duration,
        "The expected run time of an attempt. A longer attempt is reported and continues.",
        &["expectedduration", "slowafter", "warnafter", "maxtime"],
    ),
    key(
        "kill_grace",
        Shape::Duration,
        "The time between TERM and KILL when an attempt is stopped. Default: `10s`.",
        &["killafter", "killtimeout", "termgrace"],
    ),
    key(
        "depends_on",
        Shape::Dependencies,
        "Jobs whose dates up to D must be settled before D starts. A table selects other dates.",
        &["depends", "dependencies", "after", "needs", "dependson", "waitfor", "upstream"],
    ),
    key(
        "require",
        Shape::StringOrStrings,
        "Jobs without a schedule that run once for the same date first.",
        &["requires", "required", "prerequisites", "requirements", "uses"],
    ),
    key(
        "done_when",
        Shape::Command,
        "A command that runs before an attempt, and after a lost one: with exit status 0, the date is already done.",
        &["unless", "onlyif", "doneif", "skipif", "creates", "target"],
    ),
    key(
        "on_lost",
        Shape::Choice(&["retry", "hold"]),
        "What follows an attempt with an unknown outcome: another attempt (`retry`, the default), or the date is held for an operator (`hold`).",
        &["onunknown", "lost"],
    ),
    key(
        "expect_by",
        Shape::Time,
        "The time of day, in the job's zone, by which a date should be settled. After it, the date is reported as late.",
        &["expected", "expectedby", "sla", "dueby", "finishby", "doneby"],
    ),
    key(
        "previously",
        Shape::String,
        "The former name of the job, whose ledger it takes over.",
        &["renamedfrom", "oldname", "formerly", "previousname", "formername"],
    ),
    key("enabled", Shape::Boolean, "Whether the job runs. Default: true.", &["enable", "active", "on"]),
    key("tags", Shape::Strings, "Words to filter jobs by.", &["tag", "labels", "groups"]),
];

/// `retry` of a job.
pub(in crate::registry) static RETRY: &[Key] = &[
    key(
        "after",
        Shape::Duration,
        "The wait before the second attempt. Default: `5m`.",
        &["delay", "wait", "interval", "initial", "initialdelay", "every", "backoff"],
    ),
    key(
        "factor",
        Shape::Factor,
        "Each further wait is the previous one times this factor. Default: 1.",
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
        "How many attempts a date has, including the first; then it is held. Default: unlimited.",
        &["maxattempts", "retries", "maxretries", "count", "times", "tries", "number"],
    ),
];

/// `catch_up` of a job.
pub(in crate::registry) static CATCH_UP: &[Key] = &[
    key(
        "max_age",
        Shape::Duration,
        "The oldest missed dates that run, by the time since they were due.",
        &["age", "window", "within", "maxdays", "since"],
    ),
    key(
        "max_dates",
        Shape::Count,
        "With `backfill`: how many missed dates run, the newest ones.",
        &["dates", "maxcount", "count", "limit", "max", "maxruns"],
    ),
];

/// A table in `depends_on`.
pub(in crate::registry) static DEPENDENCY: &[Key] = &[
    key("job", Shape::String, "The name of the other job.", &["name", "on", "id", "task"]),
    key(
        "covers",
        Shape::Choice(&["hour", "day", "week", "month", "year"]),
        "Only dates within this period around the date, instead of all dates up to it.",
        &["within", "period", "per", "window", "span", "during"],
    ),
    key(
        "offset",
        Shape::Offset,
        "Shifts the date first, such as `-1d`. Days and weeks are calendar days, the rest is elapsed time.",
        &["shift", "delta", "executiondelta", "lag", "delay"],
    ),
    key(
        "ignore_failure",
        Shape::Boolean,
        "Whether failed and held dates count as settled. Default: false.",
        &["ignorefailures", "allowfailure", "optional", "ignoreerrors", "always", "soft"],
    ),
];

/// The keys that have no effect without a schedule.
pub(in crate::registry) static NEED_A_SCHEDULE: &[&str] = &[
    "start",
    "end",
    "delay",
    "jitter",
    "backfill",
    "order",
    "max_parallel",
    "catch_up",
    "overlap",
    "skip_late",
    "expect_by",
];
