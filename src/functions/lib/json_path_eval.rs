//! What a SQL/JSON path finds in a value.
//!
//! Errors are of two kinds: those that `silent`, filters and predicates turn into nothing or *unknown*, and others.
//! Source: PostgreSQL 15, "The SQL/JSON Path Language", and its regression tests for what is not said there.

use std::borrow::Cow;

use serde_json::{Map, Value as Json};

use super::decimal::{Dec, division_by_zero};
use super::json::type_name;
use super::json_path_items::{
    ARRAY_NOT_FOUND, Fail, INVALID_SUBSCRIPT, Items, MEMBER_NOT_FOUND, Member, NON_NUMERIC,
    NUMBER_NOT_FOUND, OBJECT_NOT_FOUND, SINGLETON_REQUIRED, compare, double, elements, keyed,
    known, levels, map_in_order, member, no_subscript, number, parsed, quotient_scale, soft,
    structural,
};
use super::regex::xquery_match;
use crate::error::{PgError, SqlState};
use crate::types::json_path::{JsonPath, Method, Node, Step};

/// The items that a path gives.
pub(super) fn query<'v>(
    path: &JsonPath,
    root: &'v Json,
    variables: &'v Map<String, Json>,
) -> Result<Items<'v>, Fail> {
    let scope = Scope { strict: path.strict, root, current: root, last: None, variables };
    scope.items(&path.root)
}

/// What `@@` and `jsonb_path_match` take: one item that is true, false or (`None`) null.
pub(super) fn single_boolean(items: &Items<'_>) -> Result<Option<bool>, Fail> {
    match items.as_slice() {
        [item] => match item.as_ref() {
            Json::Bool(value) => Ok(Some(*value)),
            Json::Null => Ok(None),
            _ => Err(soft(SINGLETON_REQUIRED, "single boolean result is expected")),
        },
        _ => Err(soft(SINGLETON_REQUIRED, "single boolean result is expected")),
    }
}

/// Where an expression stands.
#[derive(Clone, Copy)]
struct Scope<'v, 'c> {
    strict: bool,
    root: &'v Json,
    /// `@`
    current: &'c Json,
    /// How many elements the array has whose subscript this is.
    last: Option<usize>,
    variables: &'v Map<String, Json>,
}

