//! Aggregates with PostgreSQL's result types.
//!
//! `sum` and `avg` are DataFusion's, on arguments widened so that they neither overflow nor lose digits:
//!
//! | argument | `sum` | `avg` |
//! |---|---|---|
//! | int2, int4 | int8 | numeric, 16 digits after the point |
//! | int8 | numeric | numeric, 16 digits |
//! | numeric(p,s) | numeric | numeric, s + 4 digits, at least 16 |
//! | float4, float8 | float8 | float8 |
//! | interval | interval | interval |

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, ListArray, StringArray,
};
use arrow::compute::SortOptions;
use arrow::datatypes::{
    DataType, Field, FieldRef, Int64Type, IntervalMonthDayNanoType, IntervalUnit,
};
use datafusion::common::{Result as DfResult, ScalarValue};
use datafusion::functions_aggregate::{
    array_agg::array_agg_udaf,
    average::avg_udaf,
    bool_and_or::bool_and_udaf,
    min_max::{max_udaf, min_udaf},
    sum::sum_udaf,
    variance::var_samp_udaf,
};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF,
    SetMonotonicity, Signature, StatisticsArgs, Volatility,
};

use super::json::{from_datum, json_text, jsonb_text, parse, write_string};
use super::kept_values::{KeptGroups, KeptValues};
use super::time::{interval, micros, scale};
use crate::error::{PgError, SqlState};
use crate::functions::cast::text_io::datum_text;
use crate::functions::datum::read;
use crate::functions::scalar::field_type;
use crate::types::pg_type::PgType;

/// graphwire's own aggregates.
pub(crate) fn all() -> Vec<Arc<AggregateUDF>> {
    let mut all: Vec<Arc<AggregateUDF>> = vec![
        Arc::new(AggregateUDF::from(Widened::new("sum", sum_udaf().inner()))),
        Arc::new(AggregateUDF::from(Widened::new("avg", avg_udaf().inner()))),
        Arc::new(var_samp_udaf().as_ref().clone().with_aliases(["variance"])),
        Arc::new(AggregateUDF::from(Typed::new(&array_agg_udaf(), true))),
        Arc::new(AggregateUDF::from(Typed::new(&min_udaf(), false))),
        Arc::new(AggregateUDF::from(Typed::new(&max_udaf(), false))),
        Arc::new(bool_and_udaf().as_ref().clone().with_aliases(["every"])),
    ];
    for (name, object, jsonb) in [
        ("json_agg", false, false),
        ("jsonb_agg", false, true),
        ("json_object_agg", true, false),
        ("jsonb_object_agg", true, true),
    ] {
        all.push(Arc::new(AggregateUDF::from(JsonAggregate::new(name, object, jsonb))));
    }
    all.extend(super::ordered_set::all());
    all.extend(super::range_aggregate::all());
    all
}

/// `sum` or `avg` with PostgreSQL's argument widening.
#[derive(Debug)]
struct Widened {
    name: &'static str,
    inner: Arc<dyn AggregateUDFImpl>,
    signature: Signature,
}

impl PartialEq for Widened {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Widened {}

impl Hash for Widened {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// Digits after the point that `avg` starts from; DataFusion adds four.
const AVG_SCALE: i8 = 12;

impl Widened {
    fn new(name: &'static str, inner: &Arc<dyn AggregateUDFImpl>) -> Self {
        Self {
            name,
            inner: Arc::clone(inner),
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }

    fn is_average(&self) -> bool {
        self.name == "avg"
    }

    fn widen(&self, ty: &DataType) -> DfResult<DataType> {
        Ok(match (ty, self.is_average()) {
            // DataFusion asks again with the answer, so each answer must be its own: int4 stays and is summed as int8.
            (
                DataType::Int8
                | DataType::Int16
                | DataType::Int32
                | DataType::UInt8
                | DataType::UInt16,
                false,
            ) => DataType::Int32,
            (DataType::Int64, _) => DataType::Int64,
            (DataType::UInt32 | DataType::UInt64, false) => DataType::Decimal128(20, 0),
            (DataType::Int8 | DataType::Int16 | DataType::Int32, true) => DataType::Int64,
            (ty, true) if ty.is_integer() => DataType::Decimal128(33, AVG_SCALE),
            (DataType::Decimal128(_, scale), true) if *scale < AVG_SCALE => {
                DataType::Decimal128(33, AVG_SCALE)
            }
            (DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale), _) => {
                DataType::Decimal128(*precision, *scale)
            }
            (DataType::Decimal128(..) | DataType::Decimal256(..), _) => ty.clone(),
            (DataType::Float16 | DataType::Float32, false) => DataType::Float32,
            (DataType::Float16 | DataType::Float32 | DataType::Float64 | DataType::Null, _) => {
                DataType::Float64
            }
            (DataType::Interval(IntervalUnit::MonthDayNano), _) => ty.clone(),
            (other, _) => {
                let name = PgType::from_arrow(other).without_modifier();
                let message = format!("function {}({name}) does not exist", self.name);
                return Err(PgError::new(SqlState::UNDEFINED_FUNCTION, message)
                    .hint("No function matches the given name and argument types. You might need to add explicit type casts.")
                    .into());
            }
        })
    }
}

/// What an accumulator of DataFusion's is made for, where it is not the argument and the result.
struct Summed {
    /// The type that values are summed as.
    input: DataType,
    /// The type of their sum or average.
    inner: DataType,
    /// The type of the result.
    output: DataType,
}

impl Widened {
    /// The type of numbers as which int8 is summed: any of them fits in 20 digits.
    fn numeric(&self) -> DataType {
        match self.is_average() {
            true => DataType::Decimal128(33, AVG_SCALE),
            false => DataType::Decimal128(20, 0),
        }
    }

