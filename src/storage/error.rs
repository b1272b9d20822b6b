//! Why storage could not do what was asked.

use crate::error::{Report, SqlState};

/// Errors of the storage room.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// A row this transaction changed was changed by one that committed first.
    #[error("could not serialize access due to concurrent update")]
    WriteConflict,
    /// A table this transaction wrote was dropped or altered by one that committed first.
    #[error("could not serialize access due to concurrent change of the table")]
    TableChanged,
    /// A table is too large to be an element table of a graph.
    #[error("table has too many rows for a property graph")]
    TooManyRows,
    /// Nobody waits for the result any more.
    #[error("canceling statement due to user request")]
    Canceled,
    /// Arrow refused; nothing a client can do.
    #[error("{0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// A file operation failed.
    #[error("could not {operation} file \"{path}\": {source}")]
    Io {
        /// What was tried: read, write, sync, …
        operation: &'static str,
        /// The file.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
}

impl Report for StorageError {
    fn sqlstate(&self) -> SqlState {
        match self {
            Self::WriteConflict | Self::TableChanged => SqlState::T_R_SERIALIZATION_FAILURE,
            Self::TooManyRows => SqlState::PROGRAM_LIMIT_EXCEEDED,
            Self::Canceled => SqlState::QUERY_CANCELED,
            Self::Arrow(_) => SqlState::INTERNAL_ERROR,
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                SqlState::UNDEFINED_FILE
            }
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                SqlState::DISK_FULL
            }
            Self::Io { .. } => SqlState::IO_ERROR,
        }
    }
}

impl From<StorageError> for crate::error::PgError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Arrow(inner) => inner.into(),
            other => other.report(),
        }
    }
}
