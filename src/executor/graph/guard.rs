//! Which elements of a pattern's tables there are: the operators' side of [`ElementGuard`].
//!
//! ```text
//! guard's plan ── evaluated once ──► Mask: one bit for each position of the table's version
//!                                       ▲ asked for each vertex that is scanned and each edge that is followed
//! ```
//!
//! A guard whose plan is conditions on a scan is evaluated chunk by chunk and remembered for as long as the chunk lives,
//! so that a statement that follows ten edges does not look at a million rows. Any other plan is run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock, Weak};

use arrow::array::{
    Array, AsArray, BooleanArray, BooleanBufferBuilder, RecordBatch, RecordBatchOptions,
};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{SchemaRef, UInt64Type};
use arrow::error::ArrowError;
use datafusion::catalog::Session;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, HashMap, Result};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::physical_planner::DefaultPhysicalPlanner;
use futures::StreamExt;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::lower::CreatePhysical;
use super::snapshot::GraphSnapshot;
use crate::error::PgError;
use crate::executor::scan::StoredTable;
use crate::planner::node::{Element, ElementGuard, RowPolicy};
use crate::storage::{Chunk, TableVersion};
use crate::types::{ElementRef, RowId};

/// Chunks whose answers are remembered at most, over all statements.
const REMEMBERED_MAX: usize = 4096;

/// The elements of one table that there are, by position.
#[derive(Debug)]
pub struct Mask {
    bits: BooleanBuffer,
    all: bool,
}

impl Mask {
    /// Whether the element at a position is there.
    pub fn shows(&self, position: u64) -> bool {
        let at = position as usize;
        at < self.bits.len() && self.bits.value(at)
    }

    /// Whether no row of the table is hidden, so that nobody need ask.
    pub fn shows_all(&self) -> bool {
        self.all
    }
}

/// The guards of one pattern.
#[derive(Debug, Default)]
pub struct Guards(BTreeMap<Element, Guard>);

impl Guards {
    /// The guards of a pattern; `plans` are the operators of their plans.
    ///
    /// # Errors
    /// What making a physical expression says.
    pub fn try_new(
        guards: &[ElementGuard],
        plans: &[Arc<dyn ExecutionPlan>],
        graph: &GraphSnapshot,
        create_physical: CreatePhysical<'_>,
        state: &dyn Session,
    ) -> Result<Self> {
        let mut all = BTreeMap::new();
        for (guard, operators) in guards.iter().zip(plans) {
            let version = match guard.element {
                Element::Vertex(table) => graph.version(false, table)?,
                Element::Edge(table) => graph.version(true, table)?,
            };
            let mut numbers = BTreeSet::new();
            collect_numbers(&guard.plan, &mut numbers)?;
            let source = match Conditions::of(&guard.plan, create_physical)? {
                Some(conditions) => Source::Conditions(conditions),
                // No operator has it as a child, so that rules for operators would not meet it.
                None => Source::Rows(DefaultPhysicalPlanner::default().optimize_physical_plan(
                    Arc::clone(operators),
                    state,
                    |_, _| {},
                )?),
            };
            let version = Arc::clone(version);
            all.insert(guard.element, Guard { source, version, numbers, mask: OnceCell::new() });
        }
        Ok(Self(all))
    }

    /// Whether a table has one.
    pub fn has(&self, element: Element) -> bool {
        self.0.contains_key(&element)
    }

    /// Numbers of the policies that the guards apply.
    pub fn numbers(&self) -> impl Iterator<Item = u32> {
        self.0.values().flat_map(|guard| guard.numbers.iter().copied())
    }

    /// The mask of a table; `None` for one that can be seen as a whole.
    ///
    /// # Errors
    /// Whatever evaluating a policy raises.
    pub async fn mask(
        &self,
        element: Element,
        context: &Arc<TaskContext>,
    ) -> Result<Option<Arc<Mask>>> {
        match self.0.get(&element) {
            None => Ok(None),
            Some(guard) => guard.mask(context).await.map(Some),
        }
    }
}

