//! Prepared statements, and portals: bound statements on their way to their rows.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::HashMap;
use datafusion::common::metadata::ScalarAndMetadata;
use futures::StreamExt;
use futures::stream::BoxStream;

use super::cursors::CursorOptions;
use super::locking::BoundLocks;
use super::outcome::{Completion, OutputColumn, RowStream};
use super::scroll::Scrolled;
use crate::access::Caller;
use crate::catalog::CatalogStamp;
use crate::error::{PgError, SqlState};
use crate::executor::short::ShortPlan;
use crate::parser::Statement;
use crate::planner::bind::{Bound, PlanKind};
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// Prepared statements a session may have.
const STATEMENTS_MAX: usize = 10_000;
/// Portals a session may have.
const PORTALS_MAX: usize = 1_000;

/// A statement that was prepared.
#[derive(Debug)]
pub(super) struct Prepared {
    /// `None` for an empty query string.
    pub(super) statement: Option<Arc<Statement>>,
    /// Types the client declared.
    pub(super) declared: Vec<Option<PgType>>,
    /// Parameter types as resolved.
    pub(super) parameters: Vec<PgType>,
    /// The same as clients are told them: a domain is one here, and in `parameters` what it stands on.
    pub(super) described: Vec<PgType>,
    /// What its rows look like; `None` if it gives none.
    pub(super) columns: Option<Arc<[OutputColumn]>>,
    /// The state of the catalog, and the path, by which types were found for its parameters.
    pub(super) typed_by: Option<(CatalogStamp, Vec<String>)>,
    /// The bound statement, and what it holds for.
    pub(super) bound: parking_lot::Mutex<Option<CachedBound>>,
    /// The text as prepared.
    pub(super) text: String,
    /// Made by PREPARE rather than by the protocol.
    pub(super) from_sql: bool,
    /// When, in microseconds since 1970.
    pub(super) prepared_us: i64,
}

/// The short way of a plan, once it was asked for, and the role it was admitted for.
pub(super) type ShortCache = parking_lot::Mutex<Option<(Arc<Caller>, Option<Short>)>>;

/// A compiled statement, and what its rows look like.
#[derive(Debug, Clone)]
pub(super) struct Short {
    pub(super) plan: Arc<ShortPlan>,
    pub(super) columns: Arc<[OutputColumn]>,
}

/// The rows of a statement that was run at once.
pub(super) struct ReadyRows {
    pub(super) columns: Arc<[OutputColumn]>,
    pub(super) schema: SchemaRef,
    pub(super) kind: PlanKind,
    pub(super) batch: RecordBatch,
}

impl CachedBound {
    /// The short way as it was admitted for a caller: `None` if it was not asked for yet, `Some(None)` if there is none.
    pub(super) fn admitted_short(&self, caller: &Caller) -> Option<Option<Short>> {
        admitted_short(&self.short, caller)
    }
}

/// As [`CachedBound::admitted_short`].
pub(super) fn admitted_short(cache: &ShortCache, caller: &Caller) -> Option<Option<Short>> {
    let cache = cache.lock();
    let (admitted_for, short) = cache.as_ref()?;
    (**admitted_for == *caller).then(|| short.clone())
}

impl ReadyRows {
    /// As rows that can be read in several executions.
    pub(super) fn into_rows(self) -> PortalRows {
        let batches = futures::stream::iter([Ok(self.batch)]).boxed();
        PortalRows::new(self.columns, self.schema, self.kind, batches)
    }
}

/// A bound statement and the state of the catalog it was bound in.
#[derive(Debug, Clone)]
pub(super) struct CachedBound {
    pub(super) bound: Arc<Bound>,
    pub(super) short: Arc<ShortCache>,
    pub(super) locks: Arc<BoundLocks>,
    pub(super) catalog_version: CatalogStamp,
    /// The current role, by whose rights schemas were looked into.
    pub(super) role: Oid,
    pub(super) search_path: Vec<String>,
}

/// A bound statement that can be executed.
pub(super) struct Portal {
    pub(super) prepared: Arc<Prepared>,
    pub(super) values: Vec<ScalarAndMetadata>,
    pub(super) progress: Progress,
    /// What DECLARE said, if it made it.
    pub(super) options: CursorOptions,
    /// It outlives the transaction that made it, which was committed.
    pub(super) held: bool,
    pub(super) created_us: i64,
}

impl Portal {
    /// One that has not run.
    pub(super) fn new(
        prepared: Arc<Prepared>,
        values: Vec<ScalarAndMetadata>,
        options: CursorOptions,
    ) -> Self {
        let (progress, created_us) = (Progress::Fresh, super::engine::now_us());
        Self { prepared, values, progress, options, held: false, created_us }
    }
}

