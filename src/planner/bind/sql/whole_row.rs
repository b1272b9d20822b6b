//! Rows as values: `t` where it is a table of FROM and no column, and `(row).*` in a select list.
//!
//! Both are put in words that the planner knows: a row of the table's columns, and one item for each field.

use std::ops::ControlFlow;
use std::sync::Arc;

use sqlparser::ast::{
    AccessExpr, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, Ident, JoinOperator, ObjectName, ObjectNamePart, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, TableFactor, TableWithJoins, Value, VisitMut,
    VisitorMut, With,
};

use super::names::{fold, qualified_name};
use super::query::{output_columns, plan_query};
use super::rewrite::call;
use crate::catalog::QualifiedName;
use crate::error::{PgError, SqlState};
use crate::functions::record::{NAMED_ROW, NULLABLE_NAMED_ROW, NULLABLE_ROW};
use crate::parser::pgq::GraphTable;
use crate::parser::sql::ALL_FIELDS;
use crate::planner::bind::bound::BoundColumn;
use crate::planner::bind::context::BindContext;
use crate::types::pg_type::PgType;

/// Whether there is something here that planning alone does not understand.
pub(super) fn may_apply(query: &Query, error: &PgError) -> bool {
    error.code() == SqlState::UNDEFINED_COLUMN || has_row_arguments(query)
}

/// Whether a call or an expression has `t.*` in it.
pub(super) fn has_row_arguments(query: &Query) -> bool {
    use sqlparser::ast::{Visit, Visitor};
    struct Finder;
    impl Visitor for Finder {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            let Expr::Function(Function { args: FunctionArguments::List(list), .. }) = expr else {
                return match expr {
                    Expr::QualifiedWildcard(..) => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(()),
                };
            };
            let whole = |arg: &FunctionArg| {
                matches!(arg, FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(_)))
            };
            match list.args.iter().any(whole) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        }
    }
    query.visit(&mut Finder).is_break()
}

/// The query with names of tables that stand for their rows written out; `None` if there are none.
///
/// # Errors
/// What planning a table of FROM gives.
pub(super) fn expand(
    context: &BindContext,
    query: &Query,
    graph_tables: &Arc<[GraphTable]>,
) -> Result<Option<Query>, PgError> {
    let mut expanded = query.clone();
    let mut rows = Rows { context, graph_tables, with: None, changed: false };
    visit_in_order(&mut expanded, &mut rows, |rows| &mut rows.with)?;
    Ok(rows.changed.then_some(expanded))
}

