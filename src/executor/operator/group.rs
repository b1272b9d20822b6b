//! Repeated patterns: each match of the pattern in the parentheses is a step from its first vertex to its last.
//!
//! ```text
//! body      row   a   e   b   f   c            matches of ((a)-[e]->(b)-[f]->(c)), found once for a statement
//!           0     1   …   4   …   7
//! lists     1 ──► 7 by row 0                   by first vertex, and by last vertex for the way back
//! walk      rows [0, 3, …]                     a quantified edge whose edges are rows
//! unpacked  a = [1, 7, …], e = […], …          what each variable stood for, step by step
//! ```

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, ListArray, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, SchemaRef, UInt64Type};
use datafusion::common::{HashMap, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::{FutureExt, StreamExt};
use tokio::sync::OnceCell;

use super::checks::Checks;
use super::graph_exec::{GraphOperator, Names, Progress, SliceContext, Slicer, Starting};
use super::hops::{Hops, LoadedHop};
use crate::error::{PgError, SqlState};
use crate::executor::graph::Hop;
use crate::storage::adjacency::{Adjacency, Neighborhood, Orientation, Places};
use crate::types::ElementRef;

/// Bytes that one step takes in lists of both directions.
const STEP_BYTES: usize = 32;

/// The matches of a repeated pattern, found at first use in a statement's run.
#[derive(Debug, Clone)]
pub struct GroupHops {
    body: Arc<GroupBody>,
    /// From last vertices to first ones.
    backward: bool,
}

/// A body and, once it has run, its matches.
#[derive(Debug)]
pub struct GroupBody {
    plan: Arc<dyn ExecutionPlan>,
    /// Columns of the plan with the elements in written order.
    elements: Vec<usize>,
    rows: OnceCell<Arc<GroupRows>>,
}

impl GroupBody {
    /// The matches that `plan` gives, of elements in these columns: vertices and edges in turn.
    pub fn new(plan: Arc<dyn ExecutionPlan>, elements: Vec<usize>) -> Arc<Self> {
        Arc::new(Self { plan, elements, rows: OnceCell::new() })
    }

    /// The steps, from first vertices to last ones or `backward`.
    pub fn hops(self: &Arc<Self>, backward: bool) -> GroupHops {
        GroupHops { body: Arc::clone(self), backward }
    }

    async fn rows(&self, task: &Arc<TaskContext>) -> Result<Arc<GroupRows>> {
        let rows = self.rows.get_or_try_init(|| GroupRows::read(self, task)).await?;
        Ok(Arc::clone(rows))
    }
}

impl GroupHops {
    pub(super) async fn load(&self, task: &Arc<TaskContext>) -> Result<Hops> {
        let rows = self.body.rows(task).await?;
        Ok(Hops::of_group(rows.lists(self.backward), rows))
    }
}

/// All matches of a body.
#[derive(Debug)]
pub(super) struct GroupRows {
    /// One for each element, all equally long.
    columns: Vec<UInt64Array>,
    forward: Vec<Vec<LoadedHop>>,
    backward: Vec<Vec<LoadedHop>>,
    _reservation: MemoryReservation,
}

impl GroupRows {
    async fn read(body: &GroupBody, task: &Arc<TaskContext>) -> Result<Arc<Self>> {
        let reservation = MemoryConsumer::new("repeated pattern").register(task.memory_pool());
        let mut stream = execute_stream(Arc::clone(&body.plan), Arc::clone(task))?;
        let mut columns = vec![Vec::new(); body.elements.len()];
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            reservation.try_grow(batch.num_rows() * (8 * columns.len() + STEP_BYTES))?;
            for (values, column) in columns.iter_mut().zip(&body.elements) {
                values.extend_from_slice(super::expand::refs(&batch, *column)?.values());
            }
        }
        let columns: Vec<UInt64Array> = columns.into_iter().map(UInt64Array::from).collect();
        let (Some(first), Some(last)) = (columns.first(), columns.last()) else {
            return Err(PgError::internal("a repeated pattern has no elements").into());
        };
        if first.len() >= u32::MAX as usize {
            return Err(PgError::new(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                "a repeated pattern has too many matches",
            )
            .into());
        }
        let (forward, backward) = (lists(first, last), lists(last, first));
        Ok(Arc::new(Self { columns, forward, backward, _reservation: reservation }))
    }

    fn lists(&self, backward: bool) -> Vec<Vec<LoadedHop>> {
        if backward { self.backward.clone() } else { self.forward.clone() }
    }

    /// The edges of a match.
    pub(super) fn edges_of(&self, row: u64) -> impl Iterator<Item = u64> + '_ {
        self.columns.iter().skip(1).step_by(2).map(move |column| column.value(row as usize))
    }

    /// The vertices of a match, in written order.
    pub(super) fn vertices_of(&self, row: u64) -> impl Iterator<Item = u64> + '_ {
        self.columns.iter().step_by(2).map(move |column| column.value(row as usize))
    }
}

/// Ends of steps, and which match each is.
type Steps = (Vec<(u32, u32)>, Vec<u32>);

