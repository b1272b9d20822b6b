//! Which chunks of a table can hold rows that a scan's filters leave: zone maps.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, UInt64Array, new_null_array};
use arrow::datatypes::SchemaRef;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;

use crate::storage::TableVersion;

/// For each chunk, whether it must be read; `None` if all must.
///
/// Only chunks that are in files have bounds; the others are always read. What cannot be told is read.
pub(super) fn chunks_to_read(
    version: &TableVersion,
    schema: &SchemaRef,
    condition: Arc<dyn PhysicalExpr>,
) -> Option<Vec<bool>> {
    if !version.chunks().iter().any(|chunk| chunk.zones().is_some()) {
        return None;
    }
    let predicate = PruningPredicateBuilder::new().with_file_schema(Arc::clone(schema));
    let predicate = predicate.try_build(condition).ok()?;
    let keep = predicate.prune(&ChunkZones { version, schema }).ok()?;
    keep.contains(&false).then_some(keep)
}

struct ChunkZones<'a> {
    version: &'a TableVersion,
    schema: &'a SchemaRef,
}

impl ChunkZones<'_> {
    /// One value of each chunk: the least (0) or the greatest (1) of a column.
    fn bounds(&self, column: &Column, which: usize) -> Option<ArrayRef> {
        let at = self.schema.index_of(&column.name).ok()?;
        let unknown = new_null_array(self.schema.field(at).data_type(), 1);
        let values = self.version.chunks().iter().map(|chunk| {
            let bounds = chunk.zones().and_then(|zones| zones.bounds(at));
            bounds.map_or_else(|| Arc::clone(&unknown), |bounds| bounds.slice(which, 1))
        });
        let values: Vec<ArrayRef> = values.collect();
        let values: Vec<&dyn Array> = values.iter().map(AsRef::as_ref).collect();
        arrow::compute::concat(&values).ok()
    }
}

impl PruningStatistics for ChunkZones<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, 0)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, 1)
    }

    fn num_containers(&self) -> usize {
        self.version.chunks().len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let at = self.schema.index_of(&column.name).ok()?;
        let chunks = self.version.chunks().iter();
        let counts = chunks.map(|chunk| chunk.zones().and_then(|zones| zones.nulls(at)));
        Some(Arc::new(UInt64Array::from_iter(counts)))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let rows = self.version.chunks().iter().map(|chunk| chunk.len() as u64);
        Some(Arc::new(UInt64Array::from_iter_values(rows)))
    }

    fn contained(&self, _column: &Column, _values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
