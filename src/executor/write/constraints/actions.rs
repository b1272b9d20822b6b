//! Writes rows, and at the end of the statement does what foreign keys ask for.
//!
//! PostgreSQL queues one event for each row and key and works them off in order; what an action writes comes before
//! the next event. Here an event is one key and all rows of a write, so an action costs one write, not one for each
//! row. The order of keys is the same: those that refer to the table first, then its own, each by age.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array};
use arrow::compute::{cast, take, take_record_batch};

use super::super::StatementWrites;
use super::RowCheck;
use super::computed::check_computed;
use super::deferred::Pending;
use super::foreign::{ForeignKey, ForeignKeys, Reference, check_not_referred, check_references};
use super::keys::{changed_keys, check_key, check_unique, unique_key};
use super::rows::rows_by_id;
use crate::catalog::{Catalog, ForeignKeyAction, Relation};
use crate::error::PgError;
use crate::executor::write::WriteTarget;
use crate::storage::{EncodedKeys, TableVersion};
use crate::types::{Oid, RowId};

/// Rows of one table that were written, row by row as they were and are now.
#[derive(Debug, Clone)]
pub(in crate::executor::write) struct Change {
    relation: Arc<Relation>,
    /// Not for an INSERT.
    old: Option<RecordBatch>,
    /// Not for a DELETE.
    new: Option<RecordBatch>,
    ids: ChangedIds,
}

/// The ids of a change's rows, in their order.
#[derive(Debug, Clone)]
enum ChangedIds {
    /// Of an INSERT: the first row's; the others follow it.
    From(RowId),
    /// Of an UPDATE.
    Each(Arc<[RowId]>),
    /// Of a DELETE; nobody asks for them.
    Gone,
}

impl Change {
    /// An INSERT of rows with ids from `first`.
    pub(in crate::executor::write) fn inserted(
        relation: &Arc<Relation>,
        new: RecordBatch,
        first: RowId,
    ) -> Self {
        let relation = Arc::clone(relation);
        Self { relation, old: None, new: Some(new), ids: ChangedIds::From(first) }
    }

    /// An UPDATE, row by row.
    pub(in crate::executor::write) fn updated(
        relation: &Arc<Relation>,
        ids: &[RowId],
        old: RecordBatch,
        new: RecordBatch,
    ) -> Self {
        let relation = Arc::clone(relation);
        Self { relation, old: Some(old), new: Some(new), ids: ChangedIds::Each(ids.into()) }
    }

    /// A DELETE.
    pub(in crate::executor::write) fn deleted(relation: &Arc<Relation>, old: RecordBatch) -> Self {
        let relation = Arc::clone(relation);
        Self { relation, old: Some(old), new: None, ids: ChangedIds::Gone }
    }

    /// Whether it is an INSERT of the row with this id.
    pub(in crate::executor::write) fn has_inserted(&self, table: Oid, id: RowId) -> bool {
        let rows = self.new.as_ref().map_or(0, RecordBatch::num_rows) as u64;
        match self.ids {
            ChangedIds::From(first) if self.relation.oid == table => {
                (first.0..first.0 + rows).contains(&id.0)
            }
            ChangedIds::From(_) | ChangedIds::Each(_) | ChangedIds::Gone => false,
        }
    }

    /// The id of the first row, of an INSERT.
    pub(in crate::executor::write) fn first_inserted(&self) -> Option<RowId> {
        match self.ids {
            ChangedIds::From(first) => Some(first),
            ChangedIds::Each(_) | ChangedIds::Gone => None,
        }
    }

    /// The table, and its rows as they were and are.
    pub(super) fn parts(&self) -> (&Arc<Relation>, Option<&RecordBatch>, Option<&RecordBatch>) {
        (&self.relation, self.old.as_ref(), self.new.as_ref())
    }

    /// Ids of some of its rows.
    pub(super) fn ids(&self, rows: &[usize]) -> Arc<[RowId]> {
        match &self.ids {
            ChangedIds::From(first) => {
                rows.iter().map(|row| RowId(first.0 + *row as u64)).collect()
            }
            ChangedIds::Each(ids) => rows.iter().filter_map(|row| ids.get(*row).copied()).collect(),
            ChangedIds::Gone => Arc::default(),
        }
    }

