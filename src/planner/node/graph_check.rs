//! What policies say of the rows that a clause of Cypher writes.

use std::sync::Arc;

use datafusion::logical_expr::LogicalPlan;

use super::CheckKind;
use crate::catalog::Relation;

/// What a clause does to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowEvent {
    /// It makes it.
    Inserted,
    /// It changes it.
    Updated,
    /// It removes it.
    Deleted,
}

/// A test of the rows of an element table that a clause writes. A clause knows its rows by their ids, and makes their
/// values while it runs, so the test is a query for the rows that pass: over what was there before the clause for
/// [`CheckKind::Target`], over what it leaves for [`CheckKind::New`].
#[derive(Debug, Clone)]
pub struct GraphCheck {
    /// The table.
    pub relation: Arc<Relation>,
    /// The rows that are asked about.
    pub event: RowEvent,
    /// Before or after.
    pub kind: CheckKind,
    /// The policy, if it is a restrictive one by itself.
    pub policy: Option<String>,
    /// Gives one column, the ids of the rows that pass.
    pub plan: Arc<LogicalPlan>,
}
