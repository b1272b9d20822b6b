//! What functions and system relations ask of a session, answered.

use std::sync::{Arc, OnceLock, Weak};

use arrow::array::{ArrayRef, RecordBatch};
use parking_lot::Mutex;

use super::engine::Engine;
use super::privilege_facts::{self, Asker};
use super::roles::{Scope, set_role, set_session_authorization};
use super::session_impl::{ContextSource, Session};
use super::settings::{Kind, definitions, memory_in_units, milliseconds};
use super::shared::SessionShared;
use super::tenancy;
use super::view_text;
use crate::access::policy::row_security_applies;
use crate::catalog::pg::{self, describe};
use crate::catalog::{Catalog, Relation, Sequence, predefined_role, stored_text};
use crate::error::{PgError, SqlState};
use crate::executor::SystemRows;
use crate::functions::context::{
    CatalogFacts, ChannelFacts, LockFacts, ObjectKind, ObjectName, RegKind, SessionContext,
    SizeKind,
};
use crate::functions::registry::SessionFunctions;
use crate::planner::bind::{BindContext, Parameters};
use crate::storage::StoreSnapshot;
use crate::storage::locks::{LockTarget, LockView};
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// Microseconds between 1970-01-01 and 2000-01-01.
pub(super) const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

/// A setting's value as `pg_settings` has it: a number of the unit beside it.
fn in_base_units(kind: Kind, value: &str) -> String {
    let number = match kind {
        Kind::Milliseconds => milliseconds(value).map(|number| number.to_string()),
        Kind::Memory { unit_kb, .. } => {
            memory_in_units(value, unit_kb).map(|number| number.to_string())
        }
        _ => None,
    };
    number.unwrap_or_else(|| value.to_owned())
}

/// A stored text with the names that relations and types have for the reader.
fn named(catalog: &Catalog, search_path: &[String], text: &str) -> String {
    let relation = |oid| describe::relation_name(catalog, oid, search_path);
    let ty = |oid| describe::type_name(catalog, oid, search_path);
    stored_text::with_types(&stored_text::shown(text, relation), ty)
}

/// A session as functions and system relations see it.
#[derive(Debug)]
pub(super) struct SessionAnswers {
    shared: Arc<SessionShared>,
    tables: Mutex<StoreSnapshot>,
    opened: Mutex<Opened>,
    /// The functions that ask it, for conditions of domains.
    functions: OnceLock<Weak<SessionFunctions>>,
}

/// Prepared statements and cursors, for their views.
#[derive(Debug, Default)]
pub(super) struct Opened {
    prepared: Vec<pg::PreparedStatement>,
    cursors: Vec<pg::Cursor>,
}

impl Session {
    /// What `pg_prepared_statements` and `pg_cursors` show.
    pub(super) fn prepared_and_cursors(&self) -> Opened {
        let prepared = self
            .statements
            .all_prepared()
            .map(|(name, prepared)| pg::PreparedStatement {
                name: name.clone(),
                statement: prepared.text.clone(),
                prepare_time: prepared.prepared_us - POSTGRES_EPOCH_US,
                parameter_types: prepared.described.clone(),
                from_sql: prepared.from_sql,
            })
            .collect();
        let cursors = self
            .statements
            .all_cursors()
            .map(|(name, portal)| pg::Cursor {
                name: name.clone(),
                statement: portal.prepared.text.clone(),
                is_holdable: portal.options.hold,
                is_binary: portal.options.binary,
                is_scrollable: portal.options.scroll,
                creation_time: portal.created_us - POSTGRES_EPOCH_US,
            })
            .collect();
        Opened { prepared, cursors }
    }
}

impl SessionAnswers {
    pub(super) fn new(shared: Arc<SessionShared>) -> Self {
        let (tables, opened) = (Mutex::default(), Mutex::default());
        Self { shared, tables, opened, functions: OnceLock::new() }
    }

    /// Tells it which functions ask it.
    pub(super) fn set_functions(&self, functions: &Arc<SessionFunctions>) {
        let _ = self.functions.set(Arc::downgrade(functions));
    }

