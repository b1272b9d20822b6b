//! `nextval` and its like: sequences as a session uses them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch};
use arrow::datatypes::Schema;

use super::shared::SessionShared;
use crate::access::Right;
use crate::access::privilege::{denied, has_columns, has_whole, predefined_rights};
use crate::catalog::Rights;
use crate::catalog::{Relation, Sequence, sequence_columns};
use crate::error::{PgError, SqlState};
use crate::storage::{CounterRecord, CounterState, Steps};
use crate::types::Oid;

/// What a session knows of the sequences it used.
#[derive(Debug, Default)]
pub(super) struct SequenceState {
    used: HashMap<Oid, Used>,
    /// The sequence of the last `nextval`.
    last: Option<Oid>,
}

#[derive(Debug, Clone, Copy)]
struct Used {
    /// Values that were taken in advance are of this counter.
    counter: u64,
    /// `currval`.
    current: Option<i64>,
    /// The last value taken in advance (CACHE).
    taken: i64,
}

impl SequenceState {
    /// DISCARD SEQUENCES.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Where a sequence's counter stood before its first use.
pub(super) fn start_of(sequence: &Sequence) -> CounterRecord {
    let counter = sequence.counter;
    CounterRecord { id: counter.id, value: counter.value, called: counter.called }
}

impl SessionShared {
    fn sequence(&self, oid: Oid) -> Result<(Arc<Relation>, Arc<Sequence>), PgError> {
        let catalog = self.catalog();
        let relation = catalog.relation(oid).cloned().ok_or_else(|| {
            PgError::new(
                SqlState::UNDEFINED_TABLE,
                format!("could not open relation with OID {}", oid.0),
            )
        })?;
        match relation.sequence().cloned() {
            Some(sequence) => Ok((relation, sequence)),
            None => Err(PgError::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("\"{}\" is not a sequence", relation.name),
            )),
        }
    }

    /// Whether the caller has any of some rights on a sequence. The one of an identity column serves who may insert.
    fn check_right(&self, relation: &Relation, any: Rights) -> Result<(), PgError> {
        let (caller, catalog) = (self.caller(), self.catalog());
        let roles = caller.roles();
        if caller.superuser
            || catalog.relation(relation.oid).is_none()
            || catalog.relation_rights(relation, roles).intersects(any)
            || predefined_rights(relation, roles).intersects(any)
        {
            return Ok(());
        }
        let identity = relation.sequence().and_then(|one| one.owner).filter(|one| one.identity);
        let table = identity.and_then(|owner| catalog.relation(owner.table));
        let inserts = |table: &Arc<Relation>| {
            has_whole(&catalog, table, Right::Insert, roles)
                || has_columns(&catalog, table, Rights::INSERT, roles, [].into_iter())
        };
        if any.contains(Rights::USAGE.or(Rights::UPDATE)) && table.is_some_and(inserts) {
            return Ok(());
        }
        Err(denied(relation, Right::Select))
    }

    fn refuse_if_read_only(&self, function: &str) -> Result<(), PgError> {
        if self.settings.lock().value("transaction_read_only") == "on" {
            return Err(PgError::new(
                SqlState::READ_ONLY_SQL_TRANSACTION,
                format!("cannot execute {function}() in a read-only transaction"),
            ));
        }
        Ok(())
    }

    /// The next `count` values.
    ///
    /// # Errors
    /// `2200H` at the end of the sequence, `42809` for what is none, `25006` in a read-only transaction.
    pub(super) fn sequence_next(&self, oid: Oid, count: usize) -> Result<Vec<i64>, PgError> {
        let (relation, sequence) = self.sequence(oid)?;
        self.check_right(&relation, Rights::USAGE.or(Rights::UPDATE))?;
        if relation.persistence != crate::catalog::Persistence::Temporary {
            self.refuse_if_read_only("nextval")?;
        }
        self.next_values(&relation, &sequence, count)
    }

    /// The next values of a sequence that may not be in the session's catalog yet.
    pub(super) fn next_values(
        &self,
        relation: &Relation,
        sequence: &Sequence,
        count: usize,
    ) -> Result<Vec<i64>, PgError> {
        let start = start_of(sequence);
        let mut values = Vec::with_capacity(count);
        let mut state = self.sequence_state.lock();
        let used = state.used.entry(relation.oid).or_insert(Used {
            counter: start.id,
            current: None,
            taken: 0,
        });
        if used.counter != start.id {
            // The sequence was altered: what was taken before is of no use any more.
            used.counter = start.id;
            used.taken = used.current.unwrap_or(0);
        }
        while values.len() < count {
            match used.current {
                Some(current) if current != used.taken => {
                    let next = current.saturating_add(sequence.increment);
                    used.current = Some(next);
                    values.push(next);
                    continue;
                }
                Some(_) | None => {}
            }
            let missing = i64::try_from(count - values.len()).unwrap_or(i64::MAX);
            // Whole caches, as if each value had been asked for by itself.
            let caches = missing.saturating_sub(1) / sequence.cache.max(1) + 1;
            let wanted = caches.saturating_mul(sequence.cache);
            let steps = Steps {
                increment: sequence.increment,
                min: sequence.min,
                max: sequence.max,
                cycle: sequence.cycle,
                count: wanted,
            };
            let taken =
                self.sequences.take(start, steps).map_err(|_| exhausted(relation, sequence))?;
            used.current = Some(taken.first);
            used.taken = taken.last;
            values.push(taken.first);
        }
        state.last = Some(relation.oid);
        Ok(values)
    }

