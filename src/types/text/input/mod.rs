//! Input functions: each reads one value's text, with PostgreSQL's accepted forms and errors.

mod array;
mod clock;
mod date_time;
mod decode;
mod fields;
mod interval;
mod keyword;
mod nested;
mod number;
mod record;
mod scalar;

pub(crate) use array::{ArrayItem, ArrayReader, read_vector};
pub(crate) use date_time::{read_date, read_time, read_timestamp, read_timestamptz, read_timetz};
pub(crate) use interval::read_interval;
pub(crate) use nested::{NestedArray, is_nested, read_nested};
pub(crate) use number::{
    Decimal, read_float4, read_float8, read_int2, read_int4, read_int8, read_numeric, read_oid,
    read_u64,
};
pub(crate) use record::RecordReader;
pub(crate) use scalar::{
    read_bool, read_bpchar, read_bytea, read_inet, read_lsn, read_name, read_text, read_tid,
    read_uuid, read_varchar,
};

/// C's `isspace`.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn trim(text: &[u8]) -> &[u8] {
    trim_end(trim_start(text))
}

fn trim_start(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !is_space(*byte)).unwrap_or(text.len());
    text.get(start..).unwrap_or_default()
}

fn trim_end(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|byte| !is_space(*byte)).map_or(0, |last| last + 1);
    text.get(..end).unwrap_or_default()
}
