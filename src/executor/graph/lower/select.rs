//! Paths: searches along their edges, path columns, and which of the paths between the same ends are kept.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::Result;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::step::Walk;
use super::{Lowering, Partial, Search, with_fields};
use crate::error::PgError;
use crate::executor::operator::{
    Fewest, Kept, NumberRows, PathBuild, PathModeFilter, PathPart, PathSelect, PatternFilter,
    Shortest, ShortestK, ShortestPath,
};
use crate::planner::node::path_type;
use crate::planner::{
    BoundPattern, Direction, EdgeRule, PathMode, PathSearch, PatternEdge, PatternElement,
    PatternPath, Quantifier,
};

/// Column of running numbers of input rows.
const NUMBER_COLUMN: &str = "~number";

/// How the walks along an edge of a path are searched: those that its selector can keep are among them.
pub(super) fn search_of(pattern: &BoundPattern, path: &PatternPath, edge: usize) -> Option<Search> {
    let edge = pattern.edges.get(edge)?;
    let quantifier = edge.quantifier.filter(|_| !edge.optional)?;
    let on_inside = |condition: &Expr| {
        condition.column_refs().iter().any(|column| path.is_inner(pattern, &column.name))
    };
    if path.condition.as_ref().is_some_and(on_inside) {
        // The shortest walk may not satisfy it.
        return None;
    }
    let shortest = match path.search {
        PathSearch::All => return None,
        PathSearch::Any | PathSearch::AnyShortest => Shortest::Any,
        PathSearch::AllShortest => Shortest::All,
        PathSearch::ShortestK(count) => {
            return may_repeat(pattern, path, edge).then_some(Search::Fewest(Fewest::Walks(count)));
        }
        PathSearch::ShortestGroups(count) => {
            return may_repeat(pattern, path, edge)
                .then_some(Search::Fewest(Fewest::Lengths(count)));
        }
    };
    if quantifier.min <= 1 && is_one_edge(path) && !has_long_steps(edge) {
        return Some(Search::Shortest(shortest));
    }
    may_repeat(pattern, path, edge).then_some(match shortest {
        Shortest::Any => Search::Fewest(Fewest::Walks(1)),
        Shortest::All => Search::Fewest(Fewest::Lengths(1)),
    })
}

/// Whether nothing forbids a walk along the edge to repeat elements.
fn may_repeat(pattern: &BoundPattern, path: &PatternPath, edge: &PatternEdge) -> bool {
    pattern.edge_rule == EdgeRule::Repeat
        && path.mode == PathMode::Walk
        && edge.mode == PathMode::Walk
}

/// Whether a step has several edges, so that a shortest way of steps may repeat one.
fn has_long_steps(edge: &PatternEdge) -> bool {
    edge.group.as_ref().is_some_and(|group| group.elements.len() > 3)
}

fn is_one_edge(path: &PatternPath) -> bool {
    matches!(
        path.elements.as_slice(),
        [PatternElement::Vertex(_), PatternElement::Edge(_), PatternElement::Vertex(_)]
    )
}

/// What is left to select when all steps are done; `None` if the search along the one edge did it.
fn kept(path: &PatternPath, searches: &std::collections::BTreeMap<usize, Search>) -> Option<Kept> {
    let kept = match path.search {
        PathSearch::All => return None,
        PathSearch::Any | PathSearch::AnyShortest => Kept::Shortest(1),
        PathSearch::AllShortest => Kept::Groups(1),
        PathSearch::ShortestK(count) => Kept::Shortest(count),
        PathSearch::ShortestGroups(count) => Kept::Groups(count),
    };
    let searched = path.elements.iter().any(|element| match element {
        PatternElement::Edge(edge) => matches!(searches.get(edge), Some(Search::Shortest(_))),
        PatternElement::Vertex(_) => false,
    });
    (!(searched && is_one_edge(path))).then_some(kept)
}