    fn summed(&self, argument: Option<&FieldRef>, result: &DataType) -> Option<Summed> {
        let (input, inner) = match (argument.map(|field| field.data_type()), result) {
            (Some(DataType::Int64), _) => (self.numeric(), result.clone()),
            (_, DataType::Int64) => (DataType::Int64, DataType::Int64),
            (_, DataType::Float32) => (DataType::Float64, DataType::Float64),
            _ => return None,
        };
        Some(Summed { input, inner, output: result.clone() })
    }

    /// What `make` makes of arguments for DataFusion's accumulators.
    fn made<T>(
        &self,
        args: AccumulatorArgs<'_>,
        make: impl FnOnce(AccumulatorArgs<'_>) -> DfResult<T>,
    ) -> DfResult<(T, Option<Summed>)> {
        let Some(summed) = self.summed(args.expr_fields.first(), args.return_type()) else {
            return Ok((make(args)?, None));
        };
        let expr_fields = [Arc::new(Field::new("value", summed.input.clone(), true))];
        let return_field = Arc::new(Field::new("sum", summed.inner.clone(), true));
        let args = AccumulatorArgs { return_field, expr_fields: &expr_fields, ..args };
        Ok((make(args)?, Some(summed)))
    }
}

/// An aggregate of DataFusion's whose result has the type of its argument, or is an array of it: the type's name is
/// kept where Arrow's type does not say it.
#[derive(Debug)]
struct Typed {
    inner: Arc<dyn AggregateUDFImpl>,
    array: bool,
}

impl PartialEq for Typed {
    fn eq(&self, other: &Self) -> bool {
        self.inner.name() == other.inner.name()
    }
}

impl Eq for Typed {}

impl Hash for Typed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.name().hash(state);
    }
}

impl Typed {
    fn new(function: &Arc<AggregateUDF>, array: bool) -> Self {
        Self { inner: Arc::clone(function.inner()), array }
    }
}

impl AggregateUDFImpl for Typed {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn coerce_types(&self, types: &[DataType]) -> DfResult<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn return_type(&self, types: &[DataType]) -> DfResult<DataType> {
        self.inner.return_type(types)
    }

    fn return_field(&self, fields: &[FieldRef]) -> DfResult<FieldRef> {
        let plain = self.inner.return_field(fields)?;
        let Some(argument) = fields.first() else { return Ok(plain) };
        let ty = PgType::from_field(argument);
        // PostgreSQL has min and max of text, and none of varchar.
        let ty = match ty {
            PgType::Varchar(_) if !self.array => PgType::Text,
            ty => ty,
        };
        let marked = if self.array { PgType::array_of(ty) } else { ty }
            .field(plain.name(), plain.is_nullable());
        let metadata = marked.metadata().clone();
        Ok(Arc::new(plain.as_ref().clone().with_metadata(metadata)))
    }

