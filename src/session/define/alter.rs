//! `ALTER TABLE`: each step gives a new definition and, where rows change, a new version of the table.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::SchemaRef;
use datafusion::logical_expr::Expr;

use super::drop::still_needed;
use super::{add_constraint, sequence, set_catalog, version_of, with_writes};
use crate::catalog::{Catalog, ColumnDefault, ConstraintKind, Relation, RelationKind, Table};
use crate::error::{PgError, SqlState};
use crate::executor::write::{check_all, check_key_is_unique, table_plan_schema};
use crate::planner::bind::sql::ddl::{AlterStep, NewColumn};
use crate::session::facts::physical_expression;
use crate::session::session_impl::Session;
use crate::storage::TableVersion;

pub(super) async fn run(
    session: &mut Session,
    mut catalog: Catalog,
    relation: &Arc<Relation>,
    steps: Vec<AlterStep>,
) -> Result<String, PgError> {
    let mut state = Altered {
        relation: relation.as_ref().clone(),
        table: relation.table().ok_or_else(|| PgError::internal("not a table"))?.as_ref().clone(),
        version: version_of(session, relation.oid),
        check: false,
    };
    for step in steps {
        apply(session, &mut catalog, &mut state, step)?;
        state.refresh();
    }
    let Altered { relation, version, check, .. } = state;
    let oid = relation.oid;
    catalog.put_relation(relation);
    if let Some(version) = version {
        let unchanged = version_of(session, oid).is_some_and(|old| old.stamp == version.stamp);
        if !unchanged {
            with_writes(session, |writes| writes.put_table(version.as_ref().clone()));
        }
    }
    set_catalog(session, catalog);
    if check {
        check_rows(session, oid)?;
    }
    Ok("ALTER TABLE".to_owned())
}

/// A table on its way.
struct Altered {
    relation: Relation,
    table: Table,
    version: Option<Arc<TableVersion>>,
    /// A constraint was added, so every row must be looked at.
    check: bool,
}

impl Altered {
    /// The relation with the table as it is now.
    fn refresh(&mut self) {
        let mut table = Table::new(
            std::mem::take(&mut self.table.columns),
            std::mem::take(&mut self.table.constraints),
        );
        table.next_attnum = table.next_attnum.max(self.table.next_attnum);
        self.table = table;
        self.relation.kind = RelationKind::Table(Arc::new(self.table.clone()));
    }

    fn position(&self, name: &str) -> Result<usize, PgError> {
        self.table.position(name).ok_or_else(|| {
            PgError::new(
                SqlState::UNDEFINED_COLUMN,
                format!("column \"{name}\" of relation \"{}\" does not exist", self.relation.name),
            )
        })
    }

    /// Gives every row a new shape.
    fn reshape(
        &mut self,
        mut columns: impl FnMut(&RecordBatch) -> Result<Vec<ArrayRef>, PgError>,
    ) -> Result<(), PgError> {
        self.refresh();
        let schema: SchemaRef = Arc::clone(&self.table.schema);
        let Some(version) = &self.version else { return Ok(()) };
        let shape = Arc::clone(&schema);
        let next = version.reshape(schema, |batch| {
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let columns = columns(batch)?;
            RecordBatch::try_new_with_options(Arc::clone(&shape), columns, &options)
        })?;
        self.version = Some(Arc::new(next));
        Ok(())
    }
}

fn check_rows(session: &Session, table: crate::types::Oid) -> Result<(), PgError> {
    let Some(transaction) = &session.transaction else { return Ok(()) };
    let Some(relation) = transaction.catalog.relation(table) else { return Ok(()) };
    let store = transaction.writes.lock().view().clone();
    if let (Some(definition), Some(version)) = (relation.table(), store.table(table)) {
        for constraint in &definition.constraints {
            if let ConstraintKind::PrimaryKey { columns, .. }
            | ConstraintKind::Unique { columns, .. } = &constraint.kind
            {
                check_key_is_unique(relation, &constraint.name, columns, version)?;
            }
        }
    }
    check_all(&transaction.catalog, &store, relation, &session.checks(transaction))
}

