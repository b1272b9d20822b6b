//! Small graphs to test on.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringViewArray};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::catalog::{
    EdgeTable, ElementLabel, ElementTable, EndPoint, PropertyDef, PropertyGraph, PropertySource,
};
use crate::executor::graph::GraphSnapshot;
use crate::storage::{AdjacencyCache, TableVersion};
use crate::types::pg_type::PgType;
use crate::types::{ElementRef, MemoryBranch, Oid, RowId};

/// An edge as the brute-force matcher sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub(super) id: u64,
    pub(super) source: u64,
    pub(super) target: u64,
    pub(super) weight: i64,
}

/// The same graph twice: as tables, and as lists.
pub(super) struct Fixture {
    pub(super) snapshot: Arc<GraphSnapshot>,
    /// Reference and `x`.
    pub(super) vertices: Vec<(u64, i64)>,
    pub(super) edges: Vec<Edge>,
}

pub(super) fn version(oid: u32, columns: Vec<(&str, ArrayRef)>) -> TableVersion {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, values)| (name, values, true)),
    )
    .unwrap();
    // Two chunks, so that positions cross a border.
    let half = batch.num_rows() / 2;
    let (first, second) = (batch.slice(0, half), batch.slice(half, batch.num_rows() - half));
    let empty = TableVersion::empty(Oid(oid), batch.schema());
    let version = if half > 0 { empty.append(first).unwrap().0 } else { empty };
    if second.num_rows() > 0 { version.append(second).unwrap().0 } else { version }
}

pub(super) fn element(
    alias: &str,
    relation: u32,
    properties: &[(&str, PgType, usize)],
) -> ElementTable {
    let properties = properties
        .iter()
        .map(|(name, ty, column)| PropertyDef {
            name: (*name).to_owned(),
            ty: ty.clone(),
            source: PropertySource::Column(*column),
        })
        .collect();
    ElementTable {
        alias: alias.to_owned(),
        relation: Oid(relation),
        key: vec![0],
        labels: vec![ElementLabel { name: alias.to_owned(), properties }],
    }
}

fn edge_table(alias: &str, relation: u32, source: usize, destination: usize) -> EdgeTable {
    let end =
        |vertex, column| EndPoint { vertex, edge_columns: vec![column], vertex_columns: vec![0] };
    EdgeTable {
        element: element(alias, relation, &[("w", PgType::Int8, 3)]),
        source: end(source, 1),
        destination: end(destination, 2),
    }
}

/// Which vertex tables each edge table connects.
pub(super) const ENDS: [(usize, usize); 3] = [(0, 0), (0, 1), (1, 0)];

/// Vertex tables `A` (integer key) and `B` (text key), edge tables as in [`ENDS`], all small and random, with deleted rows,
/// dangling edges, parallel edges and loops.
pub(super) fn random_graph(seed: u64) -> Fixture {
    let mut random = StdRng::seed_from_u64(seed);
    let counts = [random.random_range(1..6usize), random.random_range(0..4usize)];
    let mut vertices = Vec::new();
    let mut versions = Vec::new();
    let mut deleted = [None; 2];
    for (table, count) in counts.into_iter().enumerate() {
        let xs: Vec<i64> = (0..count).map(|_| random.random_range(0..4)).collect();
        let keys: ArrayRef = if table == 0 {
            Arc::new(Int32Array::from_iter_values((0..count as i32).map(|at| at * 10)))
        } else {
            Arc::new(StringViewArray::from_iter_values((0..count).map(|at| format!("b{at}"))))
        };
        let values: ArrayRef = Arc::new(Int64Array::from(xs.clone()));
        let mut rows = version(100 + table as u32, vec![("id", keys), ("x", values)]);
        if count > 2 && random.random_bool(0.3) {
            rows = rows.delete(&[RowId(1)]).unwrap().unwrap();
            deleted[table] = Some(1);
        }
        versions.push(rows);
        for (at, x) in xs.into_iter().enumerate().filter(|(at, _)| deleted[table] != Some(*at)) {
            vertices.push((ElementRef::new(table as u16, at as u64).0, x));
        }
    }
    let mut edges = Vec::new();
    for (table, (from, to)) in ENDS.into_iter().enumerate() {
        let count = random.random_range(0..6usize);
        // One key more than there is: a dangling edge.
        let ends = |random: &mut StdRng, of: usize| -> Vec<usize> {
            (0..count).map(|_| random.random_range(0..counts[of] + 1)).collect()
        };
        let (sources, targets) = (ends(&mut random, from), ends(&mut random, to));
        let weights: Vec<i64> = (0..count).map(|_| random.random_range(0..4)).collect();
        let keys = |of: usize, values: &[usize]| -> ArrayRef {
            if of == 0 {
                Arc::new(Int64Array::from_iter_values(values.iter().map(|at| *at as i64 * 10)))
            } else {
                Arc::new(StringViewArray::from_iter_values(
                    values.iter().map(|at| format!("b{at}")),
                ))
            }
        };
        versions.push(version(
            200 + table as u32,
            vec![
                ("id", Arc::new(Int64Array::from_iter_values(0..count as i64))),
                ("source", keys(from, &sources)),
                ("target", keys(to, &targets)),
                ("w", Arc::new(Int64Array::from(weights.clone()))),
            ],
        ));
        for at in 0..count {
            let there =
                |of: usize, vertex: usize| vertex < counts[of] && deleted[of] != Some(vertex);
            if there(from, sources[at]) && there(to, targets[at]) {
                edges.push(Edge {
                    id: ElementRef::new(table as u16, at as u64).0,
                    source: ElementRef::new(from as u16, sources[at] as u64).0,
                    target: ElementRef::new(to as u16, targets[at] as u64).0,
                    weight: weights[at],
                });
            }
        }
    }
    let graph = PropertyGraph {
        open: None,
        label_rules: Vec::new(),
        oid: Oid(1),
        name: "g".to_owned(),
        vertices: vec![
            element("A", 100, &[("id", PgType::Int4, 0), ("x", PgType::Int8, 1)]),
            element("B", 101, &[("x", PgType::Int8, 1)]),
        ],
        edges: ENDS
            .into_iter()
            .enumerate()
            .map(|(at, (from, to))| edge_table(["R", "S", "T"][at], 200 + at as u32, from, to))
            .collect(),
    };
    Fixture { snapshot: snapshot(graph, versions), vertices, edges }
}

pub(super) fn snapshot(graph: PropertyGraph, versions: Vec<TableVersion>) -> Arc<GraphSnapshot> {
    let versions: Vec<_> = versions.into_iter().map(Arc::new).collect();
    let find = |oid: Oid| versions.iter().find(|version| version.table == oid).cloned();
    let cache = Arc::new(AdjacencyCache::new(1 << 20, &MemoryBranch::root("tenant", 1 << 30)));
    Arc::new(GraphSnapshot::try_new(Arc::new(graph), find, &cache).unwrap())
}
