//! Running a statement of a body.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::ScalarValue;
use futures::StreamExt as _;

use super::frame::{Frame, Typed};
use super::names::{Parameters, has_tables, is_missing, refuse_ambiguous, substitute};
use crate::error::{PgError, SqlState};
use crate::parser::sql::definition::Definition;
use crate::parser::{Body, Statement, Utility};
use crate::session::outcome::{Outcome, OutputColumn, RowStream};
use crate::session::pipeline::{self, Executed, is_plan};
use crate::session::session_impl::Session;
use crate::session::statements::{Prepared, read};
use crate::types::pg_type::PgType;

/// A statement with parameters in the place of variables.
#[derive(Debug, Clone)]
pub(super) struct Compiled {
    prepared: Arc<Prepared>,
    parameters: Parameters,
    /// The types that the variables had.
    types: Vec<PgType>,
}

/// What a statement gave.
#[derive(Debug)]
pub(super) struct Given {
    /// Its columns; none if it gives no rows.
    pub(super) columns: Option<Vec<(String, PgType)>>,
    batches: Vec<RecordBatch>,
    /// Rows that it gave or changed.
    pub(super) count: u64,
}

impl Given {
    /// A row, by number.
    pub(super) fn row(&self, number: usize) -> Result<Option<Vec<Typed>>, PgError> {
        let mut left = number;
        for batch in &self.batches {
            if left < batch.num_rows() {
                let types = self.columns.iter().flatten();
                let cells = batch.columns().iter().zip(types).map(|(column, (_, ty))| {
                    let value = ScalarValue::try_from_array(column, left)?;
                    Ok(Typed { value, ty: ty.clone() })
                });
                return cells.collect::<Result<Vec<_>, PgError>>().map(Some);
            }
            left -= batch.num_rows();
        }
        Ok(None)
    }
}

/// Runs a statement to its end.
///
/// # Errors
/// What it says; `0A000` for what a body may not hold.
pub(super) async fn run(
    session: &mut Session,
    frame: &mut Frame,
    statement: &Statement,
) -> Result<Given, PgError> {
    refuse_control(statement)?;
    let compiled = compiled(session, frame, statement).map_err(PgError::without_offset)?;
    execute(session, frame, compiled).await.map_err(PgError::without_offset)
}

/// Runs a statement that a body made at run time, with its parameters' values.
///
/// # Errors
/// As [`run`].
pub(super) async fn run_dynamic(
    session: &mut Session,
    text: &str,
    values: Vec<Typed>,
) -> Result<Given, PgError> {
    let language = crate::parser::QueryLanguage::Sql;
    let parsed = crate::parser::parse_script(text, language, &|_| false)
        .map_err(|error| PgError::from(error).without_offset())?;
    let mut last = None;
    let only = parsed.len() == 1;
    for statement in parsed {
        refuse_control(&statement)?;
        let values = if only { values.clone() } else { Vec::new() };
        let types: Vec<Option<PgType>> = values.iter().map(|one| Some(one.ty.clone())).collect();
        let prepared = pipeline::prepare_statement(session, Some(statement), types, text, true)
            .map_err(PgError::without_offset)?;
        let given = executed(session, Arc::new(prepared), values).await;
        last = Some(given.map_err(PgError::without_offset)?);
    }
    last.ok_or_else(|| {
        PgError::new(SqlState::SYNTAX_ERROR, "query string argument of EXECUTE is empty")
    })
}

/// The value of an expression.
///
/// # Errors
/// What it says; `21000` for several rows, `42601` for several columns.
pub(super) async fn value(
    session: &mut Session,
    frame: &mut Frame,
    expression: &Statement,
) -> Result<Typed, PgError> {
    let given = run(session, frame, expression).await?;
    let ty = match given.columns.as_deref() {
        Some([(_, ty)]) => ty.clone(),
        columns => {
            let count = columns.map_or(0, <[_]>::len);
            let message = format!("query returned {count} columns");
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
        }
    };
    if given.count > 1 {
        let message = "query returned more than one row";
        return Err(PgError::new(SqlState::CARDINALITY_VIOLATION, message));
    }
    match given.row(0)?.and_then(|mut row| row.pop()) {
        Some(value) => Ok(value),
        None => Typed::null(ty),
    }
}

/// What a body may not do: end the transaction that it runs in, or leave the session.
fn refuse_control(statement: &Statement) -> Result<(), PgError> {
    use sqlparser::ast::Statement as Sql;
    let never = |what: &str| {
        let message = format!("{what} cannot be executed from a function");
        Err(PgError::new(SqlState::ACTIVE_SQL_TRANSACTION, message))
    };
    match &statement.body {
        Body::Sql { statement, .. } => match statement.as_ref() {
            Sql::StartTransaction { .. }
            | Sql::Commit { .. }
            | Sql::Rollback { .. }
            | Sql::Savepoint { .. }
            | Sql::ReleaseSavepoint { .. } => Err(PgError::unsupported(
                "transaction control is not supported in functions and procedures",
                "A block with EXCEPTION undoes what it did when it fails.",
            )),
            Sql::Discard { .. } => never("DISCARD"),
            _ => Ok(()),
        },
        Body::Utility(Utility::Checkpoint) => never("CHECKPOINT"),
        Body::Utility(Utility::Tenancy(_)) => never("this statement"),
        Body::Utility(Utility::Definition(definition)) => match definition.as_ref() {
            Definition::Maintain(_) => never("VACUUM, ANALYZE or REINDEX"),
            _ => Ok(()),
        },
        Body::PropertyGraph(_) | Body::Cypher(_) | Body::Utility(_) => Ok(()),
    }
}

