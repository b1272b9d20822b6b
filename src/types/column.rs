//! A column as its values are written: one enum matched once a value, over typed Arrow arrays.
//!
//! [`OutputColumn::new`] brings an array to one of a few representations, a column at a time; after
//! that a value costs one match and one append, and nothing is boxed or allocated.

mod text_field;

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, BooleanArray, Date32Array,
    Decimal128Array, Decimal256Array, FixedSizeBinaryArray, Float32Array, Float64Array, Int16Array,
    Int32Array, Int64Array, IntervalMonthDayNanoArray, LargeStringArray, ListArray, StringArray,
    StringViewArray, Time64MicrosecondArray, TimestampMicrosecondArray, UInt32Array, UInt64Array,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int16Type,
    Int32Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, Time64MicrosecondType,
    TimestampMicrosecondType, UInt32Type, UInt64Type,
};

use super::binary::send;
use super::enum_type::{ENUM_WIDTH, EnumType};
use super::error::TypeError;
use super::hstore::Hstore;
use super::json::render::JsonColumn;
use super::pg_type::PgType;
use super::range::{self, RangeKind};
use super::settings::OutputSettings;
use super::storage::{mismatch, primitive, to_storage};
use super::text::output;

pub(crate) use text_field::append_text_field;

/// An array ready to be written value by value, as text or in the binary format.
pub(crate) struct OutputColumn {
    nulls: Option<NullBuffer>,
    values: Values,
}

enum Values {
    Bool(BooleanArray),
    Int2(Int16Array),
    Int4(Int32Array),
    Int8(Int64Array),
    Oid(UInt32Array),
    /// An `Oid` whose zero is written `-`.
    Reg(UInt32Array),
    Xid8(UInt64Array),
    PgLsn(UInt64Array),
    Float4(Float32Array),
    Float8(Float64Array),
    Numeric {
        values: Decimal128Array,
        scale: i8,
        trim: bool,
    },
    WideNumeric {
        values: Decimal256Array,
        scale: i8,
    },
    Text(StringViewArray),
    /// Text by offsets, as DataFusion's functions often make it.
    Utf8(StringArray),
    LargeUtf8(LargeStringArray),
    /// Text whose values are padded with spaces to this many characters.
    Padded {
        values: StringViewArray,
        length: usize,
    },
    /// Text with a version byte in the binary format.
    Jsonb(StringViewArray),
    Structure(Box<JsonColumn>),
    Tid(StringViewArray),
    Inet(StringViewArray),
    Hstore(StringViewArray),
    Bytea(BinaryViewArray),
    Binary(BinaryArray),
    Range {
        values: BinaryViewArray,
        kind: RangeKind,
    },
    Multirange {
        values: BinaryViewArray,
        kind: RangeKind,
    },
    Date(Date32Array),
    Time(Time64MicrosecondArray),
    Timetz(FixedSizeBinaryArray),
    Timestamp(TimestampMicrosecondArray),
    Timestamptz(TimestampMicrosecondArray),
    Interval(IntervalMonthDayNanoArray),
    Uuid(FixedSizeBinaryArray),
    Enum {
        values: FixedSizeBinaryArray,
        ty: Arc<EnumType>,
    },
    /// Rows: as they are stored, and field by field; with the fields' types where they are not sent as they are stored.
    Row {
        values: BinaryViewArray,
        fields: Vec<OutputColumn>,
        sent: Option<Vec<u32>>,
    },
    Array {
        lists: ListArray,
        elements: Box<OutputColumn>,
        element_oid: u32,
        first_index: i32,
    },
    /// `int2vector` and `oidvector`: numbers with spaces between them.
    Vector {
        lists: ListArray,
        elements: Box<OutputColumn>,
        element_oid: u32,
    },
}

impl OutputColumn {
    /// Prepares `array` to be written as values of type `ty`.
    ///
    /// # Errors
    /// `22003` if a value does not fit the type, `XX000` if the array cannot be read as the type.
    pub(crate) fn new(ty: &PgType, array: &ArrayRef) -> Result<Self, TypeError> {
        let array = to_storage(ty, array)?;
        let values = values_of(ty, &array)?;
        let nulls = match &values {
            Values::Structure(json) => json.nulls(),
            _ => array.nulls().filter(|nulls| nulls.null_count() > 0).cloned(),
        };
        Ok(Self { nulls, values })
    }

