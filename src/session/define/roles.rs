//! Roles and rights: carrying out commands whose rights `access` checks while it changes the catalog.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array as _, TimestampMicrosecondArray};

use super::drop::{described, drop_relations};
use crate::access::{Caller, grants, owned, roles};
use crate::catalog::{AclClass, Catalog};
use crate::error::{PgError, SqlState};
use crate::planner::bind::sql::roles::{Attributes, MembershipChange, RoleCommand, SettingChange};
use crate::session::facts::POSTGRES_EPOCH_US;
use crate::session::session_impl::Session;
use crate::session::settings::{self, Settings};
use crate::types::Oid;
use crate::types::input_column::InputColumn;
use crate::types::pg_type::PgType;

/// Carries out a command on the transaction's catalog.
pub(super) fn run(
    session: &mut Session,
    catalog: &mut Catalog,
    command: RoleCommand,
) -> Result<(), PgError> {
    let caller = session.shared.caller();
    let mut notices = Vec::new();
    let result = match command {
        RoleCommand::Create { name, attributes, in_roles, members, admins } => {
            check_role_count(session, catalog)?;
            let valid_until = valid_until(session, &attributes)?;
            let role = roles::create(catalog, &caller, &name, &attributes, valid_until)?;
            let with = [(in_roles, vec![role], None), (vec![role], members, None)];
            let admins = (vec![role], admins, Some(true));
            with.into_iter().chain([admins]).try_for_each(|(granted, members, admin)| {
                let change = member_of(granted, members, admin);
                roles::change_membership(catalog, &caller, &change, &mut notices)
            })
        }
        RoleCommand::Alter { role, attributes } => {
            let valid_until = valid_until(session, &attributes)?;
            roles::alter(catalog, &caller, role, &attributes, valid_until)
        }
        RoleCommand::Rename { role, to } => roles::rename(catalog, &caller, role, &to),
        RoleCommand::Settings { role, database, change } => {
            change_settings(session, catalog, (role, database), change)
        }
        RoleCommand::Drop { roles } => drop_roles(session, catalog, &roles),
        RoleCommand::Membership(change) => {
            roles::change_membership(catalog, &caller, &change, &mut notices)
        }
        RoleCommand::Rights(change) => {
            grants::change_rights(catalog, &caller, &change, &mut notices)
        }
        RoleCommand::DefaultRights { roles, schemas, class, change } => {
            grants::change_default_rights(catalog, &caller, (&roles, &schemas, class), &change)
        }
        RoleCommand::GraphRights(change) => {
            crate::access::graph_rights::change(catalog, &caller, &change)
        }
        RoleCommand::Reassign { from, to } => owned::reassign(catalog, &caller, &from, to),
        RoleCommand::DropOwned { roles, cascade } => drop_owned(session, catalog, &roles, cascade),
        RoleCommand::DatabaseOwner { database, owner } => {
            owned::change_database_owner(catalog, &caller, database, owner)
        }
    };
    notices.into_iter().for_each(|notice| session.shared.notify(notice));
    result
}

/// A tenant may be limited to so many roles.
fn check_role_count(session: &Session, catalog: &Catalog) -> Result<(), PgError> {
    let tenant = session.engine.tenant.record();
    let Some(limit) = tenant.limit("max_roles") else { return Ok(()) };
    let own = catalog.cluster.roles.keys().filter(|oid| **oid >= Oid::FIRST_NORMAL);
    if own.count() < limit {
        return Ok(());
    }
    Err(PgError::new(
        SqlState::CONFIGURATION_LIMIT_EXCEEDED,
        format!("tenant \"{}\" may have {limit} roles", tenant.name),
    ))
}

fn member_of(roles: Vec<Oid>, members: Vec<Oid>, admin: Option<bool>) -> MembershipChange {
    MembershipChange {
        grant: true,
        roles,
        members,
        admin,
        inherit: None,
        set: None,
        granted_by: None,
        cascade: false,
    }
}

