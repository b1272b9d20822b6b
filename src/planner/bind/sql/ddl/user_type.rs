//! `CREATE TYPE … AS ENUM`, `ALTER TYPE`, `DROP TYPE` and `COMMENT ON TYPE`; what domains have in common with them.

use std::sync::Arc;

use sqlparser::ast::{Ident, ObjectName, UserDefinedTypeRepresentation};

use super::domain::{DomainChange, NewDomain};
use super::{DdlCommand, creation_schema, owner_of, skipping};
use crate::catalog::{Catalog, QualifiedName, UserType};
use crate::error::{PgError, SqlState};
use crate::parser::sql::definition::{LabelPlace, ObjectAction, TypeAction};
use crate::planner::bind::context::BindContext;
use crate::planner::bind::sql::names::{fold, qualified_name};
use crate::types::Oid;
use crate::types::enum_type::EnumType;
use crate::types::pg_type::PgType;
use crate::types::row_type::RowField;

/// A label may be as long as a name.
const LABEL_BYTES_MAX: usize = 63;

/// What is done to types of the database's own. Whose they are was asked when the statement was bound.
#[derive(Debug, Clone)]
pub enum TypeCommand {
    /// `CREATE TYPE … AS ENUM`
    CreateEnum {
        /// Where it goes.
        schema: Oid,
        /// Its name.
        name: String,
        /// In order.
        labels: Vec<String>,
    },
    /// `CREATE DOMAIN`
    CreateDomain {
        /// Where it goes.
        schema: Oid,
        /// What it is.
        domain: NewDomain,
    },
    /// `CREATE TYPE … AS (…)`
    CreateRow {
        /// Where it goes.
        schema: Oid,
        /// Its name.
        name: String,
        /// In order.
        fields: Vec<RowField>,
    },
    /// `CREATE EXTENSION hstore`
    CreateHstore {
        /// Where its type goes.
        schema: Oid,
    },
    /// `ALTER TYPE`, `ALTER DOMAIN`
    Alter {
        /// The type.
        ty: Oid,
        /// What is done.
        change: TypeChange,
        /// The statement's tag.
        tag: &'static str,
    },
    /// `DROP TYPE`, `DROP DOMAIN`
    Drop {
        /// The statement's tag.
        tag: &'static str,
        /// What goes.
        types: Vec<Oid>,
        /// Names that were not found under IF EXISTS, for notices.
        missing: Vec<String>,
        /// Drop the columns and functions that use them too.
        cascade: bool,
    },
    /// `COMMENT ON TYPE`
    Comment {
        /// The type.
        ty: Oid,
        /// The text; `None` removes it.
        text: Option<String>,
    },
}

/// A change of a type.
#[derive(Debug, Clone)]
pub enum TypeChange {
    /// RENAME TO
    Rename(String),
    /// SET SCHEMA
    SetSchema(Oid),
    /// OWNER TO
    OwnerTo(Oid),
    /// ADD VALUE: the label, and at which position it goes.
    AddValue(String, usize),
    /// RENAME VALUE: the position of the label, and what it is called from now on.
    RenameValue(usize, String),
    /// The fields of a composite type from now on.
    Fields {
        /// In order.
        fields: Vec<RowField>,
        /// Which field each was before; none for a new one.
        from: Vec<Option<usize>>,
    },
    /// What only a domain has.
    Domain(DomainChange),
}

impl TypeCommand {
    /// Types whose tables change with them.
    pub fn changed(&self) -> Vec<Oid> {
        match self {
            Self::CreateEnum { .. }
            | Self::CreateRow { .. }
            | Self::CreateHstore { .. }
            | Self::CreateDomain { .. }
            | Self::Comment { .. } => Vec::new(),
            Self::Alter { change: TypeChange::OwnerTo(_), .. } => Vec::new(),
            Self::Alter { ty, .. } => vec![*ty],
            Self::Drop { types, .. } => types.clone(),
        }
    }
}

pub(super) fn command(command: TypeCommand) -> DdlCommand {
    DdlCommand::Type(Box::new(command))
}

