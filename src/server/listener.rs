//! Binds, accepts, counts connections, and outlives each of them.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::half_open::HalfOpen;
use super::options::ServerOptions;
use super::pg::{self, Backends, Shared};
use super::threads::ConnectionThreads;
use super::tls::{Tls, TlsError};
use crate::session::Engine;

/// Sockets that may be in their first packets (login or cancel request) beyond `max_connections`.
const LOGIN_SOCKETS_MAX: usize = 256;
/// How long accepting rests when the process or the system has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// How long a new socket waits for the one that makes room for it.
const EVICTION_WAIT: Duration = Duration::from_millis(100);
/// How long canceled statements may take to end before their connections are dropped.
const CANCEL_GRACE: Duration = Duration::from_secs(5);

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be listened on.
    #[error("could not listen on \"{address}\": {source}")]
    Listen {
        /// As it was given.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// TLS is configured and unusable.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The threads of connections could not be started.
    #[error("could not start threads for connections: {0}")]
    Threads(io::Error),
}

/// A bound server, not yet accepting.
pub struct Server {
    tcp: Vec<TcpListener>,
    unix: Option<UnixSocket>,
    local_addr: SocketAddr,
    shared: Arc<Shared>,
    threads: ConnectionThreads,
}

/// A listening Unix socket and its file, which goes when it does.
struct UnixSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A client's socket, as accepted.
pub(super) enum Socket {
    /// TCP, with the client's address.
    Tcp(TcpStream, SocketAddr),
    /// Unix.
    Unix(UnixStream),
}

impl Socket {
    /// The socket with its events going to the thread that calls this.
    fn moved(self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(stream, address) => {
                Self::Tcp(TcpStream::from_std(stream.into_std()?)?, address)
            }
            Self::Unix(stream) => Self::Unix(UnixStream::from_std(stream.into_std()?)?),
        })
    }
}

impl Server {
    /// Loads the certificate and takes the port, so that `serve` cannot fail for what an operator got wrong.
    ///
    /// # Errors
    /// A busy or unusable address; TLS files that cannot be used.
    pub async fn bind(options: ServerOptions, engine: Arc<Engine>) -> Result<Self, ServerError> {
        let tls = options.tls.as_ref().map(Tls::load).transpose()?;
        let tcp = bind_tcp(&options.listen)
            .await
            .map_err(|source| ServerError::Listen { address: options.listen.clone(), source })?;
        let local_addr = tcp.first().map_or_else(
            || Err(io::Error::from(io::ErrorKind::AddrNotAvailable)),
            TcpListener::local_addr,
        );
        let local_addr = local_addr
            .map_err(|source| ServerError::Listen { address: options.listen.clone(), source })?;
        let unix = options.unix_socket.as_deref().map(bind_unix).transpose()?;
        engine.set_connections_max(options.max_connections);
        let shared = Arc::new(Shared {
            engine,
            tls,
            slots: Arc::new(Semaphore::new(options.max_connections)),
            half_open: HalfOpen::default(),
            backends: Backends::default(),
            draining: CancellationToken::new(),
            options,
        });
        let threads =
            ConnectionThreads::start(shared.options.threads).map_err(ServerError::Threads)?;
        Ok(Self { tcp, unix, local_addr, shared, threads })
    }

    /// The first TCP address listened on; with port 0 this tells the port taken.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves until `shutdown` is canceled and the connections have ended.
    pub async fn serve(self, shutdown: CancellationToken) {
        let Self { tcp, unix, local_addr, shared, threads } = self;
        info!(address = %local_addr, tls = shared.tls.is_some(), "accepting connections");
        let sockets = Arc::new(Semaphore::new(
            shared.options.max_connections.saturating_add(LOGIN_SOCKETS_MAX),
        ));
        let mut connections = JoinSet::new();
        let mut starved = false;
        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(_) = connections.join_next() => continue,
                accepted = poll_fn(|cx| poll_accept(&tcp, unix.as_ref(), cx)) => accepted,
            };
            match accepted {
                Ok(socket) => {
                    starved = false;
                    if let Some(permit) = admit(&shared, &sockets).await {
                        let connection = run(Arc::clone(&shared), socket, permit);
                        match threads.next() {
                            Some(thread) => connections.spawn_on(connection, thread),
                            None => connections.spawn(connection),
                        };
                    }
                }
                // One client's affair.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                // Anything else (EMFILE, ENFILE, ENOBUFS) stays for a while: said once, and no spinning meanwhile.
                Err(error) => {
                    if !std::mem::replace(&mut starved, true) {
                        warn!(%error, "could not accept a connection, trying again");
                    }
                    tokio::select! {
                        () = shutdown.cancelled() => break,
                        () = sleep(ACCEPT_PAUSE) => {}
                    }
                }
            }
        }
        drop((tcp, unix));
        drain(&shared, connections).await;
        // Ending them waits for what they do; nothing is left on them.
        drop(threads);
    }
}

