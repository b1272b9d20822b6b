//! SET and REMOVE of properties.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::interleave;
use datafusion::common::Result;

use super::input::Input;
use super::values::{Values, check_storable, flags, map_entries, overflow_column};
use super::{Writer, deleted};
use crate::catalog::{OpenDefinition, PropertyGraph, PropertySource};
use crate::error::{PgError, SqlState};
use crate::executor::graph::open::overflow_entries;
use crate::functions::cypher::{CypherType, Value, arrays};
use crate::planner::node::{ElementChange, SetAction, ValueColumn};
use crate::storage::{TableVersion, widen_rows};
use crate::types::{ElementRef, RowId};

/// What becomes of one element's properties.
#[derive(Debug, Clone, Default)]
pub(super) struct Edit {
    /// All that are not in `set` go.
    pub(super) clear: bool,
    /// New values; null removes.
    pub(super) set: BTreeMap<String, Value>,
}

/// Changes of elements, by kind and reference as they are now.
pub(super) type Edits = BTreeMap<(bool, ElementRef), Edit>;

/// The elements that stand in a column, by row: null, or of a kind.
pub(super) fn elements_in(input: &Input, column: &ValueColumn) -> Result<Vec<Option<(bool, u64)>>> {
    let values = input.detached(&column.name, &column.ty)?;
    (0..values.len())
        .map(|row| match arrays::read(&values, &column.ty, row)? {
            Value::Null => Ok(None),
            Value::Element(element) => Ok(Some((element.edge, element.reference))),
            other => Err(PgError::new(
                SqlState::DATATYPE_MISMATCH,
                format!(
                    "a node or relationship is needed, not a value of type {}",
                    other.type_name()
                ),
            )
            .routine("InvalidArgumentType")
            .into()),
        })
        .collect()
}

impl Writer {
    /// Does one item for all rows, the first row first.
    pub(super) async fn set(&mut self, input: &mut Input, item: &SetAction) -> Result<()> {
        let mut elements = elements_in(input, &item.element)?;
        if let Some(condition) = &item.condition {
            let holds = flags(input.column(condition)?)?;
            for (element, holds) in elements.iter_mut().zip(holds) {
                if !holds {
                    *element = None;
                }
            }
        }
        if let ElementChange::Labels { add, remove } = &item.change {
            return self.set_labels(&elements, add, remove).await;
        }
        let changes = Changes::of(input, &item.change)?;
        let mut edits = Edits::new();
        for (row, element) in elements.iter().enumerate() {
            let Some((edge, reference)) = *element else { continue };
            let now = self.present(edge, reference)?;
            changes.apply(row, edits.entry((edge, now)).or_default())?;
        }
        self.edit(edits).await
    }

    /// Where an element is that must be there.
    pub(super) fn present(&self, edge: bool, reference: u64) -> Result<ElementRef> {
        let now = self.now(edge, reference);
        if self.graph.find(edge, now.0)?.is_deleted() {
            return Err(deleted(edge).into());
        }
        Ok(now)
    }

    /// Changes properties of elements.
    pub(super) async fn edit(&mut self, edits: Edits) -> Result<()> {
        let mut by_table: BTreeMap<(bool, u16), Vec<(ElementRef, Edit)>> = BTreeMap::new();
        for ((edge, element), edit) in edits {
            by_table.entry((edge, element.table())).or_default().push((element, edit));
        }
        for ((edge, table), edits) in by_table {
            if self.is_open() {
                self.edit_open(edge, table, &edits).await?;
            } else {
                self.edit_typed(edge, table, &edits).await?;
            }
        }
        Ok(())
    }