/// Neighbor lists from one column of vertices to another, by the tables of both.
fn lists(from: &UInt64Array, to: &UInt64Array) -> Vec<Vec<LoadedHop>> {
    let mut pairs: HashMap<(u16, u16), Steps> = HashMap::new();
    for (row, (from, to)) in from.values().iter().zip(to.values()).enumerate() {
        let (from, to) = (ElementRef(*from), ElementRef(*to));
        let (pairs, rows) = pairs.entry((from.table(), to.table())).or_default();
        pairs.push((from.position() as u32, to.position() as u32));
        rows.push(row as u32);
    }
    let mut hops: Vec<Vec<LoadedHop>> = Vec::new();
    let same = Arc::new(Places::same());
    for ((from, to), (pairs, rows)) in pairs {
        let count = |vertices: &mut dyn Iterator<Item = u32>| vertices.max().map_or(0, |it| it + 1);
        let from_count = count(&mut pairs.iter().map(|pair| pair.0)) as usize;
        let to_count = count(&mut pairs.iter().map(|pair| pair.1)) as usize;
        let lists = Neighborhood {
            lists: Arc::new(Adjacency::of_pairs(&pairs, from_count, to_count)),
            from: Arc::clone(&same),
            to: Arc::clone(&same),
            edges: Arc::new(Places::listed(rows)),
        };
        let hop = Hop { edge_table: 0, orientation: Orientation::Out, from, to, skip_loops: false };
        if hops.len() <= usize::from(from) {
            hops.resize_with(usize::from(from) + 1, Vec::new);
        }
        hops[usize::from(from)].push(LoadedHop::of_group(hop, lists));
    }
    hops
}

/// Where a quantified edge gets its elements from.
#[derive(Debug, Clone)]
pub enum Unpacked {
    /// The list has the edges.
    Edges,
    /// The list has matches of a pattern.
    Group(Arc<GroupBody>),
}

/// Adds columns of what stands in a list: for a repeated pattern a list for each of its elements, and for what is
/// written with `?` the single elements.
///
/// ```text
/// in   [n]  …, list: List<UInt64>, …
/// out  [n]  …, a list for each element of the pattern, the one or no element of each
/// ```
#[derive(Debug)]
pub struct Unpack {
    /// The list's column.
    pub list: usize,
    /// What is in it.
    pub of: Unpacked,
    /// Whether single elements are added.
    pub optional: bool,
    /// Conditions on output rows.
    pub checks: Checks,
}

impl GraphOperator for Unpack {
    fn name(&self) -> &'static str {
        "UnpackExec"
    }

    fn describe(&self, names: &Names<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", names.of(self.list))?;
        self.checks.describe(names, f)
    }

    fn expressions(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.checks.predicates.iter().collect()
    }

    #[expect(private_interfaces, reason = "only graph_exec calls it")]
    fn start(&self, context: SliceContext) -> Starting {
        let (list, of, optional) = (self.list, self.of.clone(), self.optional);
        let checks = self.checks.clone();
        async move {
            let rows = match of {
                Unpacked::Edges => None,
                Unpacked::Group(body) => Some(body.rows(&context.task).await?),
            };
            let schema = context.schema;
            let slicer: Box<dyn Slicer> =
                Box::new(UnpackSlicer { schema, list, rows, optional, checks, input: None });
            Ok(slicer)
        }
        .boxed()
    }

    fn input_columns(&self, needed: &[usize]) -> Option<Vec<usize>> {
        let mut columns = needed.to_vec();
        self.checks.add_columns(&mut columns);
        columns.push(self.list);
        Some(columns)
    }
}

struct UnpackSlicer {
    schema: SchemaRef,
    list: usize,
    rows: Option<Arc<GroupRows>>,
    optional: bool,
    checks: Checks,
    input: Option<RecordBatch>,
}

impl Slicer for UnpackSlicer {
    fn start(&mut self, input: RecordBatch) -> Result<()> {
        self.input = Some(input);
        Ok(())
    }

    fn next(&mut self) -> Result<Progress> {
        let Some(input) = self.input.take() else { return Ok(Progress::Done) };
        let lists = input.column(self.list).as_list_opt::<i32>();
        let lists = lists.ok_or_else(|| PgError::internal("what is unpacked is a list"))?;
        let steps = lists.values().as_primitive_opt::<UInt64Type>();
        let steps = steps.ok_or_else(|| PgError::internal("a walk is a list of elements"))?;
        let mut columns = input.columns().to_vec();
        let mut elements: Vec<UInt64Array> = Vec::new();
        match &self.rows {
            None => elements.push(steps.clone()),
            Some(rows) => {
                for values in &rows.columns {
                    let value = |row: &u64| values.value(*row as usize);
                    let values = UInt64Array::from_iter_values(steps.values().iter().map(value));
                    columns.push(list_of(lists.offsets(), values.clone())?);
                    elements.push(values);
                }
            }
        }
        if self.optional {
            for values in elements {
                let first =
                    |ends: &[i32]| (ends[0] < ends[1]).then(|| values.value(ends[0] as usize));
                let single = UInt64Array::from_iter(lists.offsets().windows(2).map(first));
                columns.push(Arc::new(single));
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(input.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        Ok(Progress::Batch(self.checks.apply(batch)?))
    }
}

fn list_of(offsets: &OffsetBuffer<i32>, values: UInt64Array) -> Result<ArrayRef> {
    let item = Arc::new(Field::new("item", DataType::UInt64, true));
    Ok(Arc::new(ListArray::try_new(item, offsets.clone(), Arc::new(values), None)?))
}
