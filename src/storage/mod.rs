//! Versions of tables, transactions' writes, adjacency, and the file system behind them.
//!
//! Storage knows tables by number and schema, never by name. A [`TableVersion`] is immutable; a write makes a new one
//! that shares all chunks it did not touch, so a snapshot is a map from table to version.

pub mod adjacency;
pub mod error;
pub mod fs;
pub mod locks;
pub mod recent;
pub mod sequences;
pub mod snapshot;
pub mod table;

pub use adjacency::{Adjacency, AdjacencyCache, Orientation};
pub use error::StorageError;
pub use locks::{LockOwner, LockTable, RowLock, TableLock};
pub use recent::RecentWrites;
pub use sequences::{CounterRecord, CounterState, SequenceLog, Sequences, Steps, Taken};
pub use snapshot::{RowWrite, StoreSnapshot, TableWrites};
pub use table::{Chunk, EncodedKeys, KeyIndex, RowIds, TableVersion};
