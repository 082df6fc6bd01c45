//! The commands that change dates: they make a request of the arguments, preview it, and ask for confirmation.

mod below;
mod questions;

use std::io::{self, Write};
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::arguments::change::{
    BackfillArguments, Change, ChangeCommand, ChangeOptions, Direction, EnableArguments, RetryArguments, SkipArguments,
};
use super::arguments::must_have_instants;
use super::context::Context;
use super::failure::Failure;
use crate::daemon::{self, Operator};
use crate::job::{Job, JobName};
use crate::ledger::Reader;
use crate::paths;
use crate::registry::Registry;
use crate::report::date::DateArgument;
use crate::report::date_resolve::{Choice, Dates};
use crate::report::downstream::{DownstreamJob, downstream};
use crate::report::last_lines::{last_lines_of_failed, log_command};
use crate::report::preview::{Preview, preview};
use crate::report::zones::{JobZones, Zones};
use crate::schedule::TICK;
use crate::session::{BackfillOrder, Enabling, Operation, Request, Retrying, Skipping};
use crate::submit::{self, Progress, Submitted};
use crate::text::counted;

/// More dates than this are changed only after a confirmation.
const MANY: u64 = 100;

/// Most dates that a dry run lists.
const NAMED: usize = 20;

/// What a change is about.
struct Target<'a> {
    context: &'a Context,
    registry: Registry,
    reader: Option<Reader>,
    job: &'a JobName,
    /// The name under which the ledger has it.
    recorded_as: JobName,
    zone: Tz,
    options: &'a ChangeOptions,
}

/// Changes dates, or shows what the change would be.
pub(super) fn change(context: &Context, command: &ChangeCommand) -> Result<ExitCode, Failure> {
    let (job, options) = command.about();
    let registry = context.registry()?;
    let mut reader = context.reader_if_any(Some(&registry))?;
    let records = reader.as_mut().map(Reader::jobs).transpose()?.unwrap_or_default();
    let zones = Zones::new(Some(&registry), &records);
    zones.know(job)?;
    let (zone, recorded_as) = (zones.of(job), zones.recorded_as(job).clone());
    let mut target = Target { context, registry, reader, job, recorded_as, zone, options };
    let operation = command.operation(&mut target)?;
    let mut request = submit::request(Some(target.job.clone()), operation, target.options.reason.clone(), context.now);
    let mut preview = target.preview(&request)?;
    if let (Operation::Enable(Enabling::Plain), false) = (&request.operation, preview.reply.done)
        && preview.backlog > 0
        && target.job().is_some_and(|job| job.enabled)
    {
        request.operation = Operation::Enable(target.ask_for_backlog(&preview)?);
        preview = target.preview(&request)?;
    }
    let downstream = if command.is_downstream() && preview.reply.done {
        downstream(&request, &preview.dates, &target.registry, target.reader.as_mut())?
    } else {
        Vec::new()
    };
    if command.is_downstream() && downstream.is_empty() {
        context.remark("no date of another job hangs below");
    }
    let below = below::requests(&request, &downstream);
    for request in &below {
        target.refuse_with(request)?;
    }
    if target.options.dry_run {
        return Ok(target.print_dry_run(&request, &preview, &downstream));
    }
    target.confirm(&request.operation, &preview, &downstream)?;
    target.announce(&request.operation, &preview);
    target.submit(&request, &below, &downstream, &preview.zones)
}

impl ChangeCommand {
    fn about(&self) -> (&JobName, &ChangeOptions) {
        match self {
            Self::Run(Change { job, options, .. })
            | Self::Reset(Change { job, options, .. })
            | Self::Backfill(Change { job, options, .. })
            | Self::Skip(Change { job, options, .. })
            | Self::Enable(Change { job, options, .. })
            | Self::Disable(Change { job, options, .. })
            | Self::Done(Change { job, options, .. })
            | Self::Retry(Change { job, options, .. })
            | Self::Kill(Change { job, options, .. }) => (job, options),
        }
    }

    fn is_downstream(&self) -> bool {
        match self {
            Self::Backfill(backfill) => backfill.arguments.downstream,
            Self::Skip(skip) => skip.arguments.downstream,
            Self::Retry(retry) => retry.arguments.downstream,
            _ => false,
        }
    }

