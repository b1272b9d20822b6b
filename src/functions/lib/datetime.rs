//! Functions and operators on dates, times and intervals.

use arrow::datatypes::IntervalMonthDayNano;

use super::decimal::{Dec, division_by_zero};
use super::row;
use super::time::{
    add_interval, add_zoned, age, date_out_of_range, date_to_timestamp, difference, interval,
    interval_out_of_range, is_infinite, micros, negate, scale, split, timestamp_out_of_range,
    timetz_parts, to_instant, to_local,
};
use crate::error::{PgError, SqlState};
use crate::functions::cast::text_io::time_zone;
use crate::functions::datum::{Args, Call, Datum, Value};
use crate::functions::signature::{Def, def};
use crate::types::calendar::{
    DATE_MAX, DATE_MIN, MICROS_PER_DAY, MICROS_PER_SECOND, UNIX_EPOCH_JULIAN, civil_from_days,
    days_from_civil, days_in_month, weekday,
};
use crate::types::pg_type::PgType;
use crate::types::rounding;
use crate::types::zone::TimeZone;

const MICROS_PER_HOUR: i64 = 3_600 * MICROS_PER_SECOND;
const MICROS_PER_MINUTE: i64 = 60 * MICROS_PER_SECOND;

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> PgError {
    PgError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn stamp(value: i64) -> Result<Value, PgError> {
    Ok(Datum::Timestamp(value))
}

fn span(value: IntervalMonthDayNano) -> Result<Value, PgError> {
    Ok(Datum::Interval(value))
}

fn date(days: i64) -> Result<Value, PgError> {
    if !(DATE_MIN..=DATE_MAX).contains(&days) {
        return Err(date_out_of_range());
    }
    i32::try_from(days).map(Datum::Date).map_err(|_| date_out_of_range())
}

fn add_days(day: i32, count: i64) -> Result<Value, PgError> {
    if day == i32::MAX || day == i32::MIN {
        return Ok(Datum::Date(day));
    }
    date(i64::from(day) + count)
}

fn date_minus_date(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let (left, right) = (args.date(0)?, args.date(1)?);
    if [left, right].iter().any(|day| *day == i32::MAX || *day == i32::MIN) {
        return Err(PgError::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            "cannot subtract infinite dates",
        ));
    }
    Ok(Datum::Int(i64::from(left) - i64::from(right)))
}

fn sum(
    left: &IntervalMonthDayNano,
    right: &IntervalMonthDayNano,
) -> Result<IntervalMonthDayNano, PgError> {
    let time = micros(left).checked_add(micros(right)).ok_or_else(interval_out_of_range)?;
    interval(
        i64::from(left.months) + i64::from(right.months),
        i64::from(left.days) + i64::from(right.days),
        time,
    )
}

fn time_plus(time: i64, value: &IntervalMonthDayNano) -> Result<Value, PgError> {
    Ok(Datum::Time(
        (i128::from(time) + i128::from(micros(value))).rem_euclid(MICROS_PER_DAY.into()) as i64,
    ))
}

fn divide(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let divisor = args.float(1)?;
    if divisor == 0.0 {
        return Err(division_by_zero());
    }
    span(scale(&args.interval(0)?, 1.0 / divisor)?)
}

/// A zone by name, abbreviation or offset, as AT TIME ZONE takes it.
fn zone_named(name: &str) -> Result<TimeZone, PgError> {
    if let Some(offset) = crate::types::zone::abbreviation_offset(&name.to_ascii_uppercase())
        .or_else(|| crate::types::zone::abbreviation_offset(&name.to_ascii_lowercase()))
    {
        return Ok(TimeZone::Fixed(offset));
    }
    match TimeZone::parse(name) {
        // A bare offset is read as POSIX has it: west is positive.
        Some(TimeZone::Fixed(seconds)) => Ok(TimeZone::Fixed(-seconds)),
        Some(zone) => Ok(zone),
        None => Err(invalid(format!("time zone \"{name}\" not recognized"))),
    }
}

fn zone_of_interval(value: &IntervalMonthDayNano) -> Result<TimeZone, PgError> {
    if value.months != 0 || value.days != 0 {
        return Err(invalid("interval time zone must not include months or days"));
    }
    let seconds =
        i32::try_from(micros(value) / MICROS_PER_SECOND).map_err(|_| interval_out_of_range())?;
    Ok(TimeZone::Fixed(seconds))
}

fn zone_argument(args: Args<'_, '_>) -> Result<TimeZone, PgError> {
    match args.get(0) {
        Datum::Interval(value) => zone_of_interval(value),
        _ => zone_named(args.text(0)?),
    }
}

fn timezone_of_local(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    stamp(to_instant(args.timestamp(1)?, &zone_argument(args)?)?)
}

