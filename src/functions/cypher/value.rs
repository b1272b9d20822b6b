//! One Cypher value, with the language's equality, comparison and order.

use std::cmp::Ordering;

use super::temporal::Temporal;

/// A value of any Cypher type.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// BOOLEAN.
    Boolean(bool),
    /// INTEGER.
    Integer(i64),
    /// FLOAT.
    Float(f64),
    /// STRING.
    String(String),
    /// One of the temporal types.
    Temporal(Temporal),
    /// LIST.
    List(Vec<Value>),
    /// MAP, ascending by key, each key once.
    Map(Vec<(String, Value)>),
    /// NODE or RELATIONSHIP.
    Element(Element),
    /// PATH: its elements' references in the order walked, and its JSON.
    Path {
        /// Vertices and edges by turns.
        elements: Vec<u64>,
        /// As WIRE.md §5 has it.
        json: String,
    },
    /// JSON text, to be inserted as it is.
    Json(String),
}

/// A graph element that left its column: its reference and what a client would see of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Element {
    /// An `ElementRef`.
    pub reference: u64,
    /// Relationship rather than node.
    pub edge: bool,
    /// As WIRE.md §5 has it; empty where only identity is of interest.
    pub json: String,
}

impl Value {
    /// A map of these entries; of equal keys the last counts.
    pub fn map(entries: impl IntoIterator<Item = (String, Value)>) -> Self {
        Self::Map(
            entries.into_iter().collect::<std::collections::BTreeMap<_, _>>().into_iter().collect(),
        )
    }

    /// The static type that all values like it have: ANY for lists of several types, maps, elements and paths.
    pub fn static_type(&self) -> super::types::CypherType {
        use super::types::CypherType as T;
        match self {
            Self::Null => T::Null,
            Self::Boolean(_) => T::Boolean,
            Self::Integer(_) => T::Integer,
            Self::Float(_) => T::Float,
            Self::String(_) => T::String,
            Self::Temporal(temporal) => temporal.static_type(),
            Self::List(items) => match items.as_slice() {
                [] => T::list(T::Null),
                [first, rest @ ..] => {
                    let ty = first.static_type();
                    let same = rest.iter().all(|item| item.static_type() == ty);
                    T::list(if same { ty } else { T::Any })
                }
            },
            Self::Map(_) | Self::Element(_) | Self::Path { .. } | Self::Json(_) => T::Any,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The type's name, for messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Boolean(_) => "BOOLEAN",
            Self::Integer(_) => "INTEGER",
            Self::Float(_) => "FLOAT",
            Self::String(_) => "STRING",
            Self::Temporal(temporal) => temporal.type_name(),
            Self::List(_) => "LIST",
            Self::Map(_) => "MAP",
            Self::Element(Element { edge: false, .. }) => "NODE",
            Self::Element(Element { edge: true, .. }) => "RELATIONSHIP",
            Self::Path { .. } => "PATH",
            Self::Json(_) => "ANY",
        }
    }

    /// `=` in three-valued logic; `None` is null.
    pub fn equals(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::Null, _) | (_, Self::Null) => None,
            (Self::Integer(a), Self::Integer(b)) => Some(a == b),
            (Self::Integer(_) | Self::Float(_), Self::Integer(_) | Self::Float(_)) => {
                Some(compare_numbers(self, other) == Some(Ordering::Equal))
            }
            (Self::List(a), Self::List(b)) => {
                if a.len() != b.len() {
                    return Some(false);
                }
                all(a.iter().zip(b).map(|(a, b)| a.equals(b)))
            }
            (Self::Map(a), Self::Map(b)) => {
                if a.len() != b.len() || a.iter().zip(b).any(|(a, b)| a.0 != b.0) {
                    return Some(false);
                }
                all(a.iter().zip(b).map(|(a, b)| a.1.equals(&b.1)))
            }
            (Self::Element(a), Self::Element(b)) => {
                Some(a.edge == b.edge && a.reference == b.reference)
            }
            (Self::Path { elements: a, .. }, Self::Path { elements: b, .. }) => Some(a == b),
            (Self::Temporal(a), Self::Temporal(b)) => Some(a == b),
            (Self::Boolean(a), Self::Boolean(b)) => Some(a == b),
            (Self::String(a), Self::String(b)) => Some(a == b),
            _ => Some(false),
        }
    }

    /// How `<`, `<=`, `>` and `>=` see the two; `None` where they are not comparable, so that the result is null.
    ///
    /// A float that is not a number is comparable with numbers, but neither less, equal nor greater: see
    /// [`Value::is_nan`].
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(_) | Self::Float(_), Self::Integer(_) | Self::Float(_)) => {
                compare_numbers(self, other)
            }
            (Self::Boolean(a), Self::Boolean(b)) => Some(a.cmp(b)),
            (Self::String(a), Self::String(b)) => Some(a.cmp(b)),
            (Self::Temporal(a), Self::Temporal(b)) => a.compare(b),
            (Self::List(a), Self::List(b)) => {
                for (a, b) in a.iter().zip(b) {
                    match a.compare(b)? {
                        Ordering::Equal => {}
                        unequal => return Some(unequal),
                    }
                }
                Some(a.len().cmp(&b.len()))
            }
            _ => None,
        }
    }

    /// Whether it is the float that is not a number.
    pub fn is_nan(&self) -> bool {
        matches!(self, Self::Float(float) if float.is_nan())
    }

    /// Whether it is an integer or a float.
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Integer(_) | Self::Float(_))
    }

    /// The total order of `ORDER BY`, `min` and `max`: maps, nodes, relationships, lists, paths, temporals, strings,
    /// booleans, numbers, null.
    pub fn order(&self, other: &Self) -> Ordering {
        super::codec::encode(self).cmp(&super::codec::encode(other))
    }
}

/// `AND` over the results of a comparison.
fn all(results: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut unknown = false;
    for result in results {
        match result {
            Some(false) => return Some(false),
            Some(true) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(true)
}

/// Compares exactly: an integer is not rounded to a float first.
fn compare_numbers(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => Some(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Integer(a), Value::Float(b)) => compare_integer(*a, *b),
        (Value::Float(a), Value::Integer(b)) => compare_integer(*b, *a).map(Ordering::reverse),
        _ => None,
    }
}

/// An integer against a float, exactly; `None` for not-a-number.
pub fn compare_integer(integer: i64, float: f64) -> Option<Ordering> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if float.is_nan() {
        return None;
    }
    if float >= LIMIT {
        return Some(Ordering::Less);
    }
    if float < -LIMIT {
        return Some(Ordering::Greater);
    }
    let whole = float.trunc();
    // `whole` is an integer within the range of i64, so the conversion is exact.
    Some(integer.cmp(&(whole as i64)).then_with(|| 0.0_f64.total_cmp(&(float - whole + 0.0))))
}
