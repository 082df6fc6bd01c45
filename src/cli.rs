//! The command line: parses arguments, and prints what [`report`](crate::report) and [`submit`](crate::submit) return.
//!
//! Every command of [`arguments`] has a file of its own. Nothing here decides what runs.

mod arguments;
mod attempts;
mod audit;
mod backfills;
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
mod pause;
mod plan;
mod reference;
mod schema;
mod sessions;
mod status;
mod table;
mod test;
mod verify;
mod version;
mod warden;
mod why;

use std::io::Write;
use std::process::ExitCode;

use arguments::CliCommand;
use change::change;
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
        Some(CliCommand::Once) => context.daemon_options().map(daemon::once),
        Some(CliCommand::Change(command)) => change(&context, &command),
        Some(CliCommand::Pause(asked)) => pause::pause(&context, &asked),
        Some(CliCommand::Resume(asked)) => pause::resume(&context, &asked),
        Some(CliCommand::Warden(asked)) => warden::warden(asked),
        Some(command) => read(&context, &command),
    };
    result.unwrap_or_else(Failure::print)
}

/// Does a command that does not change the ledger; the answer is the exit status.
fn read(context: &Context, command: &CliCommand) -> Result<ExitCode, Failure> {
    let output = &mut Output::stdout();
    let mut exit = ExitCode::SUCCESS;
    match command {
        CliCommand::List(asked) => list::list(context, &asked.filter(), output)?,
        CliCommand::Check => exit = check::check(context, output)?,
        CliCommand::Backfills(asked) => backfills::backfills(context, asked, output)?,
        CliCommand::Ghosts => ghosts::ghosts(context, output)?,
        CliCommand::Health(asked) => exit = health::health(context, &asked.filter(), output)?,
        CliCommand::Plan(asked) => plan::plan(context, asked, output)?,
        CliCommand::Sessions(asked) => sessions::sessions(context, asked, output)?,
        CliCommand::Attempts(asked) => attempts::attempts(context, asked, output)?,
        CliCommand::Log(asked) => exit = log::log(context, asked, output)?,
        CliCommand::Test(asked) => exit = test::test(context, asked, output)?,
        CliCommand::Why(asked) => why::why(context, asked, output)?,
        CliCommand::Verify => exit = verify::verify(context, output)?,
        CliCommand::Calendar(asked) => calendar::calendar(context, asked, output)?,
        CliCommand::Status(asked) => status::status(context, asked, output)?,
        CliCommand::Audit(asked) => audit::audit(context, asked, output)?,
        CliCommand::Schema => schema::schema(output)?,
        CliCommand::Reference => reference::reference(output)?,
        CliCommand::Completions(asked) => completions::completions(asked, output)?,
        CliCommand::Version => version::version(context, output)?,
        _ => unreachable!("the others change the ledger"),
    }
    output.flush()?;
    Ok(exit)
}