fn timezone_of_instant(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    stamp(to_local(args.timestamp(1)?, &zone_argument(args)?)?)
}

/// The fields of a date and time, whatever type it came from.
#[derive(Clone, Copy)]
pub(crate) enum Moment {
    /// Local time, and the instant's offset in seconds east where the type has a zone.
    Local {
        local: i64,
        offset: Option<i32>,
    },
    Span(IntervalMonthDayNano),
    Time {
        time: i64,
        offset: Option<i32>,
    },
}

fn moment(call: &Call<'_>, args: Args<'_, '_>, index: usize) -> Result<Moment, PgError> {
    Ok(match args.get(index) {
        Datum::Timestamp(instant) if matches!(call.arg_type(index), PgType::Timestamptz(_)) => {
            let zone = time_zone(call.session);
            let offset = if is_infinite(*instant) {
                0
            } else {
                zone.offset_at(instant.div_euclid(MICROS_PER_SECOND))
            };
            Moment::Local { local: to_local(*instant, &zone)?, offset: Some(offset) }
        }
        Datum::Timestamp(local) => Moment::Local { local: *local, offset: None },
        Datum::Date(day) => Moment::Local { local: date_to_timestamp(*day)?, offset: None },
        Datum::Interval(value) => Moment::Span(*value),
        Datum::Bytes(bytes) => {
            let (time, west) = timetz_parts(bytes)
                .ok_or_else(|| PgError::internal("a timetz of another length"))?;
            Moment::Time { time, offset: Some(-west) }
        }
        _ => Moment::Time { time: args.time(index)?, offset: None },
    })
}

/// A date and a time of a zone as an instant.
fn zoned(args: Args<'_, '_>, date: usize, time: usize) -> Result<Value, PgError> {
    let (time, west) = timetz_parts(args.bytes(time)?)
        .ok_or_else(|| PgError::internal("a timetz of another length"))?;
    let local = date_to_timestamp(args.date(date)?)?.saturating_add(time);
    stamp(local.saturating_add(i64::from(west) * MICROS_PER_SECOND))
}

/// The word for a field, with PostgreSQL's other spellings.
fn field_word(field: &str) -> String {
    let field = field.to_ascii_lowercase();
    match field.as_str() {
        "centuries" | "cent" | "c" => "century",
        "decades" | "decs" | "dec" => "decade",
        "millenniums" | "millennia" | "mils" | "mil" => "millennium",
        "years" | "yrs" | "yr" | "y" => "year",
        "quarters" | "qtr" => "quarter",
        "months" | "mons" | "mon" => "month",
        "weeks" | "w" => "week",
        "days" | "d" => "day",
        "hours" | "hrs" | "hr" | "h" => "hour",
        "minutes" | "mins" | "min" | "m" => "minute",
        "seconds" | "secs" | "sec" | "s" => "second",
        "msec" | "msecs" | "ms" | "millisecond" | "millisecon" => "milliseconds",
        "usec" | "usecs" | "us" | "microsecond" | "microsecon" => "microseconds",
        other => other,
    }
    .to_owned()
}

fn unknown_field(field: &str, ty: &PgType, known: bool) -> PgError {
    if known {
        let message = format!("unit \"{field}\" not supported for type {ty}");
        return PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message);
    }
    invalid(format!("unit \"{field}\" not recognized for type {ty}"))
}

const FIELDS: &[&str] = &[
    "century",
    "day",
    "decade",
    "dow",
    "doy",
    "epoch",
    "hour",
    "isodow",
    "isoyear",
    "julian",
    "microseconds",
    "millennium",
    "milliseconds",
    "minute",
    "month",
    "quarter",
    "second",
    "timezone",
    "timezone_hour",
    "timezone_minute",
    "week",
    "year",
];

fn whole(value: i64) -> Option<Dec> {
    Some(Dec::from_int(value))
}

fn micro(value: i64) -> Option<Dec> {
    Some(Dec::new(value.into(), 6))
}

/// ISO 8601 week-numbering year and week.
pub(crate) fn iso_week(days: i64) -> (i64, i64) {
    // The week belongs to the year its Thursday is in.
    let thursday = days - (days + 3).rem_euclid(7) + 3;
    let (year, _, _) = civil_from_days(thursday);
    (year, (thursday - days_from_civil(year, 1, 1)) / 7 + 1)
}

/// Years before 1 are counted from -1.
pub(crate) fn displayed_year(year: i64) -> i64 {
    if year > 0 { year } else { year - 1 }
}

fn century(year: i64) -> i64 {
    if year > 0 { (year + 99) / 100 } else { -((99 - (year - 1)) / 100) }
}

