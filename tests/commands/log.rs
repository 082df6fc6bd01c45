//! `log`: the bytes of an attempt, and which attempt they are of.

use std::fs;

use crontabber::job::JobName;
use crontabber::paths::{log_file, logs};
use crontabber::session::{AttemptKey, Outcome, SessionKey};

use crate::fixture::{Fixture, at};

const TWICE_A_DAY: &str = "[jobs.load]\nevery = \"12h\"\nstart = 2024-11-01\nend = 2024-11-01\nbackfill = true\n\
                           retry = { after = \"1m\" }\ncommand = \"true\"\n";

/// Two dates: the second failed once, then succeeded, and each attempt left a log.
fn lived() -> Fixture {
    let place = Fixture::new(TWICE_A_DAY);
    let fails = |attempt: &AttemptKey| {
        let is_second = attempt.session.date == at("2024-11-01T12:00:00Z") && attempt.number == 1;
        Some(if is_second { Outcome::Failed { code: 1 } } else { Outcome::Succeeded })
    };
    place.live(at("2024-11-02T00:00:00Z"), fails);
    place.live(at("2024-11-02T01:00:00Z"), fails);
    let logs = logs(&crontabber::ledger::LedgerUrl::Sqlite(place.path("ledger.db")));
    for (date, number, text) in [
        ("2024-11-01T00:00:00Z", 1, &b"first\n"[..]),
        ("2024-11-01T12:00:00Z", 1, b"no \xff\xfe luck"),
        ("2024-11-01T12:00:00Z", 2, b"third\n"),
    ] {
        let session = SessionKey { job: JobName::new("load").unwrap(), generation: 1, date: at(date) };
        let file = log_file(&logs, &AttemptKey { session, number });
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    place
}

#[test]
fn a_log_is_printed_as_it_is() {
    let place = lived();
    let output = place.command(&["log", "load", "2024-11-01T12:00", "--attempt", "1"]).output().unwrap();
    assert_eq!(output.stdout, b"no \xff\xfe luck");
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "note: attempt 1 of `load` at 2024-11-01T12:00:00+00:00: failed(1)\n"
    );
    assert_eq!(place.ask(&["log", "load", "2024-11-01T12:00:00Z"]).out, "third\n");
    assert_eq!(place.ask(&["log", "load"]).out, "third\n");
    assert_eq!(place.ask(&["log", "load", "-q"]).err, "");
    let json = place.ask(&["log", "load", "2024-11-01T00:00", "--json"]).json();
    let file = place.path("logs/load/20241101T000000Z.1.log");
    assert_eq!(json["log"].as_str().map(std::path::Path::new), Some(fs::canonicalize(file).unwrap().as_path()));
}

#[test]
fn a_log_that_cannot_be_meant_is_refused() {
    let place = lived();
    let said = place.ask(&["log", "load", "2024-11-01"]);
    assert_eq!(said.exit, 2);
    insta::assert_snapshot!(said.err, @"
    error: `load` was attempted at 2 dates of that day
    hint: name one: 2024-11-01T00:00:00+00:00, 2024-11-01T12:00:00+00:00
    ");
    let said = place.ask(&["log", "load", "2024-11-01T12:00", "--attempt", "3"]);
    assert_eq!((said.exit, said.err.as_str()), (1, "error: `load` has no such attempt at that date; it has 2\n"));
    let said = place.ask(&["log", "load", "2024-11-07"]);
    assert_eq!(said.exit, 2);
    insta::assert_snapshot!(said.err, @"
    error: `load` has no date on 2024-11-07
    hint: the date before it is 2024-11-01T12:00:00+00:00, and there is none after it
    ");
    let said = place.ask(&["log", "load", "2024-11-01T06:00"]);
    assert_eq!(said.exit, 2);
    insta::assert_snapshot!(said.err, @"
    error: 2024-11-01T06:00:00+00:00 is no date of `load`
    hint: the nearest dates are 2024-11-01T00:00:00+00:00 and 2024-11-01T12:00:00+00:00
    ");
    fs::remove_dir_all(place.path("logs")).unwrap();
    let said = place.ask(&["log", "load"]);
    assert_eq!(said.err, "note: attempt 2 of `load` at 2024-11-01T12:00:00+00:00: succeeded; it printed nothing\n");
}

#[test]
fn following_what_has_ended_prints_it_and_says_how_it_ended() {
    let place = lived();
    let said = place.ask(&["log", "load", "2024-11-01T12:00", "-f"]);
    assert_eq!((said.exit, said.out.as_str()), (0, "third\n"));
    insta::assert_snapshot!(said.err, @"note: attempt 2 of `load` at 2024-11-01T12:00:00+00:00: succeeded after 1.3 s");
    let said = place.ask(&["log", "load", "2024-11-01T12:00", "--attempt", "1", "--follow"]);
    assert_eq!(said.exit, 1);
    insta::assert_snapshot!(said.err, @"note: attempt 1 of `load` at 2024-11-01T12:00:00+00:00: failed(1) after 1.3 s");
}

#[test]
fn a_log_from_before_a_reset_is_still_there() {
    let place = lived();
    assert_eq!(place.ask(&["reset", "load", "--yes"]).exit, 0);
    let said = place.ask(&["log", "load", "2024-11-01T12:00"]);
    assert_eq!((said.exit, said.out.as_str()), (0, "third\n"), "{}", said.err);
    insta::assert_snapshot!(said.err, @"
    note: `load` was reset: this is from before the reset
    note: attempt 2 of `load` at 2024-11-01T12:00:00+00:00: succeeded
    ");
    let said = place.ask(&["log", "load", "2024-11-01T12:00", "--attempt", "1", "-q"]);
    assert_eq!((said.exit, said.err.as_str()), (0, ""));
}

#[test]
fn a_date_without_an_attempt_is_still_a_date() {
    let place = Fixture::new(TWICE_A_DAY);
    place.live(at("2024-11-02T00:00:00Z"), |_| Some(Outcome::Failed { code: 1 }));
    let said = place.ask(&["log", "load", "2024-11-01T12:00"]);
    assert_eq!(said.exit, 1);
    insta::assert_snapshot!(said.err, @"
    error: `load` was never attempted at that date
    hint: `crontabber sessions load` lists its dates
    ");
}
