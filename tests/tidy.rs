//! What the house style asks of the tree and a lint cannot see: layers, sizes, words, and twins that must stay alike.

#[path = "tidy/circles.rs"]
mod circles;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use Layer::{Core, Shell, Wiring};

/// From the ground up; a module may import every module of a layer below its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    /// Decides. No I/O, no clock.
    Core,
    /// Reads and does, each one thing: TOML, SQL, processes, time.
    Shell,
    /// Puts the two together, and speaks with people.
    Wiring,
}

/// Every module of the crate: its layer, and which modules of its own layer it may import. Those stand above it in this
/// table, so that there are no circles.
const MODULES: &[(&str, Layer, &[&str])] = &[
    ("text", Core, &[]),
    ("duration", Core, &["text"]),
    ("schedule", Core, &["text", "duration"]),
    ("job", Core, &["duration", "text", "schedule"]),
    ("session", Core, &["text", "schedule", "job"]),
    ("scheduler", Core, &["text", "duration", "schedule", "job", "session"]),
    ("invariants", Core, &["text", "schedule", "job", "session"]),
    ("control", Core, &["job", "session", "scheduler"]),
    ("clock", Shell, &[]),
    ("log_queue", Shell, &["clock"]),
    ("environment", Shell, &[]),
    ("registry", Shell, &["environment"]),
    ("ledger", Shell, &[]),
    ("warden", Shell, &["clock"]),
    ("warden_client", Shell, &["warden"]),
    ("systemd", Wiring, &[]),
    ("exit_code", Wiring, &[]),
    ("paths", Wiring, &[]),
    ("report", Wiring, &["paths"]),
    ("submit", Wiring, &["exit_code", "report"]),
    ("daemon", Wiring, &["systemd", "exit_code", "paths", "report", "submit"]),
    ("cli", Wiring, &["exit_code", "paths", "report", "submit", "daemon"]),
    ("main", Wiring, &["cli"]),
];

/// What only the named modules may use, so that none of its types leaves them, and `async` stays where it belongs.
const OWNED: &[(&str, &[&str])] = &[
    ("diesel", &["ledger"]),
    ("diesel_migrations", &["ledger"]),
    ("toml", &["registry"]),
    ("sd_notify", &["systemd"]),
    ("tokio", &["daemon"]),
    ("clap", &["cli"]),
    ("Utc::now", &["clock"]),
    ("Local::now", &[]),
    ("SystemTime::now", &["clock"]),
];

/// What no module of the core may use: I/O, other processes, threads, and time that nobody handed in.
const NOT_IN_CORE: &[&str] = &[
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "diesel",
    "rustix",
    "tokio",
    "toml",
    "tracing",
];

const MOST_LINES: usize = 500;
const MOST_PACKAGES: usize = 250;

/// One file of `src`.
struct Source {
    /// As a person would name it: `src/ledger/schema.rs`.
    path: String,
    /// The module of the crate that it belongs to: `ledger`.
    module: String,
    text: String,
    /// `text` without comments, so that a doc may point upwards.
    code: String,
    /// Every path that the code names, `use` groups taken apart: `crate::job::Job`, `std::fs::File`.
    paths: BTreeSet<String>,
}

#[test]
fn no_import_runs_up_or_across() {
    let mut mistakes = Vec::new();
    for source in sources() {
        if source.module == "lib" {
            continue;
        }
        let Some(from) = position(&source.module) else {
            mistakes.push(format!("{}: `{}` has no layer: add it to MODULES", source.path, source.module));
            continue;
        };
        for imported in source.imported_modules() {
            let (module, layer, beside) = MODULES[from];
            match position(&imported) {
                // A name that lib.rs defines or exports itself.
                None => {}
                Some(to) if to == from || MODULES[to].1 < layer => {}
                Some(_) if beside.contains(&imported.as_str()) => {}
                Some(to) => mistakes.push(format!(
                    "{}: `{module}` ({layer:?}) imports `{imported}` ({:?}), which is not below it",
                    source.path, MODULES[to].1
                )),
            }
        }
        if source.climbs_to_the_root() {
            mistakes.push(format!("{}: `super` climbs to the root of the crate: write `crate::`", source.path));
        }
    }
    assert_none(&mistakes);
}

