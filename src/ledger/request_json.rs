//! The JSON of an operator's request in the audit.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::rows::{instant, micros};
use crate::session::{BackfillOrder, Enabling, Only, Operation, PauseScope, Retrying, Skipping};

/// Writes the arguments of a request. Instants are microseconds of UTC.
pub(super) fn write(operation: &Operation) -> Value {
    let at = |at: Option<DateTime<Utc>>| at.map(micros);
    match operation {
        Operation::Run { date, force } => json!({ "date": at(*date), "force": force }),
        Operation::Reset { to } => json!({ "to": at(*to) }),
        Operation::Backfill(order) => json!({
            "from": micros(order.from),
            "to": at(order.to),
            "count": order.count,
            "only": order.only.word(),
            "newest_first": order.newest_first,
            "parallel": order.parallel,
            "name": order.name,
        }),
        Operation::CancelBackfill { name } => json!({ "name": name }),
        Operation::Skip(Skipping::To(to)) => json!({ "to": micros(*to) }),
        Operation::Skip(Skipping::Count(count)) => json!({ "count": count }),
        Operation::Enable(Enabling::Plain) => json!({}),
        Operation::Enable(Enabling::CatchUp) => json!({ "missed": "catch-up" }),
        Operation::Enable(Enabling::SkipMissed) => json!({ "missed": "skip" }),
        Operation::Enable(Enabling::SkipTo(to)) => json!({ "skip_to": micros(*to) }),
        Operation::Disable { until } => json!({ "until": at(*until) }),
        Operation::Pause { scope, until } => json!({ "tag": scope.tag(), "until": at(*until) }),
        Operation::Resume { scope } => json!({ "tag": scope.tag() }),
        Operation::Done { date } | Operation::Skip(Skipping::Date(date)) => json!({ "date": micros(*date) }),
        Operation::Retry(Retrying::Date { date, again }) => json!({ "date": micros(*date), "again": again }),
        Operation::Retry(Retrying::Failed) => json!({ "all": "failed" }),
        Operation::Retry(Retrying::Held) => json!({ "all": "held" }),
        Operation::Kill { date } => json!({ "date": at(*date) }),
    }
}

/// The first and the last instant that a request names.
pub(super) fn span(operation: &Operation) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
    match operation {
        Operation::Run { date, .. } | Operation::Kill { date } => (*date, *date),
        Operation::Done { date }
        | Operation::Retry(Retrying::Date { date, .. })
        | Operation::Skip(Skipping::Date(date)) => (Some(*date), Some(*date)),
        Operation::Reset { to } => (*to, None),
        Operation::Backfill(order) => (Some(order.from), order.to),
        Operation::Skip(Skipping::To(to)) | Operation::Enable(Enabling::SkipTo(to)) => (None, Some(*to)),
        Operation::Disable { until } | Operation::Pause { until, .. } => (None, *until),
        Operation::Skip(Skipping::Count(_))
        | Operation::CancelBackfill { .. }
        | Operation::Resume { .. }
        | Operation::Enable(_)
        | Operation::Retry(_) => (None, None),
    }
}

