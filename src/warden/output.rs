//! The log of one attempt: its head and its tail, with a line for the output between them.
//!
//! The head is written as it arrives, so that it can be followed. What follows goes to a second file beside the log,
//! `….tail`, which becomes `….tail.old` when it has the size of the tail; at the end both are appended to the log. So no
//! output is kept in memory, at most one and a half times the limit is on disk, and a crash loses nothing that is kept.
//!
//! If a log cannot be written, the job goes on: its output is counted and dropped.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tracing::warn;

/// The last line of a log whose output a process has open when the end of the attempt is reported.
const OPEN_MARK: &str = "[crontabber: a process that the attempt left behind has the output open; what it prints from here \
                         on is not kept]";

/// Writes the log of one attempt.
#[derive(Debug)]
pub(super) struct Output {
    path: PathBuf,
    head_limit: u64,
    tail_limit: u64,
    /// Bytes printed.
    total: u64,
    /// The last byte printed.
    last: u8,
    /// Bytes in the log itself.
    head: u64,
    /// Bytes in `….tail.old`.
    old: u64,
    /// Bytes in `….tail`.
    new: u64,
    /// The file that is written: the log, or `….tail`.
    file: Option<File>,
    is_created: bool,
    error: Option<String>,
}

impl Output {
    pub(super) fn new(path: PathBuf, limit: u64) -> Self {
        let tail_limit = limit >> 1;
        let head_limit = limit.saturating_sub(tail_limit);
        Self {
            path,
            head_limit,
            tail_limit,
            total: 0,
            last: b'\n',
            head: 0,
            old: 0,
            new: 0,
            file: None,
            is_created: false,
            error: None,
        }
    }

    /// Writes a piece of output.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.total = self.total.saturating_add(length(bytes));
        self.last = bytes.last().copied().unwrap_or(self.last);
        if self.error.is_some() || bytes.is_empty() {
            return;
        }
        if let Err(error) = self.store(bytes) {
            self.give_up(&error);
        }
    }

    /// Whether there is a log so far.
    pub(super) fn has_log(&self) -> bool {
        self.is_created
    }

    /// Completes the log, with a mark if the output is still open. Returns whether there is a log, and why it is incomplete.
    pub(super) fn finish(mut self, is_open: bool) -> (bool, Option<String>) {
        if self.total == 0 && !is_open {
            return (false, None);
        }
        let completed = self.append_tail().and_then(|()| if is_open { self.append_mark() } else { Ok(()) });
        if let Err(error) = completed {
            self.give_up(&error);
        }
        (self.is_created, self.error)
    }

    fn store(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.is_created {
            self.file = Some(create(&self.path)?);
            self.is_created = true;
        }
        let room = usize::try_from(self.head_limit.saturating_sub(self.head)).unwrap_or(usize::MAX);
        let (head, tail) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        if !head.is_empty() {
            self.append(head)?;
            self.head = self.head.saturating_add(length(head));
        }
        if tail.is_empty() { Ok(()) } else { self.store_tail(tail) }
    }

    fn store_tail(&mut self, bytes: &[u8]) -> io::Result<()> {
        let limit = usize::try_from(self.tail_limit).unwrap_or(usize::MAX);
        if limit == 0 {
            return Ok(());
        }
        // A piece longer than the tail replaces all of it.
        let excess = bytes.len().saturating_sub(limit);
        let mut rest = bytes.get(excess..).unwrap_or_default();
        if excess > 0 && (self.old, self.new) != (0, 0) {
            self.new = self.tail_limit;
        }
        while !rest.is_empty() {
            if self.new >= self.tail_limit {
                fs::rename(self.segment(".tail"), self.segment(".tail.old"))?;
                self.old = self.new;
                self.new = 0;
            }
            if self.new == 0 {
                self.file = Some(create(&self.segment(".tail"))?);
            }
            let room = usize::try_from(self.tail_limit.saturating_sub(self.new)).unwrap_or(usize::MAX);
            let (now, later) = rest.split_at_checked(room).unwrap_or((rest, &[]));
            self.append(now)?;
            self.new = self.new.saturating_add(length(now));
            rest = later;
        }
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.file {
            Some(file) => file.write_all(bytes),
            None => Err(io::Error::other("the file is closed")),
        }
    }

    fn append_tail(&mut self) -> io::Result<()> {
        let kept = self.old.saturating_add(self.new).min(self.tail_limit);
        let cut = self.total.saturating_sub(self.head).saturating_sub(kept);
        if !self.is_created || (kept == 0 && cut == 0) {
            return Ok(());
        }
        let mut log = OpenOptions::new().append(true).open(&self.path)?;
        if let Some(error) = &self.error {
            writeln!(log, "\n[crontabber: the output is not complete: {error}]")?;
        } else if cut > 0 {
            writeln!(log, "\n[crontabber: {} cut here]", size(cut))?;
        }
        let from_old = kept.saturating_sub(self.new);
        if from_old > 0 {
            copy_end(&self.segment(".tail.old"), from_old, &mut log)?;
        }
        if self.new > 0 {
            copy_end(&self.segment(".tail"), self.new.min(kept), &mut log)?;
            fs::remove_file(self.segment(".tail"))?;
        }
        if self.old > 0 {
            fs::remove_file(self.segment(".tail.old"))?;
        }
        Ok(())
    }

    fn append_mark(&mut self) -> io::Result<()> {
        if self.error.is_some() {
            return Ok(());
        }
        if !self.is_created {
            create(&self.path)?;
            self.is_created = true;
        }
        let newline = if self.last == b'\n' { "" } else { "\n" };
        let mut log = OpenOptions::new().append(true).open(&self.path)?;
        writeln!(log, "{newline}{OPEN_MARK}")
    }

    fn segment(&self, suffix: &str) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(suffix);
        PathBuf::from(name)
    }

    fn give_up(&mut self, error: &io::Error) {
        self.file = None;
        if self.error.is_none() {
            let log = self.path.display();
            warn!(%log, %error, "the log of an attempt cannot be written; its job goes on");
            self.error = Some(format!("the log `{log}` could not be written: {error}"));
        }
    }
}