#[test]
fn the_table_of_modules_has_no_circles() {
    let mut mistakes = Vec::new();
    for (index, (module, layer, beside)) in MODULES.iter().enumerate() {
        for other in *beside {
            let stands_above = MODULES[..index].iter().any(|(name, its, _)| name == other && its == layer);
            if !stands_above {
                mistakes.push(format!("`{other}` is not above `{module}` in its layer"));
            }
        }
    }
    assert_none(&mistakes);
}

#[test]
fn the_core_does_no_input_and_no_output() {
    let mut mistakes = Vec::new();
    for source in sources().iter().filter(|source| source.layer() == Some(Core)) {
        for banned in NOT_IN_CORE {
            if source.names(banned) {
                mistakes.push(format!("{}: the core may not use `{banned}`", source.path));
            }
        }
    }
    assert_none(&mistakes);
}

#[test]
fn what_a_module_owns_stays_in_it() {
    let mut mistakes = Vec::new();
    for source in sources() {
        for (name, owners) in OWNED {
            let used = if name.contains("::") { source.code.contains(name) } else { source.names(name) };
            if used && !owners.contains(&source.module.as_str()) {
                mistakes.push(format!("{}: `{name}` is for {owners:?} only", source.path));
            }
        }
    }
    assert_none(&mistakes);
}

#[test]
fn every_file_says_what_it_answers_for_and_is_short() {
    let mut mistakes = Vec::new();
    for source in sources() {
        if !source.text.starts_with("//! ") {
            mistakes.push(format!("{}: does not begin with `//! `", source.path));
        }
        let lines = source.text.lines().count();
        if lines > MOST_LINES {
            mistakes.push(format!("{}: {lines} lines, more than {MOST_LINES}: split it by topic", source.path));
        }
        if source.path.ends_with("/mod.rs") {
            mistakes.push(format!("{}: `foo.rs` stands beside `foo/`, there is no mod.rs", source.path));
        }
    }
    assert_none(&mistakes);
}

/// In the place of the lint `missing_docs`, which would also ask it of fields and variants that their names explain.
#[test]
fn every_public_item_is_documented() {
    const ITEMS: [&str; 7] = ["fn ", "const fn ", "struct ", "enum ", "trait ", "type ", "const "];
    let mut mistakes = Vec::new();
    for source in sources() {
        let lines: Vec<&str> = source.text.lines().map(str::trim_start).collect();
        for (index, line) in lines.iter().enumerate() {
            let is_item = line.strip_prefix("pub ").is_some_and(|item| ITEMS.iter().any(|kind| item.starts_with(kind)));
            // Between the two there may be attributes, which may be longer than a line.
            let is_documented = lines[..index].iter().rev().find(|line| line.starts_with("///") || line.is_empty());
            if is_item && !line.contains('$') && is_documented.is_none_or(|line| line.is_empty()) {
                mistakes.push(format!("{}:{}: `{line}` has no doc comment", source.path, index + 1));
            }
        }
    }
    assert_none(&mistakes);
}

#[test]
fn one_word_for_one_thing() {
    let banned = ["execution_date", "executiondate", "todo", "fixme", "#[ignore", "#[allow("];
    let mut mistakes = Vec::new();
    for source in sources() {
        for (line, text) in (1..).zip(source.text.lines()) {
            let text = text.to_lowercase();
            // A string may hold a word that somebody else used, so as to understand it.
            let unquoted: String = text.split('"').step_by(2).collect();
            let found = banned.iter().filter(|word| unquoted.contains(**word));
            for word in found.chain(text.contains("execution date").then_some(&"execution date")) {
                mistakes.push(format!("{}:{line}: `{word}`", source.path));
            }
        }
    }
    assert_none(&mistakes);
}

#[test]
fn both_backends_have_the_same_migrations() {
    let migrations = |backend: &str| -> BTreeSet<String> {
        let folder = root().join("migrations").join(backend);
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    };
    let sqlite = migrations("sqlite");
    assert_eq!(sqlite, migrations("postgres"));
    assert!(!sqlite.is_empty(), "there is a first migration");
    for backend in ["sqlite", "postgres"] {
        for name in &sqlite {
            let path = root().join("migrations").join(backend).join(name).join("up.sql");
            assert!(path.is_file(), "{} is missing", path.display());
        }
    }
}

