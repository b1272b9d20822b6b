//! Path selectors and modes over whole paths: what cannot be decided while a single quantified edge is walked.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, UInt64Array};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{SchemaRef, UInt64Type};
use arrow::row::{RowConverter, SortField};
use datafusion::common::{HashMap, Result};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_expr::PhysicalExpr;
use futures::FutureExt;

use super::graph_exec::{GraphOperator, Names, Progress, SliceContext, Slicer, Starting};
use crate::error::PgError;
use crate::planner::PathMode;

/// Which of the paths between the same ends stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// The shortest ones, so many.
    Shortest(u32),
    /// All with one of so many least lengths.
    Groups(u32),
}

/// Keeps some of the rows that agree in all key columns, by the length of their path. Holds all its input.
///
/// ```text
/// in   [n]  …, path: Struct{vertices, edges}, …
/// out  [m]  the same columns; rows in input order
/// ```
///
/// Its input must have one partition.
#[derive(Debug)]
pub struct PathSelect {
    /// Columns that tell one pair of ends (and all else that is matched beside the path) from another.
    pub keys: Vec<usize>,
    /// The path's column.
    pub path: usize,
    /// What stays.
    pub kept: Kept,
}

impl GraphOperator for PathSelect {
    fn name(&self) -> &'static str {
        "PathSelectExec"
    }

    fn describe(&self, names: &Names<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {} for each", self.kept, names.of(self.path))?;
        self.keys.iter().try_for_each(|key| write!(f, " {}", names.of(*key)))
    }

    fn expressions(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        Vec::new()
    }

    #[expect(private_interfaces, reason = "only graph_exec calls it")]
    fn start(&self, context: SliceContext) -> Starting {
        let slicer: Box<dyn Slicer> = Box::new(SelectSlicer {
            keys: self.keys.clone(),
            path: self.path,
            kept: self.kept,
            reservation: context.reservation,
            batches: Vec::new(),
            at: None,
            passes: Vec::new(),
        });
        async move { Ok(slicer) }.boxed()
    }

    fn input_columns(&self, _needed: &[usize]) -> Option<Vec<usize>> {
        // How many rows agree matters.
        None
    }
}

struct SelectSlicer {
    keys: Vec<usize>,
    path: usize,
    kept: Kept,
    reservation: MemoryReservation,
    batches: Vec<RecordBatch>,
    /// The next batch to be given, once the input has ended.
    at: Option<usize>,
    /// Whether the rows of a batch stay.
    passes: Vec<BooleanArray>,
}

impl Slicer for SelectSlicer {
    fn start(&mut self, input: RecordBatch) -> Result<()> {
        self.reservation.try_grow(input.get_array_memory_size())?;
        self.batches.push(input);
        Ok(())
    }

    fn next(&mut self) -> Result<Progress> {
        let Some(at) = self.at else { return Ok(Progress::Done) };
        let (Some(batch), Some(passes)) = (self.batches.get(at), self.passes.get(at)) else {
            return Ok(Progress::Done);
        };
        self.at = Some(at + 1);
        Ok(Progress::Batch(filter_record_batch(batch, passes)?))
    }

    fn finish(&mut self) -> Result<()> {
        self.at = Some(0);
        let Some(first) = self.batches.first() else { return Ok(()) };
        let fields = self.keys.iter().map(|key| first.column(*key).data_type().clone());
        let converter = RowConverter::new(fields.map(SortField::new).collect())?;
        let mut groups: HashMap<Vec<u8>, Vec<(usize, usize, usize)>> = HashMap::new();
        for (at, batch) in self.batches.iter().enumerate() {
            let keys: Vec<ArrayRef> =
                self.keys.iter().map(|key| Arc::clone(batch.column(*key))).collect();
            let keys = converter.convert_columns(&keys)?;
            let edges = list_in(batch.column(self.path), "edges")?;
            for row in 0..batch.num_rows() {
                let length = edges.value_length(row) as usize;
                let key = keys.row(row).data().to_vec();
                self.reservation.try_grow(key.len() + 48)?;
                groups.entry(key).or_default().push((length, at, row));
            }
        }
        let mut passes: Vec<Vec<bool>> =
            self.batches.iter().map(|batch| vec![false; batch.num_rows()]).collect();
        for mut rows in groups.into_values() {
            rows.sort_unstable();
            let (mut seen, mut last) = (0, None);
            for (at, (length, batch, row)) in rows.into_iter().enumerate() {
                if last != Some(length) {
                    (seen, last) = (seen + 1, Some(length));
                }
                passes[batch][row] = match self.kept {
                    Kept::Shortest(count) => at < count as usize,
                    Kept::Groups(count) => seen <= count,
                };
            }
        }
        self.passes = passes.into_iter().map(BooleanArray::from).collect();
        Ok(())
    }
}

