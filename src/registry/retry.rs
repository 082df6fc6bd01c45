//! `retry`: when a failed date is retried.

use toml::de::DeValue;

use super::keys;
use super::table_reader::TableReader;
use super::wording::as_integer;
use crate::duration;
use crate::job::{DEFAULT_RETRY_AFTER, Retry};

pub(super) fn read(reader: &TableReader<'_>) -> Retry {
    let hint = |value: &DeValue<'_>| {
        Some(match value {
            DeValue::String(text) if duration::parse(text).is_ok() => {
                format!("write `retry = {{ after = \"{text}\" }}`")
            }
            value if as_integer(value).is_some() => {
                format!("write `retry = {{ attempts = {} }}`", as_integer(value).unwrap_or(3).max(1))
            }
            DeValue::Boolean(false) => "write `retry = { attempts = 1 }`".to_owned(),
            _ => "write `retry = { after = \"5m\", factor = 2, at_most = \"1h\" }`".to_owned(),
        })
    };
    let Some(retry) = reader.sub_table("retry", keys::RETRY, format!("`retry` of {}", reader.label), hint) else {
        return Retry::default();
    };
    retry.unknown_keys();
    let after = retry.positive_duration("after");
    let at_most = retry.positive_duration("at_most");
    let has_after = retry.has("after");
    let least = after.or((!has_after).then_some(DEFAULT_RETRY_AFTER));
    if let (Some(least), Some(at_most)) = (least, at_most)
        && at_most < least
    {
        let label = if has_after { "`after`" } else { "the default of `after`" };
        let problem = format!("is shorter than {label}, `{}`", duration::notation(least));
        retry.invalid(retry.value_span("at_most"), "at_most", problem, None);
    }
    Retry {
        after: after.unwrap_or(DEFAULT_RETRY_AFTER),
        factor: factor(&retry),
        at_most,
        attempts: retry.count("attempts"),
    }
}

fn factor(retry: &TableReader<'_>) -> f64 {
    const KEY: &str = "factor";
    let Some(value) = retry.get(KEY) else { return 1.0 };
    let number = match value.get_ref() {
        DeValue::Float(float) => float.as_str().parse::<f64>().ok(),
        DeValue::Integer(_) => as_integer(value.get_ref()).and_then(|number| i32::try_from(number).ok()).map(f64::from),
        _ => {
            let number = value.get_ref().as_str().filter(|text| text.parse::<f64>().is_ok_and(f64::is_finite));
            retry.wrong_type(KEY, value, number.map(|number| format!("write `factor = {number}`, without quotes")));
            return 1.0;
        }
    };
    match number {
        Some(number) if number.is_finite() && number >= 1.0 => number,
        _ => {
            retry.invalid(value.span(), KEY, "must be a number of at least 1", "a wait cannot become shorter");
            1.0
        }
    }
}
