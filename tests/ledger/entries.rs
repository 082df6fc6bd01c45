//! Every entry: what it writes, and which states it refuses.

use chrono::TimeDelta;
use crontabber::ledger::{AttemptFilter, LedgerError, SessionFilter, Writer};
use crontabber::session::{
    Entry, JobRecord, NewSession, Outcome, ProcessIdentity, Reply, SettledBy, SkipReason, State, StateKind,
    StrictAfter, Trigger, Usage,
};
use std::collections::BTreeMap;

use crate::on_both;
use crate::world::*;

on_both! {
    a_job_reads_back
    a_job_is_entered_once
    a_new_timetable_is_adopted
    another_order_takes_effect
    a_reset_keeps_the_old_generation
    a_job_that_is_replaced_becomes_generation_0
    a_skipped_date_enters_settled
    the_watermark_is_compared_and_set
    no_date_enters_twice
    a_catch_up_is_recorded
    an_attempt_opens_only_from_the_expected_state
    an_attempt_closes_once
    the_end_of_an_attempt_reads_back
    a_text_may_have_any_characters
    a_process_is_recorded_while_its_attempt_is_open
    a_session_without_an_open_attempt_moves
    the_newest_success_never_goes_back
    entries_of_unknown_jobs_are_refused
    a_done_when_without_an_answer_reads_back
    a_transaction_is_all_or_nothing
    many_dates_enter_at_once
}

/// Commits what must be refused, checks that nothing of it was written, and returns the refusal.
pub(crate) fn refused(world: &World, writer: &mut Writer, entries: &[Entry]) -> String {
    let everything = |all: &World| {
        let mut reader = all.reader();
        let old = SessionFilter { all_generations: true, ..SessionFilter::default() };
        let tries = AttemptFilter { all_generations: true, ..AttemptFilter::default() };
        (reader.jobs().unwrap(), sessions(&mut reader, &old), attempts(&mut reader, &tries))
    };
    let before = everything(world);
    let text = match writer.commit(entries) {
        Err(LedgerError::Conflict(text)) => text,
        other => panic!("expected a conflict, got {other:?}"),
    };
    assert_eq!(everything(world), before);
    text
}

fn state(world: &World, day: i64) -> State {
    world.reader().session(&session("a", day)).unwrap().unwrap().state
}

fn a_job_reads_back(world: &World) {
    let mut record = job("a");
    record.watermark = Some(date(-400));
    record.last_success = Some(at(-1));
    record.strict_after = Some(StrictAfter { generation: 0, date: at(-2) });
    world.writer().commit(&[Entry::Enter(record.clone()), enter("b")]).unwrap();
    assert_eq!(world.writer().load().unwrap().jobs, [record.clone(), job("b")]);
    let mut reader = world.reader();
    assert_eq!(reader.job(&name("a")).unwrap(), Some(record));
    assert_eq!(reader.job(&name("c")).unwrap(), None);
}

fn a_job_is_entered_once(world: &World) {
    let mut writer = world.writer();
    writer.commit(&[enter("a")]).unwrap();
    let text = refused(world, &mut writer, &[enter("b"), enter("a")]);
    assert_eq!(text, "job `a` is to be entered, and is there already");
    writer.commit(&[enter("b")]).unwrap();
}

fn a_new_timetable_is_adopted(world: &World) {
    let mut writer = world.with_three_dates();
    let adopt = |generation| Entry::Adopt {
        job: name("a"),
        generation,
        timetable: "every hour".to_owned(),
        first_date: at(50),
        timetable_from: at(60),
        complete_after: Some(at(40)),
        has_excluded: true,
        stand_ins: BTreeMap::from([(date(5), date(3)), (date(6), date(2))]),
    };
    writer.commit(&[adopt(1)]).unwrap();
    let record = world.reader().job(&name("a")).unwrap().unwrap();
    assert_eq!((record.timetable.as_str(), record.first_date, record.timetable_from), ("every hour", at(50), at(60)));
    assert_eq!((record.watermark, record.seen_at), (Some(date(3)), at(1)));
    assert_eq!((record.complete_after, record.has_excluded), (Some(at(40)), true));
    let stand_ins = BTreeMap::from([(name("a"), BTreeMap::from([(date(5), date(3)), (date(6), date(2))]))]);
    assert_eq!(writer.load().unwrap().stand_ins, stand_ins);
    let text = refused(world, &mut writer, &[adopt(2)]);
    assert_eq!(text, "job `a` is in generation 1; expected was generation 2");
}

