//! `GRAPH_TABLE ( … )`: a pattern with SQL expressions.
//!
//! SQL expressions are planned by the SQL planner over a schema in which every variable is a table and every property
//! a column; the columns then become property calls on the elements.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, TableReference};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, Projection};
use sqlparser::ast::Expr as SqlTree;

use super::names::{Dialect, graph_named, property, property_names, with_near};
use super::pattern::{
    PatternDraft, PatternVariable, Predicate, Slot, Surroundings, VariableKind, draft,
};
use crate::catalog::{Catalog, PropertyGraph};
use crate::error::{PgError, SqlState};
use crate::functions::cypher::lambda::{self, ListFunction, ListOperation};
use crate::functions::cypher::{CypherType, lists::ListLength};
use crate::parser::pattern::Name;
use crate::parser::pgq::{GraphTable, GraphTableColumn, RowsPer, SqlExpr};
use crate::planner::node::{GraphFunction, GraphFunctionKind, MatchPattern};
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
    match rows {
        RowsPer::Match => {}
        RowsPer::Vertex { variable, .. } | RowsPer::Step { from: variable, .. } => {
            return Err(PgError::unsupported(
                "ONE ROW PER VERTEX and ONE ROW PER STEP are not supported yet",
                "Without them there is one row for each match.",
            )
            .at(variable.span.start as usize));
        }
    }
    let mut number = 0;
    let mut fresh = || {
        number += 1;
        format!("#{number}")
    };
    let drafted = draft(
        pattern,
        Surroundings { graph: &graph, dialect: Dialect::Pgq, outer: &|_| None, fresh: &mut fresh },
    )?;
    let PatternDraft { pattern: mut bound, variables, predicates } = drafted;
    let mut scope = SqlScope::new(&graph, &variables, plan_sql)?;
    let mut filters = Vec::new();
    for (slot, predicate) in predicates {
        let condition = match predicate {
            Predicate::Condition(condition) => {
                scope.condition(condition, single_edge(&bound, slot))?
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
    if let Some(condition) = &pattern.condition {
        for part in split(scope.condition(condition, None)?) {
            let slot = only_element(&bound, &part).unwrap_or(Slot::Pattern);
            place(&mut bound, slot, part, &mut filters);
        }
    }
    let outputs = scope.columns(columns)?;
    let filter = filters.into_iter().reduce(Expr::and);
    let node = MatchPattern::try_new(None, bound, filter, false)?;
    let plan = LogicalPlan::Extension(Extension { node: Arc::new(node) });
    Ok(LogicalPlan::Projection(Projection::try_new(outputs, Arc::new(plan))?))
}

/// Variables as tables, properties as columns.
struct SqlScope<'s, 'p> {
    graph: &'s Arc<PropertyGraph>,
    variables: BTreeMap<&'s str, &'s PatternVariable>,
    schema: DFSchema,
    plan_sql: &'s mut PlanSql<'p>,
}

impl<'s, 'p> SqlScope<'s, 'p> {
    fn new(
        graph: &'s Arc<PropertyGraph>,
        variables: &'s [PatternVariable],
        plan_sql: &'s mut PlanSql<'p>,
    ) -> Result<Self, PgError> {
        let mut fields = Vec::new();
        for variable in variables {
            let edge = match variable.kind {
                VariableKind::Vertex => false,
                VariableKind::Edge | VariableKind::EdgeList => true,
                VariableKind::Path => continue,
            };
            for name in property_names(graph, edge) {
                let Some(property) = property(graph, name, edge) else { continue };
                let field = Arc::new(property.ty.field(name, true));
                fields.push((Some(TableReference::bare(variable.name.clone())), field));
            }
        }
        let schema = DFSchema::new_with_metadata(fields, Default::default())?;
        let variables =
            variables.iter().map(|variable| (variable.name.as_str(), variable)).collect();
        Ok(Self { graph, variables, schema, plan_sql })
    }

    /// Plans an expression; `single` is a quantified edge that is one edge here.
    fn expression(&mut self, expr: &SqlExpr, single: Option<&str>) -> Result<Expr, PgError> {
        self.check_names(expr)?;
        let planned = (self.plan_sql)(&expr.expr, &self.schema)
            .map_err(|error| error.or_at(Some(expr.span.start as usize)))?;
        let mut failed = None;
        let planned = planned
            .transform_up(|expr| match &expr {
                Expr::Column(column) => match self.element(column, single) {
                    Ok(property) => Ok(Transformed::yes(property)),
                    Err(error) => {
                        failed.get_or_insert(error);
                        Ok(Transformed::no(expr))
                    }
                },
                Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::ScalarSubquery(_)
                | Expr::SetComparison(_) => {
                    failed.get_or_insert(PgError::unsupported(
                        "subqueries inside GRAPH_TABLE are not supported yet",
                        "Put the condition into the WHERE of the query around it.",
                    ));
                    Ok(Transformed::no(expr))
                }
                _ => Ok(Transformed::no(expr)),
            })?
            .data;
        match failed {
            Some(error) => Err(error.or_at(Some(expr.span.start as usize))),
            None => Ok(planned),
        }
    }

    fn condition(&mut self, expr: &SqlExpr, single: Option<&str>) -> Result<Expr, PgError> {
        let planned = self.expression(expr, single)?;
        Ok(planned)
    }

    /// Names as PostgreSQL refuses them, before the SQL planner does in its own words.
    fn check_names(&self, expr: &SqlExpr) -> Result<(), PgError> {
        let mut result = Ok(());
        // The visitor stops at the first error.
        let _ = sqlparser::ast::visit_expressions(&*expr.expr, |tree| {
            let checked = match tree {
                SqlTree::CompoundIdentifier(parts) => match parts.as_slice() {
                    [variable, key] => self.check_property(&fold(variable), &fold(key)),
                    _ => Ok(()),
                },
                _ => Ok(()),
            };
            match checked {
                Ok(()) => std::ops::ControlFlow::Continue(()),
                Err(error) => {
                    result = Err(error.at(expr.span.start as usize));
                    std::ops::ControlFlow::Break(())
                }
            }
        });
        result
    }

    fn check_property(&self, variable: &str, key: &str) -> Result<(), PgError> {
        let Some(found) = self.variables.get(variable) else {
            let error = PgError::new(
                SqlState::UNDEFINED_TABLE,
                format!("missing FROM-clause entry for table \"{variable}\""),
            );
            return Err(with_near(error, variable, self.variables.keys().copied()));
        };
        let edge = match found.kind {
            VariableKind::Vertex => false,
            VariableKind::Edge | VariableKind::EdgeList => true,
            VariableKind::Path => {
                return Err(PgError::new(SqlState::UNDEFINED_COLUMN, "a path has no properties"));
            }
        };
        if property(self.graph, key, edge).is_none() {
            let error = PgError::new(
                SqlState::UNDEFINED_COLUMN,
                format!("property \"{key}\" does not exist"),
            );
            return Err(with_near(error, key, property_names(self.graph, edge).into_iter()));
        }
        Ok(())
    }

    /// The property call for a column of the schema.
    fn element(&self, column: &Column, single: Option<&str>) -> Result<Expr, PgError> {
        let name = column.relation.as_ref().map(TableReference::table).unwrap_or_default();
        let Some(variable) = self.variables.get(name) else {
            return Err(PgError::unsupported(
                "references from GRAPH_TABLE to columns outside of it are not supported yet",
                "Return what is to be compared in COLUMNS, and compare it in the WHERE of the query around it.",
            ));
        };
        let edge = variable.kind != VariableKind::Vertex;
        if variable.kind == VariableKind::EdgeList && single != Some(variable.column.as_str()) {
            return Err(PgError::unsupported(
                format!("a property of the quantified edge \"{name}\" is not a single value"),
                "Conditions on each edge go into the edge pattern: -[e WHERE …]->{1,3}.",
            ));
        }
        let Some(property) = property(self.graph, &column.name, edge) else {
            return Err(PgError::new(
                SqlState::UNDEFINED_COLUMN,
                format!("property \"{}\" does not exist", column.name),
            ));
        };
        let kind = GraphFunctionKind::Property {
            name: property.name.clone(),
            ty: property.ty.clone(),
            edge,
        };
        Ok(GraphFunction::call(
            self.graph,
            kind,
            Expr::Column(Column::new_unqualified(variable.column.clone())),
        ))
    }

    fn columns(&mut self, columns: &[GraphTableColumn]) -> Result<Vec<Expr>, PgError> {
        let mut outputs: Vec<Expr> = Vec::with_capacity(columns.len());
        let mut names: Vec<String> = Vec::with_capacity(columns.len());
        for column in columns {
            match column {
                GraphTableColumn::Expr { expr, name } => {
                    let name = output_name(expr, name.as_ref())?;
                    let value = match self.path_or_list(expr)? {
                        Some(value) => value,
                        None => self.expression(expr, None)?,
                    };
                    outputs.push(value.alias(name.clone()));
                    names.push(name);
                }
                GraphTableColumn::AllProperties { variable, span: _ } => {
                    for (name, value) in self.all_properties(variable)? {
                        outputs.push(value.alias(name.clone()));
                        names.push(name);
                    }
                }
            }
        }
        for (at, name) in names.iter().enumerate() {
            if names.iter().take(at).any(|before| before == name) {
                return Err(PgError::new(
                    SqlState::DUPLICATE_COLUMN,
                    format!("column \"{name}\" specified more than once"),
                ));
            }
        }
        Ok(outputs)
    }

    /// Functions of the standard on whole elements and paths: `path_length(p)`, `element_id(a)`, `labels(a)`.
    fn path_or_list(&self, expr: &SqlExpr) -> Result<Option<Expr>, PgError> {
        let SqlTree::Function(call) = &*expr.expr else { return Ok(None) };
        let [name] = call.name.0.as_slice() else { return Ok(None) };
        let Some(function) = name.as_ident().map(fold) else { return Ok(None) };
        let sqlparser::ast::FunctionArguments::List(arguments) = &call.args else {
            return Ok(None);
        };
        let [
            sqlparser::ast::FunctionArg::Unnamed(sqlparser::ast::FunctionArgExpr::Expr(
                SqlTree::Identifier(argument),
            )),
        ] = arguments.args.as_slice()
        else {
            return Ok(None);
        };
        let Some(variable) = self.variables.get(fold(argument).as_str()) else { return Ok(None) };
        let column = Expr::Column(Column::new_unqualified(variable.column.clone()));
        let edge = variable.kind == VariableKind::Edge;
        Ok(match (function.as_str(), variable.kind) {
            ("path_length", VariableKind::Path) => Some(ListLength::call(
                datafusion::functions::core::expr_fn::get_field(column, "edges"),
            )),
            ("path_length", VariableKind::EdgeList) => Some(ListLength::call(column)),
            ("element_id", VariableKind::Vertex | VariableKind::Edge) => {
                Some(GraphFunction::call(self.graph, GraphFunctionKind::ElementId { edge }, column))
            }
            ("labels", VariableKind::Vertex) => Some(GraphFunction::call(
                self.graph,
                GraphFunctionKind::Labels { edge: false },
                column,
            )),
            _ => None,
        })
    }

    fn all_properties(&self, variable: &Name) -> Result<Vec<(String, Expr)>, PgError> {
        let name = variable.folded();
        let Some(found) = self.variables.get(name.as_str()) else {
            return Err(PgError::new(
                SqlState::UNDEFINED_TABLE,
                format!("missing FROM-clause entry for table \"{name}\""),
            )
            .at(variable.span.start as usize));
        };
        let edge = match found.kind {
            VariableKind::Vertex => false,
            VariableKind::Edge => true,
            VariableKind::EdgeList | VariableKind::Path => {
                return Err(PgError::new(
                    SqlState::SYNTAX_ERROR,
                    format!("\"{name}\" is not a single element"),
                )
                .at(variable.span.start as usize));
            }
        };
        property_names(self.graph, edge)
            .into_iter()
            .map(|key| {
                let column = Column::new(Some(TableReference::bare(name.clone())), key);
                self.element(&column, None).map(|value| (key.to_owned(), value))
            })
            .collect()
    }
}

fn fold(identifier: &sqlparser::ast::Ident) -> String {
    match identifier.quote_style {
        Some(_) => identifier.value.clone(),
        None => identifier.value.to_ascii_lowercase(),
    }
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
        Slot::Vertex(_) | Slot::Pattern => None,
    }
}

fn split(condition: Expr) -> Vec<Expr> {
    datafusion::logical_expr::utils::split_conjunction_owned(condition)
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