impl<'v, 'c> Scope<'v, 'c>
where
    'v: 'c,
{
    fn items(&self, node: &Node) -> Result<Items<'c>, Fail> {
        Ok(vec![match node {
            Node::Root => Cow::Borrowed(self.root),
            Node::Current => Cow::Borrowed(self.current),
            Node::Last => match self.last {
                Some(count) => Cow::Owned(Json::from(i64::try_from(count).unwrap_or(0) - 1)),
                None => return Err(Fail::Hard(PgError::internal("LAST outside of a subscript"))),
            },
            Node::Variable(name) => Cow::Borrowed(self.variable(name)?),
            Node::Null => Cow::Owned(Json::Null),
            Node::Bool(value) => Cow::Owned(Json::Bool(*value)),
            Node::Number(digits) => Cow::Owned(number(parsed(digits)?)?),
            Node::Text(text) => Cow::Owned(Json::String(text.clone())),
            Node::Steps(start, steps) => {
                let start = self.items(start)?;
                return self.steps(start, steps);
            }
            Node::Sign(sign, inner) => return self.signed(*sign, inner),
            Node::Arithmetic(sign, left, right) => self.arithmetic(*sign, left, right)?,
            predicate => Cow::Owned(match self.truth(predicate)? {
                Some(value) => Json::Bool(value),
                None => Json::Null,
            }),
        }])
    }

    fn variable(&self, name: &str) -> Result<&'v Json, Fail> {
        self.variables.get(name).ok_or_else(|| {
            let message = format!("could not find jsonpath variable \"{name}\"");
            Fail::Hard(PgError::new(SqlState::UNDEFINED_OBJECT, message))
        })
    }

    /// The items of an expression, arrays among them as their elements in lax mode.
    fn unwrapped(&self, node: &Node) -> Result<Items<'c>, Fail> {
        let items = self.items(node)?;
        if self.strict {
            return Ok(items);
        }
        Ok(items.into_iter().flat_map(elements).collect())
    }

    fn signed(&self, sign: char, inner: &Node) -> Result<Items<'c>, Fail> {
        let mut out = Vec::new();
        for item in self.unwrapped(inner)? {
            let Json::Number(digits) = item.as_ref() else {
                let message =
                    format!("operand of unary jsonpath operator {sign} is not a numeric value");
                return Err(soft(NUMBER_NOT_FOUND, message));
            };
            let value = parsed(&digits.to_string())?;
            out.push(Cow::Owned(number(if sign == '-' { value.neg() } else { value })?));
        }
        Ok(out)
    }

    fn arithmetic(&self, sign: char, left: &Node, right: &Node) -> Result<Cow<'c, Json>, Fail> {
        let operand = |node: &Node, side: &str| match self.unwrapped(node)?.as_slice() {
            [item] if let Json::Number(digits) = item.as_ref() => parsed(&digits.to_string()),
            _ => {
                let message = format!(
                    "{side} operand of jsonpath operator {sign} is not a single numeric value"
                );
                Err(soft(SINGLETON_REQUIRED, message))
            }
        };
        let (left, right) = (operand(left, "left")?, operand(right, "right")?);
        let computed = match sign {
            '+' => left.add(right),
            '-' => left.sub(right),
            '*' => left.mul(right, left.scale.saturating_add(right.scale)),
            '/' if right.is_zero() => Err(division_by_zero()),
            '/' => left.div(right, quotient_scale(left, right)),
            _ => left.rem(right),
        };
        Ok(Cow::Owned(number(computed.map_err(Fail::Soft)?)?))
    }

    fn steps(&self, start: Items<'c>, steps: &[Step]) -> Result<Items<'c>, Fail> {
        let mut items = start;
        let mut lenient = !self.strict;
        for step in steps {
            let mut found = Vec::new();
            for item in items {
                self.step(item, step, lenient, &mut found)?;
            }
            items = found;
            // Not all that `**` finds has the structure that follows.
            lenient |= matches!(step, Step::Levels(..));
        }
        Ok(items)
    }

    fn step(
        &self,
        item: Cow<'c, Json>,
        step: &Step,
        lenient: bool,
        out: &mut Items<'c>,
    ) -> Result<(), Fail> {
        match step {
            Step::Index(subscripts) => self.index(item, subscripts, lenient, out),
            Step::AnyIndex if item.is_array() => {
                out.extend(elements(item));
                Ok(())
            }
            Step::AnyIndex if !self.strict => {
                out.push(item);
                Ok(())
            }
            Step::AnyIndex => {
                let message = "jsonpath wildcard array accessor can only be applied to an array";
                structural(lenient, ARRAY_NOT_FOUND, message)
            }
            Step::Levels(from, to) => {
                levels(item, *from, *to, out);
                Ok(())
            }
            Step::Method(Method::Type) => {
                out.push(Cow::Owned(Json::String(type_name(&item).to_owned())));
                Ok(())
            }
            Step::Method(Method::Size) => match item.as_ref() {
                Json::Array(items) => {
                    out.push(Cow::Owned(Json::from(items.len())));
                    Ok(())
                }
                _ if !self.strict => {
                    out.push(Cow::Owned(Json::from(1)));
                    Ok(())
                }
                _ => {
                    let message = "jsonpath item method .size() can only be applied to an array";
                    structural(lenient, ARRAY_NOT_FOUND, message)
                }
            },
            step if item.is_array() && !self.strict => {
                elements(item).into_iter().try_for_each(|item| self.one(item, step, lenient, out))
            }
            step => self.one(item, step, lenient, out),
        }
    }

    /// A step from an item that is not looked into any more.
    fn one(
        &self,
        item: Cow<'c, Json>,
        step: &Step,
        lenient: bool,
        out: &mut Items<'c>,
    ) -> Result<(), Fail> {
        match step {
            Step::Member(key) => match member(item, key) {
                Member::Found(value) => out.push(value),
                Member::Missing => {
                    let message = format!("JSON object does not contain key \"{key}\"");
                    structural(lenient, MEMBER_NOT_FOUND, message)?;
                }
                Member::NoObject => {
                    let message = "jsonpath member accessor can only be applied to an object";
                    structural(lenient, MEMBER_NOT_FOUND, message)?;
                }
            },
            Step::AnyMember => match item {
                Cow::Borrowed(Json::Object(map)) => out.extend(map_in_order(map)),
                Cow::Owned(Json::Object(map)) => {
                    out.extend(map_in_order(&map).map(|value| Cow::Owned(value.into_owned())));
                }
                _ => {
                    let message =
                        "jsonpath wildcard member accessor can only be applied to an object";
                    structural(lenient, OBJECT_NOT_FOUND, message)?;
                }
            },
            Step::Filter(condition) => {
                let inside = Scope { current: item.as_ref(), ..*self };
                if inside.truth(condition)? == Some(true) {
                    out.push(item);
                }
            }
            Step::Method(method) => self.method(&item, *method, out)?,
            Step::Datetime(_) => {
                return Err(Fail::Hard(PgError::unsupported(
                    "jsonpath item method .datetime() is not supported",
                    "Compare the texts, or cast what ->> gives.",
                )));
            }
            Step::Index(_) | Step::AnyIndex | Step::Levels(..) => {
                return Err(Fail::Hard(PgError::internal("a step that was not taken")));
            }
        }
        Ok(())
    }

    fn index(
        &self,
        item: Cow<'c, Json>,
        subscripts: &[(Node, Option<Node>)],
        lenient: bool,
        out: &mut Items<'c>,
    ) -> Result<(), Fail> {
        if !item.is_array() && self.strict {
            let message = "jsonpath array accessor can only be applied to an array";
            return structural(lenient, ARRAY_NOT_FOUND, message);
        }
        let all: Items<'c> = elements(item);
        let count = i64::try_from(all.len()).unwrap_or(i64::MAX);
        let inside = Scope { last: Some(all.len()), ..*self };
        for (from, to) in subscripts {
            let from = inside.subscript(from)?;
            let to = to.as_ref().map_or(Ok(from), |to| inside.subscript(to))?;
            if (from < 0 || from > to || to >= count) && !lenient {
                return Err(soft(INVALID_SUBSCRIPT, "jsonpath array subscript is out of bounds"));
            }
            for at in from.max(0)..=to.min(count - 1) {
                out.extend(usize::try_from(at).ok().and_then(|at| all.get(at)).cloned());
            }
        }
        Ok(())
    }

    fn subscript(&self, node: &Node) -> Result<i64, Fail> {
        let items = self.items(node)?;
        let [item] = items.as_slice() else { return Err(no_subscript()) };
        let Json::Number(digits) = item.as_ref() else { return Err(no_subscript()) };
        let whole = parsed(&digits.to_string())?.truncate(0).and_then(Dec::to_integer);
        whole.ok().and_then(|whole| i32::try_from(whole).ok()).map(i64::from).ok_or_else(|| {
            soft(INVALID_SUBSCRIPT, "jsonpath array subscript is out of integer range")
        })
    }

    fn method(&self, item: &Json, method: Method, out: &mut Items<'c>) -> Result<(), Fail> {
        let name = method.name();
        let value = match (method, item) {
            (Method::Keyvalue, Json::Object(map)) => {
                out.extend(keyed(map));
                return Ok(());
            }
            (Method::Keyvalue, _) => {
                let message = "jsonpath item method .keyvalue() can only be applied to an object";
                return Err(soft(OBJECT_NOT_FOUND, message));
            }
            (Method::Double, Json::Number(digits)) => {
                let text = digits.to_string();
                double(&text, "numeric")?;
                Json::Number(digits.clone())
            }
            (Method::Double, Json::String(text)) => {
                let value = double(text, "string")?;
                number(Dec::from_f64(value, 15).map_err(Fail::Soft)?)?
            }
            (Method::Double, _) => {
                let message = "jsonpath item method .double() can only be applied to a string or numeric value";
                return Err(soft(NON_NUMERIC, message));
            }
            (_, Json::Number(digits)) => {
                let value = parsed(&digits.to_string())?;
                let computed = match method {
                    Method::Abs => Ok(value.abs()),
                    Method::Floor => value.floor(),
                    _ => value.ceil(),
                };
                number(computed.map_err(Fail::Soft)?)?
            }
            _ => {
                let message = format!(
                    "jsonpath item method .{name}() can only be applied to a numeric value"
                );
                return Err(soft(NON_NUMERIC, message));
            }
        };
        out.push(Cow::Owned(value));
        Ok(())
    }

    /// True, false or (`None`) unknown.
    fn truth(&self, node: &Node) -> Result<Option<bool>, Fail> {
        Ok(match node {
            Node::And(left, right) => match self.truth(left)? {
                Some(false) => Some(false),
                left => match self.truth(right)? {
                    Some(true) => left,
                    Some(false) => Some(false),
                    None => None,
                },
            },
            Node::Or(left, right) => match self.truth(left)? {
                Some(true) => Some(true),
                left => match self.truth(right)? {
                    Some(false) => left,
                    Some(true) => Some(true),
                    None => None,
                },
            },
            Node::Not(inner) => self.truth(inner)?.map(|value| !value),
            Node::IsUnknown(inner) => Some(self.truth(inner)?.is_none()),
            Node::Exists(inner) => known(self.items(inner))?.map(|items| !items.is_empty()),
            Node::Compare(comparison, left, right) => {
                let right = known(self.unwrapped(right))?;
                self.any_pair(left, right, |left, right| compare(*comparison, left, right))?
            }
            Node::StartsWith(left, start) => {
                let start = known(self.items(start))?;
                self.any_pair(left, start, |text, start| match (text, start) {
                    (Json::String(text), Json::String(start)) => {
                        Ok(Some(text.starts_with(start.as_str())))
                    }
                    _ => Ok(None),
                })?
            }
            Node::LikeRegex(left, pattern, flags) => {
                let nothing = Some(vec![Cow::Owned(Json::Null)]);
                self.any_pair(left, nothing, |text, _| match text {
                    Json::String(text) => {
                        xquery_match(text, pattern, flags).map(Some).map_err(Fail::Hard)
                    }
                    _ => Ok(None),
                })?
            }
            other => single_boolean(&self.items(other)?).unwrap_or_default(),
        })
    }

    /// Whether a test holds for any pair of items; one that it cannot judge makes all unknown in strict mode, and in
    /// lax mode unless another one holds before.
    fn any_pair(
        &self,
        left: &Node,
        right: Option<Items<'_>>,
        test: impl Fn(&Json, &Json) -> Result<Option<bool>, Fail>,
    ) -> Result<Option<bool>, Fail> {
        let (Some(left), Some(right)) = (known(self.unwrapped(left))?, right) else {
            return Ok(None);
        };
        let (mut found, mut unjudged) = (false, false);
        for left in &left {
            for right in &right {
                match test(left, right)? {
                    None if self.strict => return Ok(None),
                    None => unjudged = true,
                    Some(true) if !self.strict => return Ok(Some(true)),
                    Some(holds) => found |= holds,
                }
            }
        }
        Ok(if found {
            Some(true)
        } else if unjudged {
            None
        } else {
            Some(false)
        })
    }
}
