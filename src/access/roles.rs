//! Roles made, changed and dropped, and who may do that, by PostgreSQL 15's rules.

use super::caller::Caller;
use super::login::{check_verifier, new_scram_verifier};
use crate::catalog::{Catalog, Cluster, Membership, Role, predefined_role};
use crate::error::{PgError, Severity, SqlState};
use crate::planner::bind::sql::roles::{Attributes, MembershipChange};
use crate::types::Oid;

fn refused(message: impl Into<String>) -> PgError {
    PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message.into())
}

fn gone() -> PgError {
    PgError::new(SqlState::UNDEFINED_OBJECT, "role does not exist")
}

fn role_of(cluster: &Cluster, oid: Oid) -> Result<&Role, PgError> {
    cluster.roles.get(&oid).ok_or_else(gone)
}

/// The name of a role, for messages.
pub fn name_of(catalog: &Catalog, oid: Oid) -> String {
    crate::catalog::pg::describe::user_by_id(catalog, oid)
}

/// Makes a role.
///
/// # Errors
/// `42501`, `42710` for a name that is taken, `22023` for a password that cannot be stored.
pub fn create(
    catalog: &mut Catalog,
    caller: &Caller,
    name: &str,
    attributes: &Attributes,
    valid_until: Option<i64>,
) -> Result<Oid, PgError> {
    if !caller.superuser {
        if attributes.superuser == Some(true) {
            return Err(refused("must be superuser to create superusers"));
        }
        if attributes.replication == Some(true) {
            return Err(refused("must be superuser to create replication users"));
        }
        if attributes.bypass_rls == Some(true) {
            return Err(refused("must be superuser to create bypassrls users"));
        }
    }
    if !caller.roles().create_role {
        return Err(refused("permission denied to create role"));
    }
    refuse_taken(catalog, name)?;
    let tenant = catalog.database.tenant;
    let cluster = catalog.cluster_mut();
    let oid = cluster.next_oid.take();
    let mut role = Role::new(oid, name, tenant);
    apply(&mut role, attributes, valid_until)?;
    cluster.roles.insert(oid, role);
    Ok(oid)
}

fn refuse_taken(catalog: &Catalog, name: &str) -> Result<(), PgError> {
    if catalog.role_named(name).is_none() {
        return Ok(());
    }
    let message = format!("role \"{name}\" already exists");
    Err(PgError::new(SqlState::DUPLICATE_OBJECT, message))
}

fn apply(role: &mut Role, said: &Attributes, valid_until: Option<i64>) -> Result<(), PgError> {
    let set = |slot: &mut bool, said: Option<bool>| *slot = said.unwrap_or(*slot);
    set(&mut role.superuser, said.superuser);
    set(&mut role.create_db, said.create_db);
    set(&mut role.create_role, said.create_role);
    set(&mut role.inherit, said.inherit);
    set(&mut role.login, said.login);
    set(&mut role.replication, said.replication);
    set(&mut role.bypass_rls, said.bypass_rls);
    role.connection_limit = said.connection_limit.unwrap_or(role.connection_limit);
    if said.valid_until.is_some() {
        role.valid_until = valid_until;
    }
    if let Some(password) = &said.password {
        role.verifier = match password {
            None => None,
            Some(text) if text.0.is_empty() => None,
            Some(text) => Some(match check_verifier(&text.0)? {
                true => text.0.clone(),
                false => new_scram_verifier(&text.0),
            }),
        };
    }
    Ok(())
}

