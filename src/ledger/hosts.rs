//! The machines that attempts were started on, each with the boot that their processes belong to: a number in every
//! attempt, in place of two texts. A writer looks each up once, and then knows it.

use diesel::prelude::*;

use super::connection::AnyConnection;
use super::rows::clean;
use super::schema::boots;

/// A machine, and a boot of it if that is known.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    host: String,
    boot_id: Option<String>,
    id: i32,
}

impl Machine {
    /// Its number.
    pub(super) fn id(&self) -> i32 {
        self.id
    }
}

/// The number of a boot among those that are known.
pub(super) fn known(boots: &[Machine], host: &str, boot_id: Option<&str>) -> Option<i32> {
    boots.iter().find(|boot| boot.host == host && boot.boot_id.as_deref() == boot_id).map(|boot| boot.id)
}

/// Finds a boot in the ledger, or enters it. The boots have the numbers from 1 on; a machine of which none is known has
/// one below 0, so that an attempt's row shows whether its process is known.
pub(super) fn find_or_enter(connection: &mut AnyConnection, host: &str, boot_id: Option<&str>) -> QueryResult<Machine> {
    let of_host = boots::table.filter(boots::host.eq(clean(host))).select(boots::id);
    let found = match boot_id {
        Some(boot_id) => of_host.filter(boots::boot_id.eq(clean(boot_id))).first::<i32>(connection),
        None => of_host.filter(boots::boot_id.is_null()).first::<i32>(connection),
    };
    let boot = |id| Machine { host: host.to_owned(), boot_id: boot_id.map(str::to_owned), id };
    if let Some(id) = found.optional()? {
        return Ok(boot(id));
    }
    let id = if boot_id.is_some() {
        boots::table.select(diesel::dsl::max(boots::id)).first::<Option<i32>>(connection)?.unwrap_or(0).max(0) + 1
    } else {
        boots::table.select(diesel::dsl::min(boots::id)).first::<Option<i32>>(connection)?.unwrap_or(0).min(0) - 1
    };
    diesel::insert_into(boots::table)
        .values((boots::id.eq(id), boots::host.eq(clean(host)), boots::boot_id.eq(boot_id.map(clean))))
        .execute(connection)?;
    Ok(boot(id))
}
