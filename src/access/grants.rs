//! GRANT and REVOKE of rights on objects, and default rights, by PostgreSQL 15's rules.

use super::caller::Caller;
use crate::catalog::{
    Acl, AclClass, Catalog, DefaultRights, PUBLIC, Relation, Rights, RoleSet, class_of,
};
use crate::error::{PgError, Severity, SqlState};
use crate::planner::bind::sql::roles::{GrantObject, RightsChange};
use crate::types::Oid;

/// Grants or revokes rights on all the objects that a statement names.
///
/// # Errors
/// `42501` for a caller without any right on an object, `0LP01`, `2BP01` where other rights rest on those revoked.
pub fn change_rights(
    catalog: &mut Catalog,
    caller: &Caller,
    change: &RightsChange,
    notices: &mut Vec<PgError>,
) -> Result<(), PgError> {
    for object in &change.objects {
        match object.class {
            AclClass::Table | AclClass::Sequence | AclClass::Graph => {
                on_relation(catalog, caller, change, object, notices)?;
            }
            AclClass::Parameter => on_parameter(catalog, caller, change, object, notices)?,
            _ => on_object(catalog, caller, change, object, notices)?,
        }
    }
    Ok(())
}

fn invalid(message: impl Into<String>) -> PgError {
    PgError::new(SqlState("0LP01"), message.into())
}

fn warning(code: SqlState, message: String) -> PgError {
    PgError::new(code, message).severity(Severity::Warning)
}

fn refuse_public_option(change: &RightsChange) -> Result<(), PgError> {
    if change.grant && change.option && change.roles.contains(&PUBLIC) {
        return Err(invalid("grant options can only be granted to roles"));
    }
    Ok(())
}

fn dependent() -> PgError {
    PgError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, "dependent privileges exist")
        .hint("Use CASCADE to revoke them too.")
}

/// Rights as a whole that a statement names, for an object of a class.
fn whole_rights(change: &RightsChange, class: AclClass) -> (Rights, bool) {
    match &change.rights {
        None if change.all_columns.is_empty() => (class.all(), true),
        None => (Rights::NONE, false),
        Some(rights) => {
            let whole = rights.iter().filter(|(_, columns)| columns.is_empty());
            (whole.fold(Rights::NONE, |all, (right, _)| all.or(*right)), false)
        }
    }
}

fn on_object(
    catalog: &mut Catalog,
    caller: &Caller,
    change: &RightsChange,
    object: &GrantObject,
    notices: &mut Vec<PgError>,
) -> Result<(), PgError> {
    let (rights, all) = whole_rights(change, object.class);
    let acl = catalog.acl(object.class, object.oid, object.owner);
    let target = Target { object, owner: object.owner, whole: object.class.all(), column: None };
    let roles = caller.roles();
    let Some(new) = changed(&acl, roles, change, (rights, all), &target, None, notices)? else {
        return Ok(());
    };
    catalog.set_acl(object.class, object.oid, Some(new));
    Ok(())
}

fn on_parameter(
    catalog: &mut Catalog,
    caller: &Caller,
    change: &RightsChange,
    object: &GrantObject,
    notices: &mut Vec<PgError>,
) -> Result<(), PgError> {
    let mut object = object.clone();
    if object.oid == Oid::INVALID {
        if !change.grant {
            return Ok(());
        }
        let tenant = catalog.database.tenant;
        let cluster = catalog.cluster_mut();
        object.oid = cluster.next_oid.take();
        let parameter =
            crate::catalog::Parameter { oid: object.oid, name: object.name.clone(), tenant };
        cluster.parameters.insert(object.oid, parameter);
    }
    on_object(catalog, caller, change, &object, notices)?;
    let acl = catalog.stored_acl(AclClass::Parameter, object.oid);
    if acl.is_none_or(|acl| acl == AclClass::Parameter.default_acl(object.owner)) {
        catalog.set_acl(AclClass::Parameter, object.oid, None);
        catalog.cluster_mut().parameters.remove(&object.oid);
    }
    Ok(())
}

