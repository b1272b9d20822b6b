//! Sequences: by themselves, and behind SERIAL and identity columns.

use std::sync::Arc;

use super::names::object_name;
use crate::catalog::sequence_options::{Position, SequenceOptions};
use crate::catalog::{
    AclClass, Catalog, ColumnDefault, Persistence, Relation, RelationKind, Sequence, SequenceOwner,
};
use crate::error::PgError;
use crate::planner::bind::sql::ddl::NewSequence;
use crate::planner::bind::sql::stored::next_value;
use crate::session::session_impl::Session;
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// A sequence to be made by itself.
pub(super) struct Create {
    pub(super) schema: Oid,
    pub(super) name: String,
    pub(super) persistence: Persistence,
    pub(super) options: SequenceOptions,
}

pub(super) fn create(session: &Session, catalog: &mut Catalog, new: Create) -> Result<(), PgError> {
    let counter = session.shared.sequences.allocate();
    let sequence = new.options.create(PgType::Int8, counter)?;
    let oid = catalog.allocate();
    catalog.put_relation(Relation {
        oid,
        schema: new.schema,
        name: new.name,
        owner: session.shared.caller().role,
        comment: None,
        persistence: new.persistence,
        kind: RelationKind::Sequence(Arc::new(sequence)),
    });
    let owner = session.shared.caller().role;
    super::roles::born(catalog, AclClass::Sequence, oid, owner, new.schema);
    Ok(())
}

/// Makes the sequence of a column of `table`; what the column gets by it.
pub(super) fn create_for_column(
    session: &Session,
    catalog: &mut Catalog,
    table: &Relation,
    attnum: i16,
    new: &NewSequence,
) -> Result<(Arc<Relation>, ColumnDefault), PgError> {
    let counter = session.shared.sequences.allocate();
    let mut sequence = new.options.create(new.ty.clone(), counter)?;
    let identity = new.identity.is_some();
    sequence.owner = Some(SequenceOwner { table: table.oid, attnum, identity });
    let oid = catalog.allocate();
    let name = match &new.name {
        Some(name) => name.clone(),
        None => object_name(&table.name, &new.column, "seq", |name| {
            catalog.name_is_taken(table.schema, name)
        }),
    };
    catalog.put_relation(Relation {
        oid,
        schema: table.schema,
        name,
        owner: table.owner,
        comment: None,
        persistence: table.persistence,
        kind: RelationKind::Sequence(Arc::new(sequence)),
    });
    super::roles::born(catalog, AclClass::Sequence, oid, table.owner, table.schema);
    let default = match new.identity {
        Some(always) => ColumnDefault::Identity { always, sequence: oid },
        None => ColumnDefault::Expression(next_value(oid)),
    };
    let made = catalog.relation(oid).cloned();
    made.map(|made| (made, default)).ok_or_else(|| PgError::internal("a sequence was not made"))
}

/// `ALTER SEQUENCE`: a change of how it counts takes a new counter, which goes on where the old one is.
pub(super) fn alter(
    session: &Session,
    catalog: &mut Catalog,
    relation: &Relation,
    options: &SequenceOptions,
) -> Result<(), PgError> {
    let Some(old) = relation.sequence() else {
        return Err(PgError::internal("not a sequence"));
    };
    let sequence = if options.changes_counting() {
        let state = session.shared.counter_state(old);
        let position = Position { value: state.value, called: state.called };
        options.alter(old, position, session.shared.sequences.allocate())?
    } else {
        let owner = options.owner.unwrap_or(old.owner);
        Sequence { owner, ..old.as_ref().clone() }
    };
    let mut changed = relation.clone();
    changed.kind = RelationKind::Sequence(Arc::new(sequence));
    catalog.put_relation(changed);
    Ok(())
}

/// `TRUNCATE … RESTART IDENTITY`
pub(super) fn restart_of(
    session: &Session,
    catalog: &mut Catalog,
    table: Oid,
) -> Result<(), PgError> {
    let options = SequenceOptions { restart: Some(None), ..Default::default() };
    for sequence in catalog.sequences_of(table, None) {
        alter(session, catalog, &sequence, &options)?;
    }
    Ok(())
}
