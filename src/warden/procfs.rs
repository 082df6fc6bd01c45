//! Processes as `/proc` shows them: identity, liveness, and the members of an attempt or a group.
//!
//! Only reads. A process may exit between two reads.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::thread;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::attempt::ATTEMPT_VARIABLE;
use crate::session::ProcessIdentity;

/// `/proc` counts hundredths of a second (`USER_HZ`), whatever the kernel itself counts.
const MILLISECONDS_PER_TICK: u64 = 10;

/// `PF_KTHREAD` and `PF_EXITING` of the kernel's `sched.h`.
const KERNEL_THREAD: u32 = 0x0020_0000;
const EXITING: u32 = 0x0000_0004;

/// How often, and at which interval, the environment of a process is read again that is starting another program.
const TRIES: u32 = 50;
const BETWEEN_TRIES: Duration = Duration::from_millis(1);

/// The fields of `/proc/PID/stat` that are used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    state: u8,
    parent: i32,
    group: i32,
    session: i32,
    is_kernel: bool,
    is_exiting: bool,
    start_ticks: u64,
}

impl Stat {
    fn read(pid: i32) -> io::Result<Self> {
        // The line has at most some 700 bytes, which one read returns.
        let mut line = [0; 1024];
        let length = File::open(format!("/proc/{pid}/stat"))?.read(&mut line)?;
        line.get(..length)
            .and_then(Self::parse)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("unreadable `/proc/{pid}/stat`")))
    }

    /// Parses fields 3 to 6, 9 and 22 of proc(5). The name in field 2 may contain any byte, so the fields are counted from the
    /// last parenthesis.
    fn parse(text: &[u8]) -> Option<Self> {
        let name_end = text.iter().rposition(|&byte| byte == b')')?;
        let rest = str::from_utf8(text.get(name_end.checked_add(1)?..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next()?.bytes().next()?;
        let parent = fields.next()?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        let session = fields.next()?.parse().ok()?;
        let flags = fields.nth(2)?.parse::<u32>().ok()?;
        let (is_kernel, is_exiting) = (flags & KERNEL_THREAD != 0, flags & EXITING != 0);
        let start_ticks = fields.nth(12)?.parse().ok()?;
        Some(Self { state, parent, group, session, is_kernel, is_exiting, start_ticks })
    }

    fn is_running(&self) -> bool {
        !matches!(self.state, b'Z' | b'X' | b'x')
    }
}

/// The identifier of this boot of the machine.
///
/// # Errors
/// `/proc` cannot be read.
pub fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// The identity of the process that has this number now.
///
/// # Errors
/// There is none, or `/proc` cannot be read.
pub fn process_identity(pid: i32) -> io::Result<ProcessIdentity> {
    identity_in_boot(pid, boot_id()?)
}

/// [`process_identity`] for a caller that has the boot id.
pub(super) fn identity_in_boot(pid: i32, boot_id: String) -> io::Result<ProcessIdentity> {
    Ok(ProcessIdentity { pid, start_ticks: Stat::read(pid)?.start_ticks, boot_id })
}

/// Whether this process still runs: same boot, same number, same start, and not a zombie.
#[must_use]
pub fn is_alive(process: &ProcessIdentity) -> bool {
    boot_id().is_ok_and(|boot| boot == process.boot_id)
        && Stat::read(process.pid).is_ok_and(|stat| stat.start_ticks == process.start_ticks && stat.is_running())
}

/// How long ago this process started, by the clock that counts from boot; absent if it no longer runs, or on another machine.
#[must_use]
pub fn age(process: &ProcessIdentity) -> Option<Duration> {
    let now = clock_gettime(ClockId::Boottime);
    let now = Duration::new(now.tv_sec.try_into().ok()?, now.tv_nsec.try_into().ok()?);
    let started = Duration::from_millis(process.start_ticks.saturating_mul(MILLISECONDS_PER_TICK));
    is_alive(process).then(|| now.saturating_sub(started))
}

/// Finds the living processes of attempts by the names in their environments, in one pass over `/proc`, in the order of
/// `attempts`.
///
/// A job's own children inherit its environment. So only a leader of a process group in a session of another process is
/// considered, and the oldest one of several. Only root can read the environment of another user's process.
#[must_use]
pub fn find_orphans(attempts: &[&str]) -> Vec<Option<ProcessIdentity>> {
    let Ok(boot_id) = boot_id() else { return attempts.iter().map(|_| None).collect() };
    let wanted: HashSet<&[u8]> = attempts.iter().map(|name| name.as_bytes()).collect();
    let mut found: HashMap<Vec<u8>, (u64, i32)> = HashMap::new();
    let processes = processes().take_while(|_| !wanted.is_empty());
    for (pid, stat) in processes {
        if stat.group != pid || stat.session == pid || !stat.is_running() {
            continue;
        }
        let Some(key) = attempt_of(pid).filter(|key| wanted.contains(key.as_slice())) else { continue };
        // The number may have been reused before the environment was read.
        if Stat::read(pid).is_ok_and(|again| again.start_ticks == stat.start_ticks) {
            let oldest = found.entry(key).or_insert((stat.start_ticks, pid));
            *oldest = (*oldest).min((stat.start_ticks, pid));
        }
    }
    let identity = |name: &&str| {
        let &(start_ticks, pid) = found.get(name.as_bytes())?;
        Some(ProcessIdentity { pid, start_ticks, boot_id: boot_id.clone() })
    };
    attempts.iter().map(identity).collect()
}

/// Maps every process group that has a running member to one such member.
pub(super) fn running_groups() -> HashMap<i32, i32> {
    processes().filter(|(_, stat)| stat.is_running()).map(|(pid, stat)| (stat.group, pid)).collect()
}

/// A process that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Member {
    pub(super) pid: i32,
    pub(super) group: i32,
    start_ticks: u64,
}

