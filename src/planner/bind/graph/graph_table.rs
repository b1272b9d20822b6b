//! `GRAPH_TABLE ( … )`: a pattern with SQL expressions.
//!
//! SQL expressions are planned by the SQL planner over a schema in which every variable is a table and every property
//! a column; the columns then become property calls on the elements ([`scope`], [`aggregate`]). [`rows_per`] has what
//! makes a row, [`subquery`] conditions and columns that ask other queries.

mod aggregate;
mod rows_per;
mod scope;
mod subquery;

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::utils::split_conjunction_owned;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan};
use sqlparser::ast::Expr as SqlTree;

use self::scope::{SqlScope, fold};
use super::names::{Dialect, graph_named, property_names};
use super::pattern::{PatternDraft, Predicate, Slot, Surroundings, VariableKind, draft};
use crate::catalog::{Catalog, PropertyGraph};
use crate::error::{PgError, SqlState};
use crate::functions::cypher::CypherType;
use crate::functions::cypher::lambda::{self, ListFunction, ListOperation};
use crate::parser::pattern::Name;
use crate::parser::pgq::{GraphTable, GraphTableColumn, SqlExpr};
use crate::planner::node::{MatchPattern, has_subquery};
use crate::planner::pattern::BoundPattern;

/// Plans an SQL expression over a schema.
pub type PlanSql<'p> = dyn FnMut(&SqlTree, &DFSchema) -> Result<Expr, PgError> + 'p;

/// The plan of a `GRAPH_TABLE`: one column for each of `COLUMNS`.
///
/// # Errors
/// `42704` for the graph or a label, `42703` for a property, `42P01` for a variable, `42601`, and `0A000` for forms of
/// the standard that are not carried out.
pub fn bind_graph_table_plan(
    catalog: &Catalog,
    search_path: &[String],
    table: &GraphTable,
    plan_sql: &mut PlanSql<'_>,
) -> Result<LogicalPlan, PgError> {
    let GraphTable { graph, pattern, rows, columns, span: _ } = table;
    let offset = graph.span.start as usize;
    let graph =
        graph_named(catalog, search_path, &super::definition::qualified(graph)?, Some(offset))?;
    let mut number = 0;
    let mut fresh = || {
        number += 1;
        format!("#{number}")
    };
    let pattern = rows_per::with_paths(pattern, rows);
    let drafted = draft(
        pattern.as_ref(),
        Surroundings { graph: &graph, dialect: Dialect::Pgq, outer: &|_| None, fresh: &mut fresh },
    )?;
    let variables = drafted.variables.clone();
    let (mut bound, mut filters) = bind_draft(&graph, drafted, plan_sql)?;
    let mut scope = SqlScope::new(&graph, &variables, None, plan_sql)?;
    let mut asking = Vec::new();
    if let Some(condition) = &pattern.condition {
        for part in split_conjunction_owned(scope.planned(condition)?) {
            if has_subquery(&part) {
                asking.push(part);
                continue;
            }
            let part = scope
                .resolved(part, None)
                .map_err(|error| error.or_at(Some(condition.span.start as usize)))?;
            let slot = only_element(&bound, &part).unwrap_or(Slot::Pattern);
            place(&mut bound, slot, part, &mut filters);
        }
    }
    let filter = filters.into_iter().reduce(Expr::and);
    let node = MatchPattern::try_new(None, bound, filter, false)?;
    let plan = LogicalPlan::Extension(Extension { node: Arc::new(node) });
    let plan = subquery::filtered(plan, &scope, asking)?;
    let (plan, variables, number) = rows_per::unnested(plan, rows, variables)?;
    let mut scope = SqlScope::new(&graph, &variables, number, plan_sql)?;
    let outputs = columns_of_table(&mut scope, columns)?;
    subquery::projected(plan, &scope, outputs)
}

