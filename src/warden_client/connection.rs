//! One connection to a warden, and the replies that arrive on it.

use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::warden::protocol::{FrameDecoder, ProtocolError, Reply};

/// A connection on which the warden has said what it knows.
#[derive(Debug)]
pub struct Connection {
    pub(super) stream: UnixStream,
    decoder: FrameDecoder,
    pub(super) version: String,
    pub(super) pid: i32,
    /// The attempts that the warden knew at the hello.
    pub(super) listed: Vec<Reply>,
}

/// Why no reply can be read.
pub(super) enum ReadError {
    Closed,
    TimedOut,
    Protocol(ProtocolError),
}

impl Connection {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, decoder: FrameDecoder::default(), version: String::new(), pid: 0, listed: Vec::new() }
    }

    /// Waits for the next reply, at most `timeout`; the stream must have a read timeout of its own.
    pub(super) fn next(&mut self, timeout: Duration) -> Result<Reply, ReadError> {
        let since = Instant::now();
        loop {
            if let Some(reply) = self.decoder.decode_next().map_err(ReadError::Protocol)? {
                return Ok(reply);
            }
            if since.elapsed() > timeout || !self.read()? {
                return Err(ReadError::TimedOut);
            }
        }
    }

    /// Reads the next reply, if it has arrived; for a non-blocking stream.
    pub(super) fn try_next(&mut self) -> Result<Option<Reply>, ReadError> {
        loop {
            if let Some(reply) = self.decoder.decode_next().map_err(ReadError::Protocol)? {
                return Ok(Some(reply));
            }
            if !self.read()? {
                return Ok(None);
            }
        }
    }

    /// Reads once; false if nothing has arrived.
    fn read(&mut self) -> Result<bool, ReadError> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(ReadError::Closed),
            Ok(count) => {
                self.decoder.push(&buffer[..count]);
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(false),
            Err(_) => Err(ReadError::Closed),
        }
    }
}
