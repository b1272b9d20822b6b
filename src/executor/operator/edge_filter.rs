//! Conditions on the edges of a variable-length step, evaluated while walking and remembered.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt32Array, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use datafusion::common::{HashMap, Result};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_expr::PhysicalExpr;

use super::hops::LoadedHop;
use crate::error::{PgError, SqlState};

/// Bytes an edge takes in the memory of [`EdgeFilter`], as reserved.
const REMEMBERED_BYTES: usize = 24;

/// What each edge of a variable-length step must satisfy.
#[derive(Debug, Clone)]
pub struct EdgePredicate {
    /// Boolean expressions over `schema`.
    pub predicates: Vec<Arc<dyn PhysicalExpr>>,
    /// The edge's column, after all columns of the input if `whole_row`.
    pub schema: SchemaRef,
    /// Whether input columns are looked at, so that the answer may differ by row.
    pub whole_row: bool,
}

/// Which edges pass, learned in bulk as lists are first looked at.
pub(super) struct EdgeFilter {
    predicate: Option<EdgePredicate>,
    known: HashMap<u64, bool>,
    reservation: MemoryReservation,
}

impl EdgeFilter {
    pub(super) fn new(predicate: Option<EdgePredicate>, reservation: MemoryReservation) -> Self {
        Self { predicate, known: HashMap::new(), reservation }
    }

    /// To be called before the first edge of an input row.
    pub(super) fn start_row(&mut self) {
        if self.predicate.as_ref().is_some_and(|predicate| predicate.whole_row) {
            self.known.clear();
        }
    }

    /// Finds out about those of some edges, each with the vertex it leads to, that are not known yet. What is hidden is not
    /// asked about.
    pub(super) fn learn(
        &mut self,
        input: &RecordBatch,
        row: usize,
        hop: &LoadedHop,
        (neighbors, edges): (&[u32], &[u32]),
    ) -> Result<()> {
        let Some(predicate) = &self.predicate else { return Ok(()) };
        let unknown: Vec<u64> = neighbors
            .iter()
            .zip(edges)
            .filter(|(neighbor, edge)| hop.shows(**neighbor, **edge))
            .map(|(_, edge)| hop.edge(*edge).0)
            .filter(|edge| !self.known.contains_key(edge))
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(predicate.schema.fields().len());
        if predicate.whole_row {
            let rows = UInt32Array::from(vec![row as u32; unknown.len()]);
            for column in input.columns() {
                columns.push(take(column, &rows, None)?);
            }
        }
        columns.push(Arc::new(UInt64Array::from(unknown.clone())));
        let batch = RecordBatch::try_new(Arc::clone(&predicate.schema), columns)?;
        let mut passes = vec![true; unknown.len()];
        for expression in &predicate.predicates {
            let answers = expression.evaluate(&batch)?.into_array(unknown.len())?;
            let answers = answers.as_boolean_opt().ok_or_else(|| {
                PgError::new(SqlState::DATATYPE_MISMATCH, "argument of WHERE must be type boolean")
            })?;
            for (pass, answer) in passes.iter_mut().zip(answers) {
                *pass &= answer == Some(true);
            }
        }
        self.known.extend(unknown.into_iter().zip(passes));
        self.reservation.try_resize(self.known.capacity() * REMEMBERED_BYTES)
    }

    /// Whether an edge that was learned of passes.
    pub(super) fn passes(&self, edge: u64) -> bool {
        self.predicate.is_none() || self.known.get(&edge) == Some(&true)
    }
}