fn collect_numbers(plan: &LogicalPlan, numbers: &mut BTreeSet<u32>) -> Result<()> {
    use datafusion::common::tree_node::TreeNodeRecursion;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Extension(extension) = node
            && let Some(policy) = extension.node.as_any().downcast_ref::<RowPolicy>()
        {
            numbers.insert(policy.number);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

struct Guard {
    source: Source,
    version: Arc<TableVersion>,
    numbers: BTreeSet<u32>,
    mask: OnceCell<Arc<Mask>>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("numbers", &self.numbers).finish_non_exhaustive()
    }
}

enum Source {
    /// Conditions on each row by itself.
    Conditions(Conditions),
    /// The row ids.
    Rows(Arc<dyn ExecutionPlan>),
}

impl Guard {
    async fn mask(&self, context: &Arc<TaskContext>) -> Result<Arc<Mask>> {
        let made = self.mask.get_or_try_init(|| async {
            let bits = match &self.source {
                Source::Conditions(conditions) => conditions.evaluate(&self.version)?,
                Source::Rows(plan) => self.run(plan, context).await?,
            };
            let all = bits.count_set_bits() as u64 == self.version.live_rows();
            Ok::<_, datafusion::common::DataFusionError>(Arc::new(Mask { bits, all }))
        });
        made.await.cloned()
    }

    /// The rows that a plan gives the ids of.
    async fn run(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        context: &Arc<TaskContext>,
    ) -> Result<BooleanBuffer> {
        let positions = self.version.positions() as usize;
        let mut bits = BooleanBufferBuilder::new(positions);
        bits.append_n(positions, false);
        let mut rows = execute_stream(Arc::clone(plan), Arc::clone(context))?;
        let starts = self.version.chunk_starts();
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            let ids = batch.columns().first().and_then(|ids| ids.as_primitive_opt::<UInt64Type>());
            let ids = ids.ok_or_else(|| PgError::internal("a guard gives no row ids"))?;
            let ids: Vec<RowId> = ids.iter().flatten().map(RowId).collect();
            for (chunk, offset) in self.version.find_rows(&ids)?.into_iter().flatten() {
                let at = starts.get(chunk).copied().unwrap_or(0) as usize + offset;
                if at < positions {
                    bits.set_bit(at, true);
                }
            }
            tokio::task::consume_budget().await;
        }
        Ok(bits.finish())
    }
}

/// Conditions on the rows of a scan, without subqueries.
struct Conditions {
    /// Columns of the table that are read, in the order of `schema`.
    columns: Vec<usize>,
    schema: SchemaRef,
    predicates: Vec<Arc<dyn PhysicalExpr>>,
    /// What the answers are remembered by; `None` if they are not the same each time.
    key: Option<Arc<Key>>,
}

#[derive(PartialEq, Eq)]
struct Key {
    hash: u64,
    predicates: Vec<Expr>,
    columns: Vec<usize>,
}

impl Key {
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

impl Conditions {
    /// The conditions that a plan is made of, if that is all it is.
    fn of(plan: &LogicalPlan, create_physical: CreatePhysical<'_>) -> Result<Option<Self>> {
        let mut predicates = Vec::new();
        let Some(scan) = conditions_on_scan(plan, &mut predicates) else { return Ok(None) };
        let Some(columns) = table_columns(scan) else { return Ok(None) };
        let schema: &DFSchema = &scan.projected_schema;
        let physical = predicates.iter().map(|predicate| create_physical(predicate, schema));
        let remembered = predicates.iter().all(is_always_the_same);
        Ok(Some(Self {
            predicates: physical.collect::<Result<_>>()?,
            schema: Arc::clone(schema.inner()),
            key: remembered.then(|| Arc::new(Key::new(predicates, columns.clone()))),
            columns,
        }))
    }

    fn evaluate(&self, version: &TableVersion) -> Result<BooleanBuffer> {
        let mut bits = BooleanBufferBuilder::new(version.positions() as usize);
        for chunk in version.chunks() {
            bits.append_buffer(&self.of_chunk(chunk)?);
        }
        Ok(bits.finish())
    }

    fn of_chunk(&self, chunk: &Arc<Chunk>) -> Result<BooleanBuffer> {
        let Some(key) = &self.key else { return self.compute(chunk) };
        if let Some(known) = remembered(chunk, key) {
            return Ok(known);
        }
        let bits = self.compute(chunk)?;
        remember(chunk, key, &bits);
        Ok(bits)
    }

