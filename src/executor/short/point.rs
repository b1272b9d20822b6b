//! Columns of one row, as they are, by the value of a key: a statement that needs no expressions evaluated.
//!
//! The row is not copied: the arrays that hold it are given, and whoever writes it to a client reads it there.

use std::sync::Arc;

use arrow::array::ArrayRef;
use datafusion::common::ScalarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;

use super::finder::Finder;
use super::look_up::LookUp;
use super::{Over, Projection, Step, as_any};
use crate::error::PgError;
use crate::executor::write::Writes;
use crate::storage::StoreSnapshot;
use crate::types::Oid;

/// A compiled look-up.
#[derive(Debug)]
pub struct PointRead {
    finder: Finder,
    /// Columns of the table, one for each of the result.
    columns: Arc<[usize]>,
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
        let width = look_up.width;
        Some(Self {
            finder: Finder::of(look_up, parameters)?,
            // The column past the last is the row's id, which is in no array.
            columns: columns.iter().all(|column| *column < width).then(|| columns.into())?,
        })
    }

    /// The table it reads.
    pub fn table(&self) -> Oid {
        self.finder.table()
    }

    /// The row, if there is one; as a transaction sees it whose writes these are. A table of theirs must lag behind the
    /// view, or not be among them: see [`Writes::follow`].
    ///
    /// # Errors
    /// `XX001`, `58030` if rows could not be read; `XX000` for our own defects.
    pub fn find(
        &self,
        store: &StoreSnapshot,
        writes: Option<&Writes>,
        parameters: &[ScalarValue],
    ) -> Result<Option<FoundRow>, PgError> {
        let Some(version) = store.table(self.finder.table()) else {
            return Err(PgError::internal("a table that is not there"));
        };
        let Some((chunk, offset)) = self.finder.find(version, parameters)? else { return Ok(None) };
        let Some(chunk) = version.chunks().get(chunk) else {
            return Err(PgError::internal("a row outside of its table"));
        };
        if let Some(writes) = writes.filter(|writes| writes.has_written(self.finder.table()))
            && let Some((rows, at)) = writes.own_row(self.finder.table(), chunk.row_id(offset)?)
        {
            let own = self.columns.iter().map(|column| (Arc::clone(rows.column(*column)), at));
            return Ok(Some(FoundRow { values: own.collect() }));
        }
        let values = self.columns.iter().map(|column| {
            let (start, array) = chunk.part(*column, offset)?;
            Ok::<_, PgError>((array, offset - start))
        });
        Ok(Some(FoundRow { values: values.collect::<Result<_, _>>()? }))
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