fn millennium(year: i64) -> i64 {
    if year > 0 { (year + 999) / 1000 } else { -((999 - (year - 1)) / 1000) }
}

fn time_field(field: &str, time: i64) -> Option<Dec> {
    match field {
        "hour" => whole(time / MICROS_PER_HOUR),
        "minute" => whole(time / MICROS_PER_MINUTE % 60),
        "second" => micro(time % MICROS_PER_MINUTE),
        "milliseconds" => Some(Dec::new((time % MICROS_PER_MINUTE).into(), 3)),
        "microseconds" => whole(time % MICROS_PER_MINUTE),
        _ => None,
    }
}

fn zone_field(field: &str, offset: i32) -> Option<Dec> {
    let offset = i64::from(offset);
    match field {
        "timezone" => whole(offset),
        "timezone_hour" => whole(offset / 3600),
        "timezone_minute" => whole(offset / 60 % 60),
        _ => None,
    }
}

fn local_field(field: &str, local: i64, offset: Option<i32>) -> Option<Dec> {
    let (days, time) = split(local);
    let (year, month, day) = civil_from_days(days);
    let found = match field {
        "year" => whole(displayed_year(year)),
        "month" => whole(month.into()),
        "day" => whole(day.into()),
        "quarter" => whole(i64::from(month - 1) / 3 + 1),
        "week" => whole(iso_week(days).1),
        "isoyear" => whole(displayed_year(iso_week(days).0)),
        "dow" => whole(i64::try_from(weekday(days)).ok()?),
        "isodow" => whole((days + 3).rem_euclid(7) + 1),
        "doy" => whole(days - days_from_civil(year, 1, 1) + 1),
        "century" => whole(century(year)),
        "millennium" => whole(millennium(year)),
        "decade" => whole(year.div_euclid(10)),
        "epoch" => micro(local - i64::from(offset.unwrap_or(0)) * MICROS_PER_SECOND),
        "julian" => {
            let day = Dec::from_int(days + UNIX_EPOCH_JULIAN);
            if time == 0 {
                Some(day)
            } else {
                day.add(Dec::from_int(time).div(Dec::from_int(MICROS_PER_DAY), 20).ok()?).ok()
            }
        }
        _ => None,
    };
    found.or_else(|| time_field(field, time)).or_else(|| zone_field(field, offset?))
}

fn span_field(field: &str, value: &IntervalMonthDayNano) -> Option<Dec> {
    let months = i64::from(value.months);
    let time = micros(value);
    match field {
        "year" => whole(months / 12),
        "month" => whole(months % 12),
        "quarter" => whole(months % 12 / 3 + 1),
        "day" => whole(value.days.into()),
        "century" => whole(months / 1200),
        "millennium" => whole(months / 12_000),
        "decade" => whole(months / 120),
        "epoch" => {
            // A year has 365.25 days, a month 30.
            let days = i128::from(months / 12) * 36_525
                + i128::from(months % 12) * 3_000
                + i128::from(value.days) * 100;
            Some(Dec::new(days * 864 * 1_000_000 + i128::from(time), 6))
        }
        field => time_field(field, time),
    }
}

/// The field, `None` where it is null (of an infinite time).
fn field_of(field: &str, value: Moment, ty: &PgType) -> Result<Option<Dec>, PgError> {
    let word = field_word(field);
    let found = match value {
        Moment::Local { local, .. } if is_infinite(local) => {
            // Fields that grow without end are infinite there; numeric has no infinity here.
            return if FIELDS.contains(&word.as_str()) {
                Ok(None)
            } else {
                Err(unknown_field(field, ty, false))
            };
        }
        Moment::Local { local, offset } => {
            let is_time = matches!(
                word.as_str(),
                "hour" | "minute" | "second" | "milliseconds" | "microseconds"
            );
            if *ty == PgType::Date && is_time { None } else { local_field(&word, local, offset) }
        }
        Moment::Span(value) => span_field(&word, &value),
        Moment::Time { time, offset } => match (word.as_str(), offset) {
            ("epoch", offset) => micro(time - i64::from(offset.unwrap_or(0)) * MICROS_PER_SECOND),
            (word, offset) => time_field(word, time).or_else(|| zone_field(word, offset?)),
        },
    };
    let known = FIELDS.contains(&word.as_str());
    found.map(Some).ok_or_else(|| unknown_field(field, ty, known))
}

fn extract(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let found = field_of(args.text(0)?, moment(call, args, 1)?, call.arg_type(1))?;
    Ok(found.map_or(Datum::Null, Datum::Num))
}

fn date_part(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    // Fields of a date go through timestamp, so the time of day is there and zero.
    let ty =
        if *call.arg_type(1) == PgType::Date { &PgType::Timestamp(None) } else { call.arg_type(1) };
    let found = field_of(args.text(0)?, moment(call, args, 1)?, ty)?;
    Ok(found.map_or(Datum::Null, |found| Datum::Float(found.to_f64())))
}

