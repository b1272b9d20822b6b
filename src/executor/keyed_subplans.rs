//! Subqueries that are run for one row after the other find the rows they ask for by their key.
//!
//! ```text
//! SELECT (SELECT v FROM t WHERE t.k = s.k ORDER BY v LIMIT 1) FROM s
//!
//! ApplyExec  s.k
//!   … FilterExec  t.k = outer_value()                FilterExec  t.k = outer_value()
//!       ScanExec  t                         ──►        KeyedRowsExec  k
//!                                                        ScanExec  t
//! ```

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column};
use datafusion::physical_expr::utils::split_conjunction;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::apply::{Cells, cell_of};
use super::operator::{ApplyExec, KeptRows, KeyedRowsExec};

/// Operators that say all of their expressions. What is below others may read anything.
const KNOWN: [&str; 24] = [
    "AggregateExec",
    "BoundedWindowAggExec",
    "CoalescePartitionsExec",
    "CooperativeExec",
    "CrossJoinExec",
    "EmptyExec",
    "FilterExec",
    "GlobalLimitExec",
    "HashJoinExec",
    "InterleaveExec",
    "KeyedRowsExec",
    "LocalLimitExec",
    "NestedLoopJoinExec",
    "PlaceholderRowExec",
    "ProjectionExec",
    "RepartitionExec",
    "RowPolicyExec",
    "RowsExec",
    "ScanExec",
    "SortExec",
    "SortPreservingMergeExec",
    "UnionExec",
    "UnnestExec",
    "WindowAggExec",
];

/// A subplan that keeps the rows it is asked for.
pub(super) struct KeyedSubplan {
    pub(super) subplan: Arc<dyn ExecutionPlan>,
    /// The rows without which nothing of the subplan's answer depends on the row around it, and which key they have.
    pub(super) all: Option<(Arc<KeptRows>, usize)>,
}

/// The subplan of an apply with [`KeyedRowsExec`] where rows are asked for by a key that the row around gives.
///
/// # Errors
/// What rebuilding an operator says.
pub(super) fn keyed(subplan: Arc<dyn ExecutionPlan>, cells: &Arc<Cells>) -> Result<KeyedSubplan> {
    let once = reads(&subplan, cells)? == Some(1);
    let mut found = Vec::new();
    let subplan = subplan.transform_up(|plan| {
        let Some(filter) = plan.downcast_ref::<FilterExec>() else {
            return Ok(Transformed::no(plan));
        };
        let input = filter.input();
        let single = input.output_partitioning().partition_count() == 1;
        let key = split_conjunction(filter.predicate())
            .into_iter()
            .find_map(|condition| key_of(condition, cells))
            .filter(|(column, key, _)| {
                let schema = input.schema();
                let ty = schema.field(*column).data_type();
                KeyedRowsExec::takes(ty) && key.data_type(&schema).is_ok_and(|key| key == *ty)
            });
        let Some((column, key, at)) = key.filter(|_| single) else {
            return Ok(Transformed::no(plan));
        };
        if !is_steady(input)? {
            return Ok(Transformed::no(plan));
        }
        let rows = KeyedRowsExec::new(Arc::clone(input), column, key);
        found.push((Arc::clone(rows.kept()), at));
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        Ok(Transformed::yes(plan.replace_children(vec![Arc::new(rows)], options)?))
    })?;
    let all = if once && found.len() == 1 { found.pop() } else { None };
    Ok(KeyedSubplan { subplan: subplan.data, all })
}

/// The column, the key and the number of its cell, if a condition is `column = key`.
fn key_of(
    condition: &Arc<dyn PhysicalExpr>,
    cells: &Arc<Cells>,
) -> Option<(usize, Arc<dyn PhysicalExpr>, usize)> {
    let equality = condition.downcast_ref::<BinaryExpr>()?;
    if *equality.op() != Operator::Eq {
        return None;
    }
    let sides = [(equality.left(), equality.right()), (equality.right(), equality.left())];
    sides.into_iter().find_map(|(column, key)| {
        let column = column.downcast_ref::<Column>()?;
        let (at, of) = cell_of(key)?;
        Arc::ptr_eq(of, cells).then(|| (column.index(), Arc::clone(key), at))
    })
}

/// Whether a plan gives the same rows each time it is run: what reads a cell is volatile too.
fn is_steady(plan: &Arc<dyn ExecutionPlan>) -> Result<bool> {
    if !KNOWN.contains(&plan.name()) {
        return Ok(false);
    }
    let mut steady = true;
    plan.apply_expressions(&mut |expr| {
        steady &= !expr.exists(|expr| Ok(expr.is_volatile_node()))?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    for child in plan.children() {
        steady = steady && is_steady(child)?;
    }
    Ok(steady)
}

/// How often a plan reads the cells of an apply; `None` if it may also read other things that change.
fn reads(plan: &Arc<dyn ExecutionPlan>, cells: &Arc<Cells>) -> Result<Option<usize>> {
    let apply = plan.downcast_ref::<ApplyExec>();
    if apply.is_none() && !KNOWN.contains(&plan.name()) {
        return Ok(None);
    }
    let (mut count, mut known) = (0, true);
    plan.apply_expressions(&mut |expr| {
        expr.apply(|expr| {
            match cell_of(expr) {
                Some((_, of)) => count += usize::from(Arc::ptr_eq(of, cells)),
                None => known &= !expr.is_volatile_node(),
            }
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    let below = plan.children().into_iter().chain(apply.map(ApplyExec::subplan));
    for part in below {
        match reads(part, cells)? {
            Some(more) => count += more,
            None => known = false,
        }
    }
    Ok(known.then_some(count))
}
