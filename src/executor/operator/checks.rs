//! Conditions on rows of a partial match, applied as soon as their columns are there.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::UInt64Type;
use datafusion::common::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::collect_columns;
use futures::FutureExt;

use super::graph_exec::{GraphOperator, Names, Progress, SliceContext, Slicer, Starting};
use crate::error::{PgError, SqlState};
use crate::types::ElementRef;

/// What a row must satisfy. Columns are positions in the checked batch.
#[derive(Debug, Clone, Default)]
pub struct Checks {
    /// Element columns that must not be null and refer to one of these tables.
    pub tables: Vec<(usize, Vec<u16>)>,
    /// Pairs of element columns that must be equal.
    pub equal: Vec<(usize, usize)>,
    /// Pairs of edge columns (single edges or lists) that must have no edge in common.
    pub distinct: Vec<(usize, usize)>,
    /// Boolean expressions that must be true.
    pub predicates: Vec<Arc<dyn PhysicalExpr>>,
}

impl Checks {
    /// Whether there is nothing to check.
    pub fn is_empty(&self) -> bool {
        let Self { tables, equal, distinct, predicates } = self;
        tables.is_empty() && equal.is_empty() && distinct.is_empty() && predicates.is_empty()
    }

    /// The rows that satisfy all conditions.
    pub(super) fn apply(&self, mut batch: RecordBatch) -> Result<RecordBatch> {
        for (column, tables) in &self.tables {
            let refs = batch.column(*column).as_primitive_opt::<UInt64Type>();
            let refs = refs.ok_or_else(|| not_elements(batch.column(*column)))?;
            let keep = refs
                .iter()
                .map(|element| element.is_some_and(|it| tables.contains(&ElementRef(it).table())));
            batch = filter_record_batch(&batch, &BooleanArray::from_iter(keep.map(Some)))?;
        }
        for (left, right) in &self.equal {
            let keep = arrow::compute::kernels::cmp::eq(batch.column(*left), batch.column(*right))?;
            batch = filter_record_batch(&batch, &keep)?;
        }
        for (left, right) in &self.distinct {
            let keep = disjoint(batch.column(*left), batch.column(*right))?;
            batch = filter_record_batch(&batch, &keep)?;
        }
        for predicate in &self.predicates {
            if batch.num_rows() == 0 {
                break;
            }
            let keep = predicate.evaluate(&batch)?.into_array(batch.num_rows())?;
            let keep = keep.as_boolean_opt().ok_or_else(|| {
                PgError::new(SqlState::DATATYPE_MISMATCH, "argument of WHERE must be type boolean")
            })?;
            batch = filter_record_batch(&batch, keep)?;
        }
        Ok(batch)
    }

    /// Adds the columns it reads.
    pub(super) fn add_columns(&self, columns: &mut Vec<usize>) {
        columns.extend(self.tables.iter().map(|(column, _)| *column));
        columns.extend(self.equal.iter().flat_map(|(left, right)| [*left, *right]));
        columns.extend(self.distinct.iter().flat_map(|(left, right)| [*left, *right]));
        for predicate in &self.predicates {
            columns.extend(collect_columns(predicate).iter().map(|column| column.index()));
        }
    }
}

impl Checks {
    /// Writes the conditions in brackets, for `EXPLAIN`.
    pub(super) fn describe(&self, names: &Names<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (column, tables) in &self.tables {
            write!(f, " [{} in tables {tables:?}]", names.of(*column))?;
        }
        for (left, right) in &self.equal {
            write!(f, " [{} = {}]", names.of(*left), names.of(*right))?;
        }
        for (left, right) in &self.distinct {
            write!(f, " [{} ∩ {} = ∅]", names.of(*left), names.of(*right))?;
        }
        for predicate in &self.predicates {
            write!(f, " [{predicate}]")?;
        }
        Ok(())
    }
}

fn not_elements(column: &ArrayRef) -> PgError {
    PgError::internal(format!("{} is no column of graph elements", column.data_type()))
}

/// For each row, whether two columns of edges or lists of edges have no edge in common.
fn disjoint(left: &ArrayRef, right: &ArrayRef) -> Result<BooleanArray> {
    let (left, right) = (Edges::new(left)?, Edges::new(right)?);
    let rows = left.len();
    Ok((0..rows)
        .map(|row| {
            let (left, right) = (left.row(row), right.row(row));
            Some(if left.len() + right.len() > 256 {
                let seen: std::collections::HashSet<u64> = left.iter().copied().collect();
                right.iter().all(|edge| !seen.contains(edge))
            } else {
                left.iter().all(|edge| !right.contains(edge))
            })
        })
        .collect())
}

/// A column of edges, or of lists of them.
enum Edges<'a> {
    One(&'a [u64]),
    Lists(&'a [i32], &'a [u64]),
}

impl<'a> Edges<'a> {
    fn new(column: &'a ArrayRef) -> Result<Self> {
        if let Some(edges) = column.as_primitive_opt::<UInt64Type>() {
            return Ok(Self::One(edges.values()));
        }
        let lists = column.as_list_opt::<i32>().ok_or_else(|| not_elements(column))?;
        let values = lists.values().as_primitive_opt::<UInt64Type>();
        let values = values.ok_or_else(|| not_elements(column))?;
        Ok(Self::Lists(lists.offsets(), values.values()))
    }

    fn len(&self) -> usize {
        match self {
            Self::One(edges) => edges.len(),
            Self::Lists(offsets, _) => offsets.len() - 1,
        }
    }

    fn row(&self, row: usize) -> &'a [u64] {
        match self {
            Self::One(edges) => &edges[row..=row],
            Self::Lists(offsets, values) => {
                &values[offsets[row] as usize..offsets[row + 1] as usize]
            }
        }
    }
}

/// Drops rows that fail some checks.
#[derive(Debug)]
pub struct PatternFilter {
    /// What a row must satisfy.
    pub checks: Checks,
}

impl GraphOperator for PatternFilter {
    fn name(&self) -> &'static str {
        "PatternFilterExec"
    }

    fn describe(&self, names: &Names<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.checks.describe(names, f)
    }

    fn expressions(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.checks.predicates.iter().collect()
    }

    #[expect(private_interfaces, reason = "only graph_exec calls it")]
    fn start(&self, _context: SliceContext) -> Starting {
        let slicer: Box<dyn Slicer> =
            Box::new(FilterSlicer { checks: self.checks.clone(), input: None });
        async move { Ok(slicer) }.boxed()
    }

    fn input_columns(&self, needed: &[usize]) -> Option<Vec<usize>> {
        let mut columns = needed.to_vec();
        self.checks.add_columns(&mut columns);
        Some(columns)
    }
}

struct FilterSlicer {
    checks: Checks,
    input: Option<RecordBatch>,
}

impl Slicer for FilterSlicer {
    fn start(&mut self, input: RecordBatch) -> Result<()> {
        self.input = Some(input);
        Ok(())
    }

    fn next(&mut self) -> Result<Progress> {
        match self.input.take() {
            Some(input) => Ok(Progress::Batch(self.checks.apply(input)?)),
            None => Ok(Progress::Done),
        }
    }
}
