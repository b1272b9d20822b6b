//! Constraints of a table that is there already.

use super::{Altered, column};
use crate::catalog::{Catalog, Constraint, ConstraintKind};
use crate::error::{PgError, SqlState};
use crate::planner::bind::sql::ddl::NewConstraint;
use crate::session::define::constraint as made;
use crate::session::define::drop::{notify_cascade, still_needed};
use crate::session::session_impl::Session;
use crate::types::Oid;

pub(super) fn add(
    session: &Session,
    catalog: &mut Catalog,
    state: &mut Altered,
    new: NewConstraint,
) -> Result<(), PgError> {
    let relation = state.relation.clone();
    let oid = made::add(session, catalog, &relation, &mut state.table, new)?;
    state.refresh();
    let is_key = |constraint: &Constraint| {
        constraint.oid == oid && matches!(constraint.kind, ConstraintKind::PrimaryKey { .. })
    };
    if state.table.constraints.iter().any(is_key) {
        for at in state.table.primary_key().map(<[usize]>::to_vec).unwrap_or_default() {
            column::refuse_nulls(state, at)?;
        }
    }
    state.checks.push(oid);
    state.relabel()
}

fn no_constraint(name: &str, table: &str) -> PgError {
    PgError::new(
        SqlState::UNDEFINED_OBJECT,
        format!("constraint \"{name}\" of relation \"{table}\" does not exist"),
    )
}

fn find(state: &Altered, name: &str) -> Result<usize, PgError> {
    let table = &state.table;
    let is_meant = |known: &Constraint| known.name == name;
    let found = table.constraints.iter().position(is_meant);
    found.ok_or_else(|| no_constraint(name, &state.relation.name))
}

pub(super) fn rename(
    catalog: &Catalog,
    state: &mut Altered,
    from: &str,
    to: String,
) -> Result<(), PgError> {
    let at = find(state, from).map_err(|_| {
        PgError::new(
            SqlState::UNDEFINED_OBJECT,
            format!("constraint \"{from}\" for table \"{}\" does not exist", state.relation.name),
        )
    })?;
    if state.table.constraints.iter().any(|constraint| constraint.name == to) {
        return Err(PgError::new(
            SqlState::DUPLICATE_OBJECT,
            format!("constraint \"{to}\" for relation \"{}\" already exists", state.relation.name),
        ));
    }
    let constraint = &mut state.table.constraints[at];
    if constraint.index().is_some() && catalog.name_is_taken(state.relation.schema, &to) {
        return Err(PgError::new(
            SqlState::DUPLICATE_TABLE,
            format!("relation \"{to}\" already exists"),
        ));
    }
    constraint.name = to;
    Ok(())
}

pub(super) fn validate(state: &mut Altered, name: &str) -> Result<(), PgError> {
    let at = find(state, name)?;
    let constraint = &mut state.table.constraints[at];
    if constraint.index().is_some() {
        return Err(PgError::new(
            SqlState::WRONG_OBJECT_TYPE,
            format!(
                "constraint \"{name}\" of relation \"{}\" is not a foreign key or check constraint",
                state.relation.name
            ),
        ));
    }
    if !constraint.validated {
        constraint.validated = true;
        state.checks.push(constraint.oid);
    }
    Ok(())
}

pub(super) fn drop(
    session: &Session,
    catalog: &mut Catalog,
    state: &mut Altered,
    name: &str,
    if_exists: bool,
    cascade: bool,
) -> Result<(), PgError> {
    let at = match find(state, name) {
        Ok(at) => at,
        Err(error) if if_exists => {
            session.shared.notify(PgError::notice(format!("{error}, skipping")));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let constraint = state.table.constraints[at].clone();
    let what = format!("constraint {name} on table {}", state.relation.name);
    let on = format!("index {name}");
    drop_referring(session, catalog, state, &constraint, (&what, &on), cascade)?;
    state.table.constraints.retain(|kept| kept.oid != constraint.oid);
    Ok(())
}

/// Foreign keys, of this table and of others, that rest on a key which goes: refused, or with `cascade` dropped.
pub(super) fn drop_referring(
    session: &Session,
    catalog: &mut Catalog,
    state: &mut Altered,
    key: &Constraint,
    (what, on): (&str, &str),
    cascade: bool,
) -> Result<(), PgError> {
    let (ConstraintKind::PrimaryKey { columns, .. } | ConstraintKind::Unique { columns, .. }) =
        &key.kind
    else {
        return Ok(());
    };
    let own: Oid = state.relation.oid;
    let rests = |constraint: &Constraint| match &constraint.kind {
        ConstraintKind::ForeignKey { referenced, referenced_columns, .. } => {
            *referenced == own
                && referenced_columns.len() == columns.len()
                && referenced_columns.iter().all(|column| columns.contains(column))
        }
        _ => false,
    };
    let mut needed: Vec<String> = Vec::new();
    let mut changed = Vec::new();
    let others = catalog.dependents(own);
    for other in &others {
        let Some(table) = other.table().filter(|_| other.view().is_none()) else { continue };
        let users = table.constraints.iter().filter(|constraint| rests(constraint));
        let users: Vec<String> =
            users.map(|user| format!("constraint {} on table {}", user.name, other.name)).collect();
        if !users.is_empty() {
            needed.extend(users);
            changed.push(other);
        }
    }
    let own_users = state.table.constraints.iter().filter(|constraint| rests(constraint));
    needed.extend(
        own_users.map(|user| format!("constraint {} on table {}", user.name, state.relation.name)),
    );
    if needed.is_empty() {
        return Ok(());
    }
    if !cascade {
        let needed: Vec<String> =
            needed.iter().map(|user| format!("{user} depends on {on}")).collect();
        return Err(still_needed(what, &needed));
    }
    notify_cascade(session, &needed);
    for other in changed {
        let Some(table) = other.table() else { continue };
        let mut table = table.as_ref().clone();
        table.constraints.retain(|constraint| !rests(constraint));
        catalog.put_relation(other.with_table(table));
    }
    state.table.constraints.retain(|constraint| !rests(constraint));
    Ok(())
}
