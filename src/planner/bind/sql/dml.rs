//! INSERT, UPDATE and DELETE: a query that computes the rows, and a [`TableWrite`] above it.

mod assign;
mod conflict;
mod merge;
mod reads;
mod returning;
mod view;
mod with;

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::{Column as PlanColumn, DFSchema, TableReference};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, LogicalPlanBuilder};
use sqlparser::ast::{
    Assignment, Delete, Expr as SqlExpr, FromTable, Ident, Insert, Merge, ObjectName,
    ObjectNamePart, Query, Select, SelectItem, SetExpr, Statement, TableAlias, TableFactor,
    TableObject, TableWithJoins, Update, UpdateTableFromKind,
};

use super::column_value::{
    Overriding, default_in_values, default_of, given_columns, is_default, with_generated,
};
use super::names::{fold, qualified_name};
use super::provider::TARGET_SCHEMA;
use super::query::{bind_expression, output_columns, plan_query, with_parameters};
use super::{resolve, rewrite};
use crate::catalog::{Relation, RelationKind, Table};
use crate::error::{PgError, SqlState};
use crate::parser::pgq::GraphTable;
use crate::planner::bind::bound::{BoundPlan, PlanKind};
use crate::planner::bind::context::BindContext;
use crate::planner::node::{TableWrite, WriteKind};
use crate::planner::source::ROW_ID;
pub use assign::bind_default;
use assign::type_parameter;
pub(crate) use conflict::ACTION;
use reads::Read;
use returning::returning_plan;
use view::Updatable;
pub use with::{bind_with, has_writes};

