//! Transaction blocks: how they begin and end, and what they are.

use sqlparser::ast::{TransactionAccessMode, TransactionIsolationLevel, TransactionMode};

use super::set::assign;
use crate::error::{PgError, Severity, SqlState};
use crate::parser::sql::deferrable;
use crate::session::exported;
use crate::session::session_impl::Session;
use crate::session::transaction::Isolation;

/// The session's form of an isolation level's name.
///
/// # Errors
/// `22023` for what is none.
pub(in crate::session) fn isolation(name: &str) -> Result<Isolation, PgError> {
    match name {
        "read uncommitted" => Ok(Isolation::ReadUncommitted),
        "read committed" => Ok(Isolation::ReadCommitted),
        "repeatable read" => Ok(Isolation::RepeatableRead),
        "serializable" => Ok(Isolation::Serializable),
        _ => Err(PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("invalid value for parameter \"transaction_isolation\": \"{name}\""),
        )
        .hint(
            "Available values: serializable, repeatable read, read committed, read uncommitted.",
        )),
    }
}

/// What a statement says a transaction is to be.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Modes {
    pub(super) level: Option<Isolation>,
    read_only: Option<bool>,
    deferrable: Option<bool>,
}

pub(super) fn modes(modes: &[TransactionMode], text: &str) -> Modes {
    let (mut level, mut read_only) = (None, None);
    for mode in modes {
        match mode {
            TransactionMode::AccessMode(mode) => {
                read_only = Some(*mode == TransactionAccessMode::ReadOnly)
            }
            TransactionMode::IsolationLevel(wanted) => {
                level = Some(match wanted {
                    TransactionIsolationLevel::ReadUncommitted => Isolation::ReadUncommitted,
                    TransactionIsolationLevel::ReadCommitted => Isolation::ReadCommitted,
                    TransactionIsolationLevel::RepeatableRead => Isolation::RepeatableRead,
                    TransactionIsolationLevel::Serializable
                    | TransactionIsolationLevel::Snapshot => Isolation::Serializable,
                });
            }
        }
    }
    Modes { level, read_only, deferrable: deferrable(text) }
}

/// BEGIN or START TRANSACTION, by their text; the command tag.
///
/// # Errors
/// `25P02`, `25001`.
pub(in crate::session) fn begin_block(
    session: &mut Session,
    wanted: &[TransactionMode],
    text: &str,
) -> Result<String, PgError> {
    begin(session, modes(wanted, text))?;
    let first = text.trim_start().get(.."start".len()).unwrap_or_default();
    let tag = if first.eq_ignore_ascii_case("start") { "START TRANSACTION" } else { "BEGIN" };
    Ok(tag.to_owned())
}

fn begin(session: &mut Session, wanted: Modes) -> Result<(), PgError> {
    match &mut session.transaction {
        Some(transaction) if transaction.explicit => {
            session.refuse_if_failed()?;
            session.shared.notify(
                PgError::new(
                    SqlState::ACTIVE_SQL_TRANSACTION,
                    "there is already a transaction in progress",
                )
                .severity(Severity::Warning),
            );
            apply_modes(session, wanted)
        }
        Some(transaction) => {
            // What the query string did before BEGIN becomes part of the block, as in PostgreSQL.
            transaction.explicit = true;
            Ok(())
        }
        None => {
            session.begin_transaction(true, wanted.level, wanted.read_only)?;
            if let (Some(transaction), Some(wanted)) = (&mut session.transaction, wanted.deferrable)
            {
                transaction.deferrable = wanted;
                session.shared.settings.lock().transaction_is_deferrable(wanted);
            }
            Ok(())
        }
    }
}

fn no_transaction(session: &Session) {
    session.shared.notify(
        PgError::new(SqlState::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress")
            .severity(Severity::Warning),
    );
}

/// COMMIT; its command tag.
///
/// # Errors
/// `40001`, `23…`, `58030` if it cannot be committed.
pub(in crate::session) async fn commit_block(session: &mut Session) -> Result<String, PgError> {
    let explicit = session.transaction.as_ref().is_some_and(|transaction| transaction.explicit);
    if !explicit {
        no_transaction(session);
    }
    let Some(mut transaction) = session.transaction.take() else { return Ok("COMMIT".to_owned()) };
    if transaction.failed {
        session.after_transaction(false);
        return Ok("ROLLBACK".to_owned());
    }
    crate::session::temporary::at_commit(&session.shared, &mut transaction);
    let result = session.commit(&transaction).await;
    session.after_transaction(result.is_ok());
    result.map(|()| "COMMIT".to_owned())
}

pub(super) fn rollback(session: &mut Session) {
    match session.transaction.take() {
        Some(transaction) => {
            if !transaction.explicit {
                no_transaction(session);
            }
            session.after_transaction(false);
        }
        None => no_transaction(session),
    }
}

/// What the transaction behind `AND CHAIN` is: as the one before it.
///
/// # Errors
/// `25P01` outside of a transaction block.
pub(super) fn next_of(session: &mut Session, what: &str) -> Result<Modes, PgError> {
    let transaction = in_block(session, what)?;
    Ok(Modes {
        level: Some(transaction.isolation),
        read_only: Some(transaction.read_only),
        deferrable: transaction.deferrable.then_some(true),
    })
}

/// Begins the transaction that `AND CHAIN` asked for, if it did.
pub(super) fn begin_next(session: &mut Session, next: Option<Modes>) -> Result<(), PgError> {
    let Some(next) = next else { return Ok(()) };
    session.begin_transaction(true, next.level, next.read_only)?;
    match next.deferrable {
        Some(_) => apply_modes(session, Modes { level: None, read_only: None, ..next }),
        None => Ok(()),
    }
}

/// The transaction of a block.
pub(super) fn in_block<'a>(
    session: &'a mut Session,
    what: &str,
) -> Result<&'a mut crate::session::transaction::Transaction, PgError> {
    match &mut session.transaction {
        Some(transaction) if transaction.explicit => Ok(transaction),
        Some(_) | None => Err(PgError::new(
            SqlState::NO_ACTIVE_SQL_TRANSACTION,
            format!("{what} can only be used in transaction blocks"),
        )),
    }
}