/// The first moment of the field's unit.
pub(crate) fn truncate(field: &str, local: i64, ty: &PgType) -> Result<i64, PgError> {
    if is_infinite(local) {
        return Ok(local);
    }
    let (days, time) = split(local);
    let (year, month, _) = civil_from_days(days);
    let first = |year: i64, month: u32| days_from_civil(year, month, 1) * MICROS_PER_DAY;
    let below = |unit: i64| local - time.rem_euclid(unit);
    let word = field_word(field);
    Ok(match word.as_str() {
        "millennium" if year > 0 => first((year + 999) / 1000 * 1000 - 999, 1),
        "millennium" => first(-((999 - (year - 1)) / 1000) * 1000 + 1, 1),
        "century" if year > 0 => first((year + 99) / 100 * 100 - 99, 1),
        "century" => first(-((99 - (year - 1)) / 100) * 100 + 1, 1),
        "decade" => first(year.div_euclid(10) * 10, 1),
        "year" => first(year, 1),
        "quarter" => first(year, (month - 1) / 3 * 3 + 1),
        "month" => first(year, month),
        "week" => (days - (days + 3).rem_euclid(7)) * MICROS_PER_DAY,
        "day" => days * MICROS_PER_DAY,
        "hour" => below(MICROS_PER_HOUR),
        "minute" => below(MICROS_PER_MINUTE),
        "second" => below(MICROS_PER_SECOND),
        "milliseconds" => below(1_000),
        "microseconds" => local,
        _ => return Err(unknown_field(field, ty, FIELDS.contains(&word.as_str()))),
    })
}

fn truncate_span(field: &str, value: &IntervalMonthDayNano) -> Result<Value, PgError> {
    let months = i64::from(value.months);
    let (days, time) = (i64::from(value.days), micros(value));
    let word = field_word(field);
    let kept = match word.as_str() {
        "millennium" => interval(months / 12_000 * 12_000, 0, 0),
        "century" => interval(months / 1200 * 1200, 0, 0),
        "decade" => interval(months / 120 * 120, 0, 0),
        "year" => interval(months / 12 * 12, 0, 0),
        "quarter" => interval(months / 3 * 3, 0, 0),
        "month" => interval(months, 0, 0),
        "day" => interval(months, days, 0),
        "hour" => interval(months, days, time - time % MICROS_PER_HOUR),
        "minute" => interval(months, days, time - time % MICROS_PER_MINUTE),
        "second" => interval(months, days, time - time % MICROS_PER_SECOND),
        "milliseconds" => interval(months, days, time - time % 1_000),
        "microseconds" => interval(months, days, time),
        "week" => {
            return Err(unknown_field(field, &PgType::Interval, true)
                .detail("Months usually have fractional weeks."));
        }
        word => return Err(unknown_field(field, &PgType::Interval, FIELDS.contains(&word))),
    };
    span(kept?)
}

fn date_trunc(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    match args.get(1) {
        Datum::Interval(value) => truncate_span(args.text(0)?, value),
        Datum::Timestamp(instant) if matches!(call.arg_type(1), PgType::Timestamptz(_)) => {
            let zone =
                if args.len() > 2 { zone_named(args.text(2)?)? } else { time_zone(call.session) };
            let local = truncate(args.text(0)?, to_local(*instant, &zone)?, call.arg_type(1))?;
            stamp(to_instant(local, &zone)?)
        }
        _ => stamp(truncate(args.text(0)?, args.timestamp(1)?, call.arg_type(1))?),
    }
}

fn date_bin(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let (stride, value, origin) = (args.interval(0)?, args.timestamp(1)?, args.timestamp(2)?);
    if is_infinite(value) {
        return stamp(value);
    }
    if stride.months != 0 {
        return Err(PgError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            "timestamps cannot be binned into intervals containing months or years",
        ));
    }
    let width =
        i64::try_from(super::time::interval_span(&stride)).map_err(|_| interval_out_of_range())?;
    if width <= 0 {
        return Err(PgError::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            "stride must be greater than zero",
        ));
    }
    let distance = value.checked_sub(origin).ok_or_else(interval_out_of_range)?;
    stamp(origin + distance.div_euclid(width) * width)
}

fn field_range(ty: &str, parts: &str) -> PgError {
    PgError::new(
        SqlState::DATETIME_FIELD_OVERFLOW,
        format!("{ty} field value out of range: {parts}"),
    )
}

