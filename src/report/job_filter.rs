//! Which jobs a command is about: by name or pattern, tag and state.

use std::str::FromStr;

use super::error::ReportError;
use super::zones::{nearest, unknown_job};
use crate::job::{Job, JobName};
use crate::registry::Registry;
use crate::scheduler::JobCondition;
use crate::text::{SyntaxError, first_few, has_wildcards, matches, quoted};

/// How many tags the error about an unknown one names.
const NAMED: usize = 8;

/// A job, or a pattern of the names of jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobPattern {
    Name(JobName),
    /// `*` stands for any characters, `?` for one.
    Pattern(String),
}

impl JobPattern {
    fn matches(&self, name: &JobName) -> bool {
        match self {
            Self::Name(one) => one == name,
            Self::Pattern(pattern) => matches(pattern, name.as_str()),
        }
    }
}

impl FromStr for JobPattern {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if has_wildcards(text) {
            // What a name may contain is allowed in a pattern as well.
            let plain = format!("x{}", text.replace(['*', '?'], "x"));
            return JobName::new(&plain).map(|_| Self::Pattern(text.to_owned()));
        }
        JobName::new(text).map(Self::Name)
    }
}

/// Which jobs a command is about: those that meet every condition.
#[derive(Debug, Clone, Default)]
pub(crate) struct JobFilter {
    pub(crate) pattern: Option<JobPattern>,
    /// A job has one of these; any job if empty.
    pub(crate) tags: Vec<String>,
    /// A job is in one of these; in any if empty.
    pub(crate) states: Vec<JobCondition>,
}

impl JobFilter {
    /// Whether it is about all jobs.
    pub(crate) fn is_all(&self) -> bool {
        self.pattern.is_none() && self.tags.is_empty() && self.states.is_empty()
    }

    /// The one job that was named.
    pub(crate) fn name(&self) -> Option<&JobName> {
        match &self.pattern {
            Some(JobPattern::Name(name)) => Some(name),
            Some(JobPattern::Pattern(_)) | None => None,
        }
    }

    /// Whether it is about a job of the registry that is in this state.
    pub(crate) fn has(&self, job: &Job, state: JobCondition) -> bool {
        self.has_name(&job.name) && self.has_tag(job) && (self.states.is_empty() || self.states.contains(&state))
    }

    fn has_name(&self, name: &JobName) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.matches(name))
    }

    fn has_tag(&self, job: &Job) -> bool {
        self.tags.is_empty() || job.tags.iter().any(|tag| self.tags.contains(tag))
    }

    /// The jobs that it is about, without a look at their states; none if these are all. `known` are the jobs of the
    /// registry and the ledger.
    pub(crate) fn names<'known>(
        &self,
        registry: Option<&Registry>,
        known: impl Iterator<Item = &'known JobName> + Clone,
    ) -> Result<Option<Vec<JobName>>, ReportError> {
        self.know(registry, known.clone())?;
        if self.pattern.is_none() && self.tags.is_empty() {
            return Ok(None);
        }
        let jobs = registry.map_or(&[][..], |registry| &registry.jobs);
        let is_tagged = |name: &JobName| jobs.iter().any(|job| job.name == *name && self.has_tag(job));
        let mut names: Vec<JobName> =
            known.filter(|name| self.has_name(name) && (self.tags.is_empty() || is_tagged(name))).cloned().collect();
        names.sort_unstable();
        Ok(Some(names))
    }

    /// Refuses a job, a pattern and a tag that the registry does not have, for a command about its jobs.
    pub(crate) fn know_listed(&self, registry: &Registry, ghosts: &[JobName]) -> Result<(), ReportError> {
        if let Some(ghost) = self.name().filter(|name| ghosts.contains(name)) {
            let text = format!("`{ghost}` is not in the registry: a ghost, which never runs");
            return Err(ReportError::usage(text).hint(Some(format!("`crontabber status {ghost}` shows what it did"))));
        }
        self.know(Some(registry), registry.jobs.iter().map(|job| &job.name))
    }

    /// Refuses a job, a pattern and a tag that nothing has.
    pub(crate) fn know<'known>(
        &self,
        registry: Option<&Registry>,
        mut known: impl Iterator<Item = &'known JobName> + Clone,
    ) -> Result<(), ReportError> {
        match &self.pattern {
            Some(JobPattern::Name(name)) if !known.clone().any(|known| known == name) => {
                return Err(unknown_job(name.as_str(), known));
            }
            Some(JobPattern::Pattern(pattern)) if !known.any(|name| self.has_name(name)) => {
                let hint = "`crontabber list` names the jobs";
                return Err(ReportError::usage(format!("no job matches {}", quoted(pattern))).hint(Some(hint)));
            }
            _ => {}
        }
        let mut tags: Vec<&str> = Vec::new();
        for job in registry.map_or(&[][..], |registry| &registry.jobs) {
            tags.extend(job.tags.iter().map(String::as_str));
        }
        tags.sort_unstable();
        tags.dedup();
        match self.tags.iter().find(|tag| !tags.contains(&tag.as_str())) {
            Some(tag) => Err(unknown_tag(tag, &tags, registry.is_some())),
            None => Ok(()),
        }
    }
}

/// No job has this tag.
fn unknown_tag(tag: &str, tags: &[&str], has_registry: bool) -> ReportError {
    let hint = nearest(tag, tags.iter().copied()).unwrap_or_else(|| match tags {
        [] if !has_registry => "the registry has the tags, and it cannot be read".to_owned(),
        [] => "no job has tags: `tags = [\"…\"]` in the registry".to_owned(),
        tags => format!("the tags are {}", first_few(&tags.iter().map(|tag| quoted(tag)).collect::<Vec<_>>(), NAMED)),
    });
    ReportError::usage(format!("no job has the tag {}", quoted(tag))).hint(Some(hint))
}
