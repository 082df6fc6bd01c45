//! The journal through switches of halves, kills, damage and a full disk.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use tempfile::TempDir;

use super::*;

/// One step of a warden.
#[derive(Debug, Clone)]
enum Step {
    Begin,
    Process(Index),
    End(Index, usize),
    Forget(Index),
    Ledger(u8),
    Write,
    Flush,
    /// The warden is killed, and another comes.
    Reopen,
}

fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let one = any::<Index>;
    let step = prop_oneof![
        6 => Just(Step::Begin),
        4 => one().prop_map(Step::Process),
        // A long detail turns the halves over often.
        4 => (one(), prop_oneof![0..200_usize, 5_000..40_000_usize]).prop_map(|(which, length)| Step::End(which, length)),
        3 => one().prop_map(Step::Forget),
        1 => (0..3_u8).prop_map(Step::Ledger),
        2 => Just(Step::Write),
        1 => Just(Step::Flush),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..most)
}

fn process(pid: i32) -> ProcessIdentity {
    ProcessIdentity { pid, start_ticks: 7, boot_id: "boot".to_owned() }
}

fn end(attempt: &str, detail: usize) -> Box<Ended> {
    Box::new(Ended {
        attempt: attempt.to_owned(),
        outcome: 1,
        number: Some(3),
        ended_at: 1_793_000_000_000_000,
        duration: Some(Duration::from_micros(5)),
        detail: (detail > 0).then(|| "x".repeat(detail)),
        has_log: true,
        cpu_user: Some(Duration::from_micros(1)),
        cpu_system: None,
        peak_memory: Some(2),
    })
}

/// A journal, and what should be in it.
struct Bench {
    folder: TempDir,
    journal: Option<Journal>,
    known: BTreeMap<String, Entry>,
    begun: u32,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut bench = Self { folder, journal: None, known: BTreeMap::new(), begun: 0 };
        assert_eq!(bench.reopen(), Vec::<String>::new());
        bench
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(NAME)
    }

    fn journal(&mut self) -> &mut Journal {
        self.journal.as_mut().unwrap()
    }

    fn reopen(&mut self) -> Vec<String> {
        self.journal = None;
        let (journal, told) = Journal::open(self.folder.path()).unwrap();
        self.journal = Some(journal);
        told
    }

    fn name(&self, which: Index) -> Option<String> {
        (!self.known.is_empty()).then(|| which.get(&self.known.keys().cloned().collect::<Vec<_>>()).clone())
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Begin => {
                // As in a ledger: no attempt is begun twice.
                self.begun += 1;
                let name = format!("job-{:04}@mark", self.begun);
                self.journal().begin(&name, "boot");
                self.known.insert(name, Entry { boot: "boot".to_owned(), process: None, end: None });
            }
            Step::Process(which) => {
                let Some(name) = self.name(*which) else { return };
                self.journal().process(&name, process(42));
                self.known.get_mut(&name).unwrap().process = Some(process(42));
            }
            Step::End(which, detail) => {
                let Some(name) = self.name(*which) else { return };
                self.journal().end(end(&name, *detail));
                self.known.get_mut(&name).unwrap().end = Some(end(&name, *detail));
            }
            Step::Forget(which) => {
                let Some(name) = self.name(*which) else { return };
                self.journal().forget(&name);
                self.known.remove(&name);
            }
            Step::Ledger(mark) => self.journal().ledger(&mark.to_string(), "boot"),
            Step::Write => self.journal().write().unwrap(),
            Step::Flush => self.journal().flush().unwrap(),
            Step::Reopen => {
                self.journal().write().unwrap();
                assert_eq!(self.reopen(), Vec::<String>::new(), "nothing is damaged");
            }
        }
    }
}

/// What is done to a file behind a place.
#[derive(Debug, Clone, Copy)]
enum Damage {
    Cut,
    Garbled(u8),
    Zeroed,
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![Just(Damage::Cut), (1..=255_u8).prop_map(Damage::Garbled), Just(Damage::Zeroed)]
}

