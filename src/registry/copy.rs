//! A copy of the files of a registry: what a daemon has in force stays readable when its files have mistakes.

use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Registry;
use super::diagnostic::RegistryError;
use super::source_file::SourceFile;
use crate::text::fnv_1a;

/// The texts of the files of a registry, the main file first. They may contain secrets.
#[derive(Serialize, Deserialize)]
pub struct RegistryCopy {
    files: Vec<(PathBuf, String)>,
}

impl RegistryCopy {
    pub(super) fn new(files: &[SourceFile]) -> Self {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self { files: files.iter().map(|file| (absolute(&file.path), file.text.clone())).collect() }
    }

    /// Reads a copy from what [`RegistryCopy::to_bytes`] returned.
    ///
    /// # Errors
    /// It is no copy of a registry.
    pub fn from_bytes(bytes: &[u8]) -> io::Result<Self> {
        Ok(serde_json::from_slice(bytes)?)
    }

    /// The copy as the content of a file.
    ///
    /// # Errors
    /// A path is not UTF-8.
    pub fn to_bytes(&self) -> io::Result<Vec<u8>> {
        Ok(serde_json::to_vec(self)?)
    }

    /// The digest of the registry that was copied.
    #[must_use]
    pub fn digest(&self) -> u64 {
        digest(self.files.iter().map(|(_, text)| text.as_str()))
    }

    /// Reads the registry again.
    ///
    /// # Errors
    /// As [`Registry::parse`].
    pub fn parse(&self, now: DateTime<Utc>) -> Result<Registry, RegistryError> {
        let mut files = self.files.iter().map(|(path, text)| (path.as_path(), text.as_bytes()));
        let main = files.next().unwrap_or((Path::new(""), b""));
        Registry::parse(main, &files.collect::<Vec<_>>(), now)
    }
}

/// The digest of the texts of a registry.
pub(super) fn digest<'a>(texts: impl Iterator<Item = &'a str>) -> u64 {
    // No text contains the byte that separates two of them.
    fnv_1a(texts.flat_map(|text| text.bytes().chain([0xff])))
}
