//! The messages between a daemon and a warden.
//!
//! Each message is a frame of CBOR (see `frames`). Fields are numbered: a receiver skips a field that it does not know, and
//! an absent one is `None`, so that daemon and warden may be of different versions. A number is never reused.
#![expect(missing_docs, reason = "a field or a message whose name says it all has no doc")]

pub(super) mod codec;
mod ended;
mod frames;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use minicbor::bytes::ByteVec;
use minicbor::{CborLen, Decode, Encode};

pub use ended::{Ended, outcome_code, outcome_from_code};
pub use frames::{FrameDecoder, LONGEST_FRAME, ProtocolError, encode_frame};

use crate::session::ProcessIdentity;

/// The protocol of this version. Both sides use the smaller of theirs.
pub const PROTOCOL: u32 = 1;

/// What a daemon sends.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, CborLen)]
pub enum Request {
    /// The first message. The warden answers with [`Reply::Welcome`], all attempts of the ledger that it knows, and
    /// [`Reply::Listed`].
    #[n(0)]
    Hello(#[n(0)] Hello),
    /// Start an attempt; one that the warden knows is reported, and not started again.
    #[n(1)]
    Start(#[n(0)] Box<Launch>),
    /// Watch an attempt that the warden does not know, and find out what became of it.
    #[n(2)]
    Watch(#[n(0)] Watch),
    #[n(3)]
    Stop(#[n(0)] Stop),
    /// The ledger has the ends of these attempts: forget them.
    #[n(4)]
    Forget(#[n(0)] Vec<String>),
    /// Exit, if no job runs: a warden of another version takes over.
    #[n(5)]
    Retire,
    /// All open attempts of the ledger were named since the hello: from now on, an attempt of this ledger that is not in the
    /// journal has never been started.
    #[n(6)]
    Ready,
}

/// The first message of a client.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct Hello {
    /// [`PROTOCOL`] of the daemon.
    #[n(0)]
    pub protocol: u32,
    #[n(1)]
    pub version: String,
    /// The suffix of the ledger: the daemon receives events of attempts whose names end in `@` and this.
    #[n(2)]
    pub ledger: String,
    /// The environment that jobs inherit from the daemon; a warden that systemd starts uses its own instead.
    #[cbor(n(3), default)]
    pub inherited: Vec<Variable>,
}

/// The name and the value of an environment variable.
pub type Variable = (ByteVec, ByteVec);

/// Everything that one attempt needs to start.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct Launch {
    /// The name of the attempt: its key, `@`, and the suffix of the ledger.
    #[n(0)]
    pub attempt: String,
    /// The program and its arguments, passed as they are. A program without a slash is searched in the `PATH` of its own
    /// environment.
    #[n(1)]
    pub argv: Vec<ByteVec>,
    /// The job's own environment, which overrides what it inherits.
    #[n(3)]
    pub environment: Vec<Variable>,
    #[n(4)]
    pub working_directory: Option<ByteVec>,
    #[cbor(n(5), with = "codec", has_nil)]
    pub timeout: Option<Duration>,
    /// Between TERM and KILL.
    #[cbor(n(6), with = "codec", has_nil)]
    pub kill_grace: Duration,
    /// The file of its output, created at the first byte: a silent job leaves no file.
    #[n(7)]
    pub log: ByteVec,
    /// How many bytes of its output are kept: the first half, and the last half.
    #[n(8)]
    pub output_limit: u64,
}

impl Launch {
    /// The program and its arguments.
    pub fn arguments(&self) -> impl Iterator<Item = &OsStr> {
        self.argv.iter().map(|argument| OsStr::from_bytes(argument))
    }
}

/// An open attempt of the ledger that the warden may not know.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct Watch {
    /// As in [`Launch`].
    #[n(0)]
    pub attempt: String,
    /// Its process, if the ledger has it.
    #[cbor(n(1), with = "codec", has_nil)]
    pub process: Option<ProcessIdentity>,
    /// How long it may still run.
    #[cbor(n(2), with = "codec", has_nil)]
    pub timeout: Option<Duration>,
    /// Between TERM and KILL.
    #[cbor(n(3), with = "codec", has_nil)]
    pub kill_grace: Duration,
}

/// Ends an attempt: TERM to its processes, and KILL after its grace.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct Stop {
    /// As in [`Launch`].
    #[n(0)]
    pub attempt: String,
    /// The code of its outcome, unless it ends by itself first.
    #[n(1)]
    pub outcome: u8,
    /// KILL without TERM.
    #[n(2)]
    pub at_once: bool,
}

/// What a warden sends.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, CborLen)]
pub enum Reply {
    #[n(0)]
    Welcome(#[n(0)] Welcome),
    /// An attempt runs: in answer to a hello or a watch, and once it has run for some milliseconds.
    #[n(1)]
    Running(#[n(0)] Running),
    /// An attempt has ended, and the journal has its end: in answer to a hello or a watch, and when it ends.
    #[n(2)]
    Ended(#[n(0)] Box<Ended>),
    /// All attempts that the warden knew at the hello were sent.
    #[n(3)]
    Listed,
    /// A fault that the operator should know.
    #[n(4)]
    Warning(#[n(0)] String),
    /// The daemon is not served, for this reason; the connection is closed.
    #[n(5)]
    Refused(#[n(0)] String),
}

/// The answer to a [`Hello`] that is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct Welcome {
    /// [`PROTOCOL`] of the warden.
    #[n(0)]
    pub protocol: u32,
    #[n(1)]
    pub version: String,
    #[n(2)]
    pub pid: i32,
}

/// An attempt that runs.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct Running {
    /// As in [`Launch`].
    #[n(0)]
    pub attempt: String,
    /// Its process, once the warden has looked it up.
    #[cbor(n(1), with = "codec", has_nil)]
    pub process: Option<ProcessIdentity>,
}

/// An argument, a variable or a path, as it is sent.
#[must_use]
pub fn bytes(text: impl AsRef<OsStr>) -> ByteVec {
    ByteVec::from(text.as_ref().as_bytes().to_vec())
}
