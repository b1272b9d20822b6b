//! `has_table_privilege` and its relatives: whether the words and objects exist, and whether `access`
//! would let the role do it.
//!
//! Any of the privileges in the list is enough.

use crate::access::privilege::predefined_rights;
use crate::catalog::pg::describe::{self, NameError};
use crate::catalog::{Acl, AclClass, Catalog, PUBLIC, Rights, RoleSet};
use crate::error::{PgError, Report, SqlState};
use crate::functions::context::{ObjectKind, ObjectName};
use crate::types::Oid;

/// Who asks, and by which names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) catalog: &'a Catalog,
    /// Effective, without the implicit `pg_catalog`.
    pub(super) search_path: &'a [String],
    /// The role whose rights count.
    pub(super) current_user: Oid,
}

/// See [`CatalogFacts::has_privilege`].
///
/// [`CatalogFacts::has_privilege`]: crate::functions::context::CatalogFacts::has_privilege
pub(super) fn has_privilege(
    facts: &Asker<'_>,
    kind: ObjectKind,
    role: Option<&ObjectName>,
    object: &ObjectName,
    column: Option<&ObjectName>,
    privileges: &str,
) -> Result<Option<bool>, PgError> {
    let role = role.map_or(Ok(facts.current_user), |role| role_oid(facts, role))?;
    let Some(object) = object_oid(facts, kind, object)? else {
        check_words(kind, privileges)?;
        return Ok(None);
    };
    if let Some(column) = column
        && !column_exists(facts, object, column)?
    {
        check_words(kind, privileges)?;
        return Ok(None);
    }
    check_words(kind, privileges)?;
    let set = facts.catalog.role_set(role);
    let asked = Asked { kind, object, column: column_number(facts, object, column) };
    let words = privileges.split(',').map(|word| word.trim().to_ascii_uppercase());
    Ok(Some(words.into_iter().any(|word| holds(facts.catalog, &set, &asked, &word))))
}

/// What is asked about.
struct Asked {
    kind: ObjectKind,
    object: Oid,
    column: Option<i16>,
}

fn column_number(facts: &Asker<'_>, relation: Oid, column: Option<&ObjectName>) -> Option<i16> {
    match column? {
        ObjectName::Oid(attnum) => i16::try_from(*attnum).ok(),
        ObjectName::Name(name) => {
            let relation = facts.catalog.relation(relation)?;
            let found = relation.columns().iter().find(|column| column.name == *name);
            found.map(|column| column.attnum)
        }
    }
}

/// Whether a role has one privilege, perhaps with the option to grant it.
fn holds(catalog: &Catalog, role: &RoleSet, asked: &Asked, word: &str) -> bool {
    let (word, option) = match word.strip_suffix(" WITH GRANT OPTION") {
        Some(word) => (word, true),
        None => match word.strip_suffix(" WITH ADMIN OPTION") {
            Some(word) => (word, true),
            None => (word, false),
        },
    };
    if asked.kind == ObjectKind::Role {
        return match (option, word) {
            (true, _) => role.is_admin_of(asked.object),
            (false, "USAGE") => role.has(asked.object),
            (false, _) => role.is_member(asked.object),
        };
    }
    if role.superuser {
        return true;
    }
    let Some(wanted) = Rights::named(word) else { return false };
    let holds = |acl: &Acl, owner: Oid| match option {
        true => role.inherits(owner) || acl.options_of(|one| role.inherits(one)).contains(wanted),
        false => acl.rights_of(|one| role.inherits(one)).contains(wanted),
    };
    let built_in = |class| {
        let owner = super::engine::SYSTEM_ROLE;
        holds(&catalog.acl(class, asked.object, owner), owner)
    };
    match asked.kind {
        ObjectKind::Table | ObjectKind::AnyColumn | ObjectKind::Sequence => {
            let Some(relation) = catalog.relation(asked.object) else { return false };
            let whole = holds(&catalog.relation_acl(relation), relation.owner);
            let by_role = !option && predefined_rights(relation, role).contains(wanted);
            let by_column = || {
                let mut columns = catalog.column_acls(relation.oid);
                let any = asked.kind == ObjectKind::AnyColumn;
                columns.any(|(attnum, acl)| {
                    (any || asked.column == Some(attnum)) && holds(acl, relation.owner)
                })
            };
            whole || by_role || by_column()
        }
        ObjectKind::Schema => match catalog.schemas.get(&asked.object) {
            Some(schema) => {
                let by_role =
                    || !option && catalog.schema_rights(schema.oid, role).contains(wanted);
                holds(&catalog.acl(AclClass::Schema, schema.oid, schema.owner), schema.owner)
                    || by_role()
            }
            None => false,
        },
        ObjectKind::Database => match catalog.cluster.databases.get(&asked.object) {
            Some(found) => {
                holds(&catalog.acl(AclClass::Database, found.oid, found.owner), found.owner)
            }
            None => false,
        },
        ObjectKind::Function => match catalog.functions.get(&asked.object) {
            Some(made) => holds(&catalog.acl(AclClass::Function, made.oid, made.owner), made.owner),
            None => built_in(AclClass::Function),
        },
        ObjectKind::Type => match catalog.types.get(&asked.object) {
            Some(made) => holds(&catalog.acl(AclClass::Type, made.oid(), made.owner), made.owner),
            None => built_in(AclClass::Type),
        },
        ObjectKind::Language => built_in(AclClass::Language),
        ObjectKind::Tablespace => built_in(AclClass::Tablespace),
        ObjectKind::Parameter => built_in(AclClass::Parameter),
        ObjectKind::ForeignDataWrapper | ObjectKind::Server | ObjectKind::Role => false,
    }
}

