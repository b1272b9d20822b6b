//! Builds an Arrow array of a PostgreSQL type from values as a client sends them.

use std::sync::Arc;

use arrow::array::NullBufferBuilder;
use arrow::array::{
    ArrayRef, BinaryViewBuilder, BooleanBuilder, FixedSizeBinaryBuilder, ListArray,
    PrimitiveBuilder, StringViewBuilder,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Decimal256Type, Field, Float32Type,
    Float64Type, Int16Type, Int32Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType,
    Time64MicrosecondType, TimestampMicrosecondType, UInt32Type, UInt64Type,
};

use super::binary::{receive, send};
use super::error::TypeError;
use super::hstore::Hstore;
use super::json::parse::{append_jsonb, check_json};
use super::json_path::JsonPath;
use super::pg_type::{NUMERIC_STORAGE, PgType};
use super::range;
use super::rounding::{round_micros, round_timestamp};
use super::row_type::{Fields, RowField, RowType};
use super::settings::InputSettings;
use super::text::input::{self, ArrayItem, ArrayReader, NestedArray, RecordReader};

/// A growing column of one PostgreSQL type.
///
/// After an error the column must be dropped: the part of an array that was read before a bad element
/// stays in it.
pub(crate) struct InputColumn {
    ty: PgType,
    settings: InputSettings,
    /// Whether text that is too long is cut, as an explicit cast does, and not refused.
    explicit: bool,
    builder: Builder,
    /// For forms that have to be put together before they are stored.
    scratch: Vec<u8>,
}

enum Builder {
    Bool(BooleanBuilder),
    Int2(PrimitiveBuilder<Int16Type>),
    Int4(PrimitiveBuilder<Int32Type>),
    Int8(PrimitiveBuilder<Int64Type>),
    Float4(PrimitiveBuilder<Float32Type>),
    Float8(PrimitiveBuilder<Float64Type>),
    Numeric(PrimitiveBuilder<Decimal128Type>),
    WideNumeric(PrimitiveBuilder<Decimal256Type>),
    Oid(PrimitiveBuilder<UInt32Type>),
    Unsigned(PrimitiveBuilder<UInt64Type>),
    Text(StringViewBuilder),
    Bytea(BinaryViewBuilder),
    Date(PrimitiveBuilder<Date32Type>),
    Time(PrimitiveBuilder<Time64MicrosecondType>),
    Timestamp(PrimitiveBuilder<TimestampMicrosecondType>),
    Interval(PrimitiveBuilder<IntervalMonthDayNanoType>),
    /// uuid, timetz and enumerated types.
    Fixed(FixedSizeBinaryBuilder),
    Row {
        ty: Arc<RowType>,
        fields: Vec<InputColumn>,
        nulls: NullBufferBuilder,
    },
    List {
        element: Box<InputColumn>,
        offsets: Vec<i32>,
        nulls: NullBufferBuilder,
    },
}

impl InputColumn {
    /// An empty column whose values are read as they are when they are assigned.
    pub(crate) fn new(ty: &PgType, settings: &InputSettings) -> Self {
        Self::with_cast(ty, settings, false)
    }

    /// An empty column whose values are read as an explicit cast reads them: text that is too long
    /// for `character varying(n)` is cut.
    pub(crate) fn new_explicit(ty: &PgType, settings: &InputSettings) -> Self {
        Self::with_cast(ty, settings, true)
    }

    fn with_cast(ty: &PgType, settings: &InputSettings, explicit: bool) -> Self {
        let ty = ty.plain();
        let builder = new_builder(&ty, settings, explicit);
        Self { ty, settings: settings.clone(), explicit, builder, scratch: Vec::new() }
    }

