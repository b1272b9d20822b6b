//! Texts to objects: the casts to `regclass`, `regtype` and their relatives.

use super::super::derived_oid;
use super::super::type_facts::{parse, table};
use super::function::named;
use super::visible::{find_in, lookup_order};
use crate::catalog::object::RelationKind;
use crate::catalog::{Catalog, QualifiedName};
use crate::error::{Report, SqlState};
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// Why a text cannot be a name, or which object it means is not clear. That there is no such object
/// is not an error here: `to_regclass` gives NULL then, and the cast has its own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a name, or one with empty parts.
    #[error("invalid name syntax")]
    Syntax,
    /// More parts than such a name has.
    #[error("improper qualified name (too many dotted names): {0}")]
    TooManyParts(String),
    /// A name in another database.
    #[error("cross-database references are not implemented: {0}")]
    OtherDatabase(String),
    /// Several functions have this name.
    #[error("more than one function named \"{0}\"")]
    AmbiguousFunction(String),
    /// Several operators have this name.
    #[error("more than one operator named {0}")]
    AmbiguousOperator(String),
    /// `name(types)` was expected.
    #[error("expected a left parenthesis")]
    NoSignature,
}

impl Report for NameError {
    fn sqlstate(&self) -> SqlState {
        match self {
            Self::Syntax => SqlState::INVALID_NAME,
            Self::TooManyParts(_) => SqlState::SYNTAX_ERROR,
            Self::OtherDatabase(_) => SqlState::FEATURE_NOT_SUPPORTED,
            Self::AmbiguousFunction(_) | Self::AmbiguousOperator(_) => SqlState::AMBIGUOUS_FUNCTION,
            Self::NoSignature => SqlState("22P02"),
        }
    }
}

impl From<NameError> for crate::error::PgError {
    fn from(error: NameError) -> Self {
        error.report()
    }
}

/// The parts of a dotted name: unquoted ones folded, quoted ones as they are.
///
/// # Errors
/// [`NameError::Syntax`].
pub fn parse_name(text: &str) -> Result<Vec<String>, NameError> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let (part, after) = parse_part(rest)?;
        parts.push(part);
        let after = after.trim_start();
        match after.strip_prefix('.') {
            Some(next) => rest = next.trim_start(),
            None if after.is_empty() => return Ok(parts),
            None => return Err(NameError::Syntax),
        }
    }
}

fn parse_part(text: &str) -> Result<(String, &str), NameError> {
    let (part, rest) = if let Some(quoted) = text.strip_prefix('"') {
        let mut part = String::new();
        let mut rest = quoted;
        loop {
            let (inner, after) = rest.split_once('"').ok_or(NameError::Syntax)?;
            part.push_str(inner);
            let Some(again) = after.strip_prefix('"') else { break (part, after) };
            part.push('"');
            rest = again;
        }
    } else {
        let end = text.find(|c: char| c == '.' || c == '"' || c.is_whitespace());
        let (part, rest) = text.split_at(end.unwrap_or(text.len()));
        (part.to_lowercase(), rest)
    };
    if part.is_empty() { Err(NameError::Syntax) } else { Ok((part, rest)) }
}

/// `-` is no object, digits are the number itself.
fn literal_oid(text: &str) -> Option<Oid> {
    let text = text.trim();
    if text == "-" {
        return Some(Oid::INVALID);
    }
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok().map(Oid)).flatten()
}

/// Splits `[database.][schema.]name`.
fn qualified(catalog: &Catalog, text: &str) -> Result<(Option<String>, String), NameError> {
    let mut parts = parse_name(text)?;
    let name = parts.pop().ok_or(NameError::Syntax)?;
    let schema = parts.pop();
    match (parts.pop(), parts.pop()) {
        (_, Some(_)) => Err(NameError::TooManyParts(text.to_owned())),
        (Some(database), None) if database != catalog.database.name => {
            Err(NameError::OtherDatabase(text.to_owned()))
        }
        (_, None) => Ok((schema, name)),
    }
}

/// `text::regclass`: a table, view, graph or index.
///
/// # Errors
/// [`NameError`] for what is not a name.
pub fn resolve_relation(
    catalog: &Catalog,
    text: &str,
    search_path: &[String],
) -> Result<Option<Oid>, NameError> {
    if let Some(oid) = literal_oid(text) {
        return Ok(Some(oid));
    }
    let (schema, name) = qualified(catalog, text)?;
    Ok(match schema {
        Some(schema) => catalog.schema(&schema).and_then(|s| find_in(catalog, s.oid, &name)),
        None => lookup_order(catalog, search_path).find_map(|s| find_in(catalog, s, &name)),
    })
}

