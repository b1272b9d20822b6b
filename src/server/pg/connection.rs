//! A connection from its first byte to its last, and what becomes of errors and panics on the way.

use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

use super::cancel::{Backends, cancel};
use super::error::report;
use super::extended::{self, Portals};
use super::frame::{Frame, Phase};
use super::login::{LoginError, login};
use super::lookout::{Prospects, look_out};
use super::message::{Message, decode};
use super::quick::Quick;
use super::startup::{OpenError, Opened, Request, Startup, open};
use super::transport::Transport;
use super::wire::{FLUSH_BYTES, ReadError, Wire};
use super::{quick, reply, simple};
use crate::error::{PgError, Severity, SqlState};
use crate::server::half_open::{HalfOpen, Place};
use crate::server::listener::Socket;
use crate::server::options::ServerOptions;
use crate::server::threads::Resident;
use crate::server::tls::Tls;
use crate::session::{Engine, LoginRequest, Route, Session};

/// How long a connection that makes room for another waits for its client to read why.
const EVICTED_LINGER: Duration = Duration::from_millis(20);

/// What all connections of a server share.
pub(crate) struct Shared {
    pub(crate) engine: Arc<Engine>,
    pub(crate) options: ServerOptions,
    pub(crate) tls: Option<Tls>,
    /// One permit for each connection that may be logged in.
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) half_open: HalfOpen,
    pub(crate) backends: Backends,
    /// Canceled when the server stops: connections that wait for their client end.
    pub(crate) draining: CancellationToken,
}

/// Why a message was not answered in full.
#[derive(Debug)]
pub(super) enum Halt {
    /// The statement failed (or, if FATAL, the connection); the client is told, with the position in its text.
    Failed { error: PgError, position: Option<usize> },
    /// The client went.
    Gone,
}

impl Halt {
    /// An error whose offset points into `text`.
    pub(super) fn in_text(error: PgError, text: &str) -> Self {
        Self::Failed { position: error.position_in(text), error }
    }
}

impl From<PgError> for Halt {
    fn from(error: PgError) -> Self {
        Self::Failed { error, position: None }
    }
}

impl From<io::Error> for Halt {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl From<ReadError> for Halt {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Gone => Self::Gone,
            ReadError::Violation(error) => error.into(),
        }
    }
}

pub(super) type Flow<T> = Result<T, Halt>;

/// A logged-in connection.
pub(super) struct Connection<'a> {
    pub(super) wire: &'a mut Wire,
    pub(super) session: Session,
    pub(super) portals: Portals,
    pub(super) max_message_bytes: usize,
    draining: &'a CancellationToken,
    /// An error happened in the extended protocol: everything up to the next Sync is skipped.
    skipping: bool,
    /// Its place on the thread it lives on.
    pub(super) resident: Resident,
    /// Whether its client's next message is looked out for.
    pub(super) prospects: Prospects,
    /// Where a row is put together; kept, as it is needed all the time.
    pub(super) scratch: Vec<u8>,
}

/// Serves one client. A panic ends this connection, not the server; the client gets FATAL `XX000` if it can.
pub(crate) async fn serve(shared: Arc<Shared>, socket: Socket) {
    let mut wire = None;
    let served = AssertUnwindSafe(connect(&shared, socket, &mut wire)).catch_unwind().await;
    if served.is_err() {
        error!("connection ended by a panic");
        if let Some(wire) = &mut wire {
            wire.cut_to_whole();
            let message = "internal error, the connection is closed";
            let error = PgError::internal(message).severity(Severity::Fatal);
            report(&mut wire.out, &error, None);
            wire.close().await;
        }
    }
}

