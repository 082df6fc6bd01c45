//! One file of the registry during the check: its text and its diagnostics.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeSet;
use std::env;
use std::fmt::Display;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::diagnostic::{Diagnostic, Level};
use super::excerpt;
use crate::text::{Hint, quoted};

/// How many diagnostics of a file get an excerpt: as many as are ever printed.
const WITH_EXCERPT: usize = super::diagnostic::PRINTED;

/// Where the C library looks for programs without a `PATH`.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

#[derive(Debug)]
pub(super) struct SourceFile {
    /// As printed.
    pub(super) path: PathBuf,
    /// The base of relative paths.
    pub(super) folder: PathBuf,
    pub(super) text: String,
    /// The text as it was parsed, if that is another one: see [`super::syntax`].
    pub(super) recovered: OnceCell<String>,
    line_starts: OnceCell<Vec<usize>>,
    findings: RefCell<Vec<Finding>>,
    /// The lines with syntax errors, by index.
    unreadable_lines: RefCell<BTreeSet<usize>>,
    /// Byte ranges that must not be printed.
    secrets: RefCell<Vec<Range<usize>>>,
    /// How many of the findings are errors.
    errors: Cell<usize>,
    /// Whether the programs, folders and files that jobs name are looked for.
    pub(super) looks_for_paths: bool,
}

/// A diagnostic before its excerpt is cut.
#[derive(Debug)]
struct Finding {
    /// Bytes; absent if it concerns the whole file.
    span: Option<Range<usize>>,
    level: Level,
    message: String,
    hint: Option<String>,
    about: About,
}

