//! A checkpoint read back.

use std::path::Path;
use std::sync::Arc;

use arrow::buffer::{BooleanBuffer, Buffer};

use super::chunk_file::read_chunk;
use crate::storage::error::StorageError;
use crate::storage::fs::FileSystem;
use crate::storage::manifest::{StoredChunk, StoredDatabase, StoredTable};
use crate::storage::recovery::RecoveredDatabase;
use crate::storage::snapshot::StoreSnapshot;
use crate::storage::table::{Chunk, TableVersion};

/// A database as a checkpoint holds it.
///
/// # Errors
/// `XX001` if one of its files is damaged.
pub(crate) fn load_database(
    fs: &dyn FileSystem,
    dir: &Path,
    stored: &StoredDatabase,
) -> Result<RecoveredDatabase, StorageError> {
    let mut store = StoreSnapshot::default();
    store.commit = stored.through;
    for table in &stored.tables {
        let chunks = table
            .chunks
            .iter()
            .map(|chunk| load_chunk(fs, dir, table, chunk).map(Arc::new))
            .collect::<Result<_, _>>()?;
        let schema = Arc::clone(&table.schema);
        let version = TableVersion::restore(table.oid, schema, chunks, table.next_row);
        store = store.with_table(Arc::new(version));
    }
    Ok(RecoveredDatabase { store, objects: stored.objects.iter().cloned().collect() })
}

fn load_chunk(
    fs: &dyn FileSystem,
    dir: &Path,
    table: &StoredTable,
    stored: &StoredChunk,
) -> Result<Chunk, StorageError> {
    let (batch, rows) =
        read_chunk(fs, dir, &stored.file, stored.first, &table.schema, stored.rows)?;
    let deleted = stored
        .deleted
        .as_ref()
        .map(|bits| BooleanBuffer::new(Buffer::from_slice_ref(bits), 0, stored.rows));
    let chunk = Chunk::with_rows(batch, rows, deleted);
    chunk.set_file(Arc::new(stored.file.clone()));
    Ok(chunk)
}
