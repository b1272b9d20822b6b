//! Checkpoints: what the log says up to a commit, as Parquet files, so that the log can be cut.

use std::path::Path;

use super::error::StorageError;
use super::fs::FileSystem;
use super::manifest::StoredDatabase;
use super::recovery::RecoveredDatabase;

/// What chunk files are called, after their number.
pub(crate) const CHUNK_SUFFIX: &str = ".parquet";

/// A database as a checkpoint holds it.
pub(crate) fn load_database(
    _fs: &dyn FileSystem,
    _dir: &Path,
    stored: &StoredDatabase,
) -> Result<RecoveredDatabase, StorageError> {
    Ok(RecoveredDatabase {
        objects: stored.objects.iter().cloned().collect(),
        ..RecoveredDatabase::default()
    })
}
