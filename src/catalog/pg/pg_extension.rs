//! `pg_extension`: extensions whose functions are built in.

use super::PG_CATALOG_OID;
use super::batch::{Rows, Value, row};
use super::rows::{Source, SystemRowsError};
use crate::types::Oid;

/// An extension that every database has.
#[derive(Debug)]
pub struct BuiltInExtension {
    oid: Oid,
    /// Its name.
    pub name: &'static str,
    version: &'static str,
}

/// The extensions there are.
pub static BUILT_IN_EXTENSIONS: &[BuiltInExtension] =
    &[BuiltInExtension { oid: Oid(13801), name: "uuid-ossp", version: "1.1" }];

/// What hstore is like here, by its version in PostgreSQL 15.
const HSTORE_VERSION: &str = "1.8";

/// The role that owns what is built in.
const SYSTEM_ROLE: Oid = Oid(10);

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for extension in BUILT_IN_EXTENSIONS {
        row!(out,
            oid: extension.oid,
            extname: extension.name,
            extowner: SYSTEM_ROLE,
            extnamespace: PG_CATALOG_OID,
            extrelocatable: false,
            extversion: extension.version,
            extconfig: Value::Null,
            extcondition: Value::Null,
        );
    }
    for ty in source.catalog.types.values() {
        let Some((name, oid)) = ty.extension() else { continue };
        row!(out,
            oid: oid,
            extname: name,
            extowner: ty.owner,
            extnamespace: ty.schema,
            extrelocatable: true,
            extversion: HSTORE_VERSION,
            extconfig: Value::Null,
            extcondition: Value::Null,
        );
    }
    Ok(())
}
