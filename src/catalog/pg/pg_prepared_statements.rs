//! `pg_prepared_statements`: named prepared statements of the session.

use super::batch::{Rows, Value, row};
use super::rows::{Source, SystemRowsError};
use crate::types::Oid;

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for statement in source.session.prepared_statements() {
        let types: Vec<Oid> = statement.parameter_types.iter().map(|ty| Oid(ty.oid())).collect();
        row!(out,
            name: statement.name,
            statement: statement.statement,
            prepare_time: Value::Timestamptz(statement.prepare_time),
            parameter_types: types,
            from_sql: statement.from_sql,
            // Every execution is planned with the values it has.
            generic_plans: 0i64,
            custom_plans: 0i64,
        );
    }
    Ok(())
}
