//! The commands that change dates: what is asked, what would come of it, and whether the operator really wants that.
//!
//! What would come of it is asked of the daemon's own scheduler, over the ledger as it is: a dry run ends there. The real
//! thing is then done by the daemon, or by this process where there is none.

mod preview;

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde_json::json;

use super::arguments::change::{Backfill, Change, Direction, Disable, Done, Enable, Kill, Reset, Retry, Run, Skip};
use super::context::{Context, Zones};
use super::date::DateArgument;
use super::date_resolve::{Choice, Dates};
use super::failure::Failure;
use super::output::counted;
use crate::daemon::{self, Ask};
use crate::job::{Job, JobName};
use crate::ledger::Reader;
use crate::registry::Registry;
use crate::session::{BackfillOrder, Enabling, Operation, Retrying, Skipping};
use crate::text::in_zone;
use preview::Preview;

/// More dates than this are not changed without a word.
const MANY: u64 = 100;

/// So many dates are named when nothing is changed.
const NAMED: usize = 20;

/// A command that changes something.
pub(super) enum Asked {
    Run(Run),
    Reset(Reset),
    Backfill(Backfill),
    Skip(Skip),
    Enable(Enable),
    Disable(Disable),
    Done(Done),
    Retry(Retry),
    Kill(Kill),
}

/// A change on its way.
struct Plan<'a> {
    context: &'a Context,
    registry: Registry,
    reader: Option<Reader>,
    job: JobName,
    zone: Tz,
    change: Change,
}

/// Does what is asked.
pub(super) fn change(context: &Context, asked: &Asked) -> Result<ExitCode, Failure> {
    let (job, change) = asked.about();
    let registry = context.registry()?;
    let mut reader = context.reader_if_any(Some(&registry))?;
    let records = reader.as_mut().map(Reader::jobs).transpose()?.unwrap_or_default();
    let zones = Zones::new(Some(&registry), &records);
    zones.know(&job)?;
    let zone = zones.of(&job);
    let mut plan = Plan { context, registry, reader, job, zone, change };
    let mut operation = asked.operation(&mut plan)?;
    let mut preview = plan.preview(&operation)?;
    if let (Operation::Enable(Enabling::Plain), false) = (&operation, preview.reply.done)
        && preview.backlog > 0
        && plan.job().is_some_and(|job| job.enabled)
    {
        operation = Operation::Enable(plan.ask_for_backlog(&preview)?);
        preview = plan.preview(&operation)?;
    }
    if plan.change.dry_run {
        return Ok(plan.tell_dry(&operation, &preview));
    }
    plan.confirm(&operation, &preview)?;
    plan.announce(&operation, &preview);
    let ask = Ask { job: plan.job.clone(), operation, reason: plan.change.reason.clone() };
    Ok(daemon::operate(context.daemon_options()?, ask))
}

impl Asked {
    fn about(&self) -> (JobName, Change) {
        let (job, change) = match self {
            Self::Run(run) => (&run.job, &run.change),
            Self::Reset(reset) => (&reset.job, &reset.change),
            Self::Backfill(backfill) => (&backfill.job, &backfill.change),
            Self::Skip(skip) => (&skip.job, &skip.change),
            Self::Enable(enable) => (&enable.job, &enable.change),
            Self::Disable(disable) => (&disable.job, &disable.change),
            Self::Done(done) => (&done.job, &done.change),
            Self::Retry(retry) => (&retry.job, &retry.change),
            Self::Kill(kill) => (&kill.job, &kill.change),
        };
        (job.clone(), change.clone())
    }

