//! Files of the registry: reading one within limits, and finding those that `include` names.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::source_file::SourceFile;

/// No registry that people write is larger; a larger file is something else, given by accident.
const LARGEST: u64 = 8 * 1024 * 1024;

/// Reads a file. What it holds may be wrong, which is then noted on the page.
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
    Ok(page(path, bytes, size))
}

/// Makes a page of what a file of that `size` holds, whose text is as far as it is known.
pub(super) fn page(path: &Path, bytes: Vec<u8>, size: u64) -> SourceFile {
    if bytes.len() as u64 > LARGEST {
        let page = SourceFile::new(path, String::new());
        page.whole(
            format!("the file has {}, and a registry at most 8 MiB", megabytes(size)),
            Some("divide it with `include`, if it is a registry".to_owned()),
        );
        return page;
    }
    match String::from_utf8(bytes) {
        Ok(text) => SourceFile::new(path, text),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let byte = error.as_bytes()[at];
            let page = SourceFile::new(path, String::from_utf8_lossy(error.as_bytes()).into_owned());
            let hint = "save it in this encoding; only comments and quoted text may hold more than ASCII".to_owned();
            // The first replacement character is where the first bad byte was.
            let end = at + char::REPLACEMENT_CHARACTER.len_utf8();
            page.syntax(at..end, format!("the file is not UTF-8: byte 0x{byte:02x}"), Some(hint));
            page
        }
    }
}

fn megabytes(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10).div_ceil(1024 * 1024);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

/// Says for people why a file cannot be read.
pub(super) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => error.to_string(),
    }
}

/// What an `include` names.
pub(super) enum Included {
    /// One file, which must be there.
    File(PathBuf),
    /// The files that match a pattern, in the order of their names; may be empty.
    Matching(Vec<PathBuf>),
}

/// Why an `include` cannot be followed.
pub(super) struct IncludeError {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// Follows one `include`, relative to the folder of the file that it stands in.
pub(super) fn included(main: &Path, pattern: &str) -> Result<Included, IncludeError> {
    let refuse = |message: &str, hint: &str| IncludeError { message: message.to_owned(), hint: Some(hint.to_owned()) };
    let beside = main.parent().unwrap_or(Path::new(""));
    let (folder, last) = pattern.rsplit_once('/').map_or(("", pattern), |(folder, last)| (folder, last));
    if pattern.is_empty() || pattern.chars().any(char::is_control) {
        return Err(refuse("names no file", "such as `jobs.d/*.toml`"));
    }
    if folder.contains(['*', '?']) {
        return Err(refuse(
            "has a wildcard before the last part of the path",
            "only the last part may hold `*` and `?`",
        ));
    }
    if !last.contains(['*', '?']) {
        let path = beside.join(pattern);
        if path.is_dir() {
            let hint = format!("write `{}/*.toml`", pattern.trim_end_matches('/'));
            return Err(refuse("names a directory", &hint));
        }
        return Ok(Included::File(path));
    }
    // A pattern that begins with `/` alone has an empty folder, too.
    let folder = if pattern.starts_with('/') && folder.is_empty() { "/" } else { folder };
    let folder = beside.join(folder);
    let listed = if folder.as_os_str().is_empty() { Path::new(".").read_dir() } else { folder.read_dir() };
    let entries = match listed {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Included::Matching(Vec::new())),
        Err(error) => {
            return Err(IncludeError { message: format!("cannot be followed: {}", reason(&error)), hint: None });
        }
    };
    let mut paths = Vec::new();
    for entry in entries {
        let entry =
            entry.map_err(|error| IncludeError { message: format!("cannot be followed: {error}"), hint: None })?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| matches(last, name)) else { continue };
        let path = folder.join(name);
        if !path.is_dir() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(Included::Matching(paths))
}

/// Whether a name matches a pattern of `*` and `?`; a name that begins with a dot only if the pattern does, too.
fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut name_at) = (0, 0);
    // Where to go on with one more character for the last `*`, if the rest does not match.
    let mut retry = None;
    while name_at < name.len() {
        match pattern.get(at) {
            Some('*') => {
                retry = Some((at + 1, name_at));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == name[name_at] => {
                at += 1;
                name_at += 1;
            }
            _ => {
                let Some((after_star, from)) = retry else { return false };
                retry = Some((after_star, from + 1));
                (at, name_at) = (after_star, from + 1);
            }
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_names() {
        for (pattern, name) in
            [("*.toml", "a.toml"), ("*", "a"), ("a?c*", "abc"), ("*a*b", "xaxab"), ("??", "äö"), (".*", ".a")]
        {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("*.toml", "a.toml~"), ("*.toml", ".a.toml"), ("a?", "a"), ("*a*b", "xaxabx"), ("[a]*", "a")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
