//! References between jobs: unknown names, cycles, and warnings.

use std::collections::HashMap;

use super::dates::HasSchedule;
use super::dependency_order;
use super::depends_on::{DependencyEntry, Named};
use super::jobs::Draft;
use super::source_file::SourceFile;
use super::suggest::Suggester;
use crate::text::{Hint, quoted};

/// How many names of a cycle are printed.
const LONGEST_CYCLE: usize = 20;

struct Jobs<'a> {
    drafts: &'a [Draft],
    /// The index of the first job with each name.
    numbers: HashMap<&'a str, usize>,
    files: &'a [SourceFile],
    suggester: &'a Suggester,
    /// Whether every file could be parsed. If not, a job may only seem to be missing.
    all_are_known: bool,
}

/// A reference from one job to another.
struct Edge<'a> {
    /// The index of the other job.
    to: usize,
    named: &'a Named,
    /// The entry in `depends_on`; absent for `require`.
    dependency: Option<&'a DependencyEntry>,
}

/// Reports duplicate names, unknown jobs and cycles.
pub(super) fn check(drafts: &[Draft], files: &[SourceFile], suggester: &Suggester) {
    let mut jobs = Jobs {
        drafts,
        numbers: HashMap::with_capacity(drafts.len()),
        files,
        suggester,
        all_are_known: !files.iter().any(SourceFile::is_broken),
    };
    for (number, draft) in drafts.iter().enumerate() {
        let first = *jobs.numbers.entry(draft.name.as_str()).or_insert(number);
        if first != number {
            let message = format!("job {} is declared twice", quoted(&draft.name));
            let hint = format!("first declared at {}", jobs.place(first));
            files[draft.file].error(draft.name_span.clone(), message, hint);
        }
    }
    let mut is_required = vec![false; drafts.len()];
    let mut edges: Vec<Vec<Edge<'_>>> = Vec::with_capacity(drafts.len());
    for number in 0..drafts.len() {
        let edges_of_job = jobs.edges(number);
        for edge in &edges_of_job {
            is_required[edge.to] |= edge.dependency.is_none();
            jobs.warn(number, edge);
        }
        edges.push(edges_of_job);
    }
    for (draft, _) in drafts.iter().zip(is_required).filter(|(_, is_required)| !is_required) {
        if draft.has_schedule == HasSchedule::No {
            let name = quoted(&draft.name);
            let message = format!("job {name} has neither `schedule` nor `every`, and no job requires it");
            let hint = "only an operator can run it";
            files[draft.file].warning(draft.name_span.clone(), message, hint);
        }
    }
    jobs.former_names();
    cycles(drafts, &edges, files);
}

impl<'a> Jobs<'a> {
    fn place(&self, number: usize) -> impl std::fmt::Display {
        let draft = &self.drafts[number];
        self.files[draft.file].place(draft.name_span.start)
    }

