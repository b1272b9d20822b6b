//! Table references DataFusion does not know: `GRAPH_TABLE (…)` and `cypher('g', $$…$$)`.

use std::fmt;
use std::sync::Arc;

use datafusion::common::{DFSchema, Result};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, ExprSchemable, LogicalPlan, LogicalPlanBuilder,
};
use sqlparser::ast::{
    Expr as SqlExpr, FunctionArg, FunctionArgExpr, Ident, ObjectName, TableAlias,
    TableAliasColumnDef, TableFactor, Value,
};

use super::forms::{EXCEPT_ALL, INTERSECT_ALL};
use super::names::fold;
use super::types::sql_type;
use crate::error::{PgError, SqlState};
use crate::functions::cast::plan_cast;
use crate::parser::pgq::GraphTable;
use crate::planner::bind::context::BindContext;
use crate::planner::bind::graph::algorithm;
use crate::types::pg_type::PgType;

/// Plans the graph languages' table references.
pub(super) struct Relations {
    context: BindContext,
    graph_tables: Arc<[GraphTable]>,
}

impl Relations {
    pub(super) fn new(context: &BindContext, graph_tables: Arc<[GraphTable]>) -> Self {
        Self { context: context.clone(), graph_tables }
    }

    fn graph_table(
        &self,
        number: usize,
        planner: &mut dyn RelationPlannerContext,
    ) -> Result<LogicalPlan> {
        let Some(table) = self.graph_tables.get(number) else {
            return Err(PgError::internal("GRAPH_TABLE placeholder without its pattern").into());
        };
        let context = &self.context;
        let (catalog, path) = (&context.catalog, &context.search_path);
        // What a view reads is noted; a graph that is not there is said below.
        let _ = context.relation(&crate::planner::bind::graph::qualified(&table.graph)?);
        let plan = crate::planner::bind::graph::bind_graph_table_plan(
            catalog,
            path,
            table,
            &mut |expr, schema| {
                let mut expr = expr.clone();
                super::rewrite::rewrite_expression(&mut expr, context)?;
                let expr = planner
                    .sql_to_expr(expr, schema)
                    .map_err(|error| super::query::planner_error(&error))?;
                super::resolve::resolve_expression(expr, schema, context)
            },
        )?;
        Ok(plan)
    }

    /// A query that locks rows, planned by itself.
    fn locking_query(&self, arguments: &[FunctionArg]) -> Result<LogicalPlan> {
        let number = match arguments {
            [FunctionArg::Unnamed(FunctionArgExpr::Expr(SqlExpr::Value(value)))] => {
                value.value.to_string().parse().unwrap_or(usize::MAX)
            }
            _ => usize::MAX,
        };
        let Some(query) = self.context.locking.get(number) else {
            let name = super::locking::PLACEHOLDER;
            return Err(PgError::new(
                SqlState::UNDEFINED_FUNCTION,
                format!("function {name} does not exist"),
            )
            .into());
        };
        Ok(super::locking::plan(&self.context, query, &self.graph_tables)?)
    }

