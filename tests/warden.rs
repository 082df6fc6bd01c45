//! The warden on bad days: strangers at its socket, a spool that is damaged, a disk that is full, a machine that was
//! started anew; and clients that do not behave, over its real socket.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

#[path = "warden/clients.rs"]
mod clients;
#[path = "warden/disk.rs"]
mod disk;
#[path = "warden/house.rs"]
mod house;
#[expect(dead_code, reason = "the tests of the daemon use the rest")]
#[path = "support/lab.rs"]
mod lab;
#[path = "warden/life.rs"]
mod life;
#[path = "warden/requests.rs"]
mod requests;
#[path = "warden/socket.rs"]
mod socket;