    /// What binding may look at, in the statement that runs now.
    fn bind_context(&self) -> Result<(Arc<Engine>, BindContext), PgError> {
        let gone = || PgError::internal("a session without an engine");
        let functions = self.functions.get().and_then(Weak::upgrade).ok_or_else(gone)?;
        let engine = self.shared.engine.upgrade().ok_or_else(gone)?;
        let source = ContextSource {
            engine: Arc::clone(&engine),
            shared: Arc::clone(&self.shared),
            functions,
            catalog: self.catalog_now(),
            system: false,
        };
        Ok((engine, source.context(Parameters::default())))
    }

    /// The rows and the open things the next statement sees.
    pub(super) fn set_tables(&self, store: &StoreSnapshot, opened: Opened) {
        *self.tables.lock() = store.clone();
        *self.opened.lock() = opened;
    }

    /// The rows the next statement sees.
    pub(super) fn set_store(&self, store: &StoreSnapshot) {
        *self.tables.lock() = store.clone();
    }

    fn set_plain(&self, name: &str, value: &str, local: bool) -> Result<String, PgError> {
        let mut settings = self.shared.settings.lock();
        if local {
            let before = settings.value(name).to_owned();
            self.shared.undo.lock().local.push((name.to_owned(), before));
        }
        settings.set(name, value)?;
        Ok(settings.value(name).to_owned())
    }

    /// Whether the caller may cancel or end what another session does.
    fn check_signal(&self, other: &SessionShared, terminate: bool) -> Result<(), PgError> {
        let (caller, catalog) = (self.shared.caller(), self.catalog_now());
        let refuse =
            |message: &str| Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message.to_owned()));
        if catalog.role_set(other.login_role).superuser && !caller.superuser {
            return refuse(match terminate {
                true => "must be a superuser to terminate superuser process",
                false => "must be a superuser to cancel superuser query",
            });
        }
        if caller.has(other.login_role) || caller.has(predefined_role::SIGNAL_BACKEND) {
            return Ok(());
        }
        refuse(match terminate {
            true => {
                "must be a member of the role whose process is being terminated or member of pg_signal_backend"
            }
            false => {
                "must be a member of the role whose query is being canceled or member of pg_signal_backend"
            }
        })
    }

    fn catalog_now(&self) -> Arc<Catalog> {
        self.shared.now().catalog
    }

    /// Whether policies of a relation apply to the current role.
    fn policies_apply(&self, relation: Oid) -> bool {
        let catalog = self.catalog_now();
        let Some(relation) = catalog.relation(relation) else { return false };
        row_security_applies(relation, self.shared.caller().roles()).is_some()
    }
}

impl SystemRows for SessionAnswers {
    fn rows(&self, relation: &Relation) -> Result<RecordBatch, PgError> {
        use crate::error::Report as _;
        if relation.sequence().is_some() {
            return self.shared.sequence_row(relation);
        }
        pg::rows(relation.oid, &self.catalog_now(), self).map_err(|error| error.report())
    }
}

impl pg::SessionFacts for SessionAnswers {
    fn current_user(&self) -> Oid {
        self.shared.caller().role
    }

