//! A call of a function whose body is run statement by statement: the session runs it before the plan around it, and
//! puts what it gave in its place.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering as Atomic};

use arrow::datatypes::{Field, Fields};
use datafusion::common::{DFSchema, DFSchemaRef, Result};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};

use crate::error::PgError;
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// A call.
#[derive(Clone)]
pub struct RoutineCall {
    /// `pg_proc.oid`.
    pub oid: Oid,
    /// The function's name.
    pub name: String,
    /// In the types that the function declares; no columns in them.
    pub arguments: Vec<Expr>,
    /// What it gives.
    pub columns: Vec<(String, PgType)>,
    /// Tells calls apart; where a plan has one twice, it is run once.
    pub id: u64,
    schema: DFSchemaRef,
}

impl RoutineCall {
    /// A call that gives rows of these columns.
    ///
    /// # Errors
    /// `XX000` if two columns have one name.
    pub fn new(
        oid: Oid,
        name: &str,
        arguments: Vec<Expr>,
        columns: Vec<(String, PgType)>,
    ) -> Result<Self> {
        static CALLS: AtomicU64 = AtomicU64::new(1);
        let fields: Vec<Field> = columns.iter().map(|(name, ty)| ty.field(name, true)).collect();
        let schema = DFSchema::from_unqualified_fields(Fields::from(fields), Default::default())?;
        let id = CALLS.fetch_add(1, Atomic::Relaxed);
        Ok(Self { oid, name: name.to_owned(), arguments, columns, id, schema: Arc::new(schema) })
    }

    /// The node as a plan.
    pub fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }

    /// The call that a plan is.
    pub fn of(plan: &LogicalPlan) -> Option<&Self> {
        match plan {
            LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref(),
            _ => None,
        }
    }
}

impl fmt::Debug for RoutineCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        UserDefinedLogicalNodeCore::fmt_for_explain(self, f)
    }
}

impl PartialEq for RoutineCall {
    fn eq(&self, other: &Self) -> bool {
        (self.id, &self.arguments) == (other.id, &other.arguments)
    }
}

impl Eq for RoutineCall {}

impl Hash for RoutineCall {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.id, &self.arguments).hash(state);
    }
}

impl PartialOrd for RoutineCall {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for RoutineCall {
    fn name(&self) -> &str {
        "RoutineCall"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        Vec::new()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        self.arguments.clone()
    }

    fn necessary_children_exprs(&self, _output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(Vec::new())
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arguments: Vec<String> = self.arguments.iter().map(ToString::to_string).collect();
        write!(f, "RoutineCall: {}({})", self.name, arguments.join(", "))
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        if !inputs.is_empty() {
            return Err(PgError::internal("a call has no input").into());
        }
        Ok(Self { arguments: exprs, ..self.clone() })
    }
}
