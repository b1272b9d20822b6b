//! The pass over a freshly planned statement that makes literals, parameters, casts and calls definite.
//!
//! DataFusion's SQL planner knows Arrow types only. Here every untyped literal gets PostgreSQL's type, every call its
//! overload, every written cast PostgreSQL's meaning, and what stands side by side (CASE, IN, BETWEEN, VALUES) one type.
//! It runs once, before any other analysis; afterwards a literal without a type is text.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result as DfResult, ScalarValue};
use datafusion::logical_expr::expr::{
    AggregateFunction, Between, Case, Cast, InList, InSubquery, Like, ScalarFunction,
    WindowFunction,
};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, Projection, Union, Values,
    WindowFunctionDefinition,
};

use crate::error::{PgError, SqlState};
use crate::functions::alternatives::settled;
use crate::functions::cast::{plan_cast, plan_coercion, typed_literal};
use crate::functions::made::{CastCall, MadeFunctions};
use crate::functions::maybe_null;
use crate::functions::named_cast::cast_inside;
use crate::functions::operators::{
    call_operator, call_resolved, coerce_comparison, comparable, expr_type, typed_number,
};
use crate::functions::outer_aggregate;
use crate::functions::overload::{NoChoice, common_type, operator_error};
use crate::functions::record;
use crate::functions::registry::registry;
use crate::functions::scalar::{PgFunction, SessionRef};
use crate::functions::unsettled::meaning;
use crate::functions::window_frame;
use crate::types::pg_type::PgType;

/// Resolves a plan and the plans of its subqueries.
///
/// # Errors
/// `42883`, `42725`, `42804`, `42846`; what the conversion of a literal says.
pub fn resolve_plan(plan: LogicalPlan, session: &SessionRef) -> DfResult<LogicalPlan> {
    Ok(plan.transform_up_with_subqueries(|plan| resolve_node(plan, session))?.data)
}

fn resolve_node(plan: LogicalPlan, session: &SessionRef) -> DfResult<Transformed<LogicalPlan>> {
    if matches!(plan, LogicalPlan::Limit(_)) {
        // Row counts stay int8; nothing else may stand there.
        return Ok(Transformed::no(plan));
    }
    let plan = crate::functions::table::pull_up_lateral(plan)?;
    if let LogicalPlan::Values(values) = plan {
        return resolve_values(values, session).map(Transformed::yes);
    }
    if let LogicalPlan::Union(union) = plan {
        return resolve_union(union, session).map(Transformed::yes);
    }
    if let LogicalPlan::Unnest(_) = plan {
        return mark_unnested(plan.recompute_schema()?).map(Transformed::yes);
    }
    let schema = input_schema(&plan)?;
    let plan = order_rows(plan, &schema)?;
    let names = NamePreserver::new(&plan);
    let projection = matches!(plan, LogicalPlan::Projection(_));
    plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let expr = resolve_expr(expr, &schema, session)?;
        let expr = if projection { settle_output(expr) } else { expr };
        Ok(Transformed::yes(name.restore(expr)))
    })?
    .map_data(LogicalPlan::recompute_schema)
}

/// The columns that the expressions of a node may name.
///
/// # Errors
/// What DataFusion says of two columns of one name.
pub fn input_schema(plan: &LogicalPlan) -> DfResult<DFSchema> {
    let mut schema = merge_schema(&plan.inputs());
    if let LogicalPlan::TableScan(scan) = plan {
        schema.merge(&DFSchema::try_from_qualified_schema(
            scan.table_name.clone(),
            &scan.source.schema(),
        )?);
    }
    Ok(schema)
}

/// Rows are sorted by keys that have their order.
fn order_rows(plan: LogicalPlan, schema: &DFSchema) -> DfResult<LogicalPlan> {
    let LogicalPlan::Sort(mut sort) = plan else { return Ok(plan) };
    for key in &mut sort.expr {
        if let Ok(PgType::Row(ty)) = expr_type(&key.expr, schema) {
            let row = std::mem::take(&mut key.expr);
            key.expr = record::sort_key(row, &ty);
        }
    }
    Ok(LogicalPlan::Sort(sort))
}

