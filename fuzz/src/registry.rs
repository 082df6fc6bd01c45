//! The target `registry`: text that should be a registry, read, told what is wrong with it, and planned from.
//!
//! An input is the main file; what follows a line `#include` stands in an included one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use crontabber::duration;
use crontabber::job::{CatchUp, Command, DatePolicy, Job, JobName, Overlap, Template};
use crontabber::registry::{Diagnostic, Registry, RegistryError};
use crontabber::schedule::{Schedule, Timetable};
use toml::de::DeTable;

use super::walk;

const INCLUDE: &[u8] = b"\n#include\n";

/// What stands in an input for a password.
const PASSWORD: &str = "hunter2";

/// So many mistakes are looked at as they are shown, each by itself.
const RENDERED: usize = 2;

/// So many jobs of a registry are planned from.
const PLANNED: usize = 3;

/// Messages quote what was written only in part; but one about a circle quotes many names.
const LONGEST_MESSAGE: usize = 2_000;

/// Checks one input.
///
/// # Panics
/// When something does not hold.
pub fn check(data: &[u8]) {
    let files = split(data);
    let read = read(&files);
    match &read {
        Ok(registry) => good(registry),
        Err(error) => {
            assert!(!error.diagnostics().is_empty(), "refused without a diagnostic");
            explained(error.diagnostics(), &files);
        }
    }
    let told = told(&read);
    printable(&told.plain);
    assert_eq!(without_color(&told.colored), told.plain, "the colours are not all that differs");
    for (number, file) in files.iter().enumerate() {
        let Ok(text) = std::str::from_utf8(file) else {
            assert!(read.is_err(), "file {number} is not UTF-8, and is taken");
            continue;
        };
        let Some(parsed) = parsed(text) else { continue };
        match parsed {
            Err(error) => assert!(read.is_err(), "file {number} is not TOML, and is taken: {error}"),
            Ok(table) if number == 0 => secret(&table, data, &told),
            Ok(_) => {}
        }
    }
    // It costs as much as all the rest.
    if data.len().is_multiple_of(4) {
        shifted(&files, &read);
    }
}

/// Takes an input apart into files.
fn split(data: &[u8]) -> Vec<&[u8]> {
    let mut files = Vec::new();
    let mut rest = data;
    while let Some(at) = rest.windows(INCLUDE.len()).position(|part| part == INCLUDE) {
        files.push(&rest[..at]);
        rest = &rest[at + INCLUDE.len()..];
    }
    files.push(rest);
    files
}

/// The day on which everything is read.
fn now() -> DateTime<Utc> {
    "2026-11-20T12:00:00Z".parse().expect("an instant")
}

fn path(number: usize) -> PathBuf {
    match number {
        0 => PathBuf::from("/etc/crontabber/jobs.toml"),
        number => PathBuf::from(format!("/etc/crontabber/jobs.d/{number}.toml")),
    }
}

fn read(files: &[&[u8]]) -> Result<Registry, RegistryError> {
    let paths: Vec<PathBuf> = (0..files.len()).map(path).collect();
    let files: Vec<(&Path, &[u8])> = paths.iter().map(PathBuf::as_path).zip(files.iter().copied()).collect();
    Registry::parse(files[0], &files[1..], now())
}

/// All that a user is told.
struct Told {
    plain: String,
    colored: String,
    line: String,
}

fn told(read: &Result<Registry, RegistryError>) -> Told {
    match read {
        Ok(registry) => Told {
            plain: registry.render_warnings(false),
            colored: registry.render_warnings(true),
            line: format!("{:?}{:?}", registry.daemon, registry.warnings),
        },
        Err(error) => {
            Told { plain: error.render(false), colored: error.render(true), line: format!("{error}{error:?}") }
        }
    }
}

/// What is printed does nothing to a terminal but fill it.
fn printable(text: &str) {
    let wrong = text.chars().find(|character| character.is_control() && *character != '\n');
    assert!(wrong.is_none(), "{wrong:?} would be printed: {text:?}");
}

fn without_color(text: &str) -> String {
    let mut plain = String::new();
    let mut parts = text.split("\u{1b}[");
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        plain.push_str(part.split_once('m').expect("a colour ends").1);
    }
    plain
}