fn another_order_takes_effect(world: &World) {
    let mut writer = world.with_three_dates();
    let order = |generation, strict_after| Entry::Order { job: name("a"), generation, strict_after };
    let strict_after = Some(StrictAfter { generation: 1, date: date(3) });
    writer.commit(&[order(1, strict_after)]).unwrap();
    assert_eq!(writer.load().unwrap().jobs, [JobRecord { strict_after, watermark: Some(date(3)), ..job("a") }]);
    let text = refused(world, &mut writer, &[order(2, None)]);
    assert_eq!(text, "job `a` is in generation 1; expected was generation 2");
    writer.commit(&[order(1, None)]).unwrap();
    assert_eq!(world.reader().job(&name("a")).unwrap().unwrap().strict_after, None);
}

fn a_reset_keeps_the_old_generation(world: &World) {
    let mut writer = world.with_three_dates();
    writer.commit(&[open("a", 1, 1, StateKind::Waiting)]).unwrap();
    let mut fresh = job("a");
    fresh.generation = 2;
    fresh.seen_at = at(100);
    writer.commit(&[Entry::Reset(fresh.clone())]).unwrap();
    let recovered = writer.load().unwrap();
    assert_eq!(recovered.jobs, [fresh.clone()]);
    assert_eq!(recovered.sessions, []);
    assert_eq!(recovered.open.len(), 1, "an open attempt of an old generation still has a process");
    let mut reader = world.reader();
    let all = SessionFilter { all_generations: true, ..SessionFilter::default() };
    assert_eq!(sessions(&mut reader, &SessionFilter::default()), []);
    assert_eq!(sessions(&mut reader, &all).len(), 3);
    // It ends in its own generation, and is no success of the new one.
    writer.commit(&[succeed("a", 1, 1)]).unwrap();
    assert_eq!(world.reader().job(&name("a")).unwrap().unwrap().last_success, None);
    let text = refused(world, &mut writer, &[Entry::Reset(fresh)]);
    assert_eq!(text, "job `a` is in generation 2; expected was generation 1");
}

fn a_skipped_date_enters_settled(world: &World) {
    let mut writer = world.writer();
    let session = |day, state| NewSession { date: date(day), state, trigger: Trigger::Schedule, backfill: None };
    let entry = |watermark: Option<i64>, sessions: Vec<NewSession>| Entry::Record {
        job: name("a"),
        generation: 1,
        watermark: watermark.map(date),
        zone: chrono_tz::UTC,
        to: sessions.last().map(|session| session.date),
        sessions,
        at: at(10),
    };
    let reasons =
        [SkipReason::Superseded, SkipReason::TooOld, SkipReason::Operator, SkipReason::Overtime, SkipReason::Cancelled];
    let skipped = (1..).zip(reasons).map(|(day, reason)| session(day, State::Skipped { reason })).collect();
    writer.commit(&[enter("a"), entry(None, skipped)]).unwrap();
    let found = sessions(&mut world.reader(), &SessionFilter::default());
    for (record, reason) in found.iter().zip(reasons) {
        assert_eq!(record.state, State::Skipped { reason });
        assert_eq!((record.recorded_at, record.settled_at), (at(10), Some(at(10))));
        assert_eq!((record.attempts, record.counted_attempts, record.trigger), (0, 0, Trigger::Schedule));
    }
    assert_eq!(found.len(), 5);
    let held = State::Held { reason: "no".to_owned() };
    let text = refused(world, &mut writer, &[entry(Some(5), vec![session(6, held)])]);
    assert!(text.ends_with("a date enters waiting or settled, not held"), "{text}");
    // Only an operator can say of a date that it is done when it enters.
    writer.commit(&[entry(Some(5), vec![session(6, State::Succeeded)])]).unwrap();
    let last = sessions(&mut world.reader(), &SessionFilter::default()).pop().unwrap();
    assert_eq!((last.settled_at, last.settled_by), (Some(at(10)), Some(SettledBy::Operator)));
    assert_eq!(world.reader().job(&name("a")).unwrap().unwrap().last_success, Some(date(6)));
}