    /// `currval`
    ///
    /// # Errors
    /// `55000` where `nextval` was not called in this session.
    pub(super) fn sequence_current(&self, oid: Oid) -> Result<i64, PgError> {
        let (relation, _) = self.sequence(oid)?;
        self.check_right(&relation, Rights::USAGE.or(Rights::SELECT))?;
        let known = self.sequence_state.lock().used.get(&oid).and_then(|used| used.current);
        known.ok_or_else(|| {
            PgError::new(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!(
                    "currval of sequence \"{}\" is not yet defined in this session",
                    relation.name
                ),
            )
        })
    }

    /// `lastval`
    ///
    /// # Errors
    /// `55000` where `nextval` was not called in this session, or of a sequence that is gone.
    pub(super) fn sequence_last(&self) -> Result<i64, PgError> {
        let state = self.sequence_state.lock();
        let last = state.last.filter(|oid| self.catalog().relation(*oid).is_some());
        let value = last.and_then(|oid| state.used.get(&oid)).and_then(|used| used.current);
        if let Some(relation) = last.and_then(|oid| self.catalog().relation(oid).cloned()) {
            self.check_right(&relation, Rights::USAGE.or(Rights::SELECT))?;
        }
        value.ok_or_else(|| {
            PgError::new(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                "lastval is not yet defined in this session",
            )
        })
    }

    /// `setval`
    ///
    /// # Errors
    /// `22003` for a value outside the sequence's bounds.
    pub(super) fn sequence_set(&self, oid: Oid, value: i64, called: bool) -> Result<(), PgError> {
        let (relation, sequence) = self.sequence(oid)?;
        self.check_right(&relation, Rights::UPDATE)?;
        if relation.persistence != crate::catalog::Persistence::Temporary {
            self.refuse_if_read_only("setval")?;
        }
        if !(sequence.min..=sequence.max).contains(&value) {
            return Err(PgError::new(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                format!(
                    "setval: value {value} is out of bounds for sequence \"{}\" ({}..{})",
                    relation.name, sequence.min, sequence.max
                ),
            ));
        }
        self.sequences.set(start_of(&sequence), value, called);
        let mut state = self.sequence_state.lock();
        let fresh = Used { counter: sequence.counter.id, current: None, taken: 0 };
        let used = state.used.entry(oid).or_insert(fresh);
        used.counter = sequence.counter.id;
        if called {
            used.current = Some(value);
        }
        // What was taken in advance is given up.
        used.taken = used.current.unwrap_or(0);
        Ok(())
    }

    /// The last value anyone took; `None` before the first.
    ///
    /// # Errors
    /// `42809` for what is no sequence.
    pub(super) fn sequence_last_value(&self, oid: Oid) -> Result<Option<i64>, PgError> {
        let (relation, sequence) = self.sequence(oid)?;
        self.check_right(&relation, Rights::USAGE.or(Rights::SELECT))?;
        let state = self.counter_state(&sequence);
        Ok(state.called.then_some(state.value))
    }

    /// Where a sequence stands.
    pub(super) fn counter_state(&self, sequence: &Sequence) -> CounterState {
        self.sequences.state(start_of(sequence))
    }

    /// What `SELECT * FROM` a sequence gives.
    ///
    /// # Errors
    /// `XX000` for a relation that is no sequence: a defect here.
    pub(super) fn sequence_row(&self, relation: &Relation) -> Result<RecordBatch, PgError> {
        let sequence = relation
            .sequence()
            .ok_or_else(|| PgError::internal(format!("\"{}\" is not a sequence", relation.name)))?;
        let state = self.counter_state(sequence);
        let fields =
            sequence_columns().iter().map(|column| column.ty.field(&column.name, !column.not_null));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![state.value])),
            Arc::new(Int64Array::from(vec![state.ahead])),
            Arc::new(BooleanArray::from(vec![state.called])),
        ];
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns)?)
    }
}

fn exhausted(relation: &Relation, sequence: &Sequence) -> PgError {
    let (end, value) =
        if sequence.increment > 0 { ("maximum", sequence.max) } else { ("minimum", sequence.min) };
    PgError::new(
        SqlState::SEQUENCE_GENERATOR_LIMIT_EXCEEDED,
        format!("nextval: reached {end} value of sequence \"{}\" ({value})", relation.name),
    )
}
