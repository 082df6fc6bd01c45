//! What the registry says of a job, key by key: for the status of a job, and for what an edit of the registry changed.

use std::time::Duration;

use chrono::{DateTime, NaiveTime, Timelike, Utc};

use super::dependency::Dependency;
use super::name::JobName;
use super::{CatchUp, Command, DEFAULT_KILL_GRACE, DatePolicy, Job, OnLost, OnUnknown, Overlap, Retry};
use crate::duration::notation;
use crate::text::to_the_second;

impl Job {
    /// Every key with its value as text, in the order of the README; without a value where the default applies.
    ///
    /// Two jobs differ in the keys whose values differ. The values in `environment` may be secrets: only the names are
    /// given.
    #[must_use]
    pub fn settings(&self) -> Vec<(&'static str, Option<String>)> {
        let zone = self.timetable.zone();
        let length = |duration: Duration| (!duration.is_zero()).then(|| notation(duration));
        let is_independent = matches!(self.date_policy, DatePolicy::Independent { .. });
        vec![
            ("description", self.description.clone()),
            ("schedule", Some(self.timetable.schedule.text())),
            ("timezone", Some(zone.name().to_owned())),
            ("start", self.timetable.start.map(|at| to_the_second(at, zone))),
            ("end", self.timetable.end.map(|at| to_the_second(at, zone))),
            ("delay", length(self.timetable.delay)),
            ("jitter", length(self.jitter).map(|jitter| format!("{jitter}, in the delay"))),
            ("backfill", Some(self.date_policy.is_backfillable().to_string())),
            ("order", is_independent.then(|| "independent".to_owned())),
            (
                "max_parallel",
                Some(self.date_policy.max_parallel()).filter(|most| *most > 1).map(|most| most.to_string()),
            ),
            ("command", Some(command(&self.command))),
            ("working_directory", self.working_directory.as_ref().map(|path| path.display().to_string())),
            ("environment", list(self.environment.keys().cloned())),
            ("environment_file", self.environment_file.as_ref().map(|path| path.display().to_string())),
            ("retry", Some(retry(&self.retry))),
            ("timeout", self.timeout.map(notation)),
            ("kill_grace", Some(self.kill_grace).filter(|grace| *grace != DEFAULT_KILL_GRACE).map(notation)),
            ("depends_on", list(self.depends_on.iter().map(dependency))),
            ("require", list(self.require.iter().map(JobName::to_string))),
            ("on_lost", (self.on_lost == OnLost::Hold).then(|| "hold".to_owned())),
            ("enabled", (!self.enabled).then(|| "false".to_owned())),
            ("catch_up", catch_up(self.catch_up)),
            ("overlap", (self.overlap == Overlap::Skip).then(|| "skip".to_owned())),
            ("skip_late", self.skip_late.map(notation)),
            ("pool", self.pool.clone()),
            ("priority", (self.priority != 0).then(|| self.priority.to_string())),
            ("done_when", self.done_when.as_ref().map(command)),
            ("on_unknown", (self.on_unknown == OnUnknown::Hold).then(|| "hold".to_owned())),
            ("expect_by", self.expect_by.map(time_of_day)),
            ("max_duration", self.max_duration.map(notation)),
            (
                "previously",
                self.previously.as_ref().map(JobName::to_string).or_else(|| self.is_new.then(|| "false".to_owned())),
            ),
            ("tags", list(self.tags.iter().cloned())),
        ]
    }

    /// The keys whose values differ between two versions of a job.
    #[must_use]
    pub fn changed_keys(&self, other: &Self) -> Vec<&'static str> {
        let is_other_environment = self.environment != other.environment;
        let local =
            |job: &Self, at: Option<DateTime<Utc>>| at.map(|at| at.with_timezone(&job.timetable.zone()).naive_local());
        // A day stays the same day in another zone, and an instant the same instant.
        let is_same = |key: &str| {
            let (old, new) = match key {
                "start" => (self.timetable.start, other.timetable.start),
                "end" => (self.timetable.end, other.timetable.end),
                _ => return false,
            };
            old == new || local(self, old) == local(other, new)
        };
        let pairs = self.settings().into_iter().zip(other.settings());
        pairs
            .filter(|(old, _)| !is_same(old.0))
            .filter(|(old, new)| old != new || (old.0 == "environment" && is_other_environment))
            .map(|((key, _), _)| key)
            .collect()
    }
}

/// Joins items with commas; an item that holds a comma itself is quoted.
fn list(items: impl IntoIterator<Item = String>) -> Option<String> {
    let quoted = |item: String| if item.contains(',') { format!("{item:?}") } else { item };
    let items: Vec<String> = items.into_iter().map(quoted).collect();
    (!items.is_empty()).then(|| items.join(", "))
}

fn command(command: &Command) -> String {
    match command {
        Command::Shell(line) => line.clone(),
        Command::Argv(words) => format!("{:?}", words.iter().map(ToString::to_string).collect::<Vec<_>>()),
    }
}

