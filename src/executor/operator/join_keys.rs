//! Rows of a scan that a join wants, found by an index.
//!
//! ```text
//! HashJoin on a.b = big.id
//!   few rows of a          read first; their keys are told to the other side
//!   ScanExec: big          by then knows them: id IN (…), and looks them up instead of reading all rows
//! ```
//!
//! A join tells its keys through a [`DynamicFilterPhysicalExpr`], which says `true` until they are known. Rows that are not
//! found cannot be in the join's result; whatever else a filter says is left to the join.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{
    Column, DynamicFilterPhysicalExpr, InListExpr, Literal,
};
use datafusion::physical_expr::utils::split_conjunction;
use parking_lot::Mutex;

use crate::storage::{EncodedKeys, TableVersion};

/// Looking up more rows than one in so many is slower than a scan.
const SELECTIVE: u64 = 8;
/// More rows than these are scanned: what is looked up is made as a whole.
const ROWS_MAX: usize = 100_000;

/// What joins above a scan tell it, and the indexes it may use for it.
pub(super) struct JoinKeys {
    pub(super) version: Arc<TableVersion>,
    pub(super) schema: SchemaRef,
    pub(super) projection: Vec<usize>,
    /// Columns of the table of which each has an index of its own.
    pub(super) indexed: Vec<usize>,
    filters: Vec<Arc<dyn PhysicalExpr>>,
    /// What was decided when the first partition began: it holds for all of them.
    decided: Mutex<Option<Option<RecordBatch>>>,
}

impl fmt::Debug for JoinKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinKeys").field("indexed", &self.indexed).finish_non_exhaustive()
    }
}

impl JoinKeys {
    /// The keys that `filters` will tell; `None` if none of them is about an indexed column.
    pub(super) fn new(
        (version, schema): (&Arc<TableVersion>, &SchemaRef),
        (projection, indexed): (&[usize], &[usize]),
        filters: impl IntoIterator<Item = Arc<dyn PhysicalExpr>>,
    ) -> Option<Self> {
        let is_indexed = |filter: &Arc<dyn PhysicalExpr>| {
            let Some(filter) = filter.downcast_ref::<DynamicFilterPhysicalExpr>() else {
                return false;
            };
            let about = filter.children();
            about.iter().any(|expr| indexed_column(expr, projection, indexed).is_some())
                && about.iter().all(|expr| expr.data_type(schema).is_ok_and(|ty| has_order(&ty)))
        };
        let filters: Vec<_> = filters.into_iter().filter(is_indexed).collect();
        (!filters.is_empty()).then(|| Self {
            version: Arc::clone(version),
            schema: Arc::clone(schema),
            projection: projection.to_vec(),
            indexed: indexed.to_vec(),
            filters,
            decided: Mutex::default(),
        })
    }

    /// What joins tell.
    pub(super) fn filters(&self) -> &[Arc<dyn PhysicalExpr>] {
        &self.filters
    }

    /// The rows to be given instead of all; `None` if the table has to be scanned.
    ///
    /// # Errors
    /// `XX001`, `58030` if rows could not be read.
    pub(super) fn rows(&self) -> Result<Option<RecordBatch>> {
        let mut decided = self.decided.lock();
        if let Some(rows) = &*decided {
            return Ok(rows.clone());
        }
        let rows = match self.positions()? {
            Some(positions) => {
                Some(rows_at(&self.version, &positions, &self.projection, &self.schema)?)
            }
            None => None,
        };
        *decided = Some(rows.clone());
        Ok(rows)
    }

    /// Positions of the rows with the keys of one of the joins, ascending.
    fn positions(&self) -> Result<Option<Vec<u64>>> {
        let live = self.version.live_rows();
        let rows_max = usize::try_from(live / SELECTIVE).unwrap_or(usize::MAX).min(ROWS_MAX);
        for filter in &self.filters {
            let Some(filter) = filter.downcast_ref::<DynamicFilterPhysicalExpr>() else { continue };
            let told = filter.current()?;
            for condition in split_conjunction(&told) {
                let Some(list) = condition.downcast_ref::<InListExpr>() else { continue };
                let column = indexed_column(list.expr(), &self.projection, &self.indexed);
                let Some(column) = column.filter(|_| !list.negated()) else { continue };
                if list.len() > rows_max {
                    continue;
                }
                if let Some(found) = self.find(column, list)?
                    && found.len() <= rows_max
                {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    fn find(&self, column: usize, list: &InListExpr) -> Result<Option<Vec<u64>>> {
        let field = self.version.schema.field(column).clone();
        let literals = list.list().iter().map(|item| item.downcast_ref::<Literal>());
        let values: Option<Vec<ScalarValue>> =
            literals.map(|literal| literal.map(|literal| literal.value().clone())).collect();
        let Some(values) = values.filter(|values| !values.is_empty()) else { return Ok(None) };
        let keys = ScalarValue::iter_to_array(values)?;
        // Keys of another type are compared by casting the column; that is no look-up.
        if keys.data_type() != field.data_type() {
            return Ok(None);
        }
        let schema = Schema::new(vec![field.with_nullable(true)]);
        let batch = RecordBatch::try_new(Arc::new(schema), vec![keys])?;
        let keys = EncodedKeys::encode(&batch, &[0])?;
        let columns = [column];
        let probe = self.version.probe(&columns, &keys)?;
        let mut found = Vec::new();
        for key in (0..keys.len()).filter_map(|row| keys.get(row)) {
            probe.find(key, |position, _| found.push(position))?;
        }
        found.sort_unstable();
        found.dedup();
        Ok(Some(found))
    }
}

/// Whether values of a type have a least and a greatest, which a join looks for before it tells its keys.
pub fn has_order(ty: &DataType) -> bool {
    let temporal = matches!(ty, DataType::Date32 | DataType::Time64(_) | DataType::Timestamp(..));
    let uuid = matches!(ty, DataType::FixedSizeBinary(_));
    ty.is_numeric() || ty.is_string() || temporal || uuid || *ty == DataType::Boolean
}

/// The column of the table that an expression over a scan's output is, if it has an index.
fn indexed_column(
    expr: &Arc<dyn PhysicalExpr>,
    projection: &[usize],
    indexed: &[usize],
) -> Option<usize> {
    let column = expr.downcast_ref::<Column>()?;
    projection.get(column.index()).copied().filter(|column| indexed.contains(column))
}

/// Some columns of the rows at some positions; a column one past the table's last is the row id.
///
/// # Errors
/// `XX001`, `58030` if rows could not be read.
pub fn rows_at(
    version: &TableVersion,
    positions: &[u64],
    projection: &[usize],
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let width = version.schema.fields().len();
    let columns = projection
        .iter()
        .map(|column| {
            if *column < width {
                return Ok(version.gather(*column, positions)?);
            }
            let ids = positions.iter().map(|position| Ok(version.row_id(*position)?.0));
            let ids = ids.collect::<Result<Vec<u64>, DataFusionError>>()?;
            Ok(Arc::new(UInt64Array::from(ids)) as ArrayRef)
        })
        .collect::<Result<Vec<_>, DataFusionError>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(positions.len()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}
