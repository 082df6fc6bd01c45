//! `sessions` and `attempts` of some states and dates, in pages, and as CSV.

use crontabber::session::{AttemptKey, Outcome};

use crate::fixture::{Fixture, at, succeeds};

const TWO_JOBS: &str = r#"
[daemon]
timezone = "Europe/Berlin"
[jobs.load]
schedule = "30 2 * * *"
start = 2024-11-01
end = 2024-11-06
backfill = true
order = "independent"
retry = { after = "10m", attempts = 2 }
command = "true"
[jobs.far]
schedule = "0 12 * * *"
timezone = "Asia/Tokyo"
start = 2024-11-01
end = 2024-11-03
backfill = true
command = "true"
"#;

/// `load` fails on the second day, is killed on the third, and runs on the sixth; `far` is well.
fn lived() -> Fixture {
    let place = Fixture::new(TWO_JOBS);
    place.live(at("2024-11-08T00:00:00Z"), |attempt: &AttemptKey| {
        let day = attempt.session.date.format("%d").to_string();
        match (attempt.session.job.as_str(), day.as_str()) {
            ("load", "02") => Some(Outcome::Failed { code: 4 }),
            ("load", "03") => Some(Outcome::Killed { signal: 9 }),
            ("load", "06") => None,
            _ => Some(Outcome::Succeeded),
        }
    });
    place
}

fn days(place: &Fixture, arguments: &[&str]) -> String {
    let all: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
    let said = place.ask(&all);
    assert_eq!(said.exit, 0, "{said:?}");
    let (dates, jobs) = (said.column("date"), said.column("job"));
    dates.iter().zip(jobs).map(|(date, job)| format!("{}{}", &job[..1], &date[8..10])).collect::<Vec<_>>().join(" ")
}

#[test]
fn states_and_dates_narrow_the_list() {
    let place = lived();
    assert_eq!(days(&place, &["sessions", "--state", "failed"]), "l02 l03");
    assert_eq!(days(&place, &["sessions", "--state", "failed,running"]), "l02 l03 l06");
    assert_eq!(days(&place, &["sessions", "--state", "failed", "--state", "succeeded", "load"]), "l01 l02 l03 l04 l05");
    assert_eq!(days(&place, &["sessions", "--from", "2024-11-03", "--to", "2024-11-05"]), "l03 f03 l04");
    assert_eq!(days(&place, &["sessions", "load", "--to", "2024-11-02T02:30"]), "l01");
    assert_eq!(days(&place, &["sessions", "--last", "7d"]), "");
    let without_unit = place.ask(&["sessions", "--last", "7"]);
    assert!(without_unit.err.contains("`7` has no unit: write `7d` for days"), "{}", without_unit.err);
    // All of them lie back less than a century.
    assert_eq!(days(&place, &["sessions", "far", "--last", "36500d"]), "f01 f02 f03");
    assert_eq!(days(&place, &["attempts", "--state", "killed"]), "l03");
    assert_eq!(days(&place, &["attempts", "--state", "running,failed"]), "l02 l06");
    assert_eq!(days(&place, &["attempts", "--state", "running"]), "l06");
    assert_eq!(days(&place, &["attempts", "load", "--from", "2024-11-05"]), "l05 l06");
    assert_eq!(days(&place, &["attempts", "load", "2024-11-02", "--state", "succeeded"]), "");
    insta::assert_snapshot!(place.ask(&["sessions", "--state", "held"]).err, @"note: no such sessions in the ledger");
    insta::assert_snapshot!(place.ask(&["attempts", "load", "--last", "7d"]).err, @"note: `load` has no such attempts in the ledger");
    insta::assert_snapshot!(place.ask(&["attempts", "load", "2024-11-02", "--state", "lost"]).err, @"note: `load` has no such attempts in the ledger");
}

