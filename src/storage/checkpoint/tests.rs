//! Chunks that go to a file and come back.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, Int32Array, IntervalMonthDayNanoArray,
    ListArray, RecordBatch, StringViewArray, new_null_array,
};
use arrow::datatypes::{DataType, Field, IntervalMonthDayNano, Schema};

use super::chunk_write::{Written, encode_chunk, has_ids};
use super::{ChunkStore, PagedFile};
use crate::storage::cache::BufferCache;
use crate::storage::fs::FileSystem as _;
use crate::storage::fs::simulated::SimulatedFileSystem;
use crate::storage::table::{Chunk, EncodedKeys, RowIds, TableVersion, Zones};
use crate::types::Oid;

fn rows(rows: usize) -> RecordBatch {
    let numbers = 0..rows as i32;
    let interval = |at: i32| (at % 3 != 0).then(|| IntervalMonthDayNano::new(at, -at, 7));
    let intervals: ArrayRef =
        Arc::new(IntervalMonthDayNanoArray::from_iter(numbers.clone().map(interval)));
    let offsets = arrow::buffer::OffsetBuffer::from_lengths(vec![1; rows]);
    let element = Arc::new(Field::new_list_field(intervals.data_type().clone(), true));
    let lists = ListArray::new(element, offsets, Arc::clone(&intervals), None);
    let decimals = Decimal128Array::from_iter(numbers.clone().map(|at| Some(i128::from(at))));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from_iter(numbers.clone().map(|at| (at != 1).then_some(at)))),
        Arc::new(StringViewArray::from_iter_values(numbers.clone().map(|at| format!("{at}")))),
        intervals,
        Arc::new(lists),
        Arc::new(decimals.with_precision_and_scale(10, -2).unwrap()),
        Arc::new(BooleanArray::from_iter(numbers.map(|at| Some(at % 2 == 0)))),
        new_null_array(&DataType::Utf8View, rows),
    ];
    let named = columns.into_iter().enumerate();
    RecordBatch::try_from_iter_with_nullable(
        named.map(|(at, column)| (format!("c{at}"), column, true)),
    )
    .unwrap()
}

/// Writes a chunk to a file of a store with a small cache; what is read from there.
fn stored(chunk: &Chunk, cache_bytes: usize) -> (Chunk, Arc<PagedFile>) {
    let (fs, dir) = (SimulatedFileSystem::new(1), PathBuf::from("/data"));
    fs.create_dir_all(&dir.join("chunks")).unwrap();
    let cache = Arc::new(BufferCache::new(cache_bytes));
    let files = ChunkStore::new(Arc::new(fs), dir, cache);
    let schema = chunk.batch().unwrap().schema();
    let columns = chunk.num_columns();
    let keys = if columns == 0 { vec![] } else { vec![vec![0], vec![1], vec![1, 0]] };
    let Written { bytes, file, keys, zones } = encode_chunk((1, 7), chunk, &schema, &keys).unwrap();
    files.put(1, bytes).unwrap();
    let has_ids = has_ids(&schema, chunk.first_id().is_some());
    let file = files.open(file, Arc::clone(&schema), chunk.len(), has_ids);
    file.verify(&keys).unwrap();
    let ids = chunk.stored_ids().unwrap();
    let read =
        Chunk::stored(Arc::clone(&file), (Arc::clone(&schema), chunk.len()), ids, &keys, None);
    read.set_zones(Zones::read(&zones, &schema).unwrap());
    (read, file)
}

fn round_trip(chunk: &Chunk) {
    let (read, _) = stored(chunk, 1 << 20);
    assert_eq!(read.batch().unwrap(), chunk.batch().unwrap());
    let all = chunk.len();
    assert_eq!(read.row_id_array(0, all).unwrap(), chunk.row_id_array(0, all).unwrap());
    for at in (0..all).step_by(37) {
        let id = chunk.row_id(at).unwrap();
        assert_eq!(read.row_id(at).unwrap(), id);
        assert_eq!(read.offset_of(id).unwrap(), Some(at));
    }
}

#[test]
fn chunks_come_back() {
    let rows = rows(1000);
    let ids = |count| RowIds::of_numbers((0..count).map(|at| at * 3).collect());
    round_trip(&Chunk::with_rows(rows.clone(), RowIds::Range(7), None));
    round_trip(&Chunk::with_rows(rows.clone(), ids(1000), None));
    round_trip(&Chunk::with_rows(rows.slice(13, 100), ids(100), None));
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(5));
    let schema = Arc::new(Schema::empty());
    let no_columns = RecordBatch::try_new_with_options(schema, vec![], &options).unwrap();
    round_trip(&Chunk::with_rows(no_columns.clone(), ids(5), None));
    round_trip(&Chunk::with_rows(no_columns, RowIds::Range(9), None));
}

