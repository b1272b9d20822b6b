//! `pg_attribute`: columns of tables, views, system relations and indexes.

use super::batch::{Rows, Value, row};
use super::definition::GRAPHWIRE_OID;
use super::describe::acl_texts;
use super::index_of::indexes;
use super::rows::{Source, SystemRowsError};
use super::type_facts;
use crate::catalog::acl::Acl;
use crate::catalog::object::{Column, ColumnDefault};
use crate::types::Oid;
use crate::types::pg_type::PgType;

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    let all = source.catalog.relations.values();
    for relation in all.filter(|relation| relation.schema != GRAPHWIRE_OID) {
        for column in relation.columns() {
            let acl = source.catalog.grants.columns.get(&(relation.oid, column.attnum));
            push(source, out, (relation.oid, column.attnum), column, acl)?;
        }
    }
    for row in source.catalog.types.values().filter_map(|ty| ty.row()) {
        for (field, attnum) in row.ty.fields.iter().zip(1i16..) {
            let column = Column::of(attnum, field.name.clone(), field.ty.clone());
            push(source, out, (row.relation, attnum), &column, None)?;
        }
    }
    for index in indexes(source.catalog) {
        // An index numbers its own columns and has no defaults or NOT NULL of its own.
        let keys = index.keys.iter().map(|key| key.column());
        let carried = index.included().map(|column| Column {
            not_null: false,
            default: None,
            ..column.clone()
        });
        for (column, attnum) in keys.chain(carried).zip(1i16..) {
            push(source, out, (index.oid, attnum), &column, None)?;
        }
    }
    Ok(())
}

fn dimensions(ty: &PgType) -> i32 {
    match ty {
        PgType::Array(element) => 1 + dimensions(element),
        _ => 0,
    }
}

fn push(
    source: &Source<'_>,
    out: &mut Rows,
    (relation, attnum): (Oid, i16),
    column: &Column,
    acl: Option<&Acl>,
) -> Result<(), SystemRowsError> {
    let declared = column.declared();
    let facts = type_facts::facts(&column.ty);
    let (has_default, identity, generated) = match &column.default {
        None => (false, "", ""),
        Some(ColumnDefault::Expression(_)) => (true, "", ""),
        Some(ColumnDefault::Generated(_)) => (true, "", "s"),
        Some(ColumnDefault::Identity { always: true, .. }) => (false, "a", ""),
        Some(ColumnDefault::Identity { always: false, .. }) => (false, "d", ""),
    };
    row!(out,
        attrelid: relation,
        attname: column.name.as_str(),
        atttypid: Oid(declared.oid()),
        attstattarget: -1,
        attlen: column.ty.typlen(),
        attnum: attnum,
        attndims: dimensions(declared),
        attcacheoff: -1,
        atttypmod: declared.typmod(),
        attbyval: facts.by_value,
        attalign: facts.align,
        attstorage: facts.storage,
        attcompression: "",
        attnotnull: column.not_null,
        atthasdef: has_default,
        atthasmissing: false,
        attidentity: identity,
        attgenerated: generated,
        attisdropped: false,
        attislocal: true,
        attinhcount: 0,
        attcollation: column.collation.unwrap_or(facts.collation),
        attacl: acl.map(|acl| acl_texts(source.catalog, acl)),
        attoptions: Value::Null,
        attfdwoptions: Value::Null,
        attmissingval: Value::Null,
    );
    Ok(())
}
