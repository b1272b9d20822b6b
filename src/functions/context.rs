//! What functions may ask of the session and of the catalog, as two small traits that `session` implements.

use std::fmt::Debug;

use arrow::array::ArrayRef;
use async_trait::async_trait;

use crate::error::PgError;
use crate::types::AdvisoryKey;
use crate::types::pg_type::PgType;

/// The session a statement runs in.
///
/// One value lives as long as the session; it answers for the statement that runs now, so a cached plan that holds it
/// sees the time and the settings of each execution.
pub trait SessionContext: Send + Sync + Debug {
    /// The role that privileges are checked for.
    fn current_user(&self) -> String;
    /// The role that logged in, or that SET SESSION AUTHORIZATION chose.
    fn session_user(&self) -> String;
    /// The database of the connection.
    fn current_database(&self) -> String;
    /// The schemas that are searched, in order; `implicit` adds `pg_catalog` where it is not named.
    fn current_schemas(&self, implicit: bool) -> Vec<String>;
    /// The process number shown to clients.
    fn backend_pid(&self) -> i32;
    /// The address and port of the client; `None` for a local connection.
    fn client_address(&self) -> Option<std::net::SocketAddr>;
    /// The address and port the client reached; `None` for a local connection.
    fn server_address(&self) -> Option<std::net::SocketAddr>;
    /// The value of a setting as SHOW gives it; `None` if there is none of this name.
    fn setting(&self, name: &str) -> Option<String>;
    /// Changes a setting for the session or (`local`) the transaction; the value as SHOW gives it afterwards.
    ///
    /// # Errors
    /// `42704` for an unknown name, `22023` for a bad value, `55P02` or `42501` where it may not be changed.
    fn set_setting(&self, name: &str, value: &str, local: bool) -> Result<String, PgError>;
    /// Start of the transaction: microseconds since 1970-01-01 UTC.
    fn transaction_timestamp(&self) -> i64;
    /// Start of the statement: microseconds since 1970-01-01 UTC.
    fn statement_timestamp(&self) -> i64;
    /// Start of the server: microseconds since 1970-01-01 UTC.
    fn server_start_timestamp(&self) -> i64;
    /// The text of `version()`.
    fn version(&self) -> String;
    /// The number of this transaction; the same for its whole life.
    fn transaction_id(&self) -> u64;
    /// `pg_export_snapshot`
    ///
    /// # Errors
    /// `54000` for too many in one transaction.
    fn export_snapshot(&self) -> Result<String, PgError> {
        Err(PgError::unsupported("pg_export_snapshot() needs a session", ""))
    }
    /// Asks another session to cancel its statement (`terminate`: to end); whether there is such a session.
    ///
    /// # Errors
    /// `42501` where the caller may not.
    fn signal_backend(&self, pid: i32, terminate: bool) -> Result<bool, PgError>;
    /// `nextval`, for `count` rows.
    ///
    /// # Errors
    /// `2200H` at the sequence's end, `42809` for what is no sequence, `25006` in a read-only transaction.
    fn sequence_next(&self, sequence: u32, count: usize) -> Result<Vec<i64>, PgError>;
    /// `currval`
    ///
    /// # Errors
    /// `55000` before the session's first `nextval`.
    fn sequence_current(&self, sequence: u32) -> Result<i64, PgError>;
    /// `lastval`
    ///
    /// # Errors
    /// As [`Self::sequence_current`].
    fn sequence_last(&self) -> Result<i64, PgError>;
    /// `setval`
    ///
    /// # Errors
    /// `22003` for a value outside the sequence's bounds; else as [`Self::sequence_next`].
    fn sequence_set(&self, sequence: u32, value: i64, called: bool) -> Result<(), PgError>;
    /// `pg_sequence_last_value`: `None` before the first `nextval` of anyone.
    ///
    /// # Errors
    /// `42809` for what is no sequence.
    fn sequence_last_value(&self, sequence: u32) -> Result<Option<i64>, PgError>;
    /// Fails with `57014` once the statement was canceled.
    ///
    /// # Errors
    /// `57014`.
    fn check_cancel(&self) -> Result<(), PgError>;
    /// Locks; `None` where there is no database behind the session.
    fn locks(&self) -> Option<&dyn LockFacts> {
        None
    }
    /// Messages between sessions; `None` where there are no others.
    fn channels(&self) -> Option<&dyn ChannelFacts> {
        None
    }
    /// What the catalog says, as of the statement's snapshot.
    fn catalog(&self) -> &dyn CatalogFacts;
}

