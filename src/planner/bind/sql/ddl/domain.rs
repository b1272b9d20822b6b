//! `CREATE DOMAIN`, `ALTER DOMAIN`, and comments on their constraints.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::DFSchema;
use sqlparser::ast::{DataType, Expr, Ident, ObjectName, visit_expressions_mut};

use super::user_type::{check_name, command, find, object_change, owned};
use super::{DdlCommand, TypeChange, TypeCommand, creation_schema, skipping};
use crate::catalog::{Domain, DomainCheck, UserType};
use crate::error::{PgError, SqlState};
use crate::parser::sql::definition::{DomainAction, DomainCondition, DomainOption};
use crate::planner::bind::context::BindContext;
use crate::planner::bind::sql::names::{fold, qualified_name};
use crate::planner::bind::sql::query::{bind_expression, type_of};
use crate::planner::bind::sql::resolve;
use crate::planner::bind::sql::stored::{bare, stored_expression};
use crate::planner::bind::sql::types::sql_type;
use crate::types::pg_type::PgType;

/// What a condition of a domain calls the value.
const VALUE: &str = "value";

/// A domain that is to be made.
#[derive(Debug, Clone)]
pub struct NewDomain {
    /// Its name.
    pub name: String,
    /// What it stands on.
    pub base: PgType,
    /// NOT NULL
    pub not_null: bool,
    /// DEFAULT, as SQL.
    pub default: Option<String>,
    /// CHECK, in order.
    pub checks: Vec<NewCheck>,
}

/// A condition that is to be made.
#[derive(Debug, Clone)]
pub struct NewCheck {
    /// Its name, if it was given one.
    pub name: Option<String>,
    /// As SQL.
    pub condition: String,
    /// Values that are there already are not looked at.
    pub not_valid: bool,
}

/// A change that only a domain knows.
#[derive(Debug, Clone)]
pub enum DomainChange {
    /// SET DEFAULT, DROP DEFAULT
    Default(Option<String>),
    /// SET NOT NULL, DROP NOT NULL
    NotNull(bool),
    /// ADD CHECK
    Add(NewCheck),
    /// DROP CONSTRAINT
    Drop(String),
    /// VALIDATE CONSTRAINT
    Validate(String),
    /// RENAME CONSTRAINT
    Rename(String, String),
}

/// The schema that conditions of a domain are bound over: its value, as what the domain stands on.
///
/// # Errors
/// `XX000`
pub fn value_schema(base: &PgType) -> Result<DFSchema, PgError> {
    let schema = Schema::new(vec![base.plain().field(VALUE, true)]);
    Ok(DFSchema::try_from(schema)?)
}

pub(super) fn create(
    context: &BindContext,
    name: &ObjectName,
    data_type: &DataType,
    options: &[DomainOption],
) -> Result<DdlCommand, PgError> {
    let name = qualified_name(name)?;
    let schema = creation_schema(context, &name)?;
    check_name(&context.catalog, schema, &name.name)?;
    let base = sql_type(context.types(), data_type)?;
    if matches!(base, PgType::Record | PgType::Void | PgType::Unknown | PgType::Cstring) {
        let message = format!("\"{base}\" is not a valid base type for a domain");
        return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message));
    }
    let mut new =
        NewDomain { name: name.name, base, not_null: false, default: None, checks: Vec::new() };
    let mut said_null = None;
    for option in options {
        match option {
            DomainOption::Collate(name) => {
                return Err(PgError::unsupported(
                    format!("COLLATE {name} on a domain is not supported"),
                    "Text is compared byte by byte, as collation \"C\" does.",
                ));
            }
            DomainOption::Default(expr) => {
                if new.default.is_some() {
                    return Err(syntax("multiple default expressions"));
                }
                new.default = Some(default(context, expr, &new.base, &new.name)?);
            }
            DomainOption::Condition { name, condition } => {
                if let DomainCondition::NotNull | DomainCondition::Null = condition {
                    let not_null = *condition == DomainCondition::NotNull;
                    if said_null.replace(not_null).is_some_and(|before| before != not_null) {
                        return Err(syntax("conflicting NULL/NOT NULL constraints"));
                    }
                    new.not_null = not_null;
                } else {
                    let check = check(context, name.as_ref(), condition, &new.base)?;
                    let taken = |other: &NewCheck| other.name == check.name;
                    if check.name.is_some() && new.checks.iter().any(taken) {
                        let shown = check.name.unwrap_or_default();
                        return Err(constraint_exists(&shown, &new.name));
                    }
                    new.checks.push(check);
                }
            }
        }
    }
    Ok(command(TypeCommand::CreateDomain { schema, domain: new }))
}

