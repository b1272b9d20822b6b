//! What DataFusion's SQL planner asks of the catalog and the functions.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::{DataFusionError, Result, TableReference};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::planner::{
    ContextProvider, ExprPlanner, RelationPlanner, TypePlanner,
};
use datafusion::logical_expr::{
    AggregateUDF, Expr, HigherOrderUDF, LogicalPlan, LogicalPlanBuilder, ScalarUDF, TableSource,
    WindowUDF,
};

use super::relations::Relations;
use super::types::PgTypePlanner;
use crate::catalog::{QualifiedName, Relation, RelationKind, ViewRead};
use crate::error::{PgError, SqlState};
use crate::functions::alternatives::alternatives;
use crate::functions::array_or_empty::{ARRAY_OR_EMPTY, array_or_empty};
use crate::functions::named_cast::named_cast;
use crate::functions::record::{any_field, row_function};
use crate::functions::registry::registry;
use crate::functions::syntax::FIELD;
use crate::parser::pgq::GraphTable;
use crate::planner::bind::context::{BindContext, undefined_table};
use crate::planner::source::{RelationSource, ViewSource};

/// Name under which the target of UPDATE and DELETE is scanned with row ids.
pub(super) const TARGET_SCHEMA: &str = "graphwire.target";

/// Answers DataFusion's planner from a [`BindContext`].
pub(super) struct Provider<'a> {
    pub(super) context: &'a BindContext,
    types: Arc<dyn TypePlanner>,
    relations: Vec<Arc<dyn RelationPlanner>>,
}

impl<'a> Provider<'a> {
    /// A provider for a statement whose `GRAPH_TABLE` parts were cut out into `graph_tables`.
    pub(super) fn new(context: &'a BindContext, graph_tables: &Arc<[GraphTable]>) -> Self {
        let relations: Vec<Arc<dyn RelationPlanner>> =
            vec![Arc::new(Relations::new(context, Arc::clone(graph_tables)))];
        Self { context, types: Arc::new(PgTypePlanner::new(context)), relations }
    }

    fn name_of(&self, reference: &TableReference) -> Result<QualifiedName, PgError> {
        if let Some(database) = reference.catalog()
            && database != self.context.catalog.database.name
        {
            return Err(PgError::unsupported(
                format!("cross-database references are not implemented: \"{reference}\""),
                "Connect to the other database.",
            ));
        }
        Ok(QualifiedName {
            schema: reference.schema().map(str::to_owned),
            name: reference.table().to_owned(),
        })
    }
}

/// Whether a relation still has the columns that a view knows, and no others.
fn is_as_read(relation: &Relation, read: &ViewRead) -> bool {
    let columns = relation.columns();
    columns.len() == read.columns.len()
        && columns
            .iter()
            .zip(&read.columns)
            .all(|(now, then)| now.attnum == then.attnum && now.name == then.name)
}

/// A relation's columns as a view knows them: under their old names, without those that came later.
fn as_read(plan: LogicalPlan, relation: &Relation, read: &ViewRead) -> Result<LogicalPlan> {
    if is_as_read(relation, read) {
        return Ok(plan);
    }
    let now = plan.schema().columns();
    let columns = read.columns.iter().filter_map(|then| {
        let at = relation.columns().iter().position(|now| now.attnum == then.attnum)?;
        Some(Expr::Column(now.get(at)?.clone()).alias(then.name.clone()))
    });
    LogicalPlanBuilder::from(plan).project(columns.collect::<Vec<_>>())?.build()
}

impl ContextProvider for Provider<'_> {
    fn get_table_source(&self, reference: TableReference) -> Result<Arc<dyn TableSource>> {
        let mut name = self.name_of(&reference)?;
        let mut with_row_id = false;
        if name.schema.as_deref() == Some(TARGET_SCHEMA) {
            with_row_id = true;
            let (schema, table) = match name.name.split_once('\u{1}') {
                Some((schema, table)) => (Some(schema.to_owned()), table.to_owned()),
                None => (None, name.name.clone()),
            };
            name = QualifiedName { schema, name: table };
        }
        let relation = self.context.relation(&name)?;
        match &relation.kind {
            RelationKind::View(view) => {
                let inner = self.context.for_view(&relation, view)?;
                let plan = super::query::plan_view(&inner, &relation, view)?;
                let plan = match self.context.view_read(&name) {
                    Some(read) => as_read(plan, &relation, read)?,
                    None => plan,
                };
                let as_role = self.context.as_role;
                Ok(Arc::new(ViewSource { relation: Arc::clone(&relation), as_role, plan }))
            }
            RelationKind::PropertyGraph(_) => Err(PgError::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("cannot open relation \"{}\"", relation.name),
            )
            .detail("This operation is not supported for property graphs.")
            .hint("Query it with GRAPH_TABLE or Cypher.")
            .into()),
            RelationKind::Table(_)
            | RelationKind::MaterializedView(_)
            | RelationKind::Sequence(_)
            | RelationKind::System(_) => {
                let source = RelationSource::new(&relation, with_row_id, self.context.as_role)
                    .ok_or_else(|| DataFusionError::from(undefined_table(&name)))?;
                let read = self.context.view_read(&name);
                let Some(read) = read.filter(|read| !is_as_read(&relation, read)) else {
                    return Ok(Arc::new(source));
                };
                let plan =
                    LogicalPlanBuilder::scan(relation.name.as_str(), Arc::new(source), None)?;
                let plan = as_read(plan.build()?, &relation, read)?;
                let as_role = self.context.as_role;
                Ok(Arc::new(ViewSource { relation: Arc::clone(&relation), as_role, plan }))
            }
        }
    }

    fn get_table_function_source(
        &self,
        name: &str,
        arguments: Vec<Expr>,
    ) -> Result<Arc<dyn TableSource>> {
        // Functions that give rows are planned by `Relations`; what gets here is none.
        let count = arguments.len();
        let arguments =
            if count == 1 { "one argument".to_owned() } else { format!("{count} arguments") };
        Err(PgError::new(
            SqlState::UNDEFINED_FUNCTION,
            format!("function {name} with {arguments} does not exist"),
        )
        .hint("Only functions that give rows can stand in FROM.")
        .into())
    }

    fn create_cte_work_table(&self, name: &str, schema: SchemaRef) -> Result<Arc<dyn TableSource>> {
        let table = datafusion::catalog::cte_worktable::CteWorkTable::new(name, schema);
        Ok(datafusion::datasource::provider_as_source(Arc::new(table)))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.context.functions.expr_planners()
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        &self.relations
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::clone(&self.types))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        if name == FIELD {
            return Some(any_field());
        }
        if let Some(function) = row_function(name) {
            return Some(function);
        }
        if let Some(function) = alternatives(name).or_else(|| named_cast(name)) {
            return Some(function);
        }
        if name == ARRAY_OR_EMPTY {
            return Some(array_or_empty());
        }
        super::made::scalar(self.context, name).or_else(|| self.context.functions.scalar(name))
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        registry().higher_order(name)
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        registry().aggregate(name)
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        registry().window(name)
    }

    fn get_variable_type(&self, _names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.context.options
    }

    fn udf_names(&self) -> Vec<String> {
        registry().scalar_names()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}
