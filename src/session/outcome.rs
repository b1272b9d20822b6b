//! What a statement gives back, in terms no wire format knows of.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::Stream;
use futures::stream::BoxStream;
use tokio::sync::mpsc;

use crate::error::PgError;
pub use crate::types::Format;
use crate::types::pg_type::PgType;

/// A column of a result, as a client is told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputColumn {
    /// Its name.
    pub name: String,
    /// Its type with modifier.
    pub ty: PgType,
    /// OID of the table it comes from unchanged, else 0.
    pub table: u32,
    /// `attnum` in that table, else 0.
    pub attnum: i16,
    /// Whether a client is told the type's modifier.
    pub declared: bool,
}

/// What running a statement (or a portal, for some rows) gave.
pub enum Outcome {
    /// Rows to be sent; the command tag is known when they are all read ([`RowStream::completion`]).
    Rows {
        /// The columns; the same that describing the statement gave.
        columns: Arc<[OutputColumn]>,
        /// The rows.
        rows: RowStream,
    },
    /// No rows; the command tag.
    Command(String),
    /// An empty query string.
    Empty,
    /// `COPY … FROM STDIN`: the server feeds bytes until the client is done.
    CopyIn(CopyIn),
    /// `COPY … TO STDOUT`: bytes to be sent as CopyData.
    CopyOut(CopyOut),
}

/// How a portal's execution ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completion {
    /// All rows were read; the command tag, such as `SELECT 5` or `INSERT 0 1`.
    Complete(String),
    /// The row limit was reached and there may be more: PortalSuspended.
    Suspended,
}

/// Batches of a result. Dropping it cancels the statement.
pub struct RowStream {
    schema: SchemaRef,
    source: RowSource,
    binary: bool,
    charge: Option<Charge>,
    explain: Option<Explain>,
}

/// Says more of an error than where it arose could.
pub(super) type Explain = Arc<dyn Fn(PgError) -> PgError + Send + Sync>;

/// Told how many rows are about to be sent; an error ends the stream.
pub(super) type Charge = Arc<dyn Fn(u64) -> Result<(), PgError> + Send + Sync>;

enum RowSource {
    Stream {
        batches: BoxStream<'static, Result<RecordBatch, PgError>>,
        completion: Arc<dyn Fn() -> Completion + Send + Sync>,
    },
    Ready {
        batch: Option<RecordBatch>,
        tag: String,
    },
}

impl RowStream {
    /// A stream of `batches` of `schema`; `completion` is asked once they have ended.
    pub fn new(
        schema: SchemaRef,
        batches: BoxStream<'static, Result<RecordBatch, PgError>>,
        completion: Arc<dyn Fn() -> Completion + Send + Sync>,
    ) -> Self {
        Self {
            schema,
            source: RowSource::Stream { batches, completion },
            binary: false,
            charge: None,
            explain: None,
        }
    }

    /// Rows that are here.
    pub(super) fn ready(schema: SchemaRef, batch: RecordBatch, tag: String) -> Self {
        Self {
            schema,
            source: RowSource::Ready { batch: Some(batch), tag },
            binary: false,
            charge: None,
            explain: None,
        }
    }

    /// The same rows, in binary where the client has not said how it wants them (a BINARY cursor).
    pub(super) fn in_binary(self, binary: bool) -> Self {
        Self { binary, ..self }
    }

    /// Whether they are sent in binary where the client has not said how it wants them.
    pub fn is_binary(&self) -> bool {
        self.binary
    }

    /// The same rows, each batch charged before it is given.
    pub(super) fn charged(self, charge: Charge) -> Self {
        Self { charge: Some(charge), ..self }
    }

    /// The same rows; an error of theirs is explained.
    pub(super) fn explained(self, explain: Explain) -> Self {
        Self { explain: Some(explain), ..self }
    }

    /// Schema of every batch.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// How it ended; call when the stream has given `None`.
    pub fn completion(&self) -> Completion {
        match &self.source {
            RowSource::Stream { completion, .. } => completion(),
            RowSource::Ready { tag, .. } => Completion::Complete(tag.clone()),
        }
    }
}

impl Stream for RowStream {
    type Item = Result<RecordBatch, PgError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = match &mut self.source {
            RowSource::Stream { batches, .. } => batches.as_mut().poll_next(cx),
            RowSource::Ready { batch, .. } => Poll::Ready(batch.take().map(Ok)),
        };
        match (&next, &self.charge) {
            (Poll::Ready(Some(Ok(batch))), Some(charge)) => match charge(batch.num_rows() as u64) {
                Ok(()) => next,
                Err(error) => Poll::Ready(Some(Err(error))),
            },
            _ => match (next, &self.explain) {
                (Poll::Ready(Some(Err(error))), Some(explain)) => {
                    Poll::Ready(Some(Err(explain(error))))
                }
                (next, _) => next,
            },
        }
    }
}

/// A `COPY FROM STDIN` that waits for bytes.
///
/// The server sends each CopyData body to `data`, drops `data` at CopyDone (or sends an error at CopyFail), and then
/// calls `Session::finish_copy`, which gives the command tag or the error.
pub struct CopyIn {
    /// Number of columns, for CopyInResponse.
    pub columns: usize,
    /// Binary rather than text or csv.
    pub binary: bool,
    /// Where the bytes go; bounded, so a fast client waits.
    pub data: mpsc::Sender<Result<bytes::Bytes, PgError>>,
}

/// The bytes of a `COPY TO STDOUT`.
pub struct CopyOut {
    /// Number of columns, for CopyOutResponse.
    pub columns: usize,
    /// Binary rather than text or csv.
    pub binary: bool,
    /// Whole rows, many in one piece.
    pub data: BoxStream<'static, Result<bytes::Bytes, PgError>>,
    /// How the rows in a piece are told apart.
    pub framing: CopyFraming,
    /// The command tag, once the stream ended.
    pub completion: Arc<dyn Fn() -> Completion + Send + Sync>,
}

/// Where rows end in the bytes of a `COPY TO STDOUT`.
///
/// PostgreSQL sends each row as a CopyData message of its own, and clients that read rows (psycopg, pgjdbc) rely on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyFraming {
    /// A newline ends a row; newlines in values are escaped (text format).
    Lines,
    /// A newline outside quotes ends a row.
    Csv {
        /// `QUOTE`
        quote: u8,
        /// `ESCAPE`
        escape: u8,
    },
    /// A piece is a message (binary format).
    Pieces,
}

/// The transaction state ReadyForQuery tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionStatus {
    /// `I`
    Idle,
    /// `T`
    InTransaction,
    /// `E`
    Failed,
}

/// What describing a prepared statement tells.
#[derive(Debug, Clone)]
pub struct StatementDescription {
    /// Parameter types, `$1` first.
    pub parameters: Vec<PgType>,
    /// `None`: the statement gives no rows (NoData).
    pub columns: Option<Arc<[OutputColumn]>>,
}
