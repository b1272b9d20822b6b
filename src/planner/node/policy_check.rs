//! The logical node that holds rows to be written against policies.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::{DFSchema, DFSchemaRef, Result};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};

use crate::error::{PgError, SqlState};

/// Which row a policy is asked about, for the words of the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CheckKind {
    /// The row that INSERT, UPDATE or MERGE would write.
    New,
    /// The row that INSERT … ON CONFLICT DO UPDATE found.
    Conflicting,
    /// The row that MERGE would change or remove.
    Target,
}

/// One test of each row: a boolean column of the node's input, which must be true.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowTest {
    /// The column's name.
    pub column: String,
    /// Which row it is about.
    pub kind: CheckKind,
    /// The policy, if it is a restrictive one by itself.
    pub policy: Option<String>,
}

impl CheckKind {
    /// What a client is told of a row that fails; `policy` names a restrictive one.
    pub fn violation(self, policy: Option<&str>, table: &str) -> PgError {
        let policy = policy.map_or_else(String::new, |name| format!(" \"{name}\""));
        let (row, using) = match self {
            Self::New => ("new row", ""),
            Self::Conflicting => ("new row", " (USING expression)"),
            Self::Target => ("target row", " (USING expression)"),
        };
        PgError::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!(
                "{row} violates row-level security policy{policy}{using} for table \"{table}\""
            ),
        )
    }
}

/// Passes on its input without the columns of the tests, or fails at the first row for which one is not true (`42501`).
///
/// ```text
/// input   columns, then one Boolean column for each test
/// output  columns
/// ```
#[derive(Debug, Clone)]
pub struct PolicyCheck {
    /// The table's name.
    pub table: String,
    /// In the order in which a row is held against them.
    pub tests: Vec<RowTest>,
    /// The rows.
    pub input: Arc<LogicalPlan>,
    schema: DFSchemaRef,
}

impl PolicyCheck {
    /// Holds the rows of `input` against tests; their columns are its last ones.
    pub fn try_new(table: String, tests: Vec<RowTest>, input: Arc<LogicalPlan>) -> Result<Self> {
        let Some(kept) = input.schema().fields().len().checked_sub(tests.len()) else {
            return Err(PgError::internal("a policy check lacks its columns").into());
        };
        let fields = input.schema().iter().take(kept);
        let fields = fields.map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field)));
        let schema = DFSchema::new_with_metadata(fields.collect(), Default::default())?;
        Ok(Self { table, tests, input, schema: Arc::new(schema) })
    }

    /// The node as a plan.
    pub fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }
}

impl PartialEq for PolicyCheck {
    fn eq(&self, other: &Self) -> bool {
        self.table == other.table && self.tests == other.tests && self.input == other.input
    }
}

impl Eq for PolicyCheck {}

impl Hash for PolicyCheck {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.table.hash(state);
        self.tests.hash(state);
        self.input.hash(state);
    }
}

impl PartialOrd for PolicyCheck {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for PolicyCheck {
    fn name(&self) -> &str {
        "PolicyCheck"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn necessary_children_exprs(&self, _output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        // Rows are written whole, and every test counts.
        Some(vec![(0..self.input.schema().fields().len()).collect()])
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PolicyCheck: {}", self.table)
    }

    fn with_exprs_and_inputs(
        &self,
        _exprs: Vec<Expr>,
        mut inputs: Vec<LogicalPlan>,
    ) -> Result<Self> {
        let input = inputs.pop().map_or_else(|| Arc::clone(&self.input), Arc::new);
        Self::try_new(self.table.clone(), self.tests.clone(), input)
    }
}
