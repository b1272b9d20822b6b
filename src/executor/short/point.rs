//! Columns of one row, as they are, by the value of a key: a statement that needs no expressions evaluated.
//!
//! The row is not copied: the arrays that hold it are given, and whoever writes it to a client reads it there.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use arrow::row::RowConverter;
use datafusion::common::ScalarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, Literal};
use parking_lot::Mutex;

use super::look_up::LookUp;
use super::{Over, Projection, Step};
use crate::error::PgError;
use crate::storage::table::encoded_number;
use crate::storage::{Chunk, KeyIndex, StoreSnapshot, TableVersion};
use crate::types::Oid;

/// A compiled look-up.
pub struct PointRead {
    table: Oid,
    key: Vec<usize>,
    values: Vec<KeyValue>,
    types: Vec<DataType>,
    /// Columns of the table, one for each of the result.
    columns: Arc<[usize]>,
    /// For keys that are not one whole number.
    converter: Mutex<RowConverter>,
    /// The indexes of the version that was asked last.
    probe: Mutex<Probe>,
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

/// Indexes of the chunks of one version, with the least and the greatest key of each.
///
/// Made when a version is asked for the second time: where rows are written all the time, each is asked once.
#[derive(Debug, Default)]
struct Probe {
    stamp: u64,
    chunks: Option<Vec<(i64, i64, Arc<KeyIndex>)>>,
}

impl std::fmt::Debug for PointRead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PointRead").field("table", &self.table).field("key", &self.key).finish()
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
        let converter = look_up.fresh_converter()?;
        let width = look_up.width;
        Some(Self {
            table: look_up.table,
            key: look_up.key.clone(),
            values: values.collect::<Option<_>>()?,
            types: look_up.types.clone(),
            // The column past the last is the row's id, which is in no array.
            columns: columns.iter().all(|column| *column < width).then(|| columns.into())?,
            converter: Mutex::new(converter),
            probe: Mutex::default(),
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
        let found = match (self.values.as_slice(), self.types.as_slice()) {
            ([value], [ty]) if ty.is_signed_integer() => {
                match self.value(value, parameters).map(whole) {
                    Some(Whole::Number(number)) => self.find_number(version, ty, number)?,
                    Some(Whole::Null) => None,
                    Some(Whole::Other) | None => self.find_encoded(version, parameters)?,
                }
            }
            _ => self.find_encoded(version, parameters)?,
        };
        let Some((chunk, offset)) = found else { return Ok(None) };
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

    fn find_number(
        &self,
        version: &TableVersion,
        ty: &DataType,
        number: i64,
    ) -> Result<Option<(Arc<Chunk>, usize)>, PgError> {
        let Some((encoded, length)) = encoded_number(ty, number) else { return Ok(None) };
        let encoded = encoded.get(..length).unwrap_or_default();
        let mut found = None;
        let mut look = |at: usize, index: &KeyIndex| {
            let Some(chunk) = version.chunks().get(at) else { return };
            index.find_number(number, encoded, |offset| {
                // A key that is checked at the end of its transaction may be there twice until then.
                if found.is_none() && chunk.is_live(offset) {
                    found = Some((Arc::clone(chunk), offset));
                }
            });
        };
        let mut probe = self.probe.lock();
        if probe.stamp != version.stamp {
            *probe = Probe { stamp: version.stamp, chunks: None };
            drop(probe);
            for (at, chunk) in version.chunks().iter().enumerate() {
                let Some(index) = chunk.key_index(&self.key)? else {
                    return self.find_stored(version, encoded);
                };
                look(at, index.as_ref());
            }
            return Ok(found);
        }
        if probe.chunks.is_none() {
            let mut indexes = Vec::with_capacity(version.chunks().len());
            for chunk in version.chunks() {
                let Some(index) = chunk.key_index(&self.key)? else {
                    return self.find_stored(version, encoded);
                };
                // Without a range it holds no key that could be asked for.
                let (least, greatest) = index.number_range().unwrap_or((i64::MAX, i64::MIN));
                indexes.push((least, greatest, index));
            }
            probe.chunks = Some(indexes);
        }
        for (at, (least, greatest, index)) in probe.chunks.iter().flatten().enumerate() {
            if (*least..=*greatest).contains(&number) {
                look(at, index.as_ref());
            }
        }
        Ok(found)
    }

    fn find_encoded(
        &self,
        version: &TableVersion,
        parameters: &[ScalarValue],
    ) -> Result<Option<(Arc<Chunk>, usize)>, PgError> {
        let mut values = Vec::with_capacity(self.values.len());
        for (value, ty) in self.values.iter().zip(&self.types) {
            let Some(value) = self.value(value, parameters) else {
                return Err(PgError::internal("a parameter without a value"));
            };
            let value = value.to_array()?;
            // A number outside the column's range becomes null: no row has it.
            let value =
                if value.data_type() == ty { value } else { arrow::compute::cast(&value, ty)? };
            if value.is_null(0) {
                return Ok(None);
            }
            values.push(value);
        }
        let rows = self.converter.lock().convert_columns(&values)?;
        self.find_stored(version, rows.row(0).data())
    }

    /// The row with an encoded key, in files too.
    fn find_stored(
        &self,
        version: &TableVersion,
        key: &[u8],
    ) -> Result<Option<(Arc<Chunk>, usize)>, PgError> {
        let position = version.find_key(&self.key, key)?.first().copied();
        Ok(position.and_then(|position| {
            let (chunk, offset) = version.locate(position);
            Some((Arc::clone(version.chunks().get(chunk)?), offset))
        }))
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
