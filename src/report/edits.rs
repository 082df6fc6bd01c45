//! What a registry changes, compared with the ledger: the jobs that are new, renamed or edited, and what that does to their
//! dates. The daemon logs the same words.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::scheduling::{Decided, Question, ask};
use super::zones::Zones;
use crate::job::JobName;
use crate::ledger::{LedgerError, Reader};
use crate::registry::Registry;
use crate::scheduler::{Adding, EditedDates, Notification, ZonedDate};
use crate::session::StandIns;
use crate::text::{counted, in_zone};

/// What a registry changes of a job.
#[derive(Debug, Serialize)]
pub(crate) struct JobEdit {
    job: String,
    /// The sentence about it.
    text: String,
    /// `new`, `renamed`, `changed`, `held`, `gone`, or `none` if a key has no effect.
    change: &'static str,
    /// The edited keys.
    keys: Vec<&'static str>,
    /// How many past dates it adds, if it waits for an operator.
    past: Option<u64>,
    /// How many dates are due.
    due: u64,
    /// The next date.
    next: Option<String>,
    /// When it is due.
    next_due: Option<String>,
    added: Vec<String>,
    excluded: Vec<String>,
    superseded: Vec<String>,
    too_old: Vec<String>,
    kept: Vec<String>,
    moved: Vec<Pair>,
    replaced: Vec<Pair>,
}

/// A date, and the one that it belongs with: the recorded date that stands for it, or the former date whose place it takes.
#[derive(Debug, Serialize)]
struct Pair {
    date: String,
    of: String,
}

impl JobEdit {
    /// The line for it.
    pub(crate) fn line(&self) -> String {
        format!("{}: {}", self.job, self.text)
    }
}

/// What a registry changes if a daemon reads it now.
pub(crate) fn edits(registry: Registry, reader: &mut Reader, now: DateTime<Utc>) -> Result<Vec<JobEdit>, LedgerError> {
    let recovered = reader.recovered_for(&registry.jobs)?;
    let zones = Zones::of_recovered(Some(&registry), &recovered);
    let Decided { step, .. } = ask(recovered, registry, Question::State, now);
    Ok(step.notes.iter().filter_map(|note| job_edit(note, &zones)).collect())
}

/// The dates to come of a job that will be skipped as moved.
pub(crate) fn moved(
    registry: Registry,
    reader: &mut Reader,
    job: &JobName,
    now: DateTime<Utc>,
) -> Result<StandIns, LedgerError> {
    let recovered = reader.recovered_for(&registry.jobs)?;
    let Decided { scheduler, .. } = ask(recovered, registry, Question::State, now);
    Ok(scheduler.view(job).map(|view| view.moved).unwrap_or_default())
}

fn job_edit(notification: &Notification, zones: &Zones) -> Option<JobEdit> {
    let none = Box::<EditedDates>::default();
    let (job, change, keys, past, adding, dates) = match notification {
        Notification::Added { job, adding } => (job, "new", &[][..], None, Some(adding), &none),
        Notification::Changed { job, keys, adding, dates } => {
            (job, "changed", keys.as_slice(), None, Some(adding), dates)
        }
        Notification::Edited { job, dates } => (job, "changed", &[][..], None, None, dates),
        Notification::EditHeld { job, past, dates } => (job, "held", &[][..], Some(*past), None, dates),
        Notification::Renamed { job, .. } | Notification::WaitsToSucceed { job, .. } => {
            (job, "renamed", &[][..], None, None, &none)
        }
        Notification::ProbableRename { job, .. } | Notification::ReturnHeld { job } => {
            (job, "held", &[][..], None, None, &none)
        }
        Notification::Removed { job, .. } => (job, "gone", &[][..], None, None, &none),
        Notification::IneffectivePreviously { job, .. } | Notification::UnknownPreviously { job, .. } => {
            (job, "none", &[][..], None, None, &none)
        }
        Notification::UnreadableTimetable { job, .. } => (job, "changed", &[][..], None, None, &none),
        _ => return None,
    };
    let zone = zones.of(job);
    let shown = |(date, zone): &ZonedDate| in_zone(*date, *zone);
    let named = |dates: &[ZonedDate]| dates.iter().map(shown).collect();
    let pair = |date: &ZonedDate, of: &ZonedDate| Pair { date: shown(date), of: shown(of) };
    Some(JobEdit {
        job: job.to_string(),
        text: edit_clause(notification, zone)?,
        change,
        keys: keys.to_vec(),
        past,
        due: adding.map_or(0, |adding| adding.due),
        next: adding.and_then(|adding| adding.next).map(|next| in_zone(next, zone)),
        next_due: adding.and_then(|adding| adding.next_due).map(|due| in_zone(due, zone)),
        added: named(&dates.added),
        excluded: named(&dates.excluded),
        superseded: named(&dates.superseded),
        too_old: named(&dates.too_old),
        kept: named(&dates.kept),
        moved: dates.moved.iter().map(|(date, by)| pair(date, by)).collect(),
        replaced: dates.replaced.iter().map(|(before, date)| pair(date, before)).collect(),
    })
}