/// Elements of arrays of the database's own types are of that type, which their Arrow type does not tell.
fn mark_unnested(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    let LogicalPlan::Unnest(unnest) = &plan else { return Ok(plan) };
    let mut marks: Vec<(usize, PgType)> = Vec::new();
    for (input, list) in &unnest.list_type_columns {
        let ty = PgType::from_field(unnest.input.schema().field(*input));
        if let Some(element) = ty.element()
            && let Some(at) = unnest.schema.maybe_index_of_column(&list.output_column)
            && *unnest.schema.field(at).data_type() == element.arrow()
            && PgType::from_field(unnest.schema.field(at)) != *element
        {
            marks.push((at, element.clone()));
        }
    }
    if marks.is_empty() {
        return Ok(plan);
    }
    let columns = unnest.schema.columns().into_iter().enumerate();
    let exprs = columns.map(|(at, column)| {
        let expr = Expr::Column(column.clone());
        match marks.iter().find(|(marked, _)| *marked == at) {
            Some((_, ty)) => marked(expr, ty).alias_qualified(column.relation, column.name),
            None => expr,
        }
    });
    let exprs = exprs.collect();
    Ok(LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(plan))?))
}

/// A string literal that is a result is text from here on.
fn settle_output(expr: Expr) -> Expr {
    match expr {
        Expr::Literal(ScalarValue::Utf8(value), None) => {
            Expr::Literal(ScalarValue::Utf8View(value), None)
        }
        Expr::Alias(mut alias) => {
            *alias.expr = settle_output(*alias.expr);
            Expr::Alias(alias)
        }
        other => other,
    }
}

/// Resolves one expression over a schema.
///
/// # Errors
/// As [`resolve_plan`].
pub fn resolve_expr(expr: Expr, schema: &DFSchema, session: &SessionRef) -> DfResult<Expr> {
    Ok(expr.transform_up(|expr| Ok(Transformed::yes(resolve_one(expr, schema, session)?)))?.data)
}

fn resolve_one(expr: Expr, schema: &DFSchema, session: &SessionRef) -> DfResult<Expr> {
    match expr {
        Expr::Literal(..) => Ok(typed_number(expr)),
        Expr::ScalarFunction(call) => resolve_call(call, schema, session),
        Expr::Cast(cast) => resolve_cast(cast, schema, session),
        Expr::Negative(inner) => call_operator("-", vec![*inner], schema, session),
        Expr::BinaryExpr(binary) => resolve_binary(binary, schema, session),
        Expr::Between(between) => resolve_between(between, schema, session),
        Expr::InList(list) => resolve_in_list(list, schema, session),
        Expr::Case(case) => resolve_case(case, schema, session),
        Expr::Like(like) => resolve_like(like, schema, session).map(Expr::Like),
        Expr::SimilarTo(like) => resolve_similar(like, schema, session),
        Expr::InSubquery(inner) => resolve_in_subquery(inner, schema, session),
        Expr::IsNull(inner) if is_row(&inner, schema)? => Ok(record::null_test(*inner, true)),
        Expr::IsNotNull(inner) if is_row(&inner, schema)? => Ok(record::null_test(*inner, false)),
        Expr::Not(inner) => Ok(Expr::Not(Box::new(boolean(*inner, schema, session)?))),
        Expr::ScalarSubquery(subquery) => maybe_null::scalar_subquery(subquery),
        Expr::WindowFunction(window) => {
            let window = window_frame::by_peers(plain_offsets(*window), schema)?;
            Ok(Expr::WindowFunction(Box::new(window)))
        }
        Expr::AggregateFunction(call) => resolve_aggregate(call, schema, session),
        other => Ok(other),
    }
}

fn is_row(expr: &Expr, schema: &DFSchema) -> DfResult<bool> {
    Ok(!matches!(expr, Expr::Placeholder(_)) && matches!(expr_type(expr, schema)?, PgType::Row(_)))
}

/// Converts to a type where the value has another; untyped literals and parameters take it.
fn convert(expr: Expr, to: &PgType, schema: &DFSchema, session: &SessionRef) -> DfResult<Expr> {
    let from = expr_type(&expr, schema)?;
    // Decimals of several scales unite in DataFusion.
    if matches!((&from, to), (PgType::Numeric(_), PgType::Numeric(_))) {
        return Ok(expr);
    }
    Ok(plan_coercion(expr, &from, to, session)?)
}

