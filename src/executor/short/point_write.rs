//! A row that replaces the one a key names, or that comes to a table without keys: a write that nobody has to be waited
//! for, if nobody holds the row.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::datatypes::SchemaRef;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;

use super::cells::{Cells, Numbered};
use super::finder::Finder;
use super::run::row_of;
use super::{Over, Step, Write, as_any};
use crate::catalog::Relation;
use crate::executor::operator::RowWriter;
use crate::executor::write::{Writes, comes_alone, keys_stay};
use crate::storage::StoreSnapshot;
use crate::types::RowId;

/// A compiled write of one row.
#[derive(Debug)]
pub struct PointWrite {
    relation: Arc<Relation>,
    source: Source,
    /// The columns that are written; those of the table are the last ones.
    cells: Cells,
    /// Where the table's columns begin among the cells.
    first: usize,
    /// As the row arrives: all nullable.
    schema: SchemaRef,
}

/// What the cells are worked out over.
#[derive(Debug)]
enum Source {
    /// The row that is replaced: these of its columns, the one past the last being its id.
    Found { finder: Finder, columns: Box<[usize]> },
    /// The parameters alone.
    Given,
}

/// What is to be written.
#[derive(Debug)]
pub struct PointRow {
    /// The row that is replaced, if one is.
    pub replaces: Option<RowId>,
    /// The table's columns, one row.
    pub row: RecordBatch,
}

impl PointWrite {
    /// The write that a compiled statement is, if it is one: an UPDATE that changes no column of a key, or an INSERT
    /// into a table that has none.
    pub(super) fn of(step: &Step, write: &Write, numbered: Numbered<'_>) -> Option<Self> {
        if !write.returning.is_empty() {
            return None;
        }
        let writer: &RowWriter = &write.writer;
        let relation = Arc::clone(writer.relation());
        let table = relation.table()?;
        let (first, schema) = (writer.first_column(), Arc::clone(writer.arriving()));
        let (source, cells) = match step {
            Step::Project { input, projection } => match input.as_ref() {
                Step::LookUp(look_up) => {
                    let finder = Finder::of(look_up, numbered.places)?;
                    let columns = look_up.projection.as_slice().into();
                    let (exprs, over) = (&projection.expressions, &projection.over);
                    let cells = Cells::of(exprs, Some(&look_up.schema), over, numbered)?;
                    (Source::Found { finder, columns }, cells)
                }
                Step::Values { rows, .. } => {
                    let [row] = rows.as_slice() else { return None };
                    let exprs = projection.expressions.iter().map(|expr| over_values(expr, row));
                    let exprs = exprs.collect::<Option<Vec<_>>>()?;
                    (Source::Given, Cells::of(&exprs, None, &Over::Rows, numbered)?)
                }
                _ => return None,
            },
            Step::Values { rows, .. } => {
                let [row] = rows.as_slice() else { return None };
                (Source::Given, Cells::of(row, None, &Over::Rows, numbered)?)
            }
            _ => return None,
        };
        let fits = match &source {
            Source::Found { finder, columns } => {
                writer.replaces()
                    && finder.table() == relation.oid
                    && keys_stay(table, |column| {
                        let from = cells.column(first + column);
                        from.and_then(|from| columns.get(from)) == Some(&column)
                    })
            }
            Source::Given => writer.adds() && comes_alone(table),
        };
        fits.then_some(Self { relation, source, cells, first, schema })
    }

    /// The table.
    pub fn relation(&self) -> &Arc<Relation> {
        &self.relation
    }

    /// Whether it evaluates expressions that may ask the session for tables.
    pub fn computes(&self) -> bool {
        self.cells.compute()
    }

    /// What is to be written, as a transaction sees the table whose writes these are: `None` where the general way is
    /// needed, `Some(None)` where there is no such row.
    pub fn work_out(
        &self,
        store: &StoreSnapshot,
        writes: &Writes,
        parameters: &[ScalarValue],
    ) -> Option<Option<PointRow>> {
        let (replaces, input) = match &self.source {
            Source::Found { finder, columns } => {
                match self.found(store, writes, parameters, finder, columns)? {
                    Some((id, input)) => (Some(id), input),
                    None => return Some(None),
                }
            }
            Source::Given => (None, Vec::new()),
        };
        let cells = self.cells.row(self.first, &input, parameters)?;
        let row = row_of(Arc::clone(&self.schema), cells).ok()?;
        Some(Some(PointRow { replaces, row }))
    }

    /// The row that is there, and columns of it.
    fn found(
        &self,
        store: &StoreSnapshot,
        writes: &Writes,
        parameters: &[ScalarValue],
        finder: &Finder,
        columns: &[usize],
    ) -> Option<Option<(RowId, Vec<ArrayRef>)>> {
        let version = store.table(self.relation.oid)?;
        let Some((chunk, offset)) = finder.find(version, parameters).ok()? else {
            return Some(None);
        };
        let chunk = version.chunks().get(chunk)?;
        let id = chunk.row_id(offset).ok()?;
        let own = writes.own_row(self.relation.oid, id);
        let column = |column: &usize| match own {
            _ if *column >= version.schema.fields().len() => {
                Some(Arc::new(UInt64Array::from(vec![id.0])) as ArrayRef)
            }
            Some((rows, at)) => rows.columns().get(*column).map(|values| values.slice(at, 1)),
            None => chunk.slice(*column, offset, 1).ok(),
        };
        Some(Some((id, columns.iter().map(column).collect::<Option<_>>()?)))
    }
}

/// An expression over a row of VALUES and the parameters behind it, as one over the parameters alone.
fn over_values(
    expr: &Arc<dyn PhysicalExpr>,
    row: &[Arc<dyn PhysicalExpr>],
) -> Option<Arc<dyn PhysicalExpr>> {
    let replaced = Arc::clone(expr).transform_up(|expr| {
        let Some(column) = as_any(&expr).downcast_ref::<Column>() else {
            return Ok(Transformed::no(expr));
        };
        let at = column.index();
        Ok(Transformed::yes(match row.get(at) {
            Some(value) => Arc::clone(value),
            None => Arc::new(Column::new(column.name(), at - row.len())),
        }))
    });
    replaced.ok().map(|replaced| replaced.data)
}
