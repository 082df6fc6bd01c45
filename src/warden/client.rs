//! One connection of a daemon to its warden: bytes in both directions, none of them trusted, and no more kept than fits.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

use rustix::net::sockopt::socket_peercred;

use super::protocol::{FrameDecoder, ProtocolError, Reply, Request, encode_frame};

/// A client that does not read is let go: it asks again when it comes back.
const MOST_UNREAD: usize = 8 * 1024 * 1024;
/// How many requests of one client are taken before the others have their turn.
const REQUESTS: usize = 16;
/// How often one is read that another takes the place of: more than a socket holds.
const LAST_READS: usize = 1024;

/// A client.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug)]
pub(super) struct Client {
    stream: UnixStream,
    decoder: FrameDecoder,
    /// The mark of its ledger, once it has said hello.
    pub(super) ledger: Option<String>,
    out: Vec<u8>,
    sent: usize,
    /// There may be more requests in what was read.
    pub(super) has_more: bool,
    is_gone: bool,
    /// With more than this unread it is let go.
    most_unread: usize,
    /// There was no room for all that is to be sent.
    pub(super) waits_for_room: bool,
    /// It is gone, or must go.
    pub(super) over: bool,
}

impl Client {
    /// Takes a new connection, if it comes from our own user or from root.
    pub(super) fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let peer = socket_peercred(&stream)?.uid;
        let mut client = Self {
            stream,
            decoder: FrameDecoder::default(),
            ledger: None,
            out: Vec::new(),
            sent: 0,
            has_more: false,
            is_gone: false,
            most_unread: MOST_UNREAD,
            waits_for_room: false,
            over: false,
        };
        if !is_trusted(peer) {
            client.say(&Reply::Refused(format!("the warden does not serve user {}", peer.as_raw())));
            client.write();
            client.over = true;
        }
        Ok(client)
    }

    pub(super) fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Reads some of what has come, and takes some of the requests in it: the rest waits in the socket, where it takes no
    /// memory of ours. `last` takes all that there is, for one whose place another takes.
    pub(super) fn read(&mut self, buffer: &mut [u8], last: bool) -> Vec<Request> {
        let mut requests = Vec::new();
        for _ in 0..if last { LAST_READS } else { 1 } {
            if self.over || (self.has_more && !last) {
                break;
            }
            match self.stream.read(buffer) {
                Ok(0) => {
                    self.is_gone = true;
                    break;
                }
                Ok(count) => {
                    self.decoder.push(buffer.get(..count).unwrap_or_default());
                    if last {
                        self.take_frames(&mut requests, usize::MAX);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.is_gone = true;
                    break;
                }
            }
        }
        self.take_frames(&mut requests, if last { usize::MAX } else { REQUESTS });
        // What it said before it left counts.
        self.over |= self.is_gone && !self.has_more;
        requests
    }

    fn take_frames(&mut self, requests: &mut Vec<Request>, most: usize) {
        self.has_more = false;
        while !self.over {
            if requests.len() >= most {
                self.has_more = true;
                return;
            }
            match self.decoder.decode_next() {
                Ok(Some(request)) => requests.push(request),
                Ok(None) => return,
                Err(error @ ProtocolError::TooLong(_)) => {
                    self.say(&Reply::Refused(error.to_string()));
                    self.write();
                    self.over = true;
                }
                // A newer daemon asks for what we do not know; it knows that, for we have told it our protocol.
                Err(error @ ProtocolError::Unknown(_)) => self.say(&Reply::Warning(error.to_string())),
            }
        }
    }

    /// Says something; [`Client::write`] sends it.
    pub(super) fn say(&mut self, reply: &Reply) {
        if let Err(error) = encode_frame(reply, &mut self.out) {
            tracing::error!(%error, "an answer cannot be sent");
        }
        if self.unread() > self.most_unread {
            self.over = true;
        }
    }

    /// Says what is known, however much that is: a client that must have it could never come in otherwise.
    pub(super) fn list(&mut self, known: &[Reply]) {
        self.most_unread = usize::MAX;
        for reply in known {
            self.say(reply);
        }
        self.most_unread = self.unread().saturating_add(MOST_UNREAD);
    }

    /// How much it has not read, in bytes.
    fn unread(&self) -> usize {
        self.out.len().saturating_sub(self.sent)
    }

    /// Sends what can be sent. Says whether more is to be sent when there is room.
    pub(super) fn write(&mut self) -> bool {
        while let Some(rest) = self.out.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(count) => self.sent = self.sent.saturating_add(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if self.sent > self.out.len() >> 1 {
                        self.out.drain(..self.sent.min(self.out.len()));
                        self.sent = 0;
                    }
                    return true;
                }
                Err(_) => {
                    self.over = true;
                    return false;
                }
            }
        }
        self.out.clear();
        // One long list is no reason to keep so much for ever.
        self.out.shrink_to(1 << 16);
        self.sent = 0;
        false
    }
}

/// Says whether a user may ask, or answer: our own, and root, who may do anything anyway.
fn is_trusted(user: rustix::process::Uid) -> bool {
    user.is_root() || user == rustix::process::geteuid()
}