fn boolean(expr: Expr, schema: &DFSchema, session: &SessionRef) -> DfResult<Expr> {
    condition(expr, "NOT", schema, session)
}

/// An argument of a clause that takes a condition; an untyped literal is read as one.
fn condition(expr: Expr, clause: &str, schema: &DFSchema, session: &SessionRef) -> DfResult<Expr> {
    match expr_type(&expr, schema)? {
        PgType::Bool => Ok(expr),
        PgType::Unknown => convert(expr, &PgType::Bool, schema, session),
        other => Err(PgError::new(
            SqlState::DATATYPE_MISMATCH,
            format!(
                "argument of {clause} must be type boolean, not type {}",
                other.without_modifier()
            ),
        )
        .into()),
    }
}

fn resolve_call(call: ScalarFunction, schema: &DFSchema, session: &SessionRef) -> DfResult<Expr> {
    if let Some(cast) = cast_inside(&call) {
        return Ok(cast.clone());
    }
    if record::is_row_call(&call) {
        return record::resolve_row(call, schema, session);
    }
    let types = call.args.iter().map(|arg| expr_type(arg, schema)).collect::<DfResult<Vec<_>>>()?;
    let is_void = |(arg, ty): (&Expr, &PgType)| is_void(arg, ty);
    if call.args.iter().zip(&types).any(is_void) {
        return without_void(call, &types, schema, session);
    }
    if record::is_any_field(&call) {
        return Ok(record::resolve_field(call, types.first().unwrap_or(&PgType::Unknown))?);
    }
    if call.func.name() == "pg_typeof"
        && let [arg] = call.args.as_slice()
        && let Ok((_, field)) = arg.to_field(schema)
        && let declared = PgType::declared(&field)
        && declared.has_domain()
    {
        return Ok(typed_literal(ScalarValue::UInt32(Some(declared.oid())), &PgType::Regtype));
    }
    if let Some(function) = call.func.inner().downcast_ref::<PgFunction>() {
        let (mut args, mut types) = (call.args, types);
        if call.func.name().ends_with(" any") || call.func.name().ends_with(" all") {
            char_as_text(&mut args, &mut types, session)?;
        }
        return call_resolved(function, args, &types);
    }
    if let Some(cast) = meaning::<CastCall>(&call.func) {
        return Ok(cast.resolve(call.func.name(), call.args.clone(), &types, session)?);
    }
    if let Some(made) = meaning::<MadeFunctions>(&call.func) {
        return Ok(made.resolve(call.args.clone(), &types)?);
    }
    if call.func.name() == "pg_sleep" {
        let args = call.args.into_iter().map(|arg| convert(arg, &PgType::Float8, schema, session));
        let args = args.collect::<DfResult<Vec<_>>>()?;
        return Ok(Expr::ScalarFunction(ScalarFunction::new_udf(call.func, args)));
    }
    // `x = ANY (array)` reaches us as array_has(array, x).
    if call.func.name() == "array_has"
        && let Some(function) = registry().operator("= any", session)
    {
        let (mut args, mut types) = (call.args, types);
        args.reverse();
        types.reverse();
        char_as_text(&mut args, &mut types, session)?;
        return call_resolved(&function, args, &types);
    }
    // DataFusion's own functions of several like arguments.
    if matches!(call.func.name(), "coalesce" | "nullif" | "nvl") {
        let ScalarFunction { func, args } = call;
        let args: Vec<Expr> = args.into_iter().map(typed_number).collect();
        let types = args.iter().map(|arg| expr_type(arg, schema)).collect::<DfResult<Vec<_>>>()?;
        let Some(common) = common_type(&types) else {
            let first = types.iter().find(|ty| **ty != PgType::Unknown).unwrap_or(&PgType::Unknown);
            let other =
                types.iter().find(|ty| common_type([first, *ty]).is_none()).unwrap_or(first);
            let name = func.name().to_uppercase();
            let message = format!(
                "{name} types {} and {} cannot be matched",
                first.without_modifier(),
                other.without_modifier()
            );
            return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message).into());
        };
        let args = args
            .into_iter()
            .map(|arg| convert(arg, &common, schema, session))
            .collect::<DfResult<Vec<_>>>()?;
        let func = settled(func.name()).unwrap_or(func);
        return Ok(marked(Expr::ScalarFunction(ScalarFunction::new_udf(func, args)), &common));
    }
    Ok(Expr::ScalarFunction(call))
}

