//! What binding, checks and writing may look at.

use std::sync::Arc;

use super::state::Session;
use crate::catalog::Catalog;
use crate::error::PgError;
use crate::executor::write::StatementWrites;
use crate::functions::registry::SessionFunctions;
use crate::planner::bind::{BindContext, Parameters};
use crate::session::engine::Engine;
use crate::session::open_graph::OpenDefinitions;
use crate::session::shared::SessionShared;
use crate::session::stored_expressions::SessionChecks;
use crate::session::transaction::Transaction;

/// What a [`BindContext`] is made of: most that could need one, such as the check of a row, never do.
pub(in crate::session) struct ContextSource {
    pub(in crate::session) engine: Arc<Engine>,
    pub(in crate::session) shared: Arc<SessionShared>,
    pub(in crate::session) functions: Arc<SessionFunctions>,
    pub(in crate::session) catalog: Arc<Catalog>,
    pub(in crate::session) system: bool,
}

impl ContextSource {
    /// What binding may look at.
    pub(in crate::session) fn context(&self, parameters: Parameters) -> BindContext {
        let caller = self.shared.caller();
        let user = self.shared.role_name(caller.role, &self.catalog);
        let settings = self.shared.settings.lock();
        let graph_path = settings.value("graph_path");
        BindContext {
            catalog: Arc::clone(&self.catalog),
            search_path: self.shared.usable_path(&settings, &user, &caller, &self.catalog),
            functions: Arc::clone(&self.functions),
            options: Arc::clone(self.engine.runtime.planning_options()),
            parameters,
            graph_path: (!graph_path.is_empty()).then(|| graph_path.to_owned()),
            cypher_iso_temporals: settings.value("cypher_temporal_output") == "iso",
            ctes: Vec::new(),
            as_role: None,
            view_depth: 0,
            user,
            role: caller.role,
            session_role: caller.session,
            roles: Arc::clone(caller.roles()),
            system: self.system,
            temporary_schema: self.shared.temporary_schema(),
            view: None,
            resolved: None,
            locking: Arc::default(),
            row_security: settings.value("row_security") != "off",
            row_labels: settings.value("graphwire.row_labels").to_owned(),
            policies: Arc::clone(&self.shared.policies),
            notices: Arc::default(),
        }
    }
}

impl Session {
    fn context_source(&self, transaction: &Transaction) -> ContextSource {
        ContextSource {
            engine: Arc::clone(&self.engine),
            shared: Arc::clone(&self.shared),
            functions: Arc::clone(&self.functions),
            catalog: Arc::clone(&transaction.catalog),
            system: self.system,
        }
    }

    /// What binding may look at.
    pub(in crate::session) fn bind_context(
        &self,
        transaction: &Transaction,
        parameters: Parameters,
    ) -> BindContext {
        self.context_source(transaction).context(parameters)
    }

    /// What binding and the gate may look at now.
    pub(in crate::session) fn current_context(&self) -> Result<BindContext, PgError> {
        let Some(transaction) = &self.transaction else {
            return Err(PgError::internal("no transaction"));
        };
        Ok(self.bind_context(transaction, Parameters::default()))
    }

    /// What decides CHECK conditions in a transaction.
    pub(in crate::session) fn checks(&self, transaction: &Transaction) -> SessionChecks {
        SessionChecks::new(self.context_source(transaction))
    }

    /// Where a transaction's statement writes.
    pub(in crate::session) fn write_target(
        &self,
        transaction: &Transaction,
    ) -> Arc<StatementWrites> {
        Arc::new(self.new_target(transaction))
    }

    /// As [`Self::write_target`].
    pub(in crate::session) fn new_target(&self, transaction: &Transaction) -> StatementWrites {
        let checks = Arc::new(self.checks(transaction));
        let catalog = Arc::clone(&transaction.catalog);
        let locks = self.statement_locks(transaction);
        let definitions = OpenDefinitions {
            database: Arc::clone(&self.database),
            is_own: transaction.defines(),
            session: self.shared.pid.0,
            limits: self.shared.wait_limits(),
            check: Arc::clone(&checks) as _,
            sync: self.syncs(),
            defined: Arc::clone(&transaction.defined),
        };
        let writes = Arc::clone(&transaction.writes);
        let target = StatementWrites::new(writes, catalog, checks, locks);
        target.with_definitions(Arc::new(definitions))
    }
}