    /// Checks the keys of rows that came, or changed, in the table after it.
    ///
    /// # Errors
    /// `23505` naming the first key that is there twice.
    pub(in crate::executor::write) fn check_unique(
        &self,
        catalog: &Catalog,
        version: &TableVersion,
        check: &dyn RowCheck,
    ) -> Result<(), PgError> {
        let Some(new) = &self.new else { return Ok(()) };
        let old = self.old.as_ref();
        check_unique(catalog, &self.relation, version, new, old)?;
        check_computed(catalog, &self.relation, version, new, old, check)
    }
}

/// One key to be looked after, for one change.
#[derive(Debug)]
enum Task {
    /// A deferrable key of rows that came, or changed.
    Key(Arc<Change>, usize),
    /// Rows that were referred to went, or changed.
    Parent(Arc<Change>, Reference),
    /// As [`Self::Parent`] after its action was done: nothing may refer to them now.
    NotReferred(Arc<Change>, Reference),
    /// Rows that refer came, or changed.
    Child(Arc<Change>, Reference),
}

impl StatementWrites {
    /// Does what foreign keys ask for after these changes, and after those that come of it.
    ///
    /// # Errors
    /// `23…` naming the constraint that is violated.
    pub(in crate::executor::write) async fn foreign_keys(
        &self,
        changes: Vec<Change>,
    ) -> Result<(), PgError> {
        // A stack, not recursion: a chain of rows that refer to each other may be long.
        let mut tasks = Vec::new();
        self.push(&mut tasks, changes);
        while let Some(task) = tasks.pop() {
            match task {
                Task::Key(change, at) => self.check_deferrable_key(&change, at)?,
                Task::Parent(change, reference) => {
                    let (changes, after) = self.act(&change, &reference).await?;
                    if after {
                        tasks.push(Task::NotReferred(change, reference));
                    }
                    self.push(&mut tasks, changes);
                }
                Task::NotReferred(change, reference) => {
                    let Some((old, rows)) = gone(&change, &reference)? else { continue };
                    self.check_not_referred(&change, &reference, old, &rows, true)?;
                }
                Task::Child(change, reference) => self.check_child(&change, &reference)?,
            }
        }
        Ok(())
    }

    /// Tasks for changes, the first on top.
    fn push(&self, tasks: &mut Vec<Task>, changes: Vec<Change>) {
        for change in changes.into_iter().rev() {
            let change = Arc::new(change);
            let mut own = deferrable_keys(&change);
            if change.old.is_some() {
                let parents = Reference::to_parent(&self.names(), change.relation.oid);
                own.extend(parents.into_iter().map(|key| Task::Parent(Arc::clone(&change), key)));
            }
            if change.new.is_some() {
                let keys = Reference::of_child(&change.relation).into_iter();
                own.extend(keys.map(|key| Task::Child(Arc::clone(&change), key)));
            }
            tasks.extend(own.into_iter().rev());
        }
    }

    /// A deferrable PRIMARY KEY or UNIQUE constraint: checked now, after the statement, or put off.
    fn check_deferrable_key(&self, change: &Change, at: usize) -> Result<(), PgError> {
        let table = change.relation.table();
        let Some(constraint) = table.and_then(|table| table.constraints.get(at)) else {
            return Ok(());
        };
        let (Some(key), Some(new)) = (unique_key(constraint), &change.new) else { return Ok(()) };
        let rows = changed_keys(new, change.old.as_ref(), &key.columns)?;
        let version = self.version(&change.relation)?;
        if self.writes.lock().deferral.waits(constraint) {
            // Only what is violated now has to be looked at again.
            if check_key(&self.names(), &change.relation, &key, &version, new, &rows).is_err() {
                let (table, constraint) = (change.relation.oid, constraint.oid);
                self.put_off(Pending::Key { table, constraint, rows: change.ids(&rows) });
            }
            return Ok(());
        }
        check_key(&self.names(), &change.relation, &key, &version, new, &rows)
    }

    /// The OID of a foreign key that waits for COMMIT.
    fn waiting_constraint(&self, reference: &Reference) -> Option<Oid> {
        let constraint = reference.constraint()?;
        self.writes.lock().deferral.waits(constraint).then_some(constraint.oid)
    }

    fn put_off(&self, pending: Pending) {
        self.writes.lock().deferral.put_off(pending);
    }

