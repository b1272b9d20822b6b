//! Why storage could not do what was asked.

use crate::error::{Report, Reported, SqlState};

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
    /// The tenant's memory is used up.
    #[error("out of memory")]
    OutOfMemory(crate::types::OutOfMemory),
    /// A file would have to be read where nobody may wait for it, see [`super::reading`]; no client sees it.
    #[error("rows are not in memory")]
    NotInMemory,
    /// Nobody waits for the result any more.
    #[error("canceling statement due to user request")]
    Canceled,
    /// Arrow refused; nothing a client can do.
    #[error("{0}")]
    Arrow(arrow::error::ArrowError),
    /// Stored bytes are not what was written; the caller says where.
    #[error("{0}")]
    Malformed(super::codec::Malformed),
    /// Stored bytes are not what was written.
    #[error("data in file \"{path}\" is corrupted: {reason}")]
    Corrupt {
        /// The file.
        path: String,
        /// What is wrong with it, and where.
        reason: String,
    },
    /// A file was written in a format this version does not know.
    #[error(
        "file \"{path}\" has format version {version}, which this version of graphwire cannot read"
    )]
    Version {
        /// The file.
        path: String,
        /// The version it says it has.
        version: u32,
    },
    /// The data directory holds something recovery cannot explain.
    #[error("data directory \"{path}\" cannot be opened: {reason}")]
    Unexplained {
        /// The directory.
        path: String,
        /// What is there that should not be, or the other way round.
        reason: String,
    },
    /// Another process has the data directory.
    #[error("data directory \"{path}\" is in use by another process")]
    InUse {
        /// The directory.
        path: String,
    },
    /// The log failed, so nothing can be made durable.
    #[error("the store refuses writes until the server is started again: {reason}")]
    Refused {
        /// What failed.
        reason: String,
    },
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
            Self::OutOfMemory(_) => SqlState::OUT_OF_MEMORY,
            Self::Canceled => SqlState::QUERY_CANCELED,
            Self::Arrow(_) | Self::NotInMemory => SqlState::INTERNAL_ERROR,
            Self::Corrupt { .. } | Self::Malformed(_) => SqlState::DATA_CORRUPTED,
            Self::Version { .. } => SqlState::FEATURE_NOT_SUPPORTED,
            Self::Unexplained { .. } => SqlState::DATA_CORRUPTED,
            Self::InUse { .. } => SqlState::OBJECT_IN_USE,
            Self::Refused { .. } => SqlState::IO_ERROR,
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                SqlState::UNDEFINED_FILE
            }
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                SqlState::DISK_FULL
            }
            Self::Io { .. } => SqlState::IO_ERROR,
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::OutOfMemory(refused) => Some(refused.to_string()),
            _ => None,
        }
    }
}

impl StorageError {
    pub(crate) fn corrupt(path: &std::path::Path, reason: &str) -> Self {
        Self::Corrupt { path: path.display().to_string(), reason: reason.to_owned() }
    }

    /// The same error once more, for each of those who share its cause.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Io { operation, path, source } => Self::Io {
                operation,
                path: path.clone(),
                source: match source.raw_os_error() {
                    Some(code) => std::io::Error::from_raw_os_error(code),
                    None => std::io::Error::new(source.kind(), source.to_string()),
                },
            },
            Self::Refused { reason } => Self::Refused { reason: reason.clone() },
            other => Self::Refused { reason: other.to_string() },
        }
    }
}

impl From<arrow::error::ArrowError> for StorageError {
    /// Kernels that read stored rows give our own errors inside of Arrow's.
    fn from(error: arrow::error::ArrowError) -> Self {
        match error {
            arrow::error::ArrowError::ExternalError(inner) => match inner.downcast::<Reported>() {
                Ok(own) => match own.cause.downcast::<Self>() {
                    Ok(cause) => *cause,
                    Err(_) => Self::Arrow(own.report.into()),
                },
                Err(other) => Self::Arrow(arrow::error::ArrowError::ExternalError(other)),
            },
            other => Self::Arrow(other),
        }
    }
}

impl From<StorageError> for arrow::error::ArrowError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Arrow(inner) => inner,
            other => {
                let report = other.report();
                Self::ExternalError(Box::new(Reported { report, cause: Box::new(other) }))
            }
        }
    }
}

impl From<super::codec::Malformed> for StorageError {
    fn from(error: super::codec::Malformed) -> Self {
        Self::Malformed(error)
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