pub(super) fn create(
    context: &BindContext,
    name: &ObjectName,
    representation: Option<&UserDefinedTypeRepresentation>,
) -> Result<DdlCommand, PgError> {
    if let Some(UserDefinedTypeRepresentation::Composite { attributes }) = representation {
        return super::row_type::create(context, name, attributes);
    }
    let Some(UserDefinedTypeRepresentation::Enum { labels }) = representation else {
        return Err(PgError::unsupported(
            "shell types, range types and base types are not supported",
            "CREATE TYPE … AS ENUM, CREATE TYPE … AS (…) and CREATE DOMAIN are.",
        ));
    };
    let name = qualified_name(name)?;
    let schema = creation_schema(context, &name)?;
    check_name(&context.catalog, schema, &name.name)?;
    let mut texts: Vec<String> = Vec::with_capacity(labels.len());
    for label in labels {
        let label = label_text(label)?;
        if texts.contains(&label) {
            // PostgreSQL's unique index on pg_enum says so.
            return Err(PgError::new(
                SqlState::UNIQUE_VIOLATION,
                "duplicate key value violates unique constraint \"pg_enum_typid_label_index\"",
            ));
        }
        texts.push(label);
    }
    Ok(command(TypeCommand::CreateEnum { schema, name: name.name, labels: texts }))
}

fn label_text(label: &Ident) -> Result<String, PgError> {
    if label.quote_style != Some('\'') {
        return Err(PgError::new(
            SqlState::SYNTAX_ERROR,
            format!("syntax error at or near \"{}\"", label.value),
        ));
    }
    check_label(&label.value)
}

fn check_label(label: &str) -> Result<String, PgError> {
    if label.len() > LABEL_BYTES_MAX {
        return Err(PgError::new(SqlState("42602"), format!("invalid enum label \"{label}\""))
            .detail("Labels must be 63 bytes or less."));
    }
    Ok(label.to_owned())
}

/// A type has a name of its own among types, and among the rows of tables.
pub(super) fn check_name(catalog: &Catalog, schema: Oid, name: &str) -> Result<(), PgError> {
    let taken =
        catalog.user_type_in(schema, name).is_some() || catalog.relation_in(schema, name).is_some();
    if !taken {
        return Ok(());
    }
    let message = format!("type \"{name}\" already exists");
    Err(PgError::new(SqlState::DUPLICATE_OBJECT, message))
}

fn undefined(name: &QualifiedName) -> PgError {
    PgError::new(SqlState::UNDEFINED_OBJECT, format!("type \"{name}\" does not exist"))
}

/// The type of a name.
pub(super) fn find<'a>(
    context: &'a BindContext,
    name: &QualifiedName,
) -> Result<&'a Arc<UserType>, PgError> {
    if let Some(schema) = &name.schema {
        if context.catalog.schema(schema).is_none() {
            return Err(PgError::new(
                SqlState::INVALID_SCHEMA_NAME,
                format!("schema \"{schema}\" does not exist"),
            ));
        }
        context.check_schema(schema)?;
    }
    context.catalog.user_type_named(name, &context.search_path).ok_or_else(|| undefined(name))
}

/// The type of a name, which the current role owns.
pub(super) fn owned<'a>(
    context: &'a BindContext,
    name: &QualifiedName,
) -> Result<&'a Arc<UserType>, PgError> {
    let found = find(context, name);
    if found.is_err()
        && let Ok(built_in) = PgType::parse_name(&name.to_string())
    {
        return Err(if context.roles.superuser {
            let what = format!("cannot drop type {built_in} because");
            let message = format!("{what} it is required by the database system");
            PgError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
        } else {
            let message = format!("must be owner of type {}", name.name);
            PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message)
        });
    }
    let found = found?;
    if let Some((extension, _)) = found.extension() {
        let message =
            format!("cannot drop type {} because extension {extension} requires it", found.name());
        return Err(PgError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
            .hint(format!("You can drop extension {extension} instead.")));
    }
    let superuser = context.roles.superuser || context.system;
    if superuser || context.roles.has(found.owner) {
        return Ok(found);
    }
    let message = format!("must be owner of type {}", name.name);
    Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message))
}

pub(super) fn alter(
    context: &BindContext,
    name: &ObjectName,
    action: &TypeAction,
) -> Result<DdlCommand, PgError> {
    let name = qualified_name(name)?;
    let found = owned(context, &name)?;
    let change = match action {
        TypeAction::Object(action) => object_change(context, found, action)?,
        TypeAction::AddValue { if_not_exists, label, place } => {
            match add_value(found, label, place.as_ref())? {
                Ok(change) => change,
                Err(notice) if *if_not_exists => {
                    return Ok(DdlCommand::Skip { tag: "ALTER TYPE", notice: skipping(&notice) });
                }
                Err(error) => return Err(error),
            }
        }
        TypeAction::Attributes(actions) => super::row_type::alter(context, found, actions)?,
        TypeAction::RenameValue { from, to } => rename_value(found, from, to)?,
    };
    Ok(command(TypeCommand::Alter { ty: found.oid(), change, tag: "ALTER TYPE" }))
}

