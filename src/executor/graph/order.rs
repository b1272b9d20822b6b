//! How many rows a step of a pattern is expected to give.
//!
//! The figures are table sizes, average degrees and guesses for predicates: good enough to start at the right end.

use datafusion::common::Result;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::guard::Guards;
use super::key_lookup::{key_lookup, property_equality};
use super::snapshot::{GraphSnapshot, Hop};
use crate::planner::Quantifier;
use crate::planner::node::Element;

/// Part of the rows that `property = value` keeps, if the property is not the key.
const EQUAL_SELECTIVITY: f64 = 0.01;
/// Part of the rows that a comparison or another test keeps.
const OTHER_SELECTIVITY: f64 = 0.4;
/// Rows of a table of which some are hidden. How many there are in truth must not show in what is done first.
const GUARDED_ROWS: f64 = 1000.0;
/// How many hops of a variable-length step the estimate follows.
const HOPS_MAX: u32 = 6;

/// A graph, and which parts of it can be seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) graph: &'a GraphSnapshot,
    pub(super) guards: &'a Guards,
}

impl Seen<'_> {
    fn rows(&self, element: Element) -> Result<f64> {
        if self.guards.has(element) {
            return Ok(GUARDED_ROWS);
        }
        let version = match element {
            Element::Vertex(table) => self.graph.version(false, table)?,
            Element::Edge(table) => self.graph.version(true, table)?,
        };
        Ok(version.live_rows() as f64)
    }
}

/// Rows of some vertex tables.
pub(super) fn vertex_rows(seen: Seen<'_>, tables: &[u16]) -> Result<f64> {
    let mut rows = 0.0;
    for table in tables {
        rows += seen.rows(Element::Vertex(*table))?;
    }
    Ok(rows)
}

/// Rows of some vertex tables that satisfy predicates.
pub(super) fn matching_rows(seen: Seen<'_>, tables: &[u16], predicates: &[&Expr]) -> Result<f64> {
    let mut rows = 0.0;
    for table in tables {
        rows += match key_lookup(seen.graph, *table, predicates)? {
            Some(lookup) if lookup.columns == seen.graph.element(false, *table)?.key => 1.0,
            Some(lookup) => {
                let version = seen.graph.version(false, *table)?;
                version.find_key(&lookup.columns, &lookup.key)?.len() as f64
            }
            None => vertex_rows(seen, &[*table])? * selectivity(predicates),
        };
    }
    Ok(rows)
}

/// Part of the rows that predicates keep, by their looks.
pub(super) fn selectivity(predicates: &[&Expr]) -> f64 {
    predicates
        .iter()
        .map(|predicate| match predicate {
            predicate if property_equality(predicate).is_some() => EQUAL_SELECTIVITY,
            Expr::BinaryExpr(BinaryExpr { op: Operator::Eq, .. }) => EQUAL_SELECTIVITY * 10.0,
            _ => OTHER_SELECTIVITY,
        })
        .product()
}

/// Hops that leave a vertex of `from` on average.
pub(super) fn fanout(seen: Seen<'_>, hops: &[Hop], from: &[u16]) -> Result<f64> {
    let mut edges = 0.0;
    for hop in hops {
        edges += seen.rows(Element::Edge(hop.edge_table))?;
    }
    Ok(edges / vertex_rows(seen, from)?.max(1.0))
}

/// Walks from a vertex if each hop multiplies by `fanout`.
pub(super) fn walks(fanout: f64, quantifier: Quantifier) -> f64 {
    let max = quantifier.max.unwrap_or(HOPS_MAX).min(HOPS_MAX).max(quantifier.min.min(HOPS_MAX));
    (quantifier.min.min(HOPS_MAX)..=max).map(|hops| fanout.powi(hops as i32)).sum()
}
