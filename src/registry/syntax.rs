//! From text to TOML, with every mistake that can be seen past.

use std::cell::OnceCell;
use std::io;
use std::ops::Range;

use toml::de::{DeTable, Error};

use super::source_file::SourceFile;

/// So many mistakes that hide what follows them are seen past; each costs another parse.
const SEEN_PAST: usize = 20;

/// Address space for a stack; memory is taken only as far as it is used.
const STACK: usize = 64 * 1024 * 1024;

/// So many keys that are there twice are looked for where they were first.
const LOOKED_FOR: usize = 50;

/// A file that is larger and no TOML is no registry, and one of its mistakes is enough: others cost memory.
const LARGEST_RECOVERED: usize = 1024 * 1024;

/// What could be read of a page.
#[derive(Debug)]
pub(super) struct Document<'t>(DeTable<'t>);

impl<'t> Document<'t> {
    /// Parses a page and notes what is not TOML in it. `blanked` is where a text is kept that had to be changed for that.
    pub(super) fn parse(page: &'t SourceFile, blanked: &'t OnceCell<String>) -> Self {
        let read = || -> io::Result<(Self, Vec<Error>)> {
            let (document, errors) = Self::read(&page.text)?;
            match readable(page, &errors)? {
                Some(text) => Self::read(blanked.get_or_init(|| text)),
                None => Ok((document, errors)),
            }
        };
        match read() {
            Ok((document, errors)) => {
                note(page, &errors);
                document
            }
            Err(error) => {
                page.whole(format!("the file cannot be read: no thread can be started: {error}"), None);
                Self(DeTable::new())
            }
        }
    }

    pub(super) fn table(&self) -> &DeTable<'t> {
        &self.0
    }

    fn read(text: &'t str) -> io::Result<(Self, Vec<Error>)> {
        apart(move || {
            if text.len() <= LARGEST_RECOVERED {
                let (document, errors) = DeTable::parse_recoverable(text);
                return (Self(document.into_inner()), errors);
            }
            match DeTable::parse(text) {
                Ok(document) => (Self(document.into_inner()), Vec::new()),
                Err(error) => (Self(DeTable::new()), vec![error]),
            }
        })
    }
}

impl Drop for Document<'_> {
    fn drop(&mut self) {
        let table = std::mem::take(&mut self.0);
        if !table.is_empty() {
            // Where no thread can be started, the table is dropped right here.
            let _ = apart(move || drop(table));
        }
    }
}