/// A statement that writes rows.
#[derive(Debug, Clone, Copy)]
pub enum Dml<'a> {
    /// INSERT
    Insert(&'a Insert),
    /// UPDATE
    Update(&'a Update),
    /// DELETE
    Delete(&'a Delete),
    /// MERGE
    Merge(&'a Merge),
}

impl<'a> Dml<'a> {
    /// The statement, if it is one of these.
    pub fn of(statement: &'a Statement) -> Option<Self> {
        match statement {
            Statement::Insert(insert) => Some(Self::Insert(insert)),
            Statement::Update(update) => Some(Self::Update(update)),
            Statement::Delete(delete) => Some(Self::Delete(delete)),
            Statement::Merge(merge) => Some(Self::Merge(merge)),
            _ => None,
        }
    }

    fn kind(self) -> PlanKind {
        match self {
            Self::Insert(insert) => PlanKind::Insert { returning: insert.returning.is_some() },
            Self::Update(update) => PlanKind::Update { returning: update.returning.is_some() },
            Self::Delete(delete) => PlanKind::Delete { returning: delete.returning.is_some() },
            Self::Merge(_) => PlanKind::Merge,
        }
    }

    fn plan(
        self,
        context: &BindContext,
        graphs: &Arc<[GraphTable]>,
    ) -> Result<LogicalPlan, PgError> {
        match self {
            Self::Insert(insert) => insert_plan(context, insert, graphs),
            Self::Update(update) => update_plan(context, update, graphs),
            Self::Delete(delete) => delete_plan(context, delete, graphs),
            Self::Merge(merge) => merge::merge_plan(context, merge, graphs),
        }
    }
}

/// Binds a statement that writes rows.
///
/// # Errors
/// As PostgreSQL's.
pub fn bind_write(
    context: &BindContext,
    statement: Dml<'_>,
    graphs: &Arc<[GraphTable]>,
) -> Result<BoundPlan, PgError> {
    let (plan, parameters) = with_parameters(context, |context| statement.plan(context, graphs))?;
    finish(plan, statement.kind(), parameters)
}

fn insert_plan(
    context: &BindContext,
    insert: &Insert,
    graphs: &Arc<[GraphTable]>,
) -> Result<LogicalPlan, PgError> {
    check_insert(insert)?;
    let TableObject::TableName(name) = &insert.table else {
        return Err(PgError::unsupported(
            "INSERT into this kind of target is not supported",
            "Name a table.",
        ));
    };
    let Place { relation, table, view } = place(context, name, "insert into")?;
    let columns = match &view {
        Some(view) => view.insert_columns(&insert.columns, width_of(insert, view.width()))?,
        None => insert_columns(&relation, &table, &insert.columns)?,
    };
    let overriding = Overriding::of(insert.or.as_ref()).unwrap_or(Overriding::No);
    let alias = insert
        .table_alias
        .as_ref()
        .map_or_else(|| named(&relation, view.as_ref()), |alias| fold(&alias.alias));
    let source = match &insert.source {
        Some(query) => insert_source(context, query, (&table, &columns), overriding, graphs)?,
        None => LogicalPlanBuilder::empty(true).build()?,
    };
    let width = insert.source.as_ref().map_or(0, |_| source.schema().fields().len());
    check_width(width, columns.len(), insert.columns.is_empty())?;
    let columns = &columns[..width];
    let given = given_columns(&table, columns, insert.source.as_deref(), overriding)?;
    let given: Vec<(usize, bool)> = columns.iter().copied().zip(given).collect();
    let rows = insert_rows(context, source, &table, &given)?;
    let rows = with_generated(context, rows, &table, 0)?;
    let write = match (&insert.on, &view) {
        (None, None) => write(&relation, WriteKind::Insert, rows, 0, &alias)?,
        (None, Some(view)) => {
            let write = write(&relation, WriteKind::Insert, rows, 0, &view.alias)?;
            let write = view.through(inserting(write, columns), context);
            match insert.returning {
                Some(_) => view.shown(write, 0, &alias)?,
                None => write,
            }
        }
        (Some(on), None) => conflict::on_conflict(context, &relation, &alias, on, rows)?,
        (Some(_), Some(_)) => {
            return Err(PgError::unsupported(
                "INSERT … ON CONFLICT into a view is not supported",
                "Insert into the table behind it.",
            ));
        }
    };
    let write = inserting(write, columns);
    let plan = returning_plan(context, write, insert.returning.as_deref(), &alias)?;
    Ok(Read { table: &table, alias: &alias }.note(plan, BTreeSet::new())?)
}

fn update_plan(
    context: &BindContext,
    update: &Update,
    graphs: &Arc<[GraphTable]>,
) -> Result<LogicalPlan, PgError> {
    if update.or.is_some()
        || !update.order_by.is_empty()
        || update.limit.is_some()
        || update.output.is_some()
    {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error in UPDATE"));
    }
    if !update.table.joins.is_empty() {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "UPDATE of a join: use UPDATE … FROM"));
    }
    let target = Target::new(context, &update.table.relation, "update")?;
    let from = match &update.from {
        None => &[][..],
        Some(UpdateTableFromKind::AfterSet(from) | UpdateTableFromKind::BeforeSet(from)) => from,
    };
    let rows = target.scan(context, from, update.selection.as_ref(), graphs)?;
    let mut reads = target.read().conditions(&rows)?;
    let (rows, assigned) = target.assign(context, rows, &update.assignments, &mut reads)?;
    let kind = WriteKind::Update { assigned };
    let plan = target.write(context, rows, kind, update.returning.as_deref())?;
    Ok(target.read().note(plan, reads)?)
}

fn delete_plan(
    context: &BindContext,
    delete: &Delete,
    graphs: &Arc<[GraphTable]>,
) -> Result<LogicalPlan, PgError> {
    if !delete.tables.is_empty()
        || !delete.order_by.is_empty()
        || delete.limit.is_some()
        || delete.output.is_some()
    {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error in DELETE"));
    }
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    let [TableWithJoins { relation, joins }] = from.as_slice() else {
        return Err(PgError::new(
            SqlState::SYNTAX_ERROR,
            "DELETE names one table; use USING for others",
        ));
    };
    if !joins.is_empty() {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "DELETE of a join: use DELETE … USING"));
    }
    let target = Target::new(context, relation, "delete from")?;
    let using = delete.using.as_deref().unwrap_or_default();
    let rows = target.scan(context, using, delete.selection.as_ref(), graphs)?;
    let reads = target.read().conditions(&rows)?;
    let rows = target.keep(rows)?;
    let plan = target.write(context, rows, WriteKind::Delete, delete.returning.as_deref())?;
    Ok(target.read().note(plan, reads)?)
}