/// Binds the predicates of a pattern and of its repeated patterns; the pattern, and conditions on all of it.
fn bind_draft(
    graph: &Arc<PropertyGraph>,
    drafted: PatternDraft<'_, SqlExpr>,
    plan_sql: &mut PlanSql<'_>,
) -> Result<(BoundPattern, Vec<Expr>), PgError> {
    let PatternDraft { pattern: mut bound, variables, predicates, equal, groups } = drafted;
    let mut filters = Vec::new();
    for (left, right) in equal {
        if let (Some(left), Some(right)) = (bound.vertices.get(left), bound.vertices.get(right)) {
            filters.push(column(&left.variable).eq(column(&right.variable)));
        }
    }
    for group in groups {
        let (body, filters) = bind_draft(graph, group.draft, plan_sql)?;
        let filter = filters.into_iter().reduce(Expr::and);
        let node = MatchPattern::try_new(None, body, filter, false)?;
        let body = LogicalPlan::Extension(Extension { node: Arc::new(node) });
        // Its matches are found once for a statement, not for each row beside it.
        if body.contains_outer_reference() {
            return Err(PgError::unsupported(
                "a condition in a repeated pattern cannot read columns from outside of it",
                "Compare them in the WHERE behind the pattern.",
            ));
        }
        if let Some(edge) = bound.edges.get_mut(group.edge)
            && let Some(group) = &mut edge.group
        {
            group.body = Arc::new(body);
        }
    }
    let mut scope = SqlScope::new(graph, &variables, None, plan_sql)?;
    for (slot, predicate) in predicates {
        let condition = match predicate {
            Predicate::Condition(condition) => {
                scope.expression(condition, single_edge(&bound, slot))?
            }
            Predicate::Property(name, _) => {
                return Err(PgError::new(
                    SqlState::SYNTAX_ERROR,
                    "property maps are not part of SQL/PGQ",
                )
                .hint("Write (a WHERE a.key = value).")
                .at(name.span.start as usize));
            }
        };
        place(&mut bound, slot, condition, &mut filters);
    }
    Ok((bound, filters))
}

fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

/// The output columns: planned, with their names. Those that ask other queries are still over the scope's schema.
fn columns_of_table(
    scope: &mut SqlScope<'_, '_>,
    columns: &[GraphTableColumn],
) -> Result<Vec<(Expr, String)>, PgError> {
    let mut outputs: Vec<(Expr, String)> = Vec::with_capacity(columns.len());
    for column in columns {
        match column {
            GraphTableColumn::Expr { expr, name } => {
                let name = output_name(expr, name.as_ref())?;
                let planned = scope.planned(expr)?;
                let value = match has_subquery(&planned) {
                    true => planned,
                    false => scope
                        .resolved(planned, None)
                        .map_err(|error| error.or_at(Some(expr.span.start as usize)))?,
                };
                outputs.push((value, name));
            }
            GraphTableColumn::AllProperties { variable, span: _ } => {
                outputs.extend(all_properties(scope, variable)?);
            }
        }
    }
    for (at, (_, name)) in outputs.iter().enumerate() {
        if outputs.iter().take(at).any(|(_, before)| before == name) {
            return Err(PgError::new(
                SqlState::DUPLICATE_COLUMN,
                format!("column \"{name}\" specified more than once"),
            ));
        }
    }
    Ok(outputs)
}

fn all_properties(
    scope: &SqlScope<'_, '_>,
    variable: &Name,
) -> Result<Vec<(Expr, String)>, PgError> {
    let name = variable.folded();
    let found = scope.variable(&name).map_err(|error| error.at(variable.span.start as usize))?;
    let edge = match found.kind {
        VariableKind::Vertex => false,
        VariableKind::Edge => true,
        VariableKind::EdgeList | VariableKind::VertexList | VariableKind::Path => {
            return Err(PgError::new(
                SqlState::SYNTAX_ERROR,
                format!("\"{name}\" is not a single element"),
            )
            .at(variable.span.start as usize));
        }
    };
    property_names(scope.graph, edge)
        .into_iter()
        .map(|key| Ok((scope.part(column(&found.column), edge, key)?, key.to_owned())))
        .collect()
}

