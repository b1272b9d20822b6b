//! INSERT … ON CONFLICT.
//!
//! ```text
//! DO NOTHING   TableWrite(insert)          DO UPDATE   TableWrite(each)
//!                ConflictLookup                          Projection   action, row id, the row
//!                  rows                                    Projection   action: insert, or update where WHERE is true
//!                                                            ConflictLookup   excluded.*, target.*, row id
//!                                                              rows
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::{Column as PlanColumn, DFSchema, TableReference};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, LogicalPlanBuilder, lit, when};
use sqlparser::ast::{
    ConflictTarget, DoUpdate, Expr as SqlExpr, Ident, ObjectName, ObjectNamePart, OnConflictAction,
    OnInsert,
};

use super::reads::Read;
use super::{assign, ident_offset, write};
use crate::catalog::{
    Constraint, ConstraintKind, ConstraintTiming, Index, IndexSource, Relation, Table,
};
use crate::error::{PgError, SqlState};
use crate::parser::CONFLICT_PARTS;
use crate::planner::bind::context::BindContext;
use crate::planner::bind::sql::column_value::with_generated;
use crate::planner::bind::sql::names::fold;
use crate::planner::bind::sql::query::{bind_expression, type_of};
use crate::planner::node::{ConflictLookup, EXCLUDED, EachRow, RowAction, WriteKind};
use crate::planner::source::ROW_ID;
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// Name of the column that says what is done about a row.
pub(crate) const ACTION: &str = "graphwire.action";

/// The write of `rows` (the table's columns) that makes way for rows that are there.
///
/// # Errors
/// As PostgreSQL's: `42P10` where no key is meant, `55000` for a deferrable one.
pub(super) fn on_conflict(
    context: &BindContext,
    relation: &Arc<Relation>,
    alias: &str,
    on: &OnInsert,
    rows: LogicalPlan,
) -> Result<LogicalPlan, PgError> {
    let OnInsert::OnConflict(on) = on else {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error at or near \"DUPLICATE\""));
    };
    let Some(table) = relation.table() else {
        return Err(PgError::internal("ON CONFLICT on something that is not a table"));
    };
    let target = on.conflict_target.as_ref();
    let arbiters = match target {
        Some(target) => arbiters(context, relation, table, target)?,
        None => all_keys(context, relation, table)?,
    };
    match &on.action {
        OnConflictAction::DoNothing => {
            let mut node =
                ConflictLookup::skipping(Arc::clone(relation), arbiters.oids, Arc::new(rows));
            let reads = arbiters.columns.iter().copied().collect();
            node.reads = arbiters.columns;
            let write = write(relation, WriteKind::Insert, extension(node), 0, alias)?;
            Ok(Read { table, alias }.note(write, reads)?)
        }
        OnConflictAction::DoUpdate(_) if target.is_none() => Err(PgError::new(
            SqlState::SYNTAX_ERROR,
            "ON CONFLICT DO UPDATE requires inference specification or constraint name",
        )
        .hint("For example, ON CONFLICT (column_name).")),
        OnConflictAction::DoUpdate(update) => {
            do_update(context, relation, table, alias, arbiters, update, rows)
        }
    }
}

fn extension(node: ConflictLookup) -> LogicalPlan {
    LogicalPlan::Extension(Extension { node: Arc::new(node) })
}

/// Keys that count for a conflict.
struct Arbiters {
    /// None at all means all.
    oids: Vec<Oid>,
    /// Their columns, sorted.
    columns: Vec<usize>,
}

/// The key of a constraint that has one.
fn key_columns(constraint: &Constraint) -> Option<&[usize]> {
    match &constraint.kind {
        ConstraintKind::PrimaryKey { columns, .. } | ConstraintKind::Unique { columns, .. } => {
            Some(columns)
        }
        ConstraintKind::Check { .. } | ConstraintKind::ForeignKey { .. } => None,
    }
}