/// Creates a file with mode 0600, and its folder.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(folder) = path.parent() {
                DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            }
            options.open(path)
        }
        result => result,
    }
}

/// Appends the last `count` bytes of a file to `log`.
fn copy_end(path: &Path, count: u64, log: &mut File) -> io::Result<()> {
    let mut file = File::open(path)?;
    let start = file.metadata()?.len().saturating_sub(count);
    file.seek(SeekFrom::Start(start))?;
    io::copy(&mut file.take(count), log)?;
    Ok(())
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// A number of bytes, as text.
fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    for (unit, name) in UNITS {
        if let (Some(whole), Some(rest)) = (bytes.checked_div(unit), bytes.checked_rem(unit))
            && whole > 0
        {
            let tenth = rest.saturating_mul(10).checked_div(unit).unwrap_or(0);
            return format!("{whole}.{tenth} {name}");
        }
    }
    format!("{bytes} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes `chunks` into a log of `limit` bytes and returns it, checking that nothing else is left in its folder.
    fn log_of(limit: u64, chunks: &[&[u8]]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/log");
        let mut output = Output::new(path.clone(), limit);
        for chunk in chunks {
            output.write(chunk);
        }
        let (has_log, error) = output.finish(false);
        assert_eq!(error, None);
        assert_eq!(has_log, path.exists());
        if !has_log {
            return String::new();
        }
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        String::from_utf8(fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn short_output_is_kept_unchanged() {
        assert_eq!(log_of(8, &[]), "");
        assert_eq!(log_of(8, &[b"abcd"]), "abcd");
        assert_eq!(log_of(8, &[b"abc", b"def", b"gh"]), "abcdefgh");
        assert_eq!(log_of(7, &[b"abcdefg"]), "abcdefg");
    }

    #[test]
    fn head_and_tail_are_kept_to_the_byte_however_the_output_is_chunked() {
        let text: Vec<u8> = (b'a'..=b'z').collect();
        for chunk in 1..=26 {
            let chunks: Vec<&[u8]> = text.chunks(chunk).collect();
            assert_eq!(log_of(8, &chunks), "abcd\n[crontabber: 18 bytes cut here]\nwxyz", "in chunks of {chunk}");
            assert_eq!(log_of(25, &chunks), "abcdefghijklm\n[crontabber: 1 bytes cut here]\nopqrstuvwxyz");
        }
    }

    #[test]
    fn mixed_chunks_keep_the_newest() {
        assert_eq!(log_of(8, &[b"12345678", b"9", b"abcdefghij", b"k"]), "1234\n[crontabber: 12 bytes cut here]\nhijk");
        assert_eq!(log_of(8, &[b"123456", b"abcdefghij"]), "1234\n[crontabber: 8 bytes cut here]\nghij");
    }

    #[test]
    fn with_a_limit_of_zero_only_the_cut_is_logged() {
        assert_eq!(log_of(0, &[b"abc"]), "\n[crontabber: 3 bytes cut here]\n");
        assert_eq!(log_of(1, &[b"abc"]), "a\n[crontabber: 2 bytes cut here]\n");
    }

    #[test]
    fn a_log_that_cannot_be_written_is_an_error_in_words() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let mut output = Output::new(folder.path().join("file/log"), 8);
        output.write(b"abc");
        output.write(b"abc");
        let (has_log, error) = output.finish(false);
        assert!(!has_log);
        assert!(error.unwrap().ends_with("could not be written: Not a directory (os error 20)"));
    }

    #[test]
    fn a_full_disk_is_an_error_in_words() {
        let mut output = Output::new(PathBuf::from("/dev/full"), 8);
        output.write(b"abc");
        output.write(b"abcdefghijkl");
        let (_, error) = output.finish(false);
        assert!(error.unwrap().contains("No space left on device"));
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(
            [999, 1_000, 1_234_567, 1_999_999_999].map(size),
            ["999 bytes", "1.0 kB", "1.2 MB", "1.9 GB"].map(String::from)
        );
    }
}
