//! An index over key columns of one batch: encoded key to row offsets.
//!
//! ```text
//! keys in order of rows   nothing is stored: binary search            (a serial primary key: the usual case)
//! any other               slots of hash and offset, and a chain through rows with the same key
//! ```
//!
//! A key of one whole-number column is compared in the column's own array; others are kept in their encoded form.

use std::hash::BuildHasher as _;
use std::sync::LazyLock;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Int16Type, Int32Type, Int64Type, SchemaRef, TimeUnit,
    TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::hash_utils::RandomState;

use super::chunk::key_nulls;
use super::key_pages::key_hash;
use crate::storage::cache::Cached;

/// Finds rows of a batch by the value of some columns.
#[derive(Debug)]
pub struct KeyIndex {
    keys: Keys,
    /// `None` if the keys ascend with the rows.
    table: Option<HashSlots>,
    /// The least and the greatest key; `None` without any.
    range: Option<KeyRange>,
}

/// The least and the greatest of some keys.
pub(crate) type KeyRange = (Box<[u8]>, Box<[u8]>);

/// The keys of all rows.
#[derive(Debug)]
enum Keys {
    /// One column of whole numbers (dates and times among them) without nulls.
    Numbers(Numbers),
    /// In the comparable form.
    Encoded(Rows),
}

/// A column's own values.
#[derive(Debug)]
enum Numbers {
    Int16(ArrayRef),
    Int32(ArrayRef),
    Int64(ArrayRef),
    Date32(ArrayRef),
    Timestamp(ArrayRef),
}

/// Key values of many rows in the comparable form of [`arrow::row`], for probing and comparing.
pub struct EncodedKeys {
    rows: Rows,
    nulls: Option<arrow::buffer::NullBuffer>,
}

impl EncodedKeys {
    /// Encodes `columns` of `batch`.
    pub fn encode(batch: &RecordBatch, columns: &[usize]) -> Result<Self, ArrowError> {
        let converter = converter(&batch.schema(), columns)?;
        let arrays: Vec<ArrayRef> =
            columns.iter().map(|column| batch.column(*column).clone()).collect();
        Ok(Self { rows: converter.convert_columns(&arrays)?, nulls: key_nulls(batch, columns) })
    }

    /// The key of a row, or `None` if a part of it is null.
    pub fn get(&self, row: usize) -> Option<&[u8]> {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return None;
        }
        Some(self.rows.row(row).data())
    }

    /// The key of a row, nulls among it: equal keys have equal bytes, and null equals null.
    pub fn encoded(&self, row: usize) -> &[u8] {
        self.rows.row(row).data()
    }

    /// The least and the greatest key, those with nulls included; `None` without rows.
    pub fn range(&self) -> Option<(&[u8], &[u8])> {
        least_and_greatest((0..self.len()).map(|row| self.encoded(row)))
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.num_rows()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The least and the greatest of some encoded keys; `None` without any.
pub(super) fn least_and_greatest<'a>(
    mut keys: impl Iterator<Item = &'a [u8]>,
) -> Option<(&'a [u8], &'a [u8])> {
    let first = keys.next()?;
    Some(keys.fold((first, first), |(least, greatest), key| (least.min(key), greatest.max(key))))
}

/// Keys compare by value, not by Arrow layout: a dictionary or view has the same key as the plain array.
fn converter(schema: &SchemaRef, columns: &[usize]) -> Result<RowConverter, ArrowError> {
    let fields = columns
        .iter()
        .map(|column| SortField::new(schema.field(*column).data_type().clone()))
        .collect();
    RowConverter::new(fields)
}

impl Numbers {
    fn of(array: &ArrayRef) -> Option<Self> {
        if array.null_count() > 0 {
            return None;
        }
        let array = array.clone();
        match array.data_type() {
            DataType::Int16 => Some(Self::Int16(array)),
            DataType::Int32 => Some(Self::Int32(array)),
            DataType::Int64 => Some(Self::Int64(array)),
            DataType::Date32 => Some(Self::Date32(array)),
            DataType::Timestamp(TimeUnit::Microsecond, _) => Some(Self::Timestamp(array)),
            _ => None,
        }
    }

