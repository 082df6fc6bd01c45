//! Where commands print: stdout, buffered, with what is known of who reads it.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};

use crate::environment::use_color;

/// How wide a terminal is that does not say it.
const WIDTH: usize = 100;

/// Below this width instants are shorter: 80 columns must be enough for what an operator needs.
pub(super) const NARROW: usize = 100;

/// Stdout.
#[derive(Debug)]
pub(super) struct Output {
    out: BufWriter<StdoutLock<'static>>,
    /// Whether color may be used.
    pub(super) color: bool,
    /// How many columns a line may have: no end of them where a program reads, that would miss what is cut.
    pub(super) width: usize,
}

impl Output {
    /// Takes stdout.
    pub(super) fn stdout() -> Self {
        let out = io::stdout().lock();
        let is_terminal = out.is_terminal();
        let width = if is_terminal { terminal_width(&out).unwrap_or(WIDTH) } else { usize::MAX };
        Self { color: use_color(&out), width, out: BufWriter::with_capacity(1 << 16, out) }
    }

    /// Waits for this long; `true` as soon as the reader has closed stdout.
    pub(super) fn is_closed_within(&self, time: Duration) -> bool {
        let out = self.out.get_ref();
        let mut looked_at = [PollFd::new(out, PollFlags::empty())];
        let timeout = Timespec { tv_sec: time.as_secs().cast_signed(), tv_nsec: time.subsec_nanos().into() };
        // A signal makes the wait shorter, and nothing else.
        rustix::event::poll(&mut looked_at, Some(&timeout)).is_ok_and(|found| found > 0)
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

/// The first `width` characters of a text, the last of them `…` if there are more.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().nth(width).is_none() {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}