/// Reads a request; none if this crontabber does not know it.
pub(super) fn read(action: &str, detail: &str, date: Option<i64>) -> Option<Operation> {
    let detail = serde_json::from_str::<Value>(detail).unwrap_or_default();
    let at = |key: &str| detail[key].as_i64().and_then(|at| instant(at).ok());
    let flag = |key: &str| detail[key].as_bool().unwrap_or(false);
    let scope = || detail["tag"].as_str().map_or(PauseScope::All, |tag| PauseScope::Tag(tag.to_owned()));
    Some(match action {
        "run" => {
            // An older crontabber kept the date beside the particulars.
            let date = at("date").or_else(|| date.and_then(|date| instant(date).ok()));
            Operation::Run { date, force: flag("force") }
        }
        "reset" => Operation::Reset { to: at("to") },
        "backfill" => Operation::Backfill(BackfillOrder {
            from: at("from")?,
            to: at("to"),
            count: detail["count"].as_u64(),
            only: Only::from_word(detail["only"].as_str()?)?,
            newest_first: flag("newest_first"),
            parallel: u32::try_from(detail["parallel"].as_u64()?).ok()?.max(1),
            name: detail["name"].as_str().map(str::to_owned),
        }),
        "cancel-backfill" => Operation::CancelBackfill { name: detail["name"].as_str().map(str::to_owned) },
        "skip" => Operation::Skip(match (at("date"), at("to"), detail["count"].as_u64()) {
            (Some(date), _, _) => Skipping::Date(date),
            (None, Some(to), _) => Skipping::To(to),
            (None, None, count) => Skipping::Count(count?),
        }),
        "enable" => Operation::Enable(match (at("skip_to"), detail["missed"].as_str()) {
            (Some(to), _) => Enabling::SkipTo(to),
            (None, Some("catch-up")) => Enabling::CatchUp,
            (None, Some("skip")) => Enabling::SkipMissed,
            (None, None) => Enabling::Plain,
            (None, Some(_)) => return None,
        }),
        "disable" => Operation::Disable { until: at("until") },
        "pause" => Operation::Pause { scope: scope(), until: at("until") },
        "resume" => Operation::Resume { scope: scope() },
        "done" => Operation::Done { date: at("date")? },
        "retry" => Operation::Retry(match (at("date"), detail["all"].as_str()) {
            (Some(date), _) => Retrying::Date { date, again: flag("again") },
            (None, Some("failed")) => Retrying::Failed,
            (None, Some("held")) => Retrying::Held,
            (None, _) => return None,
        }),
        "kill" => Operation::Kill { date: at("date") },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_reads_back() {
        let at = |second: i64| DateTime::from_timestamp(1_800_000_000 + second, 0).expect("an instant of 2027");
        let order = BackfillOrder {
            from: at(0),
            to: Some(at(9)),
            count: Some(3),
            only: Only::Failed,
            newest_first: true,
            parallel: 4,
            name: Some("again".to_owned()),
        };
        let plain = BackfillOrder { to: None, count: None, name: None, ..order.clone() };
        let operations = [
            Operation::Run { date: Some(at(1)), force: true },
            Operation::Run { date: None, force: false },
            Operation::Reset { to: None },
            Operation::Reset { to: Some(at(1)) },
            Operation::Backfill(order),
            Operation::Backfill(plain),
            Operation::CancelBackfill { name: None },
            Operation::CancelBackfill { name: Some("again".to_owned()) },
            Operation::Skip(Skipping::Date(at(1))),
            Operation::Skip(Skipping::To(at(1))),
            Operation::Skip(Skipping::Count(3)),
            Operation::Enable(Enabling::Plain),
            Operation::Enable(Enabling::CatchUp),
            Operation::Enable(Enabling::SkipMissed),
            Operation::Enable(Enabling::SkipTo(at(1))),
            Operation::Disable { until: None },
            Operation::Disable { until: Some(at(1)) },
            Operation::Pause { scope: PauseScope::All, until: Some(at(1)) },
            Operation::Pause { scope: PauseScope::Tag("night".to_owned()), until: None },
            Operation::Resume { scope: PauseScope::Tag("night".to_owned()) },
            Operation::Done { date: at(1) },
            Operation::Retry(Retrying::Date { date: at(1), again: true }),
            Operation::Retry(Retrying::Failed),
            Operation::Retry(Retrying::Held),
            Operation::Kill { date: None },
            Operation::Kill { date: Some(at(1)) },
        ];
        for operation in operations {
            let text = write(&operation).to_string();
            assert_eq!(read(operation.word(), &text, None), Some(operation), "{text}");
        }
        assert_eq!(read("dance", "{}", None), None);
    }
}
