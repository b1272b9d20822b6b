//! One property graph at the snapshot of a statement.

use std::fmt;
use std::sync::Arc;

use datafusion::common::{HashMap, Result};
use datafusion::physical_expr::PhysicalExpr;
use parking_lot::Mutex;

use super::open::Moved;
use crate::catalog::{Catalog, EdgeTable, EndPoint, PropertyGraph, RelationKind};
use crate::error::PgError;
use crate::planner::Direction;
use crate::storage::adjacency::{
    AdjacencyCache, EdgePlaces, EndColumns, Neighborhood, Orientation,
};
use crate::storage::{StoreSnapshot, TableVersion};
use crate::types::Oid;

/// Makes a property's SQL expression a physical one over all columns of the relation with the given OID.
pub type ExpressionHook = Arc<dyn Fn(Oid, &str) -> Result<Arc<dyn PhysicalExpr>> + Send + Sync>;

/// A graph's definition, the versions of its tables that the statement sees, and the way to their adjacency lists.
pub struct GraphSnapshot {
    /// The definition.
    pub graph: Arc<PropertyGraph>,
    /// One for each vertex element table.
    pub vertices: Vec<Arc<TableVersion>>,
    /// One for each edge element table.
    pub edges: Vec<Arc<TableVersion>>,
    ends: Vec<[EndColumns; 2]>,
    cache: Arc<AdjacencyCache>,
    hook: Option<ExpressionHook>,
    /// Where elements went that earlier clauses of the statement moved.
    pub(crate) moved: Arc<Moved>,
    expressions: Mutex<HashMap<(Oid, String), Arc<dyn PhysicalExpr>>>,
}

/// One way to leave a vertex: along one edge table in one orientation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hop {
    /// Index in [`PropertyGraph::edges`].
    pub edge_table: u16,
    /// Along the edges or against them.
    pub orientation: Orientation,
    /// Vertex table it starts from.
    pub from: u16,
    /// Vertex table it leads to.
    pub to: u16,
    /// Leave out edges from a vertex to itself: the hop in the other orientation has them already.
    pub skip_loops: bool,
}

impl GraphSnapshot {
    /// The graph over the table versions that `table` gives.
    ///
    /// # Errors
    /// `XX000` if a table is missing: the catalog and the store disagree.
    pub fn try_new(
        graph: Arc<PropertyGraph>,
        table: impl Fn(Oid) -> Option<Arc<TableVersion>>,
        cache: &Arc<AdjacencyCache>,
    ) -> Result<Self> {
        let find = |relation: Oid| {
            table(relation).ok_or_else(|| {
                PgError::internal(format!(
                    "table {relation} of graph \"{}\" is not stored",
                    graph.name
                ))
            })
        };
        let vertices = graph.vertices.iter().map(|element| find(element.relation));
        let vertices = vertices.collect::<Result<Vec<_>, _>>()?;
        let edges = graph.edges.iter().map(|edge| find(edge.element.relation));
        let edges = edges.collect::<Result<Vec<_>, _>>()?;
        let ends = graph
            .edges
            .iter()
            .map(|edge| [end_columns(&edge.source), end_columns(&edge.destination)])
            .collect();
        let cache = Arc::clone(cache);
        let expressions = Mutex::default();
        let moved = Arc::default();
        Ok(Self { graph, vertices, edges, ends, cache, hook: None, moved, expressions })
    }

    /// The graph as a statement sees it after writing.
    ///
    /// # Errors
    /// As [`Self::try_new`].
    pub fn renewed(&self, catalog: &Catalog, store: &StoreSnapshot) -> Result<Self> {
        let graph = catalog.relation(self.graph.oid).map(|relation| &relation.kind);
        let graph = match graph {
            Some(RelationKind::PropertyGraph(graph)) => Arc::clone(graph),
            _ => Arc::clone(&self.graph),
        };
        let found = |table| element_version(catalog, store, &graph, table);
        let renewed = Self::try_new(Arc::clone(&graph), found, &self.cache)?;
        Ok(Self { hook: self.hook.clone(), moved: Arc::clone(&self.moved), ..renewed })
    }

    /// With what is known of elements that moved.
    #[must_use]
    pub fn with_moved(mut self, moved: Arc<Moved>) -> Self {
        self.moved = moved;
        self
    }

    /// With a way to compute properties that are SQL expressions.
    #[must_use]
    pub fn with_expressions(mut self, hook: ExpressionHook) -> Self {
        self.hook = Some(hook);
        self
    }

    /// The version of an element table.
    ///
    /// # Errors
    /// `XX000` for an index that is not in the graph.
    pub fn version(&self, edge: bool, table: u16) -> Result<&Arc<TableVersion>> {
        let versions = if edge { &self.edges } else { &self.vertices };
        Ok(versions.get(usize::from(table)).ok_or_else(|| no_table(edge, table))?)
    }

