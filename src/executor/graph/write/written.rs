//! The rows that a clause wrote, and policies on them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;

use crate::error::PgError;
use crate::planner::node::{GraphCheck, RowEvent};
use crate::types::{Oid, RowId};

/// Ids of rows that were written, by table and by what was done to them.
#[derive(Debug, Default)]
pub(crate) struct Written(BTreeMap<(Oid, RowEvent), BTreeSet<u64>>);

impl Written {
    pub(super) fn note(&mut self, table: Oid, event: RowEvent, rows: &[RowId]) {
        self.0.entry((table, event)).or_default().extend(rows.iter().map(|row| row.0));
    }

    pub(crate) fn extend(&mut self, more: Self) {
        for (key, rows) in more.0 {
            self.0.entry(key).or_default().extend(rows);
        }
    }

    /// Whether a check is about any of them.
    pub(crate) fn concerns(&self, check: &GraphCheck) -> bool {
        self.0.get(&(check.relation.oid, check.event)).is_some_and(|rows| !rows.is_empty())
    }

    /// Holds the rows that a check is about against it; `plan` is the operator of its plan.
    ///
    /// # Errors
    /// `42501` if a row does not pass.
    pub(crate) async fn hold(
        &self,
        check: &GraphCheck,
        plan: &Arc<dyn ExecutionPlan>,
        context: &Arc<TaskContext>,
    ) -> Result<()> {
        let Some(rows) = self.0.get(&(check.relation.oid, check.event)) else { return Ok(()) };
        let mut failing = rows.clone();
        let mut passing = execute_stream(Arc::clone(plan), Arc::clone(context))?;
        while let Some(batch) = passing.next().await {
            let batch = batch?;
            let ids = batch.columns().first().and_then(|ids| ids.as_primitive_opt::<UInt64Type>());
            let ids = ids.ok_or_else(|| PgError::internal("a check gives no row ids"))?;
            for id in ids.iter().flatten() {
                failing.remove(&id);
            }
            if failing.is_empty() {
                return Ok(());
            }
            tokio::task::consume_budget().await;
        }
        match failing.is_empty() {
            true => Ok(()),
            false => {
                Err(check.kind.violation(check.policy.as_deref(), &check.relation.name).into())
            }
        }
    }
}
