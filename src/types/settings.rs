//! The session settings that decide how values are read and written.

use super::zone::TimeZone;

/// How values become text. `Default` is PostgreSQL's default with the zone UTC.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputSettings {
    pub timezone: TimeZone,
    pub date_style: DateStyle,
    /// The second word of `DateStyle`; ISO output does not depend on it.
    pub date_order: DateOrder,
    pub interval_style: IntervalStyle,
    pub bytea_output: ByteaOutput,
    /// `extra_float_digits`, -15 to 3; from 1 on floats are written in the shortest exact form.
    pub extra_float_digits: i32,
}

impl Default for OutputSettings {
    fn default() -> Self {
        Self {
            timezone: TimeZone::UTC,
            date_style: DateStyle::Iso,
            date_order: DateOrder::Mdy,
            interval_style: IntervalStyle::Postgres,
            bytea_output: ByteaOutput::Hex,
            extra_float_digits: 1,
        }
    }
}

impl OutputSettings {
    /// The settings under which text is read back as the value it was, whatever the session says.
    #[must_use]
    pub fn canonical() -> Self {
        Self { extra_float_digits: 3, ..Self::default() }
    }
}

/// How text becomes values. `Default` is PostgreSQL's default with the zone UTC, at the Unix epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct InputSettings {
    pub timezone: TimeZone,
    pub date_order: DateOrder,
    /// `intervalstyle`: `sql_standard` makes a leading minus sign hold for every field.
    pub interval_style: IntervalStyle,
    /// The start of the transaction, in microseconds since 1970-01-01 UTC: what `now`, `today` and
    /// times without a date are relative to.
    pub now: i64,
}

impl Default for InputSettings {
    fn default() -> Self {
        Self {
            timezone: TimeZone::UTC,
            date_order: DateOrder::Mdy,
            interval_style: IntervalStyle::Postgres,
            now: 0,
        }
    }
}

/// The first word of `DateStyle`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateStyle {
    Iso,
    Sql,
    Postgres,
    German,
}

/// The second word of `DateStyle`: which of the first two numbers is the month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOrder {
    Mdy,
    Dmy,
    Ymd,
}

/// `IntervalStyle`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntervalStyle {
    Postgres,
    PostgresVerbose,
    SqlStandard,
    Iso8601,
}

/// `bytea_output`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteaOutput {
    Hex,
    Escape,
}