    /// The operation, with its dates as instants.
    fn operation(&self, target: &mut Target<'_>) -> Result<Operation, Failure> {
        let zone = target.zone;
        let instant = |date: DateArgument| date.instant(zone);
        Ok(match self {
            Self::Run(Change { arguments: run, .. }) => {
                let date = run.date.map(|date| target.one_date(date, Dates::All)).transpose()?;
                Operation::Run { date, force: run.force }
            }
            Self::Reset(reset) => Operation::Reset { to: reset.arguments.to.map(instant) },
            Self::Backfill(Change { arguments: BackfillArguments { cancel: Some(name), .. }, .. }) => {
                Operation::CancelBackfill { name: name.clone() }
            }
            Self::Backfill(backfill) => Operation::Backfill(target.order(&backfill.arguments)?),
            Self::Skip(skip) => Operation::Skip(match skip.arguments {
                SkipArguments { date: Some(date), .. } => Skipping::Date(target.one_date(date, Dates::All)?),
                SkipArguments { to: Some(to), .. } => Skipping::To(instant(to)),
                SkipArguments { count, .. } => Skipping::Count(count.unwrap_or(1)),
            }),
            Self::Enable(enable) => Operation::Enable(match enable.arguments {
                EnableArguments { skip_to: Some(to), .. } => Enabling::SkipTo(instant(to)),
                EnableArguments { skip_missed: true, .. } => Enabling::SkipMissed,
                EnableArguments { catch_up: true, .. } => Enabling::CatchUp,
                EnableArguments { .. } => Enabling::Plain,
            }),
            Self::Disable(disable) => Operation::Disable { until: disable.arguments.until.map(instant) },
            Self::Done(done) => Operation::Done { date: target.one_date(done.arguments.date, Dates::All)? },
            Self::Retry(retry) => Operation::Retry(match retry.arguments {
                RetryArguments { date: Some(date), again, .. } => {
                    Retrying::Date { date: target.one_date(date, Dates::Recorded)?, again }
                }
                RetryArguments { failed: true, .. } => Retrying::Failed,
                RetryArguments { .. } => Retrying::Held,
            }),
            Self::Kill(kill) => {
                let date = kill.arguments.date.map(|date| target.one_date(date, Dates::Running)).transpose()?;
                Operation::Kill { date }
            }
        })
    }
}

