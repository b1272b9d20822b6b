//! Checks of a store that need no catalog: every checksum, and that row ids are unique.

use std::collections::HashSet;

use super::error::StorageError;
use super::fs::FileLock;
use super::recovery::{Recovered, Recovery, Tail, Until};
use super::store::{StoreOptions, lock};
use super::table::TableVersion;
use crate::types::CommitNo;

/// A store that was read and not changed.
#[derive(Debug)]
pub struct Inspected {
    /// Everything in it.
    pub databases: Recovered,
    /// Its last commit.
    pub last: CommitNo,
    /// Rows that are not deleted, of all tables.
    pub rows: u64,
    /// Table files, each checked byte by byte.
    pub files: usize,
    /// Bytes of log that were replayed.
    pub log_bytes: u64,
    /// Keeps the server out.
    pub lock: FileLock,
}

/// Reads a store and checks all of it. Changes nothing.
///
/// # Errors
/// `55006` if a server runs on it, `XX001` for the first damage found.
pub fn inspect(options: &StoreOptions) -> Result<Inspected, StorageError> {
    let (fs, dir) = (options.fs.as_ref(), options.dir.as_path());
    if !fs.exists(dir) {
        return Err(super::recovery::unexplained(dir, "it is not there"));
    }
    let lock = lock(fs, dir)?;
    let found = Recovery::read(fs, dir, &options.chunk_store(), Until::End, Tail::Live)?;
    let recovery = found.ok_or_else(|| super::recovery::unexplained(dir, "it holds no store"))?;
    let mut rows = 0;
    let mut files = 0;
    for database in recovery.databases.values() {
        for version in database.store.tables() {
            files += check_files(version)?;
            rows += check_row_ids(version)?.map_err(|reason| {
                let reason = format!("table {}: {reason}", version.table);
                super::recovery::unexplained(dir, &reason)
            })?;
        }
    }
    Ok(Inspected {
        files,
        databases: recovery.databases,
        last: recovery.last,
        rows,
        log_bytes: recovery.log_bytes,
        lock,
    })
}

/// Reads the files of a table, each byte of them; how many there are.
fn check_files(version: &TableVersion) -> Result<usize, StorageError> {
    let mut files = 0;
    for chunk in version.chunks() {
        if let Some(file) = chunk.file() {
            file.verify(&chunk.stored_keys())?;
            files += 1;
        }
    }
    Ok(files)
}

/// Counts the rows of a table.
fn check_row_ids(version: &TableVersion) -> Result<Result<u64, String>, StorageError> {
    let mut ids = HashSet::new();
    for chunk in version.chunks() {
        for id in chunk.live_ids()? {
            if id >= version.next_row() {
                return Ok(Err(format!("row id {id} was never given")));
            }
            if !ids.insert(id) {
                return Ok(Err(format!("two rows have the id {id}")));
            }
        }
    }
    Ok(Ok(ids.len() as u64))
}
