//! The system views: `sql/` run through the ordinary pipeline, by the system's own session.

use std::sync::Arc;

use super::engine::Engine;
use super::session_impl::Session;
use crate::error::PgError;

/// The scripts, in order.
const SCRIPTS: &[(&str, &str)] = &[
    ("10_pg_catalog.sql", include_str!("../../sql/10_pg_catalog.sql")),
    ("20_information_schema.sql", include_str!("../../sql/20_information_schema.sql")),
    ("30_graph_catalog.sql", include_str!("../../sql/30_graph_catalog.sql")),
];

/// Makes the views in every database.
///
/// # Errors
/// `XX000` naming the script and the statement: the scripts are ours.
pub(super) async fn run(engine: &Arc<Engine>) -> Result<(), PgError> {
    for database in engine.database_names() {
        let mut session = Session::system(engine, &database)?;
        for (name, script) in SCRIPTS {
            session.run_text(script).await.map_err(|error| {
                let position = error.position_in(script).unwrap_or(0);
                PgError::internal(format!("sql/{name}, character {position}: {error}"))
            })?;
        }
    }
    Ok(())
}
