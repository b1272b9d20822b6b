//! `ALTER TABLE`: each step gives a new definition and, where rows change, a new version of the table.

mod column;
mod constraint;
mod graph;
mod identity;

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;

use super::{index, set_catalog, version_of, with_writes};
use crate::access::owned;
use crate::catalog::{
    Catalog, Column, ColumnDefault, Constraint, ConstraintKind, Persistence, Relation, Table,
};
use crate::error::{PgError, SqlState};
use crate::executor::write::{check_all, check_key_is_unique};
use crate::planner::bind::sql::ddl::AlterStep;
use crate::session::session_impl::Session;
use crate::storage::TableVersion;
use crate::types::Oid;

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
        checks: Vec::new(),
        uniques: Vec::new(),
    };
    for step in steps {
        apply(session, &mut catalog, &mut state, step)?;
        state.refresh();
    }
    let Altered { relation, version, checks, uniques, .. } = state;
    let oid = relation.oid;
    catalog.put_relation(relation);
    if let Some(version) = version {
        let unchanged = version_of(session, oid).is_some_and(|old| old.stamp == version.stamp);
        if !unchanged {
            with_writes(session, |writes| writes.put_table(version.as_ref().clone()));
        }
    }
    set_catalog(session, catalog);
    check_rows(session, oid, &checks, &uniques)?;
    Ok("ALTER TABLE".to_owned())
}

/// A table on its way.
struct Altered {
    relation: Relation,
    table: Table,
    version: Option<Arc<TableVersion>>,
    /// Constraints that every row must be held to.
    checks: Vec<Oid>,
    /// Unique indexes that must be looked through.
    uniques: Vec<Oid>,
}

impl Altered {
    /// The relation with the table as it is now.
    fn refresh(&mut self) {
        let columns = self.table.columns.clone();
        let constraints = self.table.constraints.clone();
        self.table = self.table.reshaped(columns, constraints);
        self.relation = self.relation.with_table(self.table.clone());
    }

    fn position(&self, name: &str) -> Result<usize, PgError> {
        self.table.position(name).ok_or_else(|| {
            PgError::new(
                SqlState::UNDEFINED_COLUMN,
                format!("column \"{name}\" of relation \"{}\" does not exist", self.relation.name),
            )
        })
    }

    fn column(&mut self, name: &str) -> Result<&mut Column, PgError> {
        let at = self.position(name)?;
        Ok(&mut self.table.columns[at])
    }

    /// Gives every row a new shape. Rows that are deleted are not asked about.
    fn reshape(
        &mut self,
        mut columns: impl FnMut(&RecordBatch) -> Result<Vec<ArrayRef>, PgError>,
    ) -> Result<(), PgError> {
        self.refresh();
        let schema: SchemaRef = Arc::clone(&self.table.schema);
        let Some(version) = &self.version else { return Ok(()) };
        let shape = Arc::clone(&schema);
        let mut refused = None;
        let next = version.reshape(schema, |batch| {
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let columns = columns(batch).map_err(|error| {
                let shown = error.to_string();
                refused.get_or_insert(error);
                arrow::error::ArrowError::ComputeError(shown)
            })?;
            RecordBatch::try_new_with_options(Arc::clone(&shape), columns, &options)
        });
        match (next, refused) {
            (_, Some(error)) => Err(error),
            (Err(error), None) => Err(error.into()),
            (Ok(next), None) => {
                self.version = Some(Arc::new(next));
                Ok(())
            }
        }
    }

    /// The rows with the same values under the schema as it is now.
    fn relabel(&mut self) -> Result<(), PgError> {
        self.reshape(|batch| Ok(batch.columns().to_vec()))
    }

    /// `column c of table t`
    fn shown(&self, column: &str) -> String {
        let quote = crate::catalog::pg::describe::quote_identifier;
        format!("column {column} of table {}", quote(&self.relation.name))
    }
}

fn check_rows(
    session: &Session,
    table: Oid,
    checks: &[Oid],
    uniques: &[Oid],
) -> Result<(), PgError> {
    let Some(transaction) = &session.transaction else { return Ok(()) };
    let Some(relation) = transaction.catalog.relation(table) else { return Ok(()) };
    let store = transaction.writes.lock().view().clone();
    let (Some(definition), Some(version)) = (relation.table(), store.table(table)) else {
        return Ok(());
    };
    for index in definition.indexes.iter().filter(|index| uniques.contains(&index.oid)) {
        index::check_unique(session, relation, index)?;
    }
    let checked: Vec<Constraint> = definition
        .constraints
        .iter()
        .filter(|constraint| constraint.validated && checks.contains(&constraint.oid))
        .cloned()
        .collect();
    if checked.is_empty() {
        return Ok(());
    }
    for constraint in &checked {
        if let ConstraintKind::PrimaryKey { columns, .. } | ConstraintKind::Unique { columns, .. } =
            &constraint.kind
        {
            check_key_is_unique(relation, &constraint.name, columns, version)?;
        }
    }
    // What was not asked for holds already.
    let only = definition.reshaped(definition.columns.clone(), checked);
    let relation = relation.with_table(only);
    check_all(&transaction.catalog, &store, &relation, &session.checks(transaction))
        .map_err(|error| by_some_row(error, &relation))
}

