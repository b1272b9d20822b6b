//! The aggregate behind a scalar subquery: its one value, or an error if there are several.
//!
//! DataFusion joins a correlated scalar subquery only if it is an aggregate; PostgreSQL takes any and complains when a
//! second row comes.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef, UInt64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};

use crate::error::{PgError, SqlState};

/// The name statements are rewritten to; a user's own function cannot have it.
pub const SINGLE_VALUE: &str = "graphwire.single_value";

static FUNCTION: LazyLock<Arc<AggregateUDF>> = LazyLock::new(|| {
    Arc::new(AggregateUDF::from(SingleValue {
        signature: Signature::any(1, Volatility::Immutable),
    }))
});

/// The aggregate function: null for no row, `21000` for more than one.
pub fn single_value() -> Arc<AggregateUDF> {
    Arc::clone(&FUNCTION)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SingleValue {
    signature: Signature,
}

impl AggregateUDFImpl for SingleValue {
    fn name(&self) -> &str {
        SINGLE_VALUE
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments.first().cloned().unwrap_or(DataType::Null))
    }

    fn return_field(&self, arguments: &[FieldRef]) -> Result<FieldRef> {
        let field = arguments.first().map_or_else(
            || Field::new("value", DataType::Null, true),
            |field| field.as_ref().clone(),
        );
        Ok(Arc::new(field.with_nullable(true)))
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(One {
            value: ScalarValue::try_from(arguments.return_field.data_type())?,
            rows: 0,
        }))
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let value =
            arguments.return_field.as_ref().clone().with_name(format!("{}[value]", arguments.name));
        let rows = Field::new(format!("{}[rows]", arguments.name), DataType::UInt64, false);
        Ok(vec![Arc::new(value), Arc::new(rows)])
    }
}

#[derive(Debug)]
struct One {
    value: ScalarValue,
    rows: u64,
}

impl One {
    fn take(&mut self, values: &ArrayRef, row: usize, rows: u64) -> Result<()> {
        if rows == 0 {
            return Ok(());
        }
        self.rows += rows;
        if self.rows > 1 {
            return Err(PgError::new(
                SqlState::CARDINALITY_VIOLATION,
                "more than one row returned by a subquery used as an expression",
            )
            .into());
        }
        self.value = ScalarValue::try_from_array(values, row)?;
        Ok(())
    }
}

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(values) = values.first() else { return Ok(()) };
        match values.len() {
            0 => Ok(()),
            rows => self.take(values, 0, rows as u64),
        }
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.value.clone())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.value.size() - size_of_val(&self.value)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.value.clone(), ScalarValue::UInt64(Some(self.rows))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [values, counts] = states else { return Ok(()) };
        let counts = counts.as_primitive::<UInt64Type>();
        for row in 0..counts.len() {
            self.take(values, row, counts.value(row))?;
        }
        Ok(())
    }
}