    /// What is asked of the daemon, with its dates as instants.
    fn operation(&self, plan: &mut Plan<'_>) -> Result<Operation, Failure> {
        let zone = plan.zone;
        let instant = |date: DateArgument| date.instant(zone);
        Ok(match self {
            Self::Run(run) => {
                let date = run.date.map(|date| plan.one_date(date, Dates::All)).transpose()?;
                Operation::Run { date, force: run.force }
            }
            Self::Reset(reset) => Operation::Reset { to: reset.to.map(instant) },
            Self::Backfill(backfill) => Operation::Backfill(plan.order(backfill)?),
            Self::Skip(Skip { date: Some(date), .. }) => {
                Operation::Skip(Skipping::Date(plan.one_date(*date, Dates::All)?))
            }
            Self::Skip(Skip { to: Some(to), .. }) => Operation::Skip(Skipping::To(instant(*to))),
            Self::Skip(Skip { count, .. }) => Operation::Skip(Skipping::Count(count.unwrap_or(1))),
            Self::Enable(Enable { skip_to: Some(to), .. }) => Operation::Enable(Enabling::SkipTo(instant(*to))),
            Self::Enable(Enable { skip_missed: true, .. }) => Operation::Enable(Enabling::SkipMissed),
            Self::Enable(Enable { catch_up: true, .. }) => Operation::Enable(Enabling::CatchUp),
            Self::Enable(_) => Operation::Enable(Enabling::Plain),
            Self::Disable(disable) => Operation::Disable { until: disable.until.map(instant) },
            Self::Done(done) => Operation::Done { date: plan.one_date(done.date, Dates::All)? },
            Self::Retry(Retry { date: Some(date), again, .. }) => {
                let date = plan.one_date(*date, Dates::Recorded)?;
                Operation::Retry(Retrying::Date { date, again: *again })
            }
            Self::Retry(Retry { failed: true, .. }) => Operation::Retry(Retrying::Failed),
            Self::Retry(_) => Operation::Retry(Retrying::Held),
            Self::Kill(kill) => {
                let date = kill.date.map(|date| plan.one_date(date, Dates::Running)).transpose()?;
                Operation::Kill { date }
            }
        })
    }
}

