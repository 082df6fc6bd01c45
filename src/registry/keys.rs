//! The keys of the registry: names, shapes and descriptions.
//!
//! The checks and the JSON Schema use this one table, so that they cannot differ.

#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    /// The description in the schema, after a space.
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
    /// A string, or `false`.
    StringOrFalse,
    /// A duration, or `false`.
    DurationOrFalse,
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
            Self::StringOrFalse => "a string or `false`",
            Self::DurationOrFalse => "a duration such as `\"1d\"`, or `false`",
            Self::StringOrStrings => "an array of strings or a string",
            Self::Dependencies => "an array of jobs or a job",
            Self::Environment => "a table of strings",
            Self::Table(_) | Self::Jobs | Self::Pools => "a table",
        }
    }
}

/// A table of keys: the description, the name, the shape, and what other tools call it.
macro_rules! keys {
    ($($(#[doc = $about:literal])+ $name:ident: $shape:ident $(($of:expr))?, [$($foreign:literal),+ $(,)?];)+) => {
        &[$(Key {
            name: stringify!($name),
            shape: Shape::$shape $(($of))?,
            about: concat!($($about),+),
            foreign: &[$($foreign),+],
        }),+]
    };
}

/// The top level.
pub(super) static TOP: &[Key] = keys! {
    /// Settings of the daemon.
    daemon: Table(DAEMON), ["settings", "global", "defaults", "crontabber"];
    /// More files with jobs and pools, relative to this file. The last part of a path may contain `*` and `?`.
    include: StringOrStrings, ["includes", "import", "files"];
    /// Jobs by name.
    jobs: Jobs, ["job", "tasks", "task", "schedules"];
    /// Pools by name. A pool limits how many attempts of its jobs run at once.
    pools: Pools, ["pool", "queues", "queue", "resources", "resource", "limits", "semaphores"];
};

/// The top level of an included file.
pub(super) static INCLUDED: &[Key] = keys! {
    /// Jobs by name.
    jobs: Jobs, ["job", "tasks", "task"];
    /// Pools by name. A pool limits how many attempts of its jobs run at once.
    pools: Pools, ["pool", "queues", "queue", "resources", "resource", "limits", "semaphores"];
};

/// A pool.
pub(super) static POOL: &[Key] = keys! {
    /// How many attempts of the jobs in this pool may run at once.
    size: Count, ["slots", "places", "limit", "max", "count", "concurrency", "capacity", "maxrunning"];
};

/// `[daemon]`.
pub(super) static DAEMON: &[Key] = keys! {
    /// The URL of the ledger: `sqlite:///PATH` or `postgres://…`. Default: `ledger.db` in the state directory.
    ledger: String, ["database", "db", "databaseurl", "url", "dsn", "store"];
    /// The default time zone of jobs, such as `Europe/Berlin`. Default: `UTC`.
    timezone: Zone, ["tz", "zone"];
    /// How many attempts of all jobs may run at once. Default: 16.
    max_running: Count, [
        "maxconcurrent", "concurrency", "maxjobs", "parallel", "parallelism", "workers", "maxparallel",
    ];
    /// How long a stopping daemon waits for running attempts. Default: `1m`.
    stop_grace: Duration, ["grace", "shutdowntimeout", "stoptimeout", "gracefultimeout"];
    /// How many bytes of the output of an attempt are kept: its head and its tail. Default: `1MiB`.
    output_limit: Size, ["maxoutput", "loglimit", "outputsize", "logsize", "maxlogsize"];
    /// Before catching up on more dates than this, the daemon logs how many dates of which job, and for about how long.
    /// Default: 100.
    announce_over: Unsigned, ["announce", "announceabove", "announcefrom", "confirmover", "warnover"];
    /// How far the clock may be ahead of when it was last seen. If it is further ahead, no new date is recorded or started
    /// until it has run on for 20 seconds per day that it is ahead, or a person confirms it with SIGUSR1. Default: `1d`;
    /// `false` believes every clock.
    clock_guard: DurationOrFalse, ["maxclockjump", "clockjump", "maxjump", "clockskew", "timeguard"];
};

/// `[jobs.NAME]`.
pub(super) static JOB: &[Key] = keys! {
    /// A description of the job.
    description: String, ["comment", "summary", "about", "title"];
    /// The dates of the job: five fields as in crontab(5), or `@hourly`, `@daily` and so on.
    schedule: String, ["cron", "crontab", "when", "oncalendar", "calendar"];
    /// The dates of the job as an interval: `15m`, `2h`, `1d`.
    every: String, ["interval", "freq", "frequency", "period", "repeat"];
    /// The time of day for an `every` of whole days, such as `02:30`. Default: `00:00`.
    at: String, ["time", "hour", "timeofday"];
    /// The time zone of the schedule, such as `Europe/Berlin`. Default: `timezone` of `[daemon]`.
    timezone: Zone, ["tz", "zone", "crontz"];
    /// The first day, in the job's zone, or the first instant. Default: when the daemon first sees the job.
    start: DayOrInstant, ["startdate", "from", "since", "begin", "startsat"];
    /// The last day, in the job's zone, or the last instant; both inclusive.
    end: DayOrInstant, ["enddate", "until", "to", "stop", "endsat"];
    /// How long after its date a session becomes due. Default: `0s`.
    delay: Duration, ["offset", "wait", "lag"];
    /// The longest addition to `delay`. Every job gets its own share of it, always the same on one machine, so that
    /// jobs do not all start at once.
    jitter: Duration, ["randomdelay", "randomizeddelay", "randomizeddelaysec", "splay", "spread", "fuzz"];
    /// Whether every date runs, missed dates included, or only the newest one. Default: false.
    backfill: Boolean, ["catchup", "backfillable", "persistent", "anacron"];
    /// With `backfill`: whether a date waits for all earlier dates (`strict`, the default) or not (`independent`).
    order: Choice(&["strict", "independent"]), ["ordering", "dependsonpast"];
    /// With `order = "independent"`: how many dates of the job may run at once. Default: 1.
    max_parallel: Count, ["parallel", "parallelism", "concurrency", "maxactiveruns", "maxconcurrent", "maxinstances"];
    /// Which missed dates run; the others are recorded as skipped, too old. Default: all.
    catch_up: Table(CATCH_UP), ["catchuplimit", "catchupwindow"];
    /// What happens to a date that becomes due while the previous one is running: it waits (`wait`, the default) or is
    /// skipped (`skip`).
    overlap: Choice(&["wait", "skip"]), ["onoverlap", "concurrencypolicy", "overlappolicy", "skiponovertime"];
    /// A date that could only start later than this after it was due is skipped. Default: no date is.
    skip_late: Duration, ["skipdelayedby", "startingdeadlineseconds", "misfiregracetime", "maxlateness"];
    /// The pool that limits the attempts of the job: `[pools.NAME]`.
    pool: String, ["queue", "resource", "semaphore", "mutex", "lock"];
    /// Among jobs that are ready, the one with the highest number starts first. Default: 0.
    priority: AnyInteger, ["prio", "priorityweight", "weight", "importance"];
    /// What to run: a string for `/bin/sh -c`, or an array of arguments in which `{date}`, `{date:STRFTIME}` and
    /// `{job}` are replaced.
    command: Command, ["cmd", "exec", "execstart", "run", "script", "shell", "program", "args", "argv", "entrypoint"];
    /// The working directory of the command, relative to the folder of this file.
    working_directory: String, ["cwd", "workdir", "dir", "directory", "chdir", "wd"];
    /// Environment variables to add for the command.
    environment: Environment, ["env", "environ", "vars", "variables"];
    /// A file of `NAME=value` lines, read at every start; relative to the folder of this file.
    environment_file: String, ["envfile", "dotenv"];
    /// When a failed date is retried. Default: every 5 minutes, without limit.
    retry: Table(RETRY), ["retries", "retrypolicy", "restart", "backoff"];
    /// The longest run time of an attempt, after which it is stopped. Default: unlimited.
    timeout: Duration, ["maxruntime", "deadline", "runtimemax", "timelimit"];
    /// The expected run time of an attempt. A longer attempt is reported and continues.
    max_duration: Duration, ["expectedduration", "slowafter", "warnafter", "maxtime"];
    /// The time between TERM and KILL when an attempt is stopped. Default: `10s`.
    kill_grace: Duration, ["killafter", "killtimeout", "termgrace"];
    /// Jobs whose dates up to D must be settled before D starts. A table selects other dates.
    depends_on: Dependencies, ["depends", "dependencies", "after", "needs", "dependson", "waitfor", "upstream"];
    /// Jobs without a schedule that run once for the same date first.
    require: StringOrStrings, ["requires", "required", "prerequisites", "requirements", "uses"];
    /// A command that runs before an attempt, and after a lost one: with exit status 0, the date is already done.
    done_when: Command, ["unless", "onlyif", "doneif", "skipif", "creates", "target"];
    /// What follows a `done_when` that gives no answer (exit status 126 or 127, a signal, its time limit): the date counts
    /// as not done (`run`, the default), or it is held for an operator (`hold`).
    on_unknown: Choice(&["run", "hold"]), ["onerror", "ondonewhenerror", "onunanswered"];
    /// What follows an attempt with an unknown outcome: another attempt (`retry`, the default), or the date is held for
    /// an operator (`hold`).
    on_lost: Choice(&["retry", "hold"]), ["lost", "onorphan"];
    /// The time of day, in the job's zone, by which a date should be settled. After it, the date is reported as late.
    expect_by: Time, ["expected", "expectedby", "sla", "dueby", "finishby", "doneby"];
    /// The former name of the job, whose ledger it takes over; `false` if it had none.
    previously: StringOrFalse, ["renamedfrom", "oldname", "formerly", "previousname", "formername"];
    /// Whether the job runs. Default: true.
    enabled: Boolean, ["enable", "active", "on"];
    /// Words to filter jobs by.
    tags: Strings, ["tag", "labels", "groups"];
};

/// `retry` of a job.
pub(super) static RETRY: &[Key] = keys! {
    /// The wait before the second attempt. Default: `5m`.
    after: Duration, ["delay", "wait", "interval", "initial", "initialdelay", "every", "backoff"];
    /// Each further wait is the previous one times this factor. Default: 1.
    factor: Factor, ["multiplier", "backofffactor", "exponent", "base"];
    /// The longest wait.
    at_most: Duration, ["max", "maxdelay", "maxwait", "maxinterval", "maximum", "cap", "limit"];
    /// How many attempts a date has, including the first; then it is held. Default: unlimited.
    attempts: Count, ["maxattempts", "retries", "maxretries", "count", "times", "tries", "number"];
};

/// `catch_up` of a job.
pub(super) static CATCH_UP: &[Key] = keys! {
    /// The oldest missed dates that run, by the time since they were due.
    max_age: Duration, ["age", "window", "within", "maxdays", "since"];
    /// With `backfill`: how many missed dates run, the newest ones.
    max_dates: Count, ["dates", "maxcount", "count", "limit", "max", "maxruns"];
};

/// A table in `depends_on`.
pub(super) static DEPENDENCY: &[Key] = keys! {
    /// The name of the other job.
    job: String, ["name", "on", "id", "task"];
    /// Only dates within this period around the date, instead of all dates up to it.
    covers: Choice(&["hour", "day", "week", "month", "year"]), ["within", "period", "per", "window", "span", "during"];
    /// Shifts the date first, such as `-1d`. Days and weeks are calendar days, the rest is elapsed time.
    offset: Offset, ["shift", "delta", "executiondelta", "lag", "delay"];
    /// Whether failed and held dates count as settled. Default: false.
    ignore_failure: Boolean, ["ignorefailures", "allowfailure", "optional", "ignoreerrors", "always", "soft"];
};

/// The keys that have no effect without a schedule.
pub(super) static NEED_A_SCHEDULE: &[&str] = &[
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
