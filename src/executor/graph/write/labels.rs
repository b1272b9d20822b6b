//! SET and REMOVE of labels: a vertex moves to the partition of its new label set, and its edges to theirs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, new_null_array};
use arrow::datatypes::Int64Type;
use datafusion::common::Result;

use super::Writer;
use super::set::rows_of;
use crate::catalog::{ElementTable, OpenDefinition, OpenProperty, PropertyGraph, PropertySource};
use crate::error::{PgError, SqlState};
use crate::types::{ElementRef, RowId};

/// Vertices that move: by number, the partition they are in then.
type Movers = BTreeMap<i64, u16>;

impl Writer {
    /// Gives elements labels and takes others away.
    pub(super) async fn set_labels(
        &mut self,
        elements: &[Option<(bool, u64)>],
        add: &[String],
        remove: &[String],
    ) -> Result<()> {
        let mut by_table: BTreeMap<u16, BTreeSet<ElementRef>> = BTreeMap::new();
        for (edge, reference) in elements.iter().flatten() {
            if *edge {
                return Err(PgError::new(
                    SqlState::DATATYPE_MISMATCH,
                    "a relationship has one type, which does not change",
                )
                .routine("InvalidArgumentType")
                .into());
            }
            let now = self.present(false, *reference)?;
            by_table.entry(now.table()).or_default().insert(now);
        }
        let mut movers = Movers::new();
        let mut sources = BTreeSet::new();
        for (table, vertices) in by_table {
            let labels = self.labels_after(table, add, remove)?;
            if self.graph.element(false, table)?.has_exactly(&labels) {
                continue;
            }
            if !self.is_open() {
                return Err(PgError::unsupported(
                    "labels of a typed property graph cannot be set or removed",
                    "A node of a typed graph has the labels of its table.",
                )
                .into());
            }
            sources.insert(table);
            self.move_vertices(table, &vertices, labels, &mut movers).await?;
        }
        if movers.is_empty() {
            return Ok(());
        }
        self.move_edges(&sources, &movers).await
    }

    fn labels_after(&self, table: u16, add: &[String], remove: &[String]) -> Result<Vec<String>> {
        let element = self.graph.element(false, table)?;
        let known = element.label_names().map(str::to_owned);
        let labels: BTreeSet<String> =
            known.chain(add.iter().cloned()).filter(|label| !remove.contains(label)).collect();
        Ok(labels.into_iter().collect())
    }

    async fn move_vertices(
        &mut self,
        table: u16,
        vertices: &BTreeSet<ElementRef>,
        labels: Vec<String>,
        movers: &mut Movers,
    ) -> Result<()> {
        let properties = properties_wanted(self.graph.element(false, table)?);
        let wanted = OpenDefinition::Vertices { labels: labels.clone(), properties };
        self.define(vec![wanted]).await?;
        let mut elements = self.graph.graph.vertices.iter();
        let to = elements
            .position(|element| element.has_exactly(&labels))
            .ok_or_else(|| PgError::internal("a partition was not made"))? as u16;
        let ids: Vec<RowId> = vertices.iter().map(|vertex| RowId(vertex.row())).collect();
        let rows = rows_of(self.graph.version(false, table)?, &ids)?;
        let numbers = numbers_of(&rows, 0)?;
        movers.extend(numbers.iter().map(|number| (*number, to)));
        let moved = self.moved_rows(false, table, to, &rows)?;
        self.move_rows(false, table, to, &ids, moved).await
    }

    /// Rows of one partition as rows of another: properties go by name.
    fn moved_rows(
        &self,
        edge: bool,
        from: u16,
        to: u16,
        rows: &RecordBatch,
    ) -> Result<RecordBatch> {
        let (before, after) = (self.graph.element(edge, from)?, self.graph.element(edge, to)?);
        let relation = self.relation(after.relation)?;
        let table = relation.table().ok_or_else(|| PgError::internal("no table"))?;
        let fixed = PropertyGraph::overflow_column(edge) + 1;
        let mut columns: Vec<Option<ArrayRef>> = vec![None; table.columns.len()];
        for (slot, column) in columns.iter_mut().zip(rows.columns()).take(fixed) {
            *slot = Some(Arc::clone(column));
        }
        for property in before.properties() {
            let target = after.property(&property.name).map(|known| (&known.source, &known.ty));
            let (PropertySource::Open { column: source, .. }, Some((target, ty))) =
                (&property.source, target)
            else {
                continue;
            };
            let PropertySource::Open { column: target, .. } = target else { continue };
            if *ty != property.ty {
                // Values of another type than the partition's go through the overflow.
                continue;
            }
            if let (Some(slot), Some(values)) =
                (columns.get_mut(*target), rows.columns().get(*source))
            {
                *slot = Some(Arc::clone(values));
            }
        }
        let fields = table.schema.fields();
        let columns = columns.into_iter().zip(fields.iter()).map(|(column, field)| {
            column.unwrap_or_else(|| new_null_array(field.data_type(), rows.num_rows()))
        });
        Ok(RecordBatch::try_new(Arc::clone(&table.schema), columns.collect())?)
    }

