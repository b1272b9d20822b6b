//! Comments on objects.

use super::super::index_of::index;
use super::super::pg_description::{SCHEMA_COMMENTS, is_domain_check};
use crate::catalog::Catalog;
use crate::types::Oid;

/// `obj_description`: the comment on an object of the named catalog (`pg_class` …), or on the first
/// object with this OID if no catalog is named.
pub fn obj_description(catalog: &Catalog, oid: Oid, of_catalog: Option<&str>) -> Option<String> {
    let asks_for = |name: &str| of_catalog.is_none_or(|wanted| wanted == name);
    let of_relation = || match catalog.relation(oid) {
        Some(relation) => relation.comment.clone(),
        None => index(catalog, oid).and_then(|_| catalog.comments.get(&oid).cloned()),
    };
    let of_constraint = || {
        let mut tables = catalog.relations.values().filter_map(|relation| relation.table());
        let is_one = tables.any(|table| {
            let mut known = table.constraints.iter();
            known.any(|constraint| constraint.oid == oid)
        });
        let is_one = is_one || is_domain_check(catalog, oid);
        if is_one { catalog.comments.get(&oid).cloned() } else { None }
    };
    let of_type = || catalog.types.get(&oid).and_then(|_| catalog.comments.get(&oid).cloned());
    let of_schema = || {
        if catalog.schemas.contains_key(&oid)
            && let Some(comment) = catalog.comments.get(&oid)
        {
            return Some(comment.clone());
        }
        let comment = SCHEMA_COMMENTS.iter().find(|(schema, _)| *schema == oid);
        comment.map(|(_, comment)| (*comment).to_owned())
    };
    asks_for("pg_class")
        .then(of_relation)
        .flatten()
        .or_else(|| asks_for("pg_constraint").then(of_constraint).flatten())
        .or_else(|| asks_for("pg_type").then(of_type).flatten())
        .or_else(|| asks_for("pg_namespace").then(of_schema).flatten())
}

/// `col_description`.
pub fn col_description(catalog: &Catalog, relation: Oid, attnum: i32) -> Option<String> {
    let columns = catalog.relation(relation)?.columns();
    columns.iter().find(|column| i32::from(column.attnum) == attnum)?.comment.clone()
}

/// `shobj_description`: comments on databases; none can be made on roles and tablespaces yet.
pub fn shobj_description(catalog: &Catalog, oid: Oid, of_catalog: &str) -> Option<String> {
    let is_database = of_catalog == "pg_database" && catalog.database.oid == oid;
    if is_database { catalog.comments.get(&oid).cloned() } else { None }
}
