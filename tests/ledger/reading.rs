//! Lists of sessions and attempts: order, newest, generations; and no read scans the ledger.

use std::cell::RefCell;
use std::ops::ControlFlow;

use chrono::{DateTime, TimeDelta, Utc};
use crontabber::ledger::{AttemptFilter, Between, LocalBetween, Reader, RequestQueue, SessionFilter};
use crontabber::session::{
    Changed, Entry, JobRecord, Operation, OutcomeKind, Past, RecordingRange, Reply, Request, SessionKey, SettledBy,
    StateKind,
};
use diesel::connection::{Instrumentation, InstrumentationEvent};
use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::on_both;
use crate::world::*;

on_both! {
    sessions_are_listed_by_date_then_job
    the_newest_are_listed_ascending
    old_generations_are_listed_on_request
    pages_may_end_within_a_generation
    a_list_can_stop_early
    attempts_are_listed_by_date_job_and_number
    the_newest_success_before_a_date_is_looked_up
    requests_are_posted_and_answered
    requests_are_seen_beside_the_writer
}

/// Jobs whose numbers are in another order than their names, and more dates than a page has.
fn many(world: &World, days: i64) {
    let days: Vec<i64> = (1..=days).collect();
    let jobs = ["c", "a", "b"];
    let entries: Vec<_> = jobs.iter().flat_map(|job| [enter(job), record(job, None, &days)]).collect();
    world.writer().commit(&entries).unwrap();
}

fn keys(world: &World, filter: &SessionFilter) -> Vec<(i64, String, u32)> {
    let day = |date: DateTime<Utc>| (date - at(0)).num_days();
    let found = sessions(&mut world.reader(), filter);
    found.into_iter().map(|s| (day(s.key.date), s.key.job.to_string(), s.key.generation)).collect()
}

fn sessions_are_listed_by_date_then_job(world: &World) {
    many(world, 900);
    let found = keys(world, &SessionFilter::default());
    let expected: Vec<_> = (1..=900).flat_map(|day| ["a", "b", "c"].map(|job| (day, job.to_owned(), 1))).collect();
    assert!(found == expected, "{} rows, {} expected", found.len(), expected.len());
    let only = keys(world, &SessionFilter { jobs: Some(vec![name("b")]), ..SessionFilter::default() });
    assert!(only == (1..=900).map(|day| (day, "b".to_owned(), 1)).collect::<Vec<_>>());
    let nobody = keys(world, &SessionFilter { jobs: Some(vec![name("x")]), ..SessionFilter::default() });
    assert_eq!(nobody, []);
}

fn the_newest_are_listed_ascending(world: &World) {
    many(world, 10);
    let newest = |job: Option<&str>, newest| {
        keys(
            world,
            &SessionFilter { jobs: job.map(|job| vec![name(job)]), newest: Some(newest), ..SessionFilter::default() },
        )
    };
    let three = |job: &str, days: &[i64]| days.iter().map(|day| (*day, job.to_owned(), 1)).collect::<Vec<_>>();
    assert_eq!(newest(Some("c"), 3), three("c", &[8, 9, 10]));
    assert_eq!(newest(None, 2), [(10, "b".to_owned(), 1), (10, "c".to_owned(), 1)]);
    assert_eq!(newest(None, 4)[0], (9, "c".to_owned(), 1));
    assert_eq!(newest(None, 0), []);
    assert_eq!(newest(None, 30).len(), 30);
    assert_eq!(newest(None, u32::MAX).len(), 30);
    assert_eq!(newest(Some("a"), 11).len(), 10);
}

fn old_generations_are_listed_on_request(world: &World) {
    many(world, 3);
    let mut writer = world.writer();
    let mut fresh = job("a");
    fresh.generation = 2;
    let mut again = record("a", None, &[2, 3, 4]);
    if let Entry::Record { generation, .. } = &mut again {
        *generation = 2;
    }
    writer.commit(&[Entry::Reset(fresh), again]).unwrap();
    let list = |job: Option<&str>, newest, all_generations| {
        keys(
            world,
            &SessionFilter {
                jobs: job.map(|job| vec![name(job)]),
                newest,
                all_generations,
                ..SessionFilter::default()
            },
        )
    };
    let a = |rows: &[(i64, u32)]| rows.iter().map(|(day, of)| (*day, "a".to_owned(), *of)).collect::<Vec<_>>();
    assert_eq!(list(Some("a"), None, false), a(&[(2, 2), (3, 2), (4, 2)]));
    assert_eq!(list(Some("a"), None, true), a(&[(1, 1), (2, 1), (2, 2), (3, 1), (3, 2), (4, 2)]));
    assert_eq!(list(Some("a"), Some(3), true), a(&[(3, 1), (3, 2), (4, 2)]));
    assert_eq!(list(None, None, false).len(), 9);
    assert_eq!(list(None, None, true).len(), 12);
    assert_eq!(list(None, Some(3), false), [(3, "b".to_owned(), 1), (3, "c".to_owned(), 1), (4, "a".to_owned(), 2)]);
}

