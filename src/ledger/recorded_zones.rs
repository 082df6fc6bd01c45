//! The zones that dates were recorded with, for dates that are known without their rows.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use diesel::prelude::*;

use super::error::LedgerError;
use super::filter::Between;
use super::reader::Reader;
use super::rows::{instant, job_name, micros, number};
use super::schema::{jobs, sessions};
use super::zones::Zones;
use crate::job::JobName;
use crate::session::REPLACED;

impl Reader {
    /// The newest success and the watermark of each job, with the zone of each.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn newest_zones(&mut self) -> Result<Vec<(JobName, DateTime<Utc>, Tz)>, LedgerError> {
        // One key for each job, all in one query: a join would scan the sessions.
        let of_job = sessions::job_id.eq(jobs::id).and(sessions::generation.eq(jobs::generation));
        let zone = sessions::table.filter(of_job).select(sessions::zone_id).limit(1);
        let of_success = zone.filter(sessions::date.nullable().eq(jobs::last_success)).single_value();
        let of_watermark = zone.filter(sessions::date.nullable().eq(jobs::watermark)).single_value();
        let rows = jobs::table
            .select((jobs::name, (jobs::last_success, of_success), (jobs::watermark, of_watermark)))
            .load::<(String, (Option<i64>, Option<i16>), (Option<i64>, Option<i16>))>(&mut self.connection)?;
        let zones = Zones::load(&mut self.connection)?;
        let mut found = Vec::with_capacity(rows.len());
        for (name, success, watermark) in rows {
            let name = job_name(&name)?;
            for (date, zone) in [success, watermark] {
                let Some(date) = date.map(instant).transpose()? else { continue };
                let zone = match zone {
                    Some(id) => Some(zones.get(id)?),
                    // A reset may have left the date in an earlier generation.
                    None => self.zone_at(&name, date)?,
                };
                found.extend(zone.map(|zone| (name.clone(), date, zone)));
            }
        }
        Ok(found)
    }

    /// Whether a job (in its generation in force) has a date in a range that was recorded with another zone.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn has_other_zone(&mut self, job: &JobName, zone: Tz, dates: Between) -> Result<bool, LedgerError> {
        let Some((id, generation)) = self.number_of(job)? else { return Ok(false) };
        let zones = Zones::load(&mut self.connection)?;
        let same = zones.iter().find(|(_, known)| *known == zone).map_or(-1, |(id, _)| id);
        let (from, to) = dates.micros();
        let others = sessions::table
            .filter(sessions::job_id.eq(id).and(sessions::generation.eq(generation)))
            .filter(sessions::date.ge(from).and(sessions::date.lt(to)))
            .filter(sessions::zone_id.ne(same));
        Ok(others.select(sessions::date).first::<i64>(&mut self.connection).optional()?.is_some())
    }

    /// The zone of a date of a job, in its newest generation that has the date.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn zone_at(&mut self, job: &JobName, date: DateTime<Utc>) -> Result<Option<Tz>, LedgerError> {
        let Some((id, newest)) = self.number_of(job)? else { return Ok(None) };
        let mut found = None;
        for generation in (number(REPLACED)..=newest).rev() {
            let row = sessions::table.find((id, generation, micros(date))).select(sessions::zone_id);
            found = row.first::<i16>(&mut self.connection).optional()?;
            if found.is_some() {
                break;
            }
        }
        let zones = Zones::load(&mut self.connection)?;
        found.map(|id| zones.get(id)).transpose()
    }
}
