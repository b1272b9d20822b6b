//! Queries: from a syntax tree to a plan with PostgreSQL's names and types.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError, ScalarValue};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Projection};
use datafusion::sql::planner::{PlannerContext, SqlToRel};
use sqlparser::ast::{Query, Statement};

use super::names::visible_name;
use super::provider::Provider;
use super::{cast_names, json_records, ordered_input, resolve, rewrite, whole_row};
use crate::catalog::{Relation, View};
use crate::error::{PgError, SqlState};
use crate::parser::pgq::GraphTable;
use crate::planner::bind::bound::{BoundColumn, BoundPlan, PlanKind};
use crate::planner::bind::context::BindContext;
use crate::planner::node::LockRows;
use crate::planner::source::{RelationSource, ViewSource};
use crate::types::pg_type::PgType;

/// Binds a query.
///
/// # Errors
/// What PostgreSQL gives for it, with the offset of the text concerned.
pub fn bind_query(
    context: &BindContext,
    query: &Query,
    graph_tables: &Arc<[GraphTable]>,
) -> Result<BoundPlan, PgError> {
    let (plan, parameters) =
        with_parameters(context, |context| plan_query(context, query, graph_tables))?;
    let columns = output_columns(&plan);
    Ok(BoundPlan { plan, kind: PlanKind::Select, parameters, columns })
}

/// Plans a query, with PostgreSQL's rules applied.
pub fn plan_query(
    context: &BindContext,
    query: &Query,
    graph_tables: &Arc<[GraphTable]>,
) -> Result<LogicalPlan, PgError> {
    if let Some(plan) = super::ties::plan(context, query, graph_tables)? {
        return Ok(plan);
    }
    let mut query = query.clone();
    let locking = super::locking::cut(&mut query)?;
    if !locking.is_empty() {
        // A query that locks stands in another one; its order is that of its locks and its result.
        let context = BindContext { locking: locking.into(), ..keeping_order(context) };
        return plan_cut(&context, query, graph_tables);
    }
    plan_cut(context, query, graph_tables)
}

/// Plans a query whose parts that lock were cut out.
fn plan_cut(
    context: &BindContext,
    mut query: Query,
    graph_tables: &Arc<[GraphTable]>,
) -> Result<LogicalPlan, PgError> {
    json_records::rewrite(&mut query)?;
    super::natural::as_using(context, &mut query, graph_tables)?;
    whole_row::expand_stars(context, &mut query, graph_tables)?;
    // `count(t.*)` counts rows that are there, which DataFusion takes for `count(*)`.
    if whole_row::has_row_arguments(&query)
        && let Ok(Some(rows)) = whole_row::expand(context, &query, graph_tables)
    {
        query = rows;
    }
    match plan_named(context, query.clone(), graph_tables, false) {
        Err(error) if whole_row::may_apply(&query, &error) => {
            // Perhaps it means a table's rows.
            let planned = match whole_row::expand(context, &query, graph_tables) {
                Ok(Some(rows)) => plan_named(context, rows, graph_tables, false),
                // Perhaps it asks for a column that stands beside a `*` in a derived table.
                Ok(None) if error.code() == SqlState::UNDEFINED_COLUMN => {
                    plan_named(context, query, graph_tables, true)
                }
                Ok(None) | Err(_) => return Err(error),
            };
            planned.map_err(|_| error)
        }
        planned => planned,
    }
}

fn plan_named(
    context: &BindContext,
    query: Query,
    graph_tables: &Arc<[GraphTable]>,
    plain_names: bool,
) -> Result<LogicalPlan, PgError> {
    let mut rewritten = query.clone();
    rewrite::rewrite_query(&mut rewritten, context, plain_names)?;
    let counts_on_order = ordered_input::counts_on_order(&rewritten);
    let kept = counts_on_order.then(|| keeping_order(context));
    let context = kept.as_ref().unwrap_or(context);
    let plan = match plan_rewritten(context, &query, rewritten.clone(), graph_tables) {
        Err(error) if takes_for_one(&error) && cast_names::name_casts(&mut rewritten) => {
            let named = plan_rewritten(context, &query, rewritten, graph_tables);
            named.map_err(|_| error)?
        }
        Ok(plan) if groups_twins(&plan)? && cast_names::name_casts(&mut rewritten) => {
            plan_rewritten(context, &query, rewritten, graph_tables).unwrap_or(plan)
        }
        planned => planned?,
    };
    let plan = super::made::write_out(plan, context)?;
    match counts_on_order {
        true => ordered_input::carry(plan).map_err(|error| planner_error(&error)),
        false => Ok(plan),
    }
}

