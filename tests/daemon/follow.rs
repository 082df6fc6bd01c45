//! `log --follow` beside a real daemon: what an attempt prints while it runs, and how it ended.

use std::fs::{self, File};
use std::io::Read as _;
use std::process::{Child, Stdio};

use crate::lab::{Daemon, Lab, job, stderr};

/// A job that runs the script `DIR/job`; `step N` in it waits for the file `DIR/N`.
fn lab(daemon: &str, script: &str) -> Lab {
    let lines = r#"retry = { after = "1h" }
command = "cd DIR; touch began; step() { until test -e $1; do sleep 0.02; done; }; . ./job""#;
    let lab = Lab::new(&format!("{daemon}\n{}", job("slow", 1, lines)));
    fs::write(lab.path("job"), script).expect("a script");
    lab
}

/// Starts the daemon, and waits until the attempt is open.
fn start(lab: &Lab) -> Daemon {
    let daemon = lab.daemon();
    lab.until("its attempt", || lab.path("began").exists() && lab.outcomes("slow") == ["open"]);
    daemon
}

/// Follows into the file `followed`.
fn follow(lab: &Lab) -> Child {
    let followed = File::create(lab.path("followed")).expect("a file");
    lab.command(&["log", "slow", "--follow", "-q"]).stdout(followed).spawn().expect("the binary runs")
}

fn until_followed(lab: &Lab, text: &str) {
    lab.until(text, || fs::read_to_string(lab.path("followed")).is_ok_and(|followed| followed.contains(text)));
}

#[test]
fn an_attempt_is_followed_from_before_it_prints_to_its_end() {
    for (exit, expected) in [("0", 0), ("3", 1)] {
        let lab = lab("", &format!("step first; echo one; step second; printf two; exit {exit}"));
        let _daemon = start(&lab);
        let mut follower = follow(&lab);
        assert!(!lab.path("logs").exists(), "there is nothing to follow yet");
        fs::write(lab.path("first"), "").expect("a file");
        until_followed(&lab, "one\n");
        assert_eq!(follower.try_wait().expect("our child"), None, "it goes on");
        fs::write(lab.path("second"), "").expect("a file");
        assert_eq!(follower.wait().expect("our child").code(), Some(expected));
        assert_eq!(fs::read_to_string(lab.path("followed")).expect("a file"), "one\ntwo");
    }
}

#[test]
fn output_beyond_the_limit_of_the_log_is_followed_too() {
    const STEPS: u32 = 6;
    let script = format!(
        "for n in $(seq {STEPS}); do for line in 1 2 3 4 5 6; do printf '%s-%s %050d\\n' $n $line 0; done; echo end $n; \
         step $n; done"
    );
    let lab = lab("[daemon]\noutput_limit = \"1KiB\"", &script);
    let _daemon = start(&lab);
    let mut follower = follow(&lab);
    for step in 1..=STEPS {
        until_followed(&lab, &format!("end {step}\n"));
        fs::write(lab.path(&step.to_string()), "").expect("a file");
    }
    assert_eq!(follower.wait().expect("our child").code(), Some(0));
    let lines = |n| (1..=6).map(move |line| format!("{n}-{line} {:050}\n", 0)).chain([format!("end {n}\n")]);
    let printed: String = (1..=STEPS).flat_map(lines).collect();
    assert_eq!(fs::read_to_string(lab.path("followed")).expect("a file"), printed);
    assert!(lab.ok("log slow -q").contains("[crontabber: "), "the log itself was cut");
}

#[test]
fn a_follower_ends_when_its_output_is_closed() {
    let lab = lab("", "echo one; step go");
    let _daemon = start(&lab);
    let mut follower =
        lab.command(&["log", "slow", "-f"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
    let mut some = [0; 4];
    let mut out = follower.stdout.take().expect("a pipe");
    out.read_exact(&mut some).expect("its first line");
    drop(out);
    assert!(follower.wait().expect("our child").success(), "it ends though the attempt runs");
    assert_eq!(lab.outcomes("slow"), ["open"]);
    fs::write(lab.path("go"), "").expect("a file");
    lab.until("its end", || lab.outcomes("slow") == ["succeeded"]);
}

#[test]
fn a_follower_ends_with_the_attempt_when_no_daemon_runs() {
    let lab = lab("", "echo one; step go; echo two");
    let mut daemon = lab.daemon();
    let pid = || lab.json(&["attempts", "slow"])[0]["pid"].as_i64();
    lab.until("its process", || lab.path("began").exists() && pid().is_some());
    let mut follower = follow(&lab);
    until_followed(&lab, "one\n");
    daemon.kill();
    let why = lab.ok("why slow");
    assert!(why.contains("running; no daemon runs, and its end is recorded when one does"), "{why}");
    fs::write(lab.path("go"), "").expect("a file");
    assert_eq!(follower.wait().expect("our child").code(), Some(1));
    assert_eq!(fs::read_to_string(lab.path("followed")).expect("a file"), "one\ntwo\n");
    let said = stderr(&lab.run(&["log", "slow", "-f"]));
    assert!(said.contains("no daemon runs, its process is gone, and how it ended is not known yet"), "{said}");
    for (asked, expected) in [
        ("why slow", "how it ended is not known yet"),
        ("list", "no daemon runs: whether it has ended is unknown"),
        ("status slow", "no daemon runs: whether it has ended is unknown"),
    ] {
        let answer = lab.ok(asked);
        assert!(answer.contains(expected), "{asked}: {answer}");
    }
    // The warden reports the outcome to the next daemon.
    let _daemon = lab.daemon();
    lab.until("its end", || lab.outcomes("slow") == ["succeeded"]);
}
