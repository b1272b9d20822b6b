//! A logical plan becomes operators over one snapshot.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::datasource::provider_as_source;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{
    Expr, LogicalPlan, TableSource, UserDefinedLogicalNode, UserDefinedLogicalNodeCore,
};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};
use parking_lot::Mutex;

use super::apply::{BoundApply, bind_cells};
use super::keyed_subplans::{KeyedSubplan, keyed};
use super::operator::{
    AlgorithmExec, ApplyExec, ApplyExecParts, ConflictLookupExec, GraphWriteChecks, GraphWriteExec,
    LoadCsvExec, LockRowsExec, PolicyCheckExec, RowPolicyExec, RowSlot, RowsExec, ScanExec,
    SeriesExec, TableWriteExec, WithWritesExec, WrittenRowsTable,
};
use super::reads::ReadLog;
use super::row_conditions::RowConditions;
use super::runtime::Runtime;
use super::scan::{KnownRows, StoredTable};
use super::stages;
use super::write::{StatementLocks, WriteTarget};
use crate::access::{Admitted, policy};
use crate::catalog::{Catalog, Relation, RelationKind};
use crate::error::{PgError, SqlState};
use crate::executor::graph::write::Written;
use crate::executor::graph::{
    CreatePhysical, ExpressionHook, GraphSnapshot, Guards, Moved, element_version, lower_match,
};
use crate::planner::node::{
    CheckKind, ConflictLookup, ElementGuard, GraphAlgorithm, GraphWrite, LoadCsv, LockRows,
    MatchPattern, PolicyCheck, RowPolicy, Series, TableWrite, WithWrites, WrittenRows,
};
use crate::planner::pattern::BoundPattern;
use crate::planner::source::RelationSource;
use crate::storage::{AdjacencyCache, StoreSnapshot};
use crate::types::Oid;

/// Rows of system relations, computed when they are read.
pub trait SystemRows: Send + Sync {
    /// All rows of a system relation.
    ///
    /// # Errors
    /// `XX000` if it has none.
    fn rows(&self, relation: &Relation) -> std::result::Result<RecordBatch, PgError>;
}

/// What one execution of a statement reads and writes.
pub struct Statement {
    /// Names.
    pub catalog: Arc<Catalog>,
    /// Rows.
    pub store: StoreSnapshot,
    /// System relations.
    pub system: Arc<dyn SystemRows>,
    /// Where writes go; `None` in a read-only statement.
    pub target: Option<Arc<dyn WriteTarget>>,
    /// How rows are locked.
    pub locks: Arc<StatementLocks>,
    /// Where reads are noted, in a serializable transaction.
    pub reads: Option<Arc<ReadLog>>,
    /// Adjacency built before.
    pub adjacency: Arc<AdjacencyCache>,
    /// Makes physical expressions of properties that are SQL.
    pub expressions: ExpressionHook,
    /// Elements that earlier clauses moved.
    pub moved: Arc<Moved>,
    graphs: Mutex<HashMap<Oid, Arc<GraphSnapshot>>>,
    /// Whether operators are only to be shown.
    pub explains: bool,
    /// What clauses of Cypher wrote that policies are still to be asked about.
    pub(super) written: Arc<Mutex<Written>>,
    /// Rows of queries of WITH that write, by their numbers.
    slots: Arc<Mutex<HashMap<usize, RowSlot>>>,
    /// Bytes of the tables that a plan reads, while it is made.
    scanned: Mutex<Vec<u64>>,
}

impl Statement {
    /// An execution over a snapshot.
    #[expect(clippy::too_many_arguments, reason = "one for each field, in their order")]
    pub fn new(
        catalog: Arc<Catalog>,
        store: StoreSnapshot,
        system: Arc<dyn SystemRows>,
        target: Option<Arc<dyn WriteTarget>>,
        locks: Arc<StatementLocks>,
        reads: Option<Arc<ReadLog>>,
        adjacency: Arc<AdjacencyCache>,
        expressions: ExpressionHook,
    ) -> Self {
        Self {
            catalog,
            store,
            system,
            target,
            locks,
            reads,
            adjacency,
            expressions,
            moved: Arc::default(),
            graphs: Mutex::default(),
            explains: false,
            written: Arc::default(),
            slots: Arc::default(),
            scanned: Mutex::default(),
        }
    }

