//! `pg_authid`: the roles of the reader's tenant, and PostgreSQL's predefined roles.
//!
//! `rolpassword` is always null: verifiers never leave the login code.

use super::batch::{Rows, Value, row};
use super::describe::{PREDEFINED_ROLES, is_visible_role};
use super::rows::{Source, SystemRowsError};
use crate::types::Oid;

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    let catalog = source.catalog;
    for role in catalog.cluster.roles.values().filter(|role| is_visible_role(catalog, role)) {
        push(out, role.oid, &role.name, role.superuser, role.login)?;
    }
    for (oid, name) in PREDEFINED_ROLES {
        if !catalog.cluster.roles.contains_key(oid) {
            push(out, *oid, name, false, false)?;
        }
    }
    Ok(())
}

fn push(
    out: &mut Rows,
    oid: Oid,
    name: &str,
    superuser: bool,
    login: bool,
) -> Result<(), SystemRowsError> {
    row!(out,
        oid: oid,
        rolname: name,
        rolsuper: superuser,
        rolinherit: true,
        // Superusers pass every check, so they may do all of this.
        rolcreaterole: superuser,
        rolcreatedb: superuser,
        rolcanlogin: login,
        rolreplication: false,
        rolbypassrls: superuser,
        rolconnlimit: -1,
        rolpassword: Value::Null,
        rolvaliduntil: Value::Null,
    );
    Ok(())
}
