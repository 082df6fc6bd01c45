//! Whether a program could be on a file server, so that to start it could take for ever.

use std::fs::File;
use std::io::{Read, Seek};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;

/// The kinds of file systems that another machine, or another process, must answer for.
const REMOTE: [&str; 14] = [
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "fuse",
    "gfs2",
    "glusterfs",
    "lustre",
    "nfs",
    "nfs4",
    "smb3",
    "smbfs",
];

/// What is mounted here, as far as it matters.
#[derive(Debug)]
pub(super) struct Mounts {
    table: Option<File>,
    remote: bool,
}

impl Mounts {
    /// Reads what is mounted; `token` comes from the epoll when that changes.
    pub(super) fn new(epoll: &OwnedFd, token: u64) -> Self {
        let mut mounts = Self { table: File::open("/proc/self/mountinfo").ok(), remote: true };
        if let Some(table) = &mounts.table {
            // Where that is refused, what is mounted later is not noticed.
            let _ = epoll::add(epoll, table, EventData::new_u64(token), EventFlags::PRI | EventFlags::ET);
        }
        mounts.refresh();
        mounts
    }

    /// Reads it again.
    pub(super) fn refresh(&mut self) {
        let mut text = Vec::new();
        let read = self.table.as_mut().map(|table| table.rewind().and_then(|()| table.read_to_end(&mut text)));
        let text = String::from_utf8_lossy(&text);
        self.remote = !matches!(read, Some(Ok(_))) || text.lines().any(is_remote);
    }

    /// Says whether anything here is on a file server.
    pub(super) fn remote(&self) -> bool {
        self.remote
    }
}

/// Reads one line of proc(5)'s mountinfo.
fn is_remote(line: &str) -> bool {
    let Some((before, after)) = line.split_once(" - ") else { return false };
    let place = before.split(' ').nth(4).unwrap_or_default();
    let kind = after.split(' ').next().unwrap_or_default();
    match kind.split_once('.') {
        // A mirror of /proc for containers, and a desktop's: no programs are there.
        Some(("fuse", "lxcfs" | "portal" | "gvfsd-fuse")) => false,
        Some((kind, _)) => REMOTE.contains(&kind),
        // What is mounted when somebody looks; systemd has one for the kernel's own tables.
        None if kind == "autofs" => !place.starts_with("/proc/"),
        None => REMOTE.contains(&kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_servers_are_known_by_their_kind() {
        for (line, remote) in [
            ("36 35 98:0 / / rw,noatime master:1 - ext4 /dev/root rw", false),
            ("37 35 0:33 / /mnt rw - nfs4 server:/export rw", true),
            ("38 35 0:34 / /mnt rw shared:7 - fuse.sshfs user@host: rw", true),
            ("39 35 0:35 / /var/lib/lxcfs rw - fuse.lxcfs lxcfs rw", false),
            ("40 35 0:36 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw", false),
            ("41 35 0:37 / /net rw - autofs auto.net rw", true),
            ("nonsense", false),
        ] {
            assert_eq!(is_remote(line), remote, "{line}");
        }
    }
}
