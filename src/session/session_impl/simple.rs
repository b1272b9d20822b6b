//! Query strings: their statements one after another.

use std::sync::Arc;

use super::state::Session;
use crate::catalog::QualifiedName;
use crate::error::{PgError, SqlState};
use crate::parser::{self, Body, QueryLanguage, Statement};
use crate::session::outcome::{Completion, Outcome, OutputColumn};
use crate::session::{pipeline, utility};

/// Where a statement stands in its query string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptPosition {
    /// Alone.
    Only,
    /// First of several.
    First,
    /// Neither first nor last.
    Middle,
    /// Last of several.
    Last,
}

/// A statement's whole result.
#[derive(Debug)]
pub struct Finished {
    /// `None` if it gives no rows.
    pub columns: Option<Arc<[OutputColumn]>>,
    /// Its rows.
    pub batches: Vec<arrow::array::RecordBatch>,
    /// The command tag.
    pub tag: String,
}

impl Session {
    /// Splits a query string.
    ///
    /// # Errors
    /// `42601` anywhere in it.
    pub fn parse(&self, text: &str) -> Result<Vec<Statement>, PgError> {
        let language = match self.shared.settings.lock().value("query_language") {
            "sql" => QueryLanguage::Sql,
            "cypher" => QueryLanguage::Cypher,
            _ => QueryLanguage::Auto,
        };
        Ok(parser::parse_script(text, language, &|name| {
            parser::is_graph_procedure(name) || self.is_procedure(name)
        })?)
    }

    /// Whether `CALL` of this name is Cypher's: a function that `CREATE FUNCTION` made.
    fn is_procedure(&self, name: &str) -> bool {
        let catalog = self.shared.catalog();
        let (schema, name) = match name.rsplit_once('.') {
            Some((schema, name)) => (Some(schema.to_owned()), name.to_owned()),
            None => (None, name.to_owned()),
        };
        let name = QualifiedName { schema, name };
        !catalog.functions.is_empty()
            && catalog
                .functions_named(&name, &self.shared.search_path())
                .iter()
                .any(|function| !function.procedure)
    }

    /// As [`Self::parse`]; a text that only says something about the session, as BEGIN does, is known again.
    ///
    /// # Errors
    /// `42601` anywhere in it.
    pub fn parse_again(&mut self, text: &str) -> Result<Arc<[Statement]>, PgError> {
        if let Some(known) = self.remembered.text(text)
            && !self.shared.settings.lock().is_cypher()
        {
            return Ok(Arc::clone(known));
        }
        let statements: Arc<[Statement]> = self.parse(text)?.into();
        if let [only] = &*statements
            && let Body::Sql { statement, .. } = &only.body
            && utility::is_session_statement(statement)
        {
            self.remembered.keep_text(text, &statements);
        }
        Ok(statements)
    }

    /// Runs one statement of a query string.
    ///
    /// # Errors
    /// Whatever the statement raises, with offsets into the whole string. Call [`Self::fail`] then.
    pub async fn run(
        &mut self,
        statement: &Statement,
        position: ScriptPosition,
    ) -> Result<Outcome, PgError> {
        let token = self.begin(&statement.text);
        // A call that was canceled did not count itself out.
        self.routine_depth = 0;
        let shared = Arc::clone(&self.shared);
        let outcome = tokio::select! {
            biased;
            () = token.cancelled() => Err(shared.canceled()),
            outcome = self.run_permitted(statement, position) => outcome,
        };
        outcome.map_err(|error| self.without_hidden_values(error))
    }

    async fn run_permitted(
        &mut self,
        statement: &Statement,
        position: ScriptPosition,
    ) -> Result<Outcome, PgError> {
        self.take_permit(statement).await?;
        match pipeline::run(self, statement, position).await {
            Ok(outcome) => Ok(self.charged(outcome, statement)),
            Err(error) => Err(self.explained(error)),
        }
    }

    /// Ends a `COPY … FROM STDIN` whose data is complete; its command tag.
    ///
    /// # Errors
    /// What is wrong with the data (with the line as context), or what writing it raises.
    pub async fn finish_copy(&mut self) -> Result<String, PgError> {
        let Some(copy) = self.copy.take() else {
            return Err(PgError::new(SqlState::PROTOCOL_VIOLATION, "no COPY is in progress"));
        };
        let (token, shared) = (self.cancel_token(), Arc::clone(&self.shared));
        tokio::select! {
            biased;
            () = token.cancelled() => Err(shared.canceled()),
            tag = copy.finish(self) => {
                let tag = tag?;
                self.charge_copied(&tag);
                Ok(tag)
            }
        }
    }

    /// Runs every statement of a text and gives their results, for tests and the command line. Rows are read to the end.
    ///
    /// # Errors
    /// The first statement's that fails; what came before it is undone unless it was committed.
    pub async fn run_text(&mut self, text: &str) -> Result<Vec<Finished>, PgError> {
        match self.run_text_inner(text).await {
            Ok(results) => Ok(results),
            Err(error) => {
                self.fail();
                Err(error)
            }
        }
    }

    async fn run_text_inner(&mut self, text: &str) -> Result<Vec<Finished>, PgError> {
        use futures::StreamExt as _;
        let parsed = self.parse(text)?;
        let mut results = Vec::with_capacity(parsed.len());
        for (at, statement) in parsed.iter().enumerate() {
            let position = match (at, at + 1 == parsed.len()) {
                (0, true) => ScriptPosition::Only,
                (0, false) => ScriptPosition::First,
                (_, true) => ScriptPosition::Last,
                (_, false) => ScriptPosition::Middle,
            };
            results.push(match self.run(statement, position).await? {
                Outcome::Rows { columns, mut rows } => {
                    let mut batches = Vec::new();
                    while let Some(batch) = rows.next().await {
                        batches.push(batch?);
                    }
                    let Completion::Complete(tag) = rows.completion() else {
                        return Err(PgError::internal("a whole result was suspended"));
                    };
                    Finished { columns: Some(columns), batches, tag }
                }
                Outcome::Command(tag) => Finished { columns: None, batches: Vec::new(), tag },
                Outcome::Empty => {
                    Finished { columns: None, batches: Vec::new(), tag: String::new() }
                }
                Outcome::CopyIn(_) | Outcome::CopyOut(_) => {
                    return Err(PgError::unsupported(
                        "COPY needs a connection",
                        "Use psql's \\copy.",
                    ));
                }
            });
        }
        self.finish().await?;
        Ok(results)
    }
}