fn civil(year: i64, month: i64, day: i64) -> Option<i64> {
    // Year 0 does not exist; negative years are BC.
    let year = match year {
        0 => return None,
        year if year < 0 => year + 1,
        year => year,
    };
    let month = u32::try_from(month).ok().filter(|month| (1..=12).contains(month))?;
    let day =
        u32::try_from(day).ok().filter(|day| (1..=days_in_month(year, month)).contains(day))?;
    Some(days_from_civil(year, month, day))
}

fn clock(hour: i64, minute: i64, second: f64) -> Option<i64> {
    if !(0..=24).contains(&hour) || !(0..60).contains(&minute) || !(0.0..=60.0).contains(&second) {
        return None;
    }
    let time =
        hour * MICROS_PER_HOUR + minute * MICROS_PER_MINUTE + (second * 1_000_000.0).round() as i64;
    (time <= MICROS_PER_DAY).then_some(time)
}

fn make_date(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let (year, month, day) = (args.int(0)?, args.int(1)?, args.int(2)?);
    let days = civil(year, month, day)
        .ok_or_else(|| field_range("date", &format!("{year}-{month:02}-{day:02}")))?;
    date(days)
}

fn make_time(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let (hour, minute, second) = (args.int(0)?, args.int(1)?, args.float(2)?);
    let time = clock(hour, minute, second);
    time.map(Datum::Time)
        .ok_or_else(|| field_range("time", &format!("{hour}:{minute:02}:{second:02}")))
}

fn local_from_parts(args: Args<'_, '_>) -> Result<i64, PgError> {
    let (year, month, day) = (args.int(0)?, args.int(1)?, args.int(2)?);
    let (hour, minute, second) = (args.int(3)?, args.int(4)?, args.float(5)?);
    let days = civil(year, month, day)
        .ok_or_else(|| field_range("date", &format!("{year}-{month:02}-{day:02}")))?;
    let time = clock(hour, minute, second)
        .ok_or_else(|| field_range("time", &format!("{hour}:{minute:02}:{second:02}")))?;
    days.checked_mul(MICROS_PER_DAY)
        .and_then(|day| day.checked_add(time))
        .ok_or_else(timestamp_out_of_range)
}

fn make_timestamptz(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let zone = if args.len() > 6 { zone_named(args.text(6)?)? } else { time_zone(call.session) };
    stamp(to_instant(local_from_parts(args)?, &zone)?)
}

fn make_interval(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let part = |index: usize| if args.len() > index { args.int(index) } else { Ok(0) };
    let seconds = if args.len() > 6 { args.float(6)? } else { 0.0 };
    let time =
        part(4)? * MICROS_PER_HOUR + part(5)? * MICROS_PER_MINUTE + (seconds * 1e6).round() as i64;
    span(interval(part(0)? * 12 + part(1)?, part(2)? * 7 + part(3)?, time)?)
}

fn to_timestamp(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let seconds = args.float(0)?;
    if seconds.is_nan() {
        return Err(PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp cannot be NaN"));
    }
    if seconds.is_infinite() {
        return stamp(if seconds > 0.0 { i64::MAX } else { i64::MIN });
    }
    let micros = (seconds * 1e6).round();
    if micros.abs() > 9.2e18 {
        return Err(PgError::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            format!("timestamp out of range: \"{seconds}\""),
        ));
    }
    stamp(micros as i64)
}

fn justify(value: &IntervalMonthDayNano, hours: bool, days: bool) -> Result<Value, PgError> {
    let (mut months, mut day, mut time) =
        (i64::from(value.months), i64::from(value.days), micros(value));
    if hours {
        day += time / MICROS_PER_DAY;
        time %= MICROS_PER_DAY;
    }
    if days {
        months += day / 30;
        day %= 30;
    }
    if hours && days {
        // All signs as the largest part has it.
        if months > 0 && (day < 0 || day == 0 && time < 0) {
            day += 30;
            months -= 1;
        } else if months < 0 && (day > 0 || day == 0 && time > 0) {
            day -= 30;
            months += 1;
        }
    }
    if hours {
        if day > 0 && time < 0 {
            time += MICROS_PER_DAY;
            day -= 1;
        } else if day < 0 && time > 0 {
            time -= MICROS_PER_DAY;
            day += 1;
        }
    }
    if days && !hours {
        if months > 0 && day < 0 {
            day += 30;
            months -= 1;
        } else if months < 0 && day > 0 {
            day -= 30;
            months += 1;
        }
    }
    span(interval(months, day, time)?)
}

fn age_from_today(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let zone = time_zone(call.session);
    let today = truncate(
        "day",
        to_local(call.session()?.transaction_timestamp(), &zone)?,
        &PgType::Timestamp(None),
    )?;
    let local = match call.arg_type(0) {
        PgType::Timestamptz(_) => to_local(args.timestamp(0)?, &zone)?,
        _ => args.timestamp(0)?,
    };
    span(age(today, local)?)
}

