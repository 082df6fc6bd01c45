//! Where commands print: stdout, buffered, with what is known of who reads it.

use std::env;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::date::short;

/// How wide tables are that nobody looks at on a terminal, and the least that has room for everything.
const WIDTH: usize = 100;

/// Stdout.
#[derive(Debug)]
pub(super) struct Output {
    out: BufWriter<StdoutLock<'static>>,
    /// Whether colour may be used.
    pub(super) color: bool,
    /// How many columns a table may have.
    pub(super) width: usize,
}

impl Output {
    /// Takes stdout.
    pub(super) fn stdout() -> Self {
        let out = io::stdout().lock();
        let is_terminal = out.is_terminal();
        let width = if is_terminal { terminal_width(&out).unwrap_or(WIDTH) } else { WIDTH };
        Self { color: is_terminal && may_color(), width, out: BufWriter::with_capacity(1 << 16, out) }
    }

    /// An instant as a table has room for it: without its offset where there is little.
    pub(super) fn date(&self, at: DateTime<Utc>, zone: Tz) -> String {
        let text = short(at, zone);
        match text.rsplit_once(' ') {
            Some((stamp, _)) if self.width < WIDTH => stamp.to_owned(),
            _ => text,
        }
    }

    /// Hands over what is still in the buffer.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn terminal_width(out: &StdoutLock<'_>) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(out).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Says whether the environment lets us use colour: see no-color.org.
pub(super) fn may_color() -> bool {
    let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !no_color && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// A text of any origin as part of a line: no line breaks, nothing that a terminal obeys.
pub(super) fn one_line(text: &str) -> String {
    let cleaned: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    cleaned.trim().to_owned()
}

/// The first `width` characters of a text, the last of them `…` if there are more.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().nth(width).is_none() {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// `1 date`, `2 dates`.
pub(super) fn counted(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
