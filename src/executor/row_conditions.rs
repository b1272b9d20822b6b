//! Which rows of a stored table satisfy conditions, a bit for each.
//!
//! ```text
//! RowPolicy                                    owner = 'ann'
//!   Filter owner = 'ann'      ──►              chunk 0   1 1 1 1 …      remembered, by the rows and the conditions
//!     TableScan                                chunk 1   1 0 0 1 …
//! ```
//!
//! Rows of a chunk never change, so what immutable conditions say of them stays true as long as they live, whichever of
//! them are deleted meanwhile. A policy on a table that does not change is therefore evaluated once for each role, and not
//! for each statement.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, AsArray, BooleanArray, BooleanBufferBuilder, RecordBatch, RecordBatchOptions,
};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, HashMap, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan, TableSource as _};
use datafusion::physical_expr::PhysicalExpr;
use parking_lot::Mutex;

use super::graph::CreatePhysical;
use super::scan::StoredTable;
use crate::access::policy::is_leak_proof;
use crate::catalog::RelationKind;
use crate::error::PgError;
use crate::planner::node::conditions_on_scan;
use crate::planner::source::RelationSource;
use crate::storage::{Chunk, RowsRef, TableVersion};

/// Chunks whose answers are remembered at most, over all statements.
const REMEMBERED_MAX: usize = 4096;

/// Conditions on the rows of a scan, without subqueries.
#[derive(Debug)]
pub(super) struct RowConditions {
    /// Columns of the table that are read, in the order of `schema`.
    columns: Vec<usize>,
    schema: SchemaRef,
    predicates: Vec<Arc<dyn PhysicalExpr>>,
    /// What the answers are remembered by; `None` if they are not the same each time.
    key: Option<Arc<ConditionsKey>>,
    leak_proof: bool,
}

/// What was asked of rows, and of which columns.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ConditionsKey {
    hash: u64,
    predicates: Vec<Expr>,
    columns: Vec<usize>,
}

impl ConditionsKey {
    /// Equal for equal ones.
    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    /// Without what a statement happens to call the table: the chunk says which it is.
    fn new(predicates: Vec<Expr>, columns: Vec<usize>) -> Self {
        let plain = |expr: Expr| {
            let plain = expr.clone().transform(|expr| match expr {
                Expr::Column(column) => {
                    Ok(Transformed::yes(Expr::Column(Column::new_unqualified(column.name))))
                }
                other => Ok(Transformed::no(other)),
            });
            plain.map_or(expr, |plain| plain.data)
        };
        let predicates: Vec<Expr> = predicates.into_iter().map(plain).collect();
        let mut hasher = DefaultHasher::new();
        predicates.hash(&mut hasher);
        columns.hash(&mut hasher);
        Self { hash: hasher.finish(), predicates, columns }
    }
}

impl RowConditions {
    /// The conditions that a plan is made of, if that is all it is.
    ///
    /// # Errors
    /// What making a physical expression says.
    pub(super) fn of(
        plan: &LogicalPlan,
        create_physical: CreatePhysical<'_>,
    ) -> Result<Option<Self>> {
        let mut predicates = Vec::new();
        let Some(scan) = conditions_on_scan(plan, &mut predicates) else { return Ok(None) };
        let Some(columns) = table_columns(scan) else { return Ok(None) };
        let schema: &DFSchema = &scan.projected_schema;
        let physical = predicates.iter().map(|predicate| create_physical(predicate, schema));
        let remembered = predicates.iter().all(is_always_the_same);
        let leak_proof = predicates.iter().all(is_leak_proof);
        Ok(Some(Self {
            predicates: physical.collect::<Result<_>>()?,
            schema: Arc::clone(schema.inner()),
            key: remembered.then(|| Arc::new(ConditionsKey::new(predicates, columns.clone()))),
            columns,
            leak_proof,
        }))
    }

    /// Whether a plan is conditions on the rows of a stored table, and nothing else.
    pub(super) fn is_all_of(plan: &LogicalPlan) -> bool {
        conditions_on_scan(plan, &mut Vec::new()).and_then(table_columns).is_some()
    }

    /// What the answers are remembered by; `None` if they may be others next time.
    pub(super) fn key(&self) -> Option<&Arc<ConditionsKey>> {
        self.key.as_ref()
    }

    /// Whether no condition can fail, so that it may be asked of rows that nobody asked for.
    pub(super) fn never_fail(&self) -> bool {
        self.leak_proof
    }

    /// For each position of a version, whether a row is there that satisfies all conditions.
    ///
    /// # Errors
    /// What the conditions raise; `XX001`, `58030` if rows could not be read.
    pub(super) fn of_version(&self, version: &TableVersion) -> Result<BooleanBuffer> {
        let mut bits = BooleanBufferBuilder::new(version.positions() as usize);
        for chunk in version.chunks() {
            bits.append_buffer(&self.of_chunk(chunk)?);
        }
        Ok(bits.finish())
    }

