//! Finds the warden, and has one started if there is none.
//!
//! A warden listens at a socket in its folder, or at one that systemd holds. A warden that is about to exit serves no
//! request: its client connects again, and finds no warden or the next one.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::sockopt::socket_peercred;

use super::connection::{Connection, ReadError};
use super::location::{ConnectError, LOG, REPLY_TIMEOUT, WardenLocation, open_stream};
use super::spawn;
use crate::warden::journal::inherit_owner;
use crate::warden::protocol::{Hello, PROTOCOL, Reply, Request, bytes, encode_frame};

/// The longest wait for a warden to start or to exit, and for the list of its attempts.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Between two attempts to connect.
const RETRY: Duration = Duration::from_millis(10);

/// The result of one attempt to connect.
enum Tried {
    Connected(Connection),
    /// Nothing listens.
    Refused(io::Error),
    /// The other side closed the connection.
    Closed,
}

/// The frame of our hello.
pub(super) fn hello(ledger: &str, inherited: &[(OsString, OsString)]) -> Result<Vec<u8>, ConnectError> {
    let (version, ledger) = (env!("CARGO_PKG_VERSION").to_owned(), ledger.to_owned());
    let inherited = inherited.iter().map(|(name, value)| (bytes(name), bytes(value))).collect();
    let mut frame = Vec::new();
    encode_frame(&Request::Hello(Hello { protocol: PROTOCOL, version, ledger, inherited }), &mut frame)
        .map_err(ConnectError::Environment)?;
    Ok(frame)
}

/// Finds the warden or starts one. A warden of another version is asked to exit first, if nothing runs.
pub(super) fn connect(location: &WardenLocation, hello: &[u8]) -> Result<Connection, ConnectError> {
    let unusable = |source| ConnectError::Folder { path: location.folder.clone(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(&location.folder).map_err(unusable)?;
    inherit_owner(&location.folder);
    let since = Instant::now();
    let (mut has_retired, mut started) = (false, None);
    let mut closed_since: Option<Instant> = None;
    loop {
        let socket = location.managed.clone().unwrap_or_else(|| location.socket());
        let tried = try_connect(&socket, location, hello)?;
        let is_late = since.elapsed() > CONNECT_TIMEOUT;
        match (tried, &location.managed) {
            (Tried::Connected(connection), managed) => {
                let is_other_version = connection.version != env!("CARGO_PKG_VERSION");
                let is_idle = !connection.listed.iter().any(|reply| matches!(reply, Reply::Running(_)));
                if is_other_version && is_idle && !has_retired {
                    has_retired = true;
                    retire(connection);
                    continue;
                }
                if let Some(socket) = managed {
                    link_socket(socket, location);
                }
                return Ok(connection);
            }
            (Tried::Refused(source), Some(path)) if is_late || source.kind() != ErrorKind::ConnectionRefused => {
                return Err(ConnectError::Unmanaged { path: path.clone(), source });
            }
            (Tried::Refused(_), None) if !is_late => {
                closed_since = None;
                started = spawn::start(location)?.or(started);
            }
            // A warden that exits is gone sooner.
            (Tried::Closed, _) if closed_since.get_or_insert_with(Instant::now).elapsed() > REPLY_TIMEOUT => {
                let detail = "it closes the connection without a reply".to_owned();
                return Err(ConnectError::Foreign { path: socket, detail });
            }
            _ if is_late => return Err(ConnectError::Exited(spawn::last_log_line(location))),
            _ => {}
        }
        if started.as_ref().and_then(|exit| exit.try_recv().ok()).is_some_and(|status| !status.success()) {
            return Err(ConnectError::Exited(spawn::last_log_line(location)));
        }
        thread::sleep(RETRY);
    }
}

/// Symlinks the socket that systemd holds into our folder, for commands that are run outside the unit.
fn link_socket(socket: &Path, location: &WardenLocation) {
    let link = location.socket();
    if fs::read_link(&link).is_ok_and(|target| target == socket) {
        return;
    }
    let new = location.folder.join("socket.new");
    _ = fs::remove_file(&new);
    // Without the link, such a command starts a warden of its own, which matters only while no daemon runs.
    _ = symlink(socket, &new).and_then(|()| fs::rename(&new, &link));
}

fn try_connect(socket: &Path, location: &WardenLocation, hello: &[u8]) -> Result<Tried, ConnectError> {
    let since = Instant::now();
    let silent = || ConnectError::Silent { path: socket.to_owned(), log: location.folder.join(LOG) };
    let stream = match open_stream(socket) {
        Ok(stream) => stream,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(silent()),
        Err(error) => return Ok(Tried::Refused(error)),
    };
    let foreign = |detail: String| ConnectError::Foreign { path: socket.to_owned(), detail };
    let peer = socket_peercred(&stream).map_err(|error| ConnectError::Kernel(error.into()))?.uid;
    let us = rustix::process::geteuid();
    if !(peer == us || peer.is_root() || us.is_root()) {
        return Err(foreign(format!("it belongs to user {}", peer.as_raw())));
    }
    stream.set_read_timeout(Some(REPLY_TIMEOUT)).map_err(ConnectError::Kernel)?;
    let mut connection = Connection::new(stream);
    if connection.stream.write_all(hello).is_err() {
        return Ok(Tried::Closed);
    }
    loop {
        match connection.next(REPLY_TIMEOUT) {
            Ok(Reply::Welcome(welcome)) => (connection.version, connection.pid) = (welcome.version, welcome.pid),
            Ok(Reply::Refused(reason)) => return Err(foreign(reason)),
            Ok(_) if connection.pid == 0 => return Err(foreign("its first reply is not a welcome".to_owned())),
            Ok(Reply::Listed) => {
                connection.stream.set_read_timeout(None).map_err(ConnectError::Kernel)?;
                return Ok(Tried::Connected(connection));
            }
            Ok(_) if since.elapsed() > CONNECT_TIMEOUT => return Err(silent()),
            Ok(reply) => connection.listed.push(reply),
            Err(ReadError::Protocol(error)) => return Err(foreign(error.to_string())),
            Err(ReadError::TimedOut) => return Err(silent()),
            Err(ReadError::Closed) => return Ok(Tried::Closed),
        }
    }
}

/// Asks a warden to exit, and waits until it has.
fn retire(mut connection: Connection) {
    _ = connection.stream.set_read_timeout(Some(REPLY_TIMEOUT));
    let mut frame = Vec::new();
    if encode_frame(&Request::Retire, &mut frame).is_ok() && connection.stream.write_all(&frame).is_ok() {
        while connection.next(REPLY_TIMEOUT).is_ok() {}
    }
}
