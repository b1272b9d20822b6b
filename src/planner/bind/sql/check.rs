//! What PostgreSQL refuses in a query and DataFusion's planner does not notice, and forms it reads otherwise.

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, Distinct, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    Ident, LimitClause, ObjectNamePart, OrderByKind, Query, Select, SelectItem, SetExpr,
    SetOperator, TableFactor, UnaryOperator, Value, Visit, VisitMut, Visitor, VisitorMut,
};

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use super::names::{fold, offset_of};
use crate::error::{PgError, SqlState};
use crate::functions::registry::registry;

/// Checks a query and puts forms in PostgreSQL's reading. Runs before any other pass.
///
/// # Errors
/// The SQLSTATE PostgreSQL has for it.
pub(super) fn check(tree: &mut impl VisitMut) -> Result<(), PgError> {
    match tree.visit(&mut Checks) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Checks;

impl VisitorMut for Checks {
    type Break = PgError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<PgError> {
        flow(
            check_limits(query).and_then(|()| check_names(query)).and_then(|()| check_order(query)),
        )
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<PgError> {
        flow(check_select(select))
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<PgError> {
        if let Expr::UnaryOp { op: UnaryOperator::Minus, .. } = expr {
            bind_minus(expr);
        }
        if let Some(compared) = compare_rows(expr) {
            *expr = compared;
        }
        match expr {
            Expr::Function(function) => flow(check_function(function)),
            Expr::Subquery(query) | Expr::InSubquery { subquery: query, .. } => {
                flow(check_columns(query))
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

fn flow(result: Result<(), PgError>) -> ControlFlow<PgError> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    }
}

fn value_of(expr: &Expr) -> Option<&Value> {
    match expr {
        Expr::Value(value) => Some(&value.value),
        Expr::Nested(inner) => value_of(inner),
        _ => None,
    }
}

fn check_limits(query: &Query) -> Result<(), PgError> {
    let Some(LimitClause::LimitOffset { limit, offset, .. }) = &query.limit_clause else {
        return Ok(());
    };
    let negative = |expr: &Expr| {
        matches!(expr, Expr::UnaryOp { op: UnaryOperator::Minus, expr }
            if matches!(value_of(expr), Some(Value::Number(number, _)) if number != "0"))
    };
    if limit.as_ref().is_some_and(negative) {
        let code = SqlState::INVALID_ROW_COUNT_IN_LIMIT_CLAUSE;
        return Err(PgError::new(code, "LIMIT must not be negative"));
    }
    if offset.as_ref().is_some_and(|offset| negative(&offset.value)) {
        let code = SqlState::INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE;
        return Err(PgError::new(code, "OFFSET must not be negative"));
    }
    for expr in limit.iter().chain(offset.as_ref().map(|offset| &offset.value)) {
        if let Some(Value::SingleQuotedString(text)) = value_of(expr)
            && text.trim().parse::<i64>().is_err()
        {
            let message = format!("invalid input syntax for type bigint: \"{text}\"");
            return Err(PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, message));
        }
    }
    Ok(())
}

fn check_names(query: &Query) -> Result<(), PgError> {
    let Some(with) = &query.with else { return Ok(()) };
    let mut names: Vec<String> = Vec::new();
    for table in &with.cte_tables {
        let name = fold(&table.alias.name);
        if names.contains(&name) {
            let message = format!("WITH query name \"{name}\" specified more than once");
            let error = PgError::new(SqlState::DUPLICATE_ALIAS, message);
            return Err(error.or_at(offset_of(table.alias.name.span)));
        }
        if with.recursive
            && !matches!(
                table.query.body.as_ref(),
                SetExpr::SetOperation { op: SetOperator::Union, .. }
            )
            && reads(&table.query, &name)
        {
            let message = format!(
                "recursive query \"{name}\" does not have the form non-recursive-term UNION [ALL] recursive-term"
            );
            let error = PgError::new(SqlState("42P19"), message);
            return Err(error.or_at(offset_of(table.alias.name.span)));
        }
        names.push(name);
    }
    Ok(())
}

/// Whether a query names a table, in FROM.
fn reads(query: &Query, name: &str) -> bool {
    struct Finder<'a>(&'a str);
    impl Visitor for Finder<'_> {
        type Break = ();

        fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
            match factor {
                TableFactor::Table { name, args: None, .. } => match name.0.as_slice() {
                    [part] if part.as_ident().map(fold).as_deref() == Some(self.0) => {
                        ControlFlow::Break(())
                    }
                    _ => ControlFlow::Continue(()),
                },
                _ => ControlFlow::Continue(()),
            }
        }
    }
    query.visit(&mut Finder(name)).is_break()
}

fn expression_of(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    }
}

