//! Prepared statements and portals.

use std::sync::Arc;

use bytes::Bytes;

use super::state::Session;
use crate::error::PgError;
use crate::session::cursors::CursorOptions;
use crate::session::outcome::{Format, Outcome, OutputColumn, RowStream, StatementDescription};
use crate::session::scroll::Direction;
use crate::session::statements::{Portal, Prepared, Progress};
use crate::session::{pipeline, statements, utility};

impl Session {
    /// Prepares a statement under a name.
    ///
    /// # Errors
    /// As the statement's binding; `42601` for more than one statement, `42P05`, `53400`.
    pub async fn prepare(
        &mut self,
        name: &str,
        text: &str,
        parameter_oids: &[u32],
    ) -> Result<(), PgError> {
        let (token, shared) = (self.begin(text), Arc::clone(&self.shared));
        if name.is_empty() {
            self.statements.close_prepared("");
            if let Some(known) = self.remembered.unnamed(text, parameter_oids)
                && self.refuse_if_failed().is_ok()
                && pipeline::still_stands(self, known)
            {
                let known = Arc::clone(known);
                return self.statements.prepare("", known);
            }
        }
        tokio::select! {
            biased;
            () = token.cancelled() => return Err(shared.canceled()),
            waited = crate::session::safe_snapshot::wait(self) => waited?,
        }
        let prepared = Arc::new(pipeline::prepare(self, text, parameter_oids, false)?);
        if name.is_empty() && pipeline::has_short_way(self, &prepared) {
            self.remembered.keep_unnamed(parameter_oids, &prepared);
        }
        self.statements.prepare(name, prepared)
    }

    /// What a prepared statement takes and gives.
    ///
    /// # Errors
    /// `26000` if there is none of this name.
    pub async fn describe_statement(
        &mut self,
        name: &str,
    ) -> Result<StatementDescription, PgError> {
        let prepared = self.statements.prepared(name)?;
        Ok(StatementDescription {
            parameters: prepared.described.clone(),
            columns: prepared.columns.clone(),
        })
    }

    /// Opens a portal: a prepared statement with its parameters' values.
    ///
    /// # Errors
    /// `26000`, `42P03`, `08P01` for a wrong number of values, `22…` for a value that cannot be read.
    pub async fn bind(
        &mut self,
        portal: &str,
        statement: &str,
        values: Vec<Option<Bytes>>,
        formats: Vec<Format>,
    ) -> Result<(), PgError> {
        let prepared = self.statements.prepared(statement)?;
        if prepared.statement.as_ref().is_none_or(|statement| !utility::ends_transaction(statement))
        {
            self.refuse_if_failed()?;
        }
        let given: Vec<(Format, Option<&[u8]>)> = formats
            .into_iter()
            .zip(&values)
            .map(|(format, value)| (format, value.as_deref()))
            .collect();
        let mut values = pipeline::read_values(self, &prepared, statement, &given)?;
        let prepared = pipeline::for_dimensions(prepared, &mut values);
        if portal.is_empty() {
            self.statements.close_portal("");
        }
        self.open_portal(portal, prepared, values, CursorOptions::default())
    }

    pub(in crate::session) fn open_portal(
        &mut self,
        name: &str,
        prepared: Arc<Prepared>,
        values: Vec<datafusion::common::metadata::ScalarAndMetadata>,
        options: CursorOptions,
    ) -> Result<(), PgError> {
        self.statements.open(name, Portal::new(prepared, values, options))
    }

    /// The unnamed portal is one that has run.
    pub(in crate::session) fn portal_done(&mut self, prepared: &Arc<Prepared>, tag: &str) {
        let portal = Portal::new(Arc::clone(prepared), Vec::new(), CursorOptions::default());
        let progress = Progress::Done(tag.to_owned());
        self.statements.replace_unnamed(Portal { progress, ..portal });
    }

    /// What a portal gives.
    ///
    /// # Errors
    /// `34000` if there is none of this name.
    pub async fn describe_portal(
        &mut self,
        portal: &str,
    ) -> Result<Option<Arc<[OutputColumn]>>, PgError> {
        Ok(self.statements.portal(portal)?.prepared.columns.clone())
    }

