//! The ledger, in memory: what is committed stays, and every expectation that an entry names is checked as the real one
//! does.

mod operators;
mod verify;

use std::collections::{BTreeMap, HashMap};

use chrono_tz::Tz;
use crontabber_core::job::{Job, JobName};
use crontabber_core::session::{
    AttemptEnd, AttemptKey, AttemptRecord, BackfillId, BackfillRecord, Disabled, Entry, JobRecord, JobRecordings,
    NewSession, Pause, PauseScope, Recording, RecordingRange, Recovered, Request, SessionKey, SessionRecord, SettledBy,
    State, StateKind,
};

use crate::Held;
use crate::calendar::At;

/// The dates of one generation of a job.
#[derive(Debug, Default)]
pub(crate) struct Dates {
    pub(crate) unsettled: BTreeMap<At, SessionRecord>,
    pub(crate) settled: BTreeMap<At, SessionRecord>,
}

impl Dates {
    pub(crate) fn get(&self, date: At) -> Option<&SessionRecord> {
        self.unsettled.get(&date).or_else(|| self.settled.get(&date))
    }

    /// The unsettled dates of a backfill, or of the schedule.
    pub(crate) fn of(&self, backfill: Option<BackfillId>) -> impl DoubleEndedIterator<Item = &SessionRecord> {
        self.unsettled.values().filter(move |row| row.backfill == backfill)
    }

    pub(crate) fn newest(&self) -> Option<At> {
        let last = |rows: &BTreeMap<At, SessionRecord>| rows.last_key_value().map(|(date, _)| *date);
        last(&self.unsettled).max(last(&self.settled))
    }

    fn put(&mut self, row: SessionRecord) {
        let rows = if row.settled_at.is_some() { &mut self.settled } else { &mut self.unsettled };
        rows.insert(row.key.date, row);
    }
}

#[derive(Debug)]
pub(crate) struct JobRows {
    pub(crate) record: JobRecord,
    pub(crate) generations: BTreeMap<u32, Dates>,
    /// The dates whose period has a date, each with the one that stands for it.
    pub(crate) stand_ins: BTreeMap<At, At>,
}

impl JobRows {
    /// The dates of its generation.
    pub(crate) fn dates(&self) -> &Dates {
        &self.generations[&self.record.generation]
    }
}

/// A request in the audit.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) request: Request,
    /// What was open of its job when it was asked.
    pub(crate) open: Vec<AttemptKey>,
    /// Whether it was done, once it is answered.
    pub(crate) done: Option<bool>,
}

/// All rows, and the writer's.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) jobs: BTreeMap<JobName, JobRows>,
    pub(crate) open: BTreeMap<AttemptKey, AttemptRecord>,
    pub(crate) closed: HashMap<AttemptKey, AttemptEnd>,
    /// All attempts that have ended, by the name that their job has now.
    ended: BTreeMap<AttemptKey, AttemptRecord>,
    pub(crate) backfills: BTreeMap<BackfillId, BackfillRecord>,
    /// What dates were before a backfill let them wait again.
    pub(crate) former: BTreeMap<(BackfillId, At), SessionRecord>,
    pub(crate) disabled: BTreeMap<JobName, Disabled>,
    pub(crate) pauses: BTreeMap<PauseScope, Pause>,
    pub(crate) audit: BTreeMap<i64, Asked>,
    /// How many of them nobody has answered.
    pub(crate) unanswered: usize,
    /// Who writes.
    pub(crate) epoch: u64,
    /// How many transactions that one has committed.
    pub(crate) batch: u64,
}

impl Ledger {
    /// Whether an operator paused a job.
    pub(crate) fn is_paused(&self, job: &Job) -> bool {
        self.pauses.keys().any(|scope| scope.has(job))
    }

