//! What `*` stands for, and the columns that `JOIN … USING` merges.
//!
//! DataFusion takes them from the left, so a RIGHT or FULL JOIN would give nulls for rows that only the right has; and
//! it leaves them where they stand in the left table, where PostgreSQL puts them first. The table below is what stands
//! for an unqualified name and a `*` after this pass:
//!
//! | join | name | `*` |
//! |---|---|---|
//! | INNER, LEFT | as it is; in a subquery `a.k` | `a.k, a.* without k, b.* without k` |
//! | RIGHT | `b.k` | likewise, `b.k` first |
//! | FULL | `coalesce(a.k, b.k)` | likewise, that first |
//!
//! In a subquery DataFusion would look for the name around it before it looks at the join.

use std::ops::ControlFlow;

use sqlparser::ast::{
    ExcludeSelectItem, Expr, Ident, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart,
    OrderByExpr, OrderByKind, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr,
    TableFactor, VisitMut, VisitorMut, WildcardAdditionalOptions,
};

use super::names::{column_name, fold};
use super::rewrite::call;
use crate::error::PgError;

/// Rewrites a tree in place.
///
/// # Errors
/// `0A000` for a RIGHT or FULL JOIN whose merged columns cannot be told.
pub(super) fn rewrite(tree: &mut impl VisitMut) -> Result<(), PgError> {
    match tree.visit(&mut Using { depth: 0 }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Using {
    /// Queries around.
    depth: usize,
}

impl VisitorMut for Using {
    type Break = PgError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<PgError> {
        self.depth += 1;
        let is_inner = self.depth > 1;
        let SetExpr::Select(select) = query.body.as_mut() else {
            return ControlFlow::Continue(());
        };
        let order = match query.order_by.as_mut().map(|order| &mut order.kind) {
            Some(OrderByKind::Expressions(order)) => order.as_mut_slice(),
            Some(OrderByKind::All(_)) | None => &mut [],
        };
        in_select(select, order, is_inner)
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<PgError> {
        self.depth = self.depth.saturating_sub(1);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<PgError> {
        in_select(select, &mut [], self.depth > 1)
    }
}

/// Tables that are joined, and the columns that the joins merge.
struct Merged {
    /// What their columns go by, and what `.*` does.
    tables: Vec<(Ident, ObjectName)>,
    columns: Vec<String>,
    side: Side,
    /// Whether it is in a subquery.
    is_inner: bool,
}

/// Which side has a value for every row.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Left,
    Right,
    Either,
}

impl Merged {
    fn value(&self, column: &str) -> Expr {
        let of = |(table, _): &(Ident, ObjectName)| {
            let column = Ident::with_quote('"', column);
            Expr::CompoundIdentifier(vec![table.clone(), column])
        };
        let mut values: Vec<Expr> = self.tables.iter().map(of).collect();
        match self.side {
            Side::Left => values.swap_remove(0),
            Side::Right => values.swap_remove(values.len() - 1),
            Side::Either => call("coalesce", values),
        }
    }

    /// What `*` stands for.
    fn all(&self) -> Vec<SelectItem> {
        let merged = self.columns.iter().map(|column| {
            let alias = Ident::with_quote('"', column.as_str());
            SelectItem::ExprWithAlias { expr: self.value(column), alias }
        });
        let name = |ident: Ident| ObjectName(vec![ObjectNamePart::Identifier(ident)]);
        let without: Vec<ObjectName> = self
            .columns
            .iter()
            .map(|column| name(Ident::with_quote('"', column.as_str())))
            .collect();
        let rest = self.tables.iter().map(|(_, table)| {
            let options = WildcardAdditionalOptions {
                opt_exclude: Some(ExcludeSelectItem::Multiple(without.clone())),
                ..WildcardAdditionalOptions::default()
            };
            let kind = SelectItemQualifiedWildcardKind::ObjectName(table.clone());
            SelectItem::QualifiedWildcard(kind, options)
        });
        merged.chain(rest).collect()
    }
}

fn in_select(
    select: &mut Select,
    order: &mut [OrderByExpr],
    is_inner: bool,
) -> ControlFlow<PgError> {
    qualify_wildcards(select);
    let merged = match merged(select) {
        Ok(Some(merged)) => Merged { is_inner, ..merged },
        Ok(None) => return ControlFlow::Continue(()),
        Err(error) => return ControlFlow::Break(error),
    };
    let mut items = Vec::with_capacity(select.projection.len());
    for mut item in std::mem::take(&mut select.projection) {
        match &mut item {
            SelectItem::Wildcard(options) if *options == WildcardAdditionalOptions::default() => {
                items.extend(merged.all());
                continue;
            }
            SelectItem::UnnamedExpr(expr) => {
                let name = column_name(expr);
                if names(&merged, expr) {
                    let alias = Ident::with_quote('"', name);
                    item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
                }
            }
            other => {
                names(&merged, other);
            }
        }
        items.push(item);
    }
    let is_output = |expr: &Expr| match expr {
        Expr::Identifier(ident) => items.iter().any(|item| match item {
            SelectItem::ExprWithAlias { alias, .. } => fold(alias) == fold(ident),
            SelectItem::UnnamedExpr(expr) => column_name(expr) == fold(ident),
            _ => false,
        }),
        _ => false,
    };
    for by in order {
        if !is_output(&by.expr) {
            names(&merged, &mut by.expr);
        }
    }
    select.projection = items;
    names(&merged, &mut select.group_by);
    for condition in [&mut select.selection, &mut select.having].into_iter().flatten() {
        names(&merged, condition);
    }
    ControlFlow::Continue(())
}

/// The merged columns of a select, if it is one of the joins above.
fn merged(select: &Select) -> Result<Option<Merged>, PgError> {
    let mut side = Side::Left;
    let mut columns: Option<Vec<String>> = None;
    let mut is_plain = select.from.len() == 1;
    for join in select.from.iter().flat_map(|from| &from.joins) {
        let constraint = match &join.join_operator {
            JoinOperator::Join(on)
            | JoinOperator::Inner(on)
            | JoinOperator::Left(on)
            | JoinOperator::LeftOuter(on) => on,
            JoinOperator::Right(on) | JoinOperator::RightOuter(on) => {
                side = if is_merging(on) { Side::Right } else { side };
                on
            }
            JoinOperator::FullOuter(on) => {
                side = if is_merging(on) { Side::Either } else { side };
                on
            }
            _ => {
                is_plain = false;
                continue;
            }
        };
        let names = match constraint {
            JoinConstraint::Using(names) => names.iter().map(simple).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        is_plain &=
            names.is_some() && columns.as_ref().is_none_or(|have| Some(have) == names.as_ref());
        columns = names.or(columns);
    }
    let joined: Vec<&TableFactor> = select
        .from
        .iter()
        .flat_map(|from| {
            std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation))
        })
        .collect();
    let tables: Option<Vec<_>> = joined.iter().map(|table| name_of(table)).collect();
    // Of more than two, the condition itself would be over merged columns.
    is_plain &= side == Side::Left || joined.len() == 2;
    match (is_plain, tables, columns) {
        (true, Some(tables), Some(columns)) => {
            Ok(Some(Merged { tables, columns, side, is_inner: false }))
        }
        _ if side != Side::Left => Err(PgError::unsupported(
            "this RIGHT or FULL JOIN with USING or NATURAL is not supported yet",
            "Between two tables alone USING is; else write ON, and coalesce() of both columns.",
        )),
        _ => Ok(None),
    }
}

fn is_merging(constraint: &JoinConstraint) -> bool {
    matches!(constraint, JoinConstraint::Using(_) | JoinConstraint::Natural)
}

fn simple(name: &ObjectName) -> Option<String> {
    match name.0.as_slice() {
        [part] => part.as_ident().map(fold),
        _ => None,
    }
}

/// The name that columns of a table reference go by, and the one that its `.*` does.
pub(super) fn name_of(table: &TableFactor) -> Option<(Ident, ObjectName)> {
    let quoted = |ident: &Ident| Ident::with_quote('"', fold(ident));
    match table {
        TableFactor::Table { alias: Some(alias), .. }
        | TableFactor::Derived { alias: Some(alias), .. } => {
            let alias = quoted(&alias.name);
            Some((alias.clone(), ObjectName(vec![ObjectNamePart::Identifier(alias)])))
        }
        TableFactor::Table { name, alias: None, args: None, .. } => {
            Some((name.0.last()?.as_ident().map(quoted)?, name.clone()))
        }
        _ => None,
    }
}

/// `t.*` of a table that is named with its schema, which DataFusion wants there too.
fn qualify_wildcards(select: &mut Select) {
    let from = &select.from;
    for item in &mut select.projection {
        let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) =
            item
        else {
            continue;
        };
        let Some(wanted) = simple(name) else { continue };
        let joined = from.iter().flat_map(|from| {
            std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation))
        });
        let mut named = joined.filter_map(name_of).filter(|(name, _)| name.value == wanted);
        if let (Some((_, full)), None) = (named.next(), named.next()) {
            *name = full;
        }
    }
}

/// Puts values for the names of merged columns; whether there was one.
fn names(merged: &Merged, tree: &mut impl VisitMut) -> bool {
    if merged.side == Side::Left && !merged.is_inner {
        return false;
    }
    let mut names = Names { merged, depth: 0, found: false };
    let _ = tree.visit(&mut names);
    names.found
}

struct Names<'a> {
    merged: &'a Merged,
    /// Queries around; their names are their own.
    depth: usize,
    found: bool,
}

impl VisitorMut for Names<'_> {
    type Break = PgError;

    fn pre_visit_query(&mut self, _query: &mut Query) -> ControlFlow<PgError> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<PgError> {
        self.depth = self.depth.saturating_sub(1);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<PgError> {
        if self.depth == 0
            && let Expr::Identifier(ident) = expr
            && let Some(column) = self.merged.columns.iter().find(|column| **column == fold(ident))
        {
            *expr = self.merged.value(column);
            self.found = true;
        }
        ControlFlow::Continue(())
    }
}
