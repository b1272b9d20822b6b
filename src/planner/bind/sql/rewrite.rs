//! The pass over the syntax tree before DataFusion's planner sees it.
//!
//! It names unnamed columns as PostgreSQL does, turns PostgreSQL forms that DataFusion has under another name into
//! that, and refuses what would otherwise be silently dropped.

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, DateTimeField, Expr, Fetch, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, LimitClause, ObjectName, ObjectNamePart, Query,
    Select, SelectItem, SetExpr, TableFactor, Value, VisitMut, VisitorMut,
};

use super::names::{column_name, fold, unique_name};
use crate::error::{PgError, SqlState};
use crate::functions::array_or_empty::ARRAY_OR_EMPTY;
use crate::functions::registry::registry;
use crate::functions::syntax::desugar;
use crate::planner::bind::context::BindContext;

/// Rewrites a query in place.
///
/// # Errors
/// `0A000` for forms that are not carried out.
pub(super) fn rewrite_query(
    query: &mut Query,
    context: &BindContext,
    plain_names: bool,
) -> Result<(), PgError> {
    super::table_oid::rewrite(query, context);
    super::using::rewrite(query)?;
    super::forms::rewrite(query, context)?;
    super::check::check(query)?;
    finish(query.visit(&mut ArrayQueries { plain_names }))?;
    desugar(query)?;
    super::order_apart::order_apart(query);
    finish(query.visit(&mut Rewriter { plain_names, context }))
}

/// Rewrites a lone expression in place.
///
/// # Errors
/// As [`rewrite_query`].
pub(super) fn rewrite_expression(expr: &mut Expr, context: &BindContext) -> Result<(), PgError> {
    super::forms::rewrite(expr, context)?;
    super::check::check(expr)?;
    finish(expr.visit(&mut ArrayQueries { plain_names: false }))?;
    desugar(expr)?;
    finish(expr.visit(&mut Rewriter { plain_names: false, context }))
}

fn finish(flow: ControlFlow<PgError>) -> Result<(), PgError> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

/// The pass for `ARRAY(SELECT …)`, before the general one makes a derived table of it, which cannot be correlated.
struct ArrayQueries {
    plain_names: bool,
}

impl VisitorMut for ArrayQueries {
    type Break = PgError;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<PgError> {
        name_columns(&mut select.projection, self.plain_names);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<PgError> {
        if let Expr::Function(function) = expr
            && is_array_of_query(function)
            && let Some(rewritten) = array_of_query(function)
        {
            *expr = rewritten;
        }
        ControlFlow::Continue(())
    }
}

struct Rewriter<'a> {
    /// Columns beside a `*` keep their names, see [`name_columns`].
    plain_names: bool,
    context: &'a BindContext,
}

impl VisitorMut for Rewriter<'_> {
    type Break = PgError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<PgError> {
        if let Some(values) = values_mut(query) {
            values.rows.iter_mut().flat_map(|row| &mut row.content).for_each(type_integer);
            type_nulls(values);
        }
        if let SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) =
            query.body.as_ref()
        {
            return ControlFlow::Break(PgError::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "WITH clause containing a data-modifying statement must be at the top level",
            ));
        }
        flow(check_query(query))
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<PgError> {
        flow(check_select(select))?;
        for condition in [&mut select.selection, &mut select.having].into_iter().flatten() {
            type_condition(condition);
        }
        name_columns(&mut select.projection, self.plain_names);
        super::unnest_apart::tell_subqueries_apart(select);
        super::unnest_apart::unnest_apart(select);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<PgError> {
        if let TableFactor::Derived { lateral: true, subquery, .. } = factor
            && let SetExpr::Select(select) = subquery.body.as_mut()
        {
            name_outer_columns(select);
        }
        flow(check_table_factor(factor))
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<PgError> {
        if let Err(error) = rewrite(expr) {
            return ControlFlow::Break(error);
        }
        if let Expr::Function(function) = expr {
            super::frame_bound::plain_bounds(function);
        }
        if let Expr::Function(function) = expr
            && let Some(meaning) = super::behind::meaning(function, self.context)
        {
            *expr = meaning;
        }
        ControlFlow::Continue(())
    }
}

fn flow(result: Result<(), PgError>) -> ControlFlow<PgError> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    }
}