fn on_relation(
    catalog: &mut Catalog,
    caller: &Caller,
    change: &RightsChange,
    object: &GrantObject,
    notices: &mut Vec<PgError>,
) -> Result<(), PgError> {
    let Some(relation) = catalog.relation(object.oid).cloned() else { return Ok(()) };
    let class = class_of(&relation);
    let (mut rights, all) = whole_rights(change, class);
    if object.as_table && !class.all().contains(rights) {
        let message = format!(
            "sequence \"{}\" only supports USAGE, SELECT, and UPDATE privileges",
            relation.name
        );
        notices.push(warning(SqlState::WARNING, message));
        rights = rights.and(class.all());
    } else if let Some((_, name)) = rights.without(class.all()).each().next() {
        return Err(invalid(format!("invalid privilege type {name} for table")));
    }
    let old = catalog.relation_acl(&relation);
    if !rights.is_empty() {
        let target = Target { object, owner: relation.owner, whole: class.all(), column: None };
        let new = changed(&old, caller.roles(), change, (rights, all), &target, None, notices)?;
        if let Some(new) = new {
            catalog.set_acl(AclClass::Table, relation.oid, Some(new));
        }
    }
    on_columns(catalog, caller, change, object, (&relation, &old), rights, notices)
}

/// The columns' own ACLs: those that a statement names, and when a right on the table is revoked all of them.
fn on_columns(
    catalog: &mut Catalog,
    caller: &Caller,
    change: &RightsChange,
    object: &GrantObject,
    (relation, old): (&Relation, &Acl),
    whole: Rights,
    notices: &mut Vec<PgError>,
) -> Result<(), PgError> {
    let mut wanted: Vec<(i16, Rights, bool)> = Vec::new();
    let position = |name: &str| {
        let mut columns = relation.columns().iter();
        columns.find(|column| column.name == name).map(|column| column.attnum).ok_or_else(|| {
            PgError::new(
                SqlState::UNDEFINED_COLUMN,
                format!("column \"{name}\" of relation \"{}\" does not exist", relation.name),
            )
        })
    };
    for (right, columns) in change.rights.iter().flatten() {
        for name in columns {
            wanted.push((position(name)?, *right, false));
        }
    }
    for name in &change.all_columns {
        wanted.push((position(name)?, AclClass::Column.all(), true));
    }
    if !wanted.is_empty() && class_of(relation) == AclClass::Sequence {
        let message =
            format!("sequence \"{}\" only supports SELECT column privileges", relation.name);
        notices.push(warning(SqlState::WARNING, message));
        wanted.iter_mut().for_each(|(_, rights, _)| *rights = rights.and(Rights::SELECT));
    }
    let lost = whole.and(AclClass::Column.all());
    if !change.grant && !lost.is_empty() {
        let known: Vec<i16> = catalog.column_acls(relation.oid).map(|(at, _)| at).collect();
        wanted.extend(known.into_iter().map(|attnum| (attnum, lost, true)));
    }
    let mut merged: Vec<(i16, Rights, bool)> = Vec::new();
    for (attnum, rights, all) in wanted {
        match merged.iter_mut().find(|(known, _, _)| *known == attnum) {
            Some(slot) => {
                slot.1 = slot.1.or(rights);
                slot.2 |= all;
            }
            None => merged.push((attnum, rights, all)),
        }
    }
    for (attnum, rights, all) in merged {
        let acl = catalog.grants.columns.get(&(relation.oid, attnum)).cloned().unwrap_or_default();
        let column = relation.columns().iter().find(|column| column.attnum == attnum);
        let target = Target {
            object,
            owner: relation.owner,
            whole: AclClass::Column.all(),
            column: column.map(|column| column.name.as_str()),
        };
        let new =
            changed(&acl, caller.roles(), change, (rights, all), &target, Some(old), notices)?;
        if let Some(new) = new {
            catalog.set_column_acl(relation.oid, attnum, new);
        }
    }
    Ok(())
}

/// What an ACL is of.
struct Target<'a> {
    object: &'a GrantObject,
    owner: Oid,
    whole: Rights,
    column: Option<&'a str>,
}

