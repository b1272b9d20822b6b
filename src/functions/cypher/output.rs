//! Conversions at the edges: any static type to ANY, to jsonb text, and temporals to PostgreSQL's or openCypher's form.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryViewBuilder, FixedSizeBinaryBuilder, PrimitiveBuilder, StringViewBuilder,
};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, FieldRef, IntervalMonthDayNano,
    IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType,
};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::temporal::Temporal;
use super::types::CypherType;
use super::value::Value;
use super::{arrays, codec, json};
use crate::error::{PgError, SqlState};
use crate::types::pg_type::PgType;

/// Where a value goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// An ANY column. Elements need their JSON: pass them through [`Conversion::element_to_any`].
    Any,
    /// A grouping key: equal numbers have equal bytes.
    GroupingKey,
    /// jsonb text.
    Json,
    /// A temporal in PostgreSQL's type, or a list of them.
    Native,
    /// A temporal in openCypher's text form, or a list of them.
    Iso,
    /// A JSON parameter or property as ANY.
    FromJson,
    /// An ANY value that must be of the given type (or null).
    Typed(CypherType),
}

/// A conversion of one column.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Conversion {
    from: CypherType,
    target: Target,
    signature: Signature,
}

impl Conversion {
    /// `expr`, of type `from`, converted.
    pub fn call(expr: Expr, from: CypherType, target: Target) -> Expr {
        let signature = Signature::any(1, Volatility::Immutable);
        ScalarUDF::new_from_impl(Self { from, target, signature }).call(vec![expr])
    }

    /// The expression of which `call` is the grouping key, and its type.
    pub fn of_grouping_key(call: &ScalarFunction) -> Option<(&Expr, &CypherType)> {
        let conversion = call.func.inner().downcast_ref::<Self>()?;
        let argument = call.args.first()?;
        (conversion.target == Target::GroupingKey).then_some((argument, &conversion.from))
    }

    fn result(&self) -> FieldRef {
        Arc::new(match &self.target {
            Target::Json => PgType::Jsonb.field("json", true),
            Target::Native => self.from.wire().field("temporal", true),
            Target::Iso => match &self.from {
                CypherType::List(_) => PgType::array_of(PgType::Text).field("temporal", true),
                _ => PgType::Text.field("temporal", true),
            },
            Target::Typed(ty) => arrow::datatypes::Field::new("value", ty.arrow(), true),
            Target::Any | Target::GroupingKey | Target::FromJson => {
                arrow::datatypes::Field::new("any", DataType::BinaryView, true)
            }
        })
    }

    fn convert(&self, column: &ArrayRef) -> Result<ArrayRef> {
        let values = (0..column.len())
            .map(|row| arrays::read(column, &self.from, row))
            .collect::<Result<Vec<_>>>()?;
        match &self.target {
            Target::Any => arrays::build(&values, &CypherType::Any),
            Target::GroupingKey => {
                let mut builder = BinaryViewBuilder::with_capacity(values.len());
                for value in &values {
                    builder.append_option((!value.is_null()).then(|| codec::grouping_key(value)));
                }
                Ok(Arc::new(builder.finish()))
            }
            Target::Json => {
                let mut builder = StringViewBuilder::with_capacity(values.len());
                let mut text = String::new();
                for value in &values {
                    text.clear();
                    json::write_json(value, &mut text);
                    builder.append_option((!value.is_null()).then_some(text.as_str()));
                }
                Ok(Arc::new(builder.finish()))
            }
            Target::FromJson => {
                let values = values
                    .iter()
                    .map(|value| match value {
                        Value::Null => Ok(Value::Null),
                        Value::String(text) | Value::Json(text) => json::read_json(text)
                            .ok_or_else(|| {
                                PgError::new(
                                    SqlState::INVALID_TEXT_REPRESENTATION,
                                    "invalid input syntax for type json",
                                )
                            }),
                        other => Ok(other.clone()),
                    })
                    .collect::<Result<Vec<_>, PgError>>()?;
                arrays::build(&values, &CypherType::Any)
            }
            Target::Native | Target::Iso => self.temporals(&values),
            Target::Typed(ty) => {
                let values = values
                    .iter()
                    .map(|value| typed(value, ty))
                    .collect::<Result<Vec<_>, PgError>>()?;
                arrays::build(&values, ty)
            }
        }
    }

