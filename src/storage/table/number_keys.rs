//! One row by a key of one whole number: which chunks can have it is known without asking each for its index.
//!
//! ```text
//! version ──► for each chunk: least and greatest key ──► the few that may have the number ──► index, or pages of a file
//! ```

use std::sync::Arc;

use arrow::error::ArrowError;

use super::key_entry::KeyEntry;
use super::version::TableVersion;

/// The least and the greatest key of each chunk of a version, for looking up one number after the other.
///
/// It holds no index: those stay where the cache can count them, and let them go.
#[derive(Debug)]
pub struct NumberKeys {
    /// As many as the version has chunks.
    chunks: Vec<(i64, i64, Arc<KeyEntry>)>,
}

impl TableVersion {
    /// What is known of the chunks by a key of one column of whole numbers.
    ///
    /// # Errors
    /// `XX001`, `58030` if rows could not be read; none are where a checkpoint wrote them.
    pub fn number_keys(&self, columns: &[usize]) -> Result<NumberKeys, ArrowError> {
        let of = |chunk: &Arc<super::Chunk>| {
            let entry = chunk.key_entry(columns)?;
            // Without a range it holds no key that could be asked for.
            let (least, greatest) = entry.number_range().unwrap_or((i64::MAX, i64::MIN));
            Ok((least, greatest, entry))
        };
        Ok(NumberKeys { chunks: self.chunks().iter().map(of).collect::<Result<_, ArrowError>>()? })
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
            let (least, greatest, entry) = key;
            if !(*least..=*greatest).contains(&number) {
                continue;
            }
            let mut first = None;
            let found = |offset| {
                if first.is_none() && chunk.is_live(offset) {
                    first = Some((at, offset));
                }
            };
            chunk.find_number(entry, number, encoded, found)?;
            if first.is_some() {
                return Ok(first);
            }
        }
        Ok(None)
    }
}
