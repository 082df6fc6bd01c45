//! What the warden must not forget when it is killed: which attempts it began, their processes, and their ends until the
//! ledger has them.
//!
//! One file, `spool`, of two halves that are used in turn. A half begins with its epoch; its records follow, each with
//! its length and a checksum over the epoch and itself, so that neither a torn record nor one of an earlier use of the
//! half is ever taken for a record; zeros follow them. When a half is full, what still matters is written to the other one
//! under the next epoch, and only then does that one count. So the room is taken once, and a full disk takes none of it
//! away; it grows only with attempts that are under way at the same time, or whose ends the ledger has not taken. The bytes
//! themselves are read and made in `records`.

mod records;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::protocol::Ended;
use super::protocol::codec::Wire;
use crate::session::ProcessIdentity;
use records::{HALF, HEAD, LARGEST_HALF, Record, head, put, read};

/// The file.
const NAME: &str = "spool";
/// The file whose lock says that a warden keeps the spool.
const LOCK: &str = "warden.lock";

/// What is known of an attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// The boot in which it was begun.
    pub boot: String,
    /// Its process, once it has been looked up.
    pub process: Option<ProcessIdentity>,
    /// Its end.
    pub end: Option<Ended>,
}

/// What is wrong with a spool.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Its folder or file cannot be made, read or written.
    #[error("the spool `{}` cannot be {what}: {source}", path.display())]
    Unusable {
        /// Which.
        path: PathBuf,
        /// Made, read or written.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Another warden has it.
    #[error("another warden keeps the spool `{}`", .0.display())]
    Busy(PathBuf),
}

/// The spool.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// The room of a half.
    half: u64,
    /// Which half is in use: 0 or 1.
    active: u64,
    epoch: u64,
    /// Where the next record goes in the half.
    at: u64,
    /// Records that are not written yet.
    pending: Vec<u8>,
    /// Whether something was written since the last flush.
    dirty: bool,
    entries: BTreeMap<String, Entry>,
    ledgers: BTreeSet<(String, String)>,
    /// Held for its lock.
    _lock: File,
}

