//! List comprehensions and quantifiers that ask the graph for each item: queries over the items.
//!
//! ```text
//! [x IN list WHERE p | f]       COLLECT { WITH *, list AS l UNWIND range(0, size(l) - 1) AS i
//!                                         WITH *, l[i] AS x WHERE p RETURN f ORDER BY i }
//! any(x IN list WHERE p)        EXISTS  { UNWIND list AS x WITH x WHERE p }
//! all(x IN list WHERE p)        NOT EXISTS { UNWIND list AS x WITH x WHERE NOT p }
//! ```

use super::binder::Binder;
use super::typed::Typed;
use super::walk::has_subquery;
use crate::error::PgError;
use crate::functions::cypher::CypherType;
use crate::parser::Span;
use crate::parser::cypher::{
    BinaryOperator, Clause, ComparisonOperator, Expr, ExprKind, FunctionCall, ListComprehension,
    ListQuantifier, Literal, Projection, ProjectionItem, Quantified, Query, SingleQuery, SortItem,
    Subquery, UnaryOperator, UnionKind, Unwind,
};
use crate::parser::pattern::Name;

/// Whether a list expression asks for patterns of each item.
pub(super) fn asks_graph(parts: &[Option<&Expr>]) -> bool {
    parts.iter().flatten().any(|part| has_subquery(part))
}

fn variable(name: &Name) -> Expr {
    Expr { kind: ExprKind::Variable(name.clone()), span: name.span }
}

fn call(function: &str, arguments: Vec<Expr>, span: Span) -> Expr {
    let name = vec![Name { text: function.to_owned(), quoted: false, span }];
    Expr { kind: ExprKind::Function(FunctionCall { name, distinct: false, arguments }), span }
}

fn integer(value: i64, span: Span) -> Expr {
    Expr { kind: ExprKind::Literal(Literal::Integer(value)), span }
}

fn item(name: &Name, value: Expr) -> Projection {
    let span = name.span;
    let item =
        ProjectionItem { expr: value, alias: Some(name.clone()), text: name.text.clone(), span };
    Projection {
        distinct: false,
        star: None,
        items: vec![item],
        order_by: Vec::new(),
        skip: None,
        limit: None,
        condition: None,
        span,
    }
}

/// `WITH *, value AS name WHERE condition`: all variables stay in sight, as what follows may use those from outside.
fn with(name: &Name, value: Expr, condition: Option<Expr>) -> Clause {
    Clause::With(Projection { star: Some(name.span), condition, ..item(name, value) })
}

fn unwind(list: Expr, variable: &Name) -> Clause {
    let span = list.span;
    Clause::Unwind(Unwind { list, variable: variable.clone(), span })
}

fn subquery(clauses: Vec<Clause>, span: Span) -> Subquery {
    let part = SingleQuery { graph: None, clauses, span };
    Subquery::Query(Query { parts: vec![part], union: UnionKind::All, span })
}

/// `UNWIND list AS name WITH * WHERE condition RETURN name`
fn matching_items(list: &Expr, name: &Name, condition: Expr) -> Subquery {
    let mut filter = item(name, variable(name));
    filter.items.clear();
    let filter = Projection { star: Some(list.span), condition: Some(condition), ..filter };
    let found = Clause::Return(item(name, variable(name)));
    subquery(vec![unwind(list.clone(), name), Clause::With(filter), found], list.span)
}

impl Binder<'_> {
    pub(super) fn list_comprehension_query(
        &mut self,
        comprehension: &ListComprehension,
        span: Span,
    ) -> Result<Typed, PgError> {
        let ListComprehension { variable: name, list, filter, map } = comprehension;
        let value = map.clone().unwrap_or_else(|| variable(name));
        let hidden = || Name { text: self.fresh(), quoted: true, span: list.span };
        let (items, at) = (hidden(), hidden());
        // The last one's number: size(items) - 1.
        let last = ExprKind::Binary {
            operator: BinaryOperator::Subtract,
            left: Box::new(call("size", vec![variable(&items)], list.span)),
            right: Box::new(integer(1, list.span)),
        };
        let last = Expr { kind: last, span: list.span };
        let numbers = call("range", vec![integer(0, list.span), last], list.span);
        let element =
            ExprKind::Index { base: Box::new(variable(&items)), index: Box::new(variable(&at)) };
        let element = Expr { kind: element, span: list.span };
        let by_number =
            SortItem { expr: variable(&at), descending: false, nulls_first: None, span: list.span };
        let listed = Projection { order_by: vec![by_number], ..item(name, value) };
        let clauses = vec![
            with(&items, list.clone(), None),
            unwind(numbers, &at),
            with(name, element, filter.clone()),
            Clause::Return(listed),
        ];
        self.collect_subquery(&subquery(clauses, list.span), span)
    }

    pub(super) fn quantified_query(
        &mut self,
        quantified: &Quantified,
        span: Span,
    ) -> Result<Typed, PgError> {
        let Quantified { quantifier, variable: name, list, predicate } = quantified;
        let holds = predicate.clone().unwrap_or_else(|| variable(name));
        let condition = match quantifier {
            ListQuantifier::All => Expr {
                span: holds.span,
                kind: ExprKind::Unary { operator: UnaryOperator::Not, operand: Box::new(holds) },
            },
            ListQuantifier::Any | ListQuantifier::None | ListQuantifier::Single => holds,
        };
        let found = matching_items(list, name, condition);
        match quantifier {
            ListQuantifier::Any => self.exists(&found, span),
            ListQuantifier::All | ListQuantifier::None => {
                let found = self.exists(&found, span)?;
                Ok(Typed::boolean(datafusion::logical_expr::Expr::Not(Box::new(found.expr))))
            }
            ListQuantifier::Single => {
                let found = self.count_subquery(&found, span)?;
                let one = self.expr(&integer(1, span))?;
                debug_assert_eq!(found.ty, CypherType::Integer);
                self.compare(ComparisonOperator::Equal, found, one)
            }
        }
    }
}