/// Microseconds since 2000 of VALID UNTIL.
fn valid_until(session: &Session, attributes: &Attributes) -> Result<Option<i64>, PgError> {
    let Some(text) = &attributes.valid_until else { return Ok(None) };
    let settings = session.shared.settings.lock().input(session.shared.transaction_us());
    let mut column = InputColumn::new(&PgType::Timestamptz(None), &settings);
    column.push_text(Some(text.as_bytes())).map_err(PgError::from)?;
    let array = column.finish().map_err(PgError::from)?;
    let value = array
        .as_any()
        .downcast_ref::<TimestampMicrosecondArray>()
        .filter(|array| !array.is_empty())
        .map(|array| array.value(0));
    let value = value.ok_or_else(|| PgError::internal("VALID UNTIL is not a time"))?;
    Ok(Some(match value {
        i64::MAX | i64::MIN => value,
        value => value.saturating_sub(POSTGRES_EPOCH_US),
    }))
}

fn refused(message: impl Into<String>) -> PgError {
    PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message.into())
}

fn change_settings(
    session: &Session,
    catalog: &mut Catalog,
    (role, database): (Option<Oid>, Option<Oid>),
    change: SettingChange,
) -> Result<(), PgError> {
    let caller = session.shared.caller();
    check_settings(catalog, &caller, role, database)?;
    let key = (database.unwrap_or(Oid::INVALID), role.unwrap_or(Oid::INVALID));
    let mut values = catalog.cluster.settings.get(&key).cloned().unwrap_or_default();
    let known = |name: &str| {
        settings::definition(name).map_or(name.to_lowercase(), |one| one.name.to_owned())
    };
    match change {
        SettingChange::ResetAll => values.clear(),
        SettingChange::Reset(name) => {
            Settings::default().check(&name, None)?;
            let name = known(&name);
            values.retain(|(other, _)| *other != name);
        }
        SettingChange::Set { name, value } => {
            let value = Settings::default().check(&name, Some(&value))?;
            put(&mut values, known(&name), value);
        }
        SettingChange::FromCurrent(name) => {
            let now = session.shared.settings.lock().get(&name).map(str::to_owned);
            let value = Settings::default().check(&name, now.as_deref())?;
            put(&mut values, known(&name), value);
        }
    }
    let settings = &mut catalog.cluster_mut().settings;
    match values.is_empty() {
        true => settings.remove(&key),
        false => settings.insert(key, values),
    };
    Ok(())
}

fn put(values: &mut Vec<(String, String)>, name: String, value: String) {
    match values.iter_mut().find(|(known, _)| *known == name) {
        Some(slot) => slot.1 = value,
        None => values.push((name, value)),
    }
}

fn check_settings(
    catalog: &Catalog,
    caller: &Caller,
    role: Option<Oid>,
    database: Option<Oid>,
) -> Result<(), PgError> {
    if let Some(database) = database.filter(|_| role.is_none()) {
        return owned::check_database_owner(catalog, caller, database);
    }
    match role.and_then(|role| catalog.cluster.roles.get(&role)) {
        None if !caller.superuser => Err(refused("must be superuser to alter settings globally")),
        Some(role) if role.superuser && !caller.superuser => {
            Err(refused("must be superuser to alter superusers"))
        }
        Some(role) if !caller.roles().create_role && role.oid != caller.role => {
            Err(refused("permission denied"))
        }
        Some(_) | None => Ok(()),
    }
}

fn drop_roles(session: &Session, catalog: &mut Catalog, going: &[Oid]) -> Result<(), PgError> {
    let caller = session.shared.caller();
    for role in going {
        roles::check_drop(catalog, &caller, *role)?;
    }
    for role in going {
        let path = session.shared.search_path();
        let mut objects = owned::dependents(catalog, *role, &path);
        objects.extend(elsewhere(session, *role));
        if !objects.is_empty() {
            let name = roles::name_of(catalog, *role);
            return Err(PgError::new(
                SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
                format!("role \"{name}\" cannot be dropped because some objects depend on it"),
            )
            .detail(objects.join("\n")));
        }
    }
    going.iter().for_each(|role| roles::drop(catalog, *role));
    Ok(())
}

/// How many objects in other databases depend on a role, in words.
fn elsewhere(session: &Session, role: Oid) -> Vec<String> {
    let own = session.database.latest().catalog.database.oid;
    let databases = session.engine.database_names();
    let others = databases.iter().filter_map(|name| session.engine.database(name));
    let catalogs = others.map(|database| database.latest().catalog);
    catalogs
        .filter(|catalog| catalog.database.oid != own)
        .filter_map(|catalog| {
            let count = owned::local_dependents(&catalog, role, &[]).len();
            let name = &catalog.database.name;
            match count {
                0 => None,
                1 => Some(format!("1 object in database {name}")),
                many => Some(format!("{many} objects in database {name}")),
            }
        })
        .collect()
}

