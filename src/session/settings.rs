//! Session variables: what SET, SHOW and startup parameters may say.
//!
//! Each is honoured or refused; a name that is here because drivers set it and that changes nothing in graphwire says so in
//! its description.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::engine::SYSTEM_ROLE;
use super::planner_settings::PLANNER_DEFINITIONS;
use crate::access::Identity;
use crate::error::{PgError, SqlState};
use crate::optimizer::OptimizerOptions;
use crate::types::{
    ByteaOutput, DateOrder, DateStyle, InputSettings, IntervalStyle, OutputSettings, TimeZone,
};

/// PostgreSQL's version that graphwire answers as.
pub const SERVER_VERSION_NUM: &str = "150018";
/// `SHOW server_version`.
pub const SERVER_VERSION: &str = concat!("15.18 (graphwire ", env!("CARGO_PKG_VERSION"), ")");

/// How a setting's text is checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Any text.
    Text,
    /// on/off.
    Bool,
    /// A whole number, perhaps with a unit of time; shown in the base unit given.
    Milliseconds,
    /// A whole number between the bounds.
    Int(i64, i64),
    /// A number between the bounds.
    Real(f64, f64),
    /// An amount of memory, in units of some kilobytes where none is written; shown in the largest unit that divides it.
    Memory {
        /// Kilobytes of the unit.
        unit_kb: i64,
        /// In units.
        min: i64,
        /// In units.
        max: i64,
    },
    /// One of these.
    Enum(&'static [&'static str]),
    /// Checked by the date and time code.
    DateStyle,
    /// A time zone.
    TimeZone,
    /// Names separated by commas.
    Path,
    /// An encoding's name; only UTF8 (and SQL_ASCII's alias) are served.
    Encoding,
}

/// A setting's definition.
#[derive(Debug)]
pub struct Definition {
    /// Its name as SHOW ALL lists it.
    pub name: &'static str,
    /// Value at the start.
    pub default: &'static str,
    /// How a value is checked.
    pub kind: Kind,
    /// Whether a session may change it.
    pub settable: bool,
    /// Whether a change is reported to the client (ParameterStatus).
    pub reported: bool,
    /// One sentence.
    pub description: &'static str,
}

pub(super) const fn user(
    name: &'static str,
    default: &'static str,
    kind: Kind,
    description: &'static str,
) -> Definition {
    Definition { name, default, kind, settable: true, reported: false, description }
}

const fn reported(
    name: &'static str,
    default: &'static str,
    kind: Kind,
    description: &'static str,
) -> Definition {
    Definition { name, default, kind, settable: true, reported: true, description }
}

const fn fixed(name: &'static str, default: &'static str, description: &'static str) -> Definition {
    Definition { name, default, kind: Kind::Text, settable: false, reported: false, description }
}

const fn fixed_reported(
    name: &'static str,
    default: &'static str,
    description: &'static str,
) -> Definition {
    Definition { name, default, kind: Kind::Text, settable: false, reported: true, description }
}

/// The schema of what graphwire has and PostgreSQL has not.
const SYSTEM_SCHEMA: &str = "graphwire";

const LEVELS: &[&str] = &[
    "debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "info", "warning", "error",
];
const ISOLATION: &[&str] =
    &["read uncommitted", "read committed", "repeatable read", "serializable"];