fn finish(
    plan: LogicalPlan,
    kind: PlanKind,
    parameters: Vec<crate::types::pg_type::PgType>,
) -> Result<BoundPlan, PgError> {
    let columns = if kind.gives_rows() { output_columns(&plan) } else { Vec::new() };
    Ok(BoundPlan { plan, kind, parameters, columns })
}

fn check_insert(insert: &Insert) -> Result<(), PgError> {
    let foreign = Overriding::of(insert.or.as_ref()).is_none()
        || insert.ignore
        || insert.overwrite
        || !insert.assignments.is_empty()
        || insert.partitioned.is_some()
        || !insert.after_columns.is_empty()
        || insert.has_table_keyword
        || insert.replace_into
        || insert.priority.is_some()
        || insert.insert_alias.is_some()
        || insert.settings.is_some()
        || insert.format_clause.is_some()
        || insert.output.is_some()
        || insert.multi_table_insert_type.is_some()
        || !insert.multi_table_into_clauses.is_empty();
    if foreign {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error in INSERT"));
    }
    Ok(())
}

/// The table a write names.
pub fn target(
    context: &BindContext,
    name: &ObjectName,
) -> Result<(Arc<Relation>, Arc<Table>), PgError> {
    let offset = name.0.first().and_then(ObjectNamePart::as_ident).and_then(ident_offset);
    let relation = context.relation(&qualified_name(name)?).map_err(|error| error.or_at(offset))?;
    match &relation.kind {
        RelationKind::Table(table) => {
            let table = Arc::clone(table);
            Ok((relation, table))
        }
        RelationKind::View(_) => Err(PgError::new(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("cannot change view \"{}\"", relation.name),
        )
        .hint("Views are not updatable; change the table behind it.")),
        RelationKind::MaterializedView(_) => Err(PgError::new(
            SqlState::WRONG_OBJECT_TYPE,
            format!("cannot change materialized view \"{}\"", relation.name),
        )),
        RelationKind::Sequence(_) => Err(PgError::new(
            SqlState::WRONG_OBJECT_TYPE,
            format!("cannot change sequence \"{}\"", relation.name),
        )),
        RelationKind::System(_) => Err(PgError::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("permission denied: \"{}\" is a system catalog", relation.name),
        )),
        RelationKind::PropertyGraph(_) => Err(PgError::new(
            SqlState::WRONG_OBJECT_TYPE,
            format!("\"{}\" is a property graph", relation.name),
        )),
    }
}

/// What a write names: a table, or the table behind a view.
struct Place {
    relation: Arc<Relation>,
    table: Arc<Table>,
    view: Option<Updatable>,
}

fn place(context: &BindContext, name: &ObjectName, verb: &str) -> Result<Place, PgError> {
    let found = context.relation(&qualified_name(name)?);
    if let Ok(relation) = found
        && let RelationKind::View(view) = &relation.kind
    {
        let view = view::updatable(context, &relation, view, verb)?;
        let (relation, table) = (Arc::clone(&view.base), Arc::clone(&view.table));
        return Ok(Place { relation, table, view: Some(view) });
    }
    let (relation, table) = target(context, name)?;
    Ok(Place { relation, table, view: None })
}

/// The name that a statement knows its target by, unless it gives another.
fn named(relation: &Relation, view: Option<&Updatable>) -> String {
    view.map_or_else(|| relation.name.clone(), |view| view.view.name.clone())
}

/// How many values the rows of an INSERT without a list of columns have, as far as that is written.
fn width_of(insert: &Insert, most: usize) -> usize {
    match insert.source.as_deref().map(|query| query.body.as_ref()) {
        Some(SetExpr::Values(values)) => values.rows.first().map_or(most, |row| row.content.len()),
        _ => most,
    }
}

fn ident_offset(ident: &Ident) -> Option<usize> {
    super::names::offset_of(ident.span)
}

