//! Calls of functions that `CREATE FUNCTION … LANGUAGE sql` made: the plan of the body, with the arguments in it.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::FieldRef;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DFSchema, JoinType, Result as DfResult};
use datafusion::logical_expr::{
    EmptyRelation, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, lit,
};
use sqlparser::ast::{Expr as SqlExpr, Value, VisitMut, VisitorMut};

use crate::catalog::{
    AclClass, FunctionResult, QualifiedName, Rights, RoutineLanguage, SqlFunction,
};
use crate::error::{PgError, SqlState};
use crate::functions::cast::plan_cast;
use crate::parser::{Body, QueryLanguage, Statement, plpgsql};
use crate::planner::bind::bound::{Bound, BoundPlan, PlanKind};
use crate::planner::bind::context::BindContext;
use crate::planner::node::RoutineCall;
use crate::types::pg_type::PgType;

/// How deep functions may call each other; each is written out into the plan.
const CALL_DEPTH_MAX: usize = 32;

/// The function that a call means, if there is one with this name; among several that with as many arguments.
///
/// # Errors
/// `42883` if none takes as many arguments, `42725` if several do, `42501` without EXECUTE or USAGE of the schema.
pub(crate) fn find(
    context: &BindContext,
    name: &QualifiedName,
    arguments: usize,
) -> Result<Option<Arc<SqlFunction>>, PgError> {
    let named = context.catalog.functions_named(name, &context.search_path);
    if named.is_empty() {
        return Ok(None);
    }
    if let Some(schema) = &name.schema {
        context.check_schema(schema)?;
    }
    let mut fitting = named.into_iter().filter(|function| function.arguments.len() == arguments);
    let function = match (fitting.next(), fitting.next()) {
        (Some(function), None) => function,
        (None, _) => {
            let count = match arguments {
                1 => "one argument".to_owned(),
                count => format!("{count} arguments"),
            };
            let message = format!("function {name} with {count} does not exist");
            return Err(PgError::new(SqlState::UNDEFINED_FUNCTION, message)
                .routine("InvalidNumberOfArguments"));
        }
        (Some(_), Some(_)) => {
            let message = format!("function {name} is not unique");
            return Err(PgError::new(SqlState::AMBIGUOUS_FUNCTION, message)
                .hint("Functions of one name are told apart by the number of arguments only."));
        }
    };
    check_execute(context, &function)?;
    Ok(Some(function))
}

/// A procedure where a function is wanted.
pub(super) fn is_procedure(function: &SqlFunction) -> PgError {
    let message = format!("{} is a procedure", function.signature());
    PgError::new(SqlState::WRONG_OBJECT_TYPE, message).hint("To call a procedure, use CALL.")
}

/// Looks whether the role may call the function.
///
/// # Errors
/// `42501`.
pub(super) fn check_execute(context: &BindContext, function: &SqlFunction) -> Result<(), PgError> {
    let rights =
        context.catalog.rights(AclClass::Function, function.oid, function.owner, &context.roles);
    if rights.contains(Rights::EXECUTE) {
        return Ok(());
    }
    let message = format!("permission denied for function {}", function.name);
    Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message))
}

/// What stands for the arguments at the end that a call leaves out, in the arguments' types.
///
/// # Errors
/// What the expressions say.
pub(super) fn defaults(
    context: &BindContext,
    function: &SqlFunction,
) -> Result<Vec<Expr>, PgError> {
    let mut found = Vec::new();
    for argument in &function.arguments {
        let Some(text) = &argument.default else { continue };
        let tree = crate::parser::stored::parse_expression(text)?;
        found.push(bind_argument_default(context, &tree, &argument.ty)?);
    }
    Ok(found)
}

/// A default, as the type of its argument.
///
/// # Errors
/// What the expression says; `42804` where it is of another type.
pub(super) fn bind_argument_default(
    context: &BindContext,
    tree: &SqlExpr,
    ty: &PgType,
) -> Result<Expr, PgError> {
    let schema = DFSchema::empty();
    let expr = super::query::bind_expression(context, tree, &schema)?;
    super::resolve::assign(context, expr, ty, &schema)
}

