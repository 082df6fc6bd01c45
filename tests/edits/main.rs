//! Random edits of the registry beside the real program: no period is given twice, and none is lost.
//!
//! A case is played from a seed: jobs of all kinds, a clock that is moved, edits, `once` or a daemon, and an operator. A checker
//! reads what the jobs wrote and the rows of the ledger. `EDITS_CASES` and `EDITS_FROM` say how many cases there are, and
//! the first seed; `scripts/edits` runs many on a release build.

mod announced;
mod case;
mod checker;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "../support/lab.rs"]
mod lab;
mod ledger;
mod lines;
mod operator;
mod periods;
mod plan;
mod random;
mod registry;
mod renames;
mod rules;
mod selfcheck;
mod service;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use case::Outcome;

/// So many failed cases are shown.
const MOST_SHOWN: usize = 5;

fn variable(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
    value.map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name}: `{value}` is no number")))
}

/// Plays the case of a seed; a panic is a failure of it.
fn play(seed: u64) -> Outcome {
    catch_unwind(AssertUnwindSafe(|| case::play(seed))).unwrap_or_else(|_| Outcome {
        failure: Some(format!("SEED {seed}: it panicked, see above")),
        ..Outcome::default()
    })
}

#[test]
fn random_edits_give_no_period_twice_and_lose_none() {
    let (cases, from) = (variable("EDITS_CASES", 10), variable("EDITS_FROM", 1));
    let (next, total, failures) = (AtomicU64::new(from), Mutex::new(Outcome::default()), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= from + cases {
                return;
            }
            let outcome = play(seed);
            if let Some(failure) = &outcome.failure {
                let mut failures = failures.lock().expect("no panic");
                failures.push(seed);
                if failures.len() <= MOST_SHOWN {
                    println!("{failure}");
                }
            }
            total.lock().expect("no panic").add(&outcome);
            if (seed + 1 - from).is_multiple_of(100) {
                println!("{} cases are played", seed + 1 - from);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let Outcome { edits, daemons, attempts, excluded, moved, .. } = total.into_inner().expect("no panic");
    println!(
        "{cases} cases from seed {from}: {edits} edits, {daemons} daemons, {attempts} attempts, {excluded} dates excluded, {moved} moved"
    );
    let mut failures = failures.into_inner().expect("no panic");
    failures.sort_unstable();
    assert!(failures.is_empty(), "{} of {cases} cases failed; their seeds: {failures:?}", failures.len());
}
