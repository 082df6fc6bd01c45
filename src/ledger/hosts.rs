//! The hosts of attempts, each with a boot that processes belong to: an attempt stores one number instead of two texts.

use diesel::prelude::*;

use super::connection::AnyConnection;
use super::rows::clean;
use super::schema::hosts;

/// A host and one boot of it; no boot where the process of an attempt is not known.
#[derive(Debug, Clone)]
pub(super) struct Host {
    name: String,
    boot_id: Option<String>,
    id: i32,
}

impl Host {
    pub(super) fn id(&self) -> i32 {
        self.id
    }
}

/// The id of a host among those that were looked up before.
pub(super) fn known(hosts: &[Host], name: &str, boot_id: Option<&str>) -> Option<i32> {
    hosts.iter().find(|host| host.name == name && host.boot_id.as_deref() == boot_id).map(|host| host.id)
}

/// Finds a host in the ledger, or inserts it. Ids with a boot count up from 1, those without a boot down from -1, so that
/// the row of an attempt shows whether its process is known.
pub(super) fn find_or_insert(connection: &mut AnyConnection, name: &str, boot_id: Option<&str>) -> QueryResult<Host> {
    let of_name = hosts::table.filter(hosts::name.eq(clean(name))).select(hosts::id);
    let found = match boot_id {
        Some(boot_id) => of_name.filter(hosts::boot_id.eq(clean(boot_id))).first::<i32>(connection),
        None => of_name.filter(hosts::boot_id.is_null()).first::<i32>(connection),
    };
    let host = |id| Host { name: name.to_owned(), boot_id: boot_id.map(str::to_owned), id };
    if let Some(id) = found.optional()? {
        return Ok(host(id));
    }
    let id = if boot_id.is_some() {
        hosts::table.select(diesel::dsl::max(hosts::id)).first::<Option<i32>>(connection)?.unwrap_or(0).max(0) + 1
    } else {
        hosts::table.select(diesel::dsl::min(hosts::id)).first::<Option<i32>>(connection)?.unwrap_or(0).min(0) - 1
    };
    diesel::insert_into(hosts::table)
        .values((hosts::id.eq(id), hosts::name.eq(clean(name)), hosts::boot_id.eq(boot_id.map(clean))))
        .execute(connection)?;
    Ok(host(id))
}
