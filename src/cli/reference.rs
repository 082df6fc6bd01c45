//! `reference`: every command as Markdown, made from the definitions that read the command line.
//!
//! `docs/commands.md` is what it prints, and a test sees to it.

use std::fmt::Write as _;
use std::io::Write as _;

use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory};

use super::arguments::CommandLine;
use super::failure::Failure;
use super::output::Output;

const INTRODUCTION: &str = "\
<!-- Made by `crontabber reference > docs/commands.md`: change `src/cli/arguments.rs` and what is beside it instead. -->
# Commands
";

/// Prints the reference.
pub(super) fn reference(output: &mut Output) -> Result<(), Failure> {
    let mut root = CommandLine::command();
    root.build();
    let mut page = INTRODUCTION.to_owned();
    about(&root, &mut page);
    let commands: Vec<&Command> = root.get_subcommands().filter(|command| is_shown(command)).collect();
    page.push('\n');
    for command in &commands {
        let name = command.get_name();
        let line = command.get_about().map(plain).unwrap_or_default();
        page.push_str(&format!("- [`{name}`](#{name}): {line}\n"));
    }
    arguments_of(&root, &mut page, |argument| argument.get_help_heading().is_some());
    if let Some(text) = root.get_after_help() {
        _ = write!(page, "\n{}\n", plain(text));
    }
    for command in commands {
        _ = write!(page, "\n## {}\n", command.get_name());
        about(command, &mut page);
        // What every command has stands above, once.
        arguments_of(command, &mut page, |argument| !argument.is_global_set() && argument.get_id() != "help");
    }
    output.write_all(page.as_bytes())?;
    Ok(())
}

/// `help` is clap's own, and says what this page says.
fn is_shown(command: &Command) -> bool {
    !command.is_hide_set() && command.get_name() != "help"
}

/// What a command does, and how it is typed.
fn about(command: &Command, page: &mut String) {
    if let Some(text) = command.get_long_about().or(command.get_about()) {
        _ = write!(page, "\n{}\n", sentence(plain(text)));
    }
    let usage = command.clone().render_usage();
    let usage = plain(&usage);
    _ = write!(page, "\n```text\n{}\n```\n", usage.trim_start_matches("Usage:").trim());
}

/// The arguments that are wanted, below the headings that they have.
fn arguments_of(command: &Command, page: &mut String, wanted: impl Fn(&Arg) -> bool) {
    let mut heading = None;
    let mut is_first = true;
    for argument in command.get_arguments().filter(|argument| !argument.is_hide_set() && wanted(argument)) {
        if argument.get_help_heading() != heading {
            heading = argument.get_help_heading();
            _ = write!(page, "\n{}:\n", heading.unwrap_or("Options"));
            is_first = true;
        }
        if is_first {
            page.push('\n');
            is_first = false;
        }
        page.push_str(&format!("- `{}`: {}\n", typed(argument), meaning(argument)));
    }
}

/// An argument as it is typed: `-f, --follow`, `--limit <N>`, `[JOB]`.
fn typed(argument: &Arg) -> String {
    if argument.is_positional() {
        return argument.to_string();
    }
    let names =
        [argument.get_short().map(|short| format!("-{short}")), argument.get_long().map(|long| format!("--{long}"))];
    let mut typed = names.into_iter().flatten().collect::<Vec<_>>().join(", ");
    if argument.get_action().takes_values() {
        for name in argument.get_value_names().unwrap_or_default() {
            typed.push_str(&format!(" <{name}>"));
        }
    }
    typed
}

/// What an argument means, which values it takes, and where else it is taken from.
fn meaning(argument: &Arg) -> String {
    let text = argument.get_long_help().or(argument.get_help()).map(plain).unwrap_or_default();
    let mut text = sentence(text.replace('\n', " "));
    let values: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set() && argument.get_action().takes_values())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if !values.is_empty() {
        text.push_str(&format!(" One of {}.", values.join(", ")));
    }
    if let Some(variable) = argument.get_env() {
        text.push_str(&format!(" Also `${}`.", variable.to_string_lossy()));
    }
    text
}

/// A help text with the full stop that clap takes from it.
fn sentence(mut text: String) -> String {
    if !text.ends_with(['.', ':']) {
        text.push('.');
    }
    text
}

fn plain(text: &StyledStr) -> String {
    text.to_string()
}
