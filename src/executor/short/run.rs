//! Runs compiled statements.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{concat_batches, filter_record_batch, take_record_batch};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::common::ScalarValue;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::execute_stream;
use futures::TryStreamExt;

use super::{Over, Projection, ShortPlan, Step, Write};
use crate::error::{PgError, SqlState};
use crate::executor::operator::TableWriteExec;
use crate::executor::write::WriteTarget;
use crate::storage::StoreSnapshot;

impl ShortPlan {
    /// Whether it changes rows.
    pub fn writes(&self) -> bool {
        self.write.is_some()
    }

    /// Runs the statement on a snapshot with `$1`, `$2`, …; writes go to `target`.
    ///
    /// # Errors
    /// What its expressions and writes raise.
    pub async fn run(
        &self,
        store: &StoreSnapshot,
        parameters: &[ScalarValue],
        target: Option<Arc<dyn WriteTarget>>,
        context: Arc<TaskContext>,
    ) -> Result<Vec<RecordBatch>, PgError> {
        let parameters = self.parameter_row(parameters)?;
        let rows = self.rows.run(store, &parameters)?;
        match (&self.write, target) {
            (None, _) => Ok(vec![rows]),
            (Some(write), Some(target)) => write.run(rows, &parameters, target, context).await,
            (Some(_), None) => Err(PgError::internal("a write in a read-only statement")),
        }
    }

    /// The parameters that the plan uses, as one row.
    fn parameter_row(&self, values: &[ScalarValue]) -> Result<RecordBatch, PgError> {
        let mut columns = Vec::with_capacity(self.parameters.len());
        for (place, field) in self.parameters.iter().zip(self.parameter_schema.fields()) {
            let value = values.get(*place).ok_or_else(|| {
                PgError::new(
                    SqlState::UNDEFINED_PARAMETER,
                    format!("there is no parameter ${}", place + 1),
                )
            })?;
            let value = value.to_array()?;
            columns.push(if value.data_type() == field.data_type() {
                value
            } else {
                arrow::compute::cast(&value, field.data_type())?
            });
        }
        row_of(Arc::clone(&self.parameter_schema), columns)
    }
}

fn row_of(schema: SchemaRef, columns: Vec<arrow::array::ArrayRef>) -> Result<RecordBatch, PgError> {
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
}

impl Over {
    /// What expressions that were compiled over this see.
    fn input<'a>(
        &self,
        rows: &'a RecordBatch,
        parameters: &RecordBatch,
    ) -> Result<Cow<'a, RecordBatch>, PgError> {
        let Self::RowsAndParameters(schema) = self else { return Ok(Cow::Borrowed(rows)) };
        let repeated;
        let parameters = match rows.num_rows() {
            1 => parameters,
            count => {
                repeated = take_record_batch(parameters, &UInt32Array::from(vec![0; count]))?;
                &repeated
            }
        };
        let columns = rows.columns().iter().chain(parameters.columns()).cloned().collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        Ok(Cow::Owned(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?))
    }
}

impl Projection {
    fn run(&self, rows: &RecordBatch, parameters: &RecordBatch) -> Result<RecordBatch, PgError> {
        if rows.num_rows() == 0 {
            return Ok(RecordBatch::new_empty(Arc::clone(&self.schema)));
        }
        let input = self.over.input(rows, parameters)?;
        let columns = self
            .expressions
            .iter()
            .map(|expression| expression.evaluate(&input)?.into_array(rows.num_rows()))
            .collect::<datafusion::common::Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }
}

impl Step {
    fn run(&self, store: &StoreSnapshot, parameters: &RecordBatch) -> Result<RecordBatch, PgError> {
        match self {
            Self::Row => row_of(Arc::new(Schema::empty()), Vec::new()),
            Self::Values { rows, schema } => {
                let mut batches = Vec::with_capacity(rows.len());
                for row in rows {
                    let columns = row
                        .iter()
                        .map(|expression| expression.evaluate(parameters)?.into_array(1))
                        .collect::<datafusion::common::Result<Vec<_>>>()?;
                    batches.push(row_of(Arc::clone(schema), columns)?);
                }
                Ok(concat_batches(schema, &batches)?)
            }
            Self::LookUp(look_up) => match store.table(look_up.table) {
                Some(version) => Ok(look_up.run(version, parameters)?),
                None => Err(PgError::internal("a table that is not there")),
            },
            Self::Filter { input, condition, over } => {
                let rows = input.run(store, parameters)?;
                if rows.num_rows() == 0 {
                    return Ok(rows);
                }
                let kept = condition.evaluate(&*over.input(&rows, parameters)?)?;
                let kept = kept.into_array(rows.num_rows())?;
                Ok(filter_record_batch(&rows, kept.as_boolean())?)
            }
            Self::Project { input, projection } => {
                projection.run(&input.run(store, parameters)?, parameters)
            }
            Self::First { input, fetch } => {
                let rows = input.run(store, parameters)?;
                Ok(rows.slice(0, rows.num_rows().min(*fetch)))
            }
        }
    }
}

impl Write {
    async fn run(
        &self,
        rows: RecordBatch,
        parameters: &RecordBatch,
        target: Arc<dyn WriteTarget>,
        context: Arc<TaskContext>,
    ) -> Result<Vec<RecordBatch>, PgError> {
        if rows.num_rows() == 0 {
            return Ok(Vec::new());
        }
        let input = MemorySourceConfig::try_new_exec(&[vec![rows]], Arc::clone(&self.input), None)?;
        let write = TableWriteExec::new(&self.node, input, target);
        let written = execute_stream(Arc::new(write), context)?.try_collect::<Vec<_>>().await?;
        written
            .into_iter()
            .map(|batch| {
                self.returning
                    .iter()
                    .try_fold(batch, |batch, projection| projection.run(&batch, parameters))
            })
            .collect()
    }
}
