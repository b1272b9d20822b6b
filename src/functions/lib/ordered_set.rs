//! `percentile_disc` and `mode`: aggregates over values in order (WITHIN GROUP). They keep all values until the end.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, new_empty_array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{SortOptions, concat, sort_to_indices, take};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::{Result as DfResult, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};

use crate::error::{PgError, SqlState};
use crate::functions::datum::{Datum, read};

/// The ordered-set aggregates.
pub(crate) fn all() -> [Arc<AggregateUDF>; 2] {
    [
        Arc::new(AggregateUDF::from(OrderedSet::new(false))),
        Arc::new(AggregateUDF::from(OrderedSet::new(true))),
    ]
}

#[derive(Debug)]
struct OrderedSet {
    mode: bool,
    signature: Signature,
}

impl PartialEq for OrderedSet {
    fn eq(&self, other: &Self) -> bool {
        self.mode == other.mode
    }
}

impl Eq for OrderedSet {}

impl Hash for OrderedSet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.mode.hash(state);
    }
}

impl OrderedSet {
    fn new(mode: bool) -> Self {
        Self { mode, signature: Signature::any(if mode { 1 } else { 2 }, Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for OrderedSet {
    fn name(&self) -> &str {
        if self.mode { "mode" } else { "percentile_disc" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> DfResult<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn return_field(&self, fields: &[FieldRef]) -> DfResult<FieldRef> {
        let value = fields
            .first()
            .ok_or_else(|| PgError::internal("an ordered-set aggregate without a value"))?;
        if fields.get(1).is_some_and(|fraction| matches!(fraction.data_type(), DataType::List(_))) {
            return Err(PgError::unsupported(
                "percentile_disc of an array of fractions is not supported",
                "Call it once for each fraction.",
            )
            .into());
        }
        Ok(Arc::new(value.as_ref().clone().with_name(self.name()).with_nullable(true)))
    }

    fn supports_within_group_clause(&self) -> bool {
        true
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        // The values are sorted at the end.
        AggregateOrderSensitivity::Insensitive
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> DfResult<Box<dyn Accumulator>> {
        let options =
            args.order_bys.first().map_or_else(SortOptions::default, |order| order.options);
        Ok(Box::new(Collected {
            mode: self.mode,
            options,
            data_type: args.return_type().clone(),
            fraction: None,
            values: Vec::new(),
        }))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> DfResult<Vec<FieldRef>> {
        let item = Arc::new(Field::new_list_field(args.return_type().clone(), true));
        Ok(vec![
            Arc::new(Field::new(format!("{}[values]", args.name), DataType::List(item), true)),
            Arc::new(Field::new(format!("{}[fraction]", args.name), DataType::Float64, true)),
        ])
    }
}

#[derive(Debug)]
struct Collected {
    mode: bool,
    options: SortOptions,
    data_type: DataType,
    fraction: Option<f64>,
    values: Vec<ArrayRef>,
}

impl Collected {
    fn all(&self) -> Result<ArrayRef, PgError> {
        if self.values.is_empty() {
            return Ok(new_empty_array(&self.data_type));
        }
        let parts: Vec<&dyn Array> = self.values.iter().map(AsRef::as_ref).collect();
        Ok(concat(&parts)?)
    }

    /// All values that are not null, in order.
    fn sorted(&self) -> Result<ArrayRef, PgError> {
        let all = self.all()?;
        let present = arrow::compute::filter(&all, &arrow::compute::is_not_null(&all)?)?;
        let order = sort_to_indices(&present, Some(self.options), None)?;
        Ok(take(&present, &order, None)?)
    }

    fn chosen(&self, sorted: &ArrayRef) -> Result<usize, PgError> {
        if self.mode {
            return most_frequent(sorted);
        }
        let fraction = self.fraction.unwrap_or(0.0);
        if !(0.0..=1.0).contains(&fraction) {
            let message = format!("percentile value {fraction} is not between 0 and 1");
            return Err(PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message));
        }
        let rank = (fraction * sorted.len() as f64).ceil().max(1.0);
        Ok(rank as usize - 1)
    }
}

/// The start of the longest run of equal values, the first such run.
fn most_frequent(sorted: &ArrayRef) -> Result<usize, PgError> {
    let (mut best, mut best_length, mut start) = (0, 0, 0);
    for row in 0..sorted.len() {
        if read(sorted.as_ref(), row)? != read(sorted.as_ref(), start)? {
            start = row;
        }
        if row - start + 1 > best_length {
            (best, best_length) = (start, row - start + 1);
        }
    }
    Ok(best)
}

impl Accumulator for Collected {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        if let Some(array) = values.first() {
            self.values.push(Arc::clone(array));
        }
        if let Some(fraction) = values.get(1).filter(|array| !array.is_empty()) {
            self.fraction = match read(fraction.as_ref(), 0)? {
                Datum::Float(value) => Some(value),
                Datum::Num(value) => Some(value.to_f64()),
                Datum::Int(value) => Some(value as f64),
                _ => None,
            };
        }
        Ok(())
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        let sorted = self.sorted()?;
        if sorted.is_empty() || !self.mode && self.fraction.is_none() {
            return ScalarValue::try_from(&self.data_type);
        }
        ScalarValue::try_from_array(&sorted, self.chosen(&sorted)?)
    }

    fn size(&self) -> usize {
        size_of_val(self)
            + self.values.iter().map(|array| array.get_array_memory_size()).sum::<usize>()
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        let all = self.all()?;
        let field = Arc::new(Field::new_list_field(self.data_type.clone(), true));
        let list = ListArray::try_new(field, OffsetBuffer::from_lengths([all.len()]), all, None)?;
        Ok(vec![ScalarValue::List(Arc::new(list)), ScalarValue::Float64(self.fraction)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        let [lists, fractions] = states else {
            return Err(PgError::internal("a partial ordered set of another shape").into());
        };
        if let Some(lists) = lists.as_list_opt::<i32>() {
            self.values.extend(lists.iter().flatten());
        }
        let found = fractions
            .as_primitive_opt::<Float64Type>()
            .and_then(|array| array.iter().flatten().next());
        self.fraction = self.fraction.or(found);
        Ok(())
    }
}
