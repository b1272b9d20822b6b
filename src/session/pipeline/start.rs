//! Running what is bound: the one place where plans are admitted.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::ScalarValue;
use datafusion::common::metadata::ScalarAndMetadata;

use super::execute::Executed;
use super::plan::{Effects, start_plan};
use super::values::output_columns;
use crate::access::{admit, admit_ddl};
use crate::error::{PgError, SqlState};
use crate::executor::WriteTarget;
use crate::executor::short::ShortPlan;
use crate::planner::bind::{Bound, BoundPlan, PlanKind};
use crate::session::outcome::Outcome;
use crate::session::session_impl::Session;
use crate::session::statements::{ReadyRows, Short, ShortCache, admitted_short};
use crate::session::{define, routine};
use crate::storage::StoreSnapshot;

/// Parameters of the statements that are compiled to a short way.
const SHORT_PARAMETERS_MAX: usize = 256;

/// Runs a bound statement once.
pub(in crate::session) async fn start(
    session: &mut Session,
    bound: &Bound,
    values: Vec<ScalarAndMetadata>,
) -> Result<Executed, PgError> {
    match start_cached(session, bound, values, &ShortCache::default()).await? {
        Executed::Ready(ready) => Ok(Executed::Rows(ready.into_rows())),
        executed => Ok(executed),
    }
}

/// Runs a bound statement: the one place where plans are admitted.
pub(super) async fn start_cached(
    session: &mut Session,
    bound: &Bound,
    values: Vec<ScalarAndMetadata>,
    short: &ShortCache,
) -> Result<Executed, PgError> {
    match bound {
        Bound::Ddl(command) => {
            let command =
                admit_ddl(command.clone(), &session.shared.caller(), &session.shared.catalog())?;
            let tag = define::run(session, command).await?;
            Ok(Executed::Other(Outcome::Command(tag)))
        }
        Bound::Plan(plan) => {
            if let Some(settled) = routine::settle(session, plan, &values).await? {
                return start_plan(session, &settled, values, None).await;
            }
            let short = short_plan(session, plan, short)?;
            start_plan(session, plan, values, short).await
        }
    }
}

/// The short way of a plan for the current role, compiled at its first use.
///
/// What was admitted holds for the role it was admitted for, and for the catalog version that the cache belongs to: a
/// `REVOKE` is a change of the catalog.
pub(super) fn short_plan(
    session: &Session,
    bound: &BoundPlan,
    cache: &ShortCache,
) -> Result<Option<Short>, PgError> {
    // What a serializable transaction reads is noted by the scans of a whole plan.
    let notes_reads = session.transaction.as_ref().is_some_and(|one| one.reads().is_some());
    if matches!(bound.kind, PlanKind::Explain { .. }) || notes_reads {
        return Ok(None);
    }
    if !session.shared.settings.lock().policies_as_usual() {
        return Ok(None);
    }
    let caller = &session.shared.caller();
    if let Some(known) = admitted_short(cache, caller) {
        return Ok(known);
    }
    // Compiling looks each parameter up among all: a statement of thousands is no look-up.
    let few = bound.parameters.len() <= SHORT_PARAMETERS_MAX;
    let short = match few && ShortPlan::may_exist(&bound.plan) {
        true => {
            let admitted = admit(bound.plan.clone(), caller, &session.current_context()?)?;
            let Some(transaction) = &session.transaction else {
                return Err(PgError::internal("no transaction"));
            };
            ShortPlan::compile(session.engine.runtime.state(), &transaction.catalog, admitted)?
                .map(|plan| Short { plan: Arc::new(plan), columns: output_columns(&bound.columns) })
        }
        false => None,
    };
    *cache.lock() = Some((Arc::clone(caller), short.clone()));
    Ok(short)
}

pub(super) async fn run_short(
    session: &mut Session,
    bound: &BoundPlan,
    Short { plan: short, columns }: &Short,
    values: Vec<ScalarAndMetadata>,
) -> Result<Executed, PgError> {
    let effects = Effects { writes: short.writes(), locks: false };
    // Nothing in the statement looks at what it writes, if no foreign key does.
    let lazily = short.tables().is_some();
    let ground = || -> Result<_, PgError> {
        let (store, target) = snapshot_and_target(session, effects, bound.kind, lazily)?;
        session.answers.set_store(&store);
        Ok((store, target))
    };
    let values: Vec<ScalarValue> = values.into_iter().map(|value| value.value).collect();
    let batches = crate::session::aside::run_short(session, short, values, ground).await?;
    if !bound.kind.gives_rows() {
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        return Ok(Executed::Other(Outcome::Command(bound.kind.tag(rows as u64))));
    }
    let schema = Arc::clone(bound.plan.schema().inner());
    let mut batches = batches;
    let batch = match batches.len() {
        0 => RecordBatch::new_empty(Arc::clone(&schema)),
        1 => batches.swap_remove(0),
        _ => arrow::compute::concat_batches(batches[0].schema_ref(), &batches)?,
    };
    let columns = Arc::clone(columns);
    Ok(Executed::Ready(ReadyRows { columns, schema, kind: bound.kind, batch }))
}

/// The tables as the transaction sees them, and where a write goes.
pub(super) fn snapshot_and_target(
    session: &Session,
    Effects { writes, locks }: Effects,
    kind: PlanKind,
    lazily: bool,
) -> Result<(StoreSnapshot, Option<Arc<dyn WriteTarget>>), PgError> {
    let Some(transaction) = &session.transaction else {
        return Err(PgError::internal("no transaction"));
    };
    let runs = !matches!(kind, PlanKind::Explain { analyze: false, .. });
    if (writes || locks) && runs && transaction.read_only {
        let what = if writes { kind.verb() } else { "SELECT FOR UPDATE" };
        return Err(PgError::new(
            SqlState::READ_ONLY_SQL_TRANSACTION,
            format!("cannot execute {what} in a read-only transaction"),
        ));
    }
    let target = writes.then(|| {
        let target = session.new_target(transaction);
        let lazily = lazily && transaction.is_read_committed();
        Arc::new(if lazily { target.lazily() } else { target }) as Arc<dyn WriteTarget>
    });
    Ok((transaction.writes.lock().view().clone(), target))
}

/// `40001` if the transaction's reads and writes so far have no place in a serial order.
pub(super) fn check_serializable(session: &Session) -> Result<(), PgError> {
    match &session.transaction {
        Some(transaction) => transaction.check_serializable(&session.database),
        None => Ok(()),
    }
}
