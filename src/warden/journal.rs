//! The journal of the warden, which survives it: the attempts that it started, their processes, and their ends until the
//! ledger has them.
//!
//! One file of two halves that are used in turn. A half begins with its epoch; its records follow, each with its length and
//! a checksum over the epoch and itself, so that neither a torn record nor one of an earlier use of the half is ever valid;
//! zeros follow them. When a half is full, the live entries are written to the other one under the next epoch, which then
//! becomes the active one. So the space is allocated once, and the journal works on a full disk; it grows only with
//! attempts that run at the same time, or whose ends the ledger does not have. `records` has the format.

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
pub use records::Entry;
use records::{HALF, HEAD, LARGEST_HALF, Record, head, put, read};

/// The name of the file.
const NAME: &str = "journal";
/// The file that a warden locks while it uses the journal.
const LOCK: &str = "warden.lock";

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// An operation on its file or folder failed.
    #[error("the warden's journal `{}` cannot be {what}: {source}", path.display())]
    Unusable {
        /// The file or folder.
        path: PathBuf,
        /// The operation, as a participle.
        what: &'static str,
        source: io::Error,
    },
    /// Another warden has it.
    #[error("another warden uses the journal in `{}`", .0.display())]
    Busy(PathBuf),
}

/// See the module.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// The size of a half.
    half: u64,
    /// The active half: 0 or 1.
    active: u64,
    epoch: u64,
    /// The position of the next record in the half.
    position: u64,
    /// Records that are not yet written.
    pending: Vec<u8>,
    /// Something was written since the last flush.
    is_dirty: bool,
    entries: BTreeMap<String, Entry>,
    ledgers: BTreeSet<(String, String)>,
    /// Held for its lock.
    _lock: File,
}

