//! The target `warden_protocol`: what comes over the socket of a warden, from a daemon and from another warden alike.
//!
//! The first byte of an input is the size of the pieces in which the rest arrives.

use std::fmt::Debug;

use crontabber::warden::protocol::{Ended, FrameDecoder, LONGEST_FRAME, ProtocolError, Reply, Request, encode_frame};
use minicbor::{CborLen, Decode, Encode};

/// Checks one input.
///
/// # Panics
/// When something does not hold.
pub fn check(data: &[u8]) {
    let Some((size, data)) = data.split_first() else { return };
    for request in in_pieces::<Request>(data, usize::from(*size) + 1) {
        same_again(&request);
    }
    for reply in in_pieces::<Reply>(data, usize::from(*size) + 1) {
        same_again(&reply);
        if let Reply::Ended(ended) = reply {
            the_end_of_it(&ended);
        }
    }
}

/// Reads all messages, in whole and in pieces: the same ones, in the same order, with the same ones passed over.
fn in_pieces<T: for<'b> Decode<'b, ()> + Debug + PartialEq>(data: &[u8], size: usize) -> Vec<T> {
    let whole = messages::<T>(std::iter::once(data));
    let pieces = messages::<T>(data.chunks(size));
    assert_eq!(whole, pieces, "what is read must not depend on how it arrives");
    whole.into_iter().flatten().collect()
}

/// What comes of some pieces; `None` stands for a message that is none.
fn messages<'a, T: for<'b> Decode<'b, ()>>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Option<T>> {
    let (mut frames, mut messages) = (FrameDecoder::default(), Vec::new());
    for piece in pieces {
        frames.push(piece);
        loop {
            match frames.decode_next() {
                Ok(Some(message)) => messages.push(Some(message)),
                Ok(None) => break,
                Err(ProtocolError::Unknown(_)) => messages.push(None),
                Err(ProtocolError::TooLong(length)) => {
                    assert!(length > LONGEST_FRAME);
                    return messages;
                }
            }
        }
    }
    messages
}

/// What was read is written so that it reads the same.
fn same_again<T: Encode<()> + CborLen<()> + for<'b> Decode<'b, ()> + Debug + PartialEq>(message: &T) {
    let mut bytes = Vec::new();
    encode_frame(message, &mut bytes).expect("what came in a frame fits into one");
    let mut frames = FrameDecoder::default();
    frames.push(&bytes);
    let again: Option<T> = frames.decode_next().expect("what we write can be read");
    assert_eq!(again.as_ref(), Some(message));
}

/// An end that we understand is the same after a way through the ledger's words.
fn the_end_of_it(ended: &Ended) {
    if let Some(end) = ended.end() {
        assert_eq!(Ended::new(ended.attempt.clone(), &end).end(), Some(end));
    }
}
