//! The floor: a small C program that loops over `posix_spawn`, `waitpid` and one `fdatasync`.
//!
//! It is a process of its own, like the `crontabber once` that it is compared with. A loop in this process would be
//! slower than the floor that others measure: the standard library opens /dev/null three times a start, and formats a
//! line with two writes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::{Outcome, clean_environment, timed};

/// A compiled floor, and the folder it writes to.
pub(crate) struct Floor {
    program: PathBuf,
    folder: PathBuf,
}

impl Floor {
    /// Compiles the floor into a folder.
    pub(crate) fn new(folder: &Path) -> Outcome<Self> {
        let program = folder.join("floor");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/floor.c");
        let status = Command::new("cc").arg("-O2").arg("-o").arg(&program).arg(source).status()?;
        if !status.success() {
            return Err(format!("cc: {status}").into());
        }
        Ok(Self { program, folder: folder.to_owned() })
    }

    /// Starts `/bin/true` `starts` times, `parallel` at once; returns the seconds that it took.
    pub(crate) fn seconds(&self, starts: usize, parallel: usize) -> Outcome<f64> {
        timed(|| {
            let share = |index| starts / parallel + usize::from(index < starts % parallel);
            let loops: Vec<Child> =
                (0..parallel).map(|index| self.start(index, share(index))).collect::<Outcome<_>>()?;
            for mut one in loops {
                let status = one.wait()?;
                if !status.success() {
                    return Err(format!("floor: {status}").into());
                }
            }
            Ok(())
        })
    }

    fn start(&self, index: usize, starts: usize) -> Outcome<Child> {
        let mut command = Command::new(&self.program);
        clean_environment(&mut command);
        command.arg(starts.to_string()).arg(self.folder.join(format!("floor-{index}.log")));
        Ok(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
    }
}