/// A type that `CREATE TYPE` made, or the array type over it.
fn user_type(
    catalog: &Catalog,
    text: &str,
    is_array: bool,
    search_path: &[String],
) -> Result<Option<Oid>, NameError> {
    let mut parts = parse_name(text)?;
    let Some(name) = parts.pop() else { return Ok(None) };
    let name = QualifiedName { schema: parts.pop(), name };
    if let Some(found) = catalog.user_type_named(&name, search_path) {
        return Ok(Some(if is_array { found.array_oid() } else { found.oid() }));
    }
    let Some(element) = name.name.strip_prefix('_') else { return Ok(None) };
    let element = QualifiedName { schema: name.schema.clone(), name: element.to_owned() };
    let found = catalog.user_type_named(&element, search_path);
    Ok(found.map(|found| found.array_oid()))
}

/// `text::regtype`: a built-in type in any of its spellings, or the row type of a table or view.
///
/// # Errors
/// [`NameError`] for what is not a name.
pub fn resolve_type(
    catalog: &Catalog,
    text: &str,
    search_path: &[String],
) -> Result<Option<Oid>, NameError> {
    if let Some(oid) = literal_oid(text) {
        return Ok(Some(oid));
    }
    if let Ok(ty) = PgType::parse_name(text) {
        return Ok(Some(Oid(ty.oid())));
    }
    let is_array = text.trim_end().ends_with("[]");
    let name = text.trim_end().trim_end_matches("[]");
    if let Some(found) = user_type(catalog, name, is_array, search_path)? {
        return Ok(Some(found));
    }
    if let Some(relation) = resolve_relation(catalog, name, search_path)? {
        let has_row_type = catalog.relation(relation).is_some_and(|relation| match relation.kind {
            RelationKind::Table(_)
            | RelationKind::View(_)
            | RelationKind::MaterializedView(_)
            | RelationKind::Sequence(_) => true,
            RelationKind::PropertyGraph(_) | RelationKind::System(_) => false,
        });
        if has_row_type {
            return Ok(Some(match is_array {
                true => derived_oid::row_array_type(relation),
                false => derived_oid::row_type(relation),
            }));
        }
    }
    let (schema, name) = qualified(catalog, text)?;
    let listed = table("pg_type", ["oid", "typname"]).find(|[_, row]| *row == name);
    let in_catalog = schema.is_none_or(|schema| schema == "pg_catalog");
    Ok(listed.filter(|_| in_catalog).and_then(|[oid, _]| parse(oid)))
}

/// `text::regproc`: the only function of this name.
///
/// # Errors
/// [`NameError::AmbiguousFunction`] if there are several.
pub fn resolve_function(
    catalog: &Catalog,
    text: &str,
    search_path: &[String],
) -> Result<Option<Oid>, NameError> {
    if let Some(oid) = literal_oid(text) {
        return Ok(Some(oid));
    }
    let mut candidates = functions(catalog, text, search_path)?.into_iter();
    match (candidates.next(), candidates.next()) {
        (Some((only, _)), None) => Ok(Some(only)),
        (Some(_), Some(_)) => Err(NameError::AmbiguousFunction(text.to_owned())),
        (None, _) => Ok(None),
    }
}

/// Functions of a name with the types of their arguments: the built-in ones, and those that were made.
fn functions(
    catalog: &Catalog,
    text: &str,
    search_path: &[String],
) -> Result<Vec<(Oid, Vec<Oid>)>, NameError> {
    let (schema, name) = qualified(catalog, text)?;
    let in_catalog = schema.as_deref().is_none_or(|schema| schema == "pg_catalog");
    let built_in = named(&name).filter(|_| in_catalog);
    let mut found: Vec<(Oid, Vec<Oid>)> =
        built_in.map(|function| (function.oid, function.inputs.clone())).collect();
    let made = catalog.functions_named(&QualifiedName { schema, name }, search_path);
    found.extend(made.iter().map(|function| {
        let types = function.argument_types().map(|ty| Oid(ty.oid()));
        (function.oid, types.collect())
    }));
    Ok(found)
}

/// `text::regprocedure`: `lower(text)`.
///
/// # Errors
/// [`NameError`] for another form.
pub fn resolve_function_signature(
    catalog: &Catalog,
    text: &str,
    search_path: &[String],
) -> Result<Option<Oid>, NameError> {
    if let Some(oid) = literal_oid(text) {
        return Ok(Some(oid));
    }
    let (name, types) = text.split_once('(').ok_or(NameError::NoSignature)?;
    let types = types.trim_end().strip_suffix(')').ok_or(NameError::NoSignature)?;
    let names = types.split(',').map(str::trim).filter(|name| !name.is_empty());
    let types: Option<Vec<Oid>> =
        names.map(|name| resolve_type(catalog, name, search_path)).collect::<Result<_, _>>()?;
    let Some(types) = types else { return Ok(None) };
    let mut found = functions(catalog, name, search_path)?.into_iter();
    Ok(found.find(|(_, inputs)| *inputs == types).map(|(oid, _)| oid))
}

