//! Columns of a table that is there already.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, new_null_array};
use datafusion::logical_expr::Expr;

use super::{Altered, constraint, graph};
use crate::catalog::sequence_options::SequenceOptions;
use crate::catalog::{
    Catalog, ColumnDefault, Constraint, ConstraintKind, IndexSource, Relation, View,
};
use crate::error::{PgError, SqlState};
use crate::executor::write::table_plan_schema;
use crate::planner::bind::sql::ddl::NewColumn;
use crate::planner::bind::sql::stored;
use crate::session::define::drop::{Plan, described, notify_cascade, still_needed};
use crate::session::define::{index, policy, sequence};
use crate::session::session_impl::Session;
use crate::session::stored_expressions::physical_expression;
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// The values of a column for the rows of a batch.
type Fill = Box<dyn FnMut(&RecordBatch) -> Result<ArrayRef, PgError>>;

/// Computes an expression over the table's columns as they are now.
fn computed(session: &Session, state: &Altered, expr: &Expr) -> Result<Fill, PgError> {
    let schema = table_plan_schema(&state.relation)?;
    let expr = physical_expression(&session.engine, expr, &schema)?;
    let plan = Arc::new(schema.as_arrow().clone());
    Ok(Box::new(move |batch| {
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let columns = batch.columns().to_vec();
        let input = RecordBatch::try_new_with_options(Arc::clone(&plan), columns, &options)?;
        Ok(expr.evaluate(&input)?.into_array(batch.num_rows())?)
    }))
}

pub(super) fn add(
    session: &Session,
    catalog: &mut Catalog,
    state: &mut Altered,
    new: NewColumn,
    fill: Option<Expr>,
) -> Result<(), PgError> {
    let mut column = new.column;
    column.attnum = state.table.next_attnum;
    state.table.next_attnum += 1;
    let ty = column.ty.arrow();
    let mut values: Fill = match (&new.sequence, fill) {
        (Some(new), _) => {
            let (made, default) =
                sequence::create_for_column(session, catalog, &state.relation, column.attnum, new)?;
            column.default = Some(default);
            let shared = Arc::clone(&session.shared);
            Box::new(move |batch| {
                let counting =
                    made.sequence().ok_or_else(|| PgError::internal("not a sequence"))?;
                let values = shared.next_values(&made, counting, batch.num_rows())?;
                Ok(arrow::compute::cast(&Int64Array::from(values), &ty)?)
            })
        }
        (None, Some(fill)) => computed(session, state, &fill)?,
        (None, None) => Box::new(move |batch| Ok(new_null_array(&ty, batch.num_rows()))),
    };
    let (name, not_null) = (column.name.clone(), column.not_null);
    // NOT NULL is checked when the values are known.
    column.not_null = false;
    state.table.columns.push(column);
    state.reshape(|batch| {
        let mut columns = batch.columns().to_vec();
        columns.push(values(batch)?);
        Ok(columns)
    })?;
    if not_null { set_not_null(state, &name, true) } else { Ok(()) }
}

pub(super) fn set_not_null(state: &mut Altered, name: &str, not_null: bool) -> Result<(), PgError> {
    let at = state.position(name)?;
    if !not_null && state.table.primary_key().is_some_and(|key| key.contains(&at)) {
        return Err(PgError::new(
            SqlState::INVALID_TABLE_DEFINITION,
            format!("column \"{name}\" is in a primary key"),
        ));
    }
    if not_null {
        refuse_nulls(state, at)?;
    }
    state.table.columns[at].not_null = not_null;
    state.relabel()
}

/// `23502` if a row has no value there.
pub(super) fn refuse_nulls(state: &Altered, at: usize) -> Result<(), PgError> {
    let Some(version) = &state.version else { return Ok(()) };
    for batch in version.live_batches() {
        let batch = batch?;
        if batch.column(at).logical_nulls().is_some_and(|nulls| nulls.null_count() > 0) {
            let (column, table) = (&state.table.columns[at].name, &state.relation.name);
            return Err(PgError::new(
                SqlState::NOT_NULL_VIOLATION,
                format!("column \"{column}\" of relation \"{table}\" contains null values"),
            )
            .table("public", table)
            .column(column));
        }
    }
    Ok(())
}

/// Views go on to know the column by its old name; texts of the table itself get the new one.
pub(super) fn rename(
    catalog: &mut Catalog,
    state: &mut Altered,
    from: &str,
    to: &str,
) -> Result<(), PgError> {
    let at = state.position(from)?;
    let renamed = |text: &mut String| -> Result<(), PgError> {
        *text = stored::renamed(text, from, to)?;
        Ok(())
    };
    for column in &mut state.table.columns {
        if let Some(ColumnDefault::Generated(text)) = &mut column.default {
            renamed(text)?;
        }
    }
    for constraint in &mut state.table.constraints {
        if let ConstraintKind::Check { condition } = &mut constraint.kind {
            renamed(condition)?;
        }
    }
    for index in &mut state.table.indexes {
        index.predicate.as_mut().map_or(Ok(()), renamed)?;
        for key in &mut index.keys {
            if let IndexSource::Expression { text, .. } = &mut key.source {
                renamed(text)?;
            }
        }
    }
    graph::rename_column(catalog, state.relation.oid, from, to)?;
    to.clone_into(&mut state.table.columns[at].name);
    state.relabel()
}

