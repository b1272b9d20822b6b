//! `CALL`: a query over what the procedure gives.

use std::sync::Arc;

use sqlparser::ast::{
    Function, FunctionArguments, Ident, ObjectName, ObjectNamePart, SetExpr, TableFactor,
};

use crate::catalog::QualifiedName;
use crate::error::{PgError, SqlState};
use crate::parser::pgq::GraphTable;
use crate::planner::bind::bound::{BoundPlan, PlanKind};
use crate::planner::bind::context::BindContext;

/// What the name of a function in FROM begins with where CALL wrote it.
const MARK: &str = "\u{1}call ";

/// Takes the mark away; whether it was there.
pub(super) fn unmark(name: &mut String) -> bool {
    match name.strip_prefix(MARK) {
        Some(rest) => {
            *name = rest.to_owned();
            true
        }
        None => false,
    }
}

pub(super) fn undefined(name: &QualifiedName) -> PgError {
    let message = format!("procedure {name} does not exist");
    PgError::new(SqlState::UNDEFINED_FUNCTION, message).hint(
        "No procedure matches the given name and argument types. You might need to add explicit \
         type casts.",
    )
}

/// Binds a `CALL`.
///
/// # Errors
/// `42883` if there is no such procedure, `42809` if it is a function; what its arguments say.
pub fn bind_call(
    context: &BindContext,
    call: &Function,
    graphs: &Arc<[GraphTable]>,
) -> Result<BoundPlan, PgError> {
    let mut parsed = crate::parser::stored::parse_query("SELECT * FROM f() AS called")?;
    let SetExpr::Select(select) = parsed.body.as_mut() else {
        return Err(PgError::internal("a query that is none"));
    };
    let from = select.from.first_mut().map(|from| &mut from.relation);
    let Some(TableFactor::Table { name, args: Some(args), .. }) = from else {
        return Err(PgError::internal("a query without a function"));
    };
    *name = marked(&call.name);
    args.args = match &call.args {
        FunctionArguments::List(list) => list.args.clone(),
        _ => Vec::new(),
    };
    let bound = super::query::bind_query(context, &parsed, graphs)?;
    let kind = PlanKind::Call { returning: !bound.columns.is_empty() };
    Ok(BoundPlan { kind, ..bound })
}

fn marked(name: &ObjectName) -> ObjectName {
    let mut name = name.clone();
    if let Some(ObjectNamePart::Identifier(last)) = name.0.last_mut() {
        let folded = super::names::fold(last);
        *last = Ident { value: format!("{MARK}{folded}"), quote_style: Some('"'), ..last.clone() };
    }
    name
}
