//! From the logical [`Apply`] to its operator: the subplan's outer references become cells that the operator fills.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchemaRef, Result, ScalarValue};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    ColumnarValue, Expr, Extension, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, UserDefinedLogicalNodeCore, Volatility,
};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use parking_lot::RwLock;

use crate::error::PgError;
use crate::planner::node::Apply;

/// The values an apply's subplan reads while it runs.
#[derive(Default)]
pub struct Cells(RwLock<Vec<ScalarValue>>);

impl Cells {
    /// Sets all of them, in the order of the keys.
    pub fn set(&self, values: Vec<ScalarValue>) {
        *self.0.write() = values;
    }

    fn get(&self, at: usize) -> Result<ScalarValue> {
        let value = self.0.read().get(at).cloned();
        value.ok_or_else(|| PgError::internal("a subquery was run without its row").into())
    }
}

impl fmt::Debug for Cells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cells").finish_non_exhaustive()
    }
}

/// An [`Apply`] whose subplan has its rows and cells; for the physical planner it has one input.
#[derive(Debug, Clone)]
pub(super) struct BoundApply {
    pub(super) apply: Apply,
    pub(super) cells: Arc<Cells>,
}

impl PartialEq for BoundApply {
    fn eq(&self, other: &Self) -> bool {
        self.apply == other.apply
    }
}

impl Eq for BoundApply {}

impl PartialOrd for BoundApply {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.apply.partial_cmp(&other.apply)
    }
}

impl Hash for BoundApply {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.apply.hash(state);
    }
}

impl UserDefinedLogicalNodeCore for BoundApply {
    fn name(&self) -> &str {
        "BoundApply"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.apply.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        UserDefinedLogicalNodeCore::schema(&self.apply)
    }

    fn expressions(&self) -> Vec<Expr> {
        self.apply.expressions()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.apply.fmt_for_explain(f)
    }

    fn with_exprs_and_inputs(
        &self,
        exprs: Vec<Expr>,
        mut inputs: Vec<LogicalPlan>,
    ) -> Result<Self> {
        inputs.push(self.apply.subplan.as_ref().clone());
        let apply = self.apply.with_exprs_and_inputs(exprs, inputs)?;
        Ok(Self { apply, cells: Arc::clone(&self.cells) })
    }
}

/// Gives every apply of a plan its cells. The plan is planned right after: no rule may see it again.
///
/// # Errors
/// What rebuilding a node says.
pub(super) fn bind_cells(plan: LogicalPlan) -> Result<LogicalPlan> {
    // From the outside in, while what is inside can still be seen.
    let bound = plan.transform_down_with_subqueries(|node| {
        let LogicalPlan::Extension(Extension { node: extension }) = &node else {
            return Ok(Transformed::no(node));
        };
        let Some(apply) = extension.as_any().downcast_ref::<Apply>() else {
            return Ok(Transformed::no(node));
        };
        let cells = Arc::new(Cells::default());
        let mut apply = apply.clone();
        let number = apply.number;
        let subplan = with_cells(apply.subplan.as_ref().clone(), number, &cells)?;
        apply.subplan = Arc::new(bind_cells(subplan)?);
        let bound = BoundApply { apply, cells };
        Ok(Transformed::yes(LogicalPlan::Extension(Extension { node: Arc::new(bound) })))
    })?;
    Ok(bound.data)
}

fn with_cells(plan: LogicalPlan, number: usize, cells: &Arc<Cells>) -> Result<LogicalPlan> {
    let replaced = plan.transform_up_with_subqueries(|node| {
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let replaced = expr.transform_up(|expr| match &expr {
                Expr::OuterReferenceColumn(field, column) => match Apply::key_of(number, column) {
                    Some(at) => {
                        let cell = Cell { field: Arc::clone(field), at, cells: Arc::clone(cells) };
                        Ok(Transformed::yes(ScalarUDF::from(cell).call(Vec::new())))
                    }
                    None => Ok(Transformed::no(expr)),
                },
                _ => Ok(Transformed::no(expr)),
            })?;
            Ok(if replaced.transformed {
                replaced.update_data(|expr| name.restore(expr))
            } else {
                replaced
            })
        })
    })?;
    Ok(replaced.data)
}

/// The cell that an expression reads, and nothing else: its number, and whose it is.
pub(super) fn cell_of(expr: &Arc<dyn PhysicalExpr>) -> Option<(usize, &Arc<Cells>)> {
    let call = expr.downcast_ref::<ScalarFunctionExpr>()?;
    let cell = call.fun().inner().downcast_ref::<Cell>()?;
    Some((cell.at, &cell.cells))
}

/// The function that reads a cell. Volatile, so that nothing computes it once and for all.
#[derive(Debug)]
struct Cell {
    field: FieldRef,
    at: usize,
    cells: Arc<Cells>,
}

static NO_ARGUMENTS: LazyLock<Signature> =
    LazyLock::new(|| Signature::nullary(Volatility::Volatile));

impl PartialEq for Cell {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at && Arc::ptr_eq(&self.cells, &other.cells)
    }
}

impl Eq for Cell {}

impl Hash for Cell {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.at.hash(state);
        Arc::as_ptr(&self.cells).hash(state);
    }
}

impl ScalarUDFImpl for Cell {
    fn name(&self) -> &str {
        "outer_value"
    }

    fn signature(&self) -> &Signature {
        &NO_ARGUMENTS
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.field.data_type().clone())
    }

    fn return_field_from_args(&self, _arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::clone(&self.field))
    }

    fn invoke_with_args(&self, _arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(self.cells.get(self.at)?))
    }
}
