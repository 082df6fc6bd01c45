//! How values and user input are written in messages.

use toml::de::DeValue;

/// The value as an integer, if it fits.
pub(super) fn as_integer(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// The type of a value, with its article.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(array) if array.iter().all(|item| item.get_ref().is_table()) && !array.is_empty() => {
            "an array of tables"
        }
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// Suggests quotes for a value that should be a string.
pub(super) fn quotes(value: &DeValue<'_>) -> Option<String> {
    let literal = match value {
        DeValue::Integer(integer) => integer.to_string(),
        DeValue::Float(float) => float.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(date) if date.date.is_none() => {
            let time = date.to_string();
            time.strip_suffix(":00").filter(|time| time.contains(':')).unwrap_or(&time).to_owned()
        }
        DeValue::Datetime(date) => date.to_string(),
        _ => return None,
    };
    (literal.len() < 40).then(|| format!("put it in quotes: `\"{literal}\"`"))
}
