//! The way of a statement: bind, admit, optimize, run.
//!
//! [`run`] is the simple protocol's entry, [`prepare`] and [`execute`] the extended one's; all three meet in [`start`].

use std::cell::OnceCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{ArrayRef, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::metadata::{FieldMetadata, ScalarAndMetadata};
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::mpsc::error::TrySendError;
use tokio_util::sync::CancellationToken;

use super::engine::now_us;
use super::locking::BoundLocks;
use super::outcome::{Format, Outcome, OutputColumn, RowStream};
use super::session_impl::{ScriptPosition, Session};
use super::shared::SessionShared;
use super::statements::{
    CachedBound, PortalRows, Prepared, ReadyRows, Short, ShortCache, admitted_short, read,
};
use super::tenancy::fair::{FairQueue, FairSlot};
use super::values::read_plain;
use super::{copy, define, safe_snapshot, utility};
use crate::access::{Admitted, admit, admit_ddl};
use crate::error::{PgError, SqlState};
use crate::executor::short::ShortPlan;
use crate::executor::{Statement as Execution, WriteTarget, physical};
use crate::functions::cast::text_io::{reg_input, reg_kind};
use crate::functions::context::RegKind;
use crate::optimizer::optimize;
use crate::parser::{Body, Statement};
use crate::planner::bind::{Bound, BoundColumn, BoundPlan, Parameters, PlanKind, bind};
use crate::planner::node::{GraphWrite, LockRows, TableWrite};
use crate::storage::StoreSnapshot;
use crate::types::TenantId;
use crate::types::input_column::InputColumn;
use crate::types::pg_type::PgType;

/// Statements that read fewer rows than this from tables run on the connection's own thread.
const INLINE_ROWS_MAX: usize = 20_000;
/// How often a statement may run again because rows moved under it. Each round locks what it found, so that the next can
/// only be needed because of others.
const ROUNDS_MAX: usize = 1000;
/// Batches that may wait between a compute thread and the connection.
const QUEUED_BATCHES: usize = 2;

/// Runs a statement of a query string.
pub(super) async fn run(
    session: &mut Session,
    statement: &Statement,
    position: ScriptPosition,
) -> Result<Outcome, PgError> {
    session.settle_for(statement)?;
    if let Some(outcome) = utility::run(session, statement, position).await? {
        return Ok(outcome);
    }
    session.refuse_if_failed()?;
    safe_snapshot::wait(session).await?;
    if let Some(outcome) = copy::run(session, statement).await? {
        return Ok(outcome);
    }
    let bound = loop {
        let bound = bind_statement(session, statement, Parameters::default())?;
        if let Bound::Plan(plan) = &bound
            && !plan.parameters.is_empty()
        {
            return Err(PgError::new(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1"));
        }
        if session.lock_bound(&bound).await? {
            break bound;
        }
    };
    outcome(start_cached(session, &bound, Vec::new(), &ShortCache::default()).await?)
}

/// Runs a prepared statement of the simple protocol; `None` if it is not what it was prepared as any more, or cannot be
/// bound again. Nothing has happened then.
pub(super) async fn run_prepared(
    session: &mut Session,
    prepared: &Prepared,
    values: Vec<ScalarAndMetadata>,
) -> Result<Option<Outcome>, PgError> {
    let Some(statement) = prepared.statement.clone() else { return Ok(None) };
    safe_snapshot::wait(session).await?;
    let CachedBound { bound, short, .. } = loop {
        let Ok(known) = current_bound(session, prepared, &statement) else { return Ok(None) };
        if session.lock_all(&known.locks).await? {
            break known;
        }
    };
    outcome(start_cached(session, &bound, values, &short).await?).map(Some)
}

/// Whether a statement that was prepared has a short way for the current role.
pub(super) fn has_short_way(session: &Session, prepared: &Prepared) -> bool {
    let known = prepared.bound.lock().clone();
    known.is_some_and(|known| match known.bound.as_ref() {
        Bound::Plan(plan) => matches!(short_plan(session, plan, &known.short), Ok(Some(_))),
        Bound::Ddl(_) => false,
    })
}

/// Whether what names stood for when a statement was bound is what they stand for now.
pub(super) fn still_stands(session: &Session, prepared: &Prepared) -> bool {
    let version = match &session.transaction {
        Some(transaction) => transaction.catalog.stamp(),
        None => session.database.catalog_stamp(),
    };
    let bound = prepared.bound.lock();
    bound.as_ref().is_some_and(|known| {
        known.catalog_version == version && known.search_path == session.shared.search_path()
    })
}

fn outcome(executed: Executed) -> Result<Outcome, PgError> {
    match executed {
        Executed::Rows(rows) => {
            let columns = Arc::clone(&rows.columns);
            let rows = Arc::new(parking_lot::Mutex::new(rows));
            Ok(Outcome::Rows { columns, rows: read(&rows, 0)? })
        }
        Executed::Ready(ready) => {
            let tag = ready.kind.tag(ready.batch.num_rows() as u64);
            let rows = RowStream::ready(ready.schema, ready.batch, tag);
            Ok(Outcome::Rows { columns: ready.columns, rows })
        }
        Executed::Other(outcome) => Ok(outcome),
    }
}

/// Binds a statement in the session's transaction.
pub(super) fn bind_statement(
    session: &mut Session,
    statement: &Statement,
    parameters: Parameters,
) -> Result<Bound, PgError> {
    session.statement_snapshot()?;
    let Some(transaction) = &session.transaction else {
        return Err(PgError::internal("no transaction"));
    };
    let context = session.bind_context(transaction, parameters);
    let bound = bind(&context, statement)?;
    for notice in context.notices.lock().drain(..) {
        session.shared.notify(notice);
    }
    Ok(bound)
}

/// Parses and binds a text to be executed later.
pub(super) fn prepare(
    session: &mut Session,
    text: &str,
    parameter_oids: &[u32],
    from_sql: bool,
) -> Result<Prepared, PgError> {
    let mut statements = session.parse(text)?;
    if statements.len() > 1 {
        return Err(PgError::new(
            SqlState::SYNTAX_ERROR,
            "cannot insert multiple commands into a prepared statement",
        ));
    }
    let declared = declared_types(parameter_oids)?;
    prepare_statement(session, statements.pop(), declared, text, from_sql)
}

/// Binds a statement to be executed later.
pub(super) fn prepare_statement(
    session: &mut Session,
    statement: Option<Statement>,
    declared: Vec<Option<PgType>>,
    text: &str,
    from_sql: bool,
) -> Result<Prepared, PgError> {
    let mut prepared = Prepared {
        statement: None,
        declared,
        parameters: Vec::new(),
        columns: None,
        bound: parking_lot::Mutex::default(),
        text: text.to_owned(),
        from_sql,
        prepared_us: now_us(),
    };
    let Some(statement) = statement else { return Ok(prepared) };
    if !utility::ends_transaction(&statement) {
        session.refuse_if_failed()?;
    }
    if let Some(columns) = utility::describe(session, &statement)? {
        prepared.columns = columns;
        if let Some((_, parameters)) = super::tenancy::describe(&statement) {
            prepared.parameters = vec![PgType::Text; parameters];
        }
    } else if is_plan(&statement) {
        let parameters = Parameters { types: prepared.declared.clone() };
        let bound = bind_statement(session, &statement, parameters)?;
        if let Bound::Plan(plan) = &bound {
            prepared.parameters.clone_from(&plan.parameters);
            prepared.columns = plan.kind.gives_rows().then(|| output_columns(&plan.columns));
        }
        prepared.bound = parking_lot::Mutex::new(Some(cached(session, bound)?));
    }
    prepared.statement = Some(Arc::new(statement));
    Ok(prepared)
}

fn cached(session: &Session, bound: Bound) -> Result<CachedBound, PgError> {
    let Some(transaction) = &session.transaction else {
        return Err(PgError::internal("no transaction"));
    };
    Ok(CachedBound {
        locks: Arc::new(BoundLocks::of(&bound, &transaction.catalog, &session.answers)?),
        bound: Arc::new(bound),
        short: Arc::default(),
        catalog_version: transaction.catalog.stamp(),
        search_path: session.shared.search_path(),
        role: session.shared.caller().role,
    })
}

/// Whether binding is more than reading names: data definition and COPY are bound when they run.
pub(super) fn is_plan(statement: &Statement) -> bool {
    use sqlparser::ast::Statement as Sql;
    match &statement.body {
        Body::Cypher(_) => true,
        Body::PropertyGraph(_) | Body::Utility(_) => false,
        Body::Sql { statement, .. } => matches!(
            statement.as_ref(),
            Sql::Query(_)
                | Sql::Insert(_)
                | Sql::Update(_)
                | Sql::Delete(_)
                | Sql::Merge(_)
                | Sql::Explain { .. }
        ),
    }
}

fn declared_types(oids: &[u32]) -> Result<Vec<Option<PgType>>, PgError> {
    oids.iter()
        .map(|oid| match oid {
            0 | 705 => Ok(None),
            oid => PgType::from_oid(*oid, -1).map(Some).ok_or_else(|| {
                PgError::new(
                    SqlState::UNDEFINED_OBJECT,
                    format!("type with OID {oid} does not exist"),
                )
            }),
        })
        .collect()
}

/// What a statement's execution gave.
pub(super) enum Executed {
    /// Rows, perhaps not computed yet.
    Rows(PortalRows),
    /// A few rows that are here.
    Ready(ReadyRows),
    /// Anything else.
    Other(Outcome),
}

/// Runs a prepared statement with the values of its parameters.
pub(super) async fn execute(
    session: &mut Session,
    prepared: &Prepared,
    statement: &Statement,
    values: Vec<ScalarAndMetadata>,
) -> Result<Executed, PgError> {
    if matches!(&statement.body, Body::Utility(crate::parser::Utility::Tenancy(_)))
        && let Some(outcome) =
            super::tenancy::run_call(session, statement, &values, ScriptPosition::Only).await?
    {
        return Ok(Executed::Other(outcome));
    }
    session.settle_for(statement)?;
    if let Some(outcome) = utility::run(session, statement, ScriptPosition::Only).await? {
        return Ok(Executed::Other(outcome));
    }
    session.refuse_if_failed()?;
    safe_snapshot::wait(session).await?;
    if let Some(outcome) = copy::run(session, statement).await? {
        return Ok(Executed::Other(outcome));
    }
    let CachedBound { bound, short, .. } = loop {
        let known = current_bound(session, prepared, statement)?;
        if session.lock_all(&known.locks).await? {
            break known;
        }
    };
    start_cached(session, &bound, values, &short).await
}

/// The short way that a prepared statement will take if nothing has changed, if it is known which tables it reads.
fn short_of(session: &Session, prepared: &Prepared) -> Option<Short> {
    if !session.shared.settings.lock().policies_as_usual() {
        return None;
    }
    let bound = prepared.bound.lock();
    let short = bound.as_ref()?.admitted_short(&session.shared.caller())??;
    short.plan.tables().is_some().then_some(short)
}

/// The cached bound statement, bound again if names may stand for something else by now.
fn current_bound(
    session: &mut Session,
    prepared: &Prepared,
    statement: &Statement,
) -> Result<CachedBound, PgError> {
    let version = match short_of(session, prepared) {
        Some(short) => {
            session.snapshot_of(short.plan.tables().unwrap_or_default())?.catalog.stamp()
        }
        None => session.statement_snapshot()?.catalog.stamp(),
    };
    let search_path = session.shared.search_path();
    let cached_bound = prepared.bound.lock().clone();
    if let Some(known) = cached_bound
        && known.catalog_version == version
        && known.search_path == search_path
        && known.role == session.shared.caller().role
    {
        return Ok(known);
    }
    let types = prepared.parameters.iter().cloned().map(Some).collect();
    let bound = bind_statement(session, statement, Parameters { types })?;
    if let (Bound::Plan(plan), true) = (&bound, is_plan(statement)) {
        let columns = plan.kind.gives_rows().then(|| output_columns(&plan.columns));
        let same = match (&columns, &prepared.columns) {
            (Some(now), Some(then)) => {
                now.len() == then.len()
                    && now
                        .iter()
                        .zip(then.iter())
                        .all(|(now, then)| now.name == then.name && now.ty == then.ty)
            }
            (now, then) => now.is_none() == then.is_none(),
        };
        if !same {
            return Err(PgError::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "cached plan must not change result type",
            ));
        }
    }
    let renewed = cached(session, bound)?;
    if is_plan(statement) {
        *prepared.bound.lock() = Some(renewed.clone());
    }
    Ok(renewed)
}

/// Runs a bound statement once.
pub(super) async fn start(
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
async fn start_cached(
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
            let short = short_plan(session, plan, short)?;
            start_plan(session, plan, values, short).await
        }
    }
}

/// The short way of a plan for the current role, compiled at its first use.
///
/// What was admitted holds for the role it was admitted for, and for the catalog version that the cache belongs to: a
/// `REVOKE` is a change of the catalog.
fn short_plan(
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
    let short = match ShortPlan::may_exist(&bound.plan) {
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

async fn run_short(
    session: &mut Session,
    bound: &BoundPlan,
    Short { plan: short, columns }: &Short,
    values: Vec<ScalarAndMetadata>,
) -> Result<Executed, PgError> {
    let effects = Effects { writes: short.writes(), locks: false };
    // Nothing in the statement looks at what it writes, if no foreign key does.
    let lazily = short.tables().is_some();
    let (store, target) = snapshot_and_target(session, effects, bound.kind, lazily)?;
    session.answers.set_store(&store);
    let values: Vec<ScalarValue> = values.into_iter().map(|value| value.value).collect();
    let batches = short.run(&store, &values, target).await?;
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
fn snapshot_and_target(
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
fn check_serializable(session: &Session) -> Result<(), PgError> {
    match &session.transaction {
        Some(transaction) => transaction.check_serializable(&session.database),
        None => Ok(()),
    }
}

/// Runs a plan, again on a new snapshot for as long as rows it would lock or change moved under it.
///
/// What an earlier round wrote is taken back, and nothing of it has reached the client; its locks stay.
async fn start_plan(
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
type Planned = (Option<String>, Arc<dyn ExecutionPlan>);

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
struct Effects {
    writes: bool,
    locks: bool,
}

/// What an execution in the session's transaction reads and writes.
fn execution(
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
        super::facts::property_expressions(
            session.bind_context(transaction, Parameters::default()),
            Arc::clone(&session.engine),
        ),
    ))
}

/// Starts operators: short work on this thread, the rest on the compute threads.
pub(super) fn stream(
    session: &Session,
    plan: Arc<dyn ExecutionPlan>,
    token: &CancellationToken,
) -> Result<BoxStream<'static, Result<RecordBatch, PgError>>, PgError> {
    let engine = &session.engine;
    let (token, shared) = (token.clone(), Arc::clone(&session.shared));
    if is_short(&plan) {
        let rows = execute_stream(plan, engine.runtime.task_context())?;
        return Ok(until_canceled(
            rows.map(|batch| batch.map_err(PgError::from)).boxed(),
            token,
            shared,
        ));
    }
    let (sender, receiver) = tokio::sync::mpsc::channel(QUEUED_BATCHES);
    let context = engine.runtime.statement_context(&session.gate.memory(engine));
    // Inside a block a statement may hold locks that those who run wait for, so it does not wait for its turn.
    let in_block = session.transaction.as_ref().is_some_and(|transaction| transaction.explicit);
    let turns = (!in_block && engine.has_other_tenants())
        .then(|| (Arc::clone(&engine.common.fair), engine.tenant.id));
    let work = async move {
        let mut slot = take_turn(turns.as_ref()).await;
        let mut rows = match execute_stream(plan, context) {
            Ok(rows) => rows,
            Err(error) => {
                let _ = sender.send(Err(PgError::from(error))).await;
                return;
            }
        };
        while let Some(batch) = rows.next().await {
            let batch = batch.map_err(PgError::from);
            let Err(TrySendError::Full(batch)) = sender.try_send(batch) else {
                if sender.is_closed() {
                    return;
                }
                continue;
            };
            // While the client is slow, others compute.
            drop(slot.take());
            // The receiver is gone when the client is, or when the statement was canceled.
            if sender.send(batch).await.is_err() {
                return;
            }
            slot = take_turn(turns.as_ref()).await;
        }
        drop(slot);
    };
    let Some(task) = engine.common.compute.spawn(work) else {
        return Err(PgError::new(SqlState::ADMIN_SHUTDOWN, "the server is shutting down"));
    };
    let guard = AbortOnDrop(task);
    let rows = futures::stream::unfold((receiver, guard), |(mut receiver, mut guard)| async move {
        match receiver.recv().await {
            Some(batch) => Some((batch, (receiver, guard))),
            None => match (&mut guard.0).await {
                Ok(()) => None,
                Err(error) if error.is_panic() => {
                    tracing::error!("a statement panicked");
                    Some((
                        Err(PgError::internal("the statement failed unexpectedly")),
                        (receiver, guard),
                    ))
                }
                Err(_) => None,
            },
        }
    });
    Ok(until_canceled(fuse_after_error(rows.boxed()), token, shared))
}

/// A place on the compute threads, where tenants take turns.
async fn take_turn(turns: Option<&(Arc<FairQueue>, TenantId)>) -> Option<FairSlot> {
    match turns {
        Some((queue, tenant)) => Some(queue.slot(*tenant).await),
        None => None,
    }
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Ends a stream at its first error.
fn fuse_after_error(
    rows: BoxStream<'static, Result<RecordBatch, PgError>>,
) -> BoxStream<'static, Result<RecordBatch, PgError>> {
    futures::stream::unfold(Some(rows), |rows| async move {
        let mut rows = rows?;
        let batch = rows.next().await?;
        let next = if batch.is_ok() { Some(rows) } else { None };
        Some((batch, next))
    })
    .boxed()
}

/// Ends a stream with `57014` when its statement is canceled, whatever it is doing.
fn until_canceled(
    rows: BoxStream<'static, Result<RecordBatch, PgError>>,
    token: CancellationToken,
    shared: Arc<SessionShared>,
) -> BoxStream<'static, Result<RecordBatch, PgError>> {
    futures::stream::unfold(Some(rows), move |rows| {
        let (token, shared) = (token.clone(), Arc::clone(&shared));
        async move {
            let mut rows = rows?;
            tokio::select! {
                biased;
                () = token.cancelled() => Some((Err(shared.canceled()), None)),
                batch = rows.next() => batch.map(|batch| (batch, Some(rows))),
            }
        }
    })
    .boxed()
}

/// Whether all that a plan reads is known and little, and nothing in it can grow far beyond that.
fn is_short(plan: &Arc<dyn ExecutionPlan>) -> bool {
    fn rows(plan: &Arc<dyn ExecutionPlan>) -> Option<usize> {
        let children = plan.children();
        if children.is_empty() {
            let statistics =
                StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new());
            return statistics.ok()?.num_rows.get_value().copied();
        }
        let grows = matches!(
            plan.name(),
            "CrossJoinExec" | "NestedLoopJoinExec" | "UnnestExec" | "RecursiveQueryExec"
        );
        let mut total = 0usize;
        for child in children {
            total = total.saturating_add(rows(child)?);
        }
        (!grows).then_some(total)
    }
    rows(plan).is_some_and(|rows| rows <= INLINE_ROWS_MAX)
}

pub(super) fn output_columns(columns: &[BoundColumn]) -> Arc<[OutputColumn]> {
    columns
        .iter()
        .map(|column| OutputColumn {
            name: column.name.clone(),
            ty: if column.ty == PgType::Unknown { PgType::Text } else { column.ty.clone() },
            table: column.table,
            attnum: column.attnum,
            declared: column.declared,
        })
        .collect()
}

fn explain(
    columns: Arc<[OutputColumn]>,
    kind: PlanKind,
    planned: &Planned,
) -> Result<PortalRows, PgError> {
    let (logical, operators) = planned;
    let analyze = matches!(kind, PlanKind::Explain { analyze: true, .. });
    let display = if analyze {
        DisplayableExecutionPlan::with_metrics(operators.as_ref())
    } else {
        DisplayableExecutionPlan::new(operators.as_ref())
    };
    let mut lines: Vec<String> = Vec::new();
    if let Some(logical) = logical {
        lines.push("Logical plan".to_owned());
        lines.extend(shown(logical).map(|line| format!("  {line}")));
        lines.push("Operators".to_owned());
    }
    let indent = if logical.is_some() { "  " } else { "" };
    let operators = display.indent(false).to_string();
    lines.extend(shown(&operators).map(|line| format!("{indent}{line}")));
    let (schema, batch) = text_rows("QUERY PLAN", lines)?;
    let rows = futures::stream::iter([Ok(batch)]).boxed();
    Ok(PortalRows::new(columns, schema, kind, rows))
}

/// The lines of a plan without those below row policies: what these say, and how many rows they hide, is not told.
fn shown(plan: &str) -> impl Iterator<Item = &str> {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut below: Option<usize> = None;
    plan.lines().filter(move |line| {
        if below.is_some_and(|policy| depth(line) > policy) {
            return false;
        }
        below = line.trim_start().starts_with("RowPolicy").then(|| depth(line));
        true
    })
}

/// A batch of one text column.
pub(super) fn text_rows(
    name: &str,
    lines: Vec<String>,
) -> Result<(Arc<Schema>, RecordBatch), PgError> {
    let schema = Arc::new(Schema::new(vec![Field::new(name, DataType::Utf8View, false)]));
    let values: ArrayRef = Arc::new(StringViewArray::from_iter_values(lines));
    Ok((Arc::clone(&schema), RecordBatch::try_new(schema, vec![values])?))
}

/// Reads the values of parameters by the types of a prepared statement.
pub(super) fn read_values(
    session: &Session,
    prepared: &Prepared,
    name: &str,
    values: &[(Format, Option<&[u8]>)],
) -> Result<Vec<ScalarAndMetadata>, PgError> {
    if values.len() != prepared.parameters.len() {
        return Err(PgError::new(
            SqlState::PROTOCOL_VIOLATION,
            format!(
                "bind message supplies {} parameters, but prepared statement \"{name}\" requires {}",
                values.len(),
                prepared.parameters.len()
            ),
        ));
    }
    let settings = OnceCell::new();
    let mut read = Vec::with_capacity(values.len());
    for (at, ((format, value), ty)) in values.iter().zip(&prepared.parameters).enumerate() {
        if let Some(value) = read_plain(ty, *format, *value) {
            read.push(ScalarAndMetadata::new(value, metadata_of(ty)));
            continue;
        }
        let settings = settings
            .get_or_init(|| session.shared.settings.lock().input(session.shared.transaction_us()));
        let context = || format!("unnamed portal parameter ${}", at + 1);
        let mut column = InputColumn::new(ty, settings);
        let pushed = match (format, reg_kind(ty)) {
            (Format::Text, Some(kind)) => {
                let number = object_number(session, kind, *value)
                    .map_err(|error| error.context(context()))?
                    .map(|number| number.to_string());
                column.push_text(number.as_ref().map(String::as_bytes))
            }
            (Format::Text, None) if is_open(prepared, at) => {
                column.push_text(open_json(*value).as_deref())
            }
            (Format::Text, None) => column.push_text(*value),
            (Format::Binary, _) => column.push_binary(*value),
        };
        pushed.map_err(|error| PgError::from(error).context(context()))?;
        let array = column.finish().map_err(PgError::from)?;
        read.push(typed_value(ScalarValue::try_from_array(&array, 0)?, ty));
    }
    Ok(read)
}

/// Whether a parameter is jsonb because nothing tells its type: neither the client nor the Cypher statement.
fn is_open(prepared: &Prepared, at: usize) -> bool {
    let is_cypher = prepared
        .statement
        .as_ref()
        .is_some_and(|statement| matches!(statement.body, crate::parser::Body::Cypher(_)));
    is_cypher
        && prepared.parameters.get(at) == Some(&PgType::Jsonb)
        && prepared.declared.get(at).cloned().flatten().is_none()
}

/// The text of an open parameter as JSON. Drivers that send texts without a type send them as they are, so what is no JSON
/// is a string.
fn open_json(value: Option<&[u8]>) -> Option<std::borrow::Cow<'_, [u8]>> {
    let value = value?;
    if serde_json::from_slice::<serde::de::IgnoredAny>(value).is_ok() {
        return Some(value.into());
    }
    match std::str::from_utf8(value).map(serde_json::to_vec) {
        Ok(Ok(string)) => Some(string.into()),
        // Reading it says what is wrong with it.
        _ => Some(value.into()),
    }
}

/// The number of an object that a parameter names.
fn object_number(
    session: &Session,
    kind: RegKind,
    name: Option<&[u8]>,
) -> Result<Option<u32>, PgError> {
    let Some(name) = name else { return Ok(None) };
    let name = std::str::from_utf8(name).map_err(|_| {
        PgError::new(
            SqlState::CHARACTER_NOT_IN_REPERTOIRE,
            "invalid byte sequence for encoding \"UTF8\"",
        )
    })?;
    reg_input(kind, name, Some(session.answers.as_ref())).map(Some)
}

/// A value with its PostgreSQL type beside it, where the Arrow type alone does not tell.
pub(super) fn typed_value(value: ScalarValue, ty: &PgType) -> ScalarAndMetadata {
    ScalarAndMetadata::new(value, metadata_of(ty))
}

fn metadata_of(ty: &PgType) -> Option<FieldMetadata> {
    if matches!(ty, PgType::Int2 | PgType::Int4 | PgType::Int8 | PgType::Text) {
        return None;
    }
    let field = ty.field("", true);
    (!field.metadata().is_empty()).then(|| FieldMetadata::from(field.metadata()))
}
