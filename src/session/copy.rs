//! COPY, both ways.

use super::outcome::Outcome;
use super::session_impl::Session;
use crate::error::PgError;
use crate::parser::Statement;

pub(super) struct CopyTask;

impl CopyTask {
    pub(super) async fn finish(self, _session: &mut Session) -> Result<String, PgError> {
        Err(PgError::internal("copy"))
    }
}

pub(super) async fn run(_session: &mut Session, _statement: &Statement) -> Result<Option<Outcome>, PgError> {
    Ok(None)
}
