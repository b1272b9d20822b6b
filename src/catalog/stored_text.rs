//! SQL texts the catalog keeps: defaults, CHECK conditions, index expressions.
//!
//! A text names types of the database's own by number, as `"type 16405"`, and relations by number, as `'16405'::regclass`, so that renaming one changes no text. [`shown`] puts names
//! back; [`relations_in`] tells what a text depends on.

use crate::catalog::snapshot::QualifiedName;
use crate::types::Oid;

const SUFFIX: &str = "::regclass";

/// Each `'number'::regclass` of a text: where it stands, and the number.
fn references(text: &str) -> impl Iterator<Item = (std::ops::Range<usize>, Oid)> + '_ {
    text.match_indices(SUFFIX).filter_map(|(at, suffix)| {
        let before = text.get(..at)?.strip_suffix('\'')?;
        let start = before.rfind('\'')?;
        let oid = before.get(start + 1..)?.parse().ok()?;
        Some((start..at + suffix.len(), Oid(oid)))
    })
}

const TYPE: &str = "type ";

/// The name of a type as it stands in a stored text, without its quotes.
pub fn type_reference(ty: Oid) -> String {
    format!("{TYPE}{}", ty.0)
}

/// The type that a name in a stored text stands for; `None` if it is a name like any other.
pub fn type_in_name(name: &QualifiedName) -> Option<Oid> {
    let number = name.name.strip_prefix(TYPE).filter(|_| name.schema.is_none())?;
    number.parse().ok().map(Oid)
}

/// Whether a stored text names a type.
pub fn names_type(text: &str, ty: Oid) -> bool {
    text.contains(&format!("\"{}\"", type_reference(ty)))
}

/// The text with names for the numbers of types.
pub fn with_types(text: &str, name: impl Fn(Oid) -> Option<String>) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("\"type ") {
        result.push_str(before);
        let found = behind
            .split_once('"')
            .and_then(|(number, after)| Some((name(Oid(number.parse().ok()?))?, after)));
        match found {
            Some((name, after)) => {
                result.push_str(&name);
                rest = after;
            }
            None => {
                result.push_str("\"type ");
                rest = behind;
            }
        }
    }
    result.push_str(rest);
    result
}

/// The relation of this number, as it stands in a stored text.
pub fn reference(relation: Oid) -> String {
    format!("'{}'{SUFFIX}", relation.0)
}

/// Relations that a stored text names, in order.
pub fn relations_in(text: &str) -> Vec<Oid> {
    references(text).map(|(_, oid)| oid).collect()
}

/// The text with names for numbers; a number without a name stays.
pub fn shown(text: &str, name: impl Fn(Oid) -> Option<String>) -> String {
    let mut result = String::with_capacity(text.len());
    let mut from = 0;
    for (place, oid) in references(text) {
        result.push_str(text.get(from..place.start).unwrap_or(""));
        match name(oid) {
            Some(name) => {
                result.push('\'');
                result.push_str(&name.replace('\'', "''"));
                result.push('\'');
                result.push_str(SUFFIX);
            }
            None => result.push_str(text.get(place.clone()).unwrap_or("")),
        }
        from = place.end;
    }
    result.push_str(text.get(from..).unwrap_or(""));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_types_become_names() {
        let text = format!("'a'::\"{}\" = '\"type x\"'", type_reference(Oid(7)));
        assert!(names_type(&text, Oid(7)) && !names_type(&text, Oid(70)));
        let name = |oid: Oid| (oid == Oid(7)).then(|| "mood".to_owned());
        assert_eq!(with_types(&text, name), "'a'::mood = '\"type x\"'");
        assert_eq!(with_types(&text, |_| None), text);
    }

    #[test]
    fn numbers_become_names() {
        let text = format!("nextval({}) + 'x'::regclass::oid", reference(Oid(16405)));
        assert_eq!(relations_in(&text), [Oid(16405)]);
        let name = |oid: Oid| (oid == Oid(16405)).then(|| "a.\"It's\"".to_owned());
        assert_eq!(shown(&text, name), "nextval('a.\"It''s\"'::regclass) + 'x'::regclass::oid");
        assert_eq!(shown(&text, |_| None), text);
        assert_eq!(shown("'' = '5'", |_| None), "'' = '5'");
    }
}
