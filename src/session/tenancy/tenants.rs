//! `CREATE TENANT`, `ALTER TENANT`, `DROP TENANT`

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sqlparser::ast::Ident;

use super::registry::TenantRecord;
use super::statement::require_operator;
use super::tenant::{Cidr, SYSTEM_NAME};
use crate::access::quota::{Gauge, tiers};
use crate::error::{PgError, SqlState};
use crate::parser::sql::tenancy::{OptionValue, TenancyOption, TenantAction};
use crate::planner::bind::sql::fold;
use crate::session::engine::{Engine, now_us};
use crate::session::session_impl::Session;
use crate::types::TenantId;

/// How long DROP TENANT … CASCADE waits for the sessions it has ended.
const ENDING_WAIT: Duration = Duration::from_secs(5);

pub(super) async fn create(
    session: &mut Session,
    if_not_exists: bool,
    name: &Ident,
    options: &[TenancyOption],
) -> Result<(), PgError> {
    require_operator(session, "create tenant")?;
    let name = new_name(name)?;
    let system = system(session)?;
    if system.tenant_named(&name).is_some() {
        if if_not_exists {
            let notice = format!("tenant \"{name}\" already exists, skipping");
            session.shared.notify(PgError::notice(notice));
            return Ok(());
        }
        return Err(exists(&name));
    }
    let mut record = TenantRecord {
        id: TenantId::SYSTEM,
        name,
        owner: session.operator_oid(),
        created_us: now_us(),
        suspended: false,
        options: BTreeMap::new(),
    };
    set_options(session, &mut record, options)?;
    let registry = &system.common.registry;
    // The number is taken before anything bears it.
    record.id = registry.change(|registry| {
        let id = registry.next_id;
        registry.next_id += 1;
        TenantId(id)
    })?;
    let made = async {
        let engine = Engine::open_tenant(&system, record.clone()).await?;
        registry.change(|registry| registry.tenants.push(record.clone()))?;
        Ok::<_, PgError>(engine)
    };
    let engine = match made.await {
        Ok(engine) => engine,
        Err(error) => {
            // What is left is removed at the next start, if not now.
            if let Some(files) = registry.files() {
                let _ = files.remove_store(record.id);
            }
            return Err(error);
        }
    };
    apply_limits(&engine);
    system.tenants.write().insert(record.id, engine);
    system.common.quotas.moved();
    note(session, &record.name, "tenant created");
    Ok(())
}

pub(super) fn alter(
    session: &mut Session,
    name: &Ident,
    action: &TenantAction,
) -> Result<(), PgError> {
    require_operator(session, "alter tenant")?;
    let engine = existing(session, &fold(name))?;
    let mut record = TenantRecord::clone(&engine.tenant.record());
    match action {
        TenantAction::Set(options) => set_options(session, &mut record, options)?,
        TenantAction::Reset(names) => {
            for name in names {
                let name = fold(name);
                known_option(&name)?;
                record.options.remove(&name);
            }
        }
        TenantAction::Rename(name) => {
            let name = new_name(name)?;
            if session.engine.tenant_named(&name).is_some() {
                return Err(exists(&name));
            }
            record.name = name;
        }
        TenantAction::Owner(role) => record.owner = owner(session, role)?,
        TenantAction::Suspend => record.suspended = true,
        TenantAction::Resume => record.suspended = false,
    }
    let system = system(session)?;
    system.common.registry.change(|registry| {
        if let Some(known) = registry.tenants.iter_mut().find(|known| known.id == record.id) {
            *known = record.clone();
        }
    })?;
    engine.tenant.set_record(record.clone());
    apply_limits(&engine);
    system.common.quotas.rename_tenant(record.id, &record.name);
    if matches!(action, TenantAction::Suspend) {
        for running in engine.all_sessions() {
            running.cancel_statement();
        }
    }
    note(session, &record.name, "tenant altered");
    Ok(())
}