    /// The statement, of which the operators are to be shown.
    #[must_use]
    pub fn explaining(mut self) -> Self {
        self.explains = true;
        self
    }

    /// The same statement after some of it wrote: names and rows as they are then.
    pub(super) fn after_writes(&self, target: &dyn WriteTarget) -> Self {
        Self {
            catalog: target.catalog(),
            store: target.view(),
            system: Arc::clone(&self.system),
            target: self.target.clone(),
            locks: Arc::clone(&self.locks),
            reads: self.reads.clone(),
            adjacency: Arc::clone(&self.adjacency),
            expressions: Arc::clone(&self.expressions),
            moved: Arc::clone(&self.moved),
            graphs: Mutex::default(),
            explains: self.explains,
            written: Arc::clone(&self.written),
            slots: Arc::clone(&self.slots),
            scanned: Mutex::default(),
        }
    }

    /// Notes that a pattern reads its element tables, whichever rows of them.
    fn note_pattern(&self, pattern: &BoundPattern) {
        let Some(reads) = &self.reads else { return };
        let vertices = pattern.vertices.iter().flat_map(|vertex| &vertex.tables);
        let edges = pattern.edges.iter().flat_map(|edge| &edge.tables);
        let vertices = vertices.filter_map(|at| pattern.graph.vertices.get(usize::from(*at)));
        let edges = edges.filter_map(|at| pattern.graph.edges.get(usize::from(*at)));
        for table in vertices.map(|v| v.relation).chain(edges.map(|edge| edge.element.relation)) {
            reads.note(table, None);
        }
    }

    /// Where the rows of a query of WITH are kept.
    pub(super) fn slot(&self, number: usize) -> RowSlot {
        Arc::clone(self.slots.lock().entry(number).or_default())
    }

    /// The graph's tables and adjacency at this snapshot.
    pub(super) fn graph(&self, graph: Oid) -> Result<Arc<GraphSnapshot>> {
        if let Some(known) = self.graphs.lock().get(&graph) {
            return Ok(Arc::clone(known));
        }
        let Some(graph) = self.catalog.relation(graph).and_then(|relation| match &relation.kind {
            RelationKind::PropertyGraph(graph) => Some(graph),
            RelationKind::Table(_)
            | RelationKind::View(_)
            | RelationKind::MaterializedView(_)
            | RelationKind::Sequence(_)
            | RelationKind::System(_) => None,
        }) else {
            return Err(PgError::new(
                SqlState::UNDEFINED_OBJECT,
                "the property graph does not exist",
            )
            .into());
        };
        let snapshot = GraphSnapshot::try_new(
            Arc::clone(graph),
            |table| element_version(&self.catalog, &self.store, graph, table),
            &self.adjacency,
        )?
        .with_moved(Arc::clone(&self.moved))
        .with_expressions(Arc::clone(&self.expressions));
        let snapshot = Arc::new(snapshot);
        self.graphs.lock().insert(graph.oid, Arc::clone(&snapshot));
        Ok(snapshot)
    }
}

/// Makes operators of an admitted, optimized plan.
///
/// # Errors
/// `0A000` for what DataFusion does not run, `XX000` for our own defects.
pub async fn plan_physical(
    runtime: &Runtime,
    statement: &Arc<Statement>,
    plan: &Admitted<LogicalPlan>,
) -> std::result::Result<Arc<dyn ExecutionPlan>, PgError> {
    if let LogicalPlan::Extension(extension) = plan.get()
        && let Some(with) = extension.node.as_any().downcast_ref::<WithWrites>()
        && with.sees_writes
    {
        return stages::plan(runtime, statement, with).await;
    }
    let guarded = policy::verify(plan.get())?;
    let plan = attach(plan.get().clone(), statement)?;
    let (planner, policies) = planner(statement, runtime.serial_state());
    let operators = plan_root(runtime, statement, &planner, &plan).await?;
    verify_planned(&guarded, &policies, &operators)?;
    Ok(operators)
}

/// Policies that were planned, by their numbers.
type Planned = Arc<Mutex<BTreeSet<u32>>>;

