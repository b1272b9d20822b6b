//! The keys of an index that CREATE INDEX made, computed for rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::physical_expr::PhysicalExpr;

use super::engine::Engine;
use super::session_impl::Session;
use super::stored_expressions::physical_expression;
use crate::catalog::{Index, IndexSource, Relation};
use crate::error::PgError;
use crate::executor::write::table_plan_schema;
use crate::planner::bind::BindContext;
use crate::planner::bind::sql::bind_expression;

/// What computes an index's keys.
#[derive(Debug)]
pub(super) struct IndexKeys {
    schema: SchemaRef,
    keys: Vec<Key>,
    predicate: Option<Arc<dyn PhysicalExpr>>,
}

#[derive(Debug)]
enum Key {
    Column(usize),
    Expression(Arc<dyn PhysicalExpr>),
}

/// The keys of a batch's rows.
pub(super) struct KeyArrays {
    /// One array for each key.
    pub(super) columns: Vec<ArrayRef>,
    pub(super) within: Option<BooleanArray>,
}

impl KeyArrays {
    /// Whether a row is in the index at all.
    pub(super) fn contains(&self, row: usize) -> bool {
        self.within.as_ref().is_none_or(|within| !within.is_null(row) && within.value(row))
    }
}

impl IndexKeys {
    /// Binds the texts of an index in the session's transaction.
    ///
    /// # Errors
    /// `XX000` for a text that cannot be bound any more: a defect.
    pub(super) fn bind(
        session: &Session,
        relation: &Relation,
        index: &Index,
    ) -> Result<Self, PgError> {
        let Some(transaction) = &session.transaction else {
            return Err(PgError::internal("no transaction"));
        };
        let context = session.bind_context(transaction, Default::default());
        Self::bind_in(&session.engine, &context, relation, index)
    }

    /// As [`Self::bind`], where there is no session at hand.
    ///
    /// # Errors
    /// As [`Self::bind`].
    pub(super) fn bind_in(
        engine: &Engine,
        context: &BindContext,
        relation: &Relation,
        index: &Index,
    ) -> Result<Self, PgError> {
        let schema = table_plan_schema(relation)?;
        let physical = |text: &str| {
            let expr = crate::parser::stored::parse_expression(text)?;
            let expr = bind_expression(context, &expr, &schema)?;
            physical_expression(engine, &expr, &schema)
        };
        let keys = index
            .keys
            .iter()
            .map(|key| match &key.source {
                IndexSource::Column(at) => Ok(Key::Column(*at)),
                IndexSource::Expression { text, .. } => physical(text).map(Key::Expression),
            })
            .collect::<Result<_, PgError>>()?;
        let predicate = index.predicate.as_deref().map(physical).transpose()?;
        Ok(Self { schema: Arc::new(schema.as_arrow().clone()), keys, predicate })
    }

    /// The keys of rows of the table.
    ///
    /// # Errors
    /// Whatever an expression raises.
    pub(super) fn of(&self, batch: &RecordBatch) -> Result<KeyArrays, PgError> {
        let rows = batch.num_rows();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let input = RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            batch.columns().to_vec(),
            &options,
        )?;
        let within = match &self.predicate {
            None => None,
            Some(predicate) => {
                let array = predicate.evaluate(&input)?.into_array(rows)?;
                Some(array.as_boolean().clone())
            }
        };
        let columns = self
            .keys
            .iter()
            .map(|key| match key {
                Key::Column(at) => Ok(Arc::clone(batch.column(*at))),
                Key::Expression(expr) => Ok(expr.evaluate(&input)?.into_array(rows)?),
            })
            .collect::<Result<_, PgError>>()?;
        Ok(KeyArrays { columns, within })
    }
}