/// All settings, by name.
pub const DEFINITIONS: &[Definition] = &[
    reported(
        "application_name",
        "",
        Kind::Text,
        "Sets the application name to be reported in statistics.",
    ),
    user(
        "bytea_output",
        "hex",
        Kind::Enum(&["escape", "hex"]),
        "Sets the output format for bytea.",
    ),
    user(
        "check_function_bodies",
        "on",
        Kind::Bool,
        "Accepted for dumps; function bodies are always checked.",
    ),
    reported(
        "client_encoding",
        "UTF8",
        Kind::Encoding,
        "Sets the client's character set encoding.",
    ),
    user(
        "client_min_messages",
        "notice",
        Kind::Enum(LEVELS),
        "Sets the message levels that are sent to the client.",
    ),
    user(
        "cypher_temporal_output",
        "native",
        Kind::Enum(&["native", "iso"]),
        "How Cypher's temporal values are sent.",
    ),
    reported(
        "DateStyle",
        "ISO, MDY",
        Kind::DateStyle,
        "Sets the display format for date and time values.",
    ),
    fixed("data_checksums", "off", "Shows whether data checksums are turned on for this cluster."),
    user(
        "deadlock_timeout",
        "1s",
        Kind::Milliseconds,
        "Sets the time to wait on a lock before checking for deadlock.",
    ),
    user(
        "default_table_access_method",
        "heap",
        Kind::Enum(&["heap"]),
        "Tables are stored as Arrow columns under this name.",
    ),
    user(
        "default_transaction_deferrable",
        "off",
        Kind::Bool,
        "Sets the default deferrable status of new transactions.",
    ),
    user(
        "default_transaction_isolation",
        "read committed",
        Kind::Enum(ISOLATION),
        "Sets the isolation level of each new transaction.",
    ),
    reported(
        "default_transaction_read_only",
        "off",
        Kind::Bool,
        "Sets the default read-only status of new transactions.",
    ),
    user(
        "enable_decorrelation",
        "on",
        Kind::Bool,
        "Turns correlated subqueries into joins where they can be; else each runs for every distinct outer row.",
    ),
    user(
        "extra_float_digits",
        "1",
        Kind::Int(-15, 3),
        "Sets the number of digits displayed for floating-point values.",
    ),
    user("graph_path", "", Kind::Text, "The property graph of bare Cypher statements."),
    // SET is carried out where sessions are: an operator enters another tenant.
    fixed("graphwire.tenant", "system", "Shows the tenant the session is in."),
    user(
        "idle_in_transaction_session_timeout",
        "0",
        Kind::Milliseconds,
        "Sets the maximum allowed idle time between queries, when in a transaction.",
    ),
    user(
        "idle_session_timeout",
        "0",
        Kind::Milliseconds,
        "Sets the maximum allowed idle time between queries, when not in a transaction.",
    ),
    fixed_reported("in_hot_standby", "off", "Shows whether hot standby is currently active."),
    fixed_reported("integer_datetimes", "on", "Shows whether datetimes are integer based."),
    reported(
        "IntervalStyle",
        "postgres",
        Kind::Enum(&["postgres", "postgres_verbose", "sql_standard", "iso_8601"]),
        "Sets the display format for interval values.",
    ),
    fixed_reported("is_superuser", "off", "Shows whether the current user is a superuser."),
    user("jit", "off", Kind::Enum(&["off"]), "There is no JIT compiler to turn on."),
    fixed("lc_collate", "C", "Shows the collation order locale."),
    fixed("lc_ctype", "C", "Shows the character classification and case conversion locale."),
    user("lc_messages", "C", Kind::Enum(&["C", "en_US.UTF-8", ""]), "Messages are in English."),
    user(
        "lc_monetary",
        "C",
        Kind::Enum(&["C", "en_US.UTF-8", ""]),
        "Sets the locale for formatting monetary amounts.",
    ),
    user(
        "lc_numeric",
        "C",
        Kind::Enum(&["C", "en_US.UTF-8", ""]),
        "Sets the locale for formatting numbers.",
    ),
    user(
        "lc_time",
        "C",
        Kind::Enum(&["C", "en_US.UTF-8", ""]),
        "Sets the locale for formatting dates.",
    ),
    user(
        "lock_timeout",
        "0",
        Kind::Milliseconds,
        "Sets the maximum allowed duration of any wait for a lock.",
    ),
    fixed("max_connections", "1000", "Sets the maximum number of concurrent connections."),
    fixed("max_identifier_length", "63", "Shows the maximum identifier length."),
    fixed("max_index_keys", "32", "Shows the maximum number of index keys."),
    user(
        "query_language",
        "auto",
        Kind::Enum(&["auto", "sql", "cypher"]),
        "Which language statements are read in.",
    ),
    user("role", "none", Kind::Text, "Sets the current role."),
    user("row_security", "on", Kind::Bool, "Enables row security."),
    user(
        "graphwire.row_labels",
        "",
        Kind::Text,
        "Labels of rows that the role may see, as a superuser gave them.",
    ),
    user(
        "search_path",
        "\"$user\", public",
        Kind::Path,
        "Sets the schema search order for names that are not schema-qualified.",
    ),
    fixed_reported(
        "server_encoding",
        "UTF8",
        "Shows the server (database) character set encoding.",
    ),
    fixed_reported("server_version", SERVER_VERSION, "Shows the server version."),
    fixed("server_version_num", SERVER_VERSION_NUM, "Shows the server version as an integer."),
    fixed_reported("session_authorization", "", "Shows the session user name."),
    reported(
        "standard_conforming_strings",
        "on",
        Kind::Enum(&["on"]),
        "Causes '...' strings to treat backslashes literally.",
    ),
    user(
        "statement_timeout",
        "0",
        Kind::Milliseconds,
        "Sets the maximum allowed duration of any statement.",
    ),
    user(
        "synchronize_seqscans",
        "on",
        Kind::Bool,
        "Accepted for dumps; scans are not synchronized.",
    ),
    user(
        "synchronous_commit",
        "on",
        Kind::Enum(&["on", "off", "local", "remote_write", "remote_apply"]),
        "Sets whether COMMIT waits until the log is on the disk.",
    ),
    reported(
        "TimeZone",
        "Etc/UTC",
        Kind::TimeZone,
        "Sets the time zone for displaying and interpreting time stamps.",
    ),
    user(
        "transaction_timeout",
        "0",
        Kind::Milliseconds,
        "Sets the maximum allowed duration of any transaction within a session.",
    ),
    user(
        "transaction_isolation",
        "read committed",
        Kind::Enum(ISOLATION),
        "Shows the current transaction's isolation level.",
    ),
    user(
        "transaction_read_only",
        "off",
        Kind::Bool,
        "Shows the current transaction's read-only status.",
    ),
    user(
        "transaction_deferrable",
        "off",
        Kind::Bool,
        "Whether to defer a read-only serializable transaction until it can be executed with no possible serialization failures.",
    ),
    user("xmlbinary", "base64", Kind::Enum(&["base64", "hex"]), "There is no type xml."),
    user("xmloption", "content", Kind::Enum(&["content", "document"]), "There is no type xml."),
];

