//! Follows the output of an attempt while it runs, as `tail -f` does.
//!
//! The beginning is in the log itself. What comes when that is full goes round in two files beside it, `….tail` and
//! `….tail.old`, which are joined to the log at the end: a follower continues in those and never goes back.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::ledger::Reader;
use crate::report::orphans::{Process, is_watched};
use crate::session::{AttemptEnd, AttemptKey};

/// Between two looks.
const POLL: Duration = Duration::from_millis(200);

/// Further looks when an attempt seems to be orphaned: a daemon may just have recorded its end and stopped, or be about to
/// start, and the warden may still be writing the last output.
const BELIEVED_AFTER: u32 = 4;

/// How many of its last bytes identify a segment in the log that it was joined to.
const KNOWN_BY: u64 = 4_096;

/// Says that some of the output was too fast for us.
const PASSED_OVER: &[u8] = b"\n[crontabber: some of the output was passed over here]\n";

/// How following ended.
pub(super) enum Followed {
    /// The attempt ended.
    Ended(AttemptEnd),
    /// Nobody is there to record its end, and it does not run as far as we know.
    Deserted(Process),
}

/// Prints what an attempt prints until it has ended.
pub(super) fn follow(
    reader: &mut Reader,
    key: &AttemptKey,
    log: &Path,
    output: &mut Output,
) -> Result<Followed, Failure> {
    let mut follower = Follower::new(log.to_owned());
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::Closed,
        _ => Failure::new(format!("`{}` cannot be followed: {error}", log.display())),
    };
    let mut deserted_for = 0;
    loop {
        // Asked first: whatever it printed before its end is there by now.
        let Some(attempt) = reader.attempt(key)? else {
            return Err(Failure::new(format!("attempt {} of `{}` is gone", key.number, key.session.job)));
        };
        follower.copy(output).map_err(unreadable)?;
        if let Some(end) = attempt.end {
            follower.finish(output).map_err(unreadable)?;
            output.flush()?;
            return Ok(Followed::Ended(end));
        }
        let deserted = if is_watched(reader)? { Process::Runs } else { Process::of(&attempt) };
        if deserted == Process::Runs {
            deserted_for = 0;
        } else if deserted_for == BELIEVED_AFTER {
            follower.finish(output).map_err(unreadable)?;
            output.flush()?;
            return Ok(Followed::Deserted(deserted));
        } else {
            deserted_for += 1;
        }
        output.flush()?;
        if output.is_closed_within(POLL) {
            return Err(Failure::Closed);
        }
    }
}

/// Where we are in the output.
enum At {
    /// In the log, if it is there yet. When a tail is seen the length that the log had then is kept for a look: while the
    /// tail is being joined to the log there are both.
    Log { file: Option<File>, full_at: Option<u64> },
    /// In a segment of the tail.
    Tail { segment: File },
}

struct Follower {
    log: PathBuf,
    /// How much of the log itself was printed.
    printed: u64,
    at: At,
}

impl Follower {
    fn new(log: PathBuf) -> Self {
        Self { log, printed: 0, at: At::Log { file: None, full_at: None } }
    }

    /// Prints what is new.
    fn copy(&mut self, output: &mut impl Write) -> io::Result<()> {
        if let At::Log { file, full_at } = &mut self.at {
            if file.is_none() {
                *file = if_any(File::open(&self.log))?;
            }
            let Some(file) = file else { return Ok(()) };
            self.printed += io::copy(file, output)?;
            let was = full_at.take();
            if if_any(fs::metadata(beside(&self.log, ".tail")))?.is_some() {
                *full_at = Some(self.printed);
                if was == Some(self.printed) {
                    self.enter(None, output)?;
                }
            }
        }
        while let At::Tail { segment } = &mut self.at {
            io::copy(segment, output)?;
            let ours = segment.metadata()?.ino();
            let current = if_any(fs::metadata(beside(&self.log, ".tail")))?;
            if current.as_ref().is_some_and(|current| current.ino() == ours) {
                break;
            }
            // Nothing is written to it any more: what came last is there now.
            io::copy(segment, output)?;
            if current.is_none() || !self.enter(Some(ours), output)? {
                break;
            }
        }
        Ok(())
    }

    /// Goes on in the newest segment of the tail, from the one that is given or from the log; says whether there is one.
    fn enter(&mut self, from: Option<u64>, output: &mut impl Write) -> io::Result<bool> {
        let Some(segment) = if_any(File::open(beside(&self.log, ".tail")))? else { return Ok(false) };
        let ours = segment.metadata()?.ino();
        if let Some(mut old) = if_any(File::open(beside(&self.log, ".tail.old")))? {
            let number = old.metadata()?.ino();
            // It is the one that we come from, or, since it was renamed just now, the one that we go to.
            if Some(number) != from && number != ours {
                output.write_all(PASSED_OVER)?;
                io::copy(&mut old, output)?;
            }
        }
        self.at = At::Tail { segment };
        Ok(true)
    }

