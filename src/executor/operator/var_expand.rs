//! A quantified edge: every walk it matches.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_expr::PhysicalExpr;
use futures::FutureExt;

use super::checks::Checks;
use super::distances::Distances;
use super::edge_filter::{EdgeFilter, EdgePredicate};
use super::edge_list::EdgeLists;
use super::expand::{PAUSE_STEPS, refs};
use super::graph_exec::{GraphOperator, Names, Progress, SliceContext, Slicer, Starting};
use super::hops::{HopSet, Hops};
use super::reachability::ReachabilitySlicer;
use super::walk::{WalkBounds, WalkRow, Walker};
use crate::executor::graph::Guards;
use crate::planner::{PathMode, Quantifier};
use crate::types::ElementRef;

/// Where the walks of a variable-length step must end.
#[derive(Debug, Clone)]
pub enum VarEnd {
    /// At a vertex of one of these tables, which becomes a new column.
    New(Vec<u16>),
    /// At the vertex in this column.
    Bound(usize),
}

/// Extends each input row by every walk along a quantified edge.
///
/// ```text
/// in   [n]  …, source: UInt64, …
/// out  [m]  …, edges: List<UInt64>, end: UInt64 (unless bound)
/// ```
///
/// Depth first, so memory is that of the longest walk. Towards a bound end it first finds all distances to that end and
/// leaves out every branch that cannot reach it any more.
///
/// With `distinct_ends`, the list is empty and each end comes once for an input row: a breadth-first search instead of an
/// enumeration. [`GraphOperator::deduplicated`] sets it where nothing above can tell the difference.
#[derive(Debug, Clone)]
pub struct VarExpand {
    /// The source's column.
    pub source: usize,
    /// Where walks end.
    pub end: VarEnd,
    /// The hops of each step.
    pub hops: HopSet,
    /// The same hops backwards, for a bound end.
    pub back: HopSet,
    /// Position of the list's column in the output: the number of input columns.
    pub list_column: usize,
    /// How many edges.
    pub quantifier: Quantifier,
    /// What may repeat.
    pub mode: PathMode,
    /// Whether edges may be walked both ways.
    pub any_direction: bool,
    /// What each edge must satisfy.
    pub predicate: Option<EdgePredicate>,
    /// The walk goes from the right element to the left one: lists are turned around.
    pub reverse: bool,
    /// Ends only, each once.
    pub distinct_ends: bool,
    /// Conditions on output rows.
    pub checks: Checks,
}

impl VarExpand {
    fn bounds(&self) -> WalkBounds {
        WalkBounds {
            min: self.quantifier.min,
            max: self.quantifier.max.unwrap_or(u32::MAX),
            mode: self.mode,
            end_tables: match &self.end {
                VarEnd::New(tables) => tables.clone(),
                VarEnd::Bound(_) => Vec::new(),
            },
            reverse: self.reverse,
        }
    }
}

impl GraphOperator for VarExpand {
    fn name(&self) -> &'static str {
        "VarExpandExec"
    }

    fn describe(&self, names: &Names<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from {}", names.of(self.source))?;
        if let VarEnd::Bound(column) = self.end {
            write!(f, " to {}", names.of(column))?;
        }
        let max = self.quantifier.max.map_or_else(String::new, |max| max.to_string());
        write!(f, " along {} {{{},{max}}} {:?}", self.hops, self.quantifier.min, self.mode)?;
        if self.distinct_ends {
            f.write_str(" distinct ends")?;
        }
        for predicate in self.predicate.iter().flat_map(|predicate| &predicate.predicates) {
            write!(f, " [each {predicate}]")?;
        }
        self.checks.describe(names, f)
    }

    fn expressions(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.checks.predicates.iter().collect()
    }

    fn guards(&self) -> Option<&Arc<Guards>> {
        Some(&self.hops.guards)
    }

    #[expect(private_interfaces, reason = "only graph_exec calls it")]
    fn start(&self, context: SliceContext) -> Starting {
        let expand = self.clone();
        async move {
            let hops = expand.hops.load(&context.task).await?;
            if expand.distinct_ends {
                return Ok(ReachabilitySlicer::boxed(context, hops, expand));
            }
            let back = match expand.end {
                VarEnd::New(_) => None,
                VarEnd::Bound(_) => Some(expand.back.load(&context.task).await?),
            };
            let filter = EdgeFilter::new(expand.predicate.clone(), context.reservation.new_empty());
            let slicer: Box<dyn Slicer> = Box::new(VarSlicer {
                schema: context.schema,
                reservation: context.reservation,
                hops,
                back,
                filter,
                bounds: expand.bounds(),
                out: EdgeLists::new(context.batch_rows),
                expand,
                input: None,
                row: 0,
                phase: Phase::NextRow,
                walker: Walker::default(),
                distances: None,
            });
            Ok(slicer)
        }
        .boxed()
    }

    fn input_columns(&self, needed: &[usize]) -> Option<Vec<usize>> {
        let mut columns = needed.to_vec();
        self.checks.add_columns(&mut columns);
        columns.push(self.source);
        if let VarEnd::Bound(column) = self.end {
            columns.push(column);
        }
        if let Some(predicate) = &self.predicate
            && predicate.whole_row
        {
            columns.extend(0..predicate.schema.fields().len() - 1);
        }
        Some(columns)
    }

    fn deduplicated(&self, needed: &[usize]) -> Option<Arc<dyn GraphOperator>> {
        let mut read = needed.to_vec();
        self.checks.add_columns(&mut read);
        let VarEnd::New(_) = self.end else { return None };
        // With a longer minimum, an end's shortest walk says nothing about the walks that are long enough.
        if self.quantifier.min > 1 || self.distinct_ends {
            return None;
        }
        // A shortest walk of steps that have several elements each may repeat one of those.
        if self.hops.group.is_some() && self.mode != PathMode::Walk {
            return None;
        }
        // The list is the first of the two new columns, the end the second.
        if read.contains(&self.list_column) {
            return None;
        }
        Some(Arc::new(Self { distinct_ends: true, ..self.clone() }))
    }
}