    fn settings(&self) -> Vec<pg::Setting> {
        let settings = self.shared.settings.lock();
        definitions()
            .map(|definition| {
                let value = in_base_units(definition.kind, settings.value(definition.name));
                let default = in_base_units(definition.kind, definition.default);
                pg::Setting {
                    name: definition.name.to_owned(),
                    source: if value == default { "default" } else { "session" }.to_owned(),
                    setting: value,
                    unit: match definition.kind {
                        Kind::Milliseconds => Some("ms".to_owned()),
                        Kind::Memory { unit_kb: 1, .. } => Some("kB".to_owned()),
                        Kind::Memory { unit_kb, .. } => Some(format!("{unit_kb}kB")),
                        _ => None,
                    },
                    category: "graphwire".to_owned(),
                    short_desc: definition.description.to_owned(),
                    context: if definition.settable { "user" } else { "internal" }.to_owned(),
                    vartype: match definition.kind {
                        Kind::Bool => "bool",
                        Kind::Int(..) | Kind::Milliseconds | Kind::Memory { .. } => "integer",
                        Kind::Real(..) => "real",
                        Kind::Enum(_) => "enum",
                        Kind::Text
                        | Kind::DateStyle
                        | Kind::TimeZone
                        | Kind::Path
                        | Kind::Encoding => "string",
                    }
                    .to_owned(),
                    min_val: match definition.kind {
                        Kind::Int(low, _) | Kind::Memory { min: low, .. } => Some(low.to_string()),
                        Kind::Real(low, _) => Some(low.to_string()),
                        _ => None,
                    },
                    max_val: match definition.kind {
                        Kind::Int(_, high) | Kind::Memory { max: high, .. } => {
                            Some(high.to_string())
                        }
                        Kind::Real(_, high) if high < f64::MAX => Some(high.to_string()),
                        Kind::Real(..) => Some("1.79769e+308".to_owned()),
                        _ => None,
                    },
                    enumvals: match definition.kind {
                        Kind::Enum(values) => {
                            Some(values.iter().map(|value| (*value).to_owned()).collect())
                        }
                        _ => None,
                    },
                    boot_val: Some(default),
                    reset_val: Some(settings.reset_value(definition.name).to_owned()),
                }
            })
            .collect()
    }

    fn backends(&self) -> Vec<pg::Backend> {
        let Some(engine) = self.shared.engine.upgrade() else { return Vec::new() };
        let own_tenant = self.shared.tenant;
        let caller = self.shared.caller();
        let sees = |session: &SessionShared| {
            caller.has(session.login_role) || caller.has(predefined_role::READ_ALL_STATS)
        };
        engine
            .all_sessions()
            .into_iter()
            .filter(|session| session.tenant == own_tenant)
            .map(|session| {
                let now = session.now();
                pg::Backend {
                    pid: session.pid.0,
                    database: now.catalog.database.oid,
                    user: session.login_role,
                    application_name: session.settings.lock().value("application_name").to_owned(),
                    client_addr: session.peer.address().map(|address| address.ip().to_string()),
                    client_port: session.peer.address().map(|address| i32::from(address.port())),
                    backend_start: session.started_us - POSTGRES_EPOCH_US,
                    xact_start: (now.state != "idle")
                        .then_some(now.transaction_us - POSTGRES_EPOCH_US),
                    query_start: Some(now.statement_us - POSTGRES_EPOCH_US),
                    state_change: Some(now.state_change_us - POSTGRES_EPOCH_US),
                    state: now.state.to_owned(),
                    waits_for: session.locks.table.waits_for(session.pid.0).map(|target| {
                        match target {
                            LockTarget::Table(_) => "relation",
                            LockTarget::Row(..) | LockTarget::Key(..) => "transactionid",
                            LockTarget::Definitions => "object",
                            LockTarget::Advisory(_) => "advisory",
                        }
                    }),
                    query: match sees(&session) {
                        true => now.query,
                        false => "<insufficient privilege>".to_owned(),
                    },
                }
            })
            .collect()
    }

    fn algorithms(&self) -> Vec<pg::AlgorithmRun> {
        let Some(engine) = self.shared.engine.upgrade() else { return Vec::new() };
        let (tenant, own) = (self.shared.tenant, self.shared.now().catalog.database.oid);
        let sessions = engine.all_sessions();
        let caller = self.shared.caller();
        let reads_all = caller.has(predefined_role::READ_ALL_STATS);
        // How large another role's subgraph is, is not for everyone.
        let is_own = |pid: i32| {
            sessions.iter().any(|session| {
                session.pid.0 == pid
                    && session.tenant == tenant
                    && session.now().catalog.database.oid == own
                    && (reads_all || caller.has(session.login_role))
            })
        };
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        crate::executor::graph::algorithm::running()
            .into_iter()
            .filter(|run| is_own(run.pid))
            .map(|run| pg::AlgorithmRun {
                pid: run.pid,
                algorithm: run.algorithm.to_owned(),
                vertices: number(run.vertices),
                edges: number(run.edges),
                steps_done: number(run.done),
                steps_total: number(run.total),
            })
            .collect()
    }