fn is_void(arg: &Expr, ty: &PgType) -> bool {
    *ty == PgType::Void && matches!(arg, Expr::Placeholder(_))
}

/// A call without its parameters of type void, as clients pass them that call every function with its OUT arguments.
fn without_void(
    call: ScalarFunction,
    types: &[PgType],
    schema: &DFSchema,
    session: &SessionRef,
) -> DfResult<Expr> {
    let ScalarFunction { func, args } = call;
    let (void, args): (Vec<_>, Vec<_>) =
        args.into_iter().zip(types).partition(|(arg, ty)| is_void(arg, ty));
    let args = args.into_iter().map(|(arg, _)| arg).collect();
    let mut value = resolve_call(ScalarFunction::new_udf(func, args), schema, session)?;
    let beside = registry().own("value beside", session)?;
    for (parameter, _) in void {
        let types = [expr_type(&value, schema)?, PgType::Void];
        value = call_resolved(&beside, vec![value, parameter], &types)?;
    }
    Ok(value)
}

/// An expression of DataFusion's own, which keeps Arrow's type alone, under a type that Arrow's does not tell.
fn marked(expr: Expr, ty: &PgType) -> Expr {
    let field = ty.field("cast", true);
    if field.metadata().is_empty() || *ty == PgType::Unknown {
        return expr;
    }
    Expr::Cast(Cast::new_from_field(Box::new(expr), Arc::new(field)))
}

/// `"char" = ANY (varchar[])` compares text, as `"char" = varchar` does.
fn char_as_text(args: &mut [Expr], types: &mut [PgType], session: &SessionRef) -> DfResult<()> {
    if let [first @ PgType::InternalChar, PgType::Array(element)] = types
        && matches!(element.as_ref(), PgType::Text | PgType::Varchar(_) | PgType::Name)
        && let Some(arg) = args.first_mut()
    {
        *arg = plan_cast(arg.clone(), first, &PgType::Text, true, session)?;
        *first = PgType::Text;
    }
    Ok(())
}

fn resolve_cast(cast: Cast, schema: &DFSchema, session: &SessionRef) -> DfResult<Expr> {
    let from = expr_type(&cast.expr, schema)?;
    let mut to = PgType::declared(&cast.field);
    // An array's storage says of how many dimensions it was written.
    let written = crate::functions::cast::depth(cast.field.data_type());
    for _ in crate::functions::cast::depth(&to.arrow())..written {
        to = PgType::array_of(to);
    }
    Ok(plan_cast(*cast.expr, &from, &to, true, session)?)
}

fn resolve_binary(binary: BinaryExpr, schema: &DFSchema, session: &SessionRef) -> DfResult<Expr> {
    let BinaryExpr { left, op, right } = binary;
    let (left, right) = match op {
        Operator::And | Operator::Or => (
            logical_operand(*left, op, schema, session)?,
            logical_operand(*right, op, schema, session)?,
        ),
        Operator::Eq
        | Operator::NotEq
        | Operator::Lt
        | Operator::LtEq
        | Operator::Gt
        | Operator::GtEq
        | Operator::IsDistinctFrom
        | Operator::IsNotDistinctFrom => coerce_comparison(op, *left, *right, schema, session)?,
        _ => (*left, *right),
    };
    Ok(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right))))
}

fn logical_operand(
    expr: Expr,
    op: Operator,
    schema: &DFSchema,
    session: &SessionRef,
) -> DfResult<Expr> {
    match expr_type(&expr, schema)? {
        PgType::Bool => Ok(expr),
        PgType::Unknown => convert(expr, &PgType::Bool, schema, session),
        other => Err(PgError::new(
            SqlState::DATATYPE_MISMATCH,
            format!("argument of {op} must be type boolean, not type {}", other.without_modifier()),
        )
        .into()),
    }
}

