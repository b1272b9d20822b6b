//! What roles own and what depends on them: REASSIGN OWNED, DROP OWNED, and why a role cannot be dropped.

use super::caller::Caller;
use super::grants::class_word;
use super::privilege::relation_word;
use super::roles::{check_new_owner, name_of};
use crate::catalog::pg::describe::{format_type, quote_identifier, relation_name};
use crate::catalog::{Acl, AclClass, Catalog, Cluster, Relation, Schema, SqlFunction, UserType};
use crate::error::{PgError, SqlState};
use crate::types::Oid;

fn refused(message: impl Into<String>) -> PgError {
    PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message.into())
}

/// What depends on a role in this database and among the shared objects, in PostgreSQL's words.
pub fn dependents(catalog: &Catalog, role: Oid, search_path: &[String]) -> Vec<String> {
    let mut found = local_dependents(catalog, role, search_path);
    for database in catalog.cluster.databases.values() {
        if database.owner == role {
            found.push(format!("owner of database {}", quote_identifier(&database.name)));
        }
    }
    for ((class, oid), acl) in catalog.cluster.acls.iter().filter(|(_, acl)| acl.names(role)) {
        let name = match class {
            AclClass::Database => catalog.cluster.databases.get(oid).map(|one| &one.name),
            _ => catalog.cluster.parameters.get(oid).map(|one| &one.name),
        };
        let _ = acl;
        let name = name.map_or_else(|| oid.to_string(), |name| quote_identifier(name));
        found.push(format!("privileges for {} {name}", class_word(*class)));
    }
    found
}

/// The same of the database's own objects.
pub fn local_dependents(catalog: &Catalog, role: Oid, search_path: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let described = |relation: &Relation| {
        let name = relation_name(catalog, relation.oid, search_path);
        let name = name.unwrap_or_else(|| quote_identifier(&relation.name));
        format!("{} {name}", relation_word(relation))
    };
    let schema_name = |oid: &Oid| {
        let schema = catalog.schemas.get(oid);
        schema.map_or_else(|| oid.to_string(), |schema| quote_identifier(&schema.name))
    };
    for schema in catalog.schemas.values().filter(|schema| schema.owner == role) {
        found.push(format!("owner of schema {}", quote_identifier(&schema.name)));
    }
    let owned = catalog.relations.values().filter(|relation| relation.owner == role);
    found.extend(owned.map(|relation| format!("owner of {}", described(relation))));
    for ty in catalog.types.values().filter(|ty| ty.owner == role) {
        found.push(format!("owner of type {}", ty.ty().name()));
    }
    for ((class, oid), _) in catalog.grants.objects.iter().filter(|(_, acl)| acl.names(role)) {
        let what = match (class, catalog.relation(*oid)) {
            (AclClass::Table, Some(relation)) => described(relation),
            (AclClass::Schema, _) => format!("schema {}", schema_name(oid)),
            (AclClass::Type, _) => format!("type {}", format_type(catalog, *oid, None)),
            (class, _) => format!("{} {oid}", class_word(*class)),
        };
        found.push(format!("privileges for {what}"));
    }
    for ((table, attnum), _) in catalog.grants.columns.iter().filter(|(_, acl)| acl.names(role)) {
        let Some(relation) = catalog.relation(*table) else { continue };
        let column = relation.columns().iter().find(|column| column.attnum == *attnum);
        let column = column.map_or("", |column| column.name.as_str());
        found.push(format!("privileges for column {column} of {}", described(relation)));
    }
    found.extend(super::policy::naming(catalog, role).map(|(relation, policy)| {
        format!("target of policy {} on {}", quote_identifier(&policy.name), described(relation))
    }));
    for rights in catalog.grants.defaults.values() {
        if rights.role != role && !rights.acl.names(role) {
            continue;
        }
        let kind = match rights.class {
            AclClass::Table => "relations",
            AclClass::Sequence => "sequences",
            AclClass::Function => "functions",
            AclClass::Type => "types",
            _ => "schemas",
        };
        let owner = name_of(catalog, rights.role);
        let place = match rights.schema {
            Oid::INVALID => String::new(),
            schema => format!(" in schema {}", schema_name(&schema)),
        };
        let prefix = if rights.role == role { "owner of" } else { "privileges for" };
        found.push(format!(
            "{prefix} default privileges on new {kind} belonging to role {owner}{place}"
        ));
    }
    found
}

