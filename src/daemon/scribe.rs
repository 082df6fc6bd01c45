//! The thread that owns the ledger's writer: commits arrive, are written together, and are said to be durable.
//!
//! What cannot be written now (a full disk, a database that is away) is kept and tried again until it can: the outcome
//! of a job that ended is worth more than a prompt answer.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{io, mem, thread};

use crate::ledger::{CommitError, Writer};
use crate::session::{Entry, Request};

use super::engine::Commit;

/// How long an entry that nobody waits for may wait for company.
const LAZY: Duration = Duration::from_millis(300);

/// Between two tries at a ledger that is away.
const RETRY: Duration = Duration::from_millis(500);

/// What the scribe is told to do.
enum Order {
    Commit(Commit),
    Later(Entry),
    Requests,
}

/// What the scribe says.
#[derive(Debug)]
pub(super) enum Word {
    /// All commits up to this number are durable.
    Committed(u64),
    /// The operators' requests that nobody has answered.
    Requests(Vec<Request>),
    /// The ledger cannot be written; it is tried again.
    Trouble(String),
    /// The ledger is written again.
    Recovered {
        /// How long it was away.
        after: Duration,
    },
    /// The ledger is not what we believed: nothing may be started any more.
    Fatal(String),
}

/// A handle on the thread.
pub(super) struct Scribe {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Scribe {
    /// Starts the thread. `tell` is called from it.
    ///
    /// # Errors
    /// The operating system has no thread to give.
    pub(super) fn new(writer: Writer, tell: impl Fn(Word) + Send + 'static) -> io::Result<Self> {
        let (orders, inbox) = channel();
        let thread = thread::Builder::new().name("ledger".to_owned()).spawn(move || run(writer, &inbox, &tell))?;
        Ok(Self { orders: Some(orders), thread: Some(thread) })
    }

    /// Has a commit written.
    pub(super) fn commit(&self, commit: Commit) {
        self.send(Order::Commit(commit));
    }

    /// Has an entry written with the next commit, or soon.
    pub(super) fn write_later(&self, entry: Entry) {
        self.send(Order::Later(entry));
    }

    /// Asks for the operators' requests.
    pub(super) fn ask_requests(&self) {
        self.send(Order::Requests);
    }

    /// Waits until all is written, and gives the ledger back to others.
    pub(super) fn close(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was printed where it happened; there is nothing to add to it.
            _ = thread.join();
        }
    }

    fn send(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // The thread ends only after it said `Fatal`, and then nothing is expected of it.
            _ = orders.send(order);
        }
    }
}

fn run(mut writer: Writer, inbox: &Receiver<Order>, tell: &impl Fn(Word)) {
    let mut later: Vec<Entry> = Vec::new();
    loop {
        let first = if later.is_empty() { inbox.recv().map_err(Into::into) } else { inbox.recv_timeout(LAZY) };
        let closed = matches!(first, Err(RecvTimeoutError::Disconnected));
        let has_waited = first.is_err();
        let mut batches: Vec<Vec<Entry>> = Vec::new();
        let (mut number, mut asked) = (None, false);
        let mut order = first.ok();
        while let Some(this) = order.take() {
            match this {
                Order::Commit(commit) => {
                    number = Some(commit.number);
                    batches.push(commit.entries);
                }
                Order::Later(entry) => later.push(entry),
                Order::Requests => asked = true,
            }
            order = inbox.try_recv().ok();
        }
        if !later.is_empty() && (number.is_some() || has_waited) {
            batches.insert(0, mem::take(&mut later));
        }
        if !batches.is_empty() && !write(&mut writer, &batches, tell) {
            return;
        }
        if let Some(number) = number {
            tell(Word::Committed(number));
        }
        if asked {
            // An error here is an error of the next commit too, which says so.
            tell(Word::Requests(writer.requests().unwrap_or_default()));
        }
        if closed {
            return;
        }
    }
}

/// Writes the batches, however long it takes. Says whether they are durable.
fn write(writer: &mut Writer, batches: &[Vec<Entry>], tell: &impl Fn(Word)) -> bool {
    let mut since = None;
    loop {
        match writer.commit(batches) {
            Ok(()) => {
                if let Some(since) = since {
                    tell(Word::Recovered { after: Instant::now().duration_since(since) });
                }
                return true;
            }
            Err(error @ CommitError::Unavailable(_)) => {
                if since.is_none() {
                    since = Some(Instant::now());
                    tell(Word::Trouble(error.to_string()));
                }
                thread::sleep(RETRY);
            }
            Err(error) => {
                tell(Word::Fatal(error.to_string()));
                return false;
            }
        }
    }
}
