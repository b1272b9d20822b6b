//! Constraints on their way into a table. Rows that are there already are the caller's to check.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use sqlparser::ast::{Expr, visit_expressions};

use super::names::object_name;
use crate::catalog::{
    Catalog, Constraint, ConstraintKind, IndexMethod, IndexSource, Persistence, Relation, Table,
};
use crate::error::{PgError, SqlState};
use crate::executor::write::check_key_type;
use crate::parser::stored::parse_expression;
use crate::planner::bind::sql::ddl::{NewConstraint, NewConstraintKind};
use crate::planner::bind::sql::fold;
use crate::session::session_impl::Session;
use crate::types::Oid;

/// Positions of columns by name.
pub(super) fn positions(
    relation: &Relation,
    table: &Table,
    names: &[String],
) -> Result<Vec<usize>, PgError> {
    names
        .iter()
        .map(|name| {
            table.position(name).ok_or_else(|| {
                PgError::new(
                    SqlState::UNDEFINED_COLUMN,
                    format!("column \"{name}\" of relation \"{}\" does not exist", relation.name),
                )
            })
        })
        .collect()
}

/// The column that a condition is about, if it is about one: a constraint without a name is called after it.
fn only_column(condition: &str, table: &Table) -> Option<String> {
    let mut columns = BTreeSet::new();
    let expr = parse_expression(condition).ok()?;
    let _: ControlFlow<()> = visit_expressions(&expr, |expr| {
        let name = match expr {
            Expr::Identifier(name) => Some(name),
            Expr::CompoundIdentifier(names) => names.last(),
            _ => None,
        };
        columns.extend(name.and_then(|name| table.position(&fold(name))));
        ControlFlow::Continue(())
    });
    match Vec::from_iter(columns).as_slice() {
        [only] => table.columns.get(*only).map(|column| column.name.clone()),
        _ => None,
    }
}

/// Adds a constraint to a table; its number.
///
/// # Errors
/// `42710` for a name that is taken, `42P16` for a second primary key, `42830` and `42804` for a foreign key that fits
/// nothing.
pub(super) fn add(
    session: &Session,
    catalog: &mut Catalog,
    relation: &Relation,
    table: &mut Table,
    new: NewConstraint,
) -> Result<Oid, PgError> {
    if let Some(name) = &new.name
        && table.constraints.iter().any(|constraint| constraint.name == *name)
    {
        return Err(PgError::new(
            SqlState::DUPLICATE_OBJECT,
            format!("constraint \"{name}\" for relation \"{}\" already exists", relation.name),
        ));
    }
    let mut from_index = None;
    let (columns, label, kind) = match new.kind {
        NewConstraintKind::PrimaryKey(names) => {
            let columns = primary_key(relation, table, positions(relation, table, &names)?)?;
            let include = positions(relation, table, &new.include)?;
            let kind = ConstraintKind::PrimaryKey { columns, index: catalog.allocate(), include };
            (String::new(), "pkey", kind)
        }
        NewConstraintKind::Unique { columns: names, nulls_not_distinct } => {
            let columns = positions(relation, table, &names)?;
            for column in &columns {
                check_key_type(&table.columns[*column].ty)?;
            }
            let (index, include) = (catalog.allocate(), positions(relation, table, &new.include)?);
            let kind = ConstraintKind::Unique { columns, index, include, nulls_not_distinct };
            let label: Vec<&str> = names.iter().chain(&new.include).map(String::as_str).collect();
            (label.join("_"), "key", kind)
        }
        NewConstraintKind::FromIndex { index, primary } => {
            let (name, kind) = take_index(relation, table, index, primary)?;
            from_index = Some(name);
            (String::new(), "", kind)
        }
        NewConstraintKind::Check { condition } => {
            let column = only_column(&condition, table).unwrap_or_default();
            (column, "check", ConstraintKind::Check { condition })
        }
        NewConstraintKind::ForeignKey {
            columns: names,
            referenced,
            referenced_columns,
            on_update,
            on_delete,
            delete_columns,
            match_full,
        } => {
            let columns = positions(relation, table, &names)?;
            let delete_columns = positions(relation, table, &delete_columns)?;
            if let Some(outside) = delete_columns.iter().find(|at| !columns.contains(at)) {
                return Err(PgError::new(
                    SqlState::INVALID_COLUMN_REFERENCE,
                    format!(
                        "column \"{}\" referenced in ON DELETE SET action must be part of foreign key",
                        table.columns[*outside].name
                    ),
                ));
            }
            let (referenced, referenced_columns) =
                foreign_key(catalog, relation, table, &columns, (referenced, &referenced_columns))?;
            let kind = ConstraintKind::ForeignKey {
                columns,
                referenced,
                referenced_columns,
                on_update,
                on_delete,
                delete_columns,
                match_full,
            };
            (names.join("_"), "fkey", kind)
        }
    };
    let is_taken = |name: &str| {
        catalog.name_is_taken(relation.schema, name)
            || table.constraints.iter().any(|constraint| constraint.name == name)
    };
    let makes_index =
        matches!(kind, ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. })
            && from_index.is_none();
    let name = match (new.name, from_index) {
        (Some(name), None) if makes_index && is_taken(&name) => {
            return Err(PgError::new(
                SqlState::DUPLICATE_TABLE,
                format!("relation \"{name}\" already exists"),
            ));
        }
        (Some(name), Some(index)) if name != index => {
            session.shared.notify(PgError::notice(format!(
                "ALTER TABLE / ADD CONSTRAINT USING INDEX will rename index \"{index}\" to \"{name}\""
            )));
            name
        }
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) => object_name(&relation.name, &columns, label, is_taken),
    };
    let oid = catalog.allocate();
    let mut constraint = Constraint::new(oid, name, kind);
    constraint.validated = !new.not_valid;
    constraint.timing = new.timing;
    table.constraints.push(constraint);
    Ok(oid)
}