async fn connect(shared: &Shared, socket: Socket, place: &mut Option<Wire>) {
    let deadline = Instant::now() + shared.options.authentication_timeout;
    let waiting = shared.half_open.enter(shared.draining.child_token());
    let opening = async {
        tokio::select! {
            biased;
            () = waiting.leave.cancelled() => Err(OpenError::Gone),
            opened = open(socket, shared.tls.as_ref()) => opened,
        }
    };
    match timeout_at(deadline, opening).await {
        Ok(Ok(Opened { request: Request::Cancel { pid, secret }, .. })) => {
            cancel(&shared.engine, pid, &secret).await;
        }
        Ok(Ok(Opened { transport, peer, request: Request::Login(startup) })) => {
            let wire = place.insert(Wire::new(transport));
            let Startup { user, database, settings, negotiate } = startup;
            if let Some(unknown) = negotiate {
                reply::negotiate_protocol_version(&mut wire.out, &unknown);
            }
            let route = Route::default();
            let request = LoginRequest { user, database, parameters: settings, peer, route };
            converse(shared, wire, request, (deadline, waiting)).await;
            wire.close().await;
        }
        Ok(Err(OpenError::Refused(transport, error))) => refuse(*transport, &error).await,
        Ok(Err(OpenError::Gone)) => {}
        Err(_) => debug!("client sent no startup packet in time"),
    }
}

async fn refuse(transport: Transport, error: &PgError) {
    debug!(code = error.code().0, %error, "connection refused");
    let mut wire = Wire::new(transport);
    report(&mut wire.out, error, None);
    wire.close().await;
}

