//! Reads with filters: states, outcomes, ranges of dates, pages; counts by day, durations, the audit.

use std::ops::ControlFlow;
use std::time::Duration;

use chrono::TimeDelta;
use crontabber::ledger::{AttemptFilter, AuditFilter, Between, RequestQueue, SessionFilter};
use crontabber::session::{
    AttemptEnd, Changed, Entry, Operation, Outcome, OutcomeKind, Past, Reply, Request, State, StateKind,
};

use crate::on_both;
use crate::world::*;

on_both! {
    sessions_are_filtered_by_state_and_date
    attempts_are_filtered_by_outcome_and_date
    attempts_are_filtered_by_when_they_ran
    rows_of_some_jobs_are_listed_in_one_order
    pages_are_contiguous
    one_attempt_is_found_by_its_key
    days_are_counted_by_state
    the_dates_next_to_a_range_are_found
    durations_are_of_successful_attempts
    the_audit_lists_the_newest_first
    a_job_is_disabled_until_its_instant
}

/// Jobs whose numbers are in another order than their names. On each of six days: `a` succeeded on the odd ones after a
/// failure, and is failed on the even ones; `b` is held on day 2, running on day 3; the rest waits.
fn lived(world: &World) {
    let days = [1, 2, 3, 4, 5, 6];
    let mut writer = world.writer();
    for job in ["c", "a", "b"] {
        writer.commit(&[enter(job), record(job, None, &days)]).unwrap();
    }
    for day in days {
        writer.commit(&[open("a", day, 1, StateKind::Waiting), fail("a", day, 1)]).unwrap();
        if day % 2 == 1 {
            writer.commit(&[open("a", day, 2, StateKind::Failed), succeed("a", day, 2)]).unwrap();
        }
    }
    let held = State::Held { reason: "so it is".to_owned() };
    writer.commit(&[open("b", 2, 1, StateKind::Waiting), close("b", 2, 1, Outcome::Lost, held)]).unwrap();
    writer.commit(&[open("b", 3, 1, StateKind::Waiting)]).unwrap();
}

fn day_of(date: chrono::DateTime<chrono::Utc>) -> i64 {
    (date - at(0)).num_days()
}

fn found(world: &World, filter: &SessionFilter) -> String {
    let found = sessions(&mut world.reader(), filter);
    let texts = found.iter().map(|session| {
        let again = if session.key.generation > 1 { "'" } else { "" };
        format!("{}{}{again}", day_of(session.key.date), session.key.job)
    });
    texts.collect::<Vec<_>>().join(" ")
}

fn tried(world: &World, filter: &AttemptFilter) -> String {
    let found = attempts(&mut world.reader(), filter);
    let texts = found.iter().map(|attempt| {
        format!("{}{}{}", day_of(attempt.key.session.date), attempt.key.session.job, attempt.key.number)
    });
    texts.collect::<Vec<_>>().join(" ")
}

fn days(from: i64, to: i64) -> Between {
    Between { from: Some(date(from)), to: Some(date(to)) }
}

fn sessions_are_filtered_by_state_and_date(world: &World) {
    lived(world);
    let all = SessionFilter::default();
    let of = |states: &[StateKind]| SessionFilter { states: states.to_vec(), ..all.clone() };
    assert_eq!(found(world, &of(&[StateKind::Succeeded])), "1a 3a 5a");
    assert_eq!(found(world, &of(&[StateKind::Failed])), "2a 4a 6a");
    assert_eq!(found(world, &of(&[StateKind::Held, StateKind::Running])), "2b 3b");
    assert_eq!(found(world, &of(&[StateKind::Succeeded, StateKind::Held])), "1a 2b 3a 5a");
    assert_eq!(found(world, &of(&[StateKind::Skipped])), "");
    assert_eq!(found(world, &SessionFilter { newest: Some(2), ..of(&[StateKind::Succeeded]) }), "3a 5a");
    assert_eq!(found(world, &SessionFilter { newest: Some(2), ..of(&[StateKind::Failed]) }), "4a 6a");
    assert_eq!(
        found(world, &SessionFilter { jobs: Some(vec![name("b")]), ..of(&[StateKind::Failed, StateKind::Held]) }),
        "2b"
    );
    assert_eq!(
        found(world, &SessionFilter { jobs: Some(vec![name("x")]), ..of(&[StateKind::Failed, StateKind::Held]) }),
        ""
    );
    assert_eq!(found(world, &SessionFilter { dates: days(2, 4), ..all.clone() }), "2a 2b 2c 3a 3b 3c");
    assert_eq!(found(world, &SessionFilter { dates: days(2, 4), newest: Some(2), ..all.clone() }), "3b 3c");
    assert_eq!(found(world, &SessionFilter { dates: days(2, 4), ..of(&[StateKind::Failed]) }), "2a");
    let until = Between { from: None, to: Some(date(2)) };
    assert_eq!(found(world, &SessionFilter { dates: until, ..all.clone() }), "1a 1b 1c");
    assert_eq!(found(world, &SessionFilter { dates: days(9, 10), newest: Some(5), ..all.clone() }), "");
    let of_job = SessionFilter { jobs: Some(vec![name("c")]), dates: days(5, 9), ..all };
    assert_eq!(found(world, &of_job), "5c 6c");
}

