//! Views that one may write through: those that show rows of one table, with nothing put together.
//!
//! INSERT goes to the table's columns. UPDATE and DELETE scan the table as the view does, with the view's columns in front
//! of the table's, so that the statement's own expressions see the view and what is written is the table's row.

use std::sync::Arc;

use datafusion::common::{DFSchema, TableReference};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, LogicalPlanBuilder};
use sqlparser::ast::{
    Assignment, AssignmentTarget, Expr as SqlExpr, GroupByExpr, Ident, ObjectName, ObjectNamePart,
    Query, Select, SelectItem, SetExpr, Statement as Sql, TableFactor, TableWithJoins,
};

use super::super::names::{fold, qualified_name};
use super::super::provider::TARGET_SCHEMA;
use super::super::query::{bind_expression, plan_query};
use super::super::rewrite::aggregates;
use crate::catalog::{Relation, RelationKind, Table, View};
use crate::error::{PgError, SqlState};
use crate::parser::Body;
use crate::planner::bind::context::BindContext;
use crate::planner::node::TableWrite;
use crate::planner::source::ROW_ID;

/// The name under which the statement around it finds the scan.
pub(super) const TARGET: &str = "\u{2}target";
/// Begins the names of the table's columns there.
const HIDDEN: &str = "\u{2}b";

/// A view that can be written through.
#[derive(Debug)]
pub(super) struct Updatable {
    /// The view.
    pub(super) view: Arc<Relation>,
    /// The table behind it.
    pub(super) base: Arc<Relation>,
    /// Its table.
    pub(super) table: Arc<Table>,
    /// What the view's query calls it.
    pub(super) alias: String,
    columns: Vec<ViewColumn>,
    condition: Option<SqlExpr>,
    context: BindContext,
}

#[derive(Debug)]
struct ViewColumn {
    name: String,
    /// The table's column it shows as it is.
    base: Option<usize>,
    expr: SqlExpr,
}

/// The table behind a view.
///
/// # Errors
/// `55000` for a view that puts rows together.
pub(super) fn updatable(
    context: &BindContext,
    relation: &Arc<Relation>,
    view: &View,
    verb: &str,
) -> Result<Updatable, PgError> {
    let refuse = |why: &str| {
        let (what, how) = match verb {
            "insert into" => ("inserting into", "INSERT"),
            "delete from" => ("deleting from", "DELETE"),
            _ => ("updating", "UPDATE"),
        };
        PgError::new(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("cannot {verb} view \"{}\"", relation.name),
        )
        .detail(why.to_owned())
        .hint(format!(
            "To enable {what} the view, provide an INSTEAD OF {how} trigger or an unconditional ON {how} DO INSTEAD rule."
        ))
    };
    let statement = crate::parser::stored::parse_view_query(&view.query)?;
    let Body::Sql { statement, graph_tables } = statement.body else {
        return Err(refuse(
            "Views that do not select from a single table or view are not automatically updatable.",
        ));
    };
    let Sql::Query(query) = *statement else { return Err(refuse("It is no query.")) };
    let Query { with: None, body, limit_clause: None, fetch: None, .. } = *query else {
        return Err(refuse(
            "Views containing WITH, LIMIT or OFFSET are not automatically updatable.",
        ));
    };
    let SetExpr::Select(select) = *body else {
        return Err(refuse(
            "Views containing UNION, INTERSECT, or EXCEPT are not automatically updatable.",
        ));
    };
    let single =
        "Views that do not select from a single table or view are not automatically updatable.";
    if let Some(why) = puts_together(&select) {
        return Err(refuse(why));
    }
    let [TableWithJoins { relation: TableFactor::Table { name, alias, args: None, .. }, joins }] =
        select.from.as_slice()
    else {
        return Err(refuse(single));
    };
    if !joins.is_empty() || !graph_tables.is_empty() {
        return Err(refuse(single));
    }
    let inner = context.for_view(relation, view)?;
    let base = inner.relation(&qualified_name(name)?)?;
    let RelationKind::Table(table) = &base.kind else { return Err(refuse(single)) };
    let known = |read: &crate::catalog::ViewRead| {
        read.relation != base.oid
            || read.columns.iter().all(|column| {
                let now = table.columns.iter().find(|now| now.attnum == column.attnum);
                now.is_some_and(|now| now.name == column.name)
            })
    };
    if !view.reads.iter().all(known) {
        return Err(refuse("A column of the table behind it was renamed or dropped."));
    }
    let table = Arc::clone(table);
    let alias = match alias {
        Some(alias) if !alias.columns.is_empty() => return Err(refuse(single)),
        Some(alias) => fold(&alias.name),
        None => base.name.clone(),
    };
    let exprs = shown(&select, &table, &alias);
    if exprs.len() != view.columns.len() {
        return Err(refuse(single));
    }
    let columns = exprs
        .into_iter()
        .zip(&view.columns)
        .map(|(expr, column)| ViewColumn {
            name: column.name.clone(),
            base: column_of(&expr, &table, &alias),
            expr,
        })
        .collect();
    let condition = select.selection.clone();
    Ok(Updatable {
        view: Arc::clone(relation),
        base,
        table,
        alias,
        columns,
        condition,
        context: inner,
    })
}