/// Views that cannot be without a column.
fn views_on(catalog: &Catalog, table: Oid, attnum: i16) -> Vec<Arc<Relation>> {
    let uses = |view: &View| {
        view.reads
            .iter()
            .filter(|read| read.relation == table)
            .any(|read| read.columns.iter().any(|column| column.attnum == attnum && column.used))
    };
    let dependents = catalog.dependents(table).into_iter();
    dependents.filter(|relation| relation.view().is_some_and(uses)).collect()
}

/// Names of generated columns computed from a column.
fn generated_from(state: &Altered, name: &str) -> Vec<String> {
    let columns = state.table.columns.iter();
    columns
        .filter(|column| match &column.default {
            Some(ColumnDefault::Generated(text)) => uses(text, name),
            Some(ColumnDefault::Expression(_) | ColumnDefault::Identity { .. }) | None => false,
        })
        .map(|column| column.name.clone())
        .collect()
}

fn uses(text: &str, column: &str) -> bool {
    // A text that cannot be read is taken to use every column.
    stored::columns_in(text).map_or(true, |names| names.iter().any(|name| name == column))
}

pub(super) fn set_type(
    session: &Session,
    catalog: &mut Catalog,
    state: &mut Altered,
    name: &str,
    ty: PgType,
    convert: &Expr,
) -> Result<(), PgError> {
    let at = state.position(name)?;
    let column = state.table.columns[at].clone();
    let refused = |what: &str, detail: String| {
        PgError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!("cannot alter type of a column used by a {what}"),
        )
        .detail(detail)
    };
    if let Some(view) = views_on(catalog, state.relation.oid, column.attnum).first() {
        let view = described(session, catalog, view);
        return Err(refused(
            "view or rule",
            format!("rule _RETURN on {view} depends on column \"{name}\""),
        ));
    }
    let own = (&state.relation, &state.table);
    if let Some((relation, policy)) = policy::on_column(catalog, own, column.attnum).first() {
        let on = described(session, catalog, relation);
        let policy = crate::catalog::pg::describe::quote_identifier(&policy.name);
        return Err(PgError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            "cannot alter type of a column used in a policy definition",
        )
        .detail(format!("policy {policy} on {on} depends on column \"{name}\"")));
    }
    if let Some(generated) = generated_from(state, name).first() {
        return Err(refused(
            "generated column",
            format!("Column \"{name}\" is used by generated column \"{generated}\"."),
        ));
    }
    let graphs = graph::over(catalog, state.relation.oid);
    if let Some((graph, _)) =
        graphs.iter().find(|(_, graph)| graph::uses(graph, state.relation.oid, at, name))
    {
        let graph = described(session, catalog, graph);
        return Err(refused("property graph", format!("{graph} depends on column \"{name}\"")));
    }
    let mut values = computed(session, state, convert)?;
    state.table.columns[at].declare(ty.clone());
    state.reshape(|batch| {
        let mut columns = batch.columns().to_vec();
        columns[at] = values(batch)?;
        Ok(columns)
    })?;
    if column.not_null {
        refuse_nulls(state, at)?;
    }
    if let Some(ColumnDefault::Identity { sequence: oid, .. }) = column.default
        && let Some(relation) = catalog.relation(oid).cloned()
    {
        let options = SequenceOptions { ty: Some(ty), ..Default::default() };
        sequence::alter(session, catalog, &relation, &options)?;
    }
    // Whatever names the column may mean something else now.
    state.checks.extend(state.table.constraints.iter().map(|constraint| constraint.oid));
    let unique = state.table.indexes.iter().filter(|index| index.unique);
    state.uniques.extend(unique.map(|index| index.oid));
    Ok(())
}

/// Positions after a column is gone; `None` if the column itself is among them.
fn without(columns: &[usize], gone: usize) -> Option<Vec<usize>> {
    columns
        .iter()
        .map(|column| match column.cmp(&gone) {
            std::cmp::Ordering::Less => Some(*column),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(column - 1),
        })
        .collect()
}

