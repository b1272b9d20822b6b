//! MERGE: what was not found is made, once for rows that ask for the same.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, UInt64Array};
use datafusion::common::Result;

use super::Writer;
use super::input::Input;
use crate::error::{PgError, SqlState};
use crate::functions::cypher::{Value, arrays, codec};
use crate::planner::node::{NewEdge, NewVertex, ValueColumn};

/// What a MERGE makes, and what tells its rows apart.
pub(super) struct Merge<'a> {
    pub(super) vertices: &'a [NewVertex],
    pub(super) edges: &'a [NewEdge],
    pub(super) key: &'a [ValueColumn],
    pub(super) symmetric: Option<(usize, usize)>,
}

impl Writer {
    /// Makes elements for the rows whose columns of them are null; the columns, and whether they were made for the row.
    ///
    /// Rows with equal keys ask for the same: the first makes it, the others find what it made.
    pub(super) async fn merge(
        &mut self,
        input: &mut Input,
        merge: Merge<'_>,
    ) -> Result<Vec<ArrayRef>> {
        let mut found: Vec<UInt64Array> = Vec::new();
        for vertex in merge.vertices {
            found.push(input.elements(&vertex.column, false)?);
        }
        for edge in merge.edges {
            found.push(input.elements(&edge.column, true)?);
        }
        let keys = keys_of(input, &merge)?;
        let mut groups: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut firsts: Vec<u32> = Vec::new();
        let mut group_of: Vec<Option<usize>> = vec![None; input.len()];
        for (row, key) in keys.into_iter().enumerate() {
            if found.iter().all(|column| column.is_valid(row)) {
                continue;
            }
            let group = *groups.entry(key).or_insert_with(|| {
                firsts.push(row as u32);
                firsts.len() - 1
            });
            if let Some(slot) = group_of.get_mut(row) {
                *slot = Some(group);
            }
        }
        let mut made: Vec<UInt64Array> = Vec::new();
        if !firsts.is_empty() {
            let mut subset = input.subset(&firsts)?;
            for column in self.create(&mut subset, merge.vertices, merge.edges).await? {
                made.push(crate::executor::graph::open::refs_of(&column)?.clone());
            }
        }
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(found.len() + 1);
        for (at, found) in found.iter().enumerate() {
            let merged = found.iter().zip(&group_of).map(|(found, group)| match group {
                Some(group) => made.get(at).map(|made| made.value(*group)),
                None => found,
            });
            columns.push(Arc::new(merged.collect::<UInt64Array>()));
        }
        let mut created = vec![false; input.len()];
        for first in firsts {
            if let Some(slot) = created.get_mut(first as usize) {
                *slot = true;
            }
        }
        columns.push(Arc::new(BooleanArray::from(created)));
        Ok(columns)
    }
}

/// The key of each row.
///
/// # Errors
/// `22004` for a null in it.
fn keys_of(input: &Input, merge: &Merge<'_>) -> Result<Vec<Vec<u8>>> {
    let mut columns = Vec::with_capacity(merge.key.len());
    for column in merge.key {
        columns.push((input.detached(&column.name, &column.ty)?, &column.ty));
    }
    (0..input.len())
        .map(|row| {
            let mut parts = Vec::with_capacity(columns.len());
            for (values, ty) in &columns {
                let value = arrays::read(values, ty, row)?;
                if value.is_null() {
                    return Err(null_key().into());
                }
                parts.push(match value {
                    Value::Element(element) => element.reference.to_be_bytes().to_vec(),
                    value => codec::grouping_key(&value),
                });
            }
            if let Some((left, right)) = merge.symmetric
                && left < parts.len()
                && right < parts.len()
                && parts[left] > parts[right]
            {
                parts.swap(left, right);
            }
            let mut key = Vec::new();
            for part in parts {
                key.extend((part.len() as u64).to_be_bytes());
                key.extend(part);
            }
            Ok(key)
        })
        .collect()
}

fn null_key() -> PgError {
    PgError::new(SqlState::NULL_VALUE_NOT_ALLOWED, "MERGE cannot match a property that is null")
        .hint("What is null is never found, so MERGE would make it anew each time.")
        .routine("MergeReadOwnWrites")
}
