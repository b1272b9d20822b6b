//! What only domains know: `CREATE DOMAIN`, and `ALTER DOMAIN` over the rows that are there.

use std::sync::Arc;

use arrow::array::Array;

use super::names::object_name;
use super::user_type::shown_schema;
use super::{roles, set_catalog, version_of};
use crate::catalog::{AclClass, Catalog, Domain, DomainCheck, Relation, TypeDefinition, UserType};
use crate::error::{PgError, SqlState};
use crate::planner::bind::sql::ddl::{DomainChange, NewCheck, NewDomain};
use crate::session::domains::Condition;
use crate::session::session_impl::Session;
use crate::types::Oid;
use crate::types::domain::DomainType;
use crate::types::pg_type::PgType;

pub(super) fn create(catalog: &mut Catalog, owner: Oid, schema: Oid, new: NewDomain) {
    let NewDomain { name, base, not_null, default, checks } = new;
    // PostgreSQL gives the array type its number first.
    let array_oid = catalog.allocate().0;
    let oid = catalog.allocate();
    let shown = shown_schema(catalog, schema);
    let default = default.or_else(|| catalog.type_default(&base).map(str::to_owned));
    let ty = DomainType { oid: oid.0, array_oid, schema: shown, name, base };
    let mut domain = Domain { ty: Arc::new(ty), not_null, default, checks: Vec::new() };
    // Names that were given are taken before others are made.
    let given: Vec<String> = checks.iter().filter_map(|check| check.name.clone()).collect();
    checks.into_iter().for_each(|check| add(catalog, &mut domain, check, &given));
    let definition = TypeDefinition::Domain(domain);
    catalog.put_type(UserType { schema, owner, definition });
    roles::born(catalog, AclClass::Type, oid, owner, schema);
}

fn add(catalog: &mut Catalog, domain: &mut Domain, new: NewCheck, given: &[String]) {
    let NewCheck { name, condition, not_valid } = new;
    let taken = |name: &str| {
        let mut known = domain.checks.iter();
        known.any(|check| check.name == name) || given.iter().any(|given| given == name)
    };
    let name = name.unwrap_or_else(|| object_name(&domain.ty.name, "", "check", taken));
    let oid = catalog.allocate();
    domain.checks.push(DomainCheck { oid, name, condition, validated: !not_valid });
}

pub(super) fn alter(
    session: &mut Session,
    mut catalog: Catalog,
    oid: Oid,
    change: DomainChange,
) -> Result<(), PgError> {
    let gone = || PgError::internal("what a statement names is gone");
    let mut ty = catalog.types.get(&oid).ok_or_else(gone)?.as_ref().clone();
    let TypeDefinition::Domain(domain) = &mut ty.definition else { return Err(gone()) };
    let held = match change {
        DomainChange::Default(default) => {
            domain.default = default;
            None
        }
        DomainChange::NotNull(not_null) => {
            let held = (not_null && !domain.not_null).then_some(Held::NotNull);
            domain.not_null = not_null;
            held
        }
        DomainChange::Add(check) => {
            let held = (!check.not_valid).then(|| Held::Check(check.condition.clone()));
            add(&mut catalog, domain, check, &[]);
            held
        }
        DomainChange::Drop(name) => {
            let dropped = domain.checks.iter().find(|check| check.name == name);
            if let Some(oid) = dropped.map(|check| check.oid) {
                catalog.set_comment(oid, None);
            }
            domain.checks.retain(|check| check.name != name);
            None
        }
        DomainChange::Validate(name) => {
            let check = domain.checks.iter_mut().find(|check| check.name == name);
            let check = check.filter(|check| !check.validated);
            check.map(|check| {
                check.validated = true;
                Held::Check(check.condition.clone())
            })
        }
        DomainChange::Rename(from, to) => {
            if let Some(check) = domain.checks.iter_mut().find(|check| check.name == from) {
                check.name = to;
            }
            None
        }
    };
    let domain = Arc::clone(&domain.ty);
    catalog.put_type(ty);
    if let Some(held) = held {
        check_rows(session, &catalog, &domain, &held)?;
    }
    set_catalog(session, catalog);
    Ok(())
}

/// What rows that are there are held to.
enum Held {
    NotNull,
    Check(String),
}

fn check_rows(
    session: &Session,
    catalog: &Catalog,
    domain: &DomainType,
    held: &Held,
) -> Result<(), PgError> {
    let context = session.current_context()?;
    let condition = match held {
        Held::NotNull => None,
        Held::Check(text) => Some(Condition::new(&session.engine, &context, &domain.base, text)?),
    };
    let relations = catalog.relations_using(Oid(domain.oid));
    relations.iter().try_for_each(|relation| refuse_inside(relation, domain))?;
    for relation in relations {
        let (Some(_), Some(version)) = (relation.table(), version_of(session, relation.oid)) else {
            continue;
        };
        let columns = relation.columns().iter().enumerate();
        for (at, column) in columns.filter(|(_, column)| column.declared().is_of(domain.oid)) {
            for batch in version.live_batches() {
                let batch = batch?;
                let values = batch.column(at);
                let (fails, what, code) = match &condition {
                    None => {
                        let nulls = values.logical_nulls();
                        let fails = nulls.is_some_and(|nulls| nulls.null_count() > 0);
                        (fails, "contains null values", SqlState::NOT_NULL_VIOLATION)
                    }
                    Some(condition) => {
                        let what = "contains values that violate the new constraint";
                        (condition.fails(values)?, what, SqlState::CHECK_VIOLATION)
                    }
                };
                if fails {
                    let message =
                        format!("column \"{}\" of table \"{}\" {what}", column.name, relation.name);
                    let schema = catalog.schemas.get(&relation.schema);
                    let schema = schema.map_or("", |schema| schema.name.as_str());
                    let error = PgError::new(code, message);
                    return Err(error.table(schema, &relation.name).column(&column.name));
                }
            }
        }
    }
    Ok(())
}

/// Values inside of others are not looked at, as in PostgreSQL.
fn refuse_inside(relation: &Relation, domain: &DomainType) -> Result<(), PgError> {
    let mut inside = relation.columns().iter().filter(|column| {
        column.declared().is_of(domain.oid) && !matches!(column.declared(), PgType::Domain(_))
    });
    let Some(column) = inside.next().filter(|_| relation.table().is_some()) else { return Ok(()) };
    let place = format!("{}.{}", relation.name, column.name);
    let message =
        format!("cannot alter type \"{}\" because column \"{place}\" uses it", domain.name);
    Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message))
}
