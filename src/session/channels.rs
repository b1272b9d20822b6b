//! LISTEN and NOTIFY: messages between the sessions of a database, sent when a transaction commits.
//!
//! ```text
//! NOTIFY ─► Announcements of the transaction ─ commit ─► Inbox of each session that listens ─► its client, when idle
//! ```
//!
//! What a transaction announces, and on which channels its session listens from now on, is kept with the transaction and
//! goes back with its savepoints. An inbox holds what its client was not told yet.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;

use super::session_impl::Session;
use super::shared::SessionShared;
use crate::error::{PgError, SqlState};
use crate::functions::context::ChannelFacts;
use crate::types::BackendPid;

/// Bytes of a channel's name, at most (PostgreSQL's `NAMEDATALEN` - 1).
const CHANNEL_BYTES_MAX: usize = 63;
/// Bytes of a message, at most (PostgreSQL's `NOTIFY_PAYLOAD_MAX_LENGTH` - 1).
const PAYLOAD_BYTES_MAX: usize = 7999;
/// Bytes that wait for one session, at most; a transaction that would send more fails.
const INBOX_BYTES_MAX: usize = 16 << 20;
/// What a message takes beside its texts.
const MESSAGE_BYTES: usize = 64;

/// A message to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Who sent it.
    pub pid: BackendPid,
    /// The channel.
    pub channel: Arc<str>,
    /// The text.
    pub payload: Arc<str>,
}

impl Notification {
    fn bytes(&self) -> usize {
        self.channel.len() + self.payload.len() + MESSAGE_BYTES
    }
}

/// What a transaction will do when it commits.
#[derive(Debug, Default)]
pub(super) struct Announcements(Mutex<Pending>);

#[derive(Debug, Default, Clone)]
struct Pending {
    messages: Vec<(Arc<str>, Arc<str>)>,
    listens: Vec<Listen>,
}

#[derive(Debug, Clone)]
enum Listen {
    On(String),
    Off(String),
    AllOff,
}

/// How much a transaction had announced.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AnnouncementsMark {
    messages: usize,
    listens: usize,
}

impl Announcements {
    pub(super) fn mark(&self) -> AnnouncementsMark {
        let pending = self.0.lock();
        AnnouncementsMark { messages: pending.messages.len(), listens: pending.listens.len() }
    }

    /// Takes back what was announced since a mark.
    pub(super) fn back_to(&self, mark: AnnouncementsMark) {
        let mut pending = self.0.lock();
        pending.messages.truncate(mark.messages);
        pending.listens.truncate(mark.listens);
    }

    /// The same message on the same channel is sent once.
    fn announce(&self, channel: &str, payload: &str) {
        let mut pending = self.0.lock();
        let known =
            pending.messages.iter().any(|(on, said)| &**on == channel && &**said == payload);
        if !known {
            pending.messages.push((channel.into(), payload.into()));
        }
    }

    fn listen(&self, listen: Listen) {
        self.0.lock().listens.push(listen);
    }
}

/// Messages for one session.
#[derive(Debug, Default)]
pub struct Inbox {
    channels: Mutex<BTreeSet<String>>,
    waiting: Mutex<Waiting>,
    arrived: tokio::sync::Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<Notification>,
    bytes: usize,
}

impl Inbox {
    /// Waits for a message, unless one is here.
    pub async fn arrived(&self) {
        loop {
            let arrival = self.arrived.notified();
            if !self.waiting.lock().messages.is_empty() {
                return;
            }
            arrival.await;
        }
    }

    fn take(&self) -> Vec<Notification> {
        let mut waiting = self.waiting.lock();
        waiting.bytes = 0;
        std::mem::take(&mut waiting.messages).into()
    }

    fn listens_on(&self, channel: &str) -> bool {
        self.channels.lock().contains(channel)
    }

    fn put(&self, message: Notification) {
        let mut waiting = self.waiting.lock();
        waiting.bytes += message.bytes();
        waiting.messages.push_back(message);
        drop(waiting);
        self.arrived.notify_one();
    }

    fn bytes(&self) -> usize {
        self.waiting.lock().bytes
    }
}

/// Who listens in a database.
#[derive(Debug, Default)]
pub(super) struct Channels {
    /// Held while a transaction's messages are sent, so that all sessions see them in one order.
    listeners: Mutex<HashMap<BackendPid, Arc<Inbox>>>,
}

impl Channels {
    /// Forgets a session.
    pub(super) fn leave(&self, pid: BackendPid) {
        self.listeners.lock().remove(&pid);
    }