#[test]
fn a_day_is_of_the_zone_of_the_job_that_is_named() {
    let place = lived();
    // Noon in Tokyo is four o'clock in Berlin; midnight there is the afternoon before.
    assert_eq!(days(&place, &["sessions", "far", "--from", "2024-11-02", "--to", "2024-11-03"]), "f02");
    assert_eq!(days(&place, &["sessions", "far", "--from", "2024-11-02T12:00", "--to", "2024-11-02T12:01"]), "f02");
    assert_eq!(days(&place, &["sessions", "--from", "2024-11-02T04:00", "--to", "2024-11-02T04:01"]), "f02");
}

#[test]
fn pages_lead_back_to_the_beginning() {
    let place = lived();
    let said = place.ask(&["sessions", "load", "--limit", "2"]);
    insta::assert_snapshot!(said.out, @"
    JOB   DATE                       STATE      ATTEMPTS  TRIGGER   MORE
    load  2024-11-05T02:30:00+01:00  succeeded         1  catch-up  at 2024-11-08T01:00:01+01:00
    load  2024-11-06T02:30:00+01:00  running           1  catch-up

    the newest 2 sessions; those before: `crontabber sessions load --limit 2 --before load/1/2024-11-05T01:30:00Z`
    ");
    let next = |out: &str| {
        let (_, command) = out.lines().last().unwrap().split_once('`').unwrap();
        command.trim_end_matches('`').split(' ').skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let command = next(&said.out);
    let said = place.ask(&command.iter().map(String::as_str).collect::<Vec<_>>());
    insta::assert_snapshot!(said.out, @"
    JOB   DATE                       STATE      ATTEMPTS  TRIGGER   MORE
    load  2024-11-03T02:30:00+01:00  failed            1  catch-up  again at 2024-11-08T01:10:01+01:00
    load  2024-11-04T02:30:00+01:00  succeeded         1  catch-up  at 2024-11-08T01:00:01+01:00

    2 sessions; those before: `crontabber sessions load --limit 2 --before load/1/2024-11-03T01:30:00Z`
    ");
    let command = next(&said.out);
    let said = place.ask(&command.iter().map(String::as_str).collect::<Vec<_>>());
    insta::assert_snapshot!(said.out, @"
    JOB   DATE                       STATE      ATTEMPTS  TRIGGER   MORE
    load  2024-11-01T02:30:00+01:00  succeeded         1  catch-up  at 2024-11-08T01:00:01+01:00
    load  2024-11-02T02:30:00+01:00  failed            1  catch-up  again at 2024-11-08T01:10:01+01:00
    ");
    let said = place.ask(&["attempts", "--limit", "3", "--state", "succeeded"]);
    insta::assert_snapshot!(said.out, @"
    JOB   DATE                       ATTEMPT      STARTED                     TOOK    CPU  MEMORY  TRIGGER
    far   2024-11-03T12:00:00+09:00  1 succeeded  2024-11-08T09:00:01+09:00  1.3 s  1.2 s   34 MB  catch-up
    load  2024-11-04T02:30:00+01:00  1 succeeded  2024-11-08T01:00:01+01:00  1.3 s  1.2 s   34 MB  catch-up
    load  2024-11-05T02:30:00+01:00  1 succeeded  2024-11-08T01:00:01+01:00  1.3 s  1.2 s   34 MB  catch-up

    the newest 3 attempts; those before: `crontabber attempts --limit 3 --state succeeded --before far/1/2024-11-03T03:00:00Z/1`
    ");
    let command = next(&said.out);
    let said = place.ask(&command.iter().map(String::as_str).collect::<Vec<_>>());
    insta::assert_snapshot!(said.out, @"
    JOB   DATE                       ATTEMPT      STARTED                     TOOK    CPU  MEMORY  TRIGGER
    load  2024-11-01T02:30:00+01:00  1 succeeded  2024-11-08T01:00:00+01:00  1.3 s  1.2 s   34 MB  catch-up
    far   2024-11-01T12:00:00+09:00  1 succeeded  2024-11-08T09:00:00+09:00  1.3 s  1.2 s   34 MB  catch-up
    far   2024-11-02T12:00:00+09:00  1 succeeded  2024-11-08T09:00:01+09:00  1.3 s  1.2 s   34 MB  catch-up
    ");
}

#[test]
fn a_program_goes_on_with_the_key_of_the_first_row() {
    let place = lived();
    let said = place.ask(&["sessions", "--limit", "5", "--json"]);
    assert_eq!(said.err, "note: there are more before: `--before load/1/2024-11-03T01:30:00Z`\n");
    // The date of a row says the same instant.
    let cursor = "load/1/2024-11-03T02:30:00+01:00";
    assert_eq!(days(&place, &["sessions", "--before", cursor]), "l01 f01 l02 f02");
    assert_eq!(days(&place, &["sessions", "--before", cursor, "--limit", "1"]), "f02");
    assert_eq!(place.ask(&["sessions", "--limit", "9", "--json"]).err, "");
    assert_eq!(place.ask(&["sessions", "--limit", "5", "--json", "-q"]).err, "");
    let said = place.ask(&["attempts", "--limit", "1", "--csv"]);
    assert_eq!(said.err, "note: there are more before: `--before load/1/2024-11-06T01:30:00Z/1`\n");
}

#[test]
fn csv_has_the_fields_of_json() {
    let place = lived();
    insta::assert_snapshot!(place.ask(&["sessions", "load", "--csv", "--limit", "3", "-q"]).out.replace('\r', "~"), @"
    job,date,state,attempts,trigger,reason,retry_at,generation,recorded_at,settled_at~
    load,2024-11-04T02:30:00+01:00,succeeded,1,catch-up,,,1,2024-11-08T01:00:00+01:00,2024-11-08T01:00:01+01:00~
    load,2024-11-05T02:30:00+01:00,succeeded,1,catch-up,,,1,2024-11-08T01:00:00+01:00,2024-11-08T01:00:01+01:00~
    load,2024-11-06T02:30:00+01:00,running,1,catch-up,,,1,2024-11-08T01:00:00+01:00,~
    ");
    insta::assert_snapshot!(place.ask(&["attempts", "load", "2024-11-03", "--csv"]).out.replace('\r', "~"), @"
    job,date,attempt,outcome,exit_code,signal,started_at,ended_at,duration_seconds,cpu_user_seconds,cpu_system_seconds,peak_memory_bytes,trigger,host,pid,detail,has_log,log,generation~
    load,2024-11-03T02:30:00+01:00,1,killed,,9,2024-11-08T01:00:01+01:00,2024-11-08T01:00:01+01:00,1.25,,,,catch-up,host,,,false,,1~
    ");
    for command in ["sessions", "attempts"] {
        let csv = place.ask(&[command, "--csv"]).out;
        let row = place.ask(&[command, "--json"]).json()[0].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let mut header: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
        header.sort_unstable();
        assert_eq!(header, row, "{command}");
        let empty = Fixture::new(TWO_JOBS).ask(&[command, "--csv"]);
        assert_eq!(Some(empty.out.trim_end()), csv.lines().next(), "the header, and no row");
    }
}

#[test]
fn a_date_that_is_none_is_refused_with_those_beside_it() {
    let place = lived();
    let said = place.ask(&["attempts", "load", "2024-11-09"]);
    assert_eq!(said.exit, 2);
    insta::assert_snapshot!(said.err, @"
    error: `load` has no date on 2024-11-09
    hint: the date before it is 2024-11-06T02:30:00+01:00, and there is none after it
    ");
    let said = place.ask(&["attempts", "load", "2024-11-03T05:00", "--json"]);
    assert_eq!((said.exit, said.out.as_str()), (2, ""));
    insta::assert_snapshot!(said.err, @"
    error: 2024-11-03T05:00:00+01:00 is no date of `load`
    hint: the nearest dates are 2024-11-03T02:30:00+01:00 and 2024-11-04T02:30:00+01:00
    ");
    let said = place.ask(&["attempts", "load", "2024-10-01T05:00"]);
    insta::assert_snapshot!(said.err, @"
    error: 2024-10-01T05:00:00+02:00 is no date of `load`
    hint: the date after it is 2024-11-01T02:30:00+01:00, and there is none before it
    ");
    insta::assert_snapshot!(place.ask(&["attempts", "laod"]).err, @"
    error: there is no job `laod`
    hint: did you mean `load`?
    ");
    assert_eq!(place.ask(&["attempts", "LOAD"]).err.lines().last(), Some("hint: did you mean `load`?"));
    let said = place.ask(&["attempts", "--limit", "0"]);
    assert_eq!(said.err.lines().next(), Some("error: invalid value '0' for '--limit <N>': a limit is at least 1"));
    insta::assert_snapshot!(place.ask(&["attempts", "load", "tomorrow"]).err, @"
    error: invalid value 'tomorrow' for '[DATE]': write a day (`2026-11-03`), a time of the job's zone (`2026-11-03T02:30`) or an instant (`2026-11-03T01:30:00Z`)

    For more information, try '--help'.
    ");
}

/// Half past two comes not once in the night of the thirty-first of March, and a day of Apia never came.
const FORWARD: &str = r#"
[jobs.load]
schedule = "*/30 * * * *"
start = 2024-03-31
end = 2024-04-01
timezone = "Europe/Berlin"
backfill = true
command = "true"
[jobs.apia]
schedule = "0 12 * * *"
start = 2011-12-28
end = 2012-01-02
timezone = "Pacific/Apia"
backfill = true
command = "true"
"#;

#[test]
fn what_no_clock_showed_is_named_with_the_dates_beside_it() {
    let place = Fixture::new(FORWARD);
    place.live(at("2024-03-31T00:45:00Z"), succeeds);
    for command in [&["why"][..], &["log"], &["attempts"], &["done"], &["skip", "--date"]] {
        let ask = |job, date| place.ask(&[&command[..1], &[job], &command[1..], &[date]].concat());
        let said = ask("load", "2024-03-31T02:30");
        assert_eq!(
            said.err,
            "error: job `load`: no clock of `Europe/Berlin` ever showed 2024-03-31 02:30:00: it was set forward there\n\
             hint: the nearest dates are 2024-03-31T01:30:00+01:00 and 2024-03-31T03:00:00+02:00\n",
            "{command:?}"
        );
        assert_eq!(said.exit, 2);
        let said = ask("apia", "2011-12-30");
        assert_eq!(
            said.err,
            "error: job `apia`: no clock of `Pacific/Apia` ever showed the day 2011-12-30: it was set forward over it\n\
             hint: the nearest dates are 2011-12-29T12:00:00-10:00 and 2011-12-31T12:00:00+14:00\n",
            "{command:?}"
        );
    }
    let planned = |range: &[&str]| place.ask(&[&["plan", "load", "--json"], range].concat()).column("date");
    assert_eq!(
        planned(&["--from", "2024-03-31T01:30", "--to", "2024-03-31T02:30"]),
        ["2024-03-31T01:30:00+01:00"],
        "the end is when the clock was set forward"
    );
    assert_eq!(
        planned(&["--from", "2024-03-31T02:30", "--to", "2024-03-31T03:30"]),
        ["2024-03-31T03:00:00+02:00"],
        "and so is the beginning"
    );
}

#[test]
fn a_day_before_the_start_can_be_backfilled() {
    let place = lived();
    for command in ["attempts", "log"] {
        let said = place.ask(&[command, "load", "2024-10-01"]);
        assert_eq!(said.exit, 2);
        assert_eq!(
            said.err,
            "error: 2024-10-01 is before the start of `load`, and was never backfilled\n\
             hint: `crontabber backfill load --from 2024-10-01` attempts it\n"
        );
    }
}
