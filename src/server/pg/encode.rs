//! Arrow batches to DataRow messages.
//!
//! ```text
//! 'D' | length i32, without the 'D' | fields i16 | for each field: length i32, -1 for NULL | bytes
//! ```
//!
//! Each column is downcast once for a call; then rows are written one after another into one buffer,
//! each value by a match on its column's kind.

use std::ops::Range;

use arrow::record_batch::RecordBatch;
use bytes::BytesMut;

use crate::session::outcome::Format;
use crate::types::column::{OutputColumn, append_binary_field, append_text_field};
use crate::types::{OutputSettings, PgType, TypeError};

/// Writes the rows of one result.
pub(crate) struct RowEncoder {
    columns: Vec<(PgType, Format)>,
    settings: OutputSettings,
    /// Kept between calls, so that it grows once.
    buffer: Vec<u8>,
}

impl RowEncoder {
    /// An encoder for results of these columns. A change of the settings does not reach it.
    pub(crate) fn new(columns: Vec<(PgType, Format)>, settings: OutputSettings) -> Self {
        Self { columns, settings, buffer: Vec::new() }
    }

    /// Appends a DataRow message for each of `rows` to `out`.
    ///
    /// Cost is one pass over the values; memory is that of the messages, twice for a moment. Keep
    /// `rows` to some thousands. On an error nothing is appended.
    ///
    /// # Errors
    /// `54000` for a row that the protocol cannot carry, `22003` or `XX000` if the batch does not
    /// have the columns it was announced with.
    pub(crate) fn encode(
        &mut self,
        batch: &RecordBatch,
        rows: Range<usize>,
        out: &mut BytesMut,
    ) -> Result<(), TypeError> {
        if batch.num_columns() != self.columns.len() || rows.end > batch.num_rows() {
            return Err(TypeError::new("XX000", "a batch does not have the announced columns"));
        }
        let fields = i16::try_from(self.columns.len())
            .map_err(|_| TypeError::new("54011", "a row has too many columns"))?;
        let mut columns = Vec::with_capacity(self.columns.len());
        for ((ty, format), array) in self.columns.iter().zip(batch.columns()) {
            // Only the rows asked for: a conversion must not be paid for the whole batch each time.
            let array = array.slice(rows.start, rows.len());
            columns.push((OutputColumn::new(ty, &array)?, *format));
        }
        self.buffer.clear();
        for row in 0..rows.len() {
            append_row(&columns, row, fields, &self.settings, &mut self.buffer)?;
        }
        out.extend_from_slice(&self.buffer);
        Ok(())
    }
}

fn append_row(
    columns: &[(OutputColumn, Format)],
    row: usize,
    fields: i16,
    settings: &OutputSettings,
    out: &mut Vec<u8>,
) -> Result<(), TypeError> {
    out.extend_from_slice(b"D\0\0\0\0");
    let start = out.len();
    out.extend_from_slice(&fields.to_be_bytes());
    for (column, format) in columns {
        match format {
            Format::Text => append_text_field(column, row, settings, out)?,
            Format::Binary => append_binary_field(column, row, out)?,
        }
    }
    let length = i32::try_from(out.len() - start + 4)
        .map_err(|_| TypeError::new("54000", "a row is larger than the protocol can carry"))?;
    out[start - 4..start].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int32Array, StringArray};

    use super::*;

    fn batch() -> RecordBatch {
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(-7)]));
        let words: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), Some("bc"), None]));
        RecordBatch::try_from_iter_with_nullable([("n", numbers, true), ("w", words, true)])
            .unwrap()
    }

    fn encoded(format: Format, rows: Range<usize>) -> Vec<u8> {
        let columns = vec![(PgType::Int4, format), (PgType::Text, format)];
        let mut encoder = RowEncoder::new(columns, OutputSettings::default());
        let mut out = BytesMut::new();
        encoder.encode(&batch(), rows, &mut out).unwrap();
        out.to_vec()
    }

    #[test]
    fn text_rows() {
        assert_eq!(
            encoded(Format::Text, 0..2),
            b"D\0\0\0\x10\0\x02\0\0\0\x011\0\0\0\x01aD\0\0\0\x10\0\x02\xff\xff\xff\xff\0\0\0\x02bc"
        );
    }

    #[test]
    fn binary_rows() {
        assert_eq!(
            encoded(Format::Binary, 2..3),
            b"D\0\0\0\x12\0\x02\0\0\0\x04\xff\xff\xff\xf9\xff\xff\xff\xff"
        );
    }

    #[test]
    fn a_batch_of_another_shape_is_refused() {
        let mut encoder =
            RowEncoder::new(vec![(PgType::Int4, Format::Text)], OutputSettings::default());
        let error = encoder.encode(&batch(), 0..1, &mut BytesMut::new()).unwrap_err();
        assert_eq!(error.sqlstate, "XX000");
    }
}
