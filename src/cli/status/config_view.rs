//! What the registry says of a job, key by key, as the registry would write it; only what is not the default.

use std::time::Duration;

use crate::cli::date::short;
use crate::duration::notation;
use crate::job::{Command, DEFAULT_KILL_GRACE, DatePolicy, Dependency, Job, JobName, OnLost, Overlap, Retry};

/// The keys of a job and what they say, in the order of the README.
pub(super) fn keys(job: &Job) -> Vec<(&'static str, String)> {
    let zone = job.timetable.zone();
    let mut keys = Vec::new();
    let mut say = |key, value: Option<String>| keys.extend(value.map(|value| (key, value)));
    let time = |time: Duration| notation(time);
    say("description", job.description.clone());
    say("schedule", Some(job.timetable.schedule().text()));
    say("timezone", Some(zone.name().to_owned()));
    say("start", job.timetable.start().map(|at| short(at, zone)));
    say("end", job.timetable.end().map(|at| short(at, zone)));
    say("delay", Some(job.timetable.delay()).filter(|delay| !delay.is_zero()).map(time));
    say(
        "jitter",
        Some(job.jitter).filter(|jitter| !jitter.is_zero()).map(|jitter| format!("{}, in the delay", time(jitter))),
    );
    say("backfill", Some(job.date_policy.is_backfillable().to_string()));
    say("order", matches!(job.date_policy, DatePolicy::Independent { .. }).then(|| "independent".to_owned()));
    say("max_parallel", Some(job.date_policy.max_parallel()).filter(|most| *most > 1).map(|most| most.to_string()));
    say("command", Some(command(&job.command)));
    say("working_directory", job.working_directory.as_ref().map(|folder| folder.display().to_string()));
    say("retry", Some(retry(&job.retry)));
    say("timeout", job.timeout.map(time));
    say("kill_grace", Some(job.kill_grace).filter(|grace| *grace != DEFAULT_KILL_GRACE).map(time));
    say("depends_on", listed(job.depends_on.iter().map(dependency)));
    say("require", listed(job.require.iter().map(JobName::to_string)));
    say("on_lost", (job.on_lost == OnLost::Hold).then(|| "hold".to_owned()));
    say("enabled", (!job.enabled).then(|| "false".to_owned()));
    say("catch_up", listed(catch_up(job)));
    say("overlap", (job.overlap == Overlap::Skip).then(|| "skip".to_owned()));
    say("skip_late", job.skip_late.map(time));
    say("pool", job.pool.clone());
    say("priority", (job.priority != 0).then(|| job.priority.to_string()));
    say("done_when", job.done_when.as_ref().map(command));
    say("expect_by", job.expect_by.map(|time| time.format("%H:%M").to_string()));
    say("max_duration", job.max_duration.map(time));
    say("previously", job.previously.as_ref().map(JobName::to_string));
    say("tags", listed(job.tags.iter().cloned()));
    keys
}

fn listed(items: impl IntoIterator<Item = String>) -> Option<String> {
    let items: Vec<String> = items.into_iter().collect();
    (!items.is_empty()).then(|| items.join(", "))
}

fn command(command: &Command) -> String {
    match command {
        Command::Shell(line) => line.clone(),
        Command::Argv(words) => words.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
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
        None => text.push_str(", for ever"),
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
        let sign = if offset.seconds < 0 { '-' } else { '+' };
        parts.push(format!("offset {sign}{}", notation(Duration::from_secs(offset.seconds.unsigned_abs()))));
    }
    parts.extend(ignore_failure.then(|| "ignoring failure".to_owned()));
    if parts.is_empty() { job.to_string() } else { format!("{job} ({})", parts.join(", ")) }
}

fn catch_up(job: &Job) -> Vec<String> {
    let age = job.catch_up.max_age.map(|age| format!("dates due within {}", notation(age)));
    let dates = job.catch_up.max_dates.map(|dates| format!("the newest {dates}"));
    age.into_iter().chain(dates).collect()
}
