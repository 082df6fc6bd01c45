//! A scheduler with a ledger in memory, a clock that a test moves, and jobs whose outcomes a test decides.
//!
//! The ledger here refuses what the real one refuses, so that a scheduler that writes nonsense fails its test.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use crontabber_core::invariants::{Examination, Row, Subject, Unchecked, Violation};
use crontabber_core::job::{Command, DatePolicy, Job, JobName, Template};
use crontabber_core::schedule::{Schedule, Timetable};
use crontabber_core::scheduler::{Event, Notification, ProbeAnswer, Scheduler, Start, Step};
use crontabber_core::session::{
    AttemptEnd, AttemptKey, AttemptRecord, BackfillRecord, Disabled, Entry, JobRecord, JobRecordings, Operation,
    Outcome, Past, Pause, PauseScope, ProcessIdentity, REPLACED, Recording, RecordingRange, Recovered, Reply, Request,
    SessionKey, SessionRecord, SettledBy, StandIns, State, Trigger,
};

/// An instant, written in RFC 3339 or as `2026-11-05 12:00` in UTC.
pub(crate) fn at(text: &str) -> DateTime<Utc> {
    let text = if text.contains('T') { text.to_owned() } else { format!("{}:00Z", text.replace(' ', "T")) };
    text.parse().expect("an instant")
}

/// A job with a schedule in UTC, to be adjusted by the test.
pub(crate) fn job(name: &str, crontab: &str) -> Job {
    let schedule = Schedule::crontab(crontab, chrono_tz::UTC).expect("a schedule");
    let timetable = Timetable::new(schedule, None, None, Duration::ZERO);
    let command = Command::Argv(vec![Template::parse("/bin/true").expect("a template")]);
    Job::new(JobName::new(name).expect("a name"), timetable, command)
}

/// A backfillable job with a start.
pub(crate) fn backfill(name: &str, crontab: &str, start: &str) -> Job {
    let mut job = job(name, crontab);
    job.date_policy = DatePolicy::Strict;
    job.timetable = Timetable::new(job.timetable.schedule.clone(), Some(at(start)), None, Duration::ZERO);
    job
}

/// The ledger in memory.
#[derive(Default, Clone)]
pub(crate) struct Rows {
    pub(crate) jobs: BTreeMap<JobName, JobRecord>,
    pub(crate) sessions: BTreeMap<SessionKey, SessionRecord>,
    pub(crate) attempts: BTreeMap<AttemptKey, AttemptRecord>,
    pub(crate) backfills: BTreeMap<i64, BackfillRecord>,
    /// What dates were before a backfill let them wait again.
    pub(crate) former: BTreeMap<(i64, DateTime<Utc>), SessionRecord>,
    pub(crate) disabled: BTreeMap<JobName, Disabled>,
    pub(crate) pauses: BTreeMap<PauseScope, Pause>,
    /// The dates whose period has a date, each with the one that stands for it.
    pub(crate) stand_ins: BTreeMap<JobName, StandIns>,
    pub(crate) answers: BTreeMap<i64, Reply>,
}