/// Gives everything that some roles own, in this database and the databases themselves, to another.
///
/// # Errors
/// `42501`; `2BP01` for what the system needs.
pub fn reassign(
    catalog: &mut Catalog,
    caller: &Caller,
    from: &[Oid],
    to: Oid,
) -> Result<(), PgError> {
    for role in from {
        if !caller.has(*role) {
            return Err(refused("permission denied to reassign objects"));
        }
        refuse_system(catalog, *role, "reassign ownership of")?;
    }
    if !caller.has(to) {
        return Err(refused("permission denied to reassign objects"));
    }
    let relations: Vec<_> =
        catalog.relations.values().filter(|one| from.contains(&one.owner)).cloned().collect();
    for relation in relations {
        give_relation(catalog, &relation, to);
    }
    let schemas: Vec<Schema> =
        catalog.schemas.values().filter(|one| from.contains(&one.owner)).cloned().collect();
    for schema in schemas {
        give_schema(catalog, schema, to);
    }
    let types: Vec<_> =
        catalog.types.values().filter(|one| from.contains(&one.owner)).cloned().collect();
    types.iter().for_each(|ty| give_type(catalog, ty, to));
    let databases: Vec<Oid> = catalog
        .cluster
        .databases
        .values()
        .filter(|one| from.contains(&one.owner))
        .map(|one| one.oid)
        .collect();
    databases.into_iter().for_each(|database| give_database(catalog, database, to));
    Ok(())
}

fn refuse_system(catalog: &Catalog, role: Oid, what: &str) -> Result<(), PgError> {
    if role != Oid(10) {
        return Ok(());
    }
    let message = format!(
        "cannot {what} objects owned by role {} because they are required by the database system",
        name_of(catalog, role)
    );
    Err(PgError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message))
}

/// Makes `to` the owner of a relation, its ACL included.
pub fn give_relation(catalog: &mut Catalog, relation: &Relation, to: Oid) {
    let from = relation.owner;
    if from == to {
        return;
    }
    if let Some(mut acl) = catalog.grants.objects.get(&(AclClass::Table, relation.oid)).cloned() {
        acl.change_owner(from, to);
        catalog.set_acl(AclClass::Table, relation.oid, Some(acl));
    }
    let columns: Vec<(i16, Acl)> =
        catalog.column_acls(relation.oid).map(|(at, acl)| (at, acl.clone())).collect();
    for (attnum, mut acl) in columns {
        acl.change_owner(from, to);
        catalog.set_column_acl(relation.oid, attnum, acl);
    }
    catalog.put_relation(Relation { owner: to, ..relation.clone() });
}

/// Makes `to` the owner of a schema, its ACL included.
pub fn give_schema(catalog: &mut Catalog, schema: Schema, to: Oid) {
    let (oid, from) = (schema.oid, schema.owner);
    if let Some(mut acl) = catalog.grants.objects.get(&(AclClass::Schema, oid)).cloned() {
        acl.change_owner(from, to);
        catalog.set_acl(AclClass::Schema, oid, Some(acl));
    }
    catalog.put_schema(Schema { owner: to, ..schema });
}

/// Makes `to` the owner of a function, its ACL included.
pub fn give_function(catalog: &mut Catalog, function: &SqlFunction, to: Oid) {
    let (oid, from) = (function.oid, function.owner);
    if let Some(mut acl) = catalog.grants.objects.get(&(AclClass::Function, oid)).cloned() {
        acl.change_owner(from, to);
        catalog.set_acl(AclClass::Function, oid, Some(acl));
    }
    catalog.put_function(SqlFunction { owner: to, ..function.clone() });
}

/// Makes `to` the owner of a type, its ACL included.
pub fn give_type(catalog: &mut Catalog, ty: &UserType, to: Oid) {
    let (oid, from) = (ty.oid(), ty.owner);
    if let Some(mut acl) = catalog.grants.objects.get(&(AclClass::Type, oid)).cloned() {
        acl.change_owner(from, to);
        catalog.set_acl(AclClass::Type, oid, Some(acl));
    }
    catalog.put_type(UserType { owner: to, ..ty.clone() });
}