    fn data_type(&self) -> &DataType {
        match self {
            Self::Int16(array)
            | Self::Int32(array)
            | Self::Int64(array)
            | Self::Date32(array)
            | Self::Timestamp(array) => array.data_type(),
        }
    }

    fn get(&self, row: usize) -> i64 {
        match self {
            Self::Int16(array) => i64::from(array.as_primitive::<Int16Type>().value(row)),
            Self::Int32(array) => i64::from(array.as_primitive::<Int32Type>().value(row)),
            Self::Int64(array) => array.as_primitive::<Int64Type>().value(row),
            Self::Date32(array) => i64::from(array.as_primitive::<Date32Type>().value(row)),
            Self::Timestamp(array) => array.as_primitive::<TimestampMicrosecondType>().value(row),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Int16(array)
            | Self::Int32(array)
            | Self::Int64(array)
            | Self::Date32(array)
            | Self::Timestamp(array) => array.len(),
        }
    }
}

/// The encoded form of a key of one column that holds the number; `None` for a type that has another form, or whose
/// values it is not among.
pub fn encoded_number(ty: &DataType, number: i64) -> Option<([u8; 9], usize)> {
    let mut key = [0; 9];
    key[0] = 1;
    let length = match ty {
        DataType::Int16 => {
            let number = i16::try_from(number).ok()? ^ i16::MIN;
            key[1..3].copy_from_slice(&number.to_be_bytes());
            3
        }
        DataType::Int32 | DataType::Date32 => {
            let number = i32::try_from(number).ok()? ^ i32::MIN;
            key[1..5].copy_from_slice(&number.to_be_bytes());
            5
        }
        DataType::Int64 | DataType::Timestamp(TimeUnit::Microsecond, _) => {
            key[1..].copy_from_slice(&(number ^ i64::MIN).to_be_bytes());
            9
        }
        _ => return None,
    };
    Some((key, length))
}

/// The number that an encoded key of one column without nulls stands for: a byte that says "not null", then the number,
/// most significant byte first, its sign bit inverted. `None` for a key of another shape.
fn number(key: &[u8]) -> Option<i64> {
    let (not_null, bytes) = key.split_first()?;
    if *not_null != 1 {
        return None;
    }
    match bytes.len() {
        2 => Some(i64::from(i16::from_be_bytes(bytes.try_into().ok()?) ^ i16::MIN)),
        4 => Some(i64::from(i32::from_be_bytes(bytes.try_into().ok()?) ^ i32::MIN)),
        8 => Some(i64::from_be_bytes(bytes.try_into().ok()?) ^ i64::MIN),
        _ => None,
    }
}

/// A range of keys, if they are whole numbers.
pub(super) fn number_range((least, greatest): &KeyRange) -> Option<(i64, i64)> {
    Some((number(least)?, number(greatest)?))
}

/// A key to be found, in the form an index compares.
#[derive(Clone, Copy)]
enum Sought<'a> {
    Number(i64),
    Encoded(&'a [u8]),
}

impl Keys {
    fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Encoded(rows) => rows.num_rows(),
        }
    }

    fn sought<'a>(&self, key: &'a [u8]) -> Option<Sought<'a>> {
        match self {
            Self::Numbers(_) => number(key).map(Sought::Number),
            Self::Encoded(_) => Some(Sought::Encoded(key)),
        }
    }

    fn at(&self, row: usize) -> Sought<'_> {
        match self {
            Self::Numbers(numbers) => Sought::Number(numbers.get(row)),
            Self::Encoded(rows) => Sought::Encoded(rows.row(row).data()),
        }
    }

    fn ascend(&self) -> bool {
        match self {
            Self::Numbers(numbers) => {
                (1..numbers.len()).all(|row| numbers.get(row - 1) <= numbers.get(row))
            }
            Self::Encoded(rows) => {
                (1..rows.num_rows()).all(|row| rows.row(row - 1) <= rows.row(row))
            }
        }
    }
}