/// The column's name: as given, else the property's.
fn output_name(expr: &SqlExpr, name: Option<&Name>) -> Result<String, PgError> {
    if let Some(name) = name {
        return Ok(name.folded());
    }
    match &*expr.expr {
        SqlTree::CompoundIdentifier(parts) => match parts.last() {
            Some(last) => Ok(fold(last)),
            None => Err(PgError::internal("a compound identifier without parts")),
        },
        SqlTree::Identifier(identifier) => Ok(fold(identifier)),
        _ => Err(PgError::new(SqlState::SYNTAX_ERROR, "column name required")
            .hint("Write AS name behind the expression.")
            .at(expr.span.start as usize)),
    }
}

/// The column of a quantified edge, where a condition inside it is about one edge.
fn single_edge(pattern: &BoundPattern, slot: Slot) -> Option<&str> {
    match slot {
        Slot::Edge(at) => pattern
            .edges
            .get(at)
            .filter(|edge| edge.quantifier.is_some())
            .map(|edge| edge.variable.as_str()),
        Slot::Vertex(_) | Slot::Pattern | Slot::Path(_) => None,
    }
}

fn columns_of(expr: &Expr) -> Vec<String> {
    let mut names = Vec::new();
    for column in expr.column_refs() {
        if !names.contains(&column.name) {
            names.push(column.name.clone());
        }
    }
    names
}

fn only_element(pattern: &BoundPattern, condition: &Expr) -> Option<Slot> {
    let used = columns_of(condition);
    let [name] = used.as_slice() else { return None };
    if pattern.is_selected_by_path(name) {
        return None;
    }
    if let Some(at) = pattern.vertices.iter().position(|vertex| vertex.variable == *name) {
        return Some(Slot::Vertex(at));
    }
    let edge =
        pattern.edges.iter().position(|edge| edge.variable == *name && edge.quantifier.is_none());
    edge.map(Slot::Edge)
}

/// Puts a condition into its element if it is about that alone, else on the whole pattern.
fn place(pattern: &mut BoundPattern, slot: Slot, condition: Expr, filters: &mut Vec<Expr>) {
    let used = columns_of(&condition);
    let local = |name: &str| used.iter().all(|used| used == name);
    let target = match slot {
        Slot::Vertex(at) => pattern
            .vertices
            .get_mut(at)
            .filter(|vertex| local(&vertex.variable))
            .map(|vertex| &mut vertex.predicate),
        Slot::Edge(at) => match pattern.edges.get_mut(at) {
            Some(edge) if local(&edge.variable) => Some(&mut edge.predicate),
            Some(edge) if edge.quantifier.is_some() => {
                filters.push(for_each(&edge.variable, condition));
                return;
            }
            _ => None,
        },
        Slot::Path(at) => pattern.paths.get_mut(at).map(|path| &mut path.condition),
        Slot::Pattern => None,
    };
    match target {
        Some(target) => {
            *target = Some(match target.take() {
                Some(before) => before.and(condition),
                None => condition,
            });
        }
        None => filters.push(condition),
    }
}

/// A condition on one edge, for all edges of a quantified one.
fn for_each(edges: &str, condition: Expr) -> Expr {
    let name = format!("{edges}#");
    let body = condition.transform(|expr| match &expr {
        Expr::Column(column) if column.name == edges => {
            Ok(Transformed::yes(lambda::variable(&name, &CypherType::Relationship)))
        }
        _ => Ok(Transformed::no(expr)),
    });
    match body {
        Ok(body) => ListFunction::quantifier(
            ListOperation::All,
            Expr::Column(Column::new_unqualified(edges)),
            &CypherType::Relationship,
            &name,
            body.data,
        ),
        // The rewriting never fails.
        Err(_) => datafusion::logical_expr::lit(false),
    }
}
