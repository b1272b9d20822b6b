//! From a name's source to rows: what a `TableScan` reads.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{Column, DFSchema, DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::{
    BinaryExpr, Expr, Operator, TableProviderFilterPushDown, TableType,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;

use super::chunk_pruning::chunks_to_read;
use super::operator::{RowsExec, ScanExec, ScanRange};
use super::reads::ReadLog;
use crate::catalog::{ConstraintKind, IndexKey, IndexSource, Relation, Table};
use crate::storage::reading::in_memory_only;
use crate::storage::{EncodedKeys, TableVersion};

/// A stored table at the statement's snapshot.
#[derive(Clone)]
pub(super) struct StoredTable {
    pub(super) relation: Arc<Relation>,
    pub(super) version: Arc<TableVersion>,
    pub(super) schema: SchemaRef,
    /// Where reads are noted, in a serializable transaction.
    pub(super) reads: Option<Arc<ReadLog>>,
    /// The number of the row policy that stands above the scan, if one must.
    pub(super) guard: Option<u32>,
}

impl fmt::Debug for StoredTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredTable({})", self.relation.name)
    }
}

#[async_trait]
impl TableProvider for StoredTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if let Some(reads) = &self.reads {
            reads.note(self.relation.oid, self.condition(state, filters));
        }
        let projection: Vec<usize> =
            projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let schema = Arc::new(self.schema.project(&projection)?);
        let partitions = state.config().target_partitions();
        if let Some((index, batch)) = self.look_up(filters, &projection, &schema).await? {
            let title = format!("KeyLookupExec: {} using {index}", self.relation.name);
            let rows = RowsExec::new(title, &self.relation.name, batch);
            return Ok(Arc::new(rows.guarded(self.guard, partitions)));
        }
        // With filters above, a limit says nothing about how many rows must be read.
        let fetch = if filters.is_empty() { limit } else { None };
        let condition = self.condition(state, filters);
        let keep = condition.and_then(|all| chunks_to_read(&self.version, &self.schema, all));
        let scan = ScanExec::new(
            self.relation.name.clone(),
            Arc::clone(&self.version),
            schema,
            projection,
            ScanRange { partitions, fetch, keep },
        );
        Ok(Arc::new(scan.guarded(self.guard, partitions)))
    }
}

/// Rows that are known when a statement is planned: a system relation's.
#[derive(Debug)]
pub(super) struct KnownRows {
    pub(super) name: String,
    pub(super) rows: RecordBatch,
}

#[async_trait]
impl TableProvider for KnownRows {
    fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = match projection {
            Some(columns) => self.rows.project(columns)?,
            None => self.rows.clone(),
        };
        Ok(Arc::new(RowsExec::new(format!("ScanExec: {}", self.name), &self.name, rows)))
    }
}

impl StoredTable {
    /// The filters as one condition over the table's columns; `None` if there are none, or not of this table alone.
    fn condition(&self, state: &dyn Session, filters: &[Expr]) -> Option<Arc<dyn PhysicalExpr>> {
        // What reads a cell of an apply is another condition for each row: all rows may have been read by it.
        let lasting = filters.iter().filter(|filter| !filter.is_volatile());
        let all = lasting.cloned().reduce(Expr::and)?;
        let schema = DFSchema::try_from(Arc::clone(&self.schema)).ok()?;
        state.create_physical_expr(all, &schema).ok()
    }

    /// The rows that an index finds for the filters, and its name, if there is one. What has to be read from a file is read
    /// on a thread that may wait.
    async fn look_up(
        &self,
        filters: &[Expr],
        projection: &[usize],
        schema: &SchemaRef,
    ) -> Result<Option<(String, RecordBatch)>> {
        if filters.is_empty() {
            return Ok(None);
        }
        if let Some(found) = in_memory_only(|| self.look_up_now(filters, projection, schema)) {
            return found;
        }
        let (table, filters) = (self.clone(), filters.to_vec());
        let (projection, schema) = (projection.to_vec(), Arc::clone(schema));
        let read = move || table.look_up_now(&filters, &projection, &schema);
        let read = SpawnedTask::spawn_blocking(read).join().await;
        read.map_err(|error| DataFusionError::Internal(format!("could not read rows: {error}")))?
    }

