//! Where the warden is, and how one is started.
//!
//! A warden listens at a socket in a folder of ours, or at one that systemd keeps for it. If nobody answers at ours, one
//! client at a time (a lock says which) binds the socket anew and starts our own binary with it. A warden that is just
//! leaving takes no request: whoever asked it asks again, and finds nobody or the next.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fd::OwnedFd;
use rustix::fs::{FlockOperation, flock, statvfs};
use rustix::net::sockopt::{Timeout, set_socket_timeout, socket_peercred};
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::warden::journal::belong;
use crate::warden::protocol::{Frames, Hello, PROTOCOL, ProtocolError, Reply, Request, put};

/// The name of the socket in our folder.
const SOCKET: &str = "socket";
/// The file that holds what a warden says of itself.
const LOG: &str = "warden.log";
/// It begins anew when it is longer than this, in bytes.
const LOG_LIMIT: u64 = 1024 * 1024;
/// What a warden needs of its disk to begin, in bytes: for its spool and its log.
const ROOM: u64 = 300 * 1024;
/// The file whose lock says who starts a warden.
const LOCK: &str = "hire.lock";
/// What is waited for an answer.
const ANSWER: Duration = Duration::from_secs(5);
/// What is waited for a warden that comes or goes.
const PATIENCE: Duration = Duration::from_secs(15);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(10);
/// What the daemon is told by systemd, and a warden is not.
const NOT_FOR_WARDENS: [&str; 7] =
    ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "MAINPID"];

/// Where the warden of a ledger lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WardenLocation {
    /// The folder of its spool, and of its socket unless systemd keeps that.
    pub folder: PathBuf,
    /// The socket that systemd keeps, if it does: then it is systemd that starts the warden.
    pub managed: Option<PathBuf>,
    /// The program that a warden is.
    pub program: PathBuf,
}

impl WardenLocation {
    /// A folder where we start the warden ourselves: what runs now, also if the file it was started from has been replaced
    /// since.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, managed: None, program: PathBuf::from("/proc/self/exe") }
    }
}

/// Why there is no warden.
#[derive(Debug, thiserror::Error)]
pub enum HireError {
    /// The folder.
    #[error("the warden's folder `{}` cannot be used: {source}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// systemd's socket.
    #[error("nobody listens at `{}` ({source}): `systemctl start crontabber-warden.socket`", path.display())]
    Unmanaged {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another program, or another user's.
    #[error("what answers at `{}` is no warden of ours: {detail}; stop that program, or remove the socket", path.display())]
    Foreign {
        /// Where.
        path: PathBuf,
        /// Why we think so.
        detail: String,
    },
    /// Something that is no socket.
    #[error("`{}` is in the place of the warden's socket: move it away", .0.display())]
    InTheWay(PathBuf),
    /// It does not answer.
    #[error("what listens at `{}` has not answered for {} seconds: if it is another program, stop it; if it is the warden, its log is `{}`", path.display(), ANSWER.as_secs(), log.display())]
    Silent {
        /// Where.
        path: PathBuf,
        /// What it says of itself.
        log: PathBuf,
    },
    /// It ended at once.
    #[error("the warden that was started ended at once: {0}")]
    Ended(String),
    /// The kernel.
    #[error("no warden can be started: {0}")]
    Kernel(io::Error),
}

/// A connection whose warden has said what it knows.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) stream: UnixStream,
    frames: Frames,
    /// How long a message may take to come.
    patience: Option<Duration>,
    pub(super) version: String,
    pub(super) pid: i32,
    pub(super) listed: Vec<Reply>,
}

/// What came of a try.
enum Try {
    Connected(Link),
    /// Nobody is there.
    Nobody(io::Error),
    /// Somebody was, and left.
    Left,
}

