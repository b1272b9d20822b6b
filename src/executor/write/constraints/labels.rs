//! Constraints on labels of open graphs: what they demand of elements in whatever partition these are.
//!
//! Values of a property may be in columns of different types, and in overflow maps; two are the same if Cypher groups them
//! together. So the key of an element is made of its values, and each chunk of a partition has an index of these keys,
//! made at first use, as it has for unique indexes over expressions.
//!
//! They are held at the end of a statement, as `CREATE (n:L) SET n.p = 1` gives the property after the element, and at
//! COMMIT once more if partitions moved or came into being.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{BinaryViewBuilder, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};

use super::super::StatementWrites;
use super::super::locking::key_hash;
use super::actions::Change;
use super::rows::position;
use crate::catalog::{Catalog, ElementTable, LabelRule, PropertyGraph, Relation};
use crate::error::{PgError, SqlState};
use crate::executor::graph::OpenColumn;
use crate::executor::write::WriteTarget;
use crate::functions::cypher::json::write_json;
use crate::functions::cypher::{Value, codec};
use crate::storage::locks::WhenHeld;
use crate::storage::{ComputedIndex, EncodedKeys, RowLock, StoreSnapshot, TableVersion};
use crate::types::{Oid, RowId};

/// A row of a partition.
type Place = (Oid, RowId);

/// The elements that a constraint is about.
#[derive(Clone, Copy)]
struct Ruled<'a> {
    graph: &'a PropertyGraph,
    rule: &'a LabelRule,
}

/// Rows of a partition that are to be looked at, with their keys.
struct Rows<'a> {
    element: &'a ElementTable,
    ids: Vec<RowId>,
    batch: RecordBatch,
    keys: EncodedKeys,
}

/// The partition that a table is, and the graph, if constraints are on its label.
fn partition_of(catalog: &Catalog, table: Oid) -> Option<(&PropertyGraph, &ElementTable, bool)> {
    let graph = catalog.graph(catalog.relation(table)?.table()?.ruled_by?)?;
    let vertex = graph.vertices.iter().find(|element| element.relation == table);
    let found = vertex.map(|element| (element, false)).or_else(|| {
        let mut edges = graph.edges.iter().map(|edge| &edge.element);
        edges.find(|element| element.relation == table).map(|element| (element, true))
    });
    found.map(|(element, edge)| (graph.as_ref(), element, edge))
}

/// The keys of rows: one column, null where a property is missing.
fn keys_of(
    element: &ElementTable,
    rule: &LabelRule,
    rows: &RecordBatch,
) -> Result<RecordBatch, PgError> {
    let columns: Vec<Option<OpenColumn>> = rule
        .properties
        .iter()
        .map(|name| OpenColumn::of_rows(rule.edge, element.property(name)?, rows))
        .collect();
    let mut keys = BinaryViewBuilder::with_capacity(rows.num_rows());
    let mut key = Vec::new();
    for row in 0..rows.num_rows() {
        key.clear();
        let mut is_whole = true;
        for column in &columns {
            let value = column.as_ref().map(|column| column.value(row)).transpose()?;
            match value {
                None | Some(Value::Null) => {
                    is_whole = false;
                    break;
                }
                Some(value) => {
                    let bytes = codec::grouping_key(&value);
                    key.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
                    key.extend_from_slice(&bytes);
                }
            }
        }
        match is_whole {
            true => keys.append_value(&key),
            false => keys.append_null(),
        }
    }
    let schema = Schema::new(vec![Field::new("key", DataType::BinaryView, true)]);
    Ok(RecordBatch::try_new(Arc::new(schema), vec![Arc::new(keys.finish())])?)
}

fn encoded(
    element: &ElementTable,
    rule: &LabelRule,
    rows: &RecordBatch,
) -> Result<EncodedKeys, PgError> {
    Ok(EncodedKeys::encode(&keys_of(element, rule, rows)?, &[0])?)
}