fn undefined_column(relation: &Relation, ident: &Ident) -> PgError {
    PgError::new(
        SqlState::UNDEFINED_COLUMN,
        format!("column \"{}\" of relation \"{}\" does not exist", fold(ident), relation.name),
    )
    .or_at(ident_offset(ident))
}

/// Positions of the columns an INSERT gives, in its order.
fn insert_columns(
    relation: &Relation,
    table: &Table,
    names: &[ObjectName],
) -> Result<Vec<usize>, PgError> {
    if names.is_empty() {
        return Ok((0..table.columns.len()).collect());
    }
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let Some(ident) = name.0.last().and_then(ObjectNamePart::as_ident) else {
            return Err(PgError::new(
                SqlState::SYNTAX_ERROR,
                format!("improper column name: {name}"),
            ));
        };
        let at = table.position(&fold(ident)).ok_or_else(|| undefined_column(relation, ident))?;
        if columns.contains(&at) {
            return Err(PgError::new(
                SqlState::DUPLICATE_COLUMN,
                format!("column \"{}\" specified more than once", fold(ident)),
            )
            .or_at(ident_offset(ident)));
        }
        columns.push(at);
    }
    Ok(columns)
}

fn check_width(given: usize, wanted: usize, implicit: bool) -> Result<(), PgError> {
    if given > wanted {
        return Err(PgError::new(
            SqlState::SYNTAX_ERROR,
            "INSERT has more expressions than target columns",
        ));
    }
    if given < wanted && given > 0 && !implicit {
        return Err(PgError::new(
            SqlState::SYNTAX_ERROR,
            "INSERT has more target columns than expressions",
        ));
    }
    Ok(())
}

/// The query of an INSERT, its parameters typed by the columns they go to and DEFAULT filled in.
fn insert_source(
    context: &BindContext,
    query: &Query,
    (table, columns): (&Table, &[usize]),
    overriding: Overriding,
    graphs: &Arc<[GraphTable]>,
) -> Result<LogicalPlan, PgError> {
    let mut query = query.clone();
    if let Some(values) = rewrite::values_mut(&mut query) {
        for row in &mut values.rows {
            for (expr, column) in row.content.iter_mut().zip(columns) {
                let column = &table.columns[*column];
                if is_default(expr) {
                    *expr = default_in_values(context, column, overriding)?;
                }
                type_parameter(expr, column);
            }
        }
    } else if let SetExpr::Select(select) = query.body.as_mut() {
        for (item, column) in select.projection.iter_mut().zip(columns) {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                type_parameter(expr, &table.columns[*column]);
            }
        }
    }
    plan_query(context, &query, graphs)
}

/// Source rows as full rows of the table: given columns cast, the others by their defaults. `columns` are where the
/// source's columns go, and whether their values count.
fn insert_rows(
    context: &BindContext,
    source: LogicalPlan,
    table: &Table,
    columns: &[(usize, bool)],
) -> Result<LogicalPlan, PgError> {
    let schema = Arc::clone(source.schema());
    let empty = datafusion::common::DFSchema::empty();
    let given = schema.columns();
    let exprs = table
        .columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let expr = match columns.iter().position(|given| *given == (at, true)) {
                Some(from) => {
                    let value = unknown_source(&source, from)
                        .unwrap_or_else(|| Expr::Column(given[from].clone()));
                    assign::cast_to_column(context, value, column, &schema)?
                }
                None => {
                    let default = bind_expression(context, &default_of(context, column)?, &empty)?;
                    assign::cast_to_column(context, default, column, &empty)?
                }
            };
            Ok(expr.alias(column.name.clone()))
        })
        .collect::<Result<Vec<_>, PgError>>()?;
    Ok(LogicalPlanBuilder::from(source).project(exprs)?.build()?)
}