/// How far a portal is.
pub(super) enum Progress {
    /// Nothing ran yet.
    Fresh,
    /// It gives rows.
    Rows(Arc<parking_lot::Mutex<PortalRows>>),
    /// Its rows are kept.
    Kept(Box<Scrolled>),
    /// It ran and gives nothing more; what it answers when it is executed again.
    Done(String),
}

/// The rows of a portal, read in one or more executions.
pub(super) struct PortalRows {
    pub(super) columns: Arc<[OutputColumn]>,
    pub(super) schema: SchemaRef,
    pub(super) kind: PlanKind,
    /// Taken out while an execution reads, put back when it ends.
    source: Option<Source>,
}

struct Source {
    batches: BoxStream<'static, Result<RecordBatch, PgError>>,
    rest: Option<RecordBatch>,
    ended: bool,
}

impl PortalRows {
    pub(super) fn new(
        columns: Arc<[OutputColumn]>,
        schema: SchemaRef,
        kind: PlanKind,
        batches: BoxStream<'static, Result<RecordBatch, PgError>>,
    ) -> Self {
        Self { columns, schema, kind, source: Some(Source { batches, rest: None, ended: false }) }
    }
}

impl Source {
    /// The next batch of at most `limit` rows.
    async fn next(&mut self, limit: usize) -> Result<Option<RecordBatch>, PgError> {
        let batch = loop {
            if let Some(rest) = self.rest.take() {
                break rest;
            }
            if self.ended {
                return Ok(None);
            }
            match self.batches.next().await {
                Some(Ok(batch)) if batch.num_rows() == 0 => {}
                Some(Ok(batch)) => break batch,
                Some(Err(error)) => {
                    self.ended = true;
                    return Err(error);
                }
                None => self.ended = true,
            }
        };
        if batch.num_rows() > limit {
            self.rest = Some(batch.slice(limit, batch.num_rows() - limit));
            return Ok(Some(batch.slice(0, limit)));
        }
        Ok(Some(batch))
    }
}

/// What an execution of a portal counted, for its completion.
#[derive(Debug, Default)]
struct Counted {
    rows: u64,
    suspended: bool,
}

/// Reads up to `limit` rows of a portal (0: all).
///
/// # Errors
/// `55000` if another execution of the same portal has not been read to its end.
pub(super) fn read(
    rows: &Arc<parking_lot::Mutex<PortalRows>>,
    limit: usize,
) -> Result<RowStream, PgError> {
    let (source, schema, kind) = {
        let mut guard = rows.lock();
        let source = guard.source.take().ok_or_else(|| {
            PgError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "portal is being read already")
        })?;
        (source, Arc::clone(&guard.schema), guard.kind)
    };
    let counted = Arc::new(parking_lot::Mutex::new(Counted::default()));
    let lease = Lease { rows: Arc::clone(rows), source: Some(source) };
    let left = if limit == 0 { usize::MAX } else { limit };
    let count = Arc::clone(&counted);
    let batches = futures::stream::unfold((lease, left), move |(mut lease, left)| {
        let count = Arc::clone(&count);
        async move {
            if left == 0 {
                count.lock().suspended = true;
                return None;
            }
            let source = lease.source.as_mut()?;
            match source.next(left).await {
                Ok(None) => None,
                Ok(Some(batch)) => {
                    count.lock().rows += batch.num_rows() as u64;
                    let left = left - batch.num_rows();
                    Some((Ok(batch), (lease, left)))
                }
                Err(error) => Some((Err(error), (lease, left))),
            }
        }
    });
    let completion = move || {
        let counted = counted.lock();
        if counted.suspended {
            Completion::Suspended
        } else {
            Completion::Complete(kind.tag(counted.rows))
        }
    };
    Ok(RowStream::new(schema, batches.boxed(), Arc::new(completion)))
}

/// Gives the rows back to their portal when an execution ends, however it ends.
struct Lease {
    rows: Arc<parking_lot::Mutex<PortalRows>>,
    source: Option<Source>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.rows.lock().source = self.source.take();
    }
}

/// A session's prepared statements and portals, by name; `""` is the unnamed one.
#[derive(Default)]
pub(super) struct Statements {
    prepared: HashMap<String, Arc<Prepared>>,
    portals: HashMap<String, Portal>,
}