fn all_keys(
    context: &BindContext,
    relation: &Relation,
    table: &Table,
) -> Result<Arbiters, PgError> {
    for constraint in table.constraints.iter().filter(|known| key_columns(known).is_some()) {
        check_not_deferrable(context, relation, constraint)?;
    }
    Ok(Arbiters { oids: Vec::new(), columns: Vec::new() })
}

fn check_not_deferrable(
    context: &BindContext,
    relation: &Relation,
    constraint: &Constraint,
) -> Result<(), PgError> {
    if constraint.timing == ConstraintTiming::NotDeferrable {
        return Ok(());
    }
    let schema = context.catalog.schemas.get(&relation.schema);
    Err(PgError::new(
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        "ON CONFLICT does not support deferrable unique constraints/exclusion constraints as arbiters",
    )
    .table(schema.map_or("", |schema| schema.name.as_str()), &relation.name)
    .constraint(&constraint.name))
}

/// The keys that a conflict target means.
fn arbiters(
    context: &BindContext,
    relation: &Relation,
    table: &Table,
    target: &ConflictTarget,
) -> Result<Arbiters, PgError> {
    match target {
        ConflictTarget::Columns(names) => inferred(context, relation, table, names),
        ConflictTarget::OnConstraint(name) if computed_target(name).is_some() => {
            computed(table, &computed_target(name).unwrap_or_default())
        }
        ConflictTarget::OnConstraint(name) => named(context, relation, table, name),
    }
}

/// Keys over exactly these columns, in any order.
fn inferred(
    context: &BindContext,
    relation: &Relation,
    table: &Table,
    names: &[Ident],
) -> Result<Arbiters, PgError> {
    let mut wanted = Vec::with_capacity(names.len());
    for name in names {
        let at = table.position(&fold(name)).ok_or_else(|| {
            PgError::new(
                SqlState::UNDEFINED_COLUMN,
                format!("column \"{}\" does not exist", fold(name)),
            )
            .or_at(ident_offset(name))
        })?;
        wanted.push(at);
    }
    wanted.sort_unstable();
    wanted.dedup();
    let same = |columns: &[usize]| {
        let mut columns = columns.to_vec();
        columns.sort_unstable();
        columns.dedup();
        columns == wanted
    };
    let mut oids = Vec::new();
    for constraint in &table.constraints {
        if key_columns(constraint).is_some_and(same) {
            check_not_deferrable(context, relation, constraint)?;
            oids.push(constraint.oid);
        }
    }
    for index in table.indexes.iter().filter(|index| index.unique && index.predicate.is_none()) {
        let columns = index.keys.iter().map(|key| match &key.source {
            IndexSource::Column(at) => Some(*at),
            IndexSource::Expression { .. } => None,
        });
        if columns.collect::<Option<Vec<_>>>().is_some_and(|columns| same(&columns)) {
            oids.push(index.oid);
        }
    }
    if oids.is_empty() {
        return Err(no_arbiter());
    }
    Ok(Arbiters { oids, columns: wanted })
}

fn no_arbiter() -> PgError {
    PgError::new(
        SqlState::INVALID_COLUMN_REFERENCE,
        "there is no unique or exclusion constraint matching the ON CONFLICT specification",
    )
}

/// A target that is more than a list of columns, as the parser put it: its keys, and its condition.
#[derive(Debug, Default)]
struct ComputedTarget {
    keys: Vec<String>,
    condition: Option<String>,
}

fn computed_target(name: &ObjectName) -> Option<ComputedTarget> {
    let text = &name.0.last().and_then(ObjectNamePart::as_ident)?.value;
    let [key, condition] = CONFLICT_PARTS;
    let keys = text.strip_prefix(key)?;
    let (keys, condition) = match keys.split_once(condition) {
        Some((keys, condition)) => (keys, Some(condition.trim().to_owned())),
        None => (keys, None),
    };
    Some(ComputedTarget {
        keys: keys.split(key).map(|key| key.trim().to_owned()).collect(),
        condition,
    })
}

