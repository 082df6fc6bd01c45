//! `completions`: what a shell needs to complete our command line.

use std::io::Write;

use clap::CommandFactory;

use super::arguments::{CommandLine, CompletionsArguments};
use super::failure::Failure;
use super::output::Output;

/// Prints the completions for a shell.
pub(super) fn completions(asked: &CompletionsArguments, output: &mut Output) -> Result<(), Failure> {
    // The generator panics when it cannot write, so it writes to memory.
    let mut text = Vec::new();
    clap_complete::generate(asked.shell, &mut CommandLine::command(), "crontabber", &mut text);
    output.write_all(&text)?;
    Ok(())
}