    fn is_nullable(&self) -> bool {
        self.inner.is_nullable()
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> DfResult<Box<dyn Accumulator>> {
        let inner = self.inner.accumulator(args)?;
        Ok(if self.array { Box::new(KeptValues::new(inner)) } else { inner })
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> DfResult<Vec<FieldRef>> {
        self.inner.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> DfResult<Box<dyn GroupsAccumulator>> {
        let inner = self.inner.create_groups_accumulator(args)?;
        Ok(if self.array { Box::new(KeptGroups::new(inner)) } else { inner })
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> DfResult<Box<dyn Accumulator>> {
        let inner = self.inner.create_sliding_accumulator(args)?;
        Ok(if self.array { Box::new(KeptValues::new(inner)) } else { inner })
    }

    fn with_beneficial_ordering(
        self: Arc<Self>,
        beneficial: bool,
    ) -> DfResult<Option<Arc<dyn AggregateUDFImpl>>> {
        let array = self.array;
        let inner = Arc::clone(&self.inner).with_beneficial_ordering(beneficial)?;
        Ok(inner.map(|inner| Arc::new(Self { inner, array }) as Arc<dyn AggregateUDFImpl>))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.inner.order_sensitivity()
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        // DataFusion forgets about it where the values are DISTINCT.
        if self.array { ReversedUDAF::NotSupported } else { self.inner.reverse_expr() }
    }

    fn is_descending(&self) -> Option<bool> {
        self.inner.is_descending()
    }

    fn default_value(&self, ty: &DataType) -> DfResult<ScalarValue> {
        self.inner.default_value(ty)
    }

    fn value_from_stats(&self, args: &StatisticsArgs<'_>) -> Option<ScalarValue> {
        self.inner.value_from_stats(args)
    }

    fn supports_null_handling_clause(&self) -> bool {
        self.inner.supports_null_handling_clause()
    }

    fn set_monotonicity(&self, ty: &DataType) -> SetMonotonicity {
        self.inner.set_monotonicity(ty)
    }
}

fn is_interval(field: Option<&FieldRef>) -> bool {
    field.is_some_and(|field| matches!(field.data_type(), DataType::Interval(_)))
}

impl AggregateUDFImpl for Widened {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> DfResult<Vec<DataType>> {
        let [ty] = types else {
            let message = format!("function {} takes one argument", self.name);
            return Err(PgError::new(SqlState::UNDEFINED_FUNCTION, message).into());
        };
        Ok(vec![self.widen(ty)?])
    }

    fn return_type(&self, types: &[DataType]) -> DfResult<DataType> {
        match types {
            [ty @ DataType::Interval(_)] => Ok(ty.clone()),
            [DataType::Int32] if !self.is_average() => Ok(DataType::Int64),
            [DataType::Int64] => self.inner.return_type(&[self.numeric()]),
            [DataType::Float32] => Ok(DataType::Float32),
            types => self.inner.return_type(types),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> DfResult<Box<dyn Accumulator>> {
        if is_interval(args.expr_fields.first()) {
            return Ok(Box::new(IntervalSum {
                average: self.is_average(),
                ..IntervalSum::default()
            }));
        }
        let (inner, summed) = self.made(args, |args| self.inner.accumulator(args))?;
        Ok(match summed {
            Some(Summed { input, output, .. }) => Box::new(Casting { inner, input, output }),
            None => inner,
        })
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> DfResult<Vec<FieldRef>> {
        if is_interval(args.input_fields.first()) {
            let fields = ["months", "days", "micros", "count"];
            return Ok(fields
                .iter()
                .map(|name| Arc::new(Field::new(*name, DataType::Int64, false)))
                .collect());
        }
        let Some(summed) = self.summed(args.input_fields.first(), args.return_type()) else {
            return self.inner.state_fields(args);
        };
        let input_fields = [Arc::new(Field::new("value", summed.input, true))];
        let return_field = Arc::new(Field::new("sum", summed.inner, true));
        let input_fields = &input_fields;
        self.inner.state_fields(StateFieldsArgs { return_field, input_fields, ..args })
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        !is_interval(args.expr_fields.first()) && self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> DfResult<Box<dyn GroupsAccumulator>> {
        let (inner, summed) = self.made(args, |args| self.inner.create_groups_accumulator(args))?;
        Ok(match summed {
            Some(Summed { input, output, .. }) => Box::new(CastingGroups { inner, input, output }),
            None => inner,
        })
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> DfResult<Box<dyn Accumulator>> {
        if is_interval(args.expr_fields.first()) {
            return self.accumulator(args);
        }
        let (inner, summed) =
            self.made(args, |args| self.inner.create_sliding_accumulator(args))?;
        Ok(match summed {
            Some(Summed { input, output, .. }) => Box::new(Casting { inner, input, output }),
            None => inner,
        })
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn set_monotonicity(&self, ty: &DataType) -> SetMonotonicity {
        self.inner.set_monotonicity(ty)
    }
}

fn cast_all(values: &[ArrayRef], to: &DataType) -> DfResult<Vec<ArrayRef>> {
    values.iter().map(|array| cast_one(array, to)).collect()
}

/// As Arrow's cast, which looks at each number whether it has too many digits: none of int8 has.
fn cast_one(array: &ArrayRef, to: &DataType) -> DfResult<ArrayRef> {
    let (Some(numbers), DataType::Decimal128(precision, scale)) =
        (array.as_primitive_opt::<Int64Type>(), to)
    else {
        return Ok(arrow::compute::cast(array, to)?);
    };
    let unit = 10_i128.pow(u32::from(scale.unsigned_abs()));
    let numeric: Decimal128Array = match unit {
        1 => numbers.unary(i128::from),
        unit => numbers.unary(|number| i128::from(number).wrapping_mul(unit)),
    };
    Ok(Arc::new(numeric.with_precision_and_scale(*precision, *scale)?))
}

/// An accumulator over arguments of another type.
#[derive(Debug)]
struct Casting {
    inner: Box<dyn Accumulator>,
    input: DataType,
    output: DataType,
}

impl Accumulator for Casting {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        self.inner.update_batch(&cast_all(values, &self.input)?)
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        self.inner.evaluate()?.cast_to(&self.output)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.inner.size()
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        self.inner.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        self.inner.retract_batch(&cast_all(values, &self.input)?)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }
}

/// As [`Casting`], for many groups at once.
struct CastingGroups {
    inner: Box<dyn GroupsAccumulator>,
    input: DataType,
    output: DataType,
}

impl GroupsAccumulator for CastingGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> DfResult<()> {
        self.inner.update_batch(&cast_all(values, &self.input)?, groups, filter, total)
    }

    fn evaluate(&mut self, emit: EmitTo) -> DfResult<ArrayRef> {
        Ok(arrow::compute::cast(&self.inner.evaluate(emit)?, &self.output)?)
    }

    fn state(&mut self, emit: EmitTo) -> DfResult<Vec<ArrayRef>> {
        self.inner.state(emit)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> DfResult<()> {
        self.inner.merge_batch(values, groups, total)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> DfResult<Vec<ArrayRef>> {
        self.inner.convert_to_state(&cast_all(values, &self.input)?, filter)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }
}

/// The sum of intervals, field by field, and how many there were.
#[derive(Debug, Default)]
struct IntervalSum {
    average: bool,
    months: i64,
    days: i64,
    micros: i64,
    count: i64,
}

impl IntervalSum {
    fn add(&mut self, months: i64, days: i64, micros: i64, count: i64) -> Result<(), PgError> {
        let overflow = super::time::interval_out_of_range;
        self.months = self.months.checked_add(months).ok_or_else(overflow)?;
        self.days = self.days.checked_add(days).ok_or_else(overflow)?;
        self.micros = self.micros.checked_add(micros).ok_or_else(overflow)?;
        self.count += count;
        Ok(())
    }
}

impl Accumulator for IntervalSum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        let Some(values) = values.first() else { return Ok(()) };
        for value in values.as_primitive::<IntervalMonthDayNanoType>().iter().flatten() {
            self.add(value.months.into(), value.days.into(), micros(&value), 1)?;
        }
        Ok(())
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        if self.count == 0 {
            return Ok(ScalarValue::IntervalMonthDayNano(None));
        }
        let sum = interval(self.months, self.days, self.micros)?;
        let result = if self.average { scale(&sum, 1.0 / self.count as f64)? } else { sum };
        Ok(ScalarValue::IntervalMonthDayNano(Some(result)))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        let parts = [self.months, self.days, self.micros, self.count];
        Ok(parts.iter().map(|part| ScalarValue::Int64(Some(*part))).collect())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        let [months, days, micros, count] = states else {
            return Err(PgError::internal("a partial sum of intervals of another shape").into());
        };
        let at =
            |array: &ArrayRef, row| array.as_primitive::<arrow::datatypes::Int64Type>().value(row);
        for row in 0..months.len() {
            self.add(at(months, row), at(days, row), at(micros, row), at(count, row))?;
        }
        Ok(())
    }
}

/// `json[b]_agg` and `json[b]_object_agg`.
#[derive(Debug)]
struct JsonAggregate {
    name: &'static str,
    object: bool,
    jsonb: bool,
    /// The input comes in the reverse of the order that was asked for.
    reversed: bool,
    signature: Signature,
}

impl PartialEq for JsonAggregate {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.reversed == other.reversed
    }
}

impl Eq for JsonAggregate {}

impl Hash for JsonAggregate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl JsonAggregate {
    fn new(name: &'static str, object: bool, jsonb: bool) -> Self {
        let signature = Signature::any(if object { 2 } else { 1 }, Volatility::Stable);
        Self { name, object, jsonb, reversed: false, signature }
    }

    fn result(&self) -> PgType {
        if self.jsonb { PgType::Jsonb } else { PgType::Json }
    }
}

impl AggregateUDFImpl for JsonAggregate {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(self.result().arrow())
    }

    fn return_field(&self, _: &[FieldRef]) -> DfResult<FieldRef> {
        Ok(Arc::new(self.result().field(self.name, true)))
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> DfResult<Box<dyn Accumulator>> {
        let types = args.expr_fields.iter().map(|field| field_type(field)).collect();
        let (object, jsonb, reversed) = (self.object, self.jsonb, self.reversed);
        let order = args.order_bys.iter().map(|key| {
            let ty = key.expr.data_type(args.schema).unwrap_or(DataType::Null);
            (key.options, ty)
        });
        let order = order.collect();
        Ok(Box::new(JsonPieces {
            object,
            jsonb,
            reversed,
            types,
            order,
            pieces: Vec::new(),
            keys: Vec::new(),
            merged: false,
            bytes: 0,
        }))
    }

    /// DataFusion sorts the input of an ordered aggregate only if it could be reversed.
    fn reverse_expr(&self) -> ReversedUDAF {
        let reversed =
            Self { reversed: !self.reversed, ..Self::new(self.name, self.object, self.jsonb) };
        ReversedUDAF::Reversed(Arc::new(AggregateUDF::from(reversed)))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> DfResult<Vec<FieldRef>> {
        let list = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
        let pieces = Arc::new(Field::new(format!("{}[pieces]", args.name), list, true));
        let keys = args.ordering_fields.iter().enumerate().map(|(at, field)| {
            let item = Field::new_list_field(field.data_type().clone(), true);
            let list = DataType::List(Arc::new(item));
            Arc::new(Field::new(format!("{}[key {at}]", args.name), list, true))
        });
        Ok(std::iter::once(pieces).chain(keys).collect())
    }
}

/// The members of an array or object as JSON text.
#[derive(Debug)]
struct JsonPieces {
    object: bool,
    jsonb: bool,
    reversed: bool,
    types: Vec<PgType>,
    /// How the pieces are to be sorted; nothing where they come as they may.
    order: Vec<(SortOptions, DataType)>,
    pieces: Vec<String>,
    /// What each piece is sorted by.
    keys: Vec<Vec<ScalarValue>>,
    /// Whether the pieces are of several accumulators, each with an order of its own.
    merged: bool,
    bytes: usize,
}

impl JsonPieces {
    fn push_keys(&mut self, columns: &[ArrayRef], row: usize) -> DfResult<()> {
        if self.order.is_empty() {
            return Ok(());
        }
        let keys: Vec<ScalarValue> = columns
            .iter()
            .map(|column| ScalarValue::try_from_array(column, row))
            .collect::<DfResult<_>>()?;
        self.bytes += keys.iter().map(ScalarValue::size).sum::<usize>();
        self.keys.push(keys);
        Ok(())
    }

    /// Brings the pieces of several accumulators into one order.
    fn sort(&mut self) {
        if !self.merged || self.keys.len() != self.pieces.len() {
            return;
        }
        let pieces = std::mem::take(&mut self.pieces);
        let mut rows: Vec<_> = std::mem::take(&mut self.keys).into_iter().zip(pieces).collect();
        rows.sort_by(|(a, _), (b, _)| {
            let pairs = a.iter().zip(b).zip(&self.order);
            pairs.fold(Ordering::Equal, |found, ((a, b), (options, _))| {
                found.then_with(|| compare_keys(a, b, *options))
            })
        });
        self.pieces = rows.into_iter().map(|(_, piece)| piece).collect();
    }

    fn push(&mut self, piece: String) -> Result<(), PgError> {
        self.bytes += piece.len() + size_of::<String>();
        if self.bytes >= super::string::MAX_VALUE {
            return Err(PgError::new(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                "value exceeds the maximum size of 1 GB",
            ));
        }
        self.pieces.push(piece);
        Ok(())
    }

    fn piece(&self, values: &[ArrayRef], row: usize) -> Result<String, PgError> {
        let ty = |index: usize| self.types.get(index).unwrap_or(&PgType::Text);
        let at = |index: usize| match values.get(index) {
            Some(array) => read(array.as_ref(), row),
            None => Ok(crate::functions::datum::Datum::Null),
        };
        let value = |index: usize| -> Result<String, PgError> {
            let value = from_datum(&at(index)?, ty(index), None)?;
            Ok(if self.jsonb { jsonb_text(&value) } else { json_text(&value) })
        };
        if !self.object {
            return value(0);
        }
        let key = datum_text(&at(0)?, ty(0), None)?.ok_or_else(|| {
            PgError::new(SqlState::INVALID_PARAMETER_VALUE, "field name must not be null")
        })?;
        let mut piece = String::new();
        write_string(&key, &mut piece);
        piece.push_str(if self.jsonb { ":" } else { " : " });
        piece.push_str(&value(1)?);
        Ok(piece)
    }
}

impl Accumulator for JsonPieces {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        for row in 0..values.first().map_or(0, |array| array.len()) {
            let piece = self.piece(values, row)?;
            self.push(piece)?;
            // The keys stand behind the arguments.
            let arguments = values.len().saturating_sub(self.order.len());
            self.push_keys(values.get(arguments..).unwrap_or_default(), row)?;
        }
        Ok(())
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        if self.pieces.is_empty() {
            return Ok(ScalarValue::Utf8View(None));
        }
        self.sort();
        if self.reversed {
            self.pieces.reverse();
        }
        let inner = self.pieces.join(", ");
        let text = match (self.object, self.jsonb) {
            (false, _) => format!("[{inner}]"),
            (true, false) => format!("{{ {inner} }}"),
            // Sorts the keys and keeps the last of equal ones.
            (true, true) => jsonb_text(&parse(&format!("{{{inner}}}"))?),
        };
        Ok(ScalarValue::Utf8View(Some(text)))
    }

    fn size(&self) -> usize {
        // The pieces, and the text that is made of them.
        size_of_val(self) + 2 * self.bytes
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        let pieces: StringArray = self.pieces.iter().map(|piece| Some(piece.as_str())).collect();
        let list = ListArray::try_new(
            Arc::new(Field::new_list_field(DataType::Utf8, true)),
            arrow::buffer::OffsetBuffer::from_lengths([pieces.len()]),
            Arc::new(pieces),
            None,
        )?;
        let mut state = vec![ScalarValue::List(Arc::new(list))];
        for (at, (_, ty)) in self.order.iter().enumerate() {
            let keys = self.keys.iter().filter_map(|keys| keys.get(at)).cloned();
            let keys: Vec<ScalarValue> = keys.collect();
            state.push(ScalarValue::List(ScalarValue::new_list_nullable(&keys, ty)));
        }
        Ok(state)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        let Some(list) = states.first().and_then(|state| state.as_list_opt::<i32>()) else {
            return Ok(());
        };
        self.merged = true;
        let columns: Vec<&ListArray> =
            states.iter().skip(1).filter_map(|state| state.as_list_opt::<i32>()).collect();
        for row in 0..list.len() {
            if list.is_null(row) {
                continue;
            }
            let pieces = list.value(row);
            let keys: Vec<ArrayRef> = columns.iter().map(|column| column.value(row)).collect();
            for (at, piece) in pieces.as_string::<i32>().iter().enumerate() {
                self.push(piece.unwrap_or_default().to_owned())?;
                self.push_keys(&keys, at)?;
            }
        }
        Ok(())
    }
}

fn compare_keys(a: &ScalarValue, b: &ScalarValue, options: SortOptions) -> Ordering {
    let first = if options.nulls_first { Ordering::Less } else { Ordering::Greater };
    match (a.is_null(), b.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) => first,
        (false, true) => first.reverse(),
        (false, false) => {
            let found = a.partial_cmp(b).unwrap_or(Ordering::Equal);
            if options.descending { found.reverse() } else { found }
        }
    }
}
