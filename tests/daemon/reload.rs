//! A reload of the registry (SIGHUP), and the announcement of missed dates.

use crate::lab::{DAILY, Lab};
use rustix::process::Signal;

#[test]
fn a_reload_adds_jobs_and_refuses_a_registry_with_a_mistake() {
    let lab = Lab::new(DAILY);
    let daemon = lab.daemon();
    lab.until("the first registry", || lab.lines("ran").len() == 6);
    lab.write_registry(&DAILY.replace("schedule", "scedule"));
    daemon.signal(Signal::HUP);
    lab.until("the mistake is said", || lab.log().contains("did you mean"));
    lab.write_registry(&format!("{DAILY}\n{}", DAILY.replace("load", "more").replace("DIR/ran", "DIR/more")));
    daemon.signal(Signal::HUP);
    lab.until("the new job", || lab.lines("more").len() == 6);
    let log = lab.log();
    assert!(log.contains("more: new; 6 dates due, from 2026-11-01T03:00"), "{log}");
    lab.write_registry(&DAILY.replace("load", "more").replace("DIR/ran", "DIR/more").replace("0 3", "0 4"));
    daemon.signal(Signal::HUP);
    lab.until("the change", || lab.log().contains("more: changed: schedule"));
    assert!(lab.log().contains("load: gone from the registry"), "{}", lab.log());
    assert!(lab.ok("ghosts").contains("load"));
}

#[test]
fn many_missed_dates_are_announced_before_they_run() {
    let many = format!("[daemon]\nannounce_over = 5\n{DAILY}");
    let lab = Lab::new(&many);
    let daemon = lab.daemon();
    let have_succeeded = |count| lab.log().matches("succeeded in").count() == count;
    lab.until("the dates", || have_succeeded(6));
    let announcement =
        "6 dates were missed and are attempted now, oldest first: 6 of load; `crontabber skip` or `disable`";
    let place = |text: &str| lab.log().find(text).unwrap_or_else(|| panic!("{text}: {}", lab.log()));
    assert!(place(announcement) < place("load: 2026-11-01T03:00"), "before the first of them: {}", lab.log());
    // At a reload: what the edit adds, not more than `announce_over`.
    lab.write_registry(&many.replace("2026-11-01", "2026-10-29"));
    daemon.signal(Signal::HUP);
    lab.until("the others", || have_succeeded(9));
    let edit = "load: changed: start; 3 dates due, from 2026-10-29T03:00:00+00:00";
    assert!(place(edit) < place("load: 2026-10-29T03:00:00+00:00 attempt 1"), "{}", lab.log());
    assert_eq!(lab.log().matches("dates were missed").count(), 1, "{}", lab.log());
    // More than that wait for an operator.
    lab.write_registry(&many.replace("2026-11-01", "2026-10-20"));
    daemon.signal(Signal::HUP);
    lab.until("the edit to be held", || lab.log().contains("load: held: its edit adds 9 past dates"));
    assert!(lab.ok("list").contains("needs an operator: its edit adds 9 past dates"), "{}", lab.ok("list"));
    lab.ok("enable load --catch-up");
    lab.until("the rest", || have_succeeded(18));
    let edit = "load: 9 dates from 2026-10-20T03:00:00+00:00 to 2026-10-28T03:00:00+00:00 are added";
    assert!(place(edit) < place("load: 2026-10-20T03:00:00+00:00 attempt 1"), "{}", lab.log());
}
