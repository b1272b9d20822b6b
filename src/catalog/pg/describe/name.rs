//! Names of objects as PostgreSQL writes them: quoted where needed, with their schema where the
//! search path does not find them.

use super::super::derived_oid;
use super::super::index_of;
use super::super::type_facts::row;
use super::keyword;
use super::visible::{table_is_visible, type_is_visible};
use crate::catalog::Catalog;
use crate::catalog::object::Relation;
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// The name, in double quotes if it is a reserved word or would be folded to another name.
pub fn quote_identifier(name: &str) -> String {
    let mut chars = name.chars();
    let plain = chars.next().is_some_and(|c| c.is_ascii_lowercase() || c == '_')
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !keyword::needs_quotes(name);
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// Schema and name of a table, view, graph or index.
pub(super) fn schema_and_name(catalog: &Catalog, oid: Oid) -> Option<(Oid, &str)> {
    if let Some(relation) = catalog.relation(oid) {
        return Some((relation.schema, &relation.name));
    }
    index_of::index(catalog, oid).map(|index| (index.relation.schema, index.name()))
}

/// A relation (or index) as `regclass` prints it; `None` if there is none.
pub fn relation_name(catalog: &Catalog, oid: Oid, search_path: &[String]) -> Option<String> {
    if table_is_visible(catalog, oid, search_path)? {
        let (_, name) = schema_and_name(catalog, oid)?;
        return Some(quote_identifier(name));
    }
    qualified_relation_name(catalog, oid)
}

/// A relation (or index) with its schema, both quoted where needed.
pub fn qualified_relation_name(catalog: &Catalog, oid: Oid) -> Option<String> {
    let (schema, name) = schema_and_name(catalog, oid)?;
    Some(format!("{}.{}", schema_name(catalog, schema)?, quote_identifier(name)))
}

/// A schema as `regnamespace` prints it.
pub fn schema_name(catalog: &Catalog, oid: Oid) -> Option<String> {
    catalog.schemas.get(&oid).map(|schema| quote_identifier(&schema.name))
}

/// The table or view whose row type this is, and whether it is the array over it.
pub(super) fn row_type_of(catalog: &Catalog, oid: Oid) -> Option<(&Relation, bool)> {
    let relation = catalog.relation(derived_oid::relation_of(oid)?)?;
    if derived_oid::row_type(relation.oid) == oid {
        Some((relation.as_ref(), false))
    } else if derived_oid::row_array_type(relation.oid) == oid {
        Some((relation.as_ref(), true))
    } else {
        None
    }
}

/// `format_type`: `character varying(10)`, `integer[]`; `???` for an unknown OID, `-` for 0.
pub fn format_type(catalog: &Catalog, oid: Oid, typmod: Option<i32>) -> String {
    if oid == Oid::INVALID {
        return "-".to_owned();
    }
    // `character` without a length would mean one character, so `bpchar` stands for it only where
    // a modifier is known to be absent.
    if let Some(ty) = PgType::from_oid(oid.0, typmod.unwrap_or(-1)) {
        let name = ty.name();
        return match typmod {
            None => name.replace("bpchar", "character"),
            Some(_) => name,
        };
    }
    if let Some((ty, is_array)) = catalog.user_type(oid) {
        let name = quote_identifier(ty.name());
        return format!("{name}{}", if is_array { "[]" } else { "" });
    }
    if let Some((relation, is_array)) = row_type_of(catalog, oid) {
        return format!("{}{}", quote_identifier(&relation.name), if is_array { "[]" } else { "" });
    }
    pseudo_type(oid).map_or_else(|| "???".to_owned(), quote_identifier)
}

/// A type as `regtype` prints it; `None` if there is none.
pub fn type_name(catalog: &Catalog, oid: Oid, search_path: &[String]) -> Option<String> {
    let visible = type_is_visible(catalog, oid, search_path)?;
    let name = format_type(catalog, oid, None);
    if visible {
        return Some(name);
    }
    if let Some((ty, _)) = catalog.user_type(oid) {
        return Some(format!("{}.{name}", schema_name(catalog, ty.schema)?));
    }
    let (relation, _) = row_type_of(catalog, oid)?;
    Some(format!("{}.{name}", schema_name(catalog, relation.schema)?))
}

/// `typname` of a type in `pg_catalog`.
pub(in crate::catalog::pg) fn type_typname(oid: Oid) -> Option<String> {
    let builtin = PgType::from_oid(oid.0, -1).map(|ty| ty.typname());
    builtin.or_else(|| pseudo_type(oid).map(str::to_owned))
}

/// `typname` of a type that only the data file knows: pseudo-types, rows of system tables.
pub(super) fn pseudo_type(oid: Oid) -> Option<&'static str> {
    row("pg_type", oid, ["typname"]).map(|[name]| name)
}

/// A collation as `regcollation` prints it.
pub fn collation_name(oid: Oid) -> Option<String> {
    row("pg_collation", oid, ["collname"]).map(|[name]| quote_identifier(name))
}

/// `pg_encoding_to_char`: empty for a number that means nothing.
pub fn encoding_name(encoding: i32) -> &'static str {
    usize::try_from(encoding).ok().and_then(|index| ENCODINGS.get(index)).copied().unwrap_or("")
}

/// `pg_char_to_encoding`: -1 for a name that means nothing. Case, `-` and `_` do not count.
pub fn encoding_number(name: &str) -> i32 {
    let clean = |name: &str| -> String {
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
    };
    let wanted = match clean(name).as_str() {
        "unicode" => "utf8".to_owned(),
        "iso88591" => "latin1".to_owned(),
        other => other.to_owned(),
    };
    let found = ENCODINGS.iter().position(|encoding| clean(encoding) == wanted);
    found.and_then(|index| i32::try_from(index).ok()).unwrap_or(-1)
}

/// In the order of PostgreSQL's numbers.
static ENCODINGS: &[&str] = &[
    "SQL_ASCII",
    "EUC_JP",
    "EUC_CN",
    "EUC_KR",
    "EUC_TW",
    "EUC_JIS_2004",
    "UTF8",
    "MULE_INTERNAL",
    "LATIN1",
    "LATIN2",
    "LATIN3",
    "LATIN4",
    "LATIN5",
    "LATIN6",
    "LATIN7",
    "LATIN8",
    "LATIN9",
    "LATIN10",
    "WIN1256",
    "WIN1258",
    "WIN866",
    "WIN874",
    "KOI8R",
    "WIN1251",
    "WIN1252",
    "ISO_8859_5",
    "ISO_8859_6",
    "ISO_8859_7",
    "ISO_8859_8",
    "WIN1250",
    "WIN1253",
    "WIN1254",
    "WIN1255",
    "WIN1257",
    "KOI8U",
    "SJIS",
    "BIG5",
    "GBK",
    "UHC",
    "GB18030",
    "JOHAB",
    "SHIFT_JIS_2004",
];
