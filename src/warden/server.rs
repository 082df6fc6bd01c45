//! Sets up a warden: its socket, signals, journal and control groups.

mod event_loop;

use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use tracing::{info, warn};

use super::cgroup::Delegated;
use super::environment::inherited_environment;
use super::journal::{Journal, JournalError};
use super::network_fs::Mounts;
use super::procfs::boot_id;
use super::signals;
use super::spawn::WORKING_DIRECTORY;
use super::supervisor::Supervisor;
use event_loop::{EventLoop, LISTENER, MOUNTS, SIGNALS};

/// How long a warden waits for the journal of another one that exits; one that systemd starts has no limit.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two attempts to lock the journal.
const LOCK_RETRY: Duration = Duration::from_millis(50);

/// The settings of a warden.
#[derive(Debug, Clone)]
pub struct Service {
    /// The folder of its journal.
    pub folder: PathBuf,
    /// Started by systemd: jobs inherit the warden's own environment, and it may create control groups.
    pub managed: bool,
    /// The version of this program.
    pub version: String,
}

/// Why a warden cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("a warden is started by the daemon or by systemd, with a listening socket as its input: {0}")]
    NoSocket(io::Error),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("cannot start: {0}")]
    Kernel(#[from] io::Error),
}

/// Serves until there is nothing to do and no client is connected.
///
/// # Errors
/// The warden cannot start.
pub fn serve(service: Service) -> Result<(), ServeError> {
    let listener = listener()?;
    // As started it is `exe`, which tells an operator nothing.
    let _ = rustix::thread::set_name(c"crontabber");
    // The warden survives the terminal, and keeps no folder mounted. systemd starts it as the leader of its session, for
    // which setsid(2) fails.
    let _ = rustix::process::setsid();
    std::env::set_current_dir(WORKING_DIRECTORY)?;
    signals::prepare()?;
    signal_hook::flag::register(SIGHUP, Arc::new(AtomicBool::new(false)))?;
    let (journal, warnings) = open_journal(&service)?;
    let epoll = Rc::new(epoll::create(CreateFlags::CLOEXEC).map_err(io::Error::from)?);
    let add = |descriptor: &dyn AsFd, token| {
        epoll::add(&*epoll, descriptor.as_fd(), EventData::new_u64(token), EventFlags::IN).map_err(io::Error::from)
    };
    let (signals, handler) = UnixStream::pair()?;
    signals.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(SIGTERM, handler.try_clone()?)?;
    signal_hook::low_level::pipe::register(SIGINT, handler)?;
    add(&listener, LISTENER)?;
    add(&signals, SIGNALS)?;
    let mounts = Mounts::new(&epoll, MOUNTS);
    let delegated = if service.managed { enter_group() } else { None };
    let environment: Option<Vec<(OsString, OsString)>> = service.managed.then(inherited_environment);
    let supervisor = Supervisor::new(Rc::clone(&epoll), boot_id()?, journal, mounts, delegated, environment)?;
    info!(pid = std::process::id(), version = service.version, "the warden serves");
    EventLoop::new(service.version, epoll, listener, signals, supervisor, warnings).run();
    Ok(())
}

/// The listening socket, which is our standard input.
fn listener() -> Result<UnixListener, ServeError> {
    let socket = io::stdin().as_fd().try_clone_to_owned().map_err(ServeError::NoSocket)?;
    match rustix::net::sockopt::socket_acceptconn(&socket) {
        Ok(true) => {}
        Ok(false) => return Err(ServeError::NoSocket(io::Error::other("it does not listen"))),
        Err(error) => return Err(ServeError::NoSocket(error.into())),
    }
    let listener = UnixListener::from(socket);
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn enter_group() -> Option<Delegated> {
    match Delegated::enter() {
        Ok(delegated) => {
            delegated.sweep();
            Some(delegated)
        }
        Err(error) => {
            info!(%error, "no control groups for attempts: process groups and wait4(2) are used instead");
            None
        }
    }
}

/// Opens the journal. Another warden may have it, and be about to exit.
fn open_journal(service: &Service) -> Result<(Journal, Vec<String>), JournalError> {
    let since = Instant::now();
    let mut is_logged = false;
    loop {
        match Journal::open(&service.folder) {
            Ok((journal, warnings)) => {
                for warning in &warnings {
                    warn!("{warning}");
                }
                return Ok((journal, warnings));
            }
            Err(error @ JournalError::Busy(_)) if service.managed || since.elapsed() < LOCK_TIMEOUT => {
                if !is_logged {
                    info!("{error}; waiting until it exits");
                    is_logged = true;
                }
                std::thread::sleep(LOCK_RETRY);
            }
            Err(error) => return Err(error),
        }
    }
}
