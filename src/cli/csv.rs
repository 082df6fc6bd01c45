//! Rows as CSV (RFC 4180): a header of the fields' names, then a line a row, with the fields that its JSON has.

use std::fmt;
use std::io::{self, Write};

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// Rows on their way.
#[derive(Debug)]
pub(super) struct Csv<'out, W: Write> {
    out: &'out mut W,
}

impl<'out, W: Write> Csv<'out, W> {
    /// Begins with the header: the fields that `sample` has in JSON.
    pub(super) fn open(out: &'out mut W, sample: &impl Serialize) -> io::Result<Self> {
        let mut csv = Self { out };
        let fields = fields(sample)?;
        csv.line(fields.into_iter().map(|(name, _)| name))?;
        Ok(csv)
    }

    /// Adds a row.
    pub(super) fn push(&mut self, row: &impl Serialize) -> io::Result<()> {
        let fields = fields(row)?;
        self.line(fields.into_iter().map(|(_, value)| text(value)))
    }

    fn line(&mut self, cells: impl Iterator<Item = String>) -> io::Result<()> {
        for (place, cell) in cells.enumerate() {
            let comma = if place == 0 { "" } else { "," };
            if cell.contains(['"', ',', '\r', '\n']) {
                write!(self.out, "{comma}\"{}\"", cell.replace('"', "\"\""))?;
            } else {
                write!(self.out, "{comma}{cell}")?;
            }
        }
        self.out.write_all(b"\r\n")
    }
}

/// The value of a field; nothing where there is none.
fn text(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// The fields of an object in their order, which a map would forget.
struct Fields(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ordered;

        impl<'de> Visitor<'de> for Ordered {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Ordered)
    }
}

fn fields(row: &impl Serialize) -> io::Result<Vec<(String, Value)>> {
    let json = serde_json::to_vec(row)?;
    Ok(serde_json::from_slice::<Fields>(&json)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default, Serialize)]
    struct Row {
        zebra: Option<&'static str>,
        apple: u32,
        is_so: bool,
    }

    #[test]
    fn what_would_end_a_field_is_quoted() {
        let mut out = Vec::new();
        let mut csv = Csv::open(&mut out, &Row::default()).expect("memory takes it");
        for zebra in [None, Some("plain"), Some("a,b"), Some("say \"so\""), Some("two\nlines"), Some(" held ")] {
            csv.push(&Row { zebra, apple: 7, is_so: true }).expect("memory takes it");
        }
        assert_eq!(
            String::from_utf8(out).expect("text"),
            "zebra,apple,is_so\r\n,7,true\r\nplain,7,true\r\n\"a,b\",7,true\r\n\"say \"\"so\"\"\",7,true\r\n\
             \"two\nlines\",7,true\r\n held ,7,true\r\n"
        );
    }
}