impl Member {
    /// The process with this number, if it runs.
    pub(super) fn read(pid: i32) -> Option<Self> {
        Self::new(pid, Stat::read(pid).ok()?)
    }

    fn new(pid: i32, stat: Stat) -> Option<Self> {
        stat.is_running().then_some(Self { pid, group: stat.group, start_ticks: stat.start_ticks })
    }

    /// Whether it still has its number.
    pub(super) fn is_alive(self) -> bool {
        Stat::read(self.pid).is_ok_and(|stat| stat.start_ticks == self.start_ticks && stat.is_running())
    }
}

/// The running processes of attempts, by the names in their environments: our descendants, or those that run `everywhere`.
/// The environment of a process can be unreadable for as long as a file server hangs, so fewer are better.
pub(super) fn find_members(attempts: &HashSet<&[u8]>, everywhere: bool) -> HashMap<Vec<u8>, Vec<Member>> {
    let all: Vec<(i32, Stat)> = processes().collect();
    let descendants = if everywhere { HashSet::new() } else { descendants(&all) };
    let candidates = all.into_iter().filter(|(pid, _)| everywhere || descendants.contains(pid));
    let mut found: HashMap<Vec<u8>, Vec<Member>> = HashMap::new();
    for member in candidates.filter_map(|(pid, stat)| Member::new(pid, stat)) {
        if let Some(name) = attempt_of(member.pid).filter(|name| attempts.contains(name.as_slice())) {
            found.entry(name).or_default().push(member);
        }
    }
    found
}

/// Those that descend from us.
fn descendants(processes: &[(i32, Stat)]) -> HashSet<i32> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for (pid, stat) in processes {
        children.entry(stat.parent).or_default().push(*pid);
    }
    let mut found = HashSet::new();
    let mut parents = vec![own_number()];
    while let Some(parent) = parents.pop() {
        // Removed, so that numbers that are reused meanwhile make no circle.
        for child in children.remove(&parent).unwrap_or_default() {
            found.insert(child);
            parents.push(child);
        }
    }
    found
}

