//! What can be configured about the wire.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

/// How a [`super::Server`] listens and what it allows a client.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// `HOST:PORT` to listen on; every address the host resolves to. Port 0 takes a free one (of the first address).
    pub listen: String,
    /// A Unix socket to listen on as well, by its full path (`/run/postgresql/.s.PGSQL.5432`).
    pub unix_socket: Option<PathBuf>,
    /// Certificate and key. With `None` TLS is declined.
    pub tls: Option<TlsOptions>,
    /// Connections that may be logged in at a time; one more gets FATAL 53300.
    pub max_connections: usize,
    /// Threads that connections live on; `None` for one for each processor, but two at least.
    pub threads: Option<NonZeroUsize>,
    /// How long a client may take from its first byte to the end of its login.
    pub authentication_timeout: Duration,
    /// The longest message body taken after login, in bytes; a longer one is skipped and answered with ERROR 54000.
    pub max_message_bytes: usize,
    /// How long statements may go on once the server is told to stop; then they are canceled.
    pub shutdown_grace: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:5432".to_owned(),
            unix_socket: None,
            tls: None,
            max_connections: 1000,
            threads: None,
            authentication_timeout: Duration::from_secs(60),
            max_message_bytes: 64 << 20,
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

/// Where the server's certificate is.
#[derive(Debug, Clone)]
pub struct TlsOptions {
    /// PEM file with the certificate chain, the server's own first.
    pub certificate: PathBuf,
    /// PEM file with the private key (PKCS#8, PKCS#1 or SEC1).
    pub key: PathBuf,
}
