//! Numbers of type numeric: an integer and a scale, at most 38 digits.

use std::cmp::Ordering;

use arrow::array::ArrowNativeTypeOp;
use arrow::datatypes::i256;

use crate::error::{PgError, SqlState};

/// `value × 10^-scale`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dec {
    pub(crate) value: i128,
    pub(crate) scale: i8,
}

/// The most digits a numeric can hold.
pub(crate) const MAX_DIGITS: u32 = 38;

impl PartialEq for Dec {
    fn eq(&self, other: &Self) -> bool {
        self.compare(other) == Ordering::Equal
    }
}

fn pow10(exponent: u32) -> i256 {
    i256::from_i128(10).pow_checked(exponent).unwrap_or(i256::MAX)
}

impl Dec {
    pub(crate) fn new(value: i128, scale: i8) -> Self {
        Self { value, scale }
    }

    pub(crate) fn from_int(value: i64) -> Self {
        Self { value: value.into(), scale: 0 }
    }

    pub(crate) fn overflow() -> PgError {
        PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format")
            .detail("graphwire stores numeric in 38 digits.")
    }

    /// The value as an integer of another scale, rounded half away from zero.
    pub(crate) fn at_scale(self, scale: i8) -> Result<i128, PgError> {
        let shift = i32::from(scale) - i32::from(self.scale);
        if shift >= 0 {
            let factor = u32::try_from(shift).ok().and_then(|shift| 10_i128.checked_pow(shift));
            return match (self.value, factor) {
                (0, _) => Ok(0),
                (value, Some(factor)) => value.checked_mul(factor).ok_or_else(Self::overflow),
                (_, None) => Err(Self::overflow()),
            };
        }
        let Some(factor) = 10_i128.checked_pow(shift.unsigned_abs()) else { return Ok(0) };
        let (quotient, rest) = (self.value / factor, self.value % factor);
        let up = rest.unsigned_abs() >= factor.unsigned_abs() - rest.unsigned_abs();
        Ok(if up { quotient + self.value.signum() } else { quotient })
    }

    /// The integer to store in `numeric(precision, scale)`.
    pub(crate) fn fit(self, precision: u8, scale: i8) -> Result<i128, PgError> {
        let value = self.at_scale(scale).map_err(|_| Self::field_overflow(precision, scale))?;
        let limit = 10_i128.checked_pow(precision.into()).unwrap_or(i128::MAX);
        if value.checked_abs().is_some_and(|value| value < limit) {
            return Ok(value);
        }
        if precision == 38 {
            Err(Self::overflow())
        } else {
            Err(Self::field_overflow(precision, scale))
        }
    }

    fn field_overflow(precision: u8, scale: i8) -> PgError {
        let whole = i32::from(precision) - i32::from(scale);
        let detail = format!(
            "A field with precision {precision}, scale {scale} must round to an absolute value less than {}{}.",
            if whole == 0 { "" } else { "10^" },
            if whole == 0 { 1 } else { whole }
        );
        PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow").detail(detail)
    }

    /// Rounded half away from zero to this many digits after the point (before it, if negative).
    pub(crate) fn round(self, scale: i8) -> Result<Self, PgError> {
        if scale >= self.scale {
            return Ok(self);
        }
        Self { value: self.at_scale(scale)?, scale }.at_least(scale.max(0))
    }

    /// Cut off to this many digits after the point (before it, if negative).
    pub(crate) fn truncate(self, scale: i8) -> Result<Self, PgError> {
        if scale >= self.scale {
            return Ok(self);
        }
        let shift = (i32::from(self.scale) - i32::from(scale)).unsigned_abs();
        let value = 10_i128.checked_pow(shift).map_or(0, |factor| self.value / factor);
        Self { value, scale }.at_least(scale.max(0))
    }

    /// The same number with at least this scale.
    pub(crate) fn at_least(self, scale: i8) -> Result<Self, PgError> {
        if scale <= self.scale {
            return Ok(self);
        }
        Ok(Self { value: self.at_scale(scale)?, scale })
    }

    /// The largest whole number not above.
    pub(crate) fn floor(self) -> Result<Self, PgError> {
        let whole = self.truncate(0)?;
        if whole.compare(&self) == Ordering::Greater {
            return Ok(Self { value: whole.value - 1, scale: 0 });
        }
        Ok(whole)
    }

    /// The smallest whole number not below.
    pub(crate) fn ceil(self) -> Result<Self, PgError> {
        Ok(self.neg().floor()?.neg())
    }

    pub(crate) fn neg(self) -> Self {
        Self { value: -self.value, scale: self.scale }
    }

    pub(crate) fn abs(self) -> Self {
        Self { value: self.value.abs(), scale: self.scale }
    }

