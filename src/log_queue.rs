//! A queue of log lines with a thread that writes them: nobody who logs waits for the reader of the log.
//!
//! A full queue drops lines. The thread writes how many, as soon as the reader reads again.

use std::io;
use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use chrono::SecondsFormat;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::clock;

/// How many lines wait for the reader.
const MOST_WAITING: usize = 2_000;

/// Redrawn progress bars wait only behind this many lines.
const MOST_BEFORE_DRAWING: usize = 100;

/// The lines of this time are written together.
const BATCH: Duration = Duration::from_millis(5);

/// How long the end of the process waits for the reader.
const FLUSH: Duration = Duration::from_secs(1);

/// A handle on the queue. The thread ends with the last handle.
#[derive(Debug, Clone)]
pub struct LogQueue {
    items: Sender<Item>,
    count: Arc<Count>,
}

/// What the thread is sent.
#[derive(Debug)]
enum Item {
    Line(Vec<u8>),
    /// Answered when every line before it is written.
    Flush(Sender<()>),
}

#[derive(Debug, Default)]
struct Count {
    /// Lines that are queued, or that the thread is writing.
    waiting: AtomicUsize,
    dropped: AtomicUsize,
}

impl LogQueue {
    /// Starts the thread. `write` gets the lines that wait; `notice` makes a line of the number of those that were dropped.
    ///
    /// # Errors
    /// The operating system refuses another thread.
    pub fn new(
        mut write: impl FnMut(&[Vec<u8>]) + Send + 'static,
        notice: impl Fn(usize) -> String + Send + 'static,
    ) -> io::Result<Self> {
        let (items, inbox) = channel();
        let count = Arc::new(Count::default());
        let shared = Arc::clone(&count);
        thread::Builder::new().name("log".to_owned()).spawn(move || run(&inbox, &shared, &mut write, &notice))?;
        Ok(Self { items, count })
    }

    /// A queue for standard error, whose notice is a line as `tracing` writes it.
    ///
    /// # Errors
    /// As [`LogQueue::new`].
    pub fn stderr() -> io::Result<Self> {
        Self::new(write_to_stderr, |dropped| {
            let now = clock::now().to_rfc3339_opts(SecondsFormat::Micros, true);
            format!("{now}  WARN {}\n", dropped_text(dropped))
        })
    }

    /// Queues a line, or drops it if the queue is full.
    pub fn push(&self, line: Vec<u8>) {
        if !self.push_behind(MOST_WAITING, line) {
            self.count.dropped.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Queues what is drawn anew soon. It is dropped without a notice when the reader is slow.
    pub fn draw(&self, drawing: Vec<u8>) {
        self.push_behind(MOST_BEFORE_DRAWING, drawing);
    }

    fn push_behind(&self, most: usize, line: Vec<u8>) -> bool {
        if self.count.waiting.fetch_add(1, Ordering::SeqCst) < most && self.items.send(Item::Line(line)).is_ok() {
            return true;
        }
        self.count.waiting.fetch_sub(1, Ordering::SeqCst);
        false
    }

    /// Waits until every line is written, but not long for a reader that does not read.
    pub fn flush(&self) {
        let (written, is_written) = channel();
        if self.count.waiting.load(Ordering::SeqCst) > 0 && self.items.send(Item::Flush(written)).is_ok() {
            _ = is_written.recv_timeout(FLUSH);
        }
    }
}

/// For `tracing_subscriber`, which writes an event at once.
impl io::Write for LogQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is said about dropped lines.
#[must_use]
pub fn dropped_text(dropped: usize) -> String {
    let lines = if dropped == 1 { "1 line was".to_owned() } else { format!("{dropped} lines were") };
    format!("{lines} dropped here, because nothing read this log")
}

fn run(inbox: &Receiver<Item>, count: &Count, write: &mut impl FnMut(&[Vec<u8>]), notice: &impl Fn(usize) -> String) {
    while let Ok(first) = inbox.recv() {
        // Gathers the lines of a burst, so that they take one write.
        thread::sleep(BATCH);
        let (mut lines, mut flushes) = (Vec::new(), Vec::new());
        for item in iter::once(first).chain(inbox.try_iter()) {
            match item {
                Item::Line(line) => lines.push(line),
                Item::Flush(written) => flushes.push(written),
            }
        }
        let taken = lines.len();
        let dropped = count.dropped.swap(0, Ordering::SeqCst);
        if dropped > 0 {
            lines.push(notice(dropped).into_bytes());
        }
        write(&lines);
        count.waiting.fetch_sub(taken, Ordering::SeqCst);
        for written in flushes {
            // Nobody waits after `FLUSH`.
            _ = written.send(());
        }
    }
}

/// Writes lines to standard error. What cannot be written is lost: there is nobody to report it to.
pub fn write_to_stderr(lines: &[Vec<u8>]) {
    let bytes = lines.concat();
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        match rustix::io::write(io::stderr(), rest) {
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            // A process that shares standard error with us has made it non-blocking.
            Err(Errno::AGAIN) => _ = poll(&mut [PollFd::new(&io::stderr(), PollFlags::OUT)], None),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_drops_lines_and_says_how_many_when_it_is_read_again() {
        let (written, log) = channel();
        let (read, reader) = channel::<()>();
        let write = move |lines: &[Vec<u8>]| {
            // Without an answer, nobody reads any more, as at the end of the test.
            _ = reader.recv();
            _ = written.send(lines.concat());
        };
        let queue = LogQueue::new(write, |dropped| format!("{}\n", dropped_text(dropped))).expect("a thread");
        let all = MOST_WAITING + 7;
        for number in 0..all {
            queue.push(format!("line {number}\n").into_bytes());
        }
        queue.draw(b"a bar".to_vec());
        drop(read);
        queue.flush();
        queue.push(b"the next\n".to_vec());
        queue.flush();
        let log: Vec<u8> = log.try_iter().flatten().collect();
        let log = String::from_utf8(log).expect("text");
        let mut expected: Vec<String> = (0..MOST_WAITING).map(|number| format!("line {number}\n")).collect();
        expected.push("7 lines were dropped here, because nothing read this log\nthe next\n".to_owned());
        assert_eq!(log, expected.concat());
    }
}
