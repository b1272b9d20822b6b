//! Integers, floats and decimals.

use arrow::datatypes::i256;

use crate::types::error::{TypeError, lossy};

use super::{is_space, trim, trim_start};

pub(crate) fn read_int2(text: &[u8]) -> Result<i16, TypeError> {
    let number = read_integer(text, "smallint")?;
    i16::try_from(number).map_err(|_| TypeError::out_of_range("smallint", text))
}

pub(crate) fn read_int4(text: &[u8]) -> Result<i32, TypeError> {
    let number = read_integer(text, "integer")?;
    i32::try_from(number).map_err(|_| TypeError::out_of_range("integer", text))
}

pub(crate) fn read_int8(text: &[u8]) -> Result<i64, TypeError> {
    read_integer(text, "bigint")
}

/// Decimal digits with an optional sign, between spaces.
#[inline]
fn read_integer(text: &[u8], type_name: &str) -> Result<i64, TypeError> {
    // The usual case: digits alone, too few to overflow.
    if let 1..=18 = text.len() {
        let mut number = 0_i64;
        let mut plain = true;
        for byte in text {
            let digit = byte.wrapping_sub(b'0');
            plain &= digit < 10;
            number = number.wrapping_mul(10).wrapping_add(i64::from(digit));
        }
        if plain {
            return Ok(number);
        }
    }
    read_spaced_integer(text, type_name)
}

fn read_spaced_integer(text: &[u8], type_name: &str) -> Result<i64, TypeError> {
    let syntax = || TypeError::syntax(type_name, text);
    let mut rest = trim_start(text);
    let negative = match rest.first() {
        Some(b'-') => true,
        Some(b'+') => false,
        _ => false,
    };
    if matches!(rest.first(), Some(b'-' | b'+')) {
        rest = &rest[1..];
    }
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return Err(syntax());
    }
    let (digits, rest) = rest.split_at(digits);
    let mut number = 0_i64;
    for digit in digits {
        let digit = i64::from(digit - b'0');
        let next = number.checked_mul(10);
        // Counted downwards: the smallest number has no positive counterpart.
        let next = next.and_then(|next| next.checked_sub(digit));
        number = next.ok_or_else(|| TypeError::out_of_range(type_name, text))?;
    }
    if !rest.iter().all(|byte| is_space(*byte)) {
        return Err(syntax());
    }
    if negative {
        return Ok(number);
    }
    number.checked_neg().ok_or_else(|| TypeError::out_of_range(type_name, text))
}

/// An object identifier; a negative number counts from 2^32 down, as in PostgreSQL.
pub(crate) fn read_oid(text: &[u8], type_name: &str) -> Result<u32, TypeError> {
    let number = read_integer(text, type_name)?;
    u32::try_from(number)
        .or_else(|_| i32::try_from(number).map(|number| number as u32))
        .map_err(|_| TypeError::out_of_range(type_name, text))
}

pub(crate) fn read_u64(text: &[u8], type_name: &str) -> Result<u64, TypeError> {
    let digits = std::str::from_utf8(trim(text)).unwrap_or_default();
    digits.parse().map_err(|_| TypeError::syntax(type_name, text))
}

pub(crate) fn read_float8(text: &[u8]) -> Result<f64, TypeError> {
    read_float(text, "double precision", |text| text.parse().ok(), |value| value == 0.0)
}

pub(crate) fn read_float4(text: &[u8]) -> Result<f32, TypeError> {
    let read = |text: &str| text.parse::<f32>().ok();
    read_float(text, "real", read, |value| value == 0.0)
}

trait Float: Copy {
    const NAN: Self;
    const INFINITY: Self;
    fn negate(self) -> Self;
    fn is_infinity(self) -> bool;
}

impl Float for f64 {
    const NAN: Self = f64::NAN;
    const INFINITY: Self = f64::INFINITY;
    fn negate(self) -> Self {
        -self
    }
    fn is_infinity(self) -> bool {
        self.is_infinite()
    }
}

