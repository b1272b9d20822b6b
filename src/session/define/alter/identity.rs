//! Identity columns.

use super::Altered;
use crate::catalog::sequence_options::SequenceOptions;
use crate::catalog::{Catalog, ColumnDefault};
use crate::error::PgError;
use crate::planner::bind::sql::ddl::NewSequence;
use crate::session::define::sequence;
use crate::session::session_impl::Session;

pub(super) fn add(
    session: &Session,
    catalog: &mut Catalog,
    state: &mut Altered,
    new: &NewSequence,
) -> Result<(), PgError> {
    let at = state.position(&new.column)?;
    let attnum = state.table.columns[at].attnum;
    let (_, default) = sequence::create_for_column(session, catalog, &state.relation, attnum, new)?;
    state.table.columns[at].default = Some(default);
    Ok(())
}

pub(super) fn set(
    session: &Session,
    catalog: &mut Catalog,
    state: &mut Altered,
    name: &str,
    now: Option<bool>,
    options: &SequenceOptions,
) -> Result<(), PgError> {
    let column = state.column(name)?;
    let Some(ColumnDefault::Identity { always, sequence }) = &mut column.default else {
        return Err(PgError::internal("not an identity column"));
    };
    if let Some(now) = now {
        *always = now;
    }
    let sequence = *sequence;
    let Some(relation) = catalog.relation(sequence).cloned() else {
        return Err(PgError::internal("an identity column without its sequence"));
    };
    if *options == SequenceOptions::default() {
        return Ok(());
    }
    sequence::alter(session, catalog, &relation, options)
}

pub(super) fn drop(catalog: &mut Catalog, state: &mut Altered, name: &str) -> Result<(), PgError> {
    let column = state.column(name)?;
    if let Some(ColumnDefault::Identity { sequence, .. }) = column.default.take() {
        catalog.remove_relation(sequence);
    }
    Ok(())
}
