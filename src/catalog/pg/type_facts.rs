//! What `pg_type`, `pg_operator` and `pg_opclass` say about a built-in type, by its OID.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::fixed;
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// Facts that `pg_attribute` repeats.
#[derive(Debug, Clone, Copy)]
pub(super) struct TypeFacts {
    pub(super) by_value: bool,
    pub(super) align: char,
    pub(super) storage: char,
    pub(super) collation: Oid,
}

const TEXT: Oid = Oid(25);
const VARCHAR: Oid = Oid(1043);
const ANYARRAY: Oid = Oid(2277);
const ANYRANGE: Oid = Oid(3831);
const ANYMULTIRANGE: Oid = Oid(4537);

static TYPES: LazyLock<HashMap<Oid, TypeFacts>> = LazyLock::new(|| {
    table("pg_type", ["oid", "typbyval", "typalign", "typstorage", "typcollation"])
        .filter_map(|[oid, by_value, align, storage, collation]| {
            let facts = TypeFacts {
                by_value: by_value == "t",
                align: align.chars().next()?,
                storage: storage.chars().next()?,
                collation: parse(collation)?,
            };
            Some((parse(oid)?, facts))
        })
        .collect()
});

/// (left type, right type) to the operator `=`.
static EQUALITY: LazyLock<HashMap<(Oid, Oid), Oid>> = LazyLock::new(|| {
    table("pg_operator", ["oid", "oprname", "oprleft", "oprright"])
        .filter(|[_, name, _, _]| *name == "=")
        .filter_map(|[oid, _, left, right]| Some(((parse(left)?, parse(right)?), parse(oid)?)))
        .collect()
});

/// Type to its default class for B-tree indexes.
static OPERATOR_CLASSES: LazyLock<HashMap<Oid, Oid>> = LazyLock::new(|| {
    table("pg_opclass", ["oid", "opcintype", "opcdefault"])
        .filter(|[_, _, default]| *default == "t")
        .filter_map(|[oid, ty, _]| Some((parse(ty)?, parse(oid)?)))
        .collect()
});

/// Facts of a type.
pub(super) fn facts(ty: &PgType) -> TypeFacts {
    let (by_value, storage) = match ty {
        PgType::Enum(_) => (true, 'p'),
        _ => (false, 'x'),
    };
    let fallback = TypeFacts { by_value, align: 'i', storage, collation: Oid::INVALID };
    TYPES.get(&Oid(ty.plain().oid())).copied().unwrap_or(fallback)
}

/// The operator by which values of these types are equal; 0 if there is none.
pub(super) fn equality_operator(left: &PgType, right: &PgType) -> Oid {
    let key = (compared_as(left), compared_as(right));
    EQUALITY.get(&key).copied().unwrap_or(Oid::INVALID)
}

/// The default B-tree operator class; 0 if there is none.
pub(super) fn operator_class(ty: &PgType) -> Oid {
    OPERATOR_CLASSES.get(&compared_as(ty)).copied().unwrap_or(Oid::INVALID)
}

/// The B-tree operator class of a name; 0 if there is none.
pub(super) fn operator_class_named(name: &str) -> Oid {
    table("pg_opclass", ["oid", "opcname"])
        .find(|[_, row]| *row == name)
        .and_then(|[oid, _]| parse(oid))
        .unwrap_or(Oid::INVALID)
}

/// The collation of a name; `None` if there is none.
pub fn collation_named(name: &str) -> Option<Oid> {
    let mut rows = table("pg_collation", ["oid", "collname"]);
    rows.find(|[_, row]| *row == name).and_then(|[oid, _]| parse(oid))
}

/// Whether values of a type are compared by a collation.
pub fn is_collatable(ty: &PgType) -> bool {
    let element = ty.element().unwrap_or(ty);
    facts(element).collation != Oid::INVALID
}

/// The type whose operators serve this one.
fn compared_as(ty: &PgType) -> Oid {
    match Oid(ty.oid()) {
        VARCHAR => TEXT,
        _ if matches!(ty, PgType::Array(_)) => ANYARRAY,
        _ if matches!(ty, PgType::Range(_)) => ANYRANGE,
        _ if matches!(ty, PgType::Multirange(_)) => ANYMULTIRANGE,
        oid => oid,
    }
}

/// Chosen columns of a data file's rows. Each must vary in the file.
pub(super) fn table<const N: usize>(
    relation: &str,
    columns: [&str; N],
) -> impl Iterator<Item = [&'static str; N]> {
    let mut lines = fixed::data(relation).unwrap_or_default().lines();
    let positions = positions(lines.next().unwrap_or_default(), columns);
    lines.skip(1).map(move |line| fields(line, positions))
}

/// Chosen columns of the row with this OID, for those that are asked about row by row.
pub(super) fn row<const N: usize>(
    relation: &'static str,
    oid: Oid,
    columns: [&str; N],
) -> Option<[&'static str; N]> {
    let header = fixed::data(relation)?.lines().next()?;
    let line = LINES.get(relation)?.get(&oid)?;
    Some(fields(line, positions(header, columns)))
}

/// The rows of data files by OID.
static LINES: LazyLock<HashMap<&'static str, HashMap<Oid, &'static str>>> = LazyLock::new(|| {
    let relations = ["pg_type", "pg_collation", "pg_operator", "pg_opclass", "pg_opfamily"];
    let lines_of = |relation| {
        let mut lines = fixed::data(relation).unwrap_or_default().lines();
        let at = positions(lines.next().unwrap_or_default(), ["oid"]);
        lines.skip(1).filter_map(|line| Some((parse(fields(line, at)[0])?, line))).collect()
    };
    relations.into_iter().map(|relation| (relation, lines_of(relation))).collect()
});

fn positions<const N: usize>(header: &str, columns: [&str; N]) -> [usize; N] {
    columns.map(|column| header.split('\t').position(|name| name == column).unwrap_or(usize::MAX))
}

fn fields<const N: usize>(line: &'static str, positions: [usize; N]) -> [&'static str; N] {
    let fields: Vec<&'static str> = line.split('\t').collect();
    positions.map(|position| fields.get(position).copied().unwrap_or_default())
}

/// An OID in a data file.
pub(super) fn parse(text: &str) -> Option<Oid> {
    text.parse().ok().map(Oid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_operators_and_classes() {
        assert_eq!(equality_operator(&PgType::Int4, &PgType::Int4), Oid(96));
        assert_eq!(equality_operator(&PgType::Varchar(Some(3)), &PgType::Text), Oid(98));
        assert_eq!(equality_operator(&PgType::Json, &PgType::Json), Oid::INVALID);
        assert_eq!(operator_class(&PgType::Int4), Oid(1978));
        assert_eq!(operator_class(&PgType::array_of(PgType::Int4)), Oid(10000));
        assert_eq!(facts(&PgType::Name).collation, Oid(950));
        assert!(facts(&PgType::Int8).by_value);
    }
}
