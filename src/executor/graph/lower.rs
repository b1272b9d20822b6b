//! From a [`MatchPattern`] to operators on adjacency lists.
//!
//! ```text
//! input or scan ── Expand / ExpandInto / VarExpand / ShortestPath … ── Path ── Arrange
//!        ▲                     each appends columns and drops rows that fail a condition
//!        └── the next step is always the one that is expected to give the fewest rows
//! ```
//!
//! A condition is applied by the first step after which all its columns are there. `group` has repeated patterns,
//! `select` paths and which of them are kept.

mod group;
mod select;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::{DFSchema, NullEquality, Result};
use datafusion::logical_expr::utils::split_conjunction_owned;
use datafusion::logical_expr::{
    BinaryExpr, Expr, JoinType, LogicalPlan, Operator, UserDefinedLogicalNodeCore,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, PartitionMode};
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::guard::Guards;
use super::key_lookup::key_lookup;
use super::order::{Seen, fanout, matching_rows, selectivity, vertex_rows, walks};
use super::snapshot::{GraphSnapshot, Hop};
use crate::error::PgError;
use crate::executor::operator::{
    ArgumentExec, Arrange, Checks, EdgePredicate, EndsOfEdge, Expand, ExpandInto, Fewest,
    GraphExec, GraphOperator, GroupBody, HopSet, Intersect, OptionalMatchExec, PatternFilter,
    ScanTable, Shortest, VarEnd, VarExpand, VertexScanExec,
};
use crate::planner::{
    BoundPattern, Direction, EdgeRule, MatchPattern, PathMode, PatternEdge, PatternElement,
    Quantifier,
};

/// Makes a physical expression over the columns of a schema.
pub type CreatePhysical<'a> = &'a dyn Fn(&Expr, &DFSchema) -> Result<Arc<dyn PhysicalExpr>>;

/// The other end of a search is scanned before the search if it is expected to have at most this many rows.
const SEARCH_ENDS_MAX: f64 = 16.0;
/// How many steps a repeated pattern is taken to have from one vertex.
const GROUP_FANOUT: f64 = 4.0;
/// Column of row numbers inside an optional match.
const ROW_COLUMN: &str = "~row";

/// Physical operators for a pattern whose graph functions are bound ([`super::bind_graph_functions`]).
///
/// `inputs` are the plans of the node's input, if it has one, and of its repeated patterns; `guards` are those of the
/// node. Scans use at most `partitions_max` partitions. An extension planner calls it
/// with `&|expr, schema| planner.create_physical_expr(expr, schema, session, planning_ctx)`.
///
/// # Errors
/// `0A000` for a kind of path search that is not carried out; whatever `create_physical` fails with.
pub fn lower_match(
    node: &MatchPattern,
    (input, bodies): (Option<Arc<dyn ExecutionPlan>>, &[Arc<dyn ExecutionPlan>]),
    (graph, guards): (&Arc<GraphSnapshot>, Guards),
    create_physical: CreatePhysical<'_>,
    partitions_max: usize,
) -> Result<Arc<dyn ExecutionPlan>> {
    let input_schema = match &node.input {
        Some(input) => input.schema().as_ref().clone(),
        None => DFSchema::empty(),
    };
    let input = match (input, node.optional) {
        // An optional match without input is one for a row without columns.
        (None, true) => Some(one_row()),
        (Some(_), false) if is_one_row(node.input.as_deref()) => None,
        (input, _) => input,
    };
    let (conjuncts, later) = conjuncts(node);
    let mut lowering = Lowering {
        pattern: &node.pattern,
        graph: Arc::clone(graph),
        guards: Arc::new(guards),
        create_physical,
        partitions_max: if node.optional { 1 } else { partitions_max },
        conjuncts,
        later,
        searches: searches(&node.pattern),
        bodies: group::bodies(&node.pattern, bodies)?,
    };
    let columns = input_schema.fields().len();
    let schema = Arc::new(UserDefinedLogicalNodeCore::schema(node).as_arrow().clone());
    match input {
        Some(input) if node.optional => {
            let row = Arc::new(Field::new(ROW_COLUMN, DataType::UInt32, false));
            let inner_schema = with_fields(&input_schema, [row])?;
            let argument = Arc::new(ArgumentExec::new(arrow_schema(&inner_schema)));
            let partial = Partial::new(argument, inner_schema, columns);
            let inner = lowering.lower(partial, Some(columns), &schema)?;
            let own = schema.fields().len() - columns;
            let from_input = (0..columns).map(Some).chain((0..own).map(|_| None)).collect();
            Ok(Arc::new(OptionalMatchExec::new(input, inner, from_input, schema)))
        }
        Some(input) => {
            let partial = Partial::new(input, input_schema, columns);
            let partial = lowering.numbered(partial)?;
            lowering.lower(partial, None, &schema)
        }
        None => {
            let (vertex, _) = lowering
                .cheapest_vertex(&BTreeMap::new())?
                .ok_or_else(|| PgError::internal("a pattern has no vertex"))?;
            let partial = lowering.scan(vertex)?;
            lowering.lower(partial, None, &schema)
        }
    }
}