/// Finds the warden, or starts one. One of another version makes room, if nothing runs.
pub(super) fn connect(house: &WardenLocation, mark: &str) -> Result<Link, HireError> {
    let unusable = |source| HireError::Folder { path: house.folder.clone(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(&house.folder).map_err(unusable)?;
    belong(&house.folder);
    let since = Instant::now();
    let (mut has_retired, mut started) = (false, None);
    // Since when whoever is there hangs up.
    let mut left: Option<Instant> = None;
    loop {
        let tried = match &house.managed {
            Some(socket) => attempt(socket, house, mark)?,
            None => attempt(&house.folder.join(SOCKET), house, mark)?,
        };
        let late = since.elapsed() > PATIENCE;
        match (tried, &house.managed) {
            (Try::Connected(link), managed) => {
                let other = link.version != env!("CARGO_PKG_VERSION");
                let idle = !link.listed.iter().any(|reply| matches!(reply, Reply::Running(_)));
                if other && idle && !has_retired {
                    has_retired = true;
                    retire(link);
                    continue;
                }
                if let Some(socket) = managed {
                    point_at(socket, house);
                }
                return Ok(link);
            }
            (Try::Nobody(source), Some(path)) if late || source.kind() != ErrorKind::ConnectionRefused => {
                return Err(HireError::Unmanaged { path: path.clone(), source });
            }
            (Try::Nobody(_), None) if !late => {
                left = None;
                started = start(house)?.or(started);
            }
            // A warden that leaves is gone in a moment.
            (Try::Left, managed) if left.get_or_insert_with(Instant::now).elapsed() > ANSWER => {
                let path = managed.clone().unwrap_or_else(|| house.folder.join(SOCKET));
                return Err(HireError::Foreign { path, detail: "it hangs up without an answer".to_owned() });
            }
            _ if late => return Err(HireError::Ended(last_words(house))),
            _ => {}
        }
        if started.as_ref().and_then(|end| end.try_recv().ok()).is_some_and(|status| !status.success()) {
            return Err(HireError::Ended(last_words(house)));
        }
        thread::sleep(PAUSE);
    }
}

/// Leaves a sign in our folder to a socket that systemd keeps, for those who are not told of it.
fn point_at(socket: &Path, house: &WardenLocation) {
    let sign = house.folder.join(SOCKET);
    if fs::read_link(&sign).is_ok_and(|target| target == socket) {
        return;
    }
    let new = house.folder.join("socket.new");
    _ = fs::remove_file(&new);
    // Without it only an operator's own commands, while no daemon runs, start a warden beside.
    _ = symlink(socket, &new).and_then(|()| fs::rename(&new, &sign));
}

/// Asks at a socket who is there.
fn attempt(socket: &Path, house: &WardenLocation, mark: &str) -> Result<Try, HireError> {
    let since = Instant::now();
    let silent = || HireError::Silent { path: socket.to_owned(), log: house.folder.join(LOG) };
    let stream = match connect_to(socket) {
        Ok(stream) => stream,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(silent()),
        Err(error) => return Ok(Try::Nobody(error)),
    };
    let foreign = |detail: String| HireError::Foreign { path: socket.to_owned(), detail };
    let peer = socket_peercred(&stream).map_err(|error| HireError::Kernel(error.into()))?.uid;
    let us = rustix::process::geteuid();
    if !(peer == us || peer.is_root() || us.is_root()) {
        return Err(foreign(format!("it belongs to user {}", peer.as_raw())));
    }
    let hello = Hello { protocol: PROTOCOL, version: env!("CARGO_PKG_VERSION").to_owned(), ledger: mark.to_owned() };
    let mut buffer = Vec::new();
    put(&Request::Hello(hello), &mut buffer).map_err(|error| foreign(error.to_string()))?;
    stream.set_read_timeout(Some(ANSWER)).map_err(HireError::Kernel)?;
    let (frames, patience) = (Frames::default(), Some(ANSWER));
    let mut link = Link { stream, frames, patience, version: String::new(), pid: 0, listed: Vec::new() };
    if link.stream.write_all(&buffer).is_err() {
        return Ok(Try::Left);
    }
    loop {
        match link.next() {
            Ok(Reply::Welcome(welcome)) => (link.version, link.pid) = (welcome.version, welcome.pid),
            Ok(Reply::Refused(reason)) => return Err(foreign(reason)),
            Ok(_) if link.pid == 0 => return Err(foreign("it does not say who it is".to_owned())),
            Ok(Reply::Listed) => {
                link.stream.set_read_timeout(None).map_err(HireError::Kernel)?;
                link.patience = None;
                return Ok(Try::Connected(link));
            }
            Ok(_) if since.elapsed() > PATIENCE => return Err(silent()),
            Ok(reply) => link.listed.push(reply),
            Err(Broken::Protocol(error)) => return Err(foreign(error.to_string())),
            Err(Broken::Silent) => return Err(silent()),
            Err(Broken::Over) => return Ok(Try::Left),
        }
    }
}

/// Connects by way of the folder's descriptor: the path of a socket may be no longer than 107 bytes. Would block where
/// nobody takes connections.
fn connect_to(socket: &Path) -> io::Result<UnixStream> {
    let (folder, name) = (socket.parent().unwrap_or(Path::new("/")), socket.file_name().unwrap_or_default());
    let folder = File::open(folder)?;
    let address = SocketAddrUnix::new(format!("/proc/self/fd/{}/{}", folder.as_raw_fd(), name.display()))?;
    let stream = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&stream, Timeout::Send, Some(ANSWER))?;
    net::connect(&stream, &address)?;
    Ok(UnixStream::from(stream))
}

/// Has a warden make room, and waits until it has.
fn retire(mut link: Link) {
    let mut buffer = Vec::new();
    _ = link.stream.set_read_timeout(Some(ANSWER));
    if put(&Request::Retire, &mut buffer).is_ok() && link.stream.write_all(&buffer).is_ok() {
        while link.next().is_ok() {}
    }
}

/// Starts a warden, unless somebody else just did; gives what tells of its end.
fn start(house: &WardenLocation) -> Result<Option<Receiver<ExitStatus>>, HireError> {
    let unusable = |source| HireError::Folder { path: house.folder.clone(), source };
    let folder = &house.folder;
    let mut options = OpenOptions::new();
    let lock =
        options.write(true).create(true).truncate(false).mode(0o600).open(folder.join(LOCK)).map_err(unusable)?;
    flock(&lock, FlockOperation::LockExclusive).map_err(|error| unusable(error.into()))?;
    let socket = folder.join(SOCKET);
    match connect_to(&socket) {
        // Somebody else did.
        Ok(_) => return Ok(None),
        // Ours all the same: seen when it is tried again.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let ours = fs::Permissions::from_mode(0o600);
            return fs::set_permissions(&socket, ours).map(|()| None).map_err(|_| unusable(error));
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
        Err(_) => {}
    }
    let found = fs::symlink_metadata(&socket).map(|found| found.file_type());
    if found.is_ok_and(|found| !found.is_socket() && !found.is_symlink()) {
        return Err(HireError::InTheWay(socket));
    }
    match fs::remove_file(&socket) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(unusable(error)),
        _ => {}
    }
    let place = File::open(folder).map_err(unusable)?;
    let listener = UnixListener::bind(format!("/proc/self/fd/{}/{SOCKET}", place.as_raw_fd())).map_err(unusable)?;
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).map_err(unusable)?;
    belong(&socket);
    let log_path = folder.join(LOG);
    let long = fs::metadata(&log_path).is_ok_and(|metadata| metadata.len() > LOG_LIMIT);
    let mut how = OpenOptions::new();
    how.create(true).mode(0o600).append(!long).write(long).truncate(long);
    let stderr = how.open(&log_path).map_err(unusable)?;
    belong(&log_path);
    belong(&folder.join(LOCK));
    let mut command = Command::new(&house.program);
    command.arg0("crontabber").arg("warden").arg("--folder").arg(folder);
    command.stdin(OwnedFd::from(listener)).stdout(Stdio::null()).stderr(stderr);
    for name in NOT_FOR_WARDENS {
        command.env_remove(name);
    }
    let mut child = command.spawn().map_err(HireError::Kernel)?;
    // It outlives us, or else is not to be left a zombie.
    let wait = thread::Builder::new().name("warden-end".to_owned());
    let (sender, end) = channel();
    // Nobody may care any more.
    wait.spawn(move || _ = child.wait().map(|status| sender.send(status))).map_err(HireError::Kernel)?;
    Ok(Some(end))
}