impl Rows {
    fn apply(&mut self, entry: &Entry) {
        match entry.clone() {
            Entry::Enter(record) => {
                assert!(self.jobs.values().all(|other| other.stable_name != record.stable_name), "{record:?}");
                assert!(self.jobs.insert(record.name.clone(), record).is_none(), "entered twice");
            }
            Entry::Registered { job, action } => {
                let record = self.jobs.get_mut(&job).expect("known");
                record.in_registry = action.is_some();
                record.action = action.unwrap_or_else(|| record.action.clone());
            }
            Entry::Order { job, generation, strict_after } => {
                let record = self.jobs.get_mut(&job).expect("known");
                assert_eq!(record.generation, generation);
                record.strict_after = strict_after;
            }
            Entry::Reset(record) => {
                let before = self.jobs.insert(record.name.clone(), record.clone()).expect("known");
                assert_eq!(before.generation + 1, record.generation);
                self.stand_ins.remove(&record.name);
            }
            Entry::Record { job, generation, watermark, to, zone, sessions, at } => {
                let record = self.jobs.get_mut(&job).expect("known");
                assert_eq!((record.generation, record.watermark), (generation, watermark), "{job}");
                assert!(to >= watermark, "P5: the clock of {job} goes back");
                record.watermark = to;
                for new in sessions {
                    let key = SessionKey { job: job.clone(), generation, date: new.date };
                    let settled_at = new.state.is_settled().then_some(at);
                    let settled_by = (new.state == State::Succeeded).then_some(SettledBy::Operator);
                    if new.state == State::Succeeded {
                        record.last_success = record.last_success.max(Some(new.date));
                    }
                    let row = SessionRecord {
                        key: key.clone(),
                        zone,
                        state: new.state,
                        trigger: new.trigger,
                        attempts: 0,
                        counted_attempts: 0,
                        recorded_at: at,
                        settled_at,
                        backfill: new.backfill,
                        settled_by,
                    };
                    assert!(self.sessions.insert(key.clone(), row).is_none(), "P1: {key:?} entered twice");
                }
            }
            Entry::Open { attempt, from, trigger, host, started_at } => {
                let row = self.sessions.get_mut(&attempt.session).expect("recorded before it is opened");
                assert_eq!(row.state.kind(), from, "{attempt}");
                assert!(row.state != State::Succeeded && row.state != State::Running, "P1, P2: {attempt}");
                assert_eq!(row.attempts + 1, attempt.number);
                row.attempts += 1;
                row.state = State::Running;
                let record = AttemptRecord {
                    key: attempt.clone(),
                    zone: row.zone,
                    trigger,
                    host,
                    process: None,
                    started_at,
                    end: None,
                };
                assert!(self.attempts.insert(attempt, record).is_none());
            }
            other @ (Entry::Adopt { .. } | Entry::Close { .. } | Entry::Move { .. }) => self.apply_row(other),
            other => self.apply_operator(other),
        }
    }

    fn apply_row(&mut self, entry: Entry) {
        match entry {
            Entry::Adopt {
                job,
                generation,
                timetable,
                first_date,
                timetable_from,
                complete_after,
                has_excluded,
                stand_ins,
            } => {
                let record = self.jobs.get_mut(&job).expect("known");
                assert_eq!(record.generation, generation);
                (record.timetable, record.first_date, record.timetable_from) = (timetable, first_date, timetable_from);
                (record.complete_after, record.has_excluded) = (complete_after, has_excluded);
                let is_past = |date: &DateTime<Utc>| record.watermark.is_some_and(|watermark| *date <= watermark);
                assert!(!stand_ins.keys().any(is_past), "{stand_ins:?}");
                self.stand_ins.insert(job, stand_ins);
            }
            Entry::Close { attempt, end, state, counted_attempts } => {
                let row = self.sessions.get_mut(&attempt.session).expect("recorded");
                assert_eq!(row.state, State::Running, "{attempt}");
                row.settled_at = state.is_settled().then_some(end.ended_at);
                (row.state, row.counted_attempts) = (state.clone(), counted_attempts);
                if state == State::Succeeded
                    && let Some(job) = self.jobs.get_mut(&attempt.session.job)
                    && job.generation == attempt.session.generation
                {
                    job.last_success = job.last_success.max(Some(attempt.session.date));
                }
                let open = self.attempts.get_mut(&attempt).expect("opened");
                assert!(open.end.replace(end).is_none(), "closed twice: {attempt}");
            }
            Entry::Move { session, from, to, at } => {
                let row = self.sessions.get_mut(&session).expect("recorded");
                assert_eq!(row.state.kind(), from, "{session:?}");
                row.settled_at = to.is_settled().then_some(at);
                row.state = to;
            }
            other => unreachable!("{other:?}"),
        }
    }

