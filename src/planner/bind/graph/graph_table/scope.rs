//! Names inside `GRAPH_TABLE`: variables as tables, properties as columns.
//!
//! Functions on whole elements and paths become columns too before SQL's planner sees them: `element_id(a)` is column
//! `~id` of `a`, `path_length(p)` column `~length` of `p`.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, TableReference};
use datafusion::logical_expr::Expr;
use sqlparser::ast::{
    BinaryOperator, CastKind, DataType as SqlType, Expr as SqlTree, Function, FunctionArg,
    FunctionArgExpr, FunctionArguments, Ident, ObjectName, ObjectNamePart,
};

use super::super::names::{property, property_names, with_near};
use super::super::pattern::{PatternVariable, VariableKind};
use super::PlanSql;
use super::aggregate;
use crate::catalog::PropertyGraph;
use crate::error::{PgError, SqlState};
use crate::functions::cypher::lambda::{self, ListFunction};
use crate::functions::cypher::{CypherType, lists::ListLength};
use crate::parser::pgq::SqlExpr;
use crate::planner::node::{GraphFunction, GraphFunctionKind};
use crate::types::pg_type::PgType;

const ELEMENT: &str = "~element";
const ID: &str = "~id";
const LABELS: &str = "~labels";
const LENGTH: &str = "~length";
const VERTICES: &str = "~vertices";
const EDGES: &str = "~edges";
const NUMBER: &str = "~number";

/// Variables as tables, properties as columns.
pub(super) struct SqlScope<'s, 'p> {
    pub(super) graph: &'s Arc<PropertyGraph>,
    pub(super) variables: BTreeMap<String, PatternVariable>,
    /// An iterator variable and the column with its number, for `element_number`.
    number: Option<(String, String)>,
    pub(super) schema: DFSchema,
    plan_sql: &'s mut PlanSql<'p>,
}

impl<'s, 'p> SqlScope<'s, 'p> {
    pub(super) fn new(
        graph: &'s Arc<PropertyGraph>,
        variables: &[PatternVariable],
        number: Option<(String, String)>,
        plan_sql: &'s mut PlanSql<'p>,
    ) -> Result<Self, PgError> {
        let mut fields = Vec::new();
        if let Some((variable, _)) = &number {
            let field = Arc::new(PgType::Int8.field(NUMBER, true));
            fields.push((Some(TableReference::bare(variable.clone())), field));
        }
        for variable in variables {
            let table = || Some(TableReference::bare(variable.name.clone()));
            let mut add = |field: Field| fields.push((table(), Arc::new(field)));
            let list = matches!(variable.kind, VariableKind::EdgeList | VariableKind::VertexList);
            if list || variable.kind == VariableKind::Path {
                add(PgType::Int8.field(LENGTH, true));
            }
            if variable.kind == VariableKind::Path {
                add(PgType::Array(Box::new(PgType::Text)).field(VERTICES, true));
                add(PgType::Array(Box::new(PgType::Text)).field(EDGES, true));
                continue;
            }
            let edge = is_edge(variable.kind);
            for name in property_names(graph, edge) {
                if let Some(property) = property(graph, name, edge) {
                    add(property.ty.field(name, true));
                }
            }
            add(Field::new(ELEMENT, DataType::UInt64, true));
            add(PgType::Text.field(ID, true));
            add(PgType::Array(Box::new(PgType::Text)).field(LABELS, true));
        }
        let schema = DFSchema::new_with_metadata(fields, Default::default())?;
        let variables =
            variables.iter().map(|variable| (variable.name.clone(), variable.clone())).collect();
        Ok(Self { graph, variables, number, schema, plan_sql })
    }

    /// The tree as SQL's planner has it: its columns are still those of [`Self::schema`].
    pub(super) fn planned(&mut self, expr: &SqlExpr) -> Result<Expr, PgError> {
        let mut tree = expr.expr.as_ref().clone();
        self.replace_functions(&mut tree)
            .and_then(|()| self.check_names(&tree))
            .map_err(|error| error.or_at(Some(expr.span.start as usize)))?;
        (self.plan_sql)(&tree, &self.schema).map_err(|error| {
            let error = self.unknown_variable(&tree).unwrap_or(error);
            error.or_at(Some(expr.span.start as usize))
        })
    }