/// Every definition; those that change something come first, so that they are found first.
pub fn definitions() -> impl Iterator<Item = &'static Definition> {
    DEFINITIONS.iter().chain(PLANNER_DEFINITIONS)
}

/// The definition of a name, whatever its case.
pub fn definition(name: &str) -> Option<&'static Definition> {
    definitions().find(|definition| definition.name.eq_ignore_ascii_case(name))
}

/// The values of one session. Values set with SET LOCAL or in a transaction that fails are taken back.
///
/// Cheap to clone, as each transaction keeps those it began with.
#[derive(Debug, Clone)]
pub struct Settings {
    values: Values,
    /// What RESET goes back to: the defaults, and what the client said when it connected.
    resets: Values,
    /// Names with a dot, which are free.
    custom: Arc<BTreeMap<String, String>>,
    /// Whether `transaction_deferrable` is shown as on.
    deferrable: bool,
    derived: OnceLock<Arc<Derived>>,
    /// The session's roles; `role` and `session_authorization` show their names.
    pub(super) identity: Identity,
}

type Values = Arc<BTreeMap<&'static str, String>>;

/// What every statement asks for, read once after each change.
#[derive(Debug)]
struct Derived {
    statement_timeout_ms: u64,
    transaction_timeout: Duration,
    idle_in_transaction: Duration,
    idle_session: Duration,
    lock_timeout: Duration,
    deadlock_timeout: Duration,
    search_path: Vec<String>,
    output: OutputSettings,
    /// With `now` at 0.
    input: InputSettings,
    transaction_isolation: String,
    transaction_read_only: String,
    default_transaction_isolation: String,
    default_transaction_read_only: bool,
    waits_for_disk: bool,
    policies_as_usual: bool,
    is_cypher: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let values: Values = Arc::new(
            definitions()
                .map(|definition| (definition.name, definition.default.to_owned()))
                .collect(),
        );
        let resets = Arc::clone(&values);
        Self {
            values,
            resets,
            custom: Arc::default(),
            deferrable: false,
            derived: OnceLock::new(),
            identity: Identity::of(SYSTEM_ROLE),
        }
    }
}

impl Settings {
    /// The value as SHOW gives it.
    pub fn get(&self, name: &str) -> Option<&str> {
        match definition(name) {
            Some(definition) => self.values.get(definition.name).map(String::as_str),
            None => self.custom.get(&name.to_lowercase()).map(String::as_str),
        }
    }

