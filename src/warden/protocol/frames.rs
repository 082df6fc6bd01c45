//! Frames: the length of a message in four bytes, little-endian, and the message in CBOR.
//!
//! Memory is never reserved by what a length says: a frame grows as its bytes arrive, up to [`LONGEST_FRAME`].

use minicbor::{CborLen, Decode, Encode};

/// The longest frame, in bytes: more than the kernel takes as the arguments and the environment of a program.
pub const LONGEST_FRAME: usize = 4 * 1024 * 1024;
/// A buffer that has grown beyond this, in bytes, is freed when it is empty.
const KEPT_CAPACITY: usize = 64 * 1024;

/// Why a frame cannot be sent or read.
#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    #[error("a message of {0} bytes, and the limit is {LONGEST_FRAME}")]
    TooLong(usize),
    #[error("an unknown message: {0}")]
    Unknown(minicbor::decode::Error),
}

/// Appends the frame of a message to `buffer`.
///
/// # Errors
/// The message is longer than [`LONGEST_FRAME`].
pub fn encode_frame<T: Encode<()> + CborLen<()>>(message: &T, buffer: &mut Vec<u8>) -> Result<(), ProtocolError> {
    let length = minicbor::len(message);
    let head = u32::try_from(length).ok().filter(|_| length <= LONGEST_FRAME).ok_or(ProtocolError::TooLong(length))?;
    buffer.extend(head.to_le_bytes());
    // Writing into a buffer in memory does not fail.
    minicbor::encode(message, buffer).map_err(|_| ProtocolError::TooLong(length))
}

/// Decodes the frames of a stream.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    bytes: Vec<u8>,
    decoded: usize,
}

impl FrameDecoder {
    /// Adds bytes that were received.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.decoded.min(self.bytes.len()));
        self.decoded = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// Decodes the next message, if all of its frame has arrived. A message that cannot be decoded is skipped by the next
    /// call.
    ///
    /// # Errors
    /// The frame is too long, after which nothing more can be read; or its message is unknown.
    pub fn decode_next<T: for<'b> Decode<'b, ()>>(&mut self) -> Result<Option<T>, ProtocolError> {
        let Some((head, rest)) = self.bytes.get(self.decoded..).and_then(<[u8]>::split_first_chunk::<4>) else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_le_bytes(*head)).unwrap_or(usize::MAX);
        if length > LONGEST_FRAME {
            return Err(ProtocolError::TooLong(length));
        }
        let Some(message) = rest.get(..length) else { return Ok(None) };
        self.decoded = self.decoded.saturating_add(length).saturating_add(4);
        let message = minicbor::decode(message).map_err(ProtocolError::Unknown);
        if self.decoded >= self.bytes.len() && self.bytes.capacity() > KEPT_CAPACITY {
            self.bytes = Vec::new();
            self.decoded = 0;
        }
        message.map(Some)
    }
}