    /// Appends a NULL.
    pub(crate) fn push_null(&mut self) {
        match &mut self.builder {
            Builder::Bool(builder) => builder.append_null(),
            Builder::Int2(builder) => builder.append_null(),
            Builder::Int4(builder) => builder.append_null(),
            Builder::Int8(builder) => builder.append_null(),
            Builder::Float4(builder) => builder.append_null(),
            Builder::Float8(builder) => builder.append_null(),
            Builder::Numeric(builder) => builder.append_null(),
            Builder::WideNumeric(builder) => builder.append_null(),
            Builder::Oid(builder) => builder.append_null(),
            Builder::Unsigned(builder) => builder.append_null(),
            Builder::Text(builder) => builder.append_null(),
            Builder::Bytea(builder) => builder.append_null(),
            Builder::Date(builder) => builder.append_null(),
            Builder::Time(builder) => builder.append_null(),
            Builder::Timestamp(builder) => builder.append_null(),
            Builder::Interval(builder) => builder.append_null(),
            Builder::Fixed(builder) => builder.append_null(),
            Builder::Row { fields, nulls, .. } => {
                fields.iter_mut().for_each(Self::push_null);
                nulls.append_null();
            }
            Builder::List { offsets, nulls, .. } => {
                offsets.push(offsets.last().copied().unwrap_or(0));
                nulls.append_null();
            }
        }
    }

    /// Appends a value given as text, or NULL.
    ///
    /// # Errors
    /// PostgreSQL's own for the type: classes `22`, `0A000` for what graphwire does not have.
    #[inline]
    pub(crate) fn push_text(&mut self, text: Option<&[u8]>) -> Result<(), TypeError> {
        let Some(text) = text else {
            self.push_null();
            return Ok(());
        };
        let settings = &self.settings;
        match &mut self.builder {
            Builder::Bool(builder) => builder.append_value(input::read_bool(text)?),
            Builder::Int2(builder) => builder.append_value(input::read_int2(text)?),
            Builder::Int4(builder) => builder.append_value(input::read_int4(text)?),
            Builder::Int8(builder) => builder.append_value(input::read_int8(text)?),
            Builder::Float4(builder) => builder.append_value(input::read_float4(text)?),
            Builder::Float8(builder) => builder.append_value(input::read_float8(text)?),
            Builder::Numeric(builder) => {
                let (precision, scale, declared) = numeric_form(&self.ty);
                builder.append_value(input::read_numeric(text, precision, scale, declared)?);
            }
            Builder::WideNumeric(builder) => {
                let (precision, scale, declared) = numeric_form(&self.ty);
                builder.append_value(input::read_numeric(text, precision, scale, declared)?);
            }
            Builder::Oid(builder) => builder.append_value(read_object(&self.ty, text)?),
            Builder::Unsigned(builder) => builder.append_value(match self.ty {
                PgType::PgLsn => input::read_lsn(text)?,
                _ => input::read_u64(text, &self.ty.name())?,
            }),
            Builder::Text(builder) => {
                push_string(builder, &self.ty, text, self.explicit, &mut self.scratch)?;
            }
            Builder::Bytea(builder) => match self.ty {
                PgType::Range(kind) => {
                    append_bytes(builder, &range::read_text(kind, text, settings)?)?;
                }
                PgType::Multirange(kind) => {
                    append_bytes(builder, &range::read_multi_text(kind, text, settings)?)?;
                }
                _ => append_bytes(builder, &input::read_bytea(text)?)?,
            },
            Builder::Date(builder) => builder.append_value(input::read_date(text, settings)?),
            Builder::Time(builder) => {
                builder.append_value(kept(&self.ty, input::read_time(text, settings)?));
            }
            Builder::Timestamp(builder) => {
                let read = match self.ty {
                    PgType::Timestamptz(_) => input::read_timestamptz(text, settings)?,
                    _ => input::read_timestamp(text, settings)?,
                };
                builder.append_value(kept(&self.ty, read));
            }
            Builder::Interval(builder) => {
                let read = input::read_interval(text, settings)?;
                let nanos = read.micros.saturating_mul(1000);
                builder.append_value(IntervalMonthDayNano::new(read.months, read.days, nanos));
            }
            Builder::Fixed(builder) => match self.ty {
                PgType::Timetz(_) => {
                    let (micros, east) = input::read_timetz(text, settings)?;
                    let micros = kept(&self.ty, micros);
                    builder.append_value(send::stored_timetz(micros, east))?;
                }
                PgType::Enum(ref ty) => {
                    builder.append_value(ty.read(input::read_text(text)?)?)?;
                }
                _ => builder.append_value(input::read_uuid(text)?)?,
            },
            Builder::Row { .. } => self.push_row_text(text)?,
            Builder::List { .. } => self.push_array_text(text)?,
        }
        Ok(())
    }