/// Damages a file from a place on; a zeroed tail ends there.
fn spoil(path: &Path, from: u64, to: u64, damage: Damage) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    match damage {
        Damage::Cut => file.set_len(from).unwrap(),
        Damage::Garbled(mask) => {
            let mut byte = [0];
            file.read_exact_at(&mut byte, from).unwrap();
            file.write_all_at(&[byte[0] ^ mask], from).unwrap();
        }
        Damage::Zeroed => put_zeros(&file, from, to).unwrap(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_was_written_is_there_after_any_death(steps in steps(120)) {
        let mut bench = Bench::new();
        for step in &steps {
            bench.take(step);
        }
        bench.take(&Step::Reopen);
        let known = bench.known.clone();
        prop_assert_eq!(bench.journal().entries(), &known);
        let marks = steps.iter().filter_map(|step| if let Step::Ledger(mark) = step { Some(mark) } else { None });
        for mark in marks {
            prop_assert!(bench.journal().knows_ledger(&mark.to_string(), "boot"));
            prop_assert!(!bench.journal().knows_ledger(&mark.to_string(), "another boot"));
        }
        prop_assert_eq!(fs::metadata(bench.path()).unwrap().len(), bench.journal().half * 2);
    }

    #[test]
    fn every_record_before_the_damage_counts_and_none_is_made_up(
        steps in steps(120),
        place in any::<Index>(),
        damage in damage(),
    ) {
        let mut bench = Bench::new();
        // What is in the journal when so much of its half is used.
        let mut states: Vec<(u64, u64, BTreeMap<String, Entry>)> = Vec::new();
        let mut ever: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        for step in &steps {
            bench.take(step);
            bench.journal().write().unwrap();
            let (epoch, at) = (bench.journal().epoch, bench.journal().position);
            if states.last().is_some_and(|(other, ..)| *other != epoch) {
                states.clear();
            }
            states.push((epoch, at, bench.known.clone()));
            for (name, entry) in &bench.known {
                ever.entry(name.clone()).or_default().push(entry.clone());
            }
        }
        let (active, half, at) = (bench.journal().active, bench.journal().half, bench.journal().position);
        let start = active * half;
        let from = HEAD + u64::try_from(place.index(usize::try_from(at - HEAD).unwrap().max(1))).unwrap();
        bench.journal = None;
        spoil(&bench.path(), start + from, start + at, damage);
        let told = bench.reopen();
        let found = bench.journal().entries().clone();
        // Where the damage is behind the first state of the epoch, it is the state before that.
        let before = states.iter().rev().find(|(_, at, _)| *at <= from);
        if let Some((.., known)) = before {
            prop_assert_eq!(&found, known);
        }
        // Zeros from the end of a record on are what an end looks like.
        if !matches!(damage, Damage::Zeroed) {
            prop_assert!(told.iter().any(|line| line.contains("damaged")), "{:?}", told);
            prop_assert!(!bench.journal().knows_ledger("1", "boot"), "what is not named may have been started");
        }
        for (name, entry) in &found {
            let states = &ever[name];
            prop_assert!(entry.end.is_none() || states.iter().any(|state| state.end == entry.end));
            prop_assert!(entry.process.is_none() || states.iter().any(|state| state.process == entry.process));
        }
        // And it goes on from there.
        bench.known = found;
        bench.take(&Step::Begin);
        bench.take(&Step::Reopen);
        let known = bench.known.clone();
        prop_assert_eq!(bench.journal().entries(), &known);
    }

    #[test]
    fn no_bytes_are_too_strange(mut bytes in proptest::collection::vec(any::<u8>(), 0..2_000), valid in any::<bool>()) {
        if valid {
            bytes.splice(0..0, head(3, HALF, 0));
        }
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(NAME), &bytes).unwrap();
        let (journal, _) = Journal::open(folder.path()).unwrap();
        prop_assert!(journal.entries().is_empty());
    }
}

#[test]
fn thousands_of_attempts_at_once_have_their_room() {
    let mut bench = Bench::new();
    for _ in 0..5_000 {
        bench.take(&Step::Begin);
    }
    bench.take(&Step::Flush);
    assert!(bench.journal().half > HALF, "it has grown");
    let names: Vec<String> = bench.known.keys().cloned().collect();
    for name in &names {
        bench.journal().process(name, process(1));
        bench.journal().end(end(name, 20));
        bench.journal().write().unwrap();
    }
    bench.reopen();
    assert_eq!(bench.journal().entries().values().filter(|entry| entry.end.is_some()).count(), 5_000);
    let size = fs::metadata(bench.path()).unwrap().len();
    for name in &names {
        bench.journal().forget(name);
    }
    bench.journal().write().unwrap();
    for _ in 0..20_000 {
        bench.journal().begin("one@mark", "boot");
        bench.journal().end(end("one@mark", 0));
        bench.journal().forget("one@mark");
        bench.journal().write().unwrap();
    }
    bench.reopen();
    assert!(bench.journal().entries().is_empty());
    assert_eq!(fs::metadata(bench.path()).unwrap().len(), size, "it grows with what is under way, and not with time");
}