    /// Prints what is left when it has ended, and the tail is joined to the log.
    fn finish(&mut self, output: &mut impl Write) -> io::Result<()> {
        let At::Tail { segment } = &mut self.at else { return Ok(()) };
        io::copy(segment, output)?;
        let Some(mut log) = if_any(File::open(&self.log))? else { return Ok(()) };
        let known_by = segment.metadata()?.len().min(KNOWN_BY);
        if end_of(segment, known_by)? != end_of(&mut log, known_by)? {
            // It went round once more between two looks. The log has its end, and says itself what was cut.
            log.seek(SeekFrom::Start(self.printed))?;
            io::copy(&mut log, output)?;
        }
        Ok(())
    }
}

fn beside(log: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(log);
    name.push(suffix);
    PathBuf::from(name)
}

fn if_any<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The last bytes of a file.
fn end_of(file: &mut File, count: u64) -> io::Result<Vec<u8>> {
    let start = file.metadata()?.len().saturating_sub(count);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(count).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log as the warden writes it, step by step, and what is printed of it.
    struct Lab {
        folder: tempfile::TempDir,
        follower: Follower,
        printed: Vec<u8>,
    }

    impl Lab {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let follower = Follower::new(folder.path().join("log"));
            Self { folder, follower, printed: Vec::new() }
        }

        fn append(&self, name: &str, text: &str) {
            let path = self.folder.path().join(name);
            let mut file = File::options().create(true).append(true).open(path).expect("a file of our folder");
            file.write_all(text.as_bytes()).expect("room on the disk");
        }

        fn rotate(&self, text: &str) {
            let (tail, old) = (self.folder.path().join("log.tail"), self.folder.path().join("log.tail.old"));
            fs::rename(tail, old).expect("a tail that was written");
            self.append("log.tail", text);
        }

        fn join(&self, kept: &str) {
            self.append("log", &format!("\n[cut here]\n{kept}"));
            for name in ["log.tail", "log.tail.old"] {
                _ = fs::remove_file(self.folder.path().join(name));
            }
        }

        fn look(&mut self) {
            self.follower.copy(&mut self.printed).expect("readable files");
        }

        fn printed(mut self) -> String {
            self.look();
            self.follower.finish(&mut self.printed).expect("readable files");
            String::from_utf8(self.printed).expect("text that the test wrote")
        }
    }

    #[test]
    fn a_log_is_waited_for_and_followed() {
        let mut lab = Lab::new();
        lab.look();
        lab.append("log", "one ");
        lab.look();
        lab.append("log", "two ");
        assert_eq!(lab.printed(), "one two ");
    }

    #[test]
    fn the_tail_is_followed_round_and_not_printed_again() {
        let mut lab = Lab::new();
        lab.append("log", "head ");
        lab.look();
        lab.append("log.tail", "aaaa");
        lab.look();
        lab.look();
        lab.append("log.tail", "bb ");
        lab.look();
        lab.append("log.tail", "b ");
        lab.rotate("cccc ");
        lab.look();
        lab.rotate("dd ");
        lab.look();
        lab.append("log.tail", "d ");
        lab.join("c dd d ");
        assert_eq!(lab.printed(), "head aaaabb b cccc dd d ");
    }

    #[test]
    fn what_was_too_fast_is_said() {
        let mut lab = Lab::new();
        lab.append("log", "head ");
        lab.append("log.tail", "aaaa ");
        lab.look();
        lab.look();
        lab.rotate("bbbb ");
        lab.rotate("cccc ");
        lab.rotate("dddd ");
        lab.look();
        lab.join("c dddd ");
        let passed_over = String::from_utf8_lossy(PASSED_OVER);
        assert_eq!(lab.printed(), format!("head aaaa {passed_over}cccc dddd "));
    }

    #[test]
    fn an_end_between_two_looks_is_read_from_the_log() {
        let mut lab = Lab::new();
        lab.append("log", "head ");
        lab.append("log.tail", "aaaa ");
        lab.look();
        lab.look();
        lab.rotate("bbbb ");
        lab.rotate("cccc ");
        lab.join("b cccc ");
        assert_eq!(lab.printed(), "head aaaa \n[cut here]\nb cccc ");
        let mut lab = Lab::new();
        lab.append("log", "head ");
        lab.append("log.tail", "aaaa ");
        lab.look();
        lab.join("aaaa ");
        assert_eq!(lab.printed(), "head \n[cut here]\naaaa ");
    }
}
