//! Files of the registry: reads a file within limits, and finds the files that `include` names.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::source_file::SourceFile;
use crate::text::{Hint, has_wildcards, matches};

/// A larger file is not a registry.
const LARGEST: u64 = 8 * 1024 * 1024;

/// Reads a file. Invalid content is reported in the result.
pub(super) fn read(path: &Path) -> io::Result<SourceFile> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    let length = bytes.len() as u64;
    let size = if metadata.is_file() { metadata.len().max(length) } else { length };
    Ok(from_bytes(path, bytes, size))
}

/// Makes a [`SourceFile`] from the content of a file of this `size`.
pub(super) fn from_bytes(path: &Path, bytes: Vec<u8>, size: u64) -> SourceFile {
    if bytes.len() as u64 > LARGEST {
        let file = SourceFile::new(path, String::new());
        file.file_error(
            format!("the file has {}; a registry may have at most 8 MiB", megabytes(size)),
            "split it with `include`",
        );
        return file;
    }
    match String::from_utf8(bytes) {
        Ok(text) => SourceFile::new(path, text),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let byte = error.as_bytes()[at];
            let file = SourceFile::new(path, String::from_utf8_lossy(error.as_bytes()).into_owned());
            let hint = "save the file as UTF-8";
            // The first replacement character is at the first invalid byte.
            let end = at + char::REPLACEMENT_CHARACTER.len_utf8();
            file.syntax_error(at..end, format!("the file is not UTF-8: byte 0x{byte:02x}"), hint);
            file
        }
    }
}

fn megabytes(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10).div_ceil(1024 * 1024);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

pub(super) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => error.to_string(),
    }
}

/// Finds the files that an `include` names, relative to the folder of the main file: the files that match a pattern, in
/// the order of their names, or one file, which need not exist.
pub(super) fn included(main: &Path, pattern: &str) -> Result<Vec<PathBuf>, (String, Hint)> {
    let refuse = |message: &str, hint: &str| Err((message.to_owned(), hint.into()));
    let beside = main.parent().unwrap_or(Path::new(""));
    let (folder, last) = pattern.rsplit_once('/').map_or(("", pattern), |(folder, last)| (folder, last));
    if pattern.is_empty() || pattern.chars().any(char::is_control) {
        return refuse("is not a path", "such as `jobs.d/*.toml`");
    }
    if has_wildcards(folder) {
        return refuse("has a wildcard before the last part of the path", "only the last part may contain `*` and `?`");
    }
    if !has_wildcards(last) {
        let path = beside.join(pattern);
        if path.is_dir() {
            return refuse("names a directory", &format!("write `{}/*.toml`", pattern.trim_end_matches('/')));
        }
        return Ok(vec![path]);
    }
    // A pattern in the root directory has an empty folder, too.
    let folder = if pattern.starts_with('/') && folder.is_empty() { "/" } else { folder };
    let folder = beside.join(folder);
    let unresolved = |error: io::Error| (format!("cannot be resolved: {}", reason(&error)), Hint(None));
    let listed = if folder.as_os_str().is_empty() { Path::new(".").read_dir() } else { folder.read_dir() };
    let entries = match listed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.map_err(unresolved)?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let name = entry.map_err(unresolved)?.file_name();
        let Some(name) = name.to_str().filter(|name| matches(last, name)) else { continue };
        let path = folder.join(name);
        if !path.is_dir() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
