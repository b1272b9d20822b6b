//! `pg_depend`: what cannot be dropped without what.
//!
//! What a view reads is listed by relation, not by column.

use std::sync::Arc;

use super::batch::{Rows, row};
use super::derived_oid;
use super::describe::{
    PG_ATTRDEF, PG_CLASS, PG_CONSTRAINT, PG_NAMESPACE, PG_REWRITE, PG_TYPE, columns_in_expression,
};
use super::index_of::{KeyOf, attnums, indexes_of};
use super::rows::{Source, SystemRowsError};
use crate::catalog::object::{
    ColumnDefault, Constraint, ConstraintKind, Relation, RelationKind, Table,
};
use crate::catalog::{Catalog, UserType, stored_text};
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// An object, or with a number one of its columns.
#[derive(Clone, Copy)]
struct Object {
    catalog: Oid,
    oid: Oid,
    column: i16,
}

impl Object {
    fn new(catalog: Oid, oid: Oid) -> Self {
        Self { catalog, oid, column: 0 }
    }

    fn column(relation: Oid, column: i16) -> Self {
        Self { catalog: PG_CLASS, oid: relation, column }
    }
}

const NORMAL: char = 'n';
const AUTO: char = 'a';
const INTERNAL: char = 'i';
const EXTENSION: char = 'e';

/// `pg_extension` in `pg_class`.
const PG_EXTENSION: Oid = Oid(3079);

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    source.catalog.types.values().try_for_each(|ty| type_rows(source.catalog, ty, out))?;
    for relation in source.catalog.relations.values() {
        let this = Object::new(PG_CLASS, relation.oid);
        match &relation.kind {
            // Pinned: nothing can drop what belongs to the system.
            RelationKind::System(_) => continue,
            RelationKind::Table(table) => table_rows(source.catalog, relation, table, out)?,
            RelationKind::Sequence(sequence) => {
                if let Some(owner) = sequence.owner {
                    let kind = if owner.identity { INTERNAL } else { AUTO };
                    push(out, this, Object::column(owner.table, owner.attnum), kind)?;
                }
                push(out, this, Object::new(PG_NAMESPACE, relation.schema), NORMAL)?;
                continue;
            }
            RelationKind::MaterializedView(_) | RelationKind::View(_) => {
                let Some(view) = relation.view() else { continue };
                let rule = Object::new(PG_REWRITE, derived_oid::view_rule(relation.oid));
                push(out, rule, this, INTERNAL)?;
                push(out, rule, this, NORMAL)?;
                // System relations are pinned: PostgreSQL lists no dependency on them.
                for read in view.reads.iter().filter(|read| read.relation >= Oid::FIRST_NORMAL) {
                    push(out, rule, Object::new(PG_CLASS, read.relation), NORMAL)?;
                }
            }
            RelationKind::PropertyGraph(graph) => {
                for element in graph.elements() {
                    push(out, this, Object::new(PG_CLASS, element.relation), NORMAL)?;
                }
            }
        }
        if !matches!(relation.kind, RelationKind::PropertyGraph(_)) {
            let row_type = Object::new(PG_TYPE, derived_oid::row_type(relation.oid));
            let array = Object::new(PG_TYPE, derived_oid::row_array_type(relation.oid));
            push(out, row_type, this, INTERNAL)?;
            push(out, array, row_type, INTERNAL)?;
        }
        push(out, this, Object::new(PG_NAMESPACE, relation.schema), NORMAL)?;
    }
    Ok(())
}

/// A type, its schema and the array over it.
fn type_rows(catalog: &Catalog, ty: &UserType, out: &mut Rows) -> Result<(), SystemRowsError> {
    let this = Object::new(PG_TYPE, ty.oid());
    let array = Object::new(PG_TYPE, ty.array_oid());
    push(out, this, Object::new(PG_NAMESPACE, ty.schema), NORMAL)?;
    push(out, array, this, INTERNAL)?;
    if let Some((_, extension)) = ty.extension() {
        let extension = Object::new(PG_EXTENSION, extension);
        push(out, extension, Object::new(PG_NAMESPACE, ty.schema), NORMAL)?;
        push(out, this, extension, EXTENSION)?;
    }
    if let Some(row) = ty.row() {
        let relation = Object::new(PG_CLASS, row.relation);
        push(out, relation, this, INTERNAL)?;
        for (field, attnum) in row.ty.fields.iter().zip(1i16..) {
            if let Some(own) = column_type(catalog, &field.ty) {
                push(out, Object::column(row.relation, attnum), own, NORMAL)?;
            }
        }
    }
    let Some(domain) = ty.domain() else { return Ok(()) };
    if let Some(base) = column_type(catalog, &domain.ty.base) {
        push(out, this, base, NORMAL)?;
    }
    domain
        .checks
        .iter()
        .try_for_each(|check| push(out, Object::new(PG_CONSTRAINT, check.oid), this, AUTO))
}