impl Float for f32 {
    const NAN: Self = f32::NAN;
    const INFINITY: Self = f32::INFINITY;
    fn negate(self) -> Self {
        -self
    }
    fn is_infinity(self) -> bool {
        self.is_infinite()
    }
}

fn read_float<F: Float>(
    text: &[u8],
    type_name: &str,
    read: impl Fn(&str) -> Option<F>,
    is_zero: impl Fn(F) -> bool,
) -> Result<F, TypeError> {
    let syntax = || TypeError::syntax(type_name, text);
    let number = trim(text);
    if let Some(special) = special_float(number) {
        return Ok(special);
    }
    let unsigned = match number.first() {
        Some(b'+' | b'-') => &number[1..],
        _ => number,
    };
    // Rust also reads words such as "infinity", which were dealt with above.
    if !matches!(unsigned.first(), Some(b'0'..=b'9' | b'.')) {
        return Err(syntax());
    }
    let value = std::str::from_utf8(number).ok().and_then(read).ok_or_else(syntax)?;
    let mantissa = unsigned.iter().take_while(|byte| !matches!(byte, b'e' | b'E'));
    let underflows = is_zero(value) && mantissa.clone().any(|byte| matches!(byte, b'1'..=b'9'));
    if value.is_infinity() || underflows {
        let number = lossy(number);
        return Err(TypeError::new(
            "22003",
            format!("\"{number}\" is out of range for type {type_name}"),
        ));
    }
    Ok(value)
}

fn special_float<F: Float>(text: &[u8]) -> Option<F> {
    let (negative, word) = match text.first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let is = |expected: &[u8]| word.eq_ignore_ascii_case(expected);
    if is(b"nan") {
        return Some(F::NAN);
    }
    if is(b"infinity") || is(b"inf") {
        return Some(if negative { F::INFINITY.negate() } else { F::INFINITY });
    }
    None
}

/// A decimal scaled to its column: `value / 10^scale`.
pub(crate) trait Decimal: Copy {
    fn zero() -> Self;
    /// `self * 10 + digit`, if it fits.
    fn push_digit(self, digit: u8) -> Option<Self>;
    fn checked_increment(self) -> Option<Self>;
    fn negated(self) -> Self;
}

impl Decimal for i128 {
    fn zero() -> Self {
        0
    }
    fn push_digit(self, digit: u8) -> Option<Self> {
        self.checked_mul(10)?.checked_add(i128::from(digit))
    }
    fn checked_increment(self) -> Option<Self> {
        self.checked_add(1)
    }
    fn negated(self) -> Self {
        -self
    }
}

impl Decimal for i256 {
    fn zero() -> Self {
        i256::ZERO
    }
    fn push_digit(self, digit: u8) -> Option<Self> {
        self.checked_mul(i256::from_i128(10))?.checked_add(i256::from_i128(i128::from(digit)))
    }
    fn checked_increment(self) -> Option<Self> {
        self.checked_add(i256::ONE)
    }
    fn negated(self) -> Self {
        self.wrapping_neg()
    }
}

/// Reads a decimal and rounds it, half away from zero, to the column's scale.
///
/// `declared` is false for `numeric` without a precision, whose storage is graphwire's affair.
pub(crate) fn read_numeric<D: Decimal>(
    text: &[u8],
    precision: u8,
    scale: i8,
    declared: bool,
) -> Result<D, TypeError> {
    let number = DecimalText::read(text, precision, scale, declared)?;
    number.scaled(precision, scale).ok_or_else(|| overflow(precision, scale, declared))
}

/// `numeric field overflow`, or what PostgreSQL says of a number too large for any numeric.
pub(crate) fn overflow(precision: u8, scale: i8, declared: bool) -> TypeError {
    if !declared {
        let whole = i32::from(precision) - i32::from(scale);
        return TypeError::new("22003", "value overflows numeric format").with_detail(format!(
            "numeric without a precision holds {whole} digits before the decimal point."
        ));
    }
    let digits = i32::from(precision) - i32::from(scale);
    let bound = if digits == 0 { "1".to_owned() } else { format!("10^{digits}") };
    TypeError::new("22003", "numeric field overflow").with_detail(format!(
        "A field with precision {precision}, scale {scale} must round to an absolute value less \
         than {bound}."
    ))
}

