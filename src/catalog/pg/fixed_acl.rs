//! ACLs of built-in functions, types and languages, put into their fixed rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListBuilder, StringViewBuilder};
use arrow::datatypes::{DataType, UInt32Type};
use arrow::record_batch::RecordBatch;

use super::describe::acl_texts;
use crate::catalog::Catalog;
use crate::catalog::acl::AclClass;

/// The class of a relation's rows and the column of their ACLs, for relations with fixed rows.
fn column_of(relation: &str) -> Option<(AclClass, &'static str)> {
    Some(match relation {
        "pg_proc" => (AclClass::Function, "proacl"),
        "pg_type" => (AclClass::Type, "typacl"),
        "pg_language" => (AclClass::Language, "lanacl"),
        "pg_tablespace" => (AclClass::Tablespace, "spcacl"),
        _ => return None,
    })
}

/// The rows with the ACLs that were stored; `None` if there are none.
pub(super) fn with_acls(
    catalog: &Catalog,
    relation: &str,
    batch: &RecordBatch,
) -> Option<RecordBatch> {
    let (class, column) = column_of(relation)?;
    let stored = catalog.grants.objects.iter().filter(|((known, _), _)| *known == class);
    let texts: BTreeMap<u32, Vec<String>> =
        stored.map(|((_, oid), acl)| (oid.0, acl_texts(catalog, acl))).collect();
    if texts.is_empty() {
        return None;
    }
    let at = batch.schema().index_of(column).ok()?;
    let DataType::List(item) = batch.schema().field(at).data_type().clone() else { return None };
    let oids = batch.column_by_name("oid")?.as_primitive_opt::<UInt32Type>()?;
    let mut builder = ListBuilder::new(StringViewBuilder::new()).with_field(item);
    for oid in oids {
        match oid.and_then(|oid| texts.get(&oid)) {
            Some(texts) => builder.append_value(texts.iter().map(Some)),
            None => builder.append_null(),
        }
    }
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    *columns.get_mut(at)? = Arc::new(builder.finish());
    debug_assert_eq!(columns.get(at).map(|one| one.len()), Some(batch.num_rows()));
    RecordBatch::try_new(batch.schema(), columns).ok()
}