/// What functions ask of the channels that sessions send each other messages on.
pub trait ChannelFacts: Send + Sync {
    /// Sends a message when the transaction commits.
    ///
    /// # Errors
    /// `22023` for a name or a text that is too long, or no name; `54000` where too many wait to be read.
    fn announce(&self, channel: &str, payload: &str) -> Result<(), PgError>;
    /// The channels this session listens on, by name.
    fn listening(&self) -> Vec<String>;
    /// How much of the room for messages that were not read yet is taken, from 0 to 1.
    fn queue_usage(&self) -> f64;
}

/// How an advisory lock is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdvisoryMode {
    /// Against everyone, rather than only against those who want it for themselves.
    pub exclusive: bool,
    /// Until the end of the transaction, rather than until it is given back.
    pub transaction: bool,
}

/// Advisory locks of a session, and who waits for whom.
#[async_trait]
pub trait LockFacts: Send + Sync {
    /// Takes a lock, waiting for it.
    ///
    /// # Errors
    /// `55P03` after `lock_timeout`, `40P01`.
    async fn lock(&self, key: AdvisoryKey, mode: AdvisoryMode) -> Result<(), PgError>;
    /// Takes a lock if it is free; whether it was. Never waits.
    ///
    /// # Errors
    /// `XX000`.
    async fn try_lock(&self, key: AdvisoryKey, mode: AdvisoryMode) -> Result<bool, PgError>;
    /// Gives a lock of the session back; `false` and a warning if it has none.
    fn unlock(&self, key: AdvisoryKey, exclusive: bool) -> bool;
    /// Gives all locks of the session back.
    fn unlock_all(&self);
    /// The sessions that one waits for.
    fn blocking_pids(&self, pid: i32) -> Vec<i32>;
}

/// What a privilege function asks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// `has_table_privilege`.
    Table,
    /// `has_any_column_privilege`.
    AnyColumn,
    /// `has_sequence_privilege`.
    Sequence,
    /// `has_schema_privilege`.
    Schema,
    /// `has_database_privilege`.
    Database,
    /// `has_function_privilege`.
    Function,
    /// `has_type_privilege`.
    Type,
    /// `has_language_privilege`.
    Language,
    /// `has_tablespace_privilege`.
    Tablespace,
    /// `has_foreign_data_wrapper_privilege`.
    ForeignDataWrapper,
    /// `has_server_privilege`.
    Server,
    /// `has_parameter_privilege`.
    Parameter,
    /// `pg_has_role`.
    Role,
}

/// An object as a client named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectName {
    /// By OID.
    Oid(u32),
    /// By name, perhaps qualified and quoted.
    Name(String),
}

/// The `reg*` types: names that stand for OIDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RegKind {
    /// Relations.
    Class,
    /// Types.
    Type,
    /// Functions by name.
    Proc,
    /// Functions by name and argument types.
    Procedure,
    /// Operators by name.
    Oper,
    /// Operators by name and argument types.
    Operator,
    /// Schemas.
    Namespace,
    /// Roles.
    Role,
    /// Collations.
    Collation,
    /// Text search configurations.
    Config,
    /// Text search dictionaries.
    Dictionary,
}

/// How much disk or memory a relation takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SizeKind {
    /// `pg_relation_size`: the rows alone.
    Main,
    /// `pg_table_size`: with out-of-line data.
    Table,
    /// `pg_indexes_size`.
    Indexes,
    /// `pg_total_relation_size`.
    Total,
}