pub(super) async fn drop(
    session: &mut Session,
    if_exists: bool,
    name: &Ident,
    cascade: bool,
) -> Result<(), PgError> {
    require_operator(session, "drop tenant")?;
    let name = fold(name);
    let engine = match existing(session, &name) {
        Ok(engine) => engine,
        Err(error) if if_exists && error.code() == SqlState::UNDEFINED_OBJECT => {
            session
                .shared
                .notify(PgError::notice(format!("tenant \"{name}\" does not exist, skipping")));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    if Arc::ptr_eq(&engine, &session.engine) {
        return Err(PgError::new(
            SqlState::OBJECT_IN_USE,
            "cannot drop the tenant that the session is in",
        ));
    }
    if !cascade {
        require_empty(&engine, &name)?;
        if engine.active_sessions() > 0 {
            return Err(in_use(&name, engine.active_sessions()));
        }
    }
    let system = system(session)?;
    let id = engine.tenant.id;
    // From here on nobody finds it any more.
    system.common.registry.change(|registry| registry.tenants.retain(|one| one.id != id))?;
    system.tenants.write().remove(&id);
    system.common.quotas.forget_tenant(id);
    end_sessions(&engine).await;
    engine.abandon();
    if let Some(files) = system.common.registry.files() {
        files.remove_store(id)?;
    }
    note(session, &name, "tenant dropped");
    Ok(())
}

/// Ends all sessions of an engine, and waits a while until they are gone.
async fn end_sessions(engine: &Arc<Engine>) {
    for running in engine.all_sessions() {
        running.end(PgError::new(
            SqlState::ADMIN_SHUTDOWN,
            "terminating connection due to administrator command",
        ));
    }
    let gone = async {
        while engine.active_sessions() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    // Whoever is still there finds a store that takes no writes.
    let _ = tokio::time::timeout(ENDING_WAIT, gone).await;
}

fn require_empty(engine: &Arc<Engine>, name: &str) -> Result<(), PgError> {
    let mut objects = engine.user_objects();
    if objects.is_empty() {
        return Ok(());
    }
    let count = objects.len();
    objects.truncate(10);
    Err(PgError::new(
        SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
        format!("cannot drop tenant {name} because other objects depend on it"),
    )
    .detail(format!("{count} objects are in it: {}", objects.join(", ")))
    .hint("Use DROP ... CASCADE to drop the dependent objects too."))
}

fn in_use(name: &str, sessions: usize) -> PgError {
    let message = format!("tenant \"{name}\" is being accessed by other users");
    let plural = if sessions == 1 { "session" } else { "sessions" };
    PgError::new(SqlState::OBJECT_IN_USE, message)
        .detail(format!("There are {sessions} other {plural} in the tenant."))
}

fn exists(name: &str) -> PgError {
    PgError::new(SqlState::DUPLICATE_OBJECT, format!("tenant \"{name}\" already exists"))
}

fn system(session: &Session) -> Result<Arc<Engine>, PgError> {
    session.engine.system().ok_or_else(|| PgError::internal("the system tenant is gone"))
}

/// A tenant that can be changed.
fn existing(session: &Session, name: &str) -> Result<Arc<Engine>, PgError> {
    if name == SYSTEM_NAME {
        return Err(PgError::new(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("tenant \"{SYSTEM_NAME}\" cannot be changed"),
        ));
    }
    session.engine.tenant_named(name).ok_or_else(|| {
        PgError::new(SqlState::UNDEFINED_OBJECT, format!("tenant \"{name}\" does not exist"))
    })
}

/// A name that a tenant may get.
fn new_name(name: &Ident) -> Result<String, PgError> {
    let name = fold(name);
    check_name(&name)?;
    Ok(name)
}

/// Whether a tenant may have this name.
pub(super) fn check_name(name: &str) -> Result<(), PgError> {
    if name == SYSTEM_NAME {
        return Err(PgError::new(
            SqlState::RESERVED_NAME,
            format!("tenant name \"{name}\" is reserved"),
        ));
    }
    // What is behind the last @ of a user's name is a tenant.
    if name.is_empty()
        || name.len() > 63
        || name.contains('@')
        || name.chars().any(char::is_control)
    {
        return Err(PgError::new(
            SqlState::INVALID_NAME,
            format!("invalid tenant name \"{name}\""),
        )
        .detail("A tenant's name has 1 to 63 bytes and no @."));
    }
    Ok(())
}

fn owner(session: &Session, role: &Ident) -> Result<crate::types::Oid, PgError> {
    let name = fold(role);
    let found = system(session)?.known_role(&name);
    found.map(|role| role.oid).ok_or_else(|| {
        PgError::new(SqlState::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist"))
    })
}

const OPTIONS: [&str; 7] =
    ["tier", "quota", "comment", "allowed_cidrs", "read_only", "max_roles", "max_databases"];
const NOT_YET: [&str; 3] = ["kms_key", "storage_location", "drop_after"];

fn known_option(name: &str) -> Result<(), PgError> {
    if OPTIONS.contains(&name) {
        return Ok(());
    }
    if NOT_YET.contains(&name) {
        return Err(PgError::unsupported(
            format!("tenant option \"{name}\" is not supported"),
            format!("There are {}.", OPTIONS.join(", ")),
        ));
    }
    Err(PgError::new(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("unrecognized tenant option \"{name}\""),
    )
    .hint(format!("There are {}.", OPTIONS.join(", "))))
}

fn set_options(
    session: &Session,
    record: &mut TenantRecord,
    options: &[TenancyOption],
) -> Result<(), PgError> {
    for option in options {
        let name = fold(&option.name);
        known_option(&name)?;
        let value = checked(session, &name, &option.value)?;
        record.options.insert(name, value);
    }
    Ok(())
}

/// An option's value as it is stored.
fn checked(session: &Session, name: &str, value: &OptionValue) -> Result<String, PgError> {
    let text = value.text();
    let invalid = || {
        PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("invalid value for tenant option \"{name}\": \"{text}\""),
        )
    };
    match name {
        "tier" if tiers::TIERS.contains(&text) => Ok(text.to_owned()),
        "tier" => Err(invalid().hint(format!("There are {}.", tiers::TIERS.join(", ")))),
        "quota" if session.engine.common.quotas.quota(text).is_some() => Ok(text.to_owned()),
        "quota" => Err(PgError::new(
            SqlState::UNDEFINED_OBJECT,
            format!("quota \"{text}\" does not exist"),
        )),
        "allowed_cidrs" => match text.split(',').all(|one| Cidr::parse(one.trim()).is_some()) {
            true => Ok(text.to_owned()),
            false => Err(invalid().hint("Give ranges such as 10.0.0.0/8, separated by commas.")),
        },
        "read_only" => match text.to_ascii_lowercase().as_str() {
            "on" | "true" | "yes" | "1" => Ok("on".to_owned()),
            "off" | "false" | "no" | "0" => Ok("off".to_owned()),
            _ => Err(invalid()),
        },
        "max_roles" | "max_databases" => {
            text.parse::<u32>().map(|number| number.to_string()).map_err(|_| invalid())
        }
        _ => Ok(text.to_owned()),
    }
}

/// Holds a tenant's memory and temporary files to what its quotas say.
pub(super) fn apply_limits(engine: &Arc<Engine>) {
    let quotas = &engine.common.quotas;
    let named = engine.tenant.record().quotas();
    let limit = |gauge| quotas.tenant_gauge(engine.tenant.id, &named, gauge);
    let memory = limit(Gauge::MemoryBytes).map(|max| usize::try_from(max).unwrap_or(usize::MAX));
    engine.runtime.memory().set_bytes_max(memory);
    engine.runtime.set_temp_bytes_max(limit(Gauge::TempBytes));
}

/// Operators' changes are in the log.
fn note(session: &Session, tenant: &str, what: &'static str) {
    let operator = session.operator_name();
    tracing::info!(target: "graphwire::audit", %operator, tenant, pid = session.shared.pid.0, "{what}");
}
