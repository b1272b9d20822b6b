//! WITH around statements that write, and with queries that write.
//!
//! ```text
//! WITH a AS (INSERT … RETURNING …), b AS (SELECT … FROM a) UPDATE … FROM b
//!
//!   WithWrites
//!     TableWrite (insert)                 its RETURNING rows: WrittenRows 0
//!     TableWrite (update)
//!       … b's plan, which scans WrittenRows 0 …
//! ```

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::{
    Expr as PlanExpr, Extension, LogicalPlan, LogicalPlanBuilder, UserDefinedLogicalNode,
};
use sqlparser::ast::{Cte, Query, SetExpr, With};

use super::super::names::{fold, unique_name, visible_name};
use super::super::query::{output_columns, plan_query, with_parameters};
use super::{Dml, finish};
use crate::error::{PgError, SqlState};
use crate::parser::pgq::GraphTable;
use crate::planner::bind::bound::{BoundPlan, PlanKind};
use crate::planner::bind::context::BindContext;
use crate::planner::node::{TableWrite, WithWrites, WrittenRows};

/// The statement a query's body is, if it writes.
fn write_of(query: &Query) -> Option<Dml<'_>> {
    match query.body.as_ref() {
        SetExpr::Insert(statement)
        | SetExpr::Update(statement)
        | SetExpr::Delete(statement)
        | SetExpr::Merge(statement) => Dml::of(statement),
        SetExpr::Select(_)
        | SetExpr::Query(_)
        | SetExpr::SetOperation { .. }
        | SetExpr::Values(_)
        | SetExpr::Table(_) => None,
    }
}

/// Whether a query is a statement that writes behind WITH, or has queries in its WITH that write.
pub fn has_writes(query: &Query) -> bool {
    let ctes = query.with.iter().flat_map(|with| &with.cte_tables);
    write_of(query).is_some() || ctes.into_iter().any(|cte| write_of(&cte.query).is_some())
}

/// Binds a query for which [`has_writes`] holds.
///
/// # Errors
/// As PostgreSQL's.
pub fn bind_with(
    context: &BindContext,
    query: &Query,
    graphs: &Arc<[GraphTable]>,
) -> Result<BoundPlan, PgError> {
    let kind = match write_of(query) {
        Some(write) => write.kind(),
        None => PlanKind::SelectWithWrites,
    };
    let silent = |error: PgError| match query.with.as_ref().and_then(|with| unnamed(&error, with)) {
        Some(name) => PgError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!("WITH query \"{name}\" does not have a RETURNING clause"),
        ),
        None => error,
    };
    let (plan, parameters) = with_parameters(context, |context| {
        let mut context = context.clone();
        let mut steps = Vec::new();
        if let Some(with) = &query.with {
            bind_ctes(&mut context, with, graphs, &mut steps)?;
        }
        let last = match write_of(query) {
            Some(write) => write.plan(&context, graphs)?,
            None => plan_query(&context, &Query { with: None, ..query.clone() }, graphs)?,
        };
        if steps.is_empty() {
            return Ok(last);
        }
        let steps = steps
            .into_iter()
            .map(|(number, plan)| Ok((number, inside(plan)?)))
            .collect::<Result<Vec<_>, PgError>>()?;
        let node = WithWrites::new(steps, inside(last)?);
        Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
    })
    .map_err(silent)?;
    if kind == PlanKind::SelectWithWrites {
        let columns = output_columns(&plan);
        return Ok(BoundPlan { plan, kind, parameters, columns });
    }
    finish(plan, kind, parameters)
}

/// The query of WITH that an error took for a table that is not there: it writes and gives no rows.
fn unnamed(error: &PgError, with: &With) -> Option<String> {
    if error.code() != SqlState::UNDEFINED_TABLE {
        return None;
    }
    let message = &error.fields().message;
    let mut names = with.cte_tables.iter().map(|cte| (cte, fold(&cte.alias.name)));
    names.find_map(|(cte, name)| {
        let writes = write_of(&cte.query).is_some();
        (writes && *message == format!("relation \"{name}\" does not exist")).then_some(name)
    })
}

/// The plan of a write that does not end its statement.
fn inside(plan: LogicalPlan) -> Result<LogicalPlan, PgError> {
    let plan = plan.transform_down(|node| {
        let LogicalPlan::Extension(extension) = &node else { return Ok(Transformed::no(node)) };
        let Some(write) = extension.node.as_any().downcast_ref::<TableWrite>() else {
            return Ok(Transformed::no(node));
        };
        let mut write = write.clone();
        write.ends_statement = false;
        let node: Arc<dyn UserDefinedLogicalNode> = Arc::new(write);
        Ok(Transformed::yes(LogicalPlan::Extension(Extension { node })))
    })?;
    Ok(plan.data)
}