    /// This column with its rows in the form that they are stored in.
    pub(crate) fn into_stored(mut self) -> Self {
        self.send_as_stored();
        self
    }

    fn send_as_stored(&mut self) {
        match &mut self.values {
            Values::Row { sent, .. } => *sent = None,
            Values::Array { elements, .. } => elements.send_as_stored(),
            _ => {}
        }
    }

    #[inline]
    pub(crate) fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    /// Appends the text of a value that is not NULL.
    #[inline]
    pub(crate) fn append_text(&self, row: usize, settings: &OutputSettings, out: &mut Vec<u8>) {
        match &self.values {
            Values::Bool(values) => out.push(if values.value(row) { b't' } else { b'f' }),
            Values::Int2(values) => output::append_integer(values.value(row), out),
            Values::Int4(values) => output::append_integer(values.value(row), out),
            Values::Int8(values) => output::append_integer(values.value(row), out),
            Values::Oid(values) => output::append_integer(values.value(row), out),
            Values::Reg(values) => match values.value(row) {
                0 => out.push(b'-'),
                oid => output::append_integer(oid, out),
            },
            Values::Xid8(values) => output::append_integer(values.value(row), out),
            Values::PgLsn(values) => output::append_lsn(values.value(row), out),
            Values::Float4(values) => output::append_float4(values.value(row), settings, out),
            Values::Float8(values) => output::append_float8(values.value(row), settings, out),
            Values::Numeric { values, scale, trim } => {
                output::append_decimal(values.value(row), *scale, *trim, out);
            }
            Values::WideNumeric { values, scale } => {
                output::append_decimal256(values.value(row), *scale, out);
            }
            Values::Text(values)
            | Values::Jsonb(values)
            | Values::Tid(values)
            | Values::Hstore(values)
            | Values::Inet(values) => out.extend_from_slice(values.value(row).as_bytes()),
            Values::Utf8(values) => out.extend_from_slice(values.value(row).as_bytes()),
            Values::LargeUtf8(values) => out.extend_from_slice(values.value(row).as_bytes()),
            Values::Padded { values, length } => append_padded(values.value(row), *length, out),
            Values::Structure(json) => json.append(row, out),
            Values::Row { fields, .. } => append_row(row, fields, settings, out),
            Values::Bytea(values) => {
                output::append_bytea(values.value(row), settings.bytea_output, out);
            }
            Values::Binary(values) => {
                output::append_bytea(values.value(row), settings.bytea_output, out);
            }
            Values::Range { values, kind } => {
                range::append_text(*kind, values.value(row), settings, out);
            }
            Values::Multirange { values, kind } => {
                range::append_multi_text(*kind, values.value(row), settings, out);
            }
            Values::Date(values) => output::append_date(values.value(row), settings, out),
            Values::Time(values) => output::append_time(values.value(row), out),
            Values::Timetz(values) => {
                let (micros, east) = send::timetz_parts(values.value(row));
                output::append_timetz(micros, east, out);
            }
            Values::Timestamp(values) => output::append_timestamp(values.value(row), settings, out),
            Values::Timestamptz(values) => {
                output::append_timestamptz(values.value(row), settings, out);
            }
            Values::Interval(values) => {
                let IntervalMonthDayNano { months, days, nanoseconds } = values.value(row);
                let micros = nanoseconds.div_euclid(1000);
                output::append_interval(months, days, micros, settings.interval_style, out);
            }
            Values::Uuid(values) => output::append_uuid(values.value(row), out),
            Values::Enum { values, ty } => {
                out.extend_from_slice(ty.label(values.value(row)).as_bytes());
            }
            Values::Array { lists, elements, .. } => {
                append_array(row, lists, elements, settings, out);
            }
            Values::Vector { lists, elements, .. } => {
                for (index, at) in element_range(lists, row).enumerate() {
                    if index > 0 {
                        out.push(b' ');
                    }
                    elements.append_text(at, settings, out);
                }
            }
        }
    }