/// Indexes over the same keys, for the same rows or for all.
fn computed(table: &Table, target: &ComputedTarget) -> Result<Arbiters, PgError> {
    let mut wanted = Vec::with_capacity(target.keys.len());
    let mut columns = Vec::new();
    for key in &target.keys {
        let expr = crate::parser::stored::parse_expression(key)?;
        if let SqlExpr::Identifier(ident) = &expr {
            let at = table.position(&fold(ident)).ok_or_else(|| {
                PgError::new(
                    SqlState::UNDEFINED_COLUMN,
                    format!("column \"{}\" does not exist", fold(ident)),
                )
            })?;
            columns.push(at);
        }
        wanted.push(comparable(&expr));
    }
    wanted.sort_unstable();
    wanted.dedup();
    let condition = match &target.condition {
        Some(text) => Some(comparable(&crate::parser::stored::parse_expression(text)?)),
        None => None,
    };
    let keys_of = |index: &Index| -> Result<Vec<String>, PgError> {
        let mut keys = Vec::with_capacity(index.keys.len());
        for key in &index.keys {
            keys.push(match &key.source {
                IndexSource::Column(at) => {
                    table.columns.get(*at).map_or_else(String::new, |column| column.name.clone())
                }
                IndexSource::Expression { text, .. } => {
                    comparable(&crate::parser::stored::parse_expression(text)?)
                }
            });
        }
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    };
    let mut oids = Vec::new();
    for index in table.indexes.iter().filter(|index| index.unique) {
        let covers = match &index.predicate {
            None => true,
            Some(text) => {
                let own = comparable(&crate::parser::stored::parse_expression(text)?);
                condition.as_ref() == Some(&own)
            }
        };
        if covers && keys_of(index)? == wanted {
            oids.push(index.oid);
        }
    }
    columns.sort_unstable();
    let same = |constraint: &&Constraint| {
        let mut own = key_columns(constraint).map(<[usize]>::to_vec).unwrap_or_default();
        own.sort_unstable();
        own == columns && columns.len() == wanted.len()
    };
    oids.extend(table.constraints.iter().filter(same).map(|constraint| constraint.oid));
    if oids.is_empty() { Err(no_arbiter()) } else { Ok(Arbiters { oids, columns }) }
}

/// A text that two expressions share if they are written alike but for case, spaces and outer parentheses.
fn comparable(expr: &SqlExpr) -> String {
    match expr {
        SqlExpr::Nested(inner) => comparable(inner),
        SqlExpr::Identifier(ident) => fold(ident),
        other => other.to_string().to_lowercase().replace(['"', ' '], ""),
    }
}

/// The key of the constraint with this name.
fn named(
    context: &BindContext,
    relation: &Relation,
    table: &Table,
    name: &ObjectName,
) -> Result<Arbiters, PgError> {
    let ident = name.0.last().and_then(ObjectNamePart::as_ident);
    let wanted = ident.map(fold).unwrap_or_default();
    let Some(constraint) = table.constraints.iter().find(|constraint| constraint.name == wanted)
    else {
        return Err(PgError::new(
            SqlState::UNDEFINED_OBJECT,
            format!("constraint \"{wanted}\" for table \"{}\" does not exist", relation.name),
        ));
    };
    let Some(columns) = key_columns(constraint) else {
        return Err(PgError::new(
            SqlState::WRONG_OBJECT_TYPE,
            "constraint in ON CONFLICT clause has no associated index",
        ));
    };
    check_not_deferrable(context, relation, constraint)?;
    let mut columns = columns.to_vec();
    columns.sort_unstable();
    Ok(Arbiters { oids: vec![constraint.oid], columns })
}

