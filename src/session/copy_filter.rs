//! The condition of `COPY … FROM … WHERE`: bound when the statement begins, asked of each row before it is written.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Schema};
use datafusion::common::DFSchema;
use datafusion::logical_expr::{Expr, ExprSchemable};
use datafusion::physical_expr::PhysicalExpr;
use sqlparser::ast::Expr as SqlExpr;

use super::session_impl::Session;
use super::stored_expressions::physical_expression;
use crate::catalog::{ColumnDefault, Relation};
use crate::error::{PgError, SqlState};
use crate::executor::write::table_plan_schema;
use crate::planner::bind::sql::bind_expression;
use crate::types::pg_type::PgType;

/// Which rows are written.
pub(super) struct CopyFilter {
    condition: Arc<dyn PhysicalExpr>,
    schema: Arc<Schema>,
}

impl CopyFilter {
    /// Binds a condition over the table's columns.
    ///
    /// # Errors
    /// `42804` for what is no condition, `0A000` with a subquery, `42803` and `42P20` with an aggregate and a window
    /// function, `42P10` for a generated column; what binding says.
    pub(super) fn bind(
        session: &Session,
        relation: &Relation,
        condition: &SqlExpr,
    ) -> Result<Self, PgError> {
        let Some(transaction) = &session.transaction else {
            return Err(PgError::internal("no transaction"));
        };
        let context = session.bind_context(transaction, Default::default());
        let schema = table_plan_schema(relation)?;
        let expr = bind_expression(&context, condition, &schema)?;
        refuse_foreign(&expr, relation)?;
        let (_, field) = expr.to_field(&schema)?;
        match field.data_type() {
            DataType::Boolean | DataType::Null => {}
            _ => {
                let ty = PgType::from_field(&field).without_modifier();
                let message = format!("argument of WHERE must be type boolean, not type {ty}");
                return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message));
            }
        }
        let condition = physical_expression(&session.engine, &expr, &schema)?;
        Ok(Self { condition, schema: Arc::new(schema_of(&schema)) })
    }

    /// The rows of the table for which it is true.
    pub(super) fn keep(&self, rows: &RecordBatch) -> Result<RecordBatch, PgError> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let input = RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            rows.columns().to_vec(),
            &options,
        )?;
        let kept = self.condition.evaluate(&input)?.into_array(rows.num_rows())?;
        match kept.as_boolean_opt() {
            Some(kept) => Ok(filter_record_batch(rows, kept)?),
            // NULL.
            None => Ok(rows.slice(0, 0)),
        }
    }
}

fn schema_of(schema: &DFSchema) -> Schema {
    schema.as_arrow().clone()
}

/// What a condition on one row cannot have.
fn refuse_foreign(expr: &Expr, relation: &Relation) -> Result<(), PgError> {
    use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
    let unsupported =
        |message: &'static str| PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message);
    let mut found = None;
    expr.apply(|expr| {
        found = match expr {
            Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_) => {
                Some(unsupported("cannot use subquery in COPY FROM WHERE condition"))
            }
            Expr::AggregateFunction(_) => Some(PgError::new(
                SqlState::GROUPING_ERROR,
                "aggregate functions are not allowed in COPY FROM WHERE conditions",
            )),
            Expr::WindowFunction(_) => Some(PgError::new(
                SqlState::WINDOWING_ERROR,
                "window functions are not allowed in COPY FROM WHERE conditions",
            )),
            Expr::Unnest(_) => Some(unsupported(
                "set-returning functions are not allowed in COPY FROM WHERE conditions",
            )),
            Expr::Column(column) if is_generated(relation, &column.name) => Some(
                PgError::new(
                    SqlState::INVALID_COLUMN_REFERENCE,
                    "generated columns are not supported in COPY FROM WHERE conditions",
                )
                .detail(format!("Column \"{}\" is a generated column.", column.name)),
            ),
            _ => None,
        };
        Ok(match found {
            Some(_) => TreeNodeRecursion::Stop,
            None => TreeNodeRecursion::Continue,
        })
    })?;
    found.map_or(Ok(()), Err)
}

fn is_generated(relation: &Relation, name: &str) -> bool {
    let column = relation.columns().iter().find(|column| column.name == name);
    matches!(column.and_then(|column| column.default.as_ref()), Some(ColumnDefault::Generated(_)))
}