impl Target<'_> {
    fn denied(&self) -> PgError {
        let GrantObject { class, name, .. } = self.object;
        let message = match (self.column, class) {
            (Some(column), _) => {
                format!("permission denied for column \"{column}\" of relation \"{name}\"")
            }
            (None, AclClass::Parameter) => format!("permission denied to set parameter \"{name}\""),
            (None, class) => format!("permission denied for {} {name}", class_word(*class)),
        };
        PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message)
    }
}

/// What PostgreSQL calls such an object in errors.
pub fn class_word(class: AclClass) -> &'static str {
    match class {
        AclClass::Table => "table",
        AclClass::Sequence => "sequence",
        AclClass::Graph => "property graph",
        AclClass::Column => "column",
        AclClass::Database => "database",
        AclClass::Schema => "schema",
        AclClass::Function => "function",
        AclClass::Type => "type",
        AclClass::Language => "language",
        AclClass::Parameter => "parameter",
        AclClass::Tablespace => "tablespace",
        AclClass::ForeignDataWrapper => "foreign-data wrapper",
        AclClass::ForeignServer => "foreign server",
        AclClass::LargeObject => "large object",
    }
}

/// The role that stands as grantor, and what it may pass on: the owner if the caller has its rights, else the role among
/// those it has the rights of that may pass on most. `above` is the table's ACL, for a column.
fn best_grantor(
    acl: &Acl,
    above: Option<&Acl>,
    roles: &RoleSet,
    owner: Oid,
    wanted: Rights,
) -> (Oid, Rights) {
    if roles.has(owner) {
        return (owner, wanted);
    }
    let options = |role: Oid| {
        let own = acl.options_of(|grantee| grantee == role);
        let above = above.map_or(Rights::NONE, |acl| acl.options_of(|grantee| grantee == role));
        own.or(above).and(wanted)
    };
    let mut best = (roles.role, options(roles.role));
    for role in roles.inherited() {
        let found = options(*role);
        if found.0.count_ones() > best.1.0.count_ones() {
            best = (*role, found);
        }
    }
    best
}

/// The ACL after a change; `None` if it stays as it is.
fn changed(
    acl: &Acl,
    roles: &RoleSet,
    change: &RightsChange,
    (rights, all): (Rights, bool),
    target: &Target<'_>,
    above: Option<&Acl>,
    notices: &mut Vec<PgError>,
) -> Result<Option<Acl>, PgError> {
    let (grantor, available) = best_grantor(acl, above, roles, target.owner, rights);
    if available.is_empty() {
        let has = |acl: &Acl| {
            let rights = acl.rights_of(|grantee| roles.inherits(grantee));
            rights.or(acl.options_of(|grantee| roles.inherits(grantee))).intersects(target.whole)
        };
        if !has(acl) && !above.is_some_and(has) {
            return Err(target.denied());
        }
    }
    warn(change.grant, (rights, all), available, target, notices);
    if available.is_empty() {
        return Ok(None);
    }
    let mut new = acl.clone();
    merge(&mut new, change, available, grantor, target.owner)?;
    Ok((new != *acl || change.grant).then_some(new))
}

fn warn(
    grant: bool,
    (rights, all): (Rights, bool),
    available: Rights,
    target: &Target<'_>,
    notices: &mut Vec<PgError>,
) {
    let code = if grant { "01007" } else { "01006" };
    let (some, none) = match grant {
        true => ("not all privileges were granted", "no privileges were granted"),
        false => ("not all privileges could be revoked", "no privileges could be revoked"),
    };
    let what = if available.is_empty() {
        none
    } else if !all && available != rights {
        some
    } else {
        return;
    };
    let name = &target.object.name;
    let message = match target.column {
        Some(column) => format!("{what} for column \"{column}\" of relation \"{name}\""),
        None => format!("{what} for \"{name}\""),
    };
    notices.push(warning(SqlState(code), message));
}

fn merge(
    acl: &mut Acl,
    change: &RightsChange,
    rights: Rights,
    grantor: Oid,
    owner: Oid,
) -> Result<(), PgError> {
    refuse_public_option(change)?;
    for grantee in &change.roles {
        if change.grant {
            if change.option && grantor != owner {
                refuse_circle(acl, *grantee, grantor, owner, rights)?;
            }
            acl.grant(*grantee, grantor, rights, change.option);
        } else {
            acl.revoke(*grantee, grantor, owner, rights, change.option, change.cascade)
                .map_err(|_| dependent())?;
        }
    }
    Ok(())
}

