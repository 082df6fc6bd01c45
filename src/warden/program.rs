//! Finds the program of a job, and explains why one could not be started.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;

/// Where a program is searched when its environment has no `PATH`, as execvp(3) does.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// The exit status that shells give for a command that was not found.
pub(super) const NOT_FOUND: u8 = 127;
/// The exit status that shells give for a command that cannot be executed.
const NOT_EXECUTABLE: u8 = 126;
/// The exit status that `env` gives when the fault is not the command's.
pub(super) const NOT_STARTED: u8 = 125;

/// Why an attempt has no process: an exit status, and the reason in words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StartFailure {
    pub(super) code: u8,
    pub(super) detail: String,
}

/// A program with its arguments, its working directory and its `PATH`.
#[derive(Debug)]
pub(super) struct Program<'a> {
    pub(super) name: &'a OsStr,
    pub(super) arguments: Vec<&'a OsStr>,
    pub(super) directory: Option<&'a Path>,
    pub(super) path: Option<&'a OsStr>,
}

impl Program<'_> {
    /// Finds the program, in its `PATH` if it has no slash.
    pub(super) fn locate(&self) -> Result<PathBuf, StartFailure> {
        let name = self.name;
        if name.as_bytes().contains(&b'/') {
            return Ok(PathBuf::from(name));
        }
        let shown = name.display();
        if name.is_empty() {
            return Err(StartFailure { code: NOT_FOUND, detail: "the name of the command is empty".to_owned() });
        }
        let path = self.path.unwrap_or(OsStr::new(DEFAULT_PATH));
        let mut not_executable = None;
        for folder in std::env::split_paths(path) {
            // An empty entry means the working directory; `Command` needs a slash in either case.
            let candidate = if folder.as_os_str().is_empty() { Path::new(".").join(name) } else { folder.join(name) };
            let resolved = self.resolve(&candidate);
            if !fs::metadata(&resolved).is_ok_and(|metadata| metadata.is_file()) {
                continue;
            }
            if may_execute(&resolved) {
                return Ok(candidate);
            }
            not_executable.get_or_insert(candidate);
        }
        Err(match not_executable {
            Some(found) => StartFailure {
                code: NOT_EXECUTABLE,
                detail: format!("command `{shown}` is not executable: `{}` is the only one in PATH", found.display()),
            },
            None => StartFailure {
                code: NOT_FOUND,
                detail: format!("command `{shown}` not found in PATH `{}`", path.display()),
            },
        })
    }

    /// The path of a program as seen from the warden's working directory.
    fn resolve(&self, path: &Path) -> PathBuf {
        self.directory.map_or_else(|| path.to_owned(), |folder| folder.join(path))
    }

    /// Explains why the program could not be started. The kernel has one error for many faults, so this looks at the files.
    pub(super) fn explain(&self, error: &io::Error, program: &Path) -> StartFailure {
        let shown = self.name.display();
        let failure = |code, detail| StartFailure { code, detail };
        if let Some(folder) = self.directory {
            let reason = match fs::metadata(folder) {
                Err(error) => Some(error.to_string()),
                Ok(metadata) if !metadata.is_dir() => Some("not a directory".to_owned()),
                Ok(_) if !may_execute(folder) => Some("permission denied".to_owned()),
                Ok(_) => None,
            };
            if let Some(reason) = reason {
                return failure(
                    NOT_STARTED,
                    format!("working directory `{}` cannot be entered: {reason}", folder.display()),
                );
            }
        }
        let resolved = self.resolve(program);
        match Errno::from_io_error(error) {
            Some(Errno::NOENT | Errno::NOTDIR) => match (resolved.exists(), interpreter(&resolved)) {
                (true, Some(interpreter)) => failure(
                    NOT_EXECUTABLE,
                    format!("command `{shown}` cannot be executed: its interpreter `{interpreter}` is missing"),
                ),
                (true, None) => failure(
                    NOT_EXECUTABLE,
                    format!("command `{shown}` cannot be executed: the loader it needs is missing"),
                ),
                (false, _) => failure(NOT_FOUND, format!("command `{shown}` not found")),
            },
            Some(Errno::ACCESS | Errno::ISDIR | Errno::PERM) => {
                let reason = if resolved.is_dir() { "it is a directory".to_owned() } else { error.to_string() };
                failure(NOT_EXECUTABLE, format!("command `{shown}` is not executable: {reason}"))
            }
            Some(Errno::NOEXEC) => failure(
                NOT_EXECUTABLE,
                format!(
                    "command `{shown}` cannot be executed: it is neither a program of this machine nor begins with `#!`"
                ),
            ),
            Some(Errno::TXTBSY | Errno::TOOBIG | Errno::LOOP | Errno::NAMETOOLONG) => {
                failure(NOT_EXECUTABLE, format!("command `{shown}` cannot be executed: {error}"))
            }
            _ => failure(NOT_STARTED, format!("command `{shown}` could not be started: {error}")),
        }
    }
}

fn may_execute(path: &Path) -> bool {
    accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

/// The interpreter that a script names.
fn interpreter(script: &Path) -> Option<String> {
    let mut line = Vec::new();
    BufReader::new(File::open(script).ok()?.take(256)).read_until(b'\n', &mut line).ok()?;
    let text = String::from_utf8_lossy(line.strip_prefix(b"#!")?).into_owned();
    text.split_whitespace().next().map(str::to_owned)
}
