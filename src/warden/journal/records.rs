//! The bytes of a spool: how its records are put, and what can be read of those that are found. Pure.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{CborLen, Decode, Encode};

use super::Entry;
use crate::session::ProcessIdentity;
use crate::warden::protocol::Ended;
use crate::warden::protocol::codec::{ProcessForm, Wire};

/// What a half begins with, before its epoch, its room, the length of what was written when it was begun, and a checksum.
const MAGIC: [u8; 8] = *b"crontSP1";
/// Where the records of a half begin: a disk writes so much whole or not at all.
pub(super) const HEAD: u64 = 512;
/// The room of a half at first: some hundreds of attempts. It grows by doubling.
pub(super) const HALF: u64 = 128 * 1024;
/// The largest half that is ever read.
pub(super) const LARGEST_HALF: u64 = 256 * 1024 * 1024;

/// One step in the life of an attempt.
#[derive(Debug, Encode, Decode, CborLen)]
pub(super) enum Record {
    /// It is about to be started, in this boot.
    #[n(0)]
    Begun(#[n(0)] String, #[n(1)] String),
    /// Its process.
    #[n(1)]
    Process(#[n(0)] String, #[n(1)] ProcessForm),
    /// Its end.
    #[n(2)]
    Ended(#[n(0)] Box<Ended>),
    /// The ledger has its end.
    #[n(3)]
    Forgotten(#[n(0)] String),
    /// A daemon of this ledger was here in this boot: from then on all its attempts are in the spool.
    #[n(4)]
    Ledger(#[n(0)] String, #[n(1)] String),
}

/// What was found in a spool.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) epoch: u64,
    /// Which half is in use.
    pub(super) active: u64,
    /// The room of a half.
    pub(super) half: u64,
    pub(super) entries: BTreeMap<String, Entry>,
    pub(super) ledgers: BTreeSet<(String, String)>,
    /// Something was there that cannot be read.
    pub(super) damaged: bool,
}

/// A half whose head is intact.
#[derive(Debug, Clone, Copy)]
struct Half<'a> {
    epoch: u64,
    room: u64,
    /// How much of the records is what mattered when the half was begun.
    image: u64,
    /// Less than there is room for where the file was cut off.
    records: &'a [u8],
}

/// The head of a half of this room that begins with so many bytes of what mattered before.
pub(super) fn head(epoch: u64, room: u64, image: u64) -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    head.extend([epoch, room, image].iter().flat_map(|number| number.to_le_bytes()));
    head.extend(crc32fast::hash(&head).to_le_bytes());
    head
}

fn checksum(epoch: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&epoch.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// Puts a record behind those of its epoch.
pub(super) fn put(epoch: u64, record: &Record, bytes: &mut Vec<u8>) {
    // A vector takes all that it is given.
    if let Ok(payload) = minicbor::to_vec(record) {
        put_payload(epoch, &payload, bytes);
    }
}

/// Puts the bytes of a record behind those of its epoch.
pub(super) fn put_payload(epoch: u64, payload: &[u8], bytes: &mut Vec<u8>) {
    let Ok(length) = u32::try_from(payload.len()) else { return };
    bytes.extend(length.to_le_bytes());
    bytes.extend(checksum(epoch, payload).to_le_bytes());
    bytes.extend(payload);
}

/// Reads a spool; nothing if neither half is one.
///
/// Where what the newer half was begun with is damaged, that is read from the older one, which is left as it is until the
/// newer one is full. And where anything is, nobody can say any more that an attempt that is not named was never started.
pub(super) fn read(bytes: &[u8]) -> Option<Found> {
    let first = Half::open(bytes, 0);
    let sizes = std::iter::successors(Some(HALF), |half| half.checked_mul(2)).take_while(|half| *half <= LARGEST_HALF);
    let mut sizes = sizes.filter(|half| first.is_none_or(|first| first.room == *half));
    let second = sizes.find_map(|half| Half::open(bytes, half));
    let (active, newer, older) = match (first, second) {
        (Some(first), Some(second)) if second.epoch > first.epoch => (1, second, Some(first)),
        (Some(first), second) => (0, first, second),
        (None, Some(second)) => (1, second, None),
        (None, None) => return None,
    };
    let mut found = Found { epoch: newer.epoch, active, half: newer.room, ..Found::default() };
    let intact = newer.replay(&mut found);
    let is_whole = u64::try_from(bytes.len()) == Ok(newer.room.saturating_mul(2));
    // The first half has a head from the beginning, the second once it is used.
    let has_heads = first.is_some() && (second.is_some() || sector(bytes, newer.room).iter().all(|&byte| byte == 0));
    if intact < newer.image
        && let Some(older) = older
    {
        found.entries.clear();
        older.replay(&mut found);
        newer.replay(&mut found);
    }
    if found.damaged || !is_whole || !has_heads {
        found.ledgers.clear();
        found.damaged = true;
    }
    Some(found)
}

/// The part of a half that is written whole or not at all.
fn sector(bytes: &[u8], start: u64) -> &[u8] {
    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    bytes.get(place(start)..place(start.saturating_add(HEAD))).unwrap_or_default()
}

impl<'a> Half<'a> {
    /// Opens the half that begins here. The second one begins where the first one ends.
    fn open(bytes: &'a [u8], start: u64) -> Option<Self> {
        let found = sector(bytes, start);
        let number = |at: usize| found.get(at..)?.first_chunk::<8>().map(|number| u64::from_le_bytes(*number));
        let (epoch, room, image) = (number(8)?, number(16)?, number(24)?);
        let head = head(epoch, room, image);
        let fits = found.starts_with(&head) && (HALF..=LARGEST_HALF).contains(&room) && (start == 0 || start == room);
        let rest = bytes.get(usize::try_from(start.saturating_add(HEAD)).ok()?..)?;
        let length = usize::try_from(room.saturating_sub(HEAD)).ok()?;
        fits.then_some(Self { epoch, room, image, records: rest.get(..length).unwrap_or(rest) })
    }

    /// Adds what its intact records tell. Says how many bytes of them there are.
    fn replay(&self, found: &mut Found) -> u64 {
        let mut rest = self.records;
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
            if length == 0 {
                break;
            }
            let record = after.split_first_chunk::<4>().and_then(|(sum, after)| {
                let (payload, after) = after.split_at_checked(length)?;
                (checksum(self.epoch, payload) == u32::from_le_bytes(*sum)).then_some((payload, after))
            });
            let Some((payload, after)) = record else { break };
            // A record of a newer crontabber, of a kind that this one does not know, is passed over.
            if let Ok(record) = minicbor::decode(payload) {
                found.take(record);
            }
            rest = after;
        }
        found.damaged |= rest.iter().any(|&byte| byte != 0);
        u64::try_from(self.records.len().saturating_sub(rest.len())).unwrap_or(u64::MAX)
    }
}

impl Found {
    fn take(&mut self, record: Record) {
        match record {
            Record::Begun(attempt, boot) => {
                self.entries.entry(attempt).or_insert_with(|| Entry { boot, process: None, end: None });
            }
            Record::Process(attempt, process) => {
                if let Some(entry) = self.entries.get_mut(&attempt) {
                    entry.process = Some(ProcessIdentity::from_form(process));
                }
            }
            Record::Ended(end) => {
                let entry = self.entries.entry(end.attempt.clone()).or_default();
                entry.end = Some(*end);
            }
            Record::Forgotten(attempt) => {
                self.entries.remove(&attempt);
            }
            Record::Ledger(mark, boot) => {
                self.ledgers.retain(|(other, _)| *other != mark);
                self.ledgers.insert((mark, boot));
            }
        }
    }
}
