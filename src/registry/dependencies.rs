//! Jobs that name one another: missing ones, circles, and what is worth a look.

use std::collections::HashMap;

use super::dates::Dated;
use super::depends_on::{Named, Need};
use super::jobs::Draft;
use super::source_file::SourceFile;
use super::suggest::Nearest;
use super::table_reader::quoted;
use crate::job::JobName;

/// So many names of a circle are printed.
const LONGEST_CIRCLE: usize = 20;

/// All jobs, and what is needed to speak of them.
struct Jobs<'a> {
    drafts: &'a [Draft],
    /// The place of the first job of each name.
    numbers: HashMap<&'a str, usize>,
    pages: &'a [SourceFile],
    nearest: &'a Nearest,
    /// Whether every file could be read: else a job, or its schedule, may only seem to be missing.
    all_are_known: bool,
}

/// One job that names another.
struct Edge<'a> {
    /// The number of the job that is named.
    to: usize,
    named: &'a Named,
    /// The entry of `depends_on`; absent if it stands in `require`.
    need: Option<&'a Need>,
}

/// Notes names that are declared twice, and jobs that are named and cannot be had.
pub(super) fn check(drafts: &[Draft], pages: &[SourceFile], nearest: &Nearest) {
    let mut jobs = Jobs {
        drafts,
        numbers: HashMap::with_capacity(drafts.len()),
        pages,
        nearest,
        all_are_known: !pages.iter().any(SourceFile::is_broken),
    };
    for (number, draft) in drafts.iter().enumerate() {
        let first = *jobs.numbers.entry(draft.name.as_str()).or_insert(number);
        if first != number {
            let message = format!("job {} is declared twice", quoted(&draft.name));
            let hint = format!("it is first declared at {}", jobs.place(first));
            pages[draft.page].mistake(draft.name_span.clone(), message, Some(hint));
        }
    }
    let mut is_required = vec![false; drafts.len()];
    let mut edges: Vec<Vec<Edge<'_>>> = Vec::with_capacity(drafts.len());
    for number in 0..drafts.len() {
        let edges_of_job = jobs.edges(number);
        for edge in &edges_of_job {
            is_required[edge.to] |= edge.need.is_none();
            jobs.warn(number, edge);
        }
        edges.push(edges_of_job);
    }
    for (draft, _) in drafts.iter().zip(is_required).filter(|(_, is_required)| !is_required) {
        if draft.dated == Dated::No {
            let name = quoted(&draft.name);
            let message = format!("job {name} has neither `schedule` nor `every`, and no job requires it");
            let hint = "it runs only when an operator runs it".to_owned();
            pages[draft.page].warning(draft.name_span.clone(), message, Some(hint));
        }
    }
    jobs.former_names();
    circles(drafts, &edges, pages);
}

impl<'a> Jobs<'a> {
    fn place(&self, number: usize) -> impl std::fmt::Display {
        let draft = &self.drafts[number];
        self.pages[draft.page].place(draft.name_span.start)
    }

