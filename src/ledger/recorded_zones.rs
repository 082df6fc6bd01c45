//! The zones that dates were recorded with, for dates that are known without their rows.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use diesel::prelude::*;

use super::error::LedgerError;
use super::filter::Between;
use super::reader::Reader;
use super::rows::{instant, job_name, micros};
use super::schema::{jobs, sessions};
use super::zones::Zones;
use crate::job::JobName;

impl Reader {
    /// The newest success and the watermark of each job, with the zone of each.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn newest_zones(&mut self) -> Result<Vec<(JobName, DateTime<Utc>, Tz)>, LedgerError> {
        let of_job = sessions::job_id.eq(jobs::id);
        let successes = jobs::table
            .inner_join(sessions::table.on(of_job.and(sessions::date.nullable().eq(jobs::last_success))))
            .order(sessions::generation)
            .select((jobs::name, sessions::date, sessions::zone_id))
            .load::<(String, i64, i16)>(&mut self.connection)?;
        let watermarks = jobs::table
            .inner_join(sessions::table.on(of_job.and(sessions::date.nullable().eq(jobs::watermark))))
            .order(sessions::generation)
            .select((jobs::name, sessions::date, sessions::zone_id))
            .load::<(String, i64, i16)>(&mut self.connection)?;
        let zones = Zones::load(&mut self.connection)?;
        let all = successes.into_iter().chain(watermarks);
        all.map(|(name, date, zone)| Ok((job_name(&name)?, instant(date)?, zones.get(zone)?))).collect()
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
        let id = sessions::table
            .inner_join(jobs::table)
            .filter(jobs::name.eq(job.as_str()))
            .filter(sessions::date.eq(micros(date)))
            .order(sessions::generation.desc())
            .select(sessions::zone_id)
            .first::<i16>(&mut self.connection)
            .optional()?;
        let zones = Zones::load(&mut self.connection)?;
        id.map(|id| zones.get(id)).transpose()
    }
}