/// The parts of a decimal's text: the value is `digits × 10^(exponent - digits after the point)`.
struct DecimalText<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

impl<'a> DecimalText<'a> {
    fn read(text: &'a [u8], precision: u8, scale: i8, declared: bool) -> Result<Self, TypeError> {
        let syntax = || TypeError::syntax("numeric", text);
        let number = trim(text);
        let (negative, unsigned) = match number.first() {
            Some(b'-') => (true, &number[1..]),
            Some(b'+') => (false, &number[1..]),
            _ => (false, number),
        };
        let is = |word: &[u8]| unsigned.eq_ignore_ascii_case(word);
        if is(b"infinity") || is(b"inf") {
            return Err(if declared {
                TypeError::new("22003", "numeric field overflow").with_detail(format!(
                    "A field with precision {precision}, scale {scale} cannot hold an infinite \
                     value."
                ))
            } else {
                not_finite("Infinity")
            });
        }
        if number.eq_ignore_ascii_case(b"nan") {
            return Err(not_finite("NaN"));
        }
        let count_digits =
            |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (whole, rest) = unsigned.split_at(count_digits(unsigned));
        let (fraction, rest) = match rest.split_first() {
            Some((b'.', rest)) => rest.split_at(count_digits(rest)),
            _ => (&rest[..0], rest),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(syntax());
        }
        let exponent = match rest.split_first() {
            None => 0,
            Some((b'e' | b'E', exponent)) => read_exponent(exponent).ok_or_else(syntax)?,
            Some(_) => return Err(syntax()),
        };
        if exponent.abs() >= i64::from(i32::MAX / 2) {
            return Err(TypeError::new("22003", "value overflows numeric format"));
        }
        Ok(Self { negative, whole, fraction, exponent })
    }

    fn scaled<D: Decimal>(&self, precision: u8, scale: i8) -> Option<D> {
        let digits = || self.whole.iter().chain(self.fraction).map(|digit| digit - b'0');
        // How many of the digits, zeros added at the end if need be, are kept.
        let kept = self.whole.len() as i64 + self.exponent + i64::from(scale);
        let mut value = D::zero();
        let mut significant = 0_u32;
        for digit in digits().take(usize::try_from(kept).unwrap_or(0)) {
            if digit != 0 || significant > 0 {
                significant += 1;
                if significant > u32::from(precision) {
                    return None;
                }
            }
            value = value.push_digit(digit)?;
        }
        let available = (self.whole.len() + self.fraction.len()) as i64;
        if significant > 0 {
            for _ in available..kept {
                significant += 1;
                if significant > u32::from(precision) {
                    return None;
                }
                value = value.push_digit(0)?;
            }
        }
        // Where even the first digit is below the rounding digit, the number rounds to zero.
        let next = usize::try_from(kept).ok().and_then(|kept| digits().nth(kept));
        if next.is_some_and(|digit| digit >= 5) {
            value = value.checked_increment()?;
            if significant == u32::from(precision) && self.all_nines(kept) {
                return None;
            }
        }
        Some(if self.negative { value.negated() } else { value })
    }

    /// Whether the kept digits are zeros and then nines alone, so that a carry makes one more digit.
    fn all_nines(&self, kept: i64) -> bool {
        let kept = usize::try_from(kept).unwrap_or(0);
        let digits = self.whole.iter().chain(self.fraction).take(kept);
        digits.skip_while(|digit| **digit == b'0').all(|digit| *digit == b'9')
    }
}

fn read_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits
        .iter()
        .fold(0_i64, |sum, d| sum.saturating_mul(10).saturating_add(i64::from(d - b'0')));
    Some(if negative { -value } else { value })
}

