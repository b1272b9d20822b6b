//! `tableoid`: the number of the table a row is from, which is known when the query is planned.

use std::ops::ControlFlow;

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    CaseWhen, CastKind, DataType, Expr, Ident, JoinOperator, ObjectName, Query, Select, SelectItem,
    SetExpr, TableFactor, Value, VisitMut, VisitorMut, visit_expressions, visit_expressions_mut,
};

use super::names::{fold, qualified_name};
use crate::catalog::RelationKind;
use crate::error::PgError;
use crate::planner::bind::context::BindContext;
use crate::types::Oid;

/// Puts numbers in the place of `tableoid` and `t.tableoid`, for tables that the query's own FROM names. Where an outer
/// join may leave the table's row out it is null if a column is that never is in the table.
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
            (None, [only]) => only.value.clone(),
            (None, _) => None,
            (Some(table), tables) => {
                let name = fold(table);
                tables.iter().find(|known| known.name == name).and_then(|one| one.value.clone())
            }
        };
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) = item
                && let Some(value) = column(expr).and_then(number)
            {
                *item = SelectItem::ExprWithAlias { expr: value, alias: Ident::new("tableoid") };
            }
        }
        let _ = visit_expressions_mut(select, |expr| {
            if let Some(value) = column(expr).and_then(number) {
                *expr = value;
            }
            ControlFlow::<()>::Continue(())
        });
    }

    /// The tables of FROM in order.
    fn tables(&self, select: &Select) -> Vec<Found> {
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
                    tables.iter_mut().skip(start).for_each(Found::may_miss);
                }
                if right {
                    joined.may_miss();
                }
                tables.push(joined);
            }
        }
        tables
    }

    fn table(&self, factor: &TableFactor) -> Found {
        let nothing = Found { name: String::new(), value: None, certain: None };
        let TableFactor::Table { name, alias, args: None, .. } = factor else { return nothing };
        let Ok(name) = qualified_name(name) else { return nothing };
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
        let certain = has_rows.and_then(|relation| {
            let column = relation.columns().iter().find(|column| column.not_null)?;
            let quoted = |name: &str| Ident::with_quote('"', name);
            Some(Expr::CompoundIdentifier(vec![quoted(&shown), quoted(&column.name)]))
        });
        let value = has_rows.map(|relation| literal(relation.oid));
        Found { name: shown, value, certain }
    }
}

/// A table of FROM.
struct Found {
    /// What it is called there.
    name: String,
    /// What its `tableoid` is.
    value: Option<Expr>,
    /// A column that is never null in the table.
    certain: Option<Expr>,
}

impl Found {
    /// An outer join may leave the table's row out.
    fn may_miss(&mut self) {
        let (Some(value), Some(column)) = (self.value.take(), self.certain.take()) else { return };
        let condition = Expr::IsNotNull(Box::new(column));
        self.value = Some(Expr::Case {
            case_token: AttachedToken::empty(),
            end_token: AttachedToken::empty(),
            operand: None,
            conditions: vec![CaseWhen { condition, result: value }],
            else_result: None,
        });
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
