//! `CREATE INDEX`, `DROP INDEX`

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::row::{RowConverter, SortField};

use super::names::object_name;
use super::version_of;
use crate::catalog::{Catalog, Constraint, ConstraintKind, Index, IndexSource, Relation, Table};
use crate::error::{PgError, SqlState};
use crate::executor::write::check_key_type;
use crate::planner::bind::sql::ddl::NewIndex;
use crate::session::index_keys::IndexKeys;
use crate::session::session_impl::Session;
use crate::types::cast::to_text_array;
use crate::types::pg_type::PgType;
use crate::types::{Oid, OutputSettings};

/// Makes an index.
///
/// # Errors
/// `23505` if two rows have the same keys and it is unique, `42704` for a type without an order.
pub(super) fn create(
    session: &Session,
    catalog: &mut Catalog,
    new: NewIndex,
) -> Result<(), PgError> {
    let Some(table) = new.relation.table() else {
        return Err(PgError::internal("an index on something that is not a table"));
    };
    for key in &new.keys {
        check_key_type(key_type(table, &key.source))?;
    }
    let names: Vec<&str> = new.keys.iter().map(|key| key_name(table, &key.source)).collect();
    let name = new.name.clone().unwrap_or_else(|| {
        object_name(&new.relation.name, &names.join("_"), "idx", |name| {
            catalog.name_is_taken(new.relation.schema, name)
        })
    });
    let index = Index {
        oid: catalog.allocate(),
        name,
        method: new.method,
        keys: new.keys,
        include: new.include,
        unique: new.unique,
        nulls_not_distinct: new.nulls_not_distinct,
        predicate: new.predicate,
        comment: None,
    };
    if index.unique {
        check_unique(session, &new.relation, &index)?;
    }
    let mut table = table.as_ref().clone();
    table.indexes.push(index);
    catalog.put_relation(new.relation.with_table(table));
    Ok(())
}

/// The type of an index key.
pub(super) fn key_type<'a>(table: &'a Table, source: &'a IndexSource) -> &'a PgType {
    match source {
        IndexSource::Column(at) => {
            table.columns.get(*at).map_or(&PgType::Text, |column| &column.ty)
        }
        IndexSource::Expression { ty, .. } => ty,
    }
}

fn key_name<'a>(table: &'a Table, source: &'a IndexSource) -> &'a str {
    match source {
        IndexSource::Column(at) => table.columns.get(*at).map_or("", |column| &column.name),
        IndexSource::Expression { name, .. } => name,
    }
}

/// No two rows that are in the index may have the same keys.
///
/// # Errors
/// `23505` `could not create unique index`.
pub(super) fn check_unique(
    session: &Session,
    relation: &Arc<Relation>,
    index: &Index,
) -> Result<(), PgError> {
    let (Some(table), Some(version)) = (relation.table(), version_of(session, relation.oid)) else {
        return Ok(());
    };
    let keys = IndexKeys::bind(session, relation, index)?;
    let types: Vec<&PgType> = index.keys.iter().map(|key| key_type(table, &key.source)).collect();
    let converter = RowConverter::new(types.iter().map(|ty| SortField::new(ty.arrow())).collect())?;
    let mut seen: HashSet<Box<[u8]>> = HashSet::new();
    for batch in version.live_batches() {
        let batch = batch?;
        let arrays = keys.of(&batch)?;
        let rows = converter.convert_columns(&arrays.columns)?;
        for row in 0..batch.num_rows() {
            let is_null = arrays.columns.iter().any(|column| column.is_null(row));
            if !arrays.contains(row) || (is_null && !index.nulls_not_distinct) {
                continue;
            }
            if !seen.insert(rows.row(row).data().into()) {
                return Err(PgError::new(
                    SqlState::UNIQUE_VIOLATION,
                    format!("could not create unique index \"{}\"", index.name),
                )
                .detail(format!(
                    "Key ({})=({}) is duplicated.",
                    shown_keys(table, index),
                    shown_values(&arrays.columns, &types, row)
                ))
                .table("public", &relation.name)
                .constraint(&index.name));
            }
        }
    }
    Ok(())
}

