//! Reads the records of files on the server, for each row of its input.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{Distribution, EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, stream};
use tokio::sync::mpsc;

use crate::error::{PgError, SqlState};
use crate::executor::csv_records::{CsvRecord, CsvRecords};
use crate::functions::cypher::{CypherType, Value, arrays};
use crate::planner::node::{CsvForm, LoadCsv};
use crate::storage::fs::{FileSystem, LocalFileSystem};

/// Bytes read from a file at a time.
const PIECE_BYTES: usize = 1 << 18;
/// Pieces that may wait to be cut into records.
const QUEUED_PIECES: usize = 2;

/// The records of the file that an expression names, for each row; see [`LoadCsv`].
///
/// A file is read as its records are asked for. Holds a few pieces of it and one batch of records, reserved from the pool.
///
/// # Errors
/// `22023` for what is no `file:` URL, `58P01` where there is no such file, `22P04` and `22021` for its contents, `53200`
/// where memory does not suffice.
pub struct LoadCsvExec {
    input: Arc<dyn ExecutionPlan>,
    source: Arc<dyn PhysicalExpr>,
    form: CsvForm,
    properties: Arc<PlanProperties>,
}

impl LoadCsvExec {
    /// The operator of a node; `source` is its expression.
    pub fn new(
        input: Arc<dyn ExecutionPlan>,
        source: Arc<dyn PhysicalExpr>,
        form: CsvForm,
        schema: SchemaRef,
    ) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        Self { input, source, form, properties: Arc::new(properties) }
    }
}

impl fmt::Debug for LoadCsvExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadCsvExec").field("source", &self.source).finish_non_exhaustive()
    }
}

impl DisplayAs for LoadCsvExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LoadCsvExec: {}", self.source)
    }
}

impl ExecutionPlan for LoadCsvExec {
    fn name(&self) -> &str {
        "LoadCsvExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        f(&self.source)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().unwrap_or_else(|| Arc::clone(&self.input));
        let (source, form) = (Arc::clone(&self.source), self.form.clone());
        Ok(Arc::new(Self::new(input, source, form, self.schema())))
    }

    fn execute(
        &self,
        _partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let schema = self.schema();
        let loading = Loading {
            input: self.input.execute(0, Arc::clone(&context))?,
            source: Arc::clone(&self.source),
            form: self.form.clone(),
            schema: Arc::clone(&schema),
            rows_max: context.session_config().batch_size().max(1),
            memory: MemoryConsumer::new("LoadCsvExec").register(context.memory_pool()),
            rows: None,
            file: None,
        };
        let batches = stream::try_unfold(loading, |mut loading| async move {
            Ok(loading.next().await?.map(|batch| (batch, loading)))
        });
        let stream = RecordBatchStreamAdapter::new(schema, batches.boxed());
        Ok(Box::pin(cooperative(stream)))
    }
}

/// Rows of the input, and how far they are done.
struct Loading {
    input: SendableRecordBatchStream,
    source: Arc<dyn PhysicalExpr>,
    form: CsvForm,
    schema: SchemaRef,
    rows_max: usize,
    memory: MemoryReservation,
    /// A batch, the URLs of its rows, and the row whose file is next.
    rows: Option<(RecordBatch, ArrayRef, usize)>,
    /// The file that is read, for the row before that.
    file: Option<Reading>,
}

