//! Names of objects in results that are written as text: `regclass` and its relatives.
//!
//! Such a value is a number; its text is the object's name as the search path has it written. The
//! encoder knows no catalog, so the names are put into the batch before it.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, RecordBatch, RecordBatchOptions, StringViewBuilder,
};
use arrow::datatypes::{Field, Schema, UInt32Type};

use super::facts::SessionAnswers;
use crate::error::PgError;
use crate::functions::context::{CatalogFacts, RegKind};
use crate::types::pg_type::PgType;

/// Looks names up in the catalog that the running statement sees.
#[derive(Debug, Clone)]
pub struct ObjectNames {
    pub(super) answers: Arc<SessionAnswers>,
}

impl ObjectNames {
    /// Whether values of this type are written as names.
    pub fn are_for(ty: &PgType) -> bool {
        match ty {
            PgType::Array(element) => Self::are_for(element),
            ty => kind(ty).is_some(),
        }
    }

    /// What values of this type are once names stand in their place.
    pub fn written(ty: &PgType) -> PgType {
        match ty {
            PgType::Array(element) => PgType::array_of(Self::written(element)),
            _ => PgType::Text,
        }
    }

    /// The batch with names in place of numbers: its columns at these positions, of these types, are
    /// text afterwards.
    ///
    /// # Errors
    /// `XX000` if a column is not of the type it was announced with.
    pub fn write(
        &self,
        batch: RecordBatch,
        columns: &[(usize, PgType)],
    ) -> Result<RecordBatch, PgError> {
        if columns.is_empty() {
            return Ok(batch);
        }
        let rows = batch.num_rows();
        let (schema, mut arrays, _) = batch.into_parts();
        let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
        for (position, ty) in columns {
            let (Some(array), Some(field)) = (arrays.get_mut(*position), fields.get_mut(*position))
            else {
                continue;
            };
            *array = self.names(ty, array)?;
            *field = Arc::new(Field::new(field.name(), array.data_type().clone(), true));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)?)
    }

    fn names(&self, ty: &PgType, numbers: &ArrayRef) -> Result<ArrayRef, PgError> {
        if let Some(lists) = numbers.as_list_opt::<i32>() {
            let leaf = ty.element().unwrap_or(ty);
            let values = self.names(leaf, lists.values())?;
            let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
            let (offsets, nulls) = (lists.offsets().clone(), lists.nulls().cloned());
            return Ok(Arc::new(ListArray::try_new(field, offsets, values, nulls)?));
        }
        let (Some(kind), Some(numbers)) = (kind(ty), numbers.as_primitive_opt::<UInt32Type>())
        else {
            return Err(PgError::internal(format!("a column of type {ty} does not hold numbers")));
        };
        let mut names = StringViewBuilder::with_capacity(numbers.len());
        for number in numbers {
            match number {
                None => names.append_null(),
                Some(0) => names.append_value("-"),
                Some(number) => {
                    let name = self.answers.reg_name(kind, number);
                    names.append_value(name.unwrap_or_else(|| number.to_string()));
                }
            }
        }
        Ok(Arc::new(names.finish()))
    }
}

fn kind(ty: &PgType) -> Option<RegKind> {
    Some(match ty {
        PgType::Regclass => RegKind::Class,
        PgType::Regtype => RegKind::Type,
        PgType::Regproc => RegKind::Proc,
        PgType::Regprocedure => RegKind::Procedure,
        PgType::Regoper => RegKind::Oper,
        PgType::Regoperator => RegKind::Operator,
        PgType::Regnamespace => RegKind::Namespace,
        PgType::Regrole => RegKind::Role,
        PgType::Regcollation => RegKind::Collation,
        PgType::Regconfig => RegKind::Config,
        PgType::Regdictionary => RegKind::Dictionary,
        _ => return None,
    })
}