    async fn edit_open(
        &mut self,
        edge: bool,
        table: u16,
        edits: &[(ElementRef, Edit)],
    ) -> Result<()> {
        let element = self.graph.element(edge, table)?;
        let mut names: BTreeSet<String> =
            edits.iter().flat_map(|(_, edit)| edit.set.keys().cloned()).collect();
        if edits.iter().any(|(_, edit)| edit.clear) {
            names.extend(element.properties().map(|property| property.name.clone()));
        }
        let properties: Vec<(String, Values)> = names
            .into_iter()
            .map(|name| {
                let value = |edit: &Edit| edit.set.get(&name).cloned().unwrap_or(Value::Null);
                let values = edits.iter().map(|(_, edit)| value(edit)).collect();
                (name, Values::Each(values))
            })
            .collect();
        let wanted: Vec<_> = properties
            .iter()
            .filter_map(|(name, values)| values.wanted(name, Some(element)))
            .collect();
        if !wanted.is_empty() {
            self.define(vec![self.definition(edge, table, wanted)?]).await?;
        }
        let element = self.graph.element(edge, table)?;
        let relation = self.relation(element.relation)?;
        let stored = relation.table().ok_or_else(|| PgError::internal("no table"))?;
        let version = self.graph.version(edge, table)?;
        let ids: Vec<RowId> = edits.iter().map(|(element, _)| RowId(element.row())).collect();
        let old = widen_rows(&rows_of(version, &ids)?, &stored.schema)?.into_owned();
        let mut columns = old.columns().to_vec();
        let overflow = PropertyGraph::overflow_column(edge);
        let mut over = overflows(&old, overflow)?;
        for (name, values) in &properties {
            let Some(property) = element.property(name) else { continue };
            let PropertySource::Open { column, .. } = property.source else { continue };
            let (new, others) = values.column(&property.ty)?;
            let mut others: BTreeMap<usize, Value> = others.into_iter().collect();
            let places: Vec<(usize, usize)> = edits
                .iter()
                .enumerate()
                .map(|(row, (_, edit))| {
                    (usize::from(edit.clear || edit.set.contains_key(name)), row)
                })
                .collect();
            for ((which, row), entries) in places.iter().zip(&mut over) {
                if *which == 1 {
                    entries.remove(name);
                    if let Some(value) = others.remove(row) {
                        entries.insert(name.clone(), value);
                    }
                }
            }
            if let Some(slot) = columns.get_mut(column) {
                *slot = interleave(&[slot.as_ref(), new.as_ref()], &places)?;
            }
        }
        if let Some(slot) = columns.get_mut(overflow) {
            *slot = overflow_column(&over);
        }
        let rows = RecordBatch::try_new(Arc::clone(&stored.schema), columns)?;
        self.target.update(&relation, &ids, vec![rows]).await?;
        self.renew()
    }

    /// What a partition is to have more.
    pub(super) fn definition(
        &self,
        edge: bool,
        table: u16,
        properties: Vec<crate::catalog::OpenProperty>,
    ) -> Result<OpenDefinition> {
        let labels = |table| self.labels_of(table);
        if !edge {
            return Ok(OpenDefinition::Vertices { labels: labels(table)?, properties });
        }
        let known = self.graph.edge_table(table)?;
        Ok(OpenDefinition::Edges {
            label: known.element.label_names().next().unwrap_or_default().to_owned(),
            source: labels(known.source.vertex as u16)?,
            destination: labels(known.destination.vertex as u16)?,
            properties,
        })
    }
}

/// Rows by their ids, in that order.
pub(super) fn rows_of(version: &TableVersion, ids: &[RowId]) -> Result<RecordBatch> {
    let mut positions = Vec::with_capacity(ids.len());
    for place in version.find_rows(ids)? {
        let (chunk, offset) = place.ok_or_else(|| PgError::internal("a row that is not there"))?;
        positions.push(version.chunk_starts().get(chunk).copied().unwrap_or(0) + offset as u64);
    }
    Ok(version.rows_at(&positions)?)
}

/// The overflow maps of rows.
fn overflows(rows: &RecordBatch, column: usize) -> Result<Vec<BTreeMap<String, Value>>> {
    let more: &ArrayRef = rows.column(column);
    if more.null_count() == more.len() {
        return Ok(vec![BTreeMap::new(); rows.num_rows()]);
    }
    (0..rows.num_rows()).map(|row| Ok(overflow_entries(more, row)?.into_iter().collect())).collect()
}

/// What an item does, by row.
enum Changes {
    Property(String, Values),
    Dynamic(ArrayRef, CypherType, Values),
    Properties { replace: bool, maps: Vec<Vec<(String, Value)>> },
}

impl Changes {
    fn of(input: &Input, change: &ElementChange) -> Result<Self> {
        Ok(match change {
            ElementChange::Property(name, value) => {
                Self::Property(name.clone(), Values::of(input, value)?)
            }
            ElementChange::Dynamic(key, value) => {
                let keys = Arc::clone(input.column(&key.name)?);
                Self::Dynamic(keys, key.ty.clone(), Values::of(input, value)?)
            }
            ElementChange::Properties { replace, map } => {
                Self::Properties { replace: *replace, maps: map_entries(input.column(map)?)? }
            }
            ElementChange::Labels { .. } => {
                return Err(PgError::internal("labels are not properties").into());
            }
        })
    }

    /// What it does for a row, after what earlier rows did to the same element.
    fn apply(&self, row: usize, edit: &mut Edit) -> Result<()> {
        match self {
            Self::Property(name, values) => {
                edit.set.insert(name.clone(), values.get(row)?);
            }
            Self::Dynamic(keys, ty, values) => match arrays::read(keys, ty, row)? {
                Value::String(name) => {
                    edit.set.insert(name, values.get(row)?);
                }
                other => {
                    return Err(PgError::new(
                        SqlState::DATATYPE_MISMATCH,
                        format!("a key must be a STRING, not {}", other.type_name()),
                    )
                    .routine("InvalidArgumentType")
                    .into());
                }
            },
            Self::Properties { replace, maps } => {
                if *replace {
                    *edit = Edit { clear: true, set: BTreeMap::new() };
                }
                for (name, value) in maps.get(row).into_iter().flatten() {
                    check_storable(value)?;
                    edit.set.insert(name.clone(), value.clone());
                }
            }
        }
        Ok(())
    }
}
