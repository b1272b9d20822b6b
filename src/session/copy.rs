//! COPY, both ways. What the bytes look like is `types::copy`'s business; here are the rows' way in and out.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use datafusion::common::{DFSchema, TableReference};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::logical_expr::{EmptyRelation, Extension, LogicalPlan};
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use futures::StreamExt;
use sqlparser::ast::{
    CopyLegacyOption, CopyOption, CopySource, CopyTarget, Expr, Ident, ObjectName, Statement as Sql,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::copy_filter::CopyFilter;
use super::engine::Engine;
use super::outcome::{Completion, CopyFraming, CopyIn, CopyOut, Outcome};
use super::pipeline::{self, Executed};
use super::session_impl::Session;
use crate::access::admit;
use crate::access::policy::row_security_applies;
use crate::catalog::pg::describe::quote_identifier;
use crate::catalog::{Column, ColumnDefault, Relation, Table, predefined_role};
use crate::error::{PgError, SqlState};
use crate::parser::sql::copy_where;
use crate::parser::{Body, Statement};
use crate::planner::bind::bound::Bound;
use crate::planner::bind::sql::column_value::default_of;
use crate::planner::bind::sql::{
    assign_expression, bind_expression, bind_query, fold, qualified_name, write_target,
};
use crate::planner::node::{TableWrite, WriteKind};
use crate::storage::fs::{FileSystem, LocalFileSystem};
use crate::types::copy::{
    CopyColumn, CopyColumns, CopyFormat, CopyHeader, CopyOptionTexts, CopyOptions, CopyReader,
    CopyWriter,
};
use crate::types::{Oid, TenantId, TypeError};

/// Rows of the batches a COPY makes.
const BATCH_ROWS: usize = 65_536;
/// Pieces of data that may wait for the reader.
const QUEUED_PIECES: usize = 16;
/// Bytes read from a file at a time.
const FILE_PIECE_BYTES: usize = 1 << 20;

/// A `COPY … FROM STDIN` that is being fed.
pub(super) struct CopyTask {
    table: Arc<Relation>,
    columns: Vec<usize>,
    filter: Option<CopyFilter>,
    reading: JoinHandle<Result<Read, PgError>>,
}

/// What was read, and the memory it holds.
struct Read {
    batches: Vec<RecordBatch>,
    _memory: MemoryReservation,
}

impl Drop for CopyTask {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

impl CopyTask {
    /// Waits for the data's end and writes the rows.
    pub(super) async fn finish(mut self, session: &mut Session) -> Result<String, PgError> {
        let read = match (&mut self.reading).await {
            Ok(read) => read?,
            Err(error) if error.is_panic() => {
                return Err(PgError::internal("COPY failed unexpectedly"));
            }
            Err(_) => return Err(session.shared.canceled()),
        };
        let filter = self.filter.as_ref();
        let rows = write(session, &self.table, &self.columns, filter, read.batches).await?;
        Ok(format!("COPY {rows}"))
    }
}

/// Runs COPY; `None` if the statement is another.
pub(super) async fn run(
    session: &mut Session,
    statement: &Statement,
) -> Result<Option<Outcome>, PgError> {
    let Body::Sql { statement: sql, .. } = &statement.body else { return Ok(None) };
    let Sql::Copy { source, to, target, options, legacy_options, values } = sql.as_ref() else {
        return Ok(None);
    };
    if !values.is_empty() {
        return Err(PgError::new(
            SqlState::SYNTAX_ERROR,
            "COPY takes its data from the protocol, not from the statement",
        ));
    }
    let said = Said::new(options, legacy_options)?;
    session.refresh_rights();
    match (to, target) {
        (true, _) if said.freeze => Err(PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "COPY freeze only available using COPY FROM",
        )),
        // As in PostgreSQL either word does for either direction.
        (true, CopyTarget::Stdout | CopyTarget::Stdin) => {
            copy_out(session, source, said, statement).await.map(Some)
        }
        (false, CopyTarget::Stdin | CopyTarget::Stdout) => {
            copy_in(session, source, said).await.map(Some)
        }
        (false, CopyTarget::File { filename }) => {
            copy_file(session, source, said, filename).await.map(|tag| Some(Outcome::Command(tag)))
        }
        (true, CopyTarget::File { .. }) => {
            check_server_files(session, predefined_role::WRITE_SERVER_FILES, "to a file")?;
            Err(PgError::unsupported(
                "COPY to a file is not supported",
                "Use COPY … TO STDOUT; psql's \\copy writes it to a file of yours.",
            ))
        }
        (_, CopyTarget::Program { .. }) => {
            let what = "to or from an external program";
            check_server_files(session, predefined_role::EXECUTE_SERVER_PROGRAM, what)?;
            Err(PgError::unsupported("COPY with PROGRAM is not supported", "Use psql's \\copy."))
        }
    }
}

/// The options of a COPY as written.
struct Said {
    format: FileFormat,
    /// The table must be this transaction's own. Its rows need no freezing: they carry no transaction's number.
    freeze: bool,
    texts: CopyOptionTexts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileFormat {
    Copy,
    Parquet,
    Json,
}

impl Said {
    fn new(options: &[CopyOption], legacy: &[CopyLegacyOption]) -> Result<Self, PgError> {
        let mut said =
            Self { format: FileFormat::Copy, freeze: false, texts: CopyOptionTexts::default() };
        for option in options {
            said.option(option)?;
        }
        for option in legacy {
            said.legacy(option)?;
        }
        Ok(said)
    }

    fn option(&mut self, option: &CopyOption) -> Result<(), PgError> {
        let texts = &mut self.texts;
        match option {
            CopyOption::Format(name) => match fold(name).as_str() {
                "text" => texts.format = CopyFormat::Text,
                "csv" => texts.format = CopyFormat::Csv,
                "binary" => texts.format = CopyFormat::Binary,
                "parquet" => self.format = FileFormat::Parquet,
                "json" => self.format = FileFormat::Json,
                other => {
                    return Err(PgError::new(
                        SqlState::INVALID_PARAMETER_VALUE,
                        format!("COPY format \"{other}\" not recognized"),
                    ));
                }
            },
            CopyOption::Freeze(freeze) => self.freeze = *freeze,
            CopyOption::Delimiter(delimiter) => texts.delimiter = Some(delimiter.to_string()),
            CopyOption::Null(null) => texts.null = Some(null.clone()),
            CopyOption::Header(true) => texts.header = CopyHeader::Present,
            CopyOption::Header(false) => texts.header = CopyHeader::None,
            CopyOption::Quote(quote) => texts.quote = Some(quote.to_string()),
            CopyOption::Escape(escape) => texts.escape = Some(escape.to_string()),
            CopyOption::ForceQuote(columns) => texts.force_quote = named(columns),
            CopyOption::ForceNotNull(columns) => texts.force_not_null = named(columns),
            CopyOption::ForceNull(columns) => texts.force_null = named(columns),
            CopyOption::Encoding(encoding) => {
                match encoding.to_lowercase().replace('-', "").as_str() {
                    "utf8" => {}
                    _ => {
                        return Err(PgError::unsupported(
                            format!("COPY encoding \"{encoding}\" is not supported"),
                            "Convert the data to UTF8.",
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    fn legacy(&mut self, option: &CopyLegacyOption) -> Result<(), PgError> {
        let texts = &mut self.texts;
        match option {
            CopyLegacyOption::Binary => texts.format = CopyFormat::Binary,
            CopyLegacyOption::Delimiter(delimiter) => texts.delimiter = Some(delimiter.to_string()),
            CopyLegacyOption::Null(null) => texts.null = Some(null.clone()),
            CopyLegacyOption::Csv(options) => {
                use sqlparser::ast::CopyLegacyCsvOption as Csv;
                texts.format = CopyFormat::Csv;
                for option in options {
                    match option {
                        Csv::Header => texts.header = CopyHeader::Present,
                        Csv::Quote(quote) => texts.quote = Some(quote.to_string()),
                        Csv::Escape(escape) => texts.escape = Some(escape.to_string()),
                        Csv::ForceQuote(columns) => texts.force_quote = named(columns),
                        Csv::ForceNotNull(columns) => texts.force_not_null = named(columns),
                    }
                }
            }
            other => {
                return Err(PgError::new(
                    SqlState::SYNTAX_ERROR,
                    format!("syntax error at or near \"{other}\""),
                ));
            }
        }
        Ok(())
    }

    /// The checked options of a COPY in one of PostgreSQL's formats.
    fn check(mut self, reads: bool) -> Result<CopyOptions, PgError> {
        if self.format != FileFormat::Copy {
            return Err(PgError::unsupported(
                "the formats parquet and json are for files on the server",
                "Use COPY table FROM '/path' (FORMAT parquet).",
            ));
        }
        self.texts.reads = reads;
        Ok(CopyOptions::check(self.texts)?)
    }
}

fn named(columns: &[Ident]) -> CopyColumns {
    CopyColumns::Named(columns.iter().map(fold).collect())
}

/// The table's name and the columns that are named, and the condition of `WHERE`.
type Parts<'a> = (&'a ObjectName, Cow<'a, [Ident]>, Option<&'a Expr>);

fn parts(source: &CopySource) -> Result<Parts<'_>, PgError> {
    match source {
        CopySource::Table { table_name, columns } => Ok((table_name, columns.into(), None)),
        CopySource::Query(query) => {
            let Some((table, columns, condition)) = copy_where::filtered(query) else {
                return Err(PgError::new(SqlState::SYNTAX_ERROR, "COPY FROM takes a table"));
            };
            Ok((table, columns.into(), Some(condition)))
        }
    }
}

/// What decides which rows are written, if something does.
fn filter_of(
    session: &Session,
    relation: &Relation,
    source: &CopySource,
) -> Result<Option<CopyFilter>, PgError> {
    let (_, _, condition) = parts(source)?;
    condition.map(|condition| CopyFilter::bind(session, relation, condition)).transpose()
}

/// The table, and the positions of the columns that are copied.
fn table_of(
    session: &mut Session,
    source: &CopySource,
) -> Result<(Arc<Relation>, Vec<usize>), PgError> {
    session.statement_snapshot()?;
    let Some(transaction) = &session.transaction else {
        return Err(PgError::internal("no transaction"));
    };
    let context = session.bind_context(transaction, Default::default());
    let (table_name, columns, _) = parts(source)?;
    let (relation, table) = write_target(&context, table_name)?;
    let positions = positions(&relation, &table, &columns)?;
    Ok((relation, positions))
}

/// The same, locked for writing.
async fn locked_table(
    session: &mut Session,
    source: &CopySource,
    freeze: bool,
) -> Result<(Arc<Relation>, Vec<usize>), PgError> {
    let found = loop {
        let found = table_of(session, source)?;
        if session.lock_to_insert(found.0.oid).await? {
            break found;
        }
    };
    let own = session.transaction.as_ref().is_some_and(|t| t.writes.lock().owns(found.0.oid));
    if freeze && !own {
        return Err(PgError::new(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            "cannot perform COPY FREEZE because the table was not created or truncated in the current subtransaction",
        ));
    }
    Ok(found)
}

fn positions(relation: &Relation, table: &Table, names: &[Ident]) -> Result<Vec<usize>, PgError> {
    let is_generated = |at: &usize| {
        let column = table.columns.get(*at);
        matches!(column.and_then(|c| c.default.as_ref()), Some(ColumnDefault::Generated(_)))
    };
    if names.is_empty() {
        return Ok((0..table.columns.len()).filter(|at| !is_generated(at)).collect());
    }
    let mut positions = Vec::with_capacity(names.len());
    for name in names {
        let name = fold(name);
        let at = table.position(&name).ok_or_else(|| {
            PgError::new(
                SqlState::UNDEFINED_COLUMN,
                format!("column \"{name}\" of relation \"{}\" does not exist", relation.name),
            )
        })?;
        if is_generated(&at) {
            return Err(PgError::new(
                SqlState::INVALID_COLUMN_REFERENCE,
                format!("column \"{name}\" is a generated column"),
            )
            .detail("Generated columns cannot be used in COPY."));
        }
        if positions.contains(&at) {
            return Err(PgError::new(
                SqlState::DUPLICATE_COLUMN,
                format!("column \"{name}\" specified more than once"),
            ));
        }
        positions.push(at);
    }
    Ok(positions)
}

fn copy_columns(relation: &Relation, positions: &[usize]) -> Vec<CopyColumn> {
    positions
        .iter()
        .filter_map(|at| relation.columns().get(*at))
        .map(|column| CopyColumn { name: column.name.clone(), ty: column.ty.clone() })
        .collect()
}

/// The gate: copying into a table is inserting into it.
fn admit_insert(
    session: &Session,
    relation: &Arc<Relation>,
    columns: &[usize],
) -> Result<(), PgError> {
    if session.transaction.as_ref().is_some_and(|transaction| transaction.read_only) {
        return Err(PgError::new(
            SqlState::READ_ONLY_SQL_TRANSACTION,
            "cannot execute COPY FROM in a read-only transaction",
        ));
    }
    let rows = LogicalPlan::EmptyRelation(EmptyRelation {
        produce_one_row: false,
        schema: Arc::new(DFSchema::empty()),
    });
    let name = TableReference::bare(relation.name.as_str());
    let node =
        TableWrite::try_new(Arc::clone(relation), WriteKind::Insert, Arc::new(rows), 0, &name)?
            .inserting(columns.to_vec());
    let caller = session.shared.caller();
    let plan = LogicalPlan::Extension(Extension { node: Arc::new(node) });
    admit(plan, &caller, &session.current_context()?)?;
    if row_security_applies(relation, caller.roles()).is_some() {
        return Err(PgError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            "COPY FROM not supported with row-level security",
        )
        .hint("Use INSERT statements instead."));
    }
    Ok(())
}

fn reader(
    session: &Session,
    relation: &Relation,
    columns: &[usize],
    options: CopyOptions,
) -> CopyReader {
    let settings = session.shared.settings.lock().input(session.shared.now().transaction_us);
    CopyReader::new(
        &relation.name,
        &copy_columns(relation, columns),
        options,
        &settings,
        BATCH_ROWS,
    )
}

fn reservation(engine: &Engine) -> MemoryReservation {
    MemoryConsumer::new("COPY").register(engine.runtime.task_context().memory_pool())
}

async fn copy_in(
    session: &mut Session,
    source: &CopySource,
    said: Said,
) -> Result<Outcome, PgError> {
    let (relation, columns) = locked_table(session, source, said.freeze).await?;
    admit_insert(session, &relation, &columns)?;
    let filter = filter_of(session, &relation, source)?;
    let options = said.check(true)?;
    let binary = options.format == CopyFormat::Binary;
    let mut reader = reader(session, &relation, &columns, options);
    let memory = reservation(&session.engine);
    let (sender, mut receiver) = mpsc::channel::<Result<bytes::Bytes, PgError>>(QUEUED_PIECES);
    let reading = async move {
        let mut read = Read { batches: Vec::new(), _memory: memory };
        while let Some(piece) = receiver.recv().await {
            reader.push(&piece?)?;
            read.take(&mut reader)?;
        }
        reader.finish()?;
        read.take(&mut reader)?;
        Ok(read)
    };
    let Some(reading) = session.engine.common.compute.spawn(reading) else {
        return Err(PgError::new(SqlState::ADMIN_SHUTDOWN, "the server is shutting down"));
    };
    let count = columns.len();
    session.copy = Some(CopyTask { table: relation, columns, filter, reading });
    Ok(Outcome::CopyIn(CopyIn { columns: count, binary, data: sender }))
}

impl Read {
    /// Takes the batches that are complete.
    fn take(&mut self, reader: &mut CopyReader) -> Result<(), PgError> {
        while let Some(batch) = reader.next_batch() {
            self._memory.try_grow(batch.get_array_memory_size()).map_err(PgError::from)?;
            self.batches.push(batch);
        }
        Ok(())
    }
}

/// Writes copied rows, the columns that were not copied by their defaults; how many were written.
async fn write(
    session: &mut Session,
    relation: &Arc<Relation>,
    columns: &[usize],
    filter: Option<&CopyFilter>,
    batches: Vec<RecordBatch>,
) -> Result<usize, PgError> {
    let Some(transaction) = &session.transaction else {
        return Err(PgError::internal("no transaction"));
    };
    let Some(table) = relation.table() else { return Err(PgError::internal("not a table")) };
    let context = session.bind_context(transaction, Default::default());
    let empty = DFSchema::empty();
    let mut defaults = Vec::with_capacity(table.columns.len());
    for (at, column) in table.columns.iter().enumerate() {
        defaults.push(match (&column.default, columns.contains(&at)) {
            (Some(ColumnDefault::Generated(_)), false) | (_, true) => None,
            (None, false) if column.domain.is_none() => None,
            (Some(ColumnDefault::Expression(_) | ColumnDefault::Identity { .. }) | None, false) => {
                let expr = bind_expression(&context, &default_of(&context, column)?, &empty)?;
                let expr = assign_expression(&context, expr, &column.ty, &empty)?;
                Some(super::stored_expressions::physical_expression(
                    &session.engine,
                    &expr,
                    &empty,
                )?)
            }
        });
    }
    let shape = |batch: RecordBatch| -> Result<RecordBatch, PgError> {
        let rows = batch.num_rows();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let no_columns = RecordBatch::try_new_with_options(
            Arc::new(arrow::datatypes::Schema::empty()),
            Vec::new(),
            &options,
        )?;
        let arrays = table
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| {
                match (columns.iter().position(|copied| *copied == at), &defaults[at]) {
                    (Some(from), _) => Ok(batch.column(from).clone()),
                    (None, Some(default)) => Ok(default.evaluate(&no_columns)?.into_array(rows)?),
                    (None, None) => Ok(arrow::array::new_null_array(&column.ty.arrow(), rows)),
                }
            })
            .collect::<Result<Vec<ArrayRef>, PgError>>()?;
        let fields: Vec<_> =
            table.columns.iter().map(|column| column.ty.field(&column.name, true)).collect();
        let schema = Arc::new(arrow::datatypes::Schema::new(fields));
        let rows = RecordBatch::try_new_with_options(schema, arrays, &options)?;
        let rows = match filter {
            Some(filter) => filter.keep(&rows)?,
            None => rows,
        };
        super::generated::compute(&session.engine, &context, relation, rows)
    };
    let batches = batches.into_iter().map(shape).collect::<Result<Vec<_>, _>>()?;
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    session.insert_rows(relation, batches).await?;
    Ok(rows)
}

/// The columns that COPY TO writes where none are named: all but generated ones.
fn stored_columns(session: &mut Session, name: &ObjectName) -> Result<String, PgError> {
    session.statement_snapshot()?;
    let Some(transaction) = &session.transaction else {
        return Err(PgError::internal("no transaction"));
    };
    let context = session.bind_context(transaction, Default::default());
    let relation = context.relation(&qualified_name(name)?)?;
    let is_generated =
        |column: &Column| matches!(column.default, Some(ColumnDefault::Generated(_)));
    if !relation.columns().iter().any(is_generated) {
        return Ok("*".to_owned());
    }
    let names = relation.columns().iter().filter(|column| !is_generated(column));
    Ok(names.map(|column| quote_identifier(&column.name)).collect::<Vec<_>>().join(", "))
}

async fn copy_out(
    session: &mut Session,
    source: &CopySource,
    said: Said,
    statement: &Statement,
) -> Result<Outcome, PgError> {
    let options = said.check(false)?;
    let graph_tables = match &statement.body {
        Body::Sql { graph_tables, .. } => graph_tables.clone(),
        Body::PropertyGraph(_) | Body::Cypher(_) | Body::Utility(_) => Vec::new(),
    };
    let query = match source {
        CopySource::Query(query) => query.as_ref().clone(),
        CopySource::Table { table_name, columns } => {
            let list = if columns.is_empty() {
                stored_columns(session, table_name)?
            } else {
                columns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            };
            crate::parser::stored::parse_query(&format!("SELECT {list} FROM {table_name}"))?
        }
    };
    let graph_tables = graph_tables.into();
    let plan = loop {
        session.statement_snapshot()?;
        let Some(transaction) = &session.transaction else {
            return Err(PgError::internal("no transaction"));
        };
        let context = session.bind_context(transaction, Default::default());
        let plan = Bound::Plan(bind_query(&context, &query, &graph_tables)?);
        if session.lock_bound(&plan).await? {
            break plan;
        }
    };
    let Bound::Plan(query_plan) = &plan else {
        return Err(PgError::internal("a query became something else"));
    };
    let columns: Vec<CopyColumn> = query_plan
        .columns
        .iter()
        .map(|column| CopyColumn { name: column.name.clone(), ty: column.ty.clone() })
        .collect();
    let Executed::Rows(rows) = Box::pin(pipeline::start(session, &plan, Vec::new())).await? else {
        return Err(PgError::internal("a query gave no rows"));
    };
    let rows = super::statements::read(&Arc::new(parking_lot::Mutex::new(rows)), 0)?;
    let framing = match options.format {
        CopyFormat::Text => CopyFraming::Lines,
        CopyFormat::Csv => CopyFraming::Csv { quote: options.quote, escape: options.escape },
        CopyFormat::Binary => CopyFraming::Pieces,
    };
    let binary = options.format == CopyFormat::Binary;
    let count = columns.len();
    let writer = CopyWriter::new(&columns, options, &session.output_settings());
    let (mut start, mut end) = (Vec::new(), Vec::new());
    writer.header(&mut start);
    writer.trailer(&mut end);
    let counted = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let count_rows = Arc::clone(&counted);
    let body = futures::stream::unfold((rows, writer), move |(mut rows, mut writer)| {
        let counted = Arc::clone(&count_rows);
        async move {
            let piece = match rows.next().await? {
                Ok(batch) => {
                    counted
                        .fetch_add(batch.num_rows() as u64, std::sync::atomic::Ordering::Relaxed);
                    let mut out = Vec::new();
                    let mut ends = Vec::new();
                    writer
                        .write(&batch, 0..batch.num_rows(), &mut out, &mut ends)
                        .map(|()| pieces(out, &ends, binary))
                        .map_err(PgError::from)
                }
                Err(error) => Err(error),
            };
            let pieces: Vec<Result<bytes::Bytes, PgError>> = match piece {
                Ok(pieces) => pieces.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            };
            Some((futures::stream::iter(pieces), (rows, writer)))
        }
    })
    .flatten();
    let trailer = (!end.is_empty()).then(|| Ok(bytes::Bytes::from(end)));
    let body = body.chain(futures::stream::iter(trailer));
    let data = if binary {
        // Clients expect the header and the first row in one message, as PostgreSQL sends them.
        let mut head = Some(start);
        body.map(move |piece| {
            let piece: bytes::Bytes = piece?;
            Ok(match head.take() {
                Some(head) => bytes::Bytes::from([head.as_slice(), piece.as_ref()].concat()),
                None => piece,
            })
        })
        .boxed()
    } else {
        let header = (!start.is_empty()).then(|| Ok(bytes::Bytes::from(start)));
        futures::stream::iter(header).chain(body).boxed()
    };
    let completion = move || {
        Completion::Complete(format!("COPY {}", counted.load(std::sync::atomic::Ordering::Relaxed)))
    };
    Ok(Outcome::CopyOut(CopyOut {
        columns: count,
        binary,
        data,
        framing,
        completion: Arc::new(completion),
    }))
}

/// Rows as pieces: in binary each row by itself, else all together, as the server finds their ends.
fn pieces(out: Vec<u8>, ends: &[usize], binary: bool) -> Vec<bytes::Bytes> {
    let out = bytes::Bytes::from(out);
    if !binary {
        return vec![out];
    }
    let mut start = 0;
    ends.iter().map(|end| out.slice(std::mem::replace(&mut start, *end)..*end)).collect()
}

/// Whether the caller may reach the server's own files or programs.
fn check_server_files(session: &Session, role: Oid, what: &str) -> Result<(), PgError> {
    // The files are the server's: in a tenant, rights are about the tenant's own things.
    let is_here = session.engine.tenant.id == TenantId::SYSTEM || session.is_operator();
    if is_here && session.shared.caller().has(role) {
        return Ok(());
    }
    let catalog = session.shared.catalog();
    let name = catalog.role(role).map_or("", |role| role.name.as_str());
    Err(PgError::new(
        SqlState::INSUFFICIENT_PRIVILEGE,
        format!("must be superuser or have privileges of the {name} role to COPY {what}"),
    )
    .hint("Anyone can COPY to stdout or from stdin. psql's \\copy command also works for anyone."))
}

/// `COPY t FROM '/path'`: for superusers, as only they may read the server's files.
async fn copy_file(
    session: &mut Session,
    source: &CopySource,
    said: Said,
    path: &str,
) -> Result<String, PgError> {
    check_server_files(session, predefined_role::READ_SERVER_FILES, "from a file")?;
    if !Path::new(path).is_absolute() {
        return Err(PgError::new(
            SqlState::INVALID_NAME,
            "relative path not allowed for COPY to file",
        ));
    }
    let (relation, columns) = locked_table(session, source, said.freeze).await?;
    admit_insert(session, &relation, &columns)?;
    let filter = filter_of(session, &relation, source)?;
    let batches = match said.format {
        FileFormat::Copy => {
            let reader = reader(session, &relation, &columns, said.check(true)?);
            read_copy_file(reader, path).await?
        }
        FileFormat::Parquet | FileFormat::Json => {
            let wanted = copy_columns(&relation, &columns);
            let format = said.format;
            let path = path.to_owned();
            let read =
                tokio::task::spawn_blocking(move || read_columnar_file(format, &path, &wanted));
            read.await.map_err(|_| PgError::internal("COPY failed unexpectedly"))??
        }
    };
    let rows = write(session, &relation, &columns, filter.as_ref(), batches).await?;
    Ok(format!("COPY {rows}"))
}

async fn read_copy_file(mut reader: CopyReader, path: &str) -> Result<Vec<RecordBatch>, PgError> {
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || -> Result<Vec<RecordBatch>, PgError> {
        use std::io::Read as _;
        let mut file = LocalFileSystem.open(Path::new(&path))?;
        let mut piece = vec![0u8; FILE_PIECE_BYTES];
        let mut batches = Vec::new();
        loop {
            let length = file.read(&mut piece).map_err(|error| {
                PgError::new(SqlState::IO_ERROR, format!("could not read file \"{path}\": {error}"))
            })?;
            if length == 0 {
                break;
            }
            reader.push(&piece[..length])?;
            batches.extend(std::iter::from_fn(|| reader.next_batch()));
        }
        reader.finish()?;
        batches.extend(std::iter::from_fn(|| reader.next_batch()));
        Ok(batches)
    });
    read.await.map_err(|_| PgError::internal("COPY failed unexpectedly"))?
}

/// Reads a file that has columns of its own: they are matched with the table's by name.
fn read_columnar_file(
    format: FileFormat,
    path: &str,
    wanted: &[CopyColumn],
) -> Result<Vec<RecordBatch>, PgError> {
    let file = LocalFileSystem.open(Path::new(path))?;
    let damaged = |error: &dyn std::fmt::Display| {
        PgError::new(
            SqlState::BAD_COPY_FILE_FORMAT,
            format!("could not read file \"{path}\": {error}"),
        )
    };
    let batches: Vec<RecordBatch> = match format {
        FileFormat::Parquet => {
            let builder =
                ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| damaged(&error))?;
            let reader =
                builder.with_batch_size(BATCH_ROWS).build().map_err(|error| damaged(&error))?;
            reader.collect::<Result<_, _>>().map_err(|error| damaged(&error))?
        }
        FileFormat::Json => {
            // Values are read as text and then by each column's own input function.
            let fields: Vec<_> = wanted
                .iter()
                .map(|column| {
                    arrow::datatypes::Field::new(
                        &column.name,
                        arrow::datatypes::DataType::Utf8,
                        true,
                    )
                })
                .collect();
            let schema = Arc::new(arrow::datatypes::Schema::new(fields));
            let reader = arrow::json::ReaderBuilder::new(schema)
                .with_coerce_primitive(true)
                .with_batch_size(BATCH_ROWS)
                .build(std::io::BufReader::new(file))
                .map_err(|error| damaged(&error))?;
            reader.collect::<Result<_, _>>().map_err(|error| damaged(&error))?
        }
        FileFormat::Copy => Vec::new(),
    };
    batches.iter().map(|batch| match_columns(batch, wanted, path)).collect()
}

fn match_columns(
    batch: &RecordBatch,
    wanted: &[CopyColumn],
    path: &str,
) -> Result<RecordBatch, PgError> {
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(wanted.len());
    for column in wanted {
        let found = batch.column_by_name(&column.name).ok_or_else(|| {
            PgError::new(
                SqlState::BAD_COPY_FILE_FORMAT,
                format!("file \"{path}\" has no column \"{}\"", column.name),
            )
        })?;
        let ty = column.ty.arrow();
        let is_text = matches!(
            found.data_type(),
            arrow::datatypes::DataType::Utf8
                | arrow::datatypes::DataType::Utf8View
                | arrow::datatypes::DataType::LargeUtf8
        );
        arrays.push(if is_text {
            crate::types::cast_text_array(found.as_ref(), &column.ty, &Default::default())
                .map_err(|error: TypeError| PgError::from(error).column(&column.name))?
        } else {
            cast(found, &ty).map_err(|error| PgError::from(error).column(&column.name))?
        });
    }
    let fields: Vec<_> = wanted.iter().map(|column| column.ty.field(&column.name, true)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        Arc::new(arrow::datatypes::Schema::new(fields)),
        arrays,
        &options,
    )?)
}
