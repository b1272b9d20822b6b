//! `CREATE VIEW`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::{LogicalPlan, TableSource};
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::{Optimizer, OptimizerContext, OptimizerRule};
use sqlparser::ast::{CreateTableOptions, CreateView, SqlOption};

use super::{DdlCommand, existing, place};
use crate::catalog::{Column, Persistence, Relation, RelationKind, View, ViewRead};
use crate::error::{PgError, SqlState};
use crate::planner::bind::bound::BoundColumn;
use crate::planner::bind::context::BindContext;
use crate::planner::bind::sql::names::{fold, qualified_name};
use crate::planner::source::{RelationSource, ViewSource};
use crate::types::Oid;
use crate::types::pg_type::PgType;

pub(super) fn bind(
    context: &BindContext,
    create: &CreateView,
    text: &str,
) -> Result<DdlCommand, PgError> {
    if create.materialized {
        return super::materialized::bind(context, create, text);
    }
    let foreign = create.or_alter
        || create.secure
        || !create.cluster_by.is_empty()
        || create.comment.is_some()
        || create.with_no_schema_binding
        || create.if_not_exists
        || create.copy_grants
        || create.to.is_some()
        || create.params.is_some();
    if foreign {
        return Err(PgError::unsupported(
            "this form of CREATE VIEW is not supported",
            "See docs/compat.md.",
        ));
    }
    let options = view_options(&create.options)?;
    let name = qualified_name(&create.name)?;
    let query = view_query(text)?;
    let tracking = context.tracking();
    let body = crate::parser::stored::parse_view_query(&query)?;
    let plan = crate::planner::bind::bind_view_body(&tracking, &body)?;
    let columns = crate::planner::bind::sql::query::output_columns(&plan);
    let columns = view_columns(&columns, create)?;
    let reads = reads(context, &tracking, &plan);
    let over_temporary = !create.temporary
        && reads.iter().any(|read| {
            let relation = context.catalog.relation(read.relation);
            relation.is_some_and(|relation| relation.persistence == Persistence::Temporary)
        });
    if over_temporary {
        let notice = format!("view \"{}\" will be a temporary view", name.name);
        context.notices.lock().push(PgError::notice(notice));
    }
    let (schema, persistence) = place(context, &name, create.temporary || over_temporary)?;
    let replaces = match existing(context, schema, &name.name) {
        None => None,
        Some(old) => Some(check_replace(create, old, &columns)?),
    };
    let view = View { query, columns, search_path: context.search_path.clone(), reads, options };
    Ok(DdlCommand::CreateView { schema, name: name.name, view, persistence, replaces })
}

/// `WITH (security_invoker = …, security_barrier = …)`.
///
/// # Errors
/// `22023` for what is no option of a view; `0A000` for check options, as rows cannot be written through views.
fn view_options(options: &CreateTableOptions) -> Result<Vec<String>, PgError> {
    let given = match options {
        CreateTableOptions::None => return Ok(Vec::new()),
        CreateTableOptions::With(given) | CreateTableOptions::Options(given) => given,
        other => {
            return Err(PgError::unsupported(
                format!("this form of CREATE VIEW is not supported: {other}"),
                "See docs/compat.md.",
            ));
        }
    };
    given.iter().map(view_option).collect()
}

fn view_option(option: &SqlOption) -> Result<String, PgError> {
    let (name, value) = match option {
        SqlOption::KeyValue { key, value } => (fold(key), value.to_string()),
        SqlOption::Ident(name) => (fold(name), "true".to_owned()),
        other => {
            let message = format!("syntax error at or near \"{other}\"");
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
        }
    };
    let value = value.trim_matches('\'').to_lowercase();
    match name.as_str() {
        "security_invoker" | "security_barrier" => {
            let on = match value.as_str() {
                "true" | "on" | "yes" | "1" => true,
                "false" | "off" | "no" | "0" => false,
                _ => {
                    let message = format!("invalid value for boolean option \"{name}\": {value}");
                    return Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message));
                }
            };
            Ok(format!("{name}={on}"))
        }
        "check_option" => Err(PgError::unsupported(
            "check_option is not supported",
            "Rows cannot be written through a view; write to the table behind it.",
        )),
        _ => {
            let message = format!("unrecognized parameter \"{name}\"");
            Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message))
        }
    }
}

/// What the query names, and which columns of it the view cannot be without.
pub(in crate::planner::bind::sql) fn reads(
    context: &BindContext,
    tracking: &BindContext,
    plan: &LogicalPlan,
) -> Vec<ViewRead> {
    let mut reads = tracking.touched();
    // System views are never asked what they depend on.
    let used = if context.system { None } else { used_columns(plan) };
    let Some(used) = used else { return reads };
    for read in &mut reads {
        let Some(used) = used.get(&read.relation) else { continue };
        for column in &mut read.columns {
            column.used = used.contains(&column.attnum);
        }
    }
    reads
}