fn check_order(query: &Query) -> Result<(), PgError> {
    let SetExpr::Select(select) = query.body.as_ref() else { return Ok(()) };
    let Some(OrderByKind::Expressions(keys)) = query.order_by.as_ref().map(|order| &order.kind)
    else {
        return Ok(());
    };
    if select.projection.iter().any(|item| expression_of(item).is_none()) {
        return Ok(());
    }
    let distinct = matches!(select.distinct, Some(Distinct::Distinct));
    for key in keys {
        if let Some(Value::Number(number, _)) = value_of(&key.expr) {
            let inside =
                number.parse::<usize>().is_ok_and(|at| (1..=select.projection.len()).contains(&at));
            if !inside {
                let message = format!("ORDER BY position {number} is not in select list");
                return Err(PgError::new(SqlState::INVALID_COLUMN_REFERENCE, message));
            }
        } else if distinct && !select.projection.iter().any(|item| gives(item, &key.expr)) {
            return Err(PgError::new(
                SqlState::INVALID_COLUMN_REFERENCE,
                "for SELECT DISTINCT, ORDER BY expressions must appear in select list",
            ));
        }
    }
    Ok(())
}

/// Whether an item of a SELECT list is what an ORDER BY key names.
fn gives(item: &SelectItem, key: &Expr) -> bool {
    let last = |expr: &Expr| match expr {
        Expr::Identifier(name) => Some(fold(name)),
        Expr::CompoundIdentifier(parts) => parts.last().map(fold),
        _ => None,
    };
    let same = |expr: &Expr| {
        expr == key
            || expr.to_string().eq_ignore_ascii_case(&key.to_string())
            || (last(key).is_some() && last(expr) == last(key))
    };
    match item {
        SelectItem::ExprWithAlias { expr, alias } => {
            same(expr) || matches!(key, Expr::Identifier(name) if fold(name) == fold(alias))
        }
        SelectItem::UnnamedExpr(expr) => {
            same(expr)
                || matches!(key, Expr::Identifier(name) if fold(name) == super::names::column_name(expr))
        }
        _ => true,
    }
}

fn check_select(select: &Select) -> Result<(), PgError> {
    if select.selection.as_ref().is_some_and(has_window) {
        return Err(PgError::new(
            SqlState::WINDOWING_ERROR,
            "window functions are not allowed in WHERE",
        ));
    }
    for item in &select.projection {
        if let Some(Expr::Array(array)) = expression_of(item)
            && array.elem.is_empty()
        {
            return Err(PgError::new(
                SqlState::INDETERMINATE_DATATYPE,
                "cannot determine type of empty array",
            )
            .hint("Explicitly cast to the desired type, for example ARRAY[]::integer[]."));
        }
    }
    Ok(())
}

/// A subquery that is a value, or compared with one, has columns.
fn check_columns(query: &Query) -> Result<(), PgError> {
    let mut body = query.body.as_ref();
    loop {
        body = match body {
            SetExpr::Query(query) => query.body.as_ref(),
            SetExpr::SetOperation { left, .. } => left.as_ref(),
            SetExpr::Select(select) if select.projection.is_empty() => {
                let message = "subquery must return only one column";
                return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
            }
            _ => return Ok(()),
        };
    }
}

fn name_of(function: &Function) -> Option<String> {
    function.name.0.last().and_then(ObjectNamePart::as_ident).map(fold)
}

