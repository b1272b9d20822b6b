//! A table's rows: immutable versions made of shared column chunks.
//!
//! ```text
//! TableVersion ── chunks ──► [ Chunk 0 ][ Chunk 1 ] … [ Chunk n ]      positions 0 … Σ rows
//!                              columns, row ids, deleted bits, key indexes (built at first use); in a file once a
//!                              checkpoint has written them, and then in memory only as far as the cache has room
//! ```
//!
//! A *position* counts rows through all chunks of one version, deleted ones included: it is dense, and it is what
//! adjacency lists and `ElementRef` hold. A *row id* names a row for its whole life and is what writes refer to.

mod chunk;
mod compact;
mod content;
mod key_entry;
mod key_index;
pub(in crate::storage) mod key_pages;
mod merge;
mod number_keys;
mod sought_keys;
mod version;
mod widen;
mod zones;

pub use chunk::{Chunk, ComputedIndex, RowIds, RowsRef};
pub(crate) use content::StoredIds;
pub(crate) use key_index::KeyRange;
pub use key_index::{EncodedKeys, KeyIndex, encoded_number};
pub use merge::Merge;
pub use version::{KeyProbe, TableVersion};
pub use widen::{is_wider, widen_rows};
pub use zones::Zones;