#[test]
fn every_package_earns_its_place() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock is committed");
    let packages = lock.matches("[[package]]").count();
    assert!(packages < MOST_PACKAGES, "Cargo.lock has {packages} packages; it stays under {MOST_PACKAGES}");
}

#[test]
fn a_group_of_imports_is_taken_apart() {
    let code = "use crate::{job::{Job, name::JobName}, ledger, self, schedule::*};\nlet x = crate::clock::now(); use std::{fs, io::Write};";
    let paths = paths_in(code);
    for path in [
        "crate::job::Job",
        "crate::job::name::JobName",
        "crate::ledger",
        "crate::clock::now",
        "std::fs",
        "std::io::Write",
    ] {
        assert!(paths.contains(path), "{path} is not among {paths:?}");
    }
}

fn assert_none(mistakes: &[String]) {
    assert!(mistakes.is_empty(), "{} mistakes:\n  {}", mistakes.len(), mistakes.join("\n  "));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn position(module: &str) -> Option<usize> {
    MODULES.iter().position(|(name, ..)| *name == module)
}

/// Every file of both crates, in order of its path.
fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    collect(&root().join("core/src"), &mut files);
    collect(&root().join("src"), &mut files);
    files.sort();
    files.iter().map(|file| Source::read(file)).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("src can be read") {
        let path = entry.expect("src can be read").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

impl Source {
    fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file).expect("a source is UTF-8");
        let path = file.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
        let inside = path.strip_prefix("core/").unwrap_or(&path);
        let module = inside.split('/').nth(1).expect("below src").trim_end_matches(".rs").to_owned();
        let lines = text.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code));
        let code = lines.collect::<Vec<_>>().join("\n");
        let paths = paths_in(&code);
        Self { path, module, text, code, paths }
    }

    fn layer(&self) -> Option<Layer> {
        position(&self.module).map(|index| MODULES[index].1)
    }

    /// The modules of this crate that the code names.
    fn imported_modules(&self) -> BTreeSet<String> {
        let inside = |path: &String| {
            let rest = path.strip_prefix("crate::").or_else(|| path.strip_prefix("crontabber::"))?;
            Some(rest.split("::").next()?.to_owned())
        };
        self.paths.iter().filter_map(inside).collect()
    }

    /// Whether the code names `path` itself or something in it.
    fn names(&self, path: &str) -> bool {
        self.paths
            .iter()
            .any(|named| named.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with("::")))
    }

    /// Whether a `use super::…` leaves the module that the file belongs to. An indented one stands in an inner module,
    /// such as the tests, and has one step more to go.
    fn climbs_to_the_root(&self) -> bool {
        let depth = self.path.strip_prefix("core/").unwrap_or(&self.path).split('/').count() - 1;
        self.code.lines().any(|line| {
            let inner = usize::from(line.starts_with(' '));
            line.trim_start().starts_with("use super") && line.matches("super::").count() >= depth + inner
        })
    }
}

/// Every path with at least one `::` in `code`, groups in braces taken apart.
fn paths_in(code: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    let mut rest = code;
    while let Some(start) = rest.find(|letter: char| letter.is_alphabetic() || letter == '_') {
        rest = &rest[start..];
        rest = path("", rest, &mut paths);
    }
    paths
}

/// Reads one path, and what its group holds, from the start of `text`; returns what follows it.
fn path<'a>(prefix: &str, text: &'a str, paths: &mut BTreeSet<String>) -> &'a str {
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
    let name = format!("{prefix}{}", &text[..end]);
    let rest = &text[end..];
    let Some(inside) = rest.strip_prefix("::") else {
        if name.contains("::") {
            paths.insert(name);
        }
        return rest;
    };
    let prefix = format!("{name}::");
    let Some(mut rest) = inside.strip_prefix('{') else {
        return path(&prefix, inside, paths);
    };
    loop {
        let before = rest.len();
        rest = rest.trim_start_matches(|letter: char| letter.is_whitespace() || letter == ',');
        if let Some(after) = rest.strip_prefix('}') {
            return after;
        }
        rest = path(&prefix, rest, paths);
        if rest.len() == before {
            // A star, or what is no path at all.
            let mut letters = rest.chars();
            letters.next();
            rest = letters.as_str();
        }
        if rest.is_empty() {
            return rest;
        }
    }
}