/// Makes the queries of WITH known to `context`; those that write are added to `steps`.
fn bind_ctes(
    context: &mut BindContext,
    with: &With,
    graphs: &Arc<[GraphTable]>,
    steps: &mut Vec<(usize, LogicalPlan)>,
) -> Result<(), PgError> {
    let mut names: Vec<String> = Vec::with_capacity(with.cte_tables.len());
    for cte in &with.cte_tables {
        let name = fold(&cte.alias.name);
        if names.contains(&name) {
            return Err(PgError::new(
                SqlState::DUPLICATE_ALIAS,
                format!("WITH query name \"{name}\" specified more than once"),
            ));
        }
        names.push(name.clone());
        let plan = match write_of(&cte.query) {
            Some(Dml::Merge(_)) => {
                return Err(PgError::unsupported(
                    "MERGE not supported in WITH query",
                    "Write it as the statement behind WITH.",
                ));
            }
            Some(write) => {
                // A WITH inside the query of WITH is its own.
                let mut inner = context.clone();
                if let Some(with) = &cte.query.with {
                    refuse_nested_writes(with)?;
                    bind_ctes(&mut inner, with, graphs, &mut Vec::new())?;
                }
                let number = steps.len();
                let plan = write.plan(&inner, graphs)?;
                let rows = written_rows(cte, number, &plan, write.kind().gives_rows())?;
                steps.push((number, plan));
                match rows {
                    Some(rows) => rows,
                    None => continue,
                }
            }
            None => read_cte(context, with, cte, graphs)?,
        };
        context.ctes.retain(|(known, _)| *known != name);
        context.ctes.push((name, plan));
    }
    Ok(())
}

fn refuse_nested_writes(with: &With) -> Result<(), PgError> {
    if with.cte_tables.iter().any(|cte| write_of(&cte.query).is_some()) {
        return Err(PgError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            "WITH clause containing a data-modifying statement must be at the top level",
        ));
    }
    Ok(())
}

/// A query that only reads, as `WITH name AS (…) SELECT * FROM name`.
fn read_cte(
    context: &BindContext,
    with: &With,
    cte: &Cte,
    graphs: &Arc<[GraphTable]>,
) -> Result<LogicalPlan, PgError> {
    let mut query = super::wildcard_query()?;
    let text = format!("SELECT * FROM {}", cte.alias.name);
    query.body = crate::parser::stored::parse_query(&text)?.body;
    query.with = Some(With { cte_tables: vec![cte.clone()], ..with.clone() });
    let plan = plan_query(context, &query, graphs)?;
    Ok(LogicalPlanBuilder::from(plan).alias(fold(&cte.alias.name))?.build()?)
}

/// A scan of the rows that a query gave by RETURNING; `None` if it gives none.
fn written_rows(
    cte: &Cte,
    number: usize,
    plan: &LogicalPlan,
    gives_rows: bool,
) -> Result<Option<LogicalPlan>, PgError> {
    if !gives_rows {
        return Ok(None);
    }
    let name = fold(&cte.alias.name);
    let given: Vec<String> = cte.alias.columns.iter().map(|column| fold(&column.name)).collect();
    let fields = plan.schema().fields();
    if given.len() > fields.len() {
        return Err(PgError::new(
            SqlState::INVALID_COLUMN_REFERENCE,
            format!(
                "WITH query \"{name}\" has {} columns available but {} columns specified",
                fields.len(),
                given.len()
            ),
        ));
    }
    // Two columns may come under one name; a table's may not.
    let mut taken: Vec<String> = Vec::with_capacity(fields.len());
    let renamed: Vec<_> = fields
        .iter()
        .enumerate()
        .map(|(at, field)| {
            let wanted = given.get(at).map_or_else(|| visible_name(field.name()), String::as_str);
            let free = match taken.iter().any(|name| name == wanted) {
                true => unique_name(wanted, at),
                false => wanted.to_owned(),
            };
            taken.push(free.clone());
            field.as_ref().clone().with_name(free)
        })
        .collect();
    let source = WrittenRows::new(number, Arc::new(Schema::new(renamed)));
    let scan = LogicalPlanBuilder::scan(name.as_str(), Arc::new(source), None)?;
    let columns: Vec<PlanExpr> =
        scan.schema().columns().into_iter().map(PlanExpr::Column).collect();
    Ok(Some(scan.project(columns)?.alias(name)?.build()?))
}
