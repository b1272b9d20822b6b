//! A plan that was checked.

use datafusion::logical_expr::LogicalPlan;

use super::caller::Caller;
use super::functions::check_functions;
use super::graph_listing::with_listings;
use super::graph_rights::restrict;
use super::policy::{place, verify};
use super::privilege::check;
use super::references::check_references;
use super::require::{Needs, require};
use super::type_rights::check_types;
use crate::catalog::Catalog;
use crate::error::PgError;
use crate::planner::bind::BindContext;
use crate::planner::bind::sql::ddl::DdlCommand;
use crate::planner::source::expand_views;

/// A plan (or command) whose rights were checked. Only this module makes one.
#[derive(Debug, Clone)]
pub struct Admitted<T> {
    inner: T,
    needs: Needs,
}

impl<T> Admitted<T> {
    /// What was admitted.
    pub fn get(&self) -> &T {
        &self.inner
    }

    /// What was admitted, by value.
    pub fn into_inner(self) -> T {
        self.inner
    }

    /// What it touches.
    pub fn needs(&self) -> &Needs {
        &self.needs
    }

    /// The same admission for a plan of the same meaning: what the optimizer makes of it.
    ///
    /// # Errors
    /// `XX000` if the rewritten plan touches something the admitted one did not.
    pub fn rewritten(self, rewrite: impl FnOnce(T) -> Result<T, PgError>) -> Result<Self, PgError>
    where
        T: Touches,
    {
        let inner = rewrite(self.inner)?;
        let now = inner.touches()?;
        if !now.within(&self.needs) {
            return Err(PgError::internal("an optimizer rule widened what the plan touches"));
        }
        Ok(Self { inner, needs: self.needs })
    }
}

/// Something whose needs can be computed again.
pub trait Touches {
    /// What it touches.
    ///
    /// # Errors
    /// `XX000` for a node whose targets cannot be determined.
    fn touches(&self) -> Result<Needs, PgError>;
}

impl Touches for LogicalPlan {
    fn touches(&self) -> Result<Needs, PgError> {
        verify(self)?;
        require(self)
    }
}

/// Checks a plan against the caller's rights, puts the queries of views in place of the views, and row policies in their
/// places. The context is the session's as it is now, not as the plan was bound.
///
/// # Errors
/// `42501` where a right is missing, or where policies would apply and must not; `42P17` for policies that go in a circle;
/// `XX000` where what a node touches cannot be determined.
pub fn admit(
    plan: LogicalPlan,
    caller: &Caller,
    context: &BindContext,
) -> Result<Admitted<LogicalPlan>, PgError> {
    let catalog = &context.catalog;
    let mut needs = require(&plan)?;
    needs.refuse_calls()?;
    check(&needs, caller, catalog, Some(&plan))?;
    check_functions(&plan, caller, catalog)?;
    let inner = restrict(expand_views(plan)?, caller, catalog)?;
    let inner = with_listings(inner, &needs, caller, catalog)?;
    let (inner, asked) = place(inner, &needs, context)?;
    if let Some(asked) = asked {
        for query in asked {
            check(&require(&query)?, caller, catalog, Some(&query))?;
        }
        // Guards scan the tables of a graph.
        needs.extend(require(&inner)?);
        needs.refuse_calls()?;
    }
    Ok(Admitted { inner, needs })
}

/// Checks a change of the catalog against the caller's rights.
///
/// # Errors
/// `42501` where a right is missing.
pub fn admit_ddl(
    command: DdlCommand,
    caller: &Caller,
    catalog: &Catalog,
) -> Result<Admitted<DdlCommand>, PgError> {
    let needs = super::require::require_ddl(&command);
    check(&needs, caller, catalog, None)?;
    check_references(&command, caller, catalog)?;
    check_types(&command, caller, catalog)?;
    Ok(Admitted { inner: command, needs })
}
