//! Aggregates over ranges: `range_intersect_agg`, and the refusal of `range_agg`, whose result is a multirange.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result as DfResult, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ReversedUDAF, Signature, Volatility,
};

use crate::error::PgError;
use crate::functions::overload::{NoChoice, function_error};
use crate::types::pg_type::PgType;
use crate::types::range::{Range, RangeKind};

/// Both, by name.
pub(super) fn all() -> Vec<Arc<AggregateUDF>> {
    [INTERSECT, UNITE]
        .into_iter()
        .map(|name| {
            let signature = Signature::any(1, Volatility::Immutable);
            Arc::new(AggregateUDF::from(OfRanges { name, signature }))
        })
        .collect()
}

const INTERSECT: &str = "range_intersect_agg";
const UNITE: &str = "range_agg";

#[derive(Debug, PartialEq, Eq, Hash)]
struct OfRanges {
    name: &'static str,
    signature: Signature,
}

impl OfRanges {
    /// The type of the ranges.
    fn kind(&self, field: Option<&FieldRef>) -> DfResult<RangeKind> {
        let ty = field.map_or(PgType::Unknown, |field| PgType::from_field(field));
        let PgType::Range(kind) = ty else {
            return Err(function_error(self.name, &[ty], NoChoice::None).into());
        };
        if self.name == UNITE {
            let message = "function range_agg is not supported";
            return Err(PgError::unsupported(message, "There are no multiranges.").into());
        }
        Ok(kind)
    }
}

impl AggregateUDFImpl for OfRanges {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::BinaryView)
    }

    fn return_field(&self, arguments: &[FieldRef]) -> DfResult<FieldRef> {
        let kind = self.kind(arguments.first())?;
        Ok(Arc::new(PgType::Range(kind).field(self.name, true)))
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> DfResult<Box<dyn Accumulator>> {
        let kind = self.kind(arguments.expr_fields.first())?;
        Ok(Box::new(Intersection { kind, common: None }))
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> DfResult<Vec<FieldRef>> {
        let name = format!("{}[common]", arguments.name);
        Ok(vec![Arc::new(Field::new(name, DataType::BinaryView, true))])
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }
}

/// What is in all ranges so far; none before the first.
#[derive(Debug)]
struct Intersection {
    kind: RangeKind,
    common: Option<Range>,
}

impl Accumulator for Intersection {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        let Some(values) = values.first() else { return Ok(()) };
        let views = arrow::compute::cast(values, &DataType::BinaryView)?;
        for value in views.as_binary_view().iter().flatten() {
            let range = Range::decode(self.kind, value).map_err(PgError::from)?;
            self.common = Some(match self.common {
                None => range,
                Some(common) => common.intersection(&range, self.kind).map_err(PgError::from)?,
            });
        }
        Ok(())
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        Ok(ScalarValue::BinaryView(self.common.map(|range| range.encode(self.kind))))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        self.update_batch(states)
    }
}
