//! Jobs start with the default action of every signal, whatever the warden was started with.
//!
//! A program inherits the signals that its parent ignores (`nohup`, `&` in a script); those that its parent handles are
//! reset. The standard library resets only SIGPIPE. If SIGCHLD is ignored, the kernel discards the exit status of jobs.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{FORBIDDEN, SIGPIPE};
use tracing::warn;

/// Installs a handler that does nothing for each signal that we ignore.
///
/// # Errors
/// When `/proc` cannot be read.
pub(super) fn prepare() -> io::Result<()> {
    let status = fs::read_to_string("/proc/thread-self/status")?;
    for signal in signals(&status, "SigIgn:") {
        if signal == SIGPIPE || FORBIDDEN.contains(&signal) {
            continue;
        }
        // Refused for the two signals that the C library uses.
        let _ = signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)));
    }
    let blocked: Vec<String> = signals(&status, "SigBlk:").map(|signal| signal.to_string()).collect();
    if !blocked.is_empty() {
        let signals = blocked.join(", ");
        warn!(signals, "crontabber was started with signals blocked, and its jobs inherit that: they may ignore TERM");
    }
    Ok(())
}

/// The signals of a mask in `/proc/PID/status`.
fn signals(status: &str, mask: &str) -> impl Iterator<Item = i32> {
    let bits = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix(mask)?.trim(), 16).ok());
    (1..=64_u32)
        .zip(0..64_u32)
        .filter(move |&(_, bit)| bits.unwrap_or(0) >> bit & 1 == 1)
        .filter_map(|(signal, _)| i32::try_from(signal).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_read_bit_by_bit() {
        let status = "Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t8000000000001001\n";
        assert_eq!(signals(status, "SigIgn:").collect::<Vec<_>>(), [1, 13, 64]);
        assert_eq!(signals(status, "SigBlk:").count(), 0);
        assert_eq!(signals("", "SigBlk:").count(), 0);
    }
}