#[test]
fn the_older_half_serves_where_the_newer_one_has_lost_its_beginning() {
    for spoilt in [0, HEAD + 20] {
        let mut bench = Bench::new();
        bench.take(&Step::Begin);
        bench.journal().end(end("job-0001@mark", 3));
        bench.journal().ledger("mark", "boot");
        bench.journal().write().unwrap();
        bench.reopen();
        assert!(bench.journal().knows_ledger("mark", "boot"));
        bench.take(&Step::Begin);
        bench.journal().write().unwrap();
        let place = bench.journal().active * bench.journal().half + spoilt;
        bench.journal = None;
        spoil(&bench.path(), place, place, Damage::Garbled(1));
        let told = bench.reopen();
        assert!(told[0].contains("is damaged: its intact records"), "{told:?}");
        assert_eq!(bench.journal().entries()["job-0001@mark"].end, Some(end("job-0001@mark", 3)));
        assert!(!bench.journal().knows_ledger("mark", "boot"));
        assert_eq!(bench.reopen(), Vec::<String>::new(), "that is told once");
    }
}

#[test]
fn of_two_valid_halves_the_newer_counts() {
    let mut bench = Bench::new();
    for round in 0..5 {
        bench.take(&Step::Begin);
        bench.take(&Step::Reopen);
        let bytes = fs::read(bench.path()).unwrap();
        let half = usize::try_from(HALF).unwrap();
        assert_eq!(entries_of(&bytes).as_ref(), Some(&bench.known), "round {round}");
        if round > 0 {
            let mut other = bytes.clone();
            other.rotate_left(half);
            assert_eq!(entries_of(&other).as_ref(), Some(&bench.known), "whichever comes first");
        }
    }
}

#[test]
fn a_death_in_the_middle_of_a_turn_over_is_none() {
    let mut bench = Bench::new();
    for round in 0..3 {
        bench.take(&Step::Begin);
        bench.journal().write().unwrap();
        let other = (1 - bench.journal().active) * bench.journal().half;
        let file = File::options().write(true).open(bench.path()).unwrap();
        file.write_all_at(&[round + 1; 700], other + HEAD).unwrap();
        bench.take(&Step::Reopen);
        let known = bench.known.clone();
        assert_eq!(bench.journal().entries(), &known);
    }
}

#[test]
fn what_is_no_journal_is_put_aside_and_what_is_beside_it_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(NAME);
    fs::write(folder.path().join("journal.old"), "mine").unwrap();
    fs::create_dir(folder.path().join("journal.d")).unwrap();
    for (number, found) in [(1, b"garbage".as_slice()), (2, &vec![0; 300_000]), (3, &MAGIC_ALONE)] {
        fs::write(&path, found).unwrap();
        let (journal, told) = Journal::open(folder.path()).unwrap();
        assert!(
            told[0].contains("is not a journal") && told[0].contains(&format!("journal.foreign-{number}`")),
            "{told:?}"
        );
        assert!(journal.entries().is_empty());
        assert_eq!(fs::read(folder.path().join(format!("journal.foreign-{number}"))).unwrap(), found);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    fs::write(path.join("inside"), "mine").unwrap();
    let (journal, told) = Journal::open(folder.path()).unwrap();
    assert!(told[0].contains("journal.foreign-4"), "{told:?}");
    drop(journal);
    fs::write(&path, "").unwrap();
    assert_eq!(Journal::open(folder.path()).unwrap().1, Vec::<String>::new(), "there is nothing in it to be lost");
    assert_eq!(fs::read_to_string(folder.path().join("journal.foreign-4/inside")).unwrap(), "mine");
    assert_eq!(fs::read_to_string(folder.path().join("journal.old")).unwrap(), "mine");
    assert!(folder.path().join("journal.d").is_dir());
    assert!(!folder.path().join("journal.new").exists());
}

/// A head that was cut off.
const MAGIC_ALONE: [u8; 8] = *b"crontSP1";

#[test]
fn a_journal_has_one_warden() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(&folder.path().join("warden")).unwrap();
    let second = Journal::open(&folder.path().join("warden"));
    assert!(matches!(second, Err(JournalError::Busy(_))));
    assert_eq!(fs::metadata(folder.path().join("warden")).unwrap().permissions().mode() & 0o777, 0o700);
    drop(journal);
    Journal::open(&folder.path().join("warden")).unwrap();
}
