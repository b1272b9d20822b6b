//! COPY data to record batches.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;

use crate::types::error::{TypeError, lossy};
use crate::types::input_column::InputColumn;
use crate::types::pg_type::PgType;
use crate::types::settings::InputSettings;

use super::lines::LineFinder;
use super::options::{CopyFormat, CopyHeader, CopyOptions};
use super::{binary, csv, text};

/// A line, or a row in the binary format, may not be longer: PostgreSQL's limit too.
const LINE_BYTES_MAX: usize = 0x3fff_ffff;

/// A column to fill.
#[derive(Debug, Clone)]
pub(crate) struct CopyColumn {
    pub(crate) name: String,
    pub(crate) ty: PgType,
}

/// Reads COPY data that comes in pieces of any size.
///
/// ```text
/// push, push, … ; next_batch until None after each push ; at the end finish, next_batch until None
/// ```
pub(crate) struct CopyReader {
    table: String,
    columns: Vec<Column>,
    options: CopyOptions,
    schema: SchemaRef,
    batch_rows: usize,
    finder: LineFinder,
    /// The start of a line whose end has not come yet.
    pending: Vec<u8>,
    /// Lines begun, for messages.
    line: u64,
    rows_in_batch: usize,
    rows: u64,
    header_due: bool,
    /// After `\.` everything is ignored.
    is_ended: bool,
    batches: VecDeque<RecordBatch>,
    scratch: Vec<u8>,
}

struct Column {
    name: String,
    values: InputColumn,
    force_not_null: bool,
    force_null: bool,
}

/// What went wrong in a line, and where.
struct LineError {
    error: Box<TypeError>,
    place: Place,
}

/// What the context of an error shows besides the line's number.
enum Place {
    /// Nothing: where the line ends, or what its characters are, is not known.
    Bytes,
    /// The line.
    Line,
    /// A column by its index, and its value if that can be shown.
    Field(usize, Option<Vec<u8>>),
}

impl From<TypeError> for LineError {
    fn from(error: TypeError) -> Self {
        Self { error: Box::new(error), place: Place::Line }
    }
}

impl LineError {
    fn in_bytes(error: TypeError) -> Self {
        Self { error: Box::new(error), place: Place::Bytes }
    }
}

impl CopyReader {
    /// A reader of rows of `columns` for `table` (a name for messages only), in batches of
    /// `batch_rows` rows. The batches have the columns in their order, all nullable.
    pub(crate) fn new(
        table: &str,
        columns: &[CopyColumn],
        options: CopyOptions,
        settings: &InputSettings,
        batch_rows: usize,
    ) -> Self {
        let fields: Vec<_> =
            columns.iter().map(|column| column.ty.field(&column.name, true)).collect();
        let columns = columns.iter().map(|column| Column {
            name: column.name.clone(),
            values: InputColumn::new(&column.ty, settings),
            force_not_null: options.force_not_null.contains(&column.name),
            force_null: options.force_null.contains(&column.name),
        });
        Self {
            table: table.to_owned(),
            columns: columns.collect(),
            schema: Arc::new(Schema::new(fields)),
            batch_rows: batch_rows.max(1),
            finder: LineFinder::new(&options),
            pending: Vec::new(),
            line: 0,
            rows_in_batch: 0,
            rows: 0,
            header_due: options.format == CopyFormat::Binary || options.header != CopyHeader::None,
            options,
            is_ended: false,
            batches: VecDeque::new(),
            scratch: Vec::new(),
        }
    }

