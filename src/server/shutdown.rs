//! How the server is told to stop.
//!
//! One token says it. The listener then accepts nobody else; a connection that waits for its client ends with FATAL
//! 57P01; running statements have [`super::ServerOptions::shutdown_grace`] and are canceled after it.

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// A token that is canceled by SIGTERM or SIGINT.
///
/// A second signal ends the process at once, so that a server that does not stop can still be stopped.
///
/// # Errors
/// If the system does not let us listen for signals.
pub fn on_signals() -> std::io::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        let mut signals = 0;
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            signals += 1;
            if signals > 1 {
                warn!("second signal, exiting at once");
                std::process::exit(130);
            }
            info!("signal received, shutting down");
            stop.cancel();
        }
    });
    Ok(token)
}