impl<'a> Ruled<'a> {
    /// What the keys are computed of, as chunks know them by.
    fn computed_of(self) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        ("label", self.rule.edge, &self.rule.properties).hash(&mut hasher);
        hasher.finish()
    }

    fn elements(self) -> impl Iterator<Item = &'a ElementTable> {
        self.graph.elements_with(self.rule.edge, &self.rule.label)
    }

    /// The rows of a partition with a key, as positions.
    fn positions(
        self,
        element: &ElementTable,
        version: &TableVersion,
        key: &[u8],
    ) -> Result<Vec<u64>, PgError> {
        let mut found = Vec::new();
        for (chunk, start) in version.chunks().iter().zip(version.chunk_starts()) {
            let index = chunk.computed_index(self.computed_of(), |rows| {
                let keys = keys_of(element, self.rule, rows)?;
                Ok::<_, PgError>(ComputedIndex::build(&keys, None, false)?)
            })?;
            index.find(key, |offset| {
                if chunk.is_live(offset) {
                    found.push(start + offset as u64);
                }
            });
        }
        Ok(found)
    }

    /// The elements with a key.
    fn holders(self, store: &StoreSnapshot, key: &[u8]) -> Result<Vec<Place>, PgError> {
        let mut holders = Vec::new();
        for element in self.elements() {
            let Some(version) = store.table(element.relation) else { continue };
            for at in self.positions(element, version, key)? {
                holders.push((element.relation, version.row_id(at)?));
            }
        }
        Ok(holders)
    }

    /// Refuses rows that lack a property that they must have.
    fn check_present(self, rows: &Rows<'_>) -> Result<(), PgError> {
        if !self.rule.kind.is_required() {
            return Ok(());
        }
        match (0..rows.ids.len()).find(|row| rows.keys.get(*row).is_none()) {
            Some(row) => Err(self.missing(rows.element, &rows.batch, row)),
            None => Ok(()),
        }
    }

    fn missing(self, element: &ElementTable, rows: &RecordBatch, row: usize) -> PgError {
        let Self { rule, .. } = self;
        let lacks = |name: &&String| {
            let column = element
                .property(name)
                .and_then(|property| OpenColumn::of_rows(rule.edge, property, rows));
            column.is_none_or(|column| matches!(column.value(row), Ok(Value::Null) | Err(_)))
        };
        let name = rule.properties.iter().find(lacks).map_or("", String::as_str);
        let kind = if rule.edge { "relationship type" } else { "label" };
        PgError::new(
            SqlState::NOT_NULL_VIOLATION,
            format!(
                "null value in property \"{name}\" of {kind} \"{}\" violates not-null constraint \"{}\"",
                rule.label, rule.name
            ),
        )
        .table(&self.graph.name, &rule.label)
        .column(name)
        .constraint(&rule.name)
    }

    fn duplicate(self, rows: &Rows<'_>, row: usize) -> PgError {
        PgError::new(
            SqlState::UNIQUE_VIOLATION,
            format!("duplicate key value violates unique constraint \"{}\"", self.rule.name),
        )
        .detail(format!("{} already exists.", self.key_text(rows.element, &rows.batch, row)))
        .table(&self.graph.name, &self.rule.label)
        .constraint(&self.rule.name)
    }

    /// `Key (a, b)=(1, x)`
    fn key_text(self, element: &ElementTable, rows: &RecordBatch, row: usize) -> String {
        let value = |name: &String| {
            let column = OpenColumn::of_rows(self.rule.edge, element.property(name)?, rows)?;
            Some(match column.value(row).ok()? {
                Value::String(text) => text,
                value => {
                    let mut text = String::new();
                    write_json(&value, &mut text);
                    text
                }
            })
        };
        let values: Vec<String> =
            self.rule.properties.iter().map(|name| value(name).unwrap_or_default()).collect();
        format!("Key ({})=({})", self.rule.properties.join(", "), values.join(", "))
    }

    /// Those rows that are in a partition now.
    fn rows(
        self,
        element: &'a ElementTable,
        version: &TableVersion,
        ids: &[RowId],
    ) -> Result<Rows<'a>, PgError> {
        let (mut live, mut positions) = (Vec::new(), Vec::new());
        for (id, place) in ids.iter().zip(version.find_rows(ids)?) {
            let Some(at) = place.map(|place| position(version, place)) else { continue };
            if version.is_live(at) {
                live.push(*id);
                positions.push(at);
            }
        }
        let batch = version.rows_at(&positions)?;
        let keys = encoded(element, self.rule, &batch)?;
        Ok(Rows { element, ids: live, batch, keys })
    }
}