/// **Deviation from PostgreSQL:** decimals are stored as integers, which have no such values.
pub(crate) fn not_finite(word: &str) -> TypeError {
    TypeError::unsupported(format!("numeric cannot hold {word}"))
        .with_hint("Use double precision for values that may not be finite.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T: std::fmt::Debug>(result: Result<T, TypeError>) -> &'static str {
        result.unwrap_err().sqlstate
    }

    #[test]
    fn integers() {
        assert_eq!(read_int4(b" -42 "), Ok(-42));
        assert_eq!(read_int4(b"+7"), Ok(7));
        assert_eq!(read_int8(b"-9223372036854775808"), Ok(i64::MIN));
        assert_eq!(
            read_int2(b"32768").unwrap_err().message,
            "value \"32768\" is out of range for type smallint"
        );
        assert_eq!(
            read_int4(b"x").unwrap_err().message,
            "invalid input syntax for type integer: \"x\""
        );
        for bad in ["", " ", "-", "1 2", "1.5", "0x10", "--1"] {
            assert_eq!(code(read_int4(bad.as_bytes())), "22P02", "{bad}");
        }
        assert_eq!(code(read_int8(b"9223372036854775808")), "22003");
        assert_eq!(read_oid(b"4294967295", "oid"), Ok(u32::MAX));
        assert_eq!(read_oid(b"-1", "oid"), Ok(u32::MAX));
        assert_eq!(code(read_oid(b"4294967296", "oid")), "22003");
    }

    #[test]
    fn floats() {
        assert_eq!(read_float8(b" 1.5e3 "), Ok(1500.0));
        assert_eq!(read_float8(b"-inf"), Ok(f64::NEG_INFINITY));
        assert!(read_float8(b"nan").unwrap().is_nan());
        assert_eq!(read_float8(b".5"), Ok(0.5));
        assert_eq!(read_float8(b"5."), Ok(5.0));
        assert_eq!(code(read_float8(b"1e400")), "22003");
        assert_eq!(code(read_float8(b"1e-400")), "22003");
        assert_eq!(code(read_float4(b"1e39")), "22003");
        assert_eq!(read_float8(b"0e-400"), Ok(0.0));
        for bad in ["", "x", "1x", "1e", ".", "infi"] {
            assert_eq!(code(read_float8(bad.as_bytes())), "22P02", "{bad}");
        }
    }

    #[test]
    fn numerics_are_rounded_to_their_scale() {
        let read = |text: &str| read_numeric::<i128>(text.as_bytes(), 6, 2, true);
        assert_eq!(read("1.005"), Ok(101));
        assert_eq!(read("-1.005"), Ok(-101));
        assert_eq!(read("0.004999"), Ok(0));
        assert_eq!(read("1234.5"), Ok(123_450));
        assert_eq!(read("1.5e2"), Ok(15_000));
        assert_eq!(read("15e-3"), Ok(2));
        assert_eq!(read("5e-3"), Ok(1));
        assert_eq!(read("5e-4"), Ok(0));
        assert_eq!(read(".5"), Ok(50));
        assert_eq!(read("9999.99"), Ok(999_999));
        assert_eq!(code(read("9999.995")), "22003");
        assert_eq!(code(read("10000")), "22003");
        assert_eq!(read("0000009999.99"), Ok(999_999));
        assert_eq!(code(read("1e100")), "22003");
        assert_eq!(read("0e100"), Ok(0));
        assert_eq!(code(read("NaN")), "0A000");
        for bad in ["", "x", "1.2.3", "1e", "1 2", "."] {
            assert_eq!(code(read(bad)), "22P02", "{bad}");
        }
        assert_eq!(read_numeric::<i128>(b"1250", 3, -2, true), Ok(13));
        assert_eq!(
            read_numeric::<i128>(b"0.995", 2, 2, true).map_err(|e| e.sqlstate),
            Err("22003")
        );
    }
}
