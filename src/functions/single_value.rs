//! The one value of a scalar subquery that is joined: an aggregate that keeps up to two, and a function that takes one.
//!
//! DataFusion joins a correlated scalar subquery only if it is an aggregate; PostgreSQL takes any and complains when a
//! second row comes. The complaint stands outside the join: groups that no outer row asks for may have any number.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt32Array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Expr, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::error::{PgError, SqlState};

static UP_TO_TWO: LazyLock<Arc<AggregateUDF>> = LazyLock::new(|| {
    Arc::new(AggregateUDF::from(UpToTwo { signature: Signature::any(1, Volatility::Immutable) }))
});

static ONLY: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    Arc::new(ScalarUDF::from(Only { signature: Signature::any(1, Volatility::Immutable) }))
});

/// The aggregate: a list of the first two values, null for none.
pub fn up_to_two(value: Expr) -> Expr {
    Expr::AggregateFunction(AggregateFunction::new_udf(
        Arc::clone(&UP_TO_TWO),
        vec![value],
        false,
        None,
        Vec::new(),
        None,
    ))
}

/// The only value of a list, null for none, `21000` for more.
pub fn only(list: Expr) -> Expr {
    ONLY.call(vec![list])
}

/// The error for a second row.
pub fn several_rows() -> PgError {
    PgError::new(
        SqlState::CARDINALITY_VIOLATION,
        "more than one row returned by a subquery used as an expression",
    )
}

fn item(argument: Option<&FieldRef>) -> Field {
    match argument {
        Some(field) => field.as_ref().clone().with_name("item").with_nullable(true),
        None => Field::new("item", DataType::Null, true),
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct UpToTwo {
    signature: Signature,
}

impl AggregateUDFImpl for UpToTwo {
    fn name(&self) -> &str {
        "graphwire.up_to_two"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let item = arguments.first().cloned().unwrap_or(DataType::Null);
        Ok(DataType::List(Arc::new(Field::new("item", item, true))))
    }

    fn return_field(&self, arguments: &[FieldRef]) -> Result<FieldRef> {
        let list = DataType::List(Arc::new(item(arguments.first())));
        Ok(Arc::new(Field::new("values", list, true)))
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let DataType::List(item) = arguments.return_field.data_type() else {
            return Err(PgError::internal("a list was expected").into());
        };
        Ok(Box::new(Two { item: Arc::clone(item), values: Vec::new() }))
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let values = arguments.return_field.as_ref().clone();
        Ok(vec![Arc::new(values.with_name(format!("{}[values]", arguments.name)))])
    }
}

#[derive(Debug)]
struct Two {
    item: FieldRef,
    values: Vec<ScalarValue>,
}

impl Two {
    fn take(&mut self, values: &dyn Array) -> Result<()> {
        for row in 0..values.len().min(2 - self.values.len()) {
            self.values.push(ScalarValue::try_from_array(values, row)?);
        }
        Ok(())
    }
}

impl Accumulator for Two {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        match values.first() {
            Some(values) => self.take(values),
            None => Ok(()),
        }
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let list = DataType::List(Arc::clone(&self.item));
        if self.values.is_empty() {
            return ScalarValue::try_from(&list);
        }
        let values = ScalarValue::iter_to_array(self.values.iter().cloned())?;
        // With the item's own field, whose metadata says which type it is.
        let offsets = OffsetBuffer::from_lengths([values.len()]);
        let list = ListArray::try_new(Arc::clone(&self.item), offsets, values, None)?;
        Ok(ScalarValue::List(Arc::new(list)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.iter().map(ScalarValue::size).sum::<usize>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let Some(lists) = states.first().and_then(|lists| lists.as_list_opt::<i32>()) else {
            return Ok(());
        };
        lists.iter().flatten().try_for_each(|values| self.take(&values))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Only {
    signature: Signature,
}

impl ScalarUDFImpl for Only {
    fn name(&self) -> &str {
        "graphwire.only"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments.first() {
            Some(DataType::List(item)) => Ok(item.data_type().clone()),
            _ => Err(PgError::internal("a list was expected").into()),
        }
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        match arguments.arg_fields.first().map(|field| field.data_type()) {
            Some(DataType::List(item)) => {
                Ok(Arc::new(item.as_ref().clone().with_name("value").with_nullable(true)))
            }
            _ => Err(PgError::internal("a list was expected").into()),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = matches!(arguments.args.first(), Some(ColumnarValue::Scalar(_)));
        let rows = if scalar { 1 } else { arguments.number_rows };
        let lists = arguments.args.first().map(|list| list.to_array(rows)).transpose()?;
        let lists = lists.as_ref().and_then(|lists| lists.as_list_opt::<i32>());
        let lists = lists.ok_or_else(|| PgError::internal("a list was expected"))?;
        let mut positions = Vec::with_capacity(lists.len());
        for row in 0..lists.len() {
            let length = if lists.is_null(row) { 0 } else { lists.value_length(row) };
            positions.push(match length {
                0 => None,
                1 => Some(lists.value_offsets()[row] as u32),
                _ => return Err(several_rows().into()),
            });
        }
        let values = take(lists.values(), &UInt32Array::from(positions), None)?;
        if scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?));
        }
        Ok(ColumnarValue::Array(values))
    }
}
