//! The last lines of what an attempt printed, for logs, lists and explanations.
//!
//! Output is text of any origin and any size: only the end of the file is read, and what is returned moves no cursor,
//! changes no color and begins no line of its own.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use chrono_tz::Tz;
use rustix::fs::OFlags;

use crate::paths;
use crate::session::{AttemptEnd, AttemptKey, AttemptRecord, Outcome};
use crate::text::in_zone;

/// How many lines are quoted.
const LINES: usize = 5;
/// Most bytes of a line that are quoted: with all lines, less than 1 kB.
const LINE_BYTES: usize = 190;
/// How much of the end of a log is read.
const READ_BYTES: u64 = 8_192;
/// How a line begins that crontabber itself writes to a log.
const OWN_MARK: &str = "[crontabber: ";

/// Whether the end of an attempt is a failure that its output may explain.
pub(crate) fn is_quoted(end: &AttemptEnd) -> bool {
    let is_failure = !matches!(end.outcome, Outcome::Succeeded | Outcome::Interrupted | Outcome::Cancelled);
    end.has_log && is_failure
}

/// The last lines of an attempt, if it failed.
pub(crate) fn last_lines_of_failed(attempt: Option<&AttemptRecord>, logs: &Path) -> Vec<String> {
    let failed = attempt.filter(|attempt| attempt.end.as_ref().is_some_and(is_quoted));
    failed.map(|attempt| last_lines(&paths::log_file(logs, &attempt.key))).unwrap_or_default()
}

/// The last lines of a log that are not empty; none if the log cannot be read.
pub(crate) fn last_lines(log: &Path) -> Vec<String> {
    read_end(log).map(|bytes| lines_of(&String::from_utf8_lossy(&bytes))).unwrap_or_default()
}

/// The command that prints the whole log.
pub(crate) fn log_command(attempt: &AttemptKey, zone: Tz) -> String {
    format!("crontabber log {} {}", attempt.session.job, in_zone(attempt.session.date, zone))
}

fn read_end(log: &Path) -> io::Result<Vec<u8>> {
    // A job may have put something else in the place of its log, such as a named pipe or a link.
    let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOFOLLOW).bits()).unwrap_or_default();
    let mut file: File = OpenOptions::new().read(true).custom_flags(flags).open(log)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let begin = metadata.len().saturating_sub(READ_BYTES);
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.take(READ_BYTES).read_to_end(&mut bytes)?;
    // The first line is whole only at the beginning of the file.
    if begin > 0
        && let Some(newline) = bytes.iter().position(|byte| *byte == b'\n')
    {
        bytes.drain(..=newline);
    }
    Ok(bytes)
}

fn lines_of(text: &str) -> Vec<String> {
    let lines = text.split('\n').rev().map(plain).filter(|line| !line.is_empty() && !line.starts_with(OWN_MARK));
    let mut last: Vec<String> = lines.take(LINES).map(shortened).collect();
    last.reverse();
    last
}

/// A line as a terminal would show it in the end, without control characters, escape sequences and marks that change the
/// direction of text.
fn plain(line: &str) -> String {
    // A progress bar draws its line anew after each `\r`.
    let drawn = line.rsplit('\r').find(|drawn| !drawn.trim().is_empty()).unwrap_or_default();
    let mut plain = String::new();
    let mut characters = drawn.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\x1b' if characters.next_if_eq(&'[').is_some() => {
                while characters.next().is_some_and(|next| !('@'..='~').contains(&next)) {}
            }
            // The title of a window, a link.
            '\x1b' if characters.next_if_eq(&']').is_some() => {
                while characters.next().is_some_and(|next| !matches!(next, '\x07' | '\x1b')) {}
                characters.next_if_eq(&'\\');
            }
            '\t' => plain.push(' '),
            character if is_hidden(character) => {}
            character => plain.push(character),
        }
    }
    plain.trim().to_owned()
}

fn is_hidden(character: char) -> bool {
    let changes_direction =
        matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    character.is_control() || changes_direction
}

fn shortened(mut line: String) -> String {
    if line.len() > LINE_BYTES {
        line.truncate(line.floor_char_boundary(LINE_BYTES));
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn of(bytes: &[u8]) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        fs::write(&log, bytes).expect("a file");
        last_lines(&log)
    }

    #[test]
    fn the_last_lines_that_are_not_empty_are_quoted() {
        assert_eq!(of(b""), Vec::<String>::new());
        assert_eq!(of(b"one"), ["one"]);
        assert_eq!(of(b"1\n2\n3\n\n4\n5\n  6\n \n"), ["2", "3", "4", "5", "6"]);
        assert_eq!(of(b"why\n[crontabber: a process that the attempt left behind has the output open]\n"), ["why"]);
    }

    #[test]
    fn output_drives_no_terminal_and_begins_no_line() {
        assert_eq!(of(b"\x1b[2J\x1b[31mred\x1b[0m\x07\x00!"), ["red!"]);
        assert_eq!(of(b"\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b\x1bcd"), ["abcd"]);
        assert_eq!(of(" 10%\r 50%\r100%\r\nend\u{85}\u{2028}2026 WARN\u{202e}x".as_bytes()), ["100%", "end2026 WARNx"]);
        assert_eq!(of(b"\x1b["), Vec::<String>::new());
    }

    #[test]
    fn any_bytes_and_any_length_are_less_than_a_kilobyte() {
        assert_eq!(of(b"no \xff\xfe luck"), ["no \u{fffd}\u{fffd} luck"]);
        let bytes: Vec<u8> =
            (0..1_000_000_u32).map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
        for text in [bytes, "ö".repeat(100_000).into_bytes(), "a line of some length\n".repeat(90_000).into_bytes()] {
            let lines = of(&text);
            assert!((1..=LINES).contains(&lines.len()), "{lines:?}");
            assert!(lines.join("\n").len() < 1_000, "{lines:?}");
        }
    }

    #[test]
    fn what_is_no_log_is_not_quoted_and_not_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(last_lines(&folder.path().join("gone")), Vec::<String>::new());
        assert_eq!(last_lines(folder.path()), Vec::<String>::new());
        let pipe = folder.path().join("pipe");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).expect("a pipe");
        assert_eq!(last_lines(&pipe), Vec::<String>::new());
        fs::write(folder.path().join("secret"), "secret").expect("a file");
        std::os::unix::fs::symlink(folder.path().join("secret"), folder.path().join("link")).expect("a link");
        assert_eq!(last_lines(&folder.path().join("link")), Vec::<String>::new());
    }
}
