//! Expressions that are stored as text (conditions, defaults, keys, properties), bound and evaluated.

use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::PhysicalExpr;

use super::engine::Engine;
use super::index_keys::IndexKeys;
use super::session_impl::ContextSource;
use crate::catalog::{Index, Relation};
use crate::error::PgError;
use crate::executor::graph::ExpressionHook;
use crate::executor::write::{ComputedKeys, RowCheck, table_plan_schema};
use crate::planner::bind::sql::{bind_default, bind_expression};
use crate::planner::bind::{BindContext, Parameters};
use crate::types::pg_type::PgType;

/// A physical expression over a schema of columns.
pub(super) fn physical_expression(
    engine: &Engine,
    expr: &Expr,
    schema: &DFSchema,
) -> Result<Arc<dyn PhysicalExpr>, PgError> {
    Ok(engine.runtime.state().create_physical_expr(expr.clone(), schema)?)
}

/// The value of an expression without columns.
pub(super) fn evaluate_constant(engine: &Engine, expr: Expr) -> Result<ScalarValue, PgError> {
    let physical = physical_expression(engine, &expr, &DFSchema::empty())?;
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let row = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options)?;
    Ok(ScalarValue::try_from_array(&physical.evaluate(&row)?.into_array(1)?, 0)?)
}

/// Decides CHECK conditions by binding their text in a transaction's catalog.
pub(super) struct SessionChecks {
    source: ContextSource,
    context: OnceLock<BindContext>,
}

impl SessionChecks {
    pub(super) fn new(source: ContextSource) -> Self {
        Self { source, context: OnceLock::new() }
    }

    fn context(&self) -> &BindContext {
        self.context.get_or_init(|| self.source.context(Parameters::default()))
    }

    fn engine(&self) -> &Arc<Engine> {
        &self.source.engine
    }
}

impl RowCheck for SessionChecks {
    fn first_violation(
        &self,
        relation: &Relation,
        condition: &str,
        rows: &RecordBatch,
    ) -> Result<Option<usize>, PgError> {
        let schema = table_plan_schema(relation)?;
        let expr = bind_expression(
            self.context(),
            &crate::parser::stored::parse_expression(condition)?,
            &schema,
        )?;
        let physical = physical_expression(self.engine(), &expr, &schema)?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let input = RecordBatch::try_new_with_options(
            Arc::new(schema.as_arrow().clone()),
            rows.columns().to_vec(),
            &options,
        )?;
        let result = physical.evaluate(&input)?.into_array(rows.num_rows())?;
        let result = result.as_boolean();
        // Null is not false: it passes.
        Ok((0..rows.num_rows()).find(|row| !result.is_null(*row) && !result.value(*row)))
    }

    fn check_domain(&self, declared: &PgType, values: &ArrayRef) -> Result<(), PgError> {
        super::domains::check(self.engine(), self.context(), declared, values)
    }

    fn default_values(
        &self,
        relation: &Relation,
        column: usize,
        rows: usize,
    ) -> Result<ArrayRef, PgError> {
        let Some(column) = relation.columns().get(column) else {
            return Err(PgError::internal("a default of a column that is not there"));
        };
        let empty = DFSchema::empty();
        let expr = bind_default(self.context(), column)?;
        let physical = physical_expression(self.engine(), &expr, &empty)?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let input =
            RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options)?;
        Ok(physical.evaluate(&input)?.into_array(rows)?)
    }

    fn index_keys(
        &self,
        relation: &Relation,
        index: &Index,
        rows: &RecordBatch,
    ) -> Result<ComputedKeys, PgError> {
        let keys = IndexKeys::bind_in(self.engine(), self.context(), relation, index)?.of(rows)?;
        let fields: Vec<Field> = keys
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| Field::new(at.to_string(), column.data_type().clone(), true))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        Ok(ComputedKeys { keys: RecordBatch::try_new(schema, keys.columns)?, within: keys.within })
    }

    fn with_generated(
        &self,
        relation: &Relation,
        rows: RecordBatch,
    ) -> Result<RecordBatch, PgError> {
        super::generated::compute(self.engine(), self.context(), relation, rows)
    }
}

/// Makes physical expressions of graph properties that are SQL expressions.
pub(super) fn property_expressions(context: BindContext, engine: Arc<Engine>) -> ExpressionHook {
    Arc::new(move |relation, text| {
        let relation = context.catalog.relation(relation).ok_or_else(|| {
            PgError::internal(format!("table {relation} of a graph is not there"))
        })?;
        let schema = table_plan_schema(relation)?;
        let expr = bind_expression(
            &context,
            &crate::parser::stored::parse_expression(text).map_err(PgError::from)?,
            &schema,
        )?;
        Ok(physical_expression(&engine, &expr, &schema)?)
    })
}