    fn derived(&self) -> &Derived {
        self.derived.get_or_init(|| {
            let (date_style, date_order) = self.date_style();
            let output = OutputSettings {
                timezone: self.timezone(),
                date_style,
                date_order,
                interval_style: self.interval_style(),
                bytea_output: match self.value("bytea_output") {
                    "escape" => ByteaOutput::Escape,
                    _ => ByteaOutput::Hex,
                },
                extra_float_digits: self.value("extra_float_digits").parse().unwrap_or(1),
            };
            let input = InputSettings {
                timezone: output.timezone,
                date_order,
                interval_style: output.interval_style,
                now: 0,
            };
            Arc::new(Derived {
                input,
                transaction_isolation: self.value("transaction_isolation").to_owned(),
                transaction_read_only: self.value("transaction_read_only").to_owned(),
                default_transaction_isolation: self
                    .value("default_transaction_isolation")
                    .to_owned(),
                waits_for_disk: self.value("synchronous_commit") != "off",
                policies_as_usual: self.value("row_security") != "off"
                    && self.value("graphwire.row_labels").is_empty(),
                is_cypher: self.value("query_language") == "cypher",
                default_transaction_read_only: self.value("default_transaction_read_only") == "on",
                transaction_timeout: self.duration("transaction_timeout"),
                idle_in_transaction: self.duration("idle_in_transaction_session_timeout"),
                idle_session: self.duration("idle_session_timeout"),
                lock_timeout: self.duration("lock_timeout"),
                deadlock_timeout: self.duration("deadlock_timeout"),
                statement_timeout_ms: milliseconds(self.value("statement_timeout")).unwrap_or(0),
                search_path: split_path(self.value("search_path")),
                output,
            })
        })
    }

    fn put(&mut self, name: &'static str, value: String) {
        Arc::make_mut(&mut self.values).insert(name, value);
        self.derived = OnceLock::new();
    }