fn attempts_are_filtered_by_outcome_and_date(world: &World) {
    lived(world);
    let all = AttemptFilter::default();
    let of = |outcomes: &[Option<OutcomeKind>]| AttemptFilter { outcomes: outcomes.to_vec(), ..all.clone() };
    assert_eq!(tried(world, &of(&[Some(OutcomeKind::Succeeded)])), "1a2 3a2 5a2");
    assert_eq!(tried(world, &of(&[Some(OutcomeKind::Lost), Some(OutcomeKind::Succeeded)])), "1a2 2b1 3a2 5a2");
    assert_eq!(tried(world, &of(&[None])), "3b1");
    assert_eq!(tried(world, &of(&[None, Some(OutcomeKind::Lost)])), "2b1 3b1");
    assert_eq!(tried(world, &AttemptFilter { newest: Some(2), ..of(&[Some(OutcomeKind::Failed)]) }), "5a1 6a1");
    assert_eq!(tried(world, &AttemptFilter { dates: days(2, 4), ..all.clone() }), "2a1 2b1 3a1 3a2 3b1");
    assert_eq!(tried(world, &AttemptFilter { dates: days(2, 3), ..of(&[None]) }), "");
    let one = AttemptFilter { jobs: Some(vec![name("a")]), dates: Between::only(date(3)), ..all };
    assert_eq!(tried(world, &one), "3a1 3a2");
}

/// Two attempts a date: the first ends an hour after its date, the second that many days after it.
fn attempts_are_filtered_by_when_they_ran(world: &World) {
    let mut writer = world.writer();
    let hour = TimeDelta::hours(1);
    writer.commit(&[enter("b"), record("b", None, &[1, 2, 5]), enter("a"), record("a", None, &[3, 5])]).unwrap();
    for (job, day, days_later) in [("b", 1, 4), ("b", 2, 1), ("a", 3, 0)] {
        for (number, after) in [(1, hour), (2, TimeDelta::days(days_later) + hour * 2)] {
            let from = if number == 1 { StateKind::Waiting } else { StateKind::Failed };
            let Entry::Close { attempt, mut end, state, counted_attempts } = fail(job, day, number) else { panic!() };
            end.ended_at = date(day) + after;
            writer
                .commit(&[open(job, day, number, from), Entry::Close { attempt, end, state, counted_attempts }])
                .unwrap();
        }
    }
    writer.commit(&[open("a", 5, 1, StateKind::Waiting)]).unwrap();
    let since = |day, hours| AttemptFilter { since: Some(date(day) + hour * hours), ..AttemptFilter::default() };
    assert_eq!(tried(world, &since(0, 0)), "1b1 1b2 2b1 2b2 3a1 3a2 5a1");
    assert_eq!(tried(world, &since(2, 1)), "1b2 2b1 2b2 3a1 3a2 5a1");
    assert_eq!(tried(world, &since(3, 2)), "1b2 2b2 3a2 5a1");
    assert_eq!(tried(world, &since(5, 2)), "1b2 5a1");
    assert_eq!(tried(world, &since(5, 3)), "5a1", "what runs still runs");
    let failed = vec![Some(OutcomeKind::Failed)];
    assert_eq!(tried(world, &AttemptFilter { outcomes: failed, ..since(3, 1) }), "1b2 2b2 3a1 3a2");
    let lost = vec![Some(OutcomeKind::Lost)];
    assert_eq!(tried(world, &AttemptFilter { outcomes: lost, ..since(0, 0) }), "");
    assert_eq!(tried(world, &AttemptFilter { jobs: Some(vec![name("b")]), ..since(2, 2) }), "1b2 2b2");
    assert_eq!(tried(world, &AttemptFilter { dates: days(2, 4), ..since(2, 2) }), "2b2 3a1 3a2");
    assert_eq!(tried(world, &AttemptFilter { newest: Some(2), ..since(2, 1) }), "3a2 5a1");
    let before = Some(attempt("a", 3, 2));
    assert_eq!(tried(world, &AttemptFilter { newest: Some(2), before, ..since(2, 1) }), "2b2 3a1");
}