/// Whether every policy of a plan is among its operators, and every scan that one guards below it.
fn verify_planned(
    guarded: &[u32],
    policies: &Planned,
    operators: &Arc<dyn ExecutionPlan>,
) -> std::result::Result<(), PgError> {
    if !guarded.iter().all(|number| policies.lock().contains(number)) {
        return Err(PgError::internal("a row policy was not planned"));
    }
    verify_operators(operators, &mut Vec::new())
}

/// Whether every scan that a policy guards stands below its barrier.
fn verify_operators(
    plan: &Arc<dyn ExecutionPlan>,
    above: &mut Vec<u32>,
) -> std::result::Result<(), PgError> {
    let scan = plan.downcast_ref::<ScanExec>().and_then(ScanExec::guard);
    let guard = scan.or_else(|| plan.downcast_ref::<RowsExec>().and_then(RowsExec::guard));
    if guard.is_some_and(|number| !above.contains(&number)) {
        return Err(PgError::internal("an operator that reads a table lost its row policy"));
    }
    let policy = plan.downcast_ref::<RowPolicyExec>().map(RowPolicyExec::number);
    above.extend(policy);
    for child in plan.children() {
        verify_operators(child, above)?;
    }
    if policy.is_some() {
        above.pop();
    }
    Ok(())
}

async fn plan_root(
    runtime: &Runtime,
    statement: &Arc<Statement>,
    planner: &DefaultPhysicalPlanner,
    plan: &LogicalPlan,
) -> std::result::Result<Arc<dyn ExecutionPlan>, PgError> {
    if let LogicalPlan::Extension(extension) = plan
        && let Some(with) = extension.node.as_any().downcast_ref::<WithWrites>()
    {
        return plan_with_writes(runtime, statement, planner, with).await;
    }
    let tables = std::mem::take(&mut *statement.scanned.lock());
    Ok(planner.create_physical_plan(plan, runtime.state_for(tables)).await?)
}

/// Makes operators of a part of an admitted plan, of one stream, over what `statement` sees.
///
/// # Errors
/// As [`plan_physical`].
pub(super) async fn plan_part(
    state: &SessionState,
    serial: &Arc<SessionState>,
    statement: &Arc<Statement>,
    plan: &LogicalPlan,
) -> Result<Arc<dyn ExecutionPlan>> {
    let guarded = policy::verify(plan)?;
    let plan = attach(plan.clone(), statement)?;
    let (planner, policies) = planner(statement, serial);
    let plan = planner.create_physical_plan(&plan, state).await?;
    verify_planned(&guarded, &policies, &plan)?;
    Ok(match plan.output_partitioning().partition_count() {
        1 => plan,
        _ => Arc::new(CoalescePartitionsExec::new(plan)),
    })
}

fn planner(
    statement: &Arc<Statement>,
    serial: &Arc<SessionState>,
) -> (DefaultPhysicalPlanner, Planned) {
    let policies = Planned::default();
    let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(Extensions {
        statement: Arc::clone(statement),
        serial: Arc::clone(serial),
        policies: Arc::clone(&policies),
    })]);
    (planner, policies)
}

/// Plans the queries of a WITH that writes one by one: each is a root, whose order of rows and whose subqueries are its
/// own, and runs only after those before it.
async fn plan_with_writes(
    runtime: &Runtime,
    statement: &Statement,
    planner: &DefaultPhysicalPlanner,
    with: &WithWrites,
) -> std::result::Result<Arc<dyn ExecutionPlan>, PgError> {
    let Some(target) = &statement.target else {
        return Err(PgError::internal("a write in a read-only statement"));
    };
    let mut plans: Vec<Arc<dyn ExecutionPlan>> = Vec::with_capacity(with.plans.len());
    for plan in &with.plans {
        let plan = planner.create_physical_plan(plan, runtime.state()).await?;
        plans.push(match plan.output_partitioning().partition_count() {
            1 => plan,
            _ => Arc::new(CoalescePartitionsExec::new(plan)),
        });
    }
    let slots = with.numbers.iter().map(|number| statement.slot(*number)).collect();
    let schema = Arc::clone(UserDefinedLogicalNodeCore::schema(with).inner());
    Ok(Arc::new(WithWritesExec::new(slots, plans, schema, Arc::clone(target))))
}

