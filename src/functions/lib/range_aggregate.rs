//! Aggregates over ranges and multiranges: `range_agg` and `range_intersect_agg`.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
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
use crate::types::range::{Multirange, Range, RangeKind};

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

/// The argument of an aggregate.
#[derive(Debug, Clone, Copy)]
struct Argument {
    kind: RangeKind,
    /// Whether it is a multirange.
    multi: bool,
}

impl OfRanges {
    fn argument(&self, field: Option<&FieldRef>) -> DfResult<Argument> {
        match field.map_or(PgType::Unknown, |field| PgType::from_field(field)) {
            PgType::Range(kind) => Ok(Argument { kind, multi: false }),
            PgType::Multirange(kind) => Ok(Argument { kind, multi: true }),
            ty => Err(function_error(self.name, &[ty], NoChoice::None).into()),
        }
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
        let Argument { kind, multi } = self.argument(arguments.first())?;
        let ty = match multi || self.name == UNITE {
            true => PgType::Multirange(kind),
            false => PgType::Range(kind),
        };
        Ok(Arc::new(ty.field(self.name, true)))
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> DfResult<Box<dyn Accumulator>> {
        let argument = self.argument(arguments.expr_fields.first())?;
        let unites = self.name == UNITE;
        Ok(Box::new(Parts { argument, unites, found: None, unsorted: Vec::new() }))
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

/// What is in all or in any of the values so far; none before the first. The state is a multirange.
#[derive(Debug)]
struct Parts {
    argument: Argument,
    unites: bool,
    found: Option<Multirange>,
    /// Ranges that are still to be united with what was found.
    unsorted: Vec<Range>,
}

/// So many ranges are put in order at once.
const UNSORTED_MAX: usize = 4096;

impl Parts {
    fn take(&mut self, values: &ArrayRef, multi: bool) -> Result<(), PgError> {
        let kind = self.argument.kind;
        let views = arrow::compute::cast(values, &DataType::BinaryView)?;
        for value in views.as_binary_view().iter().flatten() {
            let value = match multi {
                true => Multirange::decode(kind, value)?,
                false => Multirange::new(kind, vec![Range::decode(kind, value)?])?,
            };
            match &self.found {
                None => self.found = Some(value),
                Some(_) if self.unites => self.unsorted.extend_from_slice(value.ranges()),
                Some(found) => self.found = Some(found.intersection(&value, kind)?),
            }
            if self.unsorted.len() >= UNSORTED_MAX {
                self.unite()?;
            }
        }
        Ok(())
    }

    fn unite(&mut self) -> Result<(), PgError> {
        if let Some(found) = &self.found
            && !self.unsorted.is_empty()
        {
            let all = [found.ranges(), &self.unsorted].concat();
            self.found = Some(Multirange::new(self.argument.kind, all)?);
            self.unsorted.clear();
        }
        Ok(())
    }
}

impl Accumulator for Parts {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        let multi = self.argument.multi;
        values.first().map_or(Ok(()), |values| Ok(self.take(values, multi)?))
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        self.unite()?;
        let Argument { kind, multi } = self.argument;
        let Some(found) = &self.found else { return Ok(ScalarValue::BinaryView(None)) };
        let bytes = match self.unites || multi {
            true => found.encode(kind),
            // Ranges have one range in common, or none.
            false => found.hull(kind).map_err(PgError::from)?.encode(kind),
        };
        Ok(ScalarValue::BinaryView(Some(bytes)))
    }

    fn size(&self) -> usize {
        let ranges = self.unsorted.capacity() + self.found.as_ref().map_or(0, |m| m.ranges().len());
        size_of_val(self) + ranges * size_of::<Range>()
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        self.unite()?;
        let kind = self.argument.kind;
        Ok(vec![ScalarValue::BinaryView(self.found.as_ref().map(|found| found.encode(kind)))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        states.first().map_or(Ok(()), |states| Ok(self.take(states, true)?))
    }
}
