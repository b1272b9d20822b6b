//! `CREATE POLICY`, `ALTER POLICY`, `DROP POLICY`.

use std::sync::Arc;

use sqlparser::ast::{
    AlterPolicy, AlterPolicyOperation, CreatePolicy, CreatePolicyCommand, CreatePolicyType,
    DropPolicy, Expr as SqlExpr, Ident, ObjectName, Owner,
};

use super::alter_table::owner_of;
use super::{DdlCommand, skipping};
use crate::catalog::{
    Policy, PolicyCommand, PolicyExpression, Relation, RelationKind, RowSecurity,
};
use crate::error::{PgError, Severity, SqlState};
use crate::planner::bind::context::BindContext;
use crate::planner::bind::sql::names::{fold, qualified_name};
use crate::planner::bind::sql::policy::policy_expression;
use crate::types::Oid;

/// Something done about a policy of a table.
#[derive(Debug, Clone)]
pub enum PolicyChange {
    /// A new one, whose OID is given when it is made.
    Create(Policy),
    /// As it shall be.
    Alter(Policy),
    /// Gone.
    Drop(Oid),
}

impl PolicyChange {
    /// The command's tag.
    pub fn tag(&self) -> &'static str {
        match self {
            Self::Create(_) => "CREATE POLICY",
            Self::Alter(_) => "ALTER POLICY",
            Self::Drop(_) => "DROP POLICY",
        }
    }
}

pub(super) fn create(context: &BindContext, create: &CreatePolicy) -> Result<DdlCommand, PgError> {
    let CreatePolicy { name, table_name, policy_type, command, to, using, with_check } = create;
    let command = match command {
        None | Some(CreatePolicyCommand::All) => PolicyCommand::All,
        Some(CreatePolicyCommand::Select) => PolicyCommand::Select,
        Some(CreatePolicyCommand::Insert) => PolicyCommand::Insert,
        Some(CreatePolicyCommand::Update) => PolicyCommand::Update,
        Some(CreatePolicyCommand::Delete) => PolicyCommand::Delete,
    };
    let permissive = match policy_type {
        None | Some(CreatePolicyType::Permissive) => true,
        Some(CreatePolicyType::Restrictive) => false,
    };
    check_command(command, using.is_some(), with_check.is_some())?;
    let roles = roles(context, to.as_deref().unwrap_or_default())?;
    let (relation, security) = table(context, table_name)?;
    let condition = |expr: &Option<SqlExpr>| -> Result<Option<PolicyExpression>, PgError> {
        expr.as_ref().map(|expr| policy_expression(context, &relation, expr)).transpose()
    };
    let (using, with_check) = (condition(using)?, condition(with_check)?);
    let name = fold(name);
    if security.policy(&name).is_some() {
        return Err(duplicate(&name, &relation));
    }
    let policy = Policy { oid: Oid::INVALID, name, command, permissive, roles, using, with_check };
    Ok(DdlCommand::Policy { relation, change: PolicyChange::Create(policy) })
}

pub(super) fn alter(context: &BindContext, alter: &AlterPolicy) -> Result<DdlCommand, PgError> {
    let (relation, security) = table(context, &alter.table_name)?;
    let name = fold(&alter.name);
    let mut policy = security.policy(&name).cloned().ok_or_else(|| missing(&name, &relation))?;
    match &alter.operation {
        AlterPolicyOperation::Rename { new_name } => {
            let to = fold(new_name);
            if security.policy(&to).is_some() {
                return Err(duplicate(&to, &relation));
            }
            policy.name = to;
        }
        AlterPolicyOperation::Apply { to, using, with_check } => {
            check_command(policy.command, using.is_some(), with_check.is_some())?;
            if let Some(to) = to {
                policy.roles = roles(context, to)?;
            }
            if let Some(expr) = using {
                policy.using = Some(policy_expression(context, &relation, expr)?);
            }
            if let Some(expr) = with_check {
                policy.with_check = Some(policy_expression(context, &relation, expr)?);
            }
        }
    }
    Ok(DdlCommand::Policy { relation, change: PolicyChange::Alter(policy) })
}