    fn push_row_text(&mut self, text: &[u8]) -> Result<(), TypeError> {
        let Builder::Row { ty, fields, nulls } = &mut self.builder else { return Ok(()) };
        if ty.is_record() {
            let message = "input of anonymous composite types is not implemented";
            return Err(TypeError::unsupported(message));
        }
        let mut reader = RecordReader::new(text)?;
        for field in fields {
            match reader.next_field(&mut self.scratch)? {
                true => field.push_text(Some(&self.scratch))?,
                false => field.push_null(),
            }
        }
        reader.finish()?;
        nulls.append_non_null();
        Ok(())
    }

    fn push_array_text(&mut self, text: &[u8]) -> Result<(), TypeError> {
        let is_vector = matches!(self.ty, PgType::Int2vector | PgType::Oidvector);
        if !is_vector && input::is_nested(text) {
            let NestedArray { lengths, items } = input::read_nested(text)?;
            self.deepen(lengths.len())?;
            let mut items = items.into_iter();
            return self.push_block(&lengths, &mut |element| {
                element.push_text(items.next().flatten().as_deref())
            });
        }
        let depth = self.depth();
        let Builder::List { element, offsets, nulls } = &mut self.builder else { return Ok(()) };
        if is_vector {
            for word in input::read_vector(text) {
                element.push_text(Some(word))?;
            }
        } else {
            let mut reader = ArrayReader::new(text)?;
            while let Some(item) = reader.next_item(&mut self.scratch)? {
                if depth > 1 {
                    return Err(other_depth());
                }
                match item {
                    ArrayItem::Null => element.push_null(),
                    ArrayItem::Text => element.push_text(Some(&self.scratch))?,
                }
            }
        }
        offsets.push(list_offset(element)?);
        nulls.append_non_null();
        Ok(())
    }

    /// The dimensions that its arrays have.
    fn depth(&self) -> usize {
        match (&self.builder, &self.ty) {
            (Builder::List { element, .. }, PgType::Array(_)) => 1 + element.depth(),
            _ => 0,
        }
    }

    /// The type of what is in its arrays.
    fn leaf(&self) -> &PgType {
        match (&self.builder, &self.ty) {
            (Builder::List { element, .. }, PgType::Array(_)) => element.leaf(),
            _ => &self.ty,
        }
    }

    /// Makes room for arrays of so many dimensions; those of a column have as many, but for empty ones.
    fn deepen(&mut self, depth: usize) -> Result<(), TypeError> {
        let now = self.depth();
        if depth == now || depth == 0 {
            return Ok(());
        }
        let ty = self.ty.clone();
        let Builder::List { element, offsets: _, nulls: _ } = &mut self.builder else {
            return Err(other_depth());
        };
        if depth < now || element.len() > 0 {
            return Err(other_depth());
        }
        for _ in now..depth {
            let mut inner = Self::with_cast(&ty, &self.settings, self.explicit);
            if let Builder::List { element: below, .. } = &mut inner.builder {
                std::mem::swap(below, element);
            }
            **element = inner;
        }
        Ok(())
    }

    /// Appends an array whose elements come one by one from `next`.
    fn push_block(
        &mut self,
        lengths: &[usize],
        next: &mut dyn FnMut(&mut Self) -> Result<(), TypeError>,
    ) -> Result<(), TypeError> {
        let Builder::List { element, offsets, nulls } = &mut self.builder else {
            return Err(other_depth());
        };
        match lengths {
            [] => {}
            [length] => (0..*length).try_for_each(|_| next(element))?,
            [length, rest @ ..] => {
                (0..*length).try_for_each(|_| element.push_block(rest, next))?;
            }
        }
        offsets.push(list_offset(element)?);
        nulls.append_non_null();
        Ok(())
    }