    /// The same for the rows of a chunk, if it is known without reading any.
    pub(super) fn known(&self, chunk: &Chunk) -> Option<BooleanBuffer> {
        let bits = remembered(chunk, self.key.as_ref()?)?;
        Some(live_of(chunk, bits))
    }

    /// The same for the rows of a chunk. What a condition raises on a row that was deleted, or that one before it leaves
    /// out, is not raised.
    ///
    /// # Errors
    /// As [`Self::of_version`].
    pub(super) fn of_chunk(&self, chunk: &Chunk) -> Result<BooleanBuffer> {
        if let Some(known) = self.known(chunk) {
            return Ok(known);
        }
        let all = BooleanBuffer::new_set(chunk.len());
        let Some(key) = &self.key else { return self.compute(chunk, live_of(chunk, all)) };
        match self.compute(chunk, all) {
            Ok(bits) => {
                remember(chunk, key, &bits);
                Ok(live_of(chunk, bits))
            }
            Err(_) if chunk.deleted.is_some() => {
                self.compute(chunk, live_of(chunk, BooleanBuffer::new_set(chunk.len())))
            }
            Err(error) => Err(error),
        }
    }

    /// Which of the rows in `keep` satisfy all conditions.
    fn compute(&self, chunk: &Chunk, mut keep: BooleanBuffer) -> Result<BooleanBuffer> {
        let rows = chunk.len();
        let columns = self.columns.iter().map(|column| match *column < chunk.num_columns() {
            true => chunk.column(*column),
            false => Ok(Arc::new(chunk.row_id_array(0, rows)?) as _),
        });
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            columns.collect::<Result<_, ArrowError>>()?,
            &options,
        )?;
        for predicate in &self.predicates {
            let selection = BooleanArray::new(keep.clone(), None);
            let answers = predicate.evaluate_selection(&batch, &selection)?.into_array(rows)?;
            let answers = answers
                .as_boolean_opt()
                .ok_or_else(|| PgError::internal("a policy is not boolean"))?;
            let mut yes = answers.values().clone();
            if let Some(nulls) = answers.nulls() {
                yes = &yes & nulls.inner();
            }
            keep = &keep & &yes;
        }
        Ok(keep)
    }
}

impl fmt::Display for RowConditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, predicate) in self.predicates.iter().enumerate() {
            let and = if at == 0 { "" } else { " AND " };
            write!(f, "{and}{predicate}")?;
        }
        Ok(())
    }
}

/// Those of some rows that are not deleted.
fn live_of(chunk: &Chunk, rows: BooleanBuffer) -> BooleanBuffer {
    match &chunk.deleted {
        None => rows,
        Some(deleted) => &rows & &!deleted,
    }
}

/// The columns of the stored table that a scan gives.
/// Columns of a stored table that a scan gives, whether its rows are attached or not; `None` if it scans anything else.
fn table_columns(scan: &TableScan) -> Option<Vec<usize>> {
    let columns = match scan.source.downcast_ref::<RelationSource>() {
        Some(source) => match &source.relation.kind {
            RelationKind::Table(_) | RelationKind::MaterializedView(_) => {
                source.schema().fields().len()
            }
            _ => return None,
        },
        None => {
            let source = datafusion::datasource::source_as_provider(&scan.source).ok()?;
            source.downcast_ref::<StoredTable>()?.schema.fields().len()
        }
    };
    Some(scan.projection.clone().unwrap_or_else(|| (0..columns).collect()))
}

/// Whether a condition gives the same answer for the same row in every statement.
fn is_always_the_same(expr: &Expr) -> bool {
    use datafusion::logical_expr::Volatility;
    let varies = |expr: &Expr| {
        Ok(match expr {
            Expr::ScalarFunction(call) => call.func.signature().volatility != Volatility::Immutable,
            Expr::ScalarVariable(..) => true,
            _ => false,
        })
    };
    !expr.exists(varies).unwrap_or(true)
}

/// Answers for all rows of chunks, by whose rows they are and what was asked.
type Remembered = HashMap<(usize, u64), (RowsRef, Arc<ConditionsKey>, BooleanBuffer)>;

static REMEMBERED: LazyLock<Mutex<Remembered>> = LazyLock::new(Mutex::default);

fn remembered(chunk: &Chunk, key: &Arc<ConditionsKey>) -> Option<BooleanBuffer> {
    let all = REMEMBERED.lock();
    let (of, asked, bits) = all.get(&(chunk.rows_key(), key.hash))?;
    // Other rows may have come to the same address.
    (of.is_of(chunk) && asked == key).then(|| bits.clone())
}

fn remember(chunk: &Chunk, key: &Arc<ConditionsKey>, bits: &BooleanBuffer) {
    let mut all = REMEMBERED.lock();
    if all.len() >= REMEMBERED_MAX {
        all.retain(|_, (rows, _, _)| !rows.are_gone());
        if all.len() >= REMEMBERED_MAX {
            all.clear();
        }
    }
    let place = (chunk.rows_key(), key.hash);
    all.insert(place, (chunk.rows_ref(), Arc::clone(key), bits.clone()));
}