    fn apply_operator(&mut self, entry: Entry) {
        match entry {
            Entry::Answer { request, reply, .. } => {
                assert!(self.answers.insert(request, reply).is_none(), "request {request} is answered twice");
            }
            Entry::Process { .. } => {}
            Entry::Done { session, from, by, at } => {
                let row = self.sessions.get_mut(&session).expect("recorded");
                assert_eq!(row.state.kind(), from, "{session:?}");
                (row.state, row.settled_at, row.settled_by) = (State::Succeeded, Some(at), Some(by));
                let job = self.jobs.get_mut(&session.job).expect("known");
                job.last_success = job.last_success.max(Some(session.date));
            }
            Entry::Again { session, zone, from, trigger, backfill, attempts } => {
                let row = self.sessions.get_mut(&session).expect("recorded");
                assert_eq!(row.state.kind(), from, "{session:?}");
                assert_eq!((row.attempts, row.zone), (attempts, zone), "{session:?}");
                if let Some(backfill) = backfill.filter(|_| from.is_settled()) {
                    assert!(self.former.insert((backfill, session.date), row.clone()).is_none(), "{session:?}");
                }
                (row.state, row.settled_at, row.settled_by, row.counted_attempts) = (State::Waiting, None, None, 0);
                (row.trigger, row.backfill) = (trigger, backfill);
            }
            Entry::Include { session, zone, from, attempts, at } => {
                let row = self.sessions.get_mut(&session).expect("recorded");
                assert_eq!((row.state.kind(), row.attempts, row.zone), (from, attempts, zone), "{session:?}");
                (row.state, row.settled_at, row.counted_attempts) = (State::Waiting, None, 0);
                (row.trigger, row.backfill, row.recorded_at) = (Trigger::CatchUp, None, at);
            }
            Entry::Backfill(record) => assert!(self.backfills.insert(record.id, record).is_none()),
            Entry::CancelBackfill { backfill, request, .. } => {
                let record = self.backfills.get_mut(&backfill).expect("ordered");
                assert!(record.cancelled_by.replace(request).is_none(), "cancelled twice");
            }
            Entry::Restore { session, from, to, backfill } => {
                let row = self.sessions.get_mut(&session).expect("recorded");
                assert_eq!((row.state.kind(), row.backfill), (from, Some(backfill)), "{session:?}");
                let former = self.former.remove(&(backfill, session.date)).expect("settled before");
                assert_eq!(former.state.kind(), to, "{session:?}");
                // A date that the backfill attempted stays one of its dates.
                let origin = if row.attempts == former.attempts { &former } else { &*row };
                let (trigger, backfill, attempts) = (origin.trigger, origin.backfill, row.attempts);
                *row = SessionRecord { key: session, trigger, backfill, attempts, ..former };
            }
            Entry::Disable(disabled) => _ = self.disabled.insert(disabled.job.clone(), disabled),
            Entry::Enable { job } => _ = self.disabled.remove(&job).expect("disabled"),
            Entry::Pause(pause) => _ = self.pauses.insert(pause.scope.clone(), pause),
            Entry::Resume { scope } => _ = self.pauses.remove(&scope).expect("paused"),
            Entry::Rename { from, to, replaces } => {
                if replaces {
                    self.replace(&to, &from);
                }
                self.rename(&from, &to);
            }
            Entry::Unanswered { session, .. } => assert!(!self.sessions[&session].state.is_settled(), "{session:?}"),
            other => unreachable!("{other:?}"),
        }
    }

