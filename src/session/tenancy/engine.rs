//! The engines of the tenants among each other.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::catalog::Role;
use crate::error::{PgError, SqlState};
use crate::session::LoginPolicy;
use crate::session::engine::{Engine, GRAPHWIRE_DATABASE};
use crate::types::{Oid, TenantId};

/// How often what is used of quotas is stored.
const USAGE_INTERVAL: Duration = Duration::from_millis(500);
/// For how long what is stored is not measured again.
const STORED_BYTES_FRESH_US: i64 = 1_000_000;

/// Starts the thread that stores what is used of quotas. It ends with the engine.
///
/// # Errors
/// `XX000` if the thread could not be started.
pub(in crate::session) fn start_usage(engine: &Arc<Engine>) -> Result<(), PgError> {
    if engine.common.registry.files().is_none() {
        return Ok(());
    }
    let engine = Arc::downgrade(engine);
    let run = move || {
        loop {
            std::thread::sleep(USAGE_INTERVAL);
            let Some(engine) = engine.upgrade() else { return };
            if engine.store().is_some_and(|store| store.is_closed()) {
                return;
            }
            engine.save_usage();
        }
    };
    let thread = std::thread::Builder::new().name("graphwire-usage".to_owned()).spawn(run);
    thread
        .map(|_| ())
        .map_err(|error| PgError::internal(format!("could not start a thread: {error}")))
}

impl Engine {
    /// Opens the tenants that the registry names.
    pub(in crate::session) async fn open_tenants(self: &Arc<Self>) -> Result<(), PgError> {
        for record in self.common.registry.get().tenants {
            let id = record.id;
            let name = record.name.clone();
            let engine = Self::open_tenant(self, record).await.map_err(|error| {
                let context = format!("tenant \"{name}\"");
                error.context(context)
            })?;
            super::tenants::apply_limits(&engine);
            self.tenants.write().insert(id, engine);
        }
        super::tenants::apply_limits(self);
        Ok(())
    }

    /// Stores what is used of quotas, if that changed.
    pub(in crate::session) fn save_usage(&self) {
        let Some(files) = self.common.registry.files().filter(|_| self.is_system()) else { return };
        let usage = self.common.quotas.save();
        let mut last = self.common.saved_usage.lock();
        if *last == usage {
            return;
        }
        match files.write_usage(&usage) {
            Ok(()) => *last = usage,
            Err(error) => tracing::warn!(%error, "could not store what is used of quotas"),
        }
    }

    /// The system tenant's engine; `None` once the server has gone.
    pub(in crate::session) fn system(&self) -> Option<Arc<Self>> {
        self.system.get()?.upgrade()
    }

    fn is_system(&self) -> bool {
        self.tenant.id == TenantId::SYSTEM
    }

    /// Whether everybody may log in by any name.
    pub(in crate::session) fn trusts_everybody(&self) -> bool {
        self.options.login == LoginPolicy::TrustLoopback
    }

    /// A role that there is.
    pub(in crate::session) fn known_role(&self, name: &str) -> Option<Role> {
        let cluster = self.cluster.latest();
        cluster.roles.values().find(|role| role.name == name).cloned()
    }

    /// The database of those who name none.
    ///
    /// # Errors
    /// `3D000` if there is none at all.
    pub(in crate::session) fn default_database(&self) -> Result<String, PgError> {
        let cluster = self.cluster.latest();
        let first = cluster.databases.get(&GRAPHWIRE_DATABASE);
        let first = first.or_else(|| cluster.databases.values().next());
        first.map(|database| database.name.clone()).ok_or_else(|| {
            PgError::new(SqlState::INVALID_CATALOG_NAME, "the tenant has no database")
        })
    }

    /// What users made in it, in words.
    pub(in crate::session) fn user_objects(&self) -> Vec<String> {
        let cluster = self.cluster.latest();
        let roles = cluster.roles.values().filter(|role| role.oid >= Oid::FIRST_NORMAL);
        let mut objects: Vec<String> = roles.map(|role| format!("role {}", role.name)).collect();
        for name in self.database_names() {
            let Some(database) = self.database(&name) else { continue };
            if database.oid() != GRAPHWIRE_DATABASE {
                objects.push(format!("database {name}"));
            }
            let catalog = database.latest().catalog;
            let relations = catalog.relations.values().filter(|one| one.oid >= Oid::FIRST_NORMAL);
            objects.extend(relations.map(|relation| format!("relation {}", relation.name)));
        }
        objects
    }

    /// Takes no more writes; what is not in a checkpoint stays in the log.
    pub(in crate::session) fn abandon(&self) {
        if let Some(store) = self.store() {
            store.close();
        }
    }

    /// Bytes that the tenant's databases take: on the disk, or in memory if they are not kept.
    pub(in crate::session) fn stored_bytes(&self) -> u64 {
        let now_us = self.common.quotas.clock().now_us();
        let mut stored = self.stored.lock();
        let (when_us, bytes) = *stored;
        if now_us >= when_us && now_us.saturating_sub(when_us) < STORED_BYTES_FRESH_US {
            return bytes;
        }
        let bytes = match self.store() {
            Some(store) => store.stored_bytes(),
            None => self.bytes_in_memory(),
        };
        *stored = (now_us, bytes);
        bytes
    }

    fn bytes_in_memory(&self) -> u64 {
        let names = self.database_names();
        let databases = names.iter().filter_map(|name| self.database(name));
        databases
            .map(|database| {
                let store = database.latest().store;
                let chunks = store.tables().flat_map(|table| table.chunks());
                chunks.map(|chunk| chunk.bytes()).sum::<u64>()
            })
            .sum()
    }

    /// How many connections the server takes.
    pub fn set_connections_max(&self, connections_max: usize) {
        self.common.connections_max.store(connections_max, Ordering::Relaxed);
    }

    /// Whether one more connection of this tenant would take a place that is kept for others: half of all places are
    /// shared out evenly, and each tenant finds its own whatever the others do.
    pub(in crate::session) fn is_over_its_share(&self) -> bool {
        let connections_max = self.common.connections_max.load(Ordering::Relaxed);
        if connections_max == usize::MAX || !self.has_other_tenants() {
            return false;
        }
        let Some(system) = self.system() else { return false };
        let counts: Vec<(TenantId, usize)> = std::iter::once(&system)
            .chain(&self.other_tenants())
            .map(|one| (one.tenant.id, one.tenant.connections.load(Ordering::Relaxed)))
            .collect();
        let share = connections_max / (2 * counts.len());
        let own = self.tenant.connections.load(Ordering::Relaxed);
        let free = connections_max.saturating_sub(counts.iter().map(|(_, count)| count).sum());
        let others = counts.iter().filter(|(id, _)| *id != self.tenant.id);
        let kept: usize = others.map(|(_, count)| share.saturating_sub(*count)).sum();
        own >= share && free <= kept
    }

    /// How many statements of a tenant run now.
    pub fn running_statements(self: &Arc<Self>, tenant: &str) -> usize {
        let Some(engine) = self.tenant_named(tenant) else { return 0 };
        engine.all_sessions().iter().filter(|session| session.now().state == "active").count()
    }
}