fn missing(code: SqlState, what: &str, name: &str) -> PgError {
    PgError::new(code, format!("{what} \"{name}\" does not exist"))
}

/// A role by name, as it is written (no folding), or by OID.
fn role_oid(facts: &Asker<'_>, role: &ObjectName) -> Result<Oid, PgError> {
    match role {
        ObjectName::Oid(oid) => Ok(Oid(*oid)),
        ObjectName::Name(name) if name == "public" => Ok(PUBLIC),
        ObjectName::Name(name) => describe::resolve_role(facts.catalog, &quoted(name))
            .ok()
            .flatten()
            .ok_or_else(|| missing(SqlState::UNDEFINED_OBJECT, "role", name)),
    }
}

/// Names of roles, schemas and databases are taken as they are.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The object's OID; `None` for an OID without an object.
///
/// # Errors
/// PostgreSQL's for a name without an object.
fn object_oid(
    facts: &Asker<'_>,
    kind: ObjectKind,
    object: &ObjectName,
) -> Result<Option<Oid>, PgError> {
    let name = match object {
        ObjectName::Oid(oid) => return Ok(existing(facts, kind, *oid)),
        ObjectName::Name(name) => name.as_str(),
    };
    let catalog = &facts.catalog;
    let undefined = |what| missing(SqlState::UNDEFINED_OBJECT, what, name);
    let known = |found: Result<Option<Oid>, NameError>, error: PgError| {
        found.map_err(|error| error.report())?.ok_or(error).map(Some)
    };
    match kind {
        ObjectKind::Table | ObjectKind::AnyColumn => relation(facts, name).map(Some),
        ObjectKind::Sequence => {
            let oid = relation(facts, name)?;
            let found = catalog.relation(oid);
            if found.is_some_and(|relation| relation.sequence().is_some()) {
                return Ok(Some(oid));
            }
            let message = format!("\"{name}\" is not a sequence");
            Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message))
        }
        ObjectKind::Schema => describe::resolve_schema(catalog, &quoted(name))
            .ok()
            .flatten()
            .map(Some)
            .ok_or_else(|| missing(SqlState::INVALID_SCHEMA_NAME, "schema", name)),
        ObjectKind::Database => {
            let mut databases = catalog.cluster.databases.values();
            let own = catalog.database.tenant;
            let found = databases.find(|other| other.name == name && other.tenant == own);
            let found = found.map(|database| Some(database.oid));
            found.ok_or_else(|| missing(SqlState::INVALID_CATALOG_NAME, "database", name))
        }
        ObjectKind::Function => known(
            describe::resolve_function_signature(catalog, name, facts.search_path),
            missing(SqlState::UNDEFINED_FUNCTION, "function", name),
        ),
        ObjectKind::Type => {
            known(describe::resolve_type(catalog, name, facts.search_path), undefined("type"))
        }
        ObjectKind::Role => role_oid(facts, object).map(Some),
        ObjectKind::Language => match name {
            "internal" => Ok(Some(Oid(12))),
            "c" => Ok(Some(Oid(13))),
            "sql" => Ok(Some(Oid(14))),
            _ => Err(undefined("language")),
        },
        ObjectKind::Tablespace => match name {
            "pg_default" => Ok(Some(Oid(1663))),
            "pg_global" => Ok(Some(Oid(1664))),
            _ => Err(undefined("tablespace")),
        },
        ObjectKind::ForeignDataWrapper => Err(undefined("foreign-data wrapper")),
        ObjectKind::Server => Err(undefined("server")),
        // Any name may be asked about; one that nothing was granted of has no OID.
        ObjectKind::Parameter => {
            let own = catalog.database.tenant;
            let name = name.to_lowercase();
            let mut known = catalog.cluster.parameters.values();
            let found = known.find(|one| one.name == name && one.tenant == own);
            Ok(Some(found.map_or(Oid::INVALID, |one| one.oid)))
        }
    }
}

