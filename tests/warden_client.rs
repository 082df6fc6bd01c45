//! The client of the warden, with a real warden and real processes.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

#[path = "warden_client/adoption.rs"]
mod adoption;
#[path = "warden_client/ending.rs"]
mod ending;
#[path = "warden_client/lab.rs"]
mod lab;
#[path = "warden_client/many.rs"]
mod many;
#[path = "warden_client/output.rs"]
mod output;
#[path = "warden_client/starting.rs"]
mod starting;
