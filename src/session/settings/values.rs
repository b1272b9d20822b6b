//! The values of one session.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::check::check;
use super::definition::{Definition, definition, definitions};
use super::definitions::DEFINITIONS;
use super::derived::Derived;
use crate::access::Identity;
use crate::error::{PgError, SqlState};
use crate::session::engine::SYSTEM_ROLE;

/// The schema of what graphwire has and PostgreSQL has not.
pub(super) const SYSTEM_SCHEMA: &str = "graphwire";

/// The values of one session. Values set with SET LOCAL or in a transaction that fails are taken back.
///
/// Cheap to clone, as each transaction keeps those it began with.
#[derive(Debug, Clone)]
pub struct Settings {
    pub(super) values: Values,
    /// What RESET goes back to: the defaults, and what the client said when it connected.
    resets: Values,
    /// Names with a dot, which are free.
    custom: Arc<BTreeMap<String, String>>,
    /// Whether `transaction_deferrable` is shown as on.
    pub(super) deferrable: bool,
    pub(super) derived: OnceLock<Arc<Derived>>,
    /// The session's roles; `role` and `session_authorization` show their names.
    pub(in crate::session) identity: Identity,
}

type Values = Arc<BTreeMap<&'static str, String>>;

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

    fn put(&mut self, name: &'static str, value: String) {
        Arc::make_mut(&mut self.values).insert(name, value);
        self.derived = OnceLock::new();
    }

    /// Whether both have the same values because one is an unchanged copy of the other.
    pub fn unchanged_since(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.values, &other.values)
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

    /// Outside of a block the next transaction is shown.
    pub fn no_transaction(&mut self) {
        let (isolation, read_only) = self.transaction_defaults();
        let isolation = isolation.to_owned();
        self.transaction_is(&isolation, read_only);
    }

    /// The value of a setting that is defined here; empty if it is not.
    pub fn value(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
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
    pub(in crate::session) fn show_role(&mut self, name: &str) {
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
}

fn unknown(name: &str) -> PgError {
    PgError::new(
        SqlState::UNDEFINED_OBJECT,
        format!("unrecognized configuration parameter \"{name}\""),
    )
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