fn refuse(what: &str, hint: &str) -> PgError {
    PgError::unsupported(format!("{what} is not supported"), hint)
}

fn check_query(query: &mut Query) -> Result<(), PgError> {
    let Query {
        with: _,
        body: _,
        order_by: _,
        limit_clause,
        fetch,
        locks,
        for_clause,
        settings,
        format_clause,
        pipe_operators,
    } = query;
    if !locks.is_empty() {
        return Err(refuse("row locking in this place", "Lock the rows in a query of their own."));
    }
    if for_clause.is_some()
        || settings.is_some()
        || format_clause.is_some()
        || !pipe_operators.is_empty()
    {
        return Err(refuse("this clause", "It is not part of PostgreSQL's SELECT."));
    }
    if let Some(Fetch { with_ties, percent, quantity }) = fetch.take() {
        if with_ties || percent {
            return Err(refuse(
                "FETCH FIRST … WITH TIES or PERCENT",
                "WITH TIES can end a query that is no subquery; elsewhere use rank() in a sub-select.",
            ));
        }
        let count = quantity.unwrap_or_else(|| Expr::value(Value::Number("1".to_owned(), false)));
        let offset = match limit_clause.take() {
            Some(LimitClause::LimitOffset { offset, limit: None, limit_by })
                if limit_by.is_empty() =>
            {
                offset
            }
            None => None,
            Some(_) => {
                return Err(PgError::new(
                    SqlState::SYNTAX_ERROR,
                    "multiple LIMIT clauses not allowed",
                ));
            }
        };
        *limit_clause =
            Some(LimitClause::LimitOffset { limit: Some(count), offset, limit_by: Vec::new() });
    }
    if let Some(LimitClause::LimitOffset { limit, .. }) = limit_clause
        && limit
            .as_ref()
            .is_some_and(|limit| matches!(limit, Expr::Value(value) if value.value == Value::Null))
    {
        *limit = None;
    }
    Ok(())
}

/// Names every clause of a SELECT, so that one DataFusion drops cannot slip through.
fn check_select(select: &Select) -> Result<(), PgError> {
    if select.top.is_some()
        || select.qualify.is_some()
        || select.prewhere.is_some()
        || !select.lateral_views.is_empty()
        || !select.cluster_by.is_empty()
        || !select.distribute_by.is_empty()
        || !select.sort_by.is_empty()
        || !select.connect_by.is_empty()
        || select.value_table_mode.is_some()
    {
        return Err(refuse("this clause", "It is not part of PostgreSQL's SELECT."));
    }
    for join in select.from.iter().flat_map(|table| &table.joins) {
        check_join(join)?;
    }
    if select.into.is_some() {
        return Err(refuse("SELECT INTO", "Use CREATE TABLE … AS SELECT."));
    }
    Ok(())
}

/// A parameter or an untyped literal that is the whole condition is a Boolean.
fn type_condition(condition: &mut Expr) {
    let is_untyped = matches!(condition, Expr::Value(value)
        if matches!(value.value, Value::Placeholder(_) | Value::SingleQuotedString(_)));
    if is_untyped {
        let parameter = std::mem::replace(condition, Expr::value(Value::Null));
        *condition = cast_to(parameter, sqlparser::ast::DataType::Boolean);
    }
}

/// A whole number in VALUES is an integer where it fits, as calls over its column are planned before literals are typed.
fn type_integer(expr: &mut Expr) {
    let digits = match expr {
        Expr::Value(value) => Some(value),
        Expr::UnaryOp { op: sqlparser::ast::UnaryOperator::Minus, expr } => match expr.as_mut() {
            Expr::Value(value) => Some(value),
            _ => None,
        },
        _ => None,
    };
    let fits = digits.is_some_and(
        |value| matches!(&value.value, Value::Number(digits, _) if digits.parse::<i32>().is_ok()),
    );
    if fits {
        let number = std::mem::replace(expr, Expr::value(Value::Null));
        *expr = cast_to(number, sqlparser::ast::DataType::Int4(None));
    }
}

