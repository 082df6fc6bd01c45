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
    Run past dates in addition to the schedule, including dates before the job's start; or cancel that.

    `--cancel` calls off what a backfill has not run. Its dates that had succeeded before stay
    succeeded; those that only the backfill has recorded are skipped (`cancelled`), and another backfill
    can run them. A running date ends by itself; `kill` ends it. `crontabber backfills` lists the names.

    Usage: crontabber backfill [OPTIONS] <JOB>

    Arguments:
      <JOB>
              The job

    Options:
          --from <DATE>
              The first date, which may be before the job's start

          --to <DATE>
              The end of the range, exclusive [default: the job's next date]

          --count <N>
              The number of dates, from the first one on

          --only <WHICH>
              Which of these dates to run

              Possible values:
              - missing: Dates that were never attempted: not in the ledger, or skipped
              - failed:  Dates that failed, are held, or were skipped after an attempt
              - all:     All dates; those that succeeded are REPEATED

              [default: missing]

          --order <ORDER>
              The order of the dates

              Possible values:
              - asc:  Oldest first
              - desc: Newest first

              [default: asc]

          --parallel <N>
              Most dates that run at once; more than one requires a job that is not in strict order

              [default: 1]

          --downstream
              Also run the dates of other jobs that depend on these dates, directly or through others;
              those that succeeded are REPEATED

          --name <KEY>
              A unique name, which prevents the same backfill from being requested twice

          --cancel [<NAME>]
              Cancel the backfill of this name or number [default: the only one of the job]
    ");
    insta::assert_snapshot!(help("skip"), @"
    skip --help: 0
    Mark dates as skipped: they do not run, and nothing waits for them

    Usage: crontabber skip [OPTIONS] <--date <DATE>|--to <DATE>|--count <N>> <JOB>

    Arguments:
      <JOB>
              The job

    Options:
          --date <DATE>
              The date, which may be in the future

          --to <DATE>
              All unsettled dates before this one, also those of backfills

          --count <N>
              The number of dates, from the job's next one on

          --downstream
              Also skip the unsettled dates of other jobs that depend on these dates, directly or
              through others
    ");
}

#[test]
fn each_that_attempts_has_a_help() {
    insta::assert_snapshot!(help("retry"), @"
    retry --help: 0
    Retry failed or held dates now, before their retry time

    Usage: crontabber retry [OPTIONS] <DATE|--failed|--held> <JOB>

    Arguments:
      <JOB>
              The job

      [DATE]
              The date

    Options:
          --failed
              All failed dates that wait for their retry time

          --held
              All held dates

          --again
              Also retry a date that succeeded: it is REPEATED

          --downstream
              Also run the dates of other jobs that depend on these dates, directly or through others;
              those that succeeded are REPEATED
    ");
    insta::assert_snapshot!(help("kill"), @"
    kill --help: 0
    Kill a running attempt; its date is held until you retry, skip or mark it as done

    Usage: crontabber kill [OPTIONS] <JOB> [DATE]

    Arguments:
      <JOB>
              The job

      [DATE]
              The date [default: all running dates]

    Options:
    ");
    insta::assert_snapshot!(help("run"), @"
    run --help: 0
    Run a job now.

    A backfillable job runs only for the next date in its order.

    Usage: crontabber run [OPTIONS] <JOB>

    Arguments:
      <JOB>
              The job

    Options:
          --date <DATE>
              The date to run [default: the next one]

          --force
              Run even if dependencies are not met, the `delay` has not passed, or the job is disabled
              or paused; a date in the future is refused all the same
    ");
}

#[test]
fn each_that_settles_or_explains_has_a_help() {
    insta::assert_snapshot!(help("done"), @"
    done --help: 0
    Mark a date as succeeded without running it

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
    Reset a job to the state before its first run.

    Prints which dates are repeated. The old sessions stay in the ledger, as an earlier generation of
    the job.

    Usage: crontabber reset [OPTIONS] <JOB>

    Arguments:
      <JOB>
              The job

    Options:
          --to <DATE>
              Reset only the dates from this one on
    ");
    insta::assert_snapshot!(help("why"), @"
    why --help: 0
    Explain a date: what happened to it, what it waits for, and when it is attempted next.

    Without a date, explains the first one that is not settled.

    Usage: crontabber why [OPTIONS] <JOB> [DATE]

    Arguments:
      <JOB>
              The job

      [DATE]
              The date [default: the first unsettled one, else the next]

    Options:
    ");
}

#[test]
fn each_that_enables_has_a_help() {
    insta::assert_snapshot!(help("enable"), @"
    enable --help: 0
    Enable a disabled job, with or without the dates that it has missed

    Usage: crontabber enable [OPTIONS] <JOB>

    Arguments:
      <JOB>
              The job

    Options:
          --skip-to <DATE>
              Skip the missed dates before this one, and run the rest

          --skip-missed
              Skip all missed dates

          --catch-up
              Run all missed dates that `catch_up` does not leave out
    ");
    insta::assert_snapshot!(help("disable"), @"
    disable --help: 0
    Disable a job: none of its dates run

    Usage: crontabber disable [OPTIONS] <JOB>

    Arguments:
      <JOB>
              The job

    Options:
          --until <DATE>
              Enable the job again at this time, and run the dates that it has missed
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
            Print what would change, and change nothing

    -y, --yes
            Do not ask for confirmation

        --reason <TEXT>
            The reason, for the audit
    ");
    for line in ALL {
        let command = line.split(' ').next().unwrap();
        assert_eq!(common(command), common("backfill"), "{command}");
    }
}