    /// Refuses a transaction whose messages would not fit an inbox.
    fn check_room(&self, pending: &Pending) -> Result<(), PgError> {
        if pending.messages.is_empty() {
            return Ok(());
        }
        let bytes = |inbox: &Inbox| -> usize {
            let said = pending.messages.iter().filter(|(channel, _)| inbox.listens_on(channel));
            said.map(|(channel, payload)| channel.len() + payload.len() + MESSAGE_BYTES).sum()
        };
        let listeners = self.listeners.lock();
        if listeners.values().any(|inbox| inbox.bytes() + bytes(inbox) > INBOX_BYTES_MAX) {
            return Err(PgError::new(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                "too many notifications in the NOTIFY queue",
            ));
        }
        Ok(())
    }

    fn send(&self, pid: BackendPid, messages: &[(Arc<str>, Arc<str>)]) {
        let listeners = self.listeners.lock();
        for (channel, payload) in messages {
            for inbox in listeners.values().filter(|inbox| inbox.listens_on(channel)) {
                let (channel, payload) = (Arc::clone(channel), Arc::clone(payload));
                inbox.put(Notification { pid, channel, payload });
            }
        }
    }

    /// The fullest inbox, as a part of what fits.
    fn usage(&self) -> f64 {
        let listeners = self.listeners.lock();
        let most = listeners.values().map(|inbox| inbox.bytes()).max().unwrap_or(0);
        most as f64 / INBOX_BYTES_MAX as f64
    }
}

fn check_channel(channel: &str) -> Result<(), PgError> {
    let problem = match channel.len() {
        0 => "channel name cannot be empty",
        1..=CHANNEL_BYTES_MAX => return Ok(()),
        _ => "channel name too long",
    };
    Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, problem))
}

impl SessionShared {
    /// `LISTEN`, at commit.
    pub(super) fn listen(&self, channel: String) {
        self.announcements().listen(Listen::On(channel));
    }

    /// `UNLISTEN`, at commit; without a channel, all of them.
    pub(super) fn unlisten(&self, channel: Option<String>) {
        self.announcements().listen(channel.map_or(Listen::AllOff, Listen::Off));
    }
}

impl ChannelFacts for SessionShared {
    fn announce(&self, channel: &str, payload: &str) -> Result<(), PgError> {
        check_channel(channel)?;
        if payload.len() > PAYLOAD_BYTES_MAX {
            let problem = "payload string too long";
            return Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, problem));
        }
        self.announcements().announce(channel, payload);
        Ok(())
    }

    fn listening(&self) -> Vec<String> {
        self.inbox.channels.lock().iter().cloned().collect()
    }

    fn queue_usage(&self) -> f64 {
        self.channels.usage()
    }
}

impl Session {
    /// Whether no transaction is open, not even one around a statement.
    pub fn is_between_transactions(&self) -> bool {
        self.transaction.is_none()
    }

    /// Messages for the client that have come; none inside a transaction.
    pub fn take_notifications(&mut self) -> Vec<Notification> {
        if self.is_between_transactions() { self.shared.inbox.take() } else { Vec::new() }
    }

    /// Where messages for the client come in.
    pub fn inbox(&self) -> Arc<Inbox> {
        Arc::clone(&self.shared.inbox)
    }

    /// Whether what the transaction that commits announces can be sent.
    ///
    /// # Errors
    /// `54000`.
    pub(super) fn check_announcements(&self, announced: &Announcements) -> Result<(), PgError> {
        self.shared.channels.check_room(&announced.0.lock())
    }

    /// Does what a transaction announced, as it is committed.
    pub(super) fn send_announcements(&self, announced: &Announcements) {
        let Pending { messages, listens } = std::mem::take(&mut *announced.0.lock());
        let shared = &self.shared;
        if !listens.is_empty() {
            let mut listeners = shared.channels.listeners.lock();
            let mut channels = shared.inbox.channels.lock();
            for listen in listens {
                match listen {
                    Listen::On(channel) => {
                        channels.insert(channel);
                    }
                    Listen::Off(channel) => {
                        channels.remove(&channel);
                    }
                    Listen::AllOff => channels.clear(),
                }
            }
            if channels.is_empty() {
                listeners.remove(&shared.pid);
            } else {
                listeners.insert(shared.pid, Arc::clone(&shared.inbox));
            }
        }
        if !messages.is_empty() {
            shared.channels.send(shared.pid, &messages);
        }
    }
}