pub(super) fn cast_to(expr: Expr, data_type: sqlparser::ast::DataType) -> Expr {
    Expr::Cast {
        kind: sqlparser::ast::CastKind::DoubleColon,
        expr: Box::new(expr),
        data_type,
        array: false,
        format: None,
    }
}

/// PostgreSQL has no JOIN without a condition but CROSS JOIN.
fn check_join(join: &sqlparser::ast::Join) -> Result<(), PgError> {
    use sqlparser::ast::{JoinConstraint, JoinOperator as Op};
    let conditional = match &join.join_operator {
        Op::Join(on)
        | Op::Inner(on)
        | Op::Left(on)
        | Op::LeftOuter(on)
        | Op::Right(on)
        | Op::RightOuter(on)
        | Op::FullOuter(on) => on,
        _ => return Ok(()),
    };
    if matches!(conditional, JoinConstraint::None) {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "a JOIN needs ON, USING or NATURAL")
            .hint("Write CROSS JOIN for every combination of rows."));
    }
    Ok(())
}

fn check_table_factor(factor: &mut TableFactor) -> Result<(), PgError> {
    match factor {
        TableFactor::Table {
            name,
            alias: _,
            args,
            with_hints,
            version,
            with_ordinality,
            partitions,
            json_path,
            sample,
            index_hints,
        } => {
            if let Some(sample) = sample {
                super::sample::check(sample)?;
            }
            if *with_ordinality {
                return Err(refuse(
                    "WITH ORDINALITY",
                    "Use row_number() over the function's result.",
                ));
            }
            if !with_hints.is_empty()
                || version.is_some()
                || !partitions.is_empty()
                || json_path.is_some()
                || !index_hints.is_empty()
            {
                return Err(refuse("this table modifier", "It is not part of PostgreSQL's FROM."));
            }
            if args.is_some() {
                strip_catalog(name);
            }
            Ok(())
        }
        TableFactor::Derived { sample: None, .. } | TableFactor::NestedJoin { .. } => Ok(()),
        TableFactor::Function { with_ordinality: false, name, .. } => {
            strip_catalog(name);
            Ok(())
        }
        TableFactor::UNNEST { with_offset: false, with_ordinality: false, .. } => Ok(()),
        _ => Err(refuse("this kind of table reference", "See docs/compat.md.")),
    }
}

/// Gives every unnamed column PostgreSQL's name, made unique where one is there already.
///
/// Beside a `*` a column may have a name that is among those the star stands for, so it is made unique too, unless
/// `plain_names` says that an outer query asks for it by name.
fn name_columns(projection: &mut [SelectItem], plain_names: bool) {
    let wildcard = projection
        .iter()
        .any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
    let mut seen: Vec<String> = Vec::with_capacity(projection.len());
    for (number, item) in projection.iter_mut().enumerate() {
        let name = match item {
            SelectItem::UnnamedExpr(expr) => column_name(expr),
            SelectItem::ExprWithAlias { alias, .. } => fold(alias),
            SelectItem::ExprWithAliases { .. }
            | SelectItem::QualifiedWildcard(..)
            | SelectItem::Wildcard(_) => continue,
        };
        let taken = seen.contains(&name);
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let is_column = matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
                let wildcard = wildcard && !(plain_names && is_column);
                if taken || wildcard || !is_column {
                    let alias =
                        if taken || wildcard { unique_name(&name, number) } else { name.clone() };
                    let expr = std::mem::replace(expr, Expr::value(Value::Null));
                    *item =
                        SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', alias) };
                }
            }
            SelectItem::ExprWithAlias { alias, .. } if taken => {
                *alias = Ident::with_quote('"', unique_name(&name, number));
            }
            _ => {}
        }
        seen.push(name);
    }
}

