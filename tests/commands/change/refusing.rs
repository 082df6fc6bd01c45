//! What all commands that change something have in common: their help, and what none of them does.

use super::Hand;

const ALL: [&str; 9] = [
    "backfill load --from 2024-10-20",
    "skip load --count 1",
    "done load 2024-11-03",
    "retry load --failed",
    "kill load",
    "enable load",
    "disable load",
    "run load",
    "reset load",
];

#[test]
fn an_unknown_job_is_refused_with_the_names_that_are_near() {
    let hand = Hand::new();
    let before = hand.everything();
    for line in ALL {
        let told = hand.tell(&line.replace("load", "lood"));
        let (_, told) = told.split_once('\n').unwrap();
        assert_eq!(told, "error: there is no job `lood`\nhint: did you mean `load`?", "{line}");
    }
    assert_eq!(hand.everything(), before);
}

#[test]
fn a_refusal_is_alike_dry_and_real() {
    let hand = Hand::new();
    for line in
        ["kill load", "skip load --to 2024-11-01", "done load 2024-11-03T04:00", "backfill load --from 2024-12-01"]
    {
        let (dry, real) = (hand.tell(&format!("{line} --dry-run")), hand.tell(line));
        let [dry, real] = [&dry, &real].map(|told| told.split_once('\n').unwrap().1);
        assert_eq!(dry.replace("error: dry run: ", "error: "), real, "{line}");
        for json in [&["--json"][..], &["--json", "--dry-run"]] {
            let arguments: Vec<&str> = line.split(' ').chain(json.iter().copied()).collect();
            let said = hand.ask(&arguments);
            assert_eq!((said.exit, &said.json()["done"]), (1, &serde_json::Value::Bool(false)), "{line}: {said:?}");
        }
    }
}

/// The help of a command, without what all of them have.
fn help(command: &str) -> String {
    let told = Hand::fresh("").tell(&format!("{command} --help"));
    let own = told.split("\n      --dry-run\n").next().unwrap().split("\n  -h, --help\n").next().unwrap();
    own.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

#[test]
fn each_has_a_help() {
    insta::assert_snapshot!(help("backfill"), @"
    backfill --help: 0
    Attempt past dates, also those before the job's start, beside its schedule

    Usage: crontabber backfill [OPTIONS] --from <DATE> <JOB>

    Arguments:
      <JOB>
              The job

    Options:
          --from <DATE>
              The first date; may be before the job's start

          --to <DATE>
              The end, itself not included; else the job's next date

          --count <N>
              How many dates of the schedule, from the first on

          --only <WHICH>
              Which of these dates

              Possible values:
              - missing: Those that were never attempted: without a row in the ledger, or skipped
              - failed:  Those that failed, are held, or were skipped after an attempt
              - all:     All of them; those that succeeded are REPEATED

              [default: missing]

          --order <ORDER>
              From the oldest to the newest, or the other way

              Possible values:
              - asc:  The oldest first
              - desc: The newest first

              [default: asc]

          --parallel <N>
              How many of them at once; more than one needs a job that is not in strict order

              [default: 1]

          --name <KEY>
              A name that no other backfill of the job may have: so that none is ordered twice
    ");
    insta::assert_snapshot!(help("skip"), @"
    skip --help: 0
    Settle dates as skipped: they are not attempted, and nothing waits for them

    Usage: crontabber skip [OPTIONS] <--date <DATE>|--to <DATE>|--count <N>> <JOB>

    Arguments:
      <JOB>
              The job

    Options:
          --date <DATE>
              This date; also one that is to come

          --to <DATE>
              All dates before this one that are not settled

          --count <N>
              So many dates, from the job's next one on
    ");
}

#[test]
fn each_that_attempts_has_a_help() {
    insta::assert_snapshot!(help("retry"), @"
    retry --help: 0
    Attempt dates again that failed or are held: now, whatever their retry time

    Usage: crontabber retry [OPTIONS] <DATE|--failed|--held> <JOB>

    Arguments:
      <JOB>
              The job

      [DATE]
              The date

    Options:
          --failed
              All dates that failed and wait for their time

          --held
              All dates that are held

          --again
              Also a date that succeeded: it is REPEATED
    ");
    insta::assert_snapshot!(help("kill"), @"
    kill --help: 0
    End the attempt that runs; its date is held until you say what becomes of it

    Usage: crontabber kill [OPTIONS] <JOB> [DATE]

    Arguments:
      <JOB>
              The job

      [DATE]
              The date; else all that run

    Options:
    ");
    insta::assert_snapshot!(help("run"), @"
    run --help: 0
    Attempt a job now.

    A backfillable job is attempted only at the date that is next in its order.

    Usage: crontabber run [OPTIONS] <JOB>

    Arguments:
      <JOB>
              The job

    Options:
          --date <DATE>
              The date to attempt; else the one that is next

          --force
              Do not wait for dependencies, nor for the date to come due, nor for the job to be enabled
    ");
}

#[test]
fn each_that_settles_or_explains_has_a_help() {
    insta::assert_snapshot!(help("done"), @"
    done --help: 0
    Settle a date as succeeded: its work is done, by whomever

    Usage: crontabber done [OPTIONS] <JOB> <DATE>

    Arguments:
      <JOB>
              The job

      <DATE>
              The date

    Options:
    ");
    insta::assert_snapshot!(help("reset"), @"
    reset --help: 0
    Make a job as if it had never run; says which dates that repeats.

    The old sessions stay in the ledger, as an earlier generation of the job.

    Usage: crontabber reset [OPTIONS] <JOB>

    Arguments:
      <JOB>
              The job

    Options:
          --to <DATE>
              Only from this date on; what is settled before it stays so
    ");
    insta::assert_snapshot!(help("why"), @"
    why --help: 0
    What happened to a date, what it waits for, and when it is tried next.

    Without a date: of the first one that is not settled.

    Usage: crontabber why [OPTIONS] <JOB> [DATE]

    Arguments:
      <JOB>
              The job

      [DATE]
              The date; else the first that is not settled, or the next one

    Options:
    ");
}

#[test]
fn each_that_enables_has_a_help() {
    insta::assert_snapshot!(help("enable"), @"
    enable --help: 0
    Let a job run again that was disabled, with or without what it has missed

    Usage: crontabber enable [OPTIONS] <JOB>

    Arguments:
      <JOB>
              The job

    Options:
          --skip-to <DATE>
              Skip what it has missed before this date, and attempt the rest

          --skip-missed
              Skip all that it has missed

          --catch-up
              Attempt all that it has missed
    ");
    insta::assert_snapshot!(help("disable"), @"
    disable --help: 0
    Let nothing of a job run

    Usage: crontabber disable [OPTIONS] <JOB>

    Arguments:
      <JOB>
              The job

    Options:
          --until <DATE>
              Enable it again then, and catch up on what it has missed
    ");
}

#[test]
fn all_of_them_can_be_tried_dry_and_explained() {
    let common = |command: &str| {
        let told = Hand::fresh("").tell(&format!("{command} --help"));
        let (_, common) = told.split_once("\n      --dry-run\n").unwrap();
        common.split("\n  -h, --help\n").next().unwrap().to_owned()
    };
    insta::assert_snapshot!(common("backfill"), @"
            Say what it would do, and change nothing

    -y, --yes
            Do not ask, however many dates it changes

        --reason <TEXT>
            Why, for the audit
    ");
    for line in ALL {
        let command = line.split(' ').next().unwrap();
        assert_eq!(common(command), common("backfill"), "{command}");
    }
}