fn check_function(function: &Function) -> Result<(), PgError> {
    let Some(name) = name_of(function) else { return Ok(()) };
    let place = function.name.0.first().and_then(ObjectNamePart::as_ident);
    let place = place.and_then(|ident| offset_of(ident.span));
    if function.over.is_some() {
        return Ok(());
    }
    let is_aggregate = registry().aggregate(&name).is_some();
    if !is_aggregate && function.within_group.is_empty() && is_window_only(&name) {
        let message = format!("window function {name} requires an OVER clause");
        return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message).or_at(place));
    }
    if is_aggregate && arguments(function).any(has_aggregate) {
        let message = "aggregate function calls cannot be nested";
        return Err(PgError::new(SqlState::GROUPING_ERROR, message).or_at(place));
    }
    Ok(())
}

fn is_window_only(name: &str) -> bool {
    matches!(
        name,
        "row_number"
            | "rank"
            | "dense_rank"
            | "percent_rank"
            | "cume_dist"
            | "ntile"
            | "lag"
            | "lead"
            | "first_value"
            | "last_value"
            | "nth_value"
    )
}

fn arguments(function: &Function) -> impl Iterator<Item = &Expr> {
    let list = match &function.args {
        FunctionArguments::List(list) => list.args.as_slice(),
        _ => &[],
    };
    list.iter().filter_map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
        | FunctionArg::Named { arg: FunctionArgExpr::Expr(expr), .. } => Some(expr),
        _ => None,
    })
}

fn has_window(expr: &Expr) -> bool {
    find(expr, &|function| function.over.is_some())
}

fn has_aggregate(expr: &Expr) -> bool {
    find(expr, &|function| {
        function.over.is_none()
            && name_of(function).is_some_and(|name| registry().aggregate(&name).is_some())
    })
}

/// Whether an expression calls such a function, outside its own subqueries.
fn find(expr: &Expr, wanted: &dyn Fn(&Function) -> bool) -> bool {
    struct Finder<'a> {
        queries: usize,
        wanted: &'a dyn Fn(&Function) -> bool,
    }
    impl Visitor for Finder<'_> {
        type Break = ();

        fn pre_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
            self.queries += 1;
            ControlFlow::Continue(())
        }

        fn post_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
            self.queries -= 1;
            ControlFlow::Continue(())
        }

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Function(function) if self.queries == 0 && (self.wanted)(function) => {
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    expr.visit(&mut Finder { queries: 0, wanted }).is_break()
}

/// `-2 ^ 2` is `(-2) ^ 2`: a sign binds tighter than any operator.
fn bind_minus(expr: &mut Expr) {
    let Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner } = expr else { return };
    if !matches!(inner.as_ref(), Expr::BinaryOp { op: BinaryOperator::PGExp, .. }) {
        return;
    }
    let mut power = std::mem::replace(inner.as_mut(), Expr::value(Value::Null));
    let mut base = &mut power;
    while let Expr::BinaryOp { left, op: BinaryOperator::PGExp, .. } = base {
        base = left.as_mut();
    }
    let signed = std::mem::replace(base, Expr::value(Value::Null));
    *base = Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(signed) };
    *expr = power;
}

fn row(expr: &Expr) -> Option<&[Expr]> {
    match expr {
        Expr::Tuple(values) => Some(values),
        _ => None,
    }
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    let op = Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) };
    Expr::Nested(Box::new(op))
}

fn all(exprs: impl IntoIterator<Item = Expr>, op: &BinaryOperator) -> Option<Expr> {
    exprs.into_iter().reduce(|left, right| binary(left, op.clone(), right))
}

fn equal(left: &[Expr], right: &[Expr]) -> Option<Expr> {
    if left.len() != right.len() {
        return None;
    }
    let pairs = left.iter().zip(right);
    let pairs = pairs.map(|(l, r)| binary(l.clone(), BinaryOperator::Eq, r.clone()));
    all(pairs, &BinaryOperator::And)
}

