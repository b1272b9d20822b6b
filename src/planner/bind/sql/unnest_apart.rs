//! `SELECT unnest(a), NOT x.c AS c FROM x`: DataFusion computes what stands beside `unnest` below it, under its name, and
//! there the column `c` of `x` has that name too. Such a select list is computed in a query of its own, under other names.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    BinaryOperator, CaseWhen, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    ObjectNamePart, Query, Select, SelectItem, SetExpr, TableFactor, Value, Visit, Visitor,
    visit_expressions_mut,
};

use super::names::fold;

const TEMPLATE: &str = "SELECT 1 FROM (SELECT 1) AS __unnest";

/// Moves the select list into a query of its own if names in it clash with those of columns it reads.
pub(super) fn unnest_apart(select: &mut Select) {
    if select.projection.iter().any(|item| name_of(item).is_none()) || !clashes(select) {
        return;
    }
    let Ok(template) = crate::parser::stored::parse_query(TEMPLATE) else { return };
    let SetExpr::Select(mut outer) = *template.body else { return };
    let Some(TableFactor::Derived { subquery, .. }) =
        outer.from.first_mut().map(|from| &mut from.relation)
    else {
        return;
    };
    outer.projection.clear();
    let mut inner = select.clone();
    for (at, item) in inner.projection.iter_mut().enumerate() {
        let Some(name) = name_of(item) else { return };
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else {
            return;
        };
        let alias = Ident::with_quote('"', format!("__unnest_{at}"));
        outer.projection.push(SelectItem::ExprWithAlias {
            expr: Expr::Identifier(alias.clone()),
            alias: Ident::with_quote('"', name),
        });
        *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
    }
    outer.distinct = inner.distinct.take();
    *subquery.body = SetExpr::Select(Box::new(inner));
    *select = *outer;
}

/// `SELECT unnest((SELECT …)), unnest((SELECT …))`: DataFusion takes the second for the first, as it shows both alike. So
/// they are written differently.
pub(super) fn tell_subqueries_apart(select: &mut Select) {
    let mut number = 0;
    let _: ControlFlow<()> = visit_expressions_mut(&mut select.projection, |expr| {
        let Expr::Function(function) = expr else { return ControlFlow::Continue(()) };
        let name = function.name.0.last().and_then(ObjectNamePart::as_ident).map(fold);
        if name.as_deref() != Some("unnest") {
            return ControlFlow::Continue(());
        }
        let FunctionArguments::List(list) = &mut function.args else {
            return ControlFlow::Continue(());
        };
        if let [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] = list.args.as_mut_slice()
            && matches!(argument, Expr::Subquery(_) | Expr::Nested(_))
        {
            number += 1;
            let mark = || Expr::value(Value::Number(number.to_string(), false));
            let condition = Expr::BinaryOp {
                left: Box::new(mark()),
                op: BinaryOperator::Eq,
                right: Box::new(mark()),
            };
            let result = std::mem::replace(argument, Expr::value(Value::Null));
            *argument = Expr::Case {
                case_token: AttachedToken::empty(),
                end_token: AttachedToken::empty(),
                operand: None,
                conditions: vec![CaseWhen { condition, result }],
                else_result: None,
            };
        }
        ControlFlow::Continue(())
    });
}

/// The name a column of the list has; `None` for a star and the like.
fn name_of(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(fold(alias)),
        SelectItem::UnnamedExpr(expr) => column_of(expr),
        _ => None,
    }
}

/// The name of the column that an expression is.
fn column_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(ident) => Some(fold(ident)),
        Expr::CompoundIdentifier(parts) => parts.last().map(fold),
        _ => None,
    }
}

/// What the expressions of a select list name, less those of queries inside them.
#[derive(Default)]
struct Names {
    depth: usize,
    has_unnest: bool,
    read: BTreeSet<String>,
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth = self.depth.saturating_sub(1);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.read.extend(column_of(expr));
        if let (0, Expr::Function(function)) = (self.depth, expr) {
            let name = function.name.0.last().and_then(ObjectNamePart::as_ident).map(fold);
            self.has_unnest |= name.as_deref() == Some("unnest");
        }
        ControlFlow::Continue(())
    }
}

fn clashes(select: &Select) -> bool {
    let mut names = Names::default();
    let _: ControlFlow<()> = select.projection.visit(&mut names);
    let Names { has_unnest, read, .. } = names;
    has_unnest
        && select.projection.iter().any(|item| match item {
            SelectItem::ExprWithAlias { expr, alias } => {
                let name = fold(alias);
                column_of(expr).as_ref() != Some(&name) && read.contains(&name)
            }
            _ => false,
        })
}
