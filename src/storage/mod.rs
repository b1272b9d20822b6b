//! Versions of tables, transactions' writes, adjacency, and the file system behind them.
//!
//! Storage knows tables by number and schema, never by name. A [`TableVersion`] is immutable; a write makes a new one
//! that shares all chunks it did not touch, so a snapshot is a map from table to version.

pub mod adjacency;
pub mod backup;
mod batch;
mod cache;
mod checkpoint;
mod codec;
pub mod document;
pub mod error;
pub mod fs;
pub mod locks;
mod manifest;
pub mod reading;
pub mod recent;
pub mod recovery;
mod schema;
pub mod sequences;
pub mod snapshot;
pub mod store;
pub mod table;
pub mod verify;
pub mod wal;

pub use adjacency::{Adjacency, AdjacencyCache, Orientation};
pub use cache::BufferCache;
pub use checkpoint::{CheckpointDatabase, CheckpointSummary};
pub use error::StorageError;
pub use locks::{LockOwner, LockTable, RowLock, TableLock};
pub use recent::RecentWrites;
pub use recovery::{Recovered, RecoveredDatabase, Until};
pub use sequences::{CounterRecord, CounterState, SequenceLog, Sequences, Steps, Taken};
pub use snapshot::{RowWrite, StoreSnapshot, TableWrites};
pub use store::{Opened, Store, StoreOptions};
pub use table::{
    Chunk, ComputedIndex, EncodedKeys, KeyIndex, Merge, RowIds, RowsRef, TableVersion, is_wider,
    widen_rows,
};
