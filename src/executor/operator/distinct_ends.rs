//! A physical rewriting: walks that nothing above can tell apart are not enumerated.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::JoinType;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr_common::physical_expr::is_volatile;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, Partitioning};

use super::graph_exec::GraphExec;

/// Below an aggregate to which repeated rows make no difference (`DISTINCT`, `count(DISTINCT …)`, `min`, `max`), and on the
/// right of a semi-join, replaces operators by their [`super::GraphOperator::deduplicated`] forms.
///
/// ```text
/// Aggregate group by [q]                     Aggregate group by [q]
///   Projection q                      ──►      Projection q
///     VarExpand {1,4}: every walk                VarExpand {1,4} distinct ends: every vertex once
/// ```
#[derive(Debug, Default)]
pub struct DistinctEnds;

impl PhysicalOptimizerRule for DistinctEnds {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        rewrite(plan, None)
    }

    fn name(&self) -> &str {
        "distinct_ends"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The columns looked at above, if repeated rows make no difference there.
type Needed = Option<Vec<usize>>;

fn rewrite(plan: Arc<dyn ExecutionPlan>, needed: Needed) -> Result<Arc<dyn ExecutionPlan>> {
    let plan = match (&needed, plan.downcast_ref::<GraphExec>()) {
        (Some(needed), Some(exec)) => match exec.operator().deduplicated(needed) {
            Some(operator) => Arc::new(exec.with_operator(operator)),
            None => plan,
        },
        _ => plan,
    };
    let below = needed_below(&plan, needed);
    let children = plan.children();
    if children.is_empty() {
        return Ok(plan);
    }
    let mut changed = false;
    let mut rewritten = Vec::with_capacity(children.len());
    for (child, needed) in children.into_iter().zip(below) {
        let new = rewrite(Arc::clone(child), needed)?;
        changed |= !Arc::ptr_eq(&new, child);
        rewritten.push(new);
    }
    if !changed {
        return Ok(plan);
    }
    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    plan.replace_children(rewritten, options)
}

/// For each child, what is needed of it.
fn needed_below(plan: &Arc<dyn ExecutionPlan>, needed: Needed) -> Vec<Needed> {
    let count = plan.children().len();
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        return vec![aggregate_input(aggregate)];
    }
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        return hash_join_inputs(join);
    }
    let Some(needed) = needed else { return vec![None; count] };
    if let Some(exec) = plan.downcast_ref::<GraphExec>() {
        let width = exec.input().schema().fields().len();
        let columns = exec.operator().input_columns(&needed);
        return vec![columns.map(|all| all.into_iter().filter(|at| *at < width).collect())];
    }
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let expressions = needed.iter().map(|at| projection.expr().get(*at).map(|it| &it.expr));
        return vec![expressions.collect::<Option<Vec<_>>>().and_then(columns)];
    }
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        return vec![filter_input(filter, needed)];
    }
    if let Some(repartition) = plan.downcast_ref::<RepartitionExec>() {
        let keys = match repartition.partitioning() {
            Partitioning::Hash(keys, _) => keys.iter().collect(),
            Partitioning::RoundRobinBatch(_) => Vec::new(),
            _ => return vec![None],
        };
        return vec![columns(keys).map(|keys| [needed, keys].concat())];
    }
    if plan.downcast_ref::<CoalescePartitionsExec>().is_some_and(|exec| exec.fetch().is_none())
        || plan.downcast_ref::<CooperativeExec>().is_some()
    {
        return vec![Some(needed)];
    }
    if plan.downcast_ref::<UnionExec>().is_some() {
        return vec![Some(needed); count];
    }
    if let Some(join) = plan.downcast_ref::<CrossJoinExec>() {
        let width = join.left().schema().fields().len();
        let (left, right): (Vec<_>, Vec<_>) = needed.into_iter().partition(|at| *at < width);
        return vec![Some(left), Some(right.into_iter().map(|at| at - width).collect())];
    }
    vec![None; count]
}

/// The columns of expressions, unless one gives another value each time.
fn columns<'a>(
    expressions: impl IntoIterator<Item = &'a Arc<dyn PhysicalExpr>>,
) -> Option<Vec<usize>> {
    let mut found = Vec::new();
    for expression in expressions {
        if is_volatile(expression) {
            return None;
        }
        found.extend(collect_columns(expression).iter().map(|column| column.index()));
    }
    Some(found)
}

fn aggregate_input(aggregate: &AggregateExec) -> Needed {
    let reads_rows = match aggregate.mode() {
        AggregateMode::Partial | AggregateMode::Single | AggregateMode::SinglePartitioned => true,
        AggregateMode::Final | AggregateMode::FinalPartitioned | AggregateMode::PartialReduce => {
            false
        }
    };
    let repeats_ignored = aggregate.aggr_expr().iter().all(|function| {
        let name = function.fun().name();
        function.is_distinct() || matches!(name, "min" | "max" | "bool_and" | "bool_or")
    });
    if !reads_rows || !repeats_ignored {
        return None;
    }
    let groups = aggregate.group_expr().expr().iter().map(|(expression, _)| expression);
    let arguments: Vec<_> = aggregate.aggr_expr().iter().flat_map(|it| it.expressions()).collect();
    let orders = aggregate.aggr_expr().iter().flat_map(|it| it.order_bys());
    let filters = aggregate.filter_expr().iter().flatten();
    columns(groups.chain(&arguments).chain(orders.map(|order| &order.expr)).chain(filters))
}

fn filter_input(filter: &FilterExec, needed: Vec<usize>) -> Needed {
    let needed: Vec<usize> = match filter.projection() {
        None => needed,
        Some(projection) => {
            needed.iter().map(|at| projection.get(*at).copied()).collect::<Option<_>>()?
        }
    };
    if filter.fetch().is_some() {
        return None;
    }
    Some([needed, columns([filter.predicate()])?].concat())
}

/// A semi- or anti-join asks only whether there is a row on the other side.
fn hash_join_inputs(join: &HashJoinExec) -> Vec<Needed> {
    let (at, keys) = match join.join_type() {
        JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => {
            (1, join.on().iter().map(|(_, right)| right).collect::<Vec<_>>())
        }
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => {
            (0, join.on().iter().map(|(left, _)| left).collect())
        }
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
            return vec![None, None];
        }
    };
    let mut inputs = vec![None, None];
    // A condition beside the keys may look at more.
    if join.filter().is_none() {
        inputs[at] = columns(keys);
    }
    inputs
}
