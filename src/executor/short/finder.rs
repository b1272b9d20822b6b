//! Where the row is that a key names, from the values of parameters as they came.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, Literal};

use super::as_any;
use super::key::Key;
use super::look_up::LookUp;
use crate::error::PgError;
use crate::storage::TableVersion;
use crate::types::Oid;

/// A key of a table, and what its columns are compared with.
#[derive(Debug)]
pub(super) struct Finder {
    table: Oid,
    key: Arc<Key>,
    values: Vec<KeyValue>,
}

/// What a key column is compared with.
#[derive(Debug)]
enum KeyValue {
    /// The place of a parameter, from 0.
    Parameter(usize),
    Constant(ScalarValue),
}

impl Finder {
    /// How a look-up finds its row, if it compares the key with parameters and constants as they are; `parameters` are
    /// the places that its expressions number.
    pub(super) fn of(look_up: &LookUp, parameters: &[usize]) -> Option<Self> {
        let values = look_up.values.iter().map(|value| key_value(value, parameters));
        let values = values.collect::<Option<_>>()?;
        Some(Self { table: look_up.table, key: Arc::clone(&look_up.key), values })
    }

    /// The table it finds rows of.
    pub(super) fn table(&self) -> Oid {
        self.table
    }

    /// Chunk and offset of the row, if there is one.
    ///
    /// # Errors
    /// `XX001`, `58030` if rows could not be read; `XX000` for our own defects.
    pub(super) fn find(
        &self,
        version: &TableVersion,
        parameters: &[ScalarValue],
    ) -> Result<Option<(usize, usize)>, PgError> {
        match self.values.as_slice() {
            [value] if self.key.is_number() => match value.value(parameters).map(whole) {
                Some(Whole::Number(number)) => Ok(self.key.find_number(version, number)?),
                Some(Whole::Null) => Ok(None),
                Some(Whole::Other) | None => self.find_values(version, parameters),
            },
            _ => self.find_values(version, parameters),
        }
    }

    fn find_values(
        &self,
        version: &TableVersion,
        parameters: &[ScalarValue],
    ) -> Result<Option<(usize, usize)>, PgError> {
        let value = |value: &KeyValue| match value.value(parameters) {
            Some(value) => Ok(value.to_array()?),
            None => Err(PgError::internal("a parameter without a value")),
        };
        let values = self.values.iter().map(value).collect::<Result<Vec<_>, _>>()?;
        Ok(self.key.find(version, values)?)
    }
}

impl KeyValue {
    fn value<'a>(&'a self, parameters: &'a [ScalarValue]) -> Option<&'a ScalarValue> {
        match self {
            Self::Parameter(place) => parameters.get(*place),
            Self::Constant(value) => Some(value),
        }
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

fn key_value(value: &Arc<dyn PhysicalExpr>, parameters: &[usize]) -> Option<KeyValue> {
    if let Some(column) = as_any(value).downcast_ref::<Column>() {
        return parameters.get(column.index()).copied().map(KeyValue::Parameter);
    }
    let literal = as_any(value).downcast_ref::<Literal>()?;
    Some(KeyValue::Constant(literal.value().clone()))
}