/// The type of a column, where it is one of the database's own.
fn column_type(catalog: &Catalog, ty: &PgType) -> Option<Object> {
    let (_, _) = catalog.user_type(Oid(ty.oid()))?;
    Some(Object::new(PG_TYPE, Oid(ty.oid())))
}

fn table_rows(
    catalog: &Catalog,
    relation: &Arc<Relation>,
    table: &Table,
    out: &mut Rows,
) -> Result<(), SystemRowsError> {
    for column in &table.columns {
        if let Some(ty) = column_type(catalog, column.declared()) {
            push(out, Object::column(relation.oid, column.attnum), ty, NORMAL)?;
        }
        let Some(ColumnDefault::Expression(text) | ColumnDefault::Generated(text)) =
            &column.default
        else {
            continue;
        };
        let default = derived_oid::column_default(relation.oid, column.attnum);
        let default = Object::new(PG_ATTRDEF, default);
        push(out, default, Object::column(relation.oid, column.attnum), AUTO)?;
        for named in stored_text::relations_in(text) {
            push(out, default, Object::new(PG_CLASS, named), NORMAL)?;
        }
        if matches!(&column.default, Some(ColumnDefault::Generated(_))) {
            for other in attnums(table, &columns_in_expression(table, text)) {
                push(out, default, Object::column(relation.oid, other), NORMAL)?;
            }
        }
    }
    for index in indexes_of(relation) {
        let this = Object::new(PG_CLASS, index.oid);
        if let Some(constraint) = index.constraint() {
            push(out, this, Object::new(PG_CONSTRAINT, constraint.oid), INTERNAL)?;
            continue;
        }
        let mut named = attnums(table, index.include);
        for key in &index.keys {
            match key.what {
                KeyOf::Column(column) => named.push(column.attnum),
                KeyOf::Expression { text, .. } => {
                    named.extend(attnums(table, &columns_in_expression(table, text)));
                }
            }
        }
        if let Some(predicate) = index.predicate {
            named.extend(attnums(table, &columns_in_expression(table, predicate)));
        }
        named.sort_unstable();
        named.dedup();
        for column in named {
            push(out, this, Object::column(relation.oid, column), AUTO)?;
        }
    }
    for constraint in table.constraints.iter() {
        constraint_rows(catalog, relation.oid, table, constraint, out)?;
    }
    Ok(())
}

fn constraint_rows(
    catalog: &Catalog,
    relation: Oid,
    table: &Table,
    constraint: &Constraint,
    out: &mut Rows,
) -> Result<(), SystemRowsError> {
    let this = Object::new(PG_CONSTRAINT, constraint.oid);
    let own = match &constraint.kind {
        ConstraintKind::PrimaryKey { columns, .. }
        | ConstraintKind::Unique { columns, .. }
        | ConstraintKind::ForeignKey { columns, .. } => attnums(table, columns),
        ConstraintKind::Check { condition } => {
            attnums(table, &columns_in_expression(table, condition))
        }
    };
    for column in own {
        push(out, this, Object::column(relation, column), AUTO)?;
    }
    if let ConstraintKind::ForeignKey { referenced, referenced_columns, .. } = &constraint.kind {
        let target = catalog.relation(*referenced).and_then(|target| target.table());
        for column in target.map_or_else(Vec::new, |target| attnums(target, referenced_columns)) {
            push(out, this, Object::column(*referenced, column), NORMAL)?;
        }
    }
    Ok(())
}

fn push(out: &mut Rows, object: Object, on: Object, kind: char) -> Result<(), SystemRowsError> {
    row!(out,
        classid: object.catalog,
        objid: object.oid,
        objsubid: i32::from(object.column),
        refclassid: on.catalog,
        refobjid: on.oid,
        refobjsubid: i32::from(on.column),
        deptype: kind,
    );
    Ok(())
}
