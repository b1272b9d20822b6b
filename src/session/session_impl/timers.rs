//! How long statements and transactions may take.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::state::Session;
use crate::error::{PgError, SqlState};

impl Session {
    /// Notes that a statement begins and starts its timer.
    pub(in crate::session) fn begin(&mut self, text: &str) -> CancellationToken {
        self.stop_timer();
        let token = self.shared.begin_statement(text);
        let timeout = self.shared.settings.lock().statement_timeout_ms();
        if timeout > 0 {
            let (shared, timed) = (Arc::clone(&self.shared), token.clone());
            let timer = tokio::spawn(async move {
                tokio::time::sleep(std::time::Duration::from_millis(timeout)).await;
                shared.time_out(&timed);
            });
            self.timer = Some(timer.abort_handle());
        }
        token
    }

    /// Ends the session if its transaction is still open when `transaction_timeout` is over.
    pub(super) fn time_transaction(&mut self) {
        let Some(limit) = self.shared.settings.lock().transaction_timeout() else { return };
        // Without a runtime there is no connection to be ended.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let shared = Arc::clone(&self.shared);
        let timer = runtime.spawn(async move {
            tokio::time::sleep(limit).await;
            shared.end(PgError::new(
                SqlState::TRANSACTION_TIMEOUT,
                "terminating connection due to transaction timeout",
            ));
        });
        self.transaction_timer = Some(timer.abort_handle());
    }

    pub(super) fn stop_transaction_timer(&mut self) {
        if let Some(timer) = self.transaction_timer.take() {
            timer.abort();
        }
    }

    /// The statement that runs may take no longer than this.
    pub(in crate::session) fn limit_time(&mut self, limit: std::time::Duration) {
        let own = self.shared.settings.lock().statement_timeout_ms();
        if own > 0 && std::time::Duration::from_millis(own) <= limit {
            return;
        }
        self.stop_timer();
        let (shared, timed) = (Arc::clone(&self.shared), self.shared.token());
        let timer = tokio::spawn(async move {
            tokio::time::sleep(limit).await;
            shared.time_out(&timed);
        });
        self.timer = Some(timer.abort_handle());
    }

    pub(in crate::session) fn stop_timer(&mut self) {
        if let Some(timer) = self.timer.take() {
            timer.abort();
        }
    }
}