fn syntax(message: &'static str) -> PgError {
    PgError::new(SqlState::SYNTAX_ERROR, message)
}

fn constraint_exists(name: &str, domain: &str) -> PgError {
    let message = format!("constraint \"{name}\" for domain \"{domain}\" already exists");
    PgError::new(SqlState::DUPLICATE_OBJECT, message)
}

/// A default as SQL, which must be readable as the domain's base.
fn default(
    context: &BindContext,
    expr: &Expr,
    base: &PgType,
    name: &str,
) -> Result<String, PgError> {
    let empty = DFSchema::empty();
    let bound = bind_expression(context, expr, &empty).map_err(|error| {
        if error.code() != SqlState::UNDEFINED_COLUMN {
            return error;
        }
        let message = "cannot use column reference in DEFAULT expression";
        PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
    })?;
    let from = type_of(&bound, &empty)?;
    resolve::assign(context, bound, &base.plain(), &empty).map_err(|error| {
        if error.code() != SqlState::CANNOT_COERCE {
            return error;
        }
        let message = format!(
            "column \"{name}\" is of type {} but default expression is of type {from}",
            base.without_modifier()
        );
        PgError::new(SqlState::DATATYPE_MISMATCH, message)
            .hint("You will need to rewrite or cast the expression.")
    })?;
    stored_expression(context, expr, None)
}

/// A condition as SQL, which must be a truth value over `VALUE`.
fn check(
    context: &BindContext,
    name: Option<&Ident>,
    condition: &DomainCondition,
    base: &PgType,
) -> Result<NewCheck, PgError> {
    let expr = match condition {
        DomainCondition::Check(expr) => expr,
        DomainCondition::NotNull | DomainCondition::Null => {
            return Err(PgError::internal("NOT NULL is no expression"));
        }
        DomainCondition::Other(word) => {
            return Err(syntax(match *word {
                "UNIQUE" => "unique constraints not possible for domains",
                "PRIMARY" => "primary key constraints not possible for domains",
                "EXCLUDE" => "exclusion constraints not possible for domains",
                _ => "foreign key constraints not possible for domains",
            }));
        }
    };
    let schema = value_schema(base)?;
    let bound = bind_expression(context, expr, &schema)?;
    let ty = type_of(&bound, &schema)?;
    if ty != PgType::Bool {
        let message = format!("argument of CHECK must be type boolean, not type {ty}");
        return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message));
    }
    let mut shown = bare(expr).clone();
    let _ = visit_expressions_mut(&mut shown, |expr| {
        if let Expr::Identifier(ident) = expr
            && fold(ident) == VALUE
        {
            *ident = Ident::new("VALUE");
        }
        ControlFlow::<()>::Continue(())
    });
    let condition = stored_expression(context, &shown, None)?;
    Ok(NewCheck { name: name.map(fold), condition, not_valid: false })
}

pub(super) fn not_a_domain(found: &UserType) -> PgError {
    let message = format!("{} is not a domain", found.ty());
    PgError::new(SqlState::WRONG_OBJECT_TYPE, message)
}

/// A domain that the current role owns.
fn owned_domain<'a>(
    context: &'a BindContext,
    name: &ObjectName,
) -> Result<(&'a Arc<UserType>, &'a Domain), PgError> {
    let found = owned(context, &qualified_name(name)?)?;
    let domain = found.domain().ok_or_else(|| not_a_domain(found))?;
    Ok((found, domain))
}

