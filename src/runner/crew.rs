//! The threads of the runner. One of them waits for events; the others start programs, or wait for its seat.
//!
//! A start holds its thread until the program is loaded: for most of a millisecond, and for ever on a file server that
//! is gone. So whoever in the seat finds a program to start leaves the seat to the next, and starts it at once on the
//! thread that it is on: to hand it to another would cost a wake-up in the way of every start. The last one free never
//! starts anything, so that exits, output and deadlines are always attended to.

use std::io;
use std::num::NonZero;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::event::Timespec;
use rustix::event::epoll::{self, Event};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use tracing::error;

use super::Launch;
use super::running::tokens;
use super::spawn::{Watch, spawn};
use super::supervisor::Supervisor;

/// More programs than this, started at once, only wait for one another in the kernel.
const MOST_STARTS: usize = 4;
/// How many events are taken at once.
const EVENTS: usize = 256;

/// What the threads share.
#[derive(Debug)]
struct Crew {
    state: Mutex<Supervisor>,
    seat: Mutex<()>,
    epoll: Arc<OwnedFd>,
}

/// Says how many programs are started at the same time: one for each core.
pub(super) fn starts_at_once() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(MOST_STARTS)
}

/// Starts the threads; they end when the supervisor is closed.
///
/// # Errors
/// When the kernel refuses a thread.
pub(super) fn muster(supervisor: Supervisor, epoll: Arc<OwnedFd>) -> io::Result<()> {
    let crew = Arc::new(Crew { state: Mutex::new(supervisor), seat: Mutex::new(()), epoll });
    for _ in 0..=starts_at_once() {
        let crew = Arc::clone(&crew);
        thread::Builder::new().name("runner".to_owned()).spawn(move || crew.work())?;
    }
    Ok(())
}

/// Locks, also where a thread died with the lock in hand: the processes must be watched whatever happened.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Crew {
    fn work(&self) {
        let mut events = Vec::with_capacity(EVENTS);
        while let Some(first) = self.watch(&mut events) {
            let mut next = Some(first);
            while let Some((number, launch)) = next {
                let (end, output) = tokens(number);
                let watch = Watch { epoll: &self.epoll, end, output };
                let result = spawn(&launch, watch);
                let mut state = lock(&self.state);
                state.take_spawned(number, result);
                next = state.next_start();
            }
        }
    }

    /// Takes the seat, and acts on what happens until there is a program to start; nothing when all is over.
    fn watch(&self, events: &mut Vec<Event>) -> Option<(u64, Box<Launch>)> {
        let _seat = lock(&self.seat);
        loop {
            let timeout = {
                let mut state = lock(&self.state);
                if !state.is_open() {
                    return None;
                }
                if let Some(start) = state.next_start() {
                    return Some(start);
                }
                state.longest_wait()
            };
            self.wait(events, timeout);
            lock(&self.state).turn(events.drain(..).map(|event| event.data.u64()));
        }
    }

    fn wait(&self, events: &mut Vec<Event>, timeout: Option<Duration>) {
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match epoll::wait(&*self.epoll, rustix::buffer::spare_capacity(events), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => {
                error!(%error, "the runner cannot wait for its jobs, and tries again");
                thread::sleep(Duration::from_millis(100));
            }
        }
    }
}
