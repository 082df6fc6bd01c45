//! Jobs that name one another: missing ones, circles, and what is worth a look.

use std::collections::HashMap;

use super::jobs::Draft;
use super::nearest::Nearest;
use super::page::Page;
use super::section::quoted;

/// So many names of a circle are printed.
const LONGEST_CIRCLE: usize = 20;

/// Notes names that are declared twice, and dependencies that cannot be had.
pub(super) fn check(drafts: &[Draft], pages: &[Page], nearest: &Nearest) {
    let mut numbers: HashMap<&str, usize> = HashMap::with_capacity(drafts.len());
    for (number, draft) in drafts.iter().enumerate() {
        let first = *numbers.entry(draft.name.as_str()).or_insert(number);
        if first != number {
            let place = pages[drafts[first].page].place(drafts[first].name_span.start);
            let message = format!("job {} is declared twice", quoted(&draft.name));
            let hint = format!("it is first declared at {place}");
            pages[draft.page].mistake(draft.name_span.clone(), message, Some(hint));
        }
    }
    // A job that seems to be missing may stand where a file could not be read.
    let all_are_known = !pages.iter().any(Page::is_broken);
    let mut edges: Vec<Vec<Edge>> = Vec::with_capacity(drafts.len());
    for (number, draft) in drafts.iter().enumerate() {
        let mut edges_of_job = Vec::new();
        for (entry, (name, span)) in draft.depends_on.iter().enumerate() {
            match numbers.get(name.as_str()) {
                Some(to) if *to == number => {
                    let message = format!("job {} depends on itself", quoted(&draft.name));
                    pages[draft.page].mistake(span.clone(), message, None);
                }
                Some(to) => edges_of_job.push(Edge { to: *to, entry }),
                None if all_are_known => {
                    let hint = nearest.among(name, drafts.iter().map(|draft| draft.name.as_str()));
                    let hint = hint.map(|name| format!("did you mean `{name}`?"));
                    let message = format!("job {} depends on {}, which is no job", quoted(&draft.name), quoted(name));
                    pages[draft.page].mistake(span.clone(), message, hint);
                }
                None => {}
            }
        }
        warn(draft, &edges_of_job, drafts, pages);
        edges.push(edges_of_job);
    }
    circles(drafts, &edges, pages);
}

/// One name in `depends_on`.
#[derive(Debug, Clone, Copy)]
struct Edge {
    /// The number of the job that is named.
    to: usize,
    /// Which entry of the list it is.
    entry: usize,
}

/// Notes dependencies that keep a job waiting for longer than its writer may think.
fn warn(draft: &Draft, edges: &[Edge], drafts: &[Draft], pages: &[Page]) {
    for edge in edges {
        let needed = &drafts[edge.to];
        let (name, needed_name) = (quoted(&draft.name), quoted(&needed.name));
        let span = draft.depends_on[edge.entry].1.clone();
        if draft.enabled && !needed.enabled {
            let message = format!("job {name} depends on {needed_name}, which is disabled");
            pages[draft.page].warning(span, message, None);
        } else if let (Some(start), Some(needed_start)) = (draft.start, needed.start)
            && needed_start > start
        {
            let message = format!("job {name} starts before {needed_name}, which it depends on");
            let hint = format!("its first dates wait until the first date of {needed_name} is settled");
            pages[draft.page].warning(span, message, Some(hint));
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
fn circles(drafts: &[Draft], edges: &[Vec<Edge>], pages: &[Page]) {
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
fn note_circle(path: &[(usize, usize)], drafts: &[Draft], edges: &[Vec<Edge>], pages: &[Page]) {
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
    let span = draft.depends_on[edges[job][next_edge - 1].entry].1.clone();
    let message = format!("jobs depend on one another in a circle: {} → {}", names.join(" → "), name(&path[first]));
    pages[draft.page].mistake(span, message, Some("none of them could ever start".to_owned()));
}
