//! Policies on the element tables of a pattern.

use std::sync::Arc;

use datafusion::common::{Column, Result as PlanResult};
use datafusion::logical_expr::{Extension, LogicalPlan, LogicalPlanBuilder};

use super::applies::{Binder, Selected};
use super::pattern::{add, element_relation, row_id, source};
use super::place::Placing;
use crate::catalog::PolicyCommand;
use crate::error::PgError;
use crate::planner::node::MatchPattern;

impl Placing<'_> {
    /// The pattern with a guard on each element table whose policies apply.
    pub(super) fn pattern(&self, pattern: &MatchPattern) -> PlanResult<LogicalPlan> {
        let mut node = pattern.clone();
        let role = self.role(pattern.as_role);
        let context = self.as_role(pattern.as_role);
        for element in node.elements() {
            let oid = element_relation(&node.pattern.graph, element);
            let relation = oid.and_then(|oid| self.context.catalog.relation(oid));
            let relation = relation
                .cloned()
                .ok_or_else(|| PgError::internal("an element table of a pattern is gone"))?;
            let Some(security) = self.security(&relation, &role)? else { continue };
            let source = source(&relation, pattern.as_role)?;
            let plan = self.guarded(&source, None, |qualifier| {
                let known_as = |name: &str| Column::new(Some(qualifier.clone()), name);
                let binder = Binder { context: &context, relation: &relation, known_as: &known_as };
                Selected::of(security, PolicyCommand::Select, &role).using(&binder)
            })?;
            let plan = LogicalPlanBuilder::from(plan).project([row_id()])?.build()?;
            add(&mut node.guards, element, plan)?;
        }
        let guards = std::mem::take(&mut node.guards);
        if !node.is_leaf() {
            // Guards are done already; the input and the subqueries of conditions are not.
            let plan =
                self.inside(LogicalPlan::Extension(Extension { node: Arc::new(node) }), None)?;
            let changed = MatchPattern::of(&plan).cloned();
            node = changed.ok_or_else(|| PgError::internal("a pattern became something else"))?;
        }
        let node = node.with_guards(guards);
        Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
    }
}