/// `LATERAL (SELECT t.a …)` of a table outside of it has a column `a`, which DataFusion would name by what it is.
fn name_outer_columns(select: &mut Select) {
    let from = select.from.iter().flat_map(|from| {
        std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation))
    });
    let own: Vec<String> = from
        .filter_map(|table| super::using::name_of(table).map(|(name, _)| fold(&name)))
        .collect();
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr @ Expr::CompoundIdentifier(_)) = item
            && let Expr::CompoundIdentifier(parts) = &*expr
            && let [.., table, _] = parts.as_slice()
            && !own.contains(&fold(table))
        {
            let alias = Ident::with_quote('"', column_name(expr));
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
        }
    }
}

/// Names the columns of a RETURNING list.
pub(super) fn name_returning(items: &mut [SelectItem]) {
    name_columns(items, false);
}

/// Built-in functions are found without the schema they are in; those of `graphwire` have it in front.
fn strip_catalog(name: &mut ObjectName) {
    if let [ObjectNamePart::Identifier(schema), ObjectNamePart::Identifier(function)] =
        name.0.as_slice()
        && fold(schema) == "graphwire"
    {
        let function = Ident::with_quote('"', format!("graphwire_{}", fold(function)));
        name.0 = vec![ObjectNamePart::Identifier(function)];
        return;
    }
    let in_catalog = match name.0.as_slice() {
        [ObjectNamePart::Identifier(schema), _] => {
            matches!(fold(schema).as_str(), "pg_catalog" | "information_schema")
        }
        _ => false,
    };
    if in_catalog {
        name.0.remove(0);
    }
}

fn rewrite(expr: &mut Expr) -> Result<(), PgError> {
    match expr {
        Expr::Function(function) => {
            strip_catalog(&mut function.name);
            if function.over.is_none()
                && function.name.to_string().eq_ignore_ascii_case("string_agg")
            {
                // DataFusion's gives a text of another layout, which UNION would not unite.
                let call = std::mem::replace(expr, Expr::value(Value::Null));
                let layout = Expr::value(Value::SingleQuotedString("Utf8View".to_owned()));
                *expr = self::call("arrow_cast", vec![call, layout]);
            } else if function.over.is_some()
                && let Some(ty) = numbering_type(&function.name)
            {
                // DataFusion numbers rows in an unsigned type, which PostgreSQL does not have.
                let call = std::mem::replace(expr, Expr::value(Value::Null));
                *expr = cast_to(call, ty);
            }
            Ok(())
        }
        Expr::BinaryOp { op: op @ BinaryOperator::PGCustomBinaryOperator(_), .. } => {
            rewrite_operator(op)
        }
        Expr::Collate { expr: inner, collation } => {
            let known = matches!(
                collation
                    .0
                    .last()
                    .and_then(ObjectNamePart::as_ident)
                    .map(|name| name.value.as_str()),
                Some("default" | "C" | "POSIX" | "ucs_basic" | "c" | "posix")
            );
            if !known {
                return Err(PgError::new(
                    SqlState::UNDEFINED_OBJECT,
                    format!("collation {collation} for encoding \"UTF8\" does not exist"),
                )
                .hint("graphwire compares text byte by byte, as collation \"C\" does."));
            }
            let inner = std::mem::replace(inner.as_mut(), Expr::value(Value::Null));
            *expr = Expr::Nested(Box::new(inner));
            Ok(())
        }
        Expr::AtTimeZone { timestamp, time_zone } => {
            let timestamp = std::mem::replace(timestamp.as_mut(), Expr::value(Value::Null));
            let time_zone = std::mem::replace(time_zone.as_mut(), Expr::value(Value::Null));
            *expr = call("timezone", vec![time_zone, timestamp]);
            Ok(())
        }
        Expr::Interval(interval) => rewrite_interval(interval).map(|rewritten| *expr = rewritten),
        _ => Ok(()),
    }
}

