//! What calls a function that `CREATE FUNCTION` made, and so needs it.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, FunctionArguments, ObjectName, TableFactor, Visit, Visitor};

use crate::catalog::{RelationKind, SqlFunction, View};
use crate::error::{PgError, SqlState};
use crate::parser::Body;
use crate::planner::bind::context::BindContext;
use crate::planner::bind::sql::names::qualified_name;

/// The views that call a function: `view v`.
pub(super) fn callers(context: &BindContext, function: &SqlFunction) -> Vec<String> {
    let calls = |view: &View| {
        let Ok(statement) = crate::parser::stored::parse_view_query(&view.query) else {
            return false;
        };
        let Body::Sql { statement, .. } = &statement.body else { return false };
        let mut calls = Calls { context, search_path: &view.search_path, function };
        statement.visit(&mut calls).is_break()
    };
    let views = context.catalog.relations.values().filter_map(|relation| match &relation.kind {
        RelationKind::View(view) => calls(view).then(|| format!("view {}", relation.name)),
        RelationKind::MaterializedView(view) => {
            calls(&view.view).then(|| format!("materialized view {}", relation.name))
        }
        _ => None,
    });
    views.collect()
}

/// Why a function cannot be dropped: `2BP01`, or `0A000` for CASCADE.
pub(super) fn needed(function: &SqlFunction, views: &[String], cascade: bool) -> PgError {
    let signature = function.signature();
    if cascade {
        return PgError::unsupported(
            format!(
                "DROP FUNCTION {signature} CASCADE is not supported: {} uses it",
                views.join(", ")
            ),
            "Drop what uses it first.",
        );
    }
    let detail = views.iter().map(|view| format!("{view} depends on function {signature}"));
    let message = format!("cannot drop function {signature} because other objects depend on it");
    PgError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
        .detail(detail.collect::<Vec<_>>().join("\n"))
        .hint("Use DROP ... CASCADE to drop the dependent objects too.")
}

/// Looks for calls of a function, by name and number of arguments.
struct Calls<'a> {
    context: &'a BindContext,
    search_path: &'a [String],
    function: &'a SqlFunction,
}

impl Calls<'_> {
    fn is_it(&self, name: &ObjectName, arguments: usize) -> ControlFlow<()> {
        let Ok(name) = qualified_name(name) else { return ControlFlow::Continue(()) };
        let found = self.context.catalog.functions_named(&name, self.search_path);
        let fits = arguments == self.function.arguments.len()
            || self.function.variadic()
            || self.function.arguments.iter().any(|one| one.default.is_some());
        match fits && found.iter().any(|one| one.oid == self.function.oid) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

impl Visitor for Calls<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(call) => {
                let count = match &call.args {
                    FunctionArguments::List(list) => list.args.len(),
                    _ => 0,
                };
                self.is_it(&call.name, count)
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table { name, args: Some(args), .. } => self.is_it(name, args.args.len()),
            TableFactor::Function { name, args, .. } => self.is_it(name, args.len()),
            _ => ControlFlow::Continue(()),
        }
    }
}