impl StatementWrites {
    /// Holds what a statement wrote against the constraints on labels.
    ///
    /// # Errors
    /// `23502`, `23505` naming the constraint; `40001` if an element with the same key came or went meanwhile, and the
    /// statement is stale then if it may run again.
    pub(in crate::executor::write) async fn label_rules(
        &self,
        changes: &[Change],
    ) -> Result<(), PgError> {
        let is_ruled = |change: &&Change| {
            let (relation, _, new) = change.parts();
            new.is_some() && relation.table().is_some_and(|table| table.ruled_by.is_some())
        };
        let catalog = self.names();
        // By constraint and partition: rows that came, or whose key is another.
        let mut touched: BTreeMap<(Oid, Oid), BTreeSet<RowId>> = BTreeMap::new();
        for change in changes.iter().filter(is_ruled) {
            let (relation, old, new) = change.parts();
            let Some((graph, element, edge)) = partition_of(&catalog, relation.oid) else {
                continue;
            };
            for rule in graph.constraints_on(element, edge) {
                let rows = changed_rows(element, rule, old, new)?;
                let slot = touched.entry((rule.oid, relation.oid)).or_default();
                slot.extend(change.ids(&rows).iter());
            }
        }
        for ((rule, table), ids) in touched {
            let Some((graph, element, edge)) = partition_of(&catalog, table) else { continue };
            let Some(rule) = graph.constraints_on(element, edge).find(|one| one.oid == rule) else {
                continue;
            };
            let ids: Vec<RowId> = ids.into_iter().collect();
            self.hold(&catalog, Ruled { graph, rule }, element, &ids).await?;
        }
        Ok(())
    }

    async fn hold(
        &self,
        catalog: &Arc<Catalog>,
        ruled: Ruled<'_>,
        element: &ElementTable,
        ids: &[RowId],
    ) -> Result<(), PgError> {
        let view = WriteTarget::view(self);
        let Some(version) = view.table(element.relation) else { return Ok(()) };
        let rows = ruled.rows(element, version, ids)?;
        ruled.check_present(&rows)?;
        if !ruled.rule.kind.is_unique() {
            return Ok(());
        }
        let keys = (0..rows.ids.len()).filter_map(|row| rows.keys.get(row));
        self.locks.lock_keys(ruled.rule.oid, keys.map(key_hash).collect()).await?;
        let waiting = self.waiting(catalog);
        let latest = self.locks.committed.latest();
        let moved: Vec<&ElementTable> = ruled
            .elements()
            .filter(|one| {
                waiting.views(one.relation).is_none_or(|views| views.newer.is_some())
                    && latest.table(one.relation).is_some()
            })
            .collect();
        let own = |place: &Place| {
            self.writes.lock().owns(place.0) || waiting.own_rows(place.0).contains(&place.1)
        };
        for row in 0..rows.ids.len() {
            let Some(key) = rows.keys.get(row) else { continue };
            let this = (element.relation, rows.ids[row]);
            let mine = ruled.holders(&view, key)?;
            if let Some(other) = mine.iter().find(|place| **place != this) {
                if own(other) {
                    return Err(ruled.duplicate(&rows, row));
                }
                return Err(self.held_by(catalog, ruled, (&rows, row), *other).await?);
            }
            for one in &moved {
                let Some(version) = latest.table(one.relation) else { continue };
                for at in ruled.positions(one, version, key)? {
                    let place = (one.relation, version.row_id(at)?);
                    if place == this || own(&place) {
                        continue;
                    }
                    if self.locks.keeps_snapshot {
                        return Err(ruled.duplicate(&rows, row));
                    }
                    return Err(self.locks.moved(one.relation, None));
                }
            }
        }
        Ok(())
    }

