//! Finds out from predicates that a vertex is wanted by its key.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, Operator};

use super::functions::BoundGraphFunction;
use super::snapshot::GraphSnapshot;
use crate::catalog::{LabelRuleKind, PropertyDef, PropertySource, stored_type};
use crate::executor::operator::KeyLookup;
use crate::planner::GraphFunctionKind;
use crate::storage::table::EncodedKeys;
use crate::types::pg_type::PgType;

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

/// The key or index of a vertex table whose values `predicates` (all of which must hold) fix; `None` if they fix none.
///
/// The predicates must still be applied to what is found.
pub(super) fn key_lookup(
    graph: &GraphSnapshot,
    table: u16,
    predicates: &[&Expr],
) -> Result<Option<KeyLookup>> {
    let element = graph.element(false, table)?;
    if let Some(found) = fixed(graph, table, &element.key, predicates)? {
        return Ok(Some(found));
    }
    for rule in &graph.graph.label_rules {
        if rule.edge || rule.kind == LabelRuleKind::NotNull || !element.has_label(&rule.label) {
            continue;
        }
        let columns = rule.properties.iter().map(|name| column_of(element.property(name)?));
        let Some(columns) = columns.collect::<Option<Vec<usize>>>() else { continue };
        if let Some(found) = fixed(graph, table, &columns, predicates)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The column that all values of a property are in, as they are compared.
fn column_of(property: &PropertyDef) -> Option<usize> {
    match property.source {
        PropertySource::Column(column) => Some(column),
        PropertySource::Open { column, mixed: false } => {
            (stored_type(&property.ty) != PgType::Bytea).then_some(column)
        }
        PropertySource::Open { .. } | PropertySource::Expression(_) => None,
    }
}

/// The key that predicates fix, if they equate all of these columns with literals.
fn fixed(
    graph: &GraphSnapshot,
    table: u16,
    columns: &[usize],
    predicates: &[&Expr],
) -> Result<Option<KeyLookup>> {
    let element = graph.element(false, table)?;
    let version = graph.version(false, table)?;
    let mut fields = Vec::with_capacity(columns.len());
    let mut values = Vec::with_capacity(columns.len());
    for column in columns {
        let ty = version.schema.field(*column).data_type();
        let value = predicates.iter().find_map(|predicate| {
            let (name, value) = property_equality(predicate)?;
            let source = column_of(element.property(name)?)?;
            if source == *column { exactly_as(value, ty) } else { None }
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
    Ok(keys.get(0).map(|key| KeyLookup { columns: columns.to_vec(), key: key.to_vec() }))
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