    /// What a daemon that starts now finds; it is the writer from now on.
    pub(crate) fn take(&mut self) -> Recovered {
        self.epoch += 1;
        self.batch = 0;
        let mut recovered = Recovered::default();
        for (name, job) in &self.jobs {
            recovered.jobs.push(job.record.clone());
            recovered.sessions.extend(job.dates().unsettled.values().cloned());
            if !job.dates().settled.is_empty() {
                recovered.settled.push(name.clone());
            }
            let JobRecord { first_date, watermark, .. } = job.record;
            let lies_out = |date: &&At| **date < first_date || watermark.is_none_or(|watermark| **date > watermark);
            let settled_outside_range = job.dates().settled.keys().filter(lies_out);
            recovered.settled_outside_range.extend(settled_outside_range.map(|date| (name.clone(), *date)));
        }
        recovered.open = self.open.values().cloned().collect();
        let has_unsettled = |id: BackfillId| recovered.sessions.iter().any(|row| row.backfill == Some(id));
        recovered.backfills = self.backfills.values().filter(|record| has_unsettled(record.id)).cloned().collect();
        let former = recovered.sessions.iter().filter_map(|row| {
            let former = self.former.get(&(row.backfill?, row.key.date))?;
            Some((row.key.job.clone(), row.key.date, former.state.kind()))
        });
        recovered.former = former.collect();
        recovered.pauses = self.pauses.values().cloned().collect();
        recovered.disabled = self.disabled.values().cloned().collect();
        for (name, job) in &self.jobs {
            let later = |(date, _): &(&At, &At)| job.record.watermark.is_none_or(|watermark| **date > watermark);
            let stand_ins = job.stand_ins.iter().filter(later).map(|(date, by)| (*date, *by)).collect();
            recovered.stand_ins.insert(name.clone(), stand_ins);
        }
        recovered
    }

    /// What an edit of the registry needs to know.
    pub(crate) fn recordings(&self, ranges: &[RecordingRange]) -> Vec<JobRecordings> {
        let of_range = |range: &RecordingRange| {
            let dates = self.jobs.get(&range.job).map(|rows| &rows.generations[&range.generation]);
            let rows = || dates.into_iter().flat_map(|dates| dates.unsettled.values().chain(dates.settled.values()));
            let edited_out = || rows().map(recording).filter(Recording::is_edited_out).map(|row| row.date);
            let from = edited_out().min().map_or(range.from, |date| range.from.min(date - range.around));
            let to = edited_out().max().map_or(range.to, |date| range.to.max(date + range.around));
            let mut recordings: Vec<Recording> =
                rows().filter(|row| (from..=to).contains(&row.key.date)).map(recording).collect();
            recordings.sort_by_key(|recording| recording.date);
            JobRecordings { job: range.job.clone(), recordings }
        };
        ranges.iter().map(of_range).collect()
    }

    pub(crate) fn row(&self, key: &SessionKey) -> Option<&SessionRecord> {
        self.jobs.get(&key.job)?.generations.get(&key.generation)?.get(key.date)
    }

    /// The newest success before a date, as the daemon looks it up.
    pub(crate) fn success_before(&self, session: &SessionKey) -> Option<At> {
        let SessionKey { job, generation, date } = session;
        let first_date = self.jobs.get(job)?.record.first_date;
        let before = self.newest_success(job, generation - 1, first_date.min(*date));
        self.newest_success(job, *generation, *date).max(before)
    }

    /// The newest success of a generation before a date.
    pub(crate) fn newest_success(&self, job: &JobName, generation: u32, date: At) -> Option<At> {
        let settled = &self.jobs.get(job)?.generations.get(&generation)?.settled;
        settled.range(..date).rev().find(|(_, row)| row.state == State::Succeeded).map(|(date, _)| *date)
    }

    /// Says whether a date has succeeded in an earlier generation.
    pub(crate) fn succeeded_before(&self, job: &JobName, generation: u32, date: At) -> bool {
        let generations = self.jobs.get(job).map(|job| job.generations.range(..generation));
        generations.into_iter().flatten().any(|(_, dates)| dates.settled.contains_key(&date))
    }