    fn replace(&mut self, job: &JobName, by: &JobName) {
        let record = self.jobs.remove(job).expect("known");
        assert!(record.may_be_replaced() && record.generation == 1, "{record:?}");
        let record = self.jobs.get_mut(by).expect("known");
        assert!(!std::mem::replace(&mut record.has_replaced, true), "{record:?}");
        (_, _) = (self.stand_ins.remove(job), self.disabled.remove(job));
        let replaced = |key: SessionKey| {
            if key.job == *job { SessionKey { job: by.clone(), generation: REPLACED, ..key } } else { key }
        };
        for row in std::mem::take(&mut self.sessions).into_values() {
            let key = replaced(row.key.clone());
            assert!(key.generation != REPLACED || row.state != State::Succeeded, "{key:?}");
            assert!(self.sessions.insert(key.clone(), SessionRecord { key, ..row }).is_none());
        }
        for row in std::mem::take(&mut self.attempts).into_values() {
            let key = AttemptKey { session: replaced(row.key.session.clone()), ..row.key.clone() };
            self.attempts.insert(key.clone(), AttemptRecord { key, ..row });
        }
        for backfill in self.backfills.values_mut().filter(|backfill| backfill.job == *job) {
            (backfill.job, backfill.generation) = (by.clone(), REPLACED);
        }
    }

    fn rename(&mut self, from: &JobName, to: &JobName) {
        if let Some(stand_ins) = self.stand_ins.remove(from) {
            self.stand_ins.insert(to.clone(), stand_ins);
        }
        let mut record = self.jobs.remove(from).expect("known");
        record.name = to.clone();
        assert!(self.jobs.insert(to.clone(), record).is_none(), "`{to}` is another job");
        if let Some(mut disabled) = self.disabled.remove(from) {
            disabled.job = to.clone();
            self.disabled.insert(to.clone(), disabled);
        }
        let renamed = |key: SessionKey| if key.job == *from { SessionKey { job: to.clone(), ..key } } else { key };
        for row in std::mem::take(&mut self.sessions).into_values() {
            let key = renamed(row.key.clone());
            self.sessions.insert(key.clone(), SessionRecord { key, ..row });
        }
        for row in std::mem::take(&mut self.attempts).into_values() {
            let key = AttemptKey { session: renamed(row.key.session.clone()), ..row.key.clone() };
            self.attempts.insert(key.clone(), AttemptRecord { key, ..row });
        }
        for backfill in self.backfills.values_mut().filter(|backfill| backfill.job == *from) {
            backfill.job = to.clone();
        }
    }

    /// What the ledger tells of the dates that a request is about.
    pub(crate) fn past(&self, job: &JobName, id: i64, operation: &Operation) -> Past {
        let Some(record) = self.jobs.get(job) else { return Past::default() };
        let of_job = || self.sessions.values().filter(|row| row.key.job == *job && self.current(&row.key));
        let settled = operation.past().map(|(from, to)| {
            let is_meant = |row: &&SessionRecord| row.key.date >= from && row.key.date < to && row.settled_at.is_some();
            of_job().filter(is_meant).cloned().collect()
        });
        let (mut namesake, mut earlier, mut last_success) = (None, Vec::new(), None);
        match operation {
            Operation::Backfill(order) => {
                let is_it = |backfill: &&BackfillRecord| backfill.job == *job && backfill.name == order.name;
                namesake = order.name.as_ref().and_then(|_| self.backfills.values().find(is_it)).map(|found| found.id);
                let is_before = |key: &SessionKey| {
                    key.job == *job
                        && key.generation < record.generation
                        && (order.from..record.first_date).contains(&key.date)
                };
                let succeeded = |row: &&SessionRecord| row.state == State::Succeeded && is_before(&row.key);
                earlier.extend(self.sessions.values().filter(succeeded).map(|row| row.key.date));
            }
            Operation::Reset { to: Some(to) } => {
                let before = of_job().filter(|row| row.key.date < *to && row.state == State::Succeeded);
                last_success = before.map(|row| row.key.date).max();
            }
            _ => {}
        }
        let settled = settled.unwrap_or_default();
        let is_cancelled = self.backfills.values().any(|backfill| backfill.cancelled_by == Some(id));
        let is_entered = is_cancelled || self.backfills.contains_key(&id);
        Past { settled, namesake, is_entered, earlier, last_success }
    }

