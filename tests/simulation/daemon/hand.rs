//! The daemon's side of the connection: what `src/runner.rs` does with its thread.

use std::collections::BTreeMap;

use crontabber::runner::{Known, Report};

use super::Message;
use crate::link::{Ask, Link, Tell};

/// What the thread that listens is about to do.
#[derive(Debug)]
pub(crate) enum Ear {
    /// It reads from this connection.
    Reads(u64),
    /// It looks for a warden.
    Seeks,
    /// It has found one, and will say so.
    Found(u64, Known),
}

#[derive(Debug)]
pub(crate) struct Hand {
    /// Where requests go; without it they go nowhere.
    pub(crate) link: Option<u64>,
    pub(crate) ear: Ear,
}

impl Hand {
    pub(crate) fn send(&self, ask: Ask, links: &mut BTreeMap<u64, Link>) {
        if let Some(link) = self.link.and_then(|number| links.get_mut(&number)).filter(|link| link.has_warden) {
            link.asks.push_back(ask);
        }
    }

    /// Says whether the thread has something to do.
    pub(crate) fn is_awake(&self, links: &BTreeMap<u64, Link>) -> bool {
        match self.ear {
            Ear::Reads(number) => {
                links.get(&number).is_none_or(|link| !(link.tells.is_empty() && link.has_warden && link.has_daemon))
            }
            Ear::Seeks | Ear::Found(..) => true,
        }
    }

    /// Hears the next thing; nothing if a warden must be sought.
    pub(crate) fn listen(&mut self, links: &mut BTreeMap<u64, Link>) -> Option<Message> {
        match std::mem::replace(&mut self.ear, Ear::Seeks) {
            Ear::Reads(number) => {
                let report = match links.get_mut(&number).and_then(|link| link.tells.pop_front()) {
                    Some(Tell::Running(attempt, process)) => Report::Started { attempt, process },
                    Some(Tell::Ended(attempt, end)) => Report::Ended { attempt, end },
                    None => {
                        if let Some(link) = links.get_mut(&number) {
                            link.has_daemon = false;
                        }
                        self.link = None;
                        return Some(Message::Runner(Report::Gone));
                    }
                };
                self.ear = Ear::Reads(number);
                Some(Message::Runner(report))
            }
            Ear::Found(number, known) => {
                self.ear = Ear::Reads(number);
                Some(Message::Runner(Report::Here(known)))
            }
            Ear::Seeks => None,
        }
    }
}