    fn row_count(&self, relation: Oid) -> Option<u64> {
        if self.policies_apply(relation) {
            return None;
        }
        self.tables.lock().table(relation).map(|version| version.live_rows())
    }

    fn byte_count(&self, relation: Oid) -> Option<u64> {
        if self.policies_apply(relation) {
            return None;
        }
        let version = self.tables.lock().table(relation).cloned()?;
        Some(version.bytes())
    }

    fn sequence_last_value(&self, sequence: &Sequence) -> Option<i64> {
        let state = self.shared.counter_state(sequence);
        state.called.then_some(state.value)
    }

    fn prepared_statements(&self) -> Vec<pg::PreparedStatement> {
        self.opened.lock().prepared.clone()
    }

    fn cursors(&self) -> Vec<pg::Cursor> {
        self.opened.lock().cursors.clone()
    }

    fn locks(&self) -> Vec<LockView> {
        self.shared.locks.table.views()
    }

    fn tenants(&self) -> Vec<pg::TenantFacts> {
        let engine = self.shared.engine.upgrade();
        engine.map_or_else(Vec::new, |engine| tenancy::facts::tenants(&engine, &self.shared))
    }

    fn quotas(&self) -> Vec<pg::QuotaFacts> {
        let engine = self.shared.engine.upgrade();
        engine.map_or_else(Vec::new, |engine| tenancy::facts::quotas(&engine, &self.shared))
    }

    fn quota_usage(&self) -> Vec<pg::QuotaUsageFacts> {
        let engine = self.shared.engine.upgrade();
        engine.map_or_else(Vec::new, |engine| tenancy::facts::quota_usage(&engine, &self.shared))
    }

    fn now_us(&self) -> i64 {
        self.shared.now().statement_us - POSTGRES_EPOCH_US
    }
}

impl SessionContext for SessionAnswers {
    fn current_user(&self) -> String {
        self.shared.current_user()
    }

    fn session_user(&self) -> String {
        let session = self.shared.settings.lock().identity.session;
        self.shared.role_name(session, &self.shared.catalog())
    }

    fn current_database(&self) -> String {
        self.catalog_now().database.name.clone()
    }

    fn current_schemas(&self, implicit: bool) -> Vec<String> {
        let catalog = self.catalog_now();
        let mut schemas: Vec<String> = self
            .shared
            .search_path()
            .into_iter()
            .filter(|name| catalog.schema(name).is_some())
            .collect();
        if implicit && !schemas.iter().any(|name| name == "pg_catalog") {
            schemas.insert(0, "pg_catalog".to_owned());
        }
        schemas
    }

    fn backend_pid(&self) -> i32 {
        self.shared.pid.0
    }

    fn client_address(&self) -> Option<std::net::SocketAddr> {
        self.shared.peer.address()
    }

    fn server_address(&self) -> Option<std::net::SocketAddr> {
        None
    }

    fn setting(&self, name: &str) -> Option<String> {
        self.shared.settings.lock().get(name).map(str::to_owned)
    }

    fn set_setting(&self, name: &str, value: &str, local: bool) -> Result<String, PgError> {
        let scope = if local { Scope::Transaction } else { Scope::Session };
        match name.to_lowercase().as_str() {
            "role" => set_role(&self.shared, Some(value), scope)?,
            "session_authorization" => {
                set_session_authorization(&self.shared, Some(value), scope)?;
            }
            _ => return self.set_plain(name, value, local),
        }
        Ok(self.shared.settings.lock().value(name).to_owned())
    }
    fn transaction_timestamp(&self) -> i64 {
        self.shared.now().transaction_us
    }

    fn statement_timestamp(&self) -> i64 {
        self.shared.now().statement_us
    }

    fn server_start_timestamp(&self) -> i64 {
        self.shared
            .engine
            .upgrade()
            .map_or(self.shared.started_us, |engine| engine.common.started_us)
    }

    fn version(&self) -> String {
        format!(
            "PostgreSQL {} on {}-{}, 64-bit",
            super::settings::SERVER_VERSION,
            std::env::consts::ARCH,
            std::env::consts::OS
        )
    }