    fn current(&self, key: &SessionKey) -> bool {
        self.jobs.get(&key.job).is_some_and(|job| job.generation == key.generation)
    }

    /// Says what of the promise is broken by the rows of a job, and what they cannot tell. The audit is not kept here.
    pub(crate) fn examine(&self, record: &JobRecord, resets: u64) -> (Vec<Violation>, Vec<Unchecked>) {
        let subject = Subject::new(record.clone(), chrono_tz::UTC, resets);
        let mut examination = Examination::new(&subject);
        for session in self.sessions.values().filter(|row| row.key.job == record.name) {
            examination.row(Row::Session(session.clone()));
            let first = AttemptKey { session: session.key.clone(), number: 0 };
            let attempts = self.attempts.range(first..).take_while(|(key, _)| key.session == session.key);
            attempts.for_each(|(_, attempt)| examination.row(Row::Attempt(attempt.clone())));
        }
        examination.finish()
    }

    fn lies_out(&self, row: &SessionRecord) -> bool {
        let record = &self.jobs[&row.key.job];
        row.settled_at.is_some()
            && (row.key.date < record.first_date || record.watermark.is_none_or(|watermark| row.key.date > watermark))
    }

    /// What a crontabber that starts now finds.
    pub(crate) fn recovered(&self) -> Recovered {
        let rows = || self.sessions.values().filter(|row| self.current(&row.key));
        Recovered {
            clock_hold: None,
            jobs: self.jobs.values().cloned().collect(),
            sessions: rows().filter(|row| row.settled_at.is_none()).cloned().collect(),
            open: self.attempts.values().filter(|attempt| attempt.end.is_none()).cloned().collect(),
            settled: rows().filter(|row| row.settled_at.is_some()).map(|row| row.key.job.clone()).collect(),
            settled_outside_range: rows()
                .filter(|row| self.lies_out(row))
                .map(|row| (row.key.job.clone(), row.key.date))
                .collect(),
            backfills: self
                .backfills
                .values()
                .filter(|backfill| rows().any(|row| row.settled_at.is_none() && row.backfill == Some(backfill.id)))
                .cloned()
                .collect(),
            former: rows()
                .filter(|row| row.settled_at.is_none())
                .filter_map(|row| Some((row, self.former.get(&(row.backfill?, row.key.date))?)))
                .map(|(row, former)| (row.key.job.clone(), row.key.date, former.state.kind()))
                .collect(),
            disabled: self.disabled.values().cloned().collect(),
            pauses: self.pauses.values().cloned().collect(),
            stand_ins: self
                .stand_ins
                .iter()
                .map(|(job, stand_ins)| {
                    let later = |(date, _): &(&DateTime<Utc>, &DateTime<Utc>)| {
                        self.jobs[job].watermark.is_none_or(|watermark| **date > watermark)
                    };
                    (job.clone(), stand_ins.iter().filter(later).map(|(date, by)| (*date, *by)).collect())
                })
                .collect(),
            recordings: Vec::new(),
        }
    }

    /// What the ledger has of the dates that edits concern.
    pub(crate) fn recordings(&self, ranges: Vec<RecordingRange>) -> Vec<JobRecordings> {
        let of_range = |range: RecordingRange| {
            let rows = || {
                let is_of_job = |key: &SessionKey| key.job == range.job && key.generation == range.generation;
                self.sessions.values().filter(move |row| is_of_job(&row.key))
            };
            let edited_out = rows().map(recording).filter(Recording::is_edited_out).map(|recording| recording.date);
            let (oldest, newest) = edited_out.fold((range.from + range.around, range.to), |(oldest, newest), date| {
                (oldest.min(date), newest.max(date))
            });
            let within = (oldest - range.around)..=(newest + range.around);
            let recordings = rows().filter(|row| within.contains(&row.key.date)).map(recording).collect();
            JobRecordings { job: range.job.clone(), recordings }
        };
        ranges.into_iter().map(of_range).collect()
    }
}