    /// Appends a value given in the binary format, or NULL.
    ///
    /// # Errors
    /// `22P03` for malformed bytes, `22021` for invalid UTF-8, else as the text form.
    pub(crate) fn push_binary(&mut self, bytes: Option<&[u8]>) -> Result<(), TypeError> {
        let Some(bytes) = bytes else {
            self.push_null();
            return Ok(());
        };
        match &mut self.builder {
            Builder::Bool(builder) => builder.append_value(receive::bool(bytes)?),
            Builder::Int2(builder) => {
                builder.append_value(i16::from_be_bytes(receive::exactly(bytes)?));
            }
            Builder::Int4(builder) => {
                builder.append_value(i32::from_be_bytes(receive::exactly(bytes)?));
            }
            Builder::Int8(builder) => {
                builder.append_value(i64::from_be_bytes(receive::exactly(bytes)?));
            }
            Builder::Float4(builder) => {
                builder.append_value(f32::from_be_bytes(receive::exactly(bytes)?));
            }
            Builder::Float8(builder) => {
                builder.append_value(f64::from_be_bytes(receive::exactly(bytes)?));
            }
            Builder::Numeric(builder) => {
                let (precision, scale, declared) = numeric_form(&self.ty);
                builder.append_value(receive::numeric(bytes, precision, scale, declared)?);
            }
            Builder::WideNumeric(builder) => {
                let (precision, scale, declared) = numeric_form(&self.ty);
                builder.append_value(receive::numeric(bytes, precision, scale, declared)?);
            }
            Builder::Oid(builder) => {
                builder.append_value(u32::from_be_bytes(receive::exactly(bytes)?));
            }
            Builder::Unsigned(builder) => {
                builder.append_value(u64::from_be_bytes(receive::exactly(bytes)?));
            }
            Builder::Text(builder) => match self.ty {
                PgType::Tid => append_text(builder, &receive::tid(bytes)?)?,
                PgType::Inet => append_text(builder, &receive::inet(bytes)?)?,
                PgType::Hstore => append_text(builder, &Hstore::receive(bytes)?.to_string())?,
                PgType::Jsonb | PgType::Jsonpath => {
                    let text = receive::jsonb(bytes)?;
                    push_string(builder, &self.ty, text, self.explicit, &mut self.scratch)?;
                }
                _ => push_string(builder, &self.ty, bytes, self.explicit, &mut self.scratch)?,
            },
            Builder::Bytea(builder) => match self.ty {
                PgType::Range(kind) => append_bytes(builder, &range::read_binary(kind, bytes)?)?,
                PgType::Multirange(kind) => {
                    append_bytes(builder, &range::read_multi_binary(kind, bytes)?)?;
                }
                _ => append_bytes(builder, bytes)?,
            },
            Builder::Date(builder) => builder.append_value(receive::date(bytes)?),
            Builder::Time(builder) => builder.append_value(kept(&self.ty, receive::time(bytes)?)),
            Builder::Timestamp(builder) => {
                builder.append_value(kept(&self.ty, receive::timestamp(bytes)?))
            }
            Builder::Interval(builder) => builder.append_value(receive::interval(bytes)?),
            Builder::Fixed(builder) => match self.ty {
                PgType::Timetz(_) => {
                    let (micros, east) = send::timetz_parts(&receive::timetz(bytes)?);
                    let micros = kept(&self.ty, micros);
                    builder.append_value(send::stored_timetz(micros, east))?;
                }
                PgType::Enum(ref ty) => {
                    builder.append_value(ty.read(input::read_text(bytes)?)?)?;
                }
                _ => builder.append_value(receive::exactly::<16>(bytes)?)?,
            },
            Builder::Row { ty, fields, nulls } => {
                let mut values = Fields::new(bytes)?;
                // What is stored may have fewer fields than its type has by now.
                if values.left() > fields.len() {
                    return Err(wrong_fields(values.left(), fields.len()));
                }
                for (field, column) in ty.fields.iter().zip(fields) {
                    match values.next_field()? {
                        Some((oid, value))
                            if oid == field.sent().oid() || is_form_of(oid, &field.ty) =>
                        {
                            column.push_binary(value)?
                        }
                        Some((oid, _)) => return Err(wrong_field(oid, &field.ty)),
                        None => column.push_null(),
                    }
                }
                nulls.append_non_null();
            }
            Builder::List { .. } => {
                let leaf = match &self.ty {
                    PgType::Array(_) => self.leaf().oid(),
                    vector => vector.element().map_or(0, PgType::oid),
                };
                let mut elements = receive::Elements::new(bytes, leaf)?;
                let lengths = std::mem::take(&mut elements.lengths);
                if matches!(self.ty, PgType::Array(_)) {
                    self.deepen(lengths.len())?;
                }
                self.push_block(&lengths, &mut |element| match elements.next_element()? {
                    Some(value) => element.push_binary(value),
                    None => Err(receive::incorrect()),
                })?;
                elements.finish()?;
            }
        }
        Ok(())
    }

