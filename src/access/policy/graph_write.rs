//! Policies on the rows that a clause of Cypher writes to the tables of a typed graph.
//!
//! ```text
//! CREATE, MERGE   new row: INSERT
//! SET, REMOVE     old row: UPDATE     new row: UPDATE, SELECT
//! DELETE          old row: DELETE
//! ```
//!
//! What SELECT's policies hide was not matched. A row that was matched and that the command's policies hide is an error, as
//! it is for MERGE in SQL: a clause names its elements one by one.

use std::sync::Arc;

use datafusion::common::{Column, Result as PlanResult, TableReference};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, LogicalPlanBuilder};

use super::applies::{Binder, Selected};
use super::pattern::{row_id, source};
use super::place::Placing;
use crate::catalog::{PolicyCommand, Relation, RoleSet, RowSecurity};
use crate::error::PgError;
use crate::planner::node::{CheckKind, GraphCheck, GraphWrite, RowEvent};

/// A condition on rows, with the policy if it is one policy's alone.
type Conditions = Vec<(Expr, Option<String>)>;

/// An element table whose policies apply.
struct Guarded<'a> {
    relation: &'a Arc<Relation>,
    security: &'a RowSecurity,
    role: &'a RoleSet,
}

impl Placing<'_> {
    /// The clause with the policies on what it writes.
    pub(super) fn graph_write(&self, write: &GraphWrite) -> PlanResult<LogicalPlan> {
        let role = self.role(None);
        let mut checks = Vec::new();
        for (oid, event) in write.row_events() {
            let Some(relation) = self.context.catalog.relation(oid).cloned() else { continue };
            let Some(security) = self.security(&relation, &role)? else { continue };
            let guarded = Guarded { relation: &relation, security, role: &role };
            for (command, kind) in commands(event) {
                checks.extend(self.row_checks(&guarded, event, *command, *kind)?);
            }
        }
        // The checks are guarded already; the input is not.
        let bare = LogicalPlan::Extension(Extension { node: Arc::new(write.clone()) });
        let plan = self.inside(bare, None)?;
        let LogicalPlan::Extension(extension) = &plan else {
            return Err(PgError::internal("a clause became something else").into());
        };
        let Some(node) = extension.node.as_any().downcast_ref::<GraphWrite>() else {
            return Err(PgError::internal("a clause became something else").into());
        };
        let node = Arc::new(node.with_checks(checks));
        Ok(LogicalPlan::Extension(Extension { node }))
    }

    fn row_checks(
        &self,
        table: &Guarded<'_>,
        event: RowEvent,
        command: PolicyCommand,
        kind: CheckKind,
    ) -> PlanResult<Vec<GraphCheck>> {
        let rows = source(table.relation, None)?;
        let conditions = |name: &TableReference| -> Result<Conditions, PgError> {
            let known_as = |column: &str| Column::new(Some(name.clone()), column);
            let context = self.as_role(None);
            let binder =
                Binder { context: &context, relation: table.relation, known_as: &known_as };
            let selected = Selected::of(table.security, command, table.role);
            let by_using = kind == CheckKind::Target || command == PolicyCommand::Select;
            selected.checks(&binder, by_using)
        };
        let count = conditions(&TableReference::bare(table.relation.name.as_str()))?.len();
        let mut checks = Vec::with_capacity(count);
        for at in 0..count {
            let mut policy = None;
            let plan = self.guarded(&rows, None, |name| {
                let one = conditions(name)?.into_iter().nth(at);
                let (condition, by) = one.ok_or_else(|| PgError::internal("a policy has gone"))?;
                policy = by;
                Ok(vec![condition])
            })?;
            let plan = Arc::new(LogicalPlanBuilder::from(plan).project([row_id()])?.build()?);
            let relation = Arc::clone(table.relation);
            checks.push(GraphCheck { relation, event, kind, policy, plan });
        }
        Ok(checks)
    }
}

/// Whose policies count for what is done to a row, before and after.
fn commands(event: RowEvent) -> &'static [(PolicyCommand, CheckKind)] {
    match event {
        RowEvent::Inserted => &[(PolicyCommand::Insert, CheckKind::New)],
        RowEvent::Updated => &[
            (PolicyCommand::Update, CheckKind::Target),
            (PolicyCommand::Update, CheckKind::New),
            (PolicyCommand::Select, CheckKind::New),
        ],
        RowEvent::Deleted => &[(PolicyCommand::Delete, CheckKind::Target)],
    }
}
