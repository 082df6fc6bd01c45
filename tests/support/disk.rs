//! A small disk that a test fills.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lab::not_run;

/// A mounted disk, unmounted at the end of its test.
pub(crate) struct Disk(PathBuf);

impl Disk {
    /// A disk of so many kilobytes; `None`, with a message, where a mount is not allowed.
    pub(crate) fn mount(folder: &Path, kilobytes: u32) -> Option<Self> {
        fs::create_dir_all(folder).expect("a folder");
        let size = format!("size={kilobytes}k");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(folder).status();
        if mount.is_ok_and(|status| status.success()) {
            return Some(Self(folder.to_owned()));
        }
        not_run("to mount a small file system");
        None
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Fills the disk but for so many blocks of 4096 bytes.
    pub(crate) fn fill_but(&self, blocks: usize) {
        fs::write(self.path("rest"), vec![7; blocks * 4096]).expect("room");
        let filler = format!("of={}", self.path("filler").display());
        _ = Command::new("dd").args(["if=/dev/zero", "bs=4k"]).arg(filler).output();
        fs::remove_file(self.path("rest")).expect("it is there");
    }

    /// Removes what fills the disk.
    pub(crate) fn free(&self) {
        fs::remove_file(self.path("filler")).expect("it was filled");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
