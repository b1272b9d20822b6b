//! A table's rows: immutable versions made of shared column chunks.
//!
//! ```text
//! TableVersion ── chunks ──► [ Chunk 0 ][ Chunk 1 ] … [ Chunk n ]      positions 0 … Σ rows
//!                              batch, row ids, deleted bits, key indexes (built at first use)
//! ```
//!
//! A *position* counts rows through all chunks of one version, deleted ones included: it is dense, and it is what
//! adjacency lists and `ElementRef` hold. A *row id* names a row for its whole life and is what writes refer to.

mod chunk;
mod key_index;
mod version;
mod widen;

pub use chunk::{Chunk, ComputedIndex, RowIds};
pub use key_index::{EncodedKeys, KeyIndex};
pub use version::{KeyProbe, TableVersion};
pub use widen::{is_wider, widen_rows};