impl Plan<'_> {
    fn job(&self) -> Option<&Job> {
        self.registry.jobs.iter().find(|job| job.name == self.job)
    }

    /// The one date that is meant.
    fn one_date(&mut self, date: DateArgument, among: Dates) -> Result<DateTime<Utc>, Failure> {
        let job = self.registry.jobs.iter().find(|job| job.name == self.job);
        Choice { name: &self.job, zone: self.zone, job }.one(self.reader.as_mut(), date, among)
    }

    /// The order for a backfill: a count becomes the end of a range, which the scheduler counts again.
    fn order(&self, asked: &Backfill) -> Result<BackfillOrder, Failure> {
        let from = asked.from.instant(self.zone);
        let mut to = asked.to.map(|to| to.instant(self.zone));
        if to.is_some_and(|to| to <= from) {
            return Err(Failure::usage("the range ends before it begins")
                .hint(Some("`--from` is the first instant of it, and `--to` the first after it")));
        }
        if let (Some(count), Some(job)) = (asked.count, self.job()) {
            let unbounded = job.timetable.without_start();
            let last = usize::try_from(count - 1).unwrap_or(usize::MAX);
            let last = unbounded.dates(from, DateTime::<Utc>::MAX_UTC).map_while(Result::ok).nth(last);
            to = last.map(|last| last + TimeDelta::microseconds(1));
        }
        Ok(BackfillOrder {
            from,
            to,
            count: asked.count,
            only: asked.only.into(),
            newest_first: asked.order == Direction::Desc,
            parallel: asked.parallel.get(),
            name: asked.name.clone(),
        })
    }

    /// Asks what is to become of a backlog, or refuses where nobody can be asked.
    fn ask_for_backlog(&self, preview: &Preview) -> Result<Enabling, Failure> {
        let zone = self.zone;
        let oldest = preview.oldest.map(|oldest| in_zone(oldest, zone)).unwrap_or_default();
        let backlog = format!("job `{}` has missed {} from {oldest} on", self.job, counted(preview.backlog, "date"));
        let backlog = match preview.estimate() {
            Some(time) => format!("{backlog}, about {time} of work"),
            None => backlog,
        };
        if !is_interactive() {
            return Err(Failure::usage(backlog)
                .hint(Some("say `--catch-up`, `--skip-missed` or `--skip-to DATE`; nothing was changed")));
        }
        let mut err = io::stderr().lock();
        loop {
            write!(
                err,
                "{backlog}\n  c  catch up: attempt them all\n  s  skip them all\n  q  change nothing\nwhich? "
            )?;
            err.flush()?;
            match answer()?.as_deref() {
                Some("c") => return Ok(Enabling::CatchUp),
                Some("s") => return Ok(Enabling::SkipMissed),
                Some("q") | None => return Err(Failure::new("nothing was changed")),
                Some(_) => {}
            }
        }
    }

    /// Sees to it that many dates are not changed by mistake.
    fn confirm(&self, operation: &Operation, preview: &Preview) -> Result<(), Failure> {
        // What an enabled job attempts counts too, beside what it skips.
        let attempts = if matches!(operation, Operation::Enable(Enabling::SkipTo(_))) { preview.backlog } else { 0 };
        let count = preview.reply.dates.count.max(attempts);
        if count <= MANY || self.change.yes || !preview.reply.done {
            return Ok(());
        }
        let what = format!("`{}` would change {} of `{}`", operation.word(), counted(count, "date"), self.job);
        if !is_interactive() {
            return Err(Failure::usage(format!("{what}: {}", preview.reply.text))
                .hint(Some("`--yes` does it without asking, `--dry-run` shows more; nothing was changed")));
        }
        let mut err = io::stderr().lock();
        write!(err, "{what}: {}\ngo on? [y/N] ", preview.reply.text)?;
        err.flush()?;
        match answer()?.as_deref() {
            Some("y" | "yes") => Ok(()),
            _ => Err(Failure::new("nothing was changed")),
        }
    }

    /// Says before it is done what it does to the order of the dates, and to the promise.
    fn announce(&self, operation: &Operation, preview: &Preview) {
        if preview.reply.done
            && let Some(text) = consequence(operation, preview)
        {
            self.context.remark(&text);
        }
        let catches_up = matches!(operation, Operation::Enable(Enabling::CatchUp | Enabling::SkipTo(_)));
        if catches_up && preview.reply.done && preview.backlog > self.registry.daemon.announce_over {
            let missed = format!("`{}` has missed {}", self.job, counted(preview.backlog, "date"));
            let time = preview.estimate().map(|time| format!(", about {time} of work")).unwrap_or_default();
            self.context.remark(&format!("{missed}{time}: what is not skipped is attempted now, oldest first"));
        }
    }

    /// Says what would be done; the answer is the exit status that the real command would have.
    fn tell_dry(&self, operation: &Operation, preview: &Preview) -> ExitCode {
        let reply = &preview.reply;
        let shown = |date: Option<DateTime<Utc>>| date.map(|date| in_zone(date, self.zone));
        let mut out = io::stdout().lock();
        if self.context.json() {
            let dates: Vec<String> = preview.dates.iter().map(|date| in_zone(*date, self.zone)).collect();
            let said = json!({
                "job": self.job.as_str(),
                "operation": operation.word(),
                "dry_run": true,
                "done": reply.done,
                "text": reply.text,
                "count": reply.dates.count,
                "from": shown(reply.dates.first),
                "to": shown(reply.dates.last),
                "dates": dates,
            });
            // Nobody is left to tell if stdout is gone.
            _ = writeln!(out, "{said}");
        } else if reply.done {
            _ = writeln!(out, "dry run, nothing is changed: {}", reply.text);
            if preview.dates.len() > 1 {
                for date in preview.dates.iter().take(NAMED) {
                    _ = writeln!(out, "  {}", in_zone(*date, self.zone));
                }
                if let Some(more) = preview.dates.len().checked_sub(NAMED).filter(|more| *more > 0) {
                    _ = writeln!(out, "  and {more} more (`--json` names them all)");
                }
            }
            if let Some(text) = consequence(operation, preview) {
                _ = writeln!(out, "{text}");
            }
        } else {
            _ = writeln!(io::stderr(), "error: dry run: {}", reply.text);
        }
        if reply.done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// What a change means for the order of the dates, and for the promise.
fn consequence(operation: &Operation, preview: &Preview) -> Option<String> {
    let strict = preview.is_strict;
    let changes = preview.reply.dates.count > 0;
    let text = match operation {
        Operation::Run { force: true, .. } => "it does not wait for what the job depends on",
        Operation::Reset { .. } => {
            "a reset starts the job anew: its clock goes back, and dates that succeeded are attempted once more (P1 and P5 \
             are broken by your word, which the audit keeps)"
        }
        Operation::Backfill(_) if preview.repeats => {
            "dates that succeeded are attempted once more (P1 is broken by your word, which the audit keeps)"
        }
        Operation::Retry(_) if preview.repeats => {
            "a date that succeeded is attempted once more (P1 is broken by your word, which the audit keeps)"
        }
        Operation::Skip(_) | Operation::Enable(Enabling::SkipMissed | Enabling::SkipTo(_)) if changes => {
            "what is skipped counts as settled: later dates, and other jobs, no longer wait for it"
        }
        Operation::Done { .. } if changes => {
            "it counts as succeeded, though no attempt did: later dates, and other jobs, no longer wait for it"
        }
        Operation::Kill { .. } if strict => {
            "what is ended is held until `crontabber retry`, `skip` or `done`; the later dates wait for it"
        }
        Operation::Kill { .. } => "what is ended is held until `crontabber retry`, `skip` or `done`",
        Operation::Disable { until: None } => {
            "no date is recorded meanwhile: what it misses is decided when it is enabled"
        }
        _ => return None,
    };
    Some(text.to_owned())
}

/// Says whether somebody can be asked.
fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// What the operator types; nothing if that is closed.
fn answer() -> io::Result<Option<String>> {
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line)?;
    Ok((read > 0).then(|| line.trim().to_lowercase()))
}