/// Gives every scan its rows and every graph function its graph.
fn attach(plan: LogicalPlan, statement: &Statement) -> Result<LogicalPlan> {
    // Of guards, what is evaluated as conditions needs no operators; all else does.
    let is_apart = |guard: &ElementGuard| RowConditions::is_all_of(&guard.plan);
    let is_wrong = |guard: &ElementGuard| guard.apart != is_apart(guard);
    let plan = MatchPattern::change_guards(plan, is_wrong, |guard| {
        Ok(ElementGuard { apart: !guard.apart, ..guard })
    })?;
    let plan = plan
        .transform_up_with_subqueries(|node| match node {
            LogicalPlan::TableScan(mut scan) => match provider(scan.source.as_ref(), statement)? {
                Some(source) => {
                    scan.source = source;
                    Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
                }
                None => Ok(Transformed::no(LogicalPlan::TableScan(scan))),
            },
            other => Ok(Transformed::no(other)),
        })?
        .data;
    let plan =
        crate::executor::graph::bind_graph_functions(plan, &|graph| statement.graph(graph.oid))?;
    bind_cells(plan)
}

fn provider(
    source: &dyn TableSource,
    statement: &Statement,
) -> Result<Option<Arc<dyn TableSource>>> {
    if let Some(written) = source.downcast_ref::<WrittenRows>() {
        let slot = statement.slot(written.number);
        let table = WrittenRowsTable { slot, schema: written.schema() };
        return Ok(Some(provider_as_source(Arc::new(table))));
    }
    let Some(source) = source.downcast_ref::<RelationSource>() else { return Ok(None) };
    let relation = &source.relation;
    match &relation.kind {
        RelationKind::System(_) | RelationKind::Sequence(_) => {
            let rows = statement.system.rows(relation)?;
            let table = KnownRows { name: relation.name.clone(), rows };
            Ok(Some(provider_as_source(Arc::new(table))))
        }
        RelationKind::MaterializedView(view) if !view.populated => Err(PgError::new(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("materialized view \"{}\" has not been populated", relation.name),
        )
        .hint("Use the REFRESH MATERIALIZED VIEW command.")
        .into()),
        RelationKind::Table(_) | RelationKind::MaterializedView(_) => {
            let version = statement.store.table(relation.oid).ok_or_else(|| {
                PgError::new(
                    SqlState::UNDEFINED_TABLE,
                    format!("relation \"{}\" does not exist", relation.name),
                )
            })?;
            statement.scanned.lock().push(version.bytes_in_memory());
            let table = StoredTable {
                relation: Arc::clone(relation),
                version: Arc::clone(version),
                schema: source.schema(),
                reads: statement.reads.clone(),
                guard: source.guard,
            };
            Ok(Some(provider_as_source(Arc::new(table))))
        }
        RelationKind::View(_) | RelationKind::PropertyGraph(_) => {
            Err(PgError::internal(format!("\"{}\" has no rows to scan", relation.name)).into())
        }
    }
}

/// The rows of a plan that satisfy conditions.
fn filtered(
    plan: Arc<dyn ExecutionPlan>,
    conditions: &[Expr],
    schema: &DFSchema,
    create: CreatePhysical<'_>,
) -> Result<Arc<dyn ExecutionPlan>> {
    conditions.iter().try_fold(plan, |plan, condition| {
        let condition = create(condition, schema)?;
        Ok(Arc::new(FilterExec::try_new(condition, plan)?) as Arc<dyn ExecutionPlan>)
    })
}

/// Filters on a scan of a stored table become part of it, where their answers can be remembered and none of them fails.
fn restricted(
    plan: &LogicalPlan,
    operators: &Arc<dyn ExecutionPlan>,
    create_physical: CreatePhysical<'_>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let mut below = operators;
    while let Some(filter) = below.downcast_ref::<FilterExec>() {
        below = filter.input();
    }
    if Arc::ptr_eq(below, operators) || below.schema() != operators.schema() {
        return Ok(Arc::clone(operators));
    }
    let Some(scan) = below.downcast_ref::<ScanExec>() else { return Ok(Arc::clone(operators)) };
    match RowConditions::of(plan, create_physical)? {
        Some(conditions) if conditions.key().is_some() && conditions.never_fail() => {
            Ok(Arc::new(scan.restricted(Arc::new(conditions))))
        }
        Some(_) | None => Ok(Arc::clone(operators)),
    }
}

