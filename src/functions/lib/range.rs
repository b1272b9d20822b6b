//! Functions and operators on ranges and multiranges.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BinaryViewArray};

use super::decimal::Dec;
use super::row;
use crate::error::{PgError, SqlState};
use crate::functions::datum::{Args, Call, Datum, Value};
use crate::functions::signature::{Def, def};
use crate::types::TypeError;
use crate::types::pg_type::{NUMERIC_STORAGE, PgType};
use crate::types::range::{Bound, Multirange, Range, RangeKind};

/// What the ranges among the arguments, or the result, are over.
fn kind(call: &Call<'_>) -> Result<RangeKind, PgError> {
    let types = call.arg_types.iter().chain([call.return_type]);
    let found = types.into_iter().find_map(|ty| match ty {
        PgType::Range(kind) | PgType::Multirange(kind) => Some(*kind),
        _ => None,
    });
    found.ok_or_else(|| PgError::internal(format!("{} without a range", call.name)))
}

fn range(call: &Call<'_>, args: Args<'_, '_>, index: usize) -> Result<Range, PgError> {
    Ok(Range::decode(kind(call)?, args.bytes(index)?)?)
}

/// An argument that is a range or a multirange, as a multirange.
fn multirange(call: &Call<'_>, args: Args<'_, '_>, index: usize) -> Result<Multirange, PgError> {
    let kind = kind(call)?;
    Ok(match call.arg_type(index) {
        PgType::Multirange(_) => Multirange::decode(kind, args.bytes(index)?)?,
        _ => Multirange::new(kind, vec![range(call, args, index)?])?,
    })
}