pub(super) fn alter(
    context: &BindContext,
    name: &ObjectName,
    action: &DomainAction,
) -> Result<DdlCommand, PgError> {
    const TAG: &str = "ALTER DOMAIN";
    let (found, domain) = owned_domain(context, name)?;
    let ty = &domain.ty;
    let known = |name: &Ident| {
        let name = fold(name);
        match domain.checks.iter().any(|check| check.name == name) {
            true => Ok(name),
            false => Err(no_constraint(&name, &ty.name)),
        }
    };
    let change = match action {
        DomainAction::Object(action) => {
            let change = object_change(context, found, action)?;
            return Ok(command(TypeCommand::Alter { ty: found.oid(), change, tag: TAG }));
        }
        DomainAction::SetDefault(None) => DomainChange::Default(None),
        DomainAction::SetDefault(Some(expr)) => {
            DomainChange::Default(Some(default(context, expr, &ty.base, &ty.name)?))
        }
        DomainAction::SetNotNull(not_null) => DomainChange::NotNull(*not_null),
        DomainAction::Add { name: _, condition: DomainCondition::NotNull, not_valid: _ } => {
            DomainChange::NotNull(true)
        }
        DomainAction::Add { name: _, condition: DomainCondition::Null, not_valid: _ } => {
            DomainChange::NotNull(false)
        }
        DomainAction::Add { name, condition, not_valid } => {
            let check = check(context, name.as_ref(), condition, &ty.base)?;
            if let Some(name) = &check.name
                && domain.checks.iter().any(|other| other.name == *name)
            {
                return Err(constraint_exists(name, &ty.name));
            }
            DomainChange::Add(NewCheck { not_valid: *not_valid, ..check })
        }
        DomainAction::DropConstraint { if_exists, name } => match known(name) {
            Ok(name) => DomainChange::Drop(name),
            Err(missing) if *if_exists => {
                return Ok(DdlCommand::Skip { tag: TAG, notice: skipping(&missing) });
            }
            Err(missing) => return Err(missing),
        },
        DomainAction::Validate(name) => DomainChange::Validate(known(name)?),
        DomainAction::RenameConstraint { from, to } => {
            let (from, to) = (known(from)?, fold(to));
            if domain.checks.iter().any(|check| check.name == to) {
                return Err(constraint_exists(&to, &ty.name));
            }
            DomainChange::Rename(from, to)
        }
    };
    let change = TypeChange::Domain(change);
    Ok(command(TypeCommand::Alter { ty: found.oid(), change, tag: TAG }))
}

fn no_constraint(name: &str, domain: &str) -> PgError {
    let message = format!("constraint \"{name}\" of domain \"{domain}\" does not exist");
    PgError::new(SqlState::UNDEFINED_OBJECT, message)
}

/// `COMMENT ON DOMAIN`
pub(super) fn comment(
    context: &BindContext,
    name: &ObjectName,
    text: Option<String>,
) -> Result<DdlCommand, PgError> {
    let (found, _) = owned_domain(context, name)?;
    Ok(command(TypeCommand::Comment { ty: found.oid(), text }))
}

/// `COMMENT ON CONSTRAINT name ON DOMAIN domain`
pub(super) fn comment_on_constraint(
    context: &BindContext,
    name: &Ident,
    domain: &ObjectName,
    text: Option<String>,
) -> Result<DdlCommand, PgError> {
    find(context, &qualified_name(domain)?)?;
    let (_, domain) = owned_domain(context, domain)?;
    let name = fold(name);
    let check: Option<&DomainCheck> = domain.checks.iter().find(|check| check.name == name);
    let check = check.ok_or_else(|| no_constraint(&name, &domain.ty.name))?;
    Ok(command(TypeCommand::Comment { ty: check.oid, text }))
}
