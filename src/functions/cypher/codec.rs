//! ANY values as bytes: one encoding that is exact and that sorts, byte by byte, in Cypher's order.
//!
//! So `ORDER BY`, `min`, `max`, `DISTINCT` and joins on ANY are the engine's own operators on binary columns.
//!
//! ```text
//! map           10 (02 key value)* 01          keys ascending; key as a string without its tag
//! node          20 reference:u64 json          big-endian; json as a string without its tag
//! relationship  30 reference:u64 json
//! list          40 value* 01
//! path          50 count:u32 reference:u64* json
//! temporal      60 … 65 key:i64 key:i64 parts  ZONED DATETIME, LOCAL DATETIME, DATE, ZONED TIME, LOCAL TIME, DURATION
//! string        70 bytes 00 00                 00 inside is 00 FF
//! boolean       80 00 | 01
//! number        90 float:u64 rest:u16 kind:u8  kind 0 INTEGER, 1 FLOAT, 2 the float -0.0
//! null          F0                             inside lists and maps alone; a null column value is Arrow's null
//! ```
//!
//! A number is the greatest float not above it, with the sign bit turned so that bytes sort, and what an integer has
//! beyond that float (at most 1023). `1` and `1.0` differ in the last byte alone: [`grouping_key`] clears it, so that
//! they are one group.
//!
//! `LANGUAGES.md` §1.6 proposes a struct of a sort key and an exact value; one binary column does the same with half
//! the bytes and without a struct in every operator.

use super::temporal::Temporal;
use super::value::{Element, Value};

const MAP: u8 = 0x10;
const NODE: u8 = 0x20;
const RELATIONSHIP: u8 = 0x30;
const LIST: u8 = 0x40;
const PATH: u8 = 0x50;
const DATE_TIME: u8 = 0x60;
const LOCAL_DATE_TIME: u8 = 0x61;
const DATE: u8 = 0x62;
const TIME: u8 = 0x63;
const LOCAL_TIME: u8 = 0x64;
const DURATION: u8 = 0x65;
const STRING: u8 = 0x70;
const BOOLEAN: u8 = 0x80;
const NUMBER: u8 = 0x90;
const NULL: u8 = 0xF0;
const END: u8 = 0x01;
const ENTRY: u8 = 0x02;

const KIND_INTEGER: u8 = 0;
const KIND_FLOAT: u8 = 1;
const KIND_NEGATIVE_ZERO: u8 = 2;

/// Nesting that is refused when it is read: no value made by a statement is so deep.
const DEPTH_MAX: usize = 200;

/// The bytes of a value.
pub fn encode(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16);
    write(value, &mut bytes, true);
    bytes
}

/// The bytes of a value for grouping: numbers that are equal have equal bytes.
pub fn grouping_key(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16);
    write(value, &mut bytes, false);
    bytes
}

/// Whether a value may be, or hold, an element or a path.
pub fn may_hold_elements(bytes: &[u8]) -> bool {
    matches!(bytes.first(), Some(&(MAP | NODE | RELATIONSHIP | LIST | PATH)))
}

/// The value of bytes that [`encode`] made; `None` for any others.
pub fn decode(bytes: &[u8]) -> Option<Value> {
    let mut reader = Reader { bytes, depth: 0 };
    let value = reader.value()?;
    reader.bytes.is_empty().then_some(value)
}

fn write(value: &Value, out: &mut Vec<u8>, exact: bool) {
    match value {
        Value::Null => out.push(NULL),
        Value::Boolean(boolean) => out.extend([BOOLEAN, u8::from(*boolean)]),
        Value::Integer(integer) => {
            let (float, rest) = split(*integer);
            write_number(float, rest, KIND_INTEGER, out);
        }
        Value::Float(float) => {
            let kind = match (exact, *float == 0.0 && float.is_sign_negative()) {
                (false, _) => KIND_INTEGER,
                (true, true) => KIND_NEGATIVE_ZERO,
                (true, false) => KIND_FLOAT,
            };
            write_number(*float + 0.0, 0, kind, out);
        }
        Value::String(text) | Value::Json(text) => {
            out.push(STRING);
            write_text(text, out);
        }
        Value::Temporal(temporal) => write_temporal(temporal, out),
        Value::List(items) => {
            out.push(LIST);
            for item in items {
                write(item, out, exact);
            }
            out.push(END);
        }
        Value::Map(entries) => {
            out.push(MAP);
            for (key, value) in entries {
                out.push(ENTRY);
                write_text(key, out);
                write(value, out, exact);
            }
            out.push(END);
        }
        Value::Element(element) => {
            out.push(if element.edge { RELATIONSHIP } else { NODE });
            out.extend(element.reference.to_be_bytes());
            write_text(&element.json, out);
        }
        Value::Path { elements, json } => {
            out.push(PATH);
            out.extend(u32::try_from(elements.len()).unwrap_or(u32::MAX).to_be_bytes());
            for reference in elements {
                out.extend(reference.to_be_bytes());
            }
            write_text(json, out);
        }
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        out.push(byte);
        if byte == 0 {
            out.push(0xFF);
        }
    }
    out.extend([0, 0]);
}