/// An argument that is a range or a multirange, as the smallest range that has all of it.
fn hull(call: &Call<'_>, args: Args<'_, '_>, index: usize) -> Result<Range, PgError> {
    match call.arg_type(index) {
        PgType::Multirange(kind) => Ok(multirange(call, args, index)?.hull(*kind)?),
        _ => range(call, args, index),
    }
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

fn construct_multirange(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    if args.len() == 1 && args.is_null(0) {
        return Ok(Datum::Null);
    }
    if (0..args.len()).any(|index| args.is_null(index)) {
        let message = "multirange values cannot contain null members";
        return Err(PgError::new(SqlState::NULL_VALUE_NOT_ALLOWED, message));
    }
    let ranges = (0..args.len()).map(|index| range(call, args, index));
    let kind = kind(call)?;
    let made = Multirange::new(kind, ranges.collect::<Result<_, _>>()?)?;
    Ok(Datum::bytes(made.encode(kind)))
}

/// A column of ranges as multiranges of one range each, or none.
pub(crate) fn as_multirange(array: &ArrayRef, kind: RangeKind) -> Result<ArrayRef, PgError> {
    let ranges = array.as_binary_view_opt();
    let ranges = ranges.ok_or_else(|| PgError::internal("ranges are no bytes"))?;
    let made = ranges.iter().map(|stored| {
        let one = |stored| Multirange::new(kind, vec![Range::decode(kind, stored)?]);
        stored.map(|stored| Ok(one(stored)?.encode(kind))).transpose()
    });
    Ok(Arc::new(made.collect::<Result<BinaryViewArray, TypeError>>()?))
}

/// What is said of the ends; of none where nothing is in the range.
fn of_ends(
    call: &Call<'_>,
    args: Args<'_, '_>,
    of: impl Fn(RangeKind, Option<(Bound, Bound)>) -> Value,
) -> Result<Value, PgError> {
    Ok(of(kind(call)?, hull(call, args, 0)?.ends()))
}

fn lower(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    of_ends(call, args, |kind, ends| ends.map_or(Datum::Null, |(low, _)| bound(kind, low)))
}

fn upper(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    of_ends(call, args, |kind, ends| ends.map_or(Datum::Null, |(_, high)| bound(kind, high)))
}

fn is_empty(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    of_ends(call, args, |_, ends| Datum::Bool(ends.is_none()))
}

fn test_end(
    call: &Call<'_>,
    args: Args<'_, '_>,
    test: fn(Bound, Bound) -> bool,
) -> Result<Value, PgError> {
    of_ends(call, args, |_, ends| Datum::Bool(ends.is_some_and(|(low, high)| test(low, high))))
}

/// What holds between two ranges, or the hulls of multiranges.
fn test(
    call: &Call<'_>,
    args: Args<'_, '_>,
    test: impl Fn(&Range, &Range) -> bool,
) -> Result<Value, PgError> {
    Ok(Datum::Bool(test(&hull(call, args, 0)?, &hull(call, args, 1)?)))
}

fn adjacent(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let kind = kind(call)?;
    test(call, args, |left, right| left.is_adjacent(right, kind))
}

/// What holds between two of which one is a multirange.
fn test_parts(
    call: &Call<'_>,
    args: Args<'_, '_>,
    test: fn(&Multirange, &Multirange) -> bool,
) -> Result<Value, PgError> {
    Ok(Datum::Bool(test(&multirange(call, args, 0)?, &multirange(call, args, 1)?)))
}

fn within(left: &Multirange, right: &Multirange) -> bool {
    right.contains(left)
}

fn has(
    call: &Call<'_>,
    args: Args<'_, '_>,
    of_range: usize,
    element: usize,
) -> Result<Value, PgError> {
    let Some(value) = number(kind(call)?, args.get(element))? else { return Ok(Datum::Null) };
    Ok(Datum::Bool(match call.arg_type(of_range) {
        PgType::Multirange(_) => multirange(call, args, of_range)?.has(value),
        _ => range(call, args, of_range)?.has(value),
    }))
}

type Combine = fn(&Range, &Range, RangeKind) -> Result<Range, TypeError>;

fn combine(call: &Call<'_>, args: Args<'_, '_>, combine: Combine) -> Result<Value, PgError> {
    let kind = kind(call)?;
    let made = combine(&range(call, args, 0)?, &range(call, args, 1)?, kind)?;
    Ok(stored(kind, &made))
}

type CombineParts = fn(&Multirange, &Multirange, RangeKind) -> Result<Multirange, TypeError>;

fn combine_parts(
    call: &Call<'_>,
    args: Args<'_, '_>,
    combine: CombineParts,
) -> Result<Value, PgError> {
    let kind = kind(call)?;
    let made = combine(&multirange(call, args, 0)?, &multirange(call, args, 1)?, kind)?;
    Ok(Datum::bytes(made.encode(kind)))
}

/// The ranges of a multirange.
fn parts(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let kind = kind(call)?;
    let whole = multirange(call, args, 0)?;
    Ok(Datum::List(whole.ranges().iter().map(|range| stored(kind, range)).collect()))
}

fn ranges_of(types: &[PgType], _: &[Option<i64>]) -> PgType {
    match types {
        [PgType::Multirange(kind)] => PgType::array_of(PgType::Range(*kind)),
        _ => PgType::array_of(PgType::Unknown),
    }
}

fn whole(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    Ok(stored(kind(call)?, &hull(call, args, 0)?))
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
    def("int4multirange(variadic ?int4range) int4multirange", row(construct_multirange))
        .with_nulls(),
    def("int8multirange(variadic ?int8range) int8multirange", row(construct_multirange))
        .with_nulls(),
    def("nummultirange(variadic ?numrange) nummultirange", row(construct_multirange)).with_nulls(),
    def("tsmultirange(variadic ?tsrange) tsmultirange", row(construct_multirange)).with_nulls(),
    def("tstzmultirange(variadic ?tstzrange) tstzmultirange", row(construct_multirange))
        .with_nulls(),
    def("datemultirange(variadic ?daterange) datemultirange", row(construct_multirange))
        .with_nulls(),
    def("multirange(anyrange) anymultirange", row(construct_multirange)),
    def("lower(anyrange) anyelement", row(lower)),
    def("lower(anymultirange) anyelement", row(lower)),
    def("upper(anyrange) anyelement", row(upper)),
    def("upper(anymultirange) anyelement", row(upper)),
    def("isempty(anyrange) bool", row(is_empty)),
    def("isempty(anymultirange) bool", row(is_empty)),
    def("lower_inc(anyrange) bool", row(|c, a| test_end(c, a, |low, _| low.inclusive))),
    def("lower_inc(anymultirange) bool", row(|c, a| test_end(c, a, |low, _| low.inclusive))),
    def("upper_inc(anyrange) bool", row(|c, a| test_end(c, a, |_, high| high.inclusive))),
    def("upper_inc(anymultirange) bool", row(|c, a| test_end(c, a, |_, high| high.inclusive))),
    def("lower_inf(anyrange) bool", row(|c, a| test_end(c, a, |low, _| low.value.is_none()))),
    def("lower_inf(anymultirange) bool", row(|c, a| test_end(c, a, |low, _| low.value.is_none()))),
    def("upper_inf(anyrange) bool", row(|c, a| test_end(c, a, |_, high| high.value.is_none()))),
    def(
        "upper_inf(anymultirange) bool",
        row(|c, a| test_end(c, a, |_, high| high.value.is_none())),
    ),
    def("range_merge(anyrange, anyrange) anyrange", row(|c, a| combine(c, a, Range::merge))),
    def("range_merge(anymultirange) anyrange", row(whole)),
    // What `unnest` of a multirange is made of, see `multirange_rows`.
    def("graphwire_ranges(anymultirange) anyarray", row(parts)).refined(ranges_of),
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
    def("-|-(anyrange, anyrange) bool", row(adjacent)),
    def("+(anyrange, anyrange) anyrange", row(|c, a| combine(c, a, Range::union))),
    def("*(anyrange, anyrange) anyrange", row(|c, a| combine(c, a, Range::intersection))),
    def("-(anyrange, anyrange) anyrange", row(|c, a| combine(c, a, Range::difference))),
];

/// Operators of which one operand or both are multiranges.
pub(crate) const MULTIRANGE_OPERATORS: &[Def] = &[
    def(
        "@>(anymultirange, anymultirange) bool",
        row(|c, a| test_parts(c, a, Multirange::contains)),
    ),
    def("@>(anymultirange, anyrange) bool", row(|c, a| test_parts(c, a, Multirange::contains))),
    def("@>(anyrange, anymultirange) bool", row(|c, a| test_parts(c, a, Multirange::contains))),
    def("@>(anymultirange, anyelement) bool", row(|c, a| has(c, a, 0, 1))),
    def("<@(anymultirange, anymultirange) bool", row(|c, a| test_parts(c, a, within))),
    def("<@(anymultirange, anyrange) bool", row(|c, a| test_parts(c, a, within))),
    def("<@(anyrange, anymultirange) bool", row(|c, a| test_parts(c, a, within))),
    def("<@(anyelement, anymultirange) bool", row(|c, a| has(c, a, 1, 0))),
    def(
        "&&(anymultirange, anymultirange) bool",
        row(|c, a| test_parts(c, a, Multirange::overlaps)),
    ),
    def("&&(anymultirange, anyrange) bool", row(|c, a| test_parts(c, a, Multirange::overlaps))),
    def("&&(anyrange, anymultirange) bool", row(|c, a| test_parts(c, a, Multirange::overlaps))),
    def("<<(anymultirange, anymultirange) bool", row(|c, a| test(c, a, Range::is_before))),
    def("<<(anymultirange, anyrange) bool", row(|c, a| test(c, a, Range::is_before))),
    def("<<(anyrange, anymultirange) bool", row(|c, a| test(c, a, Range::is_before))),
    def(">>(anymultirange, anymultirange) bool", row(|c, a| test(c, a, |l, r| r.is_before(l)))),
    def(">>(anymultirange, anyrange) bool", row(|c, a| test(c, a, |l, r| r.is_before(l)))),
    def(">>(anyrange, anymultirange) bool", row(|c, a| test(c, a, |l, r| r.is_before(l)))),
    def("&<(anymultirange, anymultirange) bool", row(|c, a| test(c, a, Range::ends_within))),
    def("&<(anymultirange, anyrange) bool", row(|c, a| test(c, a, Range::ends_within))),
    def("&<(anyrange, anymultirange) bool", row(|c, a| test(c, a, Range::ends_within))),
    def("&>(anymultirange, anymultirange) bool", row(|c, a| test(c, a, Range::begins_within))),
    def("&>(anymultirange, anyrange) bool", row(|c, a| test(c, a, Range::begins_within))),
    def("&>(anyrange, anymultirange) bool", row(|c, a| test(c, a, Range::begins_within))),
    def("-|-(anymultirange, anymultirange) bool", row(adjacent)),
    def("-|-(anymultirange, anyrange) bool", row(adjacent)),
    def("-|-(anyrange, anymultirange) bool", row(adjacent)),
    def(
        "+(anymultirange, anymultirange) anymultirange",
        row(|c, a| combine_parts(c, a, Multirange::union)),
    ),
    def(
        "*(anymultirange, anymultirange) anymultirange",
        row(|c, a| combine_parts(c, a, Multirange::intersection)),
    ),
    def(
        "-(anymultirange, anymultirange) anymultirange",
        row(|c, a| combine_parts(c, a, Multirange::difference)),
    ),
];
