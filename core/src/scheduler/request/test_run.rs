//! `crontabber test`: an attempt off the record.

use chrono::{DateTime, Utc};

use crate::job::{DatePolicy, JobName};
use crate::session::{Entry, SessionRecord, State, Trigger};

use super::no_date_of;
use crate::scheduler::Scheduler;
use crate::scheduler::job_state::Settled;
use crate::scheduler::step::{Start, Step};

impl Scheduler {
    /// Opens an attempt in a scheduler whose decisions nobody writes: what `run` would start if it were the turn of this
    /// date. [`Event::Ended`](crate::scheduler::Event::Ended) then tells what would be recorded.
    ///
    /// `recorded` is the session of the date in the ledger.
    ///
    /// # Errors
    /// The job is unknown or running, or does not have the date.
    pub fn open_off_record(
        &mut self,
        name: &JobName,
        date: DateTime<Utc>,
        recorded: Option<&SessionRecord>,
    ) -> Result<Start, String> {
        let mut step = Step { now: self.now, ..Step::default() };
        let (job, job_state) = self.registered(name)?;
        job_state.refuse_while_running(name)?;
        let unsettled = job_state.rows().get(date).map(|session| session.state.clone());
        match (unsettled, recorded.map(Settled::new).filter(|settled| settled.state.is_settled())) {
            (Some(state @ (State::Failed { .. } | State::Held { .. })), _) => {
                job_state.retry_unsettled(date, &state, &mut step)?;
            }
            (Some(_), _) => {}
            (None, Some(Settled { state: from, zone, attempts, .. })) => {
                let session = job_state.rows().key(date);
                let (trigger, backfill) = (Trigger::Manual, None);
                job_state.write(Entry::Again { session, zone, from, trigger, backfill, attempts }, &mut step);
            }
            (None, None) => {
                let has_dates = job.date_policy != DatePolicy::OnDemand;
                if has_dates && !job.timetable.without_start().includes(date) {
                    return Err(no_date_of(&job, date));
                }
                job_state.write_waiting(date, Trigger::Manual, &mut step);
            }
        }
        self.open(name, date, Trigger::Manual, &mut step);
        step.starts.pop().ok_or_else(|| format!("job `{name}` has no date to attempt"))
    }
}
