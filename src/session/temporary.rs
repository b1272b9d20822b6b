//! Temporary objects: in a schema of the session's own, and gone with it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::pipeline;
use super::session_impl::{ScriptPosition, Session};
use super::shared::SessionShared;
use super::transaction::Transaction;
use crate::catalog::{Catalog, OnCommit, Relation, Schema};
use crate::error::PgError;
use crate::parser::{QueryLanguage, parse_script};
use crate::storage::TableVersion;
use crate::types::Oid;

/// The session's schema for temporary objects, made at first use.
pub(super) fn schema(session: &Session, catalog: &mut Catalog) -> Oid {
    session.shared.has_temporary.store(true, Ordering::Relaxed);
    let name = session.shared.temporary_schema();
    if let Some(schema) = catalog.schema(&name) {
        return schema.oid;
    }
    let oid = catalog.allocate();
    catalog.put_schema(Schema { oid, name, owner: session.shared.caller().role });
    oid
}

/// What ON COMMIT says of the session's temporary tables, done just before a transaction commits.
pub(super) fn at_commit(shared: &SessionShared, transaction: &mut Transaction) {
    if !shared.has_temporary.load(Ordering::Relaxed) {
        return;
    }
    let Some(schema) = transaction.catalog.schema(&shared.temporary_schema()) else { return };
    let own: Vec<Arc<Relation>> = transaction
        .catalog
        .relations
        .values()
        .filter(|relation| relation.schema == schema.oid)
        .cloned()
        .collect();
    let mut changed: Option<Catalog> = None;
    for relation in own {
        let Some(table) = relation.table() else { continue };
        match table.on_commit {
            OnCommit::PreserveRows => {}
            OnCommit::DeleteRows => {
                // If it cannot be, the commit says so.
                let _ = transaction.settle();
                let mut writes = transaction.writes.lock();
                let rows = writes.view().table(relation.oid).map_or(0, |rows| rows.live_rows());
                if rows > 0 {
                    writes.put_table(TableVersion::empty(relation.oid, Arc::clone(&table.schema)));
                }
            }
            OnCommit::Drop => {
                let catalog = changed.get_or_insert_with(|| transaction.catalog.as_ref().clone());
                for sequence in catalog.sequences_of(relation.oid, None) {
                    catalog.remove_relation(sequence.oid);
                }
                catalog.remove_relation(relation.oid);
                transaction.writes.lock().drop_table(relation.oid);
            }
        }
    }
    if let Some(catalog) = changed {
        transaction.set_catalog(catalog);
    }
}

/// Drops the session's temporary objects: `DISCARD TEMP`.
///
/// # Errors
/// As DROP SCHEMA's.
pub(super) async fn discard(session: &mut Session) -> Result<(), PgError> {
    if !session.shared.has_temporary.load(Ordering::Relaxed) {
        return Ok(());
    }
    let text = format!("DROP SCHEMA IF EXISTS {} CASCADE", session.shared.temporary_schema());
    let told = session.shared.notices.lock().len();
    for statement in parse_script(&text, QueryLanguage::Sql, &|_| false)? {
        Box::pin(pipeline::run(session, &statement, ScriptPosition::Middle)).await?;
    }
    // Nobody asked what was in it.
    session.shared.notices.lock().truncate(told);
    Ok(())
}

/// Drops what a session that ends had made, in a session of the server's own.
pub(super) fn forget(session: &Session) {
    if session.system || !session.shared.has_temporary.load(Ordering::Relaxed) {
        return;
    }
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    let schema = session.shared.temporary_schema();
    let catalog = session.database.latest().catalog;
    if catalog.schema(&schema).is_none() {
        return;
    }
    let (engine, database) = (Arc::clone(&session.engine), catalog.database.name.clone());
    runtime.spawn(async move {
        let dropped = match Session::system(&engine, &database) {
            Ok(mut session) => {
                session.run_text(&format!("DROP SCHEMA IF EXISTS {schema} CASCADE")).await.map(drop)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = dropped {
            tracing::warn!(%schema, %error, "temporary objects could not be dropped");
        }
    });
}
