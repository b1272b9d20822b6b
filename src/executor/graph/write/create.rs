//! CREATE: new vertices, then the edges between them and others.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, UInt64Array, new_null_array,
};
use arrow::compute::take;
use datafusion::common::Result;

use super::input::Input;
use super::values::{Values, overflow_column, properties_of};
use super::{Writer, deleted};
use crate::catalog::{ElementTable, OpenDefinition, PropertyGraph, PropertySource};
use crate::error::{PgError, SqlState};
use crate::functions::cypher::Value;
use crate::planner::node::{NewEdge, NewVertex};
use crate::types::ElementRef;

/// Names of properties and their values for some rows.
type Properties = [(String, Values)];

impl Writer {
    /// Makes elements for every row; their columns, vertices first.
    pub(super) async fn create(
        &mut self,
        input: &mut Input,
        vertices: &[NewVertex],
        edges: &[NewEdge],
    ) -> Result<Vec<ArrayRef>> {
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(vertices.len() + edges.len());
        for vertex in vertices {
            let made = match &vertex.row {
                Some(row) => self.insert_typed_vertices(input, row).await?,
                None => self.create_vertices(input, vertex).await?,
            };
            input.made(&vertex.column, made.clone());
            columns.push(Arc::new(made));
        }
        for edge in edges {
            let made = self.create_edges(input, edge).await?;
            input.made(&edge.column, made.clone());
            columns.push(Arc::new(made));
        }
        Ok(columns)
    }

    async fn create_vertices(&mut self, input: &Input, vertex: &NewVertex) -> Result<UInt64Array> {
        let properties = properties_of(input, &vertex.properties)?;
        let find = |graph: &PropertyGraph| {
            graph.vertices.iter().position(|element| element.has_exactly(&vertex.labels))
        };
        let known = find(&self.graph.graph).and_then(|at| self.graph.graph.vertices.get(at));
        let is_new = known.is_none();
        let wanted: Vec<_> =
            properties.iter().filter_map(|(name, values)| values.wanted(name, known)).collect();
        if is_new || !wanted.is_empty() {
            let labels = vertex.labels.clone();
            self.define(vec![OpenDefinition::Vertices { labels, properties: wanted }]).await?;
        }
        let at =
            find(&self.graph.graph).ok_or_else(|| PgError::internal("a partition was not made"))?;
        let numbers = self.numbers(input.len())?;
        self.insert_open(false, at as u16, vec![numbers], &properties, input.len()).await
    }

    /// Numbers for new elements.
    pub(super) fn numbers(&self, count: usize) -> Result<ArrayRef> {
        let Some(open) = self.graph.graph.open else {
            return Err(PgError::internal("elements of a typed graph have no numbers").into());
        };
        if count == 0 {
            return Ok(Arc::new(Int64Array::from(Vec::<i64>::new())));
        }
        let first = self.target.take_numbers(open.sequence, count)?;
        let end = first.saturating_add(i64::try_from(count).unwrap_or(i64::MAX));
        Ok(Arc::new(Int64Array::from_iter_values(first..end)))
    }

    /// Adds rows to a partition; references to them.
    pub(super) async fn insert_open(
        &mut self,
        edge: bool,
        table: u16,
        leading: Vec<ArrayRef>,
        properties: &Properties,
        rows: usize,
    ) -> Result<UInt64Array> {
        let element = self.graph.element(edge, table)?;
        let relation = self.relation(element.relation)?;
        let batch = open_rows(&relation, element, edge, leading, properties, rows)?;
        let ids = self.target.insert_numbered(&relation, batch).await?;
        self.renew()?;
        Ok(UInt64Array::from_iter_values(ids.iter().map(|id| ElementRef::new(table, id.0).0)))
    }

    async fn create_edges(&mut self, input: &Input, edge: &NewEdge) -> Result<UInt64Array> {
        let source = input.elements(&edge.source, false)?;
        let destination = input.elements(&edge.destination, false)?;
        let groups = self.by_ends(&source, &destination)?;
        let mut made = vec![0_u64; input.len()];
        for ((from, to), rows) in groups {
            let subset = input.subset(&rows)?;
            let pick = arrow::array::UInt32Array::from(rows.clone());
            let source = take(&source, &pick, None)?;
            let destination = take(&destination, &pick, None)?;
            let ends = Ends { from, to, source: &source, destination: &destination };
            let refs = if edge.rows.is_empty() {
                self.create_open_edges(&subset, edge, ends).await?
            } else {
                self.insert_typed_edges(&subset, edge, ends).await?
            };
            for (row, reference) in rows.iter().zip(refs.values()) {
                if let Some(slot) = made.get_mut(*row as usize) {
                    *slot = *reference;
                }
            }
        }
        Ok(UInt64Array::from(made))
    }