    /// Rows read so far.
    #[cfg(test)]
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Reads a piece of the data.
    ///
    /// # Errors
    /// PostgreSQL's own, with the line and column as context; the reader must then be dropped.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), TypeError> {
        if self.is_ended {
            return Ok(());
        }
        if self.options.format == CopyFormat::Binary {
            return self.push_binary(bytes);
        }
        let mut rest = bytes;
        while let Some(end) = self.finder.find(rest) {
            let (line, after) = rest.split_at(end);
            if self.pending.is_empty() {
                self.read_line(line)?;
            } else {
                let mut joined = std::mem::take(&mut self.pending);
                joined.extend_from_slice(line);
                self.read_line(&joined)?;
                joined.clear();
                self.pending = joined;
            }
            if self.is_ended {
                return Ok(());
            }
            rest = after;
        }
        self.keep(rest)
    }

    fn keep(&mut self, rest: &[u8]) -> Result<(), TypeError> {
        if self.pending.len() + rest.len() > LINE_BYTES_MAX {
            let error = TypeError::new("54000", "COPY line is too long");
            self.line += 1;
            return Err(error.with_context(format!("COPY {}, line {}", self.table, self.line)));
        }
        self.pending.extend_from_slice(rest);
        Ok(())
    }

    /// Reads what is left when the data has ended, and closes the last batch.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub(crate) fn finish(&mut self) -> Result<(), TypeError> {
        let last = std::mem::take(&mut self.pending);
        if self.options.format == CopyFormat::Binary {
            // PostgreSQL does without the trailer too.
            if !self.is_ended && (self.header_due || !last.is_empty()) {
                self.line += u64::from(self.header_due || !last.is_empty());
                let error = if self.header_due {
                    TypeError::new("22P04", "COPY file signature not recognized")
                } else {
                    TypeError::new("22P04", "unexpected EOF in COPY data")
                };
                return Err(error.with_context(format!("COPY {}, line {}", self.table, self.line)));
            }
        } else if !last.is_empty() && !self.is_ended {
            if self.finder.is_quoted() {
                self.line += 1;
                let error = TypeError::new("22P04", "unterminated CSV quoted field");
                return Err(self.in_line(LineError::from(error), &last));
            }
            self.read_line(&last)?;
        }
        self.close_batch()
    }

    /// A batch that is complete.
    pub(crate) fn next_batch(&mut self) -> Option<RecordBatch> {
        self.batches.pop_front()
    }

    fn close_batch(&mut self) -> Result<(), TypeError> {
        if self.rows_in_batch == 0 {
            return Ok(());
        }
        let arrays = self.columns.iter_mut().map(|column| column.values.finish());
        let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
        let options =
            arrow::record_batch::RecordBatchOptions::new().with_row_count(Some(self.rows_in_batch));
        let schema = Arc::clone(&self.schema);
        self.batches.push_back(RecordBatch::try_new_with_options(schema, arrays, &options)?);
        self.rows_in_batch = 0;
        Ok(())
    }

    fn end_row(&mut self) -> Result<(), TypeError> {
        self.rows += 1;
        self.rows_in_batch += 1;
        if self.rows_in_batch >= self.batch_rows { self.close_batch() } else { Ok(()) }
    }

    /// Reads a line with its end.
    fn read_line(&mut self, line: &[u8]) -> Result<(), TypeError> {
        self.line += 1;
        let stripped = match self.finder.strip(line) {
            Ok(stripped) => stripped,
            Err(error) => return Err(self.in_line(LineError::in_bytes(error), line)),
        };
        let stripped = match self.finder.before_end_marker(stripped) {
            Some(before) => {
                self.is_ended = true;
                if before.is_empty() {
                    return Ok(());
                }
                before
            }
            None => stripped,
        };
        let read = if std::mem::take(&mut self.header_due) {
            self.read_header(stripped)
        } else {
            self.read_row(stripped)
        };
        read.map_err(|error| self.in_line(error, stripped))
    }

    fn read_row(&mut self, line: &[u8]) -> Result<(), LineError> {
        if self.columns.is_empty() {
            if !line.is_empty() {
                return Err(extra_data().into());
            }
        } else {
            match self.options.format {
                CopyFormat::Csv => self.read_csv_row(line)?,
                _ => self.read_text_row(line)?,
            }
        }
        Ok(self.end_row()?)
    }

    fn read_text_row(&mut self, line: &[u8]) -> Result<(), LineError> {
        self.finder.check_inside(line).map_err(LineError::in_bytes)?;
        let mut rest = Some(line);
        for (index, column) in self.columns.iter_mut().enumerate() {
            let field = text::next_field(&mut rest, self.options.delimiter);
            let (field, has_escapes) = field.ok_or_else(|| missing_data(&column.name))?;
            if field == self.options.null {
                column.values.push_null();
                continue;
            }
            let value = if has_escapes {
                text::unescape(field, &mut self.scratch).ok_or_else(corrupt_marker)?;
                &self.scratch
            } else {
                field
            };
            column.values.push_text(Some(value)).map_err(|error| at_field(error, index, value))?;
        }
        if rest.is_some() { Err(extra_data().into()) } else { Ok(()) }
    }

    fn read_csv_row(&mut self, line: &[u8]) -> Result<(), LineError> {
        let mut rest = Some(line);
        let CopyOptions { delimiter, quote, escape, .. } = self.options;
        for (index, column) in self.columns.iter_mut().enumerate() {
            let field = csv::next_field(&mut rest, delimiter, quote, escape, &mut self.scratch);
            let field = field.ok_or_else(|| missing_data(&column.name))?;
            let field =
                field.map_err(|()| TypeError::new("22P04", "unterminated CSV quoted field"))?;
            let value = field.plain.unwrap_or(&self.scratch);
            // A quoted field is not NULL, unless that is forced.
            let is_null = value == self.options.null
                && match field.plain {
                    Some(_) => !column.force_not_null,
                    None => column.force_null,
                };
            if is_null {
                column.values.push_null();
                continue;
            }
            column.values.push_text(Some(value)).map_err(|error| at_field(error, index, value))?;
        }
        if rest.is_some() { Err(extra_data().into()) } else { Ok(()) }
    }

    /// Skips the header; with HEADER MATCH checks that it names the columns.
    fn read_header(&mut self, line: &[u8]) -> Result<(), LineError> {
        if self.options.header != CopyHeader::Match {
            return Ok(());
        }
        let names = self.header_names(line)?;
        let invalid = |message: String| LineError::from(TypeError::new("22P04", message));
        if names.len() != self.columns.len() {
            return Err(invalid(format!(
                "wrong number of fields in header line: got {}, expected {}",
                names.len(),
                self.columns.len()
            )));
        }
        for (index, (name, column)) in names.iter().zip(&self.columns).enumerate() {
            let field = index + 1;
            let expected = &column.name;
            match name {
                Some(name) if *name == expected.as_bytes() => {}
                Some(name) => {
                    return Err(invalid(format!(
                        "column name mismatch in header line field {field}: got \"{}\", expected \
                         \"{expected}\"",
                        lossy(name)
                    )));
                }
                None => {
                    return Err(invalid(format!(
                        "column name mismatch in header line field {field}: got null value \
                         (\"{}\"), expected \"{expected}\"",
                        lossy(&self.options.null)
                    )));
                }
            }
        }
        Ok(())
    }

    fn header_names(&mut self, line: &[u8]) -> Result<Vec<Option<Vec<u8>>>, LineError> {
        let CopyOptions { delimiter, quote, escape, .. } = self.options;
        let null = &self.options.null;
        let mut names = Vec::new();
        let mut rest = Some(line);
        if self.options.format == CopyFormat::Csv {
            while let Some(field) =
                csv::next_field(&mut rest, delimiter, quote, escape, &mut self.scratch)
            {
                let field =
                    field.map_err(|()| TypeError::new("22P04", "unterminated CSV quoted field"))?;
                names.push(match field.plain {
                    Some(plain) if plain == null => None,
                    plain => Some(plain.unwrap_or(&self.scratch).to_vec()),
                });
            }
            return Ok(names);
        }
        while let Some((field, _)) = text::next_field(&mut rest, delimiter) {
            if field == null {
                names.push(None);
                continue;
            }
            text::unescape(field, &mut self.scratch).ok_or_else(corrupt_marker)?;
            names.push(Some(self.scratch.clone()));
        }
        Ok(names)
    }

    fn push_binary(&mut self, bytes: &[u8]) -> Result<(), TypeError> {
        self.keep(bytes)?;
        let pending = std::mem::take(&mut self.pending);
        let mut at = 0;
        if self.header_due {
            match binary::read_header(&pending)? {
                binary::Header::Partial => {
                    self.pending = pending;
                    return Ok(());
                }
                binary::Header::Length(length) => {
                    at = length;
                    self.header_due = false;
                }
            }
        }
        while !self.is_ended {
            let rest = pending.get(at..).unwrap_or_default();
            match self.read_binary_row(rest) {
                Ok(Some(used)) => at += used,
                Ok(None) => break,
                Err(error) => return Err(self.in_line(error, b"")),
            }
        }
        let mut pending = pending;
        pending.drain(..at.min(pending.len()));
        self.pending = pending;
        Ok(())
    }

    /// Reads a row at the front of `bytes`, if all of it is there; gives its length.
    fn read_binary_row(&mut self, bytes: &[u8]) -> Result<Option<usize>, LineError> {
        let Some((fields, mut rest)) = bytes.split_first_chunk::<2>() else { return Ok(None) };
        let fields = i16::from_be_bytes(*fields);
        if fields == -1 {
            self.is_ended = true;
            return Ok(Some(bytes.len()));
        }
        let expected = self.columns.len();
        if usize::try_from(fields) != Ok(expected) {
            self.line += 1;
            let message = format!("row field count is {fields}, expected {expected}");
            return Err(TypeError::new("22P04", message).into());
        }
        // Complete rows only: a column must not get a value of a row that is read again.
        let mut values = Vec::with_capacity(expected);
        for _ in 0..expected {
            let used = match binary::read_field(rest)? {
                binary::Field::Partial => return Ok(None),
                binary::Field::Null => {
                    values.push(None);
                    4
                }
                binary::Field::Value(value, used) => {
                    values.push(Some(value));
                    used
                }
            };
            rest = rest.get(used..).unwrap_or_default();
        }
        self.line += 1;
        for (index, (column, value)) in self.columns.iter_mut().zip(values).enumerate() {
            column.values.push_binary(value).map_err(|error| LineError {
                error: Box::new(error),
                place: Place::Field(index, None),
            })?;
        }
        self.end_row()?;
        Ok(Some(bytes.len() - rest.len()))
    }

    /// The error with PostgreSQL's context line.
    fn in_line(&self, error: LineError, line: &[u8]) -> TypeError {
        let LineError { error, place } = error;
        let numbered = format!("COPY {}, line {}", self.table, self.line);
        let name = |index: usize| self.columns.get(index).map_or("", |column| &column.name);
        let context = match place {
            Place::Field(index, Some(value)) => {
                format!("{numbered}, column {}: \"{}\"", name(index), shortened(&value))
            }
            Place::Field(index, None) => format!("{numbered}, column {}", name(index)),
            Place::Line if self.options.format != CopyFormat::Binary => {
                format!("{numbered}: \"{}\"", shortened(line))
            }
            Place::Line | Place::Bytes => numbered,
        };
        match error.context.clone() {
            // JSON has a context line of its own, which comes first.
            Some(inner) => error.with_context(format!("{inner}\n{context}")),
            None => error.with_context(context),
        }
    }
}

fn at_field(error: TypeError, index: usize, value: &[u8]) -> LineError {
    if error.sqlstate == "22021" {
        return LineError::in_bytes(error);
    }
    LineError { error: Box::new(error), place: Place::Field(index, Some(value.to_vec())) }
}

fn corrupt_marker() -> LineError {
    LineError::in_bytes(TypeError::new("22P04", "end-of-copy marker corrupt"))
}

fn missing_data(column: &str) -> TypeError {
    TypeError::new("22P04", format!("missing data for column \"{column}\""))
}

fn extra_data() -> TypeError {
    TypeError::new("22P04", "extra data after last expected column")
}

/// A value as a message shows it: a hundred bytes at most.
fn shortened(value: &[u8]) -> String {
    const SHOWN_BYTES_MAX: usize = 100;
    let text = lossy(value);
    if text.len() <= SHOWN_BYTES_MAX {
        return text.into_owned();
    }
    format!("{}...", text.get(..text.floor_char_boundary(SHOWN_BYTES_MAX)).unwrap_or_default())
}
