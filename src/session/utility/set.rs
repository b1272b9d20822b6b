//! `SET` and `RESET`.

use sqlparser::ast::{
    ContextModifier, Expr, Ident, Reset, Set, SetSessionAuthorizationParamKind,
    SetSessionParamKind, UnaryOperator, Value,
};

use super::transaction::{
    isolation, modes, set_snapshot, set_transaction, set_transaction_variable,
};
use crate::error::{PgError, Severity, SqlState};
use crate::planner::bind::sql::fold;
use crate::session::roles;
use crate::session::session_impl::Session;

fn set_text(expr: &Expr) -> Result<String, PgError> {
    match expr {
        Expr::Identifier(ident) => Ok(ident.value.clone()),
        Expr::CompoundIdentifier(parts) => {
            Ok(parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join("."))
        }
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Ok(text.clone()),
            Value::Boolean(value) => Ok(if *value { "on" } else { "off" }.to_owned()),
            other => Ok(other.to_string()),
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => Ok(format!("-{}", set_text(expr)?)),
        Expr::Interval(interval) => set_text(&interval.value),
        other => Err(PgError::new(
            SqlState::SYNTAX_ERROR,
            format!("syntax error at or near \"{other}\""),
        )),
    }
}

/// A list keeps its quotes, as a search path needs them.
fn list_text(values: &[Expr]) -> Result<String, PgError> {
    if let [value] = values {
        return set_text(value);
    }
    let items: Vec<String> = values
        .iter()
        .map(|value| match value {
            Expr::Identifier(Ident { value, quote_style: Some(_), .. }) => {
                Ok(format!("\"{value}\""))
            }
            Expr::Value(literal) => match &literal.value {
                Value::SingleQuotedString(text) => Ok(format!("\"{text}\"")),
                _ => set_text(value),
            },
            other => set_text(other),
        })
        .collect::<Result<_, PgError>>()?;
    Ok(items.join(", "))
}

fn is_default(values: &[Expr]) -> bool {
    matches!(values, [Expr::Identifier(ident)] if ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("default"))
}

/// Sets or (`None`) resets one variable.
pub(in crate::session) fn assign(
    session: &Session,
    name: &str,
    value: Option<&str>,
    local: bool,
) -> Result<(), PgError> {
    let lower = name.to_lowercase();
    if matches!(lower.as_str(), "transaction_isolation" | "default_transaction_isolation")
        && let Some(value) = value
    {
        isolation(&value.to_lowercase())?;
    }
    match lower.as_str() {
        "role" => return roles::set_role(&session.shared, value, roles::Scope::of(session, local)),
        "session_authorization" => {
            return roles::set_session_authorization(
                &session.shared,
                value,
                roles::Scope::of(session, local),
            );
        }
        _ => {}
    }
    let in_block = session.transaction.as_ref().is_some_and(|transaction| transaction.explicit);
    let mut settings = session.shared.settings.lock();
    if local {
        if !in_block {
            drop(settings);
            session.shared.notify(
                PgError::new(
                    SqlState::NO_ACTIVE_SQL_TRANSACTION,
                    "SET LOCAL can only be used in transaction blocks",
                )
                .severity(Severity::Warning),
            );
            return Ok(());
        }
        let before = settings.value(name).to_owned();
        session.shared.undo.lock().local.push((name.to_owned(), before));
    }
    match value {
        Some(value) => settings.set(name, value),
        None => settings.reset(name),
    }?;
    if !in_block && lower.starts_with("default_transaction_") {
        settings.no_transaction();
    }
    Ok(())
}

pub(super) fn run_set(session: &mut Session, set: &Set, text: &str) -> Result<(), PgError> {
    let is_role = match set {
        Set::SetRole { .. } | Set::SetSessionAuthorization(_) => true,
        Set::SingleAssignment { variable, .. } => {
            let name = variable.to_string().to_lowercase();
            matches!(name.trim_matches('"'), "role" | "session_authorization")
        }
        _ => false,
    };
    if is_role {
        session.refresh_rights();
    }
    match set {
        Set::SingleAssignment { scope, hivevar: false, variable, values } => {
            let name = variable.to_string().replace('"', "");
            let local = matches!(scope, Some(ContextModifier::Local));
            if matches!(
                name.to_lowercase().as_str(),
                "transaction_isolation" | "transaction_read_only" | "transaction_deferrable"
            ) {
                return set_transaction_variable(
                    session,
                    &name.to_lowercase(),
                    &list_text(values)?,
                );
            }
            let value = if is_default(values) { None } else { Some(list_text(values)?) };
            if name.eq_ignore_ascii_case(crate::session::tenancy::route::TENANT_SETTING) {
                return crate::session::tenancy::set_tenant(session, value.as_deref(), local);
            }
            assign(session, &name, value.as_deref(), local)
        }
        Set::SetTimeZone { local, value } => {
            let value = match value {
                Expr::Identifier(ident)
                    if matches!(ident.value.to_lowercase().as_str(), "local" | "default")
                        && ident.quote_style.is_none() =>
                {
                    None
                }
                value => Some(set_text(value)?),
            };
            assign(session, "TimeZone", value.as_deref(), *local)
        }
        Set::SetNames { charset_name, collation_name: None } => {
            assign(session, "client_encoding", Some(charset_name.value.as_str()), false)
        }
        Set::SetNamesDefault {} => assign(session, "client_encoding", None, false),
        Set::SetTransaction { modes: wanted, snapshot: None, session: for_session } => {
            set_transaction(session, modes(wanted, text), *for_session)
        }
        Set::SetTransaction { modes: wanted, snapshot: Some(name), session: false }
            if wanted.is_empty() =>
        {
            set_snapshot(session, &set_text(&Expr::Value(name.clone()))?)
        }
        Set::SetSessionParam(SetSessionParamKind::Generic(param)) => {
            assign(session, &param.names.join("."), Some(&param.value), false)
        }
        Set::SetRole { context_modifier, role_name } => {
            let local = matches!(context_modifier, Some(ContextModifier::Local));
            let name = role_name.as_ref().map(fold);
            let scope = roles::Scope::of(session, local);
            roles::set_role(&session.shared, name.as_deref(), scope)
        }
        Set::SetSessionAuthorization(param) => {
            let local = param.scope == ContextModifier::Local;
            let name = match &param.kind {
                SetSessionAuthorizationParamKind::Default => None,
                SetSessionAuthorizationParamKind::User(name) => Some(fold(name)),
            };
            let scope = roles::Scope::of(session, local);
            roles::set_session_authorization(&session.shared, name.as_deref(), scope)
        }
        other => Err(PgError::unsupported(
            format!("{other} is not supported yet"),
            "See docs/compat.md.",
        )),
    }
}

pub(super) fn run_reset(session: &mut Session, reset: &Reset) -> Result<(), PgError> {
    match reset {
        Reset::ALL => {
            session.shared.settings.lock().reset_all();
            let identity = session.shared.settings.lock().identity;
            session.shared.take_identity(identity);
            Ok(())
        }
        Reset::ConfigurationParameter(name) => {
            let name = name.to_string().replace('"', "");
            if name.eq_ignore_ascii_case(crate::session::tenancy::route::TENANT_SETTING) {
                return crate::session::tenancy::set_tenant(session, None, false);
            }
            assign(session, &name, None, false)
        }
    }
}