/// A literal that stands alone in a one-row VALUES or a SELECT list: still unknown, so that it is read as the column's
/// type and not as text cast to it.
fn unknown_source(source: &LogicalPlan, at: usize) -> Option<Expr> {
    let expr = match source {
        LogicalPlan::Values(values) if values.values.len() == 1 => {
            values.values.first()?.get(at)?
        }
        LogicalPlan::Projection(projection) => projection.expr.get(at)?,
        _ => return None,
    };
    resolve::is_unknown(expr).then(|| expr.clone().unalias())
}

/// Notes which columns an INSERT gives values for.
fn inserting(plan: LogicalPlan, columns: &[usize]) -> LogicalPlan {
    let LogicalPlan::Extension(extension) = &plan else { return plan };
    match extension.node.as_any().downcast_ref::<TableWrite>() {
        Some(write) => {
            let node = Arc::new(write.clone().inserting(columns.to_vec()));
            LogicalPlan::Extension(Extension { node })
        }
        None => plan,
    }
}

fn write(
    relation: &Arc<Relation>,
    kind: WriteKind,
    input: LogicalPlan,
    carried: usize,
    alias: &str,
) -> Result<LogicalPlan, PgError> {
    let name = TableReference::bare(alias);
    let node = TableWrite::try_new(Arc::clone(relation), kind, Arc::new(input), carried, &name)?;
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
}

/// The target of UPDATE or DELETE.
struct Target {
    relation: Arc<Relation>,
    table: Arc<Table>,
    alias: String,
    name: ObjectName,
    /// The view it is written through.
    view: Option<Updatable>,
}

/// Rows to write: carried columns, row id, table columns.
struct Rows {
    plan: LogicalPlan,
    carried: usize,
}