impl Statements {
    /// Keeps a prepared statement.
    ///
    /// # Errors
    /// `42P05` if a named one exists, `53400` if there are too many.
    pub(super) fn prepare(&mut self, name: &str, prepared: Arc<Prepared>) -> Result<(), PgError> {
        if !name.is_empty() {
            if self.prepared.contains_key(name) {
                return Err(PgError::new(
                    SqlState::DUPLICATE_PREPARED_STATEMENT,
                    format!("prepared statement \"{name}\" already exists"),
                ));
            }
            if self.prepared.len() >= STATEMENTS_MAX {
                return Err(PgError::new(
                    SqlState::CONFIGURATION_LIMIT_EXCEEDED,
                    format!("too many prepared statements (limit {STATEMENTS_MAX})"),
                )
                .hint("DEALLOCATE those that are not used."));
            }
        }
        self.prepared.insert(name.to_owned(), prepared);
        Ok(())
    }

    /// A prepared statement.
    ///
    /// # Errors
    /// `26000` if there is none of this name.
    pub(super) fn prepared(&self, name: &str) -> Result<Arc<Prepared>, PgError> {
        self.prepared.get(name).cloned().ok_or_else(|| {
            let message = if name.is_empty() {
                "unnamed prepared statement does not exist".to_owned()
            } else {
                format!("prepared statement \"{name}\" does not exist")
            };
            PgError::new(SqlState::INVALID_SQL_STATEMENT_NAME, message)
        })
    }

    /// A prepared statement, if there is one of this name.
    pub(super) fn known(&self, name: &str) -> Option<&Arc<Prepared>> {
        self.prepared.get(name)
    }

    /// Opens a portal.
    ///
    /// # Errors
    /// `42P03` if a named one exists, `53400` if there are too many.
    pub(super) fn open(&mut self, name: &str, portal: Portal) -> Result<(), PgError> {
        if !name.is_empty() {
            if self.portals.contains_key(name) {
                return Err(PgError::new(
                    SqlState::DUPLICATE_CURSOR,
                    format!("cursor \"{name}\" already exists"),
                ));
            }
            if self.portals.len() >= PORTALS_MAX {
                return Err(PgError::new(
                    SqlState::CONFIGURATION_LIMIT_EXCEEDED,
                    format!("too many open portals (limit {PORTALS_MAX})"),
                ));
            }
        }
        self.portals.insert(name.to_owned(), portal);
        Ok(())
    }

    /// Puts a portal in the place of the unnamed one.
    pub(super) fn replace_unnamed(&mut self, portal: Portal) {
        self.portals.insert(String::new(), portal);
    }

    /// A portal.
    ///
    /// # Errors
    /// `34000` if there is none of this name.
    pub(super) fn portal(&mut self, name: &str) -> Result<&mut Portal, PgError> {
        self.portals.get_mut(name).ok_or_else(|| no_portal(name))
    }

    /// What a portal gives.
    ///
    /// # Errors
    /// `34000` if there is none of this name.
    pub(super) fn portal_columns(
        &self,
        name: &str,
    ) -> Result<Option<Arc<[OutputColumn]>>, PgError> {
        let portal = self.portals.get(name).ok_or_else(|| no_portal(name))?;
        Ok(portal.prepared.columns.clone())
    }

    pub(super) fn close_prepared(&mut self, name: &str) -> bool {
        self.prepared.remove(name).is_some()
    }

    pub(super) fn close_all_prepared(&mut self) {
        self.prepared.clear();
    }

    pub(super) fn close_portal(&mut self, name: &str) -> bool {
        self.portals.remove(name).is_some()
    }

    /// Closes all portals: CLOSE ALL.
    pub(super) fn close_all_portals(&mut self) {
        self.portals.clear();
    }

    /// Portals live as long as their transaction, but for cursors WITH HOLD of one that is committed.
    pub(super) fn end_transaction(&mut self, committed: bool) {
        if self.portals.is_empty() {
            return;
        }
        self.portals.retain(|_, portal| {
            portal.held |= committed && portal.options.hold;
            portal.held
        });
    }

    pub(super) fn all_prepared(&self) -> impl Iterator<Item = (&String, &Arc<Prepared>)> {
        self.prepared.iter().filter(|(name, _)| !name.is_empty())
    }

    pub(super) fn all_cursors(&self) -> impl Iterator<Item = (&String, &Portal)> {
        self.portals.iter().filter(|(_, portal)| portal.options.declared)
    }
}

fn no_portal(name: &str) -> PgError {
    let what = if name.is_empty() { "portal" } else { "cursor" };
    PgError::new(SqlState::INVALID_CURSOR_NAME, format!("{what} \"{name}\" does not exist"))
}