fn age_zoned(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let zone = time_zone(call.session);
    span(age(to_local(args.timestamp(0)?, &zone)?, to_local(args.timestamp(1)?, &zone)?)?)
}

fn transaction_time(call: &Call<'_>, _: Args<'_, '_>) -> Result<Value, PgError> {
    stamp(call.session()?.transaction_timestamp())
}

fn local_now(call: &Call<'_>) -> Result<i64, PgError> {
    to_local(call.session()?.transaction_timestamp(), &time_zone(call.session))
}

fn clock_timestamp(_: &Call<'_>, _: Args<'_, '_>) -> Result<Value, PgError> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    stamp(now.map_or(0, |now| i64::try_from(now.as_micros()).unwrap_or(i64::MAX)))
}

fn timeofday(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let now = clock_timestamp(call, args)?;
    let text = crate::functions::cast::text_io::datum_text(
        &now,
        &PgType::Timestamptz(None),
        call.session,
    )?;
    Ok(Datum::opt_text(text))
}

fn current_time(call: &Call<'_>, _: Args<'_, '_>) -> Result<Value, PgError> {
    let now = Datum::Timestamp(call.session()?.transaction_timestamp());
    super::time::cast(&now, &PgType::Timestamptz(None), &PgType::Timetz(None), call.session)
}

fn overlaps(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let end = |index: usize| match args.get(index) {
        Datum::Interval(value) => add_interval(args.timestamp(index - 1)?, value),
        _ => args.timestamp(index),
    };
    let (a, b, c, d) = (args.timestamp(0)?, end(1)?, args.timestamp(2)?, end(3)?);
    let ((a, b), (c, d)) = ((a.min(b), a.max(b)), (c.min(d), c.max(d)));
    Ok(Datum::Bool(if a == c {
        true
    } else if a > c {
        a < d
    } else {
        c < b
    }))
}

fn digits(asked: i64) -> u8 {
    u8::try_from(asked.clamp(0, 6)).unwrap_or(6)
}

/// An instant rounded to some digits of the second.
fn rounded(instant: i64, asked: i64) -> i64 {
    rounding::round_timestamp(instant, digits(asked))
}

fn round_timestamp(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let value = args.timestamp(0)?;
    stamp(rounded(value, args.int(1)?))
}

fn round_time(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    Ok(match args.get(0) {
        Datum::Time(value) => Datum::Time(rounding::round_micros(*value, digits(args.int(1)?))),
        _ => Datum::Null,
    })
}

