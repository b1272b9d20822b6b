//! The pass over the syntax tree that gives functions and operators a form DataFusion's planner has.
//!
//! | PostgreSQL | becomes |
//! |---|---|
//! | `~ x`, `|/ x`, `||/ x`, `@ x`, `+ x` | a call by the operator's symbol |
//! | `f(x)` of a set-returning function in a select list | `unnest(f(x))` |
//! | `(f(x)).column` | `unnest(set_column(f(x), 'column'))` |
//! | `(value).field` | `"graphwire.field"(value, 'field')` |
//! | `FROM f(x) [WITH ORDINALITY] a (b, c)` | `LATERAL (SELECT unnest(…) AS …) a (b, c)` |
//! | `ARRAY(SELECT …)` | `(SELECT coalesce(array_agg(…), '{}') FROM (…))` |

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, ObjectNamePart, Query, Select,
    SelectItem, SetExpr, TableAlias, TableFactor, TableWithJoins, UnaryOperator, Value, Values,
    VisitMut, VisitorMut,
};

use crate::error::{PgError, SqlState};
use crate::functions::multirange_rows;
use crate::functions::registry::registry;
use crate::functions::signature::ReturnType;
use crate::types::pg_type::PgType;

/// Rewrites every expression and table function of a statement in place.
///
/// # Errors
/// `0A000` for a form that is not carried out.
pub fn desugar(tree: &mut impl VisitMut) -> Result<(), PgError> {
    match tree.visit(&mut Desugar) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Desugar;

impl VisitorMut for Desugar {
    type Break = PgError;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<PgError> {
        match table_function(factor) {
            Ok(Some(rewritten)) => {
                *factor = rewritten;
                ControlFlow::Continue(())
            }
            Ok(None) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<PgError> {
        if let SetExpr::Values(values) = query.body.as_mut() {
            type_literals(values);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<PgError> {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) = item
                && let Some(name) = name_before(expr)
            {
                *item = SelectItem::ExprWithAlias {
                    expr: take(expr),
                    alias: Ident::with_quote('"', name),
                };
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<PgError> {
        if let Some(rewritten) = column_of_call(expr) {
            *expr = rewritten;
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<PgError> {
        if let Some(rewritten) = rewrite(expr) {
            *expr = rewritten;
        }
        ControlFlow::Continue(())
    }
}

/// In VALUES, a string literal (or a number, where that row's is a float) under a cast of another row gets that row's cast: DataFusion unites the columns before
/// their literals are typed.
fn type_literals(values: &mut Values) {
    let width = values.rows.iter().map(|row| row.len()).max().unwrap_or(0);
    for column in 0..width {
        let declared = values.rows.iter().find_map(|row| match row.get(column)? {
            Expr::Cast { data_type, .. } => Some(data_type.clone()),
            Expr::TypedString(typed) => Some(typed.data_type.clone()),
            _ => None,
        });
        let Some(data_type) = declared else { continue };
        for cell in values.rows.iter_mut().filter_map(|row| row.get_mut(column)) {
            let is_float = matches!(
                data_type,
                DataType::Float8 | DataType::DoublePrecision | DataType::Real | DataType::Float4
            );
            let is_untyped = matches!(cell, Expr::Value(value) if match value.value {
                Value::SingleQuotedString(_) => true,
                Value::Number(..) => is_float,
                _ => false,
            });
            if is_untyped {
                let expr = Box::new(take(cell));
                *cell = Expr::Cast {
                    kind: CastKind::Cast,
                    expr,
                    data_type: data_type.clone(),
                    array: false,
                    format: None,
                };
            }
        }
    }
}

/// The column name of an expression that this pass rewrites: what it would have been.
fn name_before(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Function(function) => {
            let name = function_name(&function.name)?;
            let is_set = name != "unnest" && registry().is_set_returning(&name);
            let is_array =
                name == "array" && matches!(function.args, FunctionArguments::Subquery(_));
            (is_set || is_array).then_some(name)
        }
        Expr::Identifier(name) if name.quote_style.is_none() => {
            let word = name.value.to_lowercase();
            matches!(word.as_str(), "current_schema" | "current_role").then_some(word)
        }
        Expr::CompoundFieldAccess { access_chain, .. } => match access_chain.as_slice() {
            [AccessExpr::Dot(Expr::Identifier(column))] if column.quote_style.is_some() => {
                Some(column.value.clone())
            }
            [AccessExpr::Dot(Expr::Identifier(column))] => Some(column.value.to_lowercase()),
            _ => None,
        },
        _ => None,
    }
}

/// A name as it is looked up: folded unless quoted, without the schemas that hold the built-in functions.
pub(super) fn function_name(name: &ObjectName) -> Option<String> {
    let folded = |part: &ObjectNamePart| {
        let ident = part.as_ident()?;
        Some(if ident.quote_style.is_some() {
            ident.value.clone()
        } else {
            ident.value.to_lowercase()
        })
    };
    match name.0.as_slice() {
        [name] => folded(name),
        [schema, name]
            if matches!(folded(schema)?.as_str(), "pg_catalog" | "information_schema") =>
        {
            folded(name)
        }
        _ => None,
    }
}

pub(super) fn call(name: &str, args: Vec<Expr>) -> Expr {
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::with_quote('"', name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: args
                .into_iter()
                .map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)))
                .collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

pub(super) fn take(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, Expr::value(Value::Null))
}

fn text(value: &str) -> Expr {
    Expr::value(Value::SingleQuotedString(value.to_owned()))
}

/// A call whose own work is done: the mark keeps the pass from wrapping it again.
fn unnest(list: Expr) -> Expr {
    call("unnest", vec![list])
}

fn rewrite(expr: &mut Expr) -> Option<Expr> {
    match expr {
        Expr::UnaryOp { op, expr } if !matches!(op, UnaryOperator::Minus | UnaryOperator::Not) => {
            let name = match op {
                UnaryOperator::BitwiseNot => "~",
                UnaryOperator::PGSquareRoot => "|/",
                UnaryOperator::PGCubeRoot => "||/",
                UnaryOperator::PGAbs => "@",
                UnaryOperator::Plus => "+",
                _ => return None,
            };
            Some(call(name, vec![take(expr)]))
        }
        // Key words that are functions; sqlparser reads them as names.
        Expr::Identifier(name) if name.quote_style.is_none() => {
            let word = name.value.to_lowercase();
            matches!(word.as_str(), "current_schema" | "current_role")
                .then(|| call(&word, Vec::new()))
        }
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } if !matches!(expr.as_ref(), Expr::Value(value) if matches!(value.value, Value::Number(..))) => {
            Some(call("-", vec![take(expr)]))
        }
        Expr::AnyOp { left, compare_op, right, .. }
            if !matches!(right.as_ref(), Expr::Subquery(_)) =>
        {
            Some(call(
                &format!("{} any", quantified_symbol(compare_op)?),
                vec![take(left), take(right)],
            ))
        }
        Expr::AllOp { left, compare_op, right } if !matches!(right.as_ref(), Expr::Subquery(_)) => {
            Some(call(
                &format!("{} all", quantified_symbol(compare_op)?),
                vec![take(left), take(right)],
            ))
        }
        // A number beyond numeric's digits may still be a float.
        Expr::Cast { expr, .. } => {
            if let Expr::Value(value) = expr.as_ref()
                && let Value::Number(digits, _) = &value.value
                && digits.contains(['e', 'E'])
            {
                let literal = text(digits);
                **expr = literal;
            }
            None
        }
        Expr::Function(function) => {
            let name = function_name(&function.name)?;
            if name == "array"
                && let FunctionArguments::Subquery(query) = &mut function.args
            {
                let query = std::mem::replace(query, Box::new(empty_query()));
                return Some(array_of_query(query));
            }
            // A call that was wrapped is not wrapped again: its name is quoted then.
            let marked =
                function.name.0.iter().any(|part| {
                    part.as_ident().is_some_and(|ident| ident.quote_style == Some(MARK))
                });
            if name == "unnest" {
                multirange_rows::rows_of_argument(function);
            }
            if marked || !registry().is_set_returning(&name) || name == "unnest" {
                return None;
            }
            mark(function);
            let call = Expr::Function(function.clone());
            Some(typed_unnest(&name, None, call))
        }
        _ => None,
    }
}

fn quantified_symbol(op: &BinaryOperator) -> Option<&'static str> {
    Some(match op {
        BinaryOperator::Eq => "=",
        BinaryOperator::NotEq => "<>",
        BinaryOperator::Lt => "<",
        BinaryOperator::LtEq => "<=",
        BinaryOperator::Gt => ">",
        BinaryOperator::GtEq => ">=",
        _ => return None,
    })
}

/// The quote style of names this pass has dealt with; reads as any quoted name.
const MARK: char = '`';

fn mark(function: &mut Function) {
    if let Some(name) = function_name(&function.name) {
        function.name = ObjectName::from(vec![Ident::with_quote(MARK, name)]);
    }
}

/// `unnest`, with the element's type where Arrow's does not say it.
fn typed_unnest(function: &str, column: Option<&str>, list: Expr) -> Expr {
    let types = registry().column_types(function, column);
    let rows = unnest(list);
    let data_type = match types.first() {
        Some(PgType::Jsonb) => DataType::JSONB,
        Some(PgType::Json) => DataType::JSON,
        Some(PgType::InternalChar) => {
            DataType::Custom(ObjectName::from(vec![Ident::with_quote('"', "char")]), Vec::new())
        }
        _ => return rows,
    };
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(rows), data_type, array: false, format: None }
}

/// The function that `(value).field` becomes.
pub const FIELD: &str = "graphwire.field";

/// `(f(x)).column` of a function that gives rows.
fn column_of_call(expr: &mut Expr) -> Option<Expr> {
    let Expr::CompoundFieldAccess { root, access_chain } = expr else { return None };
    let Some(AccessExpr::Dot(Expr::Identifier(column))) = access_chain.last() else { return None };
    let column = if column.quote_style.is_some() {
        column.value.clone()
    } else {
        column.value.to_lowercase()
    };
    if access_chain.len() > 1 {
        access_chain.pop();
        let value = take(expr);
        return Some(call(FIELD, vec![value, text(&column)]));
    }
    let mut inner = root.as_mut();
    while let Expr::Nested(nested) = inner {
        inner = nested.as_mut();
    }
    let rows_of = match inner {
        Expr::Function(function) => {
            function_name(&function.name).filter(|name| registry().is_set_returning(name))
        }
        _ => None,
    };
    let (Some(name), Expr::Function(function)) = (rows_of, &mut *inner) else {
        return Some(call(FIELD, vec![take(inner), text(&column)]));
    };
    mark(function);
    let list = call("set_column", vec![take(inner), text(&column)]);
    Some(typed_unnest(&name, Some(&column), list))
}

fn empty_query() -> Query {
    query_of(Vec::new(), Vec::new())
}

fn query_of(projection: Vec<SelectItem>, from: Vec<TableWithJoins>) -> Query {
    let select = Select {
        select_token: AttachedToken::empty(),
        optimizer_hints: Vec::new(),
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection,
        exclude: None,
        into: None,
        from,
        lateral_views: Vec::new(),
        prewhere: None,
        selection: None,
        connect_by: Vec::new(),
        group_by: datafusion::sql::sqlparser::ast::GroupByExpr::Expressions(Vec::new(), Vec::new()),
        cluster_by: Vec::new(),
        distribute_by: Vec::new(),
        sort_by: Vec::new(),
        having: None,
        named_window: Vec::new(),
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: datafusion::sql::sqlparser::ast::SelectFlavor::Standard,
    };
    Query {
        with: None,
        body: Box::new(SetExpr::Select(Box::new(select))),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}

fn alias(name: &str, columns: &[&str]) -> TableAlias {
    TableAlias {
        explicit: true,
        name: Ident::with_quote('"', name),
        columns: columns
            .iter()
            .map(|column| datafusion::sql::sqlparser::ast::TableAliasColumnDef {
                name: Ident::with_quote('"', *column),
                data_type: None,
            })
            .collect(),
        at: None,
    }
}

/// The list under `SELECT unnest(list)` without any other clause.
fn unnested_list(query: &Query) -> Option<Expr> {
    let Query { with: None, body, order_by: None, limit_clause: None, fetch: None, .. } = query
    else {
        return None;
    };
    let SetExpr::Select(select) = body.as_ref() else { return None };
    if !select.from.is_empty() || select.selection.is_some() || select.distinct.is_some() {
        return None;
    }
    let [SelectItem::ExprWithAlias { expr, .. } | SelectItem::UnnamedExpr(expr)] =
        select.projection.as_slice()
    else {
        return None;
    };
    let Expr::Function(Function { name, args: FunctionArguments::List(args), .. }) = expr else {
        return None;
    };
    match args.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(list))] if function_name(name)? == "unnest" => {
            Some(list.clone())
        }
        _ => None,
    }
}