/// Every mistake can be read alone, and points into its file.
fn explained(diagnostics: &[Diagnostic], files: &[&[u8]]) {
    let columns_of = |line: &str| line.chars().count() + 1;
    let columns =
        files.iter().map(|file| String::from_utf8_lossy(file).split('\n').map(columns_of).collect::<Vec<_>>());
    let columns: Vec<Vec<usize>> = columns.collect();
    for diagnostic in diagnostics {
        for line in [Some(&diagnostic.message), diagnostic.hint.as_ref()].into_iter().flatten() {
            let is_short = line.len() <= LONGEST_MESSAGE || line.contains(" in a circle: ");
            assert!(!line.is_empty() && is_short, "{} bytes: {line}", line.len());
            assert!(!line.chars().any(char::is_control), "{line:?} holds a control character");
        }
        assert_eq!(diagnostic.line == 0, diagnostic.column == 0, "half a place: {diagnostic:?}");
        let number = (0..files.len()).find(|number| path(*number) == diagnostic.file).expect("a file that was given");
        if diagnostic.line > 0 {
            let columns = columns[number].get(diagnostic.line - 1);
            assert!(columns.is_some_and(|columns| diagnostic.column <= *columns), "it has {columns:?}: {diagnostic:?}");
        }
    }
    for diagnostic in diagnostics.iter().take(RENDERED).filter(|diagnostic| diagnostic.line > 0) {
        let place = format!("{}:{}:{}", diagnostic.file.display(), diagnostic.line, diagnostic.column);
        assert!(diagnostic.render(false).contains(&place), "{place} is not in {}", diagnostic.render(false));
    }
}

/// A second opinion on whether it is TOML; none on tables nested so deep that dropping them takes a stack of its own.
fn parsed(text: &str) -> Option<Result<DeTable<'_>, toml::de::Error>> {
    let depth = text.bytes().filter(|byte| matches!(byte, b'.' | b'[' | b'{')).count();
    (depth < 1_000).then(|| DeTable::parse(text).map(toml::Spanned::into_inner))
}

/// The password of a ledger is never told.
fn secret(table: &DeTable<'_>, data: &[u8], told: &Told) {
    let ledger = table.get("daemon").and_then(|daemon| daemon.get_ref().get("ledger")?.as_ref().as_str());
    let stands_once = data.windows(PASSWORD.len()).filter(|part| *part == PASSWORD.as_bytes()).count() == 1;
    let is_secret = ledger.is_some_and(|url| url.starts_with("postgres") && url.contains(PASSWORD)) && stands_once;
    for text in [&told.plain, &told.colored, &told.line] {
        assert!(!is_secret || !text.contains(PASSWORD), "the password is told: {text}");
    }
}

/// What a registry promises those who use it.
fn good(registry: &Registry) {
    let numbers: BTreeMap<&str, usize> = registry.jobs.iter().map(|job| job.name.as_str()).zip(0..).collect();
    assert!(!numbers.is_empty(), "a registry without jobs");
    assert_eq!(numbers.len(), registry.jobs.len(), "two jobs of one name");
    let daemon = &registry.daemon;
    assert!(daemon.max_running > 0 && daemon.output_limit >= 1024, "{daemon:?}");
    in_bounds(daemon.stop_grace);
    for (name, size) in &registry.pools {
        assert!(JobName::new(name).is_ok() && *size > 0, "pool {name:?} of {size}");
    }
    let dated: BTreeSet<&str> = registry.jobs.iter().filter(|job| is_dated(job)).map(|job| job.name.as_str()).collect();
    let mut former = BTreeSet::new();
    for job in &registry.jobs {
        good_job(job);
        assert!(job.pool.as_ref().is_none_or(|pool| registry.pools.contains_key(pool)), "{:?}", job.pool);
        assert!(job.depends_on.iter().all(|needed| dated.contains(needed.job.as_str())), "{:?}", job.depends_on);
        assert!(!job.require.iter().any(|needed| dated.contains(needed.as_str())), "{:?}", job.require);
        if let Some(name) = &job.previously {
            assert!(!numbers.contains_key(name.as_str()) && former.insert(name), "{name} cannot be taken over");
        }
    }
    for job in registry.jobs.iter().filter(|job| is_dated(job)).take(PLANNED) {
        planned(job);
    }
    // Whoever settles jobs whose dependencies are settled settles all of them: none is missing, and there is no circle.
    let mut settled = BTreeSet::new();
    loop {
        let before = settled.len();
        for job in &registry.jobs {
            let needed = job.depends_on.iter().map(|needed| &needed.job).chain(&job.require);
            if needed.into_iter().all(|needed| settled.contains(needed.as_str())) {
                settled.insert(job.name.as_str());
            }
        }
        if settled.len() == before {
            break;
        }
    }
    assert_eq!(settled.len(), registry.jobs.len(), "a circle, or a job that is missing");
}

/// Whether a job has dates of its own.
fn is_dated(job: &Job) -> bool {
    !job.timetable.schedule.is_none()
}

