//! Quotes the last lines of what failed attempts printed, on a thread of its own: a disk with logs may hang, and neither
//! the daemon nor its other log lines wait for it.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use chrono_tz::Tz;

use crate::report::last_lines::{last_lines, log_command};
use crate::session::AttemptKey;
use crate::text::in_zone;

/// How many failed attempts wait for the disk; the output of further ones is not quoted.
const MOST_WAITING: usize = 100;

/// How long the end of the process waits for the disk.
const FLUSH: Duration = Duration::from_secs(1);

/// The thread of this process, from the first failed attempt on.
static THREAD: OnceLock<Option<SyncSender<Item>>> = OnceLock::new();

/// What the thread is sent.
enum Item {
    Quote(Failed),
    /// Answered when everything before it is quoted.
    Flush(Sender<()>),
}

/// A failed attempt, and its log.
pub(super) struct Failed {
    pub(super) attempt: AttemptKey,
    pub(super) zone: Tz,
    pub(super) log: PathBuf,
}

/// The last lines of an attempt.
pub(super) struct Quote {
    pub(super) attempt: AttemptKey,
    pub(super) zone: Tz,
    pub(super) lines: Vec<String>,
}

impl Quote {
    /// Where the rest is.
    pub(super) fn rest(&self) -> String {
        format!("all of it: `{}`", log_command(&self.attempt, self.zone))
    }

    /// The quote in one line that reads alone.
    pub(super) fn sentence(&self) -> String {
        let AttemptKey { session, number } = &self.attempt;
        let (job, date) = (&session.job, in_zone(session.date, self.zone));
        format!("{job}: {date} attempt {number} printed last: {} ({})", self.lines.join(" | "), self.rest())
    }
}

/// Has the output of an attempt quoted, which `print` writes to the log. `print` is called by the thread that the first call
/// starts.
pub(super) fn quote<P: Fn(&Quote) + Send + 'static>(failed: Failed, print: impl FnOnce() -> P) {
    let thread = THREAD.get_or_init(|| {
        let (sender, inbox) = sync_channel(MOST_WAITING);
        let print = print();
        let started = thread::Builder::new().name("quotes".to_owned()).spawn(move || run(&inbox, &print));
        // Without a thread, nothing is quoted.
        started.is_ok().then_some(sender)
    });
    if let Some(thread) = thread {
        _ = thread.try_send(Item::Quote(failed));
    }
}

/// Waits until everything is quoted, but not long.
pub(super) fn flush() {
    let Some(Some(thread)) = THREAD.get() else { return };
    let (quoted, is_quoted) = channel();
    if thread.try_send(Item::Flush(quoted)).is_ok() {
        _ = is_quoted.recv_timeout(FLUSH);
    }
}

fn run(inbox: &Receiver<Item>, print: &impl Fn(&Quote)) {
    while let Ok(item) = inbox.recv() {
        match item {
            Item::Quote(Failed { attempt, zone, log }) => {
                let lines = last_lines(&log);
                if !lines.is_empty() {
                    print(&Quote { attempt, zone, lines });
                }
            }
            // Nobody waits after `FLUSH`.
            Item::Flush(quoted) => _ = quoted.send(()),
        }
    }
}