pub(super) const FUNCTIONS: &[Def] = &[
    def("timestamp(timestamp, int4) timestamp", row(round_timestamp)),
    def("timestamptz(timestamptz, int4) timestamptz", row(round_timestamp)),
    def("time(time, int4) time", row(round_time)),
    def("now() timestamptz", row(transaction_time)).stable(),
    def("transaction_timestamp() timestamptz", row(transaction_time)).stable(),
    def("current_timestamp() timestamptz", row(transaction_time)).stable(),
    def(
        "current_timestamp(int4) timestamptz",
        row(|c, args| stamp(rounded(c.session()?.transaction_timestamp(), args.int(0)?))),
    )
    .stable(),
    def("statement_timestamp() timestamptz", row(|c, _| stamp(c.session()?.statement_timestamp())))
        .stable(),
    def("clock_timestamp() timestamptz", row(clock_timestamp)).volatile(),
    def("timeofday() text", row(timeofday)).volatile(),
    def("localtimestamp() timestamp", row(|c, _| stamp(local_now(c)?))).stable(),
    def(
        "localtimestamp(int4) timestamp",
        row(|c, args| stamp(rounded(local_now(c)?, args.int(0)?))),
    )
    .stable(),
    def("localtime() time", row(|c, _| Ok(Datum::Time(split(local_now(c)?).1)))).stable(),
    def("current_time() timetz", row(current_time)).stable(),
    def("current_date() date", row(|c, _| date(split(local_now(c)?).0))).stable(),
    def("extract(text, timestamp) numeric", row(extract)),
    def("extract(text, timestamptz) numeric", row(extract)).stable(),
    def("extract(text, date) numeric", row(extract)),
    def("extract(text, time) numeric", row(extract)),
    def("extract(text, timetz) numeric", row(extract)),
    def("extract(text, interval) numeric", row(extract)),
    def("extract_micros(text, timestamp) numeric(38,6)", row(extract)),
    def("extract_micros(text, timestamptz) numeric(38,6)", row(extract)).stable(),
    def("extract_micros(text, date) numeric(38,6)", row(extract)),
    def("extract_micros(text, time) numeric(38,6)", row(extract)),
    def("extract_micros(text, timetz) numeric(38,6)", row(extract)),
    def("extract_micros(text, interval) numeric(38,6)", row(extract)),
    def("extract_millis(text, timestamp) numeric(38,3)", row(extract)),
    def("extract_millis(text, timestamptz) numeric(38,3)", row(extract)).stable(),
    def("extract_millis(text, date) numeric(38,3)", row(extract)),
    def("extract_millis(text, time) numeric(38,3)", row(extract)),
    def("extract_millis(text, timetz) numeric(38,3)", row(extract)),
    def("extract_millis(text, interval) numeric(38,3)", row(extract)),
    def("extract_whole(text, timestamp) numeric(38,0)", row(extract)),
    def("extract_whole(text, timestamptz) numeric(38,0)", row(extract)).stable(),
    def("extract_whole(text, date) numeric(38,0)", row(extract)),
    def("extract_whole(text, time) numeric(38,0)", row(extract)),
    def("extract_whole(text, timetz) numeric(38,0)", row(extract)),
    def("extract_whole(text, interval) numeric(38,0)", row(extract)),
    def(
        "interval_span(interval) numeric(38,0)",
        row(|_, a| Ok(Datum::Num(Dec::new(super::time::interval_span(&a.interval(0)?), 0)))),
    ),
    def("date_part(text, timestamp) float8", row(date_part)),
    def("date_part(text, timestamptz) float8", row(date_part)).stable(),
    def("date_part(text, date) float8", row(date_part)),
    def("date_part(text, time) float8", row(date_part)),
    def("date_part(text, timetz) float8", row(date_part)),
    def("date_part(text, interval) float8", row(date_part)),
    def("date_trunc(text, timestamp) timestamp", row(date_trunc)),
    def("date_trunc(text, timestamptz, ?text) timestamptz", row(date_trunc)).stable(),
    def("date_trunc(text, interval) interval", row(date_trunc)),
    def("date_bin(interval, timestamp, timestamp) timestamp", row(date_bin)),
    def("date_bin(interval, timestamptz, timestamptz) timestamptz", row(date_bin)),
    def(
        "age(timestamp, timestamp) interval",
        row(|_, a| span(age(a.timestamp(0)?, a.timestamp(1)?)?)),
    ),
    def("age(timestamptz, timestamptz) interval", row(age_zoned)).stable(),
    def("age(timestamp) interval", row(age_from_today)).stable(),
    def("age(timestamptz) interval", row(age_from_today)).stable(),
    def("make_date(int4, int4, int4) date", row(make_date)),
    def("make_time(int4, int4, float8) time", row(make_time)),
    def(
        "make_timestamp(int4, int4, int4, int4, int4, float8) timestamp",
        row(|_, a| stamp(local_from_parts(a)?)),
    ),
    def(
        "make_timestamptz(int4, int4, int4, int4, int4, float8, ?text) timestamptz",
        row(make_timestamptz),
    )
    .stable(),
    def(
        "make_interval(?int4, ?int4, ?int4, ?int4, ?int4, ?int4, ?float8) interval",
        row(make_interval),
    ),
    def("to_timestamp(float8) timestamptz", row(to_timestamp)),
    def("justify_hours(interval) interval", row(|_, a| justify(&a.interval(0)?, true, false))),
    def("justify_days(interval) interval", row(|_, a| justify(&a.interval(0)?, false, true))),
    def("justify_interval(interval) interval", row(|_, a| justify(&a.interval(0)?, true, true))),
    def("isfinite(timestamp) bool", row(|_, a| Ok(Datum::Bool(!is_infinite(a.timestamp(0)?))))),
    def("isfinite(timestamptz) bool", row(|_, a| Ok(Datum::Bool(!is_infinite(a.timestamp(0)?))))),
    def(
        "isfinite(date) bool",
        row(|_, a| Ok(Datum::Bool(![i32::MAX, i32::MIN].contains(&a.date(0)?)))),
    ),
    def("isfinite(interval) bool", row(|_, _| Ok(Datum::Bool(true)))),
    def("timezone(text, timestamp) timestamptz", row(timezone_of_local)),
    def("timezone(text, timestamptz) timestamp", row(timezone_of_instant)),
    def("timezone(interval, timestamp) timestamptz", row(timezone_of_local)),
    def("timezone(interval, timestamptz) timestamp", row(timezone_of_instant)),
    def("overlaps(timestamp, timestamp, timestamp, timestamp) bool", row(overlaps)),
    def("overlaps(timestamp, interval, timestamp, interval) bool", row(overlaps)),
    def("overlaps(timestamp, timestamp, timestamp, interval) bool", row(overlaps)),
    def("overlaps(timestamp, interval, timestamp, timestamp) bool", row(overlaps)),
    def("overlaps(timestamptz, timestamptz, timestamptz, timestamptz) bool", row(overlaps)),
    def("overlaps(timestamptz, interval, timestamptz, interval) bool", row(overlaps)).stable(),
    def("overlaps(timestamptz, timestamptz, timestamptz, interval) bool", row(overlaps)).stable(),
    def("overlaps(timestamptz, interval, timestamptz, timestamptz) bool", row(overlaps)).stable(),
];