    fn transaction_id(&self) -> u64 {
        self.shared.now().transaction_id
    }

    fn export_snapshot(&self) -> Result<String, PgError> {
        let number = self.shared.now().transaction_id;
        self.shared.exports.lock().export(self.shared.pid.0, number)
    }

    fn locks(&self) -> Option<&dyn LockFacts> {
        Some(self.shared.as_ref())
    }

    fn channels(&self) -> Option<&dyn ChannelFacts> {
        Some(self.shared.as_ref())
    }

    fn signal_backend(&self, pid: i32, terminate: bool) -> Result<bool, PgError> {
        let Some(engine) = self.shared.engine.upgrade() else { return Ok(false) };
        let other = engine.session(pid).filter(|other| other.tenant == self.shared.tenant);
        let Some(other) = other else {
            self.shared.notify(
                PgError::new(
                    SqlState::WARNING,
                    format!("PID {pid} is not a PostgreSQL server process"),
                )
                .severity(crate::error::Severity::Warning),
            );
            return Ok(false);
        };
        self.check_signal(&other, terminate)?;
        if terminate {
            other.end(PgError::new(
                SqlState::ADMIN_SHUTDOWN,
                "terminating connection due to administrator command",
            ));
        } else {
            other.cancel_statement();
        }
        Ok(true)
    }

    fn sequence_next(&self, sequence: u32, count: usize) -> Result<Vec<i64>, PgError> {
        self.shared.sequence_next(Oid(sequence), count)
    }

    fn sequence_current(&self, sequence: u32) -> Result<i64, PgError> {
        self.shared.sequence_current(Oid(sequence))
    }

    fn sequence_last(&self) -> Result<i64, PgError> {
        self.shared.sequence_last()
    }

    fn sequence_set(&self, sequence: u32, value: i64, called: bool) -> Result<(), PgError> {
        self.shared.sequence_set(Oid(sequence), value, called)
    }

    fn sequence_last_value(&self, sequence: u32) -> Result<Option<i64>, PgError> {
        self.shared.sequence_last_value(Oid(sequence))
    }

    fn check_cancel(&self) -> Result<(), PgError> {
        if self.shared.now().token.is_cancelled() { Err(self.shared.canceled()) } else { Ok(()) }
    }

    fn catalog(&self) -> &dyn CatalogFacts {
        self
    }
}

impl CatalogFacts for SessionAnswers {
    fn reg_lookup(&self, kind: RegKind, name: &str) -> Result<Option<u32>, PgError> {
        let catalog = self.catalog_now();
        let path = self.shared.search_path();
        let own;
        let name = match name.strip_prefix("pg_temp.") {
            Some(rest) if matches!(kind, RegKind::Class) => {
                own = format!("{}.{rest}", self.shared.temporary_schema());
                own.as_str()
            }
            _ => name,
        };
        let found = match kind {
            RegKind::Class => describe::resolve_relation(&catalog, name, &path)?,
            RegKind::Type => describe::resolve_type(&catalog, name, &path)?,
            RegKind::Proc => describe::resolve_function(&catalog, name, &path)?,
            RegKind::Procedure => describe::resolve_function_signature(&catalog, name, &path)?,
            RegKind::Oper => describe::resolve_operator(name)?,
            RegKind::Operator => describe::resolve_operator_signature(&catalog, name)?,
            RegKind::Namespace => describe::resolve_schema(&catalog, name)?,
            RegKind::Role => describe::resolve_role(&catalog, name)?,
            RegKind::Collation => describe::resolve_collation(&catalog, name)?,
            RegKind::Config | RegKind::Dictionary => None,
        };
        Ok(found.map(|oid| oid.0))
    }

    fn check_domain(&self, declared: &PgType, values: &ArrayRef) -> Result<(), PgError> {
        let (engine, context) = self.bind_context()?;
        super::domains::check(&engine, &context, declared, values)
    }