/// Whether a plan is one row without columns, to which a pattern adds nothing but itself.
fn is_one_row(plan: Option<&LogicalPlan>) -> bool {
    matches!(plan, Some(LogicalPlan::EmptyRelation(empty))
        if empty.produce_one_row && empty.schema.fields().is_empty())
}

fn one_row() -> Arc<dyn ExecutionPlan> {
    Arc::new(PlaceholderRowExec::new(Arc::new(Schema::empty())))
}

/// All conditions on single rows of matches, taken apart: first those for all rows, then those for the rows that path
/// selectors leave. Those on edges of a quantified edge are not among them.
fn conjuncts(node: &MatchPattern) -> (Vec<Expr>, Vec<Expr>) {
    let vertices = node.pattern.vertices.iter().filter_map(|vertex| vertex.predicate.clone());
    let edges = node.pattern.edges.iter().filter(|edge| edge.quantifier.is_none());
    let edges = edges.filter_map(|edge| edge.predicate.clone());
    let paths = node.pattern.paths.iter().filter_map(|path| path.condition.clone());
    let (later, now): (Vec<Expr>, Vec<Expr>) =
        node.filter.clone().into_iter().flat_map(split_conjunction_owned).partition(|conjunct| {
            let columns = conjunct.column_refs();
            columns.iter().any(|column| node.pattern.is_selected_by_path(&column.name))
        });
    let inside = vertices.chain(edges).chain(paths).flat_map(split_conjunction_owned);
    (inside.chain(now).collect(), later)
}

/// For each edge along which walks are searched: how.
fn searches(pattern: &BoundPattern) -> BTreeMap<usize, Search> {
    let mut searches = BTreeMap::new();
    for path in &pattern.paths {
        for element in &path.elements {
            if let PatternElement::Edge(edge) = element
                && let Some(search) = select::search_of(pattern, path, *edge)
            {
                searches.insert(*edge, search);
            }
        }
    }
    searches
}

fn with_fields(schema: &DFSchema, fields: impl IntoIterator<Item = FieldRef>) -> Result<DFSchema> {
    let own = schema.iter().map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field)));
    let fields = own.chain(fields.into_iter().map(|field| (None, field))).collect();
    DFSchema::new_with_metadata(fields, Default::default())
}

fn arrow_schema(schema: &DFSchema) -> SchemaRef {
    Arc::new(schema.as_arrow().clone())
}

fn element_field(name: &str) -> FieldRef {
    Arc::new(Field::new(name, DataType::UInt64, false))
}

fn list_field(name: &str) -> FieldRef {
    let item = Arc::new(Field::new("item", DataType::UInt64, true));
    Arc::new(Field::new(name, DataType::List(item), false))
}

/// A plan for a part of the pattern.
struct Partial {
    plan: Arc<dyn ExecutionPlan>,
    schema: DFSchema,
    /// Where the columns of the node's input begin.
    input_from: usize,
    input_columns: usize,
    /// Pattern vertices that have a column, and which.
    vertices: BTreeMap<usize, usize>,
    /// The same for edges; of a repeated pattern, the column of its steps.
    edges: BTreeMap<usize, usize>,
    /// For each repeated pattern the columns of its elements, lists in written order.
    steps: BTreeMap<usize, Vec<usize>>,
    /// Output columns that are not elements' own: single elements of what is optional, variables of repeated patterns.
    outputs: BTreeMap<String, usize>,
    /// Running numbers of the input's rows.
    number: Option<usize>,
    rows: f64,
}