/// What a warden said last.
fn last_words(house: &WardenLocation) -> String {
    let mut text = String::new();
    if let Ok(mut log) = File::open(house.folder.join(LOG)) {
        let length = log.metadata().map_or(0, |metadata| metadata.len());
        _ = log.seek(SeekFrom::Start(length.saturating_sub(2000)));
        let mut bytes = Vec::new();
        _ = log.read_to_end(&mut bytes);
        text = String::from_utf8_lossy(&bytes).into_owned();
    }
    let free = statvfs(&house.folder).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    if free < ROOM {
        return format!("the disk of `{}` has {free} bytes free, and it needs {ROOM}", house.folder.display());
    }
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing").trim().to_owned()
}

/// Why nothing more is read.
pub(super) enum Broken {
    /// The other side is gone.
    Over,
    /// It says nothing.
    Silent,
    /// It says what no warden says.
    Protocol(ProtocolError),
}

impl Link {
    /// Takes the next message, if it has come.
    pub(super) fn take_now(&mut self) -> Result<Option<Reply>, Broken> {
        let mut buffer = [0; 16 * 1024];
        loop {
            if let Some(reply) = self.frames.take().map_err(Broken::Protocol)? {
                return Ok(Some(reply));
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(Broken::Over),
                Ok(count) => self.frames.add(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(_) => return Err(Broken::Over),
            }
        }
    }

    /// Waits for the next message.
    pub(super) fn next(&mut self) -> Result<Reply, Broken> {
        let mut buffer = [0; 16 * 1024];
        let since = Instant::now();
        loop {
            if let Some(reply) = self.frames.take().map_err(Broken::Protocol)? {
                return Ok(reply);
            }
            if self.patience.is_some_and(|patience| since.elapsed() > patience) {
                return Err(Broken::Silent);
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(Broken::Over),
                Ok(count) => self.frames.add(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Err(Broken::Silent);
                }
                Err(_) => return Err(Broken::Over),
            }
        }
    }
}
