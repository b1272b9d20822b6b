//! Definitions that a write brings about: labels, relationship types and properties of open graphs.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::Writes;
use crate::catalog::{Catalog, OpenDefinition, RelationKind};
use crate::error::PgError;
use crate::storage::TableVersion;
use crate::types::Oid;

/// Makes definitions, outside of the transaction unless that has changed definitions itself.
#[async_trait]
pub trait Definitions: Send + Sync {
    /// The catalog in which an open graph has all that is wanted.
    ///
    /// # Errors
    /// `55P03`, `54000`.
    async fn define(
        &self,
        graph: Oid,
        wanted: Vec<OpenDefinition>,
        catalog: &Arc<Catalog>,
        writes: &Arc<Mutex<Writes>>,
    ) -> Result<Arc<Catalog>, PgError>;

    /// A table as it is for all now.
    fn stored(&self, table: Oid) -> Option<Arc<TableVersion>>;

    /// Takes numbers of a sequence; the first.
    ///
    /// # Errors
    /// `2200H` at its end.
    fn take_numbers(&self, sequence: Oid, count: usize, catalog: &Catalog) -> Result<i64, PgError>;
}

/// Lets a transaction see the partitions of an open graph as a catalog has them.
///
/// # Errors
/// `XX000` for a partition that did not only grow.
pub fn adopt_graph(
    catalog: &Catalog,
    graph: Oid,
    definitions: &dyn Definitions,
    writes: &mut Writes,
) -> Result<(), PgError> {
    let Some(relation) = catalog.relation(graph) else { return Ok(()) };
    let RelationKind::PropertyGraph(graph) = &relation.kind else { return Ok(()) };
    for element in graph.elements() {
        if let Some(table) = catalog.relation(element.relation).and_then(|table| table.table()) {
            let stored = definitions.stored(element.relation);
            writes.adopt(element.relation, &table.schema, stored.as_deref())?;
        }
    }
    Ok(())
}
