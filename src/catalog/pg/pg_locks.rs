//! `pg_locks`: what transactions hold and wait for. Rows that are merely held are not shown, as in PostgreSQL.

use std::collections::BTreeSet;

use super::batch::{Rows, Value, row};
use super::rows::{Source, SystemRowsError};
use crate::storage::TableLock;
use crate::storage::locks::{LockTarget, LockView};
use crate::types::Oid;

/// One row of the relation.
#[derive(Default)]
struct Shown {
    locktype: &'static str,
    relation: Option<Oid>,
    virtualxid: Option<String>,
    transaction: Option<u64>,
    advisory: Option<(u32, u32, u16)>,
    mode: &'static str,
}

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    let database = source.catalog.database.oid;
    let views = source.session.locks();
    let transactions: BTreeSet<(i32, u64)> = views
        .iter()
        .filter(|view| view.transaction != 0)
        .map(|view| (view.session, view.transaction))
        .collect();
    for (session, transaction) in transactions {
        let own = |locktype| Shown { locktype, mode: "ExclusiveLock", ..Shown::default() };
        let virtualxid = Some(virtual_id(session, transaction));
        put(out, database, session, transaction, true, Shown { virtualxid, ..own("virtualxid") })?;
        let number = Some(transaction);
        put(
            out,
            database,
            session,
            transaction,
            true,
            Shown { transaction: number, ..own("transactionid") },
        )?;
    }
    for view in &views {
        put(out, database, view.session, view.transaction, view.granted, shown(view))?;
    }
    Ok(())
}

fn virtual_id(session: i32, transaction: u64) -> String {
    format!("{session}/{transaction}")
}

fn shown(view: &LockView) -> Shown {
    let exclusive = if view.mode == 0 { "ShareLock" } else { "ExclusiveLock" };
    match view.target {
        LockTarget::Table(relation) => Shown {
            locktype: "relation",
            relation: Some(relation),
            mode: TableLock::ALL.get(usize::from(view.mode)).map_or("", |mode| mode.name()),
            ..Shown::default()
        },
        LockTarget::Row(..) | LockTarget::Key(..) => Shown {
            locktype: "transactionid",
            transaction: view.blocker,
            mode: "ShareLock",
            ..Shown::default()
        },
        LockTarget::Definitions => {
            Shown { locktype: "object", mode: exclusive, ..Shown::default() }
        }
        LockTarget::Advisory(key) => Shown {
            locktype: "advisory",
            advisory: Some(key.parts()),
            mode: exclusive,
            ..Shown::default()
        },
    }
}

fn put(
    out: &mut Rows,
    database: Oid,
    session: i32,
    transaction: u64,
    granted: bool,
    shown: Shown,
) -> Result<(), SystemRowsError> {
    let is_local = shown.relation.is_some() || shown.advisory.is_some();
    row!(out,
        locktype: shown.locktype,
        database: is_local.then_some(database),
        relation: shown.relation,
        page: Value::Null,
        tuple: Value::Null,
        virtualxid: shown.virtualxid,
        transactionid: shown.transaction.map(|number| Oid(number as u32)),
        classid: shown.advisory.map(|(class, ..)| Oid(class)),
        objid: shown.advisory.map(|(_, object, _)| Oid(object)),
        objsubid: shown.advisory.map(|(.., kind)| kind as i16),
        virtualtransaction: virtual_id(session, transaction),
        pid: session,
        mode: shown.mode,
        granted: granted,
        fastpath: false,
        waitstart: Value::Null,
    );
    Ok(())
}