/// A condition that a row which is there already does not meet is told without the row.
fn by_some_row(error: PgError, relation: &Relation) -> PgError {
    let constraint = match error.code() {
        SqlState::CHECK_VIOLATION => error.fields().constraint.clone(),
        _ => None,
    };
    let Some(constraint) = constraint else { return error };
    PgError::new(
        SqlState::CHECK_VIOLATION,
        format!(
            "check constraint \"{constraint}\" of relation \"{}\" is violated by some row",
            relation.name
        ),
    )
    .table("public", &relation.name)
    .constraint(&constraint)
}

fn apply(
    session: &mut Session,
    catalog: &mut Catalog,
    state: &mut Altered,
    step: AlterStep,
) -> Result<(), PgError> {
    match step {
        AlterStep::AddColumn { column, fill } => {
            let constraints = column.constraints.clone();
            column::add(session, catalog, state, *column, fill)?;
            for constraint in constraints {
                constraint::add(session, catalog, state, constraint)?;
            }
            Ok(())
        }
        AlterStep::DropColumn { name, cascade } => {
            column::drop(session, catalog, state, &name, cascade)
        }
        AlterStep::RenameColumn { from, to } => column::rename(catalog, state, &from, &to),
        AlterStep::SetType { name, ty, convert } => {
            column::set_type(session, catalog, state, &name, ty, &convert)
        }
        AlterStep::SetDefault { name, default } => {
            state.column(&name)?.default = default.map(ColumnDefault::Expression);
            Ok(())
        }
        AlterStep::SetNotNull { name, not_null } => column::set_not_null(state, &name, not_null),
        AlterStep::AddConstraint(constraint) => {
            constraint::add(session, catalog, state, constraint)
        }
        AlterStep::DropConstraint { name, if_exists, cascade } => {
            constraint::drop(session, catalog, state, &name, if_exists, cascade)
        }
        AlterStep::RenameConstraint { from, to } => constraint::rename(catalog, state, &from, to),
        AlterStep::ValidateConstraint { name } => constraint::validate(state, &name),
        AlterStep::AddIdentity(new) => identity::add(session, catalog, state, &new),
        AlterStep::SetIdentity { name, always, options } => {
            identity::set(session, catalog, state, &name, always, &options)
        }
        AlterStep::DropIdentity { name } => identity::drop(catalog, state, &name),
        AlterStep::SetOptions { set, reset } => {
            set_options(&mut state.table.options, set, &reset);
            Ok(())
        }
        AlterStep::SetLogged(logged) => set_logged(catalog, state, logged),
        AlterStep::ClusterOn(index) => {
            state.table.clustered = index;
            Ok(())
        }
        AlterStep::SetRowSecurity { enabled, forced } => {
            let security = &mut state.table.row_security;
            security.enabled = enabled.unwrap_or(security.enabled);
            security.forced = forced.unwrap_or(security.forced);
            Ok(())
        }
        AlterStep::OwnerTo { role } => {
            super::roles::check_owner_change(session, catalog, state.relation.schema, role)?;
            owned::give_relation(catalog, &state.relation, role);
            state.relation.owner = role;
            for sequence in catalog.sequences_of(state.relation.oid, None) {
                owned::give_relation(catalog, &sequence, role);
            }
            Ok(())
        }
    }
}

fn set_options(options: &mut Vec<String>, set: Vec<String>, reset: &[String]) {
    let name = |option: &str| option.split('=').next().unwrap_or("").to_owned();
    options
        .retain(|old| !reset.contains(&name(old)) && !set.iter().any(|new| name(new) == name(old)));
    options.extend(set);
}

fn set_logged(catalog: &mut Catalog, state: &mut Altered, logged: bool) -> Result<(), PgError> {
    if state.relation.persistence == Persistence::Temporary {
        return Err(PgError::new(
            SqlState::INVALID_TABLE_DEFINITION,
            format!(
                "cannot change logged status of table \"{}\" because it is temporary",
                state.relation.name
            ),
        )
        .table("public", &state.relation.name));
    }
    let persistence = if logged { Persistence::Permanent } else { Persistence::Unlogged };
    state.relation.persistence = persistence;
    for owned in catalog.sequences_of(state.relation.oid, None) {
        catalog.put_relation(Relation { persistence, ..owned.as_ref().clone() });
    }
    Ok(())
}
