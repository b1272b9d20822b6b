//! Range literals: `[1,5)`, `(,"2020-01-01 00:00:00"]`, `empty`.

use super::{Bound, Range, RangeKind};
use crate::types::error::{TypeError, lossy};
use crate::types::pg_type::NUMERIC_STORAGE;
use crate::types::settings::{InputSettings, OutputSettings};
use crate::types::text::input::{self, is_space};
use crate::types::text::output;

/// The stored form of a range literal.
///
/// # Errors
/// `22P02`, `22000`; what the type of the bounds says.
pub(crate) fn read_text(
    kind: RangeKind,
    literal: &[u8],
    settings: &InputSettings,
) -> Result<Vec<u8>, TypeError> {
    Ok(read_range(kind, literal, settings)?.encode(kind))
}

/// The range of a literal.
///
/// # Errors
/// As [`read_text`].
pub(super) fn read_range(
    kind: RangeKind,
    literal: &[u8],
    settings: &InputSettings,
) -> Result<Range, TypeError> {
    let mut reader = Reader { what: "range", literal, rest: literal };
    reader.skip_spaces();
    if let Some((word, rest)) = reader.rest.split_at_checked(EMPTY.len())
        && word.eq_ignore_ascii_case(EMPTY)
    {
        reader.rest = rest;
        reader.finish("Junk after \"empty\" key word.")?;
        return Ok(Range::Empty);
    }
    let lower_inclusive = match reader.next() {
        Some(b'[') => true,
        Some(b'(') => false,
        _ => return Err(reader.malformed("Missing left parenthesis or bracket.")),
    };
    let lower = reader.bound()?;
    if reader.next() != Some(b',') {
        return Err(reader.malformed("Missing comma after lower bound."));
    }
    let upper = reader.bound()?;
    let upper_inclusive = match reader.next() {
        Some(b']') => true,
        Some(b')') => false,
        _ => return Err(reader.malformed("Too many commas.")),
    };
    reader.finish("Junk after right parenthesis or bracket.")?;
    let value =
        |text: Option<Vec<u8>>| text.map(|text| read_value(kind, &text, settings)).transpose();
    let lower = Bound { value: value(lower)?, inclusive: lower_inclusive };
    let upper = Bound { value: value(upper)?, inclusive: upper_inclusive };
    Range::new(kind, lower, upper)
}

pub(super) const EMPTY: &[u8] = b"empty";

fn read_value(kind: RangeKind, text: &[u8], settings: &InputSettings) -> Result<i128, TypeError> {
    Ok(match kind {
        RangeKind::Int4 => input::read_int4(text)?.into(),
        RangeKind::Int8 => input::read_int8(text)?.into(),
        RangeKind::Num => {
            let (precision, scale) = NUMERIC_STORAGE;
            input::read_numeric(text, precision, scale, false)?
        }
        RangeKind::Ts => input::read_timestamp(text, settings)?.into(),
        RangeKind::Tstz => input::read_timestamptz(text, settings)?.into(),
        RangeKind::Date => input::read_date(text, settings)?.into(),
    })
}

/// Reads a literal from its start on.
pub(super) struct Reader<'a> {
    /// `range` or `multirange`, for errors.
    pub(super) what: &'static str,
    pub(super) literal: &'a [u8],
    pub(super) rest: &'a [u8],
}

impl Reader<'_> {
    pub(super) fn malformed(&self, detail: &str) -> TypeError {
        let message = format!("malformed {} literal: \"{}\"", self.what, lossy(self.literal));
        TypeError::new("22P02", message).with_detail(detail)
    }

    pub(super) fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    pub(super) fn skip_spaces(&mut self) {
        while self.rest.first().is_some_and(|byte| is_space(*byte)) {
            self.next();
        }
    }

    pub(super) fn finish(&mut self, junk: &str) -> Result<(), TypeError> {
        self.skip_spaces();
        if self.rest.is_empty() { Ok(()) } else { Err(self.malformed(junk)) }
    }

    /// The text of a bound, without its quotes; none where nothing stands.
    fn bound(&mut self) -> Result<Option<Vec<u8>>, TypeError> {
        let ends = |byte: Option<&u8>| matches!(byte, Some(b',' | b')' | b']'));
        if ends(self.rest.first()) {
            return Ok(None);
        }
        let (mut text, mut quoted) = (Vec::new(), false);
        while quoted || !ends(self.rest.first()) {
            let over = |reader: &Self| reader.malformed("Unexpected end of input.");
            match self.next().ok_or_else(|| over(self))? {
                b'\\' => text.push(self.next().ok_or_else(|| over(self))?),
                b'"' if !quoted => quoted = true,
                b'"' if self.rest.first() == Some(&b'"') => text.extend(self.next()),
                b'"' => quoted = false,
                byte => text.push(byte),
            }
        }
        Ok(Some(text))
    }
}

/// Appends the text of a stored range; nothing for bytes that are none, which would be our own mistake.
pub(crate) fn append_text(
    kind: RangeKind,
    stored: &[u8],
    settings: &OutputSettings,
    out: &mut Vec<u8>,
) {
    if let Ok(range) = Range::decode(kind, stored) {
        append_range(kind, &range, settings, out);
    }
}

pub(super) fn append_range(
    kind: RangeKind,
    range: &Range,
    settings: &OutputSettings,
    out: &mut Vec<u8>,
) {
    let Range::Between { lower, upper } = range else {
        out.extend_from_slice(EMPTY);
        return;
    };
    out.push(if lower.inclusive { b'[' } else { b'(' });
    append_value(kind, lower.value, settings, out);
    out.push(b',');
    append_value(kind, upper.value, settings, out);
    out.push(if upper.inclusive { b']' } else { b')' });
}

fn append_value(
    kind: RangeKind,
    value: Option<i128>,
    settings: &OutputSettings,
    out: &mut Vec<u8>,
) {
    let Some(value) = value else { return };
    let start = out.len();
    match kind {
        RangeKind::Int4 | RangeKind::Int8 => output::append_integer(value, out),
        RangeKind::Num => output::append_decimal(value, NUMERIC_STORAGE.1, true, out),
        RangeKind::Ts => output::append_timestamp(value as i64, settings, out),
        RangeKind::Tstz => output::append_timestamptz(value as i64, settings, out),
        RangeKind::Date => output::append_date(value as i32, settings, out),
    }
    // No bound has a quote, a backslash, a comma or a bracket in it, so a space alone needs quotes.
    if out.get(start..).unwrap_or_default().iter().any(|byte| is_space(*byte)) {
        out.insert(start, b'"');
        out.push(b'"');
    }
}

/// The text of a stored range with the default settings.
pub(crate) fn text_of(kind: RangeKind, stored: &[u8]) -> String {
    let mut text = Vec::new();
    append_text(kind, stored, &OutputSettings::default(), &mut text);
    String::from_utf8_lossy(&text).into_owned()
}