fn recording(row: &SessionRecord) -> Recording {
    let reason = if let State::Skipped { reason } = row.state { Some(reason) } else { None };
    Recording {
        date: row.key.date,
        zone: row.zone,
        state: row.state.kind(),
        reason,
        trigger: row.trigger,
        is_backfilled: row.backfill.is_some(),
        attempts: row.attempts,
    }
}

/// Everything around a scheduler.
pub(crate) struct World {
    pub(crate) scheduler: Scheduler,
    pub(crate) rows: Rows,
    pub(crate) jobs: Vec<Job>,
    pub(crate) now: DateTime<Utc>,
    pub(crate) running: Vec<Start>,
    /// `job date` of each attempt, in the order in which they were started.
    pub(crate) started: Vec<String>,
    /// `job attempt: date zone` of each attempt: the date that it gets.
    pub(crate) told: Vec<String>,
    /// The zone that went with each idempotency key: all attempts at a date are told the same.
    zones: BTreeMap<String, Tz>,
    pub(crate) notes: Vec<Notification>,
    /// The dates of which it is asked whether they are done.
    pub(crate) probes: Vec<Start>,
    pub(crate) kills: Vec<AttemptKey>,
    /// The places of each pool.
    pub(crate) pools: BTreeMap<String, usize>,
    requests: i64,
    pub(crate) max_running: usize,
    /// An edit that adds more past dates waits for an operator.
    pub(crate) announce_over: u64,
    /// What the kernel counts, whatever the clock says.
    ticks: u64,
}

impl World {
    /// A crontabber that has never run, on its first registry.
    pub(crate) fn new(now: &str, jobs: Vec<Job>) -> Self {
        Self::with_rows(now, jobs, Rows::default())
    }

    /// A crontabber that finds a ledger.
    pub(crate) fn with_rows(now: &str, jobs: Vec<Job>, rows: Rows) -> Self {
        let now = at(now);
        let mut world = Self {
            scheduler: Scheduler::new(rows.recovered(), "here", 16, now),
            rows,
            jobs: jobs.clone(),
            now,
            running: Vec::new(),
            started: Vec::new(),
            told: Vec::new(),
            zones: BTreeMap::new(),
            notes: Vec::new(),
            probes: Vec::new(),
            kills: Vec::new(),
            pools: BTreeMap::new(),
            requests: 0,
            max_running: 16,
            announce_over: u64::MAX,
            ticks: 0,
        };
        world.reload(jobs);
        world
    }

    /// The daemon dies now, and another one has read the ledger.
    pub(crate) fn die(&mut self) {
        self.scheduler = Scheduler::new(self.rows.recovered(), "here", self.max_running, self.now);
        self.running.clear();
    }

    /// The daemon dies now, with its jobs, and another one starts.
    pub(crate) fn crash(&mut self) {
        let open = self.rows.recovered().open;
        self.die();
        self.reload(self.jobs.clone());
        for attempt in open {
            self.end_attempt(attempt.key, Outcome::Lost);
        }
    }

    pub(crate) fn reload(&mut self, jobs: Vec<Job>) {
        self.jobs.clone_from(&jobs);
        self.scheduler.set_pools(self.pools.clone());
        self.scheduler.set_announce_over(self.announce_over);
        let jobs: Vec<_> = jobs.into_iter().map(Arc::new).collect();
        let needed = self.scheduler.recordings_needed(&jobs);
        self.scheduler.set_recordings(self.rows.recordings(needed));
        self.handle(Event::Registry(jobs));
    }