/// Several values that are compared with one another.
fn compare_all(
    mut exprs: Vec<Expr>,
    schema: &DFSchema,
    session: &SessionRef,
) -> DfResult<Vec<Expr>> {
    exprs = exprs.into_iter().map(typed_number).collect();
    let types = exprs.iter().map(|expr| expr_type(expr, schema)).collect::<DfResult<Vec<_>>>()?;
    let plain: Vec<PgType> = types
        .iter()
        .map(|ty| match ty {
            PgType::Bpchar(_) | PgType::Varchar(_) => PgType::Text,
            ty => ty.clone(),
        })
        .collect();
    let Some(common) = common_type(&plain) else {
        let first = types.first().unwrap_or(&PgType::Unknown);
        let other = types.iter().find(|ty| common_type([first, *ty]).is_none()).unwrap_or(first);
        let operands = [first.clone(), other.clone()];
        return Err(crate::functions::overload::operator_error(
            "=",
            &operands,
            crate::functions::overload::NoChoice::None,
        )
        .into());
    };
    exprs.into_iter().map(|expr| convert(expr, &common, schema, session)).collect()
}

fn resolve_between(between: Between, schema: &DFSchema, session: &SessionRef) -> DfResult<Expr> {
    let Between { expr, negated, low, high } = between;
    let mut parts = compare_all(vec![*expr, *low, *high], schema, session)?.into_iter();
    match (parts.next(), parts.next(), parts.next()) {
        (Some(expr), Some(low), Some(high)) => {
            Ok(Expr::Between(Between::new(Box::new(expr), negated, Box::new(low), Box::new(high))))
        }
        _ => Err(PgError::internal("BETWEEN lost an operand").into()),
    }
}

fn resolve_in_list(list: InList, schema: &DFSchema, session: &SessionRef) -> DfResult<Expr> {
    let InList { expr, list, negated } = list;
    let all = std::iter::once(*expr).chain(list).collect();
    let mut all = compare_all(all, schema, session)?.into_iter();
    match all.next() {
        Some(expr) => Ok(Expr::InList(InList::new(Box::new(expr), all.collect(), negated))),
        None => Err(PgError::internal("IN lost its operand").into()),
    }
}

fn resolve_in_subquery(
    inner: InSubquery,
    schema: &DFSchema,
    session: &SessionRef,
) -> DfResult<Expr> {
    let InSubquery { expr, subquery, negated } = inner;
    let expr = match subquery.subquery.schema().fields().first() {
        Some(field) => {
            let (from, to) = (expr_type(&expr, schema)?, PgType::from_field(field));
            match from {
                PgType::Unknown => plan_coercion(*expr, &from, &to, session)?,
                from if !comparable(&from, &to) => {
                    return Err(operator_error("=", &[from, to], NoChoice::None).into());
                }
                _ => *expr,
            }
        }
        None => *expr,
    };
    Ok(Expr::InSubquery(InSubquery::new(Box::new(expr), subquery, negated)))
}

fn resolve_like(like: Like, schema: &DFSchema, session: &SessionRef) -> DfResult<Like> {
    let Like { negated, expr, pattern, escape_char, case_insensitive } = like;
    let types = [expr_type(&expr, schema)?, expr_type(&pattern, schema)?];
    if types.iter().any(|ty| !crate::functions::cast::is_string(ty)) {
        let name = match (negated, case_insensitive) {
            (false, false) => "~~",
            (true, false) => "!~~",
            (false, true) => "~~*",
            (true, true) => "!~~*",
        };
        return Err(operator_error(name, &types, NoChoice::None).into());
    }
    let text = |expr: Expr, ty: &PgType| match ty {
        PgType::Unknown => plan_coercion(expr, ty, &PgType::Text, session),
        _ => Ok(expr),
    };
    let [left, right] = types;
    let (expr, mut pattern) = (text(*expr, &left)?, text(*pattern, &right)?);
    if let Some(escape) = escape_char.filter(|escape| *escape != '\\') {
        let escape = typed_literal(ScalarValue::Utf8View(Some(escape.to_string())), &PgType::Text);
        let function = registry().own("like_escape", session)?;
        pattern = call_resolved(&function, vec![pattern, escape], &[PgType::Text, PgType::Text])?;
    }
    let escape_char = None;
    Ok(Like::new(negated, Box::new(expr), Box::new(pattern), escape_char, case_insensitive))
}

