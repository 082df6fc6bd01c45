//! The binary: everything is in the library.

use std::process::ExitCode;

use crontabber::{cli, warden};

fn main() -> ExitCode {
    // The trampoline of a job: it becomes the job's program at once.
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == warden::TRAMPOLINE) {
        return ExitCode::from(warden::trampoline(arguments));
    }
    cli::main()
}
