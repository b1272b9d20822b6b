//! A [`TypeError`] as a client gets it.

use crate::error::{PgError, SqlState};

use super::error::TypeError;

impl From<TypeError> for PgError {
    fn from(error: TypeError) -> Self {
        let mut report = Self::new(SqlState(error.sqlstate), error.message);
        if let Some(detail) = error.detail {
            report = report.detail(detail);
        }
        if let Some(hint) = error.hint {
            report = report.hint(hint);
        }
        if let Some(context) = error.context {
            report = report.context(context);
        }
        report
    }
}