/// Few jobs are read along their keys, many along the dates.
fn rows_of_some_jobs_are_listed_in_one_order(world: &World) {
    lived(world);
    let many: Vec<_> = (0..20).map(|number| name(&format!("x{number}"))).collect();
    let entered: Vec<Entry> = many.iter().map(|job| enter(job.as_str())).collect();
    crate::world::reopened(world).commit(&entered).unwrap();
    for others in [Vec::new(), many] {
        let jobs = |these: &[&str]| Some(these.iter().map(|job| name(job)).chain(others.clone()).collect());
        let both = SessionFilter { jobs: jobs(&["c", "a"]), ..SessionFilter::default() };
        assert_eq!(found(world, &both), "1a 1c 2a 2c 3a 3c 4a 4c 5a 5c 6a 6c");
        assert_eq!(found(world, &SessionFilter { newest: Some(3), ..both.clone() }), "5c 6a 6c");
        assert_eq!(found(world, &SessionFilter { states: vec![StateKind::Succeeded], ..both.clone() }), "1a 3a 5a");
        assert_eq!(found(world, &SessionFilter { states: vec![StateKind::Failed], ..both.clone() }), "2a 4a 6a");
        assert_eq!(paged(world, &both, 5), found(world, &both));
        let both = AttemptFilter { jobs: jobs(&["b", "a"]), dates: days(2, 4), ..AttemptFilter::default() };
        assert_eq!(tried(world, &both), "2a1 2b1 3a1 3a2 3b1");
        assert_eq!(tried(world, &AttemptFilter { jobs: jobs(&["c", "b"]), ..both.clone() }), "2b1 3b1");
        assert_eq!(tried(world, &AttemptFilter { jobs: jobs(&["c"]), outcomes: vec![None], ..both }), "");
    }
    assert_eq!(found(world, &SessionFilter { jobs: Some(Vec::new()), ..SessionFilter::default() }), "");
}

/// Walks back through the pages and puts them together.
fn paged(world: &World, filter: &SessionFilter, size: u32) -> String {
    let mut filter = SessionFilter { newest: Some(size), ..filter.clone() };
    let mut pages = Vec::new();
    while let Some(first) = sessions(&mut world.reader(), &filter).first() {
        pages.push(found(world, &filter));
        filter.before = Some(first.key.clone());
    }
    pages.reverse();
    pages.join(" ")
}

