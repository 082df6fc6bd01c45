//! What is wrong with a registry, and how it is shown.

use std::io;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Level as Title, Origin, Renderer, Snippet};
use serde::Serialize;

use super::excerpt::Excerpt;

/// So many mistakes are printed; a person mends a few and looks again.
pub(super) const PRINTED: usize = 50;

/// Whether something stops the registry from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Error,
    Warning,
}

/// One thing that is wrong with a registry, or worth a look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The file it is in.
    pub file: PathBuf,
    /// Counted from 1; 0 if it is about the file as a whole.
    pub line: usize,
    /// In characters, counted from 1; 0 if it is about the file as a whole.
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
    /// Makes a mistake of the file as a whole.
    pub(super) fn whole(file: &Path, level: Level, message: String, hint: Option<String>) -> Self {
        Self { file: file.to_owned(), line: 0, column: 0, message, hint, level, excerpt: None }
    }

    /// Shows the mistake with the line it is in, the way rustc does; ends without a line break.
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
        // The renderer counts in what it sees, which may have been cut or masked.
        let seen = excerpt.text[..excerpt.span.start].chars().count() + 1;
        let place = |column| format!("{path}:{}:{column}", self.line);
        shown.replacen(&place(seen), &place(self.column), 1)
    }
}

/// Shows mistakes, those beyond the first fifty as a number only.
pub(super) fn render_all(mistakes: &[Diagnostic], color: bool) -> String {
    let mut blocks: Vec<String> = mistakes.iter().take(PRINTED).map(|mistake| mistake.render(color)).collect();
    if mistakes.len() > PRINTED {
        blocks.push(format!("… and {} more", mistakes.len() - PRINTED));
    }
    blocks.join("\n\n")
}

/// Why a registry cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// There is no such file, or it cannot be read.
    #[error("{}", .mistake.message)]
    Unreadable {
        /// The file and the reason, as a mistake.
        mistake: Box<Diagnostic>,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It was read, and something is wrong with it.
    #[error("{}", summary(.mistakes))]
    Mistaken {
        /// In the order of the files and of their text; never empty.
        mistakes: Vec<Diagnostic>,
    },
}

impl RegistryError {
    /// All that is wrong, in the order of the files and of their text.
    #[must_use]
    pub fn mistakes(&self) -> &[Diagnostic] {
        match self {
            Self::Unreadable { mistake, .. } => std::slice::from_ref(mistake),
            Self::Mistaken { mistakes } => mistakes,
        }
    }

    /// Shows what is wrong, each with its line and caret; ends without a line break.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        render_all(self.mistakes(), color)
    }
}

/// Says it in one line, for a log.
fn summary(mistakes: &[Diagnostic]) -> String {
    let Some(first) = mistakes.first() else { return "the registry has a mistake".to_owned() };
    let place = match first.line {
        0 => first.file.display().to_string(),
        line => format!("{}:{line}", first.file.display()),
    };
    match mistakes.len() {
        1 => format!("{place}: {}", first.message),
        number => format!("the registry has {number} mistakes, the first at {place}: {}", first.message),
    }
}