/// Whether two expressions have one name, perhaps as casts are left out of it.
fn takes_for_one(error: &PgError) -> bool {
    error.code() == SqlState::DUPLICATE_COLUMN
        || error.to_string().contains("require unique expression names")
}

/// Whether rows are grouped by two expressions of one name.
fn groups_twins(plan: &LogicalPlan) -> Result<bool, PgError> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Aggregate(aggregate) = node
            && aggregate.group_expr.len() > 1
        {
            let mut names = HashSet::new();
            let expressions = aggregate.group_expr.iter();
            found |= !expressions
                .map(|expr| expr.schema_name().to_string())
                .all(|name| names.insert(name));
        }
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })
    .map_err(|error| planner_error(&error))?;
    Ok(found)
}

/// A query in DataFusion's syntax as a plan whose calls and literals are definite; `query` is as it was written.
fn plan_rewritten(
    context: &BindContext,
    query: &Query,
    rewritten: Query,
    graph_tables: &Arc<[GraphTable]>,
) -> Result<LogicalPlan, PgError> {
    let provider = Provider::new(context, graph_tables);
    let planner = SqlToRel::new(&provider);
    let mut planner_context = planner_context(context);
    let plan = planner
        .sql_statement_to_plan_with_context(
            Statement::Query(Box::new(rewritten)),
            &mut planner_context,
        )
        .map_err(|error| at_function(planner_error(&error), query))?;
    let settled = super::recursive::settle(plan, &|plan| Ok(resolve::resolve_plan(plan, context)?));
    let plan = settled.map_err(|error| at_function(planner_error(&error), query))?;
    resolve::resolve_plan(plan, context).map_err(|error| at_function(error, query))
}

/// The context for a query whose derived tables are not to lose their ORDER BY.
fn keeping_order(context: &BindContext) -> BindContext {
    let mut options = context.options.as_ref().clone();
    options.sql_parser.enable_subquery_sort_elimination = false;
    BindContext { options: Arc::new(options), ..context.clone() }
}

/// Plans an expression over `schema` (a default, a check, a RETURNING item).
pub fn bind_expression(
    context: &BindContext,
    expr: &sqlparser::ast::Expr,
    schema: &DFSchema,
) -> Result<Expr, PgError> {
    let mut expr = expr.clone();
    rewrite::rewrite_expression(&mut expr, context)?;
    let provider = Provider::new(context, &Arc::default());
    let planner = SqlToRel::new(&provider);
    let expr = planner
        .sql_to_expr(expr, schema, &mut planner_context(context))
        .map_err(|error| planner_error(&error))?;
    let expr = resolve::resolve_expression(expr, schema, context)?;
    super::made::write_out_expression(expr, schema, context)
}

/// The plan of a view's query, its columns under the view's names.
pub(super) fn plan_view(
    context: &BindContext,
    relation: &Relation,
    view: &View,
) -> Result<LogicalPlan, PgError> {
    let statement = crate::parser::stored::parse_view_query(&view.query).map_err(|error| {
        PgError::internal(format!("view \"{}\" cannot be read: {error}", relation.name))
    })?;
    let plan = super::super::bind_view_body(context, &statement)?;
    let names: Vec<Expr> = plan
        .schema()
        .columns()
        .into_iter()
        .zip(&view.columns)
        .map(|(from, to)| Expr::Column(from).alias(to.name.clone()))
        .collect();
    Ok(LogicalPlanBuilder::from(plan).project(names)?.build()?)
}