/// What the session's transaction announces, one around the statement if none is open.
pub(super) fn in_transaction(
    session: &mut Session,
) -> Result<&crate::session::shared::SessionShared, PgError> {
    if session.transaction.is_none() {
        session.begin_transaction(false, None, None)?;
    }
    Ok(&session.shared)
}

pub(super) fn set_transaction_variable(
    session: &mut Session,
    name: &str,
    value: &str,
) -> Result<(), PgError> {
    if name == "transaction_isolation" {
        let level = isolation(&value.to_lowercase())?;
        return apply_modes(session, Modes { level: Some(level), ..Modes::default() });
    }
    let on = Some(matches!(value.to_lowercase().as_str(), "on" | "true" | "yes" | "1"));
    let wanted = match name {
        "transaction_read_only" => Modes { read_only: on, ..Modes::default() },
        _ => Modes { deferrable: on, ..Modes::default() },
    };
    apply_modes(session, wanted)
}

pub(super) fn set_transaction(
    session: &mut Session,
    wanted: Modes,
    for_session: bool,
) -> Result<(), PgError> {
    let Modes { level, read_only, deferrable } = wanted;
    if for_session {
        if let Some(level) = level {
            let name = level.name();
            assign(session, "default_transaction_isolation", Some(name), false)?;
        }
        if let Some(read_only) = read_only {
            let value = if read_only { "on" } else { "off" };
            assign(session, "default_transaction_read_only", Some(value), false)?;
        }
        if let Some(deferrable) = deferrable {
            let value = if deferrable { "on" } else { "off" };
            assign(session, "default_transaction_deferrable", Some(value), false)?;
        }
        return Ok(());
    }
    apply_modes(session, wanted)
}

/// `SET TRANSACTION SNAPSHOT`
pub(super) fn set_snapshot(session: &mut Session, name: &str) -> Result<(), PgError> {
    if session.transaction.as_ref().is_none_or(|transaction| !transaction.explicit) {
        warn_outside(session);
        return Ok(());
    }
    exported::import(session, name)
}

fn warn_outside(session: &Session) {
    session.shared.notify(
        PgError::new(
            SqlState::NO_ACTIVE_SQL_TRANSACTION,
            "SET TRANSACTION can only be used in transaction blocks",
        )
        .severity(Severity::Warning),
    );
}

fn apply_modes(session: &mut Session, wanted: Modes) -> Result<(), PgError> {
    let Modes { level, read_only, deferrable } = wanted;
    let Some(transaction) = session.transaction.as_mut().filter(|transaction| transaction.explicit)
    else {
        warn_outside(session);
        return Ok(());
    };
    if let Some(level) = level {
        if transaction.started() && transaction.isolation != level {
            return Err(PgError::new(
                SqlState::ACTIVE_SQL_TRANSACTION,
                "SET TRANSACTION ISOLATION LEVEL must be called before any query",
            ));
        }
        transaction.isolation = level;
    }
    if let Some(read_only) = read_only {
        if transaction.started() && transaction.read_only && !read_only {
            return Err(PgError::new(
                SqlState::ACTIVE_SQL_TRANSACTION,
                "transaction read-write mode must be set before any query",
            ));
        }
        transaction.read_only = read_only || session.gate.read_only;
    }
    if let Some(deferrable) = deferrable {
        if transaction.started() {
            return Err(PgError::new(
                SqlState::ACTIVE_SQL_TRANSACTION,
                "SET TRANSACTION [NOT] DEFERRABLE must be called before any query",
            ));
        }
        transaction.deferrable = deferrable;
    }
    let (isolation, read_only) = (transaction.isolation, transaction.read_only);
    let mut settings = session.shared.settings.lock();
    settings.initialize("transaction_isolation", isolation.name());
    settings.initialize("transaction_read_only", if read_only { "on" } else { "off" });
    if let Some(deferrable) = deferrable {
        settings.transaction_is_deferrable(deferrable);
    }
    Ok(())
}