    fn check_child(&self, change: &Change, reference: &Reference) -> Result<(), PgError> {
        let (Some(new), Some(key)) = (&change.new, reference.key()) else { return Ok(()) };
        let rows = changed_keys(new, change.old.as_ref(), key.columns)?;
        if rows.is_empty() {
            return Ok(());
        }
        if let Some(constraint) = self.waiting_constraint(reference) {
            let rows = change.ids(&rows);
            let table = change.relation.oid;
            self.put_off(Pending::Child { table, constraint, rows });
            return Ok(());
        }
        check_references(&self.names(), &WriteTarget::view(self), reference, new, &rows)
    }

    fn check_not_referred(
        &self,
        change: &Change,
        reference: &Reference,
        old: &RecordBatch,
        rows: &[usize],
        replaceable: bool,
    ) -> Result<(), PgError> {
        check_not_referred(
            &self.names(),
            &WriteTarget::view(self),
            &change.relation,
            reference,
            old,
            rows,
            replaceable,
        )
    }

    /// What a foreign key does about rows that went or have another key. The second part of the result tells whether
    /// rows may go on to refer to what is gone, and must be looked at once more.
    async fn act(
        &self,
        change: &Change,
        reference: &Reference,
    ) -> Result<(Vec<Change>, bool), PgError> {
        let Some(key) = reference.key() else { return Ok((Vec::new(), false)) };
        let Some((old, rows)) = gone(change, reference)? else { return Ok((Vec::new(), false)) };
        let action = if change.new.is_some() { key.on_update } else { key.on_delete };
        match action {
            ForeignKeyAction::NoAction if self.waiting_constraint(reference).is_some() => {
                self.put_off_parent(change, reference, old, &rows)?;
                Ok((Vec::new(), false))
            }
            ForeignKeyAction::NoAction | ForeignKeyAction::Restrict => {
                let replaceable = action == ForeignKeyAction::NoAction;
                self.check_not_referred(change, reference, old, &rows, replaceable)?;
                Ok((Vec::new(), false))
            }
            ForeignKeyAction::Cascade
            | ForeignKeyAction::SetNull
            | ForeignKeyAction::SetDefault => {
                let found = self.referring(reference, key, old, &rows)?;
                if found.is_empty() {
                    return Ok((Vec::new(), false));
                }
                let changes =
                    self.write_referring(change, reference, key, action, &found).await.map_err(
                        |error| in_action(error, &self.names(), reference, key, change, action),
                    )?;
                Ok((changes, action == ForeignKeyAction::SetDefault))
            }
        }
    }

    fn put_off_parent(
        &self,
        change: &Change,
        reference: &Reference,
        old: &RecordBatch,
        rows: &[usize],
    ) -> Result<(), PgError> {
        let Some(constraint) = reference.constraint() else { return Ok(()) };
        let rows = UInt32Array::from_iter_values(rows.iter().map(|row| *row as u32));
        self.put_off(Pending::Parent {
            table: change.relation.oid,
            child: reference.child.oid,
            constraint: constraint.oid,
            old: take_record_batch(old, &rows)?,
        });
        Ok(())
    }

    /// Rows that refer to some rows of `old`, each with the row of `old` it refers to.
    fn referring(
        &self,
        reference: &Reference,
        key: ForeignKey<'_>,
        old: &RecordBatch,
        rows: &[usize],
    ) -> Result<BTreeMap<RowId, u32>, PgError> {
        let mut found = BTreeMap::new();
        let view = WriteTarget::view(self);
        let (Some(table), Some(version)) =
            (reference.child.table(), view.table(reference.child.oid))
        else {
            return Ok(found);
        };
        let keys = ForeignKeys::new(old, key.referenced_columns, table, key.columns)?;
        for row in rows {
            for position in keys.find(*row, version, key.columns)? {
                found.insert(version.row_id(position)?, *row as u32);
            }
        }
        Ok(found)
    }

