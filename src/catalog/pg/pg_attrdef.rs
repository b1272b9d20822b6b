//! `pg_attrdef`: defaults of columns.

use super::batch::{Rows, row};
use super::derived_oid;
use super::rows::{Source, SystemRowsError};
use crate::catalog::object::ColumnDefault;

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for relation in source.catalog.relations.values() {
        for column in relation.columns() {
            let Some(ColumnDefault::Expression(expression) | ColumnDefault::Generated(expression)) =
                &column.default
            else {
                continue;
            };
            row!(out,
                oid: derived_oid::column_default(relation.oid, column.attnum),
                adrelid: relation.oid,
                adnum: column.attnum,
                adbin: expression.as_str(),
            );
        }
    }
    Ok(())
}