/// Why a query's rows are not rows of its table.
fn puts_together(select: &Select) -> Option<&'static str> {
    let grouped = match &select.group_by {
        GroupByExpr::Expressions(exprs, _) => !exprs.is_empty(),
        GroupByExpr::All(_) => true,
    };
    if select.distinct.is_some() {
        return Some("Views containing DISTINCT are not automatically updatable.");
    }
    if grouped {
        return Some("Views containing GROUP BY are not automatically updatable.");
    }
    if select.having.is_some() {
        return Some("Views containing HAVING are not automatically updatable.");
    }
    let aggregate = select.projection.iter().any(|item| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => aggregates(expr),
        _ => false,
    });
    aggregate.then_some("Views that return aggregate functions are not automatically updatable.")
}

fn name_of(parts: &[&str]) -> SqlExpr {
    SqlExpr::CompoundIdentifier(parts.iter().map(|part| Ident::with_quote('"', *part)).collect())
}

/// The expressions of a select list, stars written out.
fn shown(select: &Select, table: &Table, alias: &str) -> Vec<SqlExpr> {
    let mut exprs = Vec::new();
    for item in &select.projection {
        match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                exprs.push(expr.clone());
            }
            SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => {
                exprs.extend(table.columns.iter().map(|column| name_of(&[alias, &column.name])));
            }
            SelectItem::ExprWithAliases { .. } => {}
        }
    }
    exprs
}

/// The table's column that an expression is.
fn column_of(expr: &SqlExpr, table: &Table, alias: &str) -> Option<usize> {
    match expr {
        SqlExpr::Identifier(name) => table.position(&fold(name)),
        SqlExpr::CompoundIdentifier(parts) => match parts.as_slice() {
            [qualifier, name] if fold(qualifier) == alias => table.position(&fold(name)),
            _ => None,
        },
        SqlExpr::Nested(inner) => column_of(inner, table, alias),
        _ => None,
    }
}

impl Updatable {
    /// The write with the view it goes through: the caller's rights count on the view, its owner's on the table.
    pub(super) fn through(&self, plan: LogicalPlan, outside: &BindContext) -> LogicalPlan {
        let LogicalPlan::Extension(extension) = &plan else { return plan };
        match extension.node.as_any().downcast_ref::<TableWrite>() {
            Some(write) => {
                let mut write = write.clone();
                write.as_role = self.context.as_role;
                write.view = Some((Arc::clone(&self.view), outside.as_role));
                LogicalPlan::Extension(Extension { node: Arc::new(write) })
            }
            None => plan,
        }
    }

    /// How many columns it shows.
    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    fn base_of(&self, ident: &Ident, verb: &str) -> Result<usize, PgError> {
        let name = fold(ident);
        let column = self.columns.iter().find(|column| column.name == name).ok_or_else(|| {
            PgError::new(
                SqlState::UNDEFINED_COLUMN,
                format!("column \"{name}\" of relation \"{}\" does not exist", self.view.name),
            )
            .or_at(super::ident_offset(ident))
        })?;
        column.base.ok_or_else(|| self.computed(&name, verb))
    }

