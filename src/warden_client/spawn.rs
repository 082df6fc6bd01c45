//! Starts a warden: binds its socket, and runs this binary with the socket as its input.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rustix::fd::OwnedFd;
use rustix::fs::{FlockOperation, flock, statvfs};

use super::location::{ConnectError, LOG, SOCKET, WardenLocation, open_stream};
use crate::warden::journal::inherit_owner;

/// The log is truncated when it is longer than this, in bytes.
const LOG_LIMIT: u64 = 1024 * 1024;
/// The free space that a warden needs for its journal and its log, in bytes.
const MIN_FREE: u64 = 300 * 1024;
/// The file that is locked while a client starts a warden.
const LOCK: &str = "start.lock";
/// Variables that systemd sets for the daemon alone.
const NOT_FOR_WARDENS: [&str; 7] =
    ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "MAINPID"];

/// Starts a warden, unless another client has just done so. Returns where its exit status arrives.
pub(super) fn start(location: &WardenLocation) -> Result<Option<Receiver<ExitStatus>>, ConnectError> {
    let folder = &location.folder;
    let unusable = |source| ConnectError::Folder { path: folder.clone(), source };
    let lock_path = folder.join(LOCK);
    let mut options = OpenOptions::new();
    let lock = options.write(true).create(true).truncate(false).mode(0o600).open(&lock_path).map_err(unusable)?;
    flock(&lock, FlockOperation::LockExclusive).map_err(|error| unusable(error.into()))?;
    inherit_owner(&lock_path);
    let Some(listener) = bind(location)? else { return Ok(None) };
    let log_path = folder.join(LOG);
    let is_long = fs::metadata(&log_path).is_ok_and(|metadata| metadata.len() > LOG_LIMIT);
    let mut options = OpenOptions::new();
    options.create(true).mode(0o600).append(!is_long).write(is_long).truncate(is_long);
    let stderr = options.open(&log_path).map_err(unusable)?;
    inherit_owner(&log_path);
    let mut command = Command::new(&location.program);
    command.arg0("crontabber").arg("warden").arg("--folder").arg(folder);
    command.stdin(OwnedFd::from(listener)).stdout(Stdio::null()).stderr(stderr);
    for name in NOT_FOR_WARDENS {
        command.env_remove(name);
    }
    let mut child = command.spawn().map_err(ConnectError::Kernel)?;
    let (sender, exit) = channel();
    // Reaps the warden if it exits before us; the receiver may be gone then.
    let wait = move || _ = child.wait().map(|status| sender.send(status));
    thread::Builder::new().name("warden-end".to_owned()).spawn(wait).map_err(ConnectError::Kernel)?;
    Ok(Some(exit))
}

/// Binds the socket of a warden that is gone; `None` if there is one to connect to.
fn bind(location: &WardenLocation) -> Result<Option<UnixListener>, ConnectError> {
    let unusable = |source| ConnectError::Folder { path: location.folder.clone(), source };
    let socket = location.socket();
    match open_stream(&socket) {
        Ok(_) => return Ok(None),
        // Its mode was changed.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let private = fs::Permissions::from_mode(0o600);
            return fs::set_permissions(&socket, private).map(|()| None).map_err(|_| unusable(error));
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
        Err(_) => {}
    }
    let file_type = fs::symlink_metadata(&socket).map(|metadata| metadata.file_type());
    if file_type.is_ok_and(|file_type| !file_type.is_socket() && !file_type.is_symlink()) {
        return Err(ConnectError::NotASocket(socket));
    }
    match fs::remove_file(&socket) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(unusable(error)),
        _ => {}
    }
    let folder = File::open(&location.folder).map_err(unusable)?;
    let short_path = format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd());
    let listener = UnixListener::bind(Path::new(&short_path)).map_err(unusable)?;
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).map_err(unusable)?;
    inherit_owner(&socket);
    Ok(Some(listener))
}

/// The last line of the warden's log, or why it could not write one.
pub(super) fn last_log_line(location: &WardenLocation) -> String {
    let free = statvfs(&location.folder).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    if free < MIN_FREE {
        return format!("the disk of `{}` has {free} bytes free, and it needs {MIN_FREE}", location.folder.display());
    }
    let mut bytes = Vec::new();
    if let Ok(mut log) = File::open(location.folder.join(LOG)) {
        let length = log.metadata().map_or(0, |metadata| metadata.len());
        _ = log.seek(SeekFrom::Start(length.saturating_sub(2000)));
        _ = log.read_to_end(&mut bytes);
    }
    let text = String::from_utf8_lossy(&bytes);
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("its log is empty").trim().to_owned()
}
