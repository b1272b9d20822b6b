//! Rows as they come: on the connection's thread or on compute threads, a turn at a time.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TrySendError;
use tokio_util::sync::CancellationToken;

use crate::error::{PgError, SqlState};
use crate::executor::MeasuredRows;
use crate::executor::operator::VertexScanExec;
use crate::session::session_impl::Session;
use crate::session::shared::SessionShared;
use crate::session::tenancy::fair::{FairQueue, FairSlot};
use crate::types::{Measure, TenantId};

/// Statements that read fewer rows than this from tables run on the connection's own thread.
const INLINE_ROWS_MAX: usize = 20_000;

/// How many neighbors a vertex is taken to have.
const NEIGHBORS: usize = 32;

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
    let (context, measure) = engine.runtime.statement_context(&session.gate.memory(engine));
    if is_short(&plan) {
        return Ok(until_canceled(execute(plan, context, measure)?.boxed(), token, shared));
    }
    let (sender, receiver) = tokio::sync::mpsc::channel(QUEUED_BATCHES);
    let receiving = Arc::clone(&measure);
    // Inside a block a statement may hold locks that those who run wait for, so it does not wait for its turn.
    let in_block = session.transaction.as_ref().is_some_and(|transaction| transaction.explicit);
    let turns = (!in_block && engine.has_other_tenants())
        .then(|| (Arc::clone(&engine.common.fair), engine.tenant.id));
    let work = async move {
        let mut slot = take_turn(turns.as_ref()).await;
        let mut rows = match execute(plan, context, measure) {
            Ok(rows) => rows,
            Err(error) => {
                let _ = sender.send(Err(error)).await;
                return;
            }
        };
        while let Some(batch) = rows.next().await {
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
    let received = Received { receiver, guard, measure: receiving, last: None };
    let rows = futures::stream::unfold(received, |mut received| async move {
        let batch = received.next().await?;
        Some((batch, received))
    });
    Ok(until_canceled(fuse_after_error(rows.boxed()), token, shared))
}

/// Starts operators as work for the statement of `measure`.
fn execute(
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    measure: Arc<Measure>,
) -> Result<MeasuredRows<BoxStream<'static, Result<RecordBatch, PgError>>>, PgError> {
    let rows = {
        let _scope = measure.enter();
        execute_stream(plan, context)?
    };
    Ok(MeasuredRows::new(rows.map(|batch| batch.map_err(PgError::from)).boxed(), measure))
}

/// A place on the compute threads, where tenants take turns.
async fn take_turn(turns: Option<&(Arc<FairQueue>, TenantId)>) -> Option<FairSlot> {
    match turns {
        Some((queue, tenant)) => Some(queue.slot(*tenant).await),
        None => None,
    }
}

/// The connection's end of the channel.
struct Received {
    receiver: Receiver<Result<RecordBatch, PgError>>,
    guard: AbortOnDrop,
    measure: Arc<Measure>,
    /// The batch given last. It is freed here, as what the statement holds, and not where it was read.
    last: Option<RecordBatch>,
}

impl Received {
    async fn next(&mut self) -> Option<Result<RecordBatch, PgError>> {
        {
            let _scope = self.measure.enter();
            self.last = None;
        }
        if let Some(batch) = self.receiver.recv().await {
            self.last = batch.as_ref().ok().cloned();
            return Some(batch);
        }
        match (&mut self.guard.0).await {
            Err(error) if error.is_panic() => {
                tracing::error!("a statement panicked");
                Some(Err(PgError::internal("the statement failed unexpectedly")))
            }
            Ok(()) | Err(_) => None,
        }
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
            // Statistics say nothing of what policies may hide.
            let vertices = plan.downcast_ref::<VertexScanExec>();
            if let Some(rows) = vertices.and_then(VertexScanExec::looked_up) {
                return Some(rows);
            }
            let statistics =
                StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new());
            return statistics.ok()?.num_rows.get_value().copied();
        }
        let mut total = 0usize;
        for child in children {
            total = total.saturating_add(rows(child)?);
        }
        match plan.name() {
            "CrossJoinExec" | "NestedLoopJoinExec" | "UnnestExec" | "RecursiveQueryExec"
            | "VarExpandExec" | "ShortestKExec" | "UnpackExec" => None,
            "ExpandExec" | "IntersectExec" => Some(total.saturating_mul(NEIGHBORS)),
            _ => Some(total),
        }
    }
    rows(plan).is_some_and(|rows| rows <= INLINE_ROWS_MAX)
}
