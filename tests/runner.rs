//! The runner with real processes.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

#[path = "runner/adoption.rs"]
mod adoption;
#[path = "runner/ending.rs"]
mod ending;
#[path = "runner/lab.rs"]
mod lab;
#[path = "runner/many.rs"]
mod many;
#[path = "runner/output.rs"]
mod output;
#[path = "runner/starting.rs"]
mod starting;