fn apply(
    session: &Session,
    catalog: &mut Catalog,
    state: &mut Altered,
    step: AlterStep,
) -> Result<(), PgError> {
    match step {
        AlterStep::AddColumn { column, fill } => {
            let constraints = column.constraints.clone();
            add_column(session, catalog, state, *column, fill)?;
            for constraint in constraints {
                add_constraint(catalog, &state.relation, &mut state.table, constraint)?;
                state.check = true;
            }
            Ok(())
        }
        AlterStep::DropColumn { name, cascade } => drop_column(catalog, state, &name, cascade),
        AlterStep::RenameColumn { from, to } => {
            let at = state.position(&from)?;
            refuse_text_use(catalog, state, &from)?;
            state.table.columns[at].name = to;
            state.reshape(|batch| Ok(batch.columns().to_vec()))
        }
        AlterStep::Rename { to } => {
            refuse_views(catalog, state, &format!("table {}", state.relation.name))?;
            state.relation.name = to;
            Ok(())
        }
        AlterStep::SetSchema { schema } => {
            state.relation.schema = schema;
            Ok(())
        }
        AlterStep::SetType { name, ty, convert } => {
            let at = state.position(&name)?;
            refuse_views(
                catalog,
                state,
                &format!("column {name} of table {}", state.relation.name),
            )?;
            let schema = table_plan_schema(&state.relation)?;
            let convert = physical_expression(&session.engine, &convert, &schema)?;
            state.table.columns[at].ty = ty;
            let plan = Arc::new(schema.as_arrow().clone());
            state.reshape(|batch| {
                let mut columns = batch.columns().to_vec();
                let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
                let input = RecordBatch::try_new_with_options(
                    Arc::clone(&plan),
                    columns.clone(),
                    &options,
                )?;
                columns[at] = convert.evaluate(&input)?.into_array(batch.num_rows())?;
                Ok(columns)
            })?;
            state.check = true;
            Ok(())
        }
        AlterStep::SetDefault { name, default } => {
            let at = state.position(&name)?;
            state.table.columns[at].default = default.map(ColumnDefault::Expression);
            Ok(())
        }
        AlterStep::SetNotNull { name, not_null } => {
            let at = state.position(&name)?;
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
            state.reshape(|batch| Ok(batch.columns().to_vec()))
        }
        AlterStep::AddConstraint(constraint) => {
            add_constraint(catalog, &state.relation, &mut state.table, constraint)?;
            state.refresh();
            for at in state.table.primary_key().map(<[usize]>::to_vec).unwrap_or_default() {
                refuse_nulls(state, at)?;
            }
            state.check = true;
            state.reshape(|batch| Ok(batch.columns().to_vec()))
        }
        AlterStep::DropConstraint { name, if_exists, cascade } => {
            drop_constraint(session, catalog, state, &name, if_exists, cascade)
        }
        AlterStep::RenameConstraint { from, to } => {
            let name = state.relation.name.clone();
            let constraint =
                state.table.constraints.iter_mut().find(|constraint| constraint.name == from);
            let constraint = constraint.ok_or_else(|| no_constraint(&from, &name))?;
            constraint.name = to;
            Ok(())
        }
        AlterStep::OwnerTo { role } => {
            state.relation.owner = role;
            Ok(())
        }
    }
}

fn no_constraint(name: &str, table: &str) -> PgError {
    PgError::new(
        SqlState::UNDEFINED_OBJECT,
        format!("constraint \"{name}\" of relation \"{table}\" does not exist"),
    )
}

fn refuse_nulls(state: &Altered, at: usize) -> Result<(), PgError> {
    use arrow::array::Array as _;
    let Some(version) = &state.version else { return Ok(()) };
    for batch in version.live_batches()? {
        if batch.column(at).logical_nulls().is_some_and(|nulls| nulls.null_count() > 0) {
            return Err(PgError::new(
                SqlState::NOT_NULL_VIOLATION,
                format!(
                    "column \"{}\" of relation \"{}\" contains null values",
                    state.table.columns[at].name, state.relation.name
                ),
            ));
        }
    }
    Ok(())
}

