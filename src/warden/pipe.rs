//! Reads the output of attempts from pipes that do not block.

use rustix::fd::OwnedFd;
use rustix::io::Errno;

use super::output::Output;

/// The result of one read of a pipe.
pub(super) enum PipeRead {
    Bytes(usize),
    Empty,
    Closed,
}

pub(super) fn read_pipe(pipe: &OwnedFd, buffer: &mut [u8]) -> PipeRead {
    match rustix::io::read(pipe, buffer) {
        Ok(0) => PipeRead::Closed,
        Ok(count) => PipeRead::Bytes(count),
        Err(Errno::AGAIN | Errno::INTR) => PipeRead::Empty,
        Err(_) => PipeRead::Closed,
    }
}

/// Reads what is in a pipe, and at most one byte more: another process may go on printing. Closes a pipe that no process has
/// open.
pub(super) fn drain(open: &mut Option<OwnedFd>, output: &mut Output, buffer: &mut [u8]) {
    let Some(pipe) = &*open else { return };
    let mut rest = rustix::io::ioctl_fionread(pipe).ok().and_then(|rest| usize::try_from(rest).ok()).unwrap_or(0);
    loop {
        let room = rest.min(buffer.len()).max(1);
        match read_pipe(pipe, buffer.get_mut(..room).unwrap_or_default()) {
            PipeRead::Bytes(count) => {
                output.write(buffer.get(..count).unwrap_or_default());
                if rest == 0 {
                    return;
                }
                rest = rest.saturating_sub(count);
            }
            PipeRead::Empty => return,
            PipeRead::Closed => {
                *open = None;
                return;
            }
        }
    }
}
