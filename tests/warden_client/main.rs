//! The client of the warden, with a real warden and real processes.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod adoption;
mod ending;
mod lab;
mod leftovers;
mod many;
mod output;
mod starting;