    /// A call of a function that `CREATE FUNCTION` made.
    fn made_function(
        &self,
        object_name: &ObjectName,
        arguments: &[FunctionArg],
        planner: &mut dyn RelationPlannerContext,
    ) -> Result<Option<LogicalPlan>> {
        let context = &self.context;
        let Ok(mut name) = super::names::qualified_name(object_name) else { return Ok(None) };
        let called = super::call::unmark(&mut name.name);
        if let Some(schema) = &name.schema
            && schema != "algo"
            && context.catalog.schema(schema).is_none()
        {
            let message = format!("schema \"{schema}\" does not exist");
            return Err(PgError::new(SqlState::INVALID_SCHEMA_NAME, message).into());
        }
        if context.catalog.functions.is_empty() && !called {
            return Ok(None);
        }
        let functions = super::made::named(context, &name)?;
        let Some(functions) = functions else {
            return if called { Err(super::call::undefined(&name).into()) } else { Ok(None) };
        };
        if let Some(schema) = &name.schema {
            context.check_schema(schema)?;
        }
        let ordered = in_order(object_name, arguments, context)?;
        let mut values = Vec::with_capacity(ordered.len());
        let mut types = Vec::with_capacity(ordered.len());
        for argument in &ordered {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument else {
                return Err(PgError::unsupported(
                    "named arguments of this function are not supported",
                    "Give the arguments in their order.",
                )
                .into());
            };
            let mut expr = expr.clone();
            super::rewrite::rewrite_expression(&mut expr, context)?;
            let schema = DFSchema::empty();
            let value = planner
                .sql_to_expr(expr, &schema)
                .map_err(|error| super::query::planner_error(&error))?;
            let unknown = super::resolve::is_unknown(&value);
            let value = super::resolve::resolve_expression(value, &schema, context)?;
            let value = super::made::write_out_expression(value, &schema, context)?;
            if value.contains_outer() {
                return Err(PgError::unsupported(
                    "arguments that refer to other tables of FROM are not supported here",
                    "Write the function's query as LATERAL (SELECT …).",
                )
                .into());
            }
            types.push(match unknown {
                true => PgType::Unknown,
                false => PgType::from_field(&value.to_field(&schema)?.1),
            });
            values.push(value);
        }
        let (chosen, values) = functions.arguments(values, &types)?;
        let Some(function) = context.catalog.functions.get(&chosen.oid) else {
            return Err(PgError::internal("a function that is not there").into());
        };
        super::function::check_execute(context, function)?;
        match (function.procedure, called) {
            (true, false) => return Err(super::function::is_procedure(function).into()),
            (false, true) => {
                let message = format!("{} is not a procedure", function.signature());
                return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message)
                    .hint("To call a function, use SELECT.")
                    .into());
            }
            _ => {}
        }
        Ok(Some(super::function::plan_call(context, function, &values)?))
    }

    /// A graph algorithm as a table function.
    fn algorithm(&self, function: &str, arguments: &[FunctionArg]) -> Result<LogicalPlan> {
        let texts: Option<Vec<(&str, Option<usize>)>> = arguments.iter().map(literal).collect();
        let (graph, parameters) = match texts.as_deref() {
            Some([(graph, _)]) => (*graph, None),
            Some([(graph, _), (parameters, _)]) => (*graph, Some(*parameters)),
            _ => {
                return Err(PgError::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    format!(
                        "algo.{function}() takes a graph name and parameters as JSON, both literals"
                    ),
                )
                .hint("Write SELECT * FROM algo.pagerank('graph', '{\"iterations\": 20}'::jsonb).")
                .into());
            }
        };
        let (catalog, path) = (&self.context.catalog, &self.context.search_path);
        let text = algorithm::cypher_of_function(catalog, path, function, graph, parameters)?;
        Ok(crate::planner::bind::bind_cypher_call(&self.context, Some(graph), &text, None)?)
    }

    fn cypher(&self, arguments: &[FunctionArg]) -> Result<LogicalPlan> {
        let texts: Option<Vec<(&str, Option<usize>)>> = arguments.iter().map(literal).collect();
        let (graph, (text, offset)) = match texts.as_deref() {
            Some([text]) => (None, *text),
            Some([(graph, _), text]) => (Some(*graph), *text),
            _ => {
                return Err(PgError::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    "cypher() takes a graph name and a Cypher text, both literals",
                )
                .hint("Write SELECT * FROM cypher('graph', $$ MATCH … RETURN … $$).")
                .into());
            }
        };
        Ok(crate::planner::bind::bind_cypher_call(&self.context, graph, text, offset)?)
    }
}

impl fmt::Debug for Relations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relations").finish_non_exhaustive()
    }
}