impl Loading {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(file) = &mut self.file {
                let records = file.next(self.rows_max, &self.memory).await?;
                if !records.is_empty() {
                    return self.batch(&records).map(Some);
                }
                self.file = None;
            }
            let Some((batch, urls, row)) = &mut self.rows else {
                let Some(batch) = self.input.next().await else { return Ok(None) };
                let batch = batch?;
                let urls = self.source.evaluate(&batch)?.into_array(batch.num_rows())?;
                self.rows = Some((batch, urls, 0));
                continue;
            };
            if *row == batch.num_rows() {
                self.rows = None;
                continue;
            }
            let url = arrays::read(urls, &CypherType::String, *row)?;
            *row += 1;
            // No file has no records.
            if let Value::String(url) = url {
                self.file = Some(Reading::open(path_of(&url)?, &self.form));
            }
        }
    }

    /// Records beside the row that they are for.
    fn batch(&self, records: &[Record]) -> Result<RecordBatch> {
        let values: Vec<Value> = records.iter().map(Record::value).collect();
        let new = arrays::build(&values, &LoadCsv::record_type(self.form.with_headers))?;
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        if let Some((batch, _, next)) = &self.rows {
            let row = u32::try_from(next.saturating_sub(1)).unwrap_or(0);
            let rows = UInt32Array::from_value(row, records.len());
            for column in batch.columns() {
                columns.push(take(column, &rows, None)?);
            }
        }
        columns.push(new);
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

/// A record with the names of its fields, if they have some.
struct Record {
    fields: CsvRecord,
    names: Option<Arc<[Option<String>]>>,
}

impl Record {
    fn value(&self) -> Value {
        let text = |field: &Option<String>| field.clone().map_or(Value::Null, Value::String);
        match &self.names {
            None => Value::List(self.fields.iter().map(text).collect()),
            Some(names) => {
                let named = names.iter().enumerate().filter_map(|(at, name)| {
                    let value = self.fields.get(at).map_or(Value::Null, text);
                    Some((name.clone()?, value))
                });
                Value::map(named)
            }
        }
    }
}

/// A file that is read.
struct Reading {
    pieces: mpsc::Receiver<std::result::Result<Vec<u8>, PgError>>,
    cut: CsvRecords,
    with_headers: bool,
    names: Option<Arc<[Option<String>]>>,
    /// Records that were cut and not asked for yet, the next one last.
    waiting: Vec<CsvRecord>,
    is_ended: bool,
}

impl Reading {
    /// Begins to read; what is wrong with the file is told when its records are asked for.
    fn open(path: PathBuf, form: &CsvForm) -> Self {
        let (give, pieces) = mpsc::channel(QUEUED_PIECES);
        tokio::task::spawn_blocking(move || {
            let wrong = |error: std::io::Error| {
                let message = format!("could not read file \"{}\": {error}", path.display());
                PgError::new(SqlState::IO_ERROR, message)
            };
            let mut file = match LocalFileSystem.open(&path) {
                Ok(file) => file,
                Err(error) => {
                    let _ = give.blocking_send(Err(error.into()));
                    return;
                }
            };
            loop {
                let mut piece = vec![0u8; PIECE_BYTES];
                let read = file.read(&mut piece).map_err(wrong);
                if matches!(read, Ok(0)) {
                    return;
                }
                let given = read.map(|length| {
                    piece.truncate(length);
                    piece
                });
                let is_error = given.is_err();
                // Nobody waits for more where the statement is over.
                if give.blocking_send(given).is_err() || is_error {
                    return;
                }
            }
        });
        Self {
            pieces,
            cut: CsvRecords::new(form.terminator),
            with_headers: form.with_headers,
            names: None,
            waiting: Vec::new(),
            is_ended: false,
        }
    }

    /// The next records, at most so many; none at the end.
    async fn next(&mut self, rows_max: usize, memory: &MemoryReservation) -> Result<Vec<Record>> {
        while self.waiting.is_empty() && !self.is_ended {
            match self.pieces.recv().await {
                Some(piece) => self.cut.push(&piece?, &mut self.waiting)?,
                None => {
                    self.is_ended = true;
                    self.cut.finish(&mut self.waiting)?;
                }
            }
            self.waiting.reverse();
            if self.with_headers && self.names.is_none() {
                self.names = self.waiting.pop().map(Into::into);
            }
            let bytes = |record: &CsvRecord| {
                record.iter().flatten().map(String::len).sum::<usize>() + record.len() * 24
            };
            let held = self.waiting.iter().map(bytes).sum::<usize>()
                + self.cut.pending_bytes()
                + (QUEUED_PIECES + 1) * PIECE_BYTES;
            memory.try_resize(held)?;
        }
        let from = self.waiting.len().saturating_sub(rows_max);
        let names = self.names.clone();
        let taken = self.waiting.split_off(from).into_iter().rev();
        Ok(taken.map(|fields| Record { fields, names: names.clone() }).collect())
    }
}

/// The path of a `file:` URL.
///
/// # Errors
/// `0A000` for other schemes, `22023` for what is no URL or names no file here.
fn path_of(url: &str) -> std::result::Result<PathBuf, PgError> {
    let invalid = |why: &str| {
        PgError::new(SqlState::INVALID_PARAMETER_VALUE, format!("invalid URL \"{url}\": {why}"))
            .hint("Write file:///path/of/the/file.csv.")
    };
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err(invalid("it has no scheme"));
    };
    if !scheme.eq_ignore_ascii_case("file") {
        return Err(PgError::unsupported(
            format!("LOAD CSV from {scheme}: is not supported"),
            "Files of the server can be read: file:///path/of/the/file.csv.",
        ));
    }
    let path = match rest.strip_prefix("//") {
        None => rest,
        Some(rest) => {
            rest.strip_prefix("localhost").filter(|path| path.starts_with('/')).unwrap_or(rest)
        }
    };
    if !path.starts_with('/') {
        return Err(invalid("the path is not absolute, or it names another host"));
    }
    let bytes = percent_decoded(path.as_bytes())
        .ok_or_else(|| invalid("a % is not followed by two digits"))?;
    let path = String::from_utf8(bytes).map_err(|_| invalid("the path is no UTF-8"))?;
    match path.contains('\0') {
        true => Err(invalid("the path has a zero byte")),
        false => Ok(Path::new(&path).to_path_buf()),
    }
}

fn percent_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        if *byte != b'%' {
            out.push(*byte);
            continue;
        }
        let mut digit = || char::from(*bytes.next()?).to_digit(16);
        out.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_files_are_paths() {
        let path = |url: &str| path_of(url).map(|path| path.display().to_string());
        assert_eq!(path("file:///a/b%20c.csv").unwrap(), "/a/b c.csv");
        assert_eq!(path("file:/a.csv").unwrap(), "/a.csv");
        assert_eq!(path("FILE://localhost/a.csv").unwrap(), "/a.csv");
        for wrong in
            ["a.csv", "file://elsewhere/a.csv", "file:a.csv", "file:///a%2", "file:///a%00"]
        {
            assert_eq!(
                path(wrong).unwrap_err().code(),
                SqlState::INVALID_PARAMETER_VALUE,
                "{wrong}"
            );
        }
        assert_eq!(path("https://a/b").unwrap_err().code(), SqlState::FEATURE_NOT_SUPPORTED);
    }
}