fn add_column(
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
    let values: Box<dyn FnMut(&RecordBatch) -> Result<ArrayRef, PgError>> = match &new.sequence {
        Some(new) => {
            let (sequence, default) =
                sequence::create_for_column(session, catalog, &state.relation, column.attnum, new)?;
            column.default = Some(default);
            let shared = Arc::clone(&session.shared);
            let ty = ty.clone();
            Box::new(move |batch| {
                let Some(counting) = sequence.sequence() else {
                    return Err(PgError::internal("not a sequence"));
                };
                let values = shared.next_values(&sequence, counting, batch.num_rows())?;
                Ok(arrow::compute::cast(&Int64Array::from(values), &ty)?)
            })
        }
        None => match fill {
            Some(fill) => {
                let schema = table_plan_schema(&state.relation)?;
                let fill = physical_expression(&session.engine, &fill, &schema)?;
                let plan = Arc::new(schema.as_arrow().clone());
                Box::new(move |batch| {
                    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
                    let columns = batch.columns().to_vec();
                    let input =
                        RecordBatch::try_new_with_options(Arc::clone(&plan), columns, &options)?;
                    Ok(fill.evaluate(&input)?.into_array(batch.num_rows())?)
                })
            }
            None => {
                let ty = ty.clone();
                Box::new(move |batch| Ok(new_null_array(&ty, batch.num_rows())))
            }
        },
    };
    let not_null = column.not_null;
    let name = column.name.clone();
    // NOT NULL is checked when the values are known.
    column.not_null = false;
    state.table.columns.push(column);
    let mut values = values;
    state.reshape(|batch| {
        let mut columns = batch.columns().to_vec();
        columns.push(values(batch)?);
        Ok(columns)
    })?;
    if !not_null {
        return Ok(());
    }
    let at = state.position(&name)?;
    refuse_nulls(state, at)?;
    state.table.columns[at].not_null = true;
    state.reshape(|batch| Ok(batch.columns().to_vec()))
}

/// A table's views and graphs know its columns by name and position.
fn dependents(catalog: &Catalog, state: &Altered) -> Vec<Arc<Relation>> {
    catalog
        .dependents(state.relation.oid)
        .into_iter()
        .filter(|dependent| !matches!(dependent.kind, RelationKind::Table(_)))
        .collect()
}

/// Views are kept as text, so what they name cannot change under them yet.
fn refuse_views(catalog: &Catalog, state: &Altered, what: &str) -> Result<(), PgError> {
    let views: Vec<String> = dependents(catalog, state)
        .iter()
        .filter(|dependent| dependent.view().is_some())
        .map(|dependent| format!("view {} depends on {what}", dependent.name))
        .collect();
    if views.is_empty() {
        return Ok(());
    }
    Err(PgError::new(
        SqlState::FEATURE_NOT_SUPPORTED,
        format!("cannot alter {what} because a view uses it"),
    )
    .detail(views.join("\n"))
    .hint("Drop the view first and make it again afterwards."))
}

/// Whether a text names a column: CHECK conditions and property expressions are kept as text.
fn names(text: &str, column: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|word| word.eq_ignore_ascii_case(column))
}

fn refuse_text_use(catalog: &Catalog, state: &Altered, column: &str) -> Result<(), PgError> {
    refuse_views(catalog, state, &format!("column {column} of table {}", state.relation.name))?;
    let checked = state.table.constraints.iter().find(|constraint| {
        matches!(&constraint.kind, ConstraintKind::Check { condition } if names(condition, column))
    });
    if let Some(constraint) = checked {
        return Err(PgError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!(
                "cannot rename column \"{column}\" because constraint \"{}\" uses it",
                constraint.name
            ),
        )
        .hint("Drop the constraint first and add it again afterwards."));
    }
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

