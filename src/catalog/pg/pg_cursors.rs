//! `pg_cursors`: open cursors of the session.

use super::batch::{Rows, Value, row};
use super::rows::{Source, SystemRowsError};

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for cursor in source.session.cursors() {
        row!(out,
            name: cursor.name,
            statement: cursor.statement,
            is_holdable: cursor.is_holdable,
            is_binary: cursor.is_binary,
            is_scrollable: cursor.is_scrollable,
            creation_time: Value::Timestamptz(cursor.creation_time),
        );
    }
    Ok(())
}