    /// Whether both have the same values because one is an unchanged copy of the other.
    pub fn unchanged_since(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.values, &other.values)
    }

    /// What a transaction is unless it says otherwise: its isolation level, and whether it is read-only.
    pub fn transaction_defaults(&self) -> (&str, bool) {
        let derived = self.derived();
        (&derived.default_transaction_isolation, derived.default_transaction_read_only)
    }

    /// Whether COMMIT waits until the log is on the disk.
    pub fn waits_for_disk(&self) -> bool {
        self.derived().waits_for_disk
    }

    /// Whether all statements are read as Cypher.
    pub fn is_cypher(&self) -> bool {
        self.derived().is_cypher
    }

    /// Shows that the current transaction is deferrable, until it ends.
    pub fn transaction_is_deferrable(&mut self, deferrable: bool) {
        self.deferrable = deferrable;
        self.initialize("transaction_deferrable", if deferrable { "on" } else { "off" });
    }

    /// Shows what the current transaction is.
    pub fn transaction_is(&mut self, isolation: &str, read_only: bool) {
        let read_only = if read_only { "on" } else { "off" };
        if self.deferrable {
            self.transaction_is_deferrable(false);
        }
        let derived = self.derived();
        if derived.transaction_isolation != isolation {
            self.initialize("transaction_isolation", isolation);
        }
        if self.derived().transaction_read_only != read_only {
            self.initialize("transaction_read_only", read_only);
        }
    }

    fn duration(&self, name: &str) -> Duration {
        Duration::from_millis(milliseconds(self.value(name)).unwrap_or(0))
    }

    /// `lock_timeout` (0 for none) and `deadlock_timeout`.
    pub fn lock_timeouts(&self) -> (Duration, Duration) {
        let derived = self.derived();
        (derived.lock_timeout, derived.deadlock_timeout)
    }

    /// `statement_timeout`, 0 for none.
    pub fn statement_timeout_ms(&self) -> u64 {
        self.derived().statement_timeout_ms
    }

    /// `transaction_timeout`, if there is one.
    pub fn transaction_timeout(&self) -> Option<Duration> {
        Some(self.derived().transaction_timeout).filter(|limit| !limit.is_zero())
    }

    /// How long the client may say nothing, if that is limited: inside a transaction, or outside.
    pub fn idle_timeout(&self, in_transaction: bool) -> Option<Duration> {
        let derived = self.derived();
        let limit = if in_transaction { derived.idle_in_transaction } else { derived.idle_session };
        Some(limit).filter(|limit| !limit.is_zero())
    }

    /// The value of a setting that is defined here; empty if it is not.
    pub fn value(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// Whether row security is on and no labels are worn: the settings that go into a plan when it is admitted, which what
    /// is remembered of admitted plans does not name.
    pub fn policies_as_usual(&self) -> bool {
        self.derived().policies_as_usual
    }

    /// Changes a setting.
    ///
    /// # Errors
    /// `42704` unknown, `55P02` not to be changed, `22023` not a value it takes.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), PgError> {
        let Some(definition) = definition(name) else {
            let lower = name.to_lowercase();
            let is_ours = lower.starts_with("datafusion.") || lower.starts_with("graphwire.");
            if name.contains('.') && !is_ours {
                Arc::make_mut(&mut self.custom).insert(name.to_lowercase(), value.to_owned());
                return Ok(());
            }
            return Err(unknown(name));
        };
        if definition.name == "graphwire.row_labels" && self.value("is_superuser") != "on" {
            return Err(PgError::new(
                SqlState::INSUFFICIENT_PRIVILEGE,
                format!("permission denied to set parameter \"{}\"", definition.name),
            ));
        }
        if !definition.settable {
            return Err(PgError::new(
                SqlState::CANT_CHANGE_RUNTIME_PARAM,
                format!("parameter \"{}\" cannot be changed", definition.name),
            ));
        }
        let value =
            check(definition, value, self.values.get(definition.name).map_or("", String::as_str))?;
        self.put(definition.name, value);
        Ok(())
    }

    /// Sets what only the server sets (`is_superuser`, `session_authorization`), or what a client said at the start.
    pub fn initialize(&mut self, name: &'static str, value: &str) {
        if self.values.get(name).is_some_and(|known| known == value) {
            return;
        }
        self.put(name, value.to_owned());
        Arc::make_mut(&mut self.resets).insert(name, value.to_owned());
    }

    /// Shows what SET ROLE said; RESET goes back to none.
    pub(super) fn show_role(&mut self, name: &str) {
        if self.value("role") != name {
            self.put("role", name.to_owned());
        }
    }

    /// A startup parameter: like SET, and RESET goes back to it.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn start_with(&mut self, name: &str, value: &str) -> Result<(), PgError> {
        self.set(name, value)?;
        if let Some(definition) = definition(name) {
            let value = self.values.get(definition.name).cloned().unwrap_or_default();
            Arc::make_mut(&mut self.resets).insert(definition.name, value);
        }
        Ok(())
    }

    /// A setting's value as SHOW would give it, for one that is kept for later; `None` asks for the name alone.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn check(&self, name: &str, value: Option<&str>) -> Result<String, PgError> {
        if ["role", "session_authorization"].iter().any(|one| name.eq_ignore_ascii_case(one)) {
            return Err(PgError::unsupported(
                format!("parameter \"{name}\" cannot be kept for later sessions"),
                "SET ROLE in the session, or give the option role when connecting.",
            ));
        }
        let mut probe = self.clone();
        match (value, definition(name)) {
            (Some(value), _) => probe.set(name, value)?,
            (None, Some(definition)) if !definition.settable => {
                probe.set(name, "")?;
            }
            (None, None) if !name.contains('.') => return Err(unknown(name)),
            (None, _) => {}
        }
        Ok(probe.value(name).to_owned())
    }

    /// RESET.
    ///
    /// # Errors
    /// `42704` unknown.
    pub fn reset(&mut self, name: &str) -> Result<(), PgError> {
        match definition(name) {
            Some(definition) => {
                let value = self.resets.get(definition.name).cloned().unwrap_or_default();
                self.put(definition.name, value);
                Ok(())
            }
            None if Arc::make_mut(&mut self.custom).remove(&name.to_lowercase()).is_some() => {
                Ok(())
            }
            None => Err(unknown(name)),
        }
    }

    /// RESET ALL.
    pub fn reset_all(&mut self) {
        self.values = Arc::clone(&self.resets);
        self.custom = Arc::default();
        self.derived = OnceLock::new();
    }

    /// Reported settings and their values.
    pub fn reported(&self) -> impl Iterator<Item = (&'static str, &str)> {
        DEFINITIONS
            .iter()
            .filter(|definition| definition.reported)
            .map(|definition| (definition.name, self.value(definition.name)))
    }

    /// Every defined setting and its value, in SHOW ALL's order.
    pub fn all(&self) -> impl Iterator<Item = (&'static Definition, &str)> {
        let mut all: Vec<&'static Definition> = definitions().collect();
        all.sort_by_key(|definition| definition.name.to_lowercase());
        all.into_iter().map(|definition| (definition, self.value(definition.name)))
    }

    /// What RESET would give.
    pub fn reset_value(&self, name: &str) -> &str {
        definition(name)
            .and_then(|definition| self.resets.get(definition.name))
            .map_or("", String::as_str)
    }

    /// Schemas of `search_path`, `"$user"` as `user`.
    pub fn search_path(&self, user: &str) -> Vec<String> {
        self.names_for(user).map(str::to_owned).collect()
    }

    /// `$user` is the schema named as the user; not the system's, after which the first role is named too.
    fn names_for<'a>(&'a self, user: &'a str) -> impl Iterator<Item = &'a str> {
        let names = self.derived().search_path.iter().map(String::as_str);
        names.filter_map(move |name| match name {
            "$user" => (user != SYSTEM_SCHEMA).then_some(user),
            name => Some(name),
        })
    }

    /// Whether [`Self::search_path`] is this one.
    pub fn search_path_is(&self, path: &[String], user: &str) -> bool {
        self.names_for(user).eq(path.iter().map(String::as_str))
    }

    fn date_style(&self) -> (DateStyle, DateOrder) {
        parse_date_style(self.value("DateStyle"), (DateStyle::Iso, DateOrder::Mdy))
            .unwrap_or((DateStyle::Iso, DateOrder::Mdy))
    }

    fn interval_style(&self) -> IntervalStyle {
        match self.value("IntervalStyle") {
            "postgres_verbose" => IntervalStyle::PostgresVerbose,
            "sql_standard" => IntervalStyle::SqlStandard,
            "iso_8601" => IntervalStyle::Iso8601,
            _ => IntervalStyle::Postgres,
        }
    }

    fn timezone(&self) -> TimeZone {
        TimeZone::parse(self.value("TimeZone")).unwrap_or(TimeZone::UTC)
    }

    /// How values are written.
    pub fn output(&self) -> OutputSettings {
        self.derived().output.clone()
    }

    /// What the session decides about the optimizer.
    pub fn optimizer(&self) -> OptimizerOptions {
        OptimizerOptions { decorrelate: self.value("enable_decorrelation") == "on" }
    }

    /// How values are read; `now` is the transaction's time in microseconds since 1970.
    pub fn input(&self, now: i64) -> InputSettings {
        InputSettings { now, ..self.derived().input.clone() }
    }
}

