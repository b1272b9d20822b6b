//! Rows of PostgreSQL values to one Arrow batch.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BooleanBuilder, Float32Builder, Float64Builder, Int16Builder,
    Int32Builder, Int64Builder, IntervalMonthDayNanoBuilder, ListBuilder, StringViewBuilder,
    TimestampMicrosecondBuilder, UInt32Builder, new_null_array,
};
use arrow::datatypes::{DataType, IntervalMonthDayNano, SchemaRef, TimeUnit};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use super::rows::SystemRowsError;
use crate::types::Oid;

/// Microseconds from 1970-01-01 to 2000-01-01, the epochs of Arrow and of [`SessionFacts`].
///
/// [`SessionFacts`]: super::facts::SessionFacts
const EPOCH_DIFFERENCE_US: i64 = 946_684_800_000_000;

/// A value of a catalog column.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int2(i16),
    Int4(i32),
    Int8(i64),
    Float4(f32),
    Oid(Oid),
    Char(char),
    Text(Cow<'a, str>),
    /// Microseconds since 2000-01-01 UTC.
    Timestamptz(i64),
    /// Seconds.
    Interval(i64),
    Int2s(Vec<i16>),
    Oids(Vec<Oid>),
    Texts(Vec<String>),
}

macro_rules! value_from {
    ($($from:ty => $variant:ident),* $(,)?) => {
        $(impl From<$from> for Value<'_> {
            fn from(value: $from) -> Self {
                Self::$variant(value)
            }
        })*
    };
}
value_from! {
    bool => Bool, i16 => Int2, i32 => Int4, i64 => Int8, f32 => Float4, Oid => Oid, char => Char,
    Vec<i16> => Int2s, Vec<Oid> => Oids, Vec<String> => Texts,
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Cow::Borrowed(value))
    }
}