fn drop_column(
    catalog: &mut Catalog,
    state: &mut Altered,
    name: &str,
    cascade: bool,
) -> Result<(), PgError> {
    let at = state.position(name)?;
    let what = format!("column {name} of table {}", state.relation.name);
    let users: Vec<String> = dependents(catalog, state)
        .iter()
        .map(|dependent| match &dependent.kind {
            RelationKind::View(_) => format!("view {} depends on {what}", dependent.name),
            _ => format!("property graph {} depends on {what}", dependent.name),
        })
        .collect();
    if !users.is_empty() {
        return Err(still_needed(&what, &users)
            .hint("Drop them first; DROP COLUMN … CASCADE does not drop them yet."));
    }
    let referring: Vec<Arc<Relation>> = catalog.dependents(state.relation.oid);
    for other in &referring {
        let Some(table) = other.table() else { continue };
        let uses = table.constraints.iter().any(|constraint| {
            matches!(&constraint.kind, ConstraintKind::ForeignKey { referenced, referenced_columns, .. }
                if *referenced == state.relation.oid && referenced_columns.contains(&at))
        });
        if uses && !cascade {
            return Err(still_needed(
                &what,
                &[format!("a foreign key on table {} depends on {what}", other.name)],
            ));
        }
        shift_references(catalog, other, state.relation.oid, at);
    }
    let gone = state.table.columns.remove(at);
    for sequence in catalog.sequences_of(state.relation.oid, Some(gone.attnum)) {
        catalog.remove_relation(sequence.oid);
    }
    let own = state.relation.oid;
    let constraints = std::mem::take(&mut state.table.constraints);
    state.table.constraints = constraints
        .into_iter()
        .filter_map(|mut constraint| {
            constraint.kind = match constraint.kind {
                ConstraintKind::PrimaryKey { columns, index, include } => {
                    ConstraintKind::PrimaryKey {
                        columns: without(&columns, at)?,
                        index,
                        include: without(&include, at)?,
                    }
                }
                ConstraintKind::Unique { columns, index, include, nulls_not_distinct } => {
                    ConstraintKind::Unique {
                        columns: without(&columns, at)?,
                        index,
                        include: without(&include, at)?,
                        nulls_not_distinct,
                    }
                }
                ConstraintKind::Check { condition } if names(&condition, name) => return None,
                ConstraintKind::Check { condition } => ConstraintKind::Check { condition },
                ConstraintKind::ForeignKey {
                    columns,
                    referenced,
                    referenced_columns,
                    on_update,
                    on_delete,
                    delete_columns,
                    match_full,
                } => ConstraintKind::ForeignKey {
                    columns: without(&columns, at)?,
                    referenced_columns: if referenced == own {
                        without(&referenced_columns, at)?
                    } else {
                        referenced_columns
                    },
                    referenced,
                    on_update,
                    on_delete,
                    delete_columns: without(&delete_columns, at).unwrap_or_default(),
                    match_full,
                },
            };
            Some(constraint)
        })
        .collect();
    state.reshape(|batch| {
        let mut columns = batch.columns().to_vec();
        columns.remove(at);
        Ok(columns)
    })
}

/// Foreign keys of another table after a column of the referenced one is gone; keys on the column itself go.
fn shift_references(
    catalog: &mut Catalog,
    other: &Arc<Relation>,
    referenced_table: crate::types::Oid,
    gone: usize,
) {
    let Some(table) = other.table() else { return };
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
    let mut relation = other.as_ref().clone();
    relation.kind = RelationKind::Table(Arc::new(table));
    catalog.put_relation(relation);
}

fn drop_constraint(
    session: &Session,
    catalog: &mut Catalog,
    state: &mut Altered,
    name: &str,
    if_exists: bool,
    cascade: bool,
) -> Result<(), PgError> {
    let Some(at) = state.table.constraints.iter().position(|constraint| constraint.name == name)
    else {
        let error = no_constraint(name, &state.relation.name);
        if !if_exists {
            return Err(error);
        }
        session.shared.notify(PgError::notice(format!("{error}, skipping")));
        return Ok(());
    };
    let kind = state.table.constraints[at].kind.clone();
    if let ConstraintKind::PrimaryKey { columns, .. } | ConstraintKind::Unique { columns, .. } =
        &kind
    {
        for other in catalog.dependents(state.relation.oid) {
            let Some(table) = other.table() else { continue };
            let uses = |constraint: &crate::catalog::Constraint| {
                matches!(&constraint.kind, ConstraintKind::ForeignKey { referenced, referenced_columns, .. }
                    if *referenced == state.relation.oid && referenced_columns == columns)
            };
            let Some(user) = table.constraints.iter().find(|constraint| uses(constraint)) else {
                continue;
            };
            if !cascade {
                let what = format!("constraint {name} on table {}", state.relation.name);
                let needed =
                    format!("constraint {} on table {} depends on {what}", user.name, other.name);
                return Err(still_needed(&what, &[needed]));
            }
            let mut table = table.as_ref().clone();
            table.constraints.retain(|constraint| !uses(constraint));
            let mut relation = other.as_ref().clone();
            relation.kind = RelationKind::Table(Arc::new(table));
            catalog.put_relation(relation);
        }
    }
    state.table.constraints.remove(at);
    Ok(())
}
