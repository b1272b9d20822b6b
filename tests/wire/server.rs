//! A server on a free port, in this process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use graphwire::server::{Server, ServerOptions};
use graphwire::session::{Engine, EngineOptions, LoginPolicy};
use tokio_util::sync::CancellationToken;

use super::client::Client;

/// The password of [`USER`] on a server that asks for one.
pub(crate) const PASSWORD: &str = "pencil";
/// The user of all tests.
pub(crate) const USER: &str = "graphwire";

/// A running server; stopped when it is dropped.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) engine: Arc<Engine>,
    pub(crate) shutdown: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

/// Options for tests: a free port, and no waiting at the end.
pub(crate) fn options() -> ServerOptions {
    ServerOptions {
        listen: "127.0.0.1:0".to_owned(),
        shutdown_grace: Duration::from_millis(200),
        ..ServerOptions::default()
    }
}

impl TestServer {
    /// Anyone logs in.
    pub(crate) fn trusting() -> Self {
        Self::start(options(), trusting_engine())
    }

    /// [`USER`] logs in with [`PASSWORD`].
    pub(crate) fn with_password(options: ServerOptions) -> Self {
        Self::start(options, password_engine())
    }

    pub(crate) fn start(options: ServerOptions, engine_options: EngineOptions) -> Self {
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let (started, starting) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .thread_stack_size(8 << 20)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let engine = Engine::open(engine_options).await.unwrap();
                let server = Server::bind(options, Arc::clone(&engine)).await.unwrap();
                started.send((server.local_addr(), engine)).unwrap();
                server.serve(stop).await;
            });
        });
        let (address, engine) = starting.recv().expect("the server starts");
        Self { address, engine, shutdown, thread: Some(thread) }
    }

    /// A connection that has sent nothing.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// A connection that is logged in (on a trusting server).
    pub(crate) fn login(&self) -> Client {
        let mut client = self.connect();
        client.send_startup(&[("user", USER)]);
        let replies = client.until(b'Z');
        assert!(replies.first().is_some_and(|reply| reply.to_string() == "Authentication(0)"));
        client
    }

    /// The server still serves.
    pub(crate) fn assert_alive(&self) {
        let mut client = self.connect();
        client.send_startup(&[("user", USER)]);
        assert!(!client.some().is_empty());
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.shutdown.cancel();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the server panicked");
        }
    }
}

/// An engine that asks nobody for a password.
pub(crate) fn trusting_engine() -> EngineOptions {
    EngineOptions { login: LoginPolicy::TrustLoopback, ..EngineOptions::default() }
}

/// An engine with [`USER`] and [`PASSWORD`].
pub(crate) fn password_engine() -> EngineOptions {
    // The verifier of PASSWORD with the salt and iterations of RFC 7677's example.
    let verifier = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$\
        WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
    EngineOptions { verifier: Some(verifier.to_owned()), ..EngineOptions::default() }
}
