//! `pg_namespace`: schemas.

use super::batch::{Rows, Value, row};
use super::rows::{Source, SystemRowsError};

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for schema in source.catalog.schemas.values() {
        row!(out,
            oid: schema.oid,
            nspname: schema.name.as_str(),
            nspowner: schema.owner,
            nspacl: Value::Null,
        );
    }
    Ok(())
}
