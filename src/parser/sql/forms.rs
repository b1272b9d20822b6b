//! Forms that `sqlparser` reads only with a mark in their tokens, settled in its tree afterwards.
//!
//! | PostgreSQL | mark | becomes |
//! |---|---|---|
//! | `x BETWEEN SYMMETRIC a AND b` | `@-@` before `a` | `(x BETWEEN a AND b OR x BETWEEN b AND a)` |
//! | `SELECT … INTO t …` | – | `CREATE TABLE t AS SELECT …` |
//! | `CREATE TABLE t AS … WITH NO DATA` | cut off, `LIMIT 0` put around | |

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, CreateTable, Expr, Query, SetExpr, Statement, UnaryOperator, VisitMut,
    VisitorMut,
};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// What was marked in a statement's tokens.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Marks {
    symmetric: bool,
    no_data: bool,
}

fn keyword(tokens: &[TokenWithSpan], index: usize) -> Keyword {
    match tokens.get(index).map(|token| &token.token) {
        Some(Token::Word(word)) => word.keyword,
        _ => Keyword::NoKeyword,
    }
}

fn is_word(tokens: &[TokenWithSpan], index: usize, expected: &str) -> bool {
    matches!(tokens.get(index).map(|token| &token.token), Some(Token::Word(word))
        if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(expected))
}

/// Marks forms in tokens, and puts strings in the one form that is read everywhere.
pub(super) fn mark(tokens: &mut Vec<TokenWithSpan>) -> Marks {
    let mut marks = Marks::default();
    for token in tokens.iter_mut() {
        if let Token::UnicodeStringLiteral(text) = &token.token {
            token.token = Token::SingleQuotedString(text.clone());
        }
    }
    let mut index = 1;
    while index < tokens.len() {
        if keyword(tokens, index - 1) == Keyword::BETWEEN {
            if is_word(tokens, index, "SYMMETRIC") {
                tokens[index].token = Token::AtDashAt;
                marks.symmetric = true;
            } else if is_word(tokens, index, "ASYMMETRIC") {
                tokens.remove(index);
            }
        }
        index += 1;
    }
    if keyword(tokens, 0) == Keyword::CREATE {
        marks.no_data = cut_with_data(tokens);
    }
    marks
}

/// Cuts `WITH [NO] DATA` off the end of a statement that makes a table of a query; whether it said NO.
fn cut_with_data(tokens: &mut Vec<TokenWithSpan>) -> bool {
    let Some(last) = tokens.len().checked_sub(1).filter(|last| is_word(tokens, *last, "DATA"))
    else {
        return false;
    };
    let no = last >= 2 && keyword(tokens, last - 1) == Keyword::NO;
    let with = if no { last - 2 } else { last.saturating_sub(1) };
    if with < 4 || keyword(tokens, with) != Keyword::WITH {
        return false;
    }
    tokens.truncate(with);
    no
}

/// Settles what was marked.
pub(super) fn settle(statement: Statement, marks: Marks) -> Statement {
    let mut statement = into_table(statement);
    if marks.symmetric {
        let _ = statement.visit(&mut Symmetric);
    }
    if marks.no_data {
        match &mut statement {
            Statement::CreateTable(CreateTable { query: Some(query), .. }) => without_rows(query),
            // No other statement of PostgreSQL's sets it.
            Statement::CreateView(view) => view.with_no_schema_binding = view.materialized,
            _ => {}
        }
    }
    statement
}

struct Symmetric;

impl VisitorMut for Symmetric {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Between { expr: value, negated, low, high } = expr
            && let Some(mark) = marked(low)
        {
            *low = mark;
            let between = |low: &Expr, high: &Expr| Expr::Between {
                expr: value.clone(),
                negated: false,
                low: Box::new(low.clone()),
                high: Box::new(high.clone()),
            };
            let is_negated = *negated;
            let either = Expr::Nested(Box::new(Expr::BinaryOp {
                left: Box::new(between(low.as_ref(), high.as_ref())),
                op: BinaryOperator::Or,
                right: Box::new(between(high.as_ref(), low.as_ref())),
            }));
            *expr = match is_negated {
                true => Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(either) },
                false => either,
            };
        }
        ControlFlow::Continue(())
    }
}

/// The lower end without its mark, which stands before its first operand.
fn marked(low: &Expr) -> Option<Box<Expr>> {
    match low {
        Expr::UnaryOp { op: UnaryOperator::AtDashAt, expr } => Some(expr.clone()),
        Expr::BinaryOp { left, op, right } => {
            let left = marked(left)?;
            Some(Box::new(Expr::BinaryOp { left, op: op.clone(), right: right.clone() }))
        }
        Expr::Cast { kind, expr, data_type, array, format } => Some(Box::new(Expr::Cast {
            kind: kind.clone(),
            expr: marked(expr)?,
            data_type: data_type.clone(),
            array: *array,
            format: format.clone(),
        })),
        _ => None,
    }
}

/// `SELECT … INTO t` makes a table, where it is a whole statement.
fn into_table(statement: Statement) -> Statement {
    let Statement::Query(mut query) = statement else { return statement };
    let SetExpr::Select(select) = query.body.as_mut() else { return Statement::Query(query) };
    let Some(into) = select.into.take() else { return Statement::Query(query) };
    let text = format!(
        "CREATE {}TABLE t AS SELECT 1",
        match (into.temporary, into.unlogged) {
            (true, _) => "TEMPORARY ",
            (false, true) => "TRANSIENT ",
            (false, false) => "",
        }
    );
    let dialect = sqlparser::dialect::PostgreSqlDialect {};
    let parsed = sqlparser::parser::Parser::parse_sql(&dialect, &text);
    match parsed.ok().and_then(|mut statements| statements.pop()) {
        Some(Statement::CreateTable(mut create)) => {
            create.name = into.name;
            create.query = Some(query);
            Statement::CreateTable(create)
        }
        _ => Statement::Query(query),
    }
}

/// `SELECT * FROM (query) q LIMIT 0`, as far as that can be said in place.
fn without_rows(query: &mut Box<Query>) {
    let dialect = sqlparser::dialect::PostgreSqlDialect {};
    let text = "SELECT * FROM (SELECT 1) AS q LIMIT 0";
    let parsed = sqlparser::parser::Parser::parse_sql(&dialect, text);
    let Some(Statement::Query(mut outer)) = parsed.ok().and_then(|mut parsed| parsed.pop()) else {
        return;
    };
    if let SetExpr::Select(select) = outer.body.as_mut()
        && let Some(sqlparser::ast::TableFactor::Derived { subquery, .. }) =
            select.from.first_mut().map(|from| &mut from.relation)
    {
        std::mem::swap(subquery, query);
        *query = outer;
    }
}
