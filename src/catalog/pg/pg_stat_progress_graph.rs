//! `pg_stat_progress_graph`: graph algorithms that run now, those of roles whose statements the caller may see.
//! PostgreSQL has no such view.

use super::batch::{Rows, row};
use super::rows::{Source, SystemRowsError};

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    let database = &source.catalog.database;
    for run in source.session.algorithms() {
        row!(out,
            pid: run.pid,
            datid: database.oid,
            datname: database.name.clone(),
            algorithm: run.algorithm,
            vertices: run.vertices,
            edges: run.edges,
            steps_done: run.steps_done,
            steps_total: run.steps_total,
        );
    }
    Ok(())
}
