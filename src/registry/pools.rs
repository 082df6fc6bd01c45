//! `[pools.NAME]`: what several jobs share.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeValue};

use super::jobs::Draft;
use super::keys;
use super::source_file::SourceFile;
use super::suggest::Nearest;
use super::table_reader::{TableReader, kind, quoted, whole_number};
use crate::job::JobName;

const KEY: &str = "pools";

/// A pool as it stands in its file.
#[derive(Debug)]
pub(super) struct Pool {
    /// The number of its file.
    page: usize,
    /// Its name, also if that is no good one.
    name: String,
    name_span: Range<usize>,
    /// Absent if something is wrong with it.
    size: Option<usize>,
}

/// Reads the pools of a file, in the order of its text.
pub(super) fn read(top: &TableReader<'_>, page: usize, pools: &mut Vec<Pool>) {
    let Some(value) = top.get(KEY) else { return };
    let DeValue::Table(table) = value.get_ref() else {
        top.wrong_type(KEY, value, Some("a pool is declared as `[pools.NAME]`, with its `size` below".to_owned()));
        return;
    };
    let mut entries: Vec<_> = table.iter().filter(|(_, value)| value.span() != (0..0)).collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    for (name, value) in entries {
        check_name(top, name);
        let size = size(top, name, value);
        pools.push(Pool { page, name: name.get_ref().to_string(), name_span: name.span(), size });
    }
}

fn check_name(top: &TableReader<'_>, name: &Spanned<DeString<'_>>) {
    if let Err(error) = JobName::new(name.get_ref()) {
        let message = format!("a pool cannot be named {}, as no job could be: {error}", quoted(name.get_ref()));
        top.page.mistake(name.span(), message, None);
    }
}

fn size<'a>(top: &TableReader<'a>, name: &Spanned<DeString<'_>>, value: &'a Spanned<DeValue<'a>>) -> Option<usize> {
    let whose = format!("pool {}", quoted(name.get_ref()));
    let DeValue::Table(table) = value.get_ref() else {
        let hint = match whole_number(value.get_ref()) {
            Some(size) => format!("write `{{ size = {} }}`", size.max(1)),
            None => "a pool is declared as `[pools.NAME]`, with its `size` below".to_owned(),
        };
        let message = format!("{whose} must be a table, not {}", kind(value.get_ref()));
        top.page.mistake(value.span(), message, Some(hint));
        return None;
    };
    let pool = TableReader { page: top.page, nearest: top.nearest, whose, table, keys: keys::POOL };
    let meant = pool.unknown_keys();
    if !table.contains_key("size") && meant.is_empty() {
        let hint = "add `size = 4`: so many attempts of its jobs run at once".to_owned();
        top.page.missing(name.span(), format!("{} has no `size`", pool.whose), Some(hint));
    }
    pool.count("size").map(|size| size as usize)
}

/// Notes pools that are declared twice, that are missing and that nobody uses; returns the size of each.
pub(super) fn check(
    pools: &[Pool],
    drafts: &[Draft],
    pages: &[SourceFile],
    nearest: &Nearest,
) -> BTreeMap<String, usize> {
    let mut first: BTreeMap<&str, &Pool> = BTreeMap::new();
    for pool in pools {
        let known = *first.entry(&pool.name).or_insert(pool);
        if !std::ptr::eq(known, pool) {
            let place = pages[known.page].place(known.name_span.start);
            let message = format!("pool {} is declared twice", quoted(&pool.name));
            pages[pool.page].mistake(pool.name_span.clone(), message, Some(format!("it is first declared at {place}")));
        }
    }
    let mut used: HashSet<&str> = HashSet::new();
    // A pool that seems to be missing may stand where a file could not be read.
    let all_are_known = !pages.iter().any(SourceFile::is_broken);
    for draft in drafts {
        let Some(named) = &draft.pool else { continue };
        match first.get(named.name.as_str()) {
            Some(pool) => {
                used.insert(&pool.name);
                warn_of_many(draft, pool, pages);
            }
            None if all_are_known => {
                let hint =
                    match nearest.among(&named.name, first.keys().copied().filter(|name| JobName::new(name).is_ok())) {
                        Some(meant) => Some(format!("did you mean `{meant}`?")),
                        None if JobName::new(&named.name).is_ok() => {
                            Some(format!("declare it: `[pools.{}]` with `size = 4`", quoted_key(&named.name)))
                        }
                        None => None,
                    };
                let message =
                    format!("job {} is in pool {}, which is no pool", quoted(&draft.name), quoted(&named.name));
                pages[draft.page].mistake(named.span.clone(), message, hint);
            }
            None => {}
        }
    }
    for pool in first.values().filter(|pool| !used.contains(pool.name.as_str())) {
        let message = format!("pool {} has no jobs", quoted(&pool.name));
        let hint = format!("a job is in it with `pool = \"{}\"`", pool.name);
        let hint = JobName::new(&pool.name).is_ok().then_some(hint);
        pages[pool.page].warning(pool.name_span.clone(), message, hint);
    }
    first.into_values().filter_map(|pool| Some((pool.name.clone(), pool.size?))).collect()
}

/// A name as it stands in a header, where a dot would divide it.
fn quoted_key(name: &str) -> String {
    if name.contains('.') { format!("\"{name}\"") } else { name.to_owned() }
}

fn warn_of_many(draft: &Draft, pool: &Pool, pages: &[SourceFile]) {
    let (Some(named), Some(job), Some(size)) = (&draft.pool, &draft.job, pool.size) else { return };
    let most = job.date_policy.max_parallel();
    if most > size {
        let (name, pool) = (quoted(&draft.name), quoted(&pool.name));
        let message = format!("job {name} has `max_parallel = {most}`, and pool {pool} the size {size}");
        pages[draft.page].warning(named.span.clone(), message, None);
    }
}
