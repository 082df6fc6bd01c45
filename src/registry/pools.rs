//! `[pools.NAME]`: limits that several jobs share.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeValue};

use super::jobs::Draft;
use super::keys;
use super::source_file::SourceFile;
use super::suggest::Suggester;
use super::table_reader::{TableReader, Value};
use super::wording::{as_integer, kind};
use crate::job::JobName;
use crate::text::quoted;

const DECLARATION: &str = "a pool is declared as `[pools.NAME]`, with its `size` below";

/// A pool before the pools of all files are known.
#[derive(Debug)]
pub(super) struct Pool {
    /// The index of its file.
    file: usize,
    /// May be an invalid name.
    name: String,
    name_span: Range<usize>,
    /// Absent if it is invalid.
    size: Option<usize>,
}

/// Reads the pools of a file, in the order of their lines.
pub(super) fn read(top: &TableReader<'_>, file: usize, pools: &mut Vec<Pool>) {
    for (name, value) in top.named_tables("pools", DECLARATION) {
        if let Err(error) = JobName::new(name.get_ref()) {
            let message = format!("a pool cannot be named {}, as no job could be: {error}", quoted(name.get_ref()));
            top.file.error(name.span(), message, None);
        }
        let size = size(top, name, value);
        pools.push(Pool { file, name: name.get_ref().to_string(), name_span: name.span(), size });
    }
}

fn size<'a>(top: &TableReader<'a>, name: &Spanned<DeString<'_>>, value: Value<'a>) -> Option<usize> {
    let label = format!("pool {}", quoted(name.get_ref()));
    let DeValue::Table(table) = value.get_ref() else {
        let size = as_integer(value.get_ref()).map(|size| format!("write `{{ size = {} }}`", size.max(1)));
        let message = format!("{label} must be a table, not {}", kind(value.get_ref()));
        top.file.error(value.span(), message, size.unwrap_or(DECLARATION.to_owned()));
        return None;
    };
    let pool = top.other(label, table, keys::POOL);
    let suggested = pool.unknown_keys();
    if !table.contains_key("size") && suggested.is_empty() {
        let hint = "add `size = 4`: so many attempts of its jobs run at once";
        top.file.missing(name.span(), format!("{} has no `size`", pool.label), hint);
    }
    pool.count("size").map(|size| size as usize)
}

/// Reports duplicate, unknown and unused pools; returns the size of each pool.
pub(super) fn check(
    pools: &[Pool],
    drafts: &[Draft],
    files: &[SourceFile],
    suggester: &Suggester,
) -> BTreeMap<String, usize> {
    let mut first: BTreeMap<&str, &Pool> = BTreeMap::new();
    for pool in pools {
        let known = *first.entry(&pool.name).or_insert(pool);
        if !std::ptr::eq(known, pool) {
            let place = files[known.file].place(known.name_span.start);
            let message = format!("pool {} is declared twice", quoted(&pool.name));
            files[pool.file].error(pool.name_span.clone(), message, Some(format!("first declared at {place}")));
        }
    }
    let mut used: HashSet<&str> = HashSet::new();
    // An unknown pool may be in a file that could not be parsed.
    let all_are_known = !files.iter().any(SourceFile::is_broken);
    for draft in drafts {
        let Some(named) = &draft.pool else { continue };
        if let Some(pool) = first.get(named.name.as_str()) {
            used.insert(&pool.name);
            warn_of_many(draft, pool, files);
        } else if all_are_known {
            let declare = || {
                JobName::new(&named.name).ok()?;
                Some(format!("declare it: `[pools.{}]` with `size = 4`", quoted_key(&named.name)))
            };
            let hint = suggester.name(&named.name, first.keys().copied()).or_else(declare);
            let (name, pool) = (quoted(&draft.name), quoted(&named.name));
            let message = format!("job {name} uses pool {pool}, which does not exist");
            files[draft.file].error(named.span.clone(), message, hint);
        }
    }
    for pool in first.values().filter(|pool| !used.contains(pool.name.as_str())) {
        let message = format!("pool {} has no jobs", quoted(&pool.name));
        let hint = format!("a job is in it with `pool = \"{}\"`", pool.name);
        let hint = JobName::new(&pool.name).is_ok().then_some(hint);
        files[pool.file].warning(pool.name_span.clone(), message, hint);
    }
    first.into_values().filter_map(|pool| Some((pool.name.clone(), pool.size?))).collect()
}

/// A name as a key in a header, where a dot needs quotes.
fn quoted_key(name: &str) -> String {
    if name.contains('.') { format!("\"{name}\"") } else { name.to_owned() }
}

fn warn_of_many(draft: &Draft, pool: &Pool, files: &[SourceFile]) {
    let (Some(named), Some(job), Some(size)) = (&draft.pool, &draft.job, pool.size) else { return };
    let most = job.date_policy.max_parallel();
    if most > size {
        let (name, pool) = (quoted(&draft.name), quoted(&pool.name));
        let message = format!("job {name} has `max_parallel = {most}`, and pool {pool} the size {size}");
        files[draft.file].warning(named.span.clone(), message, None);
    }
}
