//! Which elements of a pattern's tables there are: the operators' side of [`ElementGuard`].
//!
//! ```text
//! guard's plan ── evaluated once ──► Mask: one bit for each position of the table's version
//!                                       ▲ asked for each vertex that is scanned and each edge that is followed
//! ```
//!
//! A guard whose plan is conditions on a scan is evaluated chunk by chunk, and what it says is remembered for as long as
//! the rows live ([`RowConditions`]), so that a statement that follows ten edges does not look at a million rows. Any other
//! plan is run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, LazyLock, Weak};

use arrow::array::{AsArray, BooleanBufferBuilder};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::UInt64Type;
use datafusion::catalog::Session;
use datafusion::common::{HashMap, Result};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::physical_planner::DefaultPhysicalPlanner;
use futures::StreamExt;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::lower::CreatePhysical;
use super::snapshot::GraphSnapshot;
use crate::error::PgError;
use crate::executor::row_conditions::{ConditionsKey, RowConditions};
use crate::planner::node::{Element, ElementGuard, RowPolicy};
use crate::storage::TableVersion;
use crate::types::{ElementRef, RowId};

/// Masks of whole tables that are remembered at most, over all statements.
const REMEMBERED_MAX: usize = 64;

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
    /// The guards of a pattern; `plans` are the operators of those that are not apart.
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
        let mut plans = plans.iter();
        for guard in guards {
            let version = match guard.element {
                Element::Vertex(table) => graph.version(false, table)?,
                Element::Edge(table) => graph.version(true, table)?,
            };
            let mut numbers = BTreeSet::new();
            collect_numbers(&guard.plan, &mut numbers)?;
            let missing = || PgError::internal("a guard has neither conditions nor operators");
            let source = if guard.apart {
                let conditions = RowConditions::of(&guard.plan, create_physical)?;
                Source::Conditions(conditions.ok_or_else(missing)?)
            } else {
                let operators = Arc::clone(plans.next().ok_or_else(missing)?);
                // No operator has it as a child, so that rules for operators would not meet it.
                let planner = DefaultPhysicalPlanner::default();
                Source::Rows(planner.optimize_physical_plan(operators, state, |_, _| {})?)
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

    /// Whether what they hide is known already, so that nobody need look at rows to find out.
    pub fn are_remembered(&self) -> bool {
        self.0.values().all(|guard| match &guard.source {
            Source::Conditions(conditions) => {
                conditions.key().is_some_and(|key| known(&guard.version, key).is_some())
            }
            Source::Rows(_) => false,
        })
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
    Conditions(RowConditions),
    /// The row ids.
    Rows(Arc<dyn ExecutionPlan>),
}

impl Guard {
    async fn mask(&self, context: &Arc<TaskContext>) -> Result<Arc<Mask>> {
        let made = self.mask.get_or_try_init(|| async {
            let mask = |bits: BooleanBuffer| {
                let all = bits.count_set_bits() as u64 == self.version.live_rows();
                Arc::new(Mask { bits, all })
            };
            match &self.source {
                Source::Conditions(conditions) => match conditions.key() {
                    Some(key) => remembered(&self.version, key, || {
                        conditions.of_version(&self.version).map(mask)
                    }),
                    None => conditions.of_version(&self.version).map(mask),
                },
                Source::Rows(plan) => Ok(mask(self.run(plan, context).await?)),
            }
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

/// Masks of tables as they are now, by what was asked of which version.
type Remembered = HashMap<(u64, u64), (Weak<TableVersion>, Arc<ConditionsKey>, Arc<Mask>)>;

static REMEMBERED: LazyLock<Mutex<Remembered>> = LazyLock::new(Mutex::default);

/// The mask that conditions gave for a version before.
fn known(version: &TableVersion, key: &Arc<ConditionsKey>) -> Option<Arc<Mask>> {
    let all = REMEMBERED.lock();
    let (_, asked, mask) = all.get(&(version.stamp, key.hash()))?;
    (asked == key).then(|| Arc::clone(mask))
}

/// The same, or else what `make` gives.
fn remembered(
    version: &Arc<TableVersion>,
    key: &Arc<ConditionsKey>,
    make: impl FnOnce() -> Result<Arc<Mask>>,
) -> Result<Arc<Mask>> {
    if let Some(mask) = known(version, key) {
        return Ok(mask);
    }
    let mask = make()?;
    let mut all = REMEMBERED.lock();
    if all.len() >= REMEMBERED_MAX {
        all.retain(|_, (version, _, _)| version.strong_count() > 0);
        if all.len() >= REMEMBERED_MAX {
            all.clear();
        }
    }
    let place = (version.stamp, key.hash());
    all.insert(place, (Arc::downgrade(version), Arc::clone(key), Arc::clone(&mask)));
    Ok(mask)
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