fn pages_are_contiguous(world: &World) {
    lived(world);
    let mut fresh = job("a");
    fresh.generation = 2;
    let mut again = record("a", None, &[2, 3, 4]);
    if let Entry::Record { generation, .. } = &mut again {
        *generation = 2;
    }
    crate::world::reopened(world).commit(&[Entry::Reset(fresh), again]).unwrap();
    for all_generations in [false, true] {
        for states in [
            vec![],
            vec![StateKind::Waiting],
            vec![StateKind::Succeeded, StateKind::Failed],
            vec![StateKind::Held, StateKind::Failed],
        ] {
            for jobs in [None, Some(vec![name("a")]), Some(vec![name("b")]), Some(vec![name("c"), name("a")])] {
                let filter =
                    SessionFilter { jobs, states: states.clone(), all_generations, ..SessionFilter::default() };
                let whole = found(world, &filter);
                for size in [1, 2, 4, 100] {
                    assert_eq!(paged(world, &filter, size), whole, "{filter:?} by {size}");
                }
                if let Some(third) = sessions(&mut world.reader(), &filter).get(2) {
                    let first_two = SessionFilter { before: Some(third.key.clone()), ..filter };
                    assert_eq!(found(world, &first_two), whole.split(' ').take(2).collect::<Vec<_>>().join(" "));
                }
            }
        }
    }
    let whole = attempts(&mut world.reader(), &AttemptFilter { all_generations: true, ..AttemptFilter::default() });
    let mut walked = Vec::new();
    let mut filter = AttemptFilter { newest: Some(2), all_generations: true, ..AttemptFilter::default() };
    loop {
        let page = attempts(&mut world.reader(), &filter);
        let Some(first) = page.first() else { break };
        filter.before = Some(first.key.clone());
        walked.splice(0..0, page);
    }
    assert_eq!(walked, whole);
}

fn one_attempt_is_found_by_its_key(world: &World) {
    lived(world);
    let mut reader = world.reader();
    assert_eq!(reader.attempt(&attempt("a", 3, 2)).unwrap().unwrap().key, attempt("a", 3, 2));
    assert_eq!(reader.attempt(&attempt("a", 3, 3)).unwrap(), None);
    assert_eq!(reader.attempt(&attempt("x", 3, 1)).unwrap(), None);
}

fn days_are_counted_by_state(world: &World) {
    lived(world);
    let mut writer = reopened(world);
    writer.commit(&[record("c", Some(6), &[40])]).unwrap();
    let noon = |day: i64| date(day) - TimeDelta::hours(12);
    let days: Vec<_> = (0..=42).map(|day| (noon(day), noon(day + 1))).collect();
    let mut reader = world.reader();
    let tally = |state: StateKind, dates| vec![(state, dates)];
    let of_a = reader.days(&name("a"), &days[..4]).unwrap();
    assert_eq!(
        of_a,
        [vec![], tally(StateKind::Succeeded, 1), tally(StateKind::Failed, 1), tally(StateKind::Succeeded, 1)]
    );
    let whole = reader.days(&name("a"), &[(noon(0), noon(9))]).unwrap();
    let mut whole = whole[0].clone();
    whole.sort_by_key(|(state, _)| state.word());
    assert_eq!(whole, [tally(StateKind::Failed, 3), tally(StateKind::Succeeded, 3)].concat());
    // The long gap is stepped over, and what is behind it is found.
    let of_c = reader.days(&name("c"), &days).unwrap();
    let with_any: Vec<usize> = (0..of_c.len()).filter(|day| !of_c[*day].is_empty()).collect();
    assert_eq!(with_any, [1, 2, 3, 4, 5, 6, 40]);
    assert_eq!(reader.days(&name("x"), &days[..2]).unwrap(), [vec![], vec![]]);
}

fn the_dates_next_to_a_range_are_found(world: &World) {
    lived(world);
    let mut reader = world.reader();
    assert_eq!(reader.beside(&name("a"), Between::only(date(3))).unwrap(), [Some(date(2)), Some(date(4))]);
    assert_eq!(reader.beside(&name("a"), days(0, 1)).unwrap(), [None, Some(date(1))]);
    assert_eq!(reader.beside(&name("a"), days(7, 8)).unwrap(), [Some(date(6)), None]);
    assert_eq!(reader.beside(&name("x"), days(7, 8)).unwrap(), [None, None]);
}