/// The cause of a finding, which decides whether it is reliable in a file with syntax errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Syntax,
    /// Something that is present.
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
            recovered: OnceCell::new(),
            line_starts: OnceCell::new(),
            findings: RefCell::default(),
            unreadable_lines: RefCell::default(),
            secrets: RefCell::default(),
            errors: Cell::new(0),
            looks_for_paths: false,
        }
    }

    /// Reports an error in something that is present.
    pub(super) fn error(&self, span: Range<usize>, message: impl Into<String>, hint: impl Into<Hint>) {
        self.note(Some(span), Level::Error, message.into(), hint.into(), About::Present);
    }

    /// Reports that something is missing. Ignored if the file has syntax errors.
    pub(super) fn missing(&self, span: Range<usize>, message: impl Into<String>, hint: impl Into<Hint>) {
        self.note(Some(span), Level::Error, message.into(), hint.into(), About::Absent);
    }

    /// Reports a syntax error.
    pub(super) fn syntax_error(&self, span: Range<usize>, message: impl Into<String>, hint: impl Into<Hint>) {
        self.unreadable_lines.borrow_mut().insert(self.line_index(span.start));
        self.note(Some(span), Level::Error, message.into(), hint.into(), About::Syntax);
    }

    /// Warns about a path that does not exist, if paths are looked for.
    pub(super) fn look_for(&self, span: Range<usize>, label: &str, key: &str, path: &Path) {
        let is_program = ["command", "done_when"].contains(&key);
        let is_executable =
            || path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
        if self.looks_for_paths && path.exists() && is_program && !is_executable() {
            let message =
                format!("{label}: `{key}` names {}, which is not executable", quoted(&path.to_string_lossy()));
            self.warning(span, message, "a script needs `chmod +x`, or its interpreter in front");
        } else if self.looks_for_paths && !path.exists() {
            let message = format!("{label}: `{key}` names {}, which does not exist", quoted(&path.to_string_lossy()));
            let hint = match key {
                "done_when" => {
                    "until it exists, it gives no answer, and `on_unknown` decides: the date runs, or is held"
                }
                _ => "until it exists, each attempt fails",
            };
            self.warning(span, message, hint);
        }
    }

    /// Warns about a program that is in no folder of `PATH`, if paths are looked for.
    pub(super) fn look_for_program(&self, span: Range<usize>, label: &str, key: &str, program: &str) {
        let path = env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
        if self.looks_for_paths && env::split_paths(&path).all(|folder| !folder.join(program).exists()) {
            let message = format!("{label}: `{key}` names {}, which is in no folder of `PATH`", quoted(program));
            let hint = match key {
                "done_when" => "if the job does not find it either, every date counts as not done, and runs",
                _ => "if the job does not find it either, each attempt fails with exit status 127",
            };
            self.warning(span, message, hint);
        }
    }

    /// Reports an error of the whole file.
    pub(super) fn file_error(&self, message: impl Into<String>, hint: impl Into<Hint>) {
        self.note(None, Level::Error, message.into(), hint.into(), About::Syntax);
    }

    pub(super) fn warning(&self, span: Range<usize>, message: impl Into<String>, hint: impl Into<Hint>) {
        self.note(Some(span), Level::Warning, message.into(), hint.into(), About::Present);
    }

    fn note(&self, span: Option<Range<usize>>, level: Level, message: String, hint: Hint, about: About) {
        if level == Level::Error {
            self.errors.set(self.errors.get() + 1);
        }
        self.findings.borrow_mut().push(Finding { span, level, message, hint: hint.0, about });
    }

    /// Masks these bytes in every excerpt.
    pub(super) fn keep_secret(&self, span: Range<usize>) {
        self.secrets.borrow_mut().push(span);
    }

    /// How many errors are reported so far.
    pub(super) fn errors(&self) -> usize {
        self.errors.get()
    }

    /// Whether the file has syntax errors, so that something missing may only be hidden.
    pub(super) fn is_broken(&self) -> bool {
        self.findings.borrow().iter().any(|finding| finding.about == About::Syntax)
    }

    fn line_starts(&self) -> &[usize] {
        self.line_starts.get_or_init(|| {
            let breaks = self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            std::iter::once(0).chain(breaks.map(|(position, _)| position + 1)).collect()
        })
    }

    /// The index of the line that contains a byte.
    pub(super) fn line_index(&self, offset: usize) -> usize {
        self.line_starts().partition_point(|start| *start <= offset) - 1
    }

    /// The position of a byte, such as `jobs.toml:12`.
    pub(super) fn place(&self, offset: usize) -> impl Display {
        format!("{}:{}", self.path.display(), self.line_index(offset) + 1)
    }

    /// A line by its index, without its line ending.
    pub(super) fn line(&self, index: usize) -> &str {
        &self.text[self.line_range(index)]
    }

    /// How many lines there are.
    pub(super) fn lines(&self) -> usize {
        self.line_starts().len()
    }

    /// The bytes of a line by its index, without its line ending.
    pub(super) fn line_range(&self, index: usize) -> Range<usize> {
        let start = self.line_starts()[index];
        let end = self.line_starts().get(index + 1).map_or(self.text.len(), |next| next - 1);
        let end = if self.text[start..end].ends_with('\r') { end - 1 } else { end };
        start..end
    }

    /// Converts the findings to errors and warnings, in the order of their lines.
    pub(super) fn finish(self, errors: &mut Vec<Diagnostic>, warnings: &mut Vec<Diagnostic>) {
        let mut findings = self.findings.take();
        let unreadable = self.unreadable_lines.take();
        if findings.iter().any(|finding| finding.about == About::Syntax) {
            findings.retain(|finding| match (finding.about, &finding.span) {
                (About::Absent, _) => false,
                (About::Present, Some(span)) => !unreadable.contains(&self.line_index(span.start)),
                (About::Syntax, _) | (About::Present, None) => true,
            });
        }
        // A stable sort: findings at one position keep their order.
        findings.sort_by_key(|finding| finding.span.as_ref().map_or(0, |span| span.start));
        let mut column = Columns::default();
        let mut printed = 0;
        for finding in findings {
            let mut diagnostic = Diagnostic::of_file(&self.path, finding.level, finding.message, finding.hint);
            if let Some(span) = finding.span {
                let line = self.line_index(span.start);
                let range = self.line_range(line);
                diagnostic.line = line + 1;
                diagnostic.column = column.of(&self.text, range.start, span.start.min(range.end));
                if printed < WITH_EXCERPT {
                    diagnostic.excerpt = Some(excerpt::cut(&self.text, range, span, &self.secrets.borrow()));
                    printed += 1;
                }
            }
            match finding.level {
                Level::Error => errors.push(diagnostic),
                Level::Warning => warnings.push(diagnostic),
            }
        }
    }
}

/// Computes columns of ascending positions, reading each character of a line once.
#[derive(Debug, Default)]
struct Columns {
    line_start: usize,
    position: usize,
    column: usize,
}

impl Columns {
    /// The column of a position, in characters from 1.
    fn of(&mut self, text: &str, line_start: usize, position: usize) -> usize {
        if self.column == 0 || line_start != self.line_start || position < self.position {
            *self = Self { line_start, position: line_start, column: 1 };
        }
        // A span may begin inside a character, after bytes that the parser could not read.
        let position = text.floor_char_boundary(position);
        self.column += text[self.position..position.max(self.position)].chars().count();
        self.position = position.max(self.position);
        self.column
    }
}
