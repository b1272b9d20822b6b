//! The databases of an engine, by name.

use std::sync::Arc;

use super::database::{DatabaseState, Latest};
use super::first::first_catalog;
use super::shared::Engine;
use crate::catalog::Database;
use crate::error::PgError;
use crate::storage::StoreSnapshot;

impl Engine {
    /// The state of a database.
    pub(in crate::session) fn database(&self, name: &str) -> Option<Arc<DatabaseState>> {
        self.databases.read().get(name).cloned()
    }

    /// Names of all databases.
    pub fn database_names(&self) -> Vec<String> {
        self.databases.read().keys().cloned().collect()
    }

    /// A database that was made, before anybody can use it. What it starts with is in the log.
    pub(in crate::session) async fn new_database(
        &self,
        database: &Database,
    ) -> Result<Arc<DatabaseState>, PgError> {
        let catalog = Arc::new(first_catalog(database, &self.cluster.latest()));
        let latest = Latest { store: StoreSnapshot::default(), catalog };
        let state = Arc::new(DatabaseState::new(database.oid, latest, &self.cluster));
        if let Some(ready) = crate::session::bootstrap::views() {
            state.install(&ready);
        }
        if let Some(store) = &self.store {
            crate::session::durable::store_database(store, database.oid, &state.latest().catalog)
                .await?;
            state.keep_in(store);
        }
        Ok(state)
    }

    /// Takes a database in, now that the cluster names it.
    pub(in crate::session) fn add_database(&self, name: &str, state: Arc<DatabaseState>) {
        self.databases.write().insert(name.to_owned(), state);
    }

    /// A database's row changed, its name perhaps.
    pub(in crate::session) fn redefine_database(&self, before: &str, database: &Database) {
        let mut databases = self.databases.write();
        if let Some(state) = databases.remove(before) {
            state.redefine(database);
            databases.insert(database.name.clone(), state);
        }
    }

    /// Nobody finds a database any more.
    pub(in crate::session) fn remove_database(&self, name: &str) {
        self.databases.write().remove(name);
    }
}