/// What a call with these arguments gives, its columns those of [`SqlFunction::columns`]; the arguments have the types
/// that the function declares.
///
/// # Errors
/// As the body's; `54001` where functions call each other too deeply.
pub(crate) fn plan_call(
    context: &BindContext,
    function: &SqlFunction,
    arguments: &[Expr],
) -> Result<LogicalPlan, PgError> {
    if function.runs {
        let (oid, columns) = (function.oid, function.columns());
        let call = RoutineCall::new(oid, &function.name, arguments.to_vec(), columns)?;
        return Ok(call.into_plan());
    }
    let plan = with_arguments(plan_body(context, function)?, arguments)?;
    let plan = match function.strict {
        true => {
            let known = arguments.iter().map(|argument| argument.clone().is_not_null());
            match known.reduce(Expr::and) {
                Some(known) => LogicalPlanBuilder::from(plan).filter(known)?.build()?,
                None => plan,
            }
        }
        false => plan,
    };
    match &function.result {
        FunctionResult::Void | FunctionResult::Table(_) | FunctionResult::SetOf(_) => Ok(plan),
        // One row: the first, or null.
        FunctionResult::Value(_) | FunctionResult::Row(_) => {
            let first = LogicalPlanBuilder::from(plan).limit(0, Some(1))?.build()?;
            Ok(LogicalPlanBuilder::from(one_row())
                .join_on(first, JoinType::Left, [lit(true)])?
                .build()?)
        }
    }
}

/// The body with arguments in place of its parameters.
///
/// # Errors
/// `42P02`.
pub(super) fn with_arguments(
    plan: LogicalPlan,
    arguments: &[Expr],
) -> Result<LogicalPlan, PgError> {
    let written = plan.transform_up_with_subqueries(|node| {
        node.map_expressions(|expr| expr.transform_up(|expr| with_argument(expr, arguments)))
    });
    Ok(written.data()?.recompute_schema()?)
}

/// An argument, if the expression is its parameter.
///
/// # Errors
/// `42P02`.
pub(super) fn with_argument(expr: Expr, arguments: &[Expr]) -> DfResult<Transformed<Expr>> {
    let Expr::Placeholder(placeholder) = &expr else { return Ok(Transformed::no(expr)) };
    let number: usize = placeholder.id.trim_start_matches('$').parse().unwrap_or(0);
    match number.checked_sub(1).and_then(|at| arguments.get(at)) {
        Some(argument) => Ok(Transformed::yes(argument.clone())),
        None => {
            let message = format!("there is no parameter {}", placeholder.id);
            Err(PgError::new(SqlState::UNDEFINED_PARAMETER, message).into())
        }
    }
}

fn one_row() -> LogicalPlan {
    LogicalPlan::EmptyRelation(EmptyRelation {
        produce_one_row: true,
        schema: Arc::new(DFSchema::empty()),
    })
}

/// Looks whether the body is a statement, whatever it names: `check_function_bodies = off`.
///
/// # Errors
/// `42601`.
pub(crate) fn parse_body(function: &SqlFunction) -> Result<(), PgError> {
    if function.runs {
        return parse_running(function);
    }
    if is_empty(&function.body) && matches!(function.result, FunctionResult::Void) {
        return Ok(());
    }
    statement_of(function).map(drop)
}

fn parse_running(function: &SqlFunction) -> Result<(), PgError> {
    match function.language {
        RoutineLanguage::PlPgSql => {
            plpgsql::parse_routine(&function.body).map_err(PgError::from)?;
        }
        RoutineLanguage::Sql => {
            sql_statements(&function.body)?;
        }
    }
    Ok(())
}

/// The statements of a body in SQL.
///
/// # Errors
/// `42601`.
pub(crate) fn sql_statements(body: &str) -> Result<Vec<Statement>, PgError> {
    let statements = crate::parser::parse_script(body, QueryLanguage::Sql, &|_| false);
    statements.map_err(|error| PgError::from(error).without_offset())
}

/// Whether a body in SQL is more than one query that only reads.
pub(crate) fn is_run(body: &str) -> bool {
    use sqlparser::ast::Statement as Sql;
    let Ok(statements) = sql_statements(body) else { return false };
    match statements.as_slice() {
        [] => false,
        [Statement { body: Body::Sql { statement, .. }, .. }] => match statement.as_ref() {
            Sql::Query(query) => super::has_writes(query),
            _ => true,
        },
        // Cypher, written out as SQL is.
        [Statement { body: Body::Cypher(_), .. }] => false,
        _ => true,
    }
}

fn statement_of(function: &SqlFunction) -> Result<Statement, PgError> {
    crate::parser::stored::parse_view_query(&function.body).map_err(|error| {
        let hint = "The body of a function is one query.";
        PgError::from(error).without_offset().hint(hint)
    })
}

