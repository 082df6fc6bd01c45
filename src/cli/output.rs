//! Where commands print: stdout, buffered, with what is known of who reads it.

use std::env;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};

/// How wide a terminal is that does not say it.
const WIDTH: usize = 100;

/// Below this width instants are shorter: 80 columns are enough for all that a person must see.
pub(super) const NARROW: usize = 100;

/// Stdout.
#[derive(Debug)]
pub(super) struct Output {
    out: BufWriter<StdoutLock<'static>>,
    /// Whether colour may be used.
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
        Self { color: is_terminal && may_color(), width, out: BufWriter::with_capacity(1 << 16, out) }
    }

    /// Waits so long, or until nobody reads any more; says whether that is so.
    pub(super) fn is_closed_within(&self, time: Duration) -> bool {
        let out = self.out.get_ref();
        let mut looked_at = [PollFd::new(out, PollFlags::empty())];
        let timeout = Timespec { tv_sec: time.as_secs().cast_signed(), tv_nsec: time.subsec_nanos().into() };
        // A signal makes the wait shorter, and nothing else.
        rustix::event::poll(&mut looked_at, Some(&timeout)).is_ok_and(|found| found > 0)
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

/// Writes a time in one unit and at most six characters: `0.12 s`, `4.3 s`, `34 min`, `7.5 h`, `12 d`.
pub(super) fn brief(time: Duration) -> String {
    let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    match milliseconds {
        ..5 => "0 s".to_owned(),
        5..995 => format!("0.{:02} s", (milliseconds + 5) / 10),
        995..599_500 => in_unit(milliseconds, 1_000, "s"),
        599_500..5_970_000 => in_unit(milliseconds, 60_000, "min"),
        5_970_000..171_000_000 => in_unit(milliseconds, 3_600_000, "h"),
        _ => in_unit(milliseconds, 86_400_000, "d"),
    }
}

/// Writes a number of bytes in at most six characters: `640 kB`, `34 MB`, `1.2 GB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    // What rounds up to a thousand of a unit is one of the next.
    let unit = UNITS.into_iter().find(|(unit, _)| bytes >= unit - unit / 2_000);
    unit.map_or_else(|| format!("{bytes} B"), |(unit, name)| in_unit(bytes, unit, name))
}

/// Writes `number` in a unit: with a tenth if it is less than ten of them.
fn in_unit(number: u64, unit: u64, name: &str) -> String {
    let rounded = |unit: u64| number.saturating_add(unit / 2) / unit;
    match rounded(unit / 10) {
        tenths @ ..100 => format!("{}.{} {name}", tenths / 10, tenths % 10),
        _ => format!("{} {name}", rounded(unit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_brief() {
        let milliseconds =
            [4, 5, 994, 995, 1_249, 9_949, 9_950, 599_499, 599_500, 5_969_999, 5_970_000, 170_999_999, 864_000_000];
        let texts = milliseconds.map(|time| brief(Duration::from_millis(time)));
        insta::assert_snapshot!(texts.join(", "), @"0 s, 0.01 s, 0.99 s, 1.0 s, 1.2 s, 9.9 s, 10 s, 599 s, 10 min, 99 min, 1.7 h, 47 h, 10 d");
        let sizes = [0, 999, 1_000, 9_949, 9_950, 999_499, 999_500, 34_000_000, 1_234_567_890, 999_600_000_000];
        let texts = sizes.map(size);
        insta::assert_snapshot!(texts.join(", "), @"0 B, 999 B, 1.0 kB, 9.9 kB, 10 kB, 999 kB, 1.0 MB, 34 MB, 1.2 GB, 1.0 TB");
        let longest =
            (0..86_000_000_000).step_by(99_991).map(|n| size(n).len().max(brief(Duration::from_millis(n)).len()));
        assert_eq!(longest.max(), Some(6), "up to 999 days");
    }
}