fn the_watermark_is_compared_and_set(world: &World) {
    let mut writer = world.with_three_dates();
    let text = refused(world, &mut writer, &[record("a", Some(2), &[4])]);
    assert!(text.starts_with("job `a` is in generation 1 with its watermark at "), "{text}");
    let text = refused(world, &mut writer, &[record("a", None, &[4])]);
    assert!(text.ends_with("expected was generation 1 with its watermark at unset"), "{text}");
    let text = refused(world, &mut writer, &[record("a", Some(3), &[2])]);
    assert_eq!(text, "the watermark of job `a` was to go back, which it never does");
    let mut other = record("a", Some(3), &[4]);
    if let Entry::Record { generation, .. } = &mut other {
        *generation = 2;
    }
    refused(world, &mut writer, &[other]);
    // A watermark may move over dates that the timetable does not have, and may stand still.
    let still = |to: i64| Entry::Record {
        job: name("a"),
        generation: 1,
        watermark: Some(date(3)),
        to: Some(date(to)),
        zone: chrono_tz::UTC,
        sessions: Vec::new(),
        at: at(10),
    };
    writer.commit(&[still(3), still(7)]).unwrap();
    assert_eq!(world.reader().job(&name("a")).unwrap().unwrap().watermark, Some(date(7)));
}

fn no_date_enters_twice(world: &World) {
    let mut writer = world.with_three_dates();
    let twice = Entry::Record {
        job: name("a"),
        generation: 1,
        watermark: Some(date(3)),
        to: Some(date(4)),
        zone: chrono_tz::UTC,
        sessions: vec![waiting(2), waiting(4)],
        at: at(10),
    };
    let text = refused(world, &mut writer, &[twice]);
    assert!(text.starts_with("job `a`, dates "), "{text}");
}

fn a_catch_up_is_recorded(world: &World) {
    let mut writer = world.with_three_dates();
    writer.commit(&[open("a", 1, 1, StateKind::Waiting)]).unwrap();
    assert_eq!(state(world, 1), State::Running);
    assert_eq!(writer.load().unwrap().open.len(), 1);
    writer.commit(&[succeed("a", 1, 1), open("a", 2, 1, StateKind::Waiting)]).unwrap();
    writer.commit(&[fail("a", 2, 1)]).unwrap();
    let recovered = writer.load().unwrap();
    assert_eq!(recovered.open, []);
    assert_eq!((recovered.jobs[0].watermark, recovered.jobs[0].last_success), (Some(date(3)), Some(date(1))));
    let states: Vec<_> = recovered.sessions.iter().map(|s| (s.key.date, s.state.clone())).collect();
    assert_eq!(states, [(date(2), State::Failed { retry_at: at(300) }), (date(3), State::Waiting)]);
    writer.commit(&[open("a", 2, 2, StateKind::Failed)]).unwrap();
    writer.commit(&[succeed("a", 2, 2)]).unwrap();
    let settled = world.reader().session(&session("a", 2)).unwrap().unwrap();
    assert_eq!((settled.state, settled.attempts, settled.counted_attempts), (State::Succeeded, 2, 2));
    assert_eq!(settled.settled_at, Some(at(30)));
    // A writer that comes after finds the same.
    drop(writer);
    assert_eq!(world.writer().load().unwrap().sessions.len(), 1);
}

