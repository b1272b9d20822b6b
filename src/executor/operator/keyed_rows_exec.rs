//! The rows of an input that have a key, for a subquery that asks for one key after the other.
//!
//! ```text
//! FilterExec  t.k = outer_value() AND …
//!   KeyedRowsExec  k                        first all rows, as they come; from the third run on those that have the key
//!     ScanExec  t
//! ```

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, ScalarValue};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;

use crate::error::PgError;

/// So many runs get the input as it is: a subquery that is asked once or twice, or that ends early, is not worth more.
const PLAIN_RUNS: usize = 2;

/// Gives all rows of its input, or those whose column equals the key; a filter above it says the same.
///
/// ```text
/// in   [n]  a key column of whole numbers, texts or dates, and others; the same each time it is run
/// out  [m]  the same columns, m <= n, in their order
/// ```
#[derive(Debug)]
pub struct KeyedRowsExec {
    input: Arc<dyn ExecutionPlan>,
    column: usize,
    key: Arc<dyn PhysicalExpr>,
    kept: Arc<KeptRows>,
    properties: Arc<PlanProperties>,
}

/// What is kept of the input from run to run, its memory reserved; rows that there is no room for are not kept.
#[derive(Debug, Default)]
pub struct KeptRows(Mutex<State>);

#[derive(Debug)]
enum State {
    /// So many runs were plain.
    Plain(usize),
    Sorted(Arc<SortedRows>),
    TooLarge,
}

impl Default for State {
    fn default() -> Self {
        Self::Plain(0)
    }
}

/// Rows, and the order of their keys.
struct SortedRows {
    rows: RecordBatch,
    converter: RowConverter,
    keys: Rows,
    /// Rows that have a key, by their keys.
    order: Vec<u32>,
    _memory: MemoryReservation,
}

impl fmt::Debug for SortedRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SortedRows").field("rows", &self.rows.num_rows()).finish_non_exhaustive()
    }
}

impl SortedRows {
    fn new(rows: RecordBatch, column: usize, memory: MemoryReservation) -> Result<Self> {
        let values = Arc::clone(rows.column(column));
        let converter = RowConverter::new(vec![SortField::new(values.data_type().clone())])?;
        let keys = converter.convert_columns(&[Arc::clone(&values)])?;
        let count = u32::try_from(rows.num_rows())
            .map_err(|_| PgError::internal("too many rows to be sorted by a key"))?;
        memory.try_grow(keys.size() + count as usize * size_of::<u32>())?;
        let mut order: Vec<u32> = (0..count).filter(|row| values.is_valid(*row as usize)).collect();
        order.sort_by(|a, b| keys.row(*a as usize).cmp(&keys.row(*b as usize)));
        Ok(Self { rows, converter, keys, order, _memory: memory })
    }

    /// The rows that have a key, in their order.
    fn with(&self, key: &ScalarValue) -> Result<&[u32]> {
        if key.is_null() {
            return Ok(&[]);
        }
        let key: ArrayRef = key.to_array()?;
        let key = self.converter.convert_columns(&[key])?;
        let key = key.row(0);
        let of = |row: &u32| self.keys.row(*row as usize);
        let from = self.order.partition_point(|row| of(row) < key);
        let count = self.order[from..].partition_point(|row| of(row) == key);
        Ok(&self.order[from..from + count])
    }
}

impl KeptRows {
    /// Whether it is known that no row has a key.
    ///
    /// # Errors
    /// `XX000`: the key has another type than the column.
    pub fn lack(&self, key: &ScalarValue) -> Result<bool> {
        let State::Sorted(rows) = &*self.0.lock() else { return Ok(false) };
        Ok(rows.with(key)?.is_empty())
    }
}

impl KeyedRowsExec {
    /// An operator over one stream of rows that are the same each time; `key` is read anew at each run.
    pub fn new(input: Arc<dyn ExecutionPlan>, column: usize, key: Arc<dyn PhysicalExpr>) -> Self {
        Self::keeping(input, column, key, Arc::default())
    }