/// `SIMILAR TO` is a regular expression in other letters.
fn resolve_similar(like: Like, schema: &DFSchema, session: &SessionRef) -> DfResult<Expr> {
    let escape = like.escape_char.map_or_else(|| "\\".to_owned(), String::from);
    let escape = typed_literal(ScalarValue::Utf8View(Some(escape)), &PgType::Text);
    let function = registry()
        .scalar("similar_to_escape", session)
        .ok_or_else(|| PgError::internal("similar_to_escape is missing"))?;
    let pattern =
        Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![*like.pattern, escape]));
    let pattern = resolve_one(pattern, schema, session)?;
    let matches = call_operator("~", vec![*like.expr, pattern], schema, session)?;
    Ok(if like.negated { Expr::Not(Box::new(matches)) } else { matches })
}

fn resolve_case(case: Case, schema: &DFSchema, session: &SessionRef) -> DfResult<Expr> {
    let Case { expr, when_then_expr, else_expr } = case;
    let (whens, thens): (Vec<_>, Vec<_>) = when_then_expr.into_iter().unzip();
    let branches: Vec<Expr> = thens
        .into_iter()
        .chain(else_expr.iter().cloned())
        .map(|branch| typed_number(*branch))
        .collect();
    let types =
        branches.iter().map(|branch| expr_type(branch, schema)).collect::<DfResult<Vec<_>>>()?;
    let Some(common) = common_type(&types) else {
        let first = types.iter().find(|ty| **ty != PgType::Unknown).unwrap_or(&PgType::Unknown);
        let other = types.iter().find(|ty| common_type([first, *ty]).is_none()).unwrap_or(first);
        let message = format!(
            "CASE types {} and {} cannot be matched",
            first.without_modifier(),
            other.without_modifier()
        );
        return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message).into());
    };
    let mut branches = branches
        .into_iter()
        .map(|branch| convert(branch, &common, schema, session).map(Box::new))
        .collect::<DfResult<Vec<_>>>()?;
    let otherwise = if else_expr.is_some() { branches.pop() } else { None };
    let mut whens: Vec<Expr> = whens.into_iter().map(|when| *when).collect();
    let operand = match expr {
        None => {
            whens = whens
                .into_iter()
                .map(|when| condition(when, "CASE/WHEN", schema, session))
                .collect::<DfResult<Vec<_>>>()?;
            None
        }
        Some(operand) => {
            let all = std::iter::once(*operand).chain(whens).collect();
            let mut all = compare_all(all, schema, session)?;
            whens = all.split_off(1);
            all.pop().map(Box::new)
        }
    };
    let when_then = whens.into_iter().map(Box::new).zip(branches).collect();
    Ok(marked(Expr::Case(Case::new(operand, when_then, otherwise)), &common))
}

/// Arguments of an aggregate that are literals are text; parameters of the well-known ones get a type.
fn resolve_aggregate(
    call: AggregateFunction,
    schema: &DFSchema,
    session: &SessionRef,
) -> DfResult<Expr> {
    let AggregateFunction { func, mut params } = call;
    outer_aggregate::refuse(&params, schema)?;
    params.args = params
        .args
        .into_iter()
        .map(|arg| match expr_type(&arg, schema)? {
            PgType::Unknown => convert(arg, &PgType::Text, schema, session),
            _ => Ok(arg),
        })
        .collect::<DfResult<_>>()?;
    Ok(Expr::AggregateFunction(AggregateFunction { func, params }))
}

/// Window functions read their offsets and bucket counts from int8 literals.
fn plain_offsets(mut window: WindowFunction) -> WindowFunction {
    if matches!(window.fun, WindowFunctionDefinition::WindowUDF(_)) {
        let skip = usize::from(window.params.args.len() > 1);
        for arg in window.params.args.iter_mut().skip(skip) {
            if let Expr::Literal(ScalarValue::Int32(Some(value)), _) = arg {
                *arg = Expr::Literal(ScalarValue::Int64(Some((*value).into())), None);
            }
        }
    }
    window
}

/// The types of a query's columns as UNION sees them: literals of its select list are unknown.
fn union_types(plan: &LogicalPlan) -> Vec<PgType> {
    let literal = |index: usize| {
        let LogicalPlan::Projection(projection) = plan else { return false };
        let expr = projection.expr.get(index).map(|expr| expr.clone().unalias());
        match expr {
            Some(Expr::Literal(value, None)) => value.is_null() || value.try_as_str().is_some(),
            _ => false,
        }
    };
    let fields = plan.schema().fields().iter().enumerate();
    fields
        .map(
            |(index, field)| {
                if literal(index) { PgType::Unknown } else { PgType::from_field(field) }
            },
        )
        .collect()
}

