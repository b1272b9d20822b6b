//! A checkpoint read back. Files of rows are not touched: what is in them is read when it is asked for.

use std::sync::Arc;

use arrow::buffer::{BooleanBuffer, Buffer};

use super::chunk_store::ChunkStore;
use super::chunk_write::has_ids;
use crate::storage::error::StorageError;
use crate::storage::manifest::{StoredChunk, StoredDatabase, StoredTable};
use crate::storage::recovery::RecoveredDatabase;
use crate::storage::snapshot::StoreSnapshot;
use crate::storage::table::{Chunk, StoredIds, TableVersion, Zones};

/// A database as a checkpoint holds it.
///
/// # Errors
/// `XX001` if what is known of its rows is damaged.
pub(crate) fn load_database(
    files: &Arc<ChunkStore>,
    stored: &StoredDatabase,
) -> Result<RecoveredDatabase, StorageError> {
    let mut store = StoreSnapshot::default();
    store.commit = stored.through;
    for table in &stored.tables {
        let chunks = table
            .chunks
            .iter()
            .map(|chunk| load_chunk(files, table, chunk).map(Arc::new))
            .collect::<Result<_, _>>()?;
        let schema = Arc::clone(&table.schema);
        let version = TableVersion::restore(table.oid, schema, chunks, table.next_row);
        store = store.with_table(Arc::new(version));
    }
    Ok(RecoveredDatabase { store, objects: stored.objects.iter().cloned().collect() })
}

fn load_chunk(
    files: &Arc<ChunkStore>,
    table: &StoredTable,
    stored: &StoredChunk,
) -> Result<Chunk, StorageError> {
    let StoredChunk { rows, ids, deleted, file, zones, keys } = stored;
    let schema = &table.schema;
    let has_ids = has_ids(schema, matches!(ids, StoredIds::Range(_)));
    let file = files.open(file.clone(), Arc::clone(schema), *rows, has_ids);
    let deleted =
        deleted.as_ref().map(|bits| BooleanBuffer::new(Buffer::from_slice_ref(bits), 0, *rows));
    let zones = Zones::read(zones, schema).map_err(StorageError::Malformed)?;
    let chunk = Chunk::stored(file, (Arc::clone(schema), *rows), *ids, keys, deleted);
    chunk.set_zones(zones);
    Ok(chunk)
}