    /// Appends the binary form of a value that is not NULL, without its length.
    ///
    /// # Errors
    /// `2202E` for an array whose inner arrays differ in length.
    #[inline]
    pub(crate) fn append_binary(&self, row: usize, out: &mut Vec<u8>) -> Result<(), TypeError> {
        match &self.values {
            Values::Bool(values) => out.push(u8::from(values.value(row))),
            Values::Int2(values) => out.extend_from_slice(&values.value(row).to_be_bytes()),
            Values::Int4(values) => out.extend_from_slice(&values.value(row).to_be_bytes()),
            Values::Int8(values) => out.extend_from_slice(&values.value(row).to_be_bytes()),
            Values::Oid(values) | Values::Reg(values) => {
                out.extend_from_slice(&values.value(row).to_be_bytes());
            }
            Values::Xid8(values) | Values::PgLsn(values) => {
                out.extend_from_slice(&values.value(row).to_be_bytes());
            }
            Values::Float4(values) => out.extend_from_slice(&values.value(row).to_be_bytes()),
            Values::Float8(values) => out.extend_from_slice(&values.value(row).to_be_bytes()),
            Values::Numeric { values, scale, trim } => {
                send::numeric(values.value(row), *scale, *trim, out);
            }
            Values::WideNumeric { values, scale } => {
                send::wide_numeric(values.value(row), *scale, out);
            }
            Values::Text(values) => out.extend_from_slice(values.value(row).as_bytes()),
            Values::Utf8(values) => out.extend_from_slice(values.value(row).as_bytes()),
            Values::LargeUtf8(values) => out.extend_from_slice(values.value(row).as_bytes()),
            Values::Padded { values, length } => append_padded(values.value(row), *length, out),
            Values::Jsonb(values) => {
                out.push(send::JSONB_VERSION);
                out.extend_from_slice(values.value(row).as_bytes());
            }
            Values::Structure(json) => {
                out.push(send::JSONB_VERSION);
                json.append(row, out);
            }
            Values::Tid(values) => send::tid(values.value(row), out)?,
            Values::Inet(values) => send::inet(values.value(row), out)?,
            Values::Hstore(values) => Hstore::parse(values.value(row))?.send(out),
            Values::Bytea(values) | Values::Row { values, fields: _, sent: None } => {
                out.extend_from_slice(values.value(row));
            }
            Values::Row { values: _, fields, sent: Some(oids) } => {
                out.extend_from_slice(&(fields.len() as i32).to_be_bytes());
                for (field, oid) in fields.iter().zip(oids) {
                    out.extend_from_slice(&oid.to_be_bytes());
                    append_binary_field(field, row, out)?;
                }
            }
            Values::Binary(values) => out.extend_from_slice(values.value(row)),
            Values::Range { values, kind } => {
                range::append_binary(*kind, values.value(row), out)?;
            }
            Values::Multirange { values, kind } => {
                range::append_multi_binary(*kind, values.value(row), out)?;
            }
            Values::Date(values) => send::date(values.value(row), out),
            Values::Time(values) => out.extend_from_slice(&values.value(row).to_be_bytes()),
            Values::Timetz(values) => send::timetz(values.value(row), out),
            Values::Uuid(values) => out.extend_from_slice(values.value(row)),
            Values::Enum { values, ty } => {
                out.extend_from_slice(ty.label(values.value(row)).as_bytes());
            }
            Values::Timestamp(values) | Values::Timestamptz(values) => {
                send::timestamp(values.value(row), out);
            }
            Values::Interval(values) => send::interval(values.value(row), out),
            Values::Array { lists, elements, element_oid, first_index } => {
                append_binary_array(row, lists, elements, *element_oid, *first_index, out)?;
            }
            Values::Vector { lists, elements, element_oid } => {
                append_binary_array(row, lists, elements, *element_oid, 0, out)?;
            }
        }
        Ok(())
    }
}