fn do_update(
    context: &BindContext,
    relation: &Arc<Relation>,
    table: &Table,
    alias: &str,
    arbiters: Arbiters,
    update: &DoUpdate,
    rows: LogicalPlan,
) -> Result<LogicalPlan, PgError> {
    let name = TableReference::bare(alias);
    let mut node =
        ConflictLookup::joining(Arc::clone(relation), arbiters.oids, Arc::new(rows), &name)?;
    let values = assign::assignments(relation, table, &update.assignments)?;
    let schema = Arc::clone(datafusion::logical_expr::UserDefinedLogicalNodeCore::schema(&node));
    let row_id = || Expr::Column(PlanColumn::from_name(ROW_ID));
    let updates = match &update.selection {
        Some(selection) => condition(context, selection, &schema, "WHERE")?,
        None => lit(true),
    };
    let action = when(row_id().is_null(), lit(RowAction::Insert.code()))
        .when(updates, lit(RowAction::Update.code()))
        .otherwise(lit(RowAction::Nothing.code()))?
        .alias(ACTION);
    let is_update =
        || Expr::Column(PlanColumn::from_name(ACTION)).eq(lit(RowAction::Update.code()));
    let mut exprs = vec![Expr::Column(PlanColumn::from_name(ACTION)), row_id()];
    let excluded = TableReference::bare(EXCLUDED);
    // What was to be inserted is read as the table's columns are.
    let proposed = Read { table, alias: EXCLUDED };
    let mut reads = BTreeSet::new();
    proposed.expression(&action, &mut reads)?;
    for (at, column) in table.columns.iter().enumerate() {
        let of = |table: &TableReference| {
            Expr::Column(PlanColumn::new(Some(table.clone()), &column.name))
        };
        let assigned = values.iter().find(|(assigned, _)| *assigned == at);
        let value = match assigned {
            Some((_, value)) => assign::bind_value(context, value, column, &schema)?,
            None => of(&name),
        };
        proposed.expression(&value, &mut reads)?;
        let value = when(is_update(), value).otherwise(of(&excluded))?;
        exprs.push(value.alias_qualified(Some(alias), &column.name));
    }
    reads.extend(arbiters.columns);
    reads.extend(columns_of(&exprs, &action, &name, table));
    node.reads = reads.iter().copied().collect();
    let all: Vec<Expr> = schema.columns().into_iter().map(Expr::Column).collect();
    let with_action = all.into_iter().chain([action]);
    let plan = LogicalPlanBuilder::from(extension(node)).project(with_action)?.build()?;
    let plan = LogicalPlanBuilder::from(plan).project(exprs)?.build()?;
    let plan = with_generated(context, plan, table, 2)?;
    let assigned = values.into_iter().map(|(at, _)| at).collect();
    let each = EachRow { on_conflict: true, inserts: true, assigned, deletes: false };
    let write = write(relation, WriteKind::Each(each), plan, 0, alias)?;
    Ok(Read { table, alias }.note(write, reads)?)
}

/// Columns of the target that the statement's own expressions read; a column that only keeps its value is not read.
fn columns_of(exprs: &[Expr], action: &Expr, name: &TableReference, table: &Table) -> Vec<usize> {
    let mut found = Vec::new();
    let mut collect = |expr: &Expr, own: Option<&str>| {
        for column in expr.column_refs() {
            if column.relation.as_ref() == Some(name) && Some(column.name.as_str()) != own {
                found.extend(table.position(&column.name));
            }
        }
    };
    collect(action, None);
    for (expr, column) in exprs.iter().skip(2).zip(&table.columns) {
        collect(expr, Some(&column.name));
    }
    found
}

/// A condition of a clause, which must be boolean.
pub(super) fn condition(
    context: &BindContext,
    condition: &SqlExpr,
    schema: &DFSchema,
    clause: &str,
) -> Result<Expr, PgError> {
    let expr = bind_expression(context, condition, schema)?;
    let ty = type_of(&expr, schema)?;
    if !matches!(ty, PgType::Bool | PgType::Unknown) {
        return Err(PgError::new(
            SqlState::DATATYPE_MISMATCH,
            format!("argument of {clause} must be type boolean, not type {}", ty.name()),
        ));
    }
    Ok(expr)
}
