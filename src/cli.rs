//! The command line: parses arguments, and prints what [`report`](crate::report) and [`submit`](crate::submit) return.
//!
//! Every command of [`arguments`] has a file of its own. Nothing here decides what runs.

mod arguments;
mod attempts;
mod audit;
mod calendar;
mod change;
mod check;
mod completions;
mod context;
mod csv;
mod export;
mod failure;
mod ghosts;
mod health;
mod json;
mod list;
mod log;
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
use change::{ChangeCommand, change};
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
        Some(Command::Run(asked)) => change(&context, &ChangeCommand::Run(asked)),
        Some(Command::Reset(asked)) => change(&context, &ChangeCommand::Reset(asked)),
        Some(Command::Backfill(asked)) => change(&context, &ChangeCommand::Backfill(asked)),
        Some(Command::Skip(asked)) => change(&context, &ChangeCommand::Skip(asked)),
        Some(Command::Done(asked)) => change(&context, &ChangeCommand::Done(asked)),
        Some(Command::Retry(asked)) => change(&context, &ChangeCommand::Retry(asked)),
        Some(Command::Kill(asked)) => change(&context, &ChangeCommand::Kill(asked)),
        Some(Command::Disable(asked)) => change(&context, &ChangeCommand::Disable(asked)),
        Some(Command::Enable(asked)) => change(&context, &ChangeCommand::Enable(asked)),
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