    /// The references of a job; invalid ones are reported.
    fn edges(&self, number: usize) -> Vec<Edge<'a>> {
        let draft = &self.drafts[number];
        let depends_on = draft.depends_on.iter().map(|dependency| (&dependency.on, Some(dependency)));
        let named = depends_on.chain(draft.require.iter().map(|named| (named, None)));
        named.filter_map(|(named, dependency)| self.edge(number, named, dependency)).collect()
    }

    fn edge(&self, number: usize, named: &'a Named, dependency: Option<&'a DependencyEntry>) -> Option<Edge<'a>> {
        let draft = &self.drafts[number];
        let label =
            format!("job {} {}", quoted(&draft.name), if dependency.is_some() { "depends on" } else { "requires" });
        let refuse = |problem: &str, hint: Option<&str>| {
            self.files[draft.file].error(named.span.clone(), format!("{label} {problem}"), hint.map(str::to_owned));
            None
        };
        let name = quoted(&named.name);
        let Some(to) = self.numbers.get(named.name.as_str()).copied() else {
            if self.all_are_known {
                let others = self.drafts.iter().filter(|other| other.name != draft.name);
                let hint = self.suggester.name(&named.name, others.map(|other| other.name.as_str()));
                return refuse(&format!("{name}, which does not exist"), hint.as_deref());
            }
            return None;
        };
        if to == number {
            let hint = "with `backfill = true` a date waits for the earlier dates of its job anyway";
            return refuse("itself", dependency.map(|_| hint));
        }
        match (dependency, self.drafts[to].has_schedule) {
            (Some(_), HasSchedule::No) if self.all_are_known => {
                let hint = "list it in `require`, which starts it for the same date";
                refuse(&format!("{name}, which has no schedule"), Some(hint))
            }
            (None, HasSchedule::Yes) => {
                let hint = "list it in `depends_on`, which waits for its dates";
                refuse(&format!("{name}, which has a schedule"), Some(hint))
            }
            _ => Some(Edge { to, named, dependency }),
        }
    }

    /// Warns about a dependency that holds a job longer than expected.
    fn warn(&self, number: usize, edge: &Edge<'_>) {
        let (draft, needed) = (&self.drafts[number], &self.drafts[edge.to]);
        let (name, needed_name) = (quoted(&draft.name), quoted(&needed.name));
        let span = edge.named.span.clone();
        if draft.enabled && !needed.enabled {
            let needs = if edge.dependency.is_some() { "depends on" } else { "requires" };
            let message = format!("job {name} {needs} {needed_name}, which is disabled");
            self.files[draft.file].warning(span, message, None);
        } else if let (Some(start), Some(needed_start)) = (draft.start, needed.start)
            && needed_start > start
            && edge.dependency.is_some_and(DependencyEntry::is_plain)
        {
            let message = format!("job {name} starts before {needed_name}, which it depends on");
            let hint = format!("its first dates wait until the first date of {needed_name} is settled");
            self.files[draft.file].warning(span, message, hint);
        } else if let Some(warning) = dependency_order::warning(draft, needed, edge.dependency) {
            let (message, hint) = warning;
            self.files[draft.file].warning(span, message, hint);
        }
    }

    /// Reports former names that a job cannot take over.
    fn former_names(&self) {
        let mut claims: HashMap<&str, usize> = HashMap::new();
        for (number, draft) in self.drafts.iter().enumerate() {
            let Some(former) = &draft.previously else { continue };
            let (name, former_name) = (quoted(&draft.name), quoted(&former.name));
            let (message, hint) = match self.numbers.get(former.name.as_str()) {
                Some(same) if self.drafts[*same].name == draft.name => {
                    (format!("job {name} was previously {former_name}, which is its current name"), Hint(None))
                }
                Some(_) => {
                    let hint = "a job can take over only the ledger of a removed job";
                    (format!("job {name} was previously {former_name}, which still exists"), hint.into())
                }
                None => {
                    let first = *claims.entry(&former.name).or_insert(number);
                    if first == number {
                        continue;
                    }
                    let other = quoted(&self.drafts[first].name);
                    let hint = format!("only one job can take over its ledger; {other} is at {}", self.place(first));
                    (format!("job {name} was previously {former_name}, and so was {other}"), hint.into())
                }
            };
            self.files[draft.file].error(former.span.clone(), message, hint);
        }
    }
}

/// The state of a job in the depth-first search.
#[derive(Debug, Clone, Copy)]
enum Visit {
    No,
    /// On the current path, at this depth.
    OnPath(usize),
    Done,
}

/// Reports cycles: one for each edge that closes a cycle, so that without these edges no cycle remains.
fn cycles(drafts: &[Draft], edges: &[Vec<Edge<'_>>], files: &[SourceFile]) {
    let mut visits = vec![Visit::No; drafts.len()];
    for root in 0..drafts.len() {
        if !matches!(visits[root], Visit::No) {
            continue;
        }
        // The path, each job with the index of its next edge. An explicit stack, since a path can be long.
        let mut path: Vec<(usize, usize)> = vec![(root, 0)];
        visits[root] = Visit::OnPath(0);
        while let Some(last) = path.last_mut() {
            let job = last.0;
            let Some(edge) = edges[job].get(last.1) else {
                visits[job] = Visit::Done;
                path.pop();
                continue;
            };
            last.1 += 1;
            match visits[edge.to] {
                Visit::No => {
                    visits[edge.to] = Visit::OnPath(path.len());
                    path.push((edge.to, 0));
                }
                Visit::OnPath(depth) => note_cycle(&path[depth..], drafts, edges, files),
                Visit::Done => {}
            }
        }
    }
}

/// Reports the cycle of the jobs on `path`, each with the index after the edge to the next job.
fn note_cycle(path: &[(usize, usize)], drafts: &[Draft], edges: &[Vec<Edge<'_>>], files: &[SourceFile]) {
    let name = |place: &(usize, usize)| quoted(&drafts[place.0].name);
    let (names, first) = if path.len() <= LONGEST_CYCLE {
        // Print the cycle from the job that is first in the files.
        let first = (0..path.len()).min_by_key(|at| path[*at].0).unwrap_or(0);
        let turned = path[first..].iter().chain(&path[..first]);
        (turned.map(name).collect::<Vec<_>>(), first)
    } else {
        let half = LONGEST_CYCLE / 2;
        let mut names: Vec<String> = path[..half].iter().map(name).collect();
        names.push(format!("… {} more …", path.len() - 2 * half));
        names.extend(path[path.len() - half..].iter().map(name));
        (names, 0)
    };
    let (job, next_edge) = path[first];
    let draft = &drafts[job];
    let span = edges[job][next_edge - 1].named.span.clone();
    let message = format!("dependency cycle: {} → {}", names.join(" → "), name(&path[first]));
    files[draft.file].error(span, message, "none of these jobs can ever start");
}
