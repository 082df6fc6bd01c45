//! Whether a program may be on a network file system, so that its start may block.

use std::fs::File;
use std::io::{Read, Seek};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;

/// File systems whose answers come from another machine or process.
const MAY_BLOCK: [&str; 14] = [
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

/// The mounts of this machine, as far as they matter here.
#[derive(Debug)]
pub(super) struct Mounts {
    table: Option<File>,
    may_block: bool,
}

impl Mounts {
    /// Reads the mounts; the epoll reports a change under `token`.
    pub(super) fn new(epoll: &OwnedFd, token: u64) -> Self {
        let mut mounts = Self { table: File::open("/proc/self/mountinfo").ok(), may_block: true };
        if let Some(table) = &mounts.table {
            // If this fails, later mounts are not noticed.
            let _ = epoll::add(epoll, table, EventData::new_u64(token), EventFlags::PRI | EventFlags::ET);
        }
        mounts.refresh();
        mounts
    }

    /// Reads the mounts again.
    pub(super) fn refresh(&mut self) {
        let mut text = Vec::new();
        let read = self.table.as_mut().map(|table| table.rewind().and_then(|()| table.read_to_end(&mut text)));
        let text = String::from_utf8_lossy(&text);
        self.may_block = !matches!(read, Some(Ok(_))) || text.lines().any(is_remote);
    }

    pub(super) fn may_block(&self) -> bool {
        self.may_block
    }
}

/// Whether a line of mountinfo, see proc(5), is a file system that may block.
fn is_remote(line: &str) -> bool {
    let Some((before, after)) = line.split_once(" - ") else { return false };
    let mount_point = before.split(' ').nth(4).unwrap_or_default();
    let kind = after.split(' ').next().unwrap_or_default();
    match kind.split_once('.') {
        // They hold no programs: a copy of /proc for containers, and two of desktops.
        Some(("fuse", "lxcfs" | "portal" | "gvfsd-fuse")) => false,
        Some((kind, _)) => MAY_BLOCK.contains(&kind),
        // An automount point; systemd has one for a file system of the kernel.
        None if kind == "autofs" => !mount_point.starts_with("/proc/"),
        None => MAY_BLOCK.contains(&kind),
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