fn retry(retry: &Retry) -> String {
    let mut text = format!("after {}", notation(retry.after));
    if retry.factor > 1.0 {
        text.push_str(&format!(", each wait {} times the last", retry.factor));
    }
    if let Some(at_most) = retry.at_most {
        text.push_str(&format!(", at most {}", notation(at_most)));
    }
    match retry.attempts {
        Some(attempts) => text.push_str(&format!(", {attempts} attempts")),
        None => text.push_str(", unlimited attempts"),
    }
    text
}

fn dependency(dependency: &Dependency) -> String {
    let Dependency { job, covers, offset, ignore_failure } = dependency;
    let mut parts = Vec::new();
    parts.extend(covers.map(|period| format!("covers the {}", period.word())));
    if offset.days != 0 {
        parts.push(format!("offset {:+}d", offset.days));
    }
    if offset.seconds != 0 {
        // Hours and not days: `1d` is a day of the calendar.
        let sign = if offset.seconds < 0 { '-' } else { '+' };
        let (hours, rest) = (offset.seconds.unsigned_abs() / 3600, offset.seconds.unsigned_abs() % 3600);
        let hours = if hours > 0 { format!("{hours}h") } else { String::new() };
        let rest = if rest > 0 { notation(Duration::from_secs(rest)) } else { String::new() };
        parts.push(format!("offset {sign}{hours}{rest}"));
    }
    parts.extend(ignore_failure.then(|| "ignoring failure".to_owned()));
    if parts.is_empty() { job.to_string() } else { format!("{job} ({})", parts.join("; ")) }
}

fn time_of_day(time: NaiveTime) -> String {
    time.format(if time.second() == 0 { "%H:%M" } else { "%H:%M:%S" }).to_string()
}

fn catch_up(limits: CatchUp) -> Option<String> {
    let age = limits.max_age.map(|age| format!("dates due within {}", notation(age)));
    let dates = limits.max_dates.map(|dates| format!("the newest {dates}"));
    list(age.into_iter().chain(dates))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::job::{Offset, Template};
    use crate::schedule::{Schedule, Timetable, day_start};

    fn job() -> Job {
        let schedule = Schedule::crontab("15 1 * * *", chrono_tz::Europe::Berlin).unwrap();
        let timetable = Timetable::new(schedule, None, None, Duration::ZERO);
        Job::new(JobName::new("load").unwrap(), timetable, Command::Shell("true".to_owned()))
    }

    fn argv(words: &[&str]) -> Command {
        Command::Argv(words.iter().map(|word| Template::parse(word).unwrap()).collect())
    }

    #[test]
    fn a_default_is_not_shown() {
        let shown: Vec<_> = job().settings().into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        insta::assert_snapshot!(format!("{shown:?}"), @r#"[("schedule", "15 1 * * *"), ("timezone", "Europe/Berlin"), ("backfill", "false"), ("command", "true"), ("retry", "after 5m, unlimited attempts")]"#);
    }

    #[test]
    fn a_value_is_shown_as_the_registry_has_it() {
        let depends_on = |days, seconds| Dependency {
            offset: Offset { days, seconds },
            ignore_failure: true,
            ..Dependency::on(JobName::new("fetch").unwrap())
        };
        let job = Job {
            environment: BTreeMap::from([("PGPASSWORD".to_owned(), "secret".to_owned())]),
            command: argv(&["psql", "-c", "select 1"]),
            depends_on: vec![depends_on(-1, 0), depends_on(0, 86_400), depends_on(0, -5_400)],
            tags: vec!["a".to_owned(), "b, c".to_owned()],
            ..job()
        };
        let text = |key| job.settings().into_iter().find(|(known, _)| *known == key).and_then(|(_, value)| value);
        insta::assert_snapshot!(
            ["environment", "command", "depends_on", "tags"].map(|key| text(key).unwrap()).join("\n"),
            @r#"
        PGPASSWORD
        ["psql", "-c", "select 1"]
        fetch (offset -1d; ignoring failure), fetch (offset +24h; ignoring failure), fetch (offset -1h30m; ignoring failure)
        a, "b, c"
        "#
        );
    }

    #[test]
    fn a_change_names_its_keys() {
        // A day is the same day in another zone.
        let in_zone = |zone| {
            let schedule = Schedule::crontab("0 3 * * *", zone).unwrap();
            let start = day_start("2026-11-03".parse().unwrap(), zone);
            Job { timetable: Timetable::new(schedule, Some(start), None, Duration::ZERO), ..job() }
        };
        let environment =
            |value: &str| Job { environment: BTreeMap::from([("PGPASSWORD".to_owned(), value.to_owned())]), ..job() };
        let commands = |words: &[&str]| Job { command: argv(words), done_when: Some(argv(words)), ..job() };
        let independent = Job { date_policy: DatePolicy::Independent { max_parallel: 2 }, ..job() };
        for (old, new, keys) in [
            (job(), job(), ""),
            (in_zone(chrono_tz::UTC), in_zone(chrono_tz::Europe::Berlin), "timezone"),
            (environment("old"), environment("new"), "environment"),
            (commands(&["a b"]), commands(&["a", "b"]), "command done_when"),
            (job(), independent, "backfill order max_parallel"),
            (job(), Job { tags: vec!["a, b".to_owned()], priority: 1, ..job() }, "priority tags"),
        ] {
            assert_eq!(old.changed_keys(&new).join(" "), keys);
        }
    }
}