impl Journal {
    /// Opens the spool of a folder, and makes it if it is not there. What is found there that is no spool is put aside
    /// and left alone. The second value is what people should know of it.
    ///
    /// # Errors
    /// Another warden has it, or it cannot be read or written.
    pub fn open(folder: &Path) -> Result<(Self, Vec<String>), JournalError> {
        let lock = lock(folder)?;
        let path = folder.join(NAME);
        let unusable = |what| {
            let path = path.clone();
            move |source| JournalError::Unusable { path, what, source }
        };
        let mut told = Vec::new();
        let bytes = match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() && metadata.len() <= LARGEST_HALF.saturating_mul(2) => {
                fs::read(&path).map_err(unusable("read"))?
            }
            // Too large, or a folder: nothing of ours.
            Ok(_) => vec![1],
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(unusable("read")(error)),
        };
        let found = read(&bytes);
        if found.is_none() && !bytes.is_empty() {
            let aside = put_aside(&path).map_err(unusable("put aside"))?;
            told.push(format!("`{}` is no spool, and was put aside as `{}`", path.display(), aside.display()));
        }
        let found = found.unwrap_or_default();
        if found.damaged {
            told.push(format!("`{}` is torn or damaged: what can still be read of it counts", path.display()));
        }
        let (half, epoch, active) = (found.half, found.epoch, found.active);
        let (entries, ledgers) = (found.entries, found.ledgers);
        let is_whole = u64::try_from(bytes.len()) == Ok(half.saturating_mul(2));
        let (pending, dirty, at) = (Vec::new(), false, half);
        let with = |file| Self {
            path: path.clone(),
            file,
            half,
            active,
            epoch,
            at,
            pending,
            dirty,
            entries,
            ledgers,
            _lock: lock,
        };
        // What is behind the last record could be mistaken for one later, so that we go on in the other half: that takes
        // no room on a disk that is full.
        let spool = if epoch > 0 && is_whole {
            let file = OpenOptions::new().read(true).write(true).open(&path).map_err(unusable("written"))?;
            let mut spool = with(file);
            // What is damaged is not written over while there is room beside it.
            if !found.damaged || spool.replace().is_err() {
                spool.turn_over().map_err(unusable("written"))?;
            }
            spool
        } else {
            let mut spool = with(File::open("/dev/null").map_err(unusable("read"))?);
            spool.replace().map_err(unusable("made"))?;
            spool
        };
        Ok((spool, told))
    }

    /// What is known, by the names of the attempts.
    #[must_use]
    pub fn entries(&self) -> &BTreeMap<String, Entry> {
        &self.entries
    }

    /// Says whether a daemon of this ledger was here before in this boot. If so, an attempt of that ledger that is not in
    /// the spool has never been started.
    #[must_use]
    pub fn knows_ledger(&self, mark: &str, boot: &str) -> bool {
        self.ledgers.contains(&(mark.to_owned(), boot.to_owned()))
    }

    /// A daemon of this ledger is here.
    pub fn ledger(&mut self, mark: &str, boot: &str) {
        if !self.knows_ledger(mark, boot) {
            // What was true in another boot says nothing any more.
            self.ledgers.retain(|(other, _)| other != mark);
            self.ledgers.insert((mark.to_owned(), boot.to_owned()));
            self.put(&Record::Ledger(mark.to_owned(), boot.to_owned()));
        }
    }

    /// An attempt is about to be started, or watched; one that is known keeps what is known of it.
    pub fn begin(&mut self, attempt: &str, boot: &str) {
        let begun = || Entry { boot: boot.to_owned(), process: None, end: None };
        self.entries.entry(attempt.to_owned()).or_insert_with(begun);
        self.put(&Record::Begun(attempt.to_owned(), boot.to_owned()));
    }

    /// The process of an attempt is known.
    pub fn process(&mut self, attempt: &str, process: ProcessIdentity) {
        if let Some(entry) = self.entries.get_mut(attempt) {
            let form = process.to_form();
            entry.process = Some(process);
            self.put(&Record::Process(attempt.to_owned(), form));
        }
    }

    /// An attempt is over.
    pub fn end(&mut self, ended: Ended) {
        let entry = self.entries.entry(ended.attempt.clone()).or_default();
        entry.end = Some(ended.clone());
        self.put(&Record::Ended(Box::new(ended)));
    }

    /// The ledger has the end of an attempt.
    pub fn forget(&mut self, attempt: &str) {
        if self.entries.remove(attempt).is_some() {
            self.put(&Record::Forgotten(attempt.to_owned()));
        }
    }

    /// How many bytes were added and not written yet.
    #[must_use]
    pub fn unwritten(&self) -> usize {
        self.pending.len()
    }

    /// Hands what was added to the kernel: it outlives us, though not the machine.
    ///
    /// # Errors
    /// It could not be written; it is kept, and can be tried again.
    pub fn write(&mut self) -> Result<(), JournalError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let length = u64::try_from(self.pending.len()).unwrap_or(u64::MAX);
        let result = if self.at.saturating_add(length) > self.half {
            self.turn_over()
        } else {
            let place = self.active.saturating_mul(self.half).saturating_add(self.at);
            self.file.write_all_at(&self.pending, place).map(|()| {
                self.at = self.at.saturating_add(length);
                self.dirty = true;
                self.pending.clear();
            })
        };
        result.map_err(|source| JournalError::Unusable { path: self.path.clone(), what: "written", source })
    }

    /// Makes durable what was added: it outlives the machine.
    ///
    /// # Errors
    /// As for [`Journal::write`].
    pub fn flush(&mut self) -> Result<(), JournalError> {
        self.write()?;
        if self.dirty {
            let flushed = self.file.sync_data();
            flushed.map_err(|source| JournalError::Unusable { path: self.path.clone(), what: "flushed", source })?;
            self.dirty = false;
        }
        Ok(())
    }

    fn put(&mut self, record: &Record) {
        put(self.epoch, record, &mut self.pending);
    }

    /// All that still matters, as records of an epoch.
    fn image(&self, epoch: u64) -> Vec<u8> {
        let mut image = Vec::new();
        for (mark, boot) in &self.ledgers {
            put(epoch, &Record::Ledger(mark.clone(), boot.clone()), &mut image);
        }
        for (attempt, entry) in &self.entries {
            put(epoch, &Record::Begun(attempt.clone(), entry.boot.clone()), &mut image);
            if let Some(process) = &entry.process {
                put(epoch, &Record::Process(attempt.clone(), process.to_form()), &mut image);
            }
            if let Some(end) = &entry.end {
                put(epoch, &Record::Ended(Box::new(end.clone())), &mut image);
            }
        }
        image
    }

    /// Goes on in the other half, with what still matters.
    fn turn_over(&mut self) -> io::Result<()> {
        let epoch = self.epoch.saturating_add(1);
        let image = self.image(epoch);
        let length = u64::try_from(image.len()).unwrap_or(u64::MAX);
        // Half of a half is to be free afterwards, or it would be turned over at every record.
        if HEAD.saturating_add(length) > self.half >> 1 {
            match self.replace() {
                Err(_) if HEAD.saturating_add(length) <= self.half => {}
                result => return result,
            }
        }
        let other = 1_u64.saturating_sub(self.active);
        let start = other.saturating_mul(self.half);
        let at = HEAD.saturating_add(length);
        self.file.write_all_at(&image, start.saturating_add(HEAD))?;
        put_zeros(&self.file, start.saturating_add(at), start.saturating_add(self.half))?;
        self.file.sync_data()?;
        self.file.write_all_at(&head(epoch, self.half, length), start)?;
        self.file.sync_data()?;
        (self.active, self.epoch, self.at, self.dirty) = (other, epoch, at, false);
        self.pending.clear();
        Ok(())
    }

    /// Goes on in a fresh file that is large enough, with what still matters.
    fn replace(&mut self) -> io::Result<()> {
        let new = self.path.with_extension("new");
        let replaced = self.replace_by(&new);
        if replaced.is_err() {
            // On a full disk others need what room it took.
            let _ = fs::remove_file(&new);
        }
        replaced
    }

    fn replace_by(&mut self, new: &Path) -> io::Result<()> {
        let epoch = self.epoch.saturating_add(1);
        let image = self.image(epoch);
        let length = u64::try_from(image.len()).unwrap_or(u64::MAX);
        let mut half = HALF;
        while HEAD.saturating_add(length) > half >> 2 && half < LARGEST_HALF {
            half = half.saturating_mul(2);
        }
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(new)?;
        inherit_owner(new);
        put_zeros(&file, 0, half.saturating_mul(2))?;
        file.write_all_at(&head(epoch, half, length), 0)?;
        file.write_all_at(&image, HEAD)?;
        file.sync_all()?;
        fs::rename(new, &self.path)?;
        // From here on this is the spool, whatever else fails.
        (self.file, self.half, self.active, self.epoch) = (file, half, 0, epoch);
        (self.at, self.dirty) = (HEAD.saturating_add(length), false);
        self.pending.clear();
        self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

fn put_zeros(file: &File, from: u64, to: u64) -> io::Result<()> {
    let zeros = [0; 16 * 1024];
    let mut place = from;
    while place < to {
        let some = zeros.get(..usize::try_from(to.saturating_sub(place)).unwrap_or(usize::MAX)).unwrap_or(&zeros);
        file.write_all_at(some, place)?;
        place = place.saturating_add(u64::try_from(some.len()).unwrap_or(u64::MAX));
    }
    Ok(())
}

/// Says what a spool of these bytes would be taken for: the entries, by their names.
#[must_use]
pub fn entries_of(bytes: &[u8]) -> Option<BTreeMap<String, Entry>> {
    read(bytes).map(|found| found.entries)
}

/// Makes the bytes of a spool with these payloads as its records, whatever they are: what [`entries_of`] may be asked about.
#[must_use]
pub fn made_of(epoch: u64, payloads: &[&[u8]]) -> Vec<u8> {
    let mut bytes = head(epoch, HALF, 0);
    bytes.resize(usize::try_from(HEAD).unwrap_or(0), 0);
    for payload in payloads {
        records::put_payload(epoch, payload, &mut bytes);
    }
    bytes.resize(usize::try_from(HALF).unwrap_or(0).saturating_mul(2), 0);
    bytes
}

/// Gives a file that root made to the owner of its folder, who would not get at it otherwise: root may do by hand what the
/// service does.
pub fn inherit_owner(path: &Path) {
    use std::os::unix::fs::{MetadataExt, lchown};

    if rustix::process::geteuid().is_root()
        && let Some(folder) = path.parent().and_then(|folder| fs::metadata(folder).ok())
        && folder.uid() != 0
    {
        // As root it works for us either way.
        let _ = lchown(path, Some(folder.uid()), Some(folder.gid()));
    }
}

/// Takes the lock of a folder, and makes the folder if it is not there.
fn lock(folder: &Path) -> Result<File, JournalError> {
    use std::os::unix::fs::DirBuilderExt;

    let path = folder.join(LOCK);
    let unusable = |source| JournalError::Unusable { path: path.clone(), what: "made", source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unusable)?;
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(unusable)?;
    inherit_owner(&path);
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(JournalError::Busy(folder.to_owned())),
        Err(error) => Err(unusable(error.into())),
    }
}

/// Renames what is in the spool's place, over nothing that was put aside before.
fn put_aside(path: &Path) -> io::Result<PathBuf> {
    for number in 1..1000 {
        let aside = path.with_extension(format!("foreign-{number}"));
        if !aside.exists() {
            fs::rename(path, &aside)?;
            return Ok(aside);
        }
    }
    Err(io::Error::other("too many files were put aside here"))
}