    fn reg_name(&self, kind: RegKind, oid: u32) -> Option<String> {
        let catalog = self.catalog_now();
        let path = self.shared.search_path();
        let oid = Oid(oid);
        match kind {
            RegKind::Class => describe::relation_name(&catalog, oid, &path),
            RegKind::Type => describe::type_name(&catalog, oid, &path),
            RegKind::Proc => describe::function_name(&catalog, oid, &path),
            RegKind::Procedure => describe::function_signature(&catalog, oid, &path),
            RegKind::Oper => describe::operator_name(oid),
            RegKind::Operator => describe::operator_signature(&catalog, oid),
            RegKind::Namespace => {
                // Quoted already.
                describe::schema_name(&catalog, oid)
            }
            RegKind::Role => {
                describe::role_name(&catalog, oid).map(|name| describe::quote_identifier(&name))
            }
            RegKind::Collation => describe::collation_name(oid),
            RegKind::Config | RegKind::Dictionary => None,
        }
    }

    fn type_name(&self, oid: u32, typmod: Option<i32>) -> Option<String> {
        let catalog = self.catalog_now();
        if catalog.user_type(Oid(oid)).is_some() {
            return describe::type_name(&catalog, Oid(oid), &self.shared.search_path());
        }
        let name = describe::format_type(&catalog, Oid(oid), typmod);
        (name != "???").then_some(name)
    }

    fn constraint_definition(&self, oid: u32, pretty: bool) -> Option<String> {
        let search_path = self.shared.search_path();
        let style = describe::Style { pretty, search_path: &search_path };
        let catalog = self.catalog_now();
        let text = describe::constraint_definition(&catalog, Oid(oid), style)?;
        Some(named(&catalog, &search_path, &text))
    }

    fn index_definition(&self, oid: u32, column: i32, pretty: bool) -> Option<String> {
        let catalog = self.catalog_now();
        let search_path = self.shared.search_path();
        let style = describe::Style { pretty, search_path: &search_path };
        let text = match column {
            0 => describe::index_definition(&catalog, Oid(oid), style),
            column => describe::index_column(&catalog, Oid(oid), column),
        }?;
        Some(named(&catalog, &search_path, &text))
    }

    fn view_definition(&self, oid: u32, _pretty: bool) -> Option<String> {
        view_text::definition(&self.catalog_now(), &self.shared.search_path(), Oid(oid))
    }

    fn expression(&self, text: &str, relation: u32) -> Option<String> {
        let catalog = self.catalog_now();
        let known = relation == 0 || catalog.relation(Oid(relation)).is_some();
        let search_path = self.shared.search_path();
        known.then(|| named(&catalog, &search_path, text))
    }

    fn function_definition(&self, oid: u32) -> Option<String> {
        describe::function_definition(&self.catalog_now(), Oid(oid), &self.shared.search_path())
    }

    fn function_arguments(&self, oid: u32, identity: bool) -> Option<String> {
        let (catalog, path) = (self.catalog_now(), self.shared.search_path());
        if identity {
            describe::function_identity_arguments(&catalog, Oid(oid), &path)
        } else {
            describe::function_arguments(&catalog, Oid(oid), &path)
        }
    }

    fn function_result(&self, oid: u32) -> Option<String> {
        describe::function_result(&self.catalog_now(), Oid(oid), &self.shared.search_path())
    }

    fn other_definition(&self, function: &str, oid: u32) -> Option<String> {
        match function {
            "pg_get_ruledef" => describe::rule_definition(&self.catalog_now(), Oid(oid)),
            "pg_get_propgraphdef" => {
                describe::property_graph_definition(&self.catalog_now(), Oid(oid))
            }
            _ => None,
        }
    }

    fn role_name(&self, oid: u32) -> Option<String> {
        describe::role_name(&self.catalog_now(), Oid(oid))
    }

