//! How many rows a step of a pattern is expected to give.
//!
//! The figures are table sizes, average degrees and guesses for predicates: good enough to start at the right end.

use datafusion::common::Result;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::key_lookup::{key_lookup, property_equality};
use super::snapshot::{GraphSnapshot, Hop};
use crate::planner::Quantifier;

/// Part of the rows that `property = value` keeps, if the property is not the key.
const EQUAL_SELECTIVITY: f64 = 0.01;
/// Part of the rows that a comparison or another test keeps.
const OTHER_SELECTIVITY: f64 = 0.4;
/// How many hops of a variable-length step the estimate follows.
const HOPS_MAX: u32 = 6;

/// Rows of some vertex tables.
pub(super) fn vertex_rows(graph: &GraphSnapshot, tables: &[u16]) -> Result<f64> {
    let mut rows = 0;
    for table in tables {
        rows += graph.version(false, *table)?.live_rows();
    }
    Ok(rows as f64)
}

/// Rows of some vertex tables that satisfy predicates.
pub(super) fn matching_rows(
    graph: &GraphSnapshot,
    tables: &[u16],
    predicates: &[&Expr],
) -> Result<f64> {
    let mut rows = 0.0;
    for table in tables {
        rows += match key_lookup(graph, *table, predicates)? {
            Some(_) => 1.0,
            None => vertex_rows(graph, &[*table])? * selectivity(predicates),
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
pub(super) fn fanout(graph: &GraphSnapshot, hops: &[Hop], from: &[u16]) -> Result<f64> {
    let mut edges = 0.0;
    for hop in hops {
        edges += graph.version(true, hop.edge_table)?.live_rows() as f64;
    }
    Ok(edges / vertex_rows(graph, from)?.max(1.0))
}

/// Walks from a vertex if each hop multiplies by `fanout`.
pub(super) fn walks(fanout: f64, quantifier: Quantifier) -> f64 {
    let max = quantifier.max.unwrap_or(HOPS_MAX).min(HOPS_MAX).max(quantifier.min.min(HOPS_MAX));
    (quantifier.min.min(HOPS_MAX)..=max).map(|hops| fanout.powi(hops as i32)).sum()
}
