//! The keys of a job and of the tables in it.

use super::{Key, Shape, key};

/// What a job holds.
pub(in crate::registry) static JOB: &[Key] = &[
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
        "jitter",
        Shape::Duration,
        "Added to `delay`: a part of it, always the same one for a job on a machine, so that not all jobs start at once.",
        &["randomdelay", "randomizeddelay", "randomizeddelaysec", "splay", "spread", "fuzz"],
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
        "max_parallel",
        Shape::Count,
        "With `order = \"independent\"`: how many dates of the job may run at once. Default: 1.",
        &["parallel", "parallelism", "concurrency", "maxactiveruns", "maxconcurrent", "maxinstances"],
    ),
    key(
        "catch_up",
        Shape::Table(CATCH_UP),
        "Which missed dates are run; the others are recorded as skipped, too old. Default: all.",
        &["catchuplimit", "catchupwindow"],
    ),
    key(
        "overlap",
        Shape::Word(&["wait", "skip"]),
        "What becomes of a date that comes due while the one before it runs: it waits (`wait`, the default) or is skipped (`skip`).",
        &["onoverlap", "concurrencypolicy", "overlappolicy", "skiponovertime"],
    ),
    key(
        "skip_late",
        Shape::Duration,
        "A date that could start only more than this after it was due is skipped. Default: none is.",
        &["skipdelayedby", "startingdeadlineseconds", "misfiregracetime", "maxlateness"],
    ),
    key(
        "pool",
        Shape::Text,
        "The pool whose places its attempts take: `[pools.NAME]`.",
        &["queue", "resource", "semaphore", "mutex", "lock"],
    ),
    key(
        "priority",
        Shape::Integer,
        "Of two jobs that could start, the one with the greater number does. Default: 0.",
        &["prio", "priorityweight", "weight", "importance"],
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
        &["maxruntime", "deadline", "runtimemax", "timelimit"],
    ),
    key(
        "max_duration",
        Shape::Duration,
        "How long an attempt should take: one that takes longer is reported, and goes on.",
        &["expectedduration", "slowafter", "warnafter", "maxtime"],
    ),
    key(
        "kill_grace",
        Shape::Duration,
        "How long after TERM an attempt is killed. Default: `10s`.",
        &["killafter", "killtimeout", "termgrace"],
    ),
    key(
        "depends_on",
        Shape::Dependencies,
        "Jobs whose dates up to D must be settled before D starts; a table says which of their dates.",
        &["depends", "dependencies", "after", "needs", "dependson", "waitfor", "upstream"],
    ),
    key(
        "require",
        Shape::TextOrTexts,
        "Jobs without a schedule that are started for the same date, once, when nobody has, and waited for.",
        &["requires", "required", "prerequisites", "requirements", "uses"],
    ),
    key(
        "done_when",
        Shape::Command,
        "Asked before a date is attempted, and after one was lost: exit status 0 says that it is done already.",
        &["unless", "onlyif", "doneif", "skipif", "creates", "target"],
    ),
    key(
        "on_lost",
        Shape::Word(&["retry", "hold"]),
        "What follows an attempt whose outcome cannot be known: another one (`retry`, the default) or a person's decision (`hold`).",
        &["onunknown", "lost"],
    ),
    key(
        "expect_by",
        Shape::Time,
        "The time of day, in the job's zone, by which a date should be settled: then it is late, and reported.",
        &["expected", "expectedby", "sla", "dueby", "finishby", "doneby"],
    ),
    key(
        "previously",
        Shape::Text,
        "The name that the job had before: it keeps the ledger of that one.",
        &["renamedfrom", "oldname", "formerly", "previousname", "formername"],
    ),
    key("enabled", Shape::Flag, "Whether the job runs at all. Default: true.", &["enable", "active", "on"]),
    key("tags", Shape::Texts, "Words to find the job by.", &["tag", "labels", "groups"]),
];

/// What `retry` of a job holds.
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

/// What `catch_up` of a job holds.
pub(in crate::registry) static CATCH_UP: &[Key] = &[
    key(
        "max_age",
        Shape::Duration,
        "How long ago a date may have come due and still be run.",
        &["age", "window", "within", "maxdays", "since"],
    ),
    key(
        "max_dates",
        Shape::Count,
        "With `backfill`: how many missed dates are run, the newest of them.",
        &["dates", "maxcount", "count", "limit", "max", "maxruns"],
    ),
];

/// What a table in `depends_on` holds.
pub(in crate::registry) static DEPENDENCY: &[Key] = &[
    key("job", Shape::Text, "The job that is waited for.", &["name", "on", "id", "task"]),
    key(
        "covers",
        Shape::Word(&["hour", "day", "week", "month", "year"]),
        "Only its dates within this period around the date, instead of all up to the date.",
        &["within", "period", "per", "window", "span", "during"],
    ),
    key(
        "offset",
        Shape::Offset,
        "By how much the date is moved first, such as `-1d`: days and weeks of the calendar, the rest as elapsed time.",
        &["shift", "delta", "executiondelta", "lag", "delay"],
    ),
    key(
        "ignore_failure",
        Shape::Flag,
        "Whether a date that failed, or is held, need not be waited for. Default: false.",
        &["ignorefailures", "allowfailure", "optional", "ignoreerrors", "always", "soft"],
    ),
];

/// The keys that say something of the dates of a job, and nothing of one that has none.
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