    /// Rows by the tables of the vertices an edge is to join.
    fn by_ends(
        &self,
        source: &UInt64Array,
        destination: &UInt64Array,
    ) -> Result<BTreeMap<(u16, u16), Vec<u32>>> {
        let mut groups: BTreeMap<(u16, u16), Vec<u32>> = BTreeMap::new();
        for (row, (from, to)) in source.iter().zip(destination).enumerate() {
            let (Some(from), Some(to)) = (from, to) else {
                return Err(PgError::new(
                    SqlState::NULL_VALUE_NOT_ALLOWED,
                    "a relationship cannot be created at a node that is null",
                )
                .routine("NullEndpoint")
                .into());
            };
            let (from, to) = (self.now(false, from), self.now(false, to));
            if from.is_deleted() || to.is_deleted() {
                return Err(deleted(false).into());
            }
            groups.entry((from.table(), to.table())).or_default().push(row as u32);
        }
        Ok(groups)
    }

    async fn create_open_edges(
        &mut self,
        input: &Input,
        edge: &NewEdge,
        ends: Ends<'_>,
    ) -> Result<UInt64Array> {
        let properties = properties_of(input, &edge.properties)?;
        let Ends { from, to, source, destination } = ends;
        let at = self.edge_partition(&edge.label, from, to, &properties).await?;
        let numbers = self.numbers(input.len())?;
        let leading =
            vec![numbers, self.vertex_numbers(source)?, self.vertex_numbers(destination)?];
        self.insert_open(true, at, leading, &properties, input.len()).await
    }

    /// The partition of edges of a type between two vertex partitions, with room for properties.
    pub(super) async fn edge_partition(
        &mut self,
        label: &str,
        from: u16,
        to: u16,
        properties: &Properties,
    ) -> Result<u16> {
        let find = |graph: &PropertyGraph| {
            graph.edges.iter().position(|edge| {
                edge.element.has_label(label)
                    && edge.source.vertex == usize::from(from)
                    && edge.destination.vertex == usize::from(to)
            })
        };
        let known = find(&self.graph.graph).and_then(|at| self.graph.graph.edges.get(at));
        let known = known.map(|edge| &edge.element);
        let is_new = known.is_none();
        let wanted: Vec<_> =
            properties.iter().filter_map(|(name, values)| values.wanted(name, known)).collect();
        if is_new || !wanted.is_empty() {
            let labels = |table| self.labels_of(table);
            let (source, destination) = (labels(from)?, labels(to)?);
            let label = label.to_owned();
            let wanted = OpenDefinition::Edges { label, source, destination, properties: wanted };
            self.define(vec![wanted]).await?;
        }
        let at =
            find(&self.graph.graph).ok_or_else(|| PgError::internal("a partition was not made"))?;
        Ok(at as u16)
    }

    /// The numbers of vertices.
    pub(super) fn vertex_numbers(&self, vertices: &dyn Array) -> Result<ArrayRef> {
        let refs = vertices
            .as_primitive_opt::<arrow::datatypes::UInt64Type>()
            .ok_or_else(|| PgError::internal("vertices are not references"))?;
        let found = refs.iter().flatten().map(|vertex| Ok(self.graph.find(false, vertex)?.0));
        let found: UInt64Array = found.collect::<Result<Vec<u64>>>()?.into();
        self.graph.numbers(false, &found)
    }
}

/// Vertices that new edges join, all of two tables.
pub(super) struct Ends<'a> {
    pub(super) from: u16,
    pub(super) to: u16,
    pub(super) source: &'a ArrayRef,
    pub(super) destination: &'a ArrayRef,
}

/// Rows of a partition: leading columns, then overflow and properties.
fn open_rows(
    relation: &crate::catalog::Relation,
    element: &ElementTable,
    edge: bool,
    leading: Vec<ArrayRef>,
    properties: &Properties,
    rows: usize,
) -> Result<RecordBatch> {
    let table = relation.table().ok_or_else(|| PgError::internal("a partition is not a table"))?;
    let mut columns: Vec<Option<ArrayRef>> = vec![None; table.columns.len()];
    for (slot, column) in columns.iter_mut().zip(leading) {
        *slot = Some(column);
    }
    let mut over: Vec<BTreeMap<String, Value>> = Vec::new();
    for (name, values) in properties {
        // A property without any value is not there.
        let Some(property) = element.property(name) else { continue };
        let PropertySource::Open { column, .. } = property.source else { continue };
        let (kept, others) = values.column(&property.ty)?;
        if let Some(slot) = columns.get_mut(column) {
            *slot = Some(kept);
        }
        if !others.is_empty() && over.is_empty() {
            over = vec![BTreeMap::new(); rows];
        }
        for (row, value) in others {
            if let Some(entries) = over.get_mut(row) {
                entries.insert(name.clone(), value);
            }
        }
    }
    if !over.is_empty()
        && let Some(slot) = columns.get_mut(PropertyGraph::overflow_column(edge))
    {
        *slot = Some(overflow_column(&over));
    }
    let fields = table.schema.fields();
    let columns = columns
        .into_iter()
        .zip(fields.iter())
        .map(|(column, field)| column.unwrap_or_else(|| new_null_array(field.data_type(), rows)));
    Ok(RecordBatch::try_new(Arc::clone(&table.schema), columns.collect())?)
}