fn append_row(row: usize, fields: &[OutputColumn], settings: &OutputSettings, out: &mut Vec<u8>) {
    out.push(b'(');
    for (at, field) in fields.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        if field.is_null(row) {
            continue;
        }
        let start = out.len();
        field.append_text(row, settings, out);
        if !field.is_plain() {
            output::append_record_field(start, out);
        }
    }
    out.push(b')');
}

fn append_padded(value: &str, length: usize, out: &mut Vec<u8>) {
    let missing = length.saturating_sub(value.chars().count());
    out.extend_from_slice(value.as_bytes());
    out.resize(out.len() + missing, b' ');
}

fn element_range(lists: &ListArray, row: usize) -> std::ops::Range<usize> {
    let offsets = lists.value_offsets();
    offsets[row] as usize..offsets[row + 1] as usize
}

fn append_array(
    row: usize,
    lists: &ListArray,
    elements: &OutputColumn,
    settings: &OutputSettings,
    out: &mut Vec<u8>,
) {
    let is_nested = matches!(elements.values, Values::Array { .. });
    out.push(b'{');
    for (index, at) in element_range(lists, row).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        if elements.is_null(at) {
            out.extend_from_slice(b"NULL");
            continue;
        }
        let start = out.len();
        elements.append_text(at, settings, out);
        if !is_nested && !elements.is_plain() {
            output::append_array_element(start, b',', out);
        }
    }
    out.push(b'}');
}

impl OutputColumn {
    /// Whether a value's text is made of letters, digits and `+-.` alone, and so needs no quotes or
    /// escapes.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(
            self.values,
            Values::Bool(_)
                | Values::Int2(_)
                | Values::Int4(_)
                | Values::Int8(_)
                | Values::Oid(_)
                | Values::Float4(_)
                | Values::Float8(_)
                | Values::Numeric { .. }
                | Values::Uuid(_)
        )
    }

    /// Whether one of the values is NULL, or has a NULL in it.
    fn has_null(&self, mut range: std::ops::Range<usize>) -> bool {
        range.any(|at| {
            self.is_null(at)
                || matches!(&self.values, Values::Array { lists, elements, .. }
                    if elements.has_null(element_range(lists, at)))
        })
    }

    /// The lengths of the arrays below this element, outermost first; `None` if the element is not
    /// an array.
    fn inner_lengths(&self, row: usize, lengths: &mut Vec<usize>) {
        if let Values::Array { lists, elements, .. } = &self.values {
            let range = element_range(lists, row);
            lengths.push(range.len());
            if !range.is_empty() {
                elements.inner_lengths(range.start, lengths);
            }
        }
    }

    /// Appends the scalars below an element in order, each with its length.
    fn append_binary_elements(
        &self,
        range: std::ops::Range<usize>,
        lengths: &[usize],
        out: &mut Vec<u8>,
    ) -> Result<(), TypeError> {
        if lengths.first() != Some(&range.len()) {
            return Err(ragged());
        }
        for at in range {
            match &self.values {
                Values::Array { lists, elements, .. } => {
                    let inner = if self.is_null(at) { 0..0 } else { element_range(lists, at) };
                    elements.append_binary_elements(inner, &lengths[1..], out)?;
                }
                _ => append_binary_field(self, at, out)?,
            }
        }
        Ok(())
    }
}

fn ragged() -> TypeError {
    TypeError::new(
        "2202E",
        "multidimensional arrays must have array expressions with matching dimensions",
    )
}

