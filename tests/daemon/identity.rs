//! What a date is called stays the same for all its attempts, whatever is edited in the registry between them.

use std::fs;

use crate::lab::Lab;
use crate::postgres;

/// A lab for each kind of ledger.
fn on_both(registry: &str) -> [Lab; 2] {
    [Lab::new(registry), Lab::new(registry).with_ledger(&postgres::database())]
}

#[test]
fn the_idempotency_key_is_the_same_after_a_rename() {
    let pay = r#"
[jobs.pay]
schedule = "0 3 * * *"
backfill = true
start = 2026-11-01
end = 2026-11-01
command = "echo $CRONTABBER_JOB $CRONTABBER_ATTEMPT $CRONTABBER_IDEMPOTENCY_KEY >> DIR/trace; test -e DIR/go"
"#;
    for lab in on_both(pay) {
        lab.fails(1, "once");
        let payout = pay.replace("[jobs.pay]", "[jobs.payout]\npreviously = \"pay\"");
        lab.write_registry(&payout);
        lab.ok("retry payout --failed");
        fs::write(lab.path("go"), "").unwrap();
        // A new job under the old name is another job.
        lab.write_registry(&format!("{}{pay}", payout.replace("previously = \"pay\"", "")));
        lab.ok("once");
        let mut trace = lab.lines("trace");
        trace.sort();
        assert_eq!(
            trace,
            ["pay 1 pay/1/1793502000000000", "pay 1 pay~2/1/1793502000000000", "payout 2 pay/1/1793502000000000"],
            "{}",
            lab.ledger
        );
    }
}