    /// What is wrong with a name that is no variable, if the planner did not find it outside either.
    fn unknown_variable(&self, tree: &SqlTree) -> Option<PgError> {
        // A query has tables of its own.
        let is_query = |tree: &SqlTree| match tree {
            SqlTree::Exists { .. } | SqlTree::Subquery(_) | SqlTree::InSubquery { .. } => {
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        };
        if sqlparser::ast::visit_expressions(tree, is_query).is_break() {
            return None;
        }
        let mut unknown = None;
        // The visitor stops at the first name.
        let _ = sqlparser::ast::visit_expressions(tree, |tree| match tree {
            SqlTree::CompoundIdentifier(parts) => match parts.as_slice() {
                [variable, _] if !self.variables.contains_key(&fold(variable)) => {
                    unknown = self.variable(&fold(variable)).err();
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Continue(()),
            },
            _ => ControlFlow::Continue(()),
        });
        unknown
    }

    /// Plans an expression over the pattern's columns; `single` is a quantified edge that is one edge here.
    pub(super) fn expression(
        &mut self,
        expr: &SqlExpr,
        single: Option<&str>,
    ) -> Result<Expr, PgError> {
        let planned = self.planned(expr)?;
        self.resolved(planned, single).map_err(|error| error.or_at(Some(expr.span.start as usize)))
    }

    /// A planned expression over the pattern's columns.
    pub(super) fn resolved(&self, planned: Expr, single: Option<&str>) -> Result<Expr, PgError> {
        let mut failed = None;
        let planned = planned
            .transform_down(|expr| {
                let done = match &expr {
                    Expr::Column(Column { relation: Some(relation), name, .. }) => {
                        self.element(relation.table(), name, single)
                    }
                    Expr::AggregateFunction(call) => aggregate::over_list(self, call),
                    Expr::Exists(_)
                    | Expr::InSubquery(_)
                    | Expr::ScalarSubquery(_)
                    | Expr::SetComparison(_) => Err(PgError::unsupported(
                        "a subquery is not supported at this place of GRAPH_TABLE",
                        "Put the condition into the WHERE of GRAPH_TABLE or of the query around it.",
                    )),
                    _ => return Ok(Transformed::no(expr)),
                };
                match done {
                    Ok(done) => Ok(Transformed::new(done, true, TreeNodeRecursion::Jump)),
                    Err(error) => {
                        failed.get_or_insert(error);
                        Ok(Transformed::no(expr))
                    }
                }
            })?
            .data;
        match failed {
            Some(error) => Err(error),
            None => Ok(planned),
        }
    }

    /// Names as PostgreSQL refuses them, before the SQL planner does in its own words.
    fn check_names(&self, tree: &SqlTree) -> Result<(), PgError> {
        let mut result = Ok(());
        // The visitor stops at the first error.
        let _ = sqlparser::ast::visit_expressions(tree, |tree| {
            let checked = match tree {
                SqlTree::CompoundIdentifier(parts) => match parts.as_slice() {
                    [variable, key] => self.check_property(&fold(variable), &fold(key)),
                    _ => Ok(()),
                },
                _ => Ok(()),
            };
            match checked {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    result = Err(error);
                    ControlFlow::Break(())
                }
            }
        });
        result
    }

    fn check_property(&self, variable: &str, key: &str) -> Result<(), PgError> {
        // What is no variable may be a table outside, which the planner knows.
        let Some(found) = self.variables.get(variable) else { return Ok(()) };
        if key.starts_with('~') {
            return Ok(());
        }
        if found.kind == VariableKind::Path {
            return Err(PgError::new(SqlState::UNDEFINED_COLUMN, "a path has no properties"));
        }
        let edge = is_edge(found.kind);
        if property(self.graph, key, edge).is_none() {
            let error = PgError::new(
                SqlState::UNDEFINED_COLUMN,
                format!("property \"{key}\" does not exist"),
            );
            return Err(with_near(error, key, property_names(self.graph, edge).into_iter()));
        }
        Ok(())
    }

    /// The variable of a name.
    pub(super) fn variable(&self, name: &str) -> Result<&PatternVariable, PgError> {
        self.variables.get(name).ok_or_else(|| {
            let error = PgError::new(
                SqlState::UNDEFINED_TABLE,
                format!("missing FROM-clause entry for table \"{name}\""),
            );
            with_near(error, name, self.variables.keys().map(String::as_str))
        })
    }

    /// What a column of the schema stands for.
    fn element(&self, variable: &str, key: &str, single: Option<&str>) -> Result<Expr, PgError> {
        let found = self.variable(variable)?;
        let column = Expr::Column(Column::new_unqualified(found.column.clone()));
        let list = matches!(found.kind, VariableKind::EdgeList | VariableKind::VertexList);
        match (found.kind, key) {
            (_, NUMBER) => match &self.number {
                Some((_, column)) => Ok(Expr::Column(Column::new_unqualified(column.clone()))),
                None => Err(PgError::internal("an element without a number")),
            },
            (VariableKind::Path, LENGTH) => Ok(ListLength::call(
                datafusion::functions::core::expr_fn::get_field(column, "edges"),
            )),
            (VariableKind::Path, VERTICES | EDGES) => Ok(self.ids(column, key == EDGES)),
            (_, LENGTH) => Ok(ListLength::call(column)),
            _ if list && single != Some(found.column.as_str()) => Err(PgError::unsupported(
                format!(
                    "a property of the quantified variable \"{variable}\" is not a single value"
                ),
                "Aggregate it, as in SUM(e.weight), or write conditions on each edge inside the edge pattern: -[e WHERE …]->{1,3}.",
            )),
            _ => self.part(column, is_edge(found.kind), key),
        }
    }

    /// A property, or what stands for a function, of a single element.
    pub(super) fn part(&self, element: Expr, edge: bool, key: &str) -> Result<Expr, PgError> {
        let kind = match key {
            ELEMENT => return Ok(element),
            ID => GraphFunctionKind::ElementId { edge },
            LABELS => GraphFunctionKind::Labels { edge },
            key => {
                let property = property(self.graph, key, edge).ok_or_else(|| {
                    PgError::new(
                        SqlState::UNDEFINED_COLUMN,
                        format!("property \"{key}\" does not exist"),
                    )
                })?;
                let (name, ty) = (property.name.clone(), property.ty.clone());
                GraphFunctionKind::Property { name, ty, edge }
            }
        };
        Ok(GraphFunction::call(self.graph, kind, element))
    }

    /// Identifiers of the vertices or edges of a path.
    fn ids(&self, path: Expr, edge: bool) -> Expr {
        let part = if edge { "edges" } else { "vertices" };
        let list = datafusion::functions::core::expr_fn::get_field(path, part);
        let ty = if edge { CypherType::Relationship } else { CypherType::Node };
        let name = "~of_path";
        let kind = GraphFunctionKind::ElementId { edge };
        let body = GraphFunction::call(self.graph, kind, lambda::variable(name, &ty));
        ListFunction::transform(list, &ty, name, body, &CypherType::String)
    }

    /// Puts columns in the place of functions on variables.
    fn replace_functions(&self, tree: &mut SqlTree) -> Result<(), PgError> {
        let mut result = Ok(());
        // The visitor stops at the first error.
        let _ = sqlparser::ast::visit_expressions_mut(tree, |tree| {
            let SqlTree::Function(call) = tree else { return ControlFlow::Continue(()) };
            match self.replaced(call) {
                Ok(Some(column)) => *tree = column,
                Ok(None) => {}
                Err(error) => {
                    result = Err(error);
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        });
        result
    }

    fn replaced(&self, call: &mut Function) -> Result<Option<SqlTree>, PgError> {
        let [part] = call.name.0.as_slice() else { return Ok(None) };
        let Some(function) = part.as_ident().map(fold) else { return Ok(None) };
        let FunctionArguments::List(arguments) = &mut call.args else { return Ok(None) };
        if function == "listagg" {
            // The standard's name for what PostgreSQL calls string_agg.
            if let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(value))) =
                arguments.args.first_mut()
            {
                *value = SqlTree::Cast {
                    kind: CastKind::Cast,
                    expr: Box::new(value.clone()),
                    data_type: SqlType::Text,
                    array: false,
                    format: None,
                };
            }
            call.name = ObjectName(vec![ObjectNamePart::Identifier(Ident::new("string_agg"))]);
            return Ok(None);
        }
        let mut names = Vec::new();
        for argument in &arguments.args {
            let name = match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(SqlTree::Identifier(name))) => {
                    Some(name)
                }
                // `count(e.*)` counts elements too.
                FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(name)) => {
                    match name.0.as_slice() {
                        [only] if function == "count" => only.as_ident(),
                        _ => None,
                    }
                }
                _ => None,
            };
            let Some(name) = name else { return Ok(None) };
            match self.variables.get(&fold(name)) {
                Some(variable) => names.push(variable),
                None => return Ok(None),
            }
        }
        let part = |variable: &PatternVariable, key: &str| {
            let ident = |text: &str| Ident::with_quote('"', text);
            SqlTree::CompoundIdentifier(vec![ident(&variable.name), ident(key)])
        };
        let is_path = |variable: &PatternVariable| variable.kind == VariableKind::Path;
        Ok(match (function.as_str(), names.as_slice()) {
            ("count", [variable]) if !is_path(variable) => {
                let element = part(variable, ELEMENT);
                arguments.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(element))];
                None
            }
            ("element_id" | "vertex_id" | "edge_id", [variable]) => {
                self.check_kind(&function, variable)?;
                Some(part(variable, ID))
            }
            ("vertex_equal" | "edge_equal", [left, right]) => {
                self.check_kind(&function, left)?;
                self.check_kind(&function, right)?;
                Some(SqlTree::Nested(Box::new(SqlTree::BinaryOp {
                    left: Box::new(part(left, ELEMENT)),
                    op: BinaryOperator::Eq,
                    right: Box::new(part(right, ELEMENT)),
                })))
            }
            ("labels", [variable]) if !is_path(variable) => Some(part(variable, LABELS)),
            ("path_length", [variable]) if self.schema.has_column(&column_of(variable, LENGTH)) => {
                Some(part(variable, LENGTH))
            }
            ("vertices", [variable]) if is_path(variable) => Some(part(variable, VERTICES)),
            ("edges", [variable]) if is_path(variable) => Some(part(variable, EDGES)),
            ("element_number", [variable]) => match &self.number {
                Some((iterator, _)) if *iterator == variable.name => Some(part(variable, NUMBER)),
                _ => {
                    return Err(PgError::new(
                        SqlState::SYNTAX_ERROR,
                        "element_number takes the variable of ONE ROW PER VERTEX or STEP",
                    ));
                }
            },
            _ => None,
        })
    }

    /// Refuses functions of vertices on edges, and the other way round.
    fn check_kind(&self, function: &str, variable: &PatternVariable) -> Result<(), PgError> {
        let edge = is_edge(variable.kind);
        let fits = match function.split('_').next() {
            Some("vertex") => !edge,
            Some("edge") => edge,
            _ => true,
        };
        if fits && variable.kind != VariableKind::Path {
            return Ok(());
        }
        let wanted = match function.split('_').next() {
            Some("vertex") => "a vertex",
            Some("edge") => "an edge",
            _ => "an element",
        };
        Err(PgError::new(
            SqlState::DATATYPE_MISMATCH,
            format!("argument of {function} must be {wanted}, not \"{}\"", variable.name),
        ))
    }
}

/// A column of the schema.
fn column_of(variable: &PatternVariable, key: &str) -> Column {
    Column::new(Some(TableReference::bare(variable.name.clone())), key)
}

pub(super) fn is_edge(kind: VariableKind) -> bool {
    matches!(kind, VariableKind::Edge | VariableKind::EdgeList)
}

pub(super) fn fold(identifier: &Ident) -> String {
    match identifier.quote_style {
        Some(_) => identifier.value.clone(),
        None => identifier.value.to_ascii_lowercase(),
    }
}
