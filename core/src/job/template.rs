//! Arguments of a command with placeholders for the date and the name of the job.
//!
//! Validated when parsed, so that rendering cannot fail.

use std::fmt;
use std::ops::Range;

use chrono::{DateTime, SecondsFormat};
use chrono_tz::Tz;

use super::name::JobName;
use crate::text::{SyntaxError, did_you_mean, printable};

/// One argument of a command: text with `{date}`, `{date:STRFTIME}` and `{job}` in it; `{{` and `}}` stand for braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    source: Box<str>,
    /// Empty if the source stands for itself, as most arguments do.
    pieces: Box<[Piece]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Box<str>),
    /// RFC 3339.
    Date,
    /// The format, known to be a good one.
    FormattedDate(Box<str>),
    Job,
}

impl Template {
    /// Checks `text`.
    ///
    /// # Errors
    /// A brace that belongs to no template and is not doubled, an unknown template, a date format that chrono does
    /// not know.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        Self::parse_around(text, |_, _| None)
    }

    /// Checks an argument of a shell, in which `${NAME}` is the shell's and stays as it is.
    ///
    /// # Errors
    /// As [`Template::parse`].
    pub fn parse_of_shell(text: &str) -> Result<Self, SyntaxError> {
        Self::parse_around(text, end_of_expansion)
    }

    /// Checks a text, except for the parts that begin with a brace and end where `skip` says.
    fn parse_around(text: &str, skip: fn(&str, usize) -> Option<usize>) -> Result<Self, SyntaxError> {
        if !text.contains(['{', '}']) {
            return Ok(Self { source: text.into(), pieces: Box::default() });
        }
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut position = 0;
        while let Some(brace) = text[position..].find(['{', '}']).map(|offset| position + offset) {
            literal.push_str(&text[position..brace]);
            if let Some(end) = skip(text, brace) {
                literal.push_str(&text[brace..end]);
                position = end;
                continue;
            }
            let rest = &text[brace..];
            if rest.starts_with("{{") || rest.starts_with("}}") {
                literal.push_str(&rest[..1]);
                position = brace + 2;
                continue;
            }
            let (piece, end) = piece(text, brace)?;
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal).into()));
            }
            pieces.push(piece);
            position = end;
        }
        literal.push_str(&text[position..]);
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal.into()));
        }
        Ok(Self { source: text.into(), pieces: pieces.into() })
    }

    /// Fills in the name and the date, which is expected in the zone of the job.
    #[must_use]
    pub fn render(&self, job: &JobName, date: DateTime<Tz>) -> String {
        if self.pieces.is_empty() {
            return self.source.to_string();
        }
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Date => text.push_str(&date.to_rfc3339_opts(SecondsFormat::AutoSi, false)),
                Piece::FormattedDate(format) => text.push_str(&date.format(format).to_string()),
                Piece::Job => text.push_str(job.as_str()),
            }
        }
        text
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// Where the shell's `${…}` ends whose brace is at `start`.
fn end_of_expansion(text: &str, start: usize) -> Option<usize> {
    if !text[..start].ends_with('$') || !text[start..].starts_with('{') {
        return None;
    }
    let mut depth = 0_usize;
    for (at, letter) in text[start..].char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 1 => return Some(start + at + 1),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Reads the template whose brace is at `start`, and returns it with the position after it.
fn piece(text: &str, start: usize) -> Result<(Piece, usize), SyntaxError> {
    if text[start..].starts_with('}') {
        return Err(SyntaxError::new(start..start + 1, "`}` does not end a template", "write `}}` for a brace"));
    }
    let inside = start + 1;
    let end = text[inside..].find(['{', '}']).map(|offset| inside + offset).filter(|end| text[*end..].starts_with('}'));
    let Some(end) = end else {
        return Err(SyntaxError::new(start..inside, "`{` does not start a template", "write `{{` for a brace"));
    };
    let span = start..end + 1;
    let content = &text[inside..end];
    let piece = match content.split_once(':') {
        None if content == "date" => Piece::Date,
        None if content == "job" => Piece::Job,
        Some(("date", format)) => formatted_date(format, inside + "date:".len(), span)?,
        _ => return Err(unknown(text, content, span)),
    };
    Ok((piece, end + 1))
}

fn formatted_date(format: &str, start: usize, span: Range<usize>) -> Result<Piece, SyntaxError> {
    const HINT: &str = "write a strftime format such as `{date:%Y-%m-%d}`";
    if !format.contains('%') {
        return Err(SyntaxError::new(span, "the date format contains no `%`", HINT));
    }
    let mut position = 0;
    while let Some(offset) = format[position..].find('%') {
        let percent = position + offset;
        let end = end_of_specifier(format, percent);
        if !can_be_written(&format[percent..end]) {
            let message = format!("`{}` is not a date format", printable(&format[percent..end]));
            return Err(SyntaxError::new(start + percent..start + end, message, HINT));
        }
        position = end;
    }
    // Pieces that are good one by one could still be read differently as a whole.
    if !can_be_written(format) {
        return Err(SyntaxError::new(span, "this is not a date format", HINT));
    }
    Ok(Piece::FormattedDate(format.into()))
}

/// Whether a date can be written so: what is no format cannot, nor what is only for reading one, such as `%#z`.
fn can_be_written(format: &str) -> bool {
    DateTime::UNIX_EPOCH.format(format).write_to(&mut String::new()).is_ok()
}

/// A specifier is `%`, then flags, digits, dots and colons, then one character that says what it shows.
fn end_of_specifier(format: &str, percent: usize) -> usize {
    let mut end = percent + 1;
    for character in format[percent + 1..].chars() {
        end += character.len_utf8();
        if !matches!(character, '-' | '_' | '0'..='9' | '.' | ':' | '#') {
            break;
        }
    }
    end
}

fn unknown(text: &str, content: &str, span: Range<usize>) -> SyntaxError {
    let name = content.split(':').next().unwrap_or(content);
    let looks_like_a_name = !name.trim().is_empty() && name.trim().chars().all(|c| c.is_ascii_alphabetic() || c == '_');
    let in_shell_style = text[..span.start].ends_with('$');
    if in_shell_style {
        return SyntaxError::new(
            span.start - 1..span.end,
            "variables are not replaced in an array of arguments",
            "write the command as one string, or double the braces to pass them unchanged",
        );
    }
    if !looks_like_a_name {
        return SyntaxError::new(span.start..span.start + 1, "`{` does not start a template", "write `{{` for a brace");
    }
    let meant = match name.trim().to_ascii_lowercase().as_str() {
        "job_name" | "jobname" | "name" => Some("job"),
        "day" | "ds" | "session_date" | "session_time" | "execution_date" | "time" | "datetime" => Some("date"),
        lower => ["date", "job"].into_iter().find(|known| strsim::damerau_levenshtein(lower, known) <= 1),
    };
    let hint = match meant {
        Some(meant) => did_you_mean(format_args!("{{{meant}}}")),
        None => "use `{date}`, `{date:%Y-%m-%d}` or `{job}`; write `{{` and `}}` for braces".to_owned(),
    };
    SyntaxError::new(span.clone(), format!("unknown template `{}`", printable(&text[span])), hint)
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::*;

    fn date() -> DateTime<Tz> {
        Tz::Europe__Berlin.with_ymd_and_hms(2026, 11, 3, 1, 15, 0).unwrap()
    }

    fn rendered(text: &str) -> String {
        Template::parse(text).unwrap().render(&JobName::new("load").unwrap(), date())
    }

    #[test]
    fn fills_in_the_date_and_the_job() {
        assert_eq!(rendered("--day={date:%Y-%m-%d}"), "--day=2026-11-03");
        assert_eq!(rendered("{date}"), "2026-11-03T01:15:00+01:00");
        assert_eq!(rendered("{job}/{date:%H:%M %Z %-d%%}.log"), "load/01:15 CET 3%.log");
        assert_eq!(rendered("{{\"a\": {{}}}} {job}"), "{\"a\": {}} load");
        assert_eq!(rendered("größe"), "größe");
        assert_eq!(rendered(""), "");
        assert_eq!(Template::parse("{{x}}").unwrap().to_string(), "{{x}}");
    }

    #[test]
    fn an_expansion_of_a_shell_stays_as_it_is() {
        let rendered = |text: &str| {
            Template::parse_of_shell(text).map(|template| template.render(&JobName::new("load").unwrap(), date()))
        };
        assert_eq!(rendered("echo ${X} {date:%F}").unwrap(), "echo ${X} 2026-11-03");
        assert_eq!(rendered("${A:-${B}}{job}${C%%.*}").unwrap(), "${A:-${B}}load${C%%.*}");
        assert_eq!(rendered("{{x}} ${date}").unwrap(), "{x} ${date}");
        for bad in ["${X", "echo {print}", "}"] {
            assert!(rendered(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn refuses_with_a_place_and_a_hint() {
        let table = [
            "{",
            "}",
            "a {",
            "{date",
            "{date {job}",
            "{}",
            "{dat}",
            "{Date}",
            "{ date }",
            "{name}",
            "{banana}",
            "{ds}",
            "{date:}",
            "{date:YYYY-MM-DD}",
            "{date:%Y-%Q}",
            "{date:%Y%#z}",
            "{date:%}",
            "{date:ü %é}",
            "${HOME}/x",
            "{print $1}",
            "{\"key\": 1}",
            "{job:%Y}",
            "{{date}",
        ]
        .map(|text| {
            let error = Template::parse(text).unwrap_err();
            format!("{text}  at `{}`: {error}; {}", &text[error.span.clone()], error.hint.as_ref().unwrap())
        })
        .join("\n");
        assert_snapshot!(table, @r#"
        {  at `{`: `{` does not start a template; write `{{` for a brace
        }  at `}`: `}` does not end a template; write `}}` for a brace
        a {  at `{`: `{` does not start a template; write `{{` for a brace
        {date  at `{`: `{` does not start a template; write `{{` for a brace
        {date {job}  at `{`: `{` does not start a template; write `{{` for a brace
        {}  at `{`: `{` does not start a template; write `{{` for a brace
        {dat}  at `{dat}`: unknown template `{dat}`; did you mean `{date}`?
        {Date}  at `{Date}`: unknown template `{Date}`; did you mean `{date}`?
        { date }  at `{ date }`: unknown template `{ date }`; did you mean `{date}`?
        {name}  at `{name}`: unknown template `{name}`; did you mean `{job}`?
        {banana}  at `{banana}`: unknown template `{banana}`; use `{date}`, `{date:%Y-%m-%d}` or `{job}`; write `{{` and `}}` for braces
        {ds}  at `{ds}`: unknown template `{ds}`; did you mean `{date}`?
        {date:}  at `{date:}`: the date format contains no `%`; write a strftime format such as `{date:%Y-%m-%d}`
        {date:YYYY-MM-DD}  at `{date:YYYY-MM-DD}`: the date format contains no `%`; write a strftime format such as `{date:%Y-%m-%d}`
        {date:%Y-%Q}  at `%Q`: `%Q` is not a date format; write a strftime format such as `{date:%Y-%m-%d}`
        {date:%Y%#z}  at `%#z`: `%#z` is not a date format; write a strftime format such as `{date:%Y-%m-%d}`
        {date:%}  at `%`: `%` is not a date format; write a strftime format such as `{date:%Y-%m-%d}`
        {date:ü %é}  at `%é`: `%é` is not a date format; write a strftime format such as `{date:%Y-%m-%d}`
        ${HOME}/x  at `${HOME}`: variables are not replaced in an array of arguments; write the command as one string, or double the braces to pass them unchanged
        {print $1}  at `{`: `{` does not start a template; write `{{` for a brace
        {"key": 1}  at `{`: `{` does not start a template; write `{{` for a brace
        {job:%Y}  at `{job:%Y}`: unknown template `{job:%Y}`; did you mean `{job}`?
        {{date}  at `}`: `}` does not end a template; write `}}` for a brace
        "#);
    }

    #[test]
    fn a_message_is_a_short_line() {
        for text in
            ["{job:a\nb}", &format!("{{date:%{}}}", "#".repeat(1_000)), &format!("{{job:{}}}", "ä".repeat(1_000))]
        {
            let message = Template::parse(text).unwrap_err().to_string();
            assert!(message.chars().count() < 80 && !message.contains('\n'), "{message}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*|[{}daten:%YmdjobÄ$]{0,30}") {
            match Template::parse(&text) {
                Ok(template) => { let _ = template.render(&JobName::new("load").unwrap(), date()); }
                Err(error) => { let _ = &text[error.span.clone()]; }
            }
        }

        #[test]
        fn every_good_format_can_be_rendered(format in "(%[-_0#]?[a-zA-Z+:.3fz]{1,3} ?){1,4}") {
            if let Ok(template) = Template::parse(&format!("{{date:{format}}}")) {
                let _ = template.render(&JobName::new("load").unwrap(), date());
            }
        }
    }
}