/// Reads a DateStyle; a word that is not there keeps its part of `old`.
fn parse_date_style(text: &str, old: (DateStyle, DateOrder)) -> Option<(DateStyle, DateOrder)> {
    let (mut style, mut order) = old;
    for word in text.split(',').map(|word| word.trim().to_lowercase()) {
        match word.as_str() {
            "iso" => style = DateStyle::Iso,
            "sql" => style = DateStyle::Sql,
            "postgres" => style = DateStyle::Postgres,
            "german" => {
                style = DateStyle::German;
                order = DateOrder::Dmy;
            }
            "mdy" | "us" | "noneuro" | "noneuropean" => order = DateOrder::Mdy,
            "dmy" | "euro" | "european" => order = DateOrder::Dmy,
            "ymd" => order = DateOrder::Ymd,
            "default" => (style, order) = (DateStyle::Iso, DateOrder::Mdy),
            _ => return None,
        }
    }
    Some((style, order))
}

/// A DateStyle as SHOW gives it.
fn date_style_text(value: &str, old: &str) -> Option<String> {
    let old = parse_date_style(old, (DateStyle::Iso, DateOrder::Mdy))?;
    let (style, order) = parse_date_style(value, old)?;
    let style = match style {
        DateStyle::Iso => "ISO",
        DateStyle::Sql => "SQL",
        DateStyle::Postgres => "Postgres",
        DateStyle::German => "German",
    };
    let order = match order {
        DateOrder::Mdy => "MDY",
        DateOrder::Dmy => "DMY",
        DateOrder::Ymd => "YMD",
    };
    Some(format!("{style}, {order}"))
}

fn unknown(name: &str) -> PgError {
    PgError::new(
        SqlState::UNDEFINED_OBJECT,
        format!("unrecognized configuration parameter \"{name}\""),
    )
}

fn invalid(definition: &Definition, value: &str) -> PgError {
    PgError::new(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("invalid value for parameter \"{}\": \"{value}\"", definition.name),
    )
}

/// The names of a search path.
pub fn split_path(path: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = path.trim();
    while !rest.is_empty() {
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let end = quoted.find('"').unwrap_or(quoted.len());
                (quoted[..end].to_owned(), quoted.get(end + 1..).unwrap_or_default())
            }
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].trim().to_lowercase(), &rest[end..])
            }
        };
        if !name.is_empty() {
            names.push(name);
        }
        rest = after.trim_start().trim_start_matches(',').trim_start();
    }
    names
}