/// Columns that a plan reads of each stored table; `None` if that cannot be told.
fn used_columns(plan: &LogicalPlan) -> Option<BTreeMap<Oid, BTreeSet<i16>>> {
    let rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> =
        vec![Arc::new(OptimizeProjections::new())];
    let pruned = Optimizer::with_rules(rules)
        .optimize(plan.clone(), &OptimizerContext::new(), |_, _| {})
        .ok()?;
    let mut used: BTreeMap<Oid, BTreeSet<i16>> = BTreeMap::new();
    pruned
        .apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node
                && let Some(relation) = read_relation(scan.source.as_ref())
            {
                let columns = relation.columns();
                let all = 0..columns.len();
                let read: Vec<usize> = scan.projection.clone().unwrap_or_else(|| all.collect());
                let attnums = read.iter().filter_map(|at| columns.get(*at)).map(|c| c.attnum);
                used.entry(relation.oid).or_default().extend(attnums);
            }
            Ok(TreeNodeRecursion::Continue)
        })
        .ok()?;
    Some(used)
}

/// What a scan reads; a table whose columns a view knows by other names is not asked by them.
fn read_relation(source: &dyn TableSource) -> Option<&Arc<Relation>> {
    if let Some(source) = source.downcast_ref::<RelationSource>() {
        return Some(&source.relation);
    }
    let view = source.downcast_ref::<ViewSource>()?;
    view.relation.view().map(|_| &view.relation)
}

/// The text of the query behind AS.
pub(super) fn view_query(text: &str) -> Result<String, PgError> {
    crate::parser::stored::view_query_text(text)
        .map(str::to_owned)
        .ok_or_else(|| PgError::new(SqlState::SYNTAX_ERROR, "syntax error in CREATE VIEW"))
}

/// The view's columns, under the names it gives them.
///
/// # Errors
/// `42601` for more names than columns, `42701`.
pub(super) fn view_columns(
    columns: &[BoundColumn],
    create: &CreateView,
) -> Result<Vec<Column>, PgError> {
    if create.columns.len() > columns.len() {
        return Err(PgError::new(
            SqlState::SYNTAX_ERROR,
            "CREATE VIEW specifies more column names than columns",
        ));
    }
    let mut result: Vec<Column> = Vec::with_capacity(columns.len());
    for (at, column) in columns.iter().enumerate() {
        let name =
            create.columns.get(at).map_or_else(|| column.name.clone(), |given| fold(&given.name));
        if result.iter().any(|other| other.name == name) {
            return Err(PgError::new(
                SqlState::DUPLICATE_COLUMN,
                format!("column \"{name}\" specified more than once"),
            ));
        }
        let ty = if column.ty == PgType::Unknown { PgType::Text } else { column.kept.clone() };
        result.push(Column::of(at as i16 + 1, name, ty));
    }
    Ok(result)
}

/// OR REPLACE may add columns at the end and nothing else.
fn check_replace(
    create: &CreateView,
    old: &crate::catalog::Relation,
    columns: &[Column],
) -> Result<crate::types::Oid, PgError> {
    let RelationKind::View(view) = &old.kind else {
        return Err(PgError::new(
            SqlState::WRONG_OBJECT_TYPE,
            format!("\"{}\" is not a view", old.name),
        ));
    };
    if !create.or_replace {
        return Err(PgError::new(
            SqlState::DUPLICATE_TABLE,
            format!("relation \"{}\" already exists", old.name),
        ));
    }
    if columns.len() < view.columns.len() {
        return Err(PgError::new(
            SqlState::INVALID_TABLE_DEFINITION,
            "cannot drop columns from view",
        ));
    }
    for (before, after) in view.columns.iter().zip(columns) {
        if before.name != after.name {
            return Err(PgError::new(
                SqlState::INVALID_TABLE_DEFINITION,
                format!(
                    "cannot change name of view column \"{}\" to \"{}\"",
                    before.name, after.name
                ),
            )
            .hint("Use ALTER VIEW ... RENAME COLUMN ... to change name of view column instead."));
        }
        if before.ty != after.ty {
            return Err(PgError::new(
                SqlState::INVALID_TABLE_DEFINITION,
                format!(
                    "cannot change data type of view column \"{}\" from {} to {}",
                    before.name,
                    before.ty.name(),
                    after.ty.name()
                ),
            ));
        }
    }
    Ok(old.oid)
}