/// What all types may be told.
pub(super) fn object_change(
    context: &BindContext,
    found: &UserType,
    action: &ObjectAction,
) -> Result<TypeChange, PgError> {
    Ok(match action {
        ObjectAction::Rename(to) => {
            let to = fold(to);
            check_name(&context.catalog, found.schema, &to)?;
            TypeChange::Rename(to)
        }
        ObjectAction::SetSchema(schema) => {
            let place = QualifiedName { schema: Some(fold(schema)), name: found.name().to_owned() };
            let schema = creation_schema(context, &place)?;
            if schema != found.schema {
                check_name(&context.catalog, schema, &place.name)?;
            }
            TypeChange::SetSchema(schema)
        }
        ObjectAction::OwnerTo(owner) => TypeChange::OwnerTo(owner_of(context, owner)?),
        ObjectAction::RenameColumn(..) => {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error in ALTER TYPE"));
        }
    })
}

/// The labels of an enumerated type.
fn labels(ty: &UserType) -> Result<&EnumType, PgError> {
    ty.labels().map(AsRef::as_ref).ok_or_else(|| {
        let message = format!("{} is not an enum", ty.ty().name());
        PgError::new(SqlState::WRONG_OBJECT_TYPE, message)
    })
}

fn position(ty: &EnumType, label: &str) -> Option<usize> {
    ty.labels.iter().position(|known| known.label == label)
}

fn no_label(label: &str) -> PgError {
    PgError::new(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("\"{label}\" is not an existing enum label"),
    )
}

fn label_exists(label: &str) -> PgError {
    PgError::new(SqlState::DUPLICATE_OBJECT, format!("enum label \"{label}\" already exists"))
}

/// The change, or (inside) that the label is there already.
fn add_value(
    ty: &UserType,
    label: &str,
    place: Option<&LabelPlace>,
) -> Result<Result<TypeChange, PgError>, PgError> {
    let ty = labels(ty)?;
    let label = check_label(label)?;
    if position(ty, &label).is_some() {
        return Ok(Err(label_exists(&label)));
    }
    let at = match place {
        None => ty.labels.len(),
        Some(LabelPlace::Before(other)) => position(ty, other).ok_or_else(|| no_label(other))?,
        Some(LabelPlace::After(other)) => position(ty, other).ok_or_else(|| no_label(other))? + 1,
    };
    Ok(Ok(TypeChange::AddValue(label, at)))
}

fn rename_value(ty: &UserType, from: &str, to: &str) -> Result<TypeChange, PgError> {
    let ty = labels(ty)?;
    let to = check_label(to)?;
    let at = position(ty, from).ok_or_else(|| no_label(from))?;
    if position(ty, &to).is_some() {
        return Err(label_exists(&to));
    }
    Ok(TypeChange::RenameValue(at, to))
}

pub(super) fn drop(
    context: &BindContext,
    if_exists: bool,
    names: &[ObjectName],
    cascade: bool,
    tag: &'static str,
) -> Result<DdlCommand, PgError> {
    let (mut types, mut missing) = (Vec::new(), Vec::new());
    for name in names {
        let name = qualified_name(name)?;
        match owned(context, &name) {
            Ok(found) if tag == "DROP DOMAIN" && found.domain().is_none() => {
                return Err(super::domain::not_a_domain(found));
            }
            Ok(found) => types.push(found.oid()),
            Err(error)
                if tag == "DROP DOMAIN"
                    && is_missing(&error)
                    && context.catalog.resolve(&name, &context.search_path).is_some() =>
            {
                let message = format!("\"{}\" is not a domain", name.name);
                return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
            }
            Err(error) if if_exists && is_missing(&error) => missing.push(error.to_string()),
            Err(error) => return Err(error),
        }
    }
    Ok(command(TypeCommand::Drop { tag, types, missing, cascade }))
}

fn is_missing(error: &PgError) -> bool {
    [SqlState::UNDEFINED_OBJECT, SqlState::INVALID_SCHEMA_NAME].contains(&error.code())
}

pub(super) fn comment(
    context: &BindContext,
    name: &ObjectName,
    text: Option<String>,
) -> Result<DdlCommand, PgError> {
    let ty = owned(context, &qualified_name(name)?)?.oid();
    Ok(command(TypeCommand::Comment { ty, text }))
}
