//! `pg_timezone_names`: names that `SET TimeZone` takes, with their offsets now.

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::{OffsetComponents, OffsetName, TZ_VARIANTS};

use super::batch::{Rows, Value, row};
use super::rows::{Source, SystemRowsError};

/// Seconds from 1970-01-01 to 2000-01-01.
const EPOCH_DIFFERENCE_S: i64 = 946_684_800;

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    let seconds = source.session.now_us().div_euclid(1_000_000).saturating_add(EPOCH_DIFFERENCE_S);
    let now = DateTime::from_timestamp(seconds, 0).unwrap_or_default().naive_utc();
    for zone in TZ_VARIANTS {
        let offset = zone.offset_from_utc_datetime(&now);
        row!(out,
            name: zone.name(),
            abbrev: offset.abbreviation(),
            utc_offset: Value::Interval(i64::from(offset.fix().local_minus_utc())),
            is_dst: !offset.dst_offset().is_zero(),
        );
    }
    Ok(())
}
