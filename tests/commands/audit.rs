//! `audit`: what operators did.

use crontabber::job::JobName;
use crontabber::ledger::{LedgerUrl, Owner, RequestQueue, Writer};
use crontabber::session::{Changed, Entry, Operation, Past, Reply, Request};
use serde_json::json;

use crate::fixture::{Fixture, at, succeeds};

const ONE: &str = "[daemon]\ntimezone = \"Europe/Berlin\"\n[jobs.load]\nschedule = \"0 0 * * *\"\nstart = 2024-11-01\n\
                   end = 2024-11-03\nbackfill = true\ncommand = \"true\"\n";

/// Three acts: one done, one refused, one that nobody has taken up.
pub(crate) fn lived() -> Fixture {
    let place = Fixture::new(ONE);
    place.live(at("2024-11-05T00:00:00Z"), succeeds);
    let url = LedgerUrl::Sqlite(place.path("ledger.db"));
    let mut queue = RequestQueue::open(&url).unwrap();
    let mut post = |job: &str, operation, when: &str, reason: Option<&str>| {
        let (job, user, host) = (JobName::new(job).unwrap(), "ada".to_owned(), "alpha".to_owned());
        queue
            .post([&Request {
                id: 0,
                past: Past::default(),
                job: Some(job),
                operation,
                at: at(when),
                user,
                host,
                reason: reason.map(str::to_owned),
            }])
            .unwrap()[0]
    };
    let date = Some(at("2024-11-01T23:00:00Z"));
    let first = post("load", Operation::Run { date, force: true }, "2024-11-05T09:00:00Z", Some("the disk was full"));
    let second = post("gone", Operation::Reset { to: None }, "2024-11-06T09:00:00Z", None);
    post("load", Operation::Run { date: None, force: false }, "2024-11-07T09:00:00Z", None);
    let owner = Owner { host: "host".to_owned(), pid: 1, version: "0.1.0".to_owned() };
    let mut writer = Writer::open(&url, &owner, at("2024-11-07T09:00:00Z")).unwrap();
    let answer = |request, done, text: &str| {
        let dates = if done { Changed { count: 1, first: date, last: date } } else { Changed::default() };
        let reply = Reply { done, text: text.to_owned(), dates };
        Entry::Answer { request, reply, at: at("2024-11-07T09:00:01Z") }
    };
    writer
        .commit(&[answer(first, true, "attempt 2 was started"), answer(second, false, "there is no such job")])
        .unwrap();
    place
}

#[test]
fn acts_are_told_from_the_newest_on() {
    let place = lived();
    insta::assert_snapshot!(place.ask(&["audit"]).out, @"
    AT                         WHO        ACTION  JOB   DATES                      DONE
    2024-11-07T10:00:00+01:00  ada@alpha  run     load  -                          not yet
    2024-11-06T09:00:00+00:00  ada@alpha  reset   gone  -                          refused
      there is no such job
    2024-11-05T10:00:00+01:00  ada@alpha  run     load  2024-11-02T00:00:00+01:00  yes
      reason: the disk was full; attempt 2 was started
    ");
    insta::assert_snapshot!(place.ask(&["audit", "load", "--limit", "1"]).out, @"
    AT                         WHO        ACTION  JOB   DATES  DONE
    2024-11-07T10:00:00+01:00  ada@alpha  run     load  -      not yet

    the newest 1 act; those before: `crontabber audit load --limit 1 --before 3`
    ");
    insta::assert_snapshot!(place.ask(&["audit", "load", "--limit", "1", "--before", "3"]).out, @"
    AT                         WHO        ACTION  JOB   DATES                      DONE
    2024-11-05T10:00:00+01:00  ada@alpha  run     load  2024-11-02T00:00:00+01:00  yes
      reason: the disk was full; attempt 2 was started
    ");
    insta::assert_snapshot!(place.ask(&["audit", "--from", "2024-11-06", "--to", "2024-11-07"]).out, @"
    AT                         WHO        ACTION  JOB   DATES  DONE
    2024-11-06T09:00:00+00:00  ada@alpha  reset   gone  -      refused
      there is no such job
    ");
}

#[test]
fn programs_are_told_who_when_what_and_why() {
    let place = lived();
    let said = place.ask(&["audit", "--json"]);
    assert_eq!(
        said.json()[2],
        json!({
            "at": "2024-11-05T10:00:00+01:00",
            "user": "ada",
            "host": "alpha",
            "action": "run",
            "job": "load",
            "from": "2024-11-02T00:00:00+01:00",
            "to": "2024-11-02T00:00:00+01:00",
            "reason": "the disk was full",
            "done": true,
            "answer": "attempt 2 was started",
            "answered_at": "2024-11-07T10:00:01+01:00",
            "dates": 1,
            "id": 1,
        })
    );
    assert_eq!(said.column("done"), ["null", "false", "true"]);
    assert_eq!(place.ask(&["audit", "gone", "--json"]).column("action"), ["reset"]);
    let said = place.ask(&["audit", "--json", "--limit", "2"]);
    assert_eq!(
        (said.column("id"), said.err.as_str()),
        (vec!["3".to_owned(), "2".to_owned()], "note: there are more before: `--before 2`\n")
    );
    insta::assert_snapshot!(place.ask(&["audit", "load", "--csv"]).out.replace('\r', "~"), @"
    at,user,host,action,job,from,to,reason,done,answer,answered_at,dates,id~
    2024-11-07T10:00:00+01:00,ada,alpha,run,load,,,,,,,,3~
    2024-11-05T10:00:00+01:00,ada,alpha,run,load,2024-11-02T00:00:00+01:00,2024-11-02T00:00:00+01:00,the disk was full,true,attempt 2 was started,2024-11-07T10:00:01+01:00,1,1~
    ");
}

#[test]
fn nothing_done_is_said() {
    let place = Fixture::new(ONE);
    assert_eq!(place.ask(&["audit", "--json"]).out, "[]\n");
    place.live(at("2024-11-05T00:00:00Z"), succeeds);
    assert_eq!(place.ask(&["audit"]).out, "operators did nothing\n");
    assert_eq!(place.ask(&["audit", "load"]).out, "operators did nothing to `load`\n");
    assert_eq!(place.ask(&["audit", "load", "--last", "7d"]).out, "operators did nothing to `load` there\n");
    insta::assert_snapshot!(place.ask(&["audit", "laod"]).err, @"
    error: there is no job `laod`
    hint: did you mean `load`?
    ");
}
