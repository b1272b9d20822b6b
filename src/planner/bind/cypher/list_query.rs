//! List comprehensions and quantifiers that ask the graph for each item: queries over the items.
//!
//! ```text
//! [x IN list WHERE p | f]       COLLECT { UNWIND list AS x WITH x WHERE p RETURN f }
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
    Clause, ComparisonOperator, Expr, ExprKind, ListComprehension, ListQuantifier, Literal,
    Projection, ProjectionItem, Quantified, Query, SingleQuery, Subquery, UnaryOperator, UnionKind,
    Unwind,
};
use crate::parser::pattern::Name;

/// Whether a list expression asks for patterns of each item.
pub(super) fn asks_graph(parts: &[Option<&Expr>]) -> bool {
    parts.iter().flatten().any(|part| has_subquery(part))
}

fn variable(name: &Name) -> Expr {
    Expr { kind: ExprKind::Variable(name.clone()), span: name.span }
}

fn items(name: &Name, value: Expr, condition: Option<Expr>) -> Projection {
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
        condition,
        span,
    }
}

/// `UNWIND list AS name WITH *, name WHERE condition RETURN value AS name`
fn query(list: &Expr, name: &Name, condition: Option<Expr>, value: Expr) -> Subquery {
    let span = list.span;
    let mut clauses =
        vec![Clause::Unwind(Unwind { list: list.clone(), variable: name.clone(), span })];
    if condition.is_some() {
        // All variables stay in sight: the value may use those from outside.
        let mut with = items(name, variable(name), condition);
        with.items.clear();
        with.star = Some(span);
        clauses.push(Clause::With(with));
    }
    clauses.push(Clause::Return(items(name, value, None)));
    let part = SingleQuery { graph: None, clauses, span };
    Subquery::Query(Query { parts: vec![part], union: UnionKind::All, span })
}

impl Binder<'_> {
    pub(super) fn list_comprehension_query(
        &mut self,
        comprehension: &ListComprehension,
        span: Span,
    ) -> Result<Typed, PgError> {
        let ListComprehension { variable: name, list, filter, map } = comprehension;
        let value = map.clone().unwrap_or_else(|| variable(name));
        self.collect_subquery(&query(list, name, filter.clone(), value), span)
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
        let found = query(list, name, Some(condition), variable(name));
        match quantifier {
            ListQuantifier::Any => self.exists(&found, span),
            ListQuantifier::All | ListQuantifier::None => {
                let found = self.exists(&found, span)?;
                Ok(Typed::boolean(datafusion::logical_expr::Expr::Not(Box::new(found.expr))))
            }
            ListQuantifier::Single => {
                let found = self.count_subquery(&found, span)?;
                let one = Literal::Integer(1);
                let one = self.expr(&Expr { kind: ExprKind::Literal(one), span })?;
                debug_assert_eq!(found.ty, CypherType::Integer);
                self.compare(ComparisonOperator::Equal, found, one)
            }
        }
    }
}
