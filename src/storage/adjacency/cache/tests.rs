use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringViewArray};

use super::*;
use crate::types::{Oid, RowId};

fn version(columns: Vec<(&str, ArrayRef)>) -> TableVersion {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, values)| (name, values, true)),
    )
    .unwrap();
    TableVersion::empty(Oid(1), batch.schema()).append(batch).unwrap().0
}

fn end(edge: usize) -> EndColumns {
    EndColumns { edge: vec![edge], vertex: vec![0] }
}

fn cache_of(bytes_max: usize) -> AdjacencyCache {
    AdjacencyCache::new(bytes_max, &MemoryBranch::root("tenant", 1 << 30))
}

async fn out_lists(vertices: TableVersion, edges: TableVersion) -> Vec<Vec<u32>> {
    let (vertices, edges) = (Arc::new(vertices), Arc::new(edges));
    let cache = cache_of(1 << 20);
    let (source, destination) = (end(0), end(1));
    let lists = cache
        .adjacency(&edges, (&vertices, &source), (&vertices, &destination), Orientation::Out)
        .await
        .unwrap();
    (0..vertices.positions() as u32)
        .map(|vertex| lists_of(&lists, vertex).into_iter().map(|(neighbor, _)| neighbor).collect())
        .collect()
}

/// Positions of the neighbors of the vertex at a position, and of the edges to them.
fn lists_of(lists: &Neighborhood, vertex: u32) -> Vec<(u32, u32)> {
    let (neighbors, edges) = lists.lists.neighbors(lists.from.number(vertex));
    assert!(neighbors.is_sorted());
    let mut places: Vec<(u32, u32)> = neighbors
        .iter()
        .zip(edges)
        .map(|(neighbor, edge)| (lists.to.position(*neighbor), lists.edges.position(*edge)))
        .collect();
    places.sort_unstable();
    places
}

#[tokio::test]
async fn integer_keys_of_other_widths_nulls_and_deleted_rows() {
    let vertices = version(vec![("id", Arc::new(Int32Array::from(vec![7, 5, 6])))]);
    let vertices = vertices.delete(&[RowId(2)]).unwrap().unwrap();
    let edges = version(vec![
        (
            "a",
            Arc::new(Int64Array::from(vec![
                Some(7),
                Some(5),
                None,
                Some(5),
                Some(1 << 40),
                Some(7),
            ])),
        ),
        (
            "b",
            Arc::new(Int64Array::from(vec![Some(5), Some(7), Some(5), Some(6), Some(5), Some(7)])),
        ),
    ]);
    let edges = edges.delete(&[RowId(5)]).unwrap().unwrap();
    assert_eq!(out_lists(vertices, edges).await, vec![vec![1], vec![0], vec![]]);
}

#[tokio::test]
async fn sparse_integer_and_text_keys() {
    let ids = vec![1i64 << 40, -5, 0];
    let vertices = version(vec![("id", Arc::new(Int64Array::from(ids)))]);
    let edges = version(vec![
        ("a", Arc::new(Int64Array::from(vec![-5, 0, 3]))),
        ("b", Arc::new(Int64Array::from(vec![1i64 << 40, 0, 0]))),
    ]);
    assert_eq!(out_lists(vertices, edges).await, vec![vec![], vec![0], vec![2]]);
    let vertices = version(vec![("id", Arc::new(StringViewArray::from(vec!["x", "y"])))]);
    let edges = version(vec![
        ("a", Arc::new(StringViewArray::from(vec![Some("y"), Some("y"), None]))),
        ("b", Arc::new(StringViewArray::from(vec![Some("y"), Some("x"), Some("x")]))),
    ]);
    assert_eq!(out_lists(vertices, edges).await, vec![vec![], vec![0, 1]]);
}

#[tokio::test]
async fn the_cache_is_bounded_and_shared() {
    let vertices = Arc::new(version(vec![("id", Arc::new(Int64Array::from(vec![0, 1])))]));
    let cache = cache_of(1);
    let (source, destination) = (end(0), end(1));
    let mut bytes = Vec::new();
    for _ in 0..3 {
        let edges = Arc::new(version(vec![
            ("a", Arc::new(Int64Array::from(vec![0, 1]))),
            ("b", Arc::new(Int64Array::from(vec![1, 0]))),
        ]));
        let ask = || {
            cache.adjacency(
                &edges,
                (&vertices, &source),
                (&vertices, &destination),
                Orientation::In,
            )
        };
        let (first, second) = (ask().await.unwrap(), ask().await.unwrap());
        assert!(Arc::ptr_eq(&first.lists, &second.lists));
        bytes.push(cache.bytes());
    }
    assert!(bytes[0] > 0 && bytes.iter().all(|held| *held == bytes[0]));
}