/// A string literal and the byte offset of its content.
fn literal(argument: &FunctionArg) -> Option<(&str, Option<usize>)> {
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument else { return None };
    let value = match expr {
        SqlExpr::Value(value) => value,
        SqlExpr::Cast { expr, .. } => match expr.as_ref() {
            SqlExpr::Value(value) => value,
            _ => return None,
        },
        _ => return None,
    };
    let start = super::names::offset_of(value.span);
    match &value.value {
        Value::SingleQuotedString(text) => Some((text, start.map(|start| start + 1))),
        Value::DollarQuotedString(quoted) => {
            let tag = quoted.tag.as_ref().map_or(0, String::len);
            Some((&quoted.value, start.map(|start| start + tag + 2)))
        }
        _ => None,
    }
}

/// The function a table factor calls, with its arguments and alias.
fn called(factor: &TableFactor) -> Option<(&ObjectName, &[FunctionArg], Option<&TableAlias>)> {
    match factor {
        TableFactor::Table { name, alias, args: Some(arguments), .. } => {
            Some((name, &arguments.args, alias.as_ref()))
        }
        TableFactor::Function { name, args, alias, .. } => Some((name, args, alias.as_ref())),
        _ => None,
    }
}

impl RelationPlanner for Relations {
    fn plan_relation(
        &self,
        relation: TableFactor,
        planner: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let Some((name, arguments, alias)) = called(&relation) else {
            return super::sample::plan(relation, &self.context, planner);
        };
        if let [schema, function] = name.0.as_slice()
            && schema.as_ident().map(fold).as_deref() == Some(algorithm::SCHEMA)
        {
            let function = function.as_ident().map(fold).unwrap_or_default();
            let plan = self.algorithm(&function, arguments)?;
            let (plan, alias) = typed_alias(plan, alias, &self.context)?;
            return Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))));
        }
        if let Some(plan) = self.made_function(name, arguments, planner)? {
            let alias = alias.map(|alias| naming_column(alias, &plan, name));
            let (plan, alias) = typed_alias(plan, alias.as_ref(), &self.context)?;
            return Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))));
        }
        let [part] = name.0.as_slice() else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let plan = match part.as_ident().map(fold).as_deref() {
            Some("cypher") => self.cypher(arguments)?,
            Some(crate::parser::pgq::GRAPH_TABLE_FUNCTION) => {
                let number = match arguments {
                    [FunctionArg::Unnamed(FunctionArgExpr::Expr(SqlExpr::Value(value)))] => {
                        value.value.to_string().parse().unwrap_or(usize::MAX)
                    }
                    _ => usize::MAX,
                };
                self.graph_table(number, planner)?
            }
            Some(super::locking::PLACEHOLDER) => self.locking_query(arguments)?,
            Some(name @ (EXCEPT_ALL | INTERSECT_ALL)) => set_all(name, arguments, planner)?,
            _ => return Ok(RelationPlanning::Original(Box::new(relation))),
        };
        let (plan, alias) = typed_alias(plan, alias, &self.context)?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
    }
}

/// `EXCEPT ALL` and `INTERSECT ALL`: equal rows of each side are numbered, and then there is one of each number.
fn set_all(
    name: &str,
    arguments: &[FunctionArg],
    planner: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let mut side = |at: usize, name: &str| -> Result<LogicalPlan> {
        let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(SqlExpr::Exists { subquery, .. }))) =
            arguments.get(at)
        else {
            return Err(PgError::internal("a set operation without its queries").into());
        };
        let alias = TableAlias {
            explicit: true,
            name: Ident::with_quote('"', name),
            columns: Vec::new(),
            at: None,
        };
        let plan = planner.plan(TableFactor::Derived {
            lateral: false,
            subquery: subquery.clone(),
            alias: Some(alias),
            sample: None,
        })?;
        numbered(plan)
    };
    let (left, right) = (side(0, "\u{2}left")?, side(1, "\u{2}right")?);
    if left.schema().fields().len() != right.schema().fields().len() {
        let word = if name == EXCEPT_ALL { "EXCEPT" } else { "INTERSECT" };
        return Err(PgError::new(
            SqlState::SYNTAX_ERROR,
            format!("each {word} query must have the same number of columns"),
        )
        .into());
    }
    let plan = match name {
        EXCEPT_ALL => LogicalPlanBuilder::except(left, right, true)?,
        _ => LogicalPlanBuilder::intersect(left, right, true)?,
    };
    let mut columns = plan.schema().columns();
    columns.pop();
    let columns = columns.into_iter().map(|column| {
        let name = column.name.clone();
        Expr::Column(column).alias(name)
    });
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

