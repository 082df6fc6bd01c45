//! What a daemon and a warden say to one another over their socket.
//!
//! Each message is a frame: its length in four bytes, the lowest first, and so many bytes of CBOR. A message names its
//! fields by number: a field that the other side does not know is passed over, one that it leaves out is absent, so that
//! a daemon can talk to a warden that an older or a newer crontabber started. A number is never used for anything else.
//!
//! Nothing is allocated by what a length says: a frame is gathered as it comes, up to [`LONGEST_FRAME`].

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::Duration;

use chrono::{DateTime, Utc};
use minicbor::bytes::ByteVec;
use minicbor::{CborLen, Decode, Encode};

use crate::session::{AttemptEnd, Outcome, OutcomeKind, ProcessIdentity, Usage};

/// The protocol that this crontabber speaks. Both sides use the smaller of theirs.
pub const PROTOCOL: u32 = 1;

/// The longest frame, in bytes: more than the kernel takes as the arguments and the environment of a program.
pub const LONGEST_FRAME: usize = 4 * 1024 * 1024;

/// What a daemon asks of a warden.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, CborLen)]
pub enum Request {
    /// The first message: who asks. Answered by [`Reply::Welcome`], what is known of the ledger's attempts, and
    /// [`Reply::Listed`].
    #[n(0)]
    Hello(#[n(0)] Hello),
    /// Start an attempt; one that is known already is reported, and not started again.
    #[n(1)]
    Start(#[n(0)] Box<Start>),
    /// Watch an attempt that the warden does not know, and find out what became of it.
    #[n(2)]
    Watch(#[n(0)] Watch),
    /// End an attempt.
    #[n(3)]
    End(#[n(0)] End),
    /// The ledger has the ends of these attempts: forget them.
    #[n(4)]
    Forget(#[n(0)] Vec<String>),
    /// Go away, if no job runs: a warden of another version comes.
    #[n(5)]
    Retire,
    /// All attempts that the ledger has open were named since the hello: from here on, one of this ledger that the spool
    /// does not know has never been started.
    #[n(6)]
    Ready,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct Hello {
    /// [`PROTOCOL`] of the daemon.
    #[n(0)]
    pub protocol: u32,
    /// Its version.
    #[n(1)]
    pub version: String,
    /// The mark of its ledger: it hears of the attempts whose names end in `@` and this.
    #[n(2)]
    pub ledger: String,
}

/// An attempt to start.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct Start {
    /// The name of the attempt: its key, `@`, and the mark of the ledger.
    #[n(0)]
    pub attempt: String,
    /// The program and its arguments.
    #[n(1)]
    pub argv: Vec<ByteVec>,
    /// What the job inherits of the daemon's environment.
    #[n(2)]
    pub inherited: Vec<(ByteVec, ByteVec)>,
    /// What the job is given besides; it goes before what it inherits.
    #[n(3)]
    pub environment: Vec<(ByteVec, ByteVec)>,
    /// Where it is started.
    #[n(4)]
    pub working_directory: Option<ByteVec>,
    /// How long it may take, in microseconds.
    #[n(5)]
    pub timeout: Option<u64>,
    /// Between TERM and KILL, in microseconds.
    #[n(6)]
    pub kill_grace: u64,
    /// The file of its output.
    #[n(7)]
    pub log: ByteVec,
    /// How many bytes of its output are kept.
    #[n(8)]
    pub output_limit: u64,
}

impl Start {
    /// The program and its arguments.
    pub fn arguments(&self) -> impl Iterator<Item = &OsStr> {
        self.argv.iter().map(|argument| OsStr::from_bytes(argument))
    }
}

/// An attempt that the daemon's ledger has open and this warden has not named.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct Watch {
    /// Its name.
    #[n(0)]
    pub attempt: String,
    /// Its process, if the ledger has it.
    #[n(1)]
    pub process: Option<Process>,
    /// How long it may still take, in microseconds.
    #[n(2)]
    pub timeout: Option<u64>,
    /// Between TERM and KILL, in microseconds.
    #[n(3)]
    pub kill_grace: u64,
}

/// Ends an attempt: TERM to its processes, and KILL after its grace.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct End {
    /// Its name.
    #[n(0)]
    pub attempt: String,
    /// What its outcome is, unless it ends otherwise first.
    #[n(1)]
    pub outcome: u8,
    /// KILL without TERM.
    #[n(2)]
    pub at_once: bool,
}

/// What a warden says.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, CborLen)]
pub enum Reply {
    /// Who answers.
    #[n(0)]
    Welcome(#[n(0)] Welcome),
    /// An attempt runs: in answer to a hello, and once it has lived for a moment.
    #[n(1)]
    Running(#[n(0)] Running),
    /// An attempt is over, and written to the spool: in answer to a hello, and when it ends.
    #[n(2)]
    Ended(#[n(0)] Box<Ended>),
    /// All attempts that were known at the hello have been named.
    #[n(3)]
    Listed,
    /// Something is wrong here that people should know.
    #[n(4)]
    Trouble(#[n(0)] String),
    /// This is not served, for this reason; the connection is closed.
    #[n(5)]
    Refused(#[n(0)] String),
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct Welcome {
    /// [`PROTOCOL`] of the warden.
    #[n(0)]
    pub protocol: u32,
    /// Its version.
    #[n(1)]
    pub version: String,
    /// Its process.
    #[n(2)]
    pub pid: i32,
}

/// An attempt that runs.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct Running {
    /// Its name.
    #[n(0)]
    pub attempt: String,
    /// Its process, once it has been looked up.
    #[n(1)]
    pub process: Option<Process>,
}

/// A process, as [`ProcessIdentity`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct Process {
    /// Its number.
    #[n(0)]
    pub pid: i32,
    /// Clock ticks since the boot.
    #[n(1)]
    pub start_ticks: u64,
    /// Which boot.
    #[n(2)]
    pub boot_id: String,
}

impl From<&ProcessIdentity> for Process {
    fn from(process: &ProcessIdentity) -> Self {
        Self { pid: process.pid, start_ticks: process.start_ticks, boot_id: process.boot_id.clone() }
    }
}

impl From<Process> for ProcessIdentity {
    fn from(process: Process) -> Self {
        Self { pid: process.pid, start_ticks: process.start_ticks, boot_id: process.boot_id }
    }
}

/// The end of an attempt, as [`AttemptEnd`]; also as the spool keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct Ended {
    /// Its name.
    #[n(0)]
    pub attempt: String,
    /// A number for the outcome.
    #[n(1)]
    pub outcome: u8,
    /// The exit status, or the signal.
    #[n(2)]
    pub number: Option<i32>,
    /// When, in microseconds of UTC.
    #[n(3)]
    pub ended_at: i64,
    /// How long it took, in microseconds.
    #[n(4)]
    pub duration: Option<u64>,
    /// A sentence for people.
    #[n(5)]
    pub detail: Option<String>,
    /// Whether there is a log.
    #[n(6)]
    pub has_log: bool,
    /// Processor time of its own, in microseconds.
    #[n(7)]
    pub cpu_user: Option<u64>,
    /// Processor time of the kernel, in microseconds.
    #[n(8)]
    pub cpu_system: Option<u64>,
    /// The most memory that it held, in bytes.
    #[n(9)]
    pub peak_memory: Option<u64>,
}

/// The code of an outcome, with its exit status or signal.
#[must_use]
pub fn outcome_number(outcome: Outcome) -> (u8, Option<i32>) {
    (outcome.kind().code(), outcome.number())
}

/// The outcome of a code; nothing for one that this crontabber does not know.
#[must_use]
pub fn outcome(kind: u8, number: Option<i32>) -> Option<Outcome> {
    Outcome::new(OutcomeKind::from_code(kind)?, number)
}

impl Ended {
    /// Puts the end of an attempt into a message.
    #[must_use]
    pub fn new(attempt: String, end: &AttemptEnd) -> Self {
        let (outcome, number) = outcome_number(end.outcome);
        Self {
            attempt,
            outcome,
            number,
            ended_at: end.ended_at.timestamp_micros(),
            duration: end.duration.map(micros),
            detail: end.detail.clone(),
            has_log: end.has_log,
            cpu_user: end.usage.map(|usage| micros(usage.cpu_user)),
            cpu_system: end.usage.map(|usage| micros(usage.cpu_system)),
            peak_memory: end.usage.map(|usage| usage.peak_memory),
        }
    }

    /// Takes it out again; nothing where it says what this crontabber does not know.
    #[must_use]
    pub fn end(&self) -> Option<AttemptEnd> {
        let usage = match (self.cpu_user, self.cpu_system, self.peak_memory) {
            (Some(user), Some(system), Some(peak_memory)) => Some(Usage {
                cpu_user: Duration::from_micros(user),
                cpu_system: Duration::from_micros(system),
                peak_memory,
            }),
            _ => None,
        };
        Some(AttemptEnd {
            outcome: outcome(self.outcome, self.number)?,
            ended_at: DateTime::<Utc>::from_timestamp_micros(self.ended_at)?,
            duration: self.duration.map(Duration::from_micros),
            detail: self.detail.clone(),
            has_log: self.has_log,
            usage,
        })
    }
}

/// A duration as the protocol has it.
#[must_use]
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Bytes of an environment, an argument or a path.
#[must_use]
pub fn bytes(text: OsString) -> ByteVec {
    ByteVec::from(text.into_vec())
}

/// What is wrong with what the other side sent.
#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    /// A frame longer than any may be.
    #[error("a message of {0} bytes, and none may be longer than {LONGEST_FRAME}")]
    TooLong(usize),
    /// Not what a crontabber says.
    #[error("a message that no crontabber sends: {0}")]
    Strange(minicbor::decode::Error),
}

/// Puts a message into a frame, behind what is in `buffer` already.
///
/// # Errors
/// It is longer than [`LONGEST_FRAME`].
pub fn put<T: Encode<()> + CborLen<()>>(message: &T, buffer: &mut Vec<u8>) -> Result<(), ProtocolError> {
    let length = minicbor::len(message);
    let head = u32::try_from(length).ok().filter(|_| length <= LONGEST_FRAME).ok_or(ProtocolError::TooLong(length))?;
    buffer.extend(head.to_le_bytes());
    // Writing into a buffer in memory does not fail.
    minicbor::encode(message, buffer).map_err(|_| ProtocolError::TooLong(length))
}

/// What has come of the other side's frames and is not taken yet.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    taken: usize,
}

impl Frames {
    /// Adds what came.
    pub fn add(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.taken.min(self.bytes.len()));
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes the next whole message, if there is one. A message in a whole frame that cannot be read does not disturb
    /// those that follow it.
    ///
    /// # Errors
    /// A frame that is too long, after which nothing more can be read; or a message that is none.
    pub fn take<T: for<'b> Decode<'b, ()>>(&mut self) -> Result<Option<T>, ProtocolError> {
        let Some((head, rest)) = self.bytes.get(self.taken..).and_then(<[u8]>::split_first_chunk::<4>) else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_le_bytes(*head)).unwrap_or(usize::MAX);
        if length > LONGEST_FRAME {
            return Err(ProtocolError::TooLong(length));
        }
        let Some(message) = rest.get(..length) else { return Ok(None) };
        self.taken = self.taken.saturating_add(length).saturating_add(4);
        let message = minicbor::decode(message).map_err(ProtocolError::Strange);
        if self.taken >= self.bytes.len() && self.bytes.capacity() > 1 << 16 {
            // One long message is no reason to keep so much for ever.
            self.bytes = Vec::new();
            self.taken = 0;
        }
        message.map(Some)
    }
}