#[tokio::test]
async fn memory_is_the_tenants_and_refused_when_it_is_used_up() {
    const ROWS: i32 = 1_000;
    let memory = MemoryBranch::root("tenant", 200_000);
    let cache = Arc::new(AdjacencyCache::new(1 << 30, &memory));
    let spare = Arc::downgrade(&cache);
    memory.spare(move |bytes| spare.upgrade().map_or(0, |cache| cache.free(bytes)));
    let ids = || Arc::new(Int32Array::from_iter_values(0..ROWS)) as ArrayRef;
    let vertices = Arc::new(version(vec![("id", ids())]));
    let (source, destination) = (end(0), end(1));
    let ask = async |edges: &Arc<TableVersion>| {
        let (source, destination) = ((&vertices, &source), (&vertices, &destination));
        cache.adjacency(edges, source, destination, Orientation::Out).await
    };
    let edges = || Arc::new(version(vec![("a", ids()), ("b", ids())]));
    let held = ask(&edges()).await.unwrap();
    assert_eq!(memory.used(), cache.bytes());
    assert!(memory.used() > 12 * ROWS as usize, "{}", memory.used());
    // A later version of the table shares what the first one has. What is only kept goes when another statement needs it;
    // the lists that a statement holds (12 bytes an edge) stay and count.
    memory.take(100_000);
    ask(&edges()).await.unwrap();
    assert!(memory.try_take(100_000 - 16 * ROWS as usize).is_ok(), "{}", memory.used());
    assert_eq!(cache.bytes(), 0);
    drop(held);
    let refused = ask(&edges()).await.unwrap_err();
    let code = crate::error::PgError::from(refused).code();
    assert_eq!(code, crate::error::SqlState::OUT_OF_MEMORY);
    memory.give(200_000 - 16 * ROWS as usize);
    assert_eq!(memory.used(), 0);
}

/// Lists of both orientations as texts.
async fn both(cache: &AdjacencyCache, tables: [&Arc<TableVersion>; 2]) -> Vec<String> {
    let (source, destination) = (end(1), end(2));
    let mut texts = Vec::new();
    for orientation in [Orientation::Out, Orientation::In] {
        let (source, destination) = ((tables[0], &source), (tables[0], &destination));
        let lists = cache.adjacency(tables[1], source, destination, orientation).await.unwrap();
        for vertex in (0..tables[0].positions()).filter(|it| tables[0].is_live(*it)) {
            texts.push(format!("{:?}", lists_of(&lists, vertex as u32)));
        }
    }
    texts
}

/// The same row at the end of the table.
fn updated(table: &TableVersion, row: RowId) -> TableVersion {
    let (chunk, offset) = table.find_row(row).unwrap().unwrap();
    let batch = table.chunks()[chunk].batch().unwrap().slice(offset, 1);
    let rest = table.delete(&[row]).unwrap().unwrap();
    rest.append_rows(batch, crate::storage::table::RowIds::Range(row.0)).unwrap()
}