impl From<String> for Value<'_> {
    fn from(value: String) -> Self {
        Self::Text(Cow::Owned(value))
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Adds a row: `row!(out, oid: …, relname: …)`, every column by name, in order.
macro_rules! row {
    ($out:expr, $($name:ident: $value:expr),+ $(,)?) => {
        $out.push(&[$((stringify!($name), $crate::catalog::pg::batch::Value::from($value))),+])?
    };
}
pub(super) use row;

/// Collects the rows of one relation.
pub(super) struct Rows {
    relation: &'static str,
    schema: SchemaRef,
    columns: Vec<Builder>,
    len: usize,
}

impl Rows {
    /// No rows yet. The schema's fields are the relation's columns.
    pub(super) fn new(relation: &'static str, schema: SchemaRef) -> Self {
        let columns = schema.fields().iter().map(|field| Builder::new(field.data_type())).collect();
        Self { relation, schema, columns, len: 0 }
    }

    /// Adds one row, with a value for each column under its name.
    ///
    /// # Errors
    /// [`SystemRowsError::Column`] if a value does not fit its column: a defect here.
    pub(super) fn push(&mut self, row: &[(&str, Value<'_>)]) -> Result<(), SystemRowsError> {
        let names_fit = row.len() == self.columns.len()
            && row.iter().zip(self.schema.fields()).all(|((name, _), field)| name == field.name());
        if !names_fit {
            return Err(SystemRowsError::Columns { relation: self.relation });
        }
        for ((name, value), column) in row.iter().zip(&mut self.columns) {
            column.push(value).ok_or_else(|| SystemRowsError::Column {
                relation: self.relation,
                column: (*name).to_owned(),
            })?;
        }
        self.len += 1;
        Ok(())
    }

    /// Adds one row of texts in COPY's form, in the order of the columns.
    ///
    /// # Errors
    /// [`SystemRowsError::Column`] if a text is not a value of its column's type.
    pub(super) fn push_text(&mut self, row: &[&str]) -> Result<(), SystemRowsError> {
        for (index, column) in self.columns.iter_mut().enumerate() {
            let pushed = row.get(index).and_then(|text| column.push_text(text));
            pushed.ok_or_else(|| SystemRowsError::Column {
                relation: self.relation,
                column: self.schema.field(index).name().clone(),
            })?;
        }
        self.len += 1;
        Ok(())
    }

    /// The rows so far, as one batch with the relation's schema.
    ///
    /// # Errors
    /// [`SystemRowsError::Arrow`] if a column that must not be null has a null.
    pub(super) fn finish(self) -> Result<RecordBatch, SystemRowsError> {
        let len = self.len;
        let arrays = self
            .columns
            .into_iter()
            .zip(self.schema.fields())
            .map(|(column, field)| column.finish(field.data_type(), len))
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(len));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options).map_err(
            |source| SystemRowsError::Arrow { relation: self.relation, source: source.into() },
        )
    }
}

/// A column under construction, by how it is stored.
enum Builder {
    Bool(BooleanBuilder),
    Int2(Int16Builder),
    Int4(Int32Builder),
    Int8(Int64Builder),
    Float4(Float32Builder),
    Float8(Float64Builder),
    Oid(UInt32Builder),
    Text(StringViewBuilder),
    Timestamptz(TimestampMicrosecondBuilder),
    Interval(IntervalMonthDayNanoBuilder),
    Int2s(ListBuilder<Int16Builder>),
    Oids(ListBuilder<UInt32Builder>),
    Texts(ListBuilder<StringViewBuilder>),
    /// A type that no computed column has a value of: all null.
    Nulls,
}

impl Builder {
    fn new(data_type: &DataType) -> Self {
        match data_type {
            DataType::Boolean => Self::Bool(BooleanBuilder::new()),
            DataType::Int16 => Self::Int2(Int16Builder::new()),
            DataType::Int32 => Self::Int4(Int32Builder::new()),
            DataType::Int64 => Self::Int8(Int64Builder::new()),
            DataType::Float32 => Self::Float4(Float32Builder::new()),
            DataType::Float64 => Self::Float8(Float64Builder::new()),
            DataType::UInt32 => Self::Oid(UInt32Builder::new()),
            DataType::Utf8View => Self::Text(StringViewBuilder::new()),
            DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) => Self::Timestamptz(
                TimestampMicrosecondBuilder::new().with_timezone(Arc::clone(zone)),
            ),
            DataType::Interval(_) => Self::Interval(IntervalMonthDayNanoBuilder::new()),
            DataType::List(item) => match item.data_type() {
                DataType::Int16 => Self::Int2s(list(item, Int16Builder::new())),
                DataType::UInt32 => Self::Oids(list(item, UInt32Builder::new())),
                DataType::Utf8View => Self::Texts(list(item, StringViewBuilder::new())),
                _ => Self::Nulls,
            },
            _ => Self::Nulls,
        }
    }

    /// `None` if the value does not fit the column.
    fn push(&mut self, value: &Value<'_>) -> Option<()> {
        match (self, value) {
            (builder, Value::Null) => builder.push_null(),
            (Self::Bool(builder), Value::Bool(value)) => builder.append_value(*value),
            (Self::Int2(builder), Value::Int2(value)) => builder.append_value(*value),
            (Self::Int4(builder), Value::Int4(value)) => builder.append_value(*value),
            (Self::Int8(builder), Value::Int8(value)) => builder.append_value(*value),
            (Self::Float4(builder), Value::Float4(value)) => builder.append_value(*value),
            (Self::Oid(builder), Value::Oid(value)) => builder.append_value(value.0),
            (Self::Text(builder), Value::Text(value)) => builder.append_value(value),
            (Self::Text(builder), Value::Char(value)) => {
                builder.append_value(value.encode_utf8(&mut [0; 4]));
            }
            (Self::Timestamptz(builder), Value::Timestamptz(value)) => {
                builder.append_value(value.saturating_add(EPOCH_DIFFERENCE_US));
            }
            (Self::Interval(builder), Value::Interval(seconds)) => {
                builder.append_value(interval_of_seconds(*seconds));
            }
            (Self::Int2s(builder), Value::Int2s(values)) => {
                builder.append_value(values.iter().copied().map(Some));
            }
            (Self::Oids(builder), Value::Oids(values)) => {
                builder.append_value(values.iter().map(|value| Some(value.0)));
            }
            (Self::Texts(builder), Value::Texts(values)) => {
                builder.append_value(values.iter().map(Some));
            }
            _ => return None,
        }
        Some(())
    }

    fn push_null(&mut self) {
        match self {
            Self::Bool(builder) => builder.append_null(),
            Self::Int2(builder) => builder.append_null(),
            Self::Int4(builder) => builder.append_null(),
            Self::Int8(builder) => builder.append_null(),
            Self::Float4(builder) => builder.append_null(),
            Self::Float8(builder) => builder.append_null(),
            Self::Oid(builder) => builder.append_null(),
            Self::Text(builder) => builder.append_null(),
            Self::Timestamptz(builder) => builder.append_null(),
            Self::Interval(builder) => builder.append_null(),
            Self::Int2s(builder) => builder.append_null(),
            Self::Oids(builder) => builder.append_null(),
            Self::Texts(builder) => builder.append_null(),
            Self::Nulls => {}
        }
    }

    /// `None` if the text is not a value of the column's type.
    fn push_text(&mut self, text: &str) -> Option<()> {
        if text == "\\N" {
            self.push_null();
            return Some(());
        }
        match self {
            Self::Bool(builder) => builder.append_value(text == "t"),
            Self::Int2(builder) => builder.append_value(text.parse().ok()?),
            Self::Int4(builder) => builder.append_value(text.parse().ok()?),
            Self::Int8(builder) => builder.append_value(text.parse().ok()?),
            Self::Float4(builder) => builder.append_value(text.parse().ok()?),
            Self::Float8(builder) => builder.append_value(text.parse().ok()?),
            Self::Oid(builder) => builder.append_value(text.parse().ok()?),
            Self::Text(builder) => builder.append_value(text.replace("\\\\", "\\")),
            Self::Int2s(builder) => {
                let values: Option<Vec<_>> = elements(text).map(|v| v.parse().ok()).collect();
                builder.append_value(values?.into_iter().map(Some));
            }
            Self::Oids(builder) => {
                let values: Option<Vec<_>> = elements(text).map(|v| v.parse().ok()).collect();
                builder.append_value(values?.into_iter().map(Some));
            }
            Self::Texts(builder) => builder.append_value(elements(text).map(Some)),
            Self::Interval(builder) => {
                builder.append_value(interval_of_seconds(text.parse().ok()?));
            }
            Self::Timestamptz(_) | Self::Nulls => return None,
        }
        Some(())
    }

    fn finish(self, data_type: &DataType, len: usize) -> ArrayRef {
        let mut builder: Box<dyn ArrayBuilder> = match self {
            Self::Bool(builder) => Box::new(builder),
            Self::Int2(builder) => Box::new(builder),
            Self::Int4(builder) => Box::new(builder),
            Self::Int8(builder) => Box::new(builder),
            Self::Float4(builder) => Box::new(builder),
            Self::Float8(builder) => Box::new(builder),
            Self::Oid(builder) => Box::new(builder),
            Self::Text(builder) => Box::new(builder),
            Self::Timestamptz(builder) => Box::new(builder),
            Self::Interval(builder) => Box::new(builder),
            Self::Int2s(builder) => Box::new(builder),
            Self::Oids(builder) => Box::new(builder),
            Self::Texts(builder) => Box::new(builder),
            Self::Nulls => return new_null_array(data_type, len),
        };
        builder.finish()
    }
}

fn interval_of_seconds(seconds: i64) -> IntervalMonthDayNano {
    IntervalMonthDayNano::new(0, 0, seconds.saturating_mul(1_000_000_000))
}

fn list<B: ArrayBuilder>(item: &arrow::datatypes::FieldRef, values: B) -> ListBuilder<B> {
    ListBuilder::new(values).with_field(Arc::clone(item))
}

/// The elements of `{a,"b c",""}` or of a vector, `1 2 3`. The data files have no quotes, commas or
/// backslashes inside elements.
fn elements(text: &str) -> impl Iterator<Item = &str> {
    let (inner, separator) = match text.strip_prefix('{') {
        Some(rest) => (rest.trim_end_matches('}'), ','),
        None => (text, ' '),
    };
    let split = (!inner.is_empty()).then(|| inner.split(separator));
    split.into_iter().flatten().map(|element| element.trim_matches('"'))
}