    async fn write_referring(
        &self,
        change: &Change,
        reference: &Reference,
        key: ForeignKey<'_>,
        action: ForeignKeyAction,
        found: &BTreeMap<RowId, u32>,
    ) -> Result<Vec<Change>, PgError> {
        let child = &reference.child;
        let ids: Vec<RowId> = found.keys().copied().collect();
        if action == ForeignKeyAction::Cascade && change.new.is_none() {
            return self.delete_rows(child, &ids).await;
        }
        let rows = rows_by_id(&*self.version(child)?, &ids)?;
        let mut columns: Vec<ArrayRef> = rows.columns().to_vec();
        for (column, referenced) in key.columns.iter().zip(key.referenced_columns) {
            if change.new.is_none()
                && !key.delete_columns.is_empty()
                && !key.delete_columns.contains(column)
            {
                continue;
            }
            let Some(slot) = columns.get_mut(*column) else { continue };
            *slot = match (action, &change.new) {
                (ForeignKeyAction::Cascade, Some(new)) => {
                    let from = UInt32Array::from_iter_values(found.values().copied());
                    cast(&take(new.column(*referenced), &from, None)?, slot.data_type())?
                }
                (ForeignKeyAction::SetDefault, _) => {
                    let values = self.check.default_values(child, *column, ids.len())?;
                    cast(&values, slot.data_type())?
                }
                _ => new_null_array(slot.data_type(), ids.len()),
            };
        }
        let schema: Vec<_> = rows
            .schema()
            .fields()
            .iter()
            .map(|field| field.as_ref().clone().with_nullable(true))
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(ids.len()));
        let schema = Arc::new(arrow::datatypes::Schema::new(schema));
        let rows = RecordBatch::try_new_with_options(schema, columns, &options)?;
        let rows = self.check.with_generated(child, rows)?;
        self.update_rows(child, &ids, vec![rows]).await
    }
}

/// Tasks for the deferrable keys of a change.
fn deferrable_keys(change: &Arc<Change>) -> Vec<Task> {
    let Some(table) = change.relation.table().filter(|_| change.new.is_some()) else {
        return Vec::new();
    };
    let keys = table
        .constraints
        .iter()
        .enumerate()
        .filter(|(_, constraint)| unique_key(constraint).is_some_and(|key| key.is_deferrable));
    keys.map(|(at, _)| Task::Key(Arc::clone(change), at)).collect()
}

/// Rows of a change that are not there any more under the key that `reference` refers by.
fn gone<'a>(
    change: &'a Change,
    reference: &Reference,
) -> Result<Option<(&'a RecordBatch, Vec<usize>)>, PgError> {
    let (Some(old), Some(key)) = (&change.old, reference.key()) else { return Ok(None) };
    let mut rows = match &change.new {
        Some(new) => changed_keys(new, Some(old), key.referenced_columns)?,
        None => (0..old.num_rows()).collect(),
    };
    let keys = EncodedKeys::encode(old, key.referenced_columns)?;
    rows.retain(|row| keys.get(*row).is_some());
    Ok((!rows.is_empty()).then_some((old, rows)))
}

/// An error of an action, with the statement that PostgreSQL would run for it.
fn in_action(
    error: PgError,
    catalog: &Catalog,
    reference: &Reference,
    key: ForeignKey<'_>,
    change: &Change,
    action: ForeignKeyAction,
) -> PgError {
    let child = &reference.child;
    let schema = catalog.schemas.get(&child.schema).map_or("", |schema| schema.name.as_str());
    let always_quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let table = format!("{}.{}", always_quoted(schema), always_quoted(&child.name));
    let names: Vec<String> = key
        .columns
        .iter()
        .filter_map(|column| child.columns().get(*column))
        .map(|column| always_quoted(&column.name))
        .collect();
    let is_delete = action == ForeignKeyAction::Cascade && change.new.is_none();
    let (verb, first) = match action {
        _ if is_delete => ("DELETE FROM ONLY".to_owned(), 1),
        ForeignKeyAction::Cascade => ("UPDATE ONLY".to_owned(), names.len() + 1),
        _ => ("UPDATE ONLY".to_owned(), 1),
    };
    let assignments: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(at, name)| match action {
            ForeignKeyAction::Cascade => format!("{name} = ${}", at + 1),
            ForeignKeyAction::SetDefault => format!("{name} = DEFAULT"),
            _ => format!("{name} = NULL"),
        })
        .collect();
    let set = if is_delete { String::new() } else { format!(" SET {}", assignments.join(", ")) };
    let conditions: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(at, name)| format!("${} OPERATOR(pg_catalog.=) {name}", first + at))
        .collect();
    let text = format!("{verb} {table}{set} WHERE {}", conditions.join(" AND "));
    error.context(format!("SQL statement \"{text}\""))
}
