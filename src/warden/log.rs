//! The warden's log on standard error. A write never blocks, since jobs must not wait for the reader of a log.
//!
//! The warden has one thread, so lines wait in a buffer for the next line or for the end.

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// The most bytes that wait for the reader.
const MOST_WAITING: usize = 64 * 1024;

/// What can be written without blocking where poll(2) says that something can be: `PIPE_BUF`.
const PIECE: usize = 4096;

/// How long the end of the warden waits for the reader.
const FLUSH: Duration = Duration::from_secs(1);

/// A handle on the log.
#[derive(Debug, Clone)]
pub struct Log {
    buffer: Arc<Mutex<Buffer>>,
}

#[derive(Debug)]
struct Buffer {
    output: OwnedFd,
    waiting: Vec<u8>,
    dropped: usize,
}

impl Log {
    /// A log on standard error.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn stderr() -> io::Result<Self> {
        Ok(Self::new(io::stderr().as_fd().try_clone_to_owned()?))
    }

    fn new(output: OwnedFd) -> Self {
        Self { buffer: Arc::new(Mutex::new(Buffer { output, waiting: Vec::new(), dropped: 0 })) }
    }

    /// Writes what waits, but does not wait long for a reader that does not read.
    pub fn finish(&self) {
        let since = Instant::now();
        while !self.with(Buffer::drain) && since.elapsed() < FLUSH {
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Buffer) -> T) -> T {
        act(&mut self.buffer.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One call is one line.
impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.with(|buffer| buffer.add(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Buffer {
    fn add(&mut self, line: &[u8]) {
        self.drain();
        if self.waiting.len() > MOST_WAITING || self.dropped > 0 {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        self.waiting.extend_from_slice(line);
        self.drain();
    }

    /// Writes what can be written now. Says whether that is all.
    fn drain(&mut self) -> bool {
        loop {
            if self.waiting.is_empty() && self.dropped > 0 {
                let dropped = std::mem::take(&mut self.dropped);
                self.waiting =
                    format!("{dropped} lines of this log were dropped here, because nothing read it\n").into();
            }
            let piece = self.waiting.get(..PIECE).unwrap_or(&self.waiting);
            if piece.is_empty() {
                return true;
            }
            if !self.is_writable() {
                return false;
            }
            match rustix::io::write(&self.output, piece) {
                Ok(written) => drop(self.waiting.drain(..written)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return false,
                // The reader is gone, or the disk is full: there is nowhere to report it.
                Err(_) => self.waiting.clear(),
            }
        }
    }

    /// Says whether a write does not block: there is room, or an error.
    fn is_writable(&self) -> bool {
        let mut polled = [PollFd::new(&self.output, PollFlags::OUT)];
        poll(&mut polled, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;

    use super::*;

    #[test]
    fn a_log_that_is_read_again_says_how_many_lines_it_lacks() {
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
        let mut log = Log::new(writer);
        let line = format!("{}\n", "x".repeat(999));
        let mut lines = 0;
        while log.with(|buffer| buffer.dropped < 3) {
            log.write_all(line.as_bytes()).expect("a log never fails");
            lines += 1;
        }
        let reading = std::thread::spawn(move || {
            let mut text = String::new();
            File::from(reader).read_to_string(&mut text).map(|_| text)
        });
        while log.with(|buffer| buffer.dropped > 0) {
            log.finish();
        }
        log.write_all(b"the next\n").expect("a log never fails");
        log.finish();
        drop(log);
        let text = reading.join().expect("a thread").expect("text");
        let expected = "3 lines of this log were dropped here, because nothing read it\nthe next\n";
        assert_eq!(text, line.repeat(lines - 3) + expected);
    }
}