/// Visits the queries of WITH one by one and then the rest. Each is told those before it, which are written out
/// already: one that asked for the columns of itself would never end.
pub(super) fn visit_in_order<V: VisitorMut<Break = PgError>>(
    query: &mut Query,
    visitor: &mut V,
    told: fn(&mut V) -> &mut Option<With>,
) -> Result<(), PgError> {
    let mut with = query.with.take();
    if let Some(with) = &mut with {
        for mut table in std::mem::take(&mut with.cte_tables) {
            *told(visitor) = (!with.cte_tables.is_empty()).then(|| with.clone());
            if let ControlFlow::Break(error) = table.query.visit(visitor) {
                return Err(error);
            }
            with.cte_tables.push(table);
        }
    }
    told(visitor).clone_from(&with);
    let visited = query.visit(visitor);
    query.with = with;
    match visited {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Rows<'a> {
    context: &'a BindContext,
    graph_tables: &'a Arc<[GraphTable]>,
    with: Option<With>,
    changed: bool,
}

impl VisitorMut for Rows<'_> {
    type Break = PgError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<PgError> {
        match self.expand_query(query) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

impl Rows<'_> {
    fn expand_query(&mut self, query: &mut Query) -> Result<(), PgError> {
        let mut order = query.order_by.take();
        if let SetExpr::Select(select) = query.body.as_mut() {
            for item in items(select) {
                let replacement = Replacement { name: item.name.clone(), row: None, used: false };
                let mut finder = Finder { replacement, shadowed: 0 };
                visit_select(select, &mut order, &mut finder);
                if !finder.replacement.used {
                    continue;
                }
                let row = self.row_of(&item)?;
                let replacement =
                    Replacement { name: item.name.clone(), row: Some(row), used: false };
                let mut finder = Finder { replacement, shadowed: 0 };
                name_items(select, &item.name);
                visit_select(select, &mut order, &mut finder);
                self.changed = true;
            }
        }
        query.order_by = order;
        Ok(())
    }

    /// The row of an item of FROM.
    fn row_of(&self, item: &Item) -> Result<Expr, PgError> {
        let columns = self.columns(item)?;
        let is_column = |column: &BoundColumn| column.name != item.name;
        if !columns.iter().all(is_column) {
            // It is a column's name after all.
            return Ok(Expr::Identifier(Ident::with_quote('"', &item.name)));
        }
        let own = |column: &BoundColumn| {
            Expr::CompoundIdentifier(vec![
                Ident::with_quote('"', &item.name),
                Ident::with_quote('"', &column.name),
            ])
        };
        let values: Vec<Expr> = columns.iter().map(own).collect();
        let table = item.table.as_ref().filter(|name| self.is_table(name));
        let Some(name) = table else {
            let text = |text: &str| Expr::value(Value::SingleQuotedString(text.to_owned()));
            let named = columns.iter().zip(values);
            let named = named.flat_map(|(column, value)| [text(&column.name), value]);
            // What an outer join found nothing for is NULL, not a row of nulls.
            let function = if item.nullable { NULLABLE_NAMED_ROW } else { NAMED_ROW };
            return Ok(call(function, named.collect()));
        };
        Ok(Expr::Cast {
            kind: CastKind::Cast,
            expr: Box::new(call(if item.nullable { NULLABLE_ROW } else { "row" }, values)),
            data_type: DataType::Custom(name.clone(), Vec::new()),
            array: false,
            format: None,
        })
    }

    /// Whether a name is that of a table or view, whose rows have a type of their own.
    fn is_table(&self, name: &ObjectName) -> bool {
        let Ok(known) = qualified_name(name) else { return false };
        let (catalog, path) = (&self.context.catalog, &self.context.search_path);
        !is_with_name(&self.with, name)
            && catalog
                .resolve(&known, path)
                .is_some_and(|relation| catalog.row_type_of(relation).is_some())
    }

    fn columns(&self, item: &Item) -> Result<Vec<BoundColumn>, PgError> {
        let from = TableWithJoins { relation: item.factor.clone(), joins: Vec::new() };
        probe(self.context, self.graph_tables, &self.with, vec![from], wildcard())
    }
}

fn wildcard() -> SelectItem {
    SelectItem::Wildcard(Default::default())
}

/// The columns of `SELECT item FROM from`.
pub(super) fn probe(
    context: &BindContext,
    graph_tables: &Arc<[GraphTable]>,
    with: &Option<With>,
    from: Vec<TableWithJoins>,
    item: SelectItem,
) -> Result<Vec<BoundColumn>, PgError> {
    let mut query = crate::parser::stored::parse_query("SELECT 1")?;
    query.with.clone_from(with);
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.projection = vec![item];
        select.from = from;
    }
    Ok(output_columns(&plan_query(context, &query, graph_tables)?))
}

/// A table of FROM.
struct Item {
    name: String,
    factor: TableFactor,
    /// Its name, where it is a table or view of the catalog that keeps its columns' names.
    table: Option<ObjectName>,
    /// Whether an outer join may find nothing for it.
    nullable: bool,
}

fn items(select: &Select) -> Vec<Item> {
    let mut found = Vec::new();
    for from in &select.from {
        let right_outer = from.joins.iter().any(|join| {
            matches!(
                join.join_operator,
                JoinOperator::Right(_) | JoinOperator::RightOuter(_) | JoinOperator::FullOuter(_)
            )
        });
        found.extend(item(&from.relation, right_outer));
        for join in &from.joins {
            let left_outer = matches!(
                join.join_operator,
                JoinOperator::Left(_) | JoinOperator::LeftOuter(_) | JoinOperator::FullOuter(_)
            );
            found.extend(item(&join.relation, left_outer));
        }
    }
    found
}