/// `text::regoper`: the only operator of this name.
///
/// # Errors
/// [`NameError::AmbiguousOperator`] if there are several.
pub fn resolve_operator(text: &str) -> Result<Option<Oid>, NameError> {
    if let Some(oid) = literal_oid(text).filter(|_| text != "-") {
        return Ok(Some(oid));
    }
    let name = text.strip_prefix("pg_catalog.").unwrap_or(text);
    let mut candidates = table("pg_operator", ["oid", "oprname"]).filter(|[_, row]| *row == name);
    match (candidates.next(), candidates.next()) {
        (Some([oid, _]), None) => Ok(parse(oid)),
        (Some(_), Some(_)) => Err(NameError::AmbiguousOperator(text.to_owned())),
        (None, _) => Ok(None),
    }
}

/// `text::regoperator`: `=(integer,integer)`, with `NONE` for a side that is not there.
///
/// # Errors
/// [`NameError`] for another form.
pub fn resolve_operator_signature(catalog: &Catalog, text: &str) -> Result<Option<Oid>, NameError> {
    if let Some(oid) = literal_oid(text).filter(|_| text != "-") {
        return Ok(Some(oid));
    }
    let (name, types) = text.split_once('(').ok_or(NameError::NoSignature)?;
    let types = types.trim_end().strip_suffix(')').ok_or(NameError::NoSignature)?;
    let name = name.trim();
    let name = name.strip_prefix("pg_catalog.").unwrap_or(name);
    let side = |text: &str| match text.trim() {
        none if none.eq_ignore_ascii_case("none") => Ok(Some(Oid::INVALID)),
        ty => resolve_type(catalog, ty, &[]),
    };
    let (left, right) = types.split_once(',').ok_or(NameError::NoSignature)?;
    let (Some(left), Some(right)) = (side(left)?, side(right)?) else { return Ok(None) };
    let found = table("pg_operator", ["oid", "oprname", "oprleft", "oprright"])
        .find(|[_, n, l, r]| *n == name && parse(l) == Some(left) && parse(r) == Some(right));
    Ok(found.and_then(|[oid, ..]| parse(oid)))
}

/// A name of one part.
fn single(text: &str) -> Result<String, NameError> {
    let mut parts = parse_name(text)?.into_iter();
    match (parts.next(), parts.next()) {
        (Some(name), None) => Ok(name),
        _ => Err(NameError::Syntax),
    }
}

/// `text::regnamespace`.
///
/// # Errors
/// [`NameError`] for what is not a name.
pub fn resolve_schema(catalog: &Catalog, text: &str) -> Result<Option<Oid>, NameError> {
    if let Some(oid) = literal_oid(text) {
        return Ok(Some(oid));
    }
    Ok(catalog.schema(&single(text)?).map(|schema| schema.oid))
}

/// `text::regrole`.
///
/// # Errors
/// [`NameError`] for what is not a name.
pub fn resolve_role(catalog: &Catalog, text: &str) -> Result<Option<Oid>, NameError> {
    if let Some(oid) = literal_oid(text) {
        return Ok(Some(oid));
    }
    let name = single(text)?;
    Ok(catalog.role_named(&name).map(|role| role.oid))
}

/// `text::regcollation`. Names of collations keep their case: `"C"`.
///
/// # Errors
/// [`NameError`] for what is not a name.
pub fn resolve_collation(catalog: &Catalog, text: &str) -> Result<Option<Oid>, NameError> {
    if let Some(oid) = literal_oid(text) {
        return Ok(Some(oid));
    }
    let (_, name) = qualified(catalog, text)?;
    let found = table("pg_collation", ["oid", "collname"]).find(|[_, row]| *row == name);
    Ok(found.and_then(|[oid, _]| parse(oid)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folded_unless_quoted() {
        assert_eq!(
            parse_name("Public.\"My \"\"Table\"").expect("a name"),
            ["public", "My \"Table"]
        );
        assert_eq!(parse_name(" a . b ").expect("a name"), ["a", "b"]);
        for bad in ["", "a.", ".a", "a b", "\"a", "a\"b\"", "\"\""] {
            assert_eq!(parse_name(bad), Err(NameError::Syntax), "{bad}");
        }
    }
}