fn an_attempt_opens_only_from_the_expected_state(world: &World) {
    let mut writer = world.with_three_dates();
    let text = refused(world, &mut writer, &[open("a", 1, 1, StateKind::Failed)]);
    assert!(text.contains("expected `failed` after 0 attempts, found `waiting` after 0 attempts"), "{text}");
    refused(world, &mut writer, &[open("a", 1, 2, StateKind::Waiting)]);
    refused(world, &mut writer, &[open("a", 1, 0, StateKind::Waiting)]);
    let text = refused(world, &mut writer, &[open("a", 9, 1, StateKind::Waiting)]);
    assert!(text.ends_with("found no such date"), "{text}");
    writer.commit(&[open("a", 1, 1, StateKind::Waiting)]).unwrap();
    refused(world, &mut writer, &[open("a", 1, 2, StateKind::Running)]);
    refused(world, &mut writer, &[open("a", 1, 1, StateKind::Waiting)]);
    // What is settled may be attempted again, when an operator says so.
    writer.commit(&[succeed("a", 1, 1), open("a", 1, 2, StateKind::Succeeded)]).unwrap();
    let again = world.reader().session(&session("a", 1)).unwrap().unwrap();
    assert_eq!((again.state, again.settled_at, again.attempts), (State::Running, None, 2));
}

fn an_attempt_closes_once(world: &World) {
    let mut writer = world.with_three_dates();
    let text = refused(world, &mut writer, &[succeed("a", 1, 1)]);
    assert!(text.ends_with("attempt 1 is to be closed, and is not open"), "{text}");
    writer.commit(&[open("a", 1, 1, StateKind::Waiting)]).unwrap();
    refused(world, &mut writer, &[succeed("a", 1, 2)]);
    refused(world, &mut writer, &[close("a", 1, 1, Outcome::Lost, State::Running)]);
    // More attempts used than there were.
    let mut entry = fail("a", 1, 1);
    if let Entry::Close { counted_attempts, .. } = &mut entry {
        *counted_attempts = 2;
    }
    refused(world, &mut writer, &[entry]);
    writer.commit(&[succeed("a", 1, 1)]).unwrap();
    refused(world, &mut writer, &[succeed("a", 1, 1)]);
    refused(world, &mut writer, &[fail("a", 1, 1)]);
}

fn the_end_of_an_attempt_reads_back(world: &World) {
    let outcomes = [
        Outcome::Succeeded,
        Outcome::Failed { code: 255 },
        Outcome::Killed { signal: 9 },
        Outcome::TimedOut,
        Outcome::Cancelled,
        Outcome::Interrupted,
        Outcome::Lost,
    ];
    let mut writer = world.with_three_dates();
    let mut ends = Vec::new();
    for (number, outcome) in (1..).zip(outcomes) {
        let mut end = end(outcome);
        end.duration = (outcome != Outcome::Lost).then_some(std::time::Duration::from_micros(17));
        end.detail = (outcome == Outcome::Lost).then(|| "the machine lost power".to_owned());
        end.has_log = outcome != Outcome::Cancelled;
        end.usage = (outcome != Outcome::Lost).then_some(Usage {
            cpu_user: std::time::Duration::from_micros(90_000_000_001 + u64::from(number)),
            cpu_system: std::time::Duration::ZERO,
            peak_memory: 34_000_000_000,
        });
        let attempt = attempt("a", 1, number);
        let close = Entry::Close { attempt, end: end.clone(), state: State::Waiting, counted_attempts: 0 };
        writer.commit(&[open("a", 1, number, StateKind::Waiting), close]).unwrap();
        ends.push(Some(end));
    }
    let found =
        attempts(&mut world.reader(), &AttemptFilter { jobs: Some(vec![name("a")]), ..AttemptFilter::default() });
    assert_eq!(found.iter().map(|attempt| attempt.end.clone()).collect::<Vec<_>>(), ends);
    assert_eq!((found[0].started_at, found[0].host.as_str(), found[0].trigger), (at(20), "alpha", Trigger::Schedule));
    let waits = world.reader().session(&session("a", 1)).unwrap().unwrap();
    assert_eq!((waits.state, waits.attempts, waits.counted_attempts), (State::Waiting, 7, 0));
}

