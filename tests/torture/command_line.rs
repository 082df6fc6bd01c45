//! The command line: short tests for a test runner, or one long run.

use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crontabber::clock;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::environment::Backend;
use crate::random::Random;
use crate::report::Tally;
use crate::round::{Plan, Round};
use crate::selfcheck::the_checker_sees_what_is_wrong;

/// The length of a mixed round of a long run.
const ROUND: Duration = Duration::from_mins(2);
/// How often the daemon is killed in a test.
const KILLS: u64 = 100;

/// A short test.
type Test = (&'static str, fn(&Settings) -> bool);

/// The short tests.
const TESTS: [Test; 4] = [
    ("the_checker_sees_what_is_wrong", |_| {
        the_checker_sees_what_is_wrong();
        true
    }),
    ("everything_fails_on_sqlite", |settings| settings.mixed(Backend::Sqlite)),
    ("everything_fails_on_postgresql", |settings| settings.mixed(Backend::Postgres)),
    ("the_daemon_is_killed_again_and_again", Settings::kills),
];

/// The options.
#[derive(Debug)]
struct Settings {
    seed: u64,
    /// For a mixed round in a test.
    seconds: u64,
    backends: Vec<Backend>,
    minutes: Option<u64>,
    kills: u64,
    over: Arc<AtomicBool>,
}

impl Settings {
    fn new() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let nanos = clock::now().timestamp_nanos_opt().unwrap_or_default();
        let over = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&over)).expect("a handler");
        }
        Self {
            seed: variable("TORTURE_SEED").map_or(nanos.unsigned_abs() % 1_000_000_000, |seed| number(&seed)),
            // A third of it for each of the tests that torture.
            seconds: variable("TORTURE_SECONDS").map_or(20_u64, |seconds| number(&seconds)).div_ceil(3),
            backends: backends(&variable("TORTURE_BACKEND").unwrap_or_else(|| "both".to_owned())),
            minutes: None,
            kills: 1000,
            over,
        }
    }

    fn round(&self, backend: Backend, plan: Plan, seed: u64) -> Tally {
        Round { backend, plan, seed }.run(&self.over)
    }

    fn mixed(&self, backend: Backend) -> bool {
        if !self.backends.contains(&backend) {
            println!("not run: TORTURE_BACKEND names another ledger");
            return true;
        }
        self.tell(&self.round(backend, Plan::Mixed(Duration::from_secs(self.seconds)), self.seed))
    }

    fn kills(&self) -> bool {
        let limit = Duration::from_secs(self.seconds);
        self.tell(&self.round(self.backends[0], Plan::Kills(KILLS, Some(limit)), self.seed))
    }

    fn tell(&self, tally: &Tally) -> bool {
        println!("seed {}\n{}", self.seed, tally.table());
        !tally.is_bad() && !self.over.load(Ordering::SeqCst)
    }

    /// A long run: the kills, and then rounds on the two ledgers in turn.
    fn long(&self, minutes: u64) -> bool {
        println!("seed {}", self.seed);
        let mut all = Tally::default();
        let mut seeds = Random::new(self.seed);
        if self.kills > 0 {
            self.one(self.backends[0], Plan::Kills(self.kills, None), seeds.next(), &mut all);
        }
        let total = Duration::from_secs(minutes * 60);
        let rounds =
            total.as_secs().div_ceil(ROUND.as_secs() * self.backends.len() as u64) * self.backends.len() as u64;
        let duration = total / u32::try_from(rounds.max(1)).unwrap_or(u32::MAX);
        for backend in (0..rounds).zip(self.backends.iter().cycle()).map(|(_, backend)| *backend) {
            if !self.over.load(Ordering::SeqCst) {
                self.one(backend, Plan::Mixed(duration), seeds.next(), &mut all);
            }
        }
        self.tell(&all)
    }

    fn one(&self, backend: Backend, plan: Plan, seed: u64, all: &mut Tally) {
        println!("{} {backend:?} {plan:?}, seed {seed}", clock::now().format("%T"));
        let tally = self.round(backend, plan, seed);
        println!("{} {}", clock::now().format("%T"), tally.line());
        for problem in &tally.problems {
            println!("PROBLEM in the round with seed {seed}: {problem}");
        }
        all.add(tally);
    }
}

fn number<T: FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is no number"))
}

fn backends(text: &str) -> Vec<Backend> {
    match text {
        "sqlite" => vec![Backend::Sqlite],
        "postgres" => vec![Backend::Postgres],
        "both" => vec![Backend::Sqlite, Backend::Postgres],
        other => panic!("`{other}` is none of sqlite, postgres, both"),
    }
}

/// Runs what the command line requests.
pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if has("--list") {
        // Nobody is ignored.
        for (name, _) in TESTS.iter().filter(|_| !has("--ignored")) {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let mut settings = Settings::new();
    let mut names: Vec<&str> = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().unwrap_or_else(|| panic!("{argument} needs a value"));
        match argument.as_str() {
            "--minutes" => settings.minutes = Some(number(value())),
            "--seed" => settings.seed = number(value()),
            "--kills" => settings.kills = number(value()),
            "--backend" => settings.backends = backends(value()),
            // What test runners say besides.
            flag if flag.starts_with('-') => {}
            name => names.push(name),
        }
    }
    let good = match settings.minutes {
        Some(minutes) => settings.long(minutes),
        None => tests(&settings, &names, has("--exact")),
    };
    ExitCode::from(u8::from(!good))
}

/// Runs the tests of these names, or all.
fn tests(settings: &Settings, names: &[&str], exact: bool) -> bool {
    let is_meant = |name: &str| names.iter().any(|asked| if exact { name == *asked } else { name.contains(asked) });
    let meant = TESTS.iter().filter(|(name, _)| names.is_empty() || is_meant(name));
    let (mut passed, mut failed) = (0, 0);
    for (name, test) in meant {
        let good = test(settings);
        println!("test {name} ... {}", if good { "ok" } else { "FAILED" });
        *(if good { &mut passed } else { &mut failed }) += 1;
    }
    let result = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {result}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out");
    failed == 0
}
