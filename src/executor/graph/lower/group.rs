//! Repeated patterns, and single elements of what is optional.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::Result;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::{Lowering, Partial, list_field, with_fields};
use crate::error::PgError;
use crate::executor::operator::{Checks, GroupBody, Unpack, Unpacked};
use crate::planner::{BoundPattern, EdgeRule};

/// The bodies of a pattern's repeated patterns, whose plans are given in their order.
pub(super) fn bodies(
    pattern: &BoundPattern,
    plans: &[Arc<dyn ExecutionPlan>],
) -> Result<BTreeMap<usize, Arc<GroupBody>>> {
    let mut bodies = BTreeMap::new();
    let mut plans = plans.iter();
    for (at, edge) in pattern.edges.iter().enumerate() {
        let Some(group) = &edge.group else { continue };
        let plan = plans
            .next()
            .cloned()
            .ok_or_else(|| PgError::internal("a repeated pattern has no plan"))?;
        let schema = plan.schema();
        let columns = group.elements.iter().map(|element| schema.index_of(&element.column));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let single: Arc<dyn ExecutionPlan> = match plan.output_partitioning().partition_count() {
            1 => plan,
            _ => Arc::new(CoalescePartitionsExec::new(plan)),
        };
        bodies.insert(at, GroupBody::new(single, columns));
    }
    Ok(bodies)
}

impl Lowering<'_> {
    /// The columns of edges that are there, those inside repeated patterns among them: (pattern edge, column).
    pub(super) fn edge_columns(&self, partial: &Partial) -> Vec<(usize, usize)> {
        let mut columns = Vec::new();
        for (edge, column) in &partial.edges {
            match partial.steps.get(edge) {
                None => columns.push((*edge, *column)),
                Some(steps) => {
                    columns.extend(steps.iter().skip(1).step_by(2).map(|column| (*edge, *column)));
                }
            }
        }
        columns
    }

    /// After the step along an edge: columns for what its list stands for. `before`: edge columns from before the step.
    pub(super) fn unpack(
        &mut self,
        partial: &mut Partial,
        at: usize,
        before: &[(usize, usize)],
    ) -> Result<()> {
        let pattern = self.pattern;
        let edge = &pattern.edges[at];
        if edge.group.is_none() && !edge.optional {
            return Ok(());
        }
        let list = partial.edges[&at];
        let mut column = partial.width();
        let (mut fields, mut steps) = (Vec::new(), Vec::new());
        let mut outputs = Vec::new();
        let single = |name: &str| Arc::new(Field::new(name, DataType::UInt64, true));
        let of = match (&edge.group, self.bodies.get(&at)) {
            (Some(group), Some(body)) => {
                for (element, place) in group.elements.iter().zip(0..) {
                    let generated = format!("~steps{at}.{place}");
                    let name = element.output.as_ref().filter(|_| !edge.optional);
                    if let Some(name) = name {
                        outputs.push((name.clone(), column));
                    }
                    fields.push(list_field(name.unwrap_or(&generated)));
                    steps.push(column);
                    column += 1;
                }
                Unpacked::Group(Arc::clone(body))
            }
            _ => Unpacked::Edges,
        };
        if edge.optional {
            match &edge.group {
                None => {
                    outputs.push((edge.variable.clone(), column));
                    fields.push(single(&edge.variable));
                }
                Some(group) => {
                    for (element, place) in group.elements.iter().zip(0..) {
                        let generated = format!("~one{at}.{place}");
                        if let Some(name) = &element.output {
                            outputs.push((name.clone(), column));
                        }
                        fields.push(single(element.output.as_ref().unwrap_or(&generated)));
                        column += 1;
                    }
                }
            }
        }
        partial.outputs.extend(outputs);
        let schema = with_fields(&partial.schema, fields)?;
        let mut checks = Checks { ..self.checks(&schema)? };
        if pattern.edge_rule == EdgeRule::Distinct {
            for edges in steps.iter().skip(1).step_by(2) {
                checks.distinct.extend(self.distinct_from(before, at, *edges));
            }
        }
        if !steps.is_empty() {
            partial.steps.insert(at, steps);
        }
        partial.push(Unpack { list, of, optional: edge.optional, checks }, schema);
        Ok(())
    }
}
