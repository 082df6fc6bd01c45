//! `schema`: the JSON Schema of the registry.

use std::io::{self, Write};

use super::failure::Failure;
use super::output::Output;
use crate::registry;

/// Prints the schema.
pub(super) fn schema(output: &mut Output) -> Result<(), Failure> {
    serde_json::to_writer_pretty(&mut *output, &registry::schema()).map_err(io::Error::from)?;
    writeln!(output)?;
    Ok(())
}
