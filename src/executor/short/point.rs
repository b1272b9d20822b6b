//! Columns of one row, as they are, by the value of a key: a statement that needs no expressions evaluated.
//!
//! The row is not copied: the arrays that hold it are given, and whoever writes it to a client reads it there.

use std::sync::Arc;

use arrow::array::ArrayRef;
use datafusion::common::ScalarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, Literal};

use super::key::Key;
use super::look_up::LookUp;
use super::{Over, Projection, Step};
use crate::error::PgError;
use crate::storage::{StoreSnapshot, TableVersion};
use crate::types::Oid;

/// A compiled look-up.
#[derive(Debug)]
pub struct PointRead {
    table: Oid,
    key: Arc<Key>,
    values: Vec<KeyValue>,
    /// Columns of the table, one for each of the result.
    columns: Arc<[usize]>,
}

/// What a key column is compared with.
#[derive(Debug)]
enum KeyValue {
    /// The place of a parameter, from 0.
    Parameter(usize),
    Constant(ScalarValue),
}

/// The row that was found, where it is stored.
#[derive(Debug)]
pub struct FoundRow {
    /// For each column of the result the array that holds its value, and where in it.
    values: Vec<(ArrayRef, usize)>,
}

impl FoundRow {
    /// The array that holds a column's value, and where in it.
    pub fn value(&self, column: usize) -> Option<(&ArrayRef, usize)> {
        let (array, offset) = self.values.get(column)?;
        Some((array, *offset))
    }
}

impl PointRead {
    /// The look-up that a step is, if it is one; `parameters` are the places that the step's expressions number.
    pub(super) fn of(step: &Step, parameters: &[usize]) -> Option<Self> {
        let (look_up, columns) = match step {
            Step::LookUp(look_up) => (look_up, look_up.projection.clone()),
            Step::Project { input, projection } => match input.as_ref() {
                Step::LookUp(look_up) => (look_up, projected(look_up, projection)?),
                _ => return None,
            },
            _ => return None,
        };
        let values = look_up.values.iter().map(|value| key_value(value, parameters));
        let width = look_up.width;
        Some(Self {
            table: look_up.table,
            key: Arc::clone(&look_up.key),
            values: values.collect::<Option<_>>()?,
            // The column past the last is the row's id, which is in no array.
            columns: columns.iter().all(|column| *column < width).then(|| columns.into())?,
        })
    }

    /// The row, if there is one.
    ///
    /// # Errors
    /// `XX000` for our own defects.
    pub fn find(
        &self,
        store: &StoreSnapshot,
        parameters: &[ScalarValue],
    ) -> Result<Option<FoundRow>, PgError> {
        let Some(version) = store.table(self.table) else {
            return Err(PgError::internal("a table that is not there"));
        };
        let place = match self.values.as_slice() {
            [value] if self.key.is_number() => match self.value(value, parameters).map(whole) {
                Some(Whole::Number(number)) => self.key.find_number(version, number)?,
                Some(Whole::Null) => None,
                Some(Whole::Other) | None => self.find_values(version, parameters)?,
            },
            _ => self.find_values(version, parameters)?,
        };
        let Some((chunk, offset)) = place else { return Ok(None) };
        let Some(chunk) = version.chunks().get(chunk) else {
            return Err(PgError::internal("a row outside of its table"));
        };
        let values = self.columns.iter().map(|column| {
            let (start, array) = chunk.part(*column, offset)?;
            Ok::<_, PgError>((array, offset - start))
        });
        Ok(Some(FoundRow { values: values.collect::<Result<_, _>>()? }))
    }

    fn value<'a>(
        &'a self,
        value: &'a KeyValue,
        parameters: &'a [ScalarValue],
    ) -> Option<&'a ScalarValue> {
        match value {
            KeyValue::Parameter(place) => parameters.get(*place),
            KeyValue::Constant(value) => Some(value),
        }
    }

    fn find_values(
        &self,
        version: &TableVersion,
        parameters: &[ScalarValue],
    ) -> Result<Option<(usize, usize)>, PgError> {
        let value = |value| match self.value(value, parameters) {
            Some(value) => Ok(value.to_array()?),
            None => Err(PgError::internal("a parameter without a value")),
        };
        let values = self.values.iter().map(value).collect::<Result<Vec<_>, _>>()?;
        Ok(self.key.find(version, values)?)
    }
}

enum Whole {
    Number(i64),
    Null,
    Other,
}

fn whole(value: &ScalarValue) -> Whole {
    match value {
        ScalarValue::Int16(Some(number)) => Whole::Number(i64::from(*number)),
        ScalarValue::Int32(Some(number)) => Whole::Number(i64::from(*number)),
        ScalarValue::Int64(Some(number)) => Whole::Number(*number),
        value if value.is_null() => Whole::Null,
        _ => Whole::Other,
    }
}

/// Which columns of the table a projection of nothing but columns gives.
fn projected(look_up: &LookUp, projection: &Projection) -> Option<Vec<usize>> {
    if !matches!(projection.over, Over::Rows) {
        return None;
    }
    let column = |expr: &Arc<dyn PhysicalExpr>| {
        let column = as_any(expr).downcast_ref::<Column>()?;
        look_up.projection.get(column.index()).copied()
    };
    projection.expressions.iter().map(column).collect()
}

fn key_value(value: &Arc<dyn PhysicalExpr>, parameters: &[usize]) -> Option<KeyValue> {
    if let Some(column) = as_any(value).downcast_ref::<Column>() {
        return parameters.get(column.index()).copied().map(KeyValue::Parameter);
    }
    let literal = as_any(value).downcast_ref::<Literal>()?;
    Some(KeyValue::Constant(literal.value().clone()))
}

fn as_any(expr: &Arc<dyn PhysicalExpr>) -> &(dyn std::any::Any + 'static) {
    let expr: &(dyn PhysicalExpr + 'static) = expr.as_ref();
    expr
}