fn durations_are_of_successful_attempts(world: &World) {
    let mut writer = world.writer();
    let days: Vec<i64> = (1..=5).collect();
    writer.commit(&[enter("a"), record("a", None, &days)]).unwrap();
    for day in days {
        let took = (day != 4).then(|| Duration::from_secs(day.unsigned_abs()));
        let end = AttemptEnd { duration: took, ..end(Outcome::Succeeded) };
        let close = Entry::Close { attempt: attempt("a", day, 2), end, state: State::Succeeded, counted_attempts: 2 };
        writer
            .commit(&[
                open("a", day, 1, StateKind::Waiting),
                fail("a", day, 1),
                open("a", day, 2, StateKind::Failed),
                close,
            ])
            .unwrap();
    }
    let mut reader = world.reader();
    let mut seconds = |count| {
        let found = reader.durations(&name("a"), count).unwrap();
        found.into_iter().map(|took| took.as_secs()).collect::<Vec<_>>()
    };
    assert_eq!(seconds(100), [5, 3, 2, 1]);
    assert_eq!(seconds(2), [5, 3]);
    assert_eq!(reader.durations(&name("x"), 9).unwrap(), []);
}

fn the_audit_lists_the_newest_first(world: &World) {
    let mut writer = world.with_three_dates();
    let mut queue = RequestQueue::open(&world.url).unwrap();
    let mut numbers = Vec::new();
    for (seconds, job) in [(100, "a"), (200, "b"), (300, "a")] {
        let operation = Operation::Run { date: Some(date(1)), force: false };
        let (user, host, reason) = ("ada".to_owned(), "beta".to_owned(), (seconds == 100).then(|| "why".to_owned()));
        let request = Request {
            id: 0,
            past: Past::default(),
            job: Some(name(job)),
            operation,
            at: at(seconds),
            user,
            host,
            reason,
        };
        numbers.extend(queue.post([&request]).unwrap());
    }
    let dates = Changed { count: 2, first: Some(date(1)), last: Some(date(2)) };
    let reply = Reply { done: true, text: "it runs".to_owned(), dates };
    let answer = Entry::Answer { request: numbers[0], reply, at: at(101) };
    writer.commit(&[answer]).unwrap();
    let mut reader = world.reader();
    let mut acts = |filter: &AuditFilter| {
        let mut acts = Vec::new();
        reader
            .audit(filter, &mut |act| {
                acts.push(act);
                ControlFlow::Continue(())
            })
            .unwrap();
        acts
    };
    let ids = |acts: Vec<crontabber::ledger::Act>| acts.iter().map(|act| act.id).collect::<Vec<_>>();
    let all = AuditFilter::default();
    let [first, second, third] = numbers[..] else { panic!("three") };
    assert_eq!(ids(acts(&all)), [third, second, first]);
    assert_eq!(ids(acts(&AuditFilter { job: Some(name("a")), ..all.clone() })), [third, first]);
    assert_eq!(ids(acts(&AuditFilter { before: Some(third), ..all.clone() })), [second, first]);
    let asked = Between { from: Some(at(200)), to: Some(at(300)) };
    assert_eq!(ids(acts(&AuditFilter { asked, ..all.clone() })), [second]);
    let told = acts(&all).pop().unwrap();
    assert_eq!((told.at, told.user.as_str(), told.host.as_str()), (at(100), "ada", "beta"));
    assert_eq!(
        (told.action.as_str(), told.job, told.from, told.to),
        ("run", Some(name("a")), Some(date(1)), Some(date(2)))
    );
    assert_eq!((told.reason.as_deref(), told.done, told.answer.as_deref()), (Some("why"), Some(true), Some("it runs")));
    assert_eq!((told.answered_at, told.dates), (Some(at(101)), Some(2)));
}

fn a_job_is_disabled_until_its_instant(world: &World) {
    world.with_three_dates();
    let mut reader = world.reader();
    assert_eq!(reader.disabled(&name("a"), at(0)).unwrap(), None);
    let [since, until] = [at(100), at(200)].map(|at| at.timestamp_micros());
    world.tamper(&format!(
        "INSERT INTO disabled (job_id, at, until, user_name, reason) SELECT id, {since}, {until}, 'ada', 'so' FROM jobs"
    ));
    let disabled = reader.disabled(&name("a"), at(150)).unwrap().unwrap();
    assert_eq!((disabled.at, disabled.until, disabled.user.as_str()), (at(100), Some(at(200)), "ada"));
    assert_eq!(disabled.reason.as_deref(), Some("so"));
    assert_eq!(reader.disabled(&name("a"), at(200)).unwrap(), None);
    assert_eq!(reader.disabled(&name("x"), at(150)).unwrap(), None);
}