/// ```text
/// dimensions i32 | has NULL i32 | element type u32 | (length i32 | first index i32) for each …
/// … then for each element: length i32, -1 for NULL | bytes
/// ```
fn append_binary_array(
    row: usize,
    lists: &ListArray,
    elements: &OutputColumn,
    element_oid: u32,
    first_index: i32,
    out: &mut Vec<u8>,
) -> Result<(), TypeError> {
    let range = element_range(lists, row);
    let mut lengths = vec![range.len()];
    // `int2vector` and `oidvector`, whose indexes start at 0, have one dimension even when empty.
    let keeps_empty = first_index == 0;
    if !range.is_empty() {
        elements.inner_lengths(range.start, &mut lengths);
    }
    let is_empty = lengths.contains(&0) && !keeps_empty;
    let dimensions = if is_empty { 0 } else { lengths.len() as i32 };
    out.extend_from_slice(&dimensions.to_be_bytes());
    let nulls_at = out.len();
    out.extend_from_slice(&0_i32.to_be_bytes());
    out.extend_from_slice(&element_oid.to_be_bytes());
    if is_empty {
        return Ok(());
    }
    for length in &lengths {
        let length = i32::try_from(*length).map_err(|_| ragged())?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&first_index.to_be_bytes());
    }
    let has_null = elements.has_null(range.clone());
    if has_null && let Some(flag) = out.get_mut(nulls_at..nulls_at + 4) {
        flag.copy_from_slice(&1_i32.to_be_bytes());
    }
    elements.append_binary_elements(range, &lengths, out)
}

/// Appends a value as a field: its length as i32, -1 for NULL, and its binary form.
pub(crate) fn append_binary_field(
    column: &OutputColumn,
    row: usize,
    out: &mut Vec<u8>,
) -> Result<(), TypeError> {
    if column.is_null(row) {
        out.extend_from_slice(&(-1_i32).to_be_bytes());
        return Ok(());
    }
    let start = open_field(out);
    column.append_binary(row, out)?;
    close_field(start, out)
}

fn open_field(out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(&[0; 4]);
    out.len()
}

