//! A journal that is damaged, and a disk that is full.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};

use crontabber::session::Outcome;
use crontabber::warden::journal::{Journal, entries_of};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::disk::Disk;
use crate::fixture::TestWarden;
use crate::lab::{DAILY, Lab, SLOW, not_run};

#[test]
fn a_daemon_goes_on_whatever_is_found_in_the_place_of_its_journal() {
    let lab = Lab::new(DAILY);
    let journal = lab.path("warden/journal");
    fs::create_dir(lab.path("warden")).unwrap();
    fs::write(lab.path("warden/notes"), "mine").unwrap();
    fs::write(&journal, "garbage").unwrap();
    let mut daemon = lab.daemon();
    lab.until("it says so", || lab.log().contains("journal.foreign-1`"));
    lab.until("its work", || lab.lines("ran").len() == 6);
    assert!(daemon.stop().success());
    assert_eq!(fs::read_to_string(lab.path("warden/journal.foreign-1")).unwrap(), "garbage");
    assert_eq!(fs::read_to_string(lab.path("warden/notes")).unwrap(), "mine");
}

#[test]
fn the_end_of_a_job_in_a_journal_that_is_torn_counts() {
    for tear in [
        // Garbage behind the last record, whose own last bytes may be zeros; a file that is cut off behind it, and one that
        // has been added to.
        |bytes: &mut Vec<u8>, last: usize| bytes[last + 9] = 77,
        |bytes: &mut Vec<u8>, last: usize| bytes.truncate(last + 9),
        |bytes: &mut Vec<u8>, _: usize| bytes.extend([9; 100]),
    ] {
        let lab = Lab::new(SLOW);
        let mut daemon = lab.daemon();
        lab.until_file("pids");
        daemon.kill();
        fs::write(lab.path("go"), "").unwrap();
        lab.until("the end in the journal", || {
            let entries = entries_of(&fs::read(lab.path("warden/journal")).unwrap()).unwrap();
            entries.values().any(|entry| entry.end.is_some())
        });
        lab.kill_warden();
        let mut bytes = fs::read(lab.path("warden/journal")).unwrap();
        let last = bytes.iter().rposition(|&byte| byte != 0).unwrap();
        tear(&mut bytes, last);
        fs::write(lab.path("warden/journal"), bytes).unwrap();
        lab.ok("once");
        assert_eq!(lab.outcomes("slow"), ["succeeded"]);
        assert_eq!(lab.lines("pids").len(), 1);
        assert!(fs::read_to_string(lab.path("warden/warden.log")).unwrap().contains("is damaged: its intact records"));
    }
}

#[test]
fn a_disk_that_is_full_at_the_start_is_named_with_what_it_needs() {
    let lab = Lab::new(DAILY);
    for free in [0, 5, 40] {
        let Some(disk) = Disk::mount(&lab.path("warden"), 512) else { return };
        disk.fill_but(free);
        let text = lab.fails(1, "once");
        assert!(text.contains(&lab.path("warden").display().to_string()), "{text}");
        assert!(text.contains("bytes free, and it needs"), "{text}");
        assert!(lab.lines("ran").is_empty());
        assert!(!lab.path("warden/journal.new").exists(), "what could not be made takes no room");
        disk.free();
        if free == 40 {
            lab.ok("once");
            assert_eq!(lab.lines("ran").len(), 6);
        }
    }
}

#[test]
fn a_warden_whose_disk_fills_up_keeps_every_end() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(folder.path(), 1024) else { return };
    let mut warden = TestWarden::in_folder(folder);
    let mut client = warden.client("one");
    let slow = warden.name("slow", "one");
    client.start(warden.start(&slow, "while ! test -e socket.go; do sleep 0.02; done; echo a long farewell; exit 4"));
    assert_eq!(client.running().attempt, slow);
    // Not a byte more goes into the log of the warden, and it has much to say.
    let log = fs::File::options().append(true).open(warden.path("warden.log")).unwrap();
    let length = log.metadata().unwrap().len();
    log.write_all_at(&vec![b'\n'; 4096 - usize::try_from(length % 4096).unwrap()], length).unwrap();
    fs::write(warden.path("socket.go"), "").unwrap();
    disk.fill_but(0);
    assert_eq!(client.outcome(), Outcome::Failed { code: 4 });
    // More ends than a half of the journal has room for.
    for number in 0..600 {
        let name = warden.name(&format!("job-{number}"), "one");
        client.start(warden.start(&name, "exit 6"));
        let ended = client.ended();
        assert_eq!((&ended.attempt, ended.number), (&name, Some(6)), "{ended:?}");
        client.ask(&crontabber::warden::protocol::Request::Forget(vec![name]));
    }
    // To say that it is told to end, it has no room either.
    let last = warden.name("last", "one");
    client.start(warden.start(&last, "exec sleep 1000"));
    assert_eq!(client.running().attempt, last);
    warden.signal(Signal::TERM);
    assert!(warden.end().success());
    let entries = entries_of(&fs::read(warden.path("journal")).unwrap()).unwrap();
    let outcome = |name: &str| entries[name].end.as_ref().unwrap().end().unwrap().outcome;
    assert_eq!(entries.len(), 2);
    assert_eq!((outcome(&slow), outcome(&last)), (Outcome::Failed { code: 4 }, Outcome::Interrupted));
    // The next one finds a disk that is still full.
    warden.start_again();
    assert_eq!(warden.client("one").hello("one").len(), 2);
    assert_eq!(warden.connect().hello("one").len(), 2);
}

#[test]
fn a_journal_on_a_full_disk_is_opened_and_grows_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(folder.path(), 4096) else { return };
    let open = |folder: &TempDir| Journal::open(folder.path()).unwrap();
    let (mut journal, _) = open(&folder);
    journal.begin("first@one", "boot");
    journal.flush().unwrap();
    disk.fill_but(20);
    let mut begun = 1;
    while journal.write().is_ok() {
        journal.begin(&format!("{begun:05}@one"), "boot");
        begun += 1;
        assert!(begun < 100_000, "it has its limits");
    }
    let free = rustix::fs::statvfs(folder.path()).unwrap();
    assert_eq!(free.f_bavail * free.f_frsize, 20 * 4096, "what it could not make it has removed");
    drop(journal);
    let (mut journal, told) = open(&folder);
    assert_eq!(told, Vec::<String>::new());
    // But for the last one, which found no room.
    assert_eq!(journal.entries().len(), begun - 1);
    disk.free();
    for more in 0..2_000 {
        journal.begin(&format!("more-{more}@one"), "boot");
        journal.write().unwrap();
    }
    drop(journal);
    assert_eq!(open(&folder).0.entries().len(), begun - 1 + 2_000);
}

#[test]
fn a_journal_that_may_not_be_read_is_named() {
    if rustix::process::getuid().is_root() {
        return not_run("a user who may not read everything");
    }
    let lab = Lab::new(DAILY);
    fs::create_dir(lab.path("warden")).unwrap();
    fs::write(lab.path("warden/journal"), "").unwrap();
    fs::set_permissions(lab.path("warden/journal"), fs::Permissions::from_mode(0o000)).unwrap();
    let said = lab.fails(1, "once");
    assert!(said.contains("warden/journal` cannot be read"), "{said}");
}
