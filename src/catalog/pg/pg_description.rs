//! `pg_description`: comments on relations and columns.

use super::batch::{Rows, row};
use super::definition::{PG_CATALOG_OID, PUBLIC_OID};
use super::describe::{PG_CLASS, PG_NAMESPACE};
use super::rows::{Source, SystemRowsError};

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for (schema, comment) in SCHEMA_COMMENTS {
        row!(out, objoid: *schema, classoid: PG_NAMESPACE, objsubid: 0, description: *comment);
    }
    for relation in source.catalog.relations.values() {
        if let Some(comment) = &relation.comment {
            row!(out,
                objoid: relation.oid,
                classoid: PG_CLASS,
                objsubid: 0,
                description: comment.as_str(),
            );
        }
        for column in relation.columns() {
            let Some(comment) = &column.comment else { continue };
            row!(out,
                objoid: relation.oid,
                classoid: PG_CLASS,
                objsubid: i32::from(column.attnum),
                description: comment.as_str(),
            );
        }
    }
    Ok(())
}

/// Comments that a new database has, in the words clients compare.
pub(super) static SCHEMA_COMMENTS: &[(crate::types::Oid, &str)] =
    &[(PG_CATALOG_OID, "system catalog schema"), (PUBLIC_OID, "standard public schema")];