/// Comparisons of rows, value by value, the first that differs deciding.
fn compare_rows(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::BinaryOp { left, op, right } => {
            let (left, right) = (row(left)?, row(right)?);
            if left.len() != right.len() {
                return None;
            }
            match op {
                BinaryOperator::Eq => equal(left, right),
                BinaryOperator::NotEq => {
                    let pairs = left.iter().zip(right);
                    let pairs =
                        pairs.map(|(l, r)| binary(l.clone(), BinaryOperator::NotEq, r.clone()));
                    all(pairs, &BinaryOperator::Or)
                }
                BinaryOperator::Lt | BinaryOperator::LtEq => {
                    in_order(left, right, op, &BinaryOperator::Lt)
                }
                BinaryOperator::Gt | BinaryOperator::GtEq => {
                    in_order(left, right, op, &BinaryOperator::Gt)
                }
                _ => None,
            }
        }
        Expr::InList { expr, list, negated } => {
            let left = row(expr)?;
            let rows =
                list.iter().map(|item| equal(left, row(item)?)).collect::<Option<Vec<_>>>()?;
            let any = all(rows, &BinaryOperator::Or)?;
            Some(negate(any, *negated))
        }
        Expr::InSubquery { expr, subquery, negated } => {
            let left = row(expr)?;
            Some(negate(in_rows(left, subquery)?, *negated))
        }
        _ => None,
    }
}

fn negate(expr: Expr, negated: bool) -> Expr {
    if !negated {
        return expr;
    }
    Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(Expr::Nested(Box::new(expr))) }
}

fn in_order(
    left: &[Expr],
    right: &[Expr],
    last: &BinaryOperator,
    strict: &BinaryOperator,
) -> Option<Expr> {
    let ([l, left @ ..], [r, right @ ..]) = (left, right) else { return None };
    if left.is_empty() {
        return Some(binary(l.clone(), last.clone(), r.clone()));
    }
    let before = binary(l.clone(), strict.clone(), r.clone());
    let same = binary(l.clone(), BinaryOperator::Eq, r.clone());
    let rest = in_order(left, right, last, strict)?;
    Some(binary(before, BinaryOperator::Or, binary(same, BinaryOperator::And, rest)))
}

/// `(a, b) IN (SELECT …)`: true if a row is equal, else null if one may be, else false.
fn in_rows(left: &[Expr], subquery: &Query) -> Option<Expr> {
    const TABLE: &str = "graphwire.row";
    let names: Vec<Ident> =
        (1..=left.len()).map(|at| Ident::with_quote('"', format!("graphwire.{at}"))).collect();
    let columns: Vec<Expr> = names
        .iter()
        .map(|name| Expr::CompoundIdentifier(vec![Ident::with_quote('"', TABLE), name.clone()]))
        .collect();
    let same = equal(left, &columns)?;
    let any = |condition: Expr| super::rewrite::call("bool_or", vec![condition]);
    let found = any(Expr::IsTrue(Box::new(same.clone())));
    let perhaps = any(Expr::IsUnknown(Box::new(same)));
    let listed: Vec<String> = names.iter().map(ToString::to_string).collect();
    let text = format!("SELECT 1 FROM (SELECT 1) AS \"{TABLE}\" ({})", listed.join(", "));
    let mut query =
        Parser::new(&PostgreSqlDialect {}).try_with_sql(&text).ok()?.parse_query().ok()?;
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    select.projection = vec![SelectItem::UnnamedExpr(case(found, perhaps))];
    if let Some(TableFactor::Derived { subquery: rows, .. }) =
        select.from.first_mut().map(|table| &mut table.relation)
    {
        **rows = subquery.clone();
    }
    Some(Expr::Subquery(query))
}

fn case(found: Expr, perhaps: Expr) -> Expr {
    use sqlparser::ast::CaseWhen;
    use sqlparser::ast::helpers::attached_token::AttachedToken;
    let when = |condition, result| CaseWhen { condition, result };
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![
            when(found, Expr::value(Value::Boolean(true))),
            when(perhaps, Expr::value(Value::Null)),
        ],
        else_result: Some(Box::new(Expr::value(Value::Boolean(false)))),
    }
}