impl Target<'_> {
    fn job(&self) -> Option<&Job> {
        self.registry.jobs.iter().find(|job| job.name == *self.job)
    }

    fn preview(&mut self, request: &Request) -> Result<Preview, Failure> {
        Ok(preview(request, &self.registry, self.reader.as_mut())?)
    }

    /// Fails if a request about another job would be refused.
    fn refuse_with(&mut self, request: &Request) -> Result<(), Failure> {
        // Each date to skip was looked up.
        if matches!(request.operation, Operation::Skip(_)) {
            return Ok(());
        }
        let Preview { reply, .. } = self.preview(request)?;
        if reply.done {
            Ok(())
        } else {
            Err(Failure::new(format!("`--downstream`: {}; nothing was changed", reply.text)))
        }
    }

    /// The date that the operator named.
    fn one_date(&mut self, date: DateArgument, among: Dates) -> Result<DateTime<Utc>, Failure> {
        let job = self.registry.jobs.iter().find(|job| job.name == *self.job);
        Ok(Choice { name: &self.recorded_as, zone: self.zone, job }.one(self.reader.as_mut(), date, among)?)
    }

    /// The backfill that is ordered: a count becomes the end of a range, which the scheduler checks.
    fn order(&self, asked: &BackfillArguments) -> Result<BackfillOrder, Failure> {
        let from = asked.from.ok_or_else(|| Failure::usage("`--from` is missing"))?.instant(self.zone);
        let mut to = asked.to.map(|to| to.instant(self.zone));
        to.map_or(Ok(()), |to| must_have_instants(from, to))?;
        if let (Some(count), Some(job)) = (asked.count, self.job()) {
            let unbounded = job.timetable.without_start();
            let last = usize::try_from(count - 1).unwrap_or(usize::MAX);
            let last = unbounded.dates(from, DateTime::<Utc>::MAX_UTC).map_while(Result::ok).nth(last);
            to = last.map(|last| last + TICK);
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

    /// Prints the consequences before the change.
    fn announce(&self, operation: &Operation, preview: &Preview) {
        if preview.reply.done
            && let Some(text) = consequence(operation, preview)
        {
            self.context.remark(&text);
        }
        let catches_up = matches!(operation, Operation::Enable(Enabling::CatchUp | Enabling::SkipTo(_)));
        if catches_up && preview.reply.done && preview.backlog > self.registry.daemon.announce_over {
            let missed = format!("`{}` has missed {}", self.job, counted(preview.backlog, "date"));
            let time = preview.estimate().map(|time| format!(", {time} of work")).unwrap_or_default();
            self.context.remark(&format!("{missed}{time}"));
        }
    }

    /// Prints what the request would result in.
    fn print_dry_run(&self, request: &Request, preview: &Preview, downstream: &[DownstreamJob]) -> ExitCode {
        let mut submitted = Submitted::dry_run(request, preview);
        submitted.downstream = downstream.iter().map(DownstreamJob::row).collect();
        let mut out = io::stdout().lock();
        // A closed stdout or stderr cannot be reported to anybody.
        if self.context.json() {
            _ = serde_json::to_writer(&mut out, &submitted);
            _ = writeln!(out);
        } else if submitted.done {
            _ = writeln!(out, "dry run, nothing is changed; it would answer: {}", submitted.text);
            if preview.dates.len() > 1 {
                for date in preview.dates.iter().take(NAMED) {
                    _ = writeln!(out, "  {}", preview.zones.shown(*date));
                }
                if let Some(more) = preview.dates.len().checked_sub(NAMED).filter(|more| *more > 0) {
                    _ = writeln!(out, "  and {more} more (`--json` lists all of them)");
                }
            }
            if let Some(text) = consequence(&request.operation, preview) {
                _ = writeln!(out, "{text}");
            }
            for line in below::lines(downstream) {
                _ = writeln!(out, "{line}");
            }
        } else {
            _ = writeln!(io::stderr(), "error: dry run: {}", submitted.text);
        }
        submitted.exit()
    }

    /// Submits the request and prints its result.
    fn submit(
        &self,
        request: &Request,
        below: &[Request],
        downstream: &[DownstreamJob],
        zones: &JobZones,
    ) -> Result<ExitCode, Failure> {
        let url = self.context.ledger_url(Some(&self.registry))?;
        let mut local = Operator::new(self.context.daemon_options()?)
            .map_err(|error| Failure::new(format!("cannot start: {error}")))?;
        let json = self.context.json();
        // A closed stdout or stderr cannot be reported to anybody.
        let mut progress = |progress: Progress<'_>| match progress {
            Progress::Slow => {
                _ = writeln!(
                    io::stderr(),
                    "the daemon has not answered yet; still waiting (Ctrl-C stops the wait only)"
                );
            }
            Progress::Started(text) if !json => _ = writeln!(io::stdout(), "{text}"),
            Progress::Started(_) => {}
        };
        let mut submitted = submit::submit(&url, request, below, zones, &mut local, &mut progress)?;
        submitted.downstream = downstream.iter().map(DownstreamJob::row).collect();
        let logs = paths::logs(&url);
        submitted.last_lines = last_lines_of_failed(submitted.ended.as_ref(), &logs);
        let ended = submitted.ended.as_ref().and_then(|attempt| Some((attempt, attempt.end.as_ref()?)));
        if json {
            let mut out = io::stdout().lock();
            _ = serde_json::to_writer(&mut out, &submitted);
            _ = writeln!(out);
        } else if let Some((attempt, end)) = ended {
            let log = paths::log_file(&logs, &attempt.key);
            let mut out = io::stdout().lock();
            _ = writeln!(out, "{}", daemon::reporter::outcome_line(attempt, end, &log));
            for line in &submitted.last_lines {
                _ = writeln!(out, "  | {line}");
            }
            if !submitted.last_lines.is_empty() {
                _ = writeln!(out, "all of it: `{}`", log_command(&attempt.key, attempt.zone));
            }
        } else if submitted.done {
            _ = writeln!(io::stdout(), "{}", submitted.text);
            below::print(downstream, &submitted.below);
            let starts = match request.operation {
                Operation::Retry(_) | Operation::Backfill(_) | Operation::Reset { .. } => true,
                Operation::Enable(enabling) => !matches!(enabling, Enabling::SkipMissed),
                _ => false,
            };
            if starts && submitted.count > 0 && !submit::has_daemon(&url) {
                self.context.remark("no daemon is running: dates start when one runs, or with `crontabber once`");
            }
        } else {
            return Err(Failure::new(submitted.text));
        }
        Ok(submitted.exit())
    }
}

/// The consequences of a change for the order of dates and for the promises.
fn consequence(operation: &Operation, preview: &Preview) -> Option<String> {
    let changes = preview.reply.dates.count > 0;
    let text = match operation {
        Operation::Run { force: true, .. } => "it does not wait for what the job depends on",
        Operation::Reset { .. } if preview.repeats => {
            "a reset starts the job anew: its watermark goes back, and succeeded dates run again (this overrides \
             promises P1 and P5; the audit records it)"
        }
        Operation::Reset { .. } => {
            "a reset starts the job anew: its watermark goes back (this overrides promise P5; the audit records it)"
        }
        Operation::Backfill(_) if preview.repeats => {
            "succeeded dates run again (this overrides promise P1; the audit records it)"
        }
        Operation::Retry(_) if preview.repeats => {
            "a succeeded date runs again (this overrides promise P1; the audit records it)"
        }
        Operation::Skip(_) | Operation::Enable(Enabling::SkipMissed | Enabling::SkipTo(_)) if changes => {
            "a skipped date counts as settled: later dates and other jobs do not wait for it"
        }
        Operation::Done { .. } if changes => {
            "the date counts as succeeded without a successful attempt: later dates and other jobs do not wait for it"
        }
        Operation::Disable { until: None } => {
            "no date is recorded until then; `crontabber enable` asks about the missed dates"
        }
        _ => return None,
    };
    Some(text.to_owned())
}
