//! Parses TOML, and recovers from as many syntax errors as possible.

use std::ops::Range;

use toml::de::{DeTable, Error};

use super::source_file::SourceFile;
use crate::text::quoted;

/// Most syntax errors recovered from by blanking in one file; each costs another parse.
const MOST_BLANKED: usize = 20;

/// For how many duplicate keys the first declaration is searched.
const MOST_SEARCHED: usize = 50;

/// In a larger file, only the first syntax error is reported, to save memory.
const LARGEST_RECOVERED: usize = 1024 * 1024;

/// Parses a file as far as possible, and reports its syntax errors.
///
/// Parsing and dropping the deepest tables that the parser accepts, of some thousand levels, takes half a megabyte of stack.
pub(super) fn parse(file: &SourceFile) -> DeTable<'_> {
    let (table, errors) = read(&file.text);
    if errors.is_empty() {
        return table;
    }
    let (table, errors) = read(file.recovered.get_or_init(|| recovered(file)));
    report(file, &errors);
    table
}

fn read(text: &str) -> (DeTable<'_>, Vec<Error>) {
    if text.len() > LARGEST_RECOVERED {
        return match DeTable::parse(text) {
            Ok(table) => (table.into_inner(), Vec::new()),
            Err(error) => (DeTable::new(), vec![error]),
        };
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    (table.into_inner(), errors)
}

/// Returns the text with everything blanked that hides what follows it from the parser: arrays and tables that are not
/// closed, and lines without a value. Reports what is blanked.
fn recovered(file: &SourceFile) -> String {
    let mut text = file.text.clone();
    if text.len() > LARGEST_RECOVERED {
        return text;
    }
    for _ in 0..MOST_BLANKED {
        let Some((blanked, is_value)) = read(&text).1.iter().find_map(|error| hiding(file, &text, error)) else {
            break;
        };
        let mut bytes = text.into_bytes();
        for byte in &mut bytes[blanked.clone()] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        if is_value {
            // The parser needs a value here. It is never used: its line has an error.
            bytes[blanked.start] = b'0';
        }
        text = String::from_utf8(bytes).expect("whole characters were replaced by ASCII");
    }
    text
}

/// Reports an error if it hides what follows it. Returns what to blank, and whether a value must stand there.
fn hiding(file: &SourceFile, text: &str, error: &Error) -> Option<(Range<usize>, bool)> {
    let span = span_of(file, error);
    if error.message().starts_with("key with no value") {
        let blanked = file.line_range(file.line_index(span.start));
        let (span, message, hint) = rephrased(file, error.message(), span);
        file.syntax_error(span, message, hint);
        return Some((blanked, false));
    }
    let blanked = unclosed(file, text, error)?;
    let (what, close) = if text[blanked.clone()].starts_with('[') { ("array", "]") } else { ("table", "}") };
    let line_end = blanked.start + text[blanked.clone()].find('\n').unwrap_or(blanked.len());
    let message = format!("this {what} is not closed");
    file.syntax_error(blanked.start..line_end, message, format!("close it with `{close}`"));
    Some((blanked, true))
}

fn span_of(file: &SourceFile, error: &Error) -> Range<usize> {
    error.span().unwrap_or(file.text.len()..file.text.len())
}

fn report(file: &SourceFile, errors: &[Error]) {
    let mut errors: Vec<&Error> = errors.iter().collect();
    errors.sort_by_key(|error| span_of(file, error).start);
    let mut last_line = None;
    // The lines of a table that is declared twice.
    let mut duplicate_table = 0..0;
    let mut searched = 0;
    for error in errors {
        let span = span_of(file, error);
        let line = file.line_index(span.start);
        let is_duplicate = error.message() == "duplicate key";
        // Further errors in the same line, or in a table that is declared twice, are consequences of the first.
        if last_line == Some(line) || is_duplicate && duplicate_table.contains(&line) {
            continue;
        }
        last_line = Some(line);
        if !is_duplicate {
            let (span, message, hint) = rephrased(file, error.message(), span);
            file.syntax_error(span, message, hint);
            continue;
        }
        if is_header(file.line(line)) {
            let end = (line + 1..file.lines()).find(|next| is_header(file.line(*next)));
            duplicate_table = line..end.unwrap_or(usize::MAX);
        }
        searched += 1;
        let first = if searched <= MOST_SEARCHED { first_declared(file, line) } else { None };
        let key = file.text.get(span.clone()).unwrap_or_default();
        let hint = first.map(|first| format!("first declared in line {}", first + 1));
        file.syntax_error(span, format!("{} is declared twice", quoted(key)), hint);
    }
}

/// Finds the line of the first declaration of what a line declares.
fn first_declared(file: &SourceFile, line: usize) -> Option<usize> {
    let name_of = |line: &str| -> String {
        let end = if is_header(line) { line.find(']') } else { line.find('=') };
        line[..end.unwrap_or(line.len())].split_whitespace().collect()
    };
    let wanted = name_of(file.line(line));
    if is_header(file.line(line)) {
        return (0..line).find(|before| is_header(file.line(*before)) && name_of(file.line(*before)) == wanted);
    }
    let in_this_table = (0..line).rev().take_while(|before| !is_header(file.line(*before)));
    in_this_table.filter(|before| name_of(file.line(*before)) == wanted).last()
}

/// The job in whose table a line is.
fn job_of(file: &SourceFile, line: usize) -> Option<&str> {
    let header = (0..line).rev().map(|before| file.line(before)).find(|before| is_header(before))?;
    let name = header.trim().strip_prefix("[jobs.")?.split(']').next()?;
    Some(name.trim_matches('"'))
}

/// Rephrases a message of the parser.
fn rephrased(file: &SourceFile, message: &str, span: Range<usize>) -> (Range<usize>, String, Option<String>) {
    let line = file.line(file.line_index(span.start));
    let is_multi_line = message.starts_with("invalid multi-line");
    if is_multi_line && span.start >= file.text.trim_end().len() {
        let open = ["\"\"\"", "'''"].iter().filter_map(|quotes| file.text.rfind(quotes)).max();
        let open = open.map_or(span, |start| start..start + 3);
        return (open, "this string is not closed".to_owned(), None);
    }
    if message.starts_with("string values must be quoted") {
        let value = file.text.get(span.clone()).unwrap_or_default().trim();
        if value.is_empty() || value.starts_with('#') {
            let key = line.split('=').next().unwrap_or_default().trim();
            return (span, format!("{} has no value", quoted(key)), None);
        }
        let is_short = value.len() < 60 && !value.contains(|c: char| matches!(c, '"' | '\\') || c.is_control());
        // The value of `ledger` may contain a password.
        let hint =
            (is_short && !line.contains("ledger") && !value.contains("://")).then(|| format!("write `\"{value}\"`"));
        return (span, "strings must be quoted".to_owned(), hint);
    }
    let of_date = ["invalid date-time", "invalid datetime", "invalid date", "invalid time"];
    if let Some(rest) = of_date.iter().find_map(|start| message.strip_prefix(start)) {
        let key = line.split('=').next().unwrap_or_default().trim();
        let job = job_of(file, file.line_index(span.start)).map(|job| format!("job {}: ", quoted(job)));
        let why = rest.trim_start_matches([',', ' ']);
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        let message = format!("{}{} is not a date or time{why}", job.unwrap_or_default(), quoted(key));
        return (span, message, Some("such as `2026-11-03`".to_owned()));
    }
    let (message, hint) = match message {
        "missing comma between array elements, expected `,`"
        | "missing comma between key-value pairs, expected `,`" => ("a comma is missing", None),
        "invalid basic string, expected `\"`" => ("this string is not closed", Some("close it with `\"`")),
        "invalid literal string, expected `'`" => ("this string is not closed", Some("close it with `'`")),
        _ if message.starts_with("cannot recurse") || message == "recursion limit" => {
            ("brackets or keys are nested too deeply", Some("no key of a registry needs such depth"))
        }
        _ => (message, None),
    };
    (span, message.to_owned(), hint.map(str::to_owned))
}

/// Finds the array or table that is not closed, if the error is about one.
fn unclosed(file: &SourceFile, text: &str, error: &Error) -> Option<Range<usize>> {
    let message = error.message();
    let is_about_brackets =
        ["missing comma", "missing key for inline", "unclosed array,", "unclosed inline", "unexpected `=` in array"];
    if !is_about_brackets.iter().any(|start| message.starts_with(start)) {
        return None;
    }
    let line_of = |index: usize| &text[file.line_range(index)];
    let is_at_the_end = message.starts_with("unclosed");
    let at = file.line_index(span_of(file, error).start);
    if !is_at_the_end && !is_statement(line_of(at)) {
        return None;
    }
    // The closest preceding statement that opens more brackets than it closes in its line.
    let last = if is_at_the_end { at + 1 } else { at };
    let (line, open) = (0..last).rev().find_map(|index| Some((index, opening(line_of(index))?)))?;
    let start = file.line_range(line).start + open;
    let line_end = file.line_range(line).end;
    if text[start..].starts_with('{') {
        // A table may span lines; one with a key in its first line is expected to end there.
        return (!text[start + 1..line_end].trim().is_empty()).then_some(start..line_end);
    }
    let next = (line + 1..file.lines()).find(|index| is_statement(line_of(*index)));
    Some(start..next.map_or(text.len(), |next| file.line_range(next).start))
}

/// Where the value of an assignment begins, if its line does not close its array or table.
fn opening(line: &str) -> Option<usize> {
    let equals = assignment(line)?;
    let start = equals + 1 + line[equals + 1..].find(|character: char| !character.is_whitespace())?;
    if !line[start..].starts_with(['[', '{']) {
        return None;
    }
    let mut depth = 0_usize;
    let mut quote = None;
    for character in line[start..].chars() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, '#') => break,
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    (depth > 0).then_some(start)
}

fn is_header(line: &str) -> bool {
    line.trim_start().starts_with('[')
}

/// Whether a line can only be a header or an assignment, not part of an array.
fn is_statement(line: &str) -> bool {
    let inside = line.trim_start().trim_start_matches('[');
    let is_header = is_header(line)
        && inside.starts_with(|c: char| c.is_ascii_alphabetic())
        && inside
            .split(']')
            .next()
            .is_some_and(|name| is_key(name) && !["true", "false", "inf", "nan"].contains(&name));
    is_header || assignment(line).is_some()
}

/// Where the `=` of an assignment is.
fn assignment(line: &str) -> Option<usize> {
    let equals = line.find('=')?;
    let key = line[..equals].trim();
    (key.starts_with(|c: char| c.is_ascii_alphabetic()) && is_key(key)).then_some(equals)
}

fn is_key(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '"' | '\'' | ' '))
}