    /// Whether a column of this type can be the key: equal values have equal bytes.
    pub fn takes(ty: &DataType) -> bool {
        ty.is_integer()
            || matches!(
                ty,
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Date32
            )
    }

    /// What it keeps.
    pub fn kept(&self) -> &Arc<KeptRows> {
        &self.kept
    }

    fn keeping(
        input: Arc<dyn ExecutionPlan>,
        column: usize,
        key: Arc<dyn PhysicalExpr>,
        kept: Arc<KeptRows>,
    ) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(input.schema()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self { input, column, key, kept, properties: Arc::new(properties) }
    }

    fn key(&self) -> Result<ScalarValue> {
        match self.key.evaluate(&RecordBatch::new_empty(self.input.schema()))? {
            ColumnarValue::Scalar(value) => Ok(value),
            ColumnarValue::Array(_) => {
                Err(PgError::internal("a key of a subquery is not one value").into())
            }
        }
    }
}

/// The rows that have the key of this run.
fn some(
    rows: &SortedRows,
    key: &ScalarValue,
    context: &TaskContext,
) -> Result<SendableRecordBatchStream> {
    let schema = rows.rows.schema();
    let found = UInt32Array::from(rows.with(key)?.to_vec());
    let batch_rows = context.session_config().batch_size().max(1);
    let found = take_record_batch(&rows.rows, &found)?;
    let slices = (0..found.num_rows()).step_by(batch_rows);
    let slices: Vec<_> =
        slices.map(|from| Ok(found.slice(from, batch_rows.min(found.num_rows() - from)))).collect();
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream::iter(slices))))
}

/// All rows of the input, sorted by their keys; `None` if there is no room for them.
async fn gathered(
    mut input: SendableRecordBatchStream,
    column: usize,
    memory: MemoryReservation,
) -> Result<Option<SortedRows>> {
    let schema: SchemaRef = input.schema();
    let mut batches = Vec::new();
    while let Some(batch) = input.try_next().await? {
        // Once as they came, once in one piece.
        if memory.try_grow(2 * batch.get_array_memory_size()).is_err() {
            return Ok(None);
        }
        batches.push(batch);
    }
    let rows = concat_batches(&schema, &batches)?;
    Ok(SortedRows::new(rows, column, memory).ok())
}

impl DisplayAs for KeyedRowsExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyedRowsExec: {}", self.input.schema().field(self.column).name())
    }
}

impl ExecutionPlan for KeyedRowsExec {
    fn name(&self) -> &str {
        "KeyedRowsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        f(&self.key)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (Some(input), true) = (children.pop(), children.is_empty()) else {
            return Err(PgError::internal("keyed rows have one input").into());
        };
        let (key, kept) = (Arc::clone(&self.key), Arc::clone(&self.kept));
        Ok(Arc::new(Self::keeping(input, self.column, key, kept)))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        self.replace_children(children, options)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        match &mut *self.kept.0.lock() {
            State::Sorted(rows) => return some(rows, &self.key()?, &context),
            State::TooLarge => return self.input.execute(partition, context),
            State::Plain(runs) if *runs < PLAIN_RUNS => {
                *runs += 1;
                return self.input.execute(partition, context);
            }
            State::Plain(_) => {}
        }
        let memory = MemoryConsumer::new("KeyedRowsExec").register(context.memory_pool());
        let rows = self.input.execute(partition, Arc::clone(&context))?;
        let (column, key, kept) = (self.column, self.key()?, Arc::clone(&self.kept));
        let input = Arc::clone(&self.input);
        let first = async move {
            match gathered(rows, column, memory).await? {
                Some(rows) => {
                    let rows = Arc::new(rows);
                    *kept.0.lock() = State::Sorted(Arc::clone(&rows));
                    some(&rows, &key, &context)
                }
                None => {
                    *kept.0.lock() = State::TooLarge;
                    input.execute(partition, context)
                }
            }
        };
        let rows = stream::once(first).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.input.schema(), rows.boxed())))
    }
}