/// Changes a role's attributes.
///
/// # Errors
/// `42501`; `22023` for a password that cannot be stored.
pub fn alter(
    catalog: &mut Catalog,
    caller: &Caller,
    oid: Oid,
    said: &Attributes,
    valid_until: Option<i64>,
) -> Result<(), PgError> {
    let role = role_of(&catalog.cluster, oid)?;
    if !caller.superuser {
        if role.superuser || said.superuser.is_some() {
            return Err(refused(
                "must be superuser to alter superuser roles or change superuser attribute",
            ));
        }
        if role.replication || said.replication.is_some() {
            return Err(refused(
                "must be superuser to alter replication roles or change replication attribute",
            ));
        }
        if said.bypass_rls.is_some() {
            return Err(refused("must be superuser to change bypassrls attribute"));
        }
    }
    if !caller.roles().create_role {
        let own_password = oid == caller.role
            && said.create_db.is_none()
            && said.create_role.is_none()
            && said.inherit.is_none()
            && said.login.is_none()
            && said.connection_limit.is_none()
            && said.valid_until.is_none()
            && said.password.is_some();
        if !own_password {
            return Err(refused("permission denied"));
        }
    }
    let mut changed = role.clone();
    apply(&mut changed, said, valid_until)?;
    catalog.cluster_mut().roles.insert(oid, changed);
    Ok(())
}

/// Renames a role.
///
/// # Errors
/// `0A000` for the session's own, `42501`, `42710`.
pub fn rename(catalog: &mut Catalog, caller: &Caller, oid: Oid, to: &str) -> Result<(), PgError> {
    let role = role_of(&catalog.cluster, oid)?;
    for (own, what) in [(caller.session, "session"), (caller.role, "current")] {
        if oid == own {
            return Err(PgError::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("{what} user cannot be renamed"),
            ));
        }
    }
    refuse_taken(catalog, to)?;
    if role.superuser && !caller.superuser {
        return Err(refused("must be superuser to rename superusers"));
    }
    if !caller.roles().create_role {
        return Err(refused("permission denied to rename role"));
    }
    let mut role = role.clone();
    to.clone_into(&mut role.name);
    catalog.cluster_mut().roles.insert(oid, role);
    Ok(())
}

/// Whether the caller may drop a role, dependencies aside.
///
/// # Errors
/// `42501`, `55006` for one that is in use, `2BP01` for one of the system's.
pub fn check_drop(catalog: &Catalog, caller: &Caller, oid: Oid) -> Result<(), PgError> {
    if !caller.roles().create_role {
        return Err(refused("permission denied to drop role"));
    }
    let role = role_of(&catalog.cluster, oid)?;
    let in_use = |message: &'static str| Err(PgError::new(SqlState::OBJECT_IN_USE, message));
    if oid == caller.role {
        return in_use("current user cannot be dropped");
    }
    if oid == caller.session || oid == caller.authenticated {
        return in_use("session user cannot be dropped");
    }
    if role.superuser && !caller.superuser {
        return Err(refused("must be superuser to drop superusers"));
    }
    if oid < Oid::FIRST_NORMAL {
        return Err(PgError::new(
            SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
            format!("cannot drop role {} because it is required by the database system", role.name),
        ));
    }
    Ok(())
}

/// Drops a role, its memberships and its settings. What depends on it was looked at before.
pub fn drop(catalog: &mut Catalog, oid: Oid) {
    let cluster = catalog.cluster_mut();
    cluster.roles.remove(&oid);
    cluster.memberships.retain(|(role, member), _| *role != oid && *member != oid);
    cluster.settings.retain(|(_, role), _| *role != oid);
    cluster.comments.remove(&oid);
}

/// Makes roles members of others, or takes that back.
///
/// # Errors
/// `42501`, `0LP01` for a circle.
pub fn change_membership(
    catalog: &mut Catalog,
    caller: &Caller,
    change: &MembershipChange,
    notices: &mut Vec<PgError>,
) -> Result<(), PgError> {
    let grantor = change.granted_by.unwrap_or(caller.role);
    for role in &change.roles {
        check_may_grant(catalog, caller, *role, grantor, &change.members)?;
        for member in &change.members {
            if change.grant {
                add_member(catalog, (*role, *member), grantor, change, notices)?;
            } else {
                remove_member(catalog, (*role, *member), change, notices);
            }
        }
    }
    Ok(())
}

