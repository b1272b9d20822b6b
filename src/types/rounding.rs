//! Seconds with fewer digits than the six that are kept: `timestamp(3)`, `time(0)`.

/// Microseconds rounded to some digits of the second; half a unit goes away from zero. Infinity stays.
#[must_use]
pub fn round_micros(micros: i64, digits: u8) -> i64 {
    if micros == i64::MIN || micros == i64::MAX {
        return micros;
    }
    let unit = 10_u64.pow(u32::from(6_u8.saturating_sub(digits)));
    let magnitude = micros.unsigned_abs().saturating_add(unit / 2);
    let magnitude = (magnitude / unit * unit).cast_signed();
    if micros < 0 { -magnitude } else { magnitude }
}

/// Microseconds from 1970 to 2000, from where PostgreSQL counts: halves go away from there.
const EPOCH_2000: i64 = 946_684_800_000_000;

/// A timestamp rounded to some digits of the second, as microseconds since 1970.
#[must_use]
pub fn round_timestamp(micros: i64, digits: u8) -> i64 {
    if micros == i64::MIN || micros == i64::MAX {
        return micros;
    }
    round_micros(micros.saturating_sub(EPOCH_2000), digits).saturating_add(EPOCH_2000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_unit_goes_away_from_zero() {
        assert_eq!(round_micros(1_234_500, 3), 1_235_000);
        assert_eq!(round_micros(-1_234_500, 3), -1_235_000);
        assert_eq!(round_micros(1_499_999, 0), 1_000_000);
        assert_eq!(round_micros(1_499_999, 6), 1_499_999);
        assert_eq!(round_micros(i64::MAX, 0), i64::MAX);
        assert_eq!(round_timestamp(EPOCH_2000 - 500, 3), EPOCH_2000 - 1000);
        assert_eq!(round_timestamp(EPOCH_2000 + 500, 3), EPOCH_2000 + 1000);
    }
}
