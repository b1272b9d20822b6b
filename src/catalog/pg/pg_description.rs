//! `pg_description`: comments on relations and columns.

use super::batch::{Rows, row};
use super::definition::{PG_CATALOG_OID, PUBLIC_OID};
use super::describe::{PG_CLASS, PG_CONSTRAINT, PG_NAMESPACE, PG_TYPE};
use super::index_of::index;
use super::rows::{Source, SystemRowsError};
use crate::catalog::Catalog;
use crate::types::Oid;

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for (object, comment) in source.catalog.comments.iter() {
        let class = if source.catalog.schemas.contains_key(object) {
            PG_NAMESPACE
        } else if index(source.catalog, *object).is_some() {
            PG_CLASS
        } else if is_constraint(source.catalog, *object) {
            PG_CONSTRAINT
        } else if source.catalog.types.contains_key(object) {
            PG_TYPE
        } else {
            continue;
        };
        row!(out, objoid: *object, classoid: class, objsubid: 0, description: comment.as_str());
    }
    let replaced = |schema: &Oid| source.catalog.comments.contains_key(schema);
    for (schema, comment) in SCHEMA_COMMENTS.iter().filter(|(schema, _)| !replaced(schema)) {
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

fn is_constraint(catalog: &Catalog, oid: Oid) -> bool {
    if is_domain_check(catalog, oid) {
        return true;
    }
    let mut tables = catalog.relations.values().filter_map(|relation| relation.table());
    tables.any(|table| {
        let mut constraints = table.constraints.iter();
        constraints.any(|constraint| constraint.oid == oid)
    })
}

/// Whether a condition of a domain has this OID.
pub(super) fn is_domain_check(catalog: &Catalog, oid: Oid) -> bool {
    let mut domains = catalog.types.values().filter_map(|ty| ty.domain());
    domains.any(|domain| domain.checks.iter().any(|check| check.oid == oid))
}

/// Comments that a new database has, in the words clients compare.
pub(super) static SCHEMA_COMMENTS: &[(crate::types::Oid, &str)] =
    &[(PG_CATALOG_OID, "system catalog schema"), (PUBLIC_OID, "standard public schema")];
