//! `pg_database`: the databases of the reader's tenant.

use super::batch::{Rows, Value, row};
use super::describe::acl_texts;
use super::rows::{Source, SystemRowsError};
use crate::catalog::acl::AclClass;
use crate::types::Oid;

const UTF8: i32 = 6;
const DEFAULT_TABLESPACE: Oid = Oid(1663);

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    let tenant = source.catalog.database.tenant;
    for database in source.catalog.cluster.databases.values() {
        if database.tenant != tenant {
            continue;
        }
        row!(out,
            oid: database.oid,
            datname: database.name.as_str(),
            datdba: database.owner,
            encoding: UTF8,
            datlocprovider: 'c',
            datistemplate: database.is_template,
            datallowconn: database.allow_connections,
            datconnlimit: database.connection_limit,
            datfrozenxid: Oid::INVALID,
            datminmxid: Oid::INVALID,
            dattablespace: DEFAULT_TABLESPACE,
            // Text is compared byte by byte; letters are those of Unicode.
            datcollate: "C",
            datctype: "C.UTF-8",
            daticulocale: Value::Null,
            datcollversion: Value::Null,
            datacl: source.catalog.stored_acl(AclClass::Database, database.oid)
                .map(|acl| acl_texts(source.catalog, &acl)),
        );
    }
    Ok(())
}