    pub(crate) fn is_zero(self) -> bool {
        self.value == 0
    }

    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        let scale = self.scale.max(other.scale);
        self.wide(scale).cmp(&other.wide(scale))
    }

    fn wide(self, scale: i8) -> i256 {
        let shift = u32::try_from(i32::from(scale) - i32::from(self.scale)).unwrap_or(0);
        i256::from_i128(self.value).wrapping_mul(pow10(shift))
    }

    fn narrow(value: i256, scale: i8) -> Result<Self, PgError> {
        let value = value.to_i128().ok_or_else(Self::overflow)?;
        if value.unsigned_abs() >= 10_u128.pow(MAX_DIGITS) {
            return Err(Self::overflow());
        }
        Ok(Self { value, scale })
    }

    pub(crate) fn add(self, other: Self) -> Result<Self, PgError> {
        let scale = self.scale.max(other.scale);
        Self::narrow(self.wide(scale).wrapping_add(other.wide(scale)), scale)
    }

    pub(crate) fn sub(self, other: Self) -> Result<Self, PgError> {
        self.add(other.neg())
    }

    /// The product at this scale, rounded half away from zero.
    pub(crate) fn mul(self, other: Self, scale: i8) -> Result<Self, PgError> {
        let exact = i256::from_i128(self.value).wrapping_mul(i256::from_i128(other.value));
        let from = i32::from(self.scale) + i32::from(other.scale);
        let shift = from - i32::from(scale);
        let value = match u32::try_from(shift) {
            Ok(shift) => round_div(exact, pow10(shift)),
            Err(_) => exact.checked_mul(pow10(shift.unsigned_abs())).ok_or_else(Self::overflow)?,
        };
        Self::narrow(value, scale)
    }

    /// The quotient at this scale, rounded half away from zero.
    ///
    /// # Errors
    /// `22012`, `22003`.
    pub(crate) fn div(self, other: Self, scale: i8) -> Result<Self, PgError> {
        if other.is_zero() {
            return Err(division_by_zero());
        }
        let shift = i32::from(scale) + i32::from(other.scale) - i32::from(self.scale);
        let (mut top, mut bottom) = (i256::from_i128(self.value), i256::from_i128(other.value));
        match u32::try_from(shift) {
            Ok(shift) => top = top.checked_mul(pow10(shift)).ok_or_else(Self::overflow)?,
            Err(_) => {
                bottom =
                    bottom.checked_mul(pow10(shift.unsigned_abs())).ok_or_else(Self::overflow)?
            }
        }
        Self::narrow(round_div(top, bottom), scale)
    }

    /// The remainder, with the sign of the dividend.
    ///
    /// # Errors
    /// `22012`, `22003`.
    pub(crate) fn rem(self, other: Self) -> Result<Self, PgError> {
        if other.is_zero() {
            return Err(division_by_zero());
        }
        let scale = self.scale.max(other.scale);
        Self::narrow(self.wide(scale).wrapping_rem(other.wide(scale)), scale)
    }

    pub(crate) fn to_f64(self) -> f64 {
        // Through text: the nearest double to the decimal, which a division would miss.
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// The nearest decimal with at most 15 significant digits, as PostgreSQL converts float8.
    ///
    /// # Errors
    /// `0A000` for NaN and infinities, `22003` beyond 38 digits.
    pub(crate) fn from_f64(value: f64, digits: usize) -> Result<Self, PgError> {
        if !value.is_finite() {
            return Err(PgError::unsupported(
                "cannot convert NaN or infinity to numeric",
                "graphwire's numeric has no NaN or infinity; use double precision.",
            ));
        }
        let text = format!("{:.*e}", digits.saturating_sub(1), value);
        let mut parsed = Self::parse(&text).ok_or_else(Self::overflow)?;
        while parsed.scale > 0 && parsed.value % 10 == 0 {
            parsed = Self { value: parsed.value / 10, scale: parsed.scale - 1 };
        }
        if parsed.scale < 0 { parsed.at_least(0) } else { Ok(parsed) }
    }

    /// Reads `-1.50`, `1e10`; `None` if it is not a number or does not fit.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (text.get(..at)?, text.get(at + 1..)?.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, digits) = match mantissa.as_bytes().first()? {
            b'-' => (true, mantissa.get(1..)?),
            b'+' => (false, mantissa.get(1..)?),
            _ => (false, mantissa),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let mut value: i128 = 0;
        for byte in whole.bytes().chain(fraction.bytes()) {
            let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
            value = value.checked_mul(10)?.checked_add(digit.into())?;
        }
        let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        let signed = if negative { -value } else { value };
        if scale < 0 {
            let factor = 10_i128.checked_pow(scale.unsigned_abs())?;
            return Some(Self { value: signed.checked_mul(factor)?, scale: 0 });
        }
        let mut result = Self { value: signed, scale: i8::try_from(scale.min(127)).ok()? };
        if scale > 37 {
            result = Self { value: result.at_scale(37).ok()?, scale: 37 };
        }
        Some(result)
    }

    /// As an integer, rounded half away from zero.
    pub(crate) fn to_integer(self) -> Result<i128, PgError> {
        self.at_scale(0)
    }

    /// Without zeros at the end of the fraction.
    pub(crate) fn trimmed(self) -> Self {
        let mut result = self;
        while result.scale > 0 && result.value % 10 == 0 {
            result = Self { value: result.value / 10, scale: result.scale - 1 };
        }
        result
    }
}

fn round_div(top: i256, bottom: i256) -> i256 {
    let (quotient, rest) = (top.wrapping_div(bottom), top.wrapping_rem(bottom));
    let (rest, limit) = (rest.wrapping_abs(), bottom.wrapping_abs());
    if rest >= limit.wrapping_sub(rest) {
        let negative = top.is_negative() != bottom.is_negative();
        return quotient.wrapping_add(if negative { i256::MINUS_ONE } else { i256::ONE });
    }
    quotient
}

/// `22012`.
pub(crate) fn division_by_zero() -> PgError {
    PgError::new(SqlState::DIVISION_BY_ZERO, "division by zero")
}

impl std::fmt::Display for Dec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = self.value.unsigned_abs().to_string();
        if self.value < 0 {
            f.write_str("-")?;
        }
        let Ok(scale) = usize::try_from(self.scale) else {
            return write!(f, "{digits}{}", "0".repeat(self.scale.unsigned_abs().into()));
        };
        if scale == 0 {
            return f.write_str(&digits);
        }
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale);
        write!(f, "{whole}.{fraction}")
    }
}
