//! One row by a key of one whole number: which chunks can have it is known without asking each for its index.
//!
//! ```text
//! version ──► for each chunk: least and greatest key ──► the few that may have the number ──► index, or pages of a file
//! ```

use std::sync::Arc;

use arrow::error::ArrowError;

use super::chunk::RowsRef;
use super::key_entry::KeyEntry;
use super::version::TableVersion;

/// The least and the greatest key of each chunk of a version, for looking up one number after the other.
///
/// It holds no index: those stay where the cache can count them, and let them go.
#[derive(Debug)]
pub struct NumberKeys {
    /// As many as the version has chunks.
    chunks: Vec<Arc<ChunkKeys>>,
}

#[derive(Debug)]
struct ChunkKeys {
    rows: RowsRef,
    least: i64,
    greatest: i64,
    entry: Arc<KeyEntry>,
}

/// How many chunks of an older version are passed over in search of one: commits put that many together.
const PASSED_MAX: usize = 8;

impl TableVersion {
    /// What is known of the chunks by a key of one column of whole numbers. `before` is the same of another version of the
    /// table: most chunks are the same.
    ///
    /// # Errors
    /// `XX001`, `58030` if rows could not be read; none are where a checkpoint wrote them.
    pub fn number_keys(
        &self,
        columns: &[usize],
        before: Option<&NumberKeys>,
    ) -> Result<NumberKeys, ArrowError> {
        let mut known = before.map_or(&[][..], |before| &before.chunks);
        let mut chunks = Vec::with_capacity(self.chunks().len());
        for chunk in self.chunks() {
            let ahead = known.iter().take(PASSED_MAX).position(|keys| keys.rows.is_of(chunk));
            if let Some(at) = ahead {
                chunks.push(Arc::clone(&known[at]));
                known = &known[at + 1..];
                continue;
            }
            let entry = chunk.key_entry(columns)?;
            // Without a range it holds no key that could be asked for.
            let (least, greatest) = entry.number_range().unwrap_or((i64::MAX, i64::MIN));
            chunks.push(Arc::new(ChunkKeys { rows: chunk.rows_ref(), least, greatest, entry }));
        }
        Ok(NumberKeys { chunks })
    }

    /// Chunk and offset of the first live row with this number, which is given in both forms; `keys` are this version's.
    ///
    /// A key that is checked at the end of its transaction may be there twice until then.
    ///
    /// # Errors
    /// `XX001`, `58030` if rows could not be read.
    pub fn find_number(
        &self,
        keys: &NumberKeys,
        number: i64,
        encoded: &[u8],
    ) -> Result<Option<(usize, usize)>, ArrowError> {
        for (at, (chunk, key)) in self.chunks().iter().zip(&keys.chunks).enumerate() {
            if !(key.least..=key.greatest).contains(&number) {
                continue;
            }
            let mut first = None;
            let found = |offset| {
                if first.is_none() && chunk.is_live(offset) {
                    first = Some((at, offset));
                }
            };
            chunk.find_number(&key.entry, number, encoded, found)?;
            if first.is_some() {
                return Ok(first);
            }
        }
        Ok(None)
    }
}
