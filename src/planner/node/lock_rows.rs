//! The logical node for `SELECT … FOR UPDATE` and its like.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::{DFSchemaRef, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};

use crate::catalog::Relation;

/// How strongly rows are locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockStrength {
    /// `FOR KEY SHARE`
    KeyShare,
    /// `FOR SHARE`
    Share,
    /// `FOR NO KEY UPDATE`
    NoKeyUpdate,
    /// `FOR UPDATE`
    Update,
}

/// What is done about a row that another transaction has locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockWait {
    /// Wait for it.
    Wait,
    /// Leave it out: `SKIP LOCKED`.
    Skip,
    /// Fail: `NOWAIT`.
    Fail,
}

/// A table of the query whose rows are locked.
#[derive(Debug, Clone)]
pub struct LockedTable {
    /// The table.
    pub relation: Arc<Relation>,
    /// The input column with its row ids. Null where an outer join found no row.
    pub column: usize,
    /// How strongly.
    pub strength: LockStrength,
    /// What if they are locked.
    pub wait: LockWait,
}

/// Locks the rows that its input stands for, in order, and passes on those that it locked.
///
/// Rows are locked as they are asked for, so a LIMIT above leaves the others alone.
#[derive(Debug, Clone)]
pub struct LockRows {
    /// What is locked.
    pub tables: Vec<LockedTable>,
    /// The rows.
    pub input: Arc<LogicalPlan>,
    /// Whether something above may stop asking, so that rows are locked one at a time.
    pub is_limited: bool,
}

type Compared<'a> = (bool, Vec<(u32, usize, LockStrength, LockWait)>, &'a LogicalPlan);

impl LockRows {
    fn compared(&self) -> Compared<'_> {
        let table =
            |table: &LockedTable| (table.relation.oid.0, table.column, table.strength, table.wait);
        (self.is_limited, self.tables.iter().map(table).collect(), &self.input)
    }
}

impl PartialEq for LockRows {
    fn eq(&self, other: &Self) -> bool {
        self.compared() == other.compared()
    }
}

impl Eq for LockRows {}

impl Hash for LockRows {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.compared().hash(state);
    }
}

impl PartialOrd for LockRows {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for LockRows {
    fn name(&self) -> &str {
        "LockRows"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> =
            self.tables.iter().map(|table| table.relation.name.as_str()).collect();
        write!(f, "LockRows: {}", names.join(", "))
    }

    fn with_exprs_and_inputs(
        &self,
        _exprs: Vec<Expr>,
        mut inputs: Vec<LogicalPlan>,
    ) -> Result<Self> {
        let input = inputs.pop().map_or_else(|| Arc::clone(&self.input), Arc::new);
        Ok(Self { input, ..self.clone() })
    }
}
