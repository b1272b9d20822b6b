//! Between Arrow columns of a known Cypher type and single values.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewBuilder, BooleanArray, Float64Array, Int64Array, ListArray,
    StringViewBuilder, StructArray, UInt64Array, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    DataType, Field, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    IntervalMonthDayNanoType, TimeUnit, TimestampMicrosecondType, TimestampNanosecondType,
    UInt64Type,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::{DataFusionError, Result};

use super::codec;
use super::json::read_json;
use super::temporal::Temporal;
use super::types::CypherType;
use super::value::{Element, Value};
use crate::types::Measure;
use crate::types::pg_type::PgType;
use crate::types::range::{multi_text_of, text_of};

/// The value in one row of a column of type `ty`.
///
/// # Errors
/// `XX000` if the column is not of the Arrow type that `ty` has.
pub fn read(array: &dyn Array, ty: &CypherType, row: usize) -> Result<Value> {
    if array.is_null(row) || matches!(array.data_type(), DataType::Null) {
        return Ok(Value::Null);
    }
    Ok(match ty {
        CypherType::Null => Value::Null,
        CypherType::Boolean => {
            Value::Boolean(array.as_boolean_opt().ok_or_else(|| wrong(array, ty))?.value(row))
        }
        CypherType::Integer => Value::Integer(match array.data_type() {
            DataType::Int64 => array.as_primitive::<Int64Type>().value(row),
            DataType::Int32 => array.as_primitive::<Int32Type>().value(row).into(),
            DataType::Int16 => array.as_primitive::<Int16Type>().value(row).into(),
            _ => return Err(wrong(array, ty)),
        }),
        CypherType::Float => Value::Float(match array.data_type() {
            DataType::Float64 => array.as_primitive::<Float64Type>().value(row),
            DataType::Float32 => array.as_primitive::<Float32Type>().value(row).into(),
            _ => return Err(wrong(array, ty)),
        }),
        CypherType::String => {
            Value::String(text(array, row).ok_or_else(|| wrong(array, ty))?.to_owned())
        }
        CypherType::Json => {
            Value::Json(text(array, row).ok_or_else(|| wrong(array, ty))?.to_owned())
        }
        CypherType::Any
        | CypherType::Date
        | CypherType::LocalTime
        | CypherType::Time
        | CypherType::LocalDateTime
        | CypherType::DateTime
        | CypherType::Duration => {
            let bytes = array.as_binary_view_opt().ok_or_else(|| wrong(array, ty))?.value(row);
            codec::decode(bytes)
                .ok_or_else(|| DataFusionError::Internal("an ANY value has a wrong form".into()))?
        }
        CypherType::Node | CypherType::Relationship => Value::Element(Element {
            reference: array
                .as_primitive_opt::<UInt64Type>()
                .ok_or_else(|| wrong(array, ty))?
                .value(row),
            edge: *ty == CypherType::Relationship,
            json: String::new(),
        }),
        CypherType::List(element) => read_list(array, element, row)?,
        CypherType::Map(fields) => {
            let structure = array.as_struct_opt().ok_or_else(|| wrong(array, ty))?;
            let mut entries = Vec::with_capacity(fields.len());
            for ((name, ty), column) in fields.iter().zip(structure.columns()) {
                entries.push((name.clone(), read(column, ty, row)?));
            }
            Value::map(entries)
        }
        CypherType::Path => read_path(array, row).ok_or_else(|| wrong(array, ty))?,
        CypherType::Pg(pg) => read_pg(array, pg, row)?,
    })
}

fn wrong(array: &dyn Array, ty: &CypherType) -> DataFusionError {
    DataFusionError::Internal(format!(
        "a column of Cypher type {ty} is stored as {}",
        array.data_type()
    ))
}

