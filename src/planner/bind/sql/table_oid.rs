//! `tableoid`: the number of the table a row is from, which is known when the query is planned.

use std::ops::ControlFlow;

use sqlparser::ast::{
    CastKind, DataType, Expr, Ident, JoinOperator, ObjectName, Query, Select, SelectItem, SetExpr,
    TableFactor, Value, VisitMut, VisitorMut, visit_expressions, visit_expressions_mut,
};

use super::names::{fold, qualified_name};
use crate::catalog::RelationKind;
use crate::error::PgError;
use crate::planner::bind::context::BindContext;
use crate::types::Oid;

/// Puts numbers in the place of `tableoid` and `t.tableoid`, for tables that the query's own FROM names. Where an outer
/// join may leave the table's row out it is not one number, and stays an unknown column.
pub(super) fn rewrite(query: &mut Query, context: &BindContext) {
    let found = visit_expressions(query, |expr| match column(expr) {
        Some(_) => ControlFlow::Break(()),
        None => ControlFlow::Continue(()),
    });
    if found.is_break() {
        let _ = query.visit(&mut Rewriter { context });
    }
}

/// The qualifier of a `tableoid`, if the expression is one.
fn column(expr: &Expr) -> Option<Option<&Ident>> {
    let is_it = |name: &Ident| name.value.eq_ignore_ascii_case("tableoid");
    match expr {
        Expr::Identifier(name) if is_it(name) => Some(None),
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [table, name] if is_it(name) => Some(Some(table)),
            _ => None,
        },
        _ => None,
    }
}

struct Rewriter<'a> {
    context: &'a BindContext,
}

impl VisitorMut for Rewriter<'_> {
    type Break = PgError;

    // Inner queries first: what they leave refers to the query around them.
    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<PgError> {
        self.body(&mut query.body);
        ControlFlow::Continue(())
    }
}

impl Rewriter<'_> {
    fn body(&self, body: &mut SetExpr) {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::SetOperation { left, right, .. } => {
                self.body(left);
                self.body(right);
            }
            _ => {}
        }
    }

    fn select(&self, select: &mut Select) {
        let tables = self.tables(select);
        let number = |qualifier: Option<&Ident>| match (qualifier, tables.as_slice()) {
            (None, [(_, oid)]) => *oid,
            (None, _) => None,
            (Some(table), tables) => {
                let name = fold(table);
                tables.iter().find(|(known, _)| *known == name).and_then(|(_, oid)| *oid)
            }
        };
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) = item
                && let Some(oid) = column(expr).and_then(number)
            {
                let alias = Ident::new("tableoid");
                *item = SelectItem::ExprWithAlias { expr: literal(oid), alias };
            }
        }
        let _ = visit_expressions_mut(select, |expr| {
            if let Some(oid) = column(expr).and_then(number) {
                *expr = literal(oid);
            }
            ControlFlow::<()>::Continue(())
        });
    }

    /// The tables of FROM by the names they have there; without a number where that is not sure.
    fn tables(&self, select: &Select) -> Vec<(String, Option<Oid>)> {
        let mut tables = Vec::new();
        for from in &select.from {
            let start = tables.len();
            tables.push(self.table(&from.relation));
            for join in &from.joins {
                let mut joined = self.table(&join.relation);
                let (left, right) = match join.join_operator {
                    JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => (false, true),
                    JoinOperator::Right(_) | JoinOperator::RightOuter(_) => (true, false),
                    JoinOperator::FullOuter(_) => (true, true),
                    _ => (false, false),
                };
                if left {
                    tables.iter_mut().skip(start).for_each(|(_, oid)| *oid = None);
                }
                if right {
                    joined.1 = None;
                }
                tables.push(joined);
            }
        }
        tables
    }

    fn table(&self, factor: &TableFactor) -> (String, Option<Oid>) {
        let TableFactor::Table { name, alias, args: None, .. } = factor else {
            return (String::new(), None);
        };
        let Ok(name) = qualified_name(name) else { return (String::new(), None) };
        let shown = alias.as_ref().map_or_else(|| name.name.clone(), |alias| fold(&alias.name));
        let found = self.context.catalog.resolve(&name, &self.context.search_path);
        let has_rows = found.filter(|relation| {
            matches!(
                relation.kind,
                RelationKind::Table(_)
                    | RelationKind::MaterializedView(_)
                    | RelationKind::System(_)
            )
        });
        (shown, has_rows.map(|relation| relation.oid))
    }
}

fn literal(oid: Oid) -> Expr {
    Expr::Cast {
        kind: CastKind::DoubleColon,
        expr: Box::new(Expr::value(Value::Number(oid.0.to_string(), false))),
        data_type: DataType::Custom(ObjectName::from(vec![Ident::new("oid")]), Vec::new()),
        array: false,
        format: None,
    }
}
