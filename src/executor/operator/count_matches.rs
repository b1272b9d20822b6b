//! A physical rewriting: where only the number of matches is asked for, they are counted without being made.

use std::any::Any;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, Partitioning};

use super::arrange::Arrange;
use super::checks::{Checks, PatternFilter};
use super::count_exec::{Collapse, CountExec, Weigh};
use super::expand::Expand;
use super::expand_into::ExpandInto;
use super::graph_exec::{GraphExec, GraphOperator};
use super::intersect::Intersect;
use super::var_expand::{VarEnd, VarExpand};
use crate::planner::PathMode;

/// Below `count(*)` without groups, replaces the last steps of a pattern by degrees, and rows that differ only in what
/// nothing looks at any more by one row with their number.
///
/// ```text
/// Aggregate count(*)                     Count
///   Expand b ──► c                         Weigh by the degree of b
///     Expand a ──► b            ──►          Collapse by b (if more steps followed)
///       VertexScan a                           Expand a ──► b
///                                                VertexScan a
/// ```
///
/// Source: factorized representations; Gupta, Mhedhbi, Salihoglu, "Columnar Storage and List-based Processing for Graph
/// Database Management Systems", PVLDB 14(11), 2021.
#[derive(Debug, Default)]
pub struct CountMatches;

impl PhysicalOptimizerRule for CountMatches {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        rewrite(plan)
    }

    fn name(&self) -> &str {
        "count_matches"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn rewrite(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>()
        && counts_rows(aggregate)
        && let Reduced { plan: input, weight: Some(weight) } =
            reduce(aggregate.input(), &[], false)?
    {
        return Ok(Arc::new(CountExec::new(input, weight, aggregate.schema())));
    }
    let children = plan.children();
    let mut changed = false;
    let mut rewritten = Vec::with_capacity(children.len());
    for child in children {
        let new = rewrite(Arc::clone(child))?;
        changed |= !Arc::ptr_eq(&new, child);
        rewritten.push(new);
    }
    if !changed {
        return Ok(plan);
    }
    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    plan.replace_children(rewritten, options)
}

/// Whether an aggregate is nothing but `count` of what is never null, over all rows.
fn counts_rows(aggregate: &AggregateExec) -> bool {
    let reads_rows = match aggregate.mode() {
        AggregateMode::Partial | AggregateMode::Single | AggregateMode::SinglePartitioned => true,
        AggregateMode::Final | AggregateMode::FinalPartitioned | AggregateMode::PartialReduce => {
            false
        }
    };
    let constant = |argument: &Arc<dyn PhysicalExpr>| {
        argument.downcast_ref::<Literal>().is_some_and(|literal| !literal.value().is_null())
    };
    reads_rows
        && aggregate.group_expr().expr().is_empty()
        && aggregate.filter_expr().iter().all(Option::is_none)
        && !aggregate.aggr_expr().is_empty()
        && aggregate.aggr_expr().iter().all(|function| {
            function.fun().name() == "count"
                && !function.is_distinct()
                && function.expressions().iter().all(constant)
        })
        && aggregate.schema().fields().iter().all(|field| *field.data_type() == DataType::Int64)
}

/// A plan that may have fewer rows than the one it stands for.
struct Reduced {
    plan: Arc<dyn ExecutionPlan>,
    /// Where a column of weights was put in: how many rows each row stands for. Columns from here on are one further on.
    weight: Option<usize>,
}

impl Reduced {
    fn same(plan: &Arc<dyn ExecutionPlan>) -> Self {
        Self { plan: Arc::clone(plan), weight: None }
    }

    /// Where a column is now.
    fn place(&self, column: usize) -> usize {
        column + usize::from(self.weight.is_some_and(|weight| weight <= column))
    }
}

/// The same for fewer rows, of which only the columns `needed` are right. `more`: the step above goes through every row.
fn reduce(plan: &Arc<dyn ExecutionPlan>, needed: &[usize], more: bool) -> Result<Reduced> {
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>()
        && needed.is_empty()
    {
        return reduce(projection.input(), &[], more);
    }
    if only_moves_rows(plan) {
        let children = plan.children();
        let Some(child) = children.first() else { return Ok(Reduced::same(plan)) };
        let Reduced { plan: child, weight } = reduce(child, needed, more)?;
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        return Ok(Reduced {
            plan: Arc::clone(plan).replace_children(vec![child], options)?,
            weight,
        });
    }
    let Some(exec) = plan.downcast_ref::<GraphExec>() else { return Ok(Reduced::same(plan)) };
    let operator: &dyn Any = &**exec.operator();
    if let Some(arrange) = operator.downcast_ref::<Arrange>() {
        // Only what is needed has to be there, and in no order.
        let below: Option<Vec<usize>> =
            needed.iter().map(|column| arrange.columns.get(*column).copied()).collect();
        return match below {
            Some(below) if needed.is_empty() => reduce(exec.input(), &below, more),
            _ => Ok(Reduced::same(plan)),
        };
    }
    let width = exec.input().schema().fields().len();
    if let Some(expand) = operator.downcast_ref::<Expand>()
        && expand.checks.is_empty()
        && needed.iter().all(|column| *column < width)
    {
        return weigh(exec, (expand.source, None), &expand.hops, needed);
    }
    if let Some(expand) = operator.downcast_ref::<VarExpand>()
        && let Some(hops) = counted_walks(expand)
        && needed.iter().all(|column| *column < width)
    {
        return weigh(exec, (expand.source, Some(hops)), &expand.hops, needed);
    }
    step(plan, exec, needed, more)
}

/// Whether a plan gives the rows of its input, whichever way.
fn only_moves_rows(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let spread = |exec: &RepartitionExec| {
        matches!(exec.partitioning(), Partitioning::RoundRobinBatch(_)) && !exec.preserve_order()
    };
    plan.downcast_ref::<CoalescePartitionsExec>().is_some_and(|exec| exec.fetch().is_none())
        || plan.downcast_ref::<RepartitionExec>().is_some_and(spread)
        || plan.downcast_ref::<CooperativeExec>().is_some()
}

/// The least and greatest number of hops and the end tables, where walks can be counted vertex by vertex.
fn counted_walks(expand: &VarExpand) -> Option<(u32, u32, Vec<u16>)> {
    let VarEnd::New(tables) = &expand.end else { return None };
    let plain = expand.mode == PathMode::Walk
        && expand.predicate.is_none()
        && expand.checks.is_empty()
        && !expand.distinct_ends;
    let max = expand.quantifier.max?;
    plain.then(|| (expand.quantifier.min, max, tables.clone()))
}

/// In place of a step to what nobody looks at: the number of its rows.
fn weigh(
    exec: &GraphExec,
    (source, walks): (usize, Option<(u32, u32, Vec<u16>)>),
    hops: &super::hops::HopSet,
    needed: &[usize],
) -> Result<Reduced> {
    let below: Vec<usize> = needed.iter().copied().chain([source]).collect();
    let input = reduce(exec.input(), &below, false)?;
    let place = input.place(source);
    let schema = input.plan.schema();
    let (schema, weight, known) = match input.weight {
        Some(weight) => (schema, weight, true),
        None => (with_weight(&schema), schema.fields().len(), false),
    };
    let operator = Weigh { source: place, weight, known, hops: hops.clone(), walks };
    let plan = Arc::new(GraphExec::new(input.plan, Arc::new(operator), schema));
    Ok(Reduced { plan, weight: Some(weight) })
}

fn with_weight(schema: &SchemaRef) -> SchemaRef {
    let weight = Arc::new(Field::new("~weight", DataType::UInt64, false));
    let fields = schema.fields().iter().cloned().chain([weight]);
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A step that is taken row by row, over an input that may be reduced; its own rows are reduced where only their new
/// vertex is needed for another one.
fn step(
    plan: &Arc<dyn ExecutionPlan>,
    exec: &GraphExec,
    needed: &[usize],
    more: bool,
) -> Result<Reduced> {
    let width = exec.input().schema().fields().len();
    let Some(below) = exec.operator().input_columns(needed) else { return Ok(Reduced::same(plan)) };
    if shifted(exec.operator().as_ref(), width).is_none() {
        return Ok(Reduced::same(plan));
    }
    let mut below: Vec<usize> = below.into_iter().filter(|column| *column < width).collect();
    below.sort_unstable();
    below.dedup();
    let input = reduce(exec.input(), &below, true)?;
    let (plan, weight) = match input.weight {
        None => (Arc::clone(plan), None),
        Some(weight) => {
            let Some(operator) = shifted(exec.operator().as_ref(), weight) else {
                return Ok(Reduced::same(plan));
            };
            let own = exec.schema();
            let fields = input.plan.schema().fields().iter().cloned().collect::<Vec<_>>();
            let new = own.fields().iter().skip(width).cloned();
            let schema = Arc::new(Schema::new(fields.into_iter().chain(new).collect::<Vec<_>>()));
            let exec = GraphExec::new(input.plan, operator, schema);
            (Arc::new(exec) as Arc<dyn ExecutionPlan>, Some(weight))
        }
    };
    let reduced = Reduced { plan, weight };
    match needed {
        [only] if more && *only >= width => collapse(reduced, *only),
        _ => Ok(reduced),
    }
}

/// One row for all that agree in a column.
fn collapse(input: Reduced, column: usize) -> Result<Reduced> {
    let key = input.place(column);
    let schema = input.plan.schema();
    let (schema, weight, known) = match input.weight {
        Some(weight) => (schema, weight, true),
        None => (with_weight(&schema), schema.fields().len(), false),
    };
    let operator = Collapse { key, weight, known };
    let plan = Arc::new(GraphExec::new(input.plan, Arc::new(operator), schema));
    Ok(Reduced { plan, weight: Some(weight) })
}

/// An operator over an input with one more column at a place; `None` for one that cannot be told.
fn shifted(operator: &dyn GraphOperator, at: usize) -> Option<Arc<dyn GraphOperator>> {
    let place = |column: usize| column + usize::from(column >= at);
    let checks = |checks: &Checks| shifted_checks(checks, at);
    let any: &dyn Any = operator;
    if let Some(expand) = any.downcast_ref::<Expand>() {
        return Some(Arc::new(Expand {
            source: place(expand.source),
            hops: expand.hops.clone(),
            checks: checks(&expand.checks)?,
        }));
    }
    if let Some(expand) = any.downcast_ref::<ExpandInto>() {
        return Some(Arc::new(ExpandInto {
            source: place(expand.source),
            target: place(expand.target),
            hops: expand.hops.clone(),
            back: expand.back.clone(),
            checks: checks(&expand.checks)?,
        }));
    }
    if let Some(intersect) = any.downcast_ref::<Intersect>() {
        let sources = intersect.sources.iter();
        return Some(Arc::new(Intersect {
            sources: sources.map(|(source, hops)| (place(*source), hops.clone())).collect(),
            checks: checks(&intersect.checks)?,
        }));
    }
    if let Some(filter) = any.downcast_ref::<PatternFilter>() {
        return Some(Arc::new(PatternFilter { checks: checks(&filter.checks)? }));
    }
    None
}

fn shifted_checks(checks: &Checks, at: usize) -> Option<Checks> {
    let place = |column: usize| column + usize::from(column >= at);
    let pair = |(left, right): &(usize, usize)| (place(*left), place(*right));
    let Checks { tables, equal, distinct, predicates } = checks;
    let predicates = predicates
        .iter()
        .map(|predicate| {
            let moved = Arc::clone(predicate).transform_up(|expr| {
                Ok(match expr.downcast_ref::<Column>() {
                    Some(column) => {
                        let moved = Column::new(column.name(), place(column.index()));
                        Transformed::yes(Arc::new(moved) as Arc<dyn PhysicalExpr>)
                    }
                    None => Transformed::no(expr),
                })
            });
            moved.ok().map(|moved| moved.data)
        })
        .collect::<Option<Vec<_>>>()?;
    Some(Checks {
        tables: tables.iter().map(|(column, tables)| (place(*column), tables.clone())).collect(),
        equal: equal.iter().map(pair).collect(),
        distinct: distinct.iter().map(pair).collect(),
        predicates,
    })
}
