//! `generate_series`.

use super::decimal::Dec;
use super::row;
use crate::error::{PgError, SqlState};
use crate::functions::cast::text_io::time_zone;
use crate::functions::datum::{Args, Call, Datum, Value};
use crate::functions::series::zero_step;
use crate::functions::signature::{Def, def};

/// The most values one call gives; the list is in memory until it is unnested.
const MAX_ROWS: usize = 1 << 25;

fn push(items: &mut Vec<Value>, item: Value, call: &Call<'_>) -> Result<(), PgError> {
    if items.len() >= MAX_ROWS {
        return Err(PgError::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!("one call of generate_series gives at most {MAX_ROWS} rows here"),
        )
        .hint("Use a series with constant bounds in FROM, which is made as it is read."));
    }
    if items.len() % 65_536 == 65_535
        && let Some(session) = call.session
    {
        session.check_cancel()?;
    }
    items.push(item);
    Ok(())
}

fn integers(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let (mut current, end) = (args.int(0)?, args.int(1)?);
    let step = if args.len() > 2 { args.int(2)? } else { 1 };
    if step == 0 {
        return Err(zero_step());
    }
    let mut items = Vec::new();
    while if step > 0 { current <= end } else { current >= end } {
        push(&mut items, Datum::Int(current), call)?;
        match current.checked_add(step) {
            Some(next) => current = next,
            None => break,
        }
    }
    Ok(Datum::List(items))
}

fn numerics(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let (mut current, end) = (args.num(0)?, args.num(1)?);
    let step = if args.len() > 2 { args.num(2)? } else { Dec::from_int(1) };
    if step.is_zero() {
        return Err(zero_step());
    }
    let mut items = Vec::new();
    let past = if step.value > 0 { std::cmp::Ordering::Greater } else { std::cmp::Ordering::Less };
    while current.compare(&end) != past {
        push(&mut items, Datum::Num(current), call)?;
        current = current.add(step)?;
    }
    Ok(Datum::List(items))
}

fn timestamps(call: &Call<'_>, args: Args<'_, '_>, zoned: bool) -> Result<Value, PgError> {
    let (start, end, step) = (args.timestamp(0)?, args.timestamp(1)?, args.interval(2)?);
    let sign = super::time::interval_span(&step).signum();
    if sign == 0 {
        return Err(zero_step());
    }
    let zone = time_zone(call.session);
    let mut items = Vec::new();
    let mut current = start;
    while if sign > 0 { current <= end } else { current >= end } {
        push(&mut items, Datum::Timestamp(current), call)?;
        current = if zoned {
            super::time::add_zoned(current, &step, &zone)?
        } else {
            super::time::add_interval(current, &step)?
        };
    }
    Ok(Datum::List(items))
}

pub(super) const FUNCTIONS: &[Def] = &[
    def("generate_series(int4, int4, ?int4) setof int4", row(integers)),
    def("generate_series(int8, int8, ?int8) setof int8", row(integers)),
    def("generate_series(numeric, numeric, ?numeric) setof numeric", row(numerics)),
    def(
        "generate_series(timestamp, timestamp, interval) setof timestamp",
        row(|c, a| timestamps(c, a, false)),
    ),
    def(
        "generate_series(timestamptz, timestamptz, interval) setof timestamptz",
        row(|c, a| timestamps(c, a, true)),
    )
    .stable(),
];