    /// Runs a portal, or goes on with it, for at most `max_rows` rows (0: all).
    ///
    /// # Errors
    /// Whatever the statement raises. Call [`Self::fail`] then.
    pub async fn execute(&mut self, portal: &str, max_rows: usize) -> Result<Outcome, PgError> {
        let prepared = Arc::clone(&self.statements.portal(portal)?.prepared);
        let token = self.begin(&prepared.text);
        self.routine_depth = 0;
        let shared = Arc::clone(&self.shared);
        // A cancel is looked for where the statement waits; what is done at once is not slowed down by it.
        let outcome = tokio::select! {
            biased;
            outcome = self.execute_inner(portal, max_rows) => {
                outcome.map(|outcome| match &prepared.statement {
                    Some(statement) => self.charged(outcome, statement),
                    None => outcome,
                })
            }
            () = token.cancelled() => Err(shared.canceled()),
        };
        outcome.map_err(|error| self.without_hidden_values(error))
    }

    async fn execute_inner(&mut self, name: &str, max_rows: usize) -> Result<Outcome, PgError> {
        let portal = self.statements.portal(name)?;
        let prepared = Arc::clone(&portal.prepared);
        let begun = !matches!(portal.progress, Progress::Fresh);
        if begun {
            self.refuse_if_failed()?;
        }
        let portal = self.statements.portal(name)?;
        match &portal.progress {
            Progress::Rows(rows) => {
                let columns = Arc::clone(&rows.lock().columns);
                return Ok(Outcome::Rows { columns, rows: statements::read(rows, max_rows)? });
            }
            Progress::Done(tag) => return Ok(Outcome::Command(tag.clone())),
            Progress::Kept(_) | Progress::Fresh => {}
        }
        if let Progress::Kept(kept) = &mut portal.progress {
            let columns = Arc::clone(&kept.columns);
            let count = (max_rows > 0).then_some(max_rows as u64);
            let batch = kept.fetch(Direction::Forward(count))?;
            let tag = format!("SELECT {}", batch.num_rows());
            let rows = RowStream::ready(batch.schema(), batch, tag);
            return Ok(Outcome::Rows { columns, rows });
        }
        let values = portal.values.clone();
        let Some(statement) = prepared.statement.clone() else { return Ok(Outcome::Empty) };
        self.take_permit(&statement).await?;
        let outcome = match pipeline::execute(self, &prepared, &statement, values).await {
            Ok(outcome) => outcome,
            Err(error) => return Err(self.explained(error)),
        };
        match outcome {
            pipeline::Executed::Rows(rows) => {
                let rows = Arc::new(parking_lot::Mutex::new(rows));
                let columns = Arc::clone(&rows.lock().columns);
                let stream = statements::read(&rows, max_rows)?;
                if let Ok(portal) = self.statements.portal(name) {
                    portal.progress = Progress::Rows(rows);
                }
                Ok(Outcome::Rows { columns, rows: stream })
            }
            pipeline::Executed::Ready(ready) => {
                let columns = Arc::clone(&ready.columns);
                if max_rows == 0 {
                    let tag = ready.kind.tag(ready.batch.num_rows() as u64);
                    let rows = RowStream::ready(ready.schema, ready.batch, tag);
                    if let Ok(portal) = self.statements.portal(name) {
                        portal.progress = Progress::Done(ready.kind.tag(0));
                    }
                    return Ok(Outcome::Rows { columns, rows });
                }
                let rows = Arc::new(parking_lot::Mutex::new(ready.into_rows()));
                let stream = statements::read(&rows, max_rows)?;
                if let Ok(portal) = self.statements.portal(name) {
                    portal.progress = Progress::Rows(rows);
                }
                Ok(Outcome::Rows { columns, rows: stream })
            }
            pipeline::Executed::Other(outcome) => {
                if let (Outcome::Command(tag), Ok(portal)) =
                    (&outcome, self.statements.portal(name))
                {
                    portal.progress = Progress::Done(tag.clone());
                }
                Ok(outcome)
            }
        }
    }

    /// Forgets a prepared statement.
    pub fn close_statement(&mut self, name: &str) {
        self.statements.close_prepared(name);
    }

    /// Closes a portal.
    pub fn close_portal(&mut self, name: &str) {
        self.statements.close_portal(name);
    }
}