fn item(factor: &TableFactor, nullable: bool) -> Option<Item> {
    let (name, table) = match factor {
        TableFactor::Table { name, alias, args, .. } => {
            let plain = args.is_none() && alias.as_ref().is_none_or(|one| one.columns.is_empty());
            let own = name.0.last().and_then(ObjectNamePart::as_ident).map(fold);
            let shown = alias.as_ref().map(|alias| fold(&alias.name)).or(own)?;
            (shown, plain.then(|| name.clone()))
        }
        TableFactor::Derived { alias: Some(alias), .. }
        | TableFactor::Function { alias: Some(alias), .. }
        | TableFactor::UNNEST { alias: Some(alias), .. } => (fold(&alias.name), None),
        _ => return None,
    };
    Some(Item { name, factor: factor.clone(), table, nullable })
}

/// What stands for a name.
struct Replacement {
    name: String,
    /// None: only look whether it stands somewhere.
    row: Option<Expr>,
    used: bool,
}

struct Finder {
    replacement: Replacement,
    /// Inside of queries that have a table of this name of their own.
    shadowed: usize,
}

impl Finder {
    /// The table's name, if the expression is that, in parentheses or not.
    fn is_named(&self, expr: &Expr) -> Option<Ident> {
        match expr {
            Expr::Nested(inner) => self.is_named(inner),
            Expr::Identifier(ident) if fold(ident) == self.replacement.name => Some(ident.clone()),
            _ => None,
        }
    }

    fn put(&mut self, place: &mut Expr) {
        self.replacement.used = true;
        if let Some(row) = &self.replacement.row {
            *place = row.clone();
        }
    }
}

