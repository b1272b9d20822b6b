//! TLS: what is offered, what is bound to it, and what is refused before it (experiment W-01).

use std::path::Path;
use std::sync::Arc;

use graphwire::server::{Server, TlsOptions};
use graphwire::session::Engine;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::client::{Client, frame, query, ssl_request, startup, tcp, text};
use super::server::{TestServer, USER, options, password_engine};

/// A server with a certificate of its own, and the certificate.
fn tls_server() -> (TestServer, CertificateDer<'static>) {
    let directory = tempfile::tempdir().unwrap();
    let (tls, certificate) = write_certificate(directory.path());
    let mut options = options();
    options.tls = Some(tls);
    (TestServer::with_password(options), certificate)
}

fn write_certificate(directory: &Path) -> (TlsOptions, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (directory.join("server.crt"), directory.join("server.key"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (TlsOptions { certificate, key }, made.cert.der().clone())
}

fn handshake(
    server: &TestServer,
    certificate: &CertificateDer<'static>,
    ask: bool,
    alpn: &[&[u8]],
) -> Client {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let mut stream = tcp(server.address);
    if ask {
        use std::io::{Read, Write};
        stream.write_all(&ssl_request()).unwrap();
        let mut answer = [0];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer, *b"S");
    }
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    Client::over(Box::new(StreamOwned::new(connection, stream)))
}

fn mechanisms(client: &mut Client) -> Vec<String> {
    client.send_startup(&[("user", USER)]);
    let asked = client.until(b'R');
    let names = String::from_utf8(asked[0].body[4..].to_vec()).unwrap();
    names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[test]
fn channel_binding_is_offered_on_tls_alone() {
    let (server, certificate) = tls_server();
    let mut encrypted = handshake(&server, &certificate, true, &[]);
    assert_eq!(mechanisms(&mut encrypted), ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]);
    assert_eq!(mechanisms(&mut server.connect()), ["SCRAM-SHA-256"]);
}

#[test]
fn a_client_that_was_lied_to_about_channel_binding_is_refused() {
    let (server, certificate) = tls_server();
    for (mechanism, first) in [
        // "I could bind, but you do not offer it": somebody has cut the offer.
        ("SCRAM-SHA-256", "y,,n=,r=abc"),
        ("SCRAM-SHA-256", "p=tls-server-end-point,,n=,r=abc"),
        ("SCRAM-SHA-256-PLUS", "n,,n=,r=abc"),
        ("SCRAM-SHA-256-PLUS", "y,,n=,r=abc"),
        ("SCRAM-SHA-256-PLUS", "p=tls-unique,,n=,r=abc"),
    ] {
        let mut client = handshake(&server, &certificate, true, &[]);
        mechanisms(&mut client);
        let length = u32::try_from(first.len()).unwrap().to_be_bytes();
        let body = [text(mechanism), length.to_vec(), first.as_bytes().to_vec()].concat();
        client.send(&frame(b'p', &body));
        client.assert_refused("08P01");
    }
}

#[test]
fn tls_may_start_at_once_if_alpn_says_postgresql() {
    let (server, certificate) = tls_server();
    let mut client = handshake(&server, &certificate, false, &[b"postgresql"]);
    assert_eq!(mechanisms(&mut client).len(), 2);
    let mut without = handshake(&server, &certificate, false, &[]);
    without.send(&startup(3 << 16, &[("user", USER)]));
    without.assert_refused("08P01");
}

/// What stands behind an SSLRequest in the clear is not taken for something that came through TLS.
#[test]
fn plaintext_behind_an_encryption_request_is_refused() {
    let (server, _) = tls_server();
    for length in [1, 2, 7, 8, 100, 8192] {
        let mut injected = startup(3 << 16, &[("user", USER)]);
        injected.extend(query("SELECT 1").repeat(600));
        injected.truncate(length);
        let mut client = server.connect();
        client.send(&[ssl_request(), injected].concat());
        client.assert_refused("08P01");
    }
    // In a segment of its own it is part of a TLS handshake that fails.
    let mut client = server.connect();
    client.send(&ssl_request());
    assert_eq!(client.byte(), Some(b'S'));
    client.send(&[startup(3 << 16, &[("user", USER)]), query("SELECT 1")].concat());
    while let Some(byte) = client.byte() {
        // A TLS alert record at most.
        assert!(!byte.is_ascii_uppercase(), "{}", char::from(byte));
    }
}

#[test]
fn unusable_tls_files_stop_the_server_from_starting() {
    let directory = tempfile::tempdir().unwrap();
    let (good, _) = write_certificate(directory.path());
    let other = tempfile::tempdir().unwrap();
    let (foreign, _) = write_certificate(other.path());
    let empty = directory.path().join("empty");
    std::fs::write(&empty, "").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let engine = Engine::open(password_engine()).await.unwrap();
        for (certificate, key) in [
            (&directory.path().join("missing"), &good.key),
            (&good.certificate, &directory.path().join("missing")),
            (&empty, &good.key),
            (&good.certificate, &empty),
            (&good.certificate, &foreign.key),
            (&good.key, &good.certificate),
        ] {
            let tls = TlsOptions { certificate: certificate.clone(), key: key.clone() };
            let mut options = options();
            options.tls = Some(tls);
            assert!(Server::bind(options, Arc::clone(&engine)).await.is_err());
        }
    });
}