impl Partial {
    fn new(plan: Arc<dyn ExecutionPlan>, schema: DFSchema, input_columns: usize) -> Self {
        Self {
            plan,
            schema,
            input_from: 0,
            input_columns,
            vertices: BTreeMap::new(),
            edges: BTreeMap::new(),
            steps: BTreeMap::new(),
            outputs: BTreeMap::new(),
            number: None,
            rows: 1.0,
        }
    }

    fn width(&self) -> usize {
        self.schema.fields().len()
    }

    /// Moves all columns right by some places.
    fn shift(&mut self, by: usize) {
        self.input_from += by;
        let own = self.vertices.values_mut().chain(self.edges.values_mut());
        let lists = self.steps.values_mut().flatten();
        own.chain(lists).chain(self.outputs.values_mut()).for_each(|column| *column += by);
        self.number = self.number.map(|column| column + by);
    }

    fn push(&mut self, operator: impl GraphOperator, schema: DFSchema) {
        let exec =
            GraphExec::new(Arc::clone(&self.plan), Arc::new(operator), arrow_schema(&schema));
        self.plan = Arc::new(exec);
        self.schema = schema;
    }
}

struct Lowering<'a> {
    pattern: &'a BoundPattern,
    graph: Arc<GraphSnapshot>,
    /// Which elements of it there are.
    guards: Arc<Guards>,
    create_physical: CreatePhysical<'a>,
    partitions_max: usize,
    /// Conditions not applied yet.
    conjuncts: Vec<Expr>,
    /// Conditions for after paths are selected.
    later: Vec<Expr>,
    searches: BTreeMap<usize, Search>,
    /// The bodies of repeated patterns, by edge.
    bodies: BTreeMap<usize, Arc<GroupBody>>,
}

/// How walks along a quantified edge are searched rather than enumerated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Search {
    /// The shortest.
    Shortest(Shortest),
    /// Several of the shortest, or several lengths.
    Fewest(Fewest),
}

/// The next step, with the rows expected after it.
struct Candidate {
    edge: usize,
    /// Starts at the edge's right element.
    reverse: bool,
    rows: f64,
}