impl VisitorMut for Finder {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let SetExpr::Select(select) = query.body.as_ref()
            && (self.shadowed > 0
                || items(select).iter().any(|item| item.name == self.replacement.name))
        {
            self.shadowed += 1;
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.shadowed = self.shadowed.saturating_sub(1);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        // `(t).column` is `t.column`.
        if self.shadowed == 0
            && let Expr::CompoundFieldAccess { root, access_chain } = expr
            && let Some(table) = self.is_named(root)
            && let [AccessExpr::Dot(Expr::Identifier(column))] = access_chain.as_slice()
        {
            let column = Expr::CompoundIdentifier(vec![table, column.clone()]);
            self.replacement.used = true;
            if self.replacement.row.is_some() {
                *expr = column;
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.shadowed > 0 {
            return ControlFlow::Continue(());
        }
        match expr {
            Expr::Identifier(ident) if fold(ident) == self.replacement.name => self.put(expr),
            Expr::QualifiedWildcard(name, _)
                if matches!(name.0.as_slice(), [ObjectNamePart::Identifier(ident)]
                    if fold(ident) == self.replacement.name) =>
            {
                self.put(expr);
            }
            Expr::Function(function) => {
                let FunctionArguments::List(list) = &mut function.args else {
                    return ControlFlow::Continue(());
                };
                for arg in &mut list.args {
                    if let FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(name)) = arg
                        && let [ObjectNamePart::Identifier(ident)] = name.0.as_slice()
                        && fold(ident) == self.replacement.name
                    {
                        let mut row = Expr::Identifier(ident.clone());
                        self.put(&mut row);
                        if self.replacement.row.is_some() {
                            *arg = FunctionArg::Unnamed(FunctionArgExpr::Expr(row));
                        }
                    }
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Visits what may name a table of a SELECT: everything but the tables themselves.
fn visit_select(
    select: &mut Select,
    order: &mut Option<sqlparser::ast::OrderBy>,
    finder: &mut Finder,
) {
    let _ = select.projection.visit(finder);
    let _ = select.selection.visit(finder);
    let _ = select.group_by.visit(finder);
    let _ = select.having.visit(finder);
    for from in &mut select.from {
        for join in &mut from.joins {
            let _ = join.join_operator.visit(finder);
        }
    }
    let _ = order.visit(finder);
}

/// Items of the select list that are the row itself are named after it.
fn name_items(select: &mut Select, name: &str) {
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr @ Expr::Identifier(_)) = item
            && matches!(expr, Expr::Identifier(ident) if fold(ident) == name)
        {
            let alias = Ident::with_quote('"', name);
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
        }
    }
}

/// Writes out `(row).*` in select lists.
///
/// # Errors
/// `42809` for what is no row; what planning it gives.
pub(super) fn expand_stars(
    context: &BindContext,
    query: &mut Query,
    graph_tables: &Arc<[GraphTable]>,
) -> Result<(), PgError> {
    let mut stars = Stars { context, graph_tables, with: None };
    visit_in_order(query, &mut stars, |stars| &mut stars.with)
}

struct Stars<'a> {
    context: &'a BindContext,
    graph_tables: &'a Arc<[GraphTable]>,
    with: Option<With>,
}

impl VisitorMut for Stars<'_> {
    type Break = PgError;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<PgError> {
        if !select.projection.iter().any(|item| starred(item).is_some()) {
            return ControlFlow::Continue(());
        }
        let mut projection = Vec::with_capacity(select.projection.len());
        for item in std::mem::take(&mut select.projection) {
            let Some(expr) = starred(&item) else {
                projection.push(item);
                continue;
            };
            if let Some(name) = table_name(&expr, select) {
                let name = ObjectName::from(vec![name]);
                let kind = SelectItemQualifiedWildcardKind::ObjectName(name);
                projection.push(SelectItem::QualifiedWildcard(kind, Default::default()));
                continue;
            }
            match self.fields(&expr, select) {
                Ok(fields) => projection.extend(fields),
                Err(error) => return ControlFlow::Break(error),
            }
        }
        select.projection = projection;
        ControlFlow::Continue(())
    }
}

/// What `.*` stands behind, in an item of a select list.
fn starred(item: &SelectItem) -> Option<Expr> {
    let SelectItem::UnnamedExpr(Expr::CompoundFieldAccess { root, access_chain }) = item else {
        return None;
    };
    let (last, before) = access_chain.split_last()?;
    let AccessExpr::Dot(Expr::Identifier(star)) = last else { return None };
    if star.value != ALL_FIELDS {
        return None;
    }
    Some(match before {
        [] => root.as_ref().clone(),
        before => Expr::CompoundFieldAccess { root: root.clone(), access_chain: before.to_vec() },
    })
}

/// The name, if an expression is that of a table of FROM.
fn table_name(expr: &Expr, select: &Select) -> Option<Ident> {
    match expr {
        Expr::Nested(inner) => table_name(inner, select),
        Expr::Identifier(ident) => {
            let name = fold(ident);
            items(select).iter().any(|item| item.name == name).then(|| ident.clone())
        }
        _ => None,
    }
}

impl Stars<'_> {
    fn fields(&self, expr: &Expr, select: &Select) -> Result<Vec<SelectItem>, PgError> {
        let item = SelectItem::UnnamedExpr(expr.clone());
        let columns =
            probe(self.context, self.graph_tables, &self.with, select.from.clone(), item)?;
        let Some(PgType::Row(row)) = columns.first().map(|column| &column.ty) else {
            let ty = columns.first().map_or(PgType::Unknown, |column| column.ty.clone());
            let message = format!("type {ty} is not composite");
            return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
        };
        let fields = row.fields.iter().map(|field| {
            let name = Ident::with_quote('"', &field.name);
            SelectItem::ExprWithAlias {
                expr: Expr::CompoundFieldAccess {
                    root: Box::new(Expr::Nested(Box::new(expr.clone()))),
                    access_chain: vec![AccessExpr::Dot(Expr::Identifier(name.clone()))],
                },
                alias: name,
            }
        });
        Ok(fields.collect())
    }
}

/// Whether a name is one of a query's own WITH.
fn is_with_name(with: &Option<With>, name: &ObjectName) -> bool {
    let Ok(QualifiedName { schema: None, name }) = qualified_name(name) else { return false };
    let tables = with.iter().flat_map(|with| &with.cte_tables);
    tables.into_iter().any(|table| fold(&table.alias.name) == name)
}
