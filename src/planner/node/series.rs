//! `generate_series` whose bounds are the same for every row: a source of rows, made as they are read.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use datafusion::common::{DFSchemaRef, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    EmptyRelation, Expr, Extension, LogicalPlan, Unnest, UserDefinedLogicalNodeCore,
};

use crate::error::PgError;
use crate::functions::scalar::{ResolvedFunction, SessionRef};

/// The rows of one call of `generate_series`; its one column has the type of the bounds.
#[derive(Clone)]
pub struct Series {
    /// Start, end and perhaps the step; no columns in them.
    pub args: Vec<Expr>,
    /// Whose time zone steps of days and months follow.
    pub session: SessionRef,
    schema: DFSchemaRef,
}

impl Series {
    /// The node for an unnesting of `generate_series(…)` over one empty row; `None` for anything else.
    pub fn of_unnest(unnest: &Unnest) -> Option<Self> {
        let LogicalPlan::Projection(projection) = unnest.input.as_ref() else { return None };
        let LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: true, .. }) =
            projection.input.as_ref()
        else {
            return None;
        };
        let [expr] = projection.expr.as_slice() else { return None };
        let Expr::ScalarFunction(ScalarFunction { func, args }) = expr.clone().unalias() else {
            return None;
        };
        let function = func.inner().downcast_ref::<ResolvedFunction>()?;
        if func.name() != "generate_series" || unnest.schema.fields().len() != 1 {
            return None;
        }
        let plain = args.iter().all(|arg| !arg.any_column_refs());
        plain.then(|| Self {
            args,
            session: function.session().clone(),
            schema: unnest.schema.clone(),
        })
    }

    /// The node as a plan.
    pub fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: std::sync::Arc::new(self) })
    }
}

impl fmt::Debug for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Series").field("args", &self.args).finish_non_exhaustive()
    }
}

impl PartialEq for Series {
    fn eq(&self, other: &Self) -> bool {
        self.args == other.args && self.schema == other.schema
    }
}

impl Eq for Series {}

impl Hash for Series {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.args.hash(state);
        self.schema.hash(state);
    }
}

impl PartialOrd for Series {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for Series {
    fn name(&self) -> &str {
        "Series"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        Vec::new()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        self.args.clone()
    }

    fn necessary_children_exprs(&self, _output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(Vec::new())
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let args: Vec<String> = self.args.iter().map(ToString::to_string).collect();
        write!(f, "Series: generate_series({})", args.join(", "))
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        if !inputs.is_empty() {
            return Err(PgError::internal("a series has no input").into());
        }
        Ok(Self { args: exprs, ..self.clone() })
    }
}