/// The greatest float not above an integer, and what is left.
fn split(integer: i64) -> (f64, u16) {
    let mut float = integer as f64;
    if float as i128 > i128::from(integer) {
        float = float.next_down();
    }
    (float, (i128::from(integer) - float as i128) as u16)
}

fn write_number(float: f64, rest: u16, kind: u8, out: &mut Vec<u8>) {
    out.push(NUMBER);
    let bits = if float.is_nan() { u64::MAX } else { ordered(float.to_bits()) };
    out.extend(bits.to_be_bytes());
    out.extend(rest.to_be_bytes());
    out.push(kind);
}

/// Float bits so that unsigned order is numeric order.
fn ordered(bits: u64) -> u64 {
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn write_key(key: i64, out: &mut Vec<u8>) {
    out.extend((key as u64 ^ 1 << 63).to_be_bytes());
}

fn write_temporal(temporal: &Temporal, out: &mut Vec<u8>) {
    out.push(match temporal {
        Temporal::DateTime { .. } => DATE_TIME,
        Temporal::LocalDateTime { .. } => LOCAL_DATE_TIME,
        Temporal::Date(_) => DATE,
        Temporal::Time { .. } => TIME,
        Temporal::LocalTime(_) => LOCAL_TIME,
        Temporal::Duration { .. } => DURATION,
    });
    let (first, second) = temporal.sort_key();
    write_key(first, out);
    write_key(second, out);
    match temporal {
        Temporal::DateTime { offset, zone, .. } => {
            out.extend((*offset as u32 ^ 1 << 31).to_be_bytes());
            write_text(zone.as_deref().unwrap_or(""), out);
        }
        Temporal::Duration { months, days, seconds, .. } => {
            for part in [months, days, seconds] {
                write_key(*part, out);
            }
        }
        Temporal::LocalDateTime { .. }
        | Temporal::Date(_)
        | Temporal::Time { .. }
        | Temporal::LocalTime(_) => {}
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    depth: usize,
}

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.bytes.split_first_chunk::<N>()?;
        self.bytes = tail;
        Some(*head)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn key(&mut self) -> Option<i64> {
        self.array().map(|bytes| (u64::from_be_bytes(bytes) ^ 1 << 63) as i64)
    }

    fn text(&mut self) -> Option<String> {
        let mut text = Vec::new();
        loop {
            match self.byte()? {
                0 => match self.byte()? {
                    0 => return String::from_utf8(text).ok(),
                    _ => text.push(0),
                },
                byte => text.push(byte),
            }
        }
    }

    fn value(&mut self) -> Option<Value> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return None;
        }
        let value = match self.byte()? {
            NULL => Value::Null,
            BOOLEAN => Value::Boolean(self.byte()? != 0),
            NUMBER => self.number()?,
            STRING => Value::String(self.text()?),
            LIST => Value::List(self.list()?),
            MAP => Value::Map(self.entries()?),
            tag @ (NODE | RELATIONSHIP) => Value::Element(Element {
                edge: tag == RELATIONSHIP,
                reference: u64::from_be_bytes(self.array()?),
                json: self.text()?,
            }),
            PATH => {
                let count = u32::from_be_bytes(self.array()?);
                let elements = (0..count)
                    .map(|_| self.array().map(u64::from_be_bytes))
                    .collect::<Option<_>>()?;
                Value::Path { elements, json: self.text()? }
            }
            tag => Value::Temporal(self.temporal(tag)?),
        };
        self.depth -= 1;
        Some(value)
    }

    fn number(&mut self) -> Option<Value> {
        let bits = u64::from_be_bytes(self.array()?);
        let rest = u16::from_be_bytes(self.array()?);
        let kind = self.byte()?;
        if bits == u64::MAX {
            return Some(Value::Float(f64::NAN));
        }
        let float = f64::from_bits(if bits >> 63 == 1 { bits & !(1 << 63) } else { !bits });
        match kind {
            KIND_INTEGER => {
                i64::try_from(float as i128 + i128::from(rest)).ok().map(Value::Integer)
            }
            KIND_NEGATIVE_ZERO => Some(Value::Float(-0.0)),
            KIND_FLOAT => Some(Value::Float(float)),
            _ => None,
        }
    }

    fn list(&mut self) -> Option<Vec<Value>> {
        let mut items = Vec::new();
        while *self.bytes.first()? != END {
            items.push(self.value()?);
        }
        self.byte()?;
        Some(items)
    }

    fn entries(&mut self) -> Option<Vec<(String, Value)>> {
        let mut entries = Vec::new();
        while self.byte()? == ENTRY {
            let key = self.text()?;
            entries.push((key, self.value()?));
        }
        Some(entries)
    }

    fn temporal(&mut self, tag: u8) -> Option<Temporal> {
        let (first, second) = (self.key()?, self.key()?);
        Some(match tag {
            DATE => Temporal::Date(first),
            LOCAL_TIME => Temporal::LocalTime(first),
            TIME => {
                let offset = i32::try_from(second).ok()?;
                Temporal::Time { nanos: first + second * 1_000_000_000, offset }
            }
            LOCAL_DATE_TIME => {
                Temporal::LocalDateTime { seconds: first, nanos: u32::try_from(second).ok()? }
            }
            DATE_TIME => {
                let offset = (u32::from_be_bytes(self.array()?) ^ 1 << 31) as i32;
                let zone = Some(self.text()?).filter(|zone| !zone.is_empty());
                Temporal::DateTime {
                    seconds: first,
                    nanos: u32::try_from(second).ok()?,
                    offset,
                    zone,
                }
            }
            DURATION => Temporal::Duration {
                months: self.key()?,
                days: self.key()?,
                seconds: self.key()?,
                nanos: i32::try_from(second).ok()?,
            },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_and_sorted() {
        let sorted = [
            Value::Float(f64::NEG_INFINITY),
            Value::Integer(i64::MIN),
            Value::Integer(i64::MIN + 1),
            Value::Float(-1.5),
            Value::Integer(-1),
            Value::Integer(0),
            Value::Float(0.5),
            Value::Integer(1),
            Value::Float(1.5),
            Value::Integer((1 << 53) + 1),
            Value::Integer(i64::MAX - 1),
            Value::Integer(i64::MAX),
            Value::Float(9.3e18),
            Value::Float(f64::INFINITY),
        ];
        for pair in sorted.windows(2) {
            assert!(encode(&pair[0]) < encode(&pair[1]), "{pair:?}");
        }
        for value in sorted {
            assert_eq!(decode(&encode(&value)), Some(value));
        }
        assert!(
            matches!(decode(&encode(&Value::Float(f64::NAN))), Some(Value::Float(float)) if float.is_nan())
        );
        assert_eq!(grouping_key(&Value::Integer(1)), grouping_key(&Value::Float(1.0)));
        assert_ne!(encode(&Value::Integer(1)), encode(&Value::Float(1.0)));
    }

    #[test]
    fn types_sort_in_cyphers_order() {
        let sorted = [
            Value::map([("a".to_owned(), Value::Integer(1))]),
            Value::List(vec![]),
            Value::List(vec![Value::String("a".to_owned()), Value::Integer(1)]),
            Value::List(vec![Value::Integer(1)]),
            Value::List(vec![Value::Integer(1), Value::Null]),
            Value::Temporal(Temporal::Date(-5)),
            Value::Temporal(Temporal::Date(5)),
            Value::String("a".to_owned()),
            Value::String("a\0b".to_owned()),
            Value::String("ab".to_owned()),
            Value::Boolean(false),
            Value::Boolean(true),
            Value::Integer(3),
            Value::Null,
        ];
        for pair in sorted.windows(2) {
            assert!(encode(&pair[0]) < encode(&pair[1]), "{pair:?}");
        }
        for value in sorted {
            assert_eq!(decode(&encode(&value)), Some(value));
        }
    }

    #[test]
    fn bytes_that_no_value_has_are_refused() {
        for bytes in [&[][..], &[LIST], &[STRING, 0xFF, 0, 0], &[0x99], &[BOOLEAN], &[LIST; 500]] {
            assert_eq!(decode(bytes), None);
        }
    }
}