/// The relation of a name, or PostgreSQL's error: no schema, or no relation.
pub(super) fn relation(facts: &Asker<'_>, name: &str) -> Result<Oid, PgError> {
    let found = describe::resolve_relation(facts.catalog, name, facts.search_path);
    if let Some(oid) = found.map_err(|error| error.report())? {
        return Ok(oid);
    }
    match describe::parse_name(name).unwrap_or_default().as_slice() {
        [.., schema, _] if facts.catalog.schema(schema).is_none() => {
            Err(missing(SqlState::INVALID_SCHEMA_NAME, "schema", schema))
        }
        _ => Err(missing(SqlState::UNDEFINED_TABLE, "relation", name)),
    }
}

/// The OID, if it is that of such an object.
fn existing(facts: &Asker<'_>, kind: ObjectKind, oid: u32) -> Option<Oid> {
    let (catalog, path) = (facts.catalog, facts.search_path);
    let oid = Oid(oid);
    let exists = match kind {
        ObjectKind::Table | ObjectKind::AnyColumn => {
            describe::table_is_visible(catalog, oid, path).is_some()
        }
        ObjectKind::Schema => catalog.schemas.contains_key(&oid),
        ObjectKind::Database => catalog.cluster.databases.contains_key(&oid),
        ObjectKind::Function => describe::function_is_visible(catalog, oid, path).is_some(),
        ObjectKind::Type => describe::type_is_visible(catalog, oid, path).is_some(),
        ObjectKind::Language => matches!(oid.0, 12..=14),
        ObjectKind::Tablespace => matches!(oid.0, 1663 | 1664),
        // PostgreSQL does not look whether the role exists.
        ObjectKind::Role | ObjectKind::Parameter => true,
        ObjectKind::Sequence => {
            catalog.relation(oid).is_some_and(|relation| relation.sequence().is_some())
        }
        ObjectKind::ForeignDataWrapper | ObjectKind::Server => false,
    };
    exists.then_some(oid)
}

/// Whether a relation has a column; `42703` for a name it does not have.
fn column_exists(facts: &Asker<'_>, relation: Oid, column: &ObjectName) -> Result<bool, PgError> {
    let Some(relation) = facts.catalog.relation(relation) else { return Ok(false) };
    let mut columns = relation.columns().iter();
    match column {
        ObjectName::Oid(attnum) => Ok(columns.any(|c| u32::try_from(c.attnum) == Ok(*attnum))),
        ObjectName::Name(name) if columns.any(|column| column.name == *name) => Ok(true),
        ObjectName::Name(name) => {
            let relation = &relation.name;
            let message = format!("column \"{name}\" of relation \"{relation}\" does not exist");
            Err(PgError::new(SqlState::UNDEFINED_COLUMN, message))
        }
    }
}

/// Every word of the list must be a privilege of such objects; `22023` else.
fn check_words(kind: ObjectKind, privileges: &str) -> Result<(), PgError> {
    let known: &[&str] = match kind {
        ObjectKind::Table => {
            &["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "RULE"]
        }
        ObjectKind::AnyColumn => &["SELECT", "INSERT", "UPDATE", "REFERENCES"],
        ObjectKind::Sequence => &["USAGE", "SELECT", "UPDATE"],
        ObjectKind::Schema => &["CREATE", "USAGE"],
        ObjectKind::Database => &["CREATE", "TEMPORARY", "TEMP", "CONNECT"],
        ObjectKind::Function => &["EXECUTE"],
        ObjectKind::Type
        | ObjectKind::Language
        | ObjectKind::ForeignDataWrapper
        | ObjectKind::Server => &["USAGE"],
        ObjectKind::Tablespace => &["CREATE"],
        ObjectKind::Parameter => &["SET", "ALTER SYSTEM"],
        ObjectKind::Role => &["USAGE", "MEMBER"],
    };
    for part in privileges.split(',') {
        let word = part.trim().to_ascii_uppercase();
        let plain = word
            .strip_suffix(" WITH GRANT OPTION")
            .or_else(|| word.strip_suffix(" WITH ADMIN OPTION"))
            .unwrap_or(&word);
        if !known.contains(&plain) {
            let message = format!("unrecognized privilege type: \"{}\"", part.trim());
            return Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message));
        }
    }
    Ok(())
}