fn check_may_grant(
    catalog: &Catalog,
    caller: &Caller,
    role: Oid,
    grantor: Oid,
    members: &[Oid],
) -> Result<(), PgError> {
    let granted = role_of(&catalog.cluster, role)?;
    if members.is_empty() {
        return Ok(());
    }
    if granted.superuser {
        if !caller.superuser {
            return Err(refused("must be superuser to alter superusers"));
        }
    } else if !caller.roles().create_role && !caller.roles().is_admin_of(role) {
        return Err(refused(format!("must have admin option on role \"{}\"", granted.name)));
    }
    if grantor != caller.role && !caller.superuser {
        return Err(refused("must be superuser to set grantor"));
    }
    if role == predefined_role::DATABASE_OWNER {
        return Err(invalid(format!("role \"{}\" cannot have explicit members", granted.name)));
    }
    Ok(())
}

fn invalid(message: String) -> PgError {
    PgError::new(SqlState("0LP01"), message)
}

fn add_member(
    catalog: &mut Catalog,
    (role, member): (Oid, Oid),
    grantor: Oid,
    change: &MembershipChange,
    notices: &mut Vec<PgError>,
) -> Result<(), PgError> {
    let (role_name, member_name) = (name_of(catalog, role), name_of(catalog, member));
    if member == predefined_role::DATABASE_OWNER {
        return Err(invalid(format!("role \"{member_name}\" cannot be a member of any role")));
    }
    if catalog.cluster.would_loop(role, member) {
        return Err(invalid(format!("role \"{role_name}\" is a member of role \"{member_name}\"")));
    }
    let known = catalog.cluster.memberships.get(&(role, member)).cloned();
    if let Some(known) = &known {
        let same = (change.admin != Some(true) || known.admin)
            && change.admin != Some(false)
            && change.inherit.is_none()
            && change.set.is_none();
        if same {
            let message =
                format!("role \"{member_name}\" is already a member of role \"{role_name}\"");
            notices.push(PgError::notice(message));
            return Ok(());
        }
    }
    let cluster = catalog.cluster_mut();
    let oid = known.as_ref().map_or_else(|| cluster.next_oid.take(), |known| known.oid);
    let before = known.as_ref();
    let membership = Membership {
        oid,
        role,
        member,
        grantor,
        admin: change.admin.unwrap_or(before.is_some_and(|known| known.admin)),
        inherit: change.inherit.or(before.and_then(|known| known.inherit)),
        set: change.set.unwrap_or(before.is_none_or(|known| known.set)),
    };
    cluster.memberships.insert((role, member), membership);
    Ok(())
}

fn remove_member(
    catalog: &mut Catalog,
    key: (Oid, Oid),
    change: &MembershipChange,
    notices: &mut Vec<PgError>,
) {
    let options = [change.admin, change.inherit, change.set];
    let Some(known) = catalog.cluster.memberships.get(&key).cloned() else {
        let (role, member) = (name_of(catalog, key.0), name_of(catalog, key.1));
        let message = format!("role \"{member}\" is not a member of role \"{role}\"");
        notices.push(PgError::new(SqlState::WARNING, message).severity(Severity::Warning));
        return;
    };
    let memberships = &mut catalog.cluster_mut().memberships;
    if options.iter().all(Option::is_none) {
        memberships.remove(&key);
        return;
    }
    let less = Membership {
        admin: known.admin && change.admin.is_none(),
        inherit: if change.inherit.is_some() { Some(false) } else { known.inherit },
        set: known.set && change.set.is_none(),
        ..known
    };
    memberships.insert(key, less);
}

/// Whether the caller may give an object to `owner`.
///
/// # Errors
/// `42501`
pub fn check_new_owner(catalog: &Catalog, caller: &Caller, owner: Oid) -> Result<(), PgError> {
    if caller.superuser || caller.roles().may_set(owner) {
        return Ok(());
    }
    Err(refused(format!("must be member of role \"{}\"", name_of(catalog, owner))))
}
