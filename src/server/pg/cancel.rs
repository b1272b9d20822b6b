//! CancelRequest, and the list of connections whose statements can be canceled.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::session::Engine;
use crate::types::BackendPid;

/// Cancels what the connection with this key runs or has been sent. The client is told nothing, whether the key is right
/// or not; it may take the end of this connection for the sign that its next statement is safe.
pub(super) async fn cancel(engine: &Engine, pid: i32, secret: &[u8]) {
    engine.cancel_sent(BackendPid(pid), secret).await;
}

/// The connections that are logged in, for a server that stops.
#[derive(Default)]
pub(crate) struct Backends(Arc<Mutex<HashMap<i32, Box<[u8]>>>>);

/// A place in [`Backends`], left when it is dropped.
pub(super) struct Registration {
    backends: Arc<Mutex<HashMap<i32, Box<[u8]>>>>,
    pid: i32,
}

impl Backends {
    /// Enters a connection.
    pub(super) fn register(&self, pid: BackendPid, secret: &[u8]) -> Registration {
        self.0.lock().insert(pid.0, secret.into());
        Registration { backends: Arc::clone(&self.0), pid: pid.0 }
    }

    /// Cancels every running statement.
    pub(crate) fn cancel_all(&self, engine: &Engine) {
        let keys: Vec<_> =
            self.0.lock().iter().map(|(pid, secret)| (*pid, secret.clone())).collect();
        for (pid, secret) in keys {
            engine.cancel(BackendPid(pid), &secret);
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.backends.lock().remove(&self.pid);
    }
}
