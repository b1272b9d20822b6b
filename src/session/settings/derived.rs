//! What every statement asks for, read once after each change.

use std::sync::Arc;
use std::time::Duration;

use super::check::milliseconds;
use super::values::{SYSTEM_SCHEMA, Settings};
use crate::optimizer::OptimizerOptions;
use crate::types::{ByteaOutput, InputSettings, OutputSettings};

/// What every statement asks for, read once after each change.
#[derive(Debug)]
pub(super) struct Derived {
    statement_timeout_ms: u64,
    pub(super) transaction_timeout: Duration,
    idle_in_transaction: Duration,
    idle_session: Duration,
    pub(super) lock_timeout: Duration,
    pub(super) deadlock_timeout: Duration,
    pub(super) search_path: Vec<String>,
    pub(super) output: OutputSettings,
    /// With `now` at 0.
    pub(super) input: InputSettings,
    pub(super) transaction_isolation: String,
    pub(super) transaction_read_only: String,
    pub(super) default_transaction_isolation: String,
    pub(super) default_transaction_read_only: bool,
    waits_for_disk: bool,
    policies_as_usual: bool,
    is_cypher: bool,
}

impl Settings {
    pub(super) fn derived(&self) -> &Derived {
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

    /// Whether row security is on and no labels are worn: the settings that go into a plan when it is admitted, which what
    /// is remembered of admitted plans does not name.
    pub fn policies_as_usual(&self) -> bool {
        self.derived().policies_as_usual
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

impl Settings {
    /// What the session decides about the optimizer.
    pub fn optimizer(&self) -> OptimizerOptions {
        OptimizerOptions { decorrelate: self.value("enable_decorrelation") == "on" }
    }
}
