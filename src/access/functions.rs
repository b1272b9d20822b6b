//! EXECUTE on functions: looked at where it was taken from somebody, as everybody has it on all that is built in.

use std::collections::HashMap;

use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::WindowFunctionDefinition;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};

use super::caller::Caller;
use crate::catalog::pg::describe;
use crate::catalog::{AclClass, Catalog, Rights};
use crate::error::{PgError, SqlState};
use crate::planner::source::ViewSource;
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// Functions that the caller may not call, by name.
type Forbidden = HashMap<&'static str, Vec<Oid>>;

fn forbidden(caller: &Caller, catalog: &Catalog) -> Forbidden {
    let stored = catalog.grants.objects.iter();
    let stored = stored.filter(|((class, _), _)| *class == AclClass::Function);
    let denied = stored.filter(|(_, acl)| {
        !acl.rights_of(|role| caller.roles().inherits(role)).contains(Rights::EXECUTE)
    });
    let mut all = Forbidden::new();
    for ((_, oid), _) in denied {
        if let Some((name, _)) = describe::function_inputs(*oid) {
            all.entry(name).or_default().push(*oid);
        }
    }
    all
}

/// Checks the functions that a plan calls, those in views included.
///
/// # Errors
/// `42501`
pub(super) fn check_functions(
    plan: &LogicalPlan,
    caller: &Caller,
    catalog: &Catalog,
) -> Result<(), PgError> {
    if caller.superuser {
        return Ok(());
    }
    let forbidden = forbidden(caller, catalog);
    if forbidden.is_empty() {
        return Ok(());
    }
    match first_called(plan, &forbidden)? {
        None => Ok(()),
        Some(name) => Err(PgError::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("permission denied for function {name}"),
        )),
    }
}

fn first_called(plan: &LogicalPlan, forbidden: &Forbidden) -> Result<Option<String>, PgError> {
    let mut found = None;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(view) = scan.source.downcast_ref::<ViewSource>()
            && found.is_none()
        {
            found = first_called(&view.plan, forbidden)?;
        }
        let schema = arguments_schema(node)?;
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Some((name, arguments)) = call(expr)
                    && let Some(denied) = forbidden.get(name)
                    && may_mean(name, arguments, &schema, denied)
                {
                    found = Some(name.to_owned());
                    return Ok(TreeNodeRecursion::Stop);
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}

/// The columns that a node's expressions may name.
fn arguments_schema(node: &LogicalPlan) -> datafusion::common::Result<DFSchema> {
    let mut schema = node.schema().as_ref().clone();
    for input in node.inputs() {
        schema.merge(input.schema());
    }
    Ok(schema)
}

/// Whether a call is one of the functions that are denied: the one whose arguments have the call's types, or that takes
/// any type in their place. If none can be told from the types, each of the name may be meant.
fn may_mean(name: &str, arguments: &[Expr], schema: &DFSchema, denied: &[Oid]) -> bool {
    let overloads: Vec<_> = describe::function_overloads(name, arguments.len()).collect();
    let is_denied = |oid: &Oid| denied.contains(oid);
    if !overloads.iter().any(|(oid, _)| is_denied(oid)) {
        return false;
    }
    let given: Vec<Option<Oid>> = arguments
        .iter()
        .map(|argument| {
            let (_, field) = argument.to_field(schema).ok()?;
            Some(as_argument(Oid(PgType::from_field(&field).oid())))
        })
        .collect();
    let takes = |inputs: &[Oid], any: bool| {
        inputs.iter().zip(&given).all(|(input, given)| {
            given.is_some_and(|given| as_argument(*input) == given) || any && is_any(*input)
        })
    };
    for any in [false, true] {
        if let Some((oid, _)) = overloads.iter().find(|(_, inputs)| takes(inputs, any)) {
            return is_denied(oid);
        }
    }
    true
}

/// `varchar` is passed as `text`, and so is what has no type yet.
fn as_argument(ty: Oid) -> Oid {
    match ty {
        Oid(1043 | 705) => Oid(25),
        other => other,
    }
}

/// `any`, `anyarray`, `anyelement` and the others of their kind.
fn is_any(ty: Oid) -> bool {
    matches!(ty, Oid(2276 | 2277 | 2283 | 2776 | 3500 | 3831 | 4537 | 5077 | 5078 | 5079 | 5080))
}

/// The function an expression calls, and with what.
fn call(expr: &Expr) -> Option<(&str, &[Expr])> {
    match expr {
        Expr::ScalarFunction(call) => Some((call.func.name(), &call.args)),
        Expr::AggregateFunction(call) => Some((call.func.name(), &call.params.args)),
        Expr::WindowFunction(call) => {
            let name = match &call.fun {
                WindowFunctionDefinition::AggregateUDF(function) => function.name(),
                WindowFunctionDefinition::WindowUDF(function) => function.name(),
            };
            Some((name, &call.params.args))
        }
        _ => None,
    }
}