    /// The error of a row whose key an element of others has; whoever is deleting that decides first whether it is free.
    async fn held_by(
        &self,
        catalog: &Arc<Catalog>,
        ruled: Ruled<'_>,
        (rows, row): (&Rows<'_>, usize),
        (table, other): Place,
    ) -> Result<PgError, PgError> {
        let Some(relation): Option<&Arc<Relation>> = catalog.relation(table) else {
            return Ok(ruled.duplicate(rows, row));
        };
        let mark = self.locks.owner.mark();
        self.locks.hold_rows(relation, &[other], RowLock::KeyShare, WhenHeld::Wait).await?;
        self.locks.owner.release_after(mark);
        let key = rows.keys.get(row).unwrap_or_default();
        let still = ruled.holders(&self.locks.committed.latest(), key)?;
        Ok(match still.contains(&(table, other)) {
            true => ruled.duplicate(rows, row),
            false => self.locks.moved(table, Some(other)),
        })
    }
}

/// The rows of an INSERT, and those of an UPDATE whose key is not what it was.
fn changed_rows(
    element: &ElementTable,
    rule: &LabelRule,
    old: Option<&RecordBatch>,
    new: Option<&RecordBatch>,
) -> Result<Vec<usize>, PgError> {
    let Some(new) = new else { return Ok(Vec::new()) };
    let all = 0..new.num_rows();
    let Some(old) = old else { return Ok(all.collect()) };
    let (old, new) = (encoded(element, rule, old)?, encoded(element, rule, new)?);
    Ok(all.filter(|row| old.get(*row) != new.get(*row)).collect())
}

/// Holds the rows that a transaction wrote to a partition against the constraints on its labels, together with what
/// others committed meanwhile, perhaps to partitions that came into being.
///
/// # Errors
/// `23502`, `23505` naming the constraint.
pub(super) fn check_labels(
    catalog: &Catalog,
    store: &StoreSnapshot,
    table: Oid,
    written: &[RowId],
) -> Result<(), PgError> {
    let Some((graph, element, edge)) = partition_of(catalog, table) else { return Ok(()) };
    let Some(version) = store.table(table) else { return Ok(()) };
    for rule in graph.constraints_on(element, edge) {
        let ruled = Ruled { graph, rule };
        let rows = ruled.rows(element, version, written)?;
        ruled.check_present(&rows)?;
        if !rule.kind.is_unique() {
            continue;
        }
        for row in 0..rows.ids.len() {
            let Some(key) = rows.keys.get(row) else { continue };
            if ruled.holders(store, key)?.len() > 1 {
                return Err(ruled.duplicate(&rows, row));
            }
        }
    }
    Ok(())
}

/// Holds all elements that are there against a new constraint.
///
/// # Errors
/// `23505` `could not create unique index`, `23502`.
pub fn check_label_rule(
    graph: &PropertyGraph,
    rule: &LabelRule,
    store: &StoreSnapshot,
) -> Result<(), PgError> {
    let ruled = Ruled { graph, rule };
    let mut seen = std::collections::HashSet::new();
    for element in ruled.elements() {
        let Some(version) = store.table(element.relation) else { continue };
        for batch in version.live_batches() {
            let batch = batch?;
            let keys = encoded(element, rule, &batch)?;
            for row in 0..batch.num_rows() {
                let Some(key) = keys.get(row) else {
                    if rule.kind.is_required() {
                        return Err(ruled.missing(element, &batch, row));
                    }
                    continue;
                };
                if rule.kind.is_unique() && !seen.insert(Box::<[u8]>::from(key)) {
                    return Err(PgError::new(
                        SqlState::UNIQUE_VIOLATION,
                        format!("could not create unique index \"{}\"", rule.name),
                    )
                    .detail(format!("{} is duplicated.", ruled.key_text(element, &batch, row)))
                    .table(&graph.name, &rule.label)
                    .constraint(&rule.name));
                }
            }
        }
    }
    Ok(())
}
