//! The JSON Schema of the registry, generated from the table of keys.

use serde_json::{Map, Value, json};

use super::keys::{self, Key, Shape};

/// Returns the JSON Schema (draft 2020-12) of a registry, for completion and checks in editors.
#[must_use]
pub fn schema() -> Value {
    let mut schema = object(keys::TOP);
    let root = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "crontabber registry",
        "description": "The jobs of crontabber, and the settings of its daemon.",
        "$defs": { "job": job() },
    });
    merge(&mut schema, root);
    schema
}

fn job() -> Value {
    let mut job = object(keys::JOB);
    // These keys need a schedule.
    let has_schedule = json!({ "anyOf": [{ "required": ["schedule"] }, { "required": ["every"] }] });
    let scheduled: Map<String, Value> =
        keys::NEED_A_SCHEDULE.iter().map(|key| ((*key).to_owned(), has_schedule.clone())).collect();
    let rules = json!({
        "required": ["command"],
        "not": { "required": ["schedule", "every"] },
        "dependentRequired": { "at": ["every"], "order": ["backfill"], "max_parallel": ["order"] },
        "dependentSchemas": scheduled,
    });
    merge(&mut job, rules);
    job
}

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}

/// A table of these keys only, one of which is required.
fn object_with(keys: &[Key], required: &str) -> Value {
    let mut object = object(keys);
    merge(&mut object, json!({ "required": [required] }));
    object
}

/// A table of these keys only.
fn object(keys: &[Key]) -> Value {
    let properties: Map<String, Value> = keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn property(key: &Key) -> Value {
    let mut property = shape(key.shape);
    merge(&mut property, json!({ "description": key.about.trim_start() }));
    property
}

fn shape(shape: Shape) -> Value {
    const DURATION: &str = r"^(?=.)(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?$";
    const OFFSET: &str = r"^[+-]?(?=\d)(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?$";
    const NAME: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$";
    let duration = || json!({ "type": "string", "pattern": DURATION, "examples": ["90s", "1h30m", "2d"] });
    let text = || json!({ "type": "string", "minLength": 1 });
    match shape {
        Shape::String | Shape::Zone => text(),
        Shape::Choice(words) => json!({ "type": "string", "enum": words }),
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::Count => json!({ "type": "integer", "minimum": 1 }),
        Shape::Unsigned => json!({ "type": "integer", "minimum": 0 }),
        Shape::AnyInteger => json!({ "type": "integer", "minimum": i32::MIN, "maximum": i32::MAX }),
        Shape::Factor => json!({ "type": "number", "minimum": 1 }),
        Shape::Duration => duration(),
        Shape::Offset => json!({ "type": "string", "pattern": OFFSET, "examples": ["-1d", "-2h30m", "+1w"] }),
        Shape::Time => json!({ "type": "string", "pattern": r"^\d{2}:\d{2}(:\d{2})?$", "examples": ["07:30"] }),
        Shape::Size => json!({
            "type": ["string", "integer"], "pattern": r"^\d+ ?([kKmMgG]i?)?[bB]?$", "minimum": 1024, "examples": ["1MiB"],
        }),
        // TOML has date types, which editors validate as strings.
        Shape::DayOrInstant => json!({ "type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}([Tt ].+)?$" }),
        Shape::Command => json!({
            "oneOf": [text(), { "type": "array", "items": { "type": "string" }, "minItems": 1 }],
        }),
        Shape::Strings => json!({ "type": "array", "items": text() }),
        Shape::DurationOrFalse => json!({ "oneOf": [duration(), { "const": false }] }),
        Shape::StringOrFalse => json!({ "oneOf": [text(), { "const": false }] }),
        Shape::StringOrStrings => json!({ "oneOf": [text(), { "type": "array", "items": text() }] }),
        Shape::Dependencies => {
            let one = [text(), object_with(keys::DEPENDENCY, "job")];
            json!({ "oneOf": [one[0], one[1], { "type": "array", "items": { "oneOf": one } }] })
        }
        Shape::Environment => json!({
            "type": "object",
            "propertyNames": { "pattern": "^(?!CRONTABBER_)[A-Za-z_][A-Za-z0-9_]*$" },
            "additionalProperties": { "type": "string" },
        }),
        Shape::Table(keys) => object(keys),
        Shape::Jobs => json!({
            "type": "object",
            "propertyNames": { "pattern": NAME },
            "additionalProperties": { "$ref": "#/$defs/job" },
        }),
        Shape::Pools => json!({
            "type": "object",
            "propertyNames": { "pattern": NAME },
            "additionalProperties": object_with(keys::POOL, "size"),
        }),
    }
}
