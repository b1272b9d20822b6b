//! Record batches to COPY data.

use std::ops::Range;

use arrow::record_batch::RecordBatch;

use crate::types::column::{OutputColumn, append_binary_field};
use crate::types::error::TypeError;
use crate::types::pg_type::PgType;
use crate::types::settings::OutputSettings;

use super::csv::CsvQuoting;
use super::options::{CopyFormat, CopyHeader, CopyOptions};
use super::reader::CopyColumn;
use super::{binary, text};

/// Writes rows as COPY data.
///
/// ```text
/// header ; write for each batch ; trailer
/// ```
pub(crate) struct CopyWriter {
    columns: Vec<Column>,
    options: CopyOptions,
    settings: OutputSettings,
    scratch: Vec<u8>,
}

struct Column {
    name: String,
    ty: PgType,
    force_quote: bool,
}

impl CopyWriter {
    /// A writer of rows of `columns`.
    pub(crate) fn new(
        columns: &[CopyColumn],
        options: CopyOptions,
        settings: &OutputSettings,
    ) -> Self {
        let columns = columns.iter().map(|column| Column {
            name: column.name.clone(),
            ty: column.ty.clone(),
            force_quote: options.force_quote.contains(&column.name),
        });
        let columns = columns.collect();
        Self { columns, options, settings: settings.clone(), scratch: Vec::new() }
    }

    /// Appends what comes before the first row: the line of names, or the binary header.
    pub(crate) fn header(&self, out: &mut Vec<u8>) {
        if self.options.format == CopyFormat::Binary {
            return binary::append_header(out);
        }
        if self.options.header == CopyHeader::None {
            return;
        }
        for (index, column) in self.columns.iter().enumerate() {
            if index > 0 {
                out.push(self.options.delimiter);
            }
            self.append_text(column.name.as_bytes(), false, out);
        }
        out.push(b'\n');
    }

    /// Appends what comes after the last row.
    pub(crate) fn trailer(&self, out: &mut Vec<u8>) {
        if self.options.format == CopyFormat::Binary {
            out.extend_from_slice(&binary::TRAILER);
        }
    }

    /// Appends the rows of a batch, and to `ends` the length of `out` after each of them.
    ///
    /// # Errors
    /// `54000` for a field larger than the format can carry, `22003` or `XX000` if the batch does not
    /// have the columns it was announced with.
    pub(crate) fn write(
        &mut self,
        batch: &RecordBatch,
        rows: Range<usize>,
        out: &mut Vec<u8>,
        ends: &mut Vec<usize>,
    ) -> Result<(), TypeError> {
        if batch.num_columns() != self.columns.len() || rows.end > batch.num_rows() {
            return Err(TypeError::new("XX000", "a batch does not have the announced columns"));
        }
        let prepared = self.columns.iter().zip(batch.columns());
        let prepared = prepared.map(|(column, array)| {
            OutputColumn::new(&column.ty, &array.slice(rows.start, rows.len()))
        });
        let prepared = prepared.collect::<Result<Vec<_>, _>>()?;
        for row in 0..rows.len() {
            if self.options.format == CopyFormat::Binary {
                let fields = i16::try_from(prepared.len())
                    .map_err(|_| TypeError::new("54011", "a row has too many columns"))?;
                out.extend_from_slice(&fields.to_be_bytes());
                for column in &prepared {
                    append_binary_field(column, row, out)?;
                }
            } else {
                self.write_line(&prepared, row, out);
            }
            ends.push(out.len());
        }
        Ok(())
    }

    /// Whether digits and the like may be written as they are: nothing that they consist of means
    /// something here.
    fn leaves_plain_alone(&self) -> bool {
        let is_plain =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let CopyOptions { format, delimiter, quote, escape, ref null, .. } = self.options;
        match format {
            CopyFormat::Csv => {
                null.is_empty() && ![delimiter, quote, escape].into_iter().any(is_plain)
            }
            _ => !is_plain(delimiter),
        }
    }

    fn write_line(&mut self, prepared: &[OutputColumn], row: usize, out: &mut Vec<u8>) {
        let leaves_plain_alone = self.leaves_plain_alone();
        let mut scratch = std::mem::take(&mut self.scratch);
        for (index, column) in prepared.iter().enumerate() {
            if index > 0 {
                out.push(self.options.delimiter);
            }
            if column.is_null(row) {
                out.extend_from_slice(&self.options.null);
                continue;
            }
            let force = self.columns.get(index).is_some_and(|column| column.force_quote);
            if !force && leaves_plain_alone && column.is_plain() {
                column.append_text(row, &self.settings, out);
                continue;
            }
            scratch.clear();
            column.append_text(row, &self.settings, &mut scratch);
            self.append_text(&scratch, force, out);
        }
        out.push(b'\n');
        self.scratch = scratch;
    }

    fn append_text(&self, value: &[u8], force_quote: bool, out: &mut Vec<u8>) {
        if self.options.format != CopyFormat::Csv {
            return text::append_escaped(value, self.options.delimiter, out);
        }
        let quoting = CsvQuoting {
            delimiter: self.options.delimiter,
            quote: self.options.quote,
            escape: self.options.escape,
            null: &self.options.null,
            is_single_column: self.columns.len() == 1,
        };
        quoting.append(value, force_quote, out);
    }
}