impl Target {
    fn new(context: &BindContext, factor: &TableFactor, verb: &str) -> Result<Self, PgError> {
        let TableFactor::Table { name, alias, .. } = factor else {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "the target must be a table"));
        };
        let Place { relation, table, view } = place(context, name, verb)?;
        let alias = alias
            .as_ref()
            .map_or_else(|| named(&relation, view.as_ref()), |alias| fold(&alias.name));
        let schema =
            context.catalog.schemas.get(&relation.schema).map_or("", |schema| schema.name.as_str());
        let place = format!("{schema}\u{1}{}", relation.name);
        let name = ObjectName::from(vec![
            Ident::with_quote('"', TARGET_SCHEMA),
            Ident::with_quote('"', place),
        ]);
        Ok(Self { relation, table, alias, name, view })
    }

    fn read(&self) -> Read<'_> {
        Read { table: &self.table, alias: &self.alias }
    }

    /// All rows the statement concerns, with the row id and every column of the target and of the other tables.
    fn scan(
        &self,
        context: &BindContext,
        others: &[TableWithJoins],
        selection: Option<&SqlExpr>,
        graphs: &Arc<[GraphTable]>,
    ) -> Result<LogicalPlan, PgError> {
        let target = TableWithJoins { relation: self.factor(), joins: Vec::new() };
        let mut query = wildcard_query()?;
        if let SetExpr::Select(select) = query.body.as_mut() {
            let select: &mut Select = select;
            select.from = others.iter().cloned().chain([target]).collect();
            select.selection = selection.cloned();
        }
        match &self.view {
            None => plan_query(context, &query, graphs),
            Some(view) => {
                let mut context = context.clone();
                context.ctes.push((view::TARGET.to_owned(), view.scan()?));
                plan_query(&context, &query, graphs)
            }
        }
    }

    /// The write, and what RETURNING gives of it.
    fn write(
        &self,
        context: &BindContext,
        rows: Rows,
        kind: WriteKind,
        returning: Option<&[SelectItem]>,
    ) -> Result<LogicalPlan, PgError> {
        let Rows { plan, carried } = rows;
        let Some(view) = &self.view else {
            let write = write(&self.relation, kind, plan, carried, &self.alias)?;
            return returning_plan(context, write, returning, &self.alias);
        };
        let write = write(&self.relation, kind, plan, carried, &view.alias)?;
        let write = view.through(write, context);
        match returning {
            None => Ok(write),
            Some(_) => {
                let shown = view.shown(write, carried, &self.alias)?;
                returning_plan(context, shown, returning, &self.alias)
            }
        }
    }

    /// The target in FROM, with row ids.
    fn factor(&self) -> TableFactor {
        let name = match &self.view {
            None => self.name.clone(),
            Some(_) => ObjectName::from(vec![Ident::with_quote('"', view::TARGET)]),
        };
        table_factor(name, &self.alias)
    }

    /// Splits the scan's columns: those of the other tables, then row id and target columns.
    fn split(&self, rows: &DFSchema) -> (Vec<PlanColumn>, PlanColumn, Vec<PlanColumn>) {
        let mut columns = rows.columns();
        let own = columns.split_off(columns.len() - self.table.columns.len() - 1);
        let mut own = own.into_iter();
        let table: Vec<_> = own.by_ref().take(self.table.columns.len()).collect();
        let row_id = own.next().unwrap_or_else(|| PlanColumn::from_name(ROW_ID));
        // What a view showed before is computed anew from what is written.
        let shown = self.view.as_ref().map_or(0, Updatable::width);
        columns.truncate(columns.len().saturating_sub(shown));
        (columns, row_id, table)
    }

    fn keep(&self, rows: LogicalPlan) -> Result<Rows, PgError> {
        let (others, row_id, table) = self.split(rows.schema());
        let carried = others.len();
        let table = table.into_iter().enumerate().map(|(at, column)| self.old(at, column));
        let exprs = others.into_iter().chain([row_id]).map(Expr::Column).chain(table);
        Ok(Rows { plan: LogicalPlanBuilder::from(rows).project(exprs)?.build()?, carried })
    }

    /// A column of the row that is there, under the table's name for it.
    fn old(&self, at: usize, column: PlanColumn) -> Expr {
        match (&self.view, self.table.columns.get(at)) {
            (Some(_), Some(own)) => {
                Expr::Column(column).alias_qualified(Some(self.alias.as_str()), own.name.as_str())
            }
            _ => Expr::Column(column),
        }
    }

    /// Rows with the assignments made, and which columns are assigned; adds those that are read for it.
    fn assign(
        &self,
        context: &BindContext,
        rows: LogicalPlan,
        assignments: &[Assignment],
        reads: &mut BTreeSet<usize>,
    ) -> Result<(Rows, Vec<usize>), PgError> {
        let renamed = self.view.as_ref().map(|view| view.assignments(assignments)).transpose()?;
        let assignments = renamed.as_deref().unwrap_or(assignments);
        let values = assign::assignments(&self.relation, &self.table, assignments)?;
        let schema = Arc::clone(rows.schema());
        let (others, row_id, table) = self.split(rows.schema());
        let carried = others.len();
        let mut exprs: Vec<Expr> = others.into_iter().chain([row_id]).map(Expr::Column).collect();
        for (at, old) in table.into_iter().enumerate() {
            let column = &self.table.columns[at];
            exprs.push(match values.iter().find(|(assigned, _)| *assigned == at) {
                None => self.old(at, old),
                Some((_, value)) => {
                    let value = assign::bind_value(context, value, column, &schema)?;
                    self.read().expression(&value, reads)?;
                    value.alias_qualified(Some(self.alias.as_str()), &column.name)
                }
            });
        }
        let plan = LogicalPlanBuilder::from(rows).project(exprs)?.build()?;
        let plan = with_generated(context, plan, &self.table, carried + 1)?;
        Ok((Rows { plan, carried }, values.into_iter().map(|(at, _)| at).collect()))
    }
}

/// A table in FROM.
fn table_factor(name: ObjectName, alias: &str) -> TableFactor {
    TableFactor::Table {
        name,
        alias: Some(TableAlias {
            explicit: true,
            name: Ident::with_quote('"', alias),
            columns: Vec::new(),
            at: None,
        }),
        args: None,
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    }
}

/// `SELECT *`, to be given a FROM.
fn wildcard_query() -> Result<Query, PgError> {
    match crate::parser::stored::parse_query("SELECT *") {
        Ok(query) => Ok(query),
        Err(error) => Err(PgError::internal(error.to_string())),
    }
}
