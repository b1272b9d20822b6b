use arrow::array::{
    BinaryViewArray, BooleanArray, Decimal128Array, FixedSizeBinaryArray, Float64Array, Int32Array,
    Int64Array, IntervalMonthDayNanoArray, ListArray, StringArray, StringViewArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Field, Int32Type, IntervalMonthDayNano, Schema};

use super::*;

fn batch() -> RecordBatch {
    let lists = vec![Some(vec![Some(1), None]), None, Some(vec![]), Some(vec![Some(5)])];
    let long = "a text that is longer than twelve bytes";
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![Some(1), None, Some(-3), Some(i64::MAX)])),
        Arc::new(Int32Array::from(vec![1, 2, 3, 4])),
        Arc::new(BooleanArray::from(vec![Some(true), Some(false), None, Some(true)])),
        Arc::new(StringViewArray::from(vec![Some(""), None, Some(long), Some("ü")])),
        Arc::new(BinaryViewArray::from(vec![Some(&[0u8, 255][..]), None, Some(&[]), None])),
        Arc::new(Float64Array::from(vec![f64::NAN, -0.0, 1.5, f64::INFINITY])),
        Arc::new(
            Decimal128Array::from(vec![Some(i128::MAX / 10), None, Some(-1), Some(0)])
                .with_precision_and_scale(38, 10)
                .unwrap(),
        ),
        Arc::new(FixedSizeBinaryArray::try_from_iter((0u8..4).map(|byte| [byte; 16])).unwrap()),
        Arc::new(TimestampMicrosecondArray::from(vec![0, 1, -1, 5]).with_timezone("UTC")),
        Arc::new(IntervalMonthDayNanoArray::from(vec![IntervalMonthDayNano::new(1, 2, 3); 4])),
        Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists)),
        new_null_array(&DataType::Utf8View, 4),
    ];
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().enumerate().map(|(at, column)| (format!("c{at}"), column, true)),
    )
    .unwrap()
}

fn round_trip(batch: &RecordBatch, schema: &SchemaRef) -> RecordBatch {
    let mut out = Vec::new();
    put_batch(&mut out, schema, batch).unwrap();
    let mut reader = Reader::new(&out, "batch");
    let read = read_batch(&mut reader, schema).unwrap();
    assert!(reader.is_empty());
    read
}

#[test]
fn every_stored_type_comes_back() {
    let batch = batch();
    assert_eq!(round_trip(&batch, &batch.schema()), batch);
    for from in 0..4 {
        for rows in 0..=4 - from {
            let slice = batch.slice(from, rows);
            assert_eq!(round_trip(&slice, &batch.schema()), slice, "rows {from} to {rows}");
        }
    }
}

#[test]
fn other_representations_are_cast_to_the_tables() {
    let schema = Arc::new(Schema::new(vec![Field::new("t", DataType::Utf8View, true)]));
    let column: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), None]));
    let batch = RecordBatch::try_from_iter_with_nullable([("t", column, true)]).unwrap();
    let read = round_trip(&batch, &schema);
    assert_eq!(read.column(0).as_string_view(), &StringViewArray::from(vec![Some("x"), None]));
}

#[test]
fn batches_without_columns_keep_their_rows() {
    let schema = Arc::new(Schema::empty());
    let options = RecordBatchOptions::new().with_row_count(Some(7));
    let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), vec![], &options).unwrap();
    assert_eq!(round_trip(&batch, &schema).num_rows(), 7);
}

#[test]
fn no_prefix_and_no_flipped_bit_panics() {
    let batch = batch();
    let schema = batch.schema();
    let mut out = Vec::new();
    put_batch(&mut out, &schema, &batch).unwrap();
    for length in 0..out.len() {
        assert!(read_batch(&mut Reader::new(&out[..length], "batch"), &schema).is_err());
    }
    for at in 0..out.len() {
        for bit in 0..8 {
            let mut bytes = out.clone();
            bytes[at] ^= 1 << bit;
            // Either refused or other values: checksums are what tells, one layer up.
            let _ = read_batch(&mut Reader::new(&bytes, "batch"), &schema);
        }
    }
}
