//! What the system catalog shows and only a session knows.

use crate::catalog::object::Sequence;
use crate::storage::locks::LockView;
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// The session that reads, and what the server counts. Every method may be called once for each
/// relation read.
pub trait SessionFacts {
    /// The role whose rights count now.
    fn current_user(&self) -> Oid;

    /// All settings this session may see (`pg_settings`).
    fn settings(&self) -> Vec<Setting>;

    /// Connections that this session's user may see (`pg_stat_activity`).
    fn backends(&self) -> Vec<Backend>;

    /// Rows of a stored table, if they are known and nothing forbids showing their number
    /// (`pg_class.reltuples`).
    fn row_count(&self, relation: Oid) -> Option<u64>;

    /// Bytes that a stored table takes, on the same condition (`pg_class.relpages`).
    fn byte_count(&self, relation: Oid) -> Option<u64>;

    /// The last value of a sequence that anyone took; `None` if nobody did.
    fn sequence_last_value(&self, sequence: &Sequence) -> Option<i64>;

    /// Named prepared statements of this session.
    fn prepared_statements(&self) -> Vec<PreparedStatement>;

    /// Open cursors of this session.
    fn cursors(&self) -> Vec<Cursor>;

    /// Locks of all sessions of the database (`pg_locks`).
    fn locks(&self) -> Vec<LockView> {
        Vec::new()
    }

    /// Graph algorithms that run in this session's database (`pg_stat_progress_graph`).
    fn algorithms(&self) -> Vec<AlgorithmRun> {
        Vec::new()
    }

    /// Tenants that this session may see (`graphwire.tenants`).
    fn tenants(&self) -> Vec<TenantFacts> {
        Vec::new()
    }

    /// Quotas that this session may see (`graphwire.quotas`).
    fn quotas(&self) -> Vec<QuotaFacts> {
        Vec::new()
    }

    /// How far they are used up (`graphwire.quota_usage`).
    fn quota_usage(&self) -> Vec<QuotaUsageFacts> {
        Vec::new()
    }

    /// The statement's time in microseconds since 2000-01-01 00:00 UTC.
    fn now_us(&self) -> i64;
}

/// A tenant, as `graphwire.tenants` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TenantFacts {
    /// Its name.
    pub name: String,
    /// The tier that its options name.
    pub tier: Option<String>,
    /// `active` or `suspended`.
    pub state: &'static str,
    /// The name of its owner.
    pub owner: Option<String>,
    /// Microseconds since 1970-01-01 UTC.
    pub created_us: i64,
    /// `name=value`
    pub options: Vec<String>,
}

/// A quota, as `graphwire.quotas` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuotaFacts {
    /// Its name.
    pub name: String,
    /// `TENANT`, `ROLE`, `CLIENT ADDRESS`, or `NOT KEYED`.
    pub keyed_by: &'static str,
    /// Its FOR INTERVALs.
    pub intervals: Vec<String>,
    /// Its LIMITs.
    pub limits: Vec<String>,
    /// Its ON EXCEEDED.
    pub exceeded: String,
    /// Its TO.
    pub to: Vec<String>,
    /// Whether it is there from the start.
    pub built_in: bool,
}

/// A limit and how far it is used up, as `graphwire.quota_usage` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuotaUsageFacts {
    /// The tenant.
    pub tenant: String,
    /// The quota.
    pub quota: String,
    /// The tenant, role or address that is counted.
    pub key: String,
    /// What is counted.
    pub metric: &'static str,
    /// Beginning and end of the window, microseconds since 1970-01-01 UTC.
    pub window: Option<(i64, i64)>,
    /// Used so far, if that is known.
    pub used: Option<u64>,
    /// The limit, if there is one.
    pub max: Option<u64>,
    /// When there is room again, if there is none.
    pub retry_after_us: Option<i64>,
    /// How often something was refused.
    pub rejected: u64,
}

/// A setting, as `pg_settings` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value, without a unit.
    pub setting: String,
    /// `ms`, `kB`, … if the value counts something.
    pub unit: Option<String>,
    /// A group of settings.
    pub category: String,
    /// One sentence.
    pub short_desc: String,
    /// `user`, `superuser`, `backend`, `postmaster` or `internal`: who may change it and when.
    pub context: String,
    /// `bool`, `enum`, `integer`, `real` or `string`.
    pub vartype: String,
    /// `default`, `session`, `client`, `configuration file`, `override` …
    pub source: String,
    /// Smallest value, for numbers.
    pub min_val: Option<String>,
    /// Largest value, for numbers.
    pub max_val: Option<String>,
    /// What it may be, for enums.
    pub enumvals: Option<Vec<String>>,
    /// Value at the server's start when nothing is configured.
    pub boot_val: Option<String>,
    /// Value that RESET gives.
    pub reset_val: Option<String>,
}

/// A connection, as `pg_stat_activity` shows it. Times are microseconds since 2000-01-01 UTC.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Backend {
    /// Number that `pg_backend_pid` gives there.
    pub pid: i32,
    /// Its database.
    pub database: Oid,
    /// The role that logged in.
    pub user: Oid,
    /// `application_name`.
    pub application_name: String,
    /// Address, for TCP.
    pub client_addr: Option<String>,
    /// Port, for TCP; -1 for a Unix socket.
    pub client_port: Option<i32>,
    /// When it connected.
    pub backend_start: i64,
    /// When its transaction began, if it has one.
    pub xact_start: Option<i64>,
    /// When its last statement began.
    pub query_start: Option<i64>,
    /// When `state` changed.
    pub state_change: Option<i64>,
    /// `active`, `idle`, `idle in transaction` or `idle in transaction (aborted)`.
    pub state: String,
    /// Whether it waits for a lock, and on what: `relation`, `transactionid`, `object` or `advisory`.
    pub waits_for: Option<&'static str>,
    /// Its last statement, as far as the reader may see it.
    pub query: String,
}

/// A running graph algorithm, as `pg_stat_progress_graph` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlgorithmRun {
    /// The session that runs it.
    pub pid: i32,
    /// Its name.
    pub algorithm: String,
    /// Vertices of its subgraph.
    pub vertices: i64,
    /// Edges of its subgraph.
    pub edges: i64,
    /// Steps done: iterations, sources or vertices, as the algorithm counts.
    pub steps_done: i64,
    /// Steps there are at most.
    pub steps_total: i64,
}

/// A prepared statement, as `pg_prepared_statements` shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct PreparedStatement {
    /// Its name.
    pub name: String,
    /// The text it was prepared from.
    pub statement: String,
    /// Microseconds since 2000-01-01 UTC.
    pub prepare_time: i64,
    /// Types of its parameters.
    pub parameter_types: Vec<PgType>,
    /// Made by PREPARE and not by the protocol.
    pub from_sql: bool,
}

/// A cursor, as `pg_cursors` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Its name.
    pub name: String,
    /// The text it was declared with.
    pub statement: String,
    /// Lives on after its transaction.
    pub is_holdable: bool,
    /// Gives binary values.
    pub is_binary: bool,
    /// Can go backward.
    pub is_scrollable: bool,
    /// Microseconds since 2000-01-01 UTC.
    pub creation_time: i64,
}