/// `EXPLAIN` of an already bound plan.
pub fn bind_explain(inner: BoundPlan, kind: PlanKind) -> BoundPlan {
    let ty = match kind {
        PlanKind::Explain { json: true, .. } => PgType::Json,
        _ => PgType::Text,
    };
    let column = BoundColumn {
        name: "QUERY PLAN".to_owned(),
        ty: ty.clone(),
        kept: ty,
        table: 0,
        attnum: 0,
        declared: false,
    };
    BoundPlan { kind, columns: vec![column], ..inner }
}

pub(super) fn planner_context(context: &BindContext) -> PlannerContext {
    let types: Vec<Option<FieldRef>> = context
        .parameters
        .types
        .iter()
        .map(|ty| ty.as_ref().map(|ty| Arc::new(ty.field("", true))))
        .collect();
    let mut planner = PlannerContext::new().with_prepare_param_data_types(types);
    for (name, plan) in &context.ctes {
        planner.insert_cte(name.as_str(), plan.clone());
    }
    planner
}

/// Binds twice when the first time leaves parameter types open that its plan then tells.
///
/// A type that nothing tells is text, as in PostgreSQL.
pub(super) fn with_parameters(
    context: &BindContext,
    mut bind: impl FnMut(&BindContext) -> Result<LogicalPlan, PgError>,
) -> Result<(LogicalPlan, Vec<PgType>), PgError> {
    let plan = bind(context)?;
    let inferred = parameter_types(&plan)?;
    if inferred.is_empty() && context.parameters.types.is_empty() {
        return Ok((plan, Vec::new()));
    }
    let count = inferred.len().max(context.parameters.types.len());
    let types: Vec<PgType> = (0..count)
        .map(|at| {
            let declared = context.parameters.types.get(at).cloned().flatten();
            declared.or_else(|| inferred.get(at).cloned().flatten()).unwrap_or(PgType::Text)
        })
        .collect();
    let known: Vec<Option<PgType>> = types.iter().map(|ty| Some(ty.plain())).collect();
    if known == context.parameters.types {
        return Ok((plan, types));
    }
    let mut context = context.clone();
    context.parameters.types = known;
    Ok((bind(&context)?, types))
}

/// A parameter beside LIKE is text where DataFusion took the type of another string.
fn text_beside_string(side: &Expr, types: &mut Vec<Option<PgType>>) {
    let Expr::Placeholder(placeholder) = side else { return };
    let number: usize = placeholder.id.trim_start_matches('$').parse().unwrap_or(0);
    let is_string = |field: &FieldRef| {
        matches!(PgType::from_field(field), PgType::Varchar(_) | PgType::Bpchar(_) | PgType::Name)
    };
    if !(1..=65_535).contains(&number) || !placeholder.field.as_ref().is_some_and(is_string) {
        return;
    }
    if types.len() < number {
        types.resize(number, None);
    }
    types[number - 1].get_or_insert(PgType::Text);
}

