//! What is kept of a job's output.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crontabber::session::Outcome;
use crontabber::warden_client::{Launch, bytes};

use crate::lab::{Lab, await_that, key, name};

#[test]
fn both_streams_are_kept_in_order_byte_for_byte() {
    let lab = Lab::new();
    let end = lab.run(lab.shell(r"echo one; echo two >&2; printf '\377\000\200'; echo three >&2"));
    assert!(end.has_log);
    assert_eq!(fs::read(lab.log()).unwrap(), b"one\ntwo\n\xff\0\x80three\n");
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(lab.log()), mode(lab.path("logs/job")), mode(lab.path("logs"))), (0o600, 0o700, 0o700));
}

#[test]
fn a_silent_job_leaves_no_file() {
    let lab = Lab::new();
    assert!(!lab.run(lab.launch(&["/bin/true"])).has_log);
    assert!(!lab.path("logs").exists());
}

#[test]
fn the_head_can_be_followed() {
    let lab = Lab::new();
    lab.begin(lab.shell("echo first; while [ ! -e go ]; do sleep 0.01; done; echo last"));
    lab.await_file("logs/job/log");
    await_that("the first line", || lab.printed() == "first\n");
    fs::write(lab.path("go"), "").unwrap();
    lab.end();
    assert_eq!(lab.printed(), "first\nlast\n");
}

#[test]
fn a_gigabyte_is_bounded_on_disk_and_in_memory_and_holds_up_nobody() {
    let lab = Lab::new();
    let loud = lab.shell("echo begin; head -c 1G /dev/zero; du -sb logs | cut -f1 > size; echo; echo end");
    lab.begin(Launch { attempt: name("loud", 1), ..loud });
    let mut others = 0;
    let end = loop {
        let (attempt, log) = (name("quiet", others), bytes(lab.path("quiet.log")));
        lab.client().start(Launch { attempt, log, ..lab.launch(&["/bin/true"]) });
        let (attempt, end) = lab.next_end();
        if attempt == key("loud", 1) {
            break end;
        }
        others += 1;
    };
    assert!(others >= 5, "only {others} others ran beside it");
    assert_eq!((end.outcome, end.detail), (Outcome::Succeeded, None));
    let log = fs::read(lab.log()).unwrap();
    assert!(log.starts_with(b"begin\n\0\0") && log.ends_with(b"\0\nend\n"));
    assert!((1_000_000..1_000_100).contains(&log.len()));
    assert!(log.windows(30).any(|part| part == b"\n[crontabber: 1.0 GB cut here]"));
    assert_eq!(fs::read_dir(lab.path("logs/job")).unwrap().count(), 1);
    let most: u64 = fs::read_to_string(lab.path("size")).unwrap().trim().parse().unwrap();
    assert!(most < 1_700_000, "{most} bytes on disk");
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 100_000, "{peak} kB in memory");
}

#[test]
fn a_full_disk_disturbs_no_job() {
    let lab = Lab::new();
    let log = bytes(PathBuf::from("/dev/full"));
    let end = lab.run(Launch { log, ..lab.shell("head -c 5M /dev/zero && echo well > proof") });
    assert_eq!(end.outcome, Outcome::Succeeded);
    assert_eq!(end.detail.unwrap(), "the log `/dev/full` could not be written: No space left on device (os error 28)");
    assert!(lab.path("proof").exists());
}

#[test]
fn all_that_was_printed_before_the_end_is_kept() {
    let lab = Lab::new();
    for number in 1..=20 {
        let path = lab.path(&format!("{number}.log"));
        let (attempt, log) = (name("job", number), bytes(&path));
        let launch = Launch { attempt, log, ..lab.shell("head -c 60000 /dev/zero; printf x") };
        assert_eq!(lab.run(launch).outcome, Outcome::Succeeded);
        let log = fs::read(path).unwrap();
        assert_eq!((log.len(), log.last()), (60_001, Some(&b'x')));
    }
}