pub(super) fn drop(
    session: &mut Session,
    catalog: &mut Catalog,
    state: &mut Altered,
    name: &str,
    cascade: bool,
) -> Result<(), PgError> {
    let at = state.position(name)?;
    let column = state.table.columns[at].clone();
    let what = state.shown(name);
    let mut going = views_on(catalog, state.relation.oid, column.attnum);
    let graphs = graph::over(catalog, state.relation.oid).into_iter();
    going.extend(
        graphs
            .filter(|(_, graph)| graph::uses(graph, state.relation.oid, at, name))
            .map(|(relation, _)| relation),
    );
    let generated = generated_from(state, name);
    let plan = Plan::of_dependents(session, catalog, &going, &what);
    let mut needed = plan.sentences();
    let policies = policy::on_column(catalog, (&state.relation, &state.table), column.attnum);
    let policies: Vec<(Oid, Oid, String)> = policies
        .into_iter()
        .map(|(relation, policy)| {
            let name = crate::catalog::pg::describe::quote_identifier(&policy.name);
            let on = described(session, catalog, &relation);
            (relation.oid, policy.oid, format!("policy {name} on {on}"))
        })
        .collect();
    needed.extend(policies.iter().map(|(_, _, policy)| format!("{policy} depends on {what}")));
    needed.extend(
        generated.iter().map(|column| format!("{} depends on {what}", state.shown(column))),
    );
    if !needed.is_empty() && !cascade {
        return Err(still_needed(&what, &needed));
    }
    let mut gone = plan.objects();
    gone.extend(policies.iter().map(|(_, _, policy)| policy.clone()));
    gone.extend(generated.iter().map(|column| state.shown(column)));
    notify_cascade(session, &gone);
    plan.carry_out(session, catalog);
    for (table, policy, _) in policies {
        remove_policy(catalog, state, table, policy);
    }
    let keys: Vec<Constraint> = state
        .table
        .constraints
        .iter()
        .filter(|constraint| match &constraint.kind {
            ConstraintKind::PrimaryKey { columns, .. } | ConstraintKind::Unique { columns, .. } => {
                columns.contains(&at)
            }
            ConstraintKind::Check { .. } | ConstraintKind::ForeignKey { .. } => false,
        })
        .cloned()
        .collect();
    for key in keys {
        constraint::drop_referring(session, catalog, state, &key, (&what, &what), cascade)?;
    }
    for column in generated {
        let at = state.position(&column)?;
        remove(catalog, state, at)?;
    }
    let at = state.position(name)?;
    remove(catalog, state, at)
}

fn remove_policy(catalog: &mut Catalog, state: &mut Altered, table: Oid, policy: Oid) {
    if table == state.relation.oid {
        state.table.row_security.policies.retain(|known| known.oid != policy);
        return;
    }
    let Some(relation) = catalog.relation(table).cloned() else { return };
    let Some(stored) = relation.table() else { return };
    let mut stored = stored.as_ref().clone();
    stored.row_security.policies.retain(|known| known.oid != policy);
    catalog.put_relation(relation.with_table(stored));
}

/// Takes a column out that nothing else needs.
fn remove(catalog: &mut Catalog, state: &mut Altered, at: usize) -> Result<(), PgError> {
    let own = state.relation.oid;
    let gone = state.table.columns.remove(at);
    for sequence in catalog.sequences_of(own, Some(gone.attnum)) {
        catalog.remove_relation(sequence.oid);
    }
    shift_references(catalog, own, at);
    graph::without_column(catalog, own, at);
    let constraints = std::mem::take(&mut state.table.constraints);
    state.table.constraints = constraints
        .into_iter()
        .filter_map(|constraint| without_column(constraint, own, at, &gone.name))
        .collect();
    let indexes = std::mem::take(&mut state.table.indexes);
    state.table.indexes = indexes
        .iter()
        .filter_map(|kept| index::without_column(kept, at, |text| uses(text, &gone.name)))
        .collect();
    state.reshape(|batch| {
        let mut columns = batch.columns().to_vec();
        columns.remove(at);
        Ok(columns)
    })
}

/// A constraint after a column of its table is gone; `None` if it goes with it.
fn without_column(
    mut constraint: Constraint,
    own: Oid,
    at: usize,
    name: &str,
) -> Option<Constraint> {
    match &mut constraint.kind {
        ConstraintKind::PrimaryKey { columns, include, .. }
        | ConstraintKind::Unique { columns, include, .. } => {
            *columns = without(columns, at)?;
            *include = without(include, at)?;
        }
        ConstraintKind::Check { condition } => {
            if uses(condition, name) {
                return None;
            }
        }
        ConstraintKind::ForeignKey {
            columns,
            referenced,
            referenced_columns,
            delete_columns,
            ..
        } => {
            *columns = without(columns, at)?;
            *delete_columns = without(delete_columns, at)?;
            if *referenced == own {
                *referenced_columns = without(referenced_columns, at)?;
            }
        }
    }
    Some(constraint)
}

/// Foreign keys of other tables after a column of the referenced one is gone.
fn shift_references(catalog: &mut Catalog, referenced_table: Oid, gone: usize) {
    for other in catalog.dependents(referenced_table) {
        let Some(table) = other.table().filter(|_| other.view().is_none()) else { continue };
        let mut table = table.as_ref().clone();
        table.constraints.retain_mut(|constraint| match &mut constraint.kind {
            ConstraintKind::ForeignKey { referenced, referenced_columns, .. }
                if *referenced == referenced_table =>
            {
                match without(referenced_columns, gone) {
                    Some(columns) => {
                        *referenced_columns = columns;
                        true
                    }
                    None => false,
                }
            }
            _ => true,
        });
        catalog.put_relation(other.with_table(table));
    }
}
