//! `pg_stat_activity`: connections.

use super::batch::{Rows, Value, row};
use super::describe;
use super::rows::{Source, SystemRowsError};

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    let catalog = source.catalog;
    for backend in source.session.backends() {
        let database = catalog.cluster.databases.get(&backend.database);
        row!(out,
            datid: backend.database,
            datname: database.map(|database| database.name.as_str()),
            pid: backend.pid,
            leader_pid: Value::Null,
            usesysid: backend.user,
            usename: describe::role_name(catalog, backend.user),
            application_name: backend.application_name,
            client_addr: backend.client_addr,
            client_hostname: Value::Null,
            client_port: backend.client_port,
            backend_start: Value::Timestamptz(backend.backend_start),
            xact_start: backend.xact_start.map(Value::Timestamptz),
            query_start: backend.query_start.map(Value::Timestamptz),
            state_change: backend.state_change.map(Value::Timestamptz),
            wait_event_type: match backend.waits_for {
                Some(_) => Some("Lock"),
                None => (backend.state != "active").then_some("Client"),
            },
            wait_event: backend
                .waits_for
                .or((backend.state != "active").then_some("ClientRead")),
            state: backend.state,
            backend_xid: Value::Null,
            backend_xmin: Value::Null,
            query_id: Value::Null,
            query: backend.query,
            backend_type: "client backend",
        );
    }
    Ok(())
}