/// Rows with one column more, last: how many equal ones came before.
fn numbered(plan: LogicalPlan) -> Result<LogicalPlan> {
    let columns: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
    let number = row_number().partition_by(columns.clone()).build()?;
    let plan = LogicalPlanBuilder::from(plan).window(vec![number])?.build()?;
    let mut all = plan.schema().columns();
    let number = all.pop().map(|number| Expr::Column(number).alias("\u{2}number"));
    LogicalPlanBuilder::from(plan).project(columns.into_iter().chain(number))?.build()
}

/// `AS t(a text, b bigint)`: renames and casts; an alias without types is left to DataFusion.
/// The alias of a call that gives values names their column too, which is otherwise called as the function is.
fn naming_column(alias: &TableAlias, plan: &LogicalPlan, function: &ObjectName) -> TableAlias {
    let mut alias = alias.clone();
    let name = function.0.last().and_then(|part| part.as_ident()).map(fold);
    let is_value = match plan.schema().fields().as_ref() {
        [only] => name.as_ref() == Some(only.name()),
        _ => false,
    };
    if is_value && alias.columns.is_empty() {
        alias.columns = vec![TableAliasColumnDef { name: alias.name.clone(), data_type: None }];
    }
    alias
}

fn typed_alias(
    plan: LogicalPlan,
    alias: Option<&TableAlias>,
    context: &BindContext,
) -> Result<(LogicalPlan, Option<TableAlias>)> {
    let Some(alias) = alias else { return Ok((plan, None)) };
    if alias.columns.iter().all(|column| column.data_type.is_none()) {
        return Ok((plan, Some(alias.clone())));
    }
    let columns = plan.schema().columns();
    if columns.len() != alias.columns.len() {
        return Err(PgError::new(
            SqlState::DATATYPE_MISMATCH,
            format!(
                "the query gives {} columns but {} are declared",
                columns.len(),
                alias.columns.len()
            ),
        )
        .into());
    }
    let exprs = columns
        .iter()
        .zip(&alias.columns)
        .zip(plan.schema().fields())
        .map(|((column, declared), field)| {
            let expr = Expr::Column(column.clone());
            let name = fold(&declared.name);
            Ok(match &declared.data_type {
                None => expr.alias(name),
                Some(ty) => {
                    let to = sql_type(context.types(), ty)?;
                    let mut from = PgType::from_field(field);
                    let mut expr = expr;
                    // A list of Cypher, or a number, is a value of JSON.
                    let is_value = matches!(
                        from,
                        PgType::Array(_) | PgType::Int8 | PgType::Float8 | PgType::Bool
                    );
                    if is_value
                        && matches!(to, PgType::Json | PgType::Jsonb)
                        && let Some(function) = context.functions.scalar("to_jsonb")
                    {
                        expr = function.call(vec![expr]);
                        from = PgType::Jsonb;
                    }
                    plan_cast(expr, &from, &to, true, context.functions.session())?.alias(name)
                }
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let plan = LogicalPlanBuilder::from(plan).project(exprs)?.build()?;
    Ok((plan, Some(TableAlias { columns: Vec::new(), ..alias.clone() })))
}

/// Arguments of a call in FROM in the order of the function's parameters.
fn in_order(
    name: &ObjectName,
    arguments: &[FunctionArg],
    context: &BindContext,
) -> Result<Vec<FunctionArg>, PgError> {
    use super::forms;
    let mut arguments = arguments.to_vec();
    arguments.iter_mut().for_each(forms::name_assigned);
    let is_named = |arg: &FunctionArg| !matches!(arg, FunctionArg::Unnamed(_));
    if !arguments.iter().any(is_named) {
        return Ok(arguments);
    }
    match forms::parameters(name, &arguments, context)? {
        Some(parameters) => forms::positional(name, &parameters, &arguments),
        None => Ok(arguments),
    }
}