    /// The number of values so far.
    pub(crate) fn len(&self) -> usize {
        use arrow::array::ArrayBuilder;
        match &self.builder {
            Builder::Bool(builder) => builder.len(),
            Builder::Int2(builder) => builder.len(),
            Builder::Int4(builder) => builder.len(),
            Builder::Int8(builder) => builder.len(),
            Builder::Float4(builder) => builder.len(),
            Builder::Float8(builder) => builder.len(),
            Builder::Numeric(builder) => builder.len(),
            Builder::WideNumeric(builder) => builder.len(),
            Builder::Oid(builder) => builder.len(),
            Builder::Unsigned(builder) => builder.len(),
            Builder::Text(builder) => builder.len(),
            Builder::Bytea(builder) => builder.len(),
            Builder::Date(builder) => builder.len(),
            Builder::Time(builder) => builder.len(),
            Builder::Timestamp(builder) => builder.len(),
            Builder::Interval(builder) => builder.len(),
            Builder::Fixed(builder) => builder.len(),
            Builder::Row { nulls, .. } => nulls.len(),
            Builder::List { offsets, .. } => offsets.len().saturating_sub(1),
        }
    }

    /// The values as an array of the type's storage form ([`PgType::arrow`]); the column is then
    /// empty and can be used again.
    ///
    /// # Errors
    /// `0A000` if arrays have other dimensions than the type was declared with.
    pub(crate) fn finish(&mut self) -> Result<ArrayRef, TypeError> {
        let declared = dimensions(&self.ty);
        if declared != self.depth() {
            return Err(other_depth());
        }
        self.finish_as_read()
    }

    /// As [`Self::finish`], arrays with the dimensions that they have.
    ///
    /// # Errors
    /// `XX000` if the parts of a list do not fit, which would be our own mistake.
    pub(crate) fn finish_as_read(&mut self) -> Result<ArrayRef, TypeError> {
        Ok(match &mut self.builder {
            Builder::Bool(builder) => Arc::new(builder.finish()),
            Builder::Int2(builder) => finish(builder, &self.ty),
            Builder::Int4(builder) => finish(builder, &self.ty),
            Builder::Int8(builder) => finish(builder, &self.ty),
            Builder::Float4(builder) => finish(builder, &self.ty),
            Builder::Float8(builder) => finish(builder, &self.ty),
            Builder::Numeric(builder) => finish(builder, &self.ty),
            Builder::WideNumeric(builder) => finish(builder, &self.ty),
            Builder::Oid(builder) => finish(builder, &self.ty),
            Builder::Unsigned(builder) => finish(builder, &self.ty),
            Builder::Text(builder) => Arc::new(builder.finish()),
            Builder::Bytea(builder) => Arc::new(builder.finish()),
            Builder::Date(builder) => finish(builder, &self.ty),
            Builder::Time(builder) => finish(builder, &self.ty),
            Builder::Timestamp(builder) => finish(builder, &self.ty),
            Builder::Interval(builder) => finish(builder, &self.ty),
            Builder::Fixed(builder) => Arc::new(builder.finish()),
            Builder::Row { ty, fields, nulls } => {
                let rows = nulls.len();
                let columns = fields.iter_mut().map(Self::finish).collect::<Result<Vec<_>, _>>()?;
                Arc::new(ty.encode(&columns, nulls.finish().as_ref(), rows)?)
            }
            Builder::List { element, offsets, nulls } => {
                let values = element.finish_as_read()?;
                let offsets = OffsetBuffer::new(std::mem::replace(offsets, vec![0]).into());
                let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
                Arc::new(ListArray::try_new(field, offsets, values, nulls.finish())?)
            }
        })
    }
}