/// The plan of a body, its parameters placeholders of the declared types.
///
/// # Errors
/// `42P13` where it does not give what the function declares; `0A000` where it is more than one query.
pub(crate) fn plan_body(
    context: &BindContext,
    function: &SqlFunction,
) -> Result<LogicalPlan, PgError> {
    let depth = context.view_depth + 1;
    if depth > CALL_DEPTH_MAX {
        let message = "functions call each other too deeply";
        return Err(PgError::new(SqlState::STATEMENT_TOO_COMPLEX, message));
    }
    let types: Vec<Option<PgType>> = function.argument_types().cloned().map(Some).collect();
    let inner = BindContext {
        parameters: crate::planner::bind::context::Parameters { types },
        view_depth: depth,
        ctes: Vec::new(),
        view: None,
        ..context.clone()
    };
    if is_empty(&function.body) && matches!(function.result, FunctionResult::Void) {
        return Ok(one_row());
    }
    if is_empty(&function.body) {
        let detail = "Function's final statement must be SELECT or INSERT/UPDATE/DELETE RETURNING.";
        return Err(mismatch(function, detail.to_owned()));
    }
    let statement = statement_of(function)?;
    let bound = bind_named(&inner, function, statement).map_err(PgError::without_offset)?;
    let BoundPlan { plan, kind: PlanKind::Select, parameters: _, columns: _ } = bound else {
        return Err(PgError::unsupported(
            "functions that write are not supported",
            "The body of a function is one query.",
        ));
    };
    declared(context, function, plan)
}

/// `SELECT` of nothing, or no statement at all.
fn is_empty(body: &str) -> bool {
    let body = body.trim().trim_end_matches(';').trim_end();
    body.is_empty() || body.eq_ignore_ascii_case("select")
}

/// Binds the body. What no column is called is an argument of that name, as in PostgreSQL.
fn bind_named(
    context: &BindContext,
    function: &SqlFunction,
    mut statement: Statement,
) -> Result<BoundPlan, PgError> {
    let mut open: Vec<(usize, &str)> = function
        .arguments
        .iter()
        .enumerate()
        .filter_map(|(at, argument)| Some((at, argument.name.as_deref()?)))
        .collect();
    loop {
        let error = match crate::planner::bind::bind(context, &statement) {
            Ok(Bound::Plan(plan)) => return Ok(plan),
            Ok(Bound::Ddl(_)) => {
                return Err(PgError::unsupported(
                    "functions that change definitions are not supported",
                    "The body of a function is one query.",
                ));
            }
            Err(error) => error,
        };
        let missing = |name: &str| {
            error.code() == SqlState::UNDEFINED_COLUMN
                && error.fields().message == format!("column \"{name}\" does not exist")
        };
        let Some(place) = open.iter().position(|(_, name)| missing(name)) else {
            return Err(error);
        };
        let (at, name) = open.remove(place);
        let Body::Sql { statement: tree, .. } = &mut statement.body else { return Err(error) };
        let mut named = Named { name, placeholder: format!("${}", at + 1) };
        let _: ControlFlow<()> = tree.visit(&mut named);
    }
}

struct Named<'a> {
    name: &'a str,
    placeholder: String,
}

impl VisitorMut for Named<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut SqlExpr) -> ControlFlow<()> {
        if let SqlExpr::Identifier(ident) = expr
            && super::names::fold(ident) == self.name
        {
            *expr = SqlExpr::value(Value::Placeholder(self.placeholder.clone()));
        }
        ControlFlow::Continue(())
    }
}

fn mismatch(function: &SqlFunction, detail: String) -> PgError {
    let shown = match &function.result {
        FunctionResult::Void => "void".to_owned(),
        FunctionResult::Table(_) | FunctionResult::Row(_) => "record".to_owned(),
        FunctionResult::SetOf(ty) | FunctionResult::Value(ty) => ty.name(),
    };
    let message = format!("return type mismatch in function declared to return {shown}");
    PgError::new(SqlState::INVALID_FUNCTION_DEFINITION, message).detail(detail)
}

/// The columns under the names and in the types that the function declares.
fn declared(
    context: &BindContext,
    function: &SqlFunction,
    plan: LogicalPlan,
) -> Result<LogicalPlan, PgError> {
    let mismatch = |detail: String| mismatch(function, detail);
    let wanted = function.columns();
    let given = plan.schema().columns();
    if matches!(function.result, FunctionResult::Void) {
        return Ok(LogicalPlanBuilder::from(plan).project(Vec::<Expr>::new())?.build()?);
    }
    if given.len() != wanted.len() {
        let word = if given.len() < wanted.len() { "few" } else { "many" };
        return Err(mismatch(format!("Final statement returns too {word} columns.")));
    }
    let mut columns = Vec::with_capacity(wanted.len());
    for (at, ((name, to), column)) in wanted.into_iter().zip(given).enumerate() {
        let expr = Expr::Column(column);
        let field: FieldRef = expr.to_field(plan.schema().as_ref())?.1;
        let from = PgType::from_field(&field);
        let cast = plan_cast(expr, &from, &to, false, context.functions.session());
        let cast = cast.map_err(|_| {
            mismatch(format!(
                "Final statement returns {} instead of {} at column {}.",
                from.name(),
                to.name(),
                at + 1
            ))
        })?;
        columns.push(cast.alias(name));
    }
    Ok(LogicalPlanBuilder::from(plan).project(columns)?.build()?)
}
