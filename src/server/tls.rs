//! Certificate and key to a TLS acceptor, or a reason why the process cannot start.
//!
//! **Invariant:** if TLS is configured and cannot be set up, the server does not start. There is no quiet fall-back to
//! plain text.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::options::TlsOptions;

/// The protocol name a client must offer when it starts TLS without asking first (PostgreSQL 17's `sslnegotiation=direct`).
pub(super) const ALPN: &[u8] = b"postgresql";

/// What one listener needs to speak TLS.
#[derive(Clone)]
pub(super) struct Tls {
    /// Does the handshake: TLS 1.2 (AEAD suites) and 1.3.
    pub(super) acceptor: TlsAcceptor,
    /// The certificate chain as PEM, for the channel binding of SCRAM.
    pub(super) certificate_pem: Arc<[u8]>,
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("could not read \"{}\": {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file holds no usable certificate or key.
    #[error("could not use \"{}\" for TLS: {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Tls {
    /// Reads the files and checks that key and certificate belong together.
    pub(super) fn load(options: &TlsOptions) -> Result<Self, TlsError> {
        let certificate_pem = read(&options.certificate)?;
        let key_pem = read(&options.key)?;
        let chain = CertificateDer::pem_slice_iter(&certificate_pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unusable(&options.certificate, error))?;
        if chain.is_empty() {
            return Err(unusable(&options.certificate, "there is no certificate in it"));
        }
        let key = PrivateKeyDer::from_pem_slice(&key_pem)
            .map_err(|error| unusable(&options.key, error))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&options.certificate, error))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| unusable(&options.key, error))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            certificate_pem: certificate_pem.into(),
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

fn unusable(path: &Path, reason: impl ToString) -> TlsError {
    TlsError::Unusable { path: path.to_owned(), reason: reason.to_string() }
}
