//! Progress bars, one for each job that catches up on many dates.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use rustix::termios::tcgetwinsize;

use crate::job::JobName;
use crate::log_queue::LogQueue;

/// How often a second the bars are drawn.
const DRAWINGS: u8 = 20;

/// The progress bars of all jobs.
pub(super) struct ProgressBars {
    all: MultiProgress,
    jobs: HashMap<JobName, ProgressBar>,
}

impl ProgressBars {
    pub(super) fn new(queue: LogQueue) -> Self {
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let target = if is_dumb {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::term_like_with_hz(Box::new(Screen { queue, drawing: Mutex::default() }), DRAWINGS)
        };
        Self { all: MultiProgress::with_draw_target(target), jobs: HashMap::new() }
    }

    /// Shows a bar for a job, or makes its bar longer.
    pub(super) fn begin(&mut self, job: &JobName, behind: u64) {
        let all = &self.all;
        let bar = self.jobs.entry(job.clone()).or_insert_with(|| {
            let template = "          {prefix} {wide_bar} {pos}/{len} {msg} {per_sec} eta {eta}";
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = all.add(ProgressBar::new(behind)).with_style(style);
            bar.set_prefix(job.to_string());
            bar
        });
        let length = bar.position() + behind;
        if bar.length().is_none_or(|now| now < length) {
            bar.set_length(length);
        }
    }

    pub(super) fn covers(&self, job: &JobName) -> bool {
        self.jobs.contains_key(job)
    }

    /// Moves a job's bar. At its last date, returns how many dates the bar covered, and how long they took.
    pub(super) fn advance(&mut self, job: &JobName, behind: u64, date: &str) -> Option<(u64, Duration)> {
        let bar = self.jobs.get(job)?;
        let length = bar.length().unwrap_or_default().max(behind);
        bar.set_position(length - behind);
        bar.set_message(date.to_owned());
        if behind > 0 {
            return None;
        }
        let finished = (length, bar.elapsed());
        bar.finish_and_clear();
        self.jobs.remove(job);
        Some(finished)
    }

    /// The screen of the bars, for another thread.
    pub(super) fn screen(&self) -> MultiProgress {
        self.all.clone()
    }

    /// Calls `act` while no bar is on the screen.
    pub(super) fn suspend(&self, act: impl FnOnce()) {
        self.all.suspend(act);
    }
}

/// The terminal of standard error, drawn to through the queue of its lines.
#[derive(Debug)]
struct Screen {
    queue: LogQueue,
    drawing: Mutex<String>,
}

impl Screen {
    fn add(&self, text: &str) {
        self.drawing.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
    }

    fn move_cursor(&self, count: usize, direction: char) {
        if count > 0 {
            self.add(&format!("\x1b[{count}{direction}"));
        }
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        tcgetwinsize(io::stderr()).map_or(80, |size| size.ws_col)
    }

    fn height(&self) -> u16 {
        tcgetwinsize(io::stderr()).map_or(24, |size| size.ws_row)
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'A');
        Ok(())
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'B');
        Ok(())
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'C');
        Ok(())
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'D');
        Ok(())
    }

    fn write_line(&self, s: &str) -> io::Result<()> {
        self.add(s);
        self.add("\n");
        Ok(())
    }

    fn write_str(&self, s: &str) -> io::Result<()> {
        self.add(s);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.add("\r\x1b[2K");
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let drawing = std::mem::take(&mut *self.drawing.lock().unwrap_or_else(PoisonError::into_inner));
        if !drawing.is_empty() {
            self.queue.draw(drawing.into_bytes());
        }
        Ok(())
    }
}