/// What a window function that numbers rows gives.
fn numbering_type(name: &ObjectName) -> Option<sqlparser::ast::DataType> {
    match name.0.last().and_then(ObjectNamePart::as_ident).map(fold)?.as_str() {
        "row_number" | "rank" | "dense_rank" => Some(sqlparser::ast::DataType::BigInt(None)),
        "ntile" => Some(sqlparser::ast::DataType::Int4(None)),
        _ => None,
    }
}

fn is_array_of_query(function: &Function) -> bool {
    matches!(function.args, FunctionArguments::Subquery(_))
        && function.name.to_string().eq_ignore_ascii_case("array")
}

/// The only expression of a SELECT list that is no aggregate query already, with the query's ORDER BY and LIMIT.
fn lone_expression(query: &mut Query) -> Option<&mut Expr> {
    if query.with.is_some() || query.limit_clause.is_some() || query.fetch.is_some() {
        return None;
    }
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    let grouped = match &select.group_by {
        sqlparser::ast::GroupByExpr::Expressions(exprs, _) => !exprs.is_empty(),
        sqlparser::ast::GroupByExpr::All(_) => true,
    };
    if grouped || select.having.is_some() || select.distinct.is_some() || select.from.is_empty() {
        return None;
    }
    match select.projection.as_mut_slice() {
        [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }]
            if !aggregates(expr) =>
        {
            Some(expr)
        }
        _ => None,
    }
}