/// Types of the placeholders in a plan, by number; `None` where the plan does not tell.
fn parameter_types(plan: &LogicalPlan) -> Result<Vec<Option<PgType>>, PgError> {
    let mut types: Vec<Option<PgType>> = Vec::new();
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::Like(like) | Expr::SimilarTo(like) = expr {
                    // DataFusion gives them the type of the other side; the operator takes text.
                    for side in [&like.expr, &like.pattern] {
                        text_beside_string(side, &mut types);
                    }
                }
                if let Expr::Placeholder(placeholder) = expr {
                    let number: usize = placeholder.id.trim_start_matches('$').parse().unwrap_or(0);
                    if number == 0 || number > 65_535 {
                        return Err(DataFusionError::from(PgError::new(
                            SqlState::UNDEFINED_PARAMETER,
                            format!("there is no parameter {}", placeholder.id),
                        )));
                    }
                    if types.len() < number {
                        types.resize(number, None);
                    }
                    let field = placeholder
                        .field
                        .as_ref()
                        .filter(|field| *field.data_type() != DataType::Null);
                    if let (slot @ None, None, LogicalPlan::Limit(_)) =
                        (&mut types[number - 1], field, node)
                    {
                        *slot = Some(PgType::Int8);
                    }
                    if let (slot @ None, Some(field)) = (&mut types[number - 1], field) {
                        *slot = Some(PgType::declared(field));
                    }
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(types)
}

/// What a client is told of the plan's columns.
pub(crate) fn output_columns(plan: &LogicalPlan) -> Vec<BoundColumn> {
    plan.schema()
        .fields()
        .iter()
        .enumerate()
        .map(|(at, field)| {
            let (table, attnum) = origin(plan, at).unwrap_or((0, 0));
            BoundColumn {
                name: visible_name(field.name()).to_owned(),
                ty: PgType::from_field(field),
                kept: PgType::declared(field),
                table,
                attnum,
                declared: is_declared(plan, at),
            }
        })
        .collect()
}

/// Whether the modifier of an output column's type was written down, in a table or a cast, and not computed.
fn is_declared(plan: &LogicalPlan, at: usize) -> bool {
    match plan {
        LogicalPlan::Projection(Projection { expr, input, .. }) => {
            let mut expr = match expr.get(at) {
                Some(expr) => expr,
                None => return false,
            };
            while let Expr::Alias(alias) = expr {
                expr = &alias.expr;
            }
            match expr {
                Expr::Column(column) => input
                    .schema()
                    .index_of_column(column)
                    .is_ok_and(|position| is_declared(input, position)),
                Expr::Cast(_) => true,
                // What a cast made of a literal; a number as it was written has just its own digits.
                Expr::Literal(ScalarValue::Decimal128(value, precision, _), _) => {
                    value.is_none_or(|value| {
                        let digits = value.unsigned_abs().checked_ilog10().unwrap_or(0) + 1;
                        digits != u32::from(*precision)
                    })
                }
                Expr::Literal(value, _) => !matches!(value, ScalarValue::List(_)),
                Expr::ScalarFunction(call) => call.func.name() == "cast",
                _ => false,
            }
        }
        LogicalPlan::TableScan(_) | LogicalPlan::Extension(_) => true,
        LogicalPlan::Join(join) => {
            let left = join.left.schema().fields().len();
            if join.schema.fields().len() != left + join.right.schema().fields().len() {
                return false;
            }
            if at < left {
                is_declared(&join.left, at)
            } else {
                is_declared(&join.right, at - left)
            }
        }
        LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Distinct(_) => {
            plan.inputs().first().is_some_and(|input| is_declared(input, at))
        }
        LogicalPlan::Union(union) => union.inputs.iter().all(|input| is_declared(input, at)),
        _ => false,
    }
}

/// The table and `attnum` an output column comes from unchanged.
fn origin(plan: &LogicalPlan, at: usize) -> Option<(u32, i16)> {
    match plan {
        LogicalPlan::Projection(Projection { expr, input, .. }) => {
            let mut expr = expr.get(at)?;
            while let Expr::Alias(alias) = expr {
                expr = &alias.expr;
            }
            let Expr::Column(column) = expr else { return None };
            origin(input, input.schema().index_of_column(column).ok()?)
        }
        LogicalPlan::Filter(filter) => origin(&filter.input, at),
        LogicalPlan::Sort(sort) => origin(&sort.input, at),
        LogicalPlan::Limit(limit) => origin(&limit.input, at),
        LogicalPlan::SubqueryAlias(alias) => origin(&alias.input, at),
        LogicalPlan::Distinct(datafusion::logical_expr::Distinct::All(input)) => origin(input, at),
        LogicalPlan::Join(join) => {
            let left = join.left.schema().fields().len();
            if join.schema.fields().len() != left + join.right.schema().fields().len() {
                return None;
            }
            if at < left { origin(&join.left, at) } else { origin(&join.right, at - left) }
        }
        LogicalPlan::Extension(extension) => {
            let lock = extension.node.as_any().downcast_ref::<LockRows>()?;
            origin(&lock.input, at)
        }
        LogicalPlan::TableScan(scan) => {
            let position =
                scan.projection.as_ref().map_or(Some(at), |columns| columns.get(at).copied())?;
            if let Some(view) = scan.source.downcast_ref::<ViewSource>() {
                if view.relation.view().is_none() {
                    return origin(&view.plan, position);
                }
                let column = view.relation.columns().get(position)?;
                return Some((view.relation.oid.0, column.attnum));
            }
            let source = scan.source.downcast_ref::<RelationSource>()?;
            let column = source.relation.columns().get(position)?;
            Some((source.relation.oid.0, column.attnum))
        }
        _ => None,
    }
}

/// Turns an error of DataFusion's planner into PostgreSQL's words, with the place its diagnostic names.
pub(super) fn planner_error(error: &DataFusionError) -> PgError {
    let report = PgError::from_datafusion(error);
    let offset = error
        .diagnostic()
        .and_then(|diagnostic| diagnostic.span)
        .filter(|span| span.start.line > 0)
        // The parser puts byte offsets where columns are.
        .and_then(|span| usize::try_from(span.start.column.checked_sub(1)?).ok());
    report.or_at(offset)
}

/// The error with the place of the column it is about, if that is named once.
fn at_column(error: PgError, query: &Query) -> PgError {
    use sqlparser::ast::{Expr as SqlExpr, Visit, Visitor};
    use std::ops::ControlFlow;
    struct Columns<'a> {
        name: &'a str,
        found: Vec<Option<usize>>,
    }
    impl Visitor for Columns<'_> {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &SqlExpr) -> ControlFlow<()> {
            let (first, last) = match expr {
                SqlExpr::Identifier(name) => (name, name),
                SqlExpr::CompoundIdentifier(names) => match (names.first(), names.last()) {
                    (Some(first), Some(last)) => (first, last),
                    _ => return ControlFlow::Continue(()),
                },
                _ => return ControlFlow::Continue(()),
            };
            if super::names::fold(last) == self.name {
                self.found.push(super::names::offset_of(first.span));
            }
            ControlFlow::Continue(())
        }
    }
    if !matches!(error.code(), SqlState::UNDEFINED_COLUMN | SqlState::AMBIGUOUS_COLUMN) {
        return error;
    }
    let message = error.to_string();
    let quoted = message.strip_prefix("column ").and_then(|rest| {
        let rest = rest.strip_prefix("reference ").unwrap_or(rest);
        rest.strip_suffix(" does not exist").or_else(|| rest.strip_suffix(" is ambiguous"))
    });
    let Some(quoted) = quoted else { return error };
    let name = match quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(name) => name,
        None => quoted.rsplit('.').next().unwrap_or(quoted),
    };
    let mut columns = Columns { name, found: Vec::new() };
    let _ = query.visit(&mut columns);
    match columns.found.as_slice() {
        [only] => error.or_at(*only),
        _ => error,
    }
}

