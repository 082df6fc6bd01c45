//! Years of a daemon's life in seconds, with everything going wrong that can: see `tests/simulation/README.md`.
//!
//! The scheduler and the control are the production code. The clock, the ledger, the warden and its processes are
//! simulated, and every choice is taken from a seed.

mod calendar;
mod checks;
mod daemon;
mod faults;
mod ledger;
mod link;
mod machine;
mod operators;
mod plan;
mod random;
mod simulation;
mod warden;
mod world;

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, SystemTime};

use simulation::{Figures, Simulation};

/// What a check says: nothing, or which promise is broken, and how.
pub(crate) type Held = Result<(), String>;

/// Before the fresh seeds, these are tried in every run.
const FIXED: u64 = 400;

/// So many lines are told of what came before a failure.
const LINES: usize = 40;

pub(crate) fn at(text: &str) -> calendar::At {
    text.parse().expect("an instant")
}

/// Runs a seed; a broken promise and a panic come to the same.
fn attempt(simulation: &mut Simulation) -> Held {
    let result = catch_unwind(AssertUnwindSafe(|| simulation.run()));
    result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("panic: {}", text.unwrap_or_default()))
    })
}

/// A seed whose simulation broke a promise.
struct Failure {
    seed: u64,
    broken: String,
    /// What to show of it.
    story: String,
}

/// Runs a seed, and once more with every action told if it fails.
fn run(seed: u64) -> Result<Figures, Failure> {
    let mut simulation = Simulation::new(seed);
    if attempt(&mut simulation).is_ok() {
        return Ok(simulation.figures);
    }
    let mut again = Simulation::new(seed);
    let lines = number("SIMULATION_LINES").map(|lines| usize::try_from(lines).expect("not so many"));
    again.world.trace.length = lines.unwrap_or(LINES);
    let broken = attempt(&mut again).err().unwrap_or_else(|| "it went well the second time".to_owned());
    let story = format!(
        "{broken}\n\nseed {seed}, action {}, {} by the clock; {}\nthe last actions:\n{}\nreplay: SIMULATION_SEED={seed} \
         cargo test --test simulation\n",
        again.figures.actions,
        again.world.now(),
        again.tell_daemon(),
        again.world.trace.tell()
    );
    Err(Failure { seed, broken, story })
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number, not `{text}`")))
}

/// Runs seeds until the time is up, or one fails.
fn run_for(time: Duration, seeds: impl Iterator<Item = u64>) {
    let since = Instant::now();
    let mut figures = Figures::default();
    for seed in seeds {
        match run(seed) {
            Ok(more) => figures.add(more),
            Err(failure) => panic!("{}", failure.story),
        }
        if since.elapsed() > time {
            break;
        }
    }
    tell(&figures, since.elapsed());
}

/// Runs all of these seeds, whether some fail or not.
#[expect(clippy::print_stdout, reason = "the seeds that fail are for whoever runs this")]
fn run_all(seeds: impl Iterator<Item = u64>) {
    let since = Instant::now();
    let (mut figures, mut failures) = (Figures::default(), Vec::new());
    for seed in seeds {
        match run(seed) {
            Ok(more) => figures.add(more),
            Err(failure) => {
                println!("seed {}: {}", failure.seed, failure.broken);
                failures.push(failure);
            }
        }
    }
    tell(&figures, since.elapsed());
    if let Some(first) = failures.first() {
        panic!("{} seeds failed, the first of them so:\n{}", failures.len(), first.story);
    }
}

#[expect(clippy::print_stdout, reason = "the figures are for whoever runs this")]
fn tell(figures: &Figures, taken: Duration) {
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let (minutes, job_years) = (taken.as_secs_f64() / 60.0, figures.job_time as f64 / (365.25 * 86_400e6));
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let rate = |count: u64| count as f64 / minutes;
    println!(
        "{} seeds in {:.1} s: {job_years:.0} job-years, {} attempts, {} crashes, {} actions; a minute: {:.0} seeds, {:.0} \
         job-years, {:.0} attempts, {:.0} crashes",
        figures.seeds,
        taken.as_secs_f64(),
        figures.attempts,
        figures.crashes,
        figures.actions,
        rate(figures.seeds),
        job_years / minutes,
        rate(figures.attempts),
        rate(figures.crashes)
    );
}

/// How long the tests may take together.
fn seconds() -> Duration {
    Duration::from_secs(number("SIMULATION_SECONDS").unwrap_or(20))
}

#[test]
fn fixed_seeds_keep_the_promises() {
    match (number("SIMULATION_SEED"), number("SIMULATION_SEEDS")) {
        (Some(seed), None) => run_all(seed..=seed),
        (from, Some(seeds)) => {
            let from = from.unwrap_or(1);
            run_all(from..from + seeds);
        }
        (None, None) => run_for(seconds() / 2, 1..=FIXED),
    }
}

/// Only with `SIMULATION_FRESH=1`: whether a change lands depends on the change, and not on what a fresh seed finds.
#[test]
fn fresh_seeds_keep_the_promises() {
    let is_given = |name: &str| number(name).is_some();
    if env::var_os("SIMULATION_FRESH").is_none() || is_given("SIMULATION_SEED") || is_given("SIMULATION_SEEDS") {
        return;
    }
    let since = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_micros();
    let first = u64::try_from(since).expect("before the year 500,000");
    println!("fresh seeds from {first} on");
    run_for(seconds() / 2, first..);
}
