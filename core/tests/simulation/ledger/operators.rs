//! What operators and registries change besides attempts, and the facts that a request carries about its dates.

use crontabber_core::job::JobName;
use crontabber_core::session::{
    AttemptKey, BackfillId, BackfillOrder, BackfillRecord, Entry, JobRecord, Operation, Past, REPLACED, Request,
    SessionKey, SessionRecord, State, StateKind, Trigger,
};

use super::{Asked, Dates, Ledger};
use crate::Held;

impl Ledger {
    pub(super) fn apply_operators(&mut self, entry: &Entry) -> Held {
        match entry {
            Entry::Done { session, from, by, at } => {
                self.change(session, |row| {
                    if row.state.kind() != *from || [StateKind::Running, StateKind::Succeeded].contains(from) {
                        return Err(format!("{:?} is said to be done, from {from}", row.state));
                    }
                    (row.state, row.settled_at, row.settled_by) = (State::Succeeded, Some(*at), Some(*by));
                    Ok(())
                })?;
                self.succeeded(session);
                Ok(())
            }
            Entry::Again { session, zone, from, trigger, backfill, attempts } => {
                if backfill.is_some_and(|id| !self.backfills.contains_key(&id)) {
                    return Err(format!("conflict: there is no backfill {backfill:?}"));
                }
                let mut former = None;
                self.change(session, |row| {
                    if row.state.kind() != *from
                        || *from == StateKind::Running
                        || (row.attempts, row.zone) != (*attempts, *zone)
                    {
                        return Err(format!("{:?} is to wait again, from {from}", row.state));
                    }
                    former = from.is_settled().then(|| row.clone());
                    (row.state, row.settled_at, row.settled_by, row.counted_attempts) = (State::Waiting, None, None, 0);
                    (row.trigger, row.backfill) = (*trigger, *backfill);
                    Ok(())
                })?;
                if let (Some(backfill), Some(former)) = (*backfill, former) {
                    self.former.insert((backfill, session.date), former);
                }
                Ok(())
            }
            Entry::Unanswered { session, .. } => self.change(session, |_| Ok(())),
            Entry::Include { .. } => self.include(entry),
            Entry::Restore { session, from, to, backfill } => self.restore(session, (*from, *to), *backfill),
            Entry::CancelBackfill { backfill, request, .. } => match self.backfills.get_mut(backfill) {
                Some(record) if record.cancelled_by.is_none() => {
                    record.cancelled_by = Some(*request);
                    Ok(())
                }
                _ => Err(format!("conflict: backfill {backfill} is cancelled twice, or is not there")),
            },
            Entry::Backfill(record) => match self.backfills.insert(record.id, record.clone()) {
                None if self.jobs.contains_key(&record.job) => Ok(()),
                _ => Err(format!("conflict: backfill {} is entered twice, or of no job", record.id)),
            },
            Entry::Disable(disabled) => {
                self.disabled.insert(disabled.job.clone(), disabled.clone());
                Ok(())
            }
            Entry::Enable { job } => match self.disabled.remove(job) {
                Some(_) => Ok(()),
                None => Err(format!("conflict: {job} is enabled, and nobody had disabled it")),
            },
            Entry::Pause(_) | Entry::Resume { .. } => self.apply_pause(entry),
            Entry::Rename { from, to, replaces: true } => self.replace(to, from).and_then(|()| self.rename(from, to)),
            Entry::Rename { from, to, .. } => self.rename(from, to),
            Entry::Answer { request, reply, .. } => match self.audit.get_mut(request) {
                Some(asked) if asked.done.is_none() => {
                    asked.done = Some(reply.done);
                    self.unanswered -= 1;
                    Ok(())
                }
                _ => Err(format!("P7: request {request} is answered twice")),
            },
            other => Err(format!("conflict: nobody asked for {other:?}")),
        }
    }

    fn apply_pause(&mut self, entry: &Entry) -> Held {
        match entry {
            Entry::Pause(pause) => _ = self.pauses.insert(pause.scope.clone(), pause.clone()),
            Entry::Resume { scope } if self.pauses.remove(scope).is_none() => {
                return Err(format!("conflict: {scope} are resumed, and were not paused"));
            }
            _ => {}
        }
        Ok(())
    }