/// `a, lower(b)`
fn shown_keys(table: &Table, index: &Index) -> String {
    let keys = index.keys.iter().map(|key| match &key.source {
        IndexSource::Column(at) => table.columns.get(*at).map_or("", |column| &column.name),
        IndexSource::Expression { text, .. } => text.as_str(),
    });
    keys.collect::<Vec<_>>().join(", ")
}

fn shown_values(columns: &[ArrayRef], types: &[&PgType], row: usize) -> String {
    let value = |(column, ty): (&ArrayRef, &&PgType)| {
        let text = to_text_array(&column.slice(row, 1), ty, &OutputSettings::default()).ok()?;
        (!text.is_null(0)).then(|| text.value(0).to_owned())
    };
    let values =
        columns.iter().zip(types).map(|pair| value(pair).unwrap_or_else(|| "null".to_owned()));
    values.collect::<Vec<_>>().join(", ")
}

/// Drops indexes that no constraint rests on.
///
/// # Errors
/// `2BP01` for the index of a constraint.
pub(super) fn drop(catalog: &mut Catalog, indexes: &[(Arc<Relation>, Oid)]) -> Result<(), PgError> {
    for (relation, oid) in indexes {
        let Some(relation) = catalog.relation(relation.oid).cloned() else { continue };
        let Some(table) = relation.table() else { continue };
        let mut constraints = table.constraints.iter();
        let of = constraints.find(|constraint| constraint.index() == Some(*oid));
        if let Some(constraint) = of {
            let what = format!("constraint {} on table {}", constraint.name, relation.name);
            return Err(PgError::new(
                SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
                format!("cannot drop index {} because {what} requires it", constraint.name),
            )
            .hint(format!("You can drop {what} instead.")));
        }
        refuse_referenced(catalog, &relation, *oid)?;
        let mut table = table.as_ref().clone();
        table.indexes.retain(|index| index.oid != *oid);
        if table.clustered == Some(*oid) {
            table.clustered = None;
        }
        catalog.put_relation(relation.with_table(table));
    }
    Ok(())
}

/// Foreign keys may rest on a unique index.
fn refuse_referenced(
    catalog: &Catalog,
    relation: &Arc<Relation>,
    index: Oid,
) -> Result<(), PgError> {
    let key =
        relation.table().and_then(|table| table.indexes.iter().find(|known| known.oid == index));
    let Some((name, Some(columns))) = key.map(|key| (&key.name, key.unique_columns())) else {
        return Ok(());
    };
    let rests = |constraint: &&Constraint| match &constraint.kind {
        ConstraintKind::ForeignKey { referenced, referenced_columns, .. } => {
            *referenced == relation.oid
                && referenced_columns.len() == columns.len()
                && referenced_columns.iter().all(|column| columns.contains(column))
        }
        _ => false,
    };
    let mut needed = Vec::new();
    let others = catalog.dependents(relation.oid);
    for other in others.iter().chain([relation]) {
        let constraints = other.table().into_iter().flat_map(|table| &table.constraints);
        needed.extend(constraints.filter(rests).map(|user| {
            format!("constraint {} on table {} depends on index {name}", user.name, other.name)
        }));
    }
    match needed.as_slice() {
        [] => Ok(()),
        needed => Err(super::drop::still_needed(&format!("index {name}"), needed)),
    }
}

/// An index as it must be after a column is gone; `None` if it goes too.
pub(super) fn without_column(
    index: &Index,
    gone: usize,
    uses: impl Fn(&str) -> bool,
) -> Option<Index> {
    let moved = |at: usize| match at.cmp(&gone) {
        std::cmp::Ordering::Less => Some(at),
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Greater => Some(at - 1),
    };
    if index.predicate.as_deref().is_some_and(&uses) {
        return None;
    }
    let mut index = index.clone();
    for key in &mut index.keys {
        match &mut key.source {
            IndexSource::Column(at) => *at = moved(*at)?,
            IndexSource::Expression { text, .. } if uses(text) => return None,
            IndexSource::Expression { .. } => {}
        }
    }
    index.include = index.include.iter().map(|at| moved(*at)).collect::<Option<_>>()?;
    Some(index)
}