    fn temporals(&self, values: &[Value]) -> Result<ArrayRef> {
        if let CypherType::List(element) = &self.from {
            let items = values
                .iter()
                .flat_map(|value| match value {
                    Value::List(items) => items.clone(),
                    _ => Vec::new(),
                })
                .collect::<Vec<_>>();
            let lengths = values.iter().map(|value| match value {
                Value::List(items) => items.len(),
                _ => 0,
            });
            let inner = Self {
                from: (**element).clone(),
                target: self.target.clone(),
                signature: self.signature.clone(),
            };
            let column = inner.temporals(&items)?;
            let nulls = values.iter().map(|value| !value.is_null()).collect::<Vec<_>>();
            return Ok(Arc::new(arrow::array::ListArray::try_new(
                Arc::new(arrow::datatypes::Field::new_list_field(column.data_type().clone(), true)),
                arrow::buffer::OffsetBuffer::from_lengths(lengths),
                column,
                Some(nulls.into()),
            )?));
        }
        if self.target == Target::Iso {
            let mut builder = StringViewBuilder::with_capacity(values.len());
            for value in values {
                match value {
                    Value::Temporal(temporal) => builder.append_value(temporal.to_string()),
                    _ => builder.append_null(),
                }
            }
            return Ok(Arc::new(builder.finish()));
        }
        native(values, &self.from)
    }
}

/// `42804` unless the value has the type; integers do not become floats, nor floats integers.
fn typed(value: &Value, ty: &CypherType) -> Result<Value, PgError> {
    let fits = match (value, ty) {
        (Value::Null, _)
        | (_, CypherType::Any)
        | (Value::Boolean(_), CypherType::Boolean)
        | (Value::Integer(_), CypherType::Integer)
        | (Value::Float(_), CypherType::Float)
        | (Value::String(_), CypherType::String) => true,
        (Value::Integer(integer), CypherType::Float) => return Ok(Value::Float(*integer as f64)),
        (Value::List(items), CypherType::List(element)) => {
            return items
                .iter()
                .map(|item| typed(item, element))
                .collect::<Result<_, _>>()
                .map(Value::List);
        }
        (Value::Element(element), CypherType::Node) => !element.edge,
        (Value::Element(element), CypherType::Relationship) => element.edge,
        (Value::Temporal(temporal), ty) => temporal.type_name() == ty.to_string(),
        _ => false,
    };
    if fits {
        return Ok(value.clone());
    }
    Err(PgError::new(
        SqlState::DATATYPE_MISMATCH,
        format!("expected {ty}, found {}", value.type_name()),
    )
    .routine("InvalidArgumentType"))
}

fn out_of_range() -> PgError {
    PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, "temporal value out of range").hint(
        "SET cypher_temporal_output = 'iso' gives temporal values as text, in openCypher's whole range.",
    )
}

fn primitive<T: ArrowPrimitiveType>(
    values: &[Value],
    convert: impl Fn(&Temporal) -> Option<T::Native>,
    ty: DataType,
) -> Result<ArrayRef> {
    let mut builder = PrimitiveBuilder::<T>::with_capacity(values.len()).with_data_type(ty);
    for value in values {
        match value {
            Value::Temporal(temporal) => {
                builder.append_value(convert(temporal).ok_or_else(out_of_range)?)
            }
            _ => builder.append_null(),
        }
    }
    Ok(Arc::new(builder.finish()))
}

fn micros(seconds: i64, nanos: u32) -> Option<i64> {
    seconds.checked_mul(1_000_000)?.checked_add(i64::from(nanos / 1000))
}

