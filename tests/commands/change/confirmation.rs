//! What is asked before much is changed: on a terminal a question, elsewhere nothing is done without `--yes`.

use std::io::Write;
use std::process::Stdio;

use super::Hand;

/// Types into a terminal that a command runs on; returns what is on its screen in the end, and the exit status.
fn on_a_terminal(hand: &Hand, line: &str, typed: &str) -> (String, i32) {
    let inner = hand.command(&line.split(' ').collect::<Vec<_>>());
    let mut quoted = vec![inner.get_program().to_string_lossy().into_owned()];
    quoted.extend(inner.get_args().map(|argument| argument.to_string_lossy().into_owned()));
    let mut command = std::process::Command::new("script");
    command.args(["--quiet", "--return", "--command", &quoted.join(" "), "/dev/null"]).env_clear();
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("SHELL", "/bin/sh").env("PATH", "/usr/bin:/bin").env("NO_COLOR", "1");
    command.current_dir(inner.get_current_dir().unwrap());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let screen = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    (screen, output.status.code().unwrap())
}

/// A job of which more than a hundred dates can be changed.
fn minutes() -> Hand {
    Hand::fresh(
        "[jobs.minutes]\nschedule = \"* * * * *\"\nstart = 2024-11-05T10:00:00Z\nbackfill = true\ncommand = \"true\"\n",
    )
}

#[test]
fn more_than_a_hundred_dates_need_a_yes() {
    let hand = minutes();
    insta::assert_snapshot!(hand.tell_all(&["skip minutes --count 101", "skip minutes --count 101 --dry-run"]), @"
    skip minutes --count 101: 2
    error: `skip` would change 101 dates of `minutes`: `minutes`: skipped 101 dates from 2024-11-05T10:00:00+00:00 to 2024-11-05T11:40:00+00:00; the next date is 2024-11-05T11:41:00+00:00
    hint: `--yes` does it without asking, `--dry-run` shows more; nothing was changed
    skip minutes --count 101 --dry-run: 0
    dry run, nothing is changed; it would answer: `minutes`: skipped 101 dates from 2024-11-05T10:00:00+00:00 to 2024-11-05T11:40:00+00:00; the next date is 2024-11-05T11:41:00+00:00
      2024-11-05T10:00:00+00:00
      2024-11-05T10:01:00+00:00
      2024-11-05T10:02:00+00:00
      2024-11-05T10:03:00+00:00
      2024-11-05T10:04:00+00:00
      2024-11-05T10:05:00+00:00
      2024-11-05T10:06:00+00:00
      2024-11-05T10:07:00+00:00
      2024-11-05T10:08:00+00:00
      2024-11-05T10:09:00+00:00
      2024-11-05T10:10:00+00:00
      2024-11-05T10:11:00+00:00
      2024-11-05T10:12:00+00:00
      2024-11-05T10:13:00+00:00
      2024-11-05T10:14:00+00:00
      2024-11-05T10:15:00+00:00
      2024-11-05T10:16:00+00:00
      2024-11-05T10:17:00+00:00
      2024-11-05T10:18:00+00:00
      2024-11-05T10:19:00+00:00
      and 81 more (`--json` lists all of them)
    a skipped date counts as settled: later dates and other jobs do not wait for it
    ");
    assert_eq!(hand.ask(&["skip", "minutes", "--count", "100"]).exit, 0, "these are not more");
    for (typed, exit) in [("n\n", 1), ("\n", 1), ("maybe\n", 1), ("y\n", 0)] {
        let (screen, status) =
            on_a_terminal(&hand, "backfill minutes --from 2024-11-05T00:00 --to 2024-11-05T10:00", typed);
        assert_eq!(status, exit, "{typed:?}: {screen}");
        assert!(screen.contains("go on? [y/N] "), "{screen}");
        assert_eq!(screen.contains("nothing was changed"), exit == 1, "{screen}");
    }
    assert_eq!(hand.sessions().values().filter(|row| row["trigger"] == "backfill").count(), 600);
    insta::assert_snapshot!(hand.tell("reset minutes --yes"), @"
    reset minutes --yes: 0
    note: a reset starts the job anew: its watermark goes back (this overrides promise P5; the audit records it)
    note: no daemon is running: dates start when one runs, or with `crontabber once`
    job `minutes` is reset: 121 dates from 2024-11-05T10:00:00+00:00 on are attempted again
    ");
}

#[test]
fn a_backlog_is_shown_and_asked_about() {
    let expected = [("q\n", 1, "disabled"), ("what\ns\n", 0, "skipped"), ("c\n", 0, "caught up")];
    for (typed, exit, what) in expected {
        let hand = Hand::new();
        assert_eq!(hand.ask(&["disable", "load"]).exit, 0);
        let (screen, status) = on_a_terminal(&hand, "enable load", typed);
        assert_eq!(status, exit, "{what}: {screen}");
        assert!(screen.contains("job `load` has missed 3 dates from 2024-11-03T03:00:00+01:00 on"), "{screen}");
        assert!(screen.contains("which? "), "{screen}");
        assert_eq!(screen.contains("nothing was changed"), exit == 1, "{screen}");
        let skipped = hand.sessions().values().filter(|row| row["state"] == "skipped").count();
        assert_eq!(skipped, if what == "skipped" { 3 } else { 0 }, "{screen}");
        let waits = hand.ask(&["why", "load", "2024-11-06", "--json"]).json()["waits"].to_string();
        assert_eq!(waits.contains("disabled"), what == "disabled", "{what}: {waits}");
    }
}
