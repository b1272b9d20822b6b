//! Intervals, in the four interval styles.

use crate::types::calendar::MICROS_PER_SECOND;
use crate::types::settings::IntervalStyle;

use super::append_integer;
use super::date_time::append_seconds;

/// An interval taken apart into the fields it is written with; each may have its own sign.
struct Fields {
    years: i64,
    months: i64,
    days: i64,
    hours: i64,
    minutes: i64,
    seconds: i64,
    micros: i64,
}

impl Fields {
    fn of(months: i32, days: i32, micros: i64) -> Self {
        let seconds = micros / MICROS_PER_SECOND;
        Self {
            years: i64::from(months / 12),
            months: i64::from(months % 12),
            days: i64::from(days),
            hours: seconds / 3600,
            minutes: seconds / 60 % 60,
            seconds: seconds % 60,
            micros: micros % MICROS_PER_SECOND,
        }
    }

    fn all(&self) -> [i64; 7] {
        let Self { years, months, days, hours, minutes, seconds, micros } = *self;
        [years, months, days, hours, minutes, seconds, micros]
    }

    fn has_time(&self) -> bool {
        self.hours != 0 || self.minutes != 0 || self.has_seconds()
    }

    fn has_seconds(&self) -> bool {
        self.seconds != 0 || self.micros != 0
    }

    fn time_is_negative(&self) -> bool {
        self.hours < 0 || self.minutes < 0 || self.seconds < 0 || self.micros < 0
    }
}

pub(crate) fn append_interval(
    months: i32,
    days: i32,
    micros: i64,
    style: IntervalStyle,
    out: &mut Vec<u8>,
) {
    let fields = Fields::of(months, days, micros);
    match style {
        IntervalStyle::Postgres => append_postgres(&fields, out),
        IntervalStyle::PostgresVerbose => append_verbose(&fields, out),
        IntervalStyle::SqlStandard => append_sql_standard(fields, out),
        IntervalStyle::Iso8601 => append_iso(&fields, out),
    }
}

/// `1 year 2 mons -3 days +04:05:06.7`: a positive field after a negative one has a plus sign.
fn append_postgres(fields: &Fields, out: &mut Vec<u8>) {
    let mut is_first = true;
    let mut after_negative = false;
    for (value, unit) in [(fields.years, "year"), (fields.months, "mon"), (fields.days, "day")] {
        if value == 0 {
            continue;
        }
        if !is_first {
            out.push(b' ');
        }
        if after_negative && value > 0 {
            out.push(b'+');
        }
        append_integer(value, out);
        out.push(b' ');
        out.extend_from_slice(unit.as_bytes());
        if value != 1 {
            out.push(b's');
        }
        is_first = false;
        after_negative = value < 0;
    }
    if !is_first && !fields.has_time() {
        return;
    }
    if !is_first {
        out.push(b' ');
    }
    if fields.time_is_negative() {
        out.push(b'-');
    } else if after_negative {
        out.push(b'+');
    }
    append_padded(fields.hours, out);
    out.push(b':');
    append_padded(fields.minutes, out);
    out.push(b':');
    append_seconds(fields.seconds, fields.micros, true, out);
}

