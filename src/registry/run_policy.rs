//! Which of its dates a job runs, and how many at once: `backfill`, `order`, `max_parallel`, `catch_up`, `overlap`,
//! `skip_late`.

use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::dates::Dated;
use super::keys;
use super::table_reader::{TableReader, whole_number};
use crate::duration;
use crate::job::{CatchUp, DatePolicy, Overlap};

/// Which dates a job runs.
pub(super) struct RunPolicy {
    pub(super) date_policy: DatePolicy,
    pub(super) catch_up: CatchUp,
    pub(super) overlap: Overlap,
    pub(super) skip_late: Option<Duration>,
}

/// Reads which dates run; what contradicts itself is noted.
pub(super) fn read(section: &TableReader<'_>, dated: Dated) -> RunPolicy {
    let backfill = section.flag("backfill").unwrap_or(false);
    // A `backfill` of the wrong type was noted already.
    let is_newest_only = !backfill && section.get("backfill").is_none_or(|value| value.get_ref().is_bool());
    let is_independent = is_independent(section, is_newest_only);
    let max_parallel = max_parallel(section, is_newest_only);
    let date_policy = match dated {
        Dated::No => DatePolicy::OnDemand,
        _ if !backfill => DatePolicy::NewestOnly,
        _ if is_independent => DatePolicy::Independent { max_parallel },
        _ => DatePolicy::Strict,
    };
    let skip_late = section.duration("skip_late");
    let overlap = if section.word("overlap") == Some("skip") { Overlap::Skip } else { Overlap::Wait };
    RunPolicy { date_policy, catch_up: catch_up(section, is_newest_only, skip_late), overlap, skip_late }
}

fn is_independent(section: &TableReader<'_>, is_newest_only: bool) -> bool {
    let order = section.word("order");
    if order.is_some() && is_newest_only {
        let hint = "add `backfill = true`, or drop `order`: without it only the newest date runs".to_owned();
        section.wrong(section.key_span("order"), "order", "means nothing without `backfill`", Some(hint));
    }
    order == Some("independent")
}

fn max_parallel(section: &TableReader<'_>, is_newest_only: bool) -> u32 {
    const KEY: &str = "max_parallel";
    let Some(most) = section.count(KEY) else { return 1 };
    // An `order` that is no word for one was noted already.
    let is_strict = section.get("order").is_none_or(|value| value.get_ref().as_str() == Some("strict"));
    if is_strict {
        let hint = if is_newest_only {
            "add `backfill = true` and `order = \"independent\"`, or drop it: without them only the newest date runs"
        } else {
            "add `order = \"independent\"`, or drop it: in strict order one date runs at a time"
        };
        let problem = "means nothing without `order = \"independent\"`";
        section.wrong(section.key_span(KEY), KEY, problem, Some(hint.to_owned()));
    }
    most
}

fn catch_up(section: &TableReader<'_>, is_newest_only: bool, skip_late: Option<Duration>) -> CatchUp {
    const KEY: &str = "catch_up";
    let Some(value) = section.get(KEY) else { return CatchUp::default() };
    if !value.get_ref().is_table() {
        section.wrong_type(KEY, value, Some(meant_catch_up(value.get_ref())));
        return CatchUp::default();
    }
    let Some(limits) = section.section(KEY, keys::CATCH_UP, format!("`{KEY}` of {}", section.whose)) else {
        return CatchUp::default();
    };
    let meant = limits.unknown_keys();
    if meant.is_empty() && !["max_age", "max_dates"].iter().any(|key| limits.table.contains_key(*key)) {
        let hint = "write `catch_up = { max_age = \"7d\" }`, or drop it: then all missed dates are run".to_owned();
        let message = format!("{} has neither `max_age` nor `max_dates`", limits.whose);
        section.page.missing(section.key_span(KEY), message, Some(hint));
    }
    let max_age = limits.positive_duration("max_age");
    let max_dates = limits.count("max_dates");
    if is_newest_only && limits.table.contains_key("max_dates") {
        let hint = "add `backfill = true`, or drop `max_dates`: without it only the newest date runs".to_owned();
        limits.wrong(limits.key_span("max_dates"), "max_dates", "means nothing without `backfill`", Some(hint));
    }
    if let (Some(max_age), Some(late)) = (max_age, skip_late)
        && late <= max_age
    {
        let late = duration::notation(late);
        let message = format!("{}: `max_age` is not shorter than `skip_late`, `{late}`", limits.whose);
        let span = limits.get("max_age").map_or(0..0, Spanned::span);
        section.page.warning(span, message, Some("a date is skipped by then".to_owned()));
    }
    CatchUp { max_age, max_dates }
}

/// What was meant by a `catch_up` that is no table.
fn meant_catch_up(value: &DeValue<'_>) -> String {
    match value {
        DeValue::Boolean(flag) => format!("did you mean `backfill = {flag}`?"),
        DeValue::String(text) if duration::parse(text).is_ok() => {
            format!("write `catch_up = {{ max_age = \"{text}\" }}`")
        }
        value => match whole_number(value) {
            Some(dates) => format!("write `catch_up = {{ max_dates = {} }}`", dates.max(1)),
            None => "write `catch_up = { max_age = \"7d\", max_dates = 100 }`".to_owned(),
        },
    }
}