/// Where the work on the current input row is.
enum Phase {
    NextRow,
    Distances { source: u64, target: u64 },
    Walk,
}

struct VarSlicer {
    schema: SchemaRef,
    reservation: MemoryReservation,
    hops: Hops,
    back: Option<Hops>,
    filter: EdgeFilter,
    bounds: WalkBounds,
    out: EdgeLists,
    expand: VarExpand,
    input: Option<RecordBatch>,
    row: usize,
    phase: Phase,
    walker: Walker,
    distances: Option<(u64, Distances)>,
}

impl Slicer for VarSlicer {
    fn start(&mut self, input: RecordBatch) -> Result<()> {
        self.row = 0;
        self.phase = Phase::NextRow;
        self.input = Some(input);
        Ok(())
    }

    fn next(&mut self) -> Result<Progress> {
        let Some(input) = self.input.clone() else { return Ok(Progress::Done) };
        let mut steps = PAUSE_STEPS;
        while steps > 0 && !self.out.is_full() {
            match self.phase {
                Phase::NextRow if self.row == input.num_rows() => {
                    self.input = None;
                    break;
                }
                Phase::NextRow => {
                    steps -= 1;
                    self.next_row(&input)?;
                }
                Phase::Distances { source, target } => {
                    self.find_distances(&input, source, target, &mut steps)?;
                }
                Phase::Walk => self.walk(&input, &mut steps)?,
            }
        }
        if self.out.is_empty() {
            return Ok(if self.input.is_some() { Progress::Pause } else { Progress::Done });
        }
        let with_end = matches!(self.expand.end, VarEnd::New(_));
        let batch = self.out.finish(&self.schema, &input, with_end)?;
        Ok(Progress::Batch(self.expand.checks.apply(batch)?))
    }
}

impl VarSlicer {
    /// The parts of a step on the current row.
    fn parts<'a>(&'a mut self, input: &'a RecordBatch) -> (&'a mut Walker, WalkRow<'a>) {
        let walk = WalkRow {
            input,
            row: self.row,
            hops: &self.hops,
            filter: &mut self.filter,
            bounds: &self.bounds,
            distances: self.distances.as_ref().map(|(_, distances)| distances),
            out: &mut self.out,
        };
        (&mut self.walker, walk)
    }

    fn next_row(&mut self, input: &RecordBatch) -> Result<()> {
        let sources = refs(input, self.expand.source)?;
        if sources.is_null(self.row) {
            self.row += 1;
            return Ok(());
        }
        let source = sources.value(self.row);
        self.filter.start_row();
        let VarEnd::Bound(target) = self.expand.end else {
            let (walker, mut walk) = self.parts(input);
            walker.start(source, None, &mut walk);
            self.phase = Phase::Walk;
            return Ok(());
        };
        let targets = refs(input, target)?;
        if targets.is_null(self.row) {
            self.row += 1;
            return Ok(());
        }
        let target = targets.value(self.row);
        let by_row = self.expand.predicate.as_ref().is_some_and(|predicate| predicate.whole_row);
        let known = self.distances.as_ref().is_some_and(|(to, _)| *to == target && !by_row);
        if !known {
            let distances = Distances::new(ElementRef(target), self.bounds.max);
            self.distances = Some((target, distances));
        }
        self.phase = Phase::Distances { source, target };
        Ok(())
    }

    fn find_distances(
        &mut self,
        input: &RecordBatch,
        source: u64,
        target: u64,
        steps: &mut usize,
    ) -> Result<()> {
        if let (Some((_, distances)), Some(back)) = (&mut self.distances, &self.back) {
            let place = (input, self.row);
            let complete = distances.run(back, &mut self.filter, place, steps)?;
            self.reservation.try_resize(distances.bytes())?;
            if !complete {
                return Ok(());
            }
        }
        let (walker, mut walk) = self.parts(input);
        walker.start(source, Some(target), &mut walk);
        self.phase = Phase::Walk;
        Ok(())
    }

    fn walk(&mut self, input: &RecordBatch, steps: &mut usize) -> Result<()> {
        let (walker, mut walk) = self.parts(input);
        if walker.run(&mut walk, steps)? {
            self.row += 1;
            self.phase = Phase::NextRow;
        }
        Ok(())
    }
}
