//! Integers, floats and decimals.

use arrow::datatypes::i256;

use crate::types::settings::OutputSettings;

pub(crate) fn append_integer(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// `16/B374D848`: the two halves in hexadecimal.
pub(crate) fn append_lsn(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{:X}/{:X}", value >> 32, value & 0xffff_ffff).as_bytes());
}

/// Appends `value / 10^scale`. With `trim`, zeros at the end of the fraction are left out.
pub(crate) fn append_decimal(value: i128, scale: i8, trim: bool, out: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    // Most decimals fit 64 bits, which are several times faster to write.
    let text = match i64::try_from(value) {
        Ok(small) => buffer.format(small),
        Err(_) => buffer.format(value),
    };
    append_scaled(text, scale, trim, out);
}

/// [`append_decimal`] for the wide representation.
pub(crate) fn append_decimal256(value: i256, scale: i8, out: &mut Vec<u8>) {
    match value.to_i128() {
        Some(small) => append_decimal(small, scale, false, out),
        None => append_scaled(&value.to_string(), scale, false, out),
    }
}

/// Puts the point into the digits of an integer.
fn append_scaled(text: &str, scale: i8, trim: bool, out: &mut Vec<u8>) {
    const ZEROS: [u8; 128] = [b'0'; 128];
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (&b"-"[..], digits.as_bytes()),
        None => (&b""[..], text.as_bytes()),
    };
    out.extend_from_slice(sign);
    let Ok(scale_digits) = usize::try_from(scale) else {
        out.extend_from_slice(digits);
        if digits != b"0" {
            out.extend_from_slice(&ZEROS[..usize::from(scale.unsigned_abs()).min(128)]);
        }
        return;
    };
    if scale_digits == 0 {
        out.extend_from_slice(digits);
        return;
    }
    if digits.len() > scale_digits {
        let (whole, fraction) = digits.split_at(digits.len() - scale_digits);
        out.extend_from_slice(whole);
        out.push(b'.');
        out.extend_from_slice(fraction);
    } else {
        out.extend_from_slice(b"0.");
        out.extend_from_slice(&ZEROS[..(scale_digits - digits.len()).min(128)]);
        out.extend_from_slice(digits);
    }
    if trim {
        while out.last() == Some(&b'0') {
            out.pop();
        }
        if out.last() == Some(&b'.') {
            out.pop();
        }
    }
}

pub(crate) fn append_float8(value: f64, settings: &OutputSettings, out: &mut Vec<u8>) {
    if append_special(value, out) {
        return;
    }
    if settings.extra_float_digits < 1 {
        return append_rounded(value, 15 + settings.extra_float_digits, out);
    }
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value);
    if value == 0.0 || (1e-4..1e15).contains(&value.abs()) {
        return append_plain(text, out);
    }
    let bits = value.to_bits();
    let biased = (bits >> 52) & 0x7ff;
    let mantissa = (bits & ((1 << 52) - 1)) | if biased == 0 { 0 } else { 1 << 52 };
    if let Some(longer) = boundary_digits(text, mantissa, |text| text.parse() == Ok(value), value) {
        return append_shortest(&longer, 15, out);
    }
    append_shortest(text, 15, out);
}

pub(crate) fn append_float4(value: f32, settings: &OutputSettings, out: &mut Vec<u8>) {
    if append_special(f64::from(value), out) {
        return;
    }
    if settings.extra_float_digits < 1 {
        return append_rounded(f64::from(value), 6 + settings.extra_float_digits, out);
    }
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value);
    if value == 0.0 || (1e-4..1e6).contains(&value.abs()) {
        return append_plain(text, out);
    }
    let bits = value.to_bits();
    let biased = (bits >> 23) & 0xff;
    let mantissa = u64::from(bits & ((1 << 23) - 1)) | if biased == 0 { 0 } else { 1 << 23 };
    let exact = |text: &str| text.parse() == Ok(value);
    if let Some(longer) = boundary_digits(text, mantissa, exact, f64::from(value)) {
        return append_shortest(&longer, 6, out);
    }
    append_shortest(text, 6, out);
}

fn append_special(value: f64, out: &mut Vec<u8>) -> bool {
    if value.is_finite() {
        return false;
    }
    out.extend_from_slice(if value.is_nan() {
        b"NaN"
    } else if value > 0.0 {
        b"Infinity"
    } else {
        b"-Infinity"
    });
    true
}

/// The digits of a decimal text, `d1d2d3… × 10^exponent` with the point after the first digit.
struct Scientific {
    negative: bool,
    /// 17 digits at most are ever written for a double.
    digits: [u8; 24],
    len: usize,
    exponent: i32,
}

impl Scientific {
    /// Reads `1.25`, `0.0125`, `125.0`, `1.25e-7`.
    fn read(text: &str) -> Self {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match text.split_once('e') {
            Some((mantissa, exponent)) => (mantissa, exponent.parse().unwrap_or(0)),
            None => (text, 0),
        };
        let mut number = Self { negative, digits: [b'0'; 24], len: 0, exponent: exponent - 1 };
        let mut after_point = false;
        for byte in mantissa.bytes() {
            if byte == b'.' {
                after_point = true;
                continue;
            }
            if number.len > 0 || byte != b'0' {
                if let Some(slot) = number.digits.get_mut(number.len) {
                    *slot = byte;
                    number.len += 1;
                }
                number.exponent += i32::from(!after_point);
            } else if after_point {
                number.exponent -= 1;
            }
        }
        while number.len > 1 && number.digits[number.len - 1] == b'0' {
            number.len -= 1;
        }
        if number.len == 0 {
            number.len = 1;
            number.exponent = 0;
        }
        number
    }

    fn digits(&self) -> &[u8] {
        self.digits.get(..self.len).unwrap_or_default()
    }