/// An option must not come to rest on itself.
fn refuse_circle(
    acl: &Acl,
    grantee: Oid,
    grantor: Oid,
    owner: Oid,
    rights: Rights,
) -> Result<(), PgError> {
    let mut without = acl.clone();
    let holds =
        |item: &&crate::catalog::AclItem| item.grantee == grantee && !item.options.is_empty();
    while let Some(item) = without.0.iter().find(holds).copied() {
        let gone = without.revoke(grantee, item.grantor, owner, item.options, true, true);
        gone.map_err(|_| dependent())?;
    }
    let left = without.options_of(|role| role == grantor);
    if left.contains(rights) {
        return Ok(());
    }
    Err(invalid("grant options cannot be granted back to your own grantor"))
}

/// Changes what objects are born with.
///
/// # Errors
/// `42501` for another role's objects.
pub fn change_default_rights(
    catalog: &mut Catalog,
    caller: &Caller,
    (roles, schemas, class): (&[Oid], &[Oid], AclClass),
    change: &RightsChange,
) -> Result<(), PgError> {
    refuse_public_option(change)?;
    let rights = whole_rights(change, class).0;
    for role in roles {
        if !caller.has(*role) {
            return Err(PgError::new(
                SqlState::INSUFFICIENT_PRIVILEGE,
                "permission denied to change default privileges",
            ));
        }
        let everywhere = [Oid::INVALID];
        for schema in if schemas.is_empty() { &everywhere[..] } else { schemas } {
            set_default(catalog, (*role, *schema, class), change, rights)?;
        }
    }
    Ok(())
}

fn set_default(
    catalog: &mut Catalog,
    (role, schema, class): (Oid, Oid, AclClass),
    change: &RightsChange,
    rights: Rights,
) -> Result<(), PgError> {
    let known = default_rights(catalog, role, schema, class).cloned();
    let start = match schema {
        Oid::INVALID => class.default_acl(role),
        _ => Acl::default(),
    };
    let mut acl = known.as_ref().map_or_else(|| start.clone(), |known| known.acl.clone());
    merge(&mut acl, change, rights, role, role)?;
    let oid = known.map_or_else(|| catalog.allocate(), |known| known.oid);
    let entry = (!same(&acl, &start)).then_some(DefaultRights { oid, role, schema, class, acl });
    catalog.set_default_rights(oid, entry);
    Ok(())
}

/// Whether two lists say the same, whatever their order.
fn same(one: &Acl, other: &Acl) -> bool {
    one.0.len() == other.0.len() && one.0.iter().all(|item| other.0.contains(item))
}

fn default_rights(
    catalog: &Catalog,
    role: Oid,
    schema: Oid,
    class: AclClass,
) -> Option<&DefaultRights> {
    let mut all = catalog.grants.defaults.values();
    all.find(|one| one.role == role && one.schema == schema && one.class == class)
}

/// Gives a new object the ACL that its owner's default rights say, if they say anything.
pub fn give_default_rights(
    catalog: &mut Catalog,
    class: AclClass,
    oid: Oid,
    owner: Oid,
    schema: Oid,
) {
    if catalog.grants.defaults.is_empty() {
        return;
    }
    let everywhere = default_rights(catalog, owner, Oid::INVALID, class).map(|one| one.acl.clone());
    let here = match schema {
        Oid::INVALID => None,
        schema => default_rights(catalog, owner, schema, class).map(|one| one.acl.clone()),
    };
    if everywhere.is_none() && here.is_none() {
        return;
    }
    let plain = class.default_acl(owner);
    let mut acl = everywhere.unwrap_or_else(|| plain.clone());
    for item in here.iter().flat_map(|acl| &acl.0) {
        acl.grant(item.grantee, item.grantor, item.rights.without(item.options), false);
        acl.grant(item.grantee, item.grantor, item.options, true);
    }
    if !same(&acl, &plain) {
        catalog.set_acl(class, oid, Some(acl));
    }
}
