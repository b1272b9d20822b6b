//! Result rows: batches to DataRow messages, at the pace the client reads.

use futures::StreamExt;

use super::connection::{Connection, Flow, Halt};
use super::encode::RowEncoder;
use super::message::Formats;
use super::wire::FLUSH_BYTES;
use crate::error::{PgError, SqlState};
use crate::session::ObjectNames;
use crate::session::outcome::{Completion, Format, OutputColumn, RowStream};
use crate::types::pg_type::PgType;

/// Rows encoded before it is known how long a row is.
const FIRST_SLICE_ROWS: usize = 64;
/// Bytes encoded at a time, about; the encoder's buffer grows to this and output to this over [`FLUSH_BYTES`].
const SLICE_BYTES: usize = 32 << 10;
/// The most rows encoded at a time.
const SLICE_ROWS_MAX: usize = 1024;

/// Sends all rows of `rows`.
///
/// A batch is encoded in slices of about [`SLICE_BYTES`], and output is written whenever there are [`FLUSH_BYTES`] of
/// it, so a client that reads slowly costs the same memory, whatever the size of the result.
pub(super) async fn send(
    connection: &mut Connection<'_>,
    columns: &[OutputColumn],
    formats: &Formats,
    mut rows: RowStream,
) -> Flow<Completion> {
    let mut shapes: Vec<(PgType, Format)> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| (column.ty.clone(), formats.at(index)))
        .collect();
    let names = connection.session.object_names();
    let named = take_named(&mut shapes);
    let mut encoder = RowEncoder::new(shapes, connection.session.output_settings());
    let cancel = connection.session.cancel_token();
    let mut slice_rows = FIRST_SLICE_ROWS;
    while let Some(batch) = connection.wire.watch(rows.next()).await.ok_or(Halt::Gone)? {
        let batch = names.write(batch?, &named)?;
        let mut start = 0;
        while start < batch.num_rows() {
            let end = batch.num_rows().min(start + slice_rows);
            let out = &mut connection.wire.out;
            let before = out.len();
            connection.wire.whole = Some(before);
            if let Err(error) = encoder.encode(&batch, start..end, out) {
                connection.wire.cut_to_whole();
                return Err(PgError::from(error).into());
            }
            connection.wire.whole = None;
            let row_bytes = (connection.wire.out.len() - before) / (end - start);
            slice_rows = (SLICE_BYTES / row_bytes.max(1)).clamp(1, SLICE_ROWS_MAX);
            start = end;
            if connection.wire.unsent() >= FLUSH_BYTES {
                connection.wire.flush_unless(&cancel).await?;
            }
            if cancel.is_cancelled() {
                return Err(canceled(rows).await);
            }
        }
    }
    Ok(rows.completion())
}

/// Columns that are to be written as names of objects; text as far as the encoder is concerned.
fn take_named(shapes: &mut [(PgType, Format)]) -> Vec<(usize, PgType)> {
    shapes
        .iter_mut()
        .enumerate()
        .filter(|(_, (ty, format))| *format == Format::Text && ObjectNames::are_for(ty))
        .map(|(index, (ty, _))| {
            let written = ObjectNames::written(ty);
            (index, std::mem::replace(ty, written))
        })
        .collect()
}

/// The reason for a cancel: the stream knows best (a user's request, a timeout).
async fn canceled(mut rows: RowStream) -> Halt {
    match rows.next().await {
        Some(Err(error)) => error.into(),
        Some(Ok(_)) | None => {
            PgError::new(SqlState::QUERY_CANCELED, "canceling statement due to user request").into()
        }
    }
}
