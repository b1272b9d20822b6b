//! `pg_namespace`: schemas.

use super::batch::{Rows, row};
use super::definition::GRAPHWIRE_OID;
use super::describe::acl_texts;
use super::rows::{Source, SystemRowsError};
use crate::catalog::acl::AclClass;

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    let all = source.catalog.schemas.values();
    for schema in all.filter(|schema| schema.oid != GRAPHWIRE_OID) {
        row!(out,
            oid: schema.oid,
            nspname: schema.name.as_str(),
            nspowner: schema.owner,
            nspacl: source.catalog.stored_acl(AclClass::Schema, schema.oid)
                .map(|acl| acl_texts(source.catalog, &acl)),
        );
    }
    Ok(())
}