/// A list inside a path column.
fn list_in<'a>(path: &'a ArrayRef, name: &str) -> Result<&'a arrow::array::ListArray> {
    let list = path.as_struct_opt().and_then(|path| path.column_by_name(name));
    let list = list.and_then(|list| list.as_list_opt::<i32>());
    Ok(list.ok_or_else(|| PgError::internal("a path has lists of vertices and edges"))?)
}

/// Drops rows in which a path repeats what its mode forbids.
#[derive(Debug)]
pub struct PathModeFilter {
    /// The path's column.
    pub path: usize,
    /// What may not repeat.
    pub mode: PathMode,
}

impl GraphOperator for PathModeFilter {
    fn name(&self) -> &'static str {
        "PathModeExec"
    }

    fn describe(&self, names: &Names<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {:?}", names.of(self.path), self.mode)
    }

    fn expressions(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        Vec::new()
    }

    #[expect(private_interfaces, reason = "only graph_exec calls it")]
    fn start(&self, _context: SliceContext) -> Starting {
        let slicer: Box<dyn Slicer> =
            Box::new(ModeSlicer { path: self.path, mode: self.mode, input: None });
        async move { Ok(slicer) }.boxed()
    }

    fn input_columns(&self, needed: &[usize]) -> Option<Vec<usize>> {
        Some(needed.iter().copied().chain([self.path]).collect())
    }
}

struct ModeSlicer {
    path: usize,
    mode: PathMode,
    input: Option<RecordBatch>,
}

impl Slicer for ModeSlicer {
    fn start(&mut self, input: RecordBatch) -> Result<()> {
        self.input = Some(input);
        Ok(())
    }

    fn next(&mut self) -> Result<Progress> {
        let Some(input) = self.input.take() else { return Ok(Progress::Done) };
        let path = input.column(self.path);
        let elements = match self.mode {
            PathMode::Walk => return Ok(Progress::Batch(input)),
            PathMode::Trail => list_in(path, "edges")?,
            PathMode::Acyclic | PathMode::Simple => list_in(path, "vertices")?,
        };
        let mut passes = Vec::with_capacity(input.num_rows());
        let mut sorted = Vec::new();
        for row in 0..input.num_rows() {
            let values = elements.value(row);
            let values = values.as_primitive::<UInt64Type>().values();
            let closed = self.mode == PathMode::Simple
                && values.len() > 1
                && values.first() == values.last();
            sorted.clear();
            sorted.extend_from_slice(&values[usize::from(closed)..]);
            sorted.sort_unstable();
            passes.push(sorted.windows(2).all(|pair| pair[0] != pair[1]));
        }
        Ok(Progress::Batch(filter_record_batch(&input, &BooleanArray::from(passes))?))
    }
}

/// Adds a running number, so that equal input rows can be told apart. Its input must have one partition.
#[derive(Debug)]
pub struct NumberRows;

impl GraphOperator for NumberRows {
    fn name(&self) -> &'static str {
        "NumberRowsExec"
    }

    fn describe(&self, _names: &Names<'_>, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }

    fn expressions(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        Vec::new()
    }

    #[expect(private_interfaces, reason = "only graph_exec calls it")]
    fn start(&self, context: SliceContext) -> Starting {
        let slicer: Box<dyn Slicer> =
            Box::new(NumberSlicer { schema: context.schema, next: 0, input: None });
        async move { Ok(slicer) }.boxed()
    }

    fn input_columns(&self, _needed: &[usize]) -> Option<Vec<usize>> {
        None
    }
}

struct NumberSlicer {
    schema: SchemaRef,
    next: u64,
    input: Option<RecordBatch>,
}

impl Slicer for NumberSlicer {
    fn start(&mut self, input: RecordBatch) -> Result<()> {
        self.input = Some(input);
        Ok(())
    }

    fn next(&mut self) -> Result<Progress> {
        let Some(input) = self.input.take() else { return Ok(Progress::Done) };
        let end = self.next + input.num_rows() as u64;
        let numbers: ArrayRef = Arc::new(UInt64Array::from_iter_values(self.next..end));
        self.next = end;
        let columns = input.columns().iter().cloned().chain([numbers]).collect();
        Ok(Progress::Batch(RecordBatch::try_new(Arc::clone(&self.schema), columns)?))
    }
}
