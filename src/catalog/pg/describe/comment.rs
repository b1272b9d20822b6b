//! Comments on objects.

use super::super::pg_description::SCHEMA_COMMENTS;
use crate::catalog::Catalog;
use crate::types::Oid;

/// `obj_description`: the comment on an object of the named catalog (`pg_class` …), or on the first
/// object with this OID if no catalog is named.
pub fn obj_description(catalog: &Catalog, oid: Oid, of_catalog: Option<&str>) -> Option<String> {
    let asks_for = |name: &str| of_catalog.is_none_or(|wanted| wanted == name);
    let of_relation = || catalog.relation(oid).and_then(|relation| relation.comment.clone());
    let of_schema = || {
        let comment = SCHEMA_COMMENTS.iter().find(|(schema, _)| *schema == oid);
        comment.map(|(_, comment)| (*comment).to_owned())
    };
    asks_for("pg_class")
        .then(of_relation)
        .flatten()
        .or_else(|| asks_for("pg_namespace").then(of_schema).flatten())
}

/// `col_description`.
pub fn col_description(catalog: &Catalog, relation: Oid, attnum: i32) -> Option<String> {
    let columns = catalog.relation(relation)?.columns();
    columns.iter().find(|column| i32::from(column.attnum) == attnum)?.comment.clone()
}

/// `shobj_description`: comments on databases, roles and tablespaces; none can be made yet.
pub fn shobj_description(_catalog: &Catalog, _oid: Oid, _of_catalog: &str) -> Option<String> {
    None
}