    pub(crate) fn handle(&mut self, event: Event) {
        let Step { entries, starts, probes, kills, notes, .. } = self.scheduler.handle(event, self.now);
        self.probes.extend(probes);
        self.kills.extend(kills);
        for entry in &entries {
            self.rows.apply(entry);
        }
        for start in starts {
            let (key, date) = (&start.attempt.session, start.attempt.session.date);
            let is_strict = start.job.date_policy.is_strict();
            let overlaps =
                |other: &Start| other.attempt.session.job == key.job && (is_strict || other.attempt.session == *key);
            assert!(!self.running.iter().any(overlaps), "P2: {} is running already", key.job);
            self.ticks += 1;
            if let Some(row) = self.rows.attempts.get_mut(&start.attempt) {
                row.process = Some(ProcessIdentity { pid: 2, start_ticks: self.ticks, boot_id: "boot".to_owned() });
            }
            self.started.push(format!("{} {}", key.job, date.format("%m-%dT%H:%M")));
            let zone = *self.zones.entry(start.idempotency_key.clone()).or_insert(start.zone);
            assert_eq!(start.zone, zone, "attempts at {} are told different days", start.idempotency_key);
            let told = date.with_timezone(&zone);
            self.told.push(format!("{} {}: {}", key.job, start.attempt.number, told.format("%FT%T%:z %Z")));
            self.running.push(start);
        }
        self.notes.extend(notes);
    }

    /// Lets time pass until `until`, with a tick whenever the scheduler wants one; what runs goes on running.
    pub(crate) fn pass(&mut self, until: &str) {
        self.pass_to(at(until));
    }

    pub(crate) fn pass_to(&mut self, until: DateTime<Utc>) {
        while let Some((next, _)) = self.scheduler.next_wake().filter(|(next, _)| *next <= until) {
            self.now = self.now.max(next);
            self.handle(Event::Tick);
        }
        self.now = until;
        self.handle(Event::Tick);
    }

    /// Lets time pass until `until`, and then ends all that runs, and what that starts.
    pub(crate) fn pass_and_settle(&mut self, until: &str, decide: impl FnMut(&Start) -> Outcome) {
        self.pass(until);
        self.settle(decide);
    }

    /// Ends the attempt that has run longest.
    pub(crate) fn end_first(&mut self, outcome: Outcome) {
        self.end_attempt(self.running[0].attempt.clone(), outcome);
    }

    pub(crate) fn end_attempt(&mut self, attempt: AttemptKey, outcome: Outcome) {
        self.running.retain(|start| start.attempt != attempt);
        let end = AttemptEnd { outcome, ended_at: self.now, duration: None, detail: None, has_log: false, usage: None };
        self.handle(Event::Ended { attempt, end });
    }

    /// Ends what has run longest, as `decide` says, until nothing runs.
    pub(crate) fn settle(&mut self, mut decide: impl FnMut(&Start) -> Outcome) {
        while let Some(start) = self.running.first().cloned() {
            let outcome = decide(&start);
            self.end_attempt(start.attempt, outcome);
            self.pass_to(self.now);
        }
    }

    pub(crate) fn request(&mut self, job: &str, operation: Operation) {
        let id = self.next_request();
        self.ask(id, job, operation);
    }

    /// Makes a request, and returns its answer.
    pub(crate) fn answer_to(&mut self, job: &str, operation: Operation) -> String {
        self.request(job, operation);
        self.answered()
    }

    /// Makes requests one after the other, and returns their answers, one a line.
    pub(crate) fn answers_to(&mut self, job: &str, operations: impl IntoIterator<Item = Operation>) -> String {
        let answers = operations.into_iter().map(|operation| self.answer_to(job, operation));
        answers.collect::<Vec<_>>().join("\n")
    }

    /// The number of a request that nobody has made yet.
    fn next_request(&mut self) -> i64 {
        self.requests += 1;
        self.requests
    }

    /// A request arrives, for the first time or again, with what the ledger has of it.
    pub(crate) fn ask(&mut self, id: i64, job: &str, operation: Operation) {
        let job = JobName::new(job).expect("a name");
        let (at, user, host) = (self.now, "ann".to_owned(), "here".to_owned());
        let past = self.rows.past(&job, id, &operation);
        self.handle(Event::Request(Request { id, job: Some(job), operation, at, user, host, reason: None, past }));
    }

