//! Which dates of a job run, and how many at once: `backfill`, `order`, `max_parallel`, `catch_up`, `overlap`,
//! `skip_late`.

use std::time::Duration;

use toml::de::DeValue;

use super::dates::HasSchedule;
use super::keys;
use super::table_reader::TableReader;
use super::wording::as_integer;
use crate::duration;
use crate::job::{CatchUp, DatePolicy, Overlap};

pub(super) struct RunPolicy {
    pub(super) date_policy: DatePolicy,
    pub(super) catch_up: CatchUp,
    pub(super) overlap: Overlap,
    pub(super) skip_late: Option<Duration>,
}

/// Reads these keys and reports contradictions.
pub(super) fn read(reader: &TableReader<'_>, has_schedule: HasSchedule) -> RunPolicy {
    let backfill = reader.boolean("backfill").unwrap_or(false);
    // A `backfill` of the wrong type is already reported.
    let is_newest_only = !backfill && reader.get("backfill").is_none_or(|value| value.get_ref().is_bool());
    let is_independent = is_independent(reader, is_newest_only);
    let max_parallel = max_parallel(reader, is_newest_only);
    let date_policy = match has_schedule {
        HasSchedule::No => DatePolicy::OnDemand,
        _ if !backfill => DatePolicy::NewestOnly,
        _ if is_independent => DatePolicy::Independent { max_parallel },
        _ => DatePolicy::Strict,
    };
    let skip_late = reader.duration("skip_late");
    let overlap = if reader.choice("overlap") == Some("skip") { Overlap::Skip } else { Overlap::Wait };
    RunPolicy { date_policy, catch_up: catch_up(reader, is_newest_only, skip_late), overlap, skip_late }
}

fn is_independent(reader: &TableReader<'_>, is_newest_only: bool) -> bool {
    let order = reader.choice("order");
    if order.is_some() && is_newest_only {
        let hint = "add `backfill = true`, or remove `order`: without `backfill` only the newest date runs";
        reader.invalid(reader.key_span("order"), "order", "has no effect without `backfill`", hint);
    }
    order == Some("independent")
}

fn max_parallel(reader: &TableReader<'_>, is_newest_only: bool) -> u32 {
    const KEY: &str = "max_parallel";
    let Some(most) = reader.count(KEY) else { return 1 };
    // An invalid `order` is already reported.
    let is_strict = reader.get("order").is_none_or(|value| value.get_ref().as_str() == Some("strict"));
    if is_strict {
        let hint = if is_newest_only {
            "add `backfill = true` and `order = \"independent\"`, or remove it: without them only the newest date runs"
        } else {
            "add `order = \"independent\"`, or remove it: in strict order one date runs at a time"
        };
        let problem = "has no effect without `order = \"independent\"`";
        reader.invalid(reader.key_span(KEY), KEY, problem, hint);
    }
    most
}

fn catch_up(reader: &TableReader<'_>, is_newest_only: bool, skip_late: Option<Duration>) -> CatchUp {
    const KEY: &str = "catch_up";
    let label = format!("`{KEY}` of {}", reader.label);
    let Some(limits) = reader.sub_table(KEY, keys::CATCH_UP, label, |value| Some(catch_up_hint(value))) else {
        return CatchUp::default();
    };
    let suggested = limits.unknown_keys();
    if suggested.is_empty() && !["max_age", "max_dates"].iter().any(|key| limits.has(key)) {
        let hint = "write `catch_up = { max_age = \"7d\" }`, or remove it to run all missed dates";
        let message = format!("{} has neither `max_age` nor `max_dates`", limits.label);
        reader.file.missing(reader.key_span(KEY), message, hint);
    }
    let max_age = limits.positive_duration("max_age");
    let max_dates = limits.count("max_dates");
    if is_newest_only && limits.has("max_dates") {
        let hint = "add `backfill = true`, or remove `max_dates`: without `backfill` only the newest date runs";
        limits.invalid(limits.key_span("max_dates"), "max_dates", "has no effect without `backfill`", hint);
    }
    if let (Some(max_age), Some(late)) = (max_age, skip_late)
        && late <= max_age
    {
        let late = duration::notation(late);
        let message = format!("{}: `max_age` is not shorter than `skip_late`, `{late}`", limits.label);
        reader.file.warning(limits.value_span("max_age"), message, "a date of that age is skipped anyway");
    }
    CatchUp { max_age, max_dates }
}

/// A suggestion for a `catch_up` that is not a table.
fn catch_up_hint(value: &DeValue<'_>) -> String {
    match value {
        DeValue::Boolean(flag) => format!("did you mean `backfill = {flag}`?"),
        DeValue::String(text) if duration::parse(text).is_ok() => {
            format!("write `catch_up = {{ max_age = \"{text}\" }}`")
        }
        value => match as_integer(value) {
            Some(dates) => format!("write `catch_up = {{ max_dates = {} }}`", dates.max(1)),
            None => "write `catch_up = { max_age = \"7d\", max_dates = 100 }`".to_owned(),
        },
    }
}
