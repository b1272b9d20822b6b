//! Enumerated types that `CREATE TYPE … AS ENUM` made.
//!
//! A value is stored as its label's sort key, eight bytes whose order is the order of the labels, so that whatever
//! compares, sorts or indexes bytes does so by the type's order. The type carries its labels; a field says which type it
//! has in full (the type's text form under [`super::TYPE_KEY`]), so that reading it needs no catalog.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::TypeError;
use super::pg_type::PgType;

/// Bytes of a stored value.
pub(crate) const ENUM_WIDTH: i32 = 8;

/// How far apart the keys of labels are that were given together.
const KEY_STEP: u64 = 1 << 32;

/// The key where counting begins, so that there is room before it too.
const KEY_BASE: u64 = 1 << 62;

/// What the text form of an enumerated type begins with: no name of a type does.
const MARK: &str = "\u{1}enum";

/// Types that a thread remembers by their text forms; it begins anew beyond that.
const REMEMBERED_MAX: usize = 256;

/// An enumerated type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnumType {
    /// `pg_type.oid`.
    pub oid: u32,
    /// The OID of the array type over it.
    pub array_oid: u32,
    /// The schema in front of its name where it is not `public`.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// In order.
    pub labels: Vec<EnumLabel>,
}

/// A value of an enumerated type.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnumLabel {
    /// `pg_enum.oid`.
    pub oid: u32,
    /// How values are stored: ascending in the order of the labels.
    pub key: u64,
    /// Its text.
    pub label: String,
}

/// The key of the label at a position, where all are given together.
pub(crate) fn first_key(position: usize) -> u64 {
    KEY_BASE.saturating_add((position as u64 + 1).saturating_mul(KEY_STEP))
}

impl EnumType {
    /// The stored form of a label.
    ///
    /// # Errors
    /// `22P02` if the type has no such label.
    pub(crate) fn read(&self, label: &str) -> Result<[u8; ENUM_WIDTH as usize], TypeError> {
        match self.labels.iter().find(|known| known.label == label) {
            Some(known) => Ok(known.key.to_be_bytes()),
            None => Err(TypeError::new(
                "22P02",
                format!("invalid input value for enum {}: \"{label}\"", quoted(&self.name)),
            )),
        }
    }

    /// The label of a stored value; nothing for bytes that are none, which would be our own mistake.
    pub(crate) fn label(&self, stored: &[u8]) -> &str {
        let key = stored.try_into().map(u64::from_be_bytes).unwrap_or(0);
        let at = self.labels.binary_search_by_key(&key, |label| label.key);
        at.ok().and_then(|at| self.labels.get(at)).map_or("", |label| &label.label)
    }

    /// A key between those of the labels at `at - 1` and `at`; `None` if there is no room left.
    pub(crate) fn key_at(&self, at: usize) -> Option<u64> {
        let before = at.checked_sub(1).and_then(|at| self.labels.get(at)).map(|one| one.key);
        match (before, self.labels.get(at).map(|one| one.key)) {
            (None, None) => Some(first_key(0)),
            (Some(before), None) => before.checked_add(KEY_STEP),
            (None, Some(after)) => after.checked_sub(KEY_STEP),
            (Some(before), Some(after)) => {
                let middle = before + after.saturating_sub(before) / 2;
                (middle != before).then_some(middle)
            }
        }
    }

    /// `pg_enum.enumsortorder` of a label.
    pub(crate) fn sort_order(label: &EnumLabel) -> f32 {
        ((i128::from(label.key) - i128::from(KEY_BASE)) as f64 / KEY_STEP as f64) as f32
    }

    /// The name as messages show it.
    pub(super) fn shown(&self) -> String {
        shown(self.schema.as_deref(), &self.name)
    }
}

/// A type's name as messages show it.
pub(super) fn shown(schema: Option<&str>, name: &str) -> String {
    match schema {
        Some(schema) => format!("{}.{}", quoted(schema), quoted(name)),
        None => quoted(name),
    }
}

/// A name as SQL needs it written.
fn quoted(name: &str) -> String {
    let plain = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// The text form of an enumerated type or an array of one, which says all of it; `None` for other types.
pub(super) fn marker(ty: &PgType) -> Option<String> {
    let (ty, brackets) = match ty {
        PgType::Array(element) => (element.as_ref(), "[]"),
        ty => (ty, ""),
    };
    let PgType::Enum(ty) = ty else { return None };
    // A structure of numbers and texts always has a text form.
    Some(format!("{MARK}{brackets} {}", serde_json::to_string(ty.as_ref()).unwrap_or_default()))
}

/// The type that [`marker`] wrote; `None` if it is not of that form.
pub(super) fn from_marker(text: &str) -> Option<PgType> {
    thread_local! {
        static REMEMBERED: RefCell<HashMap<String, PgType>> = RefCell::default();
    }
    let rest = text.strip_prefix(MARK)?;
    let known = REMEMBERED.with_borrow(|known| known.get(text).cloned());
    if known.is_some() {
        return known;
    }
    let (is_array, json) = match rest.strip_prefix("[] ") {
        Some(json) => (true, json),
        None => (false, rest.strip_prefix(' ')?),
    };
    let ty = PgType::Enum(Arc::new(serde_json::from_str(json).ok()?));
    let ty = if is_array { PgType::array_of(ty) } else { ty };
    REMEMBERED.with_borrow_mut(|known| {
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(text.to_owned(), ty.clone());
    });
    Some(ty)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mood() -> EnumType {
        let labels = ["sad", "ok", "happy"].iter().enumerate();
        let labels = labels
            .map(|(at, label)| EnumLabel {
                oid: 20_000 + at as u32,
                key: first_key(at),
                label: (*label).to_owned(),
            })
            .collect();
        EnumType { oid: 16_500, array_oid: 16_499, schema: None, name: "mood".to_owned(), labels }
    }

    #[test]
    fn a_field_says_all_of_its_type() {
        let ty = PgType::Enum(Arc::new(mood()));
        assert_eq!(PgType::from_field(&ty.field("c", true)), ty);
        let array = PgType::array_of(ty);
        assert_eq!(PgType::from_field(&array.field("c", true)), array);
        let text = serde_json::to_string(&array).unwrap();
        assert_eq!(serde_json::from_str::<PgType>(&text).unwrap(), array);
    }

    #[test]
    fn labels_in_between_sort_in_between() {
        let mut ty = mood();
        for round in 0..30 {
            let key = ty.key_at(1).unwrap();
            ty.labels.insert(1, EnumLabel { oid: 1, key, label: format!("l{round}") });
        }
        assert!(ty.labels.is_sorted_by_key(|label| label.key));
        for label in &ty.labels {
            assert_eq!(ty.label(&ty.read(&label.label).unwrap()), label.label);
        }
        assert_eq!(ty.read("glad").unwrap_err().sqlstate, "22P02");
        assert_eq!(ty.label(b"x"), "");
    }
}
