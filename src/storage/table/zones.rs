//! What is known of a chunk's values without reading them.

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;

use crate::storage::batch::read_batch;
use crate::storage::checkpoint::nullable;
use crate::storage::codec::{Malformed, Reader};
use crate::storage::manifest::StoredZones;

/// The smallest and the largest values of a chunk's columns, and how many are null. Deleted rows count.
#[derive(Debug, Clone, Default)]
pub struct Zones {
    stored: StoredZones,
    /// Two rows; none if nothing is known.
    bounds: Option<RecordBatch>,
}

impl Zones {
    /// As a manifest has them.
    pub(in crate::storage) fn read(
        stored: &StoredZones,
        schema: &SchemaRef,
    ) -> Result<Self, Malformed> {
        let mut bounds = None;
        if !stored.bounds.is_empty() {
            let mut reader = Reader::new(&stored.bounds, "bounds of a chunk");
            let batch = read_batch(&mut reader, &nullable(schema))?;
            reader.finish()?;
            if batch.num_rows() != 2 {
                return Err(Malformed("bounds of a chunk"));
            }
            bounds = Some(batch);
        }
        Ok(Self { stored: stored.clone(), bounds })
    }

    pub(in crate::storage) fn stored(&self) -> &StoredZones {
        &self.stored
    }

    /// The smallest and the largest value of a column, as an array of two; `None` if they are not known.
    pub fn bounds(&self, column: usize) -> Option<&ArrayRef> {
        self.bounds.as_ref()?.columns().get(column).filter(|bounds| bounds.null_count() == 0)
    }

    /// How many values of a column are null, if it is known.
    pub fn nulls(&self, column: usize) -> Option<u64> {
        self.stored.nulls.get(column).copied()
    }
}
