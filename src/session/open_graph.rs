//! Definitions of open graphs while a statement writes to them.
//!
//! They are made in a transaction of their own, which is over before the statement goes on: so writers that use the same
//! new label at once wait for each other for a moment only, and a label stays known when the transaction that first used
//! it is rolled back. A transaction that changed definitions itself adds to its own.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::durable::Durably;
use super::engine::{CatalogWork, DatabaseState, Latest};
use super::sequences::start_of;
use crate::catalog::{Catalog, MadeTable, OpenDefinition};
use crate::error::{PgError, SqlState};
use crate::executor::write::{Definitions, RowCheck, Writes, lock_error};
use crate::storage::locks::{LockTarget, WaitLimits, WhenHeld};
use crate::storage::wal::Scribe;
use crate::storage::{LockOwner, Steps, TableVersion};
use crate::types::Oid;

/// How long a statement waits for another's definitions where the session waits without limit.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// What definitions a statement made, to be taken over by its transaction.
pub(super) type DefinedCatalog = Arc<Mutex<Option<Arc<Catalog>>>>;

/// Makes definitions for one statement.
pub(super) struct OpenDefinitions {
    pub(super) database: Arc<DatabaseState>,
    /// Whether the transaction has definitions of its own.
    pub(super) is_own: bool,
    pub(super) session: i32,
    pub(super) limits: WaitLimits,
    pub(super) check: Arc<dyn RowCheck>,
    /// Whether commits are waited for until they are on the disk.
    pub(super) sync: bool,
    pub(super) defined: DefinedCatalog,
}

fn put(writes: &mut Writes, made: &[MadeTable]) -> Result<(), PgError> {
    for table in made {
        match table {
            MadeTable::New(table, schema) => {
                writes.put_table(TableVersion::empty(*table, Arc::clone(schema)));
            }
            MadeTable::Widened(table, schema) => writes.widen_table(*table, schema)?,
        }
    }
    Ok(())
}

impl OpenDefinitions {
    /// A transaction of its own for what is wanted.
    async fn apart(&self, graph: Oid, wanted: &[OpenDefinition]) -> Result<Arc<Catalog>, PgError> {
        let owner = LockOwner::new(&self.database.locks, self.session, 0);
        let limits = WaitLimits {
            lock_timeout: Some(self.limits.lock_timeout.unwrap_or(WAIT_MAX)),
            ..self.limits
        };
        let held = owner.lock_target(LockTarget::Definitions, true, WhenHeld::Wait, limits).await;
        let database = self.database.latest().catalog.database.oid;
        held.map_err(|error| lock_error(error, database, String::new))?;
        let Latest { store, catalog } = self.database.latest();
        let mut changed = Catalog::clone(&catalog);
        let made = changed.define_open(graph, wanted)?;
        if changed.version == catalog.version {
            return Ok(catalog);
        }
        let mut writes = Writes::begin(store);
        put(&mut writes, &made)?;
        let definitions = Some(CatalogWork { base: catalog, catalog: Arc::new(changed) });
        let durably = Durably { sync: self.sync, scribe: Scribe::Thread, others_first: false };
        let (_, wait) =
            self.database.commit(&writes, definitions, self.check.as_ref(), durably, None)?;
        wait.wait().await?;
        Ok(self.database.latest().catalog)
    }
}

#[async_trait]
impl Definitions for OpenDefinitions {
    async fn define(
        &self,
        graph: Oid,
        wanted: Vec<OpenDefinition>,
        catalog: &Arc<Catalog>,
        writes: &Arc<Mutex<Writes>>,
    ) -> Result<Arc<Catalog>, PgError> {
        let after = if self.is_own {
            let mut changed = Catalog::clone(catalog);
            let made = changed.define_open(graph, &wanted)?;
            put(&mut writes.lock(), &made)?;
            Arc::new(changed)
        } else {
            self.apart(graph, &wanted).await?
        };
        *self.defined.lock() = Some(Arc::clone(&after));
        Ok(after)
    }

    fn stored(&self, table: Oid) -> Option<Arc<TableVersion>> {
        self.database.latest().store.table(table).cloned()
    }

    fn take_numbers(&self, sequence: Oid, count: usize, catalog: &Catalog) -> Result<i64, PgError> {
        let numbers = catalog.relation(sequence).and_then(|relation| relation.sequence());
        let Some(numbers) = numbers else {
            return Err(PgError::internal("the sequence of a graph is not there"));
        };
        let steps = Steps {
            increment: 1,
            min: numbers.min,
            max: numbers.max,
            cycle: false,
            count: i64::try_from(count).unwrap_or(i64::MAX),
        };
        let taken = self.database.sequences.take(start_of(numbers), steps);
        Ok(taken.map_err(|_| exhausted())?.first)
    }
}

fn exhausted() -> PgError {
    PgError::new(
        SqlState::SEQUENCE_GENERATOR_LIMIT_EXCEEDED,
        "the graph has no more numbers for its elements",
    )
}