/// The value in the form SHOW gives it.
fn check(definition: &Definition, value: &str, old: &str) -> Result<String, PgError> {
    match definition.kind {
        Kind::Text | Kind::Path => Ok(value.to_owned()),
        Kind::Bool => match boolean(value) {
            Some(value) => Ok(if value { "on" } else { "off" }.to_owned()),
            None => Err(PgError::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("parameter \"{}\" requires a Boolean value", definition.name),
            )),
        },
        Kind::Int(low, high) => {
            let number: i64 = value.trim().parse().map_err(|_| invalid(definition, value))?;
            if !(low..=high).contains(&number) {
                return Err(PgError::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    format!(
                        "{number} is outside the valid range for parameter \"{}\" ({low} .. {high})",
                        definition.name
                    ),
                ));
            }
            Ok(number.to_string())
        }
        Kind::Real(low, high) => real(definition, value, (low, high)),
        Kind::Memory { unit_kb, min, max } => memory(definition, value, unit_kb, (min, max)),
        Kind::Milliseconds => {
            milliseconds(value).map(show_milliseconds).ok_or_else(|| invalid(definition, value))
        }
        Kind::Enum(values) => {
            let found = values.iter().find(|known| known.eq_ignore_ascii_case(value));
            // Enums with on/off take every spelling of a Boolean.
            let found = found.or_else(|| {
                let word = if boolean(value)? { "on" } else { "off" };
                values.iter().find(|known| **known == word)
            });
            match found {
                Some(value) => Ok((*value).to_owned()),
                None => Err(invalid(definition, value)
                    .hint(format!("Available values: {}.", values.join(", ")))),
            }
        }
        Kind::DateStyle => date_style_text(value, old).ok_or_else(|| invalid(definition, value)),
        Kind::TimeZone => {
            TimeZone::parse(value).map(|zone| zone.name()).ok_or_else(|| invalid(definition, value))
        }
        Kind::Encoding => match encoding_name(value).as_str() {
            "utf8" | "unicode" => Ok("UTF8".to_owned()),
            "sqlascii" => Ok("SQL_ASCII".to_owned()),
            other if !ENCODINGS.contains(&other) => Err(invalid(definition, value)),
            _ => Err(PgError::unsupported(
                format!("client_encoding \"{value}\" is not supported"),
                "graphwire speaks UTF8 alone.",
            )),
        },
    }
}

fn outside(definition: &Definition, value: &str, (low, high): (String, String)) -> PgError {
    PgError::new(
        SqlState::INVALID_PARAMETER_VALUE,
        format!(
            "{value} is outside the valid range for parameter \"{}\" ({low} .. {high})",
            definition.name
        ),
    )
}

/// As C's `%g` writes the ends of a range.
fn bound(value: f64) -> String {
    if value == f64::MAX { "1.79769e+308".to_owned() } else { value.to_string() }
}

fn real(definition: &Definition, value: &str, (low, high): (f64, f64)) -> Result<String, PgError> {
    let number: f64 = value.trim().parse().map_err(|_| invalid(definition, value))?;
    if number.is_nan() {
        return Err(invalid(definition, value));
    }
    if !(low..=high).contains(&number) {
        return Err(outside(definition, &number.to_string(), (bound(low), bound(high))));
    }
    Ok(number.to_string())
}

/// Units of memory, in kilobytes.
const MEMORY_UNITS: [(&str, i64); 4] =
    [("TB", 1 << 30), ("GB", 1 << 20), ("MB", 1 << 10), ("kB", 1)];

fn memory(
    definition: &Definition,
    value: &str,
    unit_kb: i64,
    (min, max): (i64, i64),
) -> Result<String, PgError> {
    let units = memory_in_units(value, unit_kb).ok_or_else(|| {
        invalid(definition, value)
            .hint("Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\".")
    })?;
    if !(min..=max).contains(&units) {
        let unit = if unit_kb == 1 { "kB".to_owned() } else { format!("{unit_kb}kB") };
        let ends = (format!("{min} {unit}"), format!("{max} {unit}"));
        return Err(outside(definition, &format!("{units} {unit}"), ends));
    }
    let kilobytes = units * unit_kb;
    let shown = MEMORY_UNITS.iter().find(|(_, factor)| kilobytes % factor == 0 && kilobytes > 0);
    Ok(shown
        .map_or_else(|| "0".to_owned(), |(unit, factor)| format!("{}{unit}", kilobytes / factor)))
}

