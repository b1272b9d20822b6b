//! Statements of the short way that need rows from files: they are tried with what is in memory, and where that is not
//! all they need, run on a thread that may wait for a disk. What takes a sequence's next number is not tried, as it would
//! take two: it may wait here.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::ScalarValue;

use super::session_impl::Session;
use crate::error::{PgError, SqlState};
use crate::executor::WriteTarget;
use crate::executor::short::ShortPlan;
use crate::storage::StoreSnapshot;
use crate::storage::reading::in_memory_only_while;

/// What a statement runs on, and where its writes go.
type Ground = (StoreSnapshot, Option<Arc<dyn WriteTarget>>);

/// Runs a compiled statement on the tables as the transaction sees them. `ground` gives them, and a new target for what
/// is written: a second time, if what was written the first time was taken back.
///
/// # Errors
/// What the statement raises; `57014` if it is canceled while it reads.
pub(super) async fn run_short(
    session: &Session,
    short: &Arc<ShortPlan>,
    values: Vec<ScalarValue>,
    ground: impl Fn() -> Result<Ground, PgError>,
) -> Result<Vec<RecordBatch>, PgError> {
    let Some(transaction) = &session.transaction else {
        return Err(PgError::internal("no transaction"));
    };
    if !short.is_repeatable() {
        let (store, target) = ground()?;
        return short.run(&store, &values, target).await;
    }
    let before = short.writes().then(|| transaction.writes.lock().mark());
    let (store, target) = ground()?;
    if let Some(done) = in_memory_only_while(short.run(&store, &values, target)).await {
        return done;
    }
    if let Some(before) = before {
        transaction.writes.lock().back_to(before);
    }
    let (store, target) = ground()?;
    let short = Arc::clone(short);
    let work = async move { short.run(&store, &values, target).await };
    let Some(mut task) = session.engine.common.compute.spawn(work) else {
        return Err(PgError::new(SqlState::ADMIN_SHUTDOWN, "the server is shutting down"));
    };
    tokio::select! {
        biased;
        () = session.shared.token().cancelled_owned() => {
            task.abort();
            // What it wrote goes with the transaction, which it must not write to any more.
            let _ = task.await;
            Err(session.shared.canceled())
        }
        done = &mut task => done.unwrap_or_else(|error| {
            tracing::error!(%error, "a statement panicked");
            Err(PgError::internal("the statement failed unexpectedly"))
        }),
    }
}