    fn serial_sequence(&self, table: &str, column: &str) -> Result<Option<String>, PgError> {
        let catalog = self.catalog_now();
        let search_path = self.shared.search_path();
        let current_user = pg::SessionFacts::current_user(self);
        let asker = Asker { catalog: &catalog, search_path: &search_path, current_user };
        let oid = privilege_facts::relation(&asker, table)?;
        let attnum = catalog.relation(oid).and_then(|relation| {
            relation.columns().iter().find(|known| known.name == column).map(|known| known.attnum)
        });
        let Some(attnum) = attnum else {
            return Err(PgError::new(
                SqlState::UNDEFINED_COLUMN,
                format!("column \"{column}\" of relation \"{table}\" does not exist"),
            ));
        };
        let owned = catalog.sequences_of(oid, Some(attnum));
        Ok(owned
            .first()
            .and_then(|sequence| describe::qualified_relation_name(&catalog, sequence.oid)))
    }

    fn description(&self, oid: u32, class: &str, column: i32) -> Option<String> {
        let catalog = self.catalog_now();
        match column {
            // `obj_description(oid)` names no catalog.
            0 => {
                describe::obj_description(&catalog, Oid(oid), (!class.is_empty()).then_some(class))
            }
            column => describe::col_description(&catalog, Oid(oid), column),
        }
    }

    fn is_visible(&self, class: &str, oid: u32) -> Option<bool> {
        let catalog = self.catalog_now();
        let path = self.shared.search_path();
        let oid = Oid(oid);
        match class {
            "pg_class" => describe::table_is_visible(&catalog, oid, &path),
            "pg_type" => describe::type_is_visible(&catalog, oid, &path),
            "pg_proc" => describe::function_is_visible(&catalog, oid, &path),
            "pg_operator" => describe::operator_is_visible(oid),
            "pg_opclass" => describe::opclass_is_visible(oid),
            "pg_opfamily" => describe::opfamily_is_visible(oid),
            "pg_collation" => describe::collation_is_visible(oid),
            _ => None,
        }
    }

    fn has_privilege(
        &self,
        kind: ObjectKind,
        role: Option<&ObjectName>,
        object: &ObjectName,
        column: Option<&ObjectName>,
        privileges: &str,
    ) -> Result<Option<bool>, PgError> {
        let asker = Asker {
            catalog: &self.catalog_now(),
            search_path: &self.shared.search_path(),
            current_user: pg::SessionFacts::current_user(self),
        };
        privilege_facts::has_privilege(&asker, kind, role, object, column, privileges)
    }

    fn relation_size(&self, oid: u32, kind: SizeKind) -> Option<i64> {
        self.catalog_now().relation(Oid(oid))?;
        let bytes = pg::SessionFacts::byte_count(self, Oid(oid)).unwrap_or(0);
        match kind {
            SizeKind::Indexes => Some(0),
            SizeKind::Main | SizeKind::Table | SizeKind::Total => i64::try_from(bytes).ok(),
        }
    }

    fn row_security_active(&self, oid: u32) -> bool {
        self.policies_apply(Oid(oid))
    }

    fn default_acl(&self, kind: char, owner: u32) -> Vec<String> {
        describe::default_acl(&self.catalog_now(), kind, Oid(owner)).unwrap_or_default()
    }

    fn keywords(&self) -> Vec<(String, char, bool, String, String)> {
        describe::keywords()
            .iter()
            .map(|keyword| {
                (
                    keyword.word.to_owned(),
                    keyword.category,
                    keyword.bare_label,
                    keyword.category_description().to_owned(),
                    keyword.label_description().to_owned(),
                )
            })
            .collect()
    }

    fn row_count(&self, oid: u32) -> Option<i64> {
        pg::SessionFacts::row_count(self, Oid(oid)).and_then(|rows| i64::try_from(rows).ok())
    }

    fn database_size(&self, name: &ObjectName) -> Option<i64> {
        let catalog = self.catalog_now();
        let known = catalog.cluster.databases.values().any(|database| match name {
            ObjectName::Oid(oid) => database.oid.0 == *oid,
            ObjectName::Name(name) => database.name == *name,
        });
        let store = self.tables.lock().clone();
        let bytes: u64 = catalog
            .relations
            .keys()
            .filter_map(|oid| store.table(*oid))
            .map(|version| version.bytes())
            .sum();
        known.then(|| i64::try_from(bytes).ok())?
    }
}