    fn computed(&self, column: &str, verb: &str) -> PgError {
        PgError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!("cannot {verb} column \"{column}\" of view \"{}\"", self.view.name),
        )
        .detail(
            "View columns that are not columns of their base relation are not updatable."
                .to_owned(),
        )
    }

    /// Positions in the table of the columns an INSERT gives.
    ///
    /// # Errors
    /// `42703`, `0A000` for a column that is computed.
    pub(super) fn insert_columns(
        &self,
        names: &[ObjectName],
        width: usize,
    ) -> Result<Vec<usize>, PgError> {
        let mut columns = Vec::with_capacity(names.len());
        if names.is_empty() {
            for column in self.columns.iter().take(width) {
                let at = column.base.ok_or_else(|| self.computed(&column.name, "insert into"))?;
                columns.push(at);
            }
            return Ok(columns);
        }
        for name in names {
            let Some(ident) = name.0.last().and_then(ObjectNamePart::as_ident) else {
                return Err(PgError::new(
                    SqlState::SYNTAX_ERROR,
                    format!("improper column name: {name}"),
                ));
            };
            let at = self.base_of(ident, "insert into")?;
            if columns.contains(&at) {
                return Err(PgError::new(
                    SqlState::DUPLICATE_COLUMN,
                    format!("column \"{}\" specified more than once", fold(ident)),
                ));
            }
            columns.push(at);
        }
        Ok(columns)
    }

    /// Assignments with the table's columns in the place of the view's.
    ///
    /// # Errors
    /// As [`Self::insert_columns`].
    pub(super) fn assignments(
        &self,
        assignments: &[Assignment],
    ) -> Result<Vec<Assignment>, PgError> {
        let renamed = |name: &ObjectName| -> Result<ObjectName, PgError> {
            let Some(ident) = name.0.first().and_then(ObjectNamePart::as_ident) else {
                return Ok(name.clone());
            };
            let at = self.base_of(ident, "update")?;
            let base = self.table.columns.get(at).map_or("", |column| column.name.as_str());
            Ok(ObjectName::from(vec![Ident::with_quote('"', base)]))
        };
        assignments
            .iter()
            .map(|assignment| {
                let target = match &assignment.target {
                    AssignmentTarget::ColumnName(name) => {
                        AssignmentTarget::ColumnName(renamed(name)?)
                    }
                    AssignmentTarget::Tuple(names) => AssignmentTarget::Tuple(
                        names.iter().map(renamed).collect::<Result<_, PgError>>()?,
                    ),
                };
                Ok(Assignment { target, value: assignment.value.clone() })
            })
            .collect()
    }

    /// The rows the view shows: its columns, then the table's, then the row id.
    ///
    /// # Errors
    /// As the view's query.
    pub(super) fn scan(&self) -> Result<LogicalPlan, PgError> {
        let mut query = super::wildcard_query()?;
        let SetExpr::Select(select) = query.body.as_mut() else {
            return Err(PgError::internal("a query without its list"));
        };
        let item = |expr: SqlExpr, name: &str| SelectItem::ExprWithAlias {
            expr,
            alias: Ident::with_quote('"', name),
        };
        let own = self.columns.iter().map(|column| item(column.expr.clone(), &column.name));
        let hidden = self.table.columns.iter().enumerate().map(|(at, column)| {
            item(name_of(&[&self.alias, &column.name]), &format!("{HIDDEN}{at}"))
        });
        let row_id = item(name_of(&[&self.alias, ROW_ID]), ROW_ID);
        select.projection = own.chain(hidden).chain([row_id]).collect();
        let catalog = &self.context.catalog;
        let schema = catalog.schemas.get(&self.base.schema).map_or("", |one| one.name.as_str());
        let name = ObjectName::from(vec![
            Ident::with_quote('"', TARGET_SCHEMA),
            Ident::with_quote('"', format!("{schema}\u{1}{}", self.base.name)),
        ]);
        let relation = super::table_factor(name, &self.alias);
        select.from = vec![TableWithJoins { relation, joins: Vec::new() }];
        select.selection = self.condition.clone();
        plan_query(&self.context, &query, &Arc::default())
    }

    /// What the view shows of written rows, which are the last columns of `write`, under the name `alias`; `carried`
    /// columns come before.
    ///
    /// # Errors
    /// As the view's query.
    pub(super) fn shown(
        &self,
        write: LogicalPlan,
        carried: usize,
        alias: &str,
    ) -> Result<LogicalPlan, PgError> {
        let schema = Arc::clone(write.schema());
        let rows = schema.iter().skip(carried);
        let rows = rows.map(|(name, field)| (name.cloned(), Arc::clone(field))).collect();
        let rows = DFSchema::new_with_metadata(rows, Default::default())?;
        let mut exprs: Vec<Expr> =
            schema.columns().into_iter().take(carried).map(Expr::Column).collect();
        for column in &self.columns {
            let expr = bind_expression(&self.context, &column.expr, &rows)?;
            exprs.push(expr.alias_qualified(Some(TableReference::bare(alias)), &column.name));
        }
        Ok(LogicalPlanBuilder::from(write).project(exprs)?.build()?)
    }
}