fn pages_may_end_within_a_generation(world: &World) {
    let days: Vec<i64> = (1..=1_501).collect();
    let mut writer = world.writer();
    writer.commit(&[enter("a"), record("a", None, &days)]).unwrap();
    let mut fresh = job("a");
    fresh.generation = 2;
    let mut again = record("a", None, &days);
    if let Entry::Record { generation, .. } = &mut again {
        *generation = 2;
    }
    writer.commit(&[Entry::Reset(fresh), again]).unwrap();
    for newest in [None, Some(2_999)] {
        let jobs = Some(vec![name("a")]);
        let found = keys(world, &SessionFilter { jobs, newest, all_generations: true, ..SessionFilter::default() });
        let expected = days.iter().flat_map(|day| [1, 2].map(|of| (*day, "a".to_owned(), of))).collect::<Vec<_>>();
        let expected = &expected[expected.len() - newest.map_or(3_002, |newest| newest as usize)..];
        assert!(found == expected, "{} rows", found.len());
    }
}

fn a_list_can_stop_early(world: &World) {
    many(world, 5);
    let mut seen = 0;
    let mut each = |_| {
        seen += 1;
        if seen == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    world.reader().sessions(&SessionFilter::default(), &mut each).unwrap();
    assert_eq!(seen, 4);
}

fn attempts_are_listed_by_date_job_and_number(world: &World) {
    many(world, 2);
    let mut writer = world.writer();
    for job in ["b", "c", "a"] {
        for day in [2, 1] {
            writer
                .commit(&[
                    open(job, day, 1, StateKind::Waiting),
                    fail(job, day, 1),
                    open(job, day, 2, StateKind::Failed),
                ])
                .unwrap();
        }
    }
    let keys = |filter: AttemptFilter| {
        let found = attempts(&mut world.reader(), &filter);
        found
            .iter()
            .map(|a| format!("{}{}{}", (a.key.session.date - at(0)).num_days(), a.key.session.job, a.key.number))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let all = AttemptFilter::default();
    assert_eq!(keys(all.clone()), "1a1 1a2 1b1 1b2 1c1 1c2 2a1 2a2 2b1 2b2 2c1 2c2");
    assert_eq!(keys(AttemptFilter { newest: Some(3), ..all.clone() }), "2b2 2c1 2c2");
    assert_eq!(keys(AttemptFilter { dates: Between::only(date(1)), ..all.clone() }), "1a1 1a2 1b1 1b2 1c1 1c2");
    let one = AttemptFilter { jobs: Some(vec![name("b")]), ..all };
    assert_eq!(keys(one.clone()), "1b1 1b2 2b1 2b2");
    assert_eq!(keys(AttemptFilter { newest: Some(1), ..one.clone() }), "2b2");
    assert_eq!(keys(AttemptFilter { dates: Between::only(date(2)), all_generations: true, ..one }), "2b1 2b2");
    let open = AttemptFilter { outcomes: vec![None], all_generations: true, ..AttemptFilter::default() };
    let mut open = attempts(&mut world.reader(), &open);
    open.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(open.len(), 6);
    assert_eq!(open, writer.load().unwrap().open);
}

fn the_newest_success_before_a_date_is_looked_up(world: &World) {
    let mut writer = world.writer();
    let done = |day, generation| Entry::Done {
        session: SessionKey { generation, ..session("a", day) },
        from: StateKind::Waiting,
        by: SettledBy::Operator,
        at: at(40),
    };
    let of_generation = |of, days: &[i64]| {
        let mut entry = record("a", None, days);
        if let Entry::Record { generation, .. } = &mut entry {
            *generation = of;
        }
        entry
    };
    let entered = [enter("a"), of_generation(1, &[1, 2, 3, 4, 5, 6]), done(2, 1), done(4, 1), done(6, 1)];
    let entered = entered.into_iter().chain([enter("b"), record("b", None, &[3]), open("b", 3, 1, StateKind::Waiting)]);
    writer.commit(&entered.chain([succeed("b", 3, 1)]).collect::<Vec<_>>()).unwrap();
    let mut found = |generation, days: &[i64]| {
        let keys: Vec<_> = days.iter().map(|day| SessionKey { generation, ..session("a", *day) }).collect();
        let found = writer.successes_before(&keys).unwrap().into_iter();
        found.map(|(_, success)| success.map_or(0, |date| (date - at(0)).num_days())).collect::<Vec<_>>()
    };
    assert_eq!(found(1, &[7, 6, 5, 4, 3, 2, 1]), [6, 4, 4, 2, 2, 0, 0]);
    // After a reset to a date, the earlier dates of the generation before count, and the later ones do not.
    let reset = Entry::Reset(JobRecord { generation: 2, first_date: date(5), ..job("a") });
    writer.commit(&[reset, of_generation(2, &[3, 5, 6]), done(3, 2)]).unwrap();
    let mut found = |day| {
        let key = SessionKey { generation: 2, ..session("a", day) };
        writer.successes_before(&[key]).unwrap()[0].1.map_or(0, |date| (date - at(0)).num_days())
    };
    assert_eq!([6, 5, 4, 3].map(&mut found), [4, 4, 3, 2]);
}

fn request(operation: Operation) -> Request {
    Request {
        id: 0,
        past: Past::default(),
        job: Some(name("a")),
        operation,
        at: at(5),
        user: "ada".to_owned(),
        host: "beta".to_owned(),
        reason: Some("it's \"late\"".to_owned()),
    }
}

fn requests_are_posted_and_answered(world: &World) {
    let mut writer = world.writer();
    let mut queue = RequestQueue::open(&world.url).unwrap();
    let asked = [
        Operation::Run { date: Some(date(1)), force: true },
        Operation::Run { date: None, force: false },
        Operation::Reset { to: None },
    ];
    let numbers = asked.clone().map(|operation| queue.post([&request(operation)]).unwrap()[0]);
    let found = writer.requests().unwrap();
    assert_eq!(found.iter().map(|request| request.id).collect::<Vec<_>>(), numbers);
    assert_eq!(found.iter().map(|request| request.operation.clone()).collect::<Vec<_>>(), asked);
    let (first, posted) = (&found[0], request(Operation::Reset { to: None }));
    assert_eq!(
        (&first.user, &first.host, &first.reason, first.at),
        (&posted.user, &posted.host, &posted.reason, at(5))
    );
    let dates = Changed { count: 2, first: Some(date(1)), last: Some(date(2)) };
    let reply = |done| Reply { done, text: "done so".to_owned(), dates: if done { dates } else { Changed::default() } };
    let answer = |request, done| Entry::Answer { request, reply: reply(done), at: at(9) };
    let mut reader = world.reader();
    assert_eq!(reader.answer(numbers[0]).unwrap(), None);
    writer.commit(&[answer(numbers[0], true), answer(numbers[2], false)]).unwrap();
    let found = reader.answer(numbers[0]).unwrap().unwrap();
    assert_eq!((found.reply.done, found.reply.text.as_str(), found.at), (true, "done so", at(9)));
    assert_eq!(found.reply.dates, dates);
    assert!(!reader.answer(numbers[2]).unwrap().unwrap().reply.done);
    assert_eq!(reader.answer(12_345).unwrap(), None);
    assert_eq!(writer.requests().unwrap().len(), 1);
    assert!(writer.commit(&[answer(numbers[0], true)]).is_err());
}

fn requests_are_seen_beside_the_writer(world: &World) {
    let mut writer = world.with_three_dates();
    let mut queue = RequestQueue::open(&world.url).unwrap();
    for day in 1..=3 {
        queue.post([&request(Operation::Reset { to: None })]).unwrap();
        writer.commit(&[open("a", day, 1, StateKind::Waiting), succeed("a", day, 1)]).unwrap();
    }
    assert_eq!(writer.requests().unwrap().len(), 3);
}

thread_local! { static QUERIES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) }; }

