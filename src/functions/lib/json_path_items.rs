//! Items of SQL/JSON paths: what is inside them, how they compare, and why there are none.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Map, Number, Value as Json};

use super::decimal::Dec;
use crate::error::{PgError, SqlState};
use crate::types::json_path::Comparison;

/// Why nothing was found.
#[derive(Debug)]
pub(super) enum Fail {
    /// The value is not as the path expects it.
    Soft(PgError),
    /// Anything else.
    Hard(PgError),
}

impl From<Fail> for PgError {
    fn from(fail: Fail) -> Self {
        match fail {
            Fail::Soft(error) | Fail::Hard(error) => error,
        }
    }
}

pub(super) type Items<'v> = Vec<Cow<'v, Json>>;

pub(super) fn soft(code: &'static str, message: impl Into<Cow<'static, str>>) -> Fail {
    Fail::Soft(PgError::new(SqlState(code), message))
}

pub(super) const MEMBER_NOT_FOUND: &str = "2203A";
pub(super) const NUMBER_NOT_FOUND: &str = "2203B";
pub(super) const OBJECT_NOT_FOUND: &str = "2203C";
pub(super) const INVALID_SUBSCRIPT: &str = "22033";
pub(super) const NON_NUMERIC: &str = "22036";
pub(super) const SINGLETON_REQUIRED: &str = "22038";
pub(super) const ARRAY_NOT_FOUND: &str = "22039";

/// What a soft error leaves: nothing is known.
pub(super) fn known<T>(result: Result<T, Fail>) -> Result<Option<T>, Fail> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Fail::Soft(_)) => Ok(None),
        Err(hard) => Err(hard),
    }
}

pub(super) fn structural(
    lenient: bool,
    code: &'static str,
    message: impl Into<Cow<'static, str>>,
) -> Result<(), Fail> {
    if lenient { Ok(()) } else { Err(soft(code, message)) }
}

pub(super) fn no_subscript() -> Fail {
    soft(INVALID_SUBSCRIPT, "jsonpath array subscript is not a single numeric value")
}

/// An array's elements, anything else alone.
pub(super) fn elements(item: Cow<'_, Json>) -> Items<'_> {
    match item {
        Cow::Borrowed(Json::Array(items)) => items.iter().map(Cow::Borrowed).collect(),
        Cow::Owned(Json::Array(items)) => items.into_iter().map(Cow::Owned).collect(),
        other => vec![other],
    }
}

/// Members as jsonb keeps them: shorter keys first.
pub(super) fn sorted(map: &Map<String, Json>) -> Vec<(&String, &Json)> {
    let mut members: Vec<(&String, &Json)> = map.iter().collect();
    members.sort_by(|(left, _), (right, _)| (left.len(), left).cmp(&(right.len(), right)));
    members
}

pub(super) fn map_in_order(map: &Map<String, Json>) -> impl Iterator<Item = Cow<'_, Json>> {
    sorted(map).into_iter().map(|(_, value)| Cow::Borrowed(value))
}

pub(super) enum Member<'c> {
    Found(Cow<'c, Json>),
    Missing,
    NoObject,
}

pub(super) fn member<'c>(item: Cow<'c, Json>, key: &str) -> Member<'c> {
    match item {
        Cow::Borrowed(Json::Object(map)) => {
            map.get(key).map_or(Member::Missing, |value| Member::Found(Cow::Borrowed(value)))
        }
        Cow::Owned(Json::Object(mut map)) => {
            map.remove(key).map_or(Member::Missing, |value| Member::Found(Cow::Owned(value)))
        }
        _ => Member::NoObject,
    }
}

