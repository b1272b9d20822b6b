//! Checkpoints: what the log says up to a commit, as Parquet files, so that the log can be cut.
//!
//! ```text
//! 1  the log goes on in a new segment; what was committed before is visible
//! 2  the databases are looked at: immutable versions, so commits go on
//! 3  chunks that have no file yet are written, each to a file of its own, and synced
//! 4  the manifest is written under another name, synced, and gets its name
//! 5  files that it does not name are removed: the old manifest, old segments, files of chunks that are gone
//! ```
//!
//! A crash before 4 is done leaves the old manifest and the whole log; after it, the new one. What 3 or 5 left behind is
//! removed at the next start.

mod chunk_store;
mod chunk_write;
mod load;
mod paged_file;
mod stored_type;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use chunk_store::{CHUNK_SUFFIX, ChunkStore, chunk_path};
pub(crate) use chunk_write::nullable;
pub(crate) use load::load_database;
pub(crate) use paged_file::PagedFile;
pub use write::{CheckpointDatabase, CheckpointSummary};
pub(crate) use write::{Checkpointer, archive_segment};

pub(crate) use super::manifest::{StoredHashes, StoredKey};