/// Keeps the text of every query of this thread.
struct QueryRecorder;

impl Instrumentation for QueryRecorder {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            QUERIES.with_borrow_mut(|queries| queries.push(query.to_string()));
        }
    }
}

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// Lists sessions and attempts with every combination of filters.
fn list_with_every_filter(reader: &mut Reader) {
    let failed = Some(OutcomeKind::Failed);
    for newest in [None, Some(2)] {
        for jobs in [
            None,
            Some(vec![name("a")]),
            Some((0..20).map(|number| name(&format!("a{number}"))).chain([name("a"), name("b")]).collect()),
        ] {
            let bounds = (Some(date(1)), Some(date(3)));
            let walls = (bounds.0.map(|at| at.naive_utc()), bounds.1.map(|at| at.naive_utc()));
            for (dates, local) in [
                (Between::default(), LocalBetween::default()),
                (Between { from: bounds.0, to: bounds.1 }, LocalBetween::default()),
                (Between::default(), LocalBetween { from: walls.0, to: walls.1 }),
            ] {
                for states in [
                    vec![],
                    vec![StateKind::Succeeded, StateKind::Skipped],
                    vec![StateKind::Failed, StateKind::Held],
                    vec![StateKind::Running],
                ] {
                    let (jobs, before) = (jobs.clone(), (newest == Some(2)).then(|| session("a", 3)));
                    let filter = SessionFilter { jobs, dates, local, states, before, newest, all_generations: false };
                    sessions(reader, &filter);
                }
                for outcomes in [vec![], vec![failed, Some(OutcomeKind::Lost)], vec![None, failed], vec![None]] {
                    for since in [None, Some(at(60))] {
                        let (jobs, outcomes) = (jobs.clone(), outcomes.clone());
                        let before = (newest == Some(2)).then(|| attempt("a", 3, 1));
                        let all_generations = false;
                        attempts(
                            reader,
                            &AttemptFilter { jobs, dates, local, since, outcomes, before, newest, all_generations },
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn no_query_scans_or_sorts_the_ledger() {
    diesel::connection::set_default_instrumentation(|| Some(Box::new(QueryRecorder))).unwrap();
    let world = World::sqlite();
    many(&world, 3);
    let mut writer = world.writer();
    writer
        .commit(&[open("a", 1, 1, StateKind::Waiting), succeed("a", 1, 1), open("a", 2, 1, StateKind::Waiting)])
        .unwrap();
    let others: Vec<Entry> = (0..20).map(|number| enter(&format!("a{number}"))).collect();
    writer.commit(&others).unwrap();
    let mut reader = world.reader();
    QUERIES.take();
    writer.commit(&[fail("a", 2, 1), open("a", 3, 1, StateKind::Waiting)]).unwrap();
    writer.load().unwrap();
    writer.requests().unwrap();
    reader.session(&session("a", 1)).unwrap();
    list_with_every_filter(&mut reader);
    reader.attempt(&attempt("a", 1, 1)).unwrap();
    reader.days(&name("a"), &[(date(1), date(2)), (date(2), date(3))]).unwrap();
    reader.beside(&name("a"), Between::only(date(2))).unwrap();
    reader.durations(&name("a"), 100).unwrap();
    reader.newest_zones().unwrap();
    reader.zone_at(&name("a"), date(1)).unwrap();
    reader.has_other_zone(&name("a"), chrono_tz::UTC, Between::only(date(2))).unwrap();
    reader.disabled(&name("a"), at(0)).unwrap();
    let range =
        RecordingRange { job: name("a"), generation: 1, from: date(1), to: date(2), around: TimeDelta::days(1) };
    writer.recordings(&[range]).unwrap();
    let whole = reader.snapshot(|snapshot| {
        for (record, _) in snapshot.jobs().unwrap() {
            snapshot.rows(&record.name, &mut |_| ControlFlow::Continue(())).unwrap();
        }
    });
    whole.unwrap();
    let mut asked: Vec<String> = QUERIES.take();
    asked.retain(|query| ["SELECT", "UPDATE", "INSERT"].iter().any(|verb| query.starts_with(verb)));
    asked.sort();
    asked.dedup();
    assert!(asked.len() > 20, "{asked:#?}");
    let mut sqlite = SqliteConnection::establish(world.file().to_str().unwrap()).unwrap();
    let (mut bounded, mut joined, mut edited_out) = (0, 0, 0);
    for query in asked {
        let query = query.split(" -- binds").next().unwrap();
        let steps = diesel::sql_query(format!("EXPLAIN QUERY PLAN {query}")).load::<Step>(&mut sqlite).unwrap();
        for Step { detail } in steps {
            let whole = detail.starts_with("SCAN sessions") || detail.starts_with("SCAN attempts");
            let by_index = detail.contains("INDEX sessions_") || detail.contains("INDEX attempts_");
            assert!(!whole || by_index, "{query}\n{detail}");
            assert!(!detail.contains("TEMP B-TREE FOR ORDER BY"), "{query}\n{detail}");
            // The attempts of all jobs are looked for by the dates of sessions, each by its own.
            if query.contains("(`sessions` INNER JOIN `attempts`") && detail.starts_with("SEARCH attempts") {
                joined += 1;
                assert!(detail.contains("date=?"), "{query}\n{detail}");
            }
            // The few dates that edits have left out are not looked for among all dates of their job.
            if query.contains("reason IN") {
                edited_out += 1;
                assert!(detail.contains("sessions_edited_out"), "{query}\n{detail}");
            }
            // A list of all jobs between two dates looks at no others.
            if query.contains("`sessions`.`date` <") && detail.contains("sessions_date") {
                bounded += 1;
                assert!(detail.contains("date<?"), "{query}\n{detail}");
            }
        }
    }
    assert!(bounded > 2 && joined > 2 && edited_out > 0, "{bounded}, {joined}, {edited_out}");
}
