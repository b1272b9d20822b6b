//! What a `TableScan` in a plan stands for: a name's schema, not something that can be read.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{Constraint, Constraints, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, TableProviderFilterPushDown, TableSource};

use crate::catalog::{ConstraintKind, Relation, RelationKind, sequence_columns};

/// Name of the column that carries row ids in scans made for writing.
pub const ROW_ID: &str = "graphwire.row_id";

/// A stored or system relation.
pub struct RelationSource {
    /// The relation.
    pub relation: Arc<Relation>,
    /// Its primary key, on which its other columns depend.
    key: Constraints,
    /// Whether the scan also gives row ids, as a last `UInt64` column named [`ROW_ID`].
    pub with_row_id: bool,
    schema: SchemaRef,
}

impl RelationSource {
    /// A source for reading; `None` for a view or a property graph.
    pub fn new(relation: &Arc<Relation>, with_row_id: bool) -> Option<Self> {
        let stored = match &relation.kind {
            RelationKind::Table(table) | RelationKind::System(table) => Arc::clone(&table.schema),
            RelationKind::MaterializedView(view) => Arc::clone(&view.table.schema),
            RelationKind::Sequence(_) => {
                let fields = sequence_columns()
                    .iter()
                    .map(|column| column.ty.field(&column.name, !column.not_null));
                Arc::new(Schema::new(fields.collect::<Vec<_>>()))
            }
            RelationKind::View(_) | RelationKind::PropertyGraph(_) => return None,
        };
        let schema = if with_row_id {
            let mut fields: Vec<_> = stored.fields().iter().cloned().collect();
            fields.push(Arc::new(Field::new(ROW_ID, DataType::UInt64, false)));
            Arc::new(Schema::new(fields))
        } else {
            stored
        };
        Some(Self {
            relation: Arc::clone(relation),
            key: primary_key(relation),
            with_row_id,
            schema,
        })
    }
}

impl TableSource for RelationSource {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn constraints(&self) -> Option<&Constraints> {
        Some(&self.key)
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        // A scan uses filters to skip chunks and to look up keys; the filter above stays.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

/// A table's primary key, for GROUP BY: what depends on it need not be grouped by.
fn primary_key(relation: &Relation) -> Constraints {
    let Some(table) = relation.table() else { return Constraints::default() };
    let keys = table.constraints.iter().filter_map(|constraint| match &constraint.kind {
        ConstraintKind::PrimaryKey { columns, .. } => Some(Constraint::PrimaryKey(columns.clone())),
        _ => None,
    });
    Constraints::new_unverified(keys.collect())
}

/// A view, bound where it is used.
pub struct ViewSource {
    /// The view.
    pub relation: Arc<Relation>,
    /// Its query's plan; output columns have the view's names.
    pub plan: LogicalPlan,
}

impl TableSource for ViewSource {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.plan.schema().inner())
    }

    fn get_logical_plan(&self) -> Option<Cow<'_, LogicalPlan>> {
        Some(Cow::Borrowed(&self.plan))
    }
}