/// An amount of memory in units of so many kilobytes, rounded up.
pub(super) fn memory_in_units(value: &str, unit_kb: i64) -> Option<i64> {
    let value = value.trim();
    let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let number: i64 = value[..digits].parse().ok()?;
    let kilobytes = match value[digits..].trim() {
        "" => return Some(number),
        "B" => number.checked_add(1023)? / 1024,
        unit => {
            let (_, factor) = MEMORY_UNITS.iter().find(|(known, _)| *known == unit)?;
            number.checked_mul(*factor)?
        }
    };
    Some(kilobytes.checked_add(unit_kb - 1)? / unit_kb)
}

/// Encodings that PostgreSQL converts and graphwire does not (`src/common/encnames.c`).
const ENCODINGS: [&str; 42] = [
    "abc",
    "alt",
    "big5",
    "euccn",
    "eucjis2004",
    "eucjp",
    "euckr",
    "euctw",
    "gb18030",
    "gbk",
    "iso88591",
    "iso885910",
    "iso885913",
    "iso885914",
    "iso885915",
    "iso885916",
    "iso88592",
    "iso88593",
    "iso88594",
    "iso88595",
    "iso88596",
    "iso88597",
    "iso88598",
    "iso88599",
    "johab",
    "koi8r",
    "koi8u",
    "latin1",
    "latin2",
    "latin3",
    "latin4",
    "latin5",
    "latin6",
    "latin7",
    "latin8",
    "latin9",
    "latin10",
    "sjis",
    "uhc",
    "win1252",
    "win1251",
    "windows1252",
];

/// An encoding's name as PostgreSQL compares it: letters and digits alone.
fn encoding_name(value: &str) -> String {
    value.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase()
}

/// PostgreSQL's spellings of a Boolean, abbreviations included.
fn boolean(value: &str) -> Option<bool> {
    let value = value.trim().to_lowercase();
    match value.as_str() {
        "" | "o" => None,
        "on" | "1" => Some(true),
        "of" | "off" | "0" => Some(false),
        other if "true".starts_with(other) || "yes".starts_with(other) => Some(true),
        other if "false".starts_with(other) || "no".starts_with(other) => Some(false),
        _ => None,
    }
}

/// A duration such as `5s`, `100`, `2min` in milliseconds.
pub fn milliseconds(value: &str) -> Option<u64> {
    let value = value.trim();
    let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let number: u64 = value[..digits].parse().ok()?;
    let factor = match value[digits..].trim() {
        "" | "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(factor).filter(|ms| *ms <= 2_147_483_647)
}

/// As SHOW prints it: the largest unit that divides it.
fn show_milliseconds(ms: u64) -> String {
    match ms {
        0 => "0".to_owned(),
        _ if ms.is_multiple_of(86_400_000) => format!("{}d", ms / 86_400_000),
        _ if ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
        _ if ms.is_multiple_of(60_000) => format!("{}min", ms / 60_000),
        _ if ms.is_multiple_of(1000) => format!("{}s", ms / 1000),
        _ => format!("{ms}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_postgresql_does() {
        let mut settings = Settings::default();
        settings.set("statement_timeout", "90000").unwrap();
        assert_eq!(settings.value("statement_timeout"), "90s");
        settings.set("STATEMENT_TIMEOUT", "2min").unwrap();
        assert_eq!(settings.value("statement_timeout"), "2min");
        assert_eq!(settings.set("nope", "1").unwrap_err().code(), SqlState::UNDEFINED_OBJECT);
        assert_eq!(
            settings.set("server_version", "1").unwrap_err().code(),
            SqlState::CANT_CHANGE_RUNTIME_PARAM
        );
        settings.set("row_security", "false").unwrap();
        assert_eq!(settings.value("row_security"), "off");
        assert_eq!(
            settings.set("datafusion.runtime.memory_limit", "1").unwrap_err().code(),
            SqlState::UNDEFINED_OBJECT
        );
        settings.set("my.thing", "x").unwrap();
        assert_eq!(settings.get("my.thing"), Some("x"));
    }

    #[test]
    fn search_path_knows_quotes_and_the_user() {
        let mut settings = Settings::default();
        assert_eq!(settings.search_path("alice"), ["alice", "public"]);
        settings.set("search_path", "A, \"B c\" , public").unwrap();
        assert_eq!(settings.search_path("alice"), ["a", "B c", "public"]);
    }
}