/// Does some work on a thread of its own, for two reasons. A table can be nested some thousand levels deep before the
/// parser refuses it, and is dropped level by level: that takes a large stack. And what a thread allocates lies apart, so
/// that what parsing took can be given back in one piece, and is not strewn with the jobs that a daemon keeps.
fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("registry".to_owned()).stack_size(STACK);
        let thread = thread.spawn_scoped(scope, work)?;
        Ok(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Returns the text of a page in which all is blanked that would hide what follows it from the parser: lists and tables
/// that are never closed, and lines without a value. What is blanked is noted; if there is nothing, neither is a text.
fn readable(page: &SourceFile, errors: &[Error]) -> io::Result<Option<String>> {
    if page.text.len() > LARGEST_RECOVERED {
        return Ok(None);
    }
    let mut first = errors.iter().find_map(|error| hiding(page, &page.text, error));
    if first.is_none() {
        return Ok(None);
    }
    let mut text = page.text.clone();
    for _ in 0..SEEN_PAST {
        let hiding = match first.take() {
            Some(first) => Some(first),
            None => Document::read(&text)?.1.iter().find_map(|error| hiding(page, &text, error)),
        };
        let Some(hiding) = hiding else { break };
        page.syntax(hiding.place, hiding.message, hiding.hint);
        let mut bytes = text.into_bytes();
        for byte in &mut bytes[hiding.blanked.clone()] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        if hiding.is_value {
            // Some value has to be there; nothing looks at it, for its line has a mistake already.
            bytes[hiding.blanked.start] = b'0';
        }
        text = String::from_utf8(bytes).expect("whole characters were replaced by ASCII");
    }
    Ok(Some(text))
}

/// A mistake that hides what follows it.
struct Hiding {
    blanked: Range<usize>,
    /// Whether it stands where a value has to be.
    is_value: bool,
    place: Range<usize>,
    message: String,
    hint: Option<String>,
}

/// Finds out whether an error hides what follows it.
fn hiding(page: &SourceFile, text: &str, error: &Error) -> Option<Hiding> {
    let span = place(page, error);
    if error.message().starts_with("key with no value") {
        let blanked = page.line_range(page.line_index(span.start));
        let (place, message, hint) = explained(page, error.message(), span);
        return Some(Hiding { blanked, is_value: false, place, message, hint });
    }
    let blanked = unclosed(page, text, error)?;
    let (what, close) = if text[blanked.clone()].starts_with('[') { ("list", "]") } else { ("table", "}") };
    let line_end = blanked.start + text[blanked.clone()].find('\n').unwrap_or(blanked.len());
    let message = format!("this {what} is never closed");
    let hint = Some(format!("close it with `{close}`"));
    Some(Hiding { place: blanked.start..line_end, blanked, is_value: true, message, hint })
}

fn place(page: &SourceFile, error: &Error) -> Range<usize> {
    error.span().unwrap_or(page.text.len()..page.text.len())
}

fn note(page: &SourceFile, errors: &[Error]) {
    let mut errors: Vec<&Error> = errors.iter().collect();
    errors.sort_by_key(|error| place(page, error).start);
    let mut last_line = None;
    // The lines of a table that is declared for the second time.
    let mut doubled_table = 0..0;
    let mut looked_for = 0;
    for error in errors {
        let span = place(page, error);
        let line = page.line_index(span.start);
        let is_doubled = error.message() == "duplicate key";
        // What follows in the same line, and in a table that is there twice, follows from the first mistake.
        if last_line == Some(line) || is_doubled && doubled_table.contains(&line) {
            continue;
        }
        last_line = Some(line);
        if !is_doubled {
            let (span, message, hint) = explained(page, error.message(), span);
            page.syntax(span, message, hint);
            continue;
        }
        if is_header(page.line(line)) {
            let end = (line + 1..page.lines()).find(|next| is_header(page.line(*next)));
            doubled_table = line..end.unwrap_or(usize::MAX);
        }
        looked_for += 1;
        let first = if looked_for <= LOOKED_FOR { first_declared(page, line) } else { None };
        let key = page.text.get(span.clone()).unwrap_or_default();
        let hint = first.map(|first| format!("it is first declared in line {}", first + 1));
        page.syntax(span, format!("{} is declared twice", super::table_reader::quoted(key)), hint);
    }
}

/// Finds the line in which what a line declares was declared first.
fn first_declared(page: &SourceFile, line: usize) -> Option<usize> {
    let name_of = |line: &str| -> String {
        let end = if is_header(line) { line.find(']') } else { line.find('=') };
        line[..end.unwrap_or(line.len())].split_whitespace().collect()
    };
    let wanted = name_of(page.line(line));
    if is_header(page.line(line)) {
        return (0..line).find(|before| is_header(page.line(*before)) && name_of(page.line(*before)) == wanted);
    }
    let in_this_table = (0..line).rev().take_while(|before| !is_header(page.line(*before)));
    in_this_table.filter(|before| name_of(page.line(*before)) == wanted).last()
}

/// Says what the parser means, where it says it in words of its own.
fn explained(page: &SourceFile, message: &str, span: Range<usize>) -> (Range<usize>, String, Option<String>) {
    let line = page.line(page.line_index(span.start));
    let is_multi_line = message.starts_with("invalid multi-line");
    if is_multi_line && span.start >= page.text.trim_end().len() {
        let open = ["\"\"\"", "'''"].iter().filter_map(|quotes| page.text.rfind(quotes)).max();
        let open = open.map_or(span, |start| start..start + 3);
        return (open, "this text is never closed".to_owned(), None);
    }
    if message.starts_with("string values must be quoted") {
        let value = page.text.get(span.clone()).unwrap_or_default().trim();
        if value.is_empty() || value.starts_with('#') {
            let key = line.split('=').next().unwrap_or_default().trim();
            return (span, format!("{} has no value", super::table_reader::quoted(key)), None);
        }
        let is_short = value.len() < 60 && !value.contains(|c: char| matches!(c, '"' | '\\') || c.is_control());
        // What is assigned to the ledger may hold a password.
        let hint =
            (is_short && !line.contains("ledger") && !value.contains("://")).then(|| format!("write `\"{value}\"`"));
        return (span, "text must stand in quotes".to_owned(), hint);
    }
    let (message, hint) = match message {
        "missing comma between array elements, expected `,`"
        | "missing comma between key-value pairs, expected `,`" => ("a comma is missing", None),
        "invalid basic string, expected `\"`" => ("this text is never closed", Some("close it with `\"`")),
        "invalid literal string, expected `'`" => ("this text is never closed", Some("close it with `'`")),
        _ if message.starts_with("cannot recurse") || message == "recursion limit" => {
            ("the brackets or keys are nested too deep", Some("no key of a registry needs so many"))
        }
        _ => (message, None),
    };
    (span, message.to_owned(), hint.map(str::to_owned))
}

/// Finds what an error is about, if that is a list or table that is never closed.
fn unclosed(page: &SourceFile, text: &str, error: &Error) -> Option<Range<usize>> {
    let message = error.message();
    let is_about_brackets =
        ["missing comma", "missing key for inline", "unclosed array,", "unclosed inline", "unexpected `=` in array"];
    if !is_about_brackets.iter().any(|start| message.starts_with(start)) {
        return None;
    }
    let line_of = |index: usize| &text[page.line_range(index)];
    let is_at_the_end = message.starts_with("unclosed");
    let at = page.line_index(place(page, error).start);
    if !is_at_the_end && !is_statement(line_of(at)) {
        return None;
    }
    // The nearest statement before whose value opens more than it closes in its line.
    let last = if is_at_the_end { at + 1 } else { at };
    let (line, open) = (0..last).rev().find_map(|index| Some((index, opening(line_of(index))?)))?;
    let start = page.line_range(line).start + open;
    let line_end = page.line_range(line).end;
    if text[start..].starts_with('{') {
        // A table over several lines is in order; one that begins in its first line is meant to end there.
        return (!text[start + 1..line_end].trim().is_empty()).then_some(start..line_end);
    }
    let next = (line + 1..page.lines()).find(|index| is_statement(line_of(*index)));
    Some(start..next.map_or(text.len(), |next| page.line_range(next).start))
}

/// Where the value of an assignment begins, if it opens a list or table that its line does not close.
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

/// Whether a line can only be a header or an assignment, and not a part of a list.
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
