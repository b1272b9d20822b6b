//! Work for a statement, counted as its own wherever it runs.

use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use datafusion::common::runtime::{JoinSetTracer, set_join_set_tracer};
use futures::future::BoxFuture;
use futures::{FutureExt, Stream, StreamExt};

use crate::error::{PgError, SqlState};
use crate::types::{Measure, OutOfMemory};

/// Makes tasks that DataFusion starts work for the statement of the task that starts them. Once for the process; further
/// calls change nothing.
pub(super) fn follow_tasks() {
    let _ = set_join_set_tracer(&Following);
}

struct Following;

impl JoinSetTracer for Following {
    fn trace_future(
        &self,
        future: BoxFuture<'static, Box<dyn Any + Send>>,
    ) -> BoxFuture<'static, Box<dyn Any + Send>> {
        match Measure::current() {
            Some(measure) => Task { future, measure }.boxed(),
            None => future,
        }
    }

    fn trace_block(
        &self,
        work: Box<dyn FnOnce() -> Box<dyn Any + Send> + Send>,
    ) -> Box<dyn FnOnce() -> Box<dyn Any + Send> + Send> {
        match Measure::current() {
            Some(measure) => Box::new(move || {
                let _scope = measure.enter();
                work()
            }),
            None => work,
        }
    }
}

/// A task of a statement. When its statement has to end it does nothing more, until it is dropped with the others.
struct Task {
    future: BoxFuture<'static, Box<dyn Any + Send>>,
    measure: Arc<Measure>,
}

impl Future for Task {
    type Output = Box<dyn Any + Send>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.measure.settle().is_err() {
            return Poll::Pending;
        }
        let _scope = self.measure.enter();
        self.future.poll_unpin(context)
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let _scope = self.measure.enter();
        self.future = std::future::pending().boxed();
    }
}

/// Rows of a statement; polling and dropping them is work for it. Ends with `53200` when the statement holds more than it
/// may.
pub struct MeasuredRows<S> {
    rows: Option<S>,
    measure: Arc<Measure>,
}

impl<S> MeasuredRows<S> {
    /// `rows`, as work for the statement of `measure`.
    pub fn new(rows: S, measure: Arc<Measure>) -> Self {
        Self { rows: Some(rows), measure }
    }
}

impl<T, S: Stream<Item = Result<T, PgError>> + Unpin> Stream for MeasuredRows<S> {
    type Item = Result<T, PgError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let Some(rows) = &mut this.rows else { return Poll::Ready(None) };
        let polled = {
            let _scope = this.measure.enter();
            rows.poll_next_unpin(context)
        };
        let refused = match this.measure.settle() {
            Ok(()) => this.measure.refused(context.waker()),
            Err(refused) => Some(refused),
        };
        match (polled, refused) {
            // What the rows say of themselves comes first: an operator that was refused memory names those that took it.
            (Poll::Ready(None), _) => Poll::Ready(None),
            (Poll::Ready(Some(Err(error))), _) => Poll::Ready(Some(Err(error))),
            (_, Some(refused)) => {
                this.end();
                Poll::Ready(Some(Err(out_of_memory(refused))))
            }
            (polled, None) => polled,
        }
    }
}

impl<S> MeasuredRows<S> {
    fn end(&mut self) {
        let _scope = self.measure.enter();
        self.rows = None;
    }
}

impl<S> Drop for MeasuredRows<S> {
    fn drop(&mut self) {
        self.end();
    }
}

fn out_of_memory(refused: OutOfMemory) -> PgError {
    PgError::new(SqlState::OUT_OF_MEMORY, "out of memory").detail(refused.to_string())
}
