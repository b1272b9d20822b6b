//! What a `TableScan` in a plan stands for: a name's schema, not something that can be read.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{Constraint, Constraints, Result};
use datafusion::logical_expr::{
    Expr, Extension, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown, TableSource,
};

use super::node::MatchPattern;

use crate::catalog::{ConstraintKind, Relation, RelationKind, sequence_columns};
use crate::types::Oid;

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
    /// Whose rights count: the owner of the view it is read through; `None` is the caller.
    pub as_role: Option<Oid>,
    /// The number of the [`crate::planner::node::RowPolicy`] that must stand above the scan, if one must.
    pub guard: Option<u32>,
    schema: SchemaRef,
}

impl RelationSource {
    /// The same source, for a scan that stands below the row policy with this number.
    #[must_use]
    pub fn guarded(&self, number: u32) -> Self {
        Self {
            relation: Arc::clone(&self.relation),
            key: self.key.clone(),
            with_row_id: self.with_row_id,
            as_role: self.as_role,
            guard: Some(number),
            schema: Arc::clone(&self.schema),
        }
    }

    /// A source for reading by the caller, or by the owner of a view; `None` for a view or a property graph.
    pub fn new(relation: &Arc<Relation>, with_row_id: bool, as_role: Option<Oid>) -> Option<Self> {
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
            as_role,
            guard: None,
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
    /// The view, or a table whose columns a view knows by other names.
    pub relation: Arc<Relation>,
    /// Whose rights on the view count; `None` is the caller.
    pub as_role: Option<Oid>,
    /// Its query's plan; output columns have the view's names.
    pub plan: LogicalPlan,
}

impl ViewSource {
    /// Whose rights count for what the view reads.
    pub fn inner_role(&self) -> Option<Oid> {
        match self.relation.view() {
            Some(view) if !view.security_invoker() => Some(self.relation.owner),
            Some(_) | None => self.as_role,
        }
    }
}

/// Its query is put in its place by [`expand_views`], once it is known what the statement reads of the view itself.
impl TableSource for ViewSource {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.plan.schema().inner())
    }
}

/// A plan with the queries of views in place of the views.
///
/// # Errors
/// `XX000`: our own defect.
pub fn expand_views(plan: LogicalPlan) -> Result<LogicalPlan> {
    expand(plan, None)
}

fn expand(plan: LogicalPlan, as_role: Option<Oid>) -> Result<LogicalPlan> {
    let expanded = plan.transform_down_with_subqueries(|node| {
        if let LogicalPlan::Extension(extension) = &node
            && let Some(pattern) = extension.node.as_any().downcast_ref::<MatchPattern>()
            && as_role.is_some()
            && pattern.as_role.is_none()
        {
            let mut pattern = pattern.clone();
            pattern.as_role = as_role;
            let node = LogicalPlan::Extension(Extension { node: Arc::new(pattern) });
            return Ok(Transformed::yes(node));
        }
        let LogicalPlan::TableScan(scan) = &node else { return Ok(Transformed::no(node)) };
        let Some(view) = scan.source.downcast_ref::<ViewSource>() else {
            return Ok(Transformed::no(node));
        };
        let query = expand(view.plan.clone(), view.inner_role())?;
        let mut query = LogicalPlanBuilder::from(query).alias(scan.table_name.clone())?;
        if let Some(columns) = &scan.projection {
            let all = query.schema().columns();
            let kept = columns.iter().filter_map(|at| all.get(*at).cloned().map(Expr::Column));
            query = query.project(kept.collect::<Vec<_>>())?;
        }
        Ok(Transformed::new(query.build()?, true, TreeNodeRecursion::Jump))
    })?;
    Ok(expanded.data)
}
