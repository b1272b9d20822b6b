//! Generated columns of rows that no plan computed: COPY, and what foreign keys change.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};

use super::engine::Engine;
use super::stored_expressions::physical_expression;
use crate::catalog::{ColumnDefault, Relation};
use crate::error::PgError;
use crate::executor::write::table_plan_schema;
use crate::planner::bind::BindContext;
use crate::planner::bind::sql::{assign_expression, bind_expression};

/// The rows of a table, in its column order, with their generated columns computed.
///
/// # Errors
/// Whatever an expression raises.
pub(super) fn compute(
    engine: &Engine,
    context: &BindContext,
    relation: &Relation,
    rows: RecordBatch,
) -> Result<RecordBatch, PgError> {
    let Some(table) = relation.table() else { return Ok(rows) };
    let generated =
        table.columns.iter().enumerate().filter_map(|(at, column)| match &column.default {
            Some(ColumnDefault::Generated(text)) => Some((at, column, text)),
            Some(ColumnDefault::Expression(_) | ColumnDefault::Identity { .. }) | None => None,
        });
    let mut arrays = None;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    for (at, column, text) in generated {
        let schema = table_plan_schema(relation)?;
        let expr = crate::parser::stored::parse_expression(text)?;
        let expr = bind_expression(context, &expr, &schema)?;
        let expr = assign_expression(context, expr, &column.ty, &schema)?;
        let expr = physical_expression(engine, &expr, &schema)?;
        let plan = Arc::new(schema.as_arrow().clone());
        let input = RecordBatch::try_new_with_options(plan, rows.columns().to_vec(), &options)?;
        let value = expr.evaluate(&input)?.into_array(rows.num_rows())?;
        if let Some(slot) = arrays.get_or_insert_with(|| rows.columns().to_vec()).get_mut(at) {
            *slot = value;
        }
    }
    match arrays {
        None => Ok(rows),
        Some(arrays) => Ok(RecordBatch::try_new_with_options(rows.schema(), arrays, &options)?),
    }
}