/// What the registry changes of a job, without the job's name. `zone` is that of the job.
pub(crate) fn edit_clause(notification: &Notification, zone: Tz) -> Option<String> {
    Some(match notification {
        Notification::Added { adding, .. } => format!("new; {}", added(adding, zone)),
        Notification::Changed { keys, adding, dates, .. } => {
            let edited = if dates.is_empty() { String::new() } else { format!("; {}", dates.describe()) };
            format!("changed: {}; {}{edited}", keys.join(", "), added(adding, zone))
        }
        Notification::Edited { dates, .. } => dates.describe(),
        Notification::EditHeld { job, past, dates } => {
            let edited = if dates.is_empty() { String::new() } else { format!("; {}", dates.describe()) };
            format!(
                "held: its edit adds {}; `crontabber enable {job} --catch-up`, `--skip-missed` or `--skip-to DATE` \
                 decides, and no attempt starts until then{edited}",
                counted(*past, "past date")
            )
        }
        Notification::ProbableRename { job, previously } => format!(
            "held: is this `{previously}`, which is gone from the registry? Write `previously = \"{previously}\"` in `{job}` if \
             it is, or `previously = false` if it is another job; no attempt starts until then"
        ),
        Notification::IneffectivePreviously { job, previously } => format!(
            "`previously = \"{previously}\"` has no effect, because `{job}` has dates of its own that succeeded, or was reset; \
             to continue with the dates of `{previously}`, give the job a third name with `previously = \"{previously}\"`, and \
             mark with `crontabber done` what `{job}` has done"
        ),
        Notification::UnknownPreviously { previously, .. } => format!(
            "`previously = \"{previously}\"` has no effect, because the ledger has no job of that name: is it a typing error? \
             `crontabber ghosts` lists the jobs in the ledger that the registry no longer has"
        ),
        Notification::ReturnHeld { job } => format!(
            "held: it was gone from the registry, and is back with another command; `crontabber enable {job} --catch-up`, \
             `--skip-missed` or `--skip-to DATE` decides, and no attempt starts until then"
        ),
        Notification::Renamed { previously, replaces: false, .. } => {
            format!("renamed from `{previously}`: it continues with the dates of that job")
        }
        Notification::Renamed { previously, replaces: true, .. } => format!(
            "renamed from `{previously}`: it continues with the dates of that job; those of its own, of which none succeeded, \
             are an earlier generation (`--all-generations` shows them)"
        ),
        Notification::WaitsToSucceed { previously, .. } => {
            format!(
                "renamed from `{previously}`: it continues with the dates of that job once its running attempts have ended"
            )
        }
        Notification::Removed { unsettled, .. } => {
            let rest = match unsettled {
                0 => String::new(),
                1 => ", and 1 unsettled date does not run".to_owned(),
                several => format!(", and {several} unsettled dates do not run"),
            };
            format!("gone from the registry: its dates stay in the ledger{rest}")
        }
        Notification::UnreadableTimetable { error, .. } => {
            format!("its previous schedule cannot be read ({error}), so no more dates of that schedule are recorded")
        }
        _ => return None,
    })
}

fn added(adding: &Adding, zone: Tz) -> String {
    match adding {
        Adding { due, oldest: Some(oldest), zone, .. } if *due > 0 => {
            format!("{} due, from {}", counted(*due, "date"), in_zone(*oldest, *zone))
        }
        Adding { next: Some(next), next_due, .. } => match next_due.filter(|due| due != next) {
            None => format!("first due {}", in_zone(*next, zone)),
            Some(due) => format!("first date {}, due {}", in_zone(*next, zone), in_zone(due, zone)),
        },
        _ => "no date is to come".to_owned(),
    }
}
