//! The warden on bad days: strangers at its socket, a journal that is damaged, a disk that is full, a machine that was
//! started anew; and clients that do not behave, over its real socket.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod clients;
#[path = "../support/disk.rs"]
mod disk;
mod fixture;
mod foreign_socket;
mod journal_faults;
#[expect(dead_code, reason = "the tests of the daemon use the rest")]
#[path = "../support/lab.rs"]
mod lab;
mod leftovers;
mod lifetime;
mod requests;