fn a_text_may_have_any_characters(world: &World) {
    let mut writer = world.with_three_dates();
    let mut end = end(Outcome::Failed { code: 127 });
    end.detail = Some("`x\0y\u{1f600}'; DROP TABLE jobs` was not found".to_owned());
    let state = State::Held { reason: "nul\0".to_owned() };
    let close = Entry::Close { attempt: attempt("a", 1, 1), end, state, counted_attempts: 1 };
    writer.commit(&[open("a", 1, 1, StateKind::Waiting), close]).unwrap();
    let found = attempts(&mut world.reader(), &AttemptFilter::default()).remove(0).end.unwrap();
    assert_eq!(found.detail.unwrap(), "`x\u{fffd}y\u{1f600}'; DROP TABLE jobs` was not found");
    assert_eq!(writer.load().unwrap().sessions[0].state, State::Held { reason: "nul\u{fffd}".to_owned() });
}

fn a_process_is_recorded_while_its_attempt_is_open(world: &World) {
    let mut writer = world.with_three_dates();
    let process = ProcessIdentity { pid: 99, start_ticks: u64::MAX - 3, boot_id: "5f0c".to_owned() };
    let note = |day| Entry::Process { attempt: attempt("a", day, 1), process: process.clone() };
    writer.commit(&[open("a", 1, 1, StateKind::Waiting), note(1)]).unwrap();
    writer.commit(&[open("a", 2, 1, StateKind::Waiting), succeed("a", 2, 1), note(2)]).unwrap();
    let found = attempts(&mut world.reader(), &AttemptFilter::default());
    assert_eq!(found.iter().map(|attempt| attempt.process.clone()).collect::<Vec<_>>(), [Some(process), None]);
    let open = AttemptFilter { outcomes: vec![None], ..AttemptFilter::default() };
    assert_eq!(attempts(&mut world.reader(), &open), found[..1]);
}

fn a_done_when_without_an_answer_reads_back(world: &World) {
    let mut writer = world.with_three_dates();
    let unanswered = |day, hour: i64, answer: &str| Entry::Unanswered {
        session: session("a", day),
        answer: answer.to_owned(),
        at: at(100) + TimeDelta::hours(hour),
    };
    writer.commit(&[unanswered(1, 1, "exit 127"), unanswered(1, 2, "timed out"), unanswered(2, 1, "no\0ne")]).unwrap();
    let mut reader = world.reader();
    let read = reader.unanswered(&session("a", 1)).unwrap();
    let hour = |hours| at(100) + TimeDelta::hours(hours);
    assert_eq!(read, [(hour(1), "exit 127".to_owned()), (hour(2), "timed out".to_owned())]);
    assert_eq!(reader.unanswered(&session("a", 2)).unwrap(), [(hour(1), "no\u{fffd}ne".to_owned())]);
    assert_eq!(reader.unanswered(&session("a", 3)).unwrap(), []);
    assert!(writer.commit(&[unanswered(9, 1, "exit 127")]).is_err(), "there is no such date");
}

fn a_session_without_an_open_attempt_moves(world: &World) {
    let mut writer = world.with_three_dates();
    let shift = |from, to: State| Entry::Move { session: session("a", 1), from, to, at: at(40) };
    let held = State::Held { reason: "its process is gone".to_owned() };
    let skipped = State::Skipped { reason: SkipReason::Operator };
    writer.commit(&[shift(StateKind::Waiting, held.clone())]).unwrap();
    assert_eq!(state(world, 1), held);
    writer.commit(&[shift(StateKind::Held, skipped.clone())]).unwrap();
    assert_eq!(world.reader().session(&session("a", 1)).unwrap().unwrap().settled_at, Some(at(40)));
    let text = refused(world, &mut writer, &[shift(StateKind::Held, State::Waiting)]);
    assert!(text.contains("expected `held`, found `skipped` after 0 attempts"), "{text}");
    writer.commit(&[shift(StateKind::Skipped, State::Waiting)]).unwrap();
    refused(world, &mut writer, &[shift(StateKind::Waiting, State::Running)]);
    writer.commit(&[open("a", 1, 1, StateKind::Waiting)]).unwrap();
    refused(world, &mut writer, &[shift(StateKind::Running, skipped)]);
}

fn the_newest_success_never_goes_back(world: &World) {
    let mut writer = world.with_three_dates();
    let run = |day| vec![open("a", day, 1, StateKind::Waiting), succeed("a", day, 1)];
    for (day, newest) in [(2, 2), (1, 2), (3, 3)] {
        writer.commit(&run(day)).unwrap();
        assert_eq!(world.reader().job(&name("a")).unwrap().unwrap().last_success, Some(date(newest)));
    }
}