#[test]
fn many_blocks_are_read_through_a_cache_that_holds_few() {
    let chunk = Chunk::with_rows(rows(50_000), RowIds::Range(0), None);
    let (read, file) = stored(&chunk, 64 << 10);
    assert!(file.block_rows() < 50_000);
    for (from, count) in [(0, 50_000), (16_000, 1000), (49_999, 1), (3, 33_000)] {
        for column in 0..chunk.num_columns() {
            let slice = read.slice(column, from, count).unwrap();
            assert_eq!(&slice, &chunk.slice(column, from, count).unwrap());
        }
    }
    // Nobody reads any more: one more read makes room.
    read.slice(5, 0, 1).unwrap();
    assert!(file.cache().bytes() <= 64 << 10, "{}", file.cache().bytes());
}

#[test]
fn keys_are_found_in_files_as_in_memory() {
    let chunk = Chunk::with_rows(rows(40_000), RowIds::Range(0), None);
    let schema = chunk.batch().unwrap().schema();
    for cache_bytes in [0, 64 << 20] {
        let (read, _) = stored(&chunk, cache_bytes);
        let of = |chunk| TableVersion::restore(Oid(1), Arc::clone(&schema), vec![chunk], 50_000);
        let fresh = Chunk::with_rows(chunk.batch().unwrap(), RowIds::Range(0), None);
        let (fresh, read) = (of(Arc::new(fresh)), of(Arc::new(read)));
        for columns in [&[0][..], &[1], &[1, 0]] {
            let keys = EncodedKeys::encode(&chunk.batch().unwrap(), columns).unwrap();
            for row in (0..keys.len()).step_by(1013) {
                let key = keys.encoded(row);
                let found = read.find_key(columns, key).unwrap();
                assert_eq!(found, fresh.find_key(columns, key).unwrap(), "{columns:?} {row}");
                let found = read.find_key_with_nulls(columns, key).unwrap();
                assert_eq!(found, fresh.find_key_with_nulls(columns, key).unwrap());
            }
            assert!(read.find_key(columns, b"no such key").unwrap().is_empty());
            // Of keys that are there and keys that are not, all at once, in no order.
            let others = EncodedKeys::encode(&rows(90_000), columns).unwrap();
            let asked: Vec<usize> = (0..90_000).rev().step_by(101).collect();
            for version in [&read, &fresh] {
                let mut found = Vec::new();
                version
                    .find_keys(columns, &others, asked.iter().copied(), |row, position, id| {
                        assert_eq!(version.row_id(position).unwrap(), id);
                        found.push((row, position));
                    })
                    .unwrap();
                let one_by_one = asked.iter().filter_map(|row| Some((*row, others.get(*row)?)));
                let one_by_one = one_by_one.flat_map(|(row, key)| {
                    let places = version.find_key(columns, key).unwrap();
                    places.into_iter().map(move |position| (row, position))
                });
                let mut one_by_one: Vec<(usize, u64)> = one_by_one.collect();
                found.sort_unstable();
                one_by_one.sort_unstable();
                assert_eq!(found, one_by_one, "{columns:?}");
                assert!(found.len() > 200 && found.iter().all(|(row, _)| asked.contains(row)));
            }
            let few = keys.range();
            let probe = read.probe_between(columns, few).unwrap();
            let mut found = Vec::new();
            probe.find(keys.encoded(17), |position, _| found.push(position)).unwrap();
            assert_eq!(found, [17]);
        }
    }
}

#[test]
fn bounds_are_known_without_reading() {
    let chunk = Chunk::with_rows(rows(100), RowIds::Range(0), None);
    let (read, file) = stored(&chunk, 1 << 20);
    let before = file.cache().reads();
    let zones = read.zones().unwrap();
    let bounds = zones.bounds(0).unwrap();
    assert_eq!(bounds, &(Arc::new(Int32Array::from(vec![0, 99])) as ArrayRef));
    assert_eq!(zones.nulls(0), Some(1));
    assert_eq!(zones.nulls(6), Some(100));
    assert!(zones.bounds(6).is_none());
    assert_eq!(file.cache().reads(), before);
}