    fn look_up_now(
        &self,
        filters: &[Expr],
        projection: &[usize],
        schema: &SchemaRef,
    ) -> Result<Option<(String, RecordBatch)>> {
        let Some((index, positions)) = self.find_by_key(filters)? else { return Ok(None) };
        Ok(Some((index.to_owned(), self.rows_at(&positions, projection, schema)?)))
    }

    /// Positions of the rows that the filters' equalities with all columns of an index leave, and the index, if they name
    /// one. An index that finds many rows is not used.
    fn find_by_key(&self, filters: &[Expr]) -> Result<Option<(&str, Vec<u64>)>> {
        let Some(table) = self.relation.table() else { return Ok(None) };
        let mut equal: Vec<(&str, &ScalarValue)> = Vec::new();
        for filter in filters {
            equalities(filter, &mut equal);
        }
        if equal.is_empty() {
            return Ok(None);
        }
        for (name, columns, unique) in indexed_columns(table) {
            let values: Option<Vec<ArrayRef>> = columns
                .iter()
                .map(|column| {
                    let column = &table.columns[*column];
                    let (_, value) = equal.iter().find(|(name, _)| *name == column.name)?;
                    // A value of another type is compared by casting the column; that is no look-up.
                    (value.data_type() == column.ty.arrow() && !value.is_null())
                        .then(|| value.to_array().ok())?
                })
                .collect();
            let Some(values) = values else { continue };
            let fields: Vec<_> =
                columns.iter().map(|column| self.version.schema.field(*column).clone()).collect();
            let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), values)?;
            let keys = EncodedKeys::encode(&batch, &(0..columns.len()).collect::<Vec<_>>())?;
            let Some(key) = keys.get(0) else { return Ok(Some((name, Vec::new()))) };
            let found = self.version.find_key(&columns, key)?;
            if unique || (found.len() as u64) <= self.version.live_rows() / SELECTIVE {
                return Ok(Some((name, found)));
            }
        }
        Ok(None)
    }

    fn rows_at(
        &self,
        positions: &[u64],
        projection: &[usize],
        schema: &SchemaRef,
    ) -> Result<RecordBatch> {
        let width = self.version.schema.fields().len();
        let columns = projection
            .iter()
            .map(|column| {
                if *column < width {
                    return Ok(self.version.gather(*column, positions)?);
                }
                let ids = positions.iter().map(|position| Ok(self.version.row_id(*position)?.0));
                let ids = ids.collect::<Result<Vec<u64>, DataFusionError>>()?;
                Ok(Arc::new(arrow::array::UInt64Array::from(ids)) as ArrayRef)
            })
            .collect::<Result<Vec<_>, DataFusionError>>()?;
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(positions.len()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
    }
}

/// A look-up that finds more than one row in so many is slower than a scan.
const SELECTIVE: u64 = 8;

/// Indexes that can find rows by equality: names, columns, and whether a key is there once. Unique ones come first.
fn indexed_columns(table: &Table) -> impl Iterator<Item = (&str, Vec<usize>, bool)> {
    let keys = table.constraints.iter().filter_map(|constraint| match &constraint.kind {
        ConstraintKind::PrimaryKey { columns, .. } | ConstraintKind::Unique { columns, .. } => {
            Some((constraint.name.as_str(), columns.clone(), true))
        }
        ConstraintKind::Check { .. } | ConstraintKind::ForeignKey { .. } => None,
    });
    let others = table.indexes.iter().filter(|index| index.predicate.is_none());
    let others = others.filter_map(|index| {
        let column = |key: &IndexKey| match key.source {
            IndexSource::Column(at) => Some(at),
            IndexSource::Expression { .. } => None,
        };
        let columns = index.keys.iter().map(column).collect::<Option<_>>()?;
        Some((index.name.as_str(), columns, index.unique))
    });
    keys.chain(others)
}

/// Collects `column = literal` from the conjunction `filter` is.
fn equalities<'a>(filter: &'a Expr, found: &mut Vec<(&'a str, &'a ScalarValue)>) {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else { return };
    match (op, left.as_ref(), right.as_ref()) {
        (Operator::And, left, right) => {
            equalities(left, found);
            equalities(right, found);
        }
        (Operator::Eq, Expr::Column(Column { name, .. }), Expr::Literal(value, _))
        | (Operator::Eq, Expr::Literal(value, _), Expr::Column(Column { name, .. })) => {
            found.push((name, value))
        }
        _ => {}
    }
}
