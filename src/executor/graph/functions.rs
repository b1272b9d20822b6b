//! Graph functions that read the statement's snapshot, and the rewriting that puts them into a plan.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt64Array};
use arrow::datatypes::{DataType, FieldRef, UInt64Type};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};

use super::snapshot::GraphSnapshot;
use super::values::text_array;
use crate::catalog::PropertyGraph;
use crate::error::PgError;
use crate::planner::{GraphFunction, GraphFunctionKind};

/// A [`GraphFunction`] with the snapshot it reads.
#[derive(Debug)]
pub struct BoundGraphFunction {
    function: GraphFunction,
    snapshot: Arc<GraphSnapshot>,
    signature: Signature,
}

impl PartialEq for BoundGraphFunction {
    fn eq(&self, other: &Self) -> bool {
        self.function == other.function && Arc::ptr_eq(&self.snapshot, &other.snapshot)
    }
}

impl Eq for BoundGraphFunction {}

impl Hash for BoundGraphFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.hash(state);
        Arc::as_ptr(&self.snapshot).hash(state);
    }
}

impl BoundGraphFunction {
    /// What it computes.
    pub fn kind(&self) -> &GraphFunctionKind {
        &self.function.kind
    }

    fn evaluate(&self, argument: &ArrayRef) -> Result<ArrayRef> {
        let snapshot = &self.snapshot;
        let refs = || {
            argument.as_primitive_opt::<UInt64Type>().ok_or_else(|| {
                PgError::internal(format!("graph function on {}", argument.data_type()))
            })
        };
        match &self.function.kind {
            GraphFunctionKind::Property { name, ty, edge } => {
                snapshot.property(*edge, name, &ty.arrow(), refs()?)
            }
            GraphFunctionKind::OpenProperty { name, ty, edge } => {
                snapshot.open_property(*edge, name, ty, refs()?)
            }
            GraphFunctionKind::Number { edge } => snapshot.numbers(*edge, refs()?),
            GraphFunctionKind::PropertyMap { edge } => snapshot.property_maps(*edge, refs()?),
            GraphFunctionKind::Attach { ty } => snapshot.attach(ty, argument),
            GraphFunctionKind::Labels { edge: false } => snapshot.labels(refs()?),
            GraphFunctionKind::Labels { edge: true } => snapshot.edge_types(refs()?),
            GraphFunctionKind::HasLabel { label, edge } => {
                snapshot.has_label(*edge, label, refs()?)
            }
            GraphFunctionKind::ElementId { edge } => {
                Ok(text_array(snapshot.element_ids(*edge, refs()?)?))
            }
            GraphFunctionKind::Properties { edge } => {
                Ok(text_array(snapshot.properties(*edge, refs()?)?))
            }
            GraphFunctionKind::Keys { edge } => snapshot.keys(*edge, refs()?),
            GraphFunctionKind::EndPoint { end } => {
                Ok(Arc::new(snapshot.end_points(*end, refs()?)?))
            }
            GraphFunctionKind::ElementJson { edge } => {
                Ok(text_array(snapshot.element_json(*edge, refs()?)?))
            }
            GraphFunctionKind::PathJson => path_json(snapshot, argument),
        }
    }
}

/// Paths as jsonb text: their elements one after the other.
fn path_json(snapshot: &GraphSnapshot, paths: &ArrayRef) -> Result<ArrayRef> {
    let not_a_path = || PgError::internal(format!("path function on {}", paths.data_type()));
    let fields = paths.as_struct_opt().ok_or_else(not_a_path)?;
    let [vertices, edges] = fields.columns() else { return Err(not_a_path().into()) };
    let (Some(vertices), Some(edges)) = (vertices.as_list_opt::<i32>(), edges.as_list_opt::<i32>())
    else {
        return Err(not_a_path().into());
    };
    let elements = |edge: bool, values: &ArrayRef| {
        let refs: &UInt64Array = values.as_primitive_opt::<UInt64Type>().ok_or_else(not_a_path)?;
        snapshot.element_json(edge, refs)
    };
    let nodes = elements(false, vertices.values())?;
    let relationships = elements(true, edges.values())?;
    let offset = |offsets: &[i32], row: usize| offsets[row] as usize;
    let mut texts = Vec::with_capacity(paths.len());
    for row in 0..paths.len() {
        if paths.is_null(row) {
            texts.push(None);
            continue;
        }
        let nodes = &nodes[offset(vertices.offsets(), row)..offset(vertices.offsets(), row + 1)];
        let between =
            &relationships[offset(edges.offsets(), row)..offset(edges.offsets(), row + 1)];
        let mut text = String::from("{\"~entityType\":\"path\",\"~elements\":[");
        for (at, node) in nodes.iter().enumerate() {
            if let Some(Some(relationship)) = at.checked_sub(1).and_then(|at| between.get(at)) {
                text.push(',');
                text.push_str(relationship);
                text.push(',');
            }
            text.push_str(node.as_deref().unwrap_or("null"));
        }
        text.push_str("]}");
        texts.push(Some(text));
    }
    Ok(text_array(texts))
}

impl ScalarUDFImpl for BoundGraphFunction {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.function.return_type(arguments)
    }

    fn return_field_from_args(&self, _arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(self.function.result_field())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [argument] = arguments.args.as_slice() else {
            return Err(PgError::internal("a graph function takes one argument").into());
        };
        match argument {
            ColumnarValue::Array(values) => Ok(ColumnarValue::Array(self.evaluate(values)?)),
            ColumnarValue::Scalar(value) => {
                let result = self.evaluate(&value.to_array_of_size(1)?)?;
                Ok(ColumnarValue::Scalar(datafusion::scalar::ScalarValue::try_from_array(
                    &result, 0,
                )?))
            }
        }
    }
}

/// Replaces every unbound graph function of a plan, in all nodes and subqueries, by one that reads the snapshot that
/// `snapshot` gives for its graph.
///
/// # Errors
/// Whatever `snapshot` fails with.
pub fn bind_graph_functions(
    plan: LogicalPlan,
    snapshot: &dyn Fn(&Arc<PropertyGraph>) -> Result<Arc<GraphSnapshot>>,
) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| {
        node.map_expressions(|expr| expr.transform_up(|expr| bind_expr(expr, snapshot)))
    })
    .data()
}

pub(super) fn bind_expr(
    expr: Expr,
    snapshot: &dyn Fn(&Arc<PropertyGraph>) -> Result<Arc<GraphSnapshot>>,
) -> Result<Transformed<Expr>> {
    let Expr::ScalarFunction(call) = &expr else { return Ok(Transformed::no(expr)) };
    let Some(function) = call.func.inner().downcast_ref::<GraphFunction>() else {
        return Ok(Transformed::no(expr));
    };
    let bound = BoundGraphFunction {
        function: function.clone(),
        snapshot: snapshot(&function.graph)?,
        signature: Signature::any(1, Volatility::Immutable),
    };
    Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction::new_udf(
        Arc::new(ScalarUDF::new_from_impl(bound)),
        call.args.clone(),
    ))))
}