    fn job(&mut self, name: &JobName, generation: u32) -> Result<&mut JobRows, String> {
        let job = self.jobs.get_mut(name).ok_or_else(|| format!("conflict: {name} was never entered"))?;
        let found = job.record.generation;
        if found == generation { Ok(job) } else { Err(format!("conflict: {name} is in generation {found}")) }
    }

    /// Changes a row that must be there.
    fn change(&mut self, key: &SessionKey, change: impl FnOnce(&mut SessionRecord) -> Held) -> Held {
        let dates = self.jobs.get_mut(&key.job).and_then(|job| job.generations.get_mut(&key.generation));
        let dates = dates.ok_or_else(|| format!("conflict: no such job or generation: {key:?}"))?;
        let row = dates.unsettled.remove(&key.date).or_else(|| dates.settled.remove(&key.date));
        let mut row = row.ok_or_else(|| format!("conflict: no such date: {key:?}"))?;
        change(&mut row).map_err(|conflict| format!("conflict at {} {}: {conflict}", key.job, key.date))?;
        dates.put(row);
        Ok(())
    }

    pub(crate) fn apply(&mut self, entry: &Entry) -> Held {
        match entry {
            Entry::Enter(record) => self.enter(record),
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
                let rows = self.job(job, *generation)?;
                let record = &mut rows.record;
                timetable.clone_into(&mut record.timetable);
                (record.first_date, record.timetable_from) = (*first_date, *timetable_from);
                (record.complete_after, record.has_excluded) = (*complete_after, *has_excluded);
                rows.stand_ins.clone_from(stand_ins);
                Ok(())
            }
            Entry::Registered { job, action } => {
                let record = &mut self.jobs.get_mut(job).ok_or_else(|| format!("conflict: {job} is not there"))?.record;
                record.in_registry = action.is_some();
                record.action = action.clone().unwrap_or_else(|| record.action.clone());
                Ok(())
            }
            Entry::Order { job, generation, strict_after } => {
                self.job(job, *generation)?.record.strict_after = *strict_after;
                Ok(())
            }
            Entry::Reset(record) => {
                let job = self.job(&record.name, record.generation - 1)?;
                job.record = record.clone();
                job.stand_ins.clear();
                job.generations.insert(record.generation, Dates::default());
                Ok(())
            }
            Entry::Record { job, generation, watermark, to, zone, sessions, at } => {
                let rows = self.job(job, *generation)?;
                if rows.record.watermark != *watermark {
                    return Err(format!(
                        "conflict: the watermark of {job} is {:?}, not {watermark:?}",
                        rows.record.watermark
                    ));
                }
                if to < watermark {
                    return Err(format!("P5: the watermark of {job} goes back from {watermark:?} to {to:?}"));
                }
                rows.record.watermark = *to;
                sessions.iter().try_for_each(|new| record(rows, new, *zone, *at))
            }
            Entry::Process { attempt, process } => {
                if let Some(open) = self.open.get_mut(attempt) {
                    open.process = Some(process.clone());
                }
                Ok(())
            }
            Entry::Move { session, from, to, at } => self.change(session, |row| {
                if row.state.kind() != *from || *from == StateKind::Running || *to == State::Running {
                    return Err(format!("{:?} is moved from {from} to {to:?}", row.state));
                }
                row.settled_at = to.is_settled().then_some(*at);
                row.state = to.clone();
                Ok(())
            }),
            Entry::Open { .. } => self.open(entry),
            Entry::Close { .. } => self.close(entry),
            other => self.apply_operators(other),
        }
    }

    fn enter(&mut self, record: &JobRecord) -> Held {
        let generations = BTreeMap::from([(record.generation, Dates::default())]);
        let before = self
            .jobs
            .insert(record.name.clone(), JobRows { record: record.clone(), generations, stand_ins: BTreeMap::new() });
        if before.is_some() { Err(format!("conflict: {} is entered twice", record.name)) } else { Ok(()) }
    }

    fn open(&mut self, entry: &Entry) -> Held {
        let Entry::Open { attempt, from, trigger, host, started_at } = entry else { return Ok(()) };
        self.change(&attempt.session, |row| {
            if row.state.kind() != *from || *from == StateKind::Running || row.attempts + 1 != attempt.number {
                return Err(format!("{attempt} opens from {from}, and finds {:?}, {}", row.state, row.attempts));
            }
            row.state = State::Running;
            row.attempts += 1;
            row.settled_at = None;
            Ok(())
        })?;
        let (key, host, started_at) = (attempt.clone(), host.clone(), *started_at);
        let zone = self.row(&attempt.session).map_or(Tz::UTC, |row| row.zone);
        let record = AttemptRecord { key, zone, trigger: *trigger, host, process: None, started_at, end: None };
        self.open.insert(attempt.clone(), record);
        Ok(())
    }

    fn close(&mut self, entry: &Entry) -> Held {
        let Entry::Close { attempt, end, state, counted_attempts } = entry else { return Ok(()) };
        let open = self.open.remove(attempt);
        let open = open.ok_or_else(|| format!("conflict: {attempt} is closed, and is not open"))?;
        self.ended.insert(attempt.clone(), AttemptRecord { end: Some(end.clone()), ..open });
        self.closed.insert(attempt.clone(), end.clone());
        self.change(&attempt.session, |row| {
            if row.state != State::Running || row.attempts != attempt.number || *state == State::Running {
                return Err(format!("{attempt} is closed, and finds {:?}, {}", row.state, row.attempts));
            }
            row.settled_at = state.is_settled().then_some(end.ended_at);
            (row.state, row.counted_attempts) = (state.clone(), *counted_attempts);
            Ok(())
        })?;
        if *state == State::Succeeded {
            self.succeeded(&attempt.session);
        }
        Ok(())
    }

    /// The job's newest success, if this is its newest and not of an earlier generation.
    fn succeeded(&mut self, session: &SessionKey) {
        if let Some(job) = self.jobs.get_mut(&session.job)
            && job.record.generation == session.generation
        {
            job.record.last_success = job.record.last_success.max(Some(session.date));
        }
    }
}