fn entries_of_unknown_jobs_are_refused(world: &World) {
    let mut writer = world.with_three_dates();
    for entry in
        [record("b", None, &[1]), open("b", 1, 1, StateKind::Waiting), succeed("b", 1, 1), Entry::Reset(job("b"))]
    {
        assert_eq!(refused(world, &mut writer, &[entry]), "job `b` was never entered");
    }
    let answer = Entry::Answer { request: 77, reply: Reply::default(), at: at(0) };
    assert_eq!(refused(world, &mut writer, &[answer]), "request 77 is not there, or was answered already");
}

fn a_transaction_is_all_or_nothing(world: &World) {
    let mut writer = world.with_three_dates();
    let entries =
        [enter("b"), record("b", None, &[1]), open("a", 1, 1, StateKind::Waiting), open("a", 2, 1, StateKind::Failed)];
    assert!(matches!(writer.commit(&entries), Err(LedgerError::Conflict(_))));
    let recovered = writer.load().unwrap();
    assert_eq!((recovered.jobs.len(), recovered.sessions.len(), recovered.open.len()), (1, 3, 0));
    // The writer itself forgets it as well.
    writer.commit(&entries[..3]).unwrap();
    let recovered = writer.load().unwrap();
    assert_eq!((recovered.jobs.len(), recovered.sessions.len(), recovered.open.len()), (2, 4, 1));
    writer.commit(&[]).unwrap();
}

fn many_dates_enter_at_once(world: &World) {
    let mut writer = world.writer();
    let days: Vec<i64> = (1..=2_500).collect();
    writer.commit(&[enter("a"), record("a", None, &days)]).unwrap();
    let recovered = writer.load().unwrap();
    assert_eq!(recovered.sessions.len(), 2_500);
    let step = |pair: &[crontabber::session::SessionRecord]| pair[1].key.date - pair[0].key.date == TimeDelta::days(1);
    assert!(recovered.sessions.windows(2).all(step), "ascending, none missing");
}

fn a_job_that_is_replaced_becomes_generation_0(world: &World) {
    let mut writer = world.writer();
    writer.commit(&[enter("a"), enter("b"), record("a", None, &[1, 2]), record("b", None, &[1])]).unwrap();
    let failed = State::Failed { retry_at: date(2) };
    let attempted = [open("b", 1, 1, StateKind::Waiting), close("b", 1, 1, Outcome::Failed { code: 3 }, failed)];
    writer.commit(&attempted).unwrap();
    let (from, to) = (name("a"), name("b"));
    let taken = Entry::Rename { from: from.clone(), to: to.clone(), replaces: false };
    assert!(refused(world, &mut writer, &[taken]).contains("which is another job"));
    let takeover = Entry::Rename { from, to: to.clone(), replaces: true };
    writer.commit(&[takeover]).unwrap();
    let mut reader = world.reader();
    let jobs = reader.jobs().unwrap();
    assert_eq!(jobs, [JobRecord { name: to, stable_name: "a".to_owned(), has_replaced: true, ..jobs[0].clone() }]);
    let all = SessionFilter { all_generations: true, ..SessionFilter::default() };
    let rows = sessions(&mut reader, &all).into_iter().map(|row| (row.key.generation, row.key.date, row.attempts));
    let mut rows: Vec<_> = rows.collect();
    rows.sort_unstable();
    assert_eq!(rows, [(0, date(1), 1), (1, date(1), 0), (1, date(2), 0)]);
    let tries = AttemptFilter { all_generations: true, ..AttemptFilter::default() };
    let tries = attempts(&mut reader, &tries);
    assert_eq!(tries.iter().map(|attempt| attempt.key.session.generation).collect::<Vec<_>>(), [0]);
    // A job takes over another one once.
    writer.commit(&[enter("c")]).unwrap();
    let again = Entry::Rename { from: name("b"), to: name("c"), replaces: true };
    assert!(refused(world, &mut writer, &[again]).contains("has replaced another job already"));
}
