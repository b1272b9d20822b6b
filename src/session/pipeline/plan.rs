//! The long way of a plan: the optimizer, physical operators, and again if rows moved.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::common::ParamValues;
use datafusion::common::metadata::ScalarAndMetadata;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use futures::StreamExt;

use super::execute::Executed;
use super::explain::explain;
use super::start::{check_serializable, run_short, snapshot_and_target};
use super::stream::stream;
use super::values::output_columns;
use crate::access::{Admitted, admit};
use crate::error::{PgError, SqlState};
use crate::executor::{Statement as Execution, physical};
use crate::optimizer::optimize;
use crate::planner::bind::{BoundPlan, Parameters, PlanKind};
use crate::planner::node::{GraphWrite, LockRows, TableWrite};
use crate::session::outcome::Outcome;
use crate::session::session_impl::Session;
use crate::session::statements::{PortalRows, Short};

/// How often a statement may run again because rows moved under it. Each round locks what it found, so that the next can
/// only be needed because of others.
const ROUNDS_MAX: usize = 1000;

/// Runs a plan, again on a new snapshot for as long as rows it would lock or change moved under it.
///
/// What an earlier round wrote is taken back, and nothing of it has reached the client; its locks stay.
pub(super) async fn start_plan(
    session: &mut Session,
    bound: &BoundPlan,
    values: Vec<ScalarAndMetadata>,
    short: Option<Short>,
) -> Result<Executed, PgError> {
    let mut rounds = 0;
    loop {
        let Some(transaction) = &session.transaction else {
            return Err(PgError::internal("no transaction"));
        };
        let stale = Arc::clone(&transaction.stale);
        stale.store(false, Ordering::Relaxed);
        let before = bound.kind.writes().then(|| transaction.writes.lock().mark());
        let result = match &short {
            Some(short) => run_short(session, bound, short, values.clone()).await,
            None => run_plan(session, bound, values.clone()).await,
        };
        match result {
            Err(_) if stale.load(Ordering::Relaxed) && rounds < ROUNDS_MAX => {
                rounds += 1;
                if let (Some(transaction), Some(before)) = (&session.transaction, before) {
                    transaction.writes.lock().back_to(before);
                }
                match short.as_ref().and_then(|short| short.plan.tables()) {
                    Some(tables) => session.snapshot_of(tables)?,
                    None => session.statement_snapshot()?,
                };
            }
            Err(error) if error.code() == SqlState::UNIQUE_VIOLATION => {
                // Who read that the key was free is told so instead.
                check_serializable(session)?;
                return Err(error);
            }
            result => return result,
        }
    }
}

async fn run_plan(
    session: &mut Session,
    bound: &BoundPlan,
    values: Vec<ScalarAndMetadata>,
) -> Result<Executed, PgError> {
    let physical = physical_plan(session, bound, values).await?;
    check_serializable(session)?;
    let token = session.shared.token();
    let columns = output_columns(&bound.columns);
    let kind = bound.kind;
    if let PlanKind::Explain { analyze, .. } = kind {
        if analyze {
            let mut rows = stream(session, Arc::clone(&physical.1), &token)?;
            while let Some(batch) = rows.next().await {
                batch?;
            }
        }
        return explain(columns, kind, &physical).map(Executed::Rows);
    }
    let schema = physical.1.schema();
    let mut batches = stream(session, physical.1, &token)?;
    if kind.writes() || has_node::<LockRows>(&bound.plan)? {
        // A write is done before its rows are sent: what RETURNING gives must not depend on how fast a client reads. So
        // are locks taken, as a row that moved makes the statement begin again.
        let mut written = Vec::new();
        let mut rows = 0u64;
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            rows += batch.num_rows() as u64;
            if kind.gives_rows() {
                written.push(Ok(batch));
            }
        }
        check_serializable(session)?;
        if let Some(transaction) = &mut session.transaction {
            transaction.take_defined();
        }
        if !kind.gives_rows() {
            return Ok(Executed::Other(Outcome::Command(kind.tag(rows))));
        }
        batches = futures::stream::iter(written).boxed();
    }
    Ok(Executed::Rows(PortalRows::new(columns, schema, kind, batches)))
}

/// The optimized logical plan as text, and the operators.
pub(super) type Planned = (Option<String>, Arc<dyn ExecutionPlan>);

async fn physical_plan(
    session: &mut Session,
    bound: &BoundPlan,
    values: Vec<ScalarAndMetadata>,
) -> Result<Planned, PgError> {
    let plan = if values.is_empty() {
        bound.plan.clone()
    } else {
        bound.plan.clone().with_param_values(ParamValues::List(values))?
    };
    let admitted: Admitted<LogicalPlan> =
        admit(plan, &session.shared.caller(), &session.current_context()?)?;
    let options = session.shared.settings.lock().optimizer();
    let optimized = optimize(session.engine.runtime.state(), admitted, options)?;
    let effects = Effects {
        writes: writes_rows(optimized.get())?,
        locks: has_node::<LockRows>(optimized.get())?,
    };
    let execution = execution(session, effects, bound.kind)?;
    let execution = match bound.kind {
        PlanKind::Explain { .. } => Arc::new(execution.explaining()),
        _ => Arc::new(execution),
    };
    let text = match bound.kind {
        PlanKind::Explain { verbose: true, .. } => {
            Some(optimized.get().display_indent().to_string())
        }
        _ => None,
    };
    let operators =
        physical::plan_physical(&session.engine.runtime, &execution, &optimized).await?;
    Ok((text, operators))
}

/// Whether a plan changes rows.
fn writes_rows(plan: &LogicalPlan) -> Result<bool, PgError> {
    Ok(has_node::<TableWrite>(plan)? || has_node::<GraphWrite>(plan)?)
}

/// Whether a plan has a node of ours, in a subquery perhaps.
fn has_node<T: 'static>(plan: &LogicalPlan) -> Result<bool, PgError> {
    use datafusion::common::tree_node::TreeNodeRecursion;
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found |=
            matches!(node, LogicalPlan::Extension(extension) if extension.node.as_any().is::<T>());
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

/// What a plan does besides reading.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effects {
    pub(super) writes: bool,
    pub(super) locks: bool,
}

/// What an execution in the session's transaction reads and writes.
pub(super) fn execution(
    session: &mut Session,
    effects: Effects,
    kind: PlanKind,
) -> Result<Execution, PgError> {
    let (store, target) = snapshot_and_target(session, effects, kind, false)?;
    let Some(transaction) = &session.transaction else {
        return Err(PgError::internal("no transaction"));
    };
    session.answers.set_tables(&store, session.prepared_and_cursors());
    Ok(Execution::new(
        Arc::clone(&transaction.catalog),
        store,
        Arc::clone(&session.answers) as _,
        target,
        Arc::new(session.statement_locks(transaction)),
        transaction.reads(),
        Arc::clone(&session.engine.adjacency),
        crate::session::stored_expressions::property_expressions(
            session.bind_context(transaction, Parameters::default()),
            Arc::clone(&session.engine),
        ),
    ))
}
