//! `SELECT t.mood::text FROM t ORDER BY t.mood`: the column is called `mood` too, and DataFusion cannot tell it from the one
//! it sorts by. So it gets another name, of which a client sees the first part only.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Ident, Query, SelectItem, SetExpr, Value, visit_expressions};

use super::names::{column_name, fold, unique_name};

/// Renames columns of the select list that have the name of another column in the ORDER BY. For a query whose columns
/// nobody asks for by name.
pub(super) fn order_apart(query: &mut Query) {
    let Some(order_by) = &query.order_by else { return };
    let (mut qualified, mut alone) = (BTreeSet::new(), BTreeSet::new());
    let _: ControlFlow<()> = visit_expressions(order_by, |expr| {
        match expr {
            Expr::CompoundIdentifier(parts) => qualified.extend(parts.last().map(fold)),
            Expr::Identifier(ident) => {
                alone.insert(fold(ident));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    });
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    if qualified.is_empty() || select.distinct.is_some() {
        return;
    }
    for (number, item) in select.projection.iter_mut().enumerate() {
        let (expr, name) = match item {
            SelectItem::UnnamedExpr(expr) => (&mut *expr, None),
            SelectItem::ExprWithAlias { expr, alias } => (&mut *expr, Some(fold(alias))),
            _ => continue,
        };
        if matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) {
            continue;
        }
        let name = name.unwrap_or_else(|| column_name(expr));
        if qualified.contains(&name) && !alone.contains(&name) {
            let expr = std::mem::replace(expr, Expr::value(Value::Null));
            let alias = Ident::with_quote('"', unique_name(&name, number));
            *item = SelectItem::ExprWithAlias { expr, alias };
        }
    }
}
