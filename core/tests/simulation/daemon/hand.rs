//! The daemon's side of the connection, as `src/runner.rs` has it: requests are sent at once, replies are heard when the
//! daemon listens, and another warden is sought meanwhile.

use std::collections::BTreeMap;

use crontabber_core::control::WardenEvent;

use crate::link::{Ask, Link, Tell};

/// How it stands with the warden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Receiver {
    /// It is heard by this connection.
    Hears(u64),
    /// A thread looks for one.
    Seeks,
    /// That thread has found one, and the daemon does not know yet.
    HasFound,
}

#[derive(Debug)]
pub(crate) struct Hand {
    /// Where requests go; without it they go nowhere.
    pub(crate) link: Option<u64>,
    pub(crate) receiver: Receiver,
}

impl Hand {
    pub(crate) fn new(link: u64) -> Self {
        Self { link: Some(link), receiver: Receiver::Hears(link) }
    }

    pub(crate) fn send(&self, ask: Ask, links: &mut BTreeMap<u64, Link>) {
        if let Some(link) = self.link.and_then(|number| links.get_mut(&number)).filter(|link| link.has_warden) {
            link.asks.push_back(ask);
        }
    }

    /// Says whether there is something to hear.
    pub(crate) fn has_word(&self, links: &BTreeMap<u64, Link>) -> bool {
        let Receiver::Hears(number) = self.receiver else { return false };
        links.get(&number).is_none_or(|link| !(link.tells.is_empty() && link.has_warden && link.has_daemon))
    }

    /// Hears all that has come.
    pub(crate) fn hear(&mut self, links: &mut BTreeMap<u64, Link>) -> Vec<WardenEvent> {
        let Receiver::Hears(number) = self.receiver else { return Vec::new() };
        let mut reports = Vec::new();
        let mut is_over = true;
        if let Some(link) = links.get_mut(&number) {
            reports.extend(link.tells.drain(..).map(|tell| match tell {
                Tell::Running(attempt, process) => WardenEvent::Started { attempt, process },
                Tell::Ended(attempt, end) => WardenEvent::Ended { attempt, end },
            }));
            is_over = !(link.has_warden && link.has_daemon);
            link.has_daemon = !is_over;
        }
        if is_over {
            (self.link, self.receiver) = (None, Receiver::Seeks);
            reports.push(WardenEvent::Disconnected);
        }
        reports
    }
}
