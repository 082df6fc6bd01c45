//! Where the warden is, and why it cannot be reached.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::warden::protocol::ProtocolError;

/// The name of the socket in the folder.
pub(super) const SOCKET: &str = "socket";
/// The log of the warden itself, in the folder.
pub(super) const LOG: &str = "warden.log";
/// The longest wait for a reply.
pub(super) const REPLY_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the warden of a ledger is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WardenLocation {
    /// The folder of its journal, and of its socket unless systemd holds that.
    pub folder: PathBuf,
    /// The socket that systemd holds, if it does: then systemd starts the warden.
    pub managed: Option<PathBuf>,
    /// The program to start as a warden.
    pub program: PathBuf,
}

impl WardenLocation {
    /// A folder where we start the warden ourselves. The program is the one that runs now, even if its file has been
    /// replaced since.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, managed: None, program: PathBuf::from("/proc/self/exe") }
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.folder.join(SOCKET)
    }
}

/// Why no warden can be reached.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum ConnectError {
    #[error("the warden's folder `{}` cannot be used: {source}", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("nothing listens at `{}` ({source}): `systemctl start crontabber-warden.socket`", path.display())]
    Unmanaged { path: PathBuf, source: io::Error },
    /// Another program, or a warden of another user.
    #[error("`{}` is not the socket of our warden: {detail}; stop the program that listens there, or remove the socket", path.display())]
    Foreign { path: PathBuf, detail: String },
    #[error("`{}` is where the warden's socket must be: move it away", .0.display())]
    NotASocket(PathBuf),
    #[error("what listens at `{}` has not answered for {} seconds: if it is another program, stop it; if it is the warden, its log is `{}`", path.display(), REPLY_TIMEOUT.as_secs(), log.display())]
    Silent { path: PathBuf, log: PathBuf },
    #[error("the environment of the daemon cannot be sent to the warden: {0}")]
    Environment(ProtocolError),
    #[error("the warden exited when it was started: {0}")]
    Exited(String),
    #[error("the warden cannot be started: {0}")]
    Kernel(io::Error),
}

/// Connects through the folder's descriptor, since the path of a socket has at most 107 bytes. Fails with `WouldBlock`
/// if the other side accepts no connections.
pub(super) fn open_stream(socket: &Path) -> io::Result<UnixStream> {
    let (folder, name) = (socket.parent().unwrap_or(Path::new("/")), socket.file_name().unwrap_or_default());
    let folder = File::open(folder)?;
    let address = SocketAddrUnix::new(format!("/proc/self/fd/{}/{}", folder.as_raw_fd(), name.display()))?;
    let stream = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&stream, Timeout::Send, Some(REPLY_TIMEOUT))?;
    net::connect(&stream, &address)?;
    Ok(UnixStream::from(stream))
}