/// The error with the place of the call it is about, if it is about one.
fn at_function(error: PgError, query: &Query) -> PgError {
    use sqlparser::ast::{ObjectNamePart, Visit, Visitor};
    struct Calls<'a> {
        name: &'a str,
    }
    impl Visitor for Calls<'_> {
        type Break = usize;

        fn pre_visit_expr(&mut self, expr: &sqlparser::ast::Expr) -> std::ops::ControlFlow<usize> {
            if let sqlparser::ast::Expr::Function(call) = expr
                && let Some(last) = call.name.0.last().and_then(ObjectNamePart::as_ident)
                && super::names::fold(last) == self.name
                && let Some(first) = call.name.0.first().and_then(ObjectNamePart::as_ident)
                && let Some(offset) = super::names::offset_of(first.span)
            {
                return std::ops::ControlFlow::Break(offset);
            }
            std::ops::ControlFlow::Continue(())
        }
    }
    if error.code() != SqlState::UNDEFINED_FUNCTION {
        return at_column(error, query);
    }
    let message = error.to_string();
    let Some(called) = message.strip_prefix("function ") else { return error };
    let name = called.split(['(', ' ']).next().unwrap_or_default();
    let name = name.rsplit('.').next().unwrap_or(name).to_owned();
    let offset = match query.visit(&mut Calls { name: &name }) {
        std::ops::ControlFlow::Break(offset) => Some(offset),
        std::ops::ControlFlow::Continue(()) => None,
    };
    error.or_at(offset)
}

/// The PostgreSQL type of an expression over `schema`.
pub(crate) fn type_of(expr: &Expr, schema: &DFSchema) -> Result<PgType, PgError> {
    let (_, field) = expr.to_field(schema).map_err(|error| planner_error(&error))?;
    Ok(PgType::from_field(&field))
}
