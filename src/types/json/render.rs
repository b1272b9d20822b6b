//! Structures, maps and what is in them, written as `jsonb` text.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;

use crate::types::column::OutputColumn;
use crate::types::error::TypeError;
use crate::types::pg_type::PgType;
use crate::types::settings::OutputSettings;

/// A column of any Arrow type, written as JSON values.
pub(crate) struct JsonColumn {
    nulls: Option<NullBuffer>,
    values: Values,
}

enum Values {
    /// Members in `jsonb` order: shorter names first.
    Object(Vec<(Vec<u8>, JsonColumn)>),
    Map {
        maps: Box<MapArray>,
        keys: Box<OutputColumn>,
        values: Box<JsonColumn>,
    },
    List {
        lists: ListArray,
        elements: Box<JsonColumn>,
    },
    /// Written as it stands: numbers, booleans, JSON itself.
    Bare(OutputColumn),
    /// A float: the values JSON has no number for are strings.
    Float(OutputColumn),
    /// Everything else as a string of its text.
    Quoted(OutputColumn),
    Null,
}

impl JsonColumn {
    pub(crate) fn new(array: &ArrayRef) -> Result<Self, TypeError> {
        let ty = PgType::from_arrow(array.data_type());
        Self::with_type(&ty, array)
    }

    fn with_type(ty: &PgType, array: &ArrayRef) -> Result<Self, TypeError> {
        let nulls = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
        let values = match array.data_type() {
            DataType::Null => Values::Null,
            DataType::Struct(_) => Self::object(array)?,
            DataType::Map(_, _) => Self::map(array)?,
            DataType::List(item) => {
                let lists = array.as_list::<i32>().clone();
                let element = PgType::from_field(item);
                let elements = Box::new(Self::with_type(&element, lists.values())?);
                Values::List { lists, elements }
            }
            DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
                let list = DataType::List(Arc::clone(item));
                return Self::with_type(ty, &arrow::compute::cast(array, &list)?);
            }
            _ => {
                let column = OutputColumn::new(ty, array)?;
                match ty {
                    PgType::Float4 | PgType::Float8 => Values::Float(column),
                    PgType::Bool => Values::Quoted(column),
                    PgType::Int2
                    | PgType::Int4
                    | PgType::Int8
                    | PgType::Numeric(_)
                    | PgType::Json
                    | PgType::Jsonb => Values::Bare(column),
                    _ => Values::Quoted(column),
                }
            }
        };
        // Booleans are written by hand: their PostgreSQL text is `t` and `f`.
        let values = match (ty, values) {
            (PgType::Bool, Values::Quoted(column)) => Values::Bare(column),
            (_, values) => values,
        };
        Ok(Self { nulls, values })
    }

    fn object(array: &ArrayRef) -> Result<Values, TypeError> {
        let structs = array.as_struct();
        let mut members = Vec::with_capacity(structs.num_columns());
        for (field, column) in structs.fields().iter().zip(structs.columns()) {
            let column = Self::with_type(&PgType::from_field(field), column)?;
            members.push((field.name().clone(), column));
        }
        members.sort_by(|(a, _), (b, _)| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
        let quoted = |(name, column): (String, Self)| {
            let mut text = Vec::with_capacity(name.len() + 4);
            append_string(name.as_bytes(), &mut text);
            text.extend_from_slice(b": ");
            (text, column)
        };
        Ok(Values::Object(members.into_iter().map(quoted).collect()))
    }

    fn map(array: &ArrayRef) -> Result<Values, TypeError> {
        let maps = array.as_map().clone();
        let keys = OutputColumn::new(&PgType::from_arrow(maps.key_type()), maps.keys())?;
        let values = Box::new(Self::new(maps.values())?);
        Ok(Values::Map { maps: Box::new(maps), keys: Box::new(keys), values })
    }

    pub(crate) fn nulls(&self) -> Option<NullBuffer> {
        self.nulls.clone()
    }

    fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    /// Appends the JSON of a value; `null` for NULL.
    pub(crate) fn append(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_null(row) {
            return out.extend_from_slice(b"null");
        }
        let settings = OutputSettings::canonical();
        match &self.values {
            Values::Null => out.extend_from_slice(b"null"),
            Values::Object(members) => {
                out.push(b'{');
                for (index, (name, column)) in members.iter().enumerate() {
                    append_separator(index, out);
                    out.extend_from_slice(name);
                    column.append(row, out);
                }
                out.push(b'}');
            }
            Values::Map { maps, keys, values } => append_map(row, maps, keys, values, out),
            Values::List { lists, elements } => {
                let offsets = lists.value_offsets();
                out.push(b'[');
                for (index, at) in (offsets[row]..offsets[row + 1]).enumerate() {
                    append_separator(index, out);
                    elements.append(at as usize, out);
                }
                out.push(b']');
            }
            Values::Bare(column) => {
                let start = out.len();
                column.append_text(row, &settings, out);
                let word = match out.get(start..) {
                    Some(b"t") => &b"true"[..],
                    Some(b"f") => b"false",
                    _ => return,
                };
                out.truncate(start);
                out.extend_from_slice(word);
            }
            Values::Float(column) => {
                let start = out.len();
                column.append_text(row, &settings, out);
                if out.get(start..).is_some_and(|text| text.iter().any(u8::is_ascii_uppercase)) {
                    out.insert(start, b'"');
                    out.push(b'"');
                }
            }
            Values::Quoted(column) => {
                let mut text = Vec::new();
                column.append_text(row, &settings, &mut text);
                append_string(&text, out);
            }
        }
    }
}

fn append_separator(index: usize, out: &mut Vec<u8>) {
    if index > 0 {
        out.extend_from_slice(b", ");
    }
}

fn append_map(
    row: usize,
    maps: &MapArray,
    keys: &OutputColumn,
    values: &JsonColumn,
    out: &mut Vec<u8>,
) {
    let offsets = maps.value_offsets();
    let settings = OutputSettings::canonical();
    let key_of = |at: i32| {
        let mut key = Vec::new();
        keys.append_text(at as usize, &settings, &mut key);
        (key, at as usize)
    };
    let mut entries: Vec<_> = (offsets[row]..offsets[row + 1]).map(key_of).collect();
    entries.sort_by(|(a, _), (b, _)| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    out.push(b'{');
    for (index, (key, at)) in entries.iter().enumerate() {
        append_separator(index, out);
        append_string(key, out);
        out.extend_from_slice(b": ");
        values.append(*at, out);
    }
    out.push(b'}');
}

/// Appends a JSON string; the bytes are UTF-8.
pub(crate) fn append_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut written = 0;
    for (at, byte) in text.iter().enumerate() {
        let escape = match byte {
            b'"' => &b"\\\""[..],
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0x08 => b"\\b",
            0x0c => b"\\f",
            0x00..=0x1f => b"",
            _ => continue,
        };
        out.extend_from_slice(text.get(written..at).unwrap_or_default());
        if escape.is_empty() {
            let digits = b"0123456789abcdef";
            out.extend_from_slice(b"\\u00");
            out.extend([digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]);
        } else {
            out.extend_from_slice(escape);
        }
        written = at + 1;
    }
    out.extend_from_slice(text.get(written..).unwrap_or_default());
    out.push(b'"');
}