pub(super) const OPERATORS: &[Def] = &[
    def("+(date, int4) date", row(|_, a| add_days(a.date(0)?, a.int(1)?))),
    def("+(int4, date) date", row(|_, a| add_days(a.date(1)?, a.int(0)?))),
    def("-(date, int4) date", row(|_, a| add_days(a.date(0)?, -a.int(1)?))),
    def("-(date, date) int4", row(date_minus_date)),
    def(
        "+(date, interval) timestamp",
        row(|_, a| stamp(add_interval(date_to_timestamp(a.date(0)?)?, &a.interval(1)?)?)),
    ),
    def(
        "+(interval, date) timestamp",
        row(|_, a| stamp(add_interval(date_to_timestamp(a.date(1)?)?, &a.interval(0)?)?)),
    ),
    def(
        "-(date, interval) timestamp",
        row(|_, a| stamp(add_interval(date_to_timestamp(a.date(0)?)?, &negate(&a.interval(1)?)?)?)),
    ),
    def(
        "+(date, time) timestamp",
        row(|_, a| stamp(date_to_timestamp(a.date(0)?)?.saturating_add(a.time(1)?))),
    ),
    def("+(date, timetz) timestamptz", row(|_, a| zoned(a, 0, 1))),
    def("+(timetz, date) timestamptz", row(|_, a| zoned(a, 1, 0))),
    def(
        "+(time, date) timestamp",
        row(|_, a| stamp(date_to_timestamp(a.date(1)?)?.saturating_add(a.time(0)?))),
    ),
    def(
        "+(timestamp, interval) timestamp",
        row(|_, a| stamp(add_interval(a.timestamp(0)?, &a.interval(1)?)?)),
    ),
    def(
        "+(interval, timestamp) timestamp",
        row(|_, a| stamp(add_interval(a.timestamp(1)?, &a.interval(0)?)?)),
    ),
    def(
        "-(timestamp, interval) timestamp",
        row(|_, a| stamp(add_interval(a.timestamp(0)?, &negate(&a.interval(1)?)?)?)),
    ),
    def(
        "-(timestamp, timestamp) interval",
        row(|_, a| span(difference(a.timestamp(0)?, a.timestamp(1)?)?)),
    ),
    def(
        "+(timestamptz, interval) timestamptz",
        row(|c, a| stamp(add_zoned(a.timestamp(0)?, &a.interval(1)?, &time_zone(c.session))?)),
    )
    .stable(),
    def(
        "+(interval, timestamptz) timestamptz",
        row(|c, a| stamp(add_zoned(a.timestamp(1)?, &a.interval(0)?, &time_zone(c.session))?)),
    )
    .stable(),
    def(
        "-(timestamptz, interval) timestamptz",
        row(|c, a| {
            stamp(add_zoned(a.timestamp(0)?, &negate(&a.interval(1)?)?, &time_zone(c.session))?)
        }),
    )
    .stable(),
    def(
        "-(timestamptz, timestamptz) interval",
        row(|_, a| span(difference(a.timestamp(0)?, a.timestamp(1)?)?)),
    ),
    def("+(time, interval) time", row(|_, a| time_plus(a.time(0)?, &a.interval(1)?))),
    def("+(interval, time) time", row(|_, a| time_plus(a.time(1)?, &a.interval(0)?))),
    def("-(time, interval) time", row(|_, a| time_plus(a.time(0)?, &negate(&a.interval(1)?)?))),
    def("-(time, time) interval", row(|_, a| span(interval(0, 0, a.time(0)? - a.time(1)?)?))),
    def("+(interval, interval) interval", row(|_, a| span(sum(&a.interval(0)?, &a.interval(1)?)?))),
    def(
        "-(interval, interval) interval",
        row(|_, a| span(sum(&a.interval(0)?, &negate(&a.interval(1)?)?)?)),
    ),
    def("*(interval, float8) interval", row(|_, a| span(scale(&a.interval(0)?, a.float(1)?)?))),
    def("*(float8, interval) interval", row(|_, a| span(scale(&a.interval(1)?, a.float(0)?)?))),
    def("/(interval, float8) interval", row(divide)),
    def("-(interval) interval", row(|_, a| span(negate(&a.interval(0)?)?))),
];