/// Fills in the length of the field that begins at `start`.
fn close_field(start: usize, out: &mut [u8]) -> Result<(), TypeError> {
    let length = i32::try_from(out.len() - start)
        .map_err(|_| TypeError::new("54000", "a field is larger than the protocol can carry"))?;
    out[start - 4..start].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

fn values_of(ty: &PgType, array: &ArrayRef) -> Result<Values, TypeError> {
    if matches!(array.data_type(), DataType::Struct(_) | DataType::Map(_, _)) {
        return Ok(Values::Structure(Box::new(JsonColumn::new(array)?)));
    }
    let fixed = |width: i32| match array.as_fixed_size_binary_opt() {
        Some(values) if values.value_length() == width => Ok(values.clone()),
        _ => Err(mismatch(ty, array)),
    };
    let views = || array.as_string_view_opt().cloned().ok_or_else(|| mismatch(ty, array));
    Ok(match ty {
        PgType::Bool => {
            Values::Bool(array.as_boolean_opt().cloned().ok_or_else(|| mismatch(ty, array))?)
        }
        PgType::Int2 => Values::Int2(primitive::<Int16Type>(ty, array)?),
        PgType::Int4 => Values::Int4(primitive::<Int32Type>(ty, array)?),
        PgType::Int8 => Values::Int8(primitive::<Int64Type>(ty, array)?),
        PgType::Float4 => Values::Float4(primitive::<Float32Type>(ty, array)?),
        PgType::Float8 => Values::Float8(primitive::<Float64Type>(ty, array)?),
        PgType::Numeric(modifier) => match array.data_type() {
            DataType::Decimal256(_, scale) => Values::WideNumeric {
                values: primitive::<Decimal256Type>(ty, array)?,
                scale: *scale,
            },
            DataType::Decimal128(_, scale) => Values::Numeric {
                values: primitive::<Decimal128Type>(ty, array)?,
                scale: *scale,
                trim: modifier.is_none(),
            },
            _ => return Err(mismatch(ty, array)),
        },
        PgType::Oid | PgType::Xid | PgType::Cid => Values::Oid(primitive::<UInt32Type>(ty, array)?),
        PgType::Regproc
        | PgType::Regprocedure
        | PgType::Regoper
        | PgType::Regoperator
        | PgType::Regclass
        | PgType::Regtype
        | PgType::Regrole
        | PgType::Regnamespace
        | PgType::Regcollation
        | PgType::Regconfig
        | PgType::Regdictionary => Values::Reg(primitive::<UInt32Type>(ty, array)?),
        PgType::Xid8 => Values::Xid8(primitive::<UInt64Type>(ty, array)?),
        PgType::PgLsn => Values::PgLsn(primitive::<UInt64Type>(ty, array)?),
        PgType::Bytea => match array.as_binary_view_opt() {
            Some(values) => Values::Bytea(values.clone()),
            None => Values::Binary(
                array.as_binary_opt::<i32>().cloned().ok_or_else(|| mismatch(ty, array))?,
            ),
        },
        PgType::Range(kind) => Values::Range {
            values: array.as_binary_view_opt().cloned().ok_or_else(|| mismatch(ty, array))?,
            kind: *kind,
        },
        PgType::Multirange(kind) => Values::Multirange {
            values: array.as_binary_view_opt().cloned().ok_or_else(|| mismatch(ty, array))?,
            kind: *kind,
        },
        PgType::Date => Values::Date(primitive::<Date32Type>(ty, array)?),
        PgType::Time(_) => Values::Time(primitive::<Time64MicrosecondType>(ty, array)?),
        PgType::Timetz(_) => Values::Timetz(fixed(12)?),
        PgType::Timestamp(_) => {
            Values::Timestamp(primitive::<TimestampMicrosecondType>(ty, array)?)
        }
        PgType::Timestamptz(_) => {
            Values::Timestamptz(primitive::<TimestampMicrosecondType>(ty, array)?)
        }
        PgType::Interval => Values::Interval(primitive::<IntervalMonthDayNanoType>(ty, array)?),
        PgType::Uuid => Values::Uuid(fixed(16)?),
        PgType::Enum(ty) => Values::Enum { values: fixed(ENUM_WIDTH)?, ty: Arc::clone(ty) },
        PgType::Domain(ty) => values_of(&ty.base, array)?,
        PgType::Row(ty) => {
            let values = array
                .as_binary_view_opt()
                .cloned()
                .ok_or_else(|| mismatch(&PgType::Row(Arc::clone(ty)), array))?;
            let columns = ty.decode(&values)?;
            let fields = ty.fields.iter().zip(&columns);
            let fields = fields.map(|(field, column)| OutputColumn::new(field.sent(), column));
            let sent = ty.sent().map(|types| types.into_iter().map(PgType::oid).collect());
            Values::Row { fields: fields.collect::<Result<_, _>>()?, values, sent }
        }
        PgType::Int2vector | PgType::Oidvector | PgType::Array(_) => list_values(ty, array)?,
        PgType::Bpchar(Some(length)) => {
            Values::Padded { values: views()?, length: *length as usize }
        }
        PgType::Jsonb | PgType::Jsonpath => Values::Jsonb(views()?),
        PgType::Tid => Values::Tid(views()?),
        PgType::Inet => Values::Inet(views()?),
        PgType::Hstore => Values::Hstore(views()?),
        PgType::Text
        | PgType::Varchar(_)
        | PgType::Bpchar(None)
        | PgType::Name
        | PgType::InternalChar
        | PgType::Json
        | PgType::PgNodeTree
        | PgType::Aclitem
        | PgType::Refcursor
        | PgType::Unknown
        | PgType::Cstring
        | PgType::Void
        | PgType::Record
        | PgType::Anyarray => match array.data_type() {
            DataType::Utf8 => Values::Utf8(array.as_string::<i32>().clone()),
            DataType::LargeUtf8 => Values::LargeUtf8(array.as_string::<i64>().clone()),
            _ => Values::Text(views()?),
        },
    })
}

fn list_values(ty: &PgType, array: &ArrayRef) -> Result<Values, TypeError> {
    let lists = array.as_list_opt::<i32>().cloned().ok_or_else(|| mismatch(ty, array))?;
    let element = ty.element().ok_or_else(|| mismatch(ty, array))?;
    let element_oid = element.oid();
    // An array of arrays has the type of the inner array.
    let is_nested = matches!(
        lists.value_type(),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _)
    ) && !matches!(element, PgType::Int2vector | PgType::Oidvector);
    let elements =
        Box::new(OutputColumn::new(if is_nested { ty } else { element }, lists.values())?);
    Ok(match ty {
        PgType::Int2vector | PgType::Oidvector => Values::Vector { lists, elements, element_oid },
        _ => Values::Array { lists, elements, element_oid, first_index: 1 },
    })
}