pub(super) fn drop(context: &BindContext, drop: &DropPolicy) -> Result<DdlCommand, PgError> {
    let DropPolicy { if_exists, name, table_name, drop_behavior: _ } = drop;
    let skip = |error: PgError| match if_exists {
        true => Ok(DdlCommand::Skip { tag: "DROP POLICY", notice: skipping(&error) }),
        false => Err(error),
    };
    let named = qualified_name(table_name)?;
    let (relation, security) = match table(context, table_name) {
        Ok(found) => found,
        Err(error) if error.code() == SqlState::UNDEFINED_TABLE => {
            let message = format!("relation \"{named}\" does not exist");
            return skip(PgError::new(SqlState::UNDEFINED_TABLE, message));
        }
        Err(error) => return Err(error),
    };
    let name = fold(name);
    let Some(policy) = security.policy(&name) else {
        let message =
            format!("policy \"{name}\" for relation \"{}\" does not exist", relation.name);
        return match if_exists {
            true => skip(PgError::new(SqlState::UNDEFINED_OBJECT, message)),
            false => Err(missing(&name, &relation)),
        };
    };
    let change = PolicyChange::Drop(policy.oid);
    Ok(DdlCommand::Policy { relation, change })
}

/// What each kind of statement can have a condition on.
fn check_command(command: PolicyCommand, using: bool, with_check: bool) -> Result<(), PgError> {
    let message = match command {
        PolicyCommand::Insert if using => "only WITH CHECK expression allowed for INSERT",
        PolicyCommand::Select | PolicyCommand::Delete if with_check => {
            "WITH CHECK cannot be applied to SELECT or DELETE"
        }
        _ => return Ok(()),
    };
    Err(PgError::new(SqlState::SYNTAX_ERROR, message))
}

fn duplicate(name: &str, relation: &Relation) -> PgError {
    PgError::new(
        SqlState::DUPLICATE_OBJECT,
        format!("policy \"{name}\" for table \"{}\" already exists", relation.name),
    )
}

fn missing(name: &str, relation: &Relation) -> PgError {
    PgError::new(
        SqlState::UNDEFINED_OBJECT,
        format!("policy \"{name}\" for table \"{}\" does not exist", relation.name),
    )
}

fn table(
    context: &BindContext,
    name: &ObjectName,
) -> Result<(Arc<Relation>, RowSecurity), PgError> {
    let relation = context.relation(&qualified_name(name)?)?;
    match &relation.kind {
        RelationKind::Table(table) => {
            let security = table.row_security.clone();
            Ok((relation, security))
        }
        RelationKind::System(_) => Err(PgError::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("permission denied: \"{}\" is a system catalog", relation.name),
        )),
        RelationKind::View(_)
        | RelationKind::MaterializedView(_)
        | RelationKind::Sequence(_)
        | RelationKind::PropertyGraph(_) => Err(PgError::new(
            SqlState::WRONG_OBJECT_TYPE,
            format!("\"{}\" is not a table", relation.name),
        )),
    }
}

/// Whom a policy is for; nobody named is PUBLIC.
fn roles(context: &BindContext, to: &[Owner]) -> Result<Vec<Oid>, PgError> {
    let is_public = |owner: &Owner| match owner {
        Owner::Ident(ident) => is_public(ident),
        Owner::CurrentRole | Owner::CurrentUser | Owner::SessionUser => false,
    };
    if to.iter().any(is_public) {
        if to.len() > 1 {
            let warning = "ignoring specified roles other than PUBLIC";
            context.notices.lock().push(
                PgError::new(SqlState::INVALID_PARAMETER_VALUE, warning)
                    .hint("All roles are members of the PUBLIC role.")
                    .severity(Severity::Warning),
            );
        }
        return Ok(Vec::new());
    }
    let mut roles = Vec::with_capacity(to.len());
    for owner in to {
        let role = owner_of(context, owner)?;
        if !roles.contains(&role) {
            roles.push(role);
        }
    }
    Ok(roles)
}

fn is_public(ident: &Ident) -> bool {
    ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("public")
}