/// The name of the program of a process, for an operator.
pub(super) fn process_name(pid: i32) -> String {
    let name = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    String::from_utf8_lossy(&name).trim().replace(char::is_control, "?")
}

/// The children of our one thread.
pub(super) fn children() -> Vec<i32> {
    if let Ok(list) = fs::read_to_string("/proc/thread-self/children") {
        return list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect();
    }
    // A kernel without this file.
    let ours = own_number();
    processes().filter(|(_, stat)| stat.parent == ours).map(|(pid, _)| pid).collect()
}

/// All processes but our own.
fn processes() -> impl Iterator<Item = (i32, Stat)> {
    let ours = own_number();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(move |&pid| pid != ours).filter_map(|pid| Some((pid, Stat::read(pid).ok()?)))
}

fn own_number() -> i32 {
    i32::try_from(std::process::id()).unwrap_or(0)
}

/// The name of the attempt in the environment of a process.
pub(super) fn attempt_of(pid: i32) -> Option<Vec<u8>> {
    let read = || fs::read(format!("/proc/{pid}/environ")).ok();
    let mut environment = read()?;
    for _ in 0..TRIES {
        if !environment.is_empty() {
            break;
        }
        let is_starting = is_starting_program(pid);
        if is_starting {
            // The kernel tells nobody when the program has its environment.
            thread::sleep(BETWEEN_TRIES);
        }
        environment = read()?;
        if !is_starting {
            break;
        }
    }
    let mut variables = environment.split(|&byte| byte == 0);
    variables
        .find_map(|variable| variable.strip_prefix(ATTEMPT_VARIABLE.as_bytes())?.strip_prefix(b"="))
        .map(<[u8]>::to_vec)
}

/// Whether a process is within execve(2): for a moment it has neither arguments nor environment.
fn is_starting_program(pid: i32) -> bool {
    let has_arguments = fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|arguments| !arguments.is_empty());
    !has_arguments && Stat::read(pid).is_ok_and(|stat| stat.is_running() && !stat.is_kernel && !stat.is_exiting)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_name_with_parentheses_spaces_and_invalid_utf8_does_not_shift_the_fields() {
        let text = b"42 (a) R 1 (\xff b) S 1 42 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2 3\n";
        assert_eq!(
            Stat::parse(text),
            Some(Stat {
                state: b'S',
                parent: 1,
                group: 42,
                session: 7,
                is_kernel: false,
                is_exiting: false,
                start_ticks: 987_654
            })
        );
        let kernel = b"42 (kworker/0:1) I 2 0 0 0 -1 69238880 0 0 0 0 0 0 0 0 20 0 1 0 98 0 0\n";
        assert!(Stat::parse(kernel).unwrap().is_kernel);
        assert_eq!(Stat::parse(b""), None);
        assert_eq!(Stat::parse(b"42 (x"), None);
        assert_eq!(Stat::parse(b"42 (x)"), None);
    }

    #[test]
    fn a_process_that_starts_another_program_keeps_its_attempt() {
        let script = "i=0; while test $i -lt 1500; do /bin/true & i=$((i+1)); done; wait";
        let mut shell =
            Command::new("/bin/sh").args(["-c", script]).env(ATTEMPT_VARIABLE, "load/1/x/1").spawn().unwrap();
        let number = i32::try_from(shell.id()).unwrap();
        let runs = |stat: Stat| stat.is_running() && !stat.is_exiting;
        let (mut found, mut missed) = (0, Vec::new());
        while shell.try_wait().unwrap().is_none() {
            for (pid, stat) in processes().filter(|(_, stat)| stat.parent == number && stat.is_running()) {
                match attempt_of(pid) {
                    Some(_) => found += 1,
                    None if Stat::read(pid).is_ok_and(|now| now.start_ticks == stat.start_ticks && runs(now)) => {
                        missed.push(pid);
                    }
                    None => {}
                }
            }
        }
        assert!(found > 0 && missed.is_empty(), "{found} found, {missed:?} missed");
    }
}