/// Facts of the catalog. `None` means there is no such object, which is SQL NULL.
pub trait CatalogFacts: Send + Sync + Debug {
    /// The OID a `reg*` name means. `Ok(None)`: no such object.
    ///
    /// # Errors
    /// `42602` for a malformed name, `42725` for an ambiguous one, `3F000` for a schema that does not exist.
    fn reg_lookup(&self, kind: RegKind, name: &str) -> Result<Option<u32>, PgError>;
    /// The text of a `reg*` value: the name, qualified where it is not visible; `None` for a number without an object.
    fn reg_name(&self, kind: RegKind, oid: u32) -> Option<String>;
    /// Whether values of what a type stands on may be values of the type, which has a domain in it.
    ///
    /// # Errors
    /// `23502`, `23514`, naming the domain.
    fn check_domain(&self, declared: &PgType, values: &ArrayRef) -> Result<(), PgError> {
        let _ = values;
        Err(PgError::internal(format!("no catalog says what {declared} is")))
    }
    /// `format_type` of types that are not built in (enums, domains, composites).
    fn type_name(&self, oid: u32, typmod: Option<i32>) -> Option<String>;
    /// `pg_get_constraintdef`; `pretty` leaves out parentheses that are not needed.
    fn constraint_definition(&self, oid: u32, pretty: bool) -> Option<String>;
    /// `pg_get_indexdef`; `column` 0 for the whole, else one column of it.
    fn index_definition(&self, oid: u32, column: i32, pretty: bool) -> Option<String>;
    /// `pg_get_viewdef`.
    fn view_definition(&self, oid: u32, pretty: bool) -> Option<String>;
    /// `pg_get_expr`: an expression of `relation`, which is stored as its SQL text.
    fn expression(&self, text: &str, relation: u32) -> Option<String>;
    /// `pg_get_functiondef`.
    fn function_definition(&self, oid: u32) -> Option<String>;
    /// `pg_get_function_arguments` (`identity`: `pg_get_function_identity_arguments`).
    fn function_arguments(&self, oid: u32, identity: bool) -> Option<String>;
    /// `pg_get_function_result`.
    fn function_result(&self, oid: u32) -> Option<String>;
    /// `pg_get_triggerdef`, `pg_get_ruledef`, `pg_get_statisticsobjdef`, `pg_get_partkeydef`: by the function's name.
    fn other_definition(&self, function: &str, oid: u32) -> Option<String>;
    /// The name of a role.
    fn role_name(&self, oid: u32) -> Option<String>;
    /// `pg_get_serial_sequence`.
    ///
    /// # Errors
    /// `42P01` for an unknown table, `42703` for an unknown column.
    fn serial_sequence(&self, table: &str, column: &str) -> Result<Option<String>, PgError>;
    /// A comment: `class` is the catalog's name (`pg_class`), `column` 0 for the object itself.
    fn description(&self, oid: u32, class: &str, column: i32) -> Option<String>;
    /// `pg_*_is_visible`: by the catalog's name (`pg_class`); `None` if there is no such object.
    fn is_visible(&self, class: &str, oid: u32) -> Option<bool>;
    /// Whether the role (`None`: the current one) holds one of the privileges, a list as the client wrote it.
    /// `column` for `has_column_privilege`. `Ok(None)`: an OID without an object.
    ///
    /// # Errors
    /// `42704` unknown role, `42P01`/`3F000`/`42704` unknown object by name, `22023` unknown privilege.
    fn has_privilege(
        &self,
        kind: ObjectKind,
        role: Option<&ObjectName>,
        object: &ObjectName,
        column: Option<&ObjectName>,
        privileges: &str,
    ) -> Result<Option<bool>, PgError>;
    /// Bytes a relation takes.
    fn relation_size(&self, oid: u32, kind: SizeKind) -> Option<i64>;
    /// `row_security_active`: whether policies of a relation apply to the current role.
    fn row_security_active(&self, oid: u32) -> bool {
        let _ = oid;
        false
    }
    /// `acldefault`: the privileges an object of this kind has when none were granted.
    fn default_acl(&self, kind: char, owner: u32) -> Vec<String>;
    /// The key words: word, category code, usable as a bare label, and both in words.
    fn keywords(&self) -> Vec<(String, char, bool, String, String)>;
    /// How many rows a table has, as statistics know it.
    fn row_count(&self, oid: u32) -> Option<i64>;
    /// Bytes a database takes.
    fn database_size(&self, name: &ObjectName) -> Option<i64>;
}
