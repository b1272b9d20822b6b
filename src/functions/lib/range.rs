//! Functions and operators on ranges.

use super::decimal::Dec;
use super::row;
use crate::error::{PgError, SqlState};
use crate::functions::datum::{Args, Call, Datum, Value};
use crate::functions::signature::{Def, def};
use crate::types::pg_type::{NUMERIC_STORAGE, PgType};
use crate::types::range::{Bound, Range, RangeKind};

/// The first range among the types of the arguments and the result.
fn kind(call: &Call<'_>) -> Result<RangeKind, PgError> {
    let types = call.arg_types.iter().chain([call.return_type]);
    let found = types.into_iter().find_map(|ty| match ty {
        PgType::Range(kind) => Some(*kind),
        _ => None,
    });
    found.ok_or_else(|| PgError::internal(format!("{} without a range", call.name)))
}

fn range(call: &Call<'_>, args: Args<'_, '_>, index: usize) -> Result<Range, PgError> {
    Ok(Range::decode(kind(call)?, args.bytes(index)?)?)
}

fn stored(kind: RangeKind, range: &Range) -> Value {
    Datum::bytes(range.encode(kind))
}

/// A bound's value as it is stored; none for a null.
fn number(kind: RangeKind, value: &Datum<'_>) -> Result<Option<i128>, PgError> {
    let (precision, scale) = NUMERIC_STORAGE;
    Ok(Some(match (value, kind) {
        (Datum::Null, _) => return Ok(None),
        (Datum::Num(value), _) => value.fit(precision, scale)?,
        (Datum::Int(value), RangeKind::Num) => Dec::from_int(*value).fit(precision, scale)?,
        (Datum::Int(value) | Datum::Timestamp(value), _) => i128::from(*value),
        (Datum::Date(value), _) => i128::from(*value),
        _ => return Err(PgError::internal("a bound of another type")),
    }))
}

/// A bound as a value of its type; null if there is none.
fn bound(kind: RangeKind, bound: Bound) -> Value {
    let Some(value) = bound.value else { return Datum::Null };
    match kind {
        RangeKind::Int4 | RangeKind::Int8 => Datum::Int(value as i64),
        RangeKind::Num => Datum::Num(Dec::new(value, NUMERIC_STORAGE.1)),
        RangeKind::Ts | RangeKind::Tstz => Datum::Timestamp(value as i64),
        RangeKind::Date => Datum::Date(value as i32),
    }
}

/// Which ends the third argument of a constructor takes in.
fn inclusive(args: Args<'_, '_>) -> Result<(bool, bool), PgError> {
    if args.len() < 3 {
        return Ok((true, false));
    }
    if args.is_null(2) {
        let message = "range constructor flags argument must not be null";
        return Err(PgError::new(SqlState("22000"), message));
    }
    Ok(match args.text(2)? {
        "[]" => (true, true),
        "[)" => (true, false),
        "(]" => (false, true),
        "()" => (false, false),
        _ => {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "invalid range bound flags")
                .hint("Valid values are \"[]\", \"[)\", \"(]\", and \"()\"."));
        }
    })
}

fn construct(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let kind = kind(call)?;
    let (low, high) = inclusive(args)?;
    let lower = Bound { value: number(kind, args.get(0))?, inclusive: low };
    let upper = Bound { value: number(kind, args.get(1))?, inclusive: high };
    Ok(stored(kind, &Range::new(kind, lower, upper)?))
}

/// What is said of one end; of none where the range is empty.
fn of_ends(
    call: &Call<'_>,
    args: Args<'_, '_>,
    of: impl Fn(RangeKind, Option<(Bound, Bound)>) -> Value,
) -> Result<Value, PgError> {
    Ok(of(kind(call)?, range(call, args, 0)?.ends()))
}

fn test_end(
    call: &Call<'_>,
    args: Args<'_, '_>,
    test: fn(Bound, Bound) -> bool,
) -> Result<Value, PgError> {
    of_ends(call, args, |_, ends| Datum::Bool(ends.is_some_and(|(low, high)| test(low, high))))
}

/// What holds between two ranges.
fn test(
    call: &Call<'_>,
    args: Args<'_, '_>,
    test: impl Fn(&Range, &Range) -> bool,
) -> Result<Value, PgError> {
    Ok(Datum::Bool(test(&range(call, args, 0)?, &range(call, args, 1)?)))
}

fn has(
    call: &Call<'_>,
    args: Args<'_, '_>,
    of_range: usize,
    element: usize,
) -> Result<Value, PgError> {
    let value = number(kind(call)?, args.get(element))?;
    let range = range(call, args, of_range)?;
    Ok(value.map_or(Datum::Null, |value| Datum::Bool(range.has(value))))
}