fn native(values: &[Value], ty: &CypherType) -> Result<ArrayRef> {
    let arrow = ty.wire().arrow();
    match ty {
        CypherType::Date => primitive::<Date32Type>(
            values,
            |temporal| match temporal {
                // PostgreSQL's dates begin in 4714 BC.
                Temporal::Date(days) if *days >= -2_440_588 => i32::try_from(*days).ok(),
                _ => None,
            },
            arrow,
        ),
        CypherType::LocalTime => primitive::<Time64MicrosecondType>(
            values,
            |temporal| match temporal {
                Temporal::LocalTime(nanos) => Some(nanos / 1000),
                _ => None,
            },
            arrow,
        ),
        CypherType::LocalDateTime | CypherType::DateTime => primitive::<TimestampMicrosecondType>(
            values,
            |temporal| match temporal {
                Temporal::LocalDateTime { seconds, nanos }
                | Temporal::DateTime { seconds, nanos, .. } => micros(*seconds, *nanos),
                _ => None,
            },
            arrow,
        ),
        CypherType::Duration => primitive::<IntervalMonthDayNanoType>(
            values,
            |temporal| match temporal {
                Temporal::Duration { months, days, seconds, nanos } => {
                    Some(IntervalMonthDayNano::new(
                        i32::try_from(*months).ok()?,
                        i32::try_from(*days).ok()?,
                        seconds
                            .checked_mul(1_000_000_000)?
                            .checked_add(i64::from(nanos / 1000 * 1000))?,
                    ))
                }
                _ => None,
            },
            arrow,
        ),
        CypherType::Time => {
            let mut builder = FixedSizeBinaryBuilder::with_capacity(values.len(), 12);
            for value in values {
                match value {
                    Value::Temporal(Temporal::Time { nanos, offset }) => {
                        // PostgreSQL's binary form: microseconds, then seconds west of UTC.
                        let mut bytes = [0; 12];
                        bytes[..8].copy_from_slice(&(nanos / 1000).to_be_bytes());
                        bytes[8..].copy_from_slice(&(-offset).to_be_bytes());
                        builder.append_value(bytes)?;
                    }
                    _ => builder.append_null(),
                }
            }
            Ok(Arc::new(builder.finish()))
        }
        other => Err(DataFusionError::Internal(format!("{other} is not a temporal type"))),
    }
}

impl ScalarUDFImpl for Conversion {
    fn name(&self) -> &str {
        match self.target {
            Target::Any => "to_any",
            Target::GroupingKey => "grouping_key",
            Target::Json => "to_json",
            Target::Native => "to_native",
            Target::Iso => "to_iso",
            Target::FromJson => "from_json",
            Target::Typed(_) => "typed",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.result().data_type().clone())
    }

    fn return_field_from_args(&self, _arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(self.result())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match arguments.args.as_slice() {
            [ColumnarValue::Scalar(scalar)] => {
                let column = self.convert(&scalar.to_array()?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&column, 0)?))
            }
            [ColumnarValue::Array(column)] => Ok(ColumnarValue::Array(self.convert(column)?)),
            _ => Err(DataFusionError::Internal("a conversion takes one column".into())),
        }
    }
}

/// An element with its JSON as ANY: it leaves the column that knows its graph.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ElementToAny {
    from: CypherType,
    signature: Signature,
}

impl ElementToAny {
    /// `reference` (a node, relationship or path) with `json`, its jsonb text.
    pub fn call(reference: Expr, json: Expr, from: CypherType) -> Expr {
        let signature = Signature::any(2, Volatility::Immutable);
        ScalarUDF::new_from_impl(Self { from, signature }).call(vec![reference, json])
    }
}

impl ScalarUDFImpl for ElementToAny {
    fn name(&self) -> &str {
        "element_to_any"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::BinaryView)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let columns = arguments
            .args
            .iter()
            .map(|column| column.to_array(rows))
            .collect::<Result<Vec<_>>>()?;
        let [references, jsons] = columns.as_slice() else {
            return Err(DataFusionError::Internal("an element and its JSON are needed".into()));
        };
        let values = (0..rows)
            .map(|row| {
                let mut value = arrays::read(references, &self.from, row)?;
                if let Value::Element(super::value::Element { json, .. })
                | Value::Path { json, .. } = &mut value
                {
                    json.push_str(arrays::text(jsons, row).unwrap_or_default());
                }
                Ok(value)
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(ColumnarValue::Array(arrays::build(&values, &CypherType::Any)?))
    }
}
