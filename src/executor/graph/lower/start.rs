//! Where the operators of a pattern begin: what its input gives, and scans of single vertices.

use std::sync::Arc;

use datafusion::common::{DFSchema, NullEquality, Result};
use datafusion::logical_expr::{BinaryExpr, Expr, JoinType, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, PartitionMode};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::super::key_lookup::key_lookup;
use super::super::order::matching_rows;
use super::{Lowering, Partial, arrow_schema, element_field, is_ready, one_row, with_fields};
use crate::error::PgError;
use crate::executor::operator::{Checks, EndsOfEdge, PatternFilter, ScanTable, VertexScanExec};
use crate::planner::EdgeRule;

impl Lowering<'_> {
    /// Elements that the input gives.
    pub(super) fn take_bound(&mut self, partial: &mut Partial) -> Result<()> {
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

    /// Adds the vertices of an edge that the input gives, or compares them with what is there.
    pub(super) fn ends_of_bound(&mut self, partial: &mut Partial, edge: usize) -> Result<()> {
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
    pub(super) fn vertex_predicates(&self, vertex: usize) -> Vec<&Expr> {
        let name = &self.pattern.vertices[vertex].variable;
        let own = |conjunct: &&Expr| {
            let columns = conjunct.column_refs();
            !columns.is_empty()
                && columns.iter().all(|column| column.relation.is_none() && column.name == *name)
        };
        self.conjuncts.iter().filter(own).collect()
    }

    /// The vertex, of those without a column, that is expected to have the fewest rows.
    pub(super) fn cheapest_vertex(
        &self,
        partial: Option<&Partial>,
    ) -> Result<Option<(usize, f64)>> {
        let mut best: Option<(usize, f64)> = None;
        for (at, vertex) in self.pattern.vertices.iter().enumerate() {
            if partial.is_some_and(|it| it.vertices.contains_key(&at)) || vertex.bound {
                continue;
            }
            let found = match partial {
                Some(partial) => self.row_lookup(partial, at)?,
                None => None,
            };
            let rows = match found {
                Some(_) => 1.0,
                None => matching_rows(self.seen(), &vertex.tables, &self.vertex_predicates(at))?,
            };
            if best.is_none_or(|(_, least)| rows < least) {
                best = Some((at, rows));
            }
        }
        Ok(best)
    }

    /// A scan of one vertex, with the conditions on it alone.
    pub(super) fn scan(&mut self, vertex: usize) -> Result<Partial> {
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
    pub(super) fn join_scan(&mut self, mut partial: Partial, vertex: usize) -> Result<Partial> {
        if let Some(tables) = self.row_lookup(&partial, vertex)? {
            self.look_up(&mut partial, vertex, tables)?;
            return Ok(partial);
        }
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
    pub(super) fn join_keys(
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

    /// Pairs of columns that must have no edge in common, for an edge and those before it.
    pub(super) fn distinct_from(
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
}
