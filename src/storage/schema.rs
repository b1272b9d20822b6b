//! The columns of a table as bytes.
//!
//! ```text
//! schema    count:varint  field*
//! field     name:bytes  nullable:u8  type  count:varint (key:bytes value:bytes)*     metadata, by key
//! type      tag:u8 and what it needs: precision:u8 scale:i8, width:varint, or the element's type
//! ```

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, IntervalUnit, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;

use super::codec::{Malformed, Reader, put_bytes, put_varint};

/// Appends a schema.
///
/// # Errors
/// A schema error for a type that graphwire does not store.
pub(crate) fn put_schema(out: &mut Vec<u8>, schema: &Schema) -> Result<(), ArrowError> {
    put_varint(out, schema.fields().len() as u64);
    for field in schema.fields() {
        put_bytes(out, field.name().as_bytes());
        out.push(u8::from(field.is_nullable()));
        put_type(out, field.data_type())?;
        let metadata: BTreeMap<_, _> = field.metadata().iter().collect();
        put_varint(out, metadata.len() as u64);
        for (key, value) in metadata {
            put_bytes(out, key.as_bytes());
            put_bytes(out, value.as_bytes());
        }
    }
    Ok(())
}

fn put_type(out: &mut Vec<u8>, data_type: &DataType) -> Result<(), ArrowError> {
    match data_type {
        DataType::Boolean => out.push(1),
        DataType::Int16 => out.push(2),
        DataType::Int32 => out.push(3),
        DataType::Int64 => out.push(4),
        DataType::UInt32 => out.push(5),
        DataType::UInt64 => out.push(6),
        DataType::Float32 => out.push(7),
        DataType::Float64 => out.push(8),
        DataType::Decimal128(precision, scale) => {
            out.extend_from_slice(&[9, *precision, scale.cast_unsigned()]);
        }
        DataType::Decimal256(precision, scale) => {
            out.extend_from_slice(&[10, *precision, scale.cast_unsigned()]);
        }
        DataType::Utf8View => out.push(11),
        DataType::BinaryView => out.push(12),
        DataType::Date32 => out.push(13),
        DataType::Time64(TimeUnit::Microsecond) => out.push(14),
        DataType::Timestamp(TimeUnit::Microsecond, None) => out.push(15),
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if zone.as_ref() == "UTC" => {
            out.push(16);
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => out.push(17),
        DataType::FixedSizeBinary(width) if *width >= 0 => {
            out.push(18);
            put_varint(out, u64::from(width.cast_unsigned()));
        }
        DataType::List(element) => {
            out.push(19);
            put_type(out, element.data_type())?;
        }
        other => return Err(ArrowError::SchemaError(format!("cannot store {other}"))),
    }
    Ok(())
}

/// Reads a schema.
pub(crate) fn read_schema(reader: &mut Reader<'_>) -> Result<SchemaRef, Malformed> {
    let fields = (0..reader.count(4)?)
        .map(|_| {
            let name = read_text(reader)?;
            let nullable = reader.u8()? != 0;
            let data_type = read_type(reader, 0)?;
            let metadata = (0..reader.count(2)?)
                .map(|_| Ok((read_text(reader)?, read_text(reader)?)))
                .collect::<Result<HashMap<_, _>, Malformed>>()?;
            Ok(Field::new(name, data_type, nullable).with_metadata(metadata))
        })
        .collect::<Result<Vec<_>, Malformed>>()?;
    Ok(Arc::new(Schema::new(fields)))
}

fn read_text(reader: &mut Reader<'_>) -> Result<String, Malformed> {
    let bytes = reader.bytes()?;
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| reader.malformed())
}

const LISTS_DEPTH_MAX: usize = 8;

fn read_type(reader: &mut Reader<'_>, depth: usize) -> Result<DataType, Malformed> {
    let decimal = |reader: &mut Reader<'_>| Ok((reader.u8()?, reader.u8()?.cast_signed()));
    Ok(match reader.u8()? {
        1 => DataType::Boolean,
        2 => DataType::Int16,
        3 => DataType::Int32,
        4 => DataType::Int64,
        5 => DataType::UInt32,
        6 => DataType::UInt64,
        7 => DataType::Float32,
        8 => DataType::Float64,
        9 => decimal(reader).map(|(precision, scale)| DataType::Decimal128(precision, scale))?,
        10 => decimal(reader).map(|(precision, scale)| DataType::Decimal256(precision, scale))?,
        11 => DataType::Utf8View,
        12 => DataType::BinaryView,
        13 => DataType::Date32,
        14 => DataType::Time64(TimeUnit::Microsecond),
        15 => DataType::Timestamp(TimeUnit::Microsecond, None),
        16 => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        17 => DataType::Interval(IntervalUnit::MonthDayNano),
        18 => {
            let width = i32::try_from(reader.varint()?).map_err(|_| reader.malformed())?;
            DataType::FixedSizeBinary(width)
        }
        19 if depth < LISTS_DEPTH_MAX => {
            let element = read_type(reader, depth + 1)?;
            DataType::List(Arc::new(Field::new_list_field(element, true)))
        }
        _ => return Err(reader.malformed()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_comes_back_and_no_prefix_does() {
        let list = |element| DataType::List(Arc::new(Field::new_list_field(element, true)));
        let types = [
            DataType::Boolean,
            DataType::Int16,
            DataType::Int32,
            DataType::Int64,
            DataType::UInt32,
            DataType::UInt64,
            DataType::Float32,
            DataType::Float64,
            DataType::Decimal128(38, -3),
            DataType::Decimal256(76, 10),
            DataType::Utf8View,
            DataType::BinaryView,
            DataType::Date32,
            DataType::Time64(TimeUnit::Microsecond),
            DataType::Timestamp(TimeUnit::Microsecond, None),
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            DataType::Interval(IntervalUnit::MonthDayNano),
            DataType::FixedSizeBinary(12),
            list(list(DataType::Utf8View)),
        ];
        let metadata = HashMap::from([("graphwire.type".to_owned(), "jsonb".to_owned())]);
        let fields = types.into_iter().enumerate().map(|(at, data_type)| {
            Field::new(format!("c{at}"), data_type, at % 2 == 0).with_metadata(metadata.clone())
        });
        let schema = Schema::new(fields.collect::<Vec<_>>());
        let mut out = Vec::new();
        put_schema(&mut out, &schema).unwrap();
        let mut reader = Reader::new(&out, "schema");
        assert_eq!(*read_schema(&mut reader).unwrap(), schema);
        reader.finish().unwrap();
        for length in 0..out.len() {
            assert!(read_schema(&mut Reader::new(&out[..length], "schema")).is_err());
        }
    }

    #[test]
    fn types_that_are_never_stored_are_refused() {
        let schema = Schema::new(vec![Field::new("x", DataType::Utf8, true)]);
        assert!(put_schema(&mut Vec::new(), &schema).is_err());
    }
}
