//! Who may log in, and who is connected.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::first::SYSTEM_ROLE;
use super::options::LoginPolicy;
use super::shared::{Engine, now_us};
use crate::access::login::mock_verifier;
use crate::catalog::Role;
use crate::error::{PgError, Severity, SqlState};
use crate::session::identity::{LoginMethod, LoginRequest};
use crate::session::shared::SessionShared;
use crate::session::tenancy::Route;
use crate::session::tenancy::route::verified_by;
use crate::types::{BackendPid, TenantId};

/// A cancel that found nothing running looks this often whether its statement has begun, and waits no longer than this.
const EARLY_CANCEL_POLL: Duration = Duration::from_millis(1);
const EARLY_CANCEL_WAIT: Duration = Duration::from_millis(200);

impl Engine {
    /// How a user may log in.
    ///
    /// # Errors
    /// `28000` where no way is open; the client gets it FATAL.
    pub fn login_method(&self, request: &LoginRequest) -> Result<LoginMethod, PgError> {
        if self.options.login == LoginPolicy::TrustLoopback {
            if request.peer.is_loopback() {
                return Ok(LoginMethod::Trust);
            }
            return Err(PgError::new(
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                "connections without a password are accepted from this machine only",
            )
            .severity(Severity::Fatal));
        }
        let known = match &request.route {
            Route::Unrouted => self.role(&request.user),
            _ => verified_by(self, request).and_then(|(engine, user)| engine.role(&user)),
        };
        let now = now_us() - crate::session::facts::POSTGRES_EPOCH_US;
        let valid = |role: &Role| role.valid_until.is_none_or(|until| until > now);
        let verifier = known.filter(valid).and_then(|role| role.verifier);
        let mock = || mock_verifier(&request.user, &self.common.mock_secret);
        let verifier = verifier.unwrap_or_else(mock);
        Ok(LoginMethod::Scram { verifier })
    }

    /// The role of a name; under [`LoginPolicy::TrustLoopback`] every name is a superuser.
    pub(in crate::session) fn role(&self, name: &str) -> Option<Role> {
        let cluster = self.cluster.latest();
        let known = cluster.role_named(TenantId::SYSTEM, name).cloned();
        if known.is_none() && self.options.login == LoginPolicy::TrustLoopback {
            let system = cluster.roles.get(&SYSTEM_ROLE)?.clone();
            return Some(Role { name: name.to_owned(), login: true, ..system });
        }
        known
    }

    /// Cancels what a connection runs. An unknown number or a wrong key does nothing.
    pub fn cancel(&self, pid: BackendPid, secret: &[u8]) {
        if let Some(session) = self.session_with_key(pid, secret) {
            session.cancel_statement();
        }
    }

    /// Cancels what a connection runs or what its client has sent; ends when no later statement can be hit.
    ///
    /// The connection must say when there is nothing in its socket: [`Session::nothing_sent`].
    ///
    /// [`Session::nothing_sent`]: crate::session::Session::nothing_sent
    pub async fn cancel_sent(&self, pid: BackendPid, secret: &[u8]) {
        let Some(session) = self.session_with_key(pid, secret) else { return };
        session.cancel_sent();
        let settled = async {
            while session.cancel_waits() {
                tokio::time::sleep(EARLY_CANCEL_POLL).await;
            }
        };
        if tokio::time::timeout(EARLY_CANCEL_WAIT, settled).await.is_err() {
            session.nothing_sent();
        }
    }

    fn session_with_key(&self, pid: BackendPid, secret: &[u8]) -> Option<Arc<SessionShared>> {
        use subtle::ConstantTimeEq as _;
        let own = self.sessions.get(&pid.0).map(|session| Arc::clone(&session));
        own.filter(|session| bool::from(session.secret.ct_eq(secret))).or_else(|| {
            self.tenants.read().values().find_map(|tenant| tenant.session_with_key(pid, secret))
        })
    }

    /// How many sessions are logged in.
    pub fn active_sessions(&self) -> usize {
        self.sessions.len()
    }

    pub(in crate::session) fn next_pid(&self) -> BackendPid {
        BackendPid(self.common.next_pid.fetch_add(1, Ordering::Relaxed))
    }

    pub(in crate::session) fn next_transaction(&self) -> u64 {
        self.next_transaction.fetch_add(1, Ordering::Relaxed)
    }

    pub(in crate::session) fn register(&self, session: &Arc<SessionShared>) {
        self.sessions.insert(session.pid.0, Arc::clone(session));
    }

    pub(in crate::session) fn unregister(&self, pid: BackendPid) {
        self.sessions.remove(&pid.0);
    }

    pub(in crate::session) fn session(&self, pid: i32) -> Option<Arc<SessionShared>> {
        self.sessions.get(&pid).map(|session| Arc::clone(&session))
    }

    pub(in crate::session) fn all_sessions(&self) -> Vec<Arc<SessionShared>> {
        self.sessions.iter().map(|session| Arc::clone(&session)).collect()
    }
}