/// An item and what is inside it, by level; `None` is the last level, where nothing is inside any more.
pub(super) fn levels<'c>(
    item: Cow<'c, Json>,
    from: Option<u32>,
    to: Option<u32>,
    out: &mut Items<'c>,
) {
    fn inside<'c>(item: Cow<'c, Json>) -> Items<'c> {
        match item {
            Cow::Borrowed(Json::Object(map)) => map_in_order(map).collect(),
            Cow::Owned(Json::Object(map)) => {
                map_in_order(&map).map(|value| Cow::Owned(value.into_owned())).collect()
            }
            item if item.is_array() => elements(item),
            _ => Vec::new(),
        }
    }
    let leaves_only = from.is_none();
    let (from, to) = (from.unwrap_or(0), to.unwrap_or(u32::MAX));
    let mut waiting = vec![(item, 0)];
    while let Some((item, level)) = waiting.pop() {
        let is_leaf = !item.is_array() && !item.is_object();
        if level >= from && level <= to && (!leaves_only || is_leaf) {
            out.push(item.clone());
        }
        if level < to {
            waiting.extend(inside(item).into_iter().rev().map(|item| (item, level + 1)));
        }
    }
}

pub(super) fn keyed(map: &Map<String, Json>) -> Items<'static> {
    let row = |(key, value): (&String, &Json)| {
        let mut row = Map::new();
        row.insert("id".to_owned(), Json::from(0));
        row.insert("key".to_owned(), Json::String(key.clone()));
        row.insert("value".to_owned(), value.clone());
        Cow::Owned(Json::Object(row))
    };
    sorted(map).into_iter().map(row).collect()
}

pub(super) fn parsed(digits: &str) -> Result<Dec, Fail> {
    Dec::parse(digits).ok_or_else(|| Fail::Hard(Dec::overflow()))
}

pub(super) fn number(value: Dec) -> Result<Json, Fail> {
    let text = value.to_string();
    let number: Result<Number, _> = serde_json::from_str(&text);
    number.map(Json::Number).map_err(|_| Fail::Hard(Dec::overflow()))
}

pub(super) fn double(text: &str, kind: &str) -> Result<f64, Fail> {
    let value: Option<f64> = text.trim().parse().ok();
    value.filter(|value| value.is_finite()).ok_or_else(|| {
        let message = format!(
            "{kind} argument of jsonpath item method .double() is not a valid representation of a double precision number"
        );
        soft(NON_NUMERIC, message)
    })
}

/// The digits after the point that PostgreSQL gives a quotient: 16 significant ones in groups of four.
pub(super) fn quotient_scale(left: Dec, right: Dec) -> i8 {
    let weight = |value: Dec| {
        let value = value.to_f64().abs();
        if value == 0.0 {
            return (0, 0.0);
        }
        let weight = (value.log10() / 4.0).floor();
        (weight as i32, (value / 10_000_f64.powf(weight)).floor())
    };
    let ((left_weight, left_digit), (right_weight, right_digit)) = (weight(left), weight(right));
    let mut groups = left_weight - right_weight;
    if left_digit <= right_digit {
        groups -= 1;
    }
    let scale = (16 - groups * 4).max(i32::from(left.scale)).max(i32::from(right.scale));
    i8::try_from(scale.clamp(0, 36)).unwrap_or(36)
}

/// `None` where the items cannot be compared.
pub(super) fn compare(
    comparison: Comparison,
    left: &Json,
    right: &Json,
) -> Result<Option<bool>, Fail> {
    let order = match (left, right) {
        (Json::Null, Json::Null) => Ordering::Equal,
        // Null is not equal to anything else, and neither more nor less.
        (Json::Null, _) | (_, Json::Null) => {
            return Ok(Some(comparison == Comparison::NotEqual));
        }
        (Json::Bool(left), Json::Bool(right)) => left.cmp(right),
        (Json::Number(left), Json::Number(right)) => {
            parsed(&left.to_string())?.compare(&parsed(&right.to_string())?)
        }
        (Json::String(left), Json::String(right)) => left.cmp(right),
        _ => return Ok(None),
    };
    Ok(Some(match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    }))
}