fn new_builder(ty: &PgType, settings: &InputSettings, explicit: bool) -> Builder {
    if let PgType::Row(ty) = ty {
        let column = |field: &RowField| InputColumn::with_cast(&field.ty, settings, explicit);
        let fields = ty.fields.iter().map(column).collect();
        return Builder::Row { ty: Arc::clone(ty), fields, nulls: NullBufferBuilder::new(0) };
    }
    if let Some(element) = ty.element() {
        let element = Box::new(InputColumn::with_cast(element, settings, explicit));
        return Builder::List { element, offsets: vec![0], nulls: NullBufferBuilder::new(0) };
    }
    match ty.arrow() {
        DataType::Boolean => Builder::Bool(BooleanBuilder::new()),
        DataType::Int16 => Builder::Int2(PrimitiveBuilder::new()),
        DataType::Int32 => Builder::Int4(PrimitiveBuilder::new()),
        DataType::Int64 => Builder::Int8(PrimitiveBuilder::new()),
        DataType::Float32 => Builder::Float4(PrimitiveBuilder::new()),
        DataType::Float64 => Builder::Float8(PrimitiveBuilder::new()),
        DataType::Decimal128(_, _) => Builder::Numeric(PrimitiveBuilder::new()),
        DataType::Decimal256(_, _) => Builder::WideNumeric(PrimitiveBuilder::new()),
        DataType::UInt32 => Builder::Oid(PrimitiveBuilder::new()),
        DataType::UInt64 => Builder::Unsigned(PrimitiveBuilder::new()),
        DataType::BinaryView => Builder::Bytea(BinaryViewBuilder::new()),
        DataType::Date32 => Builder::Date(PrimitiveBuilder::new()),
        DataType::Time64(_) => Builder::Time(PrimitiveBuilder::new()),
        DataType::Timestamp(_, _) => Builder::Timestamp(PrimitiveBuilder::new()),
        DataType::Interval(_) => Builder::Interval(PrimitiveBuilder::new()),
        DataType::FixedSizeBinary(width) => Builder::Fixed(FixedSizeBinaryBuilder::new(width)),
        // Every other type is stored as text.
        _ => Builder::Text(StringViewBuilder::new()),
    }
}

/// The dimensions that a type was declared with.
fn dimensions(ty: &PgType) -> usize {
    match ty {
        PgType::Array(element) => 1 + dimensions(element),
        _ => 0,
    }
}

fn other_depth() -> TypeError {
    TypeError::unsupported("arrays with another number of dimensions are not supported here")
        .with_hint("Declare the column with as many brackets: integer[][].")
}

/// Whether a field's bytes are of a type, or of a domain over it, which only the catalog knows.
fn is_form_of(oid: u32, ty: &PgType) -> bool {
    const FIRST_OWN_OID: u32 = 16_384;
    let is_own = matches!(ty, PgType::Enum(_) | PgType::Row(_));
    oid == ty.oid() || (oid >= FIRST_OWN_OID && !is_own)
}

fn wrong_fields(found: usize, expected: usize) -> TypeError {
    TypeError::new("42804", format!("wrong number of columns: {found}, expected {expected}"))
}