    /// Takes rows out of one partition and puts them into another.
    async fn move_rows(
        &mut self,
        edge: bool,
        from: u16,
        to: u16,
        ids: &[RowId],
        rows: RecordBatch,
    ) -> Result<()> {
        let conflicting = self.conflicting(edge, from, to, ids)?;
        let source = self.relation(self.table_of(edge, from)?)?;
        let target = self.relation(self.table_of(edge, to)?)?;
        self.target.delete(&source, ids).await?;
        let new = self.target.insert_numbered(&target, rows).await?;
        for (old, new) in ids.iter().zip(new) {
            let to = ElementRef::new(to, new.0);
            self.graph.moved.settle(edge, to);
            self.graph.moved.note(edge, ElementRef::new(from, old.0), to);
        }
        self.renew()?;
        // Properties whose type is another in the new partition are set there anew.
        let mut edits = super::set::Edits::new();
        for (old, edit) in conflicting {
            edits.insert((edge, self.now(edge, old.0)), edit);
        }
        self.edit(edits).await
    }

    /// Values of properties that have another type in the partition that rows go to.
    fn conflicting(
        &self,
        edge: bool,
        from: u16,
        to: u16,
        ids: &[RowId],
    ) -> Result<Vec<(ElementRef, super::set::Edit)>> {
        let (before, after) = (self.graph.element(edge, from)?, self.graph.element(edge, to)?);
        let differs = |property: &&crate::catalog::PropertyDef| {
            after.property(&property.name).is_some_and(|known| known.ty != property.ty)
        };
        let differing: Vec<_> = before.properties().filter(differs).collect();
        let mut edits = Vec::new();
        if differing.is_empty() {
            return Ok(edits);
        }
        for id in ids {
            let element = ElementRef::new(from, id.0);
            let position = self.graph.find(edge, element.0)?.position();
            let mut edit = super::set::Edit::default();
            for property in &differing {
                let value = self.graph.open_column(edge, from, property, &[position])?.value(0)?;
                if !value.is_null() {
                    edit.set.insert(property.name.clone(), value);
                }
            }
            if !edit.set.is_empty() {
                edits.push((element, edit));
            }
        }
        Ok(edits)
    }

    /// Moves the edges of vertices that moved out of some partitions.
    async fn move_edges(&mut self, sources: &BTreeSet<u16>, movers: &Movers) -> Result<()> {
        let count = self.graph.graph.edges.len();
        for table in 0..count as u16 {
            let edge = self.graph.edge_table(table)?;
            let (from, to) = (edge.source.vertex as u16, edge.destination.vertex as u16);
            if !sources.contains(&from) && !sources.contains(&to) {
                continue;
            }
            let label = edge.element.label_names().next().unwrap_or_default().to_owned();
            let properties = properties_wanted(&edge.element);
            let mut ids: BTreeSet<RowId> = BTreeSet::new();
            for (column, end) in [(1, from), (2, to)] {
                if sources.contains(&end) {
                    let numbers: Vec<i64> = movers.keys().copied().collect();
                    ids.extend(self.edges_at(table, column, &numbers)?);
                }
            }
            if ids.is_empty() {
                continue;
            }
            let ids: Vec<RowId> = ids.into_iter().collect();
            let rows = rows_of(self.graph.version(true, table)?, &ids)?;
            let (starts, ends) = (numbers_of(&rows, 1)?, numbers_of(&rows, 2)?);
            let mut groups: BTreeMap<(u16, u16), Vec<u32>> = BTreeMap::new();
            for (row, (start, end)) in starts.iter().zip(&ends).enumerate() {
                let place = |number, known| movers.get(number).copied().unwrap_or(known);
                groups.entry((place(start, from), place(end, to))).or_default().push(row as u32);
            }
            for ((start, end), rows_of_group) in groups {
                if (start, end) == (from, to) {
                    continue;
                }
                let labels = |table| self.labels_of(table);
                let wanted = OpenDefinition::Edges {
                    label: label.clone(),
                    source: labels(start)?,
                    destination: labels(end)?,
                    properties: properties.clone(),
                };
                self.define(vec![wanted]).await?;
                let target = self.edge_partition(&label, start, end, &[]).await?;
                let pick = arrow::array::UInt32Array::from(rows_of_group.clone());
                let subset = arrow::compute::take_record_batch(&rows, &pick)?;
                let picked: Vec<RowId> = rows_of_group
                    .iter()
                    .filter_map(|row| ids.get(*row as usize).copied())
                    .collect();
                let moved = self.moved_rows(true, table, target, &subset)?;
                self.move_rows(true, table, target, &picked, moved).await?;
            }
        }
        Ok(())
    }
}

/// The properties of a partition, as another one is to have them.
fn properties_wanted(element: &ElementTable) -> Vec<OpenProperty> {
    element
        .properties()
        .map(|property| OpenProperty {
            name: property.name.clone(),
            ty: property.ty.clone(),
            mixed: matches!(property.source, PropertySource::Open { mixed: true, .. }),
        })
        .collect()
}

fn numbers_of(rows: &RecordBatch, column: usize) -> Result<Vec<i64>> {
    let numbers: Option<&Int64Array> = rows.column(column).as_primitive_opt::<Int64Type>();
    let numbers = numbers.filter(|numbers| numbers.null_count() == 0);
    Ok(numbers.ok_or_else(|| PgError::internal("elements without numbers"))?.values().to_vec())
}
