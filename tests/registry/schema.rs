//! The JSON Schema, which comes from the same table of keys as the checks.

use std::collections::BTreeSet;

use crontabber::registry::schema;
use serde_json::Value;

use super::*;

/// The keys of a table of the schema.
fn keys(table: &Value) -> BTreeSet<String> {
    table["properties"].as_object().expect("a table").keys().cloned().collect()
}

#[test]
fn every_key_has_a_description() {
    let schema = schema();
    for table in [
        &schema,
        &schema["$defs"]["job"],
        &schema["properties"]["daemon"],
        &schema["$defs"]["job"]["properties"]["retry"],
        &schema["$defs"]["job"]["properties"]["catch_up"],
        &schema["$defs"]["job"]["properties"]["depends_on"]["oneOf"][1],
        &schema["properties"]["pools"]["additionalProperties"],
    ] {
        assert_eq!(table["additionalProperties"], false);
        for (key, value) in table["properties"].as_object().unwrap() {
            assert!(value["description"].as_str().is_some_and(|text| text.ends_with('.')), "{key}");
        }
    }
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["properties"]["jobs"]["additionalProperties"]["$ref"], "#/$defs/job");
    let text = serde_json::to_string(&schema).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), schema);
}

/// A key that the schema has and nobody reads would be accepted with a value of any type.
#[test]
fn every_key_is_read() {
    let schema = schema();
    let job = &schema["$defs"]["job"];
    let good = "[jobs.a]\nschedule = \"@daily\"\ncommand = \"true\"\n";
    for (header, table) in [("", &schema), ("[daemon]\n", &schema["properties"]["daemon"])] {
        for key in keys(table) {
            let rendered = mistakes(&format!("{header}{key} = 0.5\n{}", if key == "jobs" { "" } else { good }));
            assert!(rendered.contains(&format!("`{key}`")) && !rendered.contains("unknown key"), "{rendered}");
        }
    }
    for key in keys(job) {
        let rendered = mistakes(&format!("[jobs.a]\n{key} = 0.5\n"));
        assert!(rendered.contains(&format!("`{key}`")) && !rendered.contains("unknown key"), "{rendered}");
    }
    for (table, written) in [
        (&job["properties"]["retry"], "retry"),
        (&job["properties"]["catch_up"], "catch_up"),
        (&job["properties"]["depends_on"]["oneOf"][1], "depends_on"),
        (&schema["properties"]["pools"]["additionalProperties"], "[pools]\nx"),
    ] {
        for key in keys(table) {
            let rendered = mistakes_in_job(&format!("{written} = {{ {key} = 0.5 }}"));
            assert!(rendered.contains(&format!("`{key}`")) && !rendered.contains("unknown key"), "{rendered}");
        }
    }
}

/// A key without a setting would be missing in `status`, and its change in the log.
#[test]
fn every_key_of_a_job_is_one_of_its_settings() {
    let folder = folder(&[("jobs.toml", DESIGN)]);
    let registry = load(&folder).unwrap();
    let settings: BTreeSet<String> = registry.jobs[0]
        .settings()
        .into_iter()
        .map(|(key, _)| key.to_owned())
        .chain(["every", "at"].map(str::to_owned))
        .collect();
    assert_eq!(settings, keys(&schema()["$defs"]["job"]));
}

#[test]
fn excerpts_of_the_schema() {
    let schema = schema();
    let job = &schema["$defs"]["job"];
    assert_snapshot!(job["properties"]["timeout"], @r#"{"description":"The longest run time of an attempt, after which it is stopped. Default: unlimited.","examples":["90s","1h30m","2d"],"pattern":"^(?=.)(\\d+w)?(\\d+d)?(\\d+h)?(\\d+m)?(\\d+s)?(\\d+ms)?$","type":"string"}"#);
    assert_snapshot!(job["properties"]["command"], @r#"{"description":"What to run: a string for `/bin/sh -c`, or an array of arguments in which `{date}`, `{date:STRFTIME}` and `{job}` are replaced.","oneOf":[{"minLength":1,"type":"string"},{"items":{"type":"string"},"minItems":1,"type":"array"}]}"#);
    assert_snapshot!(job["properties"]["depends_on"]["oneOf"][1]["properties"]["offset"], @r#"{"description":"Shifts the date first, such as `-1d`. Days and weeks are calendar days, the rest is elapsed time.","examples":["-1d","-2h30m","+1w"],"pattern":"^[+-]?(?=\\d)(\\d+w)?(\\d+d)?(\\d+h)?(\\d+m)?(\\d+s)?$","type":"string"}"#);
    assert_snapshot!(job["dependentSchemas"]["backfill"], @r#"{"anyOf":[{"required":["schedule"]},{"required":["every"]}]}"#);
    assert_snapshot!(schema["properties"]["pools"], @r#"{"additionalProperties":{"additionalProperties":false,"properties":{"size":{"description":"How many attempts of the jobs in this pool may run at once.","minimum":1,"type":"integer"}},"required":["size"],"type":"object"},"description":"Pools by name. A pool limits how many attempts of its jobs run at once.","propertyNames":{"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"},"type":"object"}"#);
    assert_snapshot!(job["not"], @r#"{"required":["schedule","every"]}"#);
}
