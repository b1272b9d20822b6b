//! The system views: `sql/` run through the ordinary pipeline, by the system's own session.
//!
//! Every database starts with the same views under the same OIDs, so the scripts run once in a process and their
//! catalog is shared.

use std::sync::{Arc, OnceLock};

use super::engine::Engine;
use super::session_impl::Session;
use crate::catalog::Catalog;
use crate::error::PgError;

/// The scripts, in order.
const SCRIPTS: &[(&str, &str)] = &[
    ("10_pg_catalog.sql", include_str!("../../sql/10_pg_catalog.sql")),
    ("20_information_schema.sql", include_str!("../../sql/20_information_schema.sql")),
    ("30_graph_catalog.sql", include_str!("../../sql/30_graph_catalog.sql")),
];

/// The catalog of a database that has the system views and nothing else.
static WITH_VIEWS: OnceLock<Arc<Catalog>> = OnceLock::new();

/// Makes the views in every database.
///
/// # Errors
/// `XX000` naming the script and the statement: the scripts are ours.
pub(super) async fn run(engine: &Arc<Engine>) -> Result<(), PgError> {
    let names = engine.database_names();
    let Some(first) = names.first() else { return Ok(()) };
    let ready = match WITH_VIEWS.get() {
        Some(ready) => Arc::clone(ready),
        None => {
            let ready = make_views(engine, first).await?;
            // Two engines may have started at once; their catalogs are equal.
            Arc::clone(WITH_VIEWS.get_or_init(|| ready))
        }
    };
    for name in &names {
        if let Some(database) = engine.database(name) {
            database.install(&ready);
        }
    }
    Ok(())
}

/// The catalog of a database that has the system views and nothing else, once there is an engine.
pub(super) fn views() -> Option<Arc<Catalog>> {
    WITH_VIEWS.get().cloned()
}

async fn make_views(engine: &Arc<Engine>, database: &str) -> Result<Arc<Catalog>, PgError> {
    let mut session = Session::system(engine, database)?;
    for (name, script) in SCRIPTS {
        session.run_text(script).await.map_err(|error| {
            let position = error.position_in(script).unwrap_or(0);
            PgError::internal(format!("sql/{name}, character {position}: {error}"))
        })?;
    }
    Ok(session.database.latest().catalog)
}
