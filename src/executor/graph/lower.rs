//! From a [`MatchPattern`] to operators on adjacency lists.
//!
//! ```text
//! input or scan ── Expand / ExpandInto / VarExpand / ShortestPath … ── Path ── Arrange
//!        ▲                     each appends columns and drops rows that fail a condition
//!        └── the next step is always the one that is expected to give the fewest rows
//! ```
//!
//! A condition is applied by the first step after which all its columns are there. `start` has scans, `step`
//! steps along edges, `group` repeated patterns, `select` paths and which of them are kept.

mod group;
mod lookup;
mod select;
mod start;
mod step;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::utils::split_conjunction_owned;
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;

use super::guard::Guards;
use super::order::Seen;
use super::snapshot::GraphSnapshot;
use crate::error::PgError;
use crate::executor::operator::{
    ArgumentExec, Arrange, Checks, Fewest, GraphExec, GraphOperator, GroupBody, OptionalMatchExec,
    Shortest,
};
use crate::planner::{BoundPattern, MatchPattern, PatternElement};

/// Makes a physical expression over the columns of a schema.
pub type CreatePhysical<'a> = &'a dyn Fn(&Expr, &DFSchema) -> Result<Arc<dyn PhysicalExpr>>;

/// The plan of a node's input, if it has one, and those of its repeated patterns.
pub type Inputs<'a> = (Option<Arc<dyn ExecutionPlan>>, &'a [Arc<dyn ExecutionPlan>]);

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
    (input, bodies): Inputs<'_>,
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
                .cheapest_vertex(None)?
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
                    match together.as_slice() {
                        [] | [_] => {
                            done[next.edge] = true;
                            self.expand(&mut partial, &next)?;
                        }
                        edges => {
                            edges.iter().for_each(|(edge, _)| done[*edge] = true);
                            self.intersect(&mut partial, &next, edges)?;
                        }
                    }
                }
                None => match self.cheapest_vertex(Some(&partial))? {
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

/// Whether all columns of an expression are there.
fn is_ready(expr: &Expr, schema: &DFSchema) -> bool {
    expr.column_refs().iter().all(|column| schema.maybe_index_of_column(column).is_some())
}
