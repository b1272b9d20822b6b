//! Runs compiled statements.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{concat_batches, filter_record_batch, take_record_batch};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::ScalarValue;

use super::{Conflicts, Over, PointRead, PointWrite, Projection, ShortPlan, Step, Write};
use crate::error::{PgError, SqlState};
use crate::executor::write::{ConflictSearch, WriteTarget};
use crate::storage::StoreSnapshot;
use crate::types::Oid;

impl ShortPlan {
    /// Whether it changes rows.
    pub fn writes(&self) -> bool {
        self.write.is_some()
    }

    /// Whether it can be run again, if what it wrote is taken back, as though it never was.
    pub fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    /// The statement as a look-up of columns as they are, if it is one.
    pub fn point(&self) -> Option<&PointRead> {
        self.point.as_ref()
    }

    /// The statement as a write of one row that nobody has to be waited for, if it may be one.
    pub fn point_write(&self) -> Option<&PointWrite> {
        self.point_write.as_ref()
    }

    /// The tables it reads and writes; `None` where a foreign key may lead to others.
    pub fn tables(&self) -> Option<&[Oid]> {
        self.tables.as_deref()
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
    ) -> Result<Vec<RecordBatch>, PgError> {
        let parameters = self.parameter_row(parameters)?;
        let found = match (&self.conflicts, &target) {
            (Some(conflicts), Some(target)) => {
                Some(conflicts.run(store, &parameters, target.as_ref()).await?)
            }
            _ => None,
        };
        let rows = self.rows.run(store, &parameters, found.as_ref())?;
        match (&self.write, target) {
            (None, _) => Ok(vec![rows]),
            (Some(write), Some(target)) => write.run(rows, &parameters, target.as_ref()).await,
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

pub(super) fn row_of(
    schema: SchemaRef,
    columns: Vec<arrow::array::ArrayRef>,
) -> Result<RecordBatch, PgError> {
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
}

impl Over {
    /// What expressions that were compiled over this see.
    pub(super) fn input<'a>(
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
    /// `found` is what [`Conflicts`] gave.
    fn run(
        &self,
        store: &StoreSnapshot,
        parameters: &RecordBatch,
        found: Option<&RecordBatch>,
    ) -> Result<RecordBatch, PgError> {
        match self {
            Self::Found => match found {
                Some(found) => Ok(found.clone()),
                None => Err(PgError::internal("conflicts that nobody looked for")),
            },
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
                let rows = input.run(store, parameters, found)?;
                if rows.num_rows() == 0 {
                    return Ok(rows);
                }
                let kept = condition.evaluate(&*over.input(&rows, parameters)?)?;
                let kept = kept.into_array(rows.num_rows())?;
                Ok(filter_record_batch(&rows, kept.as_boolean())?)
            }
            Self::Project { input, projection } => {
                projection.run(&input.run(store, parameters, found)?, parameters)
            }
            Self::First { input, fetch } => {
                let rows = input.run(store, parameters, found)?;
                Ok(rows.slice(0, rows.num_rows().min(*fetch)))
            }
        }
    }
}

impl Conflicts {
    async fn run(
        &self,
        store: &StoreSnapshot,
        parameters: &RecordBatch,
        target: &dyn WriteTarget,
    ) -> Result<RecordBatch, PgError> {
        let rows = self.rows.run(store, parameters, None)?;
        let mut search = ConflictSearch::new(self.arbiters.clone(), self.skips);
        let found = target.conflicts(&self.relation, &mut search, &rows).await?;
        let kept = take_record_batch(&rows, &found.kept)?;
        let mut columns = kept.columns().to_vec();
        if !self.skips {
            columns.extend(found.existing.columns().iter().cloned());
            columns.push(Arc::new(found.row_ids));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(kept.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }
}

impl Write {
    async fn run(
        &self,
        rows: RecordBatch,
        parameters: &RecordBatch,
        target: &dyn WriteTarget,
    ) -> Result<Vec<RecordBatch>, PgError> {
        if rows.num_rows() == 0 {
            return Ok(Vec::new());
        }
        let written = self.writer.write(&rows, target).await?;
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
