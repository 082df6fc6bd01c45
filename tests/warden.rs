//! The warden on bad days: strangers at its socket, a journal that is damaged, a disk that is full, a machine that was
//! started anew; and clients that do not behave, over its real socket.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

#[path = "warden/clients.rs"]
mod clients;
#[path = "warden/fixture.rs"]
mod fixture;
#[path = "warden/foreign_socket.rs"]
mod foreign_socket;
#[path = "warden/journal_faults.rs"]
mod journal_faults;
#[expect(dead_code, reason = "the tests of the daemon use the rest")]
#[path = "support/lab.rs"]
mod lab;
#[path = "warden/lifetime.rs"]
mod lifetime;
#[path = "warden/requests.rs"]
mod requests;
