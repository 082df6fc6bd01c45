//! What a job starts with, and what is said of one that cannot start.

use std::fs;

use crontabber::session::{AttemptEnd, Outcome};
use crontabber::warden::{is_alive, process_identity};
use crontabber::warden_client::{Launch, WardenEvent, bytes};

use crate::lab::{Lab, again, await_that, is_again, key};

#[test]
fn started_comes_first_and_names_the_process() {
    let lab = Lab::new();
    lab.client().start(lab.shell("echo $$; until test -e go; do sleep 0.01; done"));
    let WardenEvent::Started { attempt, process: Some(process) } = lab.report() else { panic!("not started") };
    assert_eq!(attempt, key("job", 1));
    fs::write(lab.path("go"), "").unwrap();
    let (ended, end) = lab.next_end();
    assert_eq!((ended, end.outcome), (attempt, Outcome::Succeeded));
    assert!(end.duration.is_some() && end.has_log && end.detail.is_none());
    assert_eq!(lab.printed(), format!("{}\n", process.pid));
    assert_eq!(process.boot_id, crontabber::warden::boot_id().unwrap());
}

#[test]
fn a_job_that_ends_at_once_is_not_looked_up_and_not_reported_as_started() {
    let lab = Lab::new();
    lab.client().start(lab.shell("exit 0"));
    assert!(matches!(lab.report(), WardenEvent::Ended { end: AttemptEnd { outcome: Outcome::Succeeded, .. }, .. }));
}

#[test]
fn the_environment_is_the_one_given_and_the_attempt() {
    let lab = Lab::new();
    let mut launch = lab.launch(&["env"]);
    launch.environment.push((bytes("ODD"), bytes("a=b c")));
    assert_eq!(lab.run(launch).outcome, Outcome::Succeeded);
    let mut lines: Vec<_> = lab.printed().lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(
        lines,
        [&format!("CRONTABBER_ATTEMPT_ID={}@lab", key("job", 1)), "ODD=a=b c", "PATH=/usr/bin:/bin"].map(str::to_owned)
    );
}

#[test]
fn a_job_leads_its_own_group_in_its_folder_and_reads_nothing() {
    let lab = Lab::new();
    let process = lab.begin(lab.shell(
        "cut -d' ' -f5 /proc/$$/stat; pwd -P; readlink /proc/self/fd/0; cat; ls /proc/self/fd | wc -l; \
         until test -e go; do sleep 0.01; done",
    ));
    fs::write(lab.path("go"), "").unwrap();
    assert_eq!(lab.end().outcome, Outcome::Succeeded);
    let printed = lab.printed();
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines[0], process.pid.to_string());
    assert_eq!(lines[1], lab.folder.path().canonicalize().unwrap().to_str().unwrap());
    assert_eq!(lines[2], "/dev/null");
    // What this very process was given, any child has; but no descriptor of ours reaches a job.
    let bare = std::process::Command::new("/bin/sh").args(["-c", "ls /proc/self/fd | wc -l"]).output().unwrap();
    assert_eq!(lines[3].trim(), String::from_utf8(bare.stdout).unwrap().trim());
}

#[test]
fn a_job_has_our_resource_limits_and_one_pipe_for_all_its_output() {
    let lab = Lab::new();
    let script = "cat /proc/self/limits; readlink /proc/$$/fd/1; readlink /proc/$$/fd/2";
    // The second start shows what the first one left in the warden's own streams.
    for _ in 0..2 {
        assert_eq!(lab.run(lab.shell(script)).outcome, Outcome::Succeeded);
        let printed = lab.printed();
        let ours = std::fs::read_to_string("/proc/self/limits").unwrap();
        let [stdout, stderr] = printed.strip_prefix(&ours).unwrap().lines().collect::<Vec<_>>()[..] else {
            panic!("{printed}")
        };
        assert!(stdout.starts_with("pipe:") && stdout == stderr, "{stdout} {stderr}");
    }
}

#[test]
fn exit_statuses_and_signals_are_told_apart() {
    let lab = Lab::new();
    for (script, outcome) in [
        ("exit 3", Outcome::Failed { code: 3 }),
        ("exit 137", Outcome::Failed { code: 137 }),
        ("kill -KILL $$", Outcome::Killed { signal: 9 }),
        ("kill -TERM $$", Outcome::Killed { signal: 15 }),
        ("kill -SEGV $$", Outcome::Killed { signal: 11 }),
    ] {
        assert_eq!(lab.run(lab.shell(script)).outcome, outcome);
    }
}

/// Starts an attempt that fails to start with this exit status, and returns what is said.
fn refused(lab: &Lab, launch: Launch, code: i32) -> String {
    let end = lab.run(launch);
    assert_eq!(end.outcome, Outcome::Failed { code }, "{end:?}");
    assert!(!end.has_log && end.duration.is_none());
    end.detail.unwrap()
}

#[test]
fn what_is_not_found_is_named() {
    let lab = Lab::new();
    let cases: [(&[&str], &str); 4] = [
        (&["no-such-command", "x"], "command `no-such-command` not found in PATH `/usr/bin:/bin`"),
        (&["/no/such"], "command `/no/such` not found"),
        (&[], "the command is empty"),
        (&[""], "the name of the command is empty"),
    ];
    for (argv, said) in cases {
        assert_eq!(refused(&lab, lab.launch(argv), 127), said);
    }
}