struct Extensions {
    statement: Arc<Statement>,
    /// For plans that run many times and are small each time.
    serial: Arc<SessionState>,
    /// Numbers of the row policies that were planned.
    policies: Arc<Mutex<BTreeSet<u32>>>,
}

impl Extensions {
    /// Policies on the rows that a clause of Cypher writes; `plans` are the operators of their plans.
    fn write_checks(
        &self,
        write: &GraphWrite,
        plans: &[Arc<dyn ExecutionPlan>],
        state: &dyn Session,
    ) -> Result<GraphWriteChecks> {
        let mut before = Vec::new();
        for (check, plan) in write.checks.iter().zip(plans) {
            if check.kind == CheckKind::New {
                continue;
            }
            // No operator has it as a child, so that rules for operators would not meet it.
            let plan = DefaultPhysicalPlanner::default().optimize_physical_plan(
                Arc::clone(plan),
                state,
                |_, _| {},
            )?;
            before.push((check.clone(), plan));
        }
        Ok(GraphWriteChecks { before, written: Arc::clone(&self.statement.written) })
    }

    async fn apply(
        &self,
        planner: &dyn PhysicalPlanner,
        node: &BoundApply,
        input: Arc<dyn ExecutionPlan>,
        state: &dyn Session,
        context: &PhysicalPlanningContext,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let apply = &node.apply;
        let subplan = planner.create_physical_plan(&apply.subplan, self.serial.as_ref()).await?;
        let subplan: Arc<dyn ExecutionPlan> = match subplan.output_partitioning().partition_count()
        {
            1 => subplan,
            _ => Arc::new(CoalescePartitionsExec::new(subplan)),
        };
        let KeyedSubplan { subplan, all } = keyed(subplan, &node.cells)?;
        let over_input =
            |expr: &Expr| planner.create_physical_expr(expr, apply.input.schema(), state, context);
        let parts = ApplyExecParts {
            subplan,
            all,
            cells: Arc::clone(&node.cells),
            keys: apply.keys.iter().map(over_input).collect::<Result<Vec<_>>>()?,
            guard: apply.guard.as_ref().map(over_input).transpose()?,
            kind: apply.kind,
            schema: Arc::clone(UserDefinedLogicalNodeCore::schema(apply).inner()),
        };
        Ok(Arc::new(ApplyExec::new(input, parts)))
    }
}