    fn include(&mut self, entry: &Entry) -> Held {
        let Entry::Include { session, zone, from, attempts, at } = entry else { return Ok(()) };
        self.change(session, |row| {
            if (row.state.kind(), row.zone, row.attempts) != (*from, *zone, *attempts) || !from.is_settled() {
                return Err(format!("is included as {from}, and is {:?}", row.state));
            }
            (row.state, row.settled_at, row.counted_attempts) = (State::Waiting, None, 0);
            (row.trigger, row.backfill, row.recorded_at, row.settled_by) = (Trigger::CatchUp, None, *at, None);
            Ok(())
        })
    }

    /// The rows of a job become those of generation 0 of another one.
    fn replace(&mut self, job: &JobName, by: &JobName) -> Held {
        if let Some(open) = self.open.keys().find(|key| key.session.job == *job) {
            return Err(format!("P2: {job} is replaced while {open} is open"));
        }
        let replaced = self.jobs.remove(job).ok_or_else(|| format!("conflict: {job} is gone"))?;
        let Some(rows) = self.jobs.get_mut(by).filter(|rows| !rows.record.has_replaced) else {
            return Err(format!("conflict: {by} is gone, or has replaced another job"));
        };
        rows.record.has_replaced = true;
        self.disabled.remove(job);
        for (generation, dates) in replaced.generations {
            let mut of_it = Dates::default();
            for mut row in dates.unsettled.into_values().chain(dates.settled.into_values()) {
                if row.state == State::Succeeded {
                    return Err(format!("P1: {job} is replaced, and its {} has succeeded", row.key.date));
                }
                (row.key.job, row.key.generation) = (by.clone(), REPLACED);
                of_it.put(row);
            }
            if generation != 1 || rows.generations.insert(REPLACED, of_it).is_some() {
                return Err(format!("conflict: {job} was reset, or {by} has a generation 0"));
            }
        }
        for record in self.backfills.values_mut().filter(|record| record.job == *job) {
            (record.job, record.generation) = (by.clone(), REPLACED);
        }
        for asked in
            self.audit.values_mut().filter(|asked| asked.done.is_some() && asked.request.job.as_ref() == Some(job))
        {
            asked.request.job = Some(by.clone());
        }
        let of_it = |key: &AttemptKey| key.session.job == *job;
        for (mut key, mut attempt) in self.ended.extract_if(.., |key, _| of_it(key)).collect::<Vec<_>>() {
            (key.session.job, key.session.generation) = (by.clone(), REPLACED);
            attempt.key = key.clone();
            self.ended.insert(key, attempt);
        }
        for (mut key, end) in self.closed.extract_if(|key, _| of_it(key)).collect::<Vec<_>>() {
            (key.session.job, key.session.generation) = (by.clone(), REPLACED);
            self.closed.insert(key, end);
        }
        Ok(())
    }

    fn rename(&mut self, from: &JobName, to: &JobName) -> Held {
        let mut rows = self.jobs.remove(from).ok_or_else(|| format!("conflict: {from} is gone"))?;
        rows.record.name = to.clone();
        for dates in rows.generations.values_mut() {
            dates.unsettled.values_mut().chain(dates.settled.values_mut()).for_each(|row| row.key.job = to.clone());
        }
        if self.jobs.insert(to.clone(), rows).is_some() {
            return Err(format!("conflict: {from} is to be called {to}, which is another job"));
        }
        if let Some(mut disabled) = self.disabled.remove(from) {
            disabled.job = to.clone();
            self.disabled.insert(to.clone(), disabled);
        }
        for record in self.backfills.values_mut().filter(|record| record.job == *from) {
            record.job = to.clone();
        }
        for asked in
            self.audit.values_mut().filter(|asked| asked.done.is_some() && asked.request.job.as_ref() == Some(from))
        {
            asked.request.job = Some(to.clone());
        }
        let of_it = |key: &AttemptKey| key.session.job == *from;
        for (mut key, mut attempt) in self.ended.extract_if(.., |key, _| of_it(key)).collect::<Vec<_>>() {
            key.session.job = to.clone();
            attempt.key = key.clone();
            self.ended.insert(key, attempt);
        }
        match self.open.keys().find(|key| of_it(key)) {
            Some(open) => Err(format!("P2: {from} gets another name while {open} is open")),
            None => Ok(()),
        }
    }

