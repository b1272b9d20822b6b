//! Which policies of a table apply to a role, and what they say together.
//!
//! Source: PostgreSQL `src/backend/utils/misc/rls.c` and `src/backend/rewrite/rowsecurity.c` for the rules, not the code.

use datafusion::common::Column;
use datafusion::logical_expr::utils::disjunction;
use datafusion::logical_expr::{Expr, lit};

use crate::catalog::{Policy, PolicyCommand, Relation, RoleSet, RowLabels, RowSecurity};
use crate::error::{PgError, SqlState};
use crate::planner::bind::BindContext;
use crate::planner::bind::sql::bind_policy;
use crate::planner::node::HoldsLabels;

/// The policies of a table, if they or its row labels apply to a role: not to a superuser, one with BYPASSRLS, or (unless
/// forced) the owner.
pub fn row_security_applies<'a>(relation: &'a Relation, role: &RoleSet) -> Option<&'a RowSecurity> {
    let table = relation.table()?;
    let security = &table.row_security;
    if role.bypass_rls || !(security.enabled || RowLabels::of(&table.options).is_some()) {
        return None;
    }
    (security.forced || !role.has(relation.owner)).then_some(security)
}

/// What `row_security = off` answers where a policy would apply.
pub fn row_security_refused(relation: &Relation, role: &RoleSet) -> PgError {
    let error = PgError::new(
        SqlState::INSUFFICIENT_PRIVILEGE,
        format!(
            "query would be affected by row-level security policy for table \"{}\"",
            relation.name
        ),
    );
    match role.has(relation.owner) {
        true => error.hint(
            "To disable the policy for the table's owner, use ALTER TABLE NO FORCE ROW LEVEL SECURITY.",
        ),
        false => error,
    }
}

/// The policies that apply to one role for one command, by name.
pub(super) struct Selected<'a> {
    /// Whether there are policies; else there are labels alone.
    enabled: bool,
    permissive: Vec<&'a Policy>,
    restrictive: Vec<&'a Policy>,
}

impl<'a> Selected<'a> {
    pub(super) fn of(security: &'a RowSecurity, command: PolicyCommand, role: &RoleSet) -> Self {
        let counts = |policy: &&Policy| {
            let commands = policy.command == PolicyCommand::All || policy.command == command;
            let roles = policy.roles.is_empty() || policy.roles.iter().any(|one| role.has(*one));
            commands && roles
        };
        let (permissive, restrictive) =
            security.policies.iter().filter(counts).partition(|policy| policy.permissive);
        Self { enabled: security.enabled, permissive, restrictive }
    }

    /// Conditions that a row must satisfy to be there.
    pub(super) fn using(&self, bound: &Binder<'_>) -> Result<Vec<Expr>, PgError> {
        let mut conditions: Vec<Expr> = bound.labels().into_iter().collect();
        if !self.enabled {
            return Ok(conditions);
        }
        let mut any = Vec::new();
        for policy in self.permissive.iter().copied() {
            any.extend(bound.condition(policy, true)?);
        }
        let Some(any) = disjunction(any) else { return Ok(vec![lit(false)]) };
        for policy in self.restrictive.iter().copied() {
            conditions.extend(bound.condition(policy, true)?);
        }
        conditions.push(any);
        Ok(conditions)
    }

    /// Conditions that a row to be written must satisfy, each with the policy if it is one policy's alone. With
    /// `force_using`, USING counts where there is a WITH CHECK too.
    pub(super) fn checks(
        &self,
        bound: &Binder<'_>,
        force_using: bool,
    ) -> Result<Vec<(Expr, Option<String>)>, PgError> {
        let condition = |policy: &Policy| {
            let using = force_using || policy.with_check.is_none();
            bound.condition(policy, using)
        };
        let mut checks: Vec<(Expr, Option<String>)> =
            bound.labels().into_iter().map(|labels| (labels, None)).collect();
        if !self.enabled {
            return Ok(checks);
        }
        let mut any = Vec::new();
        for policy in self.permissive.iter().copied() {
            any.extend(condition(policy)?);
        }
        let Some(any) = disjunction(any) else { return Ok(vec![(lit(false), None)]) };
        checks.push((any, None));
        for policy in self.restrictive.iter().copied() {
            let own = condition(policy)?.map(|expr| (expr, Some(policy.name.clone())));
            checks.extend(own);
        }
        Ok(checks)
    }
}

/// Binds conditions over the columns of a table.
pub(super) struct Binder<'a> {
    pub(super) context: &'a BindContext,
    pub(super) relation: &'a std::sync::Arc<Relation>,
    /// What a column is called, by its name in the table.
    pub(super) known_as: &'a dyn Fn(&str) -> Column,
}

impl Binder<'_> {
    /// That the role holds every label of a row, for a table whose rows have labels. A table whose labels cannot be told
    /// shows no rows.
    fn labels(&self) -> Option<Expr> {
        let table = self.relation.table()?;
        let labels = RowLabels::of(&table.options)?;
        let Some(column) = table.columns.iter().find(|column| column.name == labels.column) else {
            return Some(lit(false));
        };
        if HoldsLabels::labels_max(&column.ty.arrow()).is_none() {
            return Some(lit(false));
        }
        let mask = Expr::Column((self.known_as)(&column.name));
        Some(HoldsLabels::call(labels.mask(&self.context.row_labels), mask))
    }

    fn condition(&self, policy: &Policy, using: bool) -> Result<Option<Expr>, PgError> {
        let expression = if using { &policy.using } else { &policy.with_check };
        let Some(expression) = expression else { return Ok(None) };
        let cache = (policy.oid, using);
        bind_policy(self.context, self.relation, expression, cache, self.known_as).map(Some)
    }
}
