//! A connection of a daemon: its bytes are not trusted, and buffers are bounded.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use rustix::net::sockopt::socket_peercred;

use super::protocol::{FrameDecoder, ProtocolError, Reply, Request, Variable, encode_frame};

/// A client that leaves so many bytes unread is disconnected; it may connect again.
const MAX_UNREAD: usize = 8 * 1024 * 1024;
/// How many requests of one client are handled in a turn.
const REQUESTS_PER_TURN: usize = 16;
/// How many reads empty the socket of a client that another one replaces.
const READS_TO_EMPTY: usize = 1024;
/// A send buffer is shrunk to this when it is empty.
const KEPT_CAPACITY: usize = 64 * 1024;

#[expect(clippy::struct_excessive_bools, reason = "they are independent")]
#[derive(Debug)]
pub(super) struct Client {
    stream: UnixStream,
    decoder: FrameDecoder,
    /// The suffix of its ledger, once it has said hello.
    pub(super) ledger: Option<String>,
    /// What its jobs inherit.
    pub(super) inherited: Rc<[Variable]>,
    send_buffer: Vec<u8>,
    sent: usize,
    max_unread: usize,
    /// The decoder may have more requests.
    pub(super) has_more: bool,
    has_hung_up: bool,
    /// The socket has no room for the rest of the send buffer.
    pub(super) is_blocked: bool,
    /// To be removed.
    pub(super) is_closed: bool,
}

impl Client {
    /// Accepts a connection from our own user or from root, and refuses others.
    pub(super) fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let peer = socket_peercred(&stream)?.uid;
        let mut client = Self {
            stream,
            decoder: FrameDecoder::default(),
            ledger: None,
            inherited: Rc::default(),
            send_buffer: Vec::new(),
            sent: 0,
            max_unread: MAX_UNREAD,
            has_more: false,
            has_hung_up: false,
            is_blocked: false,
            is_closed: false,
        };
        if !(peer.is_root() || peer == rustix::process::geteuid()) {
            client.refuse(format!("the warden does not serve user {}", peer.as_raw()));
        }
        Ok(client)
    }

    pub(super) fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Reads and decodes some requests; the rest stays in the socket, where it takes no memory of ours. With `all` it reads
    /// and decodes everything, for a client that is replaced.
    pub(super) fn read(&mut self, buffer: &mut [u8], all: bool) -> Vec<Request> {
        let mut requests = Vec::new();
        for _ in 0..if all { READS_TO_EMPTY } else { 1 } {
            if self.is_closed || (self.has_more && !all) {
                break;
            }
            match self.stream.read(buffer) {
                Ok(0) => {
                    self.has_hung_up = true;
                    break;
                }
                Ok(count) => {
                    self.decoder.push(buffer.get(..count).unwrap_or_default());
                    if all {
                        self.decode(&mut requests, usize::MAX);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.has_hung_up = true;
                    break;
                }
            }
        }
        self.decode(&mut requests, if all { usize::MAX } else { REQUESTS_PER_TURN });
        // What it sent before it hung up is handled.
        self.is_closed |= self.has_hung_up && !self.has_more;
        requests
    }

    fn decode(&mut self, requests: &mut Vec<Request>, limit: usize) {
        self.has_more = false;
        while !self.is_closed {
            if requests.len() >= limit {
                self.has_more = true;
                return;
            }
            match self.decoder.decode_next() {
                Ok(Some(request)) => requests.push(request),
                Ok(None) => return,
                Err(error @ ProtocolError::TooLong(_)) => self.refuse(error.to_string()),
                // From a newer daemon, which knows our protocol from the welcome.
                Err(error @ ProtocolError::Unknown(_)) => self.send(&Reply::Warning(error.to_string())),
            }
        }
    }

    fn refuse(&mut self, reason: String) {
        self.send(&Reply::Refused(reason));
        self.flush();
        self.is_closed = true;
    }

    /// Buffers a reply for [`Client::flush`].
    pub(super) fn send(&mut self, reply: &Reply) {
        if let Err(error) = encode_frame(reply, &mut self.send_buffer) {
            tracing::error!(%error, "a reply cannot be sent");
        }
        if self.unread() > self.max_unread {
            self.is_closed = true;
        }
    }

    /// Buffers the list of known attempts, however long it is: without it the client could not go on.
    pub(super) fn send_list(&mut self, known: &[Reply]) {
        self.max_unread = usize::MAX;
        for reply in known {
            self.send(reply);
        }
        self.max_unread = self.unread().saturating_add(MAX_UNREAD);
    }

    fn unread(&self) -> usize {
        self.send_buffer.len().saturating_sub(self.sent)
    }

    /// Writes the send buffer; true if the socket has no room for the rest.
    pub(super) fn flush(&mut self) -> bool {
        while let Some(rest) = self.send_buffer.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(count) => self.sent = self.sent.saturating_add(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if self.sent > self.send_buffer.len() >> 1 {
                        self.send_buffer.drain(..self.sent.min(self.send_buffer.len()));
                        self.sent = 0;
                    }
                    return true;
                }
                Err(_) => {
                    self.is_closed = true;
                    return false;
                }
            }
        }
        self.send_buffer.clear();
        self.send_buffer.shrink_to(KEPT_CAPACITY);
        self.sent = 0;
        false
    }
}
