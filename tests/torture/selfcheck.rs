//! Tests of the checker: histories with one violation each.

use crate::checker::{Story, check};
use crate::fault_log::{Gap, Moment};
use crate::jobs::{Order, TortureJob, mixed};

/// The first date.
const START: i64 = 6000;

fn job(order: Order) -> TortureJob {
    let of_order = mixed().into_iter().find(|job| job.order == order && job.depends_on.is_none());
    of_order.expect("there is one of each")
}

/// `start 1.1 5` and `end 1.1 5 0`: the number of a date, its attempt, and the second in which it is said.
fn lines(text: &str) -> String {
    let mut lines = String::new();
    for words in text.split(", ").map(|line| line.split(' ').collect::<Vec<_>>()) {
        let (date, attempt) = words[1].split_once('.').expect("a date and an attempt");
        let date = START + 60 * date.parse::<i64>().expect("a number");
        let last = words.get(3).map_or(format!("{}.0", words[2]), |status| (*status).to_owned());
        lines.push_str(&format!("{} {date} {attempt} {date}{attempt} {}.0 {last}\n", words[0], words[2]));
    }
    lines
}

fn found(order: Order, until: i64, text: &str, gaps: &[Gap]) -> (Vec<String>, u64) {
    let stories = check(&[(job(order), START, lines(text))], START + 60 * until, gaps);
    let texts = stories.iter().flat_map(|story| &story.violations).map(|violation| violation.text.clone());
    (texts.collect(), stories[0].excused)
}

/// Panics if the checker misses a violation, or reports one that is not there.
pub(crate) fn the_checker_sees_what_is_wrong() {
    let wrong = |order, until, text: &str| found(order, until, text, &[]).0;
    let good = "start 0.1 1, end 0.1 2 0, start 1.1 3, end 1.1 4 1, start 1.2 5, end 1.2 6 0";
    assert_eq!(wrong(Order::Strict, 1, good), [""; 0]);
    assert_eq!(wrong(Order::Strict, 2, good), ["it never succeeded"]);
    let twice = "start 0.1 1, end 0.1 2 0, start 0.2 3, end 0.2 4 0";
    assert_eq!(wrong(Order::Strict, 0, twice), ["attempt 2 of a date of which attempt 1 succeeded"]);
    let kill = |from: u64, to: u64| [Gap { from: Moment(from * 1_000_000_000), to: Moment(to * 1_000_000_000) }];
    assert_eq!(found(Order::Strict, 0, twice, &kill(2, 2)), (Vec::new(), 1));
    assert_eq!(found(Order::Strict, 0, twice, &kill(1, 9)), (Vec::new(), 1));
    assert_eq!(found(Order::Strict, 0, twice, &kill(3, 3)).0.len(), 1, "a warden that was killed later");
    assert_eq!(found(Order::Strict, 0, twice, &kill(0, 0)).0.len(), 1, "a warden that was killed before");
    let early = "start 0.1 1, end 0.1 2 1, start 1.1 3, end 1.1 4 0, start 0.2 5, end 0.2 6 0";
    assert_eq!(wrong(Order::Independent, 1, early), [""; 0]);
    let seen = wrong(Order::Strict, 1, early);
    assert_eq!(
        seen,
        ["it was started before 1970-01-01T01:40Z had succeeded", "it was started after 1970-01-01T01:41Z"]
    );
    let beside = "start 0.1 1, start 1.1 2, end 0.1 3 0, end 1.1 4 0";
    assert!(wrong(Order::Independent, 1, beside).contains(&"it ended after another of its job had started".to_owned()));
    let held = "start 0.1 1, overlap 1.1 2, end 1.1 3 0";
    assert!(wrong(Order::Independent, 0, held).contains(&"it runs beside another of its job".to_owned()));
    let again = "start 0.1 1, start 0.1 3, end 0.1 4 0";
    assert_eq!(wrong(Order::Newest, 0, again), ["attempt 1 was started a second time"]);
    assert_eq!(wrong(Order::Newest, 5, "start 3.1 1, end 3.1 2 0"), [""; 0]);
    let mut dependent = Story::read("dependent", &lines("start 0.1 3, end 0.1 4 0, start 1.1 5, end 1.1 6 0"));
    let other = Story::read("other", &lines("start 0.1 1, end 0.1 2 0, start 1.1 5, end 1.1 6 0"));
    dependent.check_dependency("other", START, &other.successes());
    assert_eq!(dependent.violations.len(), 1);
    assert_eq!(dependent.violations[0].date, Some(START + 60));
    assert_eq!(Story::read("torn", "start 6000 1 1").violations.len(), 1);
}
