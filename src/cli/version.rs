//! `version`: ours, and that of the time zone rules, by which dates can differ.

use std::io::Write;

use serde::Serialize;

use super::context::Context;
use super::failure::Failure;
use super::json;
use super::output::Output;
use crate::schedule;

/// The versions in JSON.
#[derive(Debug, Serialize)]
struct Versions {
    version: &'static str,
    tzdata: &'static str,
}

/// Prints the versions.
pub(super) fn version(context: &Context, output: &mut Output) -> Result<(), Failure> {
    let Versions { version, tzdata } =
        Versions { version: env!("CARGO_PKG_VERSION"), tzdata: schedule::tzdata_version() };
    if context.json() {
        json::object(output, &Versions { version, tzdata })?;
    } else {
        writeln!(output, "crontabber {version} (tzdata {tzdata})")?;
    }
    Ok(())
}