fn primary_key(
    relation: &Relation,
    table: &mut Table,
    columns: Vec<usize>,
) -> Result<Vec<usize>, PgError> {
    if table.primary_key().is_some() {
        return Err(PgError::new(
            SqlState::INVALID_TABLE_DEFINITION,
            format!("multiple primary keys for table \"{}\" are not allowed", relation.name),
        ));
    }
    for column in &columns {
        check_key_type(&table.columns[*column].ty)?;
        table.columns[*column].not_null = true;
    }
    Ok(columns)
}

/// Makes a constraint of a unique index, which is no index by itself then.
fn take_index(
    relation: &Relation,
    table: &mut Table,
    oid: Oid,
    primary: bool,
) -> Result<(String, ConstraintKind), PgError> {
    let Some(at) = table.indexes.iter().position(|index| index.oid == oid) else {
        let name = table.constraints.iter().find(|known| known.index() == Some(oid));
        return Err(PgError::new(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!(
                "index \"{}\" is already associated with a constraint",
                name.map_or("", |constraint| constraint.name.as_str())
            ),
        ));
    };
    let index = table.indexes[at].clone();
    let wrong = |what: String| {
        PgError::new(SqlState::WRONG_OBJECT_TYPE, what)
            .detail("Cannot create a primary key or unique constraint using such an index.")
    };
    if !index.unique || index.method != IndexMethod::Btree {
        return Err(wrong(format!("\"{}\" is not a unique index", index.name)));
    }
    if index.predicate.is_some() {
        return Err(wrong(format!("\"{}\" is a partial index", index.name)));
    }
    let mut columns = Vec::with_capacity(index.keys.len());
    for (at, key) in index.keys.iter().enumerate() {
        let IndexSource::Column(column) = key.source else {
            return Err(wrong(format!("index \"{}\" contains expressions", index.name)));
        };
        if key.descending || key.nulls_first || key.operator_class.is_some() {
            return Err(wrong(format!(
                "index \"{}\" column number {} does not have default sorting behavior",
                index.name,
                at + 1
            )));
        }
        columns.push(column);
    }
    let include = index.include.clone();
    let kind = if primary {
        let columns = primary_key(relation, table, columns)?;
        ConstraintKind::PrimaryKey { columns, index: oid, include }
    } else {
        let nulls_not_distinct = index.nulls_not_distinct;
        ConstraintKind::Unique { columns, index: oid, include, nulls_not_distinct }
    };
    table.indexes.remove(at);
    Ok((index.name, kind))
}

/// What lives longer cannot rest on what lives shorter.
fn check_persistence(relation: &Relation, other: &Relation) -> Result<(), PgError> {
    let words = match (relation.persistence, other.persistence) {
        (Persistence::Permanent, Persistence::Permanent)
        | (Persistence::Unlogged, Persistence::Permanent | Persistence::Unlogged)
        | (Persistence::Temporary, Persistence::Temporary) => return Ok(()),
        (Persistence::Permanent, _) => ("permanent", "permanent"),
        (Persistence::Unlogged, _) => ("unlogged", "permanent or unlogged"),
        (Persistence::Temporary, _) => ("temporary", "temporary"),
    };
    Err(PgError::new(
        SqlState::INVALID_TABLE_DEFINITION,
        format!("constraints on {} tables may reference only {} tables", words.0, words.1),
    ))
}

/// The table and columns a foreign key refers to.
fn foreign_key(
    catalog: &Catalog,
    relation: &Relation,
    table: &Table,
    columns: &[usize],
    (referenced, names): (Option<Oid>, &[String]),
) -> Result<(Oid, Vec<usize>), PgError> {
    let other = referenced.filter(|oid| *oid != relation.oid);
    let other = other.and_then(|oid| catalog.relation(oid)).and_then(|other| other.table());
    let target: &Table = other.map_or(table, Arc::as_ref);
    let referenced_columns = if names.is_empty() {
        target.primary_key().map(<[usize]>::to_vec).ok_or_else(|| {
            PgError::new(
                SqlState::UNDEFINED_OBJECT,
                format!("there is no primary key for referenced table \"{}\"", relation.name),
            )
        })?
    } else {
        positions(relation, target, names)?
    };
    if let Some(other) = referenced.and_then(|oid| catalog.relation(oid)) {
        check_persistence(relation, other)?;
    }
    if columns.len() != referenced_columns.len() {
        return Err(PgError::new(
            SqlState::INVALID_FOREIGN_KEY,
            "number of referencing and referenced columns for foreign key disagree",
        ));
    }
    for (own, theirs) in columns.iter().zip(&referenced_columns) {
        let (own, theirs) = (&table.columns[*own], &target.columns[*theirs]);
        if own.ty.category() != theirs.ty.category() {
            return Err(PgError::new(
                SqlState::DATATYPE_MISMATCH,
                "foreign key constraint cannot be implemented",
            )
            .detail(format!(
                "Key columns \"{}\" and \"{}\" are of incompatible types: {} and {}.",
                own.name,
                theirs.name,
                own.ty.name(),
                theirs.ty.name()
            )));
        }
    }
    Ok((referenced.unwrap_or(relation.oid), referenced_columns))
}
