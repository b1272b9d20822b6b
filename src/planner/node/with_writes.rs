//! The logical node for WITH whose queries write, and what stands for their rows where they are read.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::{DFSchemaRef, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, TableSource, UserDefinedLogicalNodeCore};

/// Runs queries that write, in order, each to its end, and then a last one, whose rows it gives.
///
/// ```text
/// inputs  the queries of WITH that write, then the last one
/// output  what the last one gives
/// ```
///
/// All see the same snapshot, so none sees what another wrote but through [`WrittenRows`]; but see `sees_writes`. The statement ends with the
/// last one, whatever of its rows is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithWrites {
    /// Numbers of the queries that write, as [`WrittenRows`] names them.
    pub numbers: Vec<usize>,
    /// As many as there are numbers, and one.
    pub plans: Vec<Arc<LogicalPlan>>,
    /// Whether each sees what those before it wrote, as Cypher's clauses do.
    pub sees_writes: bool,
    /// Steps that run once for each time that an element comes again, so that they see what they did to it: by number,
    /// the step whose rows they read, and the element's column in those.
    pub rounds: BTreeMap<usize, (usize, String)>,
    schema: DFSchemaRef,
}

impl WithWrites {
    /// `steps` by number, then `last`.
    pub fn new(steps: Vec<(usize, LogicalPlan)>, last: LogicalPlan) -> Self {
        let schema = Arc::clone(last.schema());
        let (numbers, plans): (Vec<_>, Vec<_>) = steps.into_iter().unzip();
        let plans = plans.into_iter().chain([last]).map(Arc::new).collect();
        Self { numbers, plans, sees_writes: false, rounds: BTreeMap::new(), schema }
    }

    /// As [`Self::new`], each step seeing what those before it wrote.
    pub fn in_order(
        steps: Vec<(usize, LogicalPlan)>,
        rounds: BTreeMap<usize, (usize, String)>,
        last: LogicalPlan,
    ) -> Self {
        Self { sees_writes: true, rounds, ..Self::new(steps, last) }
    }
}

impl Hash for WithWrites {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.numbers.hash(state);
        self.plans.hash(state);
    }
}

impl PartialOrd for WithWrites {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for WithWrites {
    fn name(&self) -> &str {
        "WithWrites"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        self.plans.iter().map(AsRef::as_ref).collect()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = if self.sees_writes { ", in order" } else { "" };
        write!(f, "With {} that write{order}", self.numbers.len())
    }

    fn with_exprs_and_inputs(&self, _exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        Ok(Self { plans: inputs.into_iter().map(Arc::new).collect(), ..self.clone() })
    }
}

/// The rows that a query of WITH gave by RETURNING.
#[derive(Debug)]
pub struct WrittenRows {
    /// The query's number in its statement.
    pub number: usize,
    schema: SchemaRef,
}

impl WrittenRows {
    /// Rows of a query, of this schema.
    pub fn new(number: usize, schema: SchemaRef) -> Self {
        Self { number, schema }
    }
}

impl TableSource for WrittenRows {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}
