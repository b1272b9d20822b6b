//! The logical node that looks for the rows an INSERT … ON CONFLICT would conflict with.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::{DFSchema, DFSchemaRef, Result, TableReference};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};

use crate::catalog::Relation;
use crate::planner::source::ROW_ID;
use crate::types::Oid;

/// The name under which DO UPDATE knows the rows that were to be inserted.
pub const EXCLUDED: &str = "excluded";

/// Rows to be inserted, each beside the row of the table that has its key.
///
/// ```text
/// input   the table's columns
/// output  DO NOTHING: the rows that conflict with none, neither in the table nor among those before them
///         DO UPDATE:  excluded.*, target.* (all null where there is no conflict), row id: UInt64 (null there too)
/// ```
///
/// Rows are checked as INSERT checks them (NOT NULL, CHECK) before they are looked up.
#[derive(Debug, Clone)]
pub struct ConflictLookup {
    /// The target.
    pub relation: Arc<Relation>,
    /// Constraints or unique indexes whose keys count, by OID; all of the table's if there are none.
    pub arbiters: Vec<Oid>,
    /// Columns of the table that the statement reads, for privileges.
    pub reads: Vec<usize>,
    /// DO NOTHING.
    pub skips: bool,
    /// Rows to be inserted.
    pub input: Arc<LogicalPlan>,
    schema: DFSchemaRef,
}

impl ConflictLookup {
    /// Leaves out the rows of `input` that conflict.
    pub fn skipping(relation: Arc<Relation>, arbiters: Vec<Oid>, input: Arc<LogicalPlan>) -> Self {
        let schema = Arc::clone(input.schema());
        Self { relation, arbiters, reads: Vec::new(), skips: true, input, schema }
    }

    /// The same look-up for other rows.
    #[must_use]
    pub fn with_input(&self, input: LogicalPlan) -> Self {
        Self { input: Arc::new(input), ..self.clone() }
    }

    /// Joins the rows of `input` with those they conflict with, whose columns are known as `name`.
    pub fn joining(
        relation: Arc<Relation>,
        arbiters: Vec<Oid>,
        input: Arc<LogicalPlan>,
        name: &TableReference,
    ) -> Result<Self> {
        let mut fields = Vec::new();
        for qualifier in [&TableReference::bare(EXCLUDED), name] {
            fields.extend(relation.columns().iter().map(|column| {
                (Some(qualifier.clone()), Arc::new(column.ty.field(&column.name, true)))
            }));
        }
        fields.push((None, Arc::new(Field::new(ROW_ID, DataType::UInt64, true))));
        let schema = Arc::new(DFSchema::new_with_metadata(fields, Default::default())?);
        Ok(Self { relation, arbiters, reads: Vec::new(), skips: false, input, schema })
    }
}

impl PartialEq for ConflictLookup {
    fn eq(&self, other: &Self) -> bool {
        self.relation.oid == other.relation.oid
            && self.arbiters == other.arbiters
            && self.reads == other.reads
            && self.skips == other.skips
            && self.input == other.input
            && self.schema == other.schema
    }
}

impl Eq for ConflictLookup {}

impl Hash for ConflictLookup {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.relation.oid.hash(state);
        self.arbiters.hash(state);
        self.skips.hash(state);
        self.input.hash(state);
    }
}

impl PartialOrd for ConflictLookup {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for ConflictLookup {
    fn name(&self) -> &str {
        "ConflictLookup"
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

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = if self.skips { "do nothing" } else { "do update" };
        write!(f, "Conflicts on {}: {action}", self.relation.name)
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