/// A place for one more socket; if there is none, the oldest that has not logged in makes it.
async fn admit(shared: &Shared, sockets: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    if let Ok(permit) = Arc::clone(sockets).try_acquire_owned() {
        return Some(permit);
    }
    debug!("too many are logging in, the oldest makes room");
    shared.half_open.evict_oldest();
    timeout(EVICTION_WAIT, Arc::clone(sockets).acquire_owned()).await.ok()?.ok()
}

async fn run(shared: Arc<Shared>, socket: Socket, permit: OwnedSemaphorePermit) {
    match socket.moved() {
        Ok(socket) => pg::serve(shared, socket).await,
        Err(error) => debug!(%error, "a connection was lost before it began"),
    }
    drop(permit);
}

/// Lets connections end: idle ones at once, running statements after the grace time, the rest by force.
async fn drain(shared: &Shared, mut connections: JoinSet<()>) {
    info!(connections = connections.len(), "shutting down");
    shared.draining.cancel();
    join_until(&mut connections, Instant::now() + shared.options.shutdown_grace).await;
    if connections.is_empty() {
        return;
    }
    warn!(connections = connections.len(), "canceling statements that still run");
    shared.backends.cancel_all(&shared.engine);
    join_until(&mut connections, Instant::now() + CANCEL_GRACE).await;
    connections.shutdown().await;
}

async fn join_until(connections: &mut JoinSet<()>, deadline: Instant) {
    loop {
        tokio::select! {
            joined = connections.join_next() => if joined.is_none() { return },
            () = sleep_until(deadline) => return,
        }
    }
}

/// Listens on every address `listen` resolves to.
async fn bind_tcp(listen: &str) -> io::Result<Vec<TcpListener>> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    let mut unavailable = None;
    for address in tokio::net::lookup_host(listen).await? {
        if address.port() == 0 && !listeners.is_empty() {
            break;
        }
        match TcpListener::bind(address).await {
            Ok(listener) => listeners.push(listener),
            // `localhost` resolves to ::1 also where there is no IPv6.
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
                unavailable = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    if listeners.is_empty() {
        return Err(unavailable.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()));
    }
    Ok(listeners)
}

/// Listens on `path`; the file of a server that is gone is replaced, that of a living one is not.
fn bind_unix(path: &Path) -> Result<UnixSocket, ServerError> {
    let bound = UnixListener::bind(path).or_else(|error| {
        let left_over = error.kind() == io::ErrorKind::AddrInUse
            && std::os::unix::net::UnixStream::connect(path)
                .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
        if !left_over {
            return Err(error);
        }
        std::fs::remove_file(path)?;
        UnixListener::bind(path)
    });
    bound
        .map(|listener| UnixSocket { listener, path: path.to_owned() })
        .map_err(|source| ServerError::Listen { address: path.display().to_string(), source })
}

fn poll_accept(
    tcp: &[TcpListener],
    unix: Option<&UnixSocket>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Socket>> {
    for listener in tcp {
        if let Poll::Ready(accepted) = listener.poll_accept(cx) {
            return Poll::Ready(accepted.map(|(stream, address)| Socket::Tcp(stream, address)));
        }
    }
    if let Some(unix) = unix
        && let Poll::Ready(accepted) = unix.listener.poll_accept(cx)
    {
        return Poll::Ready(accepted.map(|(stream, _)| Socket::Unix(stream)));
    }
    Poll::Pending
}