type Combine = fn(&Range, &Range, RangeKind) -> Result<Range, crate::types::TypeError>;

fn combine(call: &Call<'_>, args: Args<'_, '_>, combine: Combine) -> Result<Value, PgError> {
    let kind = kind(call)?;
    let made = combine(&range(call, args, 0)?, &range(call, args, 1)?, kind)?;
    Ok(stored(kind, &made))
}

/// What only multiranges have.
fn of_multiranges(call: &Call<'_>, _: Args<'_, '_>) -> Result<Value, PgError> {
    Err(PgError::unsupported(
        format!("function {} of ranges is not supported", call.name),
        "There are no multiranges.",
    ))
}

pub(crate) const FUNCTIONS: &[Def] = &[
    def("int4range(int4, int4) int4range", row(construct)).with_nulls(),
    def("int4range(int4, int4, text) int4range", row(construct)).with_nulls(),
    def("int8range(int8, int8) int8range", row(construct)).with_nulls(),
    def("int8range(int8, int8, text) int8range", row(construct)).with_nulls(),
    def("numrange(numeric, numeric) numrange", row(construct)).with_nulls(),
    def("numrange(numeric, numeric, text) numrange", row(construct)).with_nulls(),
    def("tsrange(timestamp, timestamp) tsrange", row(construct)).with_nulls(),
    def("tsrange(timestamp, timestamp, text) tsrange", row(construct)).with_nulls(),
    def("tstzrange(timestamptz, timestamptz) tstzrange", row(construct)).with_nulls(),
    def("tstzrange(timestamptz, timestamptz, text) tstzrange", row(construct)).with_nulls(),
    def("daterange(date, date) daterange", row(construct)).with_nulls(),
    def("daterange(date, date, text) daterange", row(construct)).with_nulls(),
    def(
        "lower(anyrange) anyelement",
        row(|c, a| {
            of_ends(c, a, |kind, ends| ends.map_or(Datum::Null, |(low, _)| bound(kind, low)))
        }),
    ),
    def(
        "upper(anyrange) anyelement",
        row(|c, a| {
            of_ends(c, a, |kind, ends| ends.map_or(Datum::Null, |(_, high)| bound(kind, high)))
        }),
    ),
    def("isempty(anyrange) bool", row(|c, a| of_ends(c, a, |_, e| Datum::Bool(e.is_none())))),
    def("lower_inc(anyrange) bool", row(|c, a| test_end(c, a, |low, _| low.inclusive))),
    def("upper_inc(anyrange) bool", row(|c, a| test_end(c, a, |_, high| high.inclusive))),
    def("lower_inf(anyrange) bool", row(|c, a| test_end(c, a, |low, _| low.value.is_none()))),
    def("upper_inf(anyrange) bool", row(|c, a| test_end(c, a, |_, high| high.value.is_none()))),
    def("range_merge(anyrange, anyrange) anyrange", row(|c, a| combine(c, a, Range::merge))),
    def("multirange(anyrange) text", row(of_multiranges)),
];

pub(crate) const OPERATORS: &[Def] = &[
    def("@>(anyrange, anyrange) bool", row(|c, a| test(c, a, Range::contains))),
    def("@>(anyrange, anyelement) bool", row(|c, a| has(c, a, 0, 1))),
    def("<@(anyrange, anyrange) bool", row(|c, a| test(c, a, |l, r| r.contains(l)))),
    def("<@(anyelement, anyrange) bool", row(|c, a| has(c, a, 1, 0))),
    def("&&(anyrange, anyrange) bool", row(|c, a| test(c, a, Range::overlaps))),
    def("<<(anyrange, anyrange) bool", row(|c, a| test(c, a, Range::is_before))),
    def(">>(anyrange, anyrange) bool", row(|c, a| test(c, a, |l, r| r.is_before(l)))),
    def("&<(anyrange, anyrange) bool", row(|c, a| test(c, a, Range::ends_within))),
    def("&>(anyrange, anyrange) bool", row(|c, a| test(c, a, Range::begins_within))),
    def(
        "-|-(anyrange, anyrange) bool",
        row(|c, a| {
            let kind = kind(c)?;
            test(c, a, |left, right| left.is_adjacent(right, kind))
        }),
    ),
    def("+(anyrange, anyrange) anyrange", row(|c, a| combine(c, a, Range::union))),
    def("*(anyrange, anyrange) anyrange", row(|c, a| combine(c, a, Range::intersection))),
    def("-(anyrange, anyrange) anyrange", row(|c, a| combine(c, a, Range::difference))),
];