#[tokio::test]
async fn lists_taken_over_are_those_built_anew() {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    let mut derived = 0;
    for seed in 0..60 {
        let mut random = StdRng::seed_from_u64(seed);
        let text = random.random_bool(0.5);
        let keys = |keys: Vec<i64>| -> ArrayRef {
            if text {
                Arc::new(StringViewArray::from_iter_values(
                    keys.iter().map(|key| format!("k{key}")),
                ))
            } else {
                Arc::new(Int64Array::from(keys))
            }
        };
        let rows = |columns: Vec<(&str, ArrayRef)>| RecordBatch::try_from_iter(columns).unwrap();
        let mut next_key = 20;
        let first = rows(vec![("id", keys((0..next_key).collect()))]);
        let mut vertices = TableVersion::empty(Oid(1), first.schema()).append(first).unwrap().0;
        let edge_rows = |random: &mut StdRng, count: usize, keys_max: i64| {
            let mut ends = || (0..count).map(|_| random.random_range(0..keys_max)).collect();
            let (from, to) = (ends(), ends());
            let ids = Arc::new(Int64Array::from(vec![0; count])) as ArrayRef;
            rows(vec![("id", ids), ("a", keys(from)), ("b", keys(to))])
        };
        let first = edge_rows(&mut random, 50, next_key);
        let mut edges = TableVersion::empty(Oid(2), first.schema()).append(first).unwrap().0;
        let cache = cache_of(1 << 20);
        let mut live: Vec<u64> = (0..50).collect();
        let mut before = [Arc::new(vertices.clone()), Arc::new(edges.clone())];
        let mut live_vertices: Vec<u64> = (0..20).collect();
        for _ in 0..20 {
            match random.random_range(0..8) {
                0 => {
                    let batch = rows(vec![("id", keys(vec![next_key]))]);
                    let (version, first) = vertices.append(batch).unwrap();
                    vertices = version;
                    live_vertices.push(first.0);
                    next_key += 1;
                }
                1 => {
                    let at = random.random_range(0..live.len());
                    edges = edges.delete(&[RowId(live.swap_remove(at))]).unwrap().unwrap();
                }
                // A vertex or an edge is updated: the row moves and keeps its id.
                2 => {
                    let at = live_vertices[random.random_range(0..live_vertices.len())];
                    vertices = updated(&vertices, RowId(at));
                }
                3 => edges = updated(&edges, RowId(live[random.random_range(0..live.len())])),
                4 if random.random_bool(0.3) => {
                    let at = random.random_range(0..live_vertices.len());
                    vertices =
                        vertices.delete(&[RowId(live_vertices.swap_remove(at))]).unwrap().unwrap();
                }
                5 if random.random_bool(0.2) => {
                    edges = vacuumed(edges);
                    vertices = vacuumed(vertices);
                }
                _ => {
                    let count = random.random_range(1..4);
                    // Now and then a key that is not there yet.
                    let batch = edge_rows(&mut random, count, next_key + 1);
                    let (version, first) = edges.append(batch).unwrap();
                    edges = version;
                    live.extend(first.0..first.0 + count as u64);
                }
            }
            let tables = [&Arc::new(vertices.clone()), &Arc::new(edges.clone())];
            let anew = both(&cache_of(1 << 20), tables).await;
            assert_eq!(both(&cache, tables).await, anew, "seed {seed}");
            // A statement may still run on the version before, and come later.
            if random.random_bool(0.3) {
                let before = [&before[0], &before[1]];
                let anew = both(&cache_of(1 << 20), before).await;
                assert_eq!(both(&cache, before).await, anew, "seed {seed}, the version before");
            }
            before = tables.map(Arc::clone);
            let entries = cache.entries.lock();
            assert!(entries.len() <= VERSIONS_MAX);
            derived += entries.values().filter(|it| it.derived.load(Ordering::Relaxed)).count();
        }
    }
    assert!(derived > 300, "taken over {derived} times");
}

/// All small chunks merged, what is deleted left out.
fn vacuumed(version: TableVersion) -> TableVersion {
    let merges: Vec<_> = version.all_merges().collect::<Result<_, _>>().unwrap();
    version.with_merges(&merges).unwrap().unwrap_or(version)
}

/// What a statement pays for one edge that came since the last one, beside what a build costs.
#[tokio::test]
async fn one_edge_costs_a_fraction_of_a_build() {
    use std::time::Instant;

    const VERTICES: i64 = 20_000;
    const EDGES: i64 = 200_000;
    const INSERTS: i64 = 200;
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..VERTICES));
    let vertices = Arc::new(version(vec![("id", ids)]));
    let rows = |from: i64, count: i64| {
        let ends = |factor: i64| -> ArrayRef {
            let values = (from..from + count).map(|at| at * factor % VERTICES);
            Arc::new(Int64Array::from_iter_values(values))
        };
        RecordBatch::try_from_iter([("a", ends(7)), ("b", ends(11))]).unwrap()
    };
    let first = rows(0, EDGES);
    let mut edges = TableVersion::empty(Oid(2), first.schema()).append(first).unwrap().0;
    let cache = cache_of(1 << 28);
    let (source, destination) = (end(0), end(1));
    let mut built = None;
    let start = Instant::now();
    for insert in 0..=INSERTS {
        if insert > 0 {
            edges = edges.append(rows(EDGES + insert, 1)).unwrap().0;
        }
        let version = Arc::new(edges.clone());
        let (source, destination) = ((&vertices, &source), (&vertices, &destination));
        for orientation in [Orientation::Out, Orientation::In] {
            let lists = cache.adjacency(&version, source, destination, orientation).await.unwrap();
            assert_eq!(lists.lists.len() as i64, EDGES + insert);
        }
        built.get_or_insert_with(|| start.elapsed());
    }
    let built = built.unwrap();
    let each = (start.elapsed() - built) / INSERTS as u32;
    println!("built in {built:?}, each of {INSERTS} edges taken over in {each:?}");
    assert!(each * 20 < built, "built in {built:?}, one edge in {each:?}");
}
