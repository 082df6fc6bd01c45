//! The registry of a case, and its text.

use crate::rules::Timetable;

/// What a job says about its former name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Previously {
    Unsaid,
    Name(String),
    /// It is another job.
    No,
}

/// A job of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) name: String,
    /// The file to which it writes.
    pub(crate) file: u32,
    /// Another number is another command.
    pub(crate) edition: u32,
    pub(crate) timetable: Timetable,
    pub(crate) backfill: bool,
    pub(crate) independent: bool,
    pub(crate) enabled: bool,
    pub(crate) max_dates: Option<u32>,
    /// A date that fails so often is held.
    pub(crate) attempts: Option<u32>,
    pub(crate) previously: Previously,
}

impl Job {
    fn toml(&self) -> String {
        let Timetable { rule, zone, start, end, delay_minutes } = self.timetable;
        let mut text = format!("\n[jobs.{}]\n{}timezone = \"{zone}\"\n", self.name, rule.toml());
        text.push_str(&start.map_or_else(String::new, |start| format!("start = {}\n", start.toml())));
        text.push_str(&end.map_or_else(String::new, |end| format!("end = {}\n", end.toml())));
        if delay_minutes > 0 {
            text.push_str(&format!("delay = \"{delay_minutes}m\"\n"));
        }
        if self.backfill {
            text.push_str("backfill = true\n");
            if self.independent {
                text.push_str("order = \"independent\"\n");
            }
            if let Some(dates) = self.max_dates {
                text.push_str(&format!("catch_up = {{ max_dates = {dates} }}\n"));
            }
        }
        if !self.enabled {
            text.push_str("enabled = false\n");
        }
        match &self.previously {
            Previously::Unsaid => {}
            Previously::Name(name) => text.push_str(&format!("previously = \"{name}\"\n")),
            Previously::No => text.push_str("previously = false\n"),
        }
        let attempts = self.attempts.map_or_else(String::new, |attempts| format!(", attempts = {attempts}"));
        text.push_str(&format!("retry = {{ after = \"1h\", factor = 1{attempts} }}\n"));
        // The jobs need no other clock, and start quicker without.
        text.push_str("environment = { LD_PRELOAD = \"\" }\n");
        text.push_str(&format!("command = [\"/bin/sh\", \"DIR/job.sh\", \"{}\", \"{}\"]\n", self.file, self.edition));
        text
    }
}

/// A registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Registry {
    pub(crate) announce_over: u32,
    pub(crate) jobs: Vec<Job>,
}

impl Registry {
    pub(crate) fn toml(&self) -> String {
        let mut text =
            format!("[daemon]\nannounce_over = {}\nmax_running = 4\nclock_guard = false\n", self.announce_over);
        text.extend(self.jobs.iter().map(Job::toml));
        text
    }

    pub(crate) fn job(&self, name: &str) -> Option<&Job> {
        self.jobs.iter().find(|job| job.name == name)
    }

    /// The lines that another registry has instead of those of this one.
    pub(crate) fn difference(&self, new: &Self) -> String {
        let mut text = String::new();
        let names = |registry: &Self| registry.jobs.iter().map(|job| job.name.clone()).collect::<Vec<_>>();
        let mut all = names(self);
        all.extend(names(new).into_iter().filter(|name| self.job(name).is_none()));
        for name in all {
            let toml = |registry: &Self| registry.job(&name).map(Job::toml).unwrap_or_default();
            let (old, new) = (toml(self), toml(new));
            let only = |one: &str, other: &str, mark: char| -> String {
                let lines = one.lines().filter(|line| !other.lines().any(|it| it == *line));
                let mut text = String::new();
                lines.for_each(|line| text.push_str(&format!("    {mark} {line}\n")));
                text
            };
            let (gone, come) = (only(&old, &new, '-'), only(&new, &old, '+'));
            if !gone.is_empty() || !come.is_empty() {
                text.push_str(&format!("    [jobs.{name}]\n{gone}{come}"));
            }
        }
        text
    }
}
