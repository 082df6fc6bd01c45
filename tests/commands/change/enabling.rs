//! `enable`, `disable` and `reset`: whether a job runs, and from where on.

use serde_json::Value;

use super::Hand;
use crate::fixture::said;

#[test]
fn a_disabled_job_is_enabled_with_its_backlog_or_without() {
    let hand = Hand::new();
    insta::assert_snapshot!(hand.does_what_its_dry_run_says("disable load"), @"
    dry run, nothing is changed; it would answer: job `load` is disabled: no new attempt starts until `crontabber enable`
    no date is recorded until then; `crontabber enable` asks about the missed dates
    ");
    insta::assert_snapshot!(hand.tell_all(&["enable load", "enable load --dry-run", "enable load --skip-to 2024-11-03"]), @"
    enable load: 2
    error: job `load` has missed 3 dates from 2024-11-03T03:00:00+01:00 on, less than a minute of work
    hint: say `--catch-up`, `--skip-missed` or `--skip-to DATE`; nothing was changed
    enable load --dry-run: 2
    error: job `load` has missed 3 dates from 2024-11-03T03:00:00+01:00 on, less than a minute of work
    hint: say `--catch-up`, `--skip-missed` or `--skip-to DATE`; nothing was changed
    enable load --skip-to 2024-11-03: 1
    error: 2024-11-03T00:00:00+01:00 is already past: the next date of `load` is 2024-11-03T03:00:00+01:00, which is not before it
    ");
    insta::assert_snapshot!(hand.tell("enable load --skip-missed --catch-up"), @"
    enable load --skip-missed --catch-up: 2
    error: the argument '--skip-missed' cannot be used with '--catch-up'

    Usage: crontabber enable --skip-missed <JOB>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(hand.does_what_its_dry_run_says("enable load --skip-to 2024-11-05"), @"
    dry run, nothing is changed; it would answer: job `load` is enabled; skipped: 2 dates from 2024-11-03T03:00:00+01:00 to 2024-11-04T03:00:00+01:00; 1 date is attempted now
      2024-11-03T03:00:00+01:00
      2024-11-04T03:00:00+01:00
    a skipped date counts as settled: later dates and other jobs do not wait for it
    ");
    insta::assert_snapshot!(hand.states("load"), @"
    11-01T03:00 succeeded
    11-02T03:00 succeeded
    11-03T03:00 skipped
    11-04T03:00 skipped
    11-05T03:00 waiting
    ");
    insta::assert_snapshot!(hand.tell_all(&["enable load", "enable load --skip-missed", "disable load", "disable load"]), @"
    enable load: 0
    job `load` is not disabled: nothing was changed
    enable load --skip-missed: 1
    error: job `load` is not disabled: nothing was changed; `crontabber skip` skips dates
    disable load: 0
    note: no date is recorded until then; `crontabber enable` asks about the missed dates
    job `load` is disabled: no new attempt starts until `crontabber enable`
    disable load: 0
    note: no date is recorded until then; `crontabber enable` asks about the missed dates
    job `load` is disabled: no new attempt starts until `crontabber enable`
    ");
    insta::assert_snapshot!(hand.does_what_its_dry_run_says("enable load --skip-missed"), @"
    dry run, nothing is changed; it would answer: job `load` is enabled; skipped: 2024-11-05T03:00:00+01:00
    a skipped date counts as settled: later dates and other jobs do not wait for it
    ");
    insta::assert_snapshot!(hand.states("load"), @"
    11-01T03:00 succeeded
    11-02T03:00 succeeded
    11-03T03:00 skipped
    11-04T03:00 skipped
    11-05T03:00 skipped
    ");
    insta::assert_snapshot!(hand.tell_all(&["disable load", "enable load"]), @"
    disable load: 0
    note: no date is recorded until then; `crontabber enable` asks about the missed dates
    job `load` is disabled: no new attempt starts until `crontabber enable`
    enable load: 0
    job `load` is enabled; it has missed nothing
    ");
}

#[test]
fn a_backlog_that_is_not_recorded_is_counted_too() {
    let hand = Hand::fresh(super::JOBS);
    insta::assert_snapshot!(hand.tell_all(&["disable load --until 2024-11-09", "disable load --until 2024-11-04", "enable load"]), @"
    disable load --until 2024-11-09: 0
    job `load` is disabled until 2024-11-09T00:00:00+01:00; then it catches up on its missed dates
    disable load --until 2024-11-04: 1
    error: 2024-11-04T00:00:00+01:00 is not in the future
    enable load: 2
    error: job `load` has missed 5 dates from 2024-11-01T03:00:00+01:00 on
    hint: say `--catch-up`, `--skip-missed` or `--skip-to DATE`; nothing was changed
    ");
    let dry = hand.ask(&["enable", "load", "--catch-up", "--dry-run", "--json"]).json();
    insta::assert_snapshot!(dry["dates"].to_string(), @r#"["2024-11-01T03:00:00+01:00","2024-11-02T03:00:00+01:00","2024-11-03T03:00:00+01:00","2024-11-04T03:00:00+01:00","2024-11-05T03:00:00+01:00"]"#);
    insta::assert_snapshot!(hand.tell_all(&["enable load --catch-up --dry-run", "enable load --catch-up"]), @"
    enable load --catch-up --dry-run: 0
    dry run, nothing is changed; it would answer: job `load` is enabled; 5 dates are attempted now
      2024-11-01T03:00:00+01:00
      2024-11-02T03:00:00+01:00
      2024-11-03T03:00:00+01:00
      2024-11-04T03:00:00+01:00
      2024-11-05T03:00:00+01:00
    enable load --catch-up: 0
    note: no daemon is running: dates start when one runs, or with `crontabber once`
    job `load` is enabled; 5 dates are attempted now
    ");
    insta::assert_snapshot!(hand.tell_all(&["disable newest", "enable newest", "disable nobody"]), @"
    disable newest: 0
    note: no date is recorded until then; `crontabber enable` asks about the missed dates
    job `newest` is disabled: no new attempt starts until `crontabber enable`
    enable newest: 0
    job `newest` is enabled; it has missed nothing
    disable nobody: 2
    error: there is no job `nobody`
    hint: `crontabber list` names the jobs
    ");
}

#[test]
fn a_reset_says_what_it_repeats() {
    let hand = Hand::new();
    insta::assert_snapshot!(hand.tell_all(&["reset load --dry-run", "reset load --to 2024-11-02 --dry-run", "reset load --to 2024-11-02"]), @"
    reset load --dry-run: 0
    dry run, nothing is changed; it would answer: job `load` is reset: 5 dates from 2024-11-01T03:00:00+01:00 on are attempted again
      2024-11-01T03:00:00+01:00
      2024-11-02T03:00:00+01:00
      2024-11-03T03:00:00+01:00
      2024-11-04T03:00:00+01:00
      2024-11-05T03:00:00+01:00
    a reset starts the job anew: its watermark goes back, and succeeded dates run again (this overrides promises P1 and P5; the audit records it)
    reset load --to 2024-11-02 --dry-run: 0
    dry run, nothing is changed; it would answer: job `load` is reset: 4 dates from 2024-11-02T03:00:00+01:00 on are attempted again; dates settled before 2024-11-02T00:00:00+01:00 stay settled (`--all-generations` shows them)
      2024-11-02T03:00:00+01:00
      2024-11-03T03:00:00+01:00
      2024-11-04T03:00:00+01:00
      2024-11-05T03:00:00+01:00
    a reset starts the job anew: its watermark goes back, and succeeded dates run again (this overrides promises P1 and P5; the audit records it)
    reset load --to 2024-11-02: 0
    note: a reset starts the job anew: its watermark goes back, and succeeded dates run again (this overrides promises P1 and P5; the audit records it)
    note: no daemon is running: dates start when one runs, or with `crontabber once`
    job `load` is reset: 4 dates from 2024-11-02T03:00:00+01:00 on are attempted again; dates settled before 2024-11-02T00:00:00+01:00 stay settled (`--all-generations` shows them)
    ");
    insta::assert_snapshot!(hand.states("load"), @"
    11-02T03:00 waiting
    11-03T03:00 waiting
    11-04T03:00 waiting
    11-05T03:00 waiting
    ");
    insta::assert_snapshot!(hand.tell_all(&["reset load --to 2024-11-09", "reset nobody", "reset six", "reset newest"]), @"
    reset load --to 2024-11-09: 1
    error: 2024-11-09T00:00:00+01:00 is in the future: there is nothing to repeat from there on
    reset nobody: 2
    error: there is no job `nobody`
    hint: `crontabber list` names the jobs
    reset six: 0
    note: a reset starts the job anew: its watermark goes back (this overrides promise P5; the audit records it)
    note: no daemon is running: dates start when one runs, or with `crontabber once`
    job `six` is reset: 7 dates from 2024-11-04T00:00:00+01:00 on are attempted again
    reset newest: 0
    note: a reset starts the job anew: its watermark goes back (this overrides promise P5; the audit records it)
    job `newest` is reset: its first date is 2024-11-06T05:00:00+01:00
    ");
    assert_eq!(hand.ask(&["verify"]).exit, 0);
}

#[test]
fn programs_are_told_who_keeps_a_job_from_running() {
    let hand = Hand::new();
    hand.ask(&["disable", "load", "--until", "2024-11-05T13:00:02", "--reason", "disk"]);
    hand.ask(&["disable", "free"]);
    let registry = super::JOBS.replace("[jobs.free]\n", "[jobs.free]\nenabled = false\n");
    hand.place.write(&registry.replace("[jobs.six]\n", "[jobs.six]\nenabled = false\n"));
    let told = |command: &[&str]| {
        let mut json = hand.command(command);
        // The time when `--until` has passed.
        let later = said(&json.env("FAKETIME", "2024-11-05 12:00:05").output().unwrap()).json();
        let now = hand.ask(command).json();
        [now, later].map(|json| match json {
            Value::Array(rows) => rows.iter().map(enabled).collect::<Vec<_>>().join("\n"),
            row => enabled(&row),
        })
    };
    let [now, later] = told(&["list", "--json"]);
    let now = now.replace(&hand.user, "USER");
    insta::assert_snapshot!(now, @r#"
    free false [{"by":"registry"},{"by":"operator","reason":null,"since":"2024-11-05T13:00:00+01:00","until":null,"user":"USER"}]
    load false [{"by":"operator","reason":"disk","since":"2024-11-05T13:00:00+01:00","until":"2024-11-05T13:00:02+01:00","user":"USER"}]
    newest true []
    six false [{"by":"registry"}]
    "#);
    assert!(later.contains("load true []"), "{later}");
    for (line, job) in now.lines().zip(["free", "load", "newest", "six"]) {
        let [status, _] = told(&["status", job, "--json"]);
        assert_eq!(status.replace(&hand.user, "USER"), line);
    }
}

fn enabled(row: &Value) -> String {
    format!("{} {} {}", row["job"].as_str().unwrap(), row["enabled"], row["disabled_by"])
}
