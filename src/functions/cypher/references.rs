//! The references of graph elements inside columns of any type.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryViewBuilder, ListArray, StructArray};
use arrow::array::{PrimitiveArray, UInt64Array};
use arrow::datatypes::UInt64Type;
use datafusion::common::{DataFusionError, Result};

use super::codec;
use super::types::CypherType;
use super::value::Value;

/// Gives the reference that takes another's place: of a relationship (`true`) or a node.
pub type Replace<'a> = &'a dyn Fn(bool, u64) -> Result<u64>;

/// A column of type `ty` with every reference in it replaced.
///
/// # Errors
/// Those of `replace`; `XX000` for a column of another Arrow type.
pub fn replace_references(
    ty: &CypherType,
    column: &ArrayRef,
    replace: Replace<'_>,
) -> Result<ArrayRef> {
    let wrong = || DataFusionError::Internal(format!("{ty} is stored as {}", column.data_type()));
    match ty {
        CypherType::Node | CypherType::Relationship => {
            let refs = column.as_primitive_opt::<UInt64Type>().ok_or_else(wrong)?;
            let edge = *ty == CypherType::Relationship;
            Ok(Arc::new(replaced(refs, edge, replace)?))
        }
        CypherType::Path => {
            let fields = column.as_struct_opt().ok_or_else(wrong)?;
            let types = [CypherType::Node, CypherType::Relationship].map(CypherType::list);
            let columns = fields.columns().iter().zip(&types);
            let columns = columns.map(|(column, ty)| replace_references(ty, column, replace));
            Ok(Arc::new(StructArray::try_new(
                fields.fields().clone(),
                columns.collect::<Result<_>>()?,
                fields.nulls().cloned(),
            )?))
        }
        CypherType::List(element) if may_hold(element) => {
            let list = column.as_list_opt::<i32>().ok_or_else(wrong)?;
            let arrow::datatypes::DataType::List(field) = list.data_type() else {
                return Err(wrong());
            };
            Ok(Arc::new(ListArray::try_new(
                Arc::clone(field),
                list.offsets().clone(),
                replace_references(element, list.values(), replace)?,
                list.nulls().cloned(),
            )?))
        }
        CypherType::Map(entries) if may_hold(ty) => {
            let fields = column.as_struct_opt().ok_or_else(wrong)?;
            let columns = fields.columns().iter().zip(entries);
            let columns = columns.map(|(column, (_, ty))| replace_references(ty, column, replace));
            Ok(Arc::new(StructArray::try_new(
                fields.fields().clone(),
                columns.collect::<Result<_>>()?,
                fields.nulls().cloned(),
            )?))
        }
        CypherType::Any => {
            let values = column.as_binary_view_opt().ok_or_else(wrong)?;
            let mut builder = BinaryViewBuilder::with_capacity(values.len());
            for bytes in values {
                match bytes {
                    Some(bytes) if codec::may_hold_elements(bytes) => {
                        let mut value = codec::decode(bytes).ok_or_else(wrong)?;
                        replace_in(&mut value, replace)?;
                        builder.append_value(codec::encode(&value));
                    }
                    other => builder.append_option(other),
                }
            }
            Ok(Arc::new(builder.finish()))
        }
        _ => Ok(Arc::clone(column)),
    }
}

/// Whether elements may be in values of a type, ANY among them.
pub fn may_hold(ty: &CypherType) -> bool {
    match ty {
        CypherType::Any => true,
        CypherType::List(element) => may_hold(element),
        CypherType::Map(fields) => fields.iter().any(|(_, ty)| may_hold(ty)),
        ty => ty.holds_elements(),
    }
}

fn replaced(refs: &UInt64Array, edge: bool, replace: Replace<'_>) -> Result<UInt64Array> {
    refs.iter()
        .map(|reference| reference.map(|reference| replace(edge, reference)).transpose())
        .collect::<Result<PrimitiveArray<UInt64Type>>>()
}

fn replace_in(value: &mut Value, replace: Replace<'_>) -> Result<()> {
    match value {
        Value::Element(element) => {
            element.reference = replace(element.edge, element.reference)?;
        }
        Value::Path { elements, json: _ } => {
            for (at, reference) in elements.iter_mut().enumerate() {
                *reference = replace(at % 2 == 1, *reference)?;
            }
        }
        Value::List(items) => {
            for item in items {
                replace_in(item, replace)?;
            }
        }
        Value::Map(entries) => {
            for (_, value) in entries {
                replace_in(value, replace)?;
            }
        }
        _ => {}
    }
    Ok(())
}