    /// The jobs that a job names; those that it cannot have are noted.
    fn edges(&self, number: usize) -> Vec<Edge<'a>> {
        let draft = &self.drafts[number];
        let depends_on = draft.depends_on.iter().map(|need| (&need.on, Some(need)));
        let named = depends_on.chain(draft.require.iter().map(|named| (named, None)));
        named.filter_map(|(named, need)| self.edge(number, named, need)).collect()
    }

    fn edge(&self, number: usize, named: &'a Named, need: Option<&'a Need>) -> Option<Edge<'a>> {
        let draft = &self.drafts[number];
        let whose = format!("job {} {}", quoted(&draft.name), if need.is_some() { "depends on" } else { "requires" });
        let refuse = |problem: &str, hint: Option<&str>| {
            self.pages[draft.page].mistake(named.span.clone(), format!("{whose} {problem}"), hint.map(str::to_owned));
            None
        };
        let name = quoted(&named.name);
        let Some(to) = self.numbers.get(named.name.as_str()).copied() else {
            if self.all_are_known {
                let known = self.drafts.iter().map(|draft| draft.name.as_str());
                let meant = self.nearest.among(&named.name, known.filter(|name| JobName::new(name).is_ok()));
                let hint = meant.map(|name| format!("did you mean `{name}`?"));
                return refuse(&format!("{name}, which is no job"), hint.as_deref());
            }
            return None;
        };
        if to == number {
            let hint = "with `backfill = true` a date waits for the earlier ones of its job anyway";
            return refuse("itself", need.map(|_| hint));
        }
        match (need, self.drafts[to].dated) {
            (Some(_), Dated::No) if self.all_are_known => {
                let hint = "name it in `require`, which starts it for the same date";
                refuse(&format!("{name}, which has no schedule"), Some(hint))
            }
            (None, Dated::Yes) => {
                let hint = "name it in `depends_on`, which waits for its dates";
                refuse(&format!("{name}, which has a schedule of its own"), Some(hint))
            }
            _ => Some(Edge { to, named, need }),
        }
    }

    /// Notes what keeps a job waiting for longer than its writer may think.
    fn warn(&self, number: usize, edge: &Edge<'_>) {
        let (draft, needed) = (&self.drafts[number], &self.drafts[edge.to]);
        let (name, needed_name) = (quoted(&draft.name), quoted(&needed.name));
        let span = edge.named.span.clone();
        if draft.enabled && !needed.enabled {
            let needs = if edge.need.is_some() { "depends on" } else { "requires" };
            let message = format!("job {name} {needs} {needed_name}, which is disabled");
            self.pages[draft.page].warning(span, message, None);
        } else if let (Some(start), Some(needed_start)) = (draft.start, needed.start)
            && needed_start > start
            && edge.need.is_some_and(Need::is_plain)
        {
            let message = format!("job {name} starts before {needed_name}, which it depends on");
            let hint = format!("its first dates wait until the first date of {needed_name} is settled");
            self.pages[draft.page].warning(span, message, Some(hint));
        }
    }

    /// Notes former names that no job can take over.
    fn former_names(&self) {
        let mut claims: HashMap<&str, usize> = HashMap::new();
        for (number, draft) in self.drafts.iter().enumerate() {
            let Some(former) = &draft.previously else { continue };
            let (name, former_name) = (quoted(&draft.name), quoted(&former.name));
            let (message, hint) = match self.numbers.get(former.name.as_str()) {
                Some(same) if self.drafts[*same].name == draft.name => {
                    (format!("job {name} was previously {former_name}, which is its name now"), None)
                }
                Some(_) => {
                    let hint = "only the ledger of a job that is gone can be taken over".to_owned();
                    (format!("job {name} was previously {former_name}, which is still there"), Some(hint))
                }
                None => {
                    let first = *claims.entry(&former.name).or_insert(number);
                    if first == number {
                        continue;
                    }
                    let other = quoted(&self.drafts[first].name);
                    let hint = format!("only one can take over its ledger; {other} is at {}", self.place(first));
                    (format!("job {name} was previously {former_name}, and so was {other}"), Some(hint))
                }
            };
            self.pages[draft.page].mistake(former.span.clone(), message, hint);
        }
    }
}

/// Where the search for circles stands with a job.
#[derive(Debug, Clone, Copy)]
enum Visit {
    No,
    /// On the path, at this depth.
    OnPath(usize),
    Done,
}

/// Notes circles: one for each dependency that leads back to where the search came from, so that without those no
/// circle is left.
fn circles(drafts: &[Draft], edges: &[Vec<Edge<'_>>], pages: &[SourceFile]) {
    let mut visits = vec![Visit::No; drafts.len()];
    for root in 0..drafts.len() {
        if !matches!(visits[root], Visit::No) {
            continue;
        }
        // A path of jobs, each with the number of its next edge; a stack of its own, for a path can be long.
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
                Visit::OnPath(depth) => note_circle(&path[depth..], drafts, edges, pages),
                Visit::Done => {}
            }
        }
    }
}

/// Notes the circle of the jobs on `path`, each with the number of the edge after the one to the next.
fn note_circle(path: &[(usize, usize)], drafts: &[Draft], edges: &[Vec<Edge<'_>>], pages: &[SourceFile]) {
    let name = |place: &(usize, usize)| quoted(&drafts[place.0].name);
    let (names, first) = if path.len() <= LONGEST_CIRCLE {
        // A circle begins where a reader meets it first.
        let first = (0..path.len()).min_by_key(|at| path[*at].0).unwrap_or(0);
        let turned = path[first..].iter().chain(&path[..first]);
        (turned.map(name).collect::<Vec<_>>(), first)
    } else {
        let half = LONGEST_CIRCLE / 2;
        let mut names: Vec<String> = path[..half].iter().map(name).collect();
        names.push(format!("… {} more …", path.len() - 2 * half));
        names.extend(path[path.len() - half..].iter().map(name));
        (names, 0)
    };
    let (job, next_edge) = path[first];
    let draft = &drafts[job];
    let span = edges[job][next_edge - 1].named.span.clone();
    let message = format!("jobs depend on one another in a circle: {} → {}", names.join(" → "), name(&path[first]));
    pages[draft.page].mistake(span, message, Some("none of them could ever start".to_owned()));
}
