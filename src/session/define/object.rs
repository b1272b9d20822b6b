//! RENAME, SET SCHEMA and OWNER TO.

use std::sync::Arc;

use crate::access::owned;
use crate::catalog::{Catalog, Relation, RelationKind};
use crate::error::PgError;
use crate::planner::bind::sql::ddl::{ObjectChange, ObjectRef};
use crate::types::Oid;

pub(super) fn alter(
    catalog: &mut Catalog,
    object: &ObjectRef,
    change: ObjectChange,
) -> Result<(), PgError> {
    match object {
        ObjectRef::Schema(oid) => schema(catalog, *oid, change),
        ObjectRef::Index(relation, oid) => index(catalog, relation.oid, *oid, change),
        ObjectRef::Relation(relation) => self::relation(catalog, relation.oid, change),
    }
}

fn gone() -> PgError {
    PgError::internal("what a statement names is gone")
}

fn schema(catalog: &mut Catalog, oid: Oid, change: ObjectChange) -> Result<(), PgError> {
    let mut schema = catalog.schemas.get(&oid).cloned().ok_or_else(gone)?;
    match change {
        ObjectChange::Rename(to) => schema.name = to,
        ObjectChange::OwnerTo(role) => {
            owned::give_schema(catalog, schema, role);
            return Ok(());
        }
        ObjectChange::RenameColumn(..) | ObjectChange::SetSchema(_) => return Err(gone()),
    }
    catalog.put_schema(schema);
    Ok(())
}

/// An index behind a constraint has its name, so they are renamed together. Its owner is the table's.
fn index(catalog: &mut Catalog, table: Oid, oid: Oid, change: ObjectChange) -> Result<(), PgError> {
    let relation = catalog.relation(table).cloned().ok_or_else(gone)?;
    let mut stored = relation.table().ok_or_else(gone)?.as_ref().clone();
    let ObjectChange::Rename(to) = change else {
        return Ok(());
    };
    if let Some(index) = stored.indexes.iter_mut().find(|index| index.oid == oid) {
        index.name.clone_from(&to);
    }
    if let Some(constraint) =
        stored.constraints.iter_mut().find(|constraint| constraint.index() == Some(oid))
    {
        constraint.name = to;
    }
    catalog.put_relation(relation.with_table(stored));
    Ok(())
}

fn relation(catalog: &mut Catalog, oid: Oid, change: ObjectChange) -> Result<(), PgError> {
    let mut relation = catalog.relation(oid).ok_or_else(gone)?.as_ref().clone();
    match change {
        ObjectChange::Rename(to) => {
            if let RelationKind::PropertyGraph(graph) = &mut relation.kind {
                Arc::make_mut(graph).name.clone_from(&to);
            }
            relation.name = to;
        }
        ObjectChange::OwnerTo(role) => {
            owned::give_relation(catalog, &relation, role);
            return Ok(());
        }
        ObjectChange::SetSchema(schema) => {
            for owned in catalog.sequences_of(oid, None) {
                let moved = Relation { schema, ..owned.as_ref().clone() };
                catalog.put_relation(moved);
            }
            relation.schema = schema;
        }
        ObjectChange::RenameColumn(at, to) => rename_column(&mut relation, at, to),
    }
    catalog.put_relation(relation);
    Ok(())
}

fn rename_column(relation: &mut Relation, at: usize, to: String) {
    match &mut relation.kind {
        RelationKind::View(view) => {
            if let Some(column) = Arc::make_mut(view).columns.get_mut(at) {
                column.name = to;
            }
        }
        RelationKind::MaterializedView(view) => {
            let view = Arc::make_mut(view);
            if let Some(column) = view.view.columns.get_mut(at) {
                column.name.clone_from(&to);
            }
            let mut columns = view.table.columns.clone();
            if let Some(column) = columns.get_mut(at) {
                column.name = to;
            }
            view.table = Arc::new(view.table.reshaped(columns, Vec::new()));
        }
        RelationKind::Table(_)
        | RelationKind::Sequence(_)
        | RelationKind::PropertyGraph(_)
        | RelationKind::System(_) => {}
    }
}