    /// A date is again what it was before its backfill.
    fn restore(&mut self, key: &SessionKey, (from, to): (StateKind, StateKind), backfill: BackfillId) -> Held {
        let former = self.former.remove(&(backfill, key.date)).filter(|former| former.state.kind() == to);
        let former = former.ok_or_else(|| format!("conflict: {key:?} was not {to} before backfill {backfill}"))?;
        self.change(key, |row| {
            if row.state.kind() != from || from == StateKind::Running || row.backfill != Some(backfill) {
                return Err(format!("{:?} is to leave backfill {backfill}, from {from}", row.state));
            }
            // A date that the backfill attempted stays one of its dates.
            let origin = if row.attempts == former.attempts { &former } else { &*row };
            let (trigger, backfill, attempts) = (origin.trigger, origin.backfill, row.attempts);
            *row = SessionRecord { key: key.clone(), trigger, backfill, attempts, ..former };
            Ok(())
        })
    }

    /// An operator hands in a request.
    pub(crate) fn ask(&mut self, request: Request) {
        let open = self.open.keys().filter(|open| Some(&open.session.job) == request.job.as_ref()).cloned().collect();
        self.unanswered += 1;
        self.audit.insert(request.id, Asked { request, open, done: None });
    }

    /// The requests that nobody has answered, with what is known of their dates now.
    pub(crate) fn unanswered(&self) -> Vec<Request> {
        let asked = self.audit.values().filter(|asked| asked.done.is_none());
        asked.map(|asked| Request { past: self.past(&asked.request), ..asked.request.clone() }).collect()
    }

    /// What operators want ended.
    pub(crate) fn kills(&self) -> Vec<Request> {
        let is_kill = |asked: &Request| matches!(asked.operation, Operation::Kill { .. });
        self.unanswered().into_iter().filter(is_kill).collect()
    }

    pub(crate) fn has_unanswered(&self) -> bool {
        self.unanswered > 0
    }

    fn past(&self, request: &Request) -> Past {
        let Some(rows) = request.job.as_ref().and_then(|job| self.jobs.get(job)) else { return Past::default() };
        let mut past = Past::default();
        if let Some((from, to)) = request.operation.past() {
            past.settled = rows.dates().settled.range(from..to.max(from)).map(|(_, row)| row.clone()).collect();
        }
        if let Operation::Backfill(BackfillOrder { name: Some(name), .. }) = &request.operation {
            let is_it = |record: &&BackfillRecord| {
                Some(&record.job) == request.job.as_ref() && record.name.as_ref() == Some(name)
            };
            past.namesake = self.backfills.values().find(is_it).map(|record| record.id);
        }
        if let Operation::Backfill(order) = &request.operation {
            let JobRecord { generation, first_date, .. } = rows.record;
            let before = rows.generations.range(..generation).flat_map(|(_, dates)| dates.settled.values());
            let is_meant = |row: &&SessionRecord| {
                row.state == State::Succeeded && (order.from..first_date).contains(&row.key.date)
            };
            past.earlier = before.filter(is_meant).map(|row| row.key.date).collect();
        }
        if let Operation::Reset { to: Some(to) } = request.operation {
            let succeeded = |row: &&SessionRecord| row.state == State::Succeeded && row.key.date < to;
            past.last_success = rows.dates().settled.values().filter(succeeded).map(|row| row.key.date).max();
        }
        past.is_entered = self.backfills.contains_key(&request.id);
        past
    }

    /// What was ever asked about a job, by the name that it has.
    pub(crate) fn requests_about<'a>(&'a self, job: &'a JobName) -> impl Iterator<Item = &'a Asked> {
        self.audit.values().filter(move |asked| asked.request.job.as_ref() == Some(job))
    }
}