fn give_database(catalog: &mut Catalog, oid: Oid, to: Oid) {
    let cluster: &mut Cluster = catalog.cluster_mut();
    let Some(database) = cluster.databases.get_mut(&oid) else { return };
    let from = std::mem::replace(&mut database.owner, to);
    if let Some(acl) = cluster.acls.get_mut(&(AclClass::Database, oid)) {
        acl.change_owner(from, to);
    }
}

/// Whether the caller owns a database.
///
/// # Errors
/// `42501`
pub fn check_database_owner(catalog: &Catalog, caller: &Caller, oid: Oid) -> Result<(), PgError> {
    let Some(database) = catalog.cluster.databases.get(&oid) else { return Ok(()) };
    match caller.has(database.owner) {
        true => Ok(()),
        false => Err(refused(format!("must be owner of database {}", database.name))),
    }
}

/// Gives a database to another role.
///
/// # Errors
/// `42501`
pub fn change_database_owner(
    catalog: &mut Catalog,
    caller: &Caller,
    oid: Oid,
    owner: Oid,
) -> Result<(), PgError> {
    check_database_owner(catalog, caller, oid)?;
    check_new_owner(catalog, caller, owner)?;
    if !caller.roles().create_db {
        return Err(refused("permission denied to change owner of database"));
    }
    give_database(catalog, oid, owner);
    Ok(())
}

/// Whether the caller may drop what a role owns.
///
/// # Errors
/// `42501`, `2BP01` for what the system needs.
pub fn check_may_drop(catalog: &Catalog, caller: &Caller, role: Oid) -> Result<(), PgError> {
    if !caller.has(role) {
        return Err(refused("permission denied to drop objects"));
    }
    refuse_system(catalog, role, "drop")
}

/// Forgets all rights that some roles have in this database and on the databases, and their default rights.
pub fn forget_rights(catalog: &mut Catalog, roles: &[Oid]) {
    super::policy::forget_roles(catalog, roles);
    let without = |acl: &Acl, owner: Oid| {
        let mut acl = acl.clone();
        let named = |item: &&crate::catalog::AclItem| {
            roles.contains(&item.grantee) && item.grantee != owner
        };
        while let Some(item) = acl.0.iter().find(named).copied() {
            let all = item.rights.or(item.options);
            // With CASCADE nothing stands in the way.
            let _ = acl.revoke(item.grantee, item.grantor, owner, all, false, true);
        }
        acl
    };
    let objects: Vec<_> = catalog
        .grants
        .objects
        .iter()
        .filter(|(_, acl)| roles.iter().any(|role| acl.names(*role)))
        .map(|(key, acl)| (*key, acl.clone()))
        .collect();
    for ((class, oid), acl) in objects {
        let owner = match class {
            AclClass::Table => catalog.relation(oid).map_or(Oid::INVALID, |one| one.owner),
            AclClass::Schema => catalog.schemas.get(&oid).map_or(Oid::INVALID, |one| one.owner),
            _ => Oid(10),
        };
        catalog.set_acl(class, oid, Some(without(&acl, owner)));
    }
    let columns: Vec<_> = catalog.grants.columns.clone().into_iter().collect();
    for ((table, attnum), acl) in columns {
        let owner = catalog.relation(table).map_or(Oid::INVALID, |one| one.owner);
        catalog.set_column_acl(table, attnum, without(&acl, owner));
    }
    let defaults: Vec<_> = catalog.grants.defaults.values().cloned().collect();
    for mut rights in defaults {
        if roles.contains(&rights.role) {
            catalog.set_default_rights(rights.oid, None);
        } else if roles.iter().any(|role| rights.acl.names(*role)) {
            rights.acl = without(&rights.acl, rights.role);
            let kept = (!rights.acl.0.is_empty()).then_some(rights.clone());
            catalog.set_default_rights(rights.oid, kept);
        }
    }
    let shared: Vec<_> = catalog
        .cluster
        .acls
        .iter()
        .filter(|(_, acl)| roles.iter().any(|role| acl.names(*role)))
        .map(|(key, acl)| (*key, acl.clone()))
        .collect();
    for ((class, oid), acl) in shared {
        let owner = catalog.cluster.databases.get(&oid).map_or(Oid(10), |one| one.owner);
        catalog.set_acl(class, oid, Some(without(&acl, owner)));
    }
}
