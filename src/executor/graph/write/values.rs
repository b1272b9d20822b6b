//! Property values on their way into the columns of a partition.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryViewBuilder};
use arrow::datatypes::DataType;
use datafusion::common::Result;

use super::input::Input;
use crate::catalog::{ElementTable, OpenProperty, PropertySource, stored_type};
use crate::error::{PgError, SqlState};
use crate::executor::graph::open::fits;
use crate::executor::graph::values::as_type;
use crate::functions::cypher::{CypherType, Value, arrays, codec};
use crate::planner::node::{NewProperties, ValueColumn};
use crate::types::pg_type::PgType;

/// The values of one property for some rows.
pub(super) enum Values {
    /// A column of one of the types that properties have.
    Column(ArrayRef, CypherType),
    /// Any values; null where there is none.
    Each(Vec<Value>),
}

/// `42804` for a value that cannot be a property.
pub(super) fn check_storable(value: &Value) -> Result<(), PgError> {
    let bad = |what: &str| {
        Err(PgError::new(
            SqlState::DATATYPE_MISMATCH,
            format!("a property cannot be a value of type {what}"),
        )
        .hint("Properties are booleans, numbers, strings, temporal values, and lists of them.")
        .routine("InvalidPropertyType"))
    };
    match value {
        Value::Map(_) | Value::Element(_) | Value::Path { .. } => bad(value.type_name()),
        Value::List(items) => items.iter().try_for_each(|item| match item {
            Value::Map(_) | Value::Element(_) | Value::Path { .. } => {
                bad(&format!("LIST<{}>", item.type_name()))
            }
            item => check_storable(item),
        }),
        _ => Ok(()),
    }
}

impl Values {
    /// A column of a clause's input.
    pub(super) fn of(input: &Input, column: &ValueColumn) -> Result<Self> {
        let values = input.column(&column.name)?;
        let plain = column.ty.property_type().is_some_and(|ty| {
            CypherType::of_open(&ty) == column.ty && !matches!(column.ty, CypherType::List(_))
        });
        if plain {
            return Ok(Self::Column(Arc::clone(values), column.ty.clone()));
        }
        let mut each = Vec::with_capacity(values.len());
        for row in 0..values.len() {
            let value = arrays::read(values, &column.ty, row)?;
            check_storable(&value)?;
            each.push(value);
        }
        Ok(Self::Each(each))
    }

    pub(super) fn get(&self, row: usize) -> Result<Value> {
        match self {
            Self::Column(values, ty) => arrays::read(values, ty, row),
            Self::Each(values) => Ok(values.get(row).cloned().unwrap_or(Value::Null)),
        }
    }

    /// What a partition must have to hold the values; `None` if there are none but nulls, or it has it.
    pub(super) fn wanted(
        &self,
        name: &str,
        element: Option<&ElementTable>,
    ) -> Option<OpenProperty> {
        let known = element.and_then(|element| element.property(name));
        let (ty, is_known, was_mixed) = match known {
            Some(known) => {
                let mixed = matches!(known.source, PropertySource::Open { mixed: true, .. });
                (known.ty.clone(), true, mixed)
            }
            None => (self.first_type()?, false, false),
        };
        let mixed = was_mixed || !self.all_fit(&CypherType::of_open(&ty));
        if is_known && mixed == was_mixed {
            return None;
        }
        Some(OpenProperty { name: name.to_owned(), ty, mixed })
    }

    /// The type of the first value that is not null.
    fn first_type(&self) -> Option<PgType> {
        match self {
            Self::Column(values, ty) => {
                (values.null_count() < values.len()).then(|| ty.property_type()).flatten()
            }
            Self::Each(values) => {
                let first = values.iter().find(|value| !value.is_null())?;
                // What has no type of its own goes to the overflow, beside a column of text.
                Some(first.static_type().property_type().unwrap_or(PgType::Text))
            }
        }
    }