    /// Plain notation from 10^-4 up to `10^plain_digits`, else with an exponent of at least two
    /// digits: the rule of C's `%g`.
    fn append(&self, plain_digits: i32, out: &mut Vec<u8>) {
        let digits = self.digits();
        if self.negative {
            out.push(b'-');
        }
        if (-4..plain_digits).contains(&self.exponent) {
            let Ok(before_point) = usize::try_from(self.exponent + 1) else {
                out.extend_from_slice(b"0.");
                out.extend((self.exponent + 1..0).map(|_| b'0'));
                out.extend_from_slice(digits);
                return;
            };
            if before_point == 0 {
                out.extend_from_slice(b"0.");
                out.extend_from_slice(digits);
            } else if before_point >= digits.len() {
                out.extend_from_slice(digits);
                out.extend((digits.len()..before_point).map(|_| b'0'));
            } else {
                let (whole, fraction) = digits.split_at(before_point);
                out.extend_from_slice(whole);
                out.push(b'.');
                out.extend_from_slice(fraction);
            }
            return;
        }
        out.push(digits[0]);
        if digits.len() > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        }
        out.extend_from_slice(if self.exponent < 0 { b"e-" } else { b"e+" });
        let exponent = self.exponent.unsigned_abs();
        if exponent >= 100 {
            append_integer(exponent, out);
        } else {
            out.extend_from_slice(&super::two_digits(exponent));
        }
    }
}

/// A number that ryu and PostgreSQL both write without an exponent; it has neighbors enough that its
/// shortest digits are never half-way to one.
fn append_plain(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(text.strip_suffix(".0").unwrap_or(text).as_bytes());
}

fn append_shortest(text: &str, plain_digits: i32, out: &mut Vec<u8>) {
    Scientific::read(text).append(plain_digits, out);
}

/// `%.{digits}g`.
fn append_rounded(value: f64, digits: i32, out: &mut Vec<u8>) {
    let digits = digits.clamp(1, 17);
    let precision = usize::try_from(digits - 1).unwrap_or(0);
    let mut number = Scientific::read(&format!("{value:.precision$e}"));
    if value == 0.0 {
        number.negative = value.is_sign_negative();
    }
    number.append(digits, out);
}

/// PostgreSQL writes the shortest digits strictly nearer to the value than to its neighbors; ryu also
/// takes digits that lie exactly half-way and would be rounded to it (`1e23`). For those, and there
/// are few, gives the shortest other digits.
///
/// Half-way to a neighbor of `mantissa × 2^e` is `(2 × mantissa ± 1) × 2^(e-1)`, so the odd part of
/// the digits' value tells.
fn boundary_digits(
    text: &str,
    mantissa: u64,
    is_value: impl Fn(&str) -> bool,
    value: f64,
) -> Option<String> {
    if mantissa % 2 == 1 || !text.contains('e') {
        return None;
    }
    let number = Scientific::read(text);
    let zeros = u32::try_from(number.exponent + 1 - i32::try_from(number.len).ok()?).ok()?;
    let digits = std::str::from_utf8(number.digits()).ok()?.parse::<u128>().ok()?;
    let odd = (digits >> digits.trailing_zeros()).checked_mul(5_u128.checked_pow(zeros)?)?;
    let twice = u128::from(mantissa) * 2;
    // A trailing factor of two of the mantissa does not matter: 2m ± 1 is odd.
    if odd != twice + 1 && odd + 1 != twice {
        return None;
    }
    let differs = |text: &str| Scientific::read(text).digits() != number.digits();
    (number.len..17)
        .map(|precision| format!("{value:.precision$e}"))
        .find(|text| differs(text) && is_value(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn float8(value: f64, extra_float_digits: i32) -> String {
        let settings = OutputSettings { extra_float_digits, ..OutputSettings::default() };
        let mut out = Vec::new();
        append_float8(value, &settings, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn float4(value: f32) -> String {
        let mut out = Vec::new();
        append_float4(value, &OutputSettings::default(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_are_shortest() {
        let cases = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (0.1, "0.1"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (-1.5e-7, "-1.5e-07"),
            (123_456_789_012_345.0, "123456789012345"),
            (1e15, "1e+15"),
            (1_234_567_890_123_456.0, "1.234567890123456e+15"),
            (1e23, "9.999999999999999e+22"),
            (9_007_199_254_740_992.0, "9.007199254740992e+15"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ];
        for (value, expected) in cases {
            assert_eq!(float8(value, 1), expected);
        }
        assert_eq!(float4(0.0095), "0.0095");
        assert_eq!(float4(123_456.0), "123456");
        assert_eq!(float4(16_777_216.0), "1.6777216e+07");
        assert_eq!(float4(1e10), "1e+10");
    }

    #[test]
    fn floats_with_fewer_digits() {
        assert_eq!(float8(0.1 + 0.2, 0), "0.3");
        assert_eq!(float8(1.0 / 3.0, 0), "0.333333333333333");
        assert_eq!(float8(1e15, 0), "1e+15");
        assert_eq!(float8(123_456.0, -13), "1.2e+05");
        assert_eq!(float8(-0.0, 0), "-0");
    }

    #[test]
    fn decimals() {
        let text = |value, scale, trim| {
            let mut out = Vec::new();
            append_decimal(value, scale, trim, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text(12345, 2, false), "123.45");
        assert_eq!(text(-5, 2, false), "-0.05");
        assert_eq!(text(0, 2, false), "0.00");
        assert_eq!(text(150, 2, true), "1.5");
        assert_eq!(text(100, 2, true), "1");
        assert_eq!(text(12, -2, false), "1200");
        assert_eq!(text(0, -2, false), "0");
    }
}