impl Journal {
    /// Opens the journal of a folder, or creates it. Another file in its place is renamed. The second value are warnings for
    /// the operator.
    ///
    /// # Errors
    /// Another warden uses it, or it cannot be read or written.
    pub fn open(folder: &Path) -> Result<(Self, Vec<String>), JournalError> {
        let lock = lock(folder)?;
        let path = folder.join(NAME);
        let unusable = |what| {
            let path = path.clone();
            move |source| JournalError::Unusable { path, what, source }
        };
        let mut warnings = Vec::new();
        let bytes = match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() && metadata.len() <= LARGEST_HALF.saturating_mul(2) => {
                fs::read(&path).map_err(unusable("read"))?
            }
            // Too large, or a folder: not a journal.
            Ok(_) => vec![1],
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(unusable("read")(error)),
        };
        let found = read(&bytes);
        if found.is_none() && !bytes.is_empty() {
            let aside = put_aside(&path).map_err(unusable("renamed"))?;
            warnings.push(format!("`{}` is not a journal, and was renamed to `{}`", path.display(), aside.display()));
        }
        let found = found.unwrap_or_default();
        if found.damaged {
            warnings.push(format!("`{}` is damaged: its intact records are used", path.display()));
        }
        let (half, epoch, active) = (found.half, found.epoch, found.active);
        let (entries, ledgers) = (found.entries, found.ledgers);
        let is_whole = u64::try_from(bytes.len()) == Ok(half.saturating_mul(2));
        let (pending, is_dirty, position) = (Vec::new(), false, half);
        let with = |file| Self {
            path: path.clone(),
            file,
            half,
            active,
            epoch,
            position,
            pending,
            is_dirty,
            entries,
            ledgers,
            _lock: lock,
        };
        // The bytes after the last record could be taken for a record later. So we switch to the other half, which needs no
        // space on a full disk.
        let journal = if epoch > 0 && is_whole {
            let file = OpenOptions::new().read(true).write(true).open(&path).map_err(unusable("written"))?;
            let mut journal = with(file);
            // A damaged journal is kept until a new one is complete, if there is space for both.
            if !found.damaged || journal.replace().is_err() {
                journal.switch_halves().map_err(unusable("written"))?;
            }
            journal
        } else {
            let mut journal = with(File::open("/dev/null").map_err(unusable("read"))?);
            journal.replace().map_err(unusable("created"))?;
            journal
        };
        Ok((journal, warnings))
    }

    /// The attempts, by name.
    #[must_use]
    pub fn entries(&self) -> &BTreeMap<String, Entry> {
        &self.entries
    }

    /// Whether a daemon of this ledger has connected in this boot. If so, an attempt of that ledger that is not in the
    /// journal has never been started.
    #[must_use]
    pub fn knows_ledger(&self, mark: &str, boot: &str) -> bool {
        self.ledgers.contains(&(mark.to_owned(), boot.to_owned()))
    }

    /// Records that a daemon of this ledger has connected.
    pub fn ledger(&mut self, mark: &str, boot: &str) {
        if !self.knows_ledger(mark, boot) {
            self.ledgers.retain(|(other, _)| other != mark);
            self.ledgers.insert((mark.to_owned(), boot.to_owned()));
            self.put(&Record::Ledger(mark.to_owned(), boot.to_owned()));
        }
    }

    /// Records that an attempt is about to be started, or is watched. One that is known keeps its process and its end.
    pub fn begin(&mut self, attempt: &str, boot: &str) {
        let new = || Entry { boot: boot.to_owned(), process: None, end: None };
        self.entries.entry(attempt.to_owned()).or_insert_with(new);
        self.put(&Record::Begun(attempt.to_owned(), boot.to_owned()));
    }

    /// Records the process of an attempt.
    pub fn process(&mut self, attempt: &str, process: ProcessIdentity) {
        if let Some(entry) = self.entries.get_mut(attempt) {
            let form = process.to_form();
            entry.process = Some(process);
            self.put(&Record::Process(attempt.to_owned(), form));
        }
    }

    /// Records the end of an attempt.
    pub fn end(&mut self, ended: Box<Ended>) {
        let entry = self.entries.entry(ended.attempt.clone()).or_default();
        entry.end = Some(ended.clone());
        self.put(&Record::Ended(ended));
    }

    /// Removes an attempt whose end the ledger has.
    pub fn forget(&mut self, attempt: &str) {
        if self.entries.remove(attempt).is_some() {
            self.put(&Record::Forgotten(attempt.to_owned()));
        }
    }

    /// The number of bytes that are not yet written.
    #[must_use]
    pub fn unwritten(&self) -> usize {
        self.pending.len()
    }

    /// Writes the records, which then survive the warden, but not a power failure.
    ///
    /// # Errors
    /// The records are kept, and a later call tries again.
    pub fn write(&mut self) -> Result<(), JournalError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let length = u64::try_from(self.pending.len()).unwrap_or(u64::MAX);
        let result = if self.position.saturating_add(length) > self.half {
            self.switch_halves()
        } else {
            let offset = self.active.saturating_mul(self.half).saturating_add(self.position);
            self.file.write_all_at(&self.pending, offset).map(|()| {
                self.position = self.position.saturating_add(length);
                self.is_dirty = true;
                self.pending.clear();
            })
        };
        result.map_err(|source| JournalError::Unusable { path: self.path.clone(), what: "written", source })
    }

    /// Writes and syncs the records, which then survive a power failure.
    ///
    /// # Errors
    /// As for [`Journal::write`].
    pub fn flush(&mut self) -> Result<(), JournalError> {
        self.write()?;
        if self.is_dirty {
            let flushed = self.file.sync_data();
            flushed.map_err(|source| JournalError::Unusable { path: self.path.clone(), what: "flushed", source })?;
            self.is_dirty = false;
        }
        Ok(())
    }

    fn put(&mut self, record: &Record) {
        put(self.epoch, record, &mut self.pending);
    }

    /// All entries, as records of an epoch.
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
                put(epoch, &Record::Ended(end.clone()), &mut image);
            }
        }
        image
    }

    /// Writes all entries to the other half, and makes it the active one.
    fn switch_halves(&mut self) -> io::Result<()> {
        let epoch = self.epoch.saturating_add(1);
        let image = self.image(epoch);
        let length = u64::try_from(image.len()).unwrap_or(u64::MAX);
        // Half of the new half must be free, or every record could cause another switch.
        if HEAD.saturating_add(length) > self.half >> 1 {
            match self.replace() {
                Err(_) if HEAD.saturating_add(length) <= self.half => {}
                result => return result,
            }
        }
        let other = 1_u64.saturating_sub(self.active);
        let start = other.saturating_mul(self.half);
        let position = HEAD.saturating_add(length);
        self.file.write_all_at(&image, start.saturating_add(HEAD))?;
        put_zeros(&self.file, start.saturating_add(position), start.saturating_add(self.half))?;
        self.file.sync_data()?;
        self.file.write_all_at(&head(epoch, self.half, length), start)?;
        self.file.sync_data()?;
        (self.active, self.epoch, self.position, self.is_dirty) = (other, epoch, position, false);
        self.pending.clear();
        Ok(())
    }

    /// Replaces the file by a new one with all entries, large enough for them.
    fn replace(&mut self) -> io::Result<()> {
        let new = self.path.with_extension("new");
        let replaced = self.replace_with(&new);
        if replaced.is_err() {
            // Frees its space on a full disk.
            let _ = fs::remove_file(&new);
        }
        replaced
    }

    fn replace_with(&mut self, new: &Path) -> io::Result<()> {
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
        // From here on this is the journal, even if the sync of the folder fails.
        (self.file, self.half, self.active, self.epoch) = (file, half, 0, epoch);
        (self.position, self.is_dirty) = (HEAD.saturating_add(length), false);
        self.pending.clear();
        self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

fn put_zeros(file: &File, from: u64, to: u64) -> io::Result<()> {
    let zeros = [0; 16 * 1024];
    let mut offset = from;
    while offset < to {
        let some = zeros.get(..usize::try_from(to.saturating_sub(offset)).unwrap_or(usize::MAX)).unwrap_or(&zeros);
        file.write_all_at(some, offset)?;
        offset = offset.saturating_add(u64::try_from(some.len()).unwrap_or(u64::MAX));
    }
    Ok(())
}

/// The attempts in the bytes of a journal; `None` if they are not one.
#[must_use]
pub fn entries_of(bytes: &[u8]) -> Option<BTreeMap<String, Entry>> {
    read(bytes).map(|found| found.entries)
}

/// The bytes of a journal with these payloads as its records, for tests of [`entries_of`].
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

/// Gives a file that root created to the owner of its folder, so that the service can use what root started by hand.
pub fn inherit_owner(path: &Path) {
    use std::os::unix::fs::{MetadataExt, lchown};

    if rustix::process::geteuid().is_root()
        && let Some(folder) = path.parent().and_then(|folder| fs::metadata(folder).ok())
        && folder.uid() != 0
    {
        // Root can use the file in either case.
        let _ = lchown(path, Some(folder.uid()), Some(folder.gid()));
    }
}

/// Locks a folder, which is created if it does not exist.
fn lock(folder: &Path) -> Result<File, JournalError> {
    use std::os::unix::fs::DirBuilderExt;

    let path = folder.join(LOCK);
    let unusable = |source| JournalError::Unusable { path: path.clone(), what: "created", source };
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

/// Renames a file that is not a journal, and replaces none that was renamed before.
fn put_aside(path: &Path) -> io::Result<PathBuf> {
    for number in 1..1000 {
        let aside = path.with_extension(format!("foreign-{number}"));
        if !aside.exists() {
            fs::rename(path, &aside)?;
            return Ok(aside);
        }
    }
    Err(io::Error::other("too many files were renamed here"))
}
