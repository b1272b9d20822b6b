//! Rows as they come: on the connection's thread or on compute threads, a turn at a time.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::mpsc::error::TrySendError;
use tokio_util::sync::CancellationToken;

use crate::error::{PgError, SqlState};
use crate::session::session_impl::Session;
use crate::session::shared::SessionShared;
use crate::session::tenancy::fair::{FairQueue, FairSlot};
use crate::types::TenantId;

/// Statements that read fewer rows than this from tables run on the connection's own thread.
const INLINE_ROWS_MAX: usize = 20_000;

/// Batches that may wait between a compute thread and the connection.
const QUEUED_BATCHES: usize = 2;

/// Starts operators: short work on this thread, the rest on the compute threads.
pub(in crate::session) fn stream(
    session: &Session,
    plan: Arc<dyn ExecutionPlan>,
    token: &CancellationToken,
) -> Result<BoxStream<'static, Result<RecordBatch, PgError>>, PgError> {
    let engine = &session.engine;
    let (token, shared) = (token.clone(), Arc::clone(&session.shared));
    if is_short(&plan) {
        let rows = execute_stream(plan, engine.runtime.task_context())?;
        return Ok(until_canceled(
            rows.map(|batch| batch.map_err(PgError::from)).boxed(),
            token,
            shared,
        ));
    }
    let (sender, receiver) = tokio::sync::mpsc::channel(QUEUED_BATCHES);
    let context = engine.runtime.statement_context(&session.gate.memory(engine));
    // Inside a block a statement may hold locks that those who run wait for, so it does not wait for its turn.
    let in_block = session.transaction.as_ref().is_some_and(|transaction| transaction.explicit);
    let turns = (!in_block && engine.has_other_tenants())
        .then(|| (Arc::clone(&engine.common.fair), engine.tenant.id));
    let work = async move {
        let mut slot = take_turn(turns.as_ref()).await;
        let mut rows = match execute_stream(plan, context) {
            Ok(rows) => rows,
            Err(error) => {
                let _ = sender.send(Err(PgError::from(error))).await;
                return;
            }
        };
        while let Some(batch) = rows.next().await {
            let batch = batch.map_err(PgError::from);
            let Err(TrySendError::Full(batch)) = sender.try_send(batch) else {
                if sender.is_closed() {
                    return;
                }
                continue;
            };
            // While the client is slow, others compute.
            drop(slot.take());
            // The receiver is gone when the client is, or when the statement was canceled.
            if sender.send(batch).await.is_err() {
                return;
            }
            slot = take_turn(turns.as_ref()).await;
        }
        drop(slot);
    };
    let Some(task) = engine.common.compute.spawn(work) else {
        return Err(PgError::new(SqlState::ADMIN_SHUTDOWN, "the server is shutting down"));
    };
    let guard = AbortOnDrop(task);
    let rows = futures::stream::unfold((receiver, guard), |(mut receiver, mut guard)| async move {
        match receiver.recv().await {
            Some(batch) => Some((batch, (receiver, guard))),
            None => match (&mut guard.0).await {
                Ok(()) => None,
                Err(error) if error.is_panic() => {
                    tracing::error!("a statement panicked");
                    Some((
                        Err(PgError::internal("the statement failed unexpectedly")),
                        (receiver, guard),
                    ))
                }
                Err(_) => None,
            },
        }
    });
    Ok(until_canceled(fuse_after_error(rows.boxed()), token, shared))
}

/// A place on the compute threads, where tenants take turns.
async fn take_turn(turns: Option<&(Arc<FairQueue>, TenantId)>) -> Option<FairSlot> {
    match turns {
        Some((queue, tenant)) => Some(queue.slot(*tenant).await),
        None => None,
    }
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Ends a stream at its first error.
fn fuse_after_error(
    rows: BoxStream<'static, Result<RecordBatch, PgError>>,
) -> BoxStream<'static, Result<RecordBatch, PgError>> {
    futures::stream::unfold(Some(rows), |rows| async move {
        let mut rows = rows?;
        let batch = rows.next().await?;
        let next = if batch.is_ok() { Some(rows) } else { None };
        Some((batch, next))
    })
    .boxed()
}

/// Ends a stream with `57014` when its statement is canceled, whatever it is doing.
fn until_canceled(
    rows: BoxStream<'static, Result<RecordBatch, PgError>>,
    token: CancellationToken,
    shared: Arc<SessionShared>,
) -> BoxStream<'static, Result<RecordBatch, PgError>> {
    futures::stream::unfold(Some(rows), move |rows| {
        let (token, shared) = (token.clone(), Arc::clone(&shared));
        async move {
            let mut rows = rows?;
            tokio::select! {
                biased;
                () = token.cancelled() => Some((Err(shared.canceled()), None)),
                batch = rows.next() => batch.map(|batch| (batch, Some(rows))),
            }
        }
    })
    .boxed()
}

/// Whether all that a plan reads is known and little, and nothing in it can grow far beyond that.
fn is_short(plan: &Arc<dyn ExecutionPlan>) -> bool {
    fn rows(plan: &Arc<dyn ExecutionPlan>) -> Option<usize> {
        let children = plan.children();
        if children.is_empty() {
            let statistics =
                StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new());
            return statistics.ok()?.num_rows.get_value().copied();
        }
        let grows = matches!(
            plan.name(),
            "CrossJoinExec" | "NestedLoopJoinExec" | "UnnestExec" | "RecursiveQueryExec"
        );
        let mut total = 0usize;
        for child in children {
            total = total.saturating_add(rows(child)?);
        }
        (!grows).then_some(total)
    }
    rows(plan).is_some_and(|rows| rows <= INLINE_ROWS_MAX)
}
