//! A condition above a pattern goes into it.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, Extension, Filter, LogicalPlan, Projection};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use crate::planner::MatchPattern;
use crate::planner::node::is_subquery;

/// Makes a filter above a pattern (perhaps with a choice of columns between) part of the pattern, where it is applied as soon as its columns are there,
/// and where a key in it is a place to start from.
///
/// ```text
/// Filter name(p) = 'libssl3'
///   MatchPattern (p)-[d]->(q)        ──►   MatchPattern (p)-[d]->(q) where name(p) = 'libssl3'
/// ```
///
/// Not for an optional pattern, whose own conditions decide what is a match; nor for conditions that give another answer
/// each time, or ask another query.
#[derive(Debug, Default)]
pub struct PushDownPattern;

impl OptimizerRule for PushDownPattern {
    fn name(&self) -> &str {
        "push_down_pattern"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Filter(filter) = plan else { return Ok(Transformed::no(plan)) };
        // A projection that only leaves columns out stands in nobody's way.
        let (projection, input) = match filter.input.as_ref() {
            LogicalPlan::Projection(projection)
                if projection.expr.iter().all(|expr| matches!(expr, Expr::Column(_))) =>
            {
                (Some(projection), projection.input.as_ref())
            }
            input => (None, input),
        };
        let pattern = match input {
            LogicalPlan::Extension(Extension { node }) => {
                node.as_any().downcast_ref::<MatchPattern>()
            }
            _ => None,
        };
        let Some(pattern) = pattern.filter(|pattern| !pattern.optional) else {
            return Ok(Transformed::no(LogicalPlan::Filter(filter)));
        };
        let (inner, outer): (Vec<Expr>, Vec<Expr>) =
            split_conjunction_owned(filter.predicate.clone()).into_iter().partition(can_go_in);
        if inner.is_empty() {
            return Ok(Transformed::no(LogicalPlan::Filter(filter)));
        }
        let condition = conjunction(pattern.filter.iter().cloned().chain(inner));
        let node = pattern.with_filter(condition);
        let plan = LogicalPlan::Extension(Extension { node: Arc::new(node) });
        let plan = match projection {
            None => plan,
            Some(projection) => LogicalPlan::Projection(Projection::try_new(
                projection.expr.clone(),
                Arc::new(plan),
            )?),
        };
        Ok(Transformed::yes(match conjunction(outer) {
            None => plan,
            Some(outer) => LogicalPlan::Filter(Filter::try_new(outer, Arc::new(plan))?),
        }))
    }
}

fn can_go_in(condition: &Expr) -> bool {
    let asks_a_query =
        |expr: &Expr| is_subquery(expr) || matches!(expr, Expr::OuterReferenceColumn(_, _));
    !condition.is_volatile() && !condition.exists(|expr| Ok(asks_a_query(expr))).unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{LogicalPlanBuilder, lit};
    use datafusion::optimizer::OptimizerContext;
    use datafusion::prelude::{col, random};

    use super::*;
    use crate::catalog::PropertyGraph;
    use crate::planner::{BoundPattern, EdgeRule, PatternVertex};
    use crate::types::Oid;

    fn rewritten(optional: bool) -> String {
        let graph = PropertyGraph {
            oid: Oid(1),
            name: "g".to_owned(),
            vertices: vec![],
            edges: vec![],
            open: None,
            label_rules: Vec::new(),
        };
        let vertex = PatternVertex {
            variable: "a".to_owned(),
            tables: vec![0],
            predicate: None,
            bound: false,
        };
        let pattern = BoundPattern {
            graph: Arc::new(graph),
            vertices: vec![vertex],
            edges: vec![],
            paths: vec![],
            edge_rule: EdgeRule::Distinct,
            open: None,
        };
        let node = MatchPattern::try_new(None, pattern, None, optional).unwrap();
        let plan = LogicalPlan::Extension(Extension { node: Arc::new(node) });
        let condition = col("a").gt(lit(1u64)).and(random().gt(lit(0.5)));
        let plan = LogicalPlanBuilder::from(plan).filter(condition).unwrap().build().unwrap();
        let plan = PushDownPattern.rewrite(plan, &OptimizerContext::new()).unwrap().data;
        plan.display_indent().to_string()
    }

    #[test]
    fn a_condition_goes_in_unless_it_is_volatile_or_the_match_optional() {
        insta::assert_snapshot!(rewritten(false), @r"
        Filter: random() > Float64(0.5)
          MatchPattern: (a:0) where a > UInt64(1)
        ");
        insta::assert_snapshot!(rewritten(true), @r"
        Filter: a > UInt64(1) AND random() > Float64(0.5)
          MatchPattern (optional): (a:0)
        ");
    }
}
