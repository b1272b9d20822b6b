//! How dates, intervals and time zones are written and read.

use super::values::Settings;
use crate::types::{DateOrder, DateStyle, InputSettings, IntervalStyle, OutputSettings, TimeZone};

impl Settings {
    pub(super) fn date_style(&self) -> (DateStyle, DateOrder) {
        parse_date_style(self.value("DateStyle"), (DateStyle::Iso, DateOrder::Mdy))
            .unwrap_or((DateStyle::Iso, DateOrder::Mdy))
    }

    pub(super) fn interval_style(&self) -> IntervalStyle {
        match self.value("IntervalStyle") {
            "postgres_verbose" => IntervalStyle::PostgresVerbose,
            "sql_standard" => IntervalStyle::SqlStandard,
            "iso_8601" => IntervalStyle::Iso8601,
            _ => IntervalStyle::Postgres,
        }
    }

    pub(super) fn timezone(&self) -> TimeZone {
        TimeZone::parse(self.value("TimeZone")).unwrap_or(TimeZone::UTC)
    }

    /// How values are written.
    pub fn output(&self) -> OutputSettings {
        self.derived().output.clone()
    }

    /// How values are read; `now` is the transaction's time in microseconds since 1970.
    pub fn input(&self, now: i64) -> InputSettings {
        InputSettings { now, ..self.derived().input.clone() }
    }
}

/// Reads a DateStyle; a word that is not there keeps its part of `old`.
fn parse_date_style(text: &str, old: (DateStyle, DateOrder)) -> Option<(DateStyle, DateOrder)> {
    let (mut style, mut order) = old;
    for word in text.split(',').map(|word| word.trim().to_lowercase()) {
        match word.as_str() {
            "iso" => style = DateStyle::Iso,
            "sql" => style = DateStyle::Sql,
            "postgres" => style = DateStyle::Postgres,
            "german" => {
                style = DateStyle::German;
                order = DateOrder::Dmy;
            }
            "mdy" | "us" | "noneuro" | "noneuropean" => order = DateOrder::Mdy,
            "dmy" | "euro" | "european" => order = DateOrder::Dmy,
            "ymd" => order = DateOrder::Ymd,
            "default" => (style, order) = (DateStyle::Iso, DateOrder::Mdy),
            _ => return None,
        }
    }
    Some((style, order))
}

/// A DateStyle as SHOW gives it.
pub(super) fn date_style_text(value: &str, old: &str) -> Option<String> {
    let old = parse_date_style(old, (DateStyle::Iso, DateOrder::Mdy))?;
    let (style, order) = parse_date_style(value, old)?;
    let style = match style {
        DateStyle::Iso => "ISO",
        DateStyle::Sql => "SQL",
        DateStyle::Postgres => "Postgres",
        DateStyle::German => "German",
    };
    let order = match order {
        DateOrder::Mdy => "MDY",
        DateOrder::Dmy => "DMY",
        DateOrder::Ymd => "YMD",
    };
    Some(format!("{style}, {order}"))
}
