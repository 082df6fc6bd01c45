//! The daemon's side of the connection, as `src/warden_client.rs` has it: requests are sent at once, replies are read when the
//! daemon listens, and another warden is searched for meanwhile.

use std::collections::BTreeMap;

use crontabber_core::control::WardenEvent;

use crate::link::{Ask, Link, Tell};

/// Whether there is a warden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Receiver {
    /// It is read from this connection.
    Reads(u64),
    /// A thread looks for one.
    Searches,
    /// That thread has found one, and the daemon does not know yet.
    HasFound,
}

#[derive(Debug)]
pub(crate) struct Client {
    /// Where requests go; without it they go nowhere.
    pub(crate) link: Option<u64>,
    pub(crate) receiver: Receiver,
}

impl Client {
    pub(crate) fn new(link: u64) -> Self {
        Self { link: Some(link), receiver: Receiver::Reads(link) }
    }

    pub(crate) fn send(&self, ask: Ask, links: &mut BTreeMap<u64, Link>) {
        if let Some(link) = self.link.and_then(|number| links.get_mut(&number)).filter(|link| link.has_warden) {
            link.asks.push_back(ask);
        }
    }

    /// Says whether there is something to read.
    pub(crate) fn is_readable(&self, links: &BTreeMap<u64, Link>) -> bool {
        let Receiver::Reads(number) = self.receiver else { return false };
        links.get(&number).is_none_or(|link| !(link.tells.is_empty() && link.has_warden && link.has_daemon))
    }

    /// Reads all that has arrived.
    pub(crate) fn read(&mut self, links: &mut BTreeMap<u64, Link>) -> Vec<WardenEvent> {
        let Receiver::Reads(number) = self.receiver else { return Vec::new() };
        let mut events = Vec::new();
        let mut is_gone = true;
        if let Some(link) = links.get_mut(&number) {
            events.extend(link.tells.drain(..).map(|tell| match tell {
                Tell::Running(attempt, process) => WardenEvent::Started { attempt, process },
                Tell::Ended(attempt, end) => WardenEvent::Ended { attempt, end },
            }));
            is_gone = !(link.has_warden && link.has_daemon);
            link.has_daemon = !is_gone;
        }
        if is_gone {
            (self.link, self.receiver) = (None, Receiver::Searches);
            events.push(WardenEvent::Disconnected);
        }
        events
    }
}