    /// The definition of an edge table.
    ///
    /// # Errors
    /// `XX000` for an index that is not in the graph.
    pub fn edge_table(&self, table: u16) -> Result<&EdgeTable> {
        Ok(self.graph.edges.get(usize::from(table)).ok_or_else(|| no_table(true, table))?)
    }

    /// The adjacency lists of an edge table, built if they are not cached.
    ///
    /// # Errors
    /// `54000` for a table of too many rows.
    pub async fn adjacency(&self, table: u16, orientation: Orientation) -> Result<Neighborhood> {
        let (edges, source, destination) = self.edge_parts(table)?;
        let built = self.cache.adjacency(edges, source, destination, orientation).await;
        Ok(built.map_err(PgError::from)?)
    }

    /// The end points of all edges of a table, built on this thread if they are not cached.
    ///
    /// # Errors
    /// `54000` for a table of too many rows.
    pub fn edge_ends(&self, table: u16) -> Result<EdgePlaces> {
        let (edges, source, destination) = self.edge_parts(table)?;
        Ok(self.cache.ends(edges, source, destination).map_err(PgError::from)?)
    }

    #[expect(clippy::type_complexity, reason = "the arguments of two calls, side by side")]
    fn edge_parts(
        &self,
        table: u16,
    ) -> Result<(
        &Arc<TableVersion>,
        (&Arc<TableVersion>, &EndColumns),
        (&Arc<TableVersion>, &EndColumns),
    )> {
        let edge = self.edge_table(table)?;
        let columns = self.ends.get(usize::from(table)).ok_or_else(|| no_table(true, table))?;
        let version = |end: &EndPoint| self.version(false, end.vertex as u16);
        Ok((
            self.version(true, table)?,
            (version(&edge.source)?, &columns[0]),
            (version(&edge.destination)?, &columns[1]),
        ))
    }

    /// The compiled form of a property's SQL expression over a relation's columns.
    pub(super) fn expression(&self, relation: Oid, text: &str) -> Result<Arc<dyn PhysicalExpr>> {
        let key = (relation, text.to_owned());
        if let Some(compiled) = self.expressions.lock().get(&key) {
            return Ok(Arc::clone(compiled));
        }
        let hook = self.hook.as_ref().ok_or_else(|| {
            PgError::unsupported(
                format!("property expression {text} is not supported"),
                "Make the property a column of the table.",
            )
        })?;
        let compiled = hook(relation, text)?;
        self.expressions.lock().insert(key, Arc::clone(&compiled));
        Ok(compiled)
    }

    /// The ways along `tables` in `direction`, seen from the vertex one comes from.
    pub fn hops(&self, tables: &[u16], direction: Direction) -> Result<Vec<Hop>> {
        let mut hops = Vec::with_capacity(tables.len());
        for table in tables {
            let edge = self.edge_table(*table)?;
            let (source, destination) = (edge.source.vertex as u16, edge.destination.vertex as u16);
            if matches!(direction, Direction::Right | Direction::Any) {
                hops.push(Hop {
                    edge_table: *table,
                    orientation: Orientation::Out,
                    from: source,
                    to: destination,
                    skip_loops: false,
                });
            }
            if matches!(direction, Direction::Left | Direction::Any) {
                hops.push(Hop {
                    edge_table: *table,
                    orientation: Orientation::In,
                    from: destination,
                    to: source,
                    skip_loops: direction == Direction::Any && source == destination,
                });
            }
        }
        Ok(hops)
    }
}

/// The version of an element table. A partition of an open graph that others made, or gave columns, after a snapshot was
/// taken has no rows in it, or nulls.
pub fn element_version(
    catalog: &Catalog,
    store: &StoreSnapshot,
    graph: &PropertyGraph,
    table: Oid,
) -> Option<Arc<TableVersion>> {
    let known = store.table(table);
    if graph.open.is_none() {
        return known.cloned();
    }
    let schema = &catalog.relation(table)?.table()?.schema;
    match known {
        Some(known) if known.schema.fields().len() < schema.fields().len() => {
            known.widened(schema).ok().map(Arc::new)
        }
        Some(known) => Some(Arc::clone(known)),
        None => Some(Arc::new(TableVersion::empty(table, Arc::clone(schema)))),
    }
}

impl fmt::Debug for GraphSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphSnapshot").field("graph", &self.graph.name).finish_non_exhaustive()
    }
}

fn end_columns(end: &EndPoint) -> EndColumns {
    EndColumns { edge: end.edge_columns.clone(), vertex: end.vertex_columns.clone() }
}

fn no_table(edge: bool, table: u16) -> PgError {
    let kind = if edge { "edge" } else { "vertex" };
    PgError::internal(format!("no {kind} table {table} in the graph"))
}
