//! Aggregate functions over what a quantified variable stands for.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, ScalarValue, TableReference};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::type_coercion::functions::fields_with_udf;
use datafusion::logical_expr::{Expr, ExprSchemable};

use super::super::pattern::VariableKind;
use super::scope::{SqlScope, is_edge};
use crate::error::{PgError, SqlState};
use crate::functions::cypher::CypherType;
use crate::functions::cypher::lambda;
use crate::functions::cypher::list_aggregate::{AggregateArgument, ListAggregate};

/// An aggregate function as one over the list of the one quantified variable it reads.
pub(super) fn over_list(
    scope: &SqlScope<'_, '_>,
    call: &AggregateFunction,
) -> Result<Expr, PgError> {
    let params = &call.params;
    if params.filter.is_some() || !params.order_by.is_empty() || params.null_treatment.is_some() {
        return Err(PgError::unsupported(
            "FILTER, ORDER BY and IGNORE NULLS in an aggregate inside GRAPH_TABLE are not supported",
            "Elements come in the order of the path.",
        ));
    }
    let mut list = None;
    for column in params.args.iter().flat_map(Expr::column_refs) {
        let name = column.relation.as_ref().map_or("", TableReference::table);
        let variable = scope.variable(name)?;
        if !matches!(variable.kind, VariableKind::EdgeList | VariableKind::VertexList) {
            continue;
        }
        match list {
            Some(before) if before != variable => {
                return Err(PgError::unsupported(
                    "an aggregate over two quantified variables is not supported",
                    "Aggregate each of them by itself.",
                ));
            }
            _ => list = Some(variable),
        }
    }
    let Some(list) = list else {
        return Err(PgError::new(
            SqlState::GROUPING_ERROR,
            "aggregate functions are allowed in GRAPH_TABLE over quantified variables only",
        )
        .hint("Aggregate in the query around GRAPH_TABLE."));
    };
    let (edge, name) = (is_edge(list.kind), format!("{}#", list.column));
    let ty = if edge { CypherType::Relationship } else { CypherType::Node };
    let fields = params
        .args
        .iter()
        .map(|arg| arg.to_field(&scope.schema).map(|(_, field)| field))
        .collect::<Result<Vec<_>, _>>()?;
    let wanted = fields_with_udf(&fields, call.func.as_ref())?;
    let mut arguments = Vec::with_capacity(wanted.len());
    for (arg, field) in params.args.iter().zip(wanted) {
        let argument = match constant(arg) {
            Some(value) => AggregateArgument::Constant(value.cast_to(field.data_type())?),
            None => {
                let cast = arg.clone().cast_to(field.data_type(), &scope.schema)?;
                AggregateArgument::Each(of_element(scope, cast, &list.name, (&name, &ty), edge)?)
            }
        };
        arguments.push((argument, field));
    }
    let elements = Expr::Column(Column::new_unqualified(list.column.clone()));
    let aggregated =
        ListAggregate::call(&call.func, params.distinct, (elements, &ty), &name, arguments)?;
    Ok(aggregated)
}

fn constant(expr: &Expr) -> Option<&ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value),
        Expr::Alias(alias) => constant(&alias.expr),
        _ => None,
    }
}

/// An argument over one element of the list.
fn of_element(
    scope: &SqlScope<'_, '_>,
    argument: Expr,
    list: &str,
    (name, ty): (&str, &CypherType),
    edge: bool,
) -> Result<Expr, PgError> {
    let mut failed = None;
    let body = argument
        .transform_up(|expr| match &expr {
            Expr::Column(Column { relation: Some(relation), name: key, .. })
                if relation.table() == list =>
            {
                match scope.part(lambda::variable(name, ty), edge, key) {
                    Ok(part) => Ok(Transformed::yes(part)),
                    Err(error) => {
                        failed.get_or_insert(error);
                        Ok(Transformed::no(expr))
                    }
                }
            }
            _ => Ok(Transformed::no(expr)),
        })?
        .data;
    match failed {
        Some(error) => Err(error),
        None => scope.resolved(body, None),
    }
}
