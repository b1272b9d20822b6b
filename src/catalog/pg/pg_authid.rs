//! `pg_authid`: the roles of the reader's tenant, and the system's own.
//!
//! `rolpassword` is always null: verifiers never leave the login code.

use super::batch::{Rows, Value, row};
use super::rows::{Source, SystemRowsError};

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    let catalog = source.catalog;
    for role in catalog.cluster.roles.values().filter(|role| catalog.is_visible(role)) {
        row!(out,
            oid: role.oid,
            rolname: role.name.as_str(),
            rolsuper: role.superuser,
            rolinherit: role.inherit,
            rolcreaterole: role.create_role,
            rolcreatedb: role.create_db,
            rolcanlogin: role.login,
            rolreplication: role.replication,
            rolbypassrls: role.bypass_rls,
            rolconnlimit: role.connection_limit,
            rolpassword: Value::Null,
            rolvaliduntil: role.valid_until.map_or(Value::Null, Value::Timestamptz),
        );
    }
    Ok(())
}
