//! The command line: what people type, and where it goes.
//!
//! Every command of [`arguments`] is one file beside it. The commands that read do it here, through a registry and a
//! ledger that they only read; those that start something hand on to the daemon. Nothing here decides what runs.

mod arguments;
mod attempts;
mod audit;
mod beside;
mod calendar;
mod change;
mod check;
mod completions;
mod context;
mod csv;
pub mod date;
mod date_resolve;
mod export;
mod failure;
mod ghosts;
mod health;
mod json;
mod lateness;
mod list;
mod log;
mod orphans;
mod output;
mod plan;
mod reference;
mod schema;
mod sessions;
mod status;
mod table;
mod verify;
mod version;
mod warden;
mod why;

use std::process::ExitCode;

use arguments::Command;
use change::{Asked, change};
use context::Context;
use failure::Failure;
use output::Output;

use crate::daemon;

/// Does what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    let (global, command) = arguments::read();
    let context = Context::new(global);
    let result = match command {
        None => context.daemon_options().map(daemon::serve),
        Some(Command::Once) => context.daemon_options().map(daemon::once),
        Some(Command::Run(asked)) => change(&context, &Asked::Run(asked)),
        Some(Command::Reset(asked)) => change(&context, &Asked::Reset(asked)),
        Some(Command::Backfill(asked)) => change(&context, &Asked::Backfill(asked)),
        Some(Command::Skip(asked)) => change(&context, &Asked::Skip(asked)),
        Some(Command::Done(asked)) => change(&context, &Asked::Done(asked)),
        Some(Command::Retry(asked)) => change(&context, &Asked::Retry(asked)),
        Some(Command::Kill(asked)) => change(&context, &Asked::Kill(asked)),
        Some(Command::Disable(asked)) => change(&context, &Asked::Disable(asked)),
        Some(Command::Enable(asked)) => change(&context, &Asked::Enable(asked)),
        Some(Command::Warden(asked)) => warden::warden(asked),
        Some(command) => read(&context, &command),
    };
    result.unwrap_or_else(Failure::tell)
}

/// Does a command that only reads; the answer is the exit status.
fn read(context: &Context, command: &Command) -> Result<ExitCode, Failure> {
    let output = &mut Output::stdout();
    let exit = match command {
        Command::List => list::list(context, output),
        Command::Check => check::check(context, output),
        Command::Ghosts => ghosts::ghosts(context, output),
        Command::Health => health::health(context, output),
        Command::Plan(asked) => plan::plan(context, asked, output),
        Command::Sessions(asked) => sessions::sessions(context, asked, output),
        Command::Attempts(asked) => attempts::attempts(context, asked, output),
        Command::Log(asked) => log::log(context, asked, output),
        Command::Why(asked) => why::why(context, asked, output),
        Command::Verify => verify::verify(context, output),
        Command::Calendar(asked) => calendar::calendar(context, asked, output),
        Command::Status(asked) => status::status(context, asked, output),
        Command::Audit(asked) => audit::audit(context, asked, output),
        Command::Schema => schema::schema(output),
        Command::Reference => reference::reference(output),
        Command::Completions(asked) => completions::completions(asked, output),
        Command::Version => version::version(context, output),
        _ => unreachable!("the others do more than read"),
    }?;
    output.finish()?;
    Ok(exit)
}
