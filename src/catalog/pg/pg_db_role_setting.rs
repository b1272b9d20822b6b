//! `pg_db_role_setting`: settings that a session begins with, by database and role.

use super::batch::{Rows, row};
use super::rows::{Source, SystemRowsError};
use crate::types::Oid;

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    let catalog = source.catalog;
    let tenant = catalog.database.tenant;
    for ((database, role), settings) in &catalog.cluster.settings {
        let other_role = *role != Oid::INVALID && catalog.role(*role).is_none();
        let other_database = *database != Oid::INVALID
            && catalog.cluster.databases.get(database).is_none_or(|one| one.tenant != tenant);
        if other_role || other_database {
            continue;
        }
        let settings = settings.iter().map(|(name, value)| format!("{name}={value}"));
        row!(out,
            setdatabase: *database,
            setrole: *role,
            setconfig: settings.collect::<Vec<_>>(),
        );
    }
    Ok(())
}
