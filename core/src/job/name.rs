//! The names of jobs.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// The longest name, so that a folder can be named after a job on every file system.
const LONGEST: usize = 100;

/// The name of a job: 1 to 100 of `A-Z a-z 0-9 . _ -`, starting with a letter or digit. Cheap to clone.
///
/// Names become directories, arguments of commands and keys of the ledger. No character is allowed that is special in a
/// shell or a file system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobName(Arc<str>);

/// Why a text is not the name of a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobNameError {
    /// Nothing there.
    #[error("a job name cannot be empty")]
    Empty,
    /// More characters than a name may have.
    #[error("a job name has at most {LONGEST} characters, and this one has {0}")]
    TooLong(usize),
    /// The first character is neither a letter nor a digit.
    #[error("a job name starts with a letter or digit, not with {0:?}")]
    Start(char),
    /// A character that no name has.
    #[error("a job name consists of `A-Z a-z 0-9 . _ -`, not {0:?}")]
    Character(char),
}

impl JobName {
    /// Makes a name of `text`.
    ///
    /// # Errors
    /// A text that no job can be named by.
    pub fn new(text: &str) -> Result<Self, JobNameError> {
        let first = text.chars().next().ok_or(JobNameError::Empty)?;
        if let Some(wrong) = text.chars().find(|character| !is_allowed(*character)) {
            return Err(JobNameError::Character(wrong));
        }
        if !first.is_ascii_alphanumeric() {
            return Err(JobNameError::Start(first));
        }
        if text.len() > LONGEST {
            return Err(JobNameError::TooLong(text.len()));
        }
        Ok(Self(text.into()))
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
