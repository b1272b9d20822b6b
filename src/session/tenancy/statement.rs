//! Which statement on tenants, databases and quotas is carried out where.

use std::sync::Arc;

use datafusion::common::metadata::ScalarAndMetadata;

use crate::error::{PgError, SqlState};
use crate::parser::sql::tenancy::{Argument, Tenancy};
use crate::parser::{Body, Statement, Utility};
use crate::session::outcome::{Outcome, OutputColumn};
use crate::session::session_impl::{ScriptPosition, Session};
use crate::types::pg_type::PgType;

/// The columns of a statement, and how many parameters it takes, all of them text.
pub(in crate::session) fn describe(
    statement: &Statement,
) -> Option<(Option<Arc<[OutputColumn]>>, usize)> {
    let Body::Utility(Utility::Tenancy(tenancy)) = &statement.body else { return None };
    let Tenancy::Call { arguments, column, .. } = tenancy.as_ref() else { return Some((None, 0)) };
    let parameters = arguments.iter().filter_map(|(_, argument)| match argument {
        Argument::Parameter(at) => Some(at + 1),
        Argument::Text(_) | Argument::Null => None,
    });
    Some((Some(call_columns(column)), parameters.max().unwrap_or(0)))
}

fn call_columns(name: &str) -> Arc<[OutputColumn]> {
    let column = OutputColumn {
        name: name.to_owned(),
        ty: PgType::Text,
        table: 0,
        attnum: 0,
        declared: true,
    };
    vec![column].into()
}

/// Runs a statement on tenants, databases or quotas; `None` if it is not one.
pub(in crate::session) async fn run(
    session: &mut Session,
    statement: &Statement,
    position: ScriptPosition,
) -> Result<Option<Outcome>, PgError> {
    run_call(session, statement, &[], position).await
}

/// As [`run`], with the values of its parameters.
pub(in crate::session) async fn run_call(
    session: &mut Session,
    statement: &Statement,
    values: &[ScalarAndMetadata],
    position: ScriptPosition,
) -> Result<Option<Outcome>, PgError> {
    let Body::Utility(Utility::Tenancy(tenancy)) = &statement.body else { return Ok(None) };
    session.refuse_if_failed()?;
    if let Tenancy::Call { function, arguments, column } = tenancy.as_ref() {
        let inner = super::twin::statement(function, arguments, values)?;
        let tag = Box::pin(carry_out(session, &inner, position)).await?;
        return one_text(column, tag).map(Some);
    }
    Box::pin(carry_out(session, tenancy, position)).await.map(|tag| Some(Outcome::Command(tag)))
}

fn one_text(column: &str, text: String) -> Result<Outcome, PgError> {
    use arrow::array::{ArrayRef, RecordBatch, StringViewArray};
    use arrow::datatypes::{DataType, Field, Schema};
    let field = Field::new(column, DataType::Utf8View, true);
    let schema = Arc::new(Schema::new(vec![field]));
    let value: ArrayRef = Arc::new(StringViewArray::from(vec![text]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![value])?;
    let rows = crate::session::outcome::RowStream::ready(schema, batch, "SELECT 1".to_owned());
    Ok(Outcome::Rows { columns: call_columns(column), rows })
}

/// Carries a statement out; its tag.
async fn carry_out(
    session: &mut Session,
    tenancy: &Tenancy,
    position: ScriptPosition,
) -> Result<String, PgError> {
    let words = words(tenancy);
    require_alone(session, words, position)?;
    // One at a time: what is checked still holds when it is done.
    let common = Arc::clone(&session.engine.common);
    let _turn = common.changing.lock().await;
    match tenancy {
        Tenancy::CreateTenant { if_not_exists, name, options } => {
            super::tenants::create(session, *if_not_exists, name, options).await?;
        }
        Tenancy::AlterTenant { name, action } => {
            super::tenants::alter(session, name, action)?;
        }
        Tenancy::DropTenant { if_exists, name, cascade } => {
            super::tenants::drop(session, *if_exists, name, *cascade).await?;
        }
        Tenancy::CreateQuota { or_replace, if_not_exists, name, body } => {
            let existing = super::quotas::Existing::of(*or_replace, *if_not_exists);
            super::quotas::create(session, name, body, existing)?;
        }
        Tenancy::AlterQuota { name, rename, body } => {
            super::quotas::alter(session, name, rename.as_ref(), body)?;
        }
        Tenancy::DropQuota { if_exists, name } => super::quotas::drop(session, *if_exists, name)?,
        Tenancy::CreateDatabase { name, options } => {
            super::databases::create(session, name, options).await?;
        }
        Tenancy::AlterDatabase { name, action } => {
            super::databases::alter(session, name, action).await?;
        }
        Tenancy::DropDatabase { if_exists, name, force } => {
            super::databases::drop(session, *if_exists, name, *force).await?;
        }
        Tenancy::ShowTenants
        | Tenancy::ShowQuotas
        | Tenancy::ShowQuotaUsage(_)
        | Tenancy::Call { .. } => {
            return Err(PgError::internal("this statement is a query"));
        }
    }
    Ok(words.to_owned())
}

/// The command tag.
fn words(tenancy: &Tenancy) -> &'static str {
    match tenancy {
        Tenancy::CreateTenant { .. } => "CREATE TENANT",
        Tenancy::AlterTenant { .. } => "ALTER TENANT",
        Tenancy::DropTenant { .. } => "DROP TENANT",
        Tenancy::CreateQuota { .. } => "CREATE QUOTA",
        Tenancy::AlterQuota { .. } => "ALTER QUOTA",
        Tenancy::DropQuota { .. } => "DROP QUOTA",
        Tenancy::CreateDatabase { .. } => "CREATE DATABASE",
        Tenancy::AlterDatabase { .. } => "ALTER DATABASE",
        Tenancy::DropDatabase { .. } => "DROP DATABASE",
        Tenancy::ShowTenants | Tenancy::ShowQuotas | Tenancy::ShowQuotaUsage(_) => "SHOW",
        Tenancy::Call { .. } => "SELECT",
    }
}

/// What is said here takes effect at once, so it is no part of a transaction, as PostgreSQL has it for databases.
fn require_alone(session: &Session, words: &str, position: ScriptPosition) -> Result<(), PgError> {
    let explicit = session.transaction.as_ref().is_some_and(|open| open.explicit);
    if explicit || position != ScriptPosition::Only {
        return Err(PgError::new(
            SqlState::ACTIVE_SQL_TRANSACTION,
            format!("{words} cannot run inside a transaction block"),
        ));
    }
    Ok(())
}

/// Only operators change tenants and quotas.
///
/// # Errors
/// `42501`.
pub(super) fn require_operator(session: &Session, what: &str) -> Result<(), PgError> {
    if session.is_operator() {
        return Ok(());
    }
    Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, format!("permission denied to {what}"))
        .detail("Only superusers of the system tenant may do this."))
}
