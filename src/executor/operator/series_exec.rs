//! Makes the rows of `generate_series` as they are read.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, ScalarValue};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, stream};

use crate::functions::scalar::SessionRef;
use crate::functions::series::Progression;

/// One column of values from a start to an end, a batch at a time.
///
/// ```text
/// out  value: the type of the bounds, not null
/// ```
///
/// Holds one batch. The bounds are evaluated when it starts, so they may be another query's values.
pub struct SeriesExec {
    args: Vec<Arc<dyn PhysicalExpr>>,
    session: SessionRef,
    properties: Arc<PlanProperties>,
}

impl SeriesExec {
    /// A series of the column in `schema`; `args` are start, end and perhaps the step.
    pub fn new(args: Vec<Arc<dyn PhysicalExpr>>, session: SessionRef, schema: SchemaRef) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        Self { args, session, properties: Arc::new(properties) }
    }

    fn start(&self) -> Result<Progression> {
        let row = super::one_row()?;
        let args = self
            .args
            .iter()
            .map(|arg| ScalarValue::try_from_array(&arg.evaluate(&row)?.into_array(1)?, 0))
            .collect::<Result<Vec<_>>>()?;
        let schema = self.schema();
        Ok(Progression::start(&args, schema.field(0).data_type(), self.session.as_deref())?)
    }
}

impl fmt::Debug for SeriesExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeriesExec").field("args", &self.args).finish_non_exhaustive()
    }
}

impl DisplayAs for SeriesExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let args: Vec<String> = self.args.iter().map(ToString::to_string).collect();
        write!(f, "SeriesExec: generate_series({})", args.join(", "))
    }
}

impl ExecutionPlan for SeriesExec {
    fn name(&self) -> &str {
        "SeriesExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for arg in &self.args {
            if f(arg)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(
        &self,
        _partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let schema = self.schema();
        let state = (self.start()?, Arc::clone(&schema), context.session_config().batch_size());
        let batches = stream::try_unfold(state, |(mut series, schema, rows_max)| async move {
            let values = series.next(rows_max)?;
            if values.is_empty() {
                return Ok(None);
            }
            let batch = RecordBatch::try_new(Arc::clone(&schema), vec![values])?;
            Ok(Some((batch, (series, schema, rows_max))))
        });
        let stream = RecordBatchStreamAdapter::new(schema, batches.boxed());
        Ok(Box::pin(cooperative(stream)))
    }
}
