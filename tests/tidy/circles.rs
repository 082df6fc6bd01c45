//! Imports between files: no circles, and no file reaches through its parent for a sibling.
//!
//! `pub use` hands a name on to those above; it is no import of the file that it stands in.

use std::collections::{BTreeMap, BTreeSet};

use super::{Source, assert_none, paths_in, sources};

/// The files by their place in the tree of modules: `daemon::launch`.
struct Files(BTreeMap<String, Source>);

impl Files {
    fn read() -> Self {
        Self(sources().into_iter().map(|source| (module_of(&source.path), source)).collect())
    }

    /// The file that a path leads into, seen from the file of `module`.
    fn target(&self, module: &str, path: &str) -> Option<&str> {
        let absolute = absolute(module, path);
        let mut name = absolute.as_str();
        loop {
            if let Some((found, _)) = self.0.get_key_value(name) {
                return Some(found);
            }
            name = name.rsplit_once("::")?.0;
        }
    }

    /// What each file imports: the importing file, the path, the file that it leads into.
    fn imports(&self) -> Vec<(&str, String, &str)> {
        let mut imports = Vec::new();
        for (module, source) in &self.0 {
            if module == "lib" {
                continue;
            }
            for path in used_paths(&source.code, false) {
                match self.target(module, &path) {
                    Some(target) if target != module && target != "lib" => {
                        imports.push((module.as_str(), path, target));
                    }
                    _ => {}
                }
            }
        }
        imports
    }
}

/// `src/daemon/launch.rs` is `daemon::launch`, in whichever crate.
fn module_of(path: &str) -> String {
    let inside = path.strip_prefix("core/").unwrap_or(path);
    inside.strip_prefix("src/").unwrap_or(inside).trim_end_matches(".rs").replace('/', "::")
}

fn absolute(module: &str, path: &str) -> String {
    let mut here = module;
    let mut rest = path;
    if let Some(rest) = path.strip_prefix("crate::") {
        return rest.to_owned();
    }
    while let Some(after) = rest.strip_prefix("super::") {
        here = here.rsplit_once("::").map_or("", |(parent, _)| parent);
        rest = after;
    }
    let rest = rest.strip_prefix("self::").unwrap_or(rest);
    if here.is_empty() { rest.to_owned() } else { format!("{here}::{rest}") }
}

/// The paths that a file's own `use` lines name, with or without `pub use`. What stands in an inner module, such as the tests,
/// is left out.
fn used_paths(code: &str, with_handed_on: bool) -> BTreeSet<String> {
    let mut used = String::new();
    let mut is_inside = false;
    for line in code.lines() {
        let visible = line.strip_prefix("pub").map_or(line, |rest| rest.trim_start_matches(|c| c != ' ').trim_start());
        is_inside |= visible.starts_with("use ") && (with_handed_on || !line.starts_with("pub"));
        if is_inside {
            used.push_str(line);
            used.push('\n');
            is_inside = !line.trim_end().ends_with(';');
        }
    }
    paths_in(&used)
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let files = Files::read();
    let mut imports: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (module, _, target) in files.imports() {
        imports.entry(module).or_default().insert(target);
    }
    let reach: BTreeMap<&str, BTreeSet<&str>> = imports.keys().map(|from| (*from, reachable(from, &imports))).collect();
    let returns = |from: &str, to: &str| reach.get(to).is_some_and(|further| further.contains(from));
    let mistakes: Vec<String> = files
        .imports()
        .into_iter()
        .filter(|(module, _, target)| returns(module, target))
        .map(|(module, path, target)| format!("{module}: `{path}` imports {target}, which leads back here"))
        .collect();
    assert_none(&mistakes);
}

/// All that a file imports, also through others.
fn reachable<'a>(from: &'a str, imports: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut next = vec![from];
    while let Some(module) = next.pop() {
        for target in imports.get(module).into_iter().flatten() {
            if found.insert(*target) {
                next.push(target);
            }
        }
    }
    found
}

#[test]
fn no_file_reaches_through_its_parent_for_a_sibling() {
    let files = Files::read();
    let mut mistakes = Vec::new();
    for (module, path, target) in files.imports() {
        let Some((parent, _)) = module.rsplit_once("::") else { continue };
        let Some(name) = path.rsplit("::").next().filter(|_| target == parent) else { continue };
        let reexported = used_paths(&files.0[parent].code, true)
            .into_iter()
            .find(|used| used.ends_with(&format!("::{name}")) && files.target(parent, used) != Some(parent));
        if let Some(used) = reexported {
            mistakes.push(format!("{module}: `{path}` is `{used}` of its parent: import it from there"));
        }
    }
    assert_none(&mistakes);
}
