//! Functions and operators on arrays.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray};
use arrow::datatypes::{DataType, Field};

use super::{column, row};
use crate::error::{PgError, SqlState};
use crate::functions::datum::{Args, Call, Datum, Value};
use crate::functions::signature::{Def, def};

/// The order of two values of one type, nulls last: as ORDER BY has it.
pub(crate) fn compare(left: &Datum<'_>, right: &Datum<'_>) -> Ordering {
    match (left, right) {
        (Datum::Null, Datum::Null) => Ordering::Equal,
        (Datum::Null, _) => Ordering::Greater,
        (_, Datum::Null) => Ordering::Less,
        (Datum::Bool(left), Datum::Bool(right)) => left.cmp(right),
        (Datum::Int(left), Datum::Int(right))
        | (Datum::Time(left), Datum::Time(right))
        | (Datum::Timestamp(left), Datum::Timestamp(right)) => left.cmp(right),
        (Datum::Date(left), Datum::Date(right)) => left.cmp(right),
        // NaN is equal to itself and above all else.
        (Datum::Float(left), Datum::Float(right)) => {
            left.partial_cmp(right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
        }
        (Datum::Num(left), Datum::Num(right)) => left.compare(right),
        (Datum::Num(left), Datum::Int(right)) => {
            left.compare(&super::decimal::Dec::from_int(*right))
        }
        (Datum::Int(left), Datum::Num(right)) => {
            super::decimal::Dec::from_int(*left).compare(right)
        }
        (Datum::Text(left), Datum::Text(right)) => left.cmp(right),
        (Datum::Bytes(left), Datum::Bytes(right)) => left.cmp(right),
        (Datum::Interval(left), Datum::Interval(right)) => {
            super::time::interval_span(left).cmp(&super::time::interval_span(right))
        }
        (Datum::List(left), Datum::List(right)) | (Datum::Row(left), Datum::Row(right)) => left
            .iter()
            .zip(right)
            .map(|(left, right)| compare(left, right))
            .find(|order| *order != Ordering::Equal)
            .unwrap_or_else(|| left.len().cmp(&right.len())),
        _ => Ordering::Equal,
    }
}

fn same(left: &Datum<'_>, right: &Datum<'_>) -> bool {
    compare(left, right) == Ordering::Equal
}

fn size(count: usize) -> Value {
    Datum::Int(i64::try_from(count).unwrap_or(i64::MAX))
}

fn dimensions(items: &[Datum<'_>]) -> usize {
    match items.first() {
        None => 0,
        Some(Datum::List(inner)) => 1 + dimensions(inner),
        Some(_) => 1,
    }
}

/// The length of a dimension, counted from 1; `None` if there is none.
fn length(items: &[Datum<'_>], dimension: i64) -> Option<usize> {
    match (dimension, items) {
        (..1, _) | (_, []) => None,
        (1, items) => Some(items.len()),
        (dimension, [Datum::List(inner), ..]) => length(inner, dimension - 1),
        _ => None,
    }
}

fn array_length(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    Ok(length(args.list(0)?, args.int(1)?).map_or(Datum::Null, size))
}

/// The vector types of the catalogs count from 0.
fn first_subscript(call: &Call<'_>) -> i64 {
    let vector = matches!(
        call.arg_type(0),
        crate::types::pg_type::PgType::Int2vector | crate::types::pg_type::PgType::Oidvector
    );
    if vector { 0 } else { 1 }
}

fn array_lower(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let first = first_subscript(call);
    Ok(length(args.list(0)?, args.int(1)?).map_or(Datum::Null, |_| Datum::Int(first)))
}

fn array_upper(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    match (array_lower(call, args)?, array_length(call, args)?) {
        (Datum::Int(first), Datum::Int(length)) => Ok(Datum::Int(first + length - 1)),
        _ => Ok(Datum::Null),
    }
}

fn cardinality(items: &[Datum<'_>]) -> usize {
    items
        .iter()
        .map(|item| match item {
            Datum::List(inner) => cardinality(inner),
            _ => 1,
        })
        .sum()
}

fn array_dims(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let mut text = String::new();
    let mut dimension = 1;
    while let Some(length) = length(args.list(0)?, dimension) {
        text.push_str(&format!("[1:{length}]"));
        dimension += 1;
    }
    Ok(if text.is_empty() { Datum::Null } else { Datum::text(text) })
}

fn owned(items: &[Datum<'_>]) -> Vec<Value> {
    items.iter().map(|item| item.clone().into_owned()).collect()
}

fn list_or_empty(args: Args<'_, '_>, index: usize) -> Result<Vec<Value>, PgError> {
    if args.is_null(index) { Ok(Vec::new()) } else { Ok(owned(args.list(index)?)) }
}

fn array_append(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let mut items = list_or_empty(args, 0)?;
    items.push(args.get(1).clone().into_owned());
    Ok(Datum::List(items))
}

fn array_prepend(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let mut items = vec![args.get(0).clone().into_owned()];
    items.extend(list_or_empty(args, 1)?);
    Ok(Datum::List(items))
}

fn array_cat(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    if args.is_null(0) && args.is_null(1) {
        return Ok(Datum::Null);
    }
    let (left, right) = (list_or_empty(args, 0)?, list_or_empty(args, 1)?);
    let (left_dims, right_dims) = (dimensions(&left), dimensions(&right));
    Ok(Datum::List(match (left_dims, right_dims) {
        (0, _) => right,
        (_, 0) => left,
        (l, r) if l == r => left.into_iter().chain(right).collect(),
        (l, r) if l == r + 1 => left.into_iter().chain([Datum::List(right)]).collect(),
        (l, r) if l + 1 == r => std::iter::once(Datum::List(left)).chain(right).collect(),
        (l, r) => {
            return Err(PgError::new(
                SqlState::ARRAY_SUBSCRIPT_ERROR,
                "cannot concatenate incompatible arrays",
            )
            .detail(format!(
                "Arrays of {l} and {r} dimensions are not compatible for concatenation."
            )));
        }
    }))
}

fn array_remove(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    if args.is_null(0) {
        return Ok(Datum::Null);
    }
    let kept = args.list(0)?.iter().filter(|item| !same(item, args.get(1)));
    Ok(Datum::List(kept.map(|item| item.clone().into_owned()).collect()))
}

fn array_replace(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    if args.is_null(0) {
        return Ok(Datum::Null);
    }
    let pick = |item: &Datum<'_>| {
        let chosen = if same(item, args.get(1)) { args.get(2) } else { item };
        chosen.clone().into_owned()
    };
    Ok(Datum::List(args.list(0)?.iter().map(pick).collect()))
}

fn array_position(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    if args.is_null(0) {
        return Ok(Datum::Null);
    }
    let start =
        if args.len() > 2 { usize::try_from(args.int(2)?.max(1) - 1).unwrap_or(0) } else { 0 };
    let found =
        args.list(0)?.iter().enumerate().skip(start).find(|(_, item)| same(item, args.get(1)));
    Ok(found.map_or(Datum::Null, |(at, _)| size(at + 1)))
}

fn array_positions(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    if args.is_null(0) {
        return Ok(Datum::Null);
    }
    let all = args.list(0)?.iter().enumerate().filter(|(_, item)| same(item, args.get(1)));
    Ok(Datum::List(all.map(|(at, _)| size(at + 1)).collect()))
}

fn leaves<'r, 'a>(items: &'r [Datum<'a>], all: &mut Vec<&'r Datum<'a>>) {
    for item in items {
        match item {
            Datum::List(inner) => leaves(inner, all),
            leaf => all.push(leaf),
        }
    }
}

fn flat<'r, 'a>(items: &'r [Datum<'a>]) -> Vec<&'r Datum<'a>> {
    let mut all = Vec::new();
    leaves(items, &mut all);
    all
}

/// Whether every element of `part` is one of `whole`; a null is never found.
fn contains(whole: &[Datum<'_>], part: &[Datum<'_>]) -> bool {
    let whole = flat(whole);
    flat(part).iter().all(|item| !item.is_null() && whole.iter().any(|other| same(item, other)))
}

fn overlaps(left: &[Datum<'_>], right: &[Datum<'_>]) -> bool {
    let left = flat(left);
    flat(right).iter().any(|item| !item.is_null() && left.iter().any(|other| same(item, other)))
}

/// `a[i][j]`: null where the array has not as many dimensions.
fn subscript_at(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let mut items = args.list(0)?;
    let count = args.len() - 1;
    let whole = owned(items);
    if dimensions(&whole) != count {
        return Ok(Datum::Null);
    }
    for key in 1..count {
        let at = usize::try_from(args.int(key)? - 1).ok();
        match at.and_then(|at| items.get(at)) {
            Some(Datum::List(inner)) => items = inner,
            _ => return Ok(Datum::Null),
        }
    }
    let at = usize::try_from(args.int(count)? - 1).ok();
    let item = at.and_then(|at| items.get(at));
    Ok(item.map_or(Datum::Null, |item| item.clone().into_owned()))
}

fn cut(items: Vec<Value>, bounds: &[(usize, usize)]) -> Vec<Value> {
    let Some(((first, end), rest)) = bounds.split_first() else { return items };
    let items = items.into_iter().take(*end).skip(*first);
    items
        .map(|item| match item {
            Datum::List(inner) => Datum::List(cut(inner, rest)),
            item => item,
        })
        .collect()
}

/// `a[i:j][k:l]`: empty where the array has fewer dimensions.
fn slice_at(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let items = owned(args.list(0)?);
    let mut bounds = Vec::new();
    for pair in 0..(args.len() - 1) / 2 {
        let first = usize::try_from(args.int(1 + 2 * pair)?.max(1) - 1).unwrap_or(usize::MAX);
        let end = usize::try_from(args.int(2 + 2 * pair)?.max(0)).unwrap_or(usize::MAX);
        bounds.push((first, end));
    }
    if dimensions(&items) < bounds.len() {
        return Ok(Datum::List(Vec::new()));
    }
    Ok(Datum::List(cut(items, &bounds)))
}

fn subscript(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let first = match array_lower(call, Args(&[args.get(0).clone(), Datum::Int(1)]))? {
        Datum::Int(first) => first,
        _ => 1,
    };
    let at = usize::try_from(args.int(1)? - first).ok();
    let item = at.and_then(|at| args.list(0).ok()?.get(at));
    // One subscript is not enough for an array of several dimensions.
    let item = item.filter(|item| !matches!(item, Datum::List(_)));
    Ok(item.map_or(Datum::Null, |item| item.clone().into_owned()))
}

fn slice(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let first = usize::try_from(args.int(1)?.max(1) - 1).unwrap_or(usize::MAX);
    let end = usize::try_from(args.int(2)?.max(0)).unwrap_or(usize::MAX);
    Ok(Datum::List(owned(args.list(0)?).into_iter().take(end).skip(first).collect()))
}

fn array_of(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let lengths = args.0.iter().map(|item| match item {
        Datum::List(inner) => Some(inner.len()),
        _ => None,
    });
    let mut lengths: Vec<Option<usize>> = lengths.collect();
    lengths.dedup();
    if lengths.len() > 1 && lengths.iter().any(Option::is_some) {
        let message =
            "multidimensional arrays must have array expressions with matching dimensions";
        return Err(PgError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message));
    }
    Ok(Datum::List(owned(args.0)))
}

fn array_fill(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    if args.is_null(1) {
        return Err(PgError::new(
            SqlState::NULL_VALUE_NOT_ALLOWED,
            "dimension array or low bound array cannot be null",
        ));
    }
    if args.list(1)?.len() > 1 {
        return Err(PgError::unsupported(
            "array_fill of several dimensions is not supported",
            "Fill one dimension and build the others with ARRAY.",
        ));
    }
    let mut value = args.get(0).clone().into_owned();
    let mut total: usize = 1;
    for dimension in args.list(1)?.iter().rev() {
        let Datum::Int(count) = dimension else {
            return Err(PgError::new(
                SqlState::NULL_VALUE_NOT_ALLOWED,
                "dimension values cannot be null",
            ));
        };
        let count = usize::try_from(*count).unwrap_or(0);
        total = total.saturating_mul(count.max(1));
        if total > 134_217_727 {
            let message = "array size exceeds the maximum allowed (134217727)";
            return Err(PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
        }
        value = Datum::List(vec![value; count]);
    }
    Ok(value)
}

fn trim_array(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let (items, count) = (args.list(0)?, args.int(1)?);
    let keep = usize::try_from(count).ok().and_then(|count| items.len().checked_sub(count));
    let keep = keep.ok_or_else(|| {
        let message = format!("number of elements to trim must be between 0 and {}", items.len());
        PgError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message)
    })?;
    Ok(Datum::List(owned(items).into_iter().take(keep).collect()))
}

fn unnest(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    Ok(Datum::List(flat(args.list(0)?).into_iter().map(|item| item.clone().into_owned()).collect()))
}

fn subscripts(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let count = length(args.list(0)?, args.int(1)?).unwrap_or(0);
    let first = first_subscript(call);
    let numbers: Vec<Value> = (0..count)
        .map(|at| Datum::Int(i64::try_from(at).unwrap_or(i64::MAX).saturating_add(first)))
        .collect();
    let reverse = args.len() > 2 && args.bool(2)?;
    Ok(Datum::List(if reverse { numbers.into_iter().rev().collect() } else { numbers }))
}

/// `x op ANY (array)` and `x op ALL (array)`: null where a null could have decided.
fn quantified(
    args: Args<'_, '_>,
    any: bool,
    holds: fn(Ordering) -> bool,
) -> Result<Value, PgError> {
    let mut unknown = false;
    for item in flat(args.list(1)?) {
        if item.is_null() {
            unknown = true;
        } else if holds(compare(args.get(0), item)) == any {
            return Ok(Datum::Bool(any));
        }
    }
    Ok(if unknown { Datum::Null } else { Datum::Bool(!any) })
}

/// `x = ANY (array)`: null if it is not there and the array has a null.
fn any_equal(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let items = flat(args.list(1)?);
    if items.iter().any(|item| !item.is_null() && same(item, args.get(0))) {
        return Ok(Datum::Bool(true));
    }
    Ok(if items.iter().any(|item| item.is_null()) { Datum::Null } else { Datum::Bool(false) })
}

/// A letter of a name, from 0.
fn name_subscript(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let at = usize::try_from(args.int(1)?).ok();
    let letter = at.and_then(|at| args.text(0).ok()?.chars().nth(at));
    Ok(letter.map_or(Datum::Null, |letter| Datum::text(letter.to_string())))
}

fn expand(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let rows = args.list(0)?.iter().enumerate();
    Ok(Datum::List(
        rows.map(|(at, item)| Datum::Row(vec![item.clone().into_owned(), size(at + 1)])).collect(),
    ))
}

fn extreme(args: Args<'_, '_>, wanted: Ordering) -> Value {
    let mut best = Datum::Null;
    for item in args.0.iter().filter(|item| !item.is_null()) {
        if best.is_null() || compare(item, &best) == wanted {
            best = item.clone().into_owned();
        }
    }
    best
}

/// The numbers from 1 to the length of each list, as a list of the same shape.
fn ordinality(_: &Call<'_>, args: &[ArrayRef]) -> Result<ArrayRef, PgError> {
    let list = args.first().and_then(|array| array.as_list_opt::<i32>());
    let list = list.ok_or_else(|| PgError::internal("ordinality of something that is no list"))?;
    let mut numbers = Vec::with_capacity(list.values().len());
    let offsets = arrow::buffer::OffsetBuffer::from_lengths((0..list.len()).map(|row| {
        let length = list.value_length(row);
        numbers.extend(1..=i64::from(length));
        usize::try_from(length).unwrap_or(0)
    }));
    let field = Arc::new(Field::new_list_field(DataType::Int64, true));
    Ok(Arc::new(ListArray::try_new(
        field,
        offsets,
        Arc::new(Int64Array::from(numbers)),
        list.nulls().cloned(),
    )?))
}

pub(super) const FUNCTIONS: &[Def] = &[
    def("array_length(anyarray, int4) int4", row(array_length)),
    def(
        "array_ndims(anyarray) int4",
        row(|_, a| {
            let count = dimensions(a.list(0)?);
            Ok(if count == 0 { Datum::Null } else { size(count) })
        }),
    ),
    def("array_lower(anyarray, int4) int4", row(array_lower)),
    def("array_upper(anyarray, int4) int4", row(array_upper)),
    def("array_dims(anyarray) text", row(array_dims)),
    def("cardinality(anyarray) int4", row(|_, a| Ok(size(cardinality(a.list(0)?))))),
    def("array_append(anyarray, anyelement) anyarray", row(array_append)).with_nulls(),
    def("array_prepend(anyelement, anyarray) anyarray", row(array_prepend)).with_nulls(),
    def("array_cat(anyarray, anyarray) anyarray", row(array_cat)).with_nulls(),
    def("array_remove(anyarray, anyelement) anyarray", row(array_remove)).with_nulls(),
    def("array_replace(anyarray, anyelement, anyelement) anyarray", row(array_replace))
        .with_nulls(),
    def("array_position(anyarray, anyelement, ?int4) int4", row(array_position)).with_nulls(),
    def("array_positions(anyarray, anyelement) int4[]", row(array_positions)).with_nulls(),
    def("array_fill(anyelement, int4[]) anyarray", row(array_fill)).with_nulls(),
    def("trim_array(anyarray, int4) anyarray", row(trim_array)),
    def("array_of(variadic anyelement) anyarray", row(array_of)).with_nulls(),
    def("array_of() text[]", row(|_, _| Ok(Datum::List(Vec::new())))),
    def("array_subscript(anyarray, int4) anyelement", row(subscript)),
    def("array_subscript(anyarray, int4, variadic int4) anyelement", row(subscript_at)),
    def("array_subscript(name, int4) \"char\"", row(name_subscript)),
    def(
        "list_or_empty(anyarray) anyarray",
        row(|_, a| {
            Ok(if a.is_null(0) { Datum::List(Vec::new()) } else { a.get(0).clone().into_owned() })
        }),
    )
    .with_nulls(),
    def("set_ordinality(any) int8[]", column(ordinality)),
    def("array_slice(anyarray, int4, int4) anyarray", row(slice)),
    def("array_slice(anyarray, int4, int4, variadic int4) anyarray", row(slice_at)),
    def("unnest(anyarray) setof anyelement", row(unnest)),
    // What `int4larger`, `date_smaller`, `btint4cmp` and their like mean.
    def(
        "graphwire_larger(anyelement, anyelement) anyelement",
        row(|_, a| Ok(extreme(a, Ordering::Greater))),
    ),
    def(
        "graphwire_smaller(anyelement, anyelement) anyelement",
        row(|_, a| Ok(extreme(a, Ordering::Less))),
    ),
    def(
        "graphwire_order(anyelement, anyelement) int4",
        row(|_, a| Ok(Datum::Int(compare(a.get(0), a.get(1)) as i64))),
    ),
    def("generate_subscripts(anyarray, int4, ?bool) setof int4", row(subscripts)),
    def("_pg_expandarray(int2vector) setof (x int2, n int4)", row(expand)),
    def("_pg_expandarray(oidvector) setof (x oid, n int4)", row(expand)),
    def("_pg_expandarray(int2[]) setof (x int2, n int4)", row(expand)),
    def("_pg_expandarray(int4[]) setof (x int4, n int4)", row(expand)),
    def("_pg_expandarray(oid[]) setof (x oid, n int4)", row(expand)),
    def("_pg_expandarray(text[]) setof (x text, n int4)", row(expand)),
    def("greatest(variadic anyelement) anyelement", row(|_, a| Ok(extreme(a, Ordering::Greater))))
        .with_nulls(),
    def("least(variadic anyelement) anyelement", row(|_, a| Ok(extreme(a, Ordering::Less))))
        .with_nulls(),
    def(
        "num_nulls(variadic any) int4",
        row(|_, a| Ok(size(a.0.iter().filter(|v| v.is_null()).count()))),
    )
    .with_nulls(),
    def(
        "num_nonnulls(variadic any) int4",
        row(|_, a| Ok(size(a.0.iter().filter(|v| !v.is_null()).count()))),
    )
    .with_nulls(),
];

pub(super) const OPERATORS: &[Def] = &[
    def("||(anyarray, anyarray) anyarray", row(array_cat)).with_nulls(),
    def("||(anyarray, anyelement) anyarray", row(array_append)).with_nulls(),
    def("||(anyelement, anyarray) anyarray", row(array_prepend)).with_nulls(),
    def(
        "@>(anyarray, anyarray) bool",
        row(|_, a| Ok(Datum::Bool(contains(a.list(0)?, a.list(1)?)))),
    ),
    def(
        "<@(anyarray, anyarray) bool",
        row(|_, a| Ok(Datum::Bool(contains(a.list(1)?, a.list(0)?)))),
    ),
    def(
        "&&(anyarray, anyarray) bool",
        row(|_, a| Ok(Datum::Bool(overlaps(a.list(0)?, a.list(1)?)))),
    ),
    def("= any(anyelement, anyarray) bool", row(any_equal)),
    def(
        "<> any(anyelement, anyarray) bool",
        row(|_, a| quantified(a, true, |order| order.is_ne())),
    ),
    def("< any(anyelement, anyarray) bool", row(|_, a| quantified(a, true, |order| order.is_lt()))),
    def(
        "<= any(anyelement, anyarray) bool",
        row(|_, a| quantified(a, true, |order| order.is_le())),
    ),
    def("> any(anyelement, anyarray) bool", row(|_, a| quantified(a, true, |order| order.is_gt()))),
    def(
        ">= any(anyelement, anyarray) bool",
        row(|_, a| quantified(a, true, |order| order.is_ge())),
    ),
    def(
        "= all(anyelement, anyarray) bool",
        row(|_, a| quantified(a, false, |order| order.is_eq())),
    ),
    def(
        "<> all(anyelement, anyarray) bool",
        row(|_, a| quantified(a, false, |order| order.is_ne())),
    ),
    def(
        "< all(anyelement, anyarray) bool",
        row(|_, a| quantified(a, false, |order| order.is_lt())),
    ),
    def(
        "<= all(anyelement, anyarray) bool",
        row(|_, a| quantified(a, false, |order| order.is_le())),
    ),
    def(
        "> all(anyelement, anyarray) bool",
        row(|_, a| quantified(a, false, |order| order.is_gt())),
    ),
    def(
        ">= all(anyelement, anyarray) bool",
        row(|_, a| quantified(a, false, |order| order.is_ge())),
    ),
];
