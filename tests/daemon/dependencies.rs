//! What a date waits for: `require` and `done_when`, with real processes.

use crate::lab::{Lab, job, lives};
use crate::postgres;

/// `done_when` exits with 0 for the first date and with 1 for the second; it crashes for the third, and hangs for the fourth.
const DONE_WHEN: &str = r#"
timeout = "1s"
retry = { after = "1s" }
done_when = "case $CRONTABBER_SESSION_DATE in *-01) exit 0;; *-02) exit 1;; *-03) kill -9 $$;; *-05) exit 127;; *) echo $$ >> DIR/hung; test -e DIR/go || sleep 1000;; esac"
command = "echo $CRONTABBER_SESSION_DATE >> DIR/ran""#;

fn done_when_decides_which_dates_run(lab: &Lab) {
    let _daemon = lab.daemon();
    lab.until("what hangs", || lab.lines("hung").len() == 1);
    let settled = ["2026-11-01 succeeded 0", "2026-11-02 succeeded 1", "2026-11-03 succeeded 1"];
    assert_eq!(lab.sessions("load")[..3], settled);
    lab.until("all that is not done is attempted", || lab.lines("ran").len() == 4);
    assert_eq!(lab.lines("ran"), ["2026-11-02", "2026-11-03", "2026-11-04", "2026-11-05"]);
    lab.until("what hung is gone", || !lives(&lab.lines("hung")[0]));
    lab.until("the last", || lab.sessions("load")[4] == "2026-11-05 succeeded 1");
    assert_eq!(lab.sessions("load")[3], "2026-11-04 succeeded 1");
    for (date, answer) in [("03", "killed by signal 9"), ("04", "timed out"), ("05", "exit 127 (it was not found)")] {
        let line = format!("counts as not done, because its `done_when` gave no answer: {answer}");
        let log = lab.log();
        let found = log.lines().find(|said| said.contains(&format!("2026-11-{date}")) && said.contains(&line));
        assert!(found.is_some_and(|said| said.contains("WARN")), "{date}: {log}");
        let why = lab.json(&["why", "load", &format!("2026-11-{date}")]);
        assert_eq!(why["done_when_unanswered"][0]["answer"], answer, "{why}");
        let text = why["text"].to_string();
        assert!(text.contains("`done_when` gave no answer at ") && text.contains(answer), "{text}");
    }
    let answered = lab.json(&["why", "load", "2026-11-02"]);
    assert_eq!(answered["done_when_unanswered"].as_array().map(Vec::len), Some(0), "exit status 1 is an answer");
    let settled = lab.json(&["why", "load", "2026-11-01"]);
    assert_eq!(settled["settled_by"], "done-when", "{settled}");
}

#[test]
fn done_when_decides_which_dates_run_on_sqlite() {
    done_when_decides_which_dates_run(&Lab::new(&job("load", 5, DONE_WHEN)));
}

#[test]
fn done_when_decides_which_dates_run_on_postgresql() {
    done_when_decides_which_dates_run(&Lab::new(&job("load", 5, DONE_WHEN)).with_ledger(&postgres::database()));
}

#[test]
fn a_date_whose_done_when_does_not_start_is_held_if_the_registry_wants_it() {
    let lines = "done_when = [\"DIR/missing\"]\non_unknown = \"hold\"\ncommand = \"echo ran >> DIR/ran\"";
    let lab = Lab::new(&job("load", 1, lines));
    let _daemon = lab.daemon();
    lab.until("it is held", || lab.sessions("load") == ["2026-11-01 held 0"]);
    let why = lab.json(&["why", "load", "2026-11-01"]);
    assert!(
        why["done_when_unanswered"][0]["answer"].as_str().is_some_and(|answer| answer.starts_with("exit 127 (")),
        "{why}"
    );
    let reason = why["reason"].to_string();
    assert!(reason.contains("its `done_when` gave no answer: exit 127 ("), "{reason}");
    assert!(lab.log().contains("is held for an operator, because its `done_when` gave no answer"), "{}", lab.log());
}

#[test]
fn a_required_job_runs_once_for_a_date() {
    let requires = |name: &str| {
        let lines = "require = [\"rates\"]\ncommand = \"echo NAME $CRONTABBER_SESSION_DATE >> DIR/ran\"";
        job(name, 2, &lines.replace("NAME", name))
    };
    let rates = r#"
[jobs.rates]
retry = { after = "1s" }
command = "echo rates $CRONTABBER_SESSION_DATE $CRONTABBER_TRIGGER >> DIR/ran; test $CRONTABBER_SESSION_DATE$CRONTABBER_ATTEMPT != 2026-11-021"
"#;
    let lab = Lab::new(&[requires("report"), requires("bill"), rates.to_owned()].concat());
    let _daemon = lab.daemon();
    lab.until("all of it", || {
        ["report", "bill"].iter().all(|job| lab.sessions(job) == ["2026-11-01 succeeded 1", "2026-11-02 succeeded 1"])
    });
    assert_eq!(lab.sessions("rates"), ["2026-11-01 succeeded 1", "2026-11-02 succeeded 2"]);
    let ran = lab.lines("ran");
    assert_eq!(ran.iter().filter(|line| line.starts_with("rates 2026-11-01")).count(), 1, "{ran:?}");
    assert_eq!(ran[0], "rates 2026-11-01 required");
    let last = ran.iter().rposition(|line| line.starts_with("rates 2026-11-02")).unwrap();
    let first = ran.iter().position(|line| line.ends_with("2026-11-02") && !line.starts_with("rates")).unwrap();
    assert!(last < first, "{ran:?}");
}