/// Whether an expression calls an aggregate, outside its own subqueries.
pub(super) fn aggregates(expr: &Expr) -> bool {
    use sqlparser::ast::{Visit, Visitor};
    struct Finder {
        queries: usize,
    }
    impl Visitor for Finder {
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
                Expr::Function(function) if self.queries == 0 => {
                    let name = function.name.0.last().and_then(ObjectNamePart::as_ident).map(fold);
                    let aggregate = name.is_some_and(|name| registry().aggregate(&name).is_some());
                    if aggregate || function.over.is_some() {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    }
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    expr.visit(&mut Finder { queries: 0 }).is_break()
}

/// `ARRAY(SELECT …)`: the query's rows aggregated, an empty array for none; `None` for a query that must stay whole.
fn array_of_query(function: &Function) -> Option<Expr> {
    let FunctionArguments::Subquery(query) = &function.args else { return None };
    let mut query = query.clone();
    let order_by = query.order_by.take();
    let expr = lone_expression(&mut query)?;
    let value = std::mem::replace(expr, Expr::value(Value::Null));
    let first = value.clone();
    let mut aggregate = call("array_agg", vec![value]);
    if let (Expr::Function(aggregate), Some(order_by)) = (&mut aggregate, order_by)
        && let (FunctionArguments::List(list), sqlparser::ast::OrderByKind::Expressions(mut keys)) =
            (&mut aggregate.args, order_by.kind)
    {
        // `ORDER BY 1` means the query's only column.
        for key in &mut keys {
            if matches!(&key.expr, Expr::Value(value) if matches!(value.value, Value::Number(..))) {
                key.expr = first.clone();
            }
        }
        list.clauses.push(sqlparser::ast::FunctionArgumentClause::OrderBy(keys));
    }
    *expr = aggregate;
    Some(quoted_call(ARRAY_OR_EMPTY, vec![Expr::Subquery(query)]))
}

/// `OPERATOR(pg_catalog.~)` and the like to the operator itself.
fn rewrite_operator(op: &mut BinaryOperator) -> Result<(), PgError> {
    let BinaryOperator::PGCustomBinaryOperator(parts) = op else { return Ok(()) };
    let symbol = parts.last().map(String::as_str).unwrap_or_default();
    *op = match symbol {
        "=" => BinaryOperator::Eq,
        "<>" | "!=" => BinaryOperator::NotEq,
        "<" => BinaryOperator::Lt,
        "<=" => BinaryOperator::LtEq,
        ">" => BinaryOperator::Gt,
        ">=" => BinaryOperator::GtEq,
        "+" => BinaryOperator::Plus,
        "-" => BinaryOperator::Minus,
        "*" => BinaryOperator::Multiply,
        "/" => BinaryOperator::Divide,
        "%" => BinaryOperator::Modulo,
        "||" => BinaryOperator::StringConcat,
        "~" => BinaryOperator::PGRegexMatch,
        "~*" => BinaryOperator::PGRegexIMatch,
        "!~" => BinaryOperator::PGRegexNotMatch,
        "!~*" => BinaryOperator::PGRegexNotIMatch,
        "~~" => BinaryOperator::PGLikeMatch,
        "~~*" => BinaryOperator::PGILikeMatch,
        "!~~" => BinaryOperator::PGNotLikeMatch,
        "!~~*" => BinaryOperator::PGNotILikeMatch,
        other => {
            return Err(PgError::new(
                SqlState::UNDEFINED_FUNCTION,
                format!("operator does not exist: {other}"),
            ));
        }
    };
    Ok(())
}

/// `INTERVAL '1' DAY` and `INTERVAL '1 day'` to a cast, so that PostgreSQL's interval reader reads it.
fn rewrite_interval(interval: &sqlparser::ast::Interval) -> Result<Expr, PgError> {
    // A number alone is one of the last field; years and months are written as they are read.
    let field = match (&interval.leading_field, &interval.last_field) {
        (Some(DateTimeField::Year), Some(DateTimeField::Month)) => &interval.last_field,
        (_, Some(_)) => &None,
        (first, None) => first,
    };
    if (interval.last_field.is_some() && field.is_none())
        || interval.fractional_seconds_precision.is_some()
    {
        return Err(refuse(
            "an interval literal with a range of fields",
            "Write the units in the literal.",
        ));
    }
    let value = match (&*interval.value, field) {
        (Expr::Value(value), Some(field)) => match &value.value {
            Value::SingleQuotedString(text) if text.trim().parse::<f64>().is_ok() => {
                Expr::value(Value::SingleQuotedString(format!("{text} {field}")))
            }
            _ => (*interval.value).clone(),
        },
        (value, _) => value.clone(),
    };
    Ok(cast_to(value, sqlparser::ast::DataType::Interval { fields: None, precision: None }))
}

/// A call of a function whose name is not an identifier.
pub(super) fn quoted_call(name: &str, arguments: Vec<Expr>) -> Expr {
    let mut expr = call(name, arguments);
    if let Expr::Function(function) = &mut expr {
        function.name = ObjectName::from(vec![Ident::with_quote('"', name)]);
    }
    expr
}

/// A call of a built-in function.
pub(super) fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments
                .into_iter()
                .map(|expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)))
                .collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// Beside values that are cast, NULL has their type: DataFusion takes its own for another than a type of ours.
fn type_nulls(values: &mut sqlparser::ast::Values) {
    let width = values.rows.first().map_or(0, |row| row.content.len());
    for column in 0..width {
        let mut cells = values.rows.iter().filter_map(|row| row.content.get(column));
        let Some(ty) = cells.find_map(|cell| match cell {
            Expr::Cast { data_type, .. } => Some(data_type.clone()),
            _ => None,
        }) else {
            continue;
        };
        let cells = values.rows.iter_mut().filter_map(|row| row.content.get_mut(column));
        for cell in cells {
            if matches!(cell, Expr::Value(value) if value.value == Value::Null) {
                *cell = cast_to(std::mem::replace(cell, Expr::value(Value::Null)), ty.clone());
            }
        }
    }
}

/// Whether a query is VALUES alone, whose rows INSERT may give DEFAULT in.
pub(super) fn values_mut(query: &mut Query) -> Option<&mut sqlparser::ast::Values> {
    match query.body.as_mut() {
        SetExpr::Values(values) => Some(values),
        _ => None,
    }
}
