//! What a client is told beside results: settings, notices, why it must leave.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::state::Session;
use crate::error::{PgError, Severity, SqlState};
use crate::session::object_names::ObjectNames;
use crate::session::outcome::TransactionStatus;
use crate::types::OutputSettings;

impl Session {
    /// Reported settings that changed since the last call; all of them at the first.
    pub fn take_parameter_status(&mut self) -> Vec<(String, String)> {
        let settings = self.shared.settings.lock();
        if self.reported_as.as_ref().is_some_and(|known| settings.unchanged_since(known)) {
            return Vec::new();
        }
        self.reported_as = Some(settings.clone());
        let changed: Vec<(&'static str, String)> = settings
            .reported()
            .filter(|(name, value)| self.reported.get(name).is_none_or(|known| known != value))
            .map(|(name, value)| (name, value.to_owned()))
            .collect();
        drop(settings);
        self.reported.extend(changed.iter().cloned());
        changed.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Notices and warnings since the last call.
    pub fn take_notices(&mut self) -> Vec<PgError> {
        let notices = std::mem::take(&mut *self.shared.notices.lock());
        if notices.is_empty() {
            return notices;
        }
        let settings = self.shared.settings.lock();
        let least = level(settings.value("client_min_messages"));
        drop(settings);
        notices.into_iter().filter(|notice| level_of(notice.fields().severity) >= least).collect()
    }

    /// How this session's values are written.
    pub fn output_settings(&self) -> OutputSettings {
        self.shared.settings.lock().output()
    }

    /// Writes numbers of objects as names, for results in text.
    pub fn object_names(&self) -> ObjectNames {
        ObjectNames { answers: Arc::clone(&self.answers) }
    }

    /// Canceled when the session must end before its client leaves; [`Self::ending`] says why.
    pub fn ended(&self) -> CancellationToken {
        self.shared.ended.clone()
    }

    /// Ends when a CancelRequest has come.
    pub async fn cancel_arrived(&self) {
        self.shared.cancel_arrived().await;
    }

    /// Whether it has stopped nothing yet.
    pub fn cancel_waits(&self) -> bool {
        self.shared.cancel_waits()
    }

    /// Says that it was heeded, or that the client has sent nothing that it could be meant for.
    pub fn nothing_sent(&self) {
        self.shared.nothing_sent();
    }

    /// Why the session must end, if it must: always FATAL.
    pub fn ending(&self) -> Option<PgError> {
        self.shared.ending()
    }

    /// How long the client may say nothing from now on, and what it is told then.
    pub fn idle_limit(&self) -> Option<(std::time::Duration, PgError)> {
        let in_transaction = self.transaction_status() != TransactionStatus::Idle;
        let limit = self.shared.settings.lock().idle_timeout(in_transaction)?;
        let (code, message) = match in_transaction {
            true => (
                SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
                "terminating connection due to idle-in-transaction timeout",
            ),
            false => (
                SqlState::IDLE_SESSION_TIMEOUT,
                "terminating connection due to idle-session timeout",
            ),
        };
        Some((limit, PgError::new(code, message).severity(Severity::Fatal)))
    }

    /// A token that cancels what runs now.
    pub fn cancel_token(&self) -> CancellationToken {
        self.shared.token()
    }
}

/// How much a message matters, by the words of `client_min_messages`.
fn level(name: &str) -> u8 {
    match name {
        "log" => 2,
        "notice" => 3,
        "warning" => 4,
        "error" => 5,
        // The levels of `debug`.
        _ => 1,
    }
}

/// INFO is sent whatever the setting says.
fn level_of(severity: Severity) -> u8 {
    match severity {
        Severity::Notice => 3,
        Severity::Warning => 4,
        Severity::Error | Severity::Fatal | Severity::Info => 5,
    }
}