impl Lowering<'_> {
    /// With a running number for each row, where rows that are equal must be told apart later.
    pub(super) fn numbered(&self, mut partial: Partial) -> Result<Partial> {
        if !self.pattern.paths.iter().any(|path| kept(path, &self.searches).is_some()) {
            return Ok(partial);
        }
        one_partition(&mut partial);
        let column = partial.width();
        let field = Arc::new(Field::new(NUMBER_COLUMN, DataType::UInt64, false));
        let schema = with_fields(&partial.schema, [field])?;
        partial.push(NumberRows, schema);
        partial.number = Some(column);
        Ok(partial)
    }

    pub(super) fn shortest(
        &self,
        walk: Walk<'_>,
        shortest: Shortest,
        quantifier: Quantifier,
    ) -> Result<ShortestPath> {
        Ok(ShortestPath {
            hops: self.hop_set(walk.at, walk.edge, walk.reverse)?,
            back: self.hop_set(walk.at, walk.edge, !walk.reverse)?,
            source: walk.source,
            end: walk.end,
            min: quantifier.min,
            max: quantifier.max,
            shortest,
            mode: self.mode(walk.edge),
            any_direction: walk.edge.direction == Direction::Any,
            predicate: walk.each,
            reverse: walk.reverse,
            checks: walk.checks,
        })
    }

    pub(super) fn shortest_k(
        &self,
        walk: Walk<'_>,
        fewest: Fewest,
        quantifier: Quantifier,
    ) -> Result<ShortestK> {
        Ok(ShortestK {
            hops: self.hop_set(walk.at, walk.edge, walk.reverse)?,
            source: walk.source,
            end: walk.end,
            min: quantifier.min,
            max: quantifier.max,
            fewest,
            predicate: walk.each,
            reverse: walk.reverse,
            checks: walk.checks,
        })
    }

    /// Adds path columns, and keeps the paths that modes and selectors keep; the columns of those that have a variable.
    pub(super) fn build_paths(
        &mut self,
        partial: &mut Partial,
        row_column: Option<usize>,
    ) -> Result<Vec<usize>> {
        let mut columns = Vec::new();
        for (at, path) in self.pattern.paths.iter().enumerate() {
            let kept = kept(path, &self.searches);
            if path.variable.is_none() && kept.is_none() && path.mode == PathMode::Walk {
                continue;
            }
            let parts = self.path_parts(path, partial)?;
            let column = partial.width();
            let generated = format!("~path{at}");
            let name = path.variable.as_ref().unwrap_or(&generated);
            let field = Arc::new(Field::new(name, path_type(), false));
            let schema = with_fields(&partial.schema, [field])?;
            let graph = Arc::clone(&self.graph);
            partial.push(PathBuild { graph, column, parts }, schema.clone());
            if path.variable.is_some() {
                columns.push(column);
            }
            if path.mode != PathMode::Walk {
                let filter = PathModeFilter { path: column, mode: path.mode };
                partial.push(filter, schema.clone());
            }
            if let Some(kept) = kept {
                one_partition(partial);
                let keys = self.select_keys(partial, path, row_column)?;
                partial.push(PathSelect { keys, path: column, kept }, schema);
            }
        }
        let schema = partial.schema.clone();
        self.conjuncts.append(&mut self.later);
        let checks = self.checks(&schema)?;
        if !checks.is_empty() {
            partial.push(PatternFilter { checks }, schema);
        }
        Ok(columns)
    }

    /// What tells one set of paths to select from apart from another: the input row, the path's ends, and all that is
    /// matched beside the path.
    fn select_keys(
        &self,
        partial: &Partial,
        path: &PatternPath,
        row_column: Option<usize>,
    ) -> Result<Vec<usize>> {
        let row = row_column.map(|column| column + partial.input_from);
        let mut keys: Vec<usize> = partial.number.into_iter().chain(row).collect();
        let ends = [path.elements.first(), path.elements.last()];
        for (vertex, column) in &partial.vertices {
            let element = PatternElement::Vertex(*vertex);
            if ends.contains(&Some(&element)) || !path.elements.contains(&element) {
                keys.push(*column);
            }
        }
        for (edge, column) in &partial.edges {
            if !path.elements.contains(&PatternElement::Edge(*edge)) {
                keys.push(*column);
            }
        }
        match keys.is_empty() {
            true => Err(PgError::internal("a path has no ends").into()),
            false => Ok(keys),
        }
    }

    fn path_parts(&self, path: &PatternPath, partial: &Partial) -> Result<Vec<PathPart>> {
        let missing = || PgError::internal("a path has an element that the pattern lacks");
        let mut parts = Vec::with_capacity(path.elements.len());
        let mut at = None;
        for element in &path.elements {
            parts.push(match element {
                PatternElement::Vertex(vertex) => {
                    at = Some(*vertex);
                    PathPart::Vertex(*partial.vertices.get(vertex).ok_or_else(missing)?)
                }
                PatternElement::Edge(edge) => {
                    let column = *partial.edges.get(edge).ok_or_else(missing)?;
                    let pattern = self.pattern.edges.get(*edge).ok_or_else(missing)?;
                    match (pattern.quantifier, partial.steps.get(edge)) {
                        (_, Some(steps)) => PathPart::Steps(steps.clone()),
                        (None, None) => PathPart::Edge(column),
                        (Some(_), None) if at == Some(pattern.left) => PathPart::Edges(column),
                        (Some(_), None) => PathPart::EdgesReversed(column),
                    }
                }
            });
        }
        Ok(parts)
    }
}

fn one_partition(partial: &mut Partial) {
    if partial.plan.output_partitioning().partition_count() > 1 {
        let plan: Arc<dyn ExecutionPlan> = Arc::clone(&partial.plan);
        partial.plan = Arc::new(CoalescePartitionsExec::new(plan));
    }
}