/// `@ 1 year 2 mons -3 days 4 hours 5 mins 6.7 secs ago`: signs are relative to the first field's.
fn append_verbose(fields: &Fields, out: &mut Vec<u8>) {
    let mut is_first = true;
    let mut ago = false;
    out.push(b'@');
    let units = [
        (fields.years, "year"),
        (fields.months, "mon"),
        (fields.days, "day"),
        (fields.hours, "hour"),
        (fields.minutes, "min"),
    ];
    for (value, unit) in units {
        if value == 0 {
            continue;
        }
        let mut value = value;
        if is_first {
            ago = value < 0;
            value = value.abs();
        } else if ago {
            value = -value;
        }
        out.push(b' ');
        append_integer(value, out);
        out.push(b' ');
        out.extend_from_slice(unit.as_bytes());
        if value != 1 {
            out.push(b's');
        }
        is_first = false;
    }
    if fields.has_seconds() {
        out.push(b' ');
        if fields.seconds < 0 || fields.micros < 0 {
            if is_first {
                ago = true;
            } else if !ago {
                out.push(b'-');
            }
        } else if ago {
            out.push(b'-');
        }
        append_seconds(fields.seconds, fields.micros, false, out);
        let one = fields.seconds.abs() == 1 && fields.micros == 0;
        out.extend_from_slice(if one { b" sec" } else { b" secs" });
        is_first = false;
    }
    if is_first {
        out.extend_from_slice(b" 0");
    }
    if ago {
        out.extend_from_slice(b" ago");
    }
}

/// `1-2`, `3 4:05:06`, or with mixed fields or signs `+1-2 -3 +4:05:06`.
fn append_sql_standard(mut fields: Fields, out: &mut Vec<u8>) {
    let has_negative = fields.all().iter().any(|value| *value < 0);
    let has_positive = fields.all().iter().any(|value| *value > 0);
    let has_year_month = fields.years != 0 || fields.months != 0;
    let has_day_time = fields.days != 0 || fields.has_time();
    if !has_negative && !has_positive {
        return out.push(b'0');
    }
    let sign = |negative: bool| if negative { b'-' } else { b'+' };
    if (has_negative && has_positive) || (has_year_month && has_day_time) {
        out.push(sign(fields.years < 0 || fields.months < 0));
        append_pair(fields.years, b'-', fields.months, out);
        out.extend_from_slice(&[b' ', sign(fields.days < 0)]);
        append_integer(fields.days.unsigned_abs(), out);
        out.extend_from_slice(&[b' ', sign(fields.time_is_negative())]);
        return append_clock(&fields, out);
    }
    if has_negative {
        out.push(b'-');
        fields.days = fields.days.abs();
    }
    if has_year_month {
        append_pair(fields.years, b'-', fields.months, out);
        return;
    }
    if fields.days != 0 {
        append_integer(fields.days, out);
        out.push(b' ');
    }
    append_clock(&fields, out);
}

fn append_pair(first: i64, separator: u8, second: i64, out: &mut Vec<u8>) {
    append_integer(first.unsigned_abs(), out);
    out.push(separator);
    append_integer(second.unsigned_abs(), out);
}

fn append_clock(fields: &Fields, out: &mut Vec<u8>) {
    append_integer(fields.hours.unsigned_abs(), out);
    out.push(b':');
    append_padded(fields.minutes, out);
    out.push(b':');
    append_seconds(fields.seconds, fields.micros, true, out);
}

/// `P1Y2M3DT4H5M6.7S`.
fn append_iso(fields: &Fields, out: &mut Vec<u8>) {
    if fields.all().iter().all(|value| *value == 0) {
        return out.extend_from_slice(b"PT0S");
    }
    let append_field = |value: i64, unit: u8, out: &mut Vec<u8>| {
        if value != 0 {
            append_integer(value, out);
            out.push(unit);
        }
    };
    out.push(b'P');
    append_field(fields.years, b'Y', out);
    append_field(fields.months, b'M', out);
    append_field(fields.days, b'D', out);
    if !fields.has_time() {
        return;
    }
    out.push(b'T');
    append_field(fields.hours, b'H', out);
    append_field(fields.minutes, b'M', out);
    if fields.has_seconds() {
        if fields.seconds < 0 || fields.micros < 0 {
            out.push(b'-');
        }
        append_seconds(fields.seconds, fields.micros, false, out);
        out.push(b'S');
    }
}

/// The absolute value in at least two digits.
fn append_padded(value: i64, out: &mut Vec<u8>) {
    let value = value.unsigned_abs();
    if value < 10 {
        out.push(b'0');
    }
    append_integer(value, out);
}