fn wrong_field(found: u32, expected: &PgType) -> TypeError {
    let (oid, name) = (expected.oid(), expected.without_modifier());
    let found_name = PgType::from_oid(found, -1).map_or_else(|| "???".to_owned(), |ty| ty.name());
    TypeError::new(
        "42804",
        format!(
            "binary data has type {found} ({found_name}) instead of expected {oid} ({name}) in record column"
        ),
    )
}

/// The builder makes the plain Arrow type; the column's may have a scale or a time zone.
fn finish<T: ArrowPrimitiveType>(builder: &mut PrimitiveBuilder<T>, ty: &PgType) -> ArrayRef {
    Arc::new(builder.finish().with_data_type(ty.arrow()))
}

fn list_offset(element: &InputColumn) -> Result<i32, TypeError> {
    i32::try_from(element.len())
        .map_err(|_| TypeError::new("54000", "a batch holds too many array elements"))
}

/// Precision and scale of storage, and whether they were declared.
/// Microseconds with as many digits of the second as the type keeps.
fn kept(ty: &PgType, micros: i64) -> i64 {
    match (ty.second_digits(), ty) {
        (None, _) => micros,
        (Some(digits), PgType::Timestamp(_) | PgType::Timestamptz(_)) => {
            round_timestamp(micros, digits)
        }
        (Some(digits), _) => round_micros(micros, digits),
    }
}

fn numeric_form(ty: &PgType) -> (u8, i8, bool) {
    match ty {
        PgType::Numeric(Some((precision, scale))) => (*precision, *scale, true),
        _ => (NUMERIC_STORAGE.0, NUMERIC_STORAGE.1, false),
    }
}

/// A number, or `-` for none. Names are the catalog's affair.
fn read_object(ty: &PgType, text: &[u8]) -> Result<u32, TypeError> {
    if matches!(ty, PgType::Oid | PgType::Xid | PgType::Cid) {
        return input::read_oid(text, &ty.name());
    }
    if text == b"-" {
        return Ok(0);
    }
    input::read_oid(text, &ty.name()).map_err(|error| match error.sqlstate {
        "22P02" => TypeError::unsupported(format!("names are not supported for type {ty} here"))
            .with_hint("Give the object's OID, or cast the name in the statement."),
        _ => error,
    })
}

fn push_string(
    builder: &mut StringViewBuilder,
    ty: &PgType,
    text: &[u8],
    explicit: bool,
    scratch: &mut Vec<u8>,
) -> Result<(), TypeError> {
    let text = match ty {
        PgType::Tid => return append_text(builder, &input::read_tid(text)?),
        PgType::Inet => return append_text(builder, &input::read_inet(text)?),
        PgType::Record | PgType::Anyarray | PgType::Aclitem | PgType::PgNodeTree => {
            return Err(TypeError::unsupported(format!("cannot accept a value of type {ty}")));
        }
        _ => input::read_text(text)?,
    };
    match ty {
        PgType::Varchar(Some(length)) => {
            append_text(builder, input::read_varchar(text, *length, explicit)?)
        }
        PgType::Bpchar(length) => {
            append_text(builder, input::read_bpchar(text, *length, explicit)?)
        }
        PgType::Name => append_text(builder, input::read_name(text)),
        PgType::InternalChar => {
            let end = text.chars().next().map_or(0, char::len_utf8);
            append_text(builder, text.get(..end).unwrap_or_default())
        }
        PgType::Json => {
            check_json(text)?;
            append_text(builder, text)
        }
        PgType::Jsonb => {
            scratch.clear();
            append_jsonb(text, scratch)?;
            append_text(builder, &String::from_utf8_lossy(scratch))
        }
        PgType::Jsonpath => append_text(builder, &JsonPath::parse(text)?.to_string()),
        PgType::Hstore => append_text(builder, &Hstore::parse(text)?.to_string()),
        _ => append_text(builder, text),
    }
}

fn append_text(builder: &mut StringViewBuilder, text: &str) -> Result<(), TypeError> {
    Ok(builder.try_append_value(text)?)
}

fn append_bytes(builder: &mut BinaryViewBuilder, bytes: &[u8]) -> Result<(), TypeError> {
    Ok(builder.try_append_value(bytes)?)
}