/// The string in one row of any of Arrow's string arrays.
pub fn text(array: &dyn Array, row: usize) -> Option<&str> {
    match array.data_type() {
        DataType::Utf8View => Some(array.as_string_view().value(row)),
        DataType::Utf8 => Some(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Some(array.as_string::<i64>().value(row)),
        _ => None,
    }
}

fn read_list(array: &dyn Array, element: &CypherType, row: usize) -> Result<Value> {
    let items = match array.data_type() {
        DataType::List(_) => array.as_list::<i32>().value(row),
        DataType::LargeList(_) => array.as_list::<i64>().value(row),
        DataType::FixedSizeList(_, _) => array.as_fixed_size_list().value(row),
        _ => return Err(wrong(array, &CypherType::list(element.clone()))),
    };
    let mut values = Vec::with_capacity(items.len());
    for at in 0..items.len() {
        // A list of a million items is one row to the operators: nobody else looks meanwhile.
        if at % LOOK_EVERY == LOOK_EVERY - 1 {
            Measure::look()
                .map_err(|refused| DataFusionError::ResourcesExhausted(refused.to_string()))?;
        }
        values.push(read(&items, element, at)?);
    }
    Ok(Value::List(values))
}

/// After how many items of a list it is looked whether the statement holds more than it may.
const LOOK_EVERY: usize = 1024;

fn read_path(array: &dyn Array, row: usize) -> Option<Value> {
    let structure = array.as_struct_opt()?;
    let references = |at: usize| {
        let list = structure.columns().get(at)?.as_list_opt::<i32>()?.value(row);
        Some(list.as_primitive_opt::<UInt64Type>()?.values().to_vec())
    };
    let (vertices, edges) = (references(0)?, references(1)?);
    let mut elements = Vec::with_capacity(vertices.len() + edges.len());
    for (at, vertex) in vertices.into_iter().enumerate() {
        elements.push(vertex);
        elements.extend(edges.get(at));
    }
    Some(Value::Path { elements, json: String::new() })
}

/// A property's value as Cypher sees it: types that Cypher does not have become floats (numeric) or strings.
fn read_pg(array: &dyn Array, ty: &PgType, row: usize) -> Result<Value> {
    const MICROS: i64 = 1_000_000;
    Ok(match array.data_type() {
        DataType::Date32 => Value::Temporal(Temporal::Date(
            array.as_primitive::<arrow::datatypes::Date32Type>().value(row).into(),
        )),
        DataType::Time64(TimeUnit::Microsecond) => Value::Temporal(Temporal::LocalTime(
            array.as_primitive::<arrow::datatypes::Time64MicrosecondType>().value(row) * 1000,
        )),
        DataType::Timestamp(unit, zone) => {
            let (seconds, nanos) = match unit {
                TimeUnit::Microsecond => {
                    let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
                    (micros.div_euclid(MICROS), micros.rem_euclid(MICROS) * 1000)
                }
                TimeUnit::Nanosecond => {
                    let nanos = array.as_primitive::<TimestampNanosecondType>().value(row);
                    (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000))
                }
                TimeUnit::Second | TimeUnit::Millisecond => {
                    return Err(wrong(array, &CypherType::Pg(ty.clone())));
                }
            };
            let nanos = u32::try_from(nanos).unwrap_or_default();
            Value::Temporal(match zone {
                None => Temporal::LocalDateTime { seconds, nanos },
                Some(_) => Temporal::DateTime { seconds, nanos, offset: 0, zone: None },
            })
        }
        DataType::Interval(_) => {
            let interval = array
                .as_primitive_opt::<IntervalMonthDayNanoType>()
                .ok_or_else(|| wrong(array, &CypherType::Pg(ty.clone())))?
                .value(row);
            Value::Temporal(Temporal::Duration {
                months: interval.months.into(),
                days: interval.days.into(),
                seconds: interval.nanoseconds.div_euclid(1_000_000_000),
                nanos: i32::try_from(interval.nanoseconds.rem_euclid(1_000_000_000))
                    .unwrap_or_default(),
            })
        }
        DataType::Decimal128(_, _) | DataType::Decimal256(_, _) => {
            Value::Float(display(array, row)?.parse().unwrap_or(f64::NAN))
        }
        _ => match (ty, CypherType::of_pg(ty)) {
            (PgType::Json | PgType::Jsonb, _) => {
                text(array, row).and_then(read_json).unwrap_or(Value::Null)
            }
            (PgType::Uuid, _) => {
                let bytes = array.as_fixed_size_binary_opt().map(|array| array.value(row));
                match bytes.and_then(|bytes| uuid::Uuid::from_slice(bytes).ok()) {
                    Some(uuid) => Value::String(uuid.to_string()),
                    None => return Err(wrong(array, &CypherType::Pg(ty.clone()))),
                }
            }
            (PgType::Enum(ty), _) => {
                let bytes = array.as_fixed_size_binary_opt().map(|array| array.value(row));
                Value::String(ty.label(bytes.unwrap_or_default()).to_owned())
            }
            (PgType::Range(kind), _) => {
                let bytes = array.as_binary_view_opt().map(|array| array.value(row));
                Value::String(text_of(*kind, bytes.unwrap_or_default()))
            }
            (PgType::Multirange(kind), _) => {
                let bytes = array.as_binary_view_opt().map(|array| array.value(row));
                Value::String(multi_text_of(*kind, bytes.unwrap_or_default()))
            }
            (_, Some(cypher)) if !cypher.is_temporal() => read(array, &cypher, row)?,
            (PgType::Array(element), _) => {
                read_list(array, &CypherType::Pg((**element).clone()), row)?
            }
            _ => Value::String(display(array, row)?),
        },
    })
}

