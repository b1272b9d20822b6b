//! How an engine is set up.

use crate::executor::runtime::RuntimeOptions;
use crate::storage::StoreOptions;
use crate::types::Clock;

/// Who may log in without a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LoginPolicy {
    /// Nobody: SCRAM for everyone.
    #[default]
    Verify,
    /// Any name from this machine, as superuser (`--dev`, `demo`).
    TrustLoopback,
}

/// How an engine is set up.
#[derive(Debug, Clone, Default)]
pub struct EngineOptions {
    /// Who may log in without a proof.
    pub login: LoginPolicy,
    /// Verifier of the role `graphwire`'s password; without one nobody can log in by password.
    pub verifier: Option<String>,
    /// Memory and parallelism.
    pub runtime: RuntimeOptions,
    /// Bytes of adjacency kept for use by later statements.
    pub adjacency_bytes_max: Option<usize>,
    /// Where everything is kept; without it, everything is gone with the engine.
    pub store: Option<StoreOptions>,
    /// What quotas count by.
    pub clock: Clock,
}

pub(super) const ADJACENCY_BYTES_DEFAULT: usize = 2 << 30;

/// A tenant keeps at most one in so many bytes of what the system tenant keeps of files and adjacency in memory.
pub(super) const TENANT_SHARE: usize = 8;
