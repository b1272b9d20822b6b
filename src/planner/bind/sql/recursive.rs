//! Recursive queries whose first term's types changed when its literals were resolved.
//!
//! DataFusion plans the recursive term against the first term as it was before PostgreSQL's rules gave `1` the type
//! integer. Here the work table takes the final types, and the recursive term's columns are cast to them.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::catalog::cte_worktable::CteWorkTable;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, RecursiveQuery, TableScan, TableScanBuilder,
};

/// Plans recursive queries again on the resolved types of their first terms. `resolve` applies PostgreSQL's rules.
pub(super) fn settle(
    plan: LogicalPlan,
    resolve: &dyn Fn(LogicalPlan) -> Result<LogicalPlan>,
) -> Result<LogicalPlan> {
    let settled = plan.transform_down_with_subqueries(|node| match node {
        LogicalPlan::RecursiveQuery(query) => {
            let settled = settle_query(query, resolve)?;
            Ok(Transformed::new(settled, true, TreeNodeRecursion::Jump))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(settled.data)
}

fn settle_query(
    query: RecursiveQuery,
    resolve: &dyn Fn(LogicalPlan) -> Result<LogicalPlan>,
) -> Result<LogicalPlan> {
    let first = resolve(settle(query.static_term.as_ref().clone(), resolve)?)?;
    let fields: Vec<_> = first
        .schema()
        .fields()
        .iter()
        .map(|field| {
            let field = field.as_ref().clone().with_nullable(true);
            // A literal is text of another layout than a column's.
            Arc::new(match field.data_type() {
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Null => {
                    field.with_data_type(DataType::Utf8View)
                }
                _ => field,
            })
        })
        .collect();
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    // Every column is nullable in the result, so the first term says so too.
    let first = cast_to(first, &schema)?;
    let recursive = with_work_table(query.recursive_term.as_ref().clone(), &query.name, &schema)?;
    let recursive = resolve(settle(recursive, resolve)?)?;
    let recursive = cast_to(recursive, &schema)?;
    LogicalPlanBuilder::from(first)
        .to_recursive_query(query.name, recursive, query.is_distinct)?
        .build()
}

/// The columns of a plan as the types and names of `schema`.
fn cast_to(plan: LogicalPlan, schema: &SchemaRef) -> Result<LogicalPlan> {
    let same = plan.schema().fields().iter().zip(schema.fields()).all(|(have, want)| {
        have.name() == want.name()
            && have.data_type() == want.data_type()
            && have.metadata() == want.metadata()
    });
    if same {
        return Ok(plan);
    }
    let exprs = plan
        .schema()
        .columns()
        .into_iter()
        .zip(schema.fields())
        .map(|(column, field)| {
            let cast = Cast::new_from_field(Box::new(Expr::Column(column)), Arc::clone(field));
            Expr::Cast(cast).alias_with_metadata(
                field.name().clone(),
                Some(datafusion::common::metadata::FieldMetadata::from(field.metadata())),
            )
        })
        .collect::<Vec<_>>();
    LogicalPlanBuilder::from(plan).project(exprs)?.build()
}

/// The plan with its scans of the work table `name` giving `schema`.
fn with_work_table(plan: LogicalPlan, name: &str, schema: &SchemaRef) -> Result<LogicalPlan> {
    let source = provider_as_source(Arc::new(CteWorkTable::new(name, Arc::clone(schema))));
    let replaced = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::TableScan(scan) if is_work_table(&scan, name) => {
            let scan = TableScanBuilder::new(scan.table_name.clone(), Arc::clone(&source))
                .with_projection(scan.projection)
                .build()?;
            Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
        }
        other => Ok(Transformed::no(other)),
    })?;
    // What stands above has columns of the old types in its schemas.
    Ok(replaced
        .data
        .transform_up_with_subqueries(|node| Ok(Transformed::yes(node.recompute_schema()?)))?
        .data)
}

fn is_work_table(scan: &TableScan, name: &str) -> bool {
    source_as_provider(&scan.source).is_ok_and(|provider| {
        provider.downcast_ref::<CteWorkTable>().is_some_and(|table| table.name() == name)
    })
}
