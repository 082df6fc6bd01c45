//! A job that crontabber itself holds waits for a person: `health`, `list`, `status` and `why` name what decides.

use crate::lab::{Lab, stdout};
use crate::postgres;

const LOAD: &str = r#"
[daemon]
announce_over = 3
timezone = "UTC"

[jobs.load]
schedule = "0 3 * * *"
start = 2026-05-15
backfill = true
command = "echo $CRONTABBER_SESSION_DATE >> DIR/ran"
"#;

/// Labs whose job has run its four dates; one for each kind of ledger.
fn labs() -> [Lab; 2] {
    [Lab::new(LOAD), Lab::new(LOAD).with_ledger(&postgres::database())].map(|lab| {
        let lab = lab.with_clock("@2026-05-18 12:00:00");
        lab.ok("once");
        lab
    })
}

/// Every command says that the job is held, and what decides: before the daemon has read the registry, and after it.
fn is_held(lab: &Lab, job: &str, date: &str, reason: &str) {
    for _ in 0..2 {
        let health = lab.run(&["health"]);
        let (line, code) = (stdout(&health), health.status.code());
        assert_eq!((line.as_str(), code), (&*format!("WARNING - {job}: is held: {reason}\n"), Some(1)));
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let list = lab.ok("list");
        assert!(words(&list).contains(&format!("needs an operator: {reason}")), "{list}");
        let row = &lab.json(&["list", job])[0];
        assert_eq!((&row["state"], &row["enabled"]), (&"held".into(), &false.into()), "{row}");
        let status = lab.ok(&format!("status {job}"));
        assert!(words(&status).contains(&format!("needs an operator: {reason}")), "{status}");
        let why = lab.ok(&format!("why {job} {date}"));
        assert!(words(&why).contains(&format!("the job is held, since {reason}")), "{why}");
        lab.ok("once");
    }
    assert_eq!(lab.lines("ran").len(), 4, "nothing of it runs");
}

#[test]
fn an_edit_that_adds_many_past_dates_is_a_warning() {
    for lab in labs() {
        lab.write_registry(&LOAD.replace("2026-05-15", "2026-05-10"));
        let decides = "`crontabber enable load --catch-up`, `--skip-missed` or `--skip-to DATE` decides";
        is_held(&lab, "load", "2026-05-11", &format!("its edit adds 5 past dates: {decides}"));
        lab.ok("enable load --skip-missed");
        assert!(lab.ok("health").starts_with("OK - 1 job"), "{}", lab.ok("health"));
    }
}

#[test]
fn a_probable_rename_is_a_warning() {
    for lab in labs() {
        lab.write_registry(&LOAD.replace("jobs.load", "jobs.import"));
        let decides = "`previously = \"load\"` or `previously = false` in the registry decides";
        is_held(&lab, "import", "2026-05-16", &format!("it is probably `load`, which is gone: {decides}"));
        lab.write_registry(&LOAD.replace("[jobs.load]", "[jobs.import]\npreviously = \"load\""));
        assert!(lab.ok("health").starts_with("OK - 1 job"), "{}", lab.ok("health"));
    }
}

#[test]
fn a_job_that_returns_with_another_command_is_a_warning() {
    for lab in labs() {
        // Another job of its own has taken its place.
        lab.write_registry("[jobs.mail]\nschedule = \"0 3 * * *\"\ncommand = \"true\"");
        lab.ok("once");
        lab.set_clock("@2026-05-20 12:00:00");
        lab.write_registry(&LOAD.replace("echo", "echo other"));
        let decides = "`crontabber enable load --catch-up`, `--skip-missed` or `--skip-to DATE` decides";
        let reason = format!("it was gone from the registry, and is back with another command: {decides}");
        is_held(&lab, "load", "2026-05-19", &reason);
        // What an operator disables is no fault.
        lab.ok("enable load --skip-missed");
        lab.ok("disable load");
        assert!(lab.ok("health").starts_with("OK - 1 job"), "{}", lab.ok("health"));
    }
}