fn display(array: &dyn Array, row: usize) -> Result<String> {
    Ok(ArrayFormatter::try_new(array, &FormatOptions::default())?.value(row).to_string())
}

/// A column of type `ty` with these values.
///
/// # Errors
/// `XX000` for a value that is not of the type.
pub fn build(values: &[Value], ty: &CypherType) -> Result<ArrayRef> {
    let mismatch = |value: &Value| {
        DataFusionError::Internal(format!(
            "a value of type {} in a column of type {ty}",
            value.type_name()
        ))
    };
    macro_rules! scalar {
        ($array:ty, $pattern:pat => $value:expr) => {
            Arc::new(
                values
                    .iter()
                    .map(|value| match value {
                        Value::Null => Ok(None),
                        $pattern => Ok(Some($value)),
                        other => Err(mismatch(other)),
                    })
                    .collect::<Result<$array>>()?,
            )
        };
    }
    Ok(match ty {
        CypherType::Boolean => scalar!(BooleanArray, Value::Boolean(boolean) => *boolean),
        CypherType::Integer => scalar!(Int64Array, Value::Integer(integer) => *integer),
        CypherType::Float => scalar!(Float64Array, Value::Float(float) => *float),
        CypherType::Node | CypherType::Relationship => {
            scalar!(UInt64Array, Value::Element(element) => element.reference)
        }
        CypherType::String | CypherType::Json | CypherType::Null => {
            let mut builder = StringViewBuilder::with_capacity(values.len());
            for value in values {
                match value {
                    Value::Null => builder.append_null(),
                    Value::String(text) | Value::Json(text) => builder.append_value(text),
                    other => return Err(mismatch(other)),
                }
            }
            Arc::new(builder.finish())
        }
        CypherType::Any
        | CypherType::Date
        | CypherType::LocalTime
        | CypherType::Time
        | CypherType::LocalDateTime
        | CypherType::DateTime
        | CypherType::Duration => {
            let mut builder = BinaryViewBuilder::with_capacity(values.len());
            for value in values {
                match value {
                    Value::Null => builder.append_null(),
                    value => builder.append_value(codec::encode(value)),
                }
            }
            Arc::new(builder.finish())
        }
        CypherType::List(element) => build_list(values, element, &mismatch)?,
        CypherType::Map(fields) => build_map(values, fields, ty, &mismatch)?,
        CypherType::Path => build_paths(values, &mismatch)?,
        CypherType::Pg(_) => {
            if let Some(value) = values.iter().find(|value| !value.is_null()) {
                return Err(mismatch(value));
            }
            new_null_array(&ty.arrow(), values.len())
        }
    })
}

