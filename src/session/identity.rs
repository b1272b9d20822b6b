//! Who logs in, from where, and how.

use std::net::SocketAddr;

use super::tenancy::Route;

/// What a client says of itself before it has proved anything.
#[derive(Debug, Clone)]
pub struct LoginRequest {
    /// The user's name.
    pub user: String,
    /// The database; the user's name if the client gave none.
    pub database: String,
    /// Startup parameters, those inside `options` among them.
    pub parameters: Vec<(String, String)>,
    /// Where it connects from.
    pub peer: Peer,
    /// Which tenant it belongs to, once that was found out ([`super::Engine::route`]).
    pub route: Route,
}

/// Where a connection comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// A TCP connection.
    Tcp {
        /// The client's address.
        address: SocketAddr,
        /// Whether it is encrypted.
        tls: bool,
    },
    /// A Unix socket.
    Unix {
        /// The client's user id, where the system tells.
        uid: Option<u32>,
    },
    /// The process itself.
    Local,
}

impl Peer {
    /// Whether only this machine can be at the other end.
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Tcp { address, .. } => address.ip().is_loopback(),
            Self::Unix { .. } | Self::Local => true,
        }
    }

    /// The client's address, for TCP.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp { address, .. } => Some(*address),
            Self::Unix { .. } | Self::Local => None,
        }
    }
}

/// How a user may prove who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginMethod {
    /// No proof asked: `--dev` and `demo`, on loopback alone.
    Trust,
    /// SCRAM-SHA-256 against this verifier; for an unknown user one that no password matches.
    Scram {
        /// `SCRAM-SHA-256$…`
        verifier: String,
    },
}

/// Proof that a login succeeded. Made by the code that verified it and by nobody else.
#[derive(Debug)]
pub struct Authenticated(());

impl Authenticated {
    /// The user was verified, or need not be ([`LoginMethod::Trust`]). Call this where that was found out.
    pub(crate) fn by_login_exchange() -> Self {
        Self(())
    }
}