fn array_of_query(query: Box<Query>) -> Expr {
    if let Some(list) = unnested_list(&query) {
        return call("list_or_empty", vec![list]);
    }
    let value = || Expr::Identifier(Ident::with_quote('"', "value"));
    let list = call("array_agg", vec![value()]);
    let item = SelectItem::UnnamedExpr(call("list_or_empty", vec![list]));
    let from = TableWithJoins {
        relation: TableFactor::Derived {
            lateral: false,
            subquery: query,
            alias: Some(alias("rows", &["value"])),
            sample: None,
        },
        joins: Vec::new(),
    };
    Expr::Subquery(Box::new(query_of(vec![item], vec![from])))
}

/// The parts of a function in FROM.
struct Called {
    name: String,
    args: Vec<Expr>,
    alias: Option<TableAlias>,
    ordinality: bool,
}

fn plain_args(args: &[FunctionArg]) -> Option<Vec<Expr>> {
    args.iter()
        .map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
            _ => None,
        })
        .collect()
}

fn called(factor: &TableFactor) -> Option<Called> {
    match factor {
        TableFactor::Table { name, alias, args: Some(args), with_ordinality, .. } => Some(Called {
            name: function_name(name)?,
            args: plain_args(&args.args)?,
            alias: alias.clone(),
            ordinality: *with_ordinality,
        }),
        TableFactor::Function { name, args, alias, with_ordinality, .. } => Some(Called {
            name: function_name(name)?,
            args: plain_args(args)?,
            alias: alias.clone(),
            ordinality: *with_ordinality,
        }),
        TableFactor::UNNEST { alias, array_exprs, with_ordinality, with_offset: false, .. } => {
            Some(Called {
                name: "unnest".to_owned(),
                args: array_exprs.clone(),
                alias: alias.clone(),
                ordinality: *with_ordinality,
            })
        }
        _ => None,
    }
}

