//! One file of the registry while it is checked: its text, and what was found in it.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::diagnostic::{Diagnostic, Level};
use super::excerpt;

/// So many mistakes of a file come with the line they are in; as many as are ever printed.
const WITH_EXCERPT: usize = super::diagnostic::PRINTED;

/// A file, and what was found in it.
#[derive(Debug)]
pub(super) struct SourceFile {
    /// As it is shown.
    pub(super) path: PathBuf,
    /// What relative paths in it are relative to.
    pub(super) folder: PathBuf,
    pub(super) text: String,
    line_starts: OnceCell<Vec<usize>>,
    findings: RefCell<Vec<Finding>>,
    /// The lines that the TOML parser could not read, by number from 0.
    unreadable_lines: RefCell<BTreeSet<usize>>,
    /// Byte ranges that must not be printed.
    secrets: RefCell<Vec<Range<usize>>>,
    /// How many of the findings are mistakes.
    mistakes: Cell<usize>,
}

/// Something that was found in a file.
#[derive(Debug)]
struct Finding {
    /// Bytes; the whole file if absent.
    span: Option<Range<usize>>,
    level: Level,
    message: String,
    hint: Option<String>,
    /// What brought it up.
    about: About,
}

/// What a finding rests on, which decides whether it can be trusted in a file that is not TOML throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Syntax,
    /// Something that is there.
    Present,
    /// Something that is missing.
    Absent,
}

impl SourceFile {
    pub(super) fn new(path: &Path, text: String) -> Self {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self {
            path: path.to_owned(),
            folder: absolute.parent().map(Path::to_owned).unwrap_or_default(),
            text,
            line_starts: OnceCell::new(),
            findings: RefCell::default(),
            unreadable_lines: RefCell::default(),
            secrets: RefCell::default(),
            mistakes: Cell::new(0),
        }
    }

    /// Notes a mistake in something that is there.
    pub(super) fn mistake(&self, span: Range<usize>, message: impl Into<String>, hint: Option<String>) {
        self.note(Some(span), Level::Error, message.into(), hint, About::Present);
    }

    /// Notes that something is missing; not believed if the file is not TOML throughout.
    pub(super) fn missing(&self, span: Range<usize>, message: impl Into<String>, hint: Option<String>) {
        self.note(Some(span), Level::Error, message.into(), hint, About::Absent);
    }

    /// Notes a mistake of the TOML itself.
    pub(super) fn syntax(&self, span: Range<usize>, message: impl Into<String>, hint: Option<String>) {
        self.unreadable_lines.borrow_mut().insert(self.line_index(span.start));
        self.note(Some(span), Level::Error, message.into(), hint, About::Syntax);
    }

    /// Notes a mistake of the file as a whole.
    pub(super) fn whole(&self, message: impl Into<String>, hint: Option<String>) {
        self.note(None, Level::Error, message.into(), hint, About::Syntax);
    }

    /// Notes something that is worth a look, and stops nothing.
    pub(super) fn warning(&self, span: Range<usize>, message: impl Into<String>, hint: Option<String>) {
        self.note(Some(span), Level::Warning, message.into(), hint, About::Present);
    }

    fn note(&self, span: Option<Range<usize>>, level: Level, message: String, hint: Option<String>, about: About) {
        if level == Level::Error {
            self.mistakes.set(self.mistakes.get() + 1);
        }
        self.findings.borrow_mut().push(Finding { span, level, message, hint, about });
    }

    /// Keeps bytes from ever being printed.
    pub(super) fn keep_secret(&self, span: Range<usize>) {
        self.secrets.borrow_mut().push(span);
    }

    /// How many mistakes were noted so far.
    pub(super) fn mistakes(&self) -> usize {
        self.mistakes.get()
    }

    /// Whether something in the file could not be read, so that what seems to be missing may only be hidden.
    pub(super) fn is_broken(&self) -> bool {
        self.findings.borrow().iter().any(|finding| finding.about == About::Syntax)
    }

    fn line_starts(&self) -> &[usize] {
        self.line_starts.get_or_init(|| {
            let breaks = self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            std::iter::once(0).chain(breaks.map(|(position, _)| position + 1)).collect()
        })
    }

    /// The number of the line that holds a byte, from 0.
    pub(super) fn line_index(&self, offset: usize) -> usize {
        self.line_starts().partition_point(|start| *start <= offset) - 1
    }

    /// Names the place of a byte for people: `jobs.toml:12`.
    pub(super) fn place(&self, offset: usize) -> impl Display {
        format!("{}:{}", self.path.display(), self.line_index(offset) + 1)
    }

    /// A line by its number from 0, without its end.
    pub(super) fn line(&self, index: usize) -> &str {
        &self.text[self.line_range(index)]
    }

    /// How many lines there are.
    pub(super) fn lines(&self) -> usize {
        self.line_starts().len()
    }

    /// The bytes of a line by its number from 0, without its end.
    pub(super) fn line_range(&self, index: usize) -> Range<usize> {
        let start = self.line_starts()[index];
        let end = self.line_starts().get(index + 1).map_or(self.text.len(), |next| next - 1);
        let end = if self.text[start..end].ends_with('\r') { end - 1 } else { end };
        start..end
    }

    /// Turns what was found into mistakes and warnings, in the order of the text.
    pub(super) fn finish(self, mistakes: &mut Vec<Diagnostic>, warnings: &mut Vec<Diagnostic>) {
        let mut findings = self.findings.take();
        let unreadable = self.unreadable_lines.take();
        if findings.iter().any(|finding| finding.about == About::Syntax) {
            findings.retain(|finding| match (finding.about, &finding.span) {
                (About::Absent, _) => false,
                (About::Present, Some(span)) => !unreadable.contains(&self.line_index(span.start)),
                (About::Syntax, _) | (About::Present, None) => true,
            });
        }
        // Stable, so that two findings at one place keep the order in which they were noted.
        findings.sort_by_key(|finding| finding.span.as_ref().map_or(0, |span| span.start));
        let mut column = Columns::default();
        let mut printed = 0;
        for finding in findings {
            let mut mistake = Diagnostic::whole(&self.path, finding.level, finding.message, finding.hint);
            if let Some(span) = finding.span {
                let line = self.line_index(span.start);
                let range = self.line_range(line);
                mistake.line = line + 1;
                mistake.column = column.of(&self.text, range.start, span.start.min(range.end));
                if printed < WITH_EXCERPT {
                    mistake.excerpt = Some(excerpt::cut(&self.text, range, span, &self.secrets.borrow()));
                    printed += 1;
                }
            }
            match finding.level {
                Level::Error => mistakes.push(mistake),
                Level::Warning => warnings.push(mistake),
            }
        }
    }
}

/// Counts columns of ascending positions, each character of a line once.
#[derive(Debug, Default)]
struct Columns {
    line_start: usize,
    position: usize,
    column: usize,
}

impl Columns {
    /// The column of a position, counted in characters from 1.
    fn of(&mut self, text: &str, line_start: usize, position: usize) -> usize {
        if self.column == 0 || line_start != self.line_start || position < self.position {
            *self = Self { line_start, position: line_start, column: 1 };
        }
        // A span may begin within a character only where the parser could not read the bytes around it.
        let position = text.floor_char_boundary(position);
        self.column += text[self.position..position.max(self.position)].chars().count();
        self.position = position.max(self.position);
        self.column
    }
}
