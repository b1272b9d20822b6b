//! Whether a name alone finds an object along a search path.

use super::super::definition::PG_CATALOG_OID;
use super::super::type_facts::row;
use super::name::{pseudo_type, row_type_of, schema_and_name};
use crate::catalog::{Catalog, QualifiedName};
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// Schemas in the order in which names are looked up.
pub(super) fn lookup_order<'a>(
    catalog: &'a Catalog,
    search_path: &'a [String],
) -> impl Iterator<Item = Oid> + 'a {
    let is_listed = search_path.iter().any(|schema| schema == "pg_catalog");
    let implicit = (!is_listed).then_some(PG_CATALOG_OID);
    let listed =
        search_path.iter().filter_map(|name| catalog.schema(name)).map(|schema| schema.oid);
    implicit.into_iter().chain(listed)
}

/// `pg_table_is_visible`, for tables, views, graphs and indexes; `None` if there is none.
pub fn table_is_visible(catalog: &Catalog, oid: Oid, search_path: &[String]) -> Option<bool> {
    let (schema, name) = schema_and_name(catalog, oid)?;
    for candidate in lookup_order(catalog, search_path) {
        if candidate == schema {
            return Some(true);
        }
        if find_in(catalog, candidate, name).is_some() {
            return Some(false);
        }
    }
    Some(false)
}

/// The relation or index of this name in a schema.
pub(super) fn find_in(catalog: &Catalog, schema: Oid, name: &str) -> Option<Oid> {
    if let Some(relation) = catalog.relation_in(schema, name) {
        return Some(relation.oid);
    }
    if schema == PG_CATALOG_OID {
        return None;
    }
    catalog.index_in(schema, name)
}

/// `pg_type_is_visible`; `None` if there is no such type.
pub fn type_is_visible(catalog: &Catalog, oid: Oid, search_path: &[String]) -> Option<bool> {
    if PgType::from_oid(oid.0, -1).is_some() {
        return Some(true);
    }
    if let Some((ty, _)) = catalog.user_type(oid) {
        let name = QualifiedName { schema: None, name: ty.name().to_owned() };
        let found = catalog.user_type_named(&name, search_path);
        return Some(found.is_some_and(|found| found.oid() == ty.oid()));
    }
    if let Some((relation, _)) = row_type_of(catalog, oid) {
        return table_is_visible(catalog, relation.oid, search_path);
    }
    pseudo_type(oid).map(|_| true)
}

/// `pg_function_is_visible`; `None` if there is no such function. All are in `pg_catalog`.
pub fn function_is_visible(catalog: &Catalog, oid: Oid, path: &[String]) -> Option<bool> {
    if let Some(made) = catalog.functions.get(&oid) {
        let name = QualifiedName { schema: None, name: made.name.clone() };
        let found = catalog.functions_named(&name, path);
        return Some(found.iter().any(|one| one.oid == oid));
    }
    super::function::exists(oid).then_some(true)
}

/// `pg_operator_is_visible`.
pub fn operator_is_visible(oid: Oid) -> Option<bool> {
    is_listed("pg_operator", oid)
}

/// `pg_opclass_is_visible`.
pub fn opclass_is_visible(oid: Oid) -> Option<bool> {
    is_listed("pg_opclass", oid)
}

/// `pg_opfamily_is_visible`.
pub fn opfamily_is_visible(oid: Oid) -> Option<bool> {
    is_listed("pg_opfamily", oid)
}

/// `pg_collation_is_visible`.
pub fn collation_is_visible(oid: Oid) -> Option<bool> {
    is_listed("pg_collation", oid)
}

fn is_listed(relation: &'static str, oid: Oid) -> Option<bool> {
    row(relation, oid, ["oid"]).map(|_| true)
}
