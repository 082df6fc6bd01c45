//! The thread that owns the ledger's writer: commits arrive, are written together, and only then is started
//! what they open.
//!
//! What cannot be written now (a full disk, a database that is away) is kept and tried again until it can: the outcome
//! of a job that ended is worth more than a prompt answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{io, thread};

use crate::ledger::{CommitError, Writer};
use crate::session::{AttemptKey, Entry, Request};
use crate::warden_client::{Launch, WardenClient, attempt_key};

use crate::control::commit_queue::{CommitQueue, Order, QueueStep};

/// Between two tries at a ledger that is away.
const RETRY: Duration = Duration::from_millis(500);

/// What the scribe says.
#[derive(Debug)]
pub(super) enum LedgerEvent {
    /// All commits up to this number are durable.
    Committed(u64),
    /// The operators' requests that nobody has answered.
    Requests(Vec<Request>),
    /// These were not started, since the daemon stops.
    NotStarted(Vec<AttemptKey>),
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
pub(super) struct LedgerThread {
    orders: Option<Sender<Order<Launch>>>,
    thread: Option<JoinHandle<()>>,
    stops: Arc<AtomicBool>,
}

impl LedgerThread {
    /// Starts the thread. `tell` is called from it.
    ///
    /// # Errors
    /// The operating system has no thread to give.
    pub(super) fn new(
        writer: Writer,
        runner: WardenClient,
        tell: impl Fn(LedgerEvent) + Send + 'static,
    ) -> io::Result<Self> {
        let (orders, inbox) = channel();
        let stops = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stops);
        let thread = thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || run(writer, &runner, &flag, &inbox, &tell))?;
        Ok(Self { orders: Some(orders), thread: Some(thread), stops })
    }

    /// Has entries written, and then what they open started.
    pub(super) fn commit(&self, number: u64, entries: Vec<Entry>, launches: Vec<Launch>) {
        self.send(Order::Commit { number, entries, launches });
    }

    /// Has entries written that nobody waits for.
    pub(super) fn write(&self, entries: Vec<Entry>) {
        self.send(Order::Write(entries));
    }

    /// Asks for the operators' requests.
    pub(super) fn ask_requests(&self) {
        self.send(Order::Requests);
    }

    /// Has nothing started any more, also of what is decided and not written yet.
    pub(super) fn start_nothing(&self) {
        self.stops.store(true, Ordering::SeqCst);
    }

    /// Waits until all is written, and gives the ledger back to others.
    pub(super) fn close(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was printed where it happened; there is nothing to add to it.
            _ = thread.join();
        }
    }

    fn send(&self, order: Order<Launch>) {
        if let Some(orders) = &self.orders {
            // The thread ends only after it said `Fatal`, and then nothing is expected of it.
            _ = orders.send(order);
        }
    }
}

fn run(
    mut writer: Writer,
    runner: &WardenClient,
    stops: &AtomicBool,
    inbox: &Receiver<Order<Launch>>,
    tell: &impl Fn(LedgerEvent),
) {
    while let Ok(first) = inbox.recv() {
        let mut pile = CommitQueue::default();
        pile.add(first);
        while let Ok(next) = inbox.try_recv() {
            pile.add(next);
        }
        while let Some(deed) = pile.next(stops.load(Ordering::SeqCst)) {
            match deed {
                QueueStep::Write(batches) => {
                    if !write(&mut writer, &batches, tell) {
                        return;
                    }
                }
                QueueStep::Start(launch) => runner.start(launch),
                QueueStep::Refuse(launches) => {
                    tell(LedgerEvent::NotStarted(
                        launches.iter().filter_map(|launch| attempt_key(&launch.attempt)).collect(),
                    ));
                }
                QueueStep::Committed(number) => tell(LedgerEvent::Committed(number)),
                // An error here is an error of the next commit too, which says so.
                QueueStep::Requests => tell(LedgerEvent::Requests(writer.requests().unwrap_or_default())),
            }
        }
    }
}

/// Writes the batches, however long it takes. Says whether they are durable.
fn write(writer: &mut Writer, batches: &[Vec<Entry>], tell: &impl Fn(LedgerEvent)) -> bool {
    let mut since = None;
    loop {
        match writer.commit(batches) {
            Ok(()) => {
                if let Some(since) = since {
                    tell(LedgerEvent::Recovered { after: Instant::now().duration_since(since) });
                }
                return true;
            }
            Err(error @ CommitError::Unavailable(_)) => {
                if since.is_none() {
                    since = Some(Instant::now());
                    tell(LedgerEvent::Trouble(error.to_string()));
                }
                thread::sleep(RETRY);
            }
            Err(error) => {
                tell(LedgerEvent::Fatal(error.to_string()));
                return false;
            }
        }
    }
}
