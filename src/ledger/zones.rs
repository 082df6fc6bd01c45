//! The time zones of sessions: a session stores a small number instead of a name.

use chrono_tz::Tz;
use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::LedgerError;
use super::schema::zones;

/// The zones of a ledger by their ids, which count up from 0.
#[derive(Debug, Default)]
pub(super) struct Zones(Vec<Result<Tz, String>>);

impl Zones {
    /// Reads the zones. To be read after the rows that name them: a writer adds zones at any time, and removes none.
    pub(super) fn load(connection: &mut AnyConnection) -> QueryResult<Self> {
        let names = zones::table.select(zones::name).order(zones::id).load::<String>(connection)?;
        Ok(Self(names.into_iter().map(|name| name.parse().map_err(|_| name)).collect()))
    }

    /// The zones that are known here, by their ids.
    pub(super) fn iter(&self) -> impl Iterator<Item = (i16, Tz)> {
        (0..).zip(&self.0).filter_map(|(id, zone)| Some((id, *zone.as_ref().ok()?)))
    }

    /// The zone with an id.
    pub(super) fn get(&self, id: i16) -> Result<Tz, LedgerError> {
        let found = usize::try_from(id).ok().and_then(|index| self.0.get(index));
        match found {
            Some(Ok(zone)) => Ok(*zone),
            Some(Err(name)) => Err(LedgerError::Corrupt(format!("the time zone `{name}` is unknown here"))),
            None => Err(LedgerError::Corrupt(format!("time zone number {id} has dates, and is not there"))),
        }
    }

    /// The id of a zone, which is inserted if the ledger does not have it.
    pub(super) fn find_or_insert(&mut self, connection: &mut AnyConnection, zone: Tz) -> QueryResult<i16> {
        let known = |zones: &Self| zones.0.iter().position(|known| *known == Ok(zone));
        let index = if let Some(index) = known(self) {
            index
        } else {
            // What was inserted here may have been rolled back.
            *self = Self::load(connection)?;
            known(self).unwrap_or(self.0.len())
        };
        let id = i16::try_from(index).unwrap_or(i16::MAX);
        if index == self.0.len() {
            let row = (zones::id.eq(id), zones::name.eq(zone.name()));
            diesel::insert_into(zones::table).values(row).execute(connection)?;
            self.0.push(Ok(zone));
        }
        Ok(id)
    }
}