    /// For each row of a chunk, those that were deleted too, whether it satisfies all conditions. What a condition raises
    /// on a row that was deleted, or that one before it leaves out, is not raised.
    fn compute(&self, chunk: &Chunk) -> Result<BooleanBuffer> {
        let rows = chunk.len();
        let live = match &chunk.deleted {
            None => BooleanBuffer::new_set(rows),
            Some(deleted) => !deleted,
        };
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
        let mut keep = live;
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

/// The scan that a plan is filters on, and the filters, the lowest first.
fn conditions_on_scan<'a>(plan: &'a LogicalPlan, found: &mut Vec<Expr>) -> Option<&'a TableScan> {
    match plan {
        LogicalPlan::Projection(projection) => match projection.expr.as_slice() {
            [Expr::Column(_)] | [Expr::Alias(_)] => conditions_on_scan(&projection.input, found),
            _ => None,
        },
        LogicalPlan::SubqueryAlias(_) => None,
        LogicalPlan::Filter(filter) => {
            let scan = conditions_on_scan(&filter.input, found)?;
            let subquery = |expr: &Expr| {
                Ok(matches!(
                    expr,
                    Expr::ScalarSubquery(_)
                        | Expr::Exists(_)
                        | Expr::InSubquery(_)
                        | Expr::SetComparison(_)
                        | Expr::OuterReferenceColumn(..)
                        | Expr::Placeholder(_)
                ))
            };
            if filter.predicate.exists(subquery).unwrap_or(true) {
                return None;
            }
            let conjuncts = datafusion::logical_expr::utils::split_conjunction(&filter.predicate);
            found.extend(conjuncts.into_iter().cloned());
            Some(scan)
        }
        LogicalPlan::Extension(extension) => {
            let policy = extension.node.as_any().downcast_ref::<RowPolicy>()?;
            if policy.above.is_empty() { conditions_on_scan(&policy.input, found) } else { None }
        }
        LogicalPlan::TableScan(scan) if scan.fetch.is_none() => Some(scan),
        _ => None,
    }
}

/// The columns of the stored table that a scan gives.
fn table_columns(scan: &TableScan) -> Option<Vec<usize>> {
    let source = datafusion::datasource::source_as_provider(&scan.source).ok()?;
    let table = source.downcast_ref::<StoredTable>()?;
    let all = 0..table.schema.fields().len();
    Some(scan.projection.clone().unwrap_or_else(|| all.collect()))
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

/// Answers for chunks, by the chunk's address and what was asked.
type Remembered = HashMap<(usize, u64), (Weak<Chunk>, Arc<Key>, BooleanBuffer)>;

static REMEMBERED: LazyLock<Mutex<Remembered>> = LazyLock::new(Mutex::default);

fn place(chunk: &Arc<Chunk>, key: &Key) -> (usize, u64) {
    (Arc::as_ptr(chunk) as usize, key.hash)
}

fn remembered(chunk: &Arc<Chunk>, key: &Arc<Key>) -> Option<BooleanBuffer> {
    let all = REMEMBERED.lock();
    let (of, asked, bits) = all.get(&place(chunk, key))?;
    // Another chunk may have come to the same address.
    let same = of.upgrade().is_some_and(|of| Arc::ptr_eq(&of, chunk));
    (same && asked == key).then(|| bits.clone())
}

fn remember(chunk: &Arc<Chunk>, key: &Arc<Key>, bits: &BooleanBuffer) {
    let mut all = REMEMBERED.lock();
    if all.len() >= REMEMBERED_MAX {
        all.retain(|_, (chunk, _, _)| chunk.strong_count() > 0);
        if all.len() >= REMEMBERED_MAX {
            all.clear();
        }
    }
    all.insert(place(chunk, key), (Arc::downgrade(chunk), Arc::clone(key), bits.clone()));
}

/// The masks of one table, for operators that look at elements of several.
#[derive(Debug, Clone, Default)]
pub struct Masks {
    /// By vertex table; missing ones can be seen as a whole.
    pub vertices: HashMap<u16, Arc<Mask>>,
}

impl Masks {
    /// The masks of vertex tables.
    ///
    /// # Errors
    /// As [`Guards::mask`].
    pub async fn of_vertices(
        guards: &Guards,
        tables: impl IntoIterator<Item = u16>,
        context: &Arc<TaskContext>,
    ) -> Result<Self> {
        let mut vertices = HashMap::new();
        for table in tables {
            let mask = guards.mask(Element::Vertex(table), context).await?;
            if let Some(mask) = mask.filter(|mask| !mask.shows_all()) {
                vertices.insert(table, mask);
            }
        }
        Ok(Self { vertices })
    }

    /// Whether a vertex is there.
    pub fn shows(&self, vertex: ElementRef) -> bool {
        self.vertices.get(&vertex.table()).is_none_or(|mask| mask.shows(vertex.position()))
    }
}