fn build_list(
    values: &[Value],
    element: &CypherType,
    mismatch: &dyn Fn(&Value) -> DataFusionError,
) -> Result<ArrayRef> {
    let mut items = Vec::new();
    let mut lengths = Vec::with_capacity(values.len());
    for value in values {
        match value {
            Value::Null => lengths.push(0),
            Value::List(list) => {
                lengths.push(list.len());
                items.extend(list.iter().cloned());
            }
            other => return Err(mismatch(other)),
        }
    }
    let nulls = NullBuffer::from(values.iter().map(|value| !value.is_null()).collect::<Vec<_>>());
    Ok(Arc::new(ListArray::try_new(
        Arc::new(Field::new("item", element.arrow(), true)),
        OffsetBuffer::from_lengths(lengths),
        build(&items, element)?,
        Some(nulls),
    )?))
}

fn build_paths(values: &[Value], mismatch: &dyn Fn(&Value) -> DataFusionError) -> Result<ArrayRef> {
    // Vertices and edges by turns.
    let mut parts: [(Vec<u64>, Vec<usize>); 2] = Default::default();
    for value in values {
        let elements = match value {
            Value::Null => &[],
            Value::Path { elements, json: _ } => elements.as_slice(),
            other => return Err(mismatch(other)),
        };
        for (first, (references, lengths)) in parts.iter_mut().enumerate() {
            let known = references.len();
            references.extend(elements.iter().skip(first).step_by(2));
            lengths.push(references.len() - known);
        }
    }
    let DataType::Struct(fields) = CypherType::Path.arrow() else {
        return Err(DataFusionError::Internal("a path is not a structure".into()));
    };
    let lists = parts.into_iter().map(|(references, lengths)| {
        let item = Arc::new(Field::new("item", DataType::UInt64, true));
        let offsets = OffsetBuffer::from_lengths(lengths);
        let list =
            ListArray::try_new(item, offsets, Arc::new(UInt64Array::from(references)), None)?;
        Ok(Arc::new(list) as ArrayRef)
    });
    let lists = lists.collect::<Result<Vec<_>>>()?;
    let nulls = NullBuffer::from(values.iter().map(|value| !value.is_null()).collect::<Vec<_>>());
    Ok(Arc::new(StructArray::try_new(fields, lists, Some(nulls))?))
}

fn build_map(
    values: &[Value],
    fields: &[(String, CypherType)],
    ty: &CypherType,
    mismatch: &dyn Fn(&Value) -> DataFusionError,
) -> Result<ArrayRef> {
    let DataType::Struct(arrow_fields) = ty.arrow() else {
        return Err(DataFusionError::Internal("a map type is not a structure".into()));
    };
    let mut columns = Vec::with_capacity(fields.len());
    for (name, ty) in fields {
        let column = values
            .iter()
            .map(|value| match value {
                Value::Null => Ok(Value::Null),
                Value::Map(entries) => Ok(entries
                    .iter()
                    .find(|entry| entry.0 == *name)
                    .map_or(Value::Null, |entry| entry.1.clone())),
                other => Err(mismatch(other)),
            })
            .collect::<Result<Vec<_>>>()?;
        columns.push(build(&column, ty)?);
    }
    let nulls = NullBuffer::from(values.iter().map(|value| !value.is_null()).collect::<Vec<_>>());
    Ok(Arc::new(StructArray::try_new_with_length(
        arrow_fields,
        columns,
        Some(nulls),
        values.len(),
    )?))
}