/// A function in FROM as a derived table; `None` if it is no function of the registry.
fn table_function(factor: &TableFactor) -> Result<Option<TableFactor>, PgError> {
    let Some(Called { name, mut args, alias: given, ordinality }) = called(factor) else {
        return Ok(None);
    };
    if name == "unnest" {
        args.iter_mut().for_each(multirange_rows::rows_of);
    }
    let is_set = registry().is_set_returning(&name);
    if !is_set && !registry().is_own_scalar(&name) {
        return Ok(None);
    }
    let mut items: Vec<(String, Expr)> = Vec::new();
    let lists: Vec<Expr> = if name == "unnest" {
        args
    } else {
        let Expr::Function(mut function) = call(&name, args) else { return Ok(None) };
        mark(&mut function);
        vec![Expr::Function(function)]
    };
    let first = lists.first().cloned();
    let table = given.as_ref().map_or_else(|| name.clone(), |alias| alias.name.value.clone());
    match registry().row_columns(&name) {
        Some(columns) if columns.len() > 1 => {
            for (column, _) in columns {
                for list in &lists {
                    let list = call("set_column", vec![list.clone(), text(column)]);
                    items.push((column.clone(), typed_unnest(&name, Some(column), list)));
                }
            }
        }
        columns => {
            let single =
                columns.and_then(|columns| columns.first()).map(|(column, _)| column.clone());
            for (index, list) in lists.into_iter().enumerate() {
                let column = match &single {
                    Some(column) if *column != name => column.clone(),
                    // A function of one column names it as the table is named.
                    _ if index == 0 => table.clone(),
                    _ => format!("{name}_{index}"),
                };
                let value = if is_set { typed_unnest(&name, None, list) } else { list };
                items.push((column, value));
            }
        }
    }
    if ordinality {
        let list = first.filter(|_| is_set).ok_or_else(|| {
            PgError::unsupported(
                "WITH ORDINALITY of this function is not supported",
                "Use row_number() OVER ().",
            )
        })?;
        items.push(("ordinality".to_owned(), unnest(call("set_ordinality", vec![list]))));
    }
    if items.is_empty() {
        return Err(PgError::new(
            SqlState::UNDEFINED_FUNCTION,
            format!("function {name}() does not exist"),
        ));
    }
    let projection = items
        .into_iter()
        .map(|(name, expr)| SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', name) })
        .collect();
    Ok(Some(TableFactor::Derived {
        lateral: true,
        subquery: Box::new(query_of(projection, Vec::new())),
        alias: Some(given.unwrap_or_else(|| alias(&name, &[]))),
        sample: None,
    }))
}

impl crate::functions::registry::FunctionRegistry {
    /// The columns of a function that gives rows; `None` for one that gives single values.
    pub(crate) fn row_columns(&self, name: &str) -> Option<&'static [(String, PgType)]> {
        self.overloads(name)?.iter().find_map(|overload| match &overload.returns {
            ReturnType::Row(columns) => Some(columns.as_slice()),
            _ => None,
        })
    }

    /// The types of a function's rows, or of one column of them.
    pub(crate) fn column_types(&self, name: &str, column: Option<&str>) -> Vec<PgType> {
        let Some(overloads) = self.overloads(name) else { return Vec::new() };
        overloads
            .iter()
            .flat_map(|overload| match &overload.returns {
                ReturnType::Exact(ty) => vec![ty.clone()],
                ReturnType::Row(columns) => columns
                    .iter()
                    .filter(|(name, _)| column.is_none_or(|column| column == name))
                    .map(|(_, ty)| ty.clone())
                    .collect(),
                _ => Vec::new(),
            })
            .collect()
    }
}