    /// Makes a request about a pause, and returns its answer.
    pub(crate) fn answer_about_pause(&mut self, operation: Operation) -> String {
        let (id, at, user, host) = (self.next_request(), self.now, "ann".to_owned(), "here".to_owned());
        let (reason, past) = (Some("a migration".to_owned()), Past::default());
        self.handle(Event::Request(Request { id, job: None, operation, at, user, host, reason, past }));
        self.answered()
    }

    /// What the last request was answered: `done: …`, `refused: …`, or nothing yet.
    pub(crate) fn answered(&self) -> String {
        self.rows.answers.get(&self.requests).map_or_else(String::new, |Reply { done, text, dates }| {
            format!("{} ({}): {text}", if *done { "done" } else { "refused" }, dates.count)
        })
    }

    /// The answer to the oldest question whether a date is done.
    pub(crate) fn answer_probe(&mut self, is_done: Option<bool>) {
        self.end_probe(match is_done {
            Some(true) => ProbeAnswer::Done,
            Some(false) => ProbeAnswer::NotDone,
            None => ProbeAnswer::Lost,
        });
    }

    pub(crate) fn end_probe(&mut self, answer: ProbeAnswer) {
        let probe = self.probes.remove(0);
        self.handle(Event::Probed { session: probe.attempt.session, answer });
    }

    /// The current generation's rows of a job, one a line.
    pub(crate) fn rows_of(&self, job: &str) -> String {
        let mut text = String::new();
        for row in self.rows.sessions.values().filter(|row| row.key.job.as_str() == job && self.rows.current(&row.key))
        {
            let more = match &row.state {
                State::Failed { retry_at } => format!(" until {}", retry_at.format("%m-%dT%H:%M:%S")),
                State::Held { reason } => format!(": {reason}"),
                State::Skipped { reason } => format!(": {reason}"),
                _ => String::new(),
            };
            let (date, state) = (row.key.date.format("%m-%dT%H:%M"), row.state.word());
            writeln!(text, "{date} {state}{more} ({}, {} attempts)", row.trigger, row.attempts).expect("memory");
        }
        text
    }

    /// What the scheduler holds of the ledger is what another one would load now.
    pub(crate) fn assert_memory_is_as_loaded(&self) {
        let loaded = Scheduler::new(self.rows.recovered(), "here", self.max_running, self.now);
        let (memory, loaded) = (self.scheduler.describe_rows(), loaded.describe_rows());
        if memory != loaded {
            let differs = memory.lines().zip(loaded.lines()).find(|(memory, loaded)| memory != loaded);
            panic!("memory and ledger differ, first at {differs:?}\nmemory: {memory}\nledger: {loaded}");
        }
    }

    /// What was started since the last call.
    pub(crate) fn take_started(&mut self) -> String {
        std::mem::take(&mut self.started).join(", ")
    }
}

/// Whatever a story was about, its rows keep the promise.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() || self.rows.jobs.is_empty() {
            return;
        }
        self.assert_memory_is_as_loaded();
        for record in self.rows.jobs.values() {
            let (violations, _) = self.rows.examine(record, u64::from(record.generation) - 1);
            assert!(violations.is_empty(), "{}: {violations:#?}\n{}", record.name, self.rows_of(record.name.as_str()));
        }
    }
}

/// All jobs succeed.
pub(crate) fn succeed(_: &Start) -> Outcome {
    Outcome::Succeeded
}

/// All jobs fail.
pub(crate) fn fail(_: &Start) -> Outcome {
    Outcome::Failed { code: 1 }
}

/// Those of one date fail.
pub(crate) fn fail_on(date: &'static str) -> impl FnMut(&Start) -> Outcome {
    move |start| if start.attempt.session.date == at(date) { Outcome::Failed { code: 1 } } else { Outcome::Succeeded }
}
