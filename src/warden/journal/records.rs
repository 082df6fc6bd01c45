//! The format of the journal. Pure.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{CborLen, Decode, Encode};

use crate::session::ProcessIdentity;
use crate::warden::protocol::Ended;
use crate::warden::protocol::codec::{ProcessForm, Wire};

/// The first bytes of a half. Its epoch, its size, the length of the image with which it begins, and a checksum follow.
const MAGIC: [u8; 8] = *b"crontSP1";
/// The position of the first record in a half: a sector, which a disk writes as a whole.
pub(super) const HEAD: u64 = 512;
/// The smallest size of a half: some hundreds of attempts. It grows by doubling.
pub(super) const HALF: u64 = 128 * 1024;
/// The largest size of a half.
pub(super) const LARGEST_HALF: u64 = 256 * 1024 * 1024;

/// A record.
#[derive(Debug, Encode, Decode, CborLen)]
pub(super) enum Record {
    /// An attempt is about to be started, in this boot.
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
    /// A daemon of this ledger has connected in this boot: from then on all its attempts are in the journal.
    #[n(4)]
    Ledger(#[n(0)] String, #[n(1)] String),
}

/// What is known of an attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// The boot in which it was started.
    pub boot: String,
    /// Its process, once the warden has looked it up.
    pub process: Option<ProcessIdentity>,
    pub end: Option<Box<Ended>>,
}

/// The contents of a journal.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) epoch: u64,
    /// The active half.
    pub(super) active: u64,
    /// The size of a half.
    pub(super) half: u64,
    pub(super) entries: BTreeMap<String, Entry>,
    pub(super) ledgers: BTreeSet<(String, String)>,
    /// Some of it cannot be read.
    pub(super) damaged: bool,
}

/// A half with an intact head.
#[derive(Debug, Clone, Copy)]
struct Half<'a> {
    epoch: u64,
    size: u64,
    /// How many bytes of the records were written when the half became active.
    image: u64,
    /// Shorter than the half if the file is truncated.
    records: &'a [u8],
}

/// The head of a half of this size, with an image of so many bytes.
pub(super) fn head(epoch: u64, size: u64, image: u64) -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    head.extend([epoch, size, image].iter().flat_map(|number| number.to_le_bytes()));
    head.extend(crc32fast::hash(&head).to_le_bytes());
    head
}

fn checksum(epoch: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&epoch.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// Appends a record.
pub(super) fn put(epoch: u64, record: &Record, bytes: &mut Vec<u8>) {
    // Writing into a vector does not fail.
    if let Ok(payload) = minicbor::to_vec(record) {
        put_payload(epoch, &payload, bytes);
    }
}

/// Appends the bytes of a record.
pub(super) fn put_payload(epoch: u64, payload: &[u8], bytes: &mut Vec<u8>) {
    let Ok(length) = u32::try_from(payload.len()) else { return };
    bytes.extend(length.to_le_bytes());
    bytes.extend(checksum(epoch, payload).to_le_bytes());
    bytes.extend(payload);
}

/// Reads a journal; `None` if no half is intact.
///
/// If the image of the newer half is damaged, the older half is read too, which is unchanged until the newer one is full.
/// After any damage, an attempt that is not in the journal may have been started.
pub(super) fn read(bytes: &[u8]) -> Option<Found> {
    let first = Half::open(bytes, 0);
    let sizes = std::iter::successors(Some(HALF), |half| half.checked_mul(2)).take_while(|half| *half <= LARGEST_HALF);
    let mut sizes = sizes.filter(|half| first.is_none_or(|first| first.size == *half));
    let second = sizes.find_map(|half| Half::open(bytes, half));
    let (active, newer, older) = match (first, second) {
        (Some(first), Some(second)) if second.epoch > first.epoch => (1, second, Some(first)),
        (Some(first), second) => (0, first, second),
        (None, Some(second)) => (1, second, None),
        (None, None) => return None,
    };
    let mut found = Found { epoch: newer.epoch, active, half: newer.size, ..Found::default() };
    let intact = newer.replay(&mut found);
    let is_whole = u64::try_from(bytes.len()) == Ok(newer.size.saturating_mul(2));
    // The second half has no head before its first use.
    let has_heads = first.is_some() && (second.is_some() || sector(bytes, newer.size).iter().all(|&byte| byte == 0));
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

/// The first sector of a half.
fn sector(bytes: &[u8], start: u64) -> &[u8] {
    let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    bytes.get(index(start)..index(start.saturating_add(HEAD))).unwrap_or_default()
}

impl<'a> Half<'a> {
    /// Opens the half that begins at `start`.
    fn open(bytes: &'a [u8], start: u64) -> Option<Self> {
        let sector = sector(bytes, start);
        let number = |at: usize| sector.get(at..)?.first_chunk::<8>().map(|number| u64::from_le_bytes(*number));
        let (epoch, size, image) = (number(8)?, number(16)?, number(24)?);
        let head = head(epoch, size, image);
        let fits = sector.starts_with(&head) && (HALF..=LARGEST_HALF).contains(&size) && (start == 0 || start == size);
        let rest = bytes.get(usize::try_from(start.saturating_add(HEAD)).ok()?..)?;
        let length = usize::try_from(size.saturating_sub(HEAD)).ok()?;
        fits.then_some(Self { epoch, size, image, records: rest.get(..length).unwrap_or(rest) })
    }

    /// Applies its intact records; returns their length.
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
            // A record of a newer version is skipped.
            if let Ok(record) = minicbor::decode(payload) {
                found.apply(record);
            }
            rest = after;
        }
        found.damaged |= rest.iter().any(|&byte| byte != 0);
        u64::try_from(self.records.len().saturating_sub(rest.len())).unwrap_or(u64::MAX)
    }
}

impl Found {
    fn apply(&mut self, record: Record) {
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
                entry.end = Some(end);
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