fn good_job(job: &Job) {
    assert_eq!(JobName::new(job.name.as_str()).as_ref(), Ok(&job.name));
    let timetable = &job.timetable;
    if is_dated(job) {
        assert!(timetable.schedule.next_after(now()).is_ok(), "{} never fires again", job.name);
    } else {
        let bare = Timetable::new(Schedule::none(timetable.zone()), None, None, Duration::ZERO);
        assert_eq!(*timetable, bare, "{} has no dates, and yet says something of them", job.name);
        assert_eq!(
            (job.date_policy, job.overlap, job.skip_late),
            (DatePolicy::OnDemand, Overlap::Wait, None),
            "{}",
            job.name
        );
        assert_eq!((job.catch_up, job.expect_by), (CatchUp::default(), None), "{}", job.name);
    }
    assert_eq!(job.date_policy == DatePolicy::OnDemand, !is_dated(job), "{job:?}");
    assert!(job.date_policy.max_parallel() > 0, "{job:?}");
    assert!(job.date_policy.is_backfillable() || job.catch_up.max_dates.is_none(), "{job:?}");
    assert!(timetable.start.is_none_or(|start| timetable.end.is_none_or(|end| start <= end)), "ends too early");
    let retry = &job.retry;
    assert!(retry.factor >= 1.0 && retry.factor.is_finite() && retry.attempts != Some(0), "{retry:?}");
    let own_delay = timetable.delay.saturating_sub(job.jitter);
    for duration in [own_delay, job.jitter, retry.after, job.kill_grace] {
        in_bounds(duration);
    }
    for duration in [retry.at_most, job.timeout, job.max_duration, job.catch_up.max_age].into_iter().flatten() {
        in_bounds(duration);
        assert!(!duration.is_zero(), "{job:?}");
    }
    job.skip_late.into_iter().for_each(in_bounds);
    assert!(!retry.after.is_zero(), "{job:?}");
    let waits = [1, 2, 3, 40, u32::MAX].map(|used| retry.wait(used));
    assert!(waits.is_sorted() && waits[0] > Duration::ZERO, "{waits:?} of {retry:?}");
    assert!(retry.at_most.is_none_or(|at_most| waits[4] <= at_most), "{waits:?} of {retry:?}");
    for command in [Some(&job.command), job.done_when.as_ref()].into_iter().flatten() {
        good_command(command, job);
    }
    let variables = job.environment.iter().flat_map(|(name, value)| [name, value]);
    assert!(!variables.into_iter().any(|text| text.contains('\0')), "{:?}", job.environment);
    assert!(job.environment.keys().all(|name| !name.is_empty() && !name.contains('=')), "{:?}", job.environment);
}

fn good_command(command: &Command, job: &Job) {
    match command {
        Command::Shell(script) => assert!(!script.trim().is_empty() && !script.contains('\0'), "{script:?}"),
        Command::Argv(arguments) => {
            assert!(!arguments.is_empty(), "no program");
            for template in arguments {
                filled_in(template, job);
            }
        }
    }
}

/// A duration is at most a century, and is read back from what we write.
fn in_bounds(length: Duration) {
    assert_eq!(duration::parse(&duration::notation(length)), Ok(length));
    assert!(!duration::format(length).is_empty());
}

/// A template can be filled in, and is read back.
fn filled_in(template: &Template, job: &Job) {
    let source = template.to_string();
    assert_eq!(Template::parse(&source).as_ref(), Ok(template));
    for date in ["1973-01-01T00:00:00Z", "2026-11-03T01:30:00.25Z", "2099-12-31T23:59:59Z"] {
        let date: DateTime<Utc> = date.parse().expect("an instant");
        let text = template.render(&job.name, date.with_timezone(&job.timetable.zone()));
        assert!(!text.contains('\0'), "{source:?} becomes {text:?}");
        assert!(source.contains(['{', '}']) || text == source, "{source:?} becomes {text:?}");
    }
}

/// A handful of dates ahead, and those about the ends of the job's life.
fn planned(job: &Job) {
    let timetable: &Timetable = &job.timetable;
    walk::check(timetable, now());
    for edge in [timetable.start, timetable.end].into_iter().flatten() {
        walk::check(timetable, edge - TimeDelta::microseconds(1));
    }
}

/// A comment before the first line moves every mistake by a line, and changes nothing else.
fn shifted(files: &[&[u8]], read_before: &Result<Registry, RegistryError>) {
    const COMMENT: &[u8] = b"# a comment\n";
    if files[0].starts_with(b"\xef\xbb\xbf") {
        return;
    }
    let main = [COMMENT, files[0]].concat();
    let mut moved: Vec<&[u8]> = files.to_owned();
    moved[0] = &main;
    let main = path(0);
    match (read_before, read(&moved)) {
        (Ok(before), Ok(after)) => assert_eq!(before.jobs, after.jobs, "a comment changes the jobs"),
        (Err(before), Err(after)) => {
            let place = |mistake: &Diagnostic, by: usize| {
                let by = if mistake.line > 0 && mistake.file == main { by } else { 0 };
                (mistake.file.clone(), mistake.line + by, mistake.column, mistake.message.clone())
            };
            let before: Vec<_> = before.diagnostics().iter().map(|diagnostic| place(diagnostic, 1)).collect();
            let after: Vec<_> = after.diagnostics().iter().map(|diagnostic| place(diagnostic, 0)).collect();
            assert_eq!(before, after, "a comment changes the mistakes");
        }
        (before, after) => panic!("a comment changes the verdict: {before:?}\n{after:?}"),
    }
}
