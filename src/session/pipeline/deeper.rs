//! Arrays of more dimensions than their parameters' types tell: any array goes where one of its element type does.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::metadata::ScalarAndMetadata;

use super::values::typed_value;
use crate::session::statements::Prepared;
use crate::types::pg_type::PgType;

/// The statement for these values: itself, or to be bound again with arrays of as many dimensions as the values have.
pub(in crate::session) fn for_dimensions(
    prepared: Arc<Prepared>,
    values: &mut [ScalarAndMetadata],
) -> Arc<Prepared> {
    let mut parameters: Option<Vec<PgType>> = None;
    for (at, value) in values.iter_mut().enumerate() {
        let Some(ty @ PgType::Array(_)) = prepared.parameters.get(at) else { continue };
        let missing = depth(&value.value.data_type()).saturating_sub(dimensions(ty));
        if missing == 0 || value.value.is_null() {
            continue;
        }
        let deeper = (0..missing).fold(ty.clone(), |ty, _| PgType::Array(Box::new(ty)));
        *value = typed_value(value.value.clone(), &deeper);
        let parameters = parameters.get_or_insert_with(|| prepared.parameters.clone());
        if let Some(slot) = parameters.get_mut(at) {
            *slot = deeper;
        }
    }
    let Some(parameters) = parameters else { return prepared };
    Arc::new(Prepared {
        statement: prepared.statement.clone(),
        declared: prepared.declared.clone(),
        described: prepared.described.clone(),
        parameters,
        columns: prepared.columns.clone(),
        typed_by: None,
        bound: parking_lot::Mutex::default(),
        text: prepared.text.clone(),
        from_sql: prepared.from_sql,
        prepared_us: prepared.prepared_us,
    })
}

fn dimensions(ty: &PgType) -> usize {
    match ty {
        PgType::Array(element) => 1 + dimensions(element),
        _ => 0,
    }
}

fn depth(ty: &DataType) -> usize {
    match ty {
        DataType::List(field) | DataType::LargeList(field) => 1 + depth(field.data_type()),
        _ => 0,
    }
}
