//! The names of jobs.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::text::SyntaxError;

/// The longest name, so that a folder can be named after a job on every file system.
const LONGEST: usize = 100;

/// The name of a job: 1 to 100 of `A-Z a-z 0-9 . _ -`, starting with a letter or digit. Cheap to clone.
///
/// Names become directories, arguments of commands and keys of the ledger. No character is allowed that is special in a
/// shell or a file system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobName(Arc<str>);

impl JobName {
    /// Makes a name of `text`.
    ///
    /// # Errors
    /// A text that no job can be named by.
    pub fn new(text: &str) -> Result<Self, SyntaxError> {
        let wrong = text.char_indices().find(|(_, character)| !is_allowed(*character));
        let (span, message) = match (wrong, text.chars().next()) {
            (_, None) => (0..0, "a job name cannot be empty".to_owned()),
            (Some((at, wrong)), _) => {
                (at..at + wrong.len_utf8(), format!("a job name consists of `A-Z a-z 0-9 . _ -`, not {wrong:?}"))
            }
            (None, Some(first)) if !first.is_ascii_alphanumeric() => {
                (0..1, format!("a job name starts with a letter or digit, not with {first:?}"))
            }
            _ if text.len() > LONGEST => {
                let length = text.len();
                (0..length, format!("a job name has at most {LONGEST} characters, and this one has {length}"))
            }
            _ => return Ok(Self(text.into())),
        };
        Err(SyntaxError::new(span, message, None))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_allowed(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-')
}

impl FromStr for JobName {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Borrow<str> for JobName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for JobName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_that_a_folder_can_have() {
        for good in ["a", "7", "load", "clean-reports", "a.b_c-D9", &"x".repeat(100)] {
            assert_eq!(JobName::new(good).unwrap().as_str(), good);
        }
        for (bad, why) in [
            ("", "a job name cannot be empty"),
            (".", "a job name starts with a letter or digit, not with '.'"),
            ("..", "a job name starts with a letter or digit, not with '.'"),
            ("-x", "a job name starts with a letter or digit, not with '-'"),
            ("a b", "a job name consists of `A-Z a-z 0-9 . _ -`, not ' '"),
            ("a/b", "a job name consists of `A-Z a-z 0-9 . _ -`, not '/'"),
            ("a\0", "a job name consists of `A-Z a-z 0-9 . _ -`, not '\\0'"),
            ("größe", "a job name consists of `A-Z a-z 0-9 . _ -`, not 'ö'"),
            (&"x".repeat(101), "a job name has at most 100 characters, and this one has 101"),
        ] {
            assert_eq!(JobName::new(bad).unwrap_err().to_string(), why, "{bad:?}");
        }
    }
}
