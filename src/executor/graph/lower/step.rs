//! Steps along edges: which comes next, and its operator.

use std::sync::Arc;

use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::utils::split_conjunction_owned;

use super::super::order::{fanout, matching_rows, selectivity, vertex_rows, walks};
use super::super::snapshot::Hop;
use super::{
    GROUP_FANOUT, Lowering, Partial, SEARCH_ENDS_MAX, Search, arrow_schema, element_field,
    is_ready, list_field, with_fields,
};
use crate::error::PgError;
use crate::executor::operator::{
    Checks, EdgePredicate, Expand, ExpandInto, HopSet, Intersect, VarEnd, VarExpand,
};
use crate::planner::{Direction, EdgeRule, PathMode, PatternEdge, Quantifier};

/// The next step, with the rows expected after it.
pub(super) struct Candidate {
    pub(super) edge: usize,
    /// Starts at the edge's right element.
    pub(super) reverse: bool,
    pub(super) rows: f64,
}

/// What the steps along an edge have in common.
pub(super) struct Walk<'a> {
    pub(super) at: usize,
    pub(super) edge: &'a PatternEdge,
    pub(super) source: usize,
    pub(super) end: VarEnd,
    /// The edge's column.
    pub(super) column: usize,
    pub(super) each: Option<EdgePredicate>,
    pub(super) reverse: bool,
    pub(super) checks: Checks,
}

impl Lowering<'_> {
    /// The edge, of those that touch what is there, whose step is expected to leave the fewest rows.
    pub(super) fn cheapest_edge(
        &self,
        partial: &Partial,
        done: &[bool],
    ) -> Result<Option<Candidate>> {
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
    pub(super) fn comes_first(&self, edge: usize, vertex: usize) -> Result<bool> {
        let tables = &self.pattern.vertices[vertex].tables;
        let rows = matching_rows(self.seen(), tables, &self.vertex_predicates(vertex))?;
        let few = if self.searches.contains_key(&edge) { SEARCH_ENDS_MAX } else { 1.0 };
        Ok(rows <= few)
    }

    /// Rows that one row is expected to become by a step.
    pub(super) fn step_rows(
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
    pub(super) fn expand(&mut self, partial: &mut Partial, step: &Candidate) -> Result<()> {
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

    /// The single hops that lead from known vertices to the same unknown one as the given step (which is among them, if it
    /// is a single hop too), each with whether it starts at the edge's right element.
    pub(super) fn common_neighbor(
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
    pub(super) fn intersect(
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

    pub(super) fn hop_set(&self, at: usize, edge: &PatternEdge, reverse: bool) -> Result<HopSet> {
        let group = self.bodies.get(&at).map(|body| body.hops(reverse));
        let hops = match group {
            None => self.graph.hops(&edge.tables, towards(edge.direction, reverse))?,
            Some(_) => Vec::new(),
        };
        let (graph, guards) = (Arc::clone(&self.graph), Arc::clone(&self.guards));
        Ok(HopSet { graph, hops, guards, group })
    }

    pub(super) fn one_hop(
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
    pub(super) fn mode(&self, edge: &PatternEdge) -> PathMode {
        match (self.pattern.edge_rule, edge.mode) {
            (EdgeRule::Distinct, PathMode::Walk) => PathMode::Trail,
            (_, mode) => mode,
        }
    }

    pub(super) fn var_expand(&self, walk: Walk<'_>, quantifier: Quantifier) -> Result<VarExpand> {
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
    pub(super) fn edge_predicate(
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
}

/// An edge's direction, seen from the element one starts at.
pub(super) fn towards(direction: Direction, reverse: bool) -> Direction {
    match (direction, reverse) {
        (Direction::Right, true) => Direction::Left,
        (Direction::Left, true) => Direction::Right,
        (direction, _) => direction,
    }
}