#[test]
fn what_is_not_executable_is_named() {
    let lab = Lab::new();
    lab.program("plain", "#!/bin/sh\n", "644");
    lab.program("textual", "echo hello\n", "755");
    lab.program("orphan", "#!/no/such/interpreter -x\n", "755");
    for (command, expected) in [
        ("./plain", "command `./plain` is not executable: Permission denied (os error 13)"),
        ("/usr", "command `/usr` is not executable: it is a directory"),
        ("./textual", "nor begins with `#!`"),
        ("./orphan", "its interpreter `/no/such/interpreter` is missing"),
    ] {
        let said = refused(&lab, lab.launch(&[command]), 126);
        assert!(said.ends_with(expected) && said.starts_with("command `"), "{said}");
    }
    let environment = vec![(bytes("PATH"), bytes(lab.folder.path()))];
    let said = refused(&lab, Launch { environment, ..lab.launch(&["plain"]) }, 126);
    assert!(said.starts_with("command `plain` is not executable: `"), "{said}");
}

#[test]
fn the_path_searched_is_the_jobs_own_and_relative_to_its_folder() {
    let lab = Lab::new();
    lab.program("first/tool", "#!/bin/sh\nexit 7\n", "644");
    lab.program("second/tool", "#!/bin/sh\nexit 7\n", "755");
    let environment = vec![(bytes("PATH"), bytes("/none:first:second"))];
    let launch = Launch { environment, ..lab.launch(&["tool"]) };
    assert_eq!(lab.run(launch).outcome, Outcome::Failed { code: 7 });
    let launch = Launch { environment: Vec::new(), ..lab.launch(&["true"]) };
    assert_eq!(lab.run(launch).outcome, Outcome::Succeeded);
}

#[test]
fn a_folder_that_cannot_be_entered_is_named() {
    let lab = Lab::new();
    fs::write(lab.path("file"), "").unwrap();
    for (folder, expected) in [
        ("missing", "missing` cannot be entered: No such file or directory (os error 2)"),
        ("file", "file` cannot be entered: not a directory"),
    ] {
        let working_directory = Some(bytes(lab.path(folder)));
        let said = refused(&lab, Launch { working_directory, ..lab.launch(&["true"]) }, 125);
        assert!(said.ends_with(expected), "{said}");
    }
}

#[test]
fn impossible_arguments_are_a_start_that_failed() {
    let lab = Lab::new();
    let long = "x".repeat(200_000);
    for (argument, code, expected) in [("a\0b", 125, "nul byte"), (&long, 126, "Argument list too long")] {
        let said = refused(&lab, lab.launch(&["/bin/echo", argument]), code);
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn jobs_start_with_default_signals_whatever_ours_are() {
    const NAME: &str = "starting::jobs_start_with_default_signals_whatever_ours_are";
    if !is_again(NAME) {
        again(NAME, "trap '' HUP INT QUIT CHLD USR2");
        return;
    }
    let lab = Lab::new();
    let end = lab.run(lab.launch(&["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]));
    assert_eq!(end.outcome, Outcome::Succeeded);
    let printed = lab.printed();
    let masks = printed.lines().map(|line| u64::from_str_radix(line[7..].trim(), 16).unwrap());
    // The C library keeps signals 32 and 33 to itself, and its posix_spawn leaves them ignored.
    assert_eq!(masks.map(|mask| mask & !(0b11 << 31)).collect::<Vec<_>>(), [0, 0]);
    // An ignored SIGCHLD would have lost this.
    assert_eq!(lab.run(lab.shell("exit 9")).outcome, Outcome::Failed { code: 9 });
}

#[test]
fn a_shortage_of_descriptors_is_a_start_that_failed() {
    const NAME: &str = "starting::a_shortage_of_descriptors_is_a_start_that_failed";
    if !is_again(NAME) {
        again(NAME, "ulimit -n 40");
        return;
    }
    let lab = Lab::new();
    lab.start_sleepers(40);
    let (mut started, mut refused) = (Vec::new(), 0);
    while started.len() + refused < 40 {
        match lab.report() {
            WardenEvent::Started { attempt, .. } => started.push(attempt),
            WardenEvent::Ended { end: AttemptEnd { outcome, detail, .. }, .. } => {
                assert_eq!(outcome, Outcome::Failed { code: 125 });
                assert!(detail.unwrap().contains("Too many open files"));
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(started.len() > 5 && refused > 5);
    for attempt in &started {
        lab.client().stop(attempt, Outcome::Cancelled, true);
    }
    for _ in &started {
        assert_eq!(lab.end().outcome, Outcome::Cancelled);
    }
    assert_eq!(lab.run(lab.launch(&["/bin/true"])).outcome, Outcome::Succeeded);
}

#[test]
fn the_last_handle_ends_the_connection_and_leaves_jobs_alone() {
    let lab = Lab::new();
    let process = lab.begin(lab.shell("while [ ! -e go ]; do sleep 0.01; done; echo done > done; sleep 1000"));
    let Lab { folder, client, .. } = lab;
    let clone = client.clone();
    drop(client);
    drop(clone);
    fs::write(folder.path().join("go"), "").unwrap();
    await_that("the job", || folder.path().join("done").exists());
    assert_eq!(process_identity(process.pid).unwrap(), process);
    let group = rustix::process::Pid::from_raw(process.pid).unwrap();
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
    await_that("the end", || !is_alive(&process));
}
