//! The real binary under kill -9, SIGSTOP, a full disk, database outages and clock changes. At the end a checker reads the
//! files that the jobs wrote.
//!
//! It has a `main` of its own, since it is also the program of the jobs. As a test it is short; see `TORTURE_SECONDS`,
//! `TORTURE_BACKEND` and `TORTURE_SEED`. `scripts/torture` runs it for any length of time.

#![expect(clippy::print_stdout, reason = "it reports, and speaks to the test runner")]

mod checker;
mod command_line;
mod daemon_supervisor;
mod database_outages;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "../support/disk.rs"]
mod disk;
mod environment;
mod fault_log;
mod faults;
mod job_program;
mod jobs;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "../support/lab.rs"]
mod lab;
mod ledger;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "../support/postgres.rs"]
mod postgres;
mod random;
mod report;
mod round;
mod selfcheck;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.peek().is_some_and(|first| first == job_program::AS_JOB) {
        return job_program::run(arguments.skip(1));
    }
    command_line::run(&arguments.collect::<Vec<_>>())
}
