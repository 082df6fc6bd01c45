//! Errors and warnings about a registry, and how they are printed.

use std::path::{Path, PathBuf};
use std::{fmt, io};

use annotate_snippets::{AnnotationKind, Level as Title, Origin, Renderer, Snippet};
use serde::Serialize;

use super::excerpt::Excerpt;

/// How many diagnostics are printed.
pub(super) const PRINTED: usize = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Error,
    Warning,
}

/// An error or a warning about a registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    pub file: PathBuf,
    /// Counted from 1; 0 if it concerns the whole file.
    pub line: usize,
    /// In characters, counted from 1; 0 if it concerns the whole file.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
    #[serde(skip)]
    pub(super) level: Level,
    #[serde(skip)]
    pub(super) excerpt: Option<Excerpt>,
}

impl Diagnostic {
    /// A diagnostic about the whole file.
    pub(super) fn of_file(file: &Path, level: Level, message: String, hint: Option<String>) -> Self {
        Self { file: file.to_owned(), line: 0, column: 0, message, hint, level, excerpt: None }
    }

    /// Renders the diagnostic with its line, in the format of rustc, without a final newline.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let title = match self.level {
            Level::Error => Title::ERROR,
            Level::Warning => Title::WARNING,
        };
        let path = self.file.display().to_string();
        let title = title.primary_title(self.message.as_str());
        let Some(excerpt) = &self.excerpt else {
            let mut origin = Origin::path(path);
            if self.line > 0 {
                origin = origin.line(self.line).char_column(self.column);
            }
            let group = title.element(origin);
            return renderer.render(&[match &self.hint {
                Some(hint) => group.element(Title::HELP.message(hint.as_str())),
                None => group,
            }]);
        };
        let mut annotation = AnnotationKind::Primary.span(excerpt.span.clone());
        if let Some(hint) = &self.hint {
            annotation = annotation.label(hint.as_str());
        }
        let snippet = Snippet::source(excerpt.text.as_str()).line_start(self.line).path(path.as_str());
        let shown = renderer.render(&[title.element(snippet.annotation(annotation))]);
        // The renderer computes the column from the excerpt, which may be truncated or masked.
        let seen = excerpt.text[..excerpt.span.start].chars().count() + 1;
        let place = |column| format!("{path}:{}:{column}", self.line);
        shown.replacen(&place(seen), &place(self.column), 1)
    }
}

/// Renders at most [`PRINTED`] diagnostics, and the number of the others.
pub(super) fn render_all(diagnostics: &[Diagnostic], color: bool) -> String {
    let mut blocks: Vec<String> = diagnostics.iter().take(PRINTED).map(|diagnostic| diagnostic.render(color)).collect();
    if diagnostics.len() > PRINTED {
        blocks.push(format!("… and {} more", diagnostics.len() - PRINTED));
    }
    blocks.join("\n\n")
}

/// The URL of a ledger as written, which may contain a password.
pub struct NamedLedger(pub(super) Option<String>);

impl fmt::Debug for NamedLedger {
    /// Omits the URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NamedLedger")
    }
}

/// Why a registry cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The file does not exist or cannot be read.
    #[error("{}", .diagnostic.message)]
    Unreadable {
        /// The file and the reason.
        diagnostic: Box<Diagnostic>,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
    /// The registry has errors.
    #[error("{}", summary(diagnostics))]
    Invalid {
        /// In the order of the files and of their lines; never empty.
        diagnostics: Vec<Diagnostic>,
        /// The ledger that the registry names, as far as it could be read.
        ledger: NamedLedger,
    },
}

impl RegistryError {
    /// All diagnostics, in the order of the files and of their lines.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        match self {
            Self::Unreadable { diagnostic, .. } => std::slice::from_ref(diagnostic),
            Self::Invalid { diagnostics, .. } => diagnostics,
        }
    }

    /// The ledger that the registry names, as far as it could be read.
    #[must_use]
    pub fn ledger(&self) -> Option<&str> {
        match self {
            Self::Unreadable { .. } => None,
            Self::Invalid { ledger, .. } => ledger.0.as_deref(),
        }
    }

    /// Renders every diagnostic with its line, without a final newline.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        render_all(self.diagnostics(), color)
    }
}

/// One line, for a log.
fn summary(diagnostics: &[Diagnostic]) -> String {
    let Some(first) = diagnostics.first() else { return "the registry has an error".to_owned() };
    let place = match first.line {
        0 => first.file.display().to_string(),
        line => format!("{}:{line}", first.file.display()),
    };
    match diagnostics.len() {
        1 => format!("{place}: {}", first.message),
        number => format!("the registry has {number} errors, the first at {place}: {}", first.message),
    }
}
