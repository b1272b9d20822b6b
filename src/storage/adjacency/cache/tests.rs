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

async fn out_lists(vertices: TableVersion, edges: TableVersion) -> Vec<Vec<u32>> {
    let (vertices, edges) = (Arc::new(vertices), Arc::new(edges));
    let cache = AdjacencyCache::new(1 << 20);
    let (source, destination) = (end(0), end(1));
    let lists = cache
        .adjacency(
            &edges,
            (&vertices, &source),
            (&vertices, &destination),
            Orientation::Out,
        )
        .await
        .unwrap();
    (0..vertices.positions() as u32).map(|vertex| lists.neighbors(vertex).0.to_vec()).collect()
}

#[tokio::test]
async fn integer_keys_of_other_widths_nulls_and_deleted_rows() {
    let vertices = version(vec![("id", Arc::new(Int32Array::from(vec![7, 5, 6])))]);
    let vertices = vertices.delete(&[RowId(2)]).unwrap();
    let edges = version(vec![
        ("a", Arc::new(Int64Array::from(vec![Some(7), Some(5), None, Some(5), Some(1 << 40), Some(7)]))),
        ("b", Arc::new(Int64Array::from(vec![Some(5), Some(7), Some(5), Some(6), Some(5), Some(7)]))),
    ]);
    let edges = edges.delete(&[RowId(5)]).unwrap();
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
    let cache = AdjacencyCache::new(1);
    let (source, destination) = (end(0), end(1));
    let mut bytes = Vec::new();
    for _ in 0..3 {
        let edges = Arc::new(version(vec![
            ("a", Arc::new(Int64Array::from(vec![0, 1]))),
            ("b", Arc::new(Int64Array::from(vec![1, 0]))),
        ]));
        let ask = || {
            cache.adjacency(&edges, (&vertices, &source), (&vertices, &destination), Orientation::In)
        };
        let (first, second) = (ask().await.unwrap(), ask().await.unwrap());
        assert!(Arc::ptr_eq(&first, &second));
        bytes.push(cache.bytes());
    }
    assert!(bytes[0] > 0 && bytes.iter().all(|held| *held == bytes[0]));
}