/// Logs in and serves until the client leaves.
async fn converse(
    shared: &Shared,
    wire: &mut Wire,
    request: LoginRequest,
    (deadline, waiting): (Instant, Place<'_>),
) {
    let user = request.user.clone();
    let certificate = shared.tls.as_ref().filter(|_| wire.is_tls());
    let certificate = certificate.map(|tls| &*tls.certificate_pem);
    let logging_in = login(wire, &shared.engine, request, certificate);
    let outcome = tokio::select! {
        biased;
        () = waiting.leave.cancelled() => {
            wire.linger = EVICTED_LINGER;
            Ok(Err(LoginError::Refused(made_to_leave(shared))))
        }
        outcome = timeout_at(deadline, logging_in) => outcome,
    };
    drop(waiting);
    let session = match outcome {
        Ok(Ok(session)) => session,
        Ok(Err(LoginError::Gone)) => return,
        Ok(Err(LoginError::Refused(error))) => {
            info!(user, code = error.code().0, %error, "login refused");
            report(&mut wire.out, &error, None);
            return;
        }
        Err(_) => {
            let message = "canceling authentication due to timeout";
            report(&mut wire.out, &fatal(SqlState::QUERY_CANCELED, message), None);
            return;
        }
    };
    // Only now: whoever has no password cannot use up the places of those who have.
    let Ok(_slot) = Arc::clone(&shared.slots).try_acquire_owned() else {
        report(&mut wire.out, &too_many_clients(), None);
        return;
    };
    debug!(pid = session.pid().0, user, tls = wire.is_tls(), "logged in");
    let _registration = shared.backends.register(session.pid(), session.cancel_secret());
    let max_message_bytes = shared.options.max_message_bytes;
    wire.phase = Phase::Ready { max_message_bytes };
    let connection = Connection {
        wire,
        session,
        portals: Portals::default(),
        max_message_bytes,
        // One of its own: whoever waits on a shared one waits for its lock, too.
        draining: &shared.draining.child_token(),
        skipping: false,
        scratch: Vec::new(),
        resident: Resident::enter(),
        prospects: Prospects::default(),
    };
    connection.run().await;
}

/// When a client that says nothing is cut off, and what it is told; `None` for never.
type IdleUntil = Option<(Instant, PgError)>;

impl Connection<'_> {
    /// Answers messages until the client leaves, breaks the protocol, or the server stops.
    async fn run(mut self) {
        self.ready();
        loop {
            let answered = match self.next().await {
                Ok(Frame::Message { tag: b'X', .. }) => return,
                Ok(frame) => self.answer_frame(frame).await,
                Err(halt) => Err(halt),
            };
            match answered {
                Ok(()) => {}
                Err(Halt::Gone) => return,
                Err(Halt::Failed { error, position }) => {
                    report(&mut self.wire.out, &error, position);
                    if error.fields().severity == Severity::Fatal {
                        return;
                    }
                }
            }
        }
    }

    /// The next frame. What is owed to the client is written before it is waited for.
    async fn next(&mut self) -> Flow<Frame> {
        let mut idle = None;
        loop {
            self.session.commit_here(self.resident.is_alone());
            let quick = if self.skipping { Quick::No } else { quick::answer(self) };
            let answered = quick != Quick::No;
            let waited = match quick {
                Quick::No | Quick::Answered => Ok(()),
                Quick::Commits(pending) => quick::commit(self, pending).await,
                Quick::Held(wait) => quick::wait(self, wait).await,
            };
            if let Err(halt) = waited {
                self.failed(b'S', halt)?;
            }
            let frame = if answered { None } else { self.wire.buffered_frame()? };
            let is_waiting = !answered && frame.is_none();
            if self.wire.unsent() >= FLUSH_BYTES || (is_waiting && self.wire.owes_reply) {
                self.wire.flush().await?;
            }
            if let Some(frame) = frame {
                return Ok(frame);
            }
            if is_waiting {
                self.wire.shrink();
                self.wait(&mut idle).await?;
            }
        }
    }

    /// Waits for bytes of the client, or for what there is to tell it; ends the connection when it must end.
    async fn wait(&mut self, idle: &mut Option<IdleUntil>) -> Flow<()> {
        if self.session.cancel_waits() && !self.wire.has_unread() {
            self.session.nothing_sent();
        }
        let ended = self.session.ended();
        if idle.is_none() {
            let limit = self.session.idle_limit();
            *idle = Some(limit.map(|(limit, error)| (Instant::now() + limit, error)));
        }
        let limit = idle.clone().flatten();
        if look_out(self).await? {
            return Ok(());
        }
        let waited = async {
            match &limit {
                Some((deadline, _)) => tokio::time::sleep_until(*deadline).await,
                None => std::future::pending().await,
            }
        };
        let inbox = self.session.inbox();
        // Inside a transaction the client is told nothing.
        let tells = self.session.is_between_transactions();
        tokio::select! {
            biased;
            () = self.draining.cancelled() => return Err(admin_shutdown().into()),
            () = ended.cancelled() => {
                return Err(self.session.ending().unwrap_or_else(admin_shutdown).into());
            }
            filled = self.wire.fill() => filled?,
            () = self.session.cancel_arrived() => {}
            () = inbox.arrived(), if tells => {
                self.notifications();
                self.wire.flush().await?;
            }
            () = waited => {
                return Err(limit.map_or_else(admin_shutdown, |(_, error)| error).into());
            }
        }
        Ok(())
    }

    /// Answers one frame. An error that the connection outlives is reported here, with what the protocol wants next.
    async fn answer_frame(&mut self, frame: Frame) -> Flow<()> {
        let (tag, answered) = match frame {
            Frame::Message { tag, .. } | Frame::TooLong { tag, .. }
                if self.skipping && tag != b'S' =>
            {
                return Ok(());
            }
            Frame::Message { tag, body } => {
                let answered = match decode(tag, &body) {
                    Ok(message) => self.answer_message(message).await,
                    Err(error) => Err(error.into()),
                };
                (tag, answered)
            }
            // Left over from a COPY that failed.
            Frame::TooLong { tag: b'd', .. } => return Ok(()),
            Frame::TooLong { tag, length } => (tag, Err(self.too_long(length).into())),
        };
        match answered {
            Ok(()) => Ok(()),
            Err(halt) => self.failed(tag, halt),
        }
    }

    /// What a message came to that was not answered in full: the error is reported here if the connection outlives it, with
    /// what the protocol wants next.
    fn failed(&mut self, tag: u8, halt: Halt) -> Flow<()> {
        let Halt::Failed { mut error, position } = halt else { return Err(halt) };
        self.session.fail();
        if error.code() == SqlState::QUERY_CANCELED {
            self.session.nothing_sent();
            // A statement that was stopped because the session must end is told that, and not that somebody canceled it.
            if self.session.ended().is_cancelled()
                && let Some(ending) = self.session.ending()
            {
                error = ending;
            }
        }
        if error.fields().severity == Severity::Fatal {
            return Err(Halt::Failed { error, position });
        }
        self.notices();
        report(&mut self.wire.out, &error, position);
        match tag {
            b'Q' | b'F' | b'S' => self.ready(),
            _ => {
                self.skipping = true;
                self.wire.owes_reply = true;
            }
        }
        Ok(())
    }

    async fn answer_message(&mut self, message: Message<'_>) -> Flow<()> {
        match message {
            Message::Query(text) => {
                simple::query(self, text).await?;
                self.ready();
            }
            Message::Parse { name, text, parameter_oids } => {
                extended::parse(self, name, text, &parameter_oids).await?;
            }
            Message::Bind(bind) => extended::bind(self, bind).await?,
            Message::Describe(target) => extended::describe(self, target).await?,
            Message::Execute { portal, max_rows } => {
                extended::execute(self, portal, max_rows).await?;
            }
            Message::Close(target) => extended::close(self, target),
            Message::Flush => self.wire.owes_reply = true,
            Message::Sync => {
                self.skipping = false;
                self.session.finish().await?;
                self.ready();
            }
            Message::FunctionCall => {
                return Err(PgError::unsupported(
                    "the function call protocol is not supported",
                    "Call the function in a SELECT.",
                )
                .into());
            }
            // The client may send these after a COPY that has failed; and Terminate ended the loop.
            Message::CopyData | Message::CopyDone | Message::CopyFail(_) | Message::Terminate => {}
        }
        Ok(())
    }

    /// Notices, changed parameters and ReadyForQuery; written before the next wait.
    pub(super) fn ready(&mut self) {
        self.notices();
        for (name, value) in self.session.take_parameter_status() {
            reply::parameter_status(&mut self.wire.out, &name, &value);
        }
        self.notifications();
        let status = self.session.transaction_status();
        self.portals.transaction_is(status);
        reply::ready_for_query(&mut self.wire.out, status);
        self.wire.owes_reply = true;
    }

    /// Appends the notices that have come up.
    pub(super) fn notices(&mut self) {
        for notice in self.session.take_notices() {
            report(&mut self.wire.out, &notice, None);
        }
    }

    /// Appends the messages of other sessions that have come, and of this one.
    fn notifications(&mut self) {
        for message in self.session.take_notifications() {
            let (pid, channel, payload) = (message.pid.0, &message.channel, &message.payload);
            reply::notification(&mut self.wire.out, pid, channel, payload);
        }
    }

    /// The error for a message that is longer than configured.
    pub(super) fn too_long(&self, length: usize) -> PgError {
        PgError::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!(
                "message of {length} bytes exceeds the limit of {} bytes",
                self.max_message_bytes
            ),
        )
        .hint("Send less in one message, or raise max_message_bytes.")
    }
}

fn fatal(code: SqlState, message: &'static str) -> PgError {
    PgError::new(code, message).severity(Severity::Fatal)
}

fn too_many_clients() -> PgError {
    fatal(SqlState::TOO_MANY_CONNECTIONS, "sorry, too many clients already")
}

fn made_to_leave(shared: &Shared) -> PgError {
    if shared.draining.is_cancelled() { admin_shutdown() } else { too_many_clients() }
}

fn admin_shutdown() -> PgError {
    fatal(SqlState::ADMIN_SHUTDOWN, "terminating connection due to administrator command")
}
