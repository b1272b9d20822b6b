//! EXECUTE on functions: looked at where it was taken from somebody, as everybody has it on all that is built in.
//!
//! Functions are told apart by name and number of arguments; overloads with as many arguments share what was revoked.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::WindowFunctionDefinition;
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::caller::Caller;
use crate::catalog::pg::describe;
use crate::catalog::{AclClass, Catalog, Rights};
use crate::error::{PgError, SqlState};
use crate::planner::source::ViewSource;

/// A function that the caller may not call.
struct Forbidden {
    name: String,
    arguments: usize,
}

fn forbidden(caller: &Caller, catalog: &Catalog) -> Vec<Forbidden> {
    let stored = catalog.grants.objects.iter();
    let stored = stored.filter(|((class, _), _)| *class == AclClass::Function);
    let denied = stored.filter(|(_, acl)| {
        !acl.rights_of(|role| caller.roles().inherits(role)).contains(Rights::EXECUTE)
    });
    denied
        .filter_map(|((_, oid), _)| {
            let signature = describe::function_signature(catalog, *oid)?;
            let (name, arguments) = signature.split_once('(')?;
            let arguments = arguments.trim_end_matches(')');
            let count = if arguments.is_empty() { 0 } else { arguments.split(',').count() };
            let name = name.rsplit('.').next().unwrap_or(name).trim_matches('"').to_owned();
            Some(Forbidden { name, arguments: count })
        })
        .collect()
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

fn first_called(plan: &LogicalPlan, forbidden: &[Forbidden]) -> Result<Option<String>, PgError> {
    let mut found = None;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(view) = scan.source.downcast_ref::<ViewSource>()
            && found.is_none()
        {
            found = first_called(&view.plan, forbidden)?;
        }
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Some((name, arguments)) = call(expr)
                    && forbidden.iter().any(|one| one.name == name && one.arguments == arguments)
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

/// The function an expression calls, and with how many arguments.
fn call(expr: &Expr) -> Option<(&str, usize)> {
    match expr {
        Expr::ScalarFunction(call) => Some((call.func.name(), call.args.len())),
        Expr::AggregateFunction(call) => Some((call.func.name(), call.params.args.len())),
        Expr::WindowFunction(call) => {
            let name = match &call.fun {
                WindowFunctionDefinition::AggregateUDF(function) => function.name(),
                WindowFunctionDefinition::WindowUDF(function) => function.name(),
            };
            Some((name, call.params.args.len()))
        }
        _ => None,
    }
}