fn resolve_union(union: Union, session: &SessionRef) -> DfResult<LogicalPlan> {
    let types: Vec<Vec<PgType>> = union.inputs.iter().map(|input| union_types(input)).collect();
    let width = types.first().map_or(0, Vec::len);
    if types.iter().any(|row| row.len() != width) {
        let message = "each UNION query must have the same number of columns";
        return Err(PgError::new(SqlState::SYNTAX_ERROR, message).into());
    }
    let mut common = Vec::with_capacity(width);
    for column in 0..width {
        let all: Vec<PgType> = types.iter().filter_map(|row| row.get(column)).cloned().collect();
        let Some(ty) = common_type(&all) else {
            let first = all.iter().find(|ty| **ty != PgType::Unknown).unwrap_or(&PgType::Unknown);
            let other = all.iter().find(|ty| common_type([first, *ty]).is_none()).unwrap_or(first);
            let message = format!(
                "UNION types {} and {} cannot be matched",
                first.without_modifier(),
                other.without_modifier()
            );
            return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message).into());
        };
        common.push(ty);
    }
    let inputs = union.inputs.iter().zip(&types).map(|(input, types)| {
        if *types == common {
            return Ok(Arc::clone(input));
        }
        let exprs = input.schema().iter().zip(types).zip(&common).map(|((named, from), to)| {
            // A literal that was unknown is stored as text by now; NULL has no type at all yet.
            let is_text = *from == PgType::Unknown && !named.1.data_type().is_null();
            let from = if is_text { &PgType::Text } else { from };
            let column = Expr::from(named);
            Ok(plan_coercion(column, from, to, session)?
                .alias_qualified(named.0.cloned(), named.1.name()))
        });
        let exprs = exprs.collect::<DfResult<Vec<_>>>()?;
        Ok(Arc::new(LogicalPlan::Projection(Projection::try_new(exprs, Arc::clone(input))?)))
    });
    let inputs = inputs.collect::<DfResult<Vec<_>>>()?;
    Ok(LogicalPlan::Union(Union::try_new(inputs)?))
}

fn resolve_values(values: Values, session: &SessionRef) -> DfResult<LogicalPlan> {
    let empty = DFSchema::empty();
    let Values { schema, values } = values;
    let mut rows = values
        .into_iter()
        .map(|row| row.into_iter().map(|expr| resolve_expr(expr, &empty, session)).collect())
        .collect::<DfResult<Vec<Vec<Expr>>>>()?;
    let width = schema.fields().len();
    let mut fields = Vec::with_capacity(width);
    for (column, (qualifier, field)) in schema.iter().enumerate() {
        let types = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|expr| expr_type(expr, &empty))
            .collect::<DfResult<Vec<_>>>()?;
        let Some(common) = common_type(&types) else {
            let first = types.first().unwrap_or(&PgType::Unknown);
            let other =
                types.iter().find(|ty| common_type([first, *ty]).is_none()).unwrap_or(first);
            let message = format!(
                "VALUES types {} and {} cannot be matched",
                first.without_modifier(),
                other.without_modifier()
            );
            return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message).into());
        };
        for row in &mut rows {
            if let Some(slot) = row.get_mut(column) {
                let expr = std::mem::take(slot);
                let from = expr_type(&expr, &empty)?;
                *slot = plan_coercion(expr, &from, &common, session)?;
            }
        }
        let mut stored = common.field(field.name(), true);
        // Arrays have the dimensions that their values have.
        let depth = |ty: &arrow::datatypes::DataType| crate::functions::cast::depth(ty);
        for row in &rows {
            if let Some(Ok(ty)) = row.get(column).map(|expr| expr.get_type(&empty))
                && depth(&ty) > depth(stored.data_type())
                && matches!(common, PgType::Array(_))
            {
                stored = stored.with_data_type(ty);
            }
        }
        fields.push((qualifier.cloned(), Arc::new(stored)));
    }
    let schema = DFSchema::new_with_metadata(fields, schema.metadata().clone())?;
    Ok(LogicalPlan::Values(Values { schema: Arc::new(schema), values: rows }))
}
