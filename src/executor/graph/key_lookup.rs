//! Finds out from predicates that a vertex is wanted by its key.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, Operator};

use super::functions::BoundGraphFunction;
use super::snapshot::GraphSnapshot;
use crate::catalog::{PropertyDef, PropertySource};
use crate::executor::operator::KeyLookup;
use crate::planner::GraphFunctionKind;
use crate::storage::table::EncodedKeys;

/// `property = literal`, if an expression is that: the property's name and the value.
pub(super) fn property_equality(expr: &Expr) -> Option<(&str, &ScalarValue)> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = expr else { return None };
    match (property_name(left), literal(right), property_name(right), literal(left)) {
        (Some(name), Some(value), _, _) | (_, _, Some(name), Some(value)) => Some((name, value)),
        _ => None,
    }
}

pub(super) fn property_name(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Cast(Cast { expr, .. }) => property_name(expr),
        Expr::ScalarFunction(call) => {
            let function = call.func.inner().downcast_ref::<BoundGraphFunction>()?;
            match function.kind() {
                GraphFunctionKind::Property { name, .. }
                | GraphFunctionKind::OpenProperty { name, .. } => Some(name),
                _ => None,
            }
        }
        _ => None,
    }
}

fn literal(expr: &Expr) -> Option<&ScalarValue> {
    match expr {
        Expr::Literal(value, _) if !value.is_null() => Some(value),
        Expr::Alias(alias) => literal(&alias.expr),
        _ => None,
    }
}

/// The key that `predicates` (all of which must hold) fix for a vertex table; `None` if they do not.
///
/// The predicates must still be applied to what is found.
pub(super) fn key_lookup(
    graph: &GraphSnapshot,
    table: u16,
    predicates: &[&Expr],
) -> Result<Option<KeyLookup>> {
    let element = graph.element(false, table)?;
    let version = graph.version(false, table)?;
    let mut fields = Vec::with_capacity(element.key.len());
    let mut values = Vec::with_capacity(element.key.len());
    for column in &element.key {
        let ty = version.schema.field(*column).data_type();
        let value = predicates.iter().find_map(|predicate| {
            let (name, value) = property_equality(predicate)?;
            let PropertyDef { source: PropertySource::Column(source), .. } =
                element.property(name)?
            else {
                return None;
            };
            if source == column { exactly_as(value, ty) } else { None }
        });
        let Some(value) = value else { return Ok(None) };
        fields.push(Field::new(format!("k{column}"), ty.clone(), true));
        values.push(value.to_array_of_size(1)?);
    }
    if values.is_empty() {
        return Ok(None);
    }
    let batch = RecordBatch::try_new(Schema::new(fields).into(), values)?;
    let keys = EncodedKeys::encode(&batch, &(0..batch.num_columns()).collect::<Vec<_>>())?;
    Ok(keys.get(0).map(|key| KeyLookup { columns: element.key.clone(), key: key.to_vec() }))
}

/// A value as another type in which equal values have equal keys; `None` if it is not exactly representable there.
fn exactly_as(value: &ScalarValue, ty: &DataType) -> Option<ScalarValue> {
    let comparable = ty.is_integer()
        || matches!(ty, DataType::Utf8View | DataType::Utf8 | DataType::Date32)
        || matches!(ty, DataType::FixedSizeBinary(_) | DataType::Boolean);
    if !comparable {
        return None;
    }
    let cast = value.cast_to(ty).ok()?;
    let back = cast.cast_to(&value.data_type()).ok()?;
    (!cast.is_null() && back == *value).then_some(cast)
}