impl Lowering<'_> {
    fn seen(&self) -> Seen<'_> {
        Seen { graph: &self.graph, guards: &self.guards }
    }

    /// Adds everything that is missing to `partial`. `row_column`: the column of row numbers to be kept, if any.
    fn lower(
        &mut self,
        mut partial: Partial,
        row_column: Option<usize>,
        schema: &SchemaRef,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.take_bound(&mut partial)?;
        let mut done: Vec<bool> =
            (0..self.pattern.edges.len()).map(|edge| partial.edges.contains_key(&edge)).collect();
        for edge in partial.edges.keys().copied().collect::<Vec<_>>() {
            self.ends_of_bound(&mut partial, edge)?;
        }
        loop {
            match self.cheapest_edge(&partial, &done)? {
                Some(next) => {
                    let together = self.common_neighbor(&partial, &next, &done);
                    done[next.edge] = true;
                    match together.as_slice() {
                        [] | [_] => self.expand(&mut partial, &next)?,
                        edges => {
                            edges.iter().for_each(|(edge, _)| done[*edge] = true);
                            self.intersect(&mut partial, &next, edges)?;
                        }
                    }
                }
                None => match self.cheapest_vertex(&partial.vertices)? {
                    Some((vertex, _)) => partial = self.join_scan(partial, vertex)?,
                    None => break,
                },
            }
        }
        let paths = self.build_paths(&mut partial, row_column)?;
        if let Some(left) = self.conjuncts.first() {
            // Says which column is missing.
            (self.create_physical)(left, &partial.schema)?;
            return Err(PgError::internal(format!("condition {left} was not applied")).into());
        }
        Ok(self.arrange(partial, &paths, row_column, schema))
    }

    /// The conditions whose columns are all in `schema`, for the step that makes it.
    fn checks(&mut self, schema: &DFSchema) -> Result<Checks> {
        let (ready, left): (Vec<Expr>, Vec<Expr>) = std::mem::take(&mut self.conjuncts)
            .into_iter()
            .partition(|conjunct| is_ready(conjunct, schema));
        self.conjuncts = left;
        let predicates = ready.iter().map(|conjunct| (self.create_physical)(conjunct, schema));
        Ok(Checks { predicates: predicates.collect::<Result<_>>()?, ..Checks::default() })
    }

    /// Elements that the input gives.
    fn take_bound(&mut self, partial: &mut Partial) -> Result<()> {
        let column = |schema: &DFSchema, name: &str| {
            schema
                .index_of_column_by_name(None, name)
                .ok_or_else(|| PgError::internal(format!("input has no column {name}")))
        };
        let mut tables = Vec::new();
        for (at, vertex) in self.pattern.vertices.iter().enumerate().filter(|(_, it)| it.bound) {
            let column = column(&partial.schema, &vertex.variable)?;
            partial.vertices.insert(at, column);
            tables.push((column, vertex.tables.clone()));
        }
        for (at, edge) in self.pattern.edges.iter().enumerate().filter(|(_, it)| it.bound) {
            if edge.quantifier.is_some() {
                return Err(PgError::unsupported(
                    "a variable-length edge that is already bound is not supported",
                    "Match it under another name and compare the two.",
                )
                .into());
            }
            let column = column(&partial.schema, &edge.variable)?;
            partial.edges.insert(at, column);
            tables.push((column, edge.tables.clone()));
        }
        let schema = partial.schema.clone();
        let mut checks = self.checks(&schema)?;
        checks.tables = tables;
        let bound: Vec<(usize, usize)> =
            partial.edges.iter().map(|(edge, column)| (*edge, *column)).collect();
        for (at, (edge, column)) in bound.iter().enumerate() {
            checks.distinct.extend(self.distinct_from(&bound[..at], *edge, *column));
        }
        if !checks.is_empty() {
            partial.push(PatternFilter { checks }, schema);
        }
        Ok(())
    }

    /// Pairs of columns that must have no edge in common, for an edge and those before it.
    fn distinct_from(
        &self,
        others: &[(usize, usize)],
        edge: usize,
        column: usize,
    ) -> Vec<(usize, usize)> {
        if self.pattern.edge_rule == EdgeRule::Repeat {
            return Vec::new();
        }
        let tables = &self.pattern.edges[edge].tables;
        let overlaps =
            |other: usize| self.pattern.edges[other].tables.iter().any(|it| tables.contains(it));
        let others = others.iter().filter(|(other, _)| *other != edge && overlaps(*other));
        others.map(|(_, other)| (*other, column)).collect()
    }

    /// Adds the vertices of an edge that the input gives, or compares them with what is there.
    fn ends_of_bound(&mut self, partial: &mut Partial, edge: usize) -> Result<()> {
        let pattern = &self.pattern.edges[edge];
        let column = partial.edges[&edge];
        let width = partial.width();
        let mut fields = Vec::new();
        let mut checks = Checks::default();
        for (at, vertex) in [pattern.left, pattern.right].into_iter().enumerate() {
            let name = match partial.vertices.get(&vertex) {
                // The same value is there already, under its name.
                Some(known) => {
                    checks.equal.push((*known, width + at));
                    format!("~end{edge}.{at}")
                }
                None => {
                    partial.vertices.insert(vertex, width + at);
                    checks.tables.push((width + at, self.pattern.vertices[vertex].tables.clone()));
                    self.pattern.vertices[vertex].variable.clone()
                }
            };
            fields.push(element_field(&name));
        }
        let schema = with_fields(&partial.schema, fields)?;
        checks.predicates = self.checks(&schema)?.predicates;
        let graph = Arc::clone(&self.graph);
        partial
            .push(EndsOfEdge { graph, edge: column, direction: pattern.direction, checks }, schema);
        Ok(())
    }

    /// Conditions on one vertex alone.
    fn vertex_predicates(&self, vertex: usize) -> Vec<&Expr> {
        let name = &self.pattern.vertices[vertex].variable;
        let own = |conjunct: &&Expr| {
            let columns = conjunct.column_refs();
            !columns.is_empty()
                && columns.iter().all(|column| column.relation.is_none() && column.name == *name)
        };
        self.conjuncts.iter().filter(own).collect()
    }

    /// The vertex, of those without a column, that is expected to have the fewest rows.
    fn cheapest_vertex(&self, known: &BTreeMap<usize, usize>) -> Result<Option<(usize, f64)>> {
        let mut best: Option<(usize, f64)> = None;
        for (at, vertex) in self.pattern.vertices.iter().enumerate() {
            if known.contains_key(&at) || vertex.bound {
                continue;
            }
            let rows = matching_rows(self.seen(), &vertex.tables, &self.vertex_predicates(at))?;
            if best.is_none_or(|(_, least)| rows < least) {
                best = Some((at, rows));
            }
        }
        Ok(best)
    }

    /// A scan of one vertex, with the conditions on it alone.
    fn scan(&mut self, vertex: usize) -> Result<Partial> {
        let pattern = &self.pattern.vertices[vertex];
        let predicates = self.vertex_predicates(vertex);
        let rows = matching_rows(self.seen(), &pattern.tables, &predicates)?;
        let tables = pattern
            .tables
            .iter()
            .map(|table| {
                let lookup = key_lookup(&self.graph, *table, &predicates)?;
                Ok(ScanTable { table: *table, lookup })
            })
            .collect::<Result<Vec<_>>>()?;
        let schema = with_fields(&DFSchema::empty(), [element_field(&pattern.variable)])?;
        let mut partial = Partial::new(one_row(), DFSchema::empty(), 0);
        let checks = self.checks(&schema)?;
        partial.plan = Arc::new(VertexScanExec::try_new(
            (Arc::clone(&self.graph), Arc::clone(&self.guards)),
            tables,
            checks,
            arrow_schema(&schema),
            self.partitions_max,
        )?);
        partial.schema = schema;
        partial.vertices.insert(vertex, 0);
        partial.rows = rows.max(1.0);
        Ok(partial)
    }

    /// Every row beside every vertex, or where a condition equates them, beside the equal ones.
    fn join_scan(&mut self, mut partial: Partial, vertex: usize) -> Result<Partial> {
        let scan = self.scan(vertex)?;
        let single = scan.plan.output_partitioning().partition_count() == 1;
        let build: Arc<dyn ExecutionPlan> =
            if single { scan.plan } else { Arc::new(CoalescePartitionsExec::new(scan.plan)) };
        let on = self.join_keys(&scan.schema, &partial.schema)?;
        let schema = scan.schema.join(&partial.schema)?;
        partial.plan = if on.is_empty() {
            Arc::new(CrossJoinExec::new(build, partial.plan))
        } else {
            Arc::new(HashJoinExec::try_new(
                build,
                partial.plan,
                on,
                None,
                &JoinType::Inner,
                None,
                PartitionMode::CollectLeft,
                NullEquality::NullEqualsNothing,
                false,
            )?)
        };
        partial.shift(1);
        partial.vertices.insert(vertex, 0);
        partial.rows *= scan.rows;
        partial.schema = schema.clone();
        let checks = self.checks(&schema)?;
        if !checks.is_empty() {
            partial.push(PatternFilter { checks }, schema);
        }
        Ok(partial)
    }

    /// Conditions `left = right` with one side over each schema. They stay conditions too: a join on equal values is only
    /// a faster way to the rows.
    #[expect(clippy::type_complexity, reason = "what HashJoinExec takes")]
    fn join_keys(
        &self,
        left_schema: &DFSchema,
        right_schema: &DFSchema,
    ) -> Result<Vec<(Arc<dyn PhysicalExpr>, Arc<dyn PhysicalExpr>)>> {
        let mut keys = Vec::new();
        for conjunct in &self.conjuncts {
            let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = conjunct else {
                continue;
            };
            for (left, right) in [(left, right), (right, left)] {
                let sides = !left.column_refs().is_empty() && !right.column_refs().is_empty();
                if sides && is_ready(left, left_schema) && is_ready(right, right_schema) {
                    let left = (self.create_physical)(left, left_schema)?;
                    let right = (self.create_physical)(right, right_schema)?;
                    let left_type = left.data_type(left_schema.as_arrow())?;
                    if left_type == right.data_type(right_schema.as_arrow())?
                        && !left_type.is_floating()
                    {
                        keys.push((left, right));
                    }
                    break;
                }
            }
        }
        Ok(keys)
    }

    /// The edge, of those that touch what is there, whose step is expected to leave the fewest rows.
    fn cheapest_edge(&self, partial: &Partial, done: &[bool]) -> Result<Option<Candidate>> {
        let mut best: Option<Candidate> = None;
        for (at, edge) in self.pattern.edges.iter().enumerate().filter(|(at, _)| !done[*at]) {
            for reverse in [false, true] {
                let (from, to) =
                    if reverse { (edge.right, edge.left) } else { (edge.left, edge.right) };
                if !partial.vertices.contains_key(&from) {
                    continue;
                }
                let bound = partial.vertices.contains_key(&to);
                if !bound && self.comes_first(at, to)? {
                    continue;
                }
                let rows = partial.rows * self.step_rows(edge, from, to, reverse, bound)?;
                if best.as_ref().is_none_or(|best| rows < best.rows) {
                    best = Some(Candidate { edge: at, reverse, rows });
                }
            }
        }
        Ok(best)
    }

    /// Whether it pays to look up the vertex at the other end of an edge before the step: towards a known vertex, a hop is
    /// a search in a sorted list, a walk leaves out what cannot reach it, and a search runs from both sides.
    fn comes_first(&self, edge: usize, vertex: usize) -> Result<bool> {
        let tables = &self.pattern.vertices[vertex].tables;
        let rows = matching_rows(self.seen(), tables, &self.vertex_predicates(vertex))?;
        let few = if self.searches.contains_key(&edge) { SEARCH_ENDS_MAX } else { 1.0 };
        Ok(rows <= few)
    }

    /// Rows that one row is expected to become by a step.
    fn step_rows(
        &self,
        edge: &PatternEdge,
        from: usize,
        to: usize,
        reverse: bool,
        bound: bool,
    ) -> Result<f64> {
        let (from, to_tables) =
            (&self.pattern.vertices[from].tables, &self.pattern.vertices[to].tables);
        if edge.group.is_some() {
            // Its steps are found first in any case; how many they are is not known here.
            let steps =
                walks(GROUP_FANOUT, edge.quantifier.unwrap_or(Quantifier { min: 1, max: None }));
            let ends = vertex_rows(self.seen(), to_tables)?.max(1.0);
            return Ok(if bound { steps / ends } else { steps });
        }
        let all = self.graph.hops(&edge.tables, towards(edge.direction, reverse))?;
        let hops: Vec<Hop> = all
            .into_iter()
            .filter(|hop| from.contains(&hop.from))
            .filter(|hop| edge.quantifier.is_some() || to_tables.contains(&hop.to))
            .collect();
        let edges = edge.predicate.iter().collect::<Vec<_>>();
        let one = fanout(self.seen(), &hops, from)? * selectivity(&edges);
        let steps = edge.quantifier.map_or(one, |quantifier| walks(one, quantifier));
        let ends = vertex_rows(self.seen(), to_tables)?.max(1.0);
        Ok(if bound { steps / ends } else { steps * selectivity(&self.vertex_predicates(to)) })
    }

    /// Adds the step along an edge.
    fn expand(&mut self, partial: &mut Partial, step: &Candidate) -> Result<()> {
        let edge = &self.pattern.edges[step.edge];
        let (from, to) =
            if step.reverse { (edge.right, edge.left) } else { (edge.left, edge.right) };
        let bound = partial.vertices.get(&to).copied();
        let source = partial.vertices[&from];
        let column = partial.width();
        let before = self.edge_columns(partial);
        let each = match edge.quantifier {
            Some(_) => self.edge_predicate(edge, &partial.schema)?,
            None => None,
        };
        let mut fields = vec![match edge.quantifier {
            None => element_field(&edge.variable),
            Some(_) if edge.optional || edge.group.is_some() => {
                list_field(&format!("~steps{}", step.edge))
            }
            Some(_) => list_field(&edge.variable),
        }];
        partial.edges.insert(step.edge, column);
        if bound.is_none() {
            fields.push(element_field(&self.pattern.vertices[to].variable));
            partial.vertices.insert(to, column + 1);
        }
        let schema = with_fields(&partial.schema, fields)?;
        let mut checks = self.checks(&schema)?;
        if edge.group.is_none() {
            checks.distinct = self.distinct_from(&before, step.edge, column);
        }
        partial.rows = step.rows.max(1.0);
        let walk = Walk {
            at: step.edge,
            edge,
            source,
            end: match bound {
                Some(column) => VarEnd::Bound(column),
                None => VarEnd::New(self.pattern.vertices[to].tables.clone()),
            },
            column,
            each,
            reverse: step.reverse,
            checks,
        };
        match (self.searches.get(&step.edge), edge.quantifier) {
            (Some(Search::Shortest(shortest)), Some(quantifier)) => {
                partial.push(self.shortest(walk, *shortest, quantifier)?, schema);
            }
            (Some(Search::Fewest(fewest)), Some(quantifier)) => {
                partial.push(self.shortest_k(walk, *fewest, quantifier)?, schema);
            }
            (None, Some(quantifier)) => partial.push(self.var_expand(walk, quantifier)?, schema),
            (_, None) => self.one_hop(partial, walk, (from, to), schema)?,
        }
        self.unpack(partial, step.edge, &before)
    }

    /// The single hops, the given step among them, that lead from known vertices to the same unknown one, each with
    /// whether it starts at the edge's right element.
    fn common_neighbor(
        &self,
        partial: &Partial,
        step: &Candidate,
        done: &[bool],
    ) -> Vec<(usize, bool)> {
        let known = |vertex: usize| partial.vertices.contains_key(&vertex);
        let edge = &self.pattern.edges[step.edge];
        let to = if step.reverse { edge.left } else { edge.right };
        if known(to) {
            return Vec::new();
        }
        let hops = self.pattern.edges.iter().enumerate().filter(|(at, edge)| {
            !done[*at] && edge.quantifier.is_none() && !self.searches.contains_key(at)
        });
        hops.filter_map(|(at, edge)| match (edge.left, edge.right) {
            (left, right) if right == to && known(left) => Some((at, false)),
            (left, right) if left == to && known(right) => Some((at, true)),
            _ => None,
        })
        .collect()
    }

    /// Adds several edges to one new vertex at once.
    fn intersect(
        &mut self,
        partial: &mut Partial,
        step: &Candidate,
        edges: &[(usize, bool)],
    ) -> Result<()> {
        let pattern = self.pattern;
        let to = match (&pattern.edges[step.edge], step.reverse) {
            (edge, true) => edge.left,
            (edge, false) => edge.right,
        };
        let mut known = self.edge_columns(partial);
        let (mut sources, mut fields, mut distinct) = (Vec::new(), Vec::new(), Vec::new());
        for (at, reverse) in edges {
            let edge = &pattern.edges[*at];
            let from = if *reverse { edge.right } else { edge.left };
            let column = partial.width() + fields.len();
            let tables = (&pattern.vertices[from].tables, &pattern.vertices[to].tables);
            let mut hops = self.hop_set(*at, edge, *reverse)?;
            hops.hops.retain(|hop| tables.0.contains(&hop.from) && tables.1.contains(&hop.to));
            sources.push((partial.vertices[&from], hops));
            fields.push(element_field(&edge.variable));
            distinct.extend(self.distinct_from(&known, *at, column));
            known.push((*at, column));
            partial.edges.insert(*at, column);
        }
        partial.vertices.insert(to, partial.width() + fields.len());
        fields.push(element_field(&pattern.vertices[to].variable));
        let schema = with_fields(&partial.schema, fields)?;
        let checks = Checks { distinct, ..self.checks(&schema)? };
        partial.rows = step.rows.max(1.0);
        partial.push(Intersect { sources, checks }, schema);
        Ok(())
    }

    fn hop_set(&self, at: usize, edge: &PatternEdge, reverse: bool) -> Result<HopSet> {
        let group = self.bodies.get(&at).map(|body| body.hops(reverse));
        let hops = match group {
            None => self.graph.hops(&edge.tables, towards(edge.direction, reverse))?,
            Some(_) => Vec::new(),
        };
        let (graph, guards) = (Arc::clone(&self.graph), Arc::clone(&self.guards));
        Ok(HopSet { graph, hops, guards, group })
    }

    fn one_hop(
        &self,
        partial: &mut Partial,
        walk: Walk<'_>,
        (from, to): (usize, usize),
        schema: DFSchema,
    ) -> Result<()> {
        let Walk { at, edge, source, end, checks, reverse, column: _, each: _ } = walk;
        let (from, to) = (&self.pattern.vertices[from].tables, &self.pattern.vertices[to].tables);
        let mut hops = self.hop_set(at, edge, reverse)?;
        hops.hops.retain(|hop| from.contains(&hop.from) && to.contains(&hop.to));
        match end {
            VarEnd::New(_) => partial.push(Expand { source, hops, checks }, schema),
            VarEnd::Bound(target) => {
                let mut back = self.hop_set(at, edge, !reverse)?;
                back.hops.retain(|hop| to.contains(&hop.from) && from.contains(&hop.to));
                partial.push(ExpandInto { source, target, hops, back, checks }, schema);
            }
        }
        Ok(())
    }

    /// Cypher's rule holds inside a variable-length edge too.
    fn mode(&self, edge: &PatternEdge) -> PathMode {
        match (self.pattern.edge_rule, edge.mode) {
            (EdgeRule::Distinct, PathMode::Walk) => PathMode::Trail,
            (_, mode) => mode,
        }
    }

    fn var_expand(&self, walk: Walk<'_>, quantifier: Quantifier) -> Result<VarExpand> {
        let mode = self.mode(walk.edge);
        if mode == PathMode::Walk && quantifier.max.is_none() {
            return Err(PgError::new(
                crate::error::SqlState::SYNTAX_ERROR,
                "an unbounded quantifier needs a path mode or a path search that bounds it",
            )
            .hint("Write TRAIL, ACYCLIC or SIMPLE, or an upper bound such as {1,5}.")
            .into());
        }
        Ok(VarExpand {
            hops: self.hop_set(walk.at, walk.edge, walk.reverse)?,
            back: self.hop_set(walk.at, walk.edge, !walk.reverse)?,
            source: walk.source,
            end: walk.end,
            list_column: walk.column,
            quantifier,
            mode,
            any_direction: walk.edge.direction == Direction::Any,
            predicate: walk.each,
            reverse: walk.reverse,
            distinct_ends: false,
            checks: walk.checks,
        })
    }

    /// What each edge of a quantified edge must satisfy, over the edge's column and, where needed, the row before it.
    fn edge_predicate(
        &self,
        edge: &PatternEdge,
        schema: &DFSchema,
    ) -> Result<Option<EdgePredicate>> {
        let Some(predicate) = &edge.predicate else { return Ok(None) };
        let own = with_fields(&DFSchema::empty(), [element_field(&edge.variable)])?;
        let whole_row = !is_ready(predicate, &own);
        let schema =
            if whole_row { with_fields(schema, [element_field(&edge.variable)])? } else { own };
        let predicates = split_conjunction_owned(predicate.clone())
            .iter()
            .map(|conjunct| (self.create_physical)(conjunct, &schema))
            .collect::<Result<_>>()?;
        Ok(Some(EdgePredicate { predicates, schema: arrow_schema(&schema), whole_row }))
    }

    /// The node's columns in the node's order.
    fn arrange(
        &self,
        partial: Partial,
        paths: &[usize],
        row_column: Option<usize>,
        schema: &SchemaRef,
    ) -> Arc<dyn ExecutionPlan> {
        let input = partial.input_from..partial.input_from + partial.input_columns;
        let vertices = partial.vertices.iter();
        let vertices = vertices.filter(|(at, _)| !self.pattern.vertices[**at].bound);
        let edges = partial.edges.iter().filter(|(at, _)| !self.pattern.edges[**at].bound);
        let edges = edges.map(|(at, column)| {
            partial.outputs.get(&self.pattern.edges[*at].variable).unwrap_or(column)
        });
        let groups = self.pattern.edges.iter().filter_map(|edge| edge.group.as_ref());
        let variables = groups
            .flat_map(|group| group.elements.iter().filter_map(|it| it.output.as_ref()))
            .filter_map(|name| partial.outputs.get(name));
        let row = row_column.map(|column| column + partial.input_from);
        let columns: Vec<usize> = input
            .chain(vertices.map(|(_, column)| *column))
            .chain(edges.copied())
            .chain(variables.copied())
            .chain(paths.iter().copied())
            .chain(row)
            .collect();
        let schema = match row_column {
            None => Arc::clone(schema),
            Some(_) => {
                let row = Arc::new(Field::new(ROW_COLUMN, DataType::UInt32, false));
                let fields = schema.fields().iter().cloned().chain([row]);
                Arc::new(Schema::new(fields.collect::<Vec<_>>()))
            }
        };
        Arc::new(GraphExec::new(partial.plan, Arc::new(Arrange { columns }), schema))
    }
}

/// What the steps along an edge have in common.
struct Walk<'a> {
    at: usize,
    edge: &'a PatternEdge,
    source: usize,
    end: VarEnd,
    /// The edge's column.
    column: usize,
    each: Option<EdgePredicate>,
    reverse: bool,
    checks: Checks,
}

/// An edge's direction, seen from the element one starts at.
fn towards(direction: Direction, reverse: bool) -> Direction {
    match (direction, reverse) {
        (Direction::Right, true) => Direction::Left,
        (Direction::Left, true) => Direction::Right,
        (direction, _) => direction,
    }
}

/// Whether all columns of an expression are there.
fn is_ready(expr: &Expr, schema: &DFSchema) -> bool {
    expr.column_refs().iter().all(|column| schema.maybe_index_of_column(column).is_some())
}