    fn all_fit(&self, ty: &CypherType) -> bool {
        match self {
            Self::Column(values, own) => own == ty || values.null_count() == values.len(),
            Self::Each(values) => values.iter().all(|value| fits(value, ty)),
        }
    }

    /// The values as the column of a property of type `ty`, and those that do not fit in it, by row.
    pub(super) fn column(&self, ty: &PgType) -> Result<(ArrayRef, Vec<(usize, Value)>)> {
        let own = CypherType::of_open(ty);
        let stored = stored_type(ty);
        let mut over = Vec::new();
        let kept = match self {
            Self::Column(values, given) if *given == own => {
                return Ok((as_type(Arc::clone(values), &stored.arrow())?, over));
            }
            Self::Column(..) | Self::Each(_) => {
                let rows = match self {
                    Self::Column(values, _) => values.len(),
                    Self::Each(values) => values.len(),
                };
                let mut kept = Vec::with_capacity(rows);
                for row in 0..rows {
                    let value = self.get(row)?;
                    if fits(&value, &own) {
                        kept.push(value);
                    } else {
                        over.push((row, value));
                        kept.push(Value::Null);
                    }
                }
                kept
            }
        };
        let form = if stored == PgType::Bytea { CypherType::Any } else { own };
        Ok((as_type(arrays::build(&kept, &form)?, &stored.arrow())?, over))
    }
}

/// Values of all properties of new elements by name, those of a map among them.
pub(super) fn properties_of(
    input: &Input,
    properties: &NewProperties,
) -> Result<Vec<(String, Values)>> {
    let mut all: Vec<(String, Values)> = Vec::with_capacity(properties.named.len());
    for (name, column) in &properties.named {
        all.push((name.clone(), Values::of(input, column)?));
    }
    if let Some(map) = &properties.map {
        let mut by_name: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        let maps = input.column(map)?;
        for (row, entries) in map_entries(maps)?.into_iter().enumerate() {
            for (name, value) in entries {
                check_storable(&value)?;
                let values = by_name.entry(name).or_insert_with(|| vec![Value::Null; maps.len()]);
                if let Some(slot) = values.get_mut(row) {
                    *slot = value;
                }
            }
        }
        all.extend(by_name.into_iter().map(|(name, values)| (name, Values::Each(values))));
    }
    Ok(all)
}

/// The entries of each map of a column of ANY; none for null.
///
/// # Errors
/// `42804` for another value.
pub(super) fn map_entries(maps: &ArrayRef) -> Result<Vec<Vec<(String, Value)>>> {
    let mut all = Vec::with_capacity(maps.len());
    for row in 0..maps.len() {
        all.push(match arrays::read(maps, &CypherType::Any, row)? {
            Value::Map(entries) => entries,
            Value::Null => Vec::new(),
            other => {
                return Err(PgError::new(
                    SqlState::DATATYPE_MISMATCH,
                    format!("properties are a map, not a value of type {}", other.type_name()),
                )
                .routine("InvalidArgumentType")
                .into());
            }
        });
    }
    Ok(all)
}

/// Overflow maps of some rows.
pub(super) fn overflow_column(rows: &[BTreeMap<String, Value>]) -> ArrayRef {
    let mut builder = BinaryViewBuilder::with_capacity(rows.len());
    for entries in rows {
        if entries.is_empty() {
            builder.append_null();
        } else {
            let map = entries.iter().map(|(name, value)| (name.clone(), value.clone()));
            builder.append_value(codec::encode(&Value::map(map)));
        }
    }
    Arc::new(builder.finish())
}

/// A column of truth values; where it is not true, false.
pub(super) fn flags(column: &ArrayRef) -> Result<Vec<bool>> {
    let wrong = || PgError::internal("a condition is not a truth value");
    let values = match column.data_type() {
        DataType::Boolean => column.as_boolean(),
        _ => return Err(wrong().into()),
    };
    Ok(values.iter().map(|value| value == Some(true)).collect())
}
