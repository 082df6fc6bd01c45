//! What surrounds the process: its host and user, and whether the terminal takes color.

use std::io::IsTerminal;
use std::{env, fs};

/// The name of this machine.
#[must_use]
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The name of the user whose process this is.
#[must_use]
pub fn user_name() -> String {
    name_of_user(rustix::process::getuid().as_raw())
}

/// The name of the user with this number, or the number where `/etc/passwd` does not have it.
#[must_use]
pub fn name_of_user(number: u32) -> String {
    let number = number.to_string();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let named = fields.find_map(|fields| (fields.get(2) == Some(&number.as_str())).then(|| fields[0].to_owned()));
    named.unwrap_or(number)
}

/// Whether to use color on `stream`: only on a terminal, unless `NO_COLOR` (see no-color.org) or `TERM=dumb` says not to.
#[must_use]
pub fn use_color(stream: &impl IsTerminal) -> bool {
    let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    stream.is_terminal() && !no_color && !is_dumb
}