fn drop_owned(
    session: &mut Session,
    catalog: &mut Catalog,
    of: &[Oid],
    cascade: bool,
) -> Result<(), PgError> {
    let caller = session.shared.caller();
    for role in of {
        owned::check_may_drop(catalog, &caller, *role)?;
    }
    let schemas: BTreeSet<Oid> = catalog
        .schemas
        .values()
        .filter(|schema| of.contains(&schema.owner) && schema.oid >= Oid::FIRST_NORMAL)
        .map(|schema| schema.oid)
        .collect();
    let mut relations: BTreeSet<Oid> = catalog
        .relations
        .values()
        .filter(|relation| of.contains(&relation.owner) && relation.oid >= Oid::FIRST_NORMAL)
        .map(|relation| relation.oid)
        .collect();
    // A sequence of a column goes with its table.
    relations.retain(|oid| {
        let owner = catalog.relation(*oid).and_then(|one| one.sequence()).and_then(|one| one.owner);
        owner.is_none_or(|owner| {
            catalog.relation(owner.table).is_none_or(|table| !of.contains(&table.owner))
        })
    });
    if cascade {
        let inside = catalog.relations.values().filter(|one| schemas.contains(&one.schema));
        relations.extend(inside.map(|relation| relation.oid));
    }
    drop_relations(session, catalog, &relations, cascade)?;
    drop_empty_schemas(session, catalog, &schemas)?;
    owned::forget_rights(catalog, of);
    Ok(())
}

fn drop_empty_schemas(
    session: &Session,
    catalog: &mut Catalog,
    schemas: &BTreeSet<Oid>,
) -> Result<(), PgError> {
    let mut inside: BTreeMap<Oid, Vec<String>> = BTreeMap::new();
    for relation in catalog.relations.values().filter(|one| schemas.contains(&one.schema)) {
        let name = described(session, catalog, relation);
        inside.entry(relation.schema).or_default().push(name);
    }
    if let Some((schema, objects)) = inside.first_key_value() {
        let name = catalog.schemas.get(schema).map_or("", |schema| schema.name.as_str());
        let sentence = |object: &String| format!("{object} depends on schema {name}");
        let needed: Vec<String> = objects.iter().map(sentence).collect();
        return Err(super::drop::still_needed(&format!("schema {name}"), &needed));
    }
    schemas.iter().for_each(|schema| catalog.remove_schema(*schema));
    Ok(())
}

/// Whether the caller may make a schema for `owner`.
pub(super) fn check_create_schema(
    session: &Session,
    catalog: &Catalog,
    owner: Oid,
) -> Result<(), PgError> {
    check_database_create(session, catalog)?;
    roles::check_new_owner(catalog, &session.shared.caller(), owner)
}

/// Whether the caller may make schemas in the database.
pub(super) fn check_database_create(session: &Session, catalog: &Catalog) -> Result<(), PgError> {
    let (caller, database) = (session.shared.caller(), &catalog.database);
    let own = catalog.database_owner();
    let rights = catalog.rights(AclClass::Database, database.oid, own, caller.roles());
    match rights.contains(crate::catalog::Rights::CREATE) {
        true => Ok(()),
        false => Err(refused(format!("permission denied for database {}", database.name))),
    }
}

/// Whether the caller may give a relation in `schema` to `owner`; that it is the caller's was looked at before.
pub(super) fn check_owner_change(
    session: &Session,
    catalog: &Catalog,
    schema: Oid,
    owner: Oid,
) -> Result<(), PgError> {
    let caller = session.shared.caller();
    if caller.superuser {
        return Ok(());
    }
    roles::check_new_owner(catalog, &caller, owner)?;
    let rights = catalog.schema_rights(schema, &catalog.role_set(owner));
    if rights.contains(crate::catalog::Rights::CREATE) {
        return Ok(());
    }
    let name = catalog.schemas.get(&schema).map_or("", |schema| schema.name.as_str());
    Err(refused(format!("permission denied for schema {name}")))
}

/// A new object of a class gets its owner's default rights.
pub(super) fn born(catalog: &mut Catalog, class: AclClass, oid: Oid, owner: Oid, schema: Oid) {
    grants::give_default_rights(catalog, class, oid, owner, schema);
}