#[async_trait]
impl ExtensionPlanner for Extensions {
    async fn plan_extension(
        &self,
        planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        state: &dyn Session,
        context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        if let Some(write) = node.as_any().downcast_ref::<TableWrite>() {
            let Some(target) = &self.statement.target else {
                return Err(DataFusionError::from(PgError::internal(
                    "a write in a read-only statement",
                )));
            };
            let input = Arc::clone(&physical_inputs[0]);
            return Ok(Some(Arc::new(TableWriteExec::new(write, input, Arc::clone(target)))));
        }
        if let Some(series) = node.as_any().downcast_ref::<Series>() {
            let empty = DFSchema::empty();
            let args = series
                .args
                .iter()
                .map(|arg| planner.create_physical_expr(arg, &empty, state, context))
                .collect::<Result<Vec<_>>>()?;
            let schema = Arc::clone(UserDefinedLogicalNodeCore::schema(series).inner());
            return Ok(Some(Arc::new(SeriesExec::new(args, series.session.clone(), schema))));
        }
        if let Some(load) = node.as_any().downcast_ref::<LoadCsv>() {
            let input = Arc::clone(&physical_inputs[0]);
            let columns = load.input.schema();
            let source = planner.create_physical_expr(&load.source, columns, state, context)?;
            let schema = Arc::clone(UserDefinedLogicalNodeCore::schema(load).inner());
            let form = load.form.clone();
            return Ok(Some(Arc::new(LoadCsvExec::new(input, source, form, schema))));
        }
        if let Some(lock) = node.as_any().downcast_ref::<LockRows>() {
            let input = Arc::clone(&physical_inputs[0]);
            let (locks, snapshot) =
                (Arc::clone(&self.statement.locks), self.statement.store.clone());
            return Ok(Some(Arc::new(LockRowsExec::new(lock, input, locks, snapshot))));
        }
        if let Some(apply) = node.as_any().downcast_ref::<BoundApply>() {
            let input = Arc::clone(&physical_inputs[0]);
            return self.apply(planner, apply, input, state, context).await.map(Some);
        }
        if let Some(lookup) = node.as_any().downcast_ref::<ConflictLookup>() {
            let Some(target) = &self.statement.target else {
                return Err(DataFusionError::from(PgError::internal(
                    "a write in a read-only statement",
                )));
            };
            let input = Arc::clone(&physical_inputs[0]);
            return Ok(Some(Arc::new(ConflictLookupExec::new(lookup, input, Arc::clone(target)))));
        }
        if let Some(algorithm) = node.as_any().downcast_ref::<GraphAlgorithm>() {
            let graph = self.statement.graph(algorithm.graph.oid)?;
            let schema = algorithm.rows.schema();
            let parameters =
                planner.create_physical_expr(&algorithm.parameters, schema, state, context)?;
            let schema = Arc::clone(UserDefinedLogicalNodeCore::schema(algorithm).inner());
            let exec = AlgorithmExec::try_new(
                self.statement.locks.owner.session(),
                (algorithm.algorithm, graph),
                physical_inputs,
                parameters,
                schema,
            )?;
            return Ok(Some(Arc::new(exec)));
        }
        if let Some(write) = node.as_any().downcast_ref::<GraphWrite>() {
            let Some(target) = &self.statement.target else {
                return Err(DataFusionError::from(PgError::internal(
                    "a write in a read-only statement",
                )));
            };
            let graph = self.statement.graph(write.graph.oid)?;
            let input = Arc::clone(&physical_inputs[0]);
            let checks = self.write_checks(write, &physical_inputs[1..], state)?;
            return Ok(Some(Arc::new(GraphWriteExec::new(
                write,
                input,
                graph,
                Arc::clone(target),
                checks,
            ))));
        }
        if let Some(pattern) = node.as_any().downcast_ref::<MatchPattern>() {
            let graph = self.statement.graph(pattern.pattern.graph.oid)?;
            let mut pattern = pattern.clone();
            pattern.pattern = pattern.pattern.resolved(&graph.graph);
            let pattern = &pattern;
            self.statement.note_pattern(&pattern.pattern);
            let create = |expr: &Expr, schema: &DFSchema| {
                planner.create_physical_expr(expr, schema, state, context)
            };
            let (input, plans) = match (&pattern.input, physical_inputs.split_first()) {
                (Some(_), Some((input, plans))) => (Some(Arc::clone(input)), plans),
                _ => (None, physical_inputs),
            };
            let planned = pattern.guards.iter().filter(|guard| !guard.apart).count();
            let (plans, bodies) = plans.split_at(planned.min(plans.len()));
            let guards = Guards::try_new(&pattern.guards, plans, &graph, &create, state)?;
            self.policies.lock().extend(guards.numbers());
            // As with the plans of guards, no operator has these as children.
            let optimized = |plan: &Arc<dyn ExecutionPlan>| {
                let planner = DefaultPhysicalPlanner::default();
                planner.optimize_physical_plan(Arc::clone(plan), state, |_, _| {})
            };
            let bodies = bodies.iter().map(optimized).collect::<Result<Vec<_>>>()?;
            let partitions = state.config().target_partitions();
            let inputs = (input, bodies.as_slice());
            let matches = lower_match(pattern, inputs, (&graph, guards), &create, partitions)?;
            let schema = UserDefinedLogicalNodeCore::schema(pattern);
            return Ok(Some(filtered(matches, &pattern.above, schema, &create)?));
        }
        if let Some(policy) = node.as_any().downcast_ref::<RowPolicy>() {
            self.policies.lock().insert(policy.number);
            let create = |expr: &Expr, schema: &DFSchema| {
                planner.create_physical_expr(expr, schema, state, context)
            };
            let input = restricted(&policy.input, &physical_inputs[0], &create)?;
            let rows = RowPolicyExec::new(policy.number, input);
            let schema = UserDefinedLogicalNodeCore::schema(policy);
            return Ok(Some(filtered(Arc::new(rows), &policy.above, schema, &create)?));
        }
        if let Some(check) = node.as_any().downcast_ref::<PolicyCheck>() {
            let input = Arc::clone(&physical_inputs[0]);
            return Ok(Some(Arc::new(PolicyCheckExec::new(check, input))));
        }
        Ok(None)
    }
}