impl Sought<'_> {
    fn cmp(self, other: Sought<'_>) -> std::cmp::Ordering {
        match (self, other) {
            (Self::Number(left), Sought::Number(right)) => left.cmp(&right),
            (Self::Encoded(left), Sought::Encoded(right)) => left.cmp(right),
            (Self::Number(_), Sought::Encoded(_)) => std::cmp::Ordering::Less,
            (Self::Encoded(_), Sought::Number(_)) => std::cmp::Ordering::Greater,
        }
    }

    fn hash(self) -> u32 {
        let hash = match self {
            Self::Number(number) => HASHES.hash_one(number),
            Self::Encoded(bytes) => HASHES.hash_one(bytes),
        };
        (hash >> 32) as u32
    }
}

impl Cached for std::sync::Arc<KeyIndex> {
    fn bytes(&self) -> usize {
        KeyIndex::bytes(self)
    }

    fn references(&self) -> usize {
        std::sync::Arc::strong_count(self)
    }
}

const EMPTY: u64 = u64::MAX;
const END: u32 = u32::MAX;

/// A key has the same hash in all indexes.
static HASHES: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// How an index hashes keys: those that do it in the same way have a batch of keys in the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hashing {
    Numbers,
    Encoded,
    /// A stored index, with its seed.
    Stored(u64),
}

impl Hashing {
    /// The hash of an encoded key; `None` for one that no index of this sort has.
    pub(super) fn hash(self, key: &[u8]) -> Option<u32> {
        match self {
            Self::Numbers => number(key).map(|number| Sought::Number(number).hash()),
            Self::Encoded => Some(Sought::Encoded(key).hash()),
            Self::Stored(seed) => Some(key_hash(seed, key)),
        }
    }
}

/// Open addressing: a slot holds the hash of a key above the offset of its first row. Slots are in the order of hashes,
/// so that many keys in that order are found in one pass from the first slot to the last.
#[derive(Debug)]
struct HashSlots {
    slots: Box<[u64]>,
    /// The next row with the same key, by row; empty if all keys differ.
    next: Vec<u32>,
}

impl HashSlots {
    fn build(keys: &Keys, skip: impl Fn(usize) -> bool) -> Self {
        let capacity = (keys.len() * 2).next_power_of_two().max(2);
        let mut table = Self { slots: vec![EMPTY; capacity].into_boxed_slice(), next: Vec::new() };
        // From the last row to the first, so that chains ascend.
        for row in (0..keys.len()).rev().filter(|row| !skip(*row)) {
            let key = keys.at(row);
            let hash = key.hash();
            let slot = table.slot(keys, key, hash);
            if table.slots[slot] != EMPTY {
                if table.next.is_empty() {
                    table.next = vec![END; keys.len()];
                }
                table.next[row] = table.slots[slot] as u32;
            }
            table.slots[slot] = u64::from(hash) << 32 | row as u64;
        }
        table
    }

    /// The slot of a key: the one that holds it, or the empty one where it would be.
    fn slot(&self, keys: &Keys, key: Sought<'_>, hash: u32) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = ((u64::from(hash) * self.slots.len() as u64) >> 32) as usize;
        loop {
            let held = self.slots[slot];
            if held == EMPTY
                || ((held >> 32) as u32 == hash && keys.at(held as u32 as usize).cmp(key).is_eq())
            {
                return slot;
            }
            slot = (slot + 1) & mask;
        }
    }

    fn find(&self, keys: &Keys, key: Sought<'_>, hash: u32, mut found: impl FnMut(usize)) {
        let held = self.slots[self.slot(keys, key, hash)];
        if held == EMPTY {
            return;
        }
        let mut row = held as u32;
        while row != END {
            found(row as usize);
            row = self.next.get(row as usize).copied().unwrap_or(END);
        }
    }
}

