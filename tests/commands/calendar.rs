//! `calendar`: months in a terminal, and days for programs.

use crontabber::session::{AttemptKey, Outcome};
use serde_json::json;

use crate::fixture::{Fixture, at, said, succeeds};

const DAILY: &str = r#"
[daemon]
timezone = "Europe/Berlin"
[jobs.load]
schedule = "30 2 * * *"
start = 2024-10-28
end = 2024-11-20
backfill = true
order = "independent"
retry = { after = "10m", attempts = 1 }
command = "true"
[jobs.often]
every = "6h"
start = 2024-11-29
end = 2024-12-02
backfill = true
command = "true"
[jobs.newest]
schedule = "0 12 * * *"
start = 2024-11-01
command = "true"
"#;

/// `load` is held on the second of November, and runs on the ninth.
fn ends(attempt: &AttemptKey) -> Option<Outcome> {
    match (attempt.session.job.as_str(), attempt.session.date.to_rfc3339().get(..10)) {
        ("load", Some("2024-11-02")) => Some(Outcome::Failed { code: 4 }),
        ("load", Some("2024-11-09")) => None,
        ("often", Some("2024-11-30")) => Some(Outcome::Failed { code: 1 }),
        _ => Some(Outcome::Succeeded),
    }
}

fn lived() -> Fixture {
    let place = Fixture::new(DAILY);
    place.live(at("2024-11-10T00:00:00Z"), ends);
    place
}

#[test]
fn months_are_blocks_and_days_have_marks() {
    let place = lived();
    // What is due by now and not in the ledger has a mark of its own.
    insta::assert_snapshot!(place.ask(&["calendar", "load", "--from", "2024-10-01", "--to", "2024-12-01"]).out, @"
    October 2024
    Mo   Tu   We   Th   Fr   Sa   Su
          1    2    3    4    5    6
     7    8    9   10   11   12   13
    14   15   16   17   18   19   20
    21   22   23   24   25   26   27
    28+  29+  30+  31+

    November 2024
    Mo   Tu   We   Th   Fr   Sa   Su
                         1+   2!   3+
     4+   5+   6+   7+   8+   9>  10*
    11*  12*  13*  14*  15*  16*  17*
    18*  19*  20*  21   22   23   24
    25   26   27   28   29   30

    ! held       1
    > running    1
    * due        11  (and not in the ledger yet)
    + succeeded  11
    ");
    insta::assert_snapshot!(place.ask(&["calendar", "newest", "--month", "2024-11"]).out, @"
    November 2024
    Mo   Tu   We   Th   Fr   Sa   Su
                         1-   2-   3-
     4-   5-   6-   7-   8-   9+  10*
    11*  12*  13*  14*  15*  16*  17*
    18*  19*  20*  21*  22*  23*  24*
    25*  26*  27*  28*  29*  30*

    * due        21  (and not in the ledger yet)
    - skipped    8
    + succeeded  1
    ");
}

#[test]
fn a_day_with_several_dates_has_the_worst_and_how_many() {
    let place = Fixture::new(DAILY);
    place.live(at("2024-12-10T00:00:00Z"), ends);
    insta::assert_snapshot!(place.ask(&["calendar", "often", "--from", "2024-11-25", "--to", "2024-12-08"]).out, @"
    November 2024
    Mo    Tu    We    Th    Fr    Sa    Su
    25    26    27    28    29+4  30x1

    December 2024
    Mo    Tu    We    Th    Fr    Sa    Su
                                         1.4
     2.4   3     4     5     6     7

    x failed     1
    . waiting    11
    + succeeded  4
    A day with several dates has the mark of the worst, and how many of them are so.
    ");
    let said = place.ask(&["calendar", "often", "--month", "2024-11", "--json"]);
    assert_eq!(
        said.json()[0],
        json!({ "job": "often", "day": "2024-11-29", "state": "succeeded", "counts": { "succeeded": 4 } })
    );
    assert_eq!(
        said.json()[1],
        json!({
            "job": "often", "day": "2024-11-30", "state": "failed",
            "counts": { "failed": 1, "waiting": 3 },
        })
    );
}

#[test]
fn dates_ahead_are_planned() {
    let place = Fixture::new("[jobs.ahead]\nevery = \"1d\"\nstart = 2098-11-28\ncommand = \"true\"\n");
    place.live(at("2024-11-10T00:00:00Z"), succeeds);
    insta::assert_snapshot!(place.ask(&["calendar", "ahead", "--month", "2098-11"]).out, @"
    November 2098
    Mo   Tu   We   Th   Fr   Sa   Su
                              1    2
     3    4    5    6    7    8    9
    10   11   12   13   14   15   16
    17   18   19   20   21   22   23
    24   25   26   27   28o  29o  30o

    o planned    3
    ");
    place.write("[jobs.ahead]\nevery = \"1d\"\nstart = 2098-11-28\nenabled = false\ncommand = \"true\"\n");
    insta::assert_snapshot!(place.ask(&["calendar", "ahead", "--month", "2098-11", "--json"]).out, @"[]");
}

#[test]
fn three_months_are_shown_unasked() {
    let place = lived();
    let headings = |arguments: &[&str]| {
        let said = place.ask(arguments);
        assert_eq!(said.exit, 0, "{said:?}");
        said.out.lines().filter(|line| line.starts_with("Mo ")).count()
    };
    assert_eq!(headings(&["calendar", "load"]), 3);
    assert!((4..=5).contains(&headings(&["calendar", "load", "--last", "100d"])));
    assert!(place.ask(&["calendar", "load"]).out.ends_with("no dates there\n"));
}

#[test]
fn without_a_ledger_the_schedule_is_drawn() {
    let place = Fixture::new(DAILY);
    let said = place.ask(&["calendar", "load", "--month", "2024-11"]);
    assert_eq!(said.exit, 0);
    assert!(said.out.contains("* due        20  (and not in the ledger yet)"), "{}", said.out);
    assert!(said.err.contains("there is no ledger"), "{}", said.err);
    insta::assert_snapshot!(place.ask(&["calendar", "laod", "-q"]).err, @"
    error: there is no job `laod`
    hint: did you mean `load`?
    ");
}

#[test]
fn a_terminal_has_colour_and_marks_too() {
    let place = lived();
    let asked = format!("stty cols 80; {} calendar load --month 2024-11", env!("CARGO_BIN_EXE_crontabber"));
    let draw = |name: &str, value: &str| {
        // A terminal of its own: util-linux's `script`, which is on every Debian.
        let mut script = std::process::Command::new("script");
        script.args(["-qec", &asked, "/dev/null"]).current_dir(place.path("")).env_remove("NO_COLOR");
        script.env("STATE_DIRECTORY", place.path("")).env("TERM", "xterm").env(name, value);
        said(&script.stdin(std::process::Stdio::null()).output().unwrap()).out.replace('\r', "")
    };
    let colored = draw("TERM", "xterm");
    assert!(colored.contains("\x1b[1;31m 2!\x1b[0m") && colored.contains("\x1b[32m 1+\x1b[0m"), "{colored:?}");
    let plain = draw("NO_COLOR", "1");
    assert!(!plain.contains('\x1b') && plain.contains(" 1+   2!"), "{plain}");
}

#[test]
fn counts_are_told_of_only_where_they_are() {
    let place = lived();
    let last = |columns| {
        let seen = place.look(columns, &["calendar", "often", "--month", "2024-11"]);
        seen.lines().last().unwrap().to_owned()
    };
    assert_eq!(last(80), "A day with several dates has the mark of the worst, and how many of them are so.");
    assert_eq!(last(40), "A day with several dates has the mark of the worst.");
}
