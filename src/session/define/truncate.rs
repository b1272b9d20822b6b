//! `TRUNCATE`

use std::sync::Arc;

use super::drop::referring;
use super::{sequence, with_writes};
use crate::access::privilege::{denied, has_whole};
use crate::access::{Caller, Right};
use crate::catalog::{Catalog, Relation};
use crate::error::{PgError, SqlState};
use crate::session::session_impl::Session;
use crate::storage::TableVersion;

/// Empties tables; whether the catalog changed too.
///
/// # Errors
/// `0A000` for a table that another one refers to, unless that is emptied too.
pub(super) fn run(
    session: &mut Session,
    catalog: &mut Catalog,
    relations: &[Arc<Relation>],
    restart: bool,
    cascade: bool,
) -> Result<bool, PgError> {
    let mut going: Vec<Arc<Relation>> = relations.to_vec();
    let mut at = 0;
    while let Some(relation) = going.get(at).cloned() {
        at += 1;
        for dependent in catalog.dependents(relation.oid) {
            let Some(table) = dependent.table().filter(|_| dependent.view().is_none()) else {
                continue;
            };
            let is_named = going.iter().any(|other| other.oid == dependent.oid);
            let Some(constraint) = referring(table, relation.oid).next().filter(|_| !is_named)
            else {
                continue;
            };
            if !cascade {
                return Err(referenced(&relation, &dependent, &constraint.name));
            }
            session.shared.notify(PgError::notice(format!(
                "truncate cascades to table \"{}\"",
                dependent.name
            )));
            going.push(dependent);
        }
    }
    let caller = session.shared.caller();
    for relation in &going {
        check_truncate(catalog, &caller, relation, restart)?;
    }
    for relation in &going {
        let Some(table) = relation.table() else { continue };
        let version = TableVersion::empty(relation.oid, Arc::clone(&table.schema));
        with_writes(session, |writes| writes.put_table(version));
        if restart {
            sequence::restart_of(session, catalog, relation.oid)?;
        }
    }
    Ok(restart)
}

/// Whether the caller may empty a table that goes with another, and begin its sequences again.
fn check_truncate(
    catalog: &Catalog,
    caller: &Caller,
    relation: &Relation,
    restart: bool,
) -> Result<(), PgError> {
    if !has_whole(catalog, relation, Right::Truncate, caller.roles()) {
        return Err(denied(relation, Right::Truncate));
    }
    let sequences = if restart { catalog.sequences_of(relation.oid, None) } else { Vec::new() };
    match sequences.iter().find(|sequence| !caller.has(sequence.owner)) {
        Some(sequence) => Err(denied(sequence, Right::Own)),
        None => Ok(()),
    }
}

fn referenced(relation: &Relation, dependent: &Relation, constraint: &str) -> PgError {
    PgError::new(
        SqlState::FEATURE_NOT_SUPPORTED,
        "cannot truncate a table referenced in a foreign key constraint",
    )
    .detail(format!("Table \"{}\" references \"{}\".", dependent.name, relation.name))
    .hint(format!(
        "Truncate table \"{}\" at the same time, or use TRUNCATE ... CASCADE.",
        dependent.name
    ))
    .constraint(constraint)
}