impl KeyIndex {
    /// Indexes `columns` of `batch`; keys with a null in them only `with_nulls`. Time and memory are linear in its rows.
    pub fn build(
        batch: &RecordBatch,
        columns: &[usize],
        with_nulls: bool,
    ) -> Result<Self, ArrowError> {
        if let [column] = columns
            && let Some(numbers) = Numbers::of(batch.column(*column))
        {
            return Ok(Self::of_numbers(numbers));
        }
        let encoded = EncodedKeys::encode(batch, columns)?;
        let range = encoded.range().map(|(least, greatest)| (least.into(), greatest.into()));
        let EncodedKeys { rows, nulls } = encoded;
        let nulls = nulls.filter(|_| !with_nulls);
        let keys = Keys::Encoded(rows);
        let table = (nulls.is_some() || !keys.ascend()).then(|| {
            HashSlots::build(&keys, |row| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)))
        });
        Ok(Self { keys, table, range })
    }

    /// The least and the greatest key; `None` without any.
    pub(in crate::storage) fn range(&self) -> Option<&KeyRange> {
        self.range.as_ref()
    }

    /// Bytes of memory that it takes.
    pub(in crate::storage) fn bytes(&self) -> usize {
        let keys = match &self.keys {
            Keys::Numbers(numbers) => numbers.len() * size_of::<i64>(),
            Keys::Encoded(rows) => rows.size(),
        };
        let table = self.table.as_ref().map_or(0, |table| {
            table.slots.len() * size_of::<u64>() + table.next.len() * size_of::<u32>()
        });
        keys + table
    }

    /// Nothing has to be encoded but the ends of the range.
    fn of_numbers(numbers: Numbers) -> Self {
        let ends = (0..numbers.len()).map(|row| numbers.get(row)).fold(None, |ends, number| {
            let (least, greatest) = ends.unwrap_or((number, number));
            Some((number.min(least), number.max(greatest)))
        });
        let encoded = |number: i64| -> Option<Box<[u8]>> {
            let (key, length) = encoded_number(numbers.data_type(), number)?;
            Some(Box::from(key.get(..length)?))
        };
        let range = ends.and_then(|(least, greatest)| Some((encoded(least)?, encoded(greatest)?)));
        let keys = Keys::Numbers(numbers);
        let table = (!keys.ascend()).then(|| HashSlots::build(&keys, |_| false));
        Self { keys, table, range }
    }

    /// Whether a key between these two may be in it.
    pub fn meets(&self, least: &[u8], greatest: &[u8]) -> bool {
        self.range
            .as_ref()
            .is_some_and(|(from, to)| from.as_ref() <= greatest && least <= to.as_ref())
    }

    /// Gives the offset of each row with this encoded key (see [`EncodedKeys`]), ascending, deleted ones included.
    pub fn find(&self, key: &[u8], mut found: impl FnMut(usize)) {
        if !self.meets(key, key) {
            return;
        }
        let Some(sought) = self.keys.sought(key) else { return };
        let Some(table) = &self.table else {
            let mut row = self.first_at_least(sought);
            while row < self.keys.len() && self.keys.at(row).cmp(sought).is_eq() {
                found(row);
                row += 1;
            }
            return;
        };
        table.find(&self.keys, sought, sought.hash(), found);
    }

    /// How keys are hashed; `None` where they are searched in order.
    pub(super) fn hashing(&self) -> Option<Hashing> {
        self.table.as_ref().map(|_| match self.keys {
            Keys::Numbers(_) => Hashing::Numbers,
            Keys::Encoded(_) => Hashing::Encoded,
        })
    }

    /// As [`Self::find`] for a key whose hash is known: see [`Self::hashing`].
    pub(super) fn find_hashed(&self, key: &[u8], hash: u32, found: impl FnMut(usize)) {
        if let (Some(table), Some(sought)) = (&self.table, self.keys.sought(key)) {
            table.find(&self.keys, sought, hash, found);
        }
    }

    /// As [`Self::find`] for a key of one whole number, which is given in both forms: cheaper where the index holds
    /// numbers.
    pub fn find_number(&self, number: i64, encoded: &[u8], mut found: impl FnMut(usize)) {
        let (Keys::Numbers(numbers), None) = (&self.keys, &self.table) else {
            return self.find(encoded, found);
        };
        let Some(last) = numbers.len().checked_sub(1) else { return };
        if number < numbers.get(0) || numbers.get(last) < number {
            return;
        }
        let (mut from, mut to) = (0, last);
        while from < to {
            let middle = from + (to - from) / 2;
            if numbers.get(middle) < number {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        while from < numbers.len() && numbers.get(from) == number {
            found(from);
            from += 1;
        }
    }

    /// In ascending keys, the first row whose key is not less.
    fn first_at_least(&self, key: Sought<'_>) -> usize {
        let (mut from, mut to) = (0, self.keys.len());
        while from < to {
            let middle = from + (to - from) / 2;
            if self.keys.at(middle).cmp(key).is_lt() {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        from
    }

    /// Whether a type can be a key at all.
    pub fn supports(ty: &DataType) -> bool {
        RowConverter::supports_fields(&[SortField::new(ty.clone())])
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int32Array, StringViewArray};
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    /// Every key of the batch and some others, found by the index and by looking at each row.
    fn agrees(batch: &RecordBatch, columns: &[usize], others: &RecordBatch, with_nulls: bool) {
        let index = KeyIndex::build(batch, columns, with_nulls).unwrap();
        let own = EncodedKeys::encode(batch, columns).unwrap();
        for asked in [&own, &EncodedKeys::encode(others, columns).unwrap()] {
            for row in 0..asked.len() {
                let mut found = Vec::new();
                index.find(asked.encoded(row), |offset| found.push(offset));
                let expected: Vec<usize> = (0..own.len())
                    .filter(|at| with_nulls || own.get(*at).is_some())
                    .filter(|at| own.encoded(*at) == asked.encoded(row))
                    .collect();
                assert_eq!(found, expected);
            }
        }
    }

    fn random(rng: &mut StdRng, rows: usize, nulls: bool, sorted: bool) -> RecordBatch {
        let mut numbers: Vec<Option<i32>> = (0..rows)
            .map(|_| (!nulls || rng.random_bool(0.8)).then(|| rng.random_range(-20..20)))
            .collect();
        if sorted {
            numbers.sort_unstable();
        }
        let words: Vec<Option<String>> =
            numbers.iter().map(|n| n.map(|n| format!("w{}", n / 3))).collect();
        let numbers: ArrayRef = Arc::new(Int32Array::from(numbers));
        let words: ArrayRef = Arc::new(StringViewArray::from_iter(words));
        RecordBatch::try_from_iter_with_nullable([("n", numbers, true), ("w", words, true)])
            .unwrap()
    }

    #[test]
    fn finds_what_a_scan_finds() {
        let mut rng = StdRng::seed_from_u64(7);
        for round in 0..60 {
            let (nulls, sorted) = (round % 2 == 0, round % 3 == 0);
            let batch = random(&mut rng, round, nulls, sorted);
            let others = random(&mut rng, 30, true, false);
            for columns in [&[0][..], &[1], &[0, 1]] {
                agrees(&batch, columns, &others, false);
                agrees(&batch, columns, &others, true);
            }
        }
    }

    #[test]
    fn numbers_are_read_from_their_encoded_form() {
        for value in [i64::MIN, -1, 0, 1, 1 << 40, i64::MAX] {
            let array: ArrayRef = Arc::new(arrow::array::Int64Array::from(vec![value]));
            let batch = RecordBatch::try_from_iter([("n", array)]).unwrap();
            let keys = EncodedKeys::encode(&batch, &[0]).unwrap();
            assert_eq!(number(keys.encoded(0)), Some(value));
            let (key, length) = encoded_number(&DataType::Int64, value).unwrap();
            assert_eq!(&key[..length], keys.encoded(0));
        }
        let array: ArrayRef = Arc::new(Int32Array::from(vec![-5]));
        let batch = RecordBatch::try_from_iter([("n", array)]).unwrap();
        let keys = EncodedKeys::encode(&batch, &[0]).unwrap();
        let (key, length) = encoded_number(&DataType::Int32, -5).unwrap();
        assert_eq!(&key[..length], keys.encoded(0));
        assert!(encoded_number(&DataType::Int32, 1 << 40).is_none());
    }

    #[test]
    fn keys_in_order_of_rows_cost_nothing() {
        let numbers: ArrayRef = Arc::new(Int32Array::from_iter_values(0..1000));
        let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
        let index = KeyIndex::build(&batch, &[0], false).unwrap();
        assert!(index.table.is_none() && matches!(index.keys, Keys::Numbers(_)));
    }
}
