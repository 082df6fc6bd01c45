//! What must hold of crontabber whatever it is given: one check for each target of the fuzzer.
//!
//! A check takes bytes and panics where something does not hold. The fuzzer gives it bytes of its own making, and
//! `tests/fuzz_seeds.rs` of the crate, which compiles these very files, gives it the seeds.

pub mod crontab;
pub mod dates;
pub mod journal;
pub mod registry;
pub mod warden_protocol;

mod oracle;
mod walk;
mod words;

/// The name of a target, which its folder of seeds has too, and its check.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 5] = [
    ("registry", registry::check),
    ("crontab", crontab::check),
    ("dates", dates::check),
    ("warden_protocol", warden_protocol::check),
    ("journal", journal::check),
];