fn recording(row: &SessionRecord) -> Recording {
    let SessionRecord { key, zone, state, trigger, attempts, backfill, .. } = row;
    let reason = if let State::Skipped { reason } = state { Some(*reason) } else { None };
    let (date, zone, trigger, attempts) = (key.date, *zone, *trigger, *attempts);
    Recording { date, zone, state: state.kind(), reason, trigger, is_backfilled: backfill.is_some(), attempts }
}

fn record(rows: &mut JobRows, new: &NewSession, zone: Tz, at: At) -> Held {
    let JobRecord { name, generation, .. } = rows.record.clone();
    if !matches!(new.state, State::Waiting | State::Skipped { .. } | State::Succeeded) {
        return Err(format!("conflict: {name} {} enters as {:?}", new.date, new.state));
    }
    let dates = rows.generations.get_mut(&generation).expect("made with its job");
    if dates.get(new.date).is_some() {
        return Err(format!("conflict: {name} {} enters twice", new.date));
    }
    let is_done = new.state == State::Succeeded;
    dates.put(SessionRecord {
        key: SessionKey { job: name, generation, date: new.date },
        zone,
        state: new.state.clone(),
        trigger: new.trigger,
        attempts: 0,
        counted_attempts: 0,
        recorded_at: at,
        settled_at: new.state.is_settled().then_some(at),
        backfill: new.backfill,
        settled_by: is_done.then_some(SettledBy::Operator),
    });
    if is_done {
        rows.record.last_success = rows.record.last_success.max(Some(new.date));
    }
    Ok(())
}