/// The statement as it ran before, if its variables have the types that they had.
fn compiled(
    session: &mut Session,
    frame: &mut Frame,
    statement: &Statement,
) -> Result<Compiled, PgError> {
    let place = std::ptr::from_ref(statement) as usize;
    if let Some(known) = frame.compiled.get(&place) {
        let types = types_of(frame, &known.parameters)?;
        if types == known.types {
            return Ok(known.clone());
        }
    }
    let compiled = compile(session, frame, statement)?;
    frame.compiled.insert(place, compiled.clone());
    Ok(compiled)
}

fn types_of(frame: &Frame, parameters: &Parameters) -> Result<Vec<PgType>, PgError> {
    Ok(values_of(frame, parameters)?.into_iter().map(|value| value.ty).collect())
}

fn values_of(frame: &Frame, parameters: &Parameters) -> Result<Vec<Typed>, PgError> {
    let values = parameters.names.iter().map(|names| {
        let missing = || PgError::internal("a variable that is not there");
        frame.lookup(names)?.ok_or_else(missing)
    });
    values.collect()
}

/// Finds the variables. Where a statement reads tables, a name is a variable's if it is no column's.
fn compile(
    session: &mut Session,
    frame: &Frame,
    statement: &Statement,
) -> Result<Compiled, PgError> {
    let mut tree = statement.clone();
    let mut parameters = Parameters::of_arguments(frame.arguments.len());
    let plain = is_plan(statement);
    let tables = has_tables(statement);
    if plain && !tables {
        substitute(&mut tree, frame, &mut parameters, &|_, _| true)?;
    }
    loop {
        let types = types_of(frame, &parameters)?;
        let declared = types.iter().cloned().map(Some).collect();
        let text = statement.text.as_str();
        let error =
            match pipeline::prepare_statement(session, Some(tree.clone()), declared, text, true) {
                Ok(prepared) => {
                    if plain && tables && frame.strict_names {
                        refuse_ambiguous(&tree, frame)?;
                    }
                    return Ok(Compiled { prepared: Arc::new(prepared), parameters, types });
                }
                Err(error) => error,
            };
        let offset = error.fields().offset;
        let here = |names: &[String], at: Option<usize>| {
            is_missing(&error, names) && (at.is_none() || at == offset)
        };
        let anywhere = |names: &[String], _: Option<usize>| is_missing(&error, names);
        if !plain
            || !(substitute(&mut tree, frame, &mut parameters, &here)?
                || substitute(&mut tree, frame, &mut parameters, &anywhere)?)
        {
            return Err(error);
        }
    }
}

async fn execute(
    session: &mut Session,
    frame: &Frame,
    compiled: Compiled,
) -> Result<Given, PgError> {
    let values = values_of(frame, &compiled.parameters)?;
    executed(session, compiled.prepared, values).await
}

async fn executed(
    session: &mut Session,
    prepared: Arc<Prepared>,
    values: Vec<Typed>,
) -> Result<Given, PgError> {
    let Some(statement) = prepared.statement.clone() else {
        return Ok(Given { columns: None, batches: Vec::new(), count: 0 });
    };
    let mut values: Vec<_> = values
        .into_iter()
        .take(prepared.parameters.len())
        .map(|one| pipeline::typed_value(one.value, &one.ty))
        .collect();
    let prepared = pipeline::for_dimensions(prepared, &mut values);
    session.check_inner(&statement)?;
    let executed = Box::pin(pipeline::execute(session, &prepared, &statement, values)).await?;
    let given = taken(executed).await?;
    session.charge_inner(&statement, given.count);
    Ok(given)
}

/// All that an execution gives.
pub(super) async fn taken(executed: Executed) -> Result<Given, PgError> {
    match executed {
        Executed::Ready(ready) => {
            let count = ready.batch.num_rows() as u64;
            Ok(Given { columns: Some(named(&ready.columns)), batches: vec![ready.batch], count })
        }
        Executed::Rows(rows) => {
            let columns = Arc::clone(&rows.columns);
            let rows = Arc::new(parking_lot::Mutex::new(rows));
            drained(&columns, read(&rows, 0)?).await
        }
        Executed::Other(Outcome::Rows { columns, rows }) => drained(&columns, rows).await,
        Executed::Other(Outcome::Command(tag)) => {
            let count = tag.rsplit(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0);
            Ok(Given { columns: None, batches: Vec::new(), count })
        }
        Executed::Other(Outcome::Empty) => {
            Ok(Given { columns: None, batches: Vec::new(), count: 0 })
        }
        Executed::Other(Outcome::CopyIn(_) | Outcome::CopyOut(_)) => {
            Err(PgError::unsupported("COPY is not supported in functions", "Use INSERT."))
        }
    }
}

fn named(columns: &[OutputColumn]) -> Vec<(String, PgType)> {
    columns.iter().map(|column| (column.name.clone(), column.ty.clone())).collect()
}

async fn drained(columns: &[OutputColumn], mut rows: RowStream) -> Result<Given, PgError> {
    let (mut batches, mut count) = (Vec::new(), 0u64);
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        count += batch.num_rows() as u64;
        batches.push(batch);
    }
    Ok(Given { columns: Some(named(columns)), batches, count })
}

/// Whether a statement gave rows, if perhaps none.
pub(super) fn gives_rows(given: &Given) -> bool {
    given.columns.as_ref().is_some_and(|columns| !columns.is_empty())
}
