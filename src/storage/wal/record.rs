//! What a commit holds, as bytes: steps in order, each of one table or one catalog object.
//!
//! ```text
//! payload   version:u8=1  database:varint  time:u64 (µs since 1970)  step*
//!
//! step      kind:u8 and then
//!   1 insert   table:varint  first row id:varint  batch
//!   2 update   table:varint  ids  batch                        the rows keep their ids
//!   3 delete   table:varint  ids
//!   4 begin    table:varint  next row id:varint  schema          the table has no rows now, and these columns
//!   5 chunk    table:varint  ids  batch                        rows of a table that was begun
//!   6 gone     table:varint
//!   7 put      kind:u8  id:varint  object:bytes               a catalog object is this now
//!   8 remove   kind:u8  id:varint
//!   9 widen    table:varint  schema                              the table has these columns now; the new ones are null
//!
//! ids       0  count:varint  first:varint                      first, first + 1, …
//!           1  count:varint  first:varint  (count - 1) × difference:varint    ascending
//!           2  count:varint  count × id:varint
//! ```
//!
//! A commit may have several payloads, so that none becomes too large to be read at once.

use std::borrow::Cow;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use crate::storage::batch::{RowsBuilder, put_batch};
use crate::storage::codec::{Malformed, Reader, put_bytes, put_varint};
use crate::storage::schema::{put_schema, read_schema};
use crate::storage::snapshot::{RowWrite, TableWrites};
use crate::storage::table::{TableVersion, widen_rows};
use crate::types::{Oid, RowId};

const VERSION: u8 = 1;
/// Rows of one step; a larger batch becomes several.
const STEP_ROWS_MAX: usize = 65_536;
/// A payload that reached this is closed, and the commit goes on in another.
const PAYLOAD_BYTES_SOFT: usize = 16 << 20;

/// A catalog object of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// The catalog's own numbering.
    pub kind: u8,
    /// The object's number among those of its kind: its OID, if it has one.
    pub id: u64,
}

/// The head of a step, as replay reads it; rows follow where it says so, and are to be read next.
#[derive(Debug)]
pub(crate) enum Head {
    /// Rows came; they follow.
    Insert { table: Oid, first: RowId },
    /// Rows changed; they follow, in the order of the ids.
    Update { table: Oid, ids: Vec<u64> },
    /// Rows went.
    Delete { table: Oid, ids: Vec<u64> },
    /// A table has no rows now, and these columns.
    Begin { table: Oid, next_row: u64, schema: SchemaRef },
    /// Rows of a table that was begun in this commit; they follow.
    Chunk { table: Oid, ids: Vec<u64> },
    /// A table is gone.
    Gone(Oid),
    /// A table has more columns at its end, null so far.
    Widen { table: Oid, schema: SchemaRef },
    /// A catalog object is this now.
    Put(ObjectKey, Vec<u8>),
    /// A catalog object is gone.
    Remove(ObjectKey),
}

/// Gathers what a commit of one database holds.
#[derive(Debug)]
pub struct CommitRecord {
    head: Vec<u8>,
    payloads: Vec<Vec<u8>>,
}

impl CommitRecord {
    /// A commit of `database` at `time_us` microseconds since 1970 that holds nothing yet.
    pub fn new(database: Oid, time_us: i64) -> Self {
        let mut head = vec![VERSION];
        put_varint(&mut head, u64::from(database.0));
        head.extend_from_slice(&time_us.to_le_bytes());
        let payloads = vec![head.clone()];
        Self { head, payloads }
    }

    /// What follows is of another database.
    pub fn in_database(&mut self, database: Oid) {
        let time = self.head.split_off(self.head.len() - size_of::<i64>());
        self.head.truncate(1);
        put_varint(&mut self.head, u64::from(database.0));
        self.head.extend_from_slice(&time);
        self.payloads.push(self.head.clone());
    }

    fn step(&mut self, kind: u8) -> &mut Vec<u8> {
        let full = self.payloads.last().is_none_or(|last| last.len() >= PAYLOAD_BYTES_SOFT);
        if full {
            self.payloads.push(self.head.clone());
        }
        let at = self.payloads.len() - 1;
        let out = &mut self.payloads[at];
        out.push(kind);
        out
    }

    fn table_step(&mut self, kind: u8, table: Oid) -> &mut Vec<u8> {
        let out = self.step(kind);
        put_varint(out, u64::from(table.0));
        out
    }

    /// Rows of a table of this schema came, changed and went.
    ///
    /// # Errors
    /// An Arrow error if a batch does not fit the schema.
    pub fn rows(
        &mut self,
        table: Oid,
        schema: &SchemaRef,
        writes: &TableWrites,
    ) -> Result<(), ArrowError> {
        for write in writes.steps.iter() {
            match write {
                RowWrite::Insert { rows, first } => {
                    let rows = widen_rows(rows, schema)?;
                    for (from, rows) in pieces(&rows) {
                        let out = self.table_step(1, table);
                        put_varint(out, first.0 + from as u64);
                        put_batch(out, schema, &rows)?;
                    }
                }
                RowWrite::Update { rows, ids } => {
                    let rows = widen_rows(rows, schema)?;
                    for (from, rows) in pieces(&rows) {
                        let out = self.table_step(2, table);
                        let ids = &ids[from..from + rows.num_rows()];
                        put_ids(out, ids.len(), ids.iter().map(|id| id.0));
                        put_batch(out, schema, &rows)?;
                    }
                }
                RowWrite::Delete { ids } => {
                    let out = self.table_step(3, table);
                    put_ids(out, ids.len(), ids.iter().map(|id| id.0));
                }
            }
        }
        Ok(())
    }

    /// A table is this now, whatever it was before.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub fn whole(&mut self, version: &TableVersion) -> Result<(), ArrowError> {
        let out = self.table_step(4, version.table);
        put_varint(out, version.next_row());
        put_schema(out, &version.schema)?;
        for chunk in version.chunks() {
            let live = chunk.live_batch()?;
            let mut ids = chunk.live_ids()?.into_iter();
            for (_, rows) in pieces(&live) {
                let out = self.table_step(5, version.table);
                let ids: Vec<u64> = ids.by_ref().take(rows.num_rows()).collect();
                put_ids(out, ids.len(), ids.iter().copied());
                put_batch(out, &version.schema, &rows)?;
            }
        }
        Ok(())
    }

    /// A table has these columns now, the new ones at its end.
    ///
    /// # Errors
    /// An Arrow error for a type that cannot be stored.
    pub fn widen(&mut self, table: Oid, schema: &SchemaRef) -> Result<(), ArrowError> {
        let out = self.table_step(9, table);
        put_schema(out, schema)
    }

    /// A table is gone.
    pub fn gone(&mut self, table: Oid) {
        self.table_step(6, table);
    }

    /// A catalog object is this now.
    pub fn put(&mut self, key: ObjectKey, object: &[u8]) {
        let out = self.step(7);
        out.push(key.kind);
        put_varint(out, key.id);
        put_bytes(out, object);
    }

    /// A catalog object is gone.
    pub fn remove(&mut self, key: ObjectKey) {
        let out = self.step(8);
        out.push(key.kind);
        put_varint(out, key.id);
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.payloads.iter().all(|payload| payload.len() == self.head.len())
    }

    /// Its bytes, a frame's payload each.
    pub(crate) fn payloads(&self) -> &[Vec<u8>] {
        &self.payloads
    }
}

/// A batch in pieces of [`STEP_ROWS_MAX`] rows, each with the offset of its first row. None for an empty batch.
fn pieces(rows: &RecordBatch) -> impl Iterator<Item = (usize, Cow<'_, RecordBatch>)> {
    (0..rows.num_rows()).step_by(STEP_ROWS_MAX).map(|from| match rows.num_rows() {
        count if count <= STEP_ROWS_MAX => (from, Cow::Borrowed(rows)),
        count => (from, Cow::Owned(rows.slice(from, STEP_ROWS_MAX.min(count - from)))),
    })
}

pub(crate) fn put_ids(out: &mut Vec<u8>, count: usize, ids: impl Iterator<Item = u64> + Clone) {
    let mut pairs = ids.clone().zip(ids.clone().skip(1));
    let consecutive = pairs.clone().all(|(left, right)| left.checked_add(1) == Some(right));
    if consecutive {
        out.push(0);
        put_varint(out, count as u64);
        put_varint(out, ids.clone().next().unwrap_or(0));
    } else if pairs.all(|(left, right)| left < right) {
        out.push(1);
        put_varint(out, count as u64);
        let mut before = 0;
        for id in ids {
            put_varint(out, id - before);
            before = id;
        }
    } else {
        out.push(2);
        put_varint(out, count as u64);
        for id in ids {
            put_varint(out, id);
        }
    }
}

/// Row ids in the order they were written in.
pub(crate) fn read_ids(reader: &mut Reader<'_>) -> Result<Vec<u64>, Malformed> {
    match reader.u8()? {
        0 => {
            let count = reader.varint()?;
            let first = reader.varint()?;
            let end = first.checked_add(count).ok_or(reader.malformed())?;
            // A run costs nothing to write, so its length is bounded by what a step may hold.
            if count > u64::from(u32::MAX) {
                return Err(reader.malformed());
            }
            Ok((first..end).collect())
        }
        1 => {
            let count = reader.count(1)?;
            let mut before = 0u64;
            (0..count)
                .map(|_| {
                    before = before.checked_add(reader.varint()?).ok_or(reader.malformed())?;
                    Ok(before)
                })
                .collect()
        }
        2 => {
            let count = reader.count(1)?;
            (0..count).map(|_| reader.varint()).collect()
        }
        _ => Err(reader.malformed()),
    }
}

/// Reads the steps of one payload.
pub(crate) struct Payload<'a> {
    reader: Reader<'a>,
    /// The database it is of.
    pub(crate) database: Oid,
    /// When it was committed, microseconds since 1970.
    pub(crate) time_us: i64,
}

impl<'a> Payload<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "log record");
        if reader.u8()? != VERSION {
            return Err(Malformed("version of a log record"));
        }
        let database = Oid(reader.varint32()?);
        let time_us = i64::from_le_bytes(reader.array()?);
        Ok(Self { reader, database, time_us })
    }

    pub(crate) fn malformed(&self) -> Malformed {
        self.reader.malformed()
    }

    /// Reads the rows that follow the last head; how many.
    pub(crate) fn rows(&mut self, rows: &mut RowsBuilder) -> Result<usize, Malformed> {
        rows.read(&mut self.reader)
    }

    /// The head of the next step.
    pub(crate) fn head(&mut self) -> Result<Option<Head>, Malformed> {
        let reader = &mut self.reader;
        if reader.is_empty() {
            return Ok(None);
        }
        let kind = reader.u8()?;
        if kind == 7 || kind == 8 {
            let key = ObjectKey { kind: reader.u8()?, id: reader.varint()? };
            let put = kind == 7;
            return Ok(Some(if put {
                Head::Put(key, reader.bytes()?.to_vec())
            } else {
                Head::Remove(key)
            }));
        }
        let table = Oid(reader.varint32()?);
        Ok(Some(match kind {
            1 => Head::Insert { table, first: RowId(reader.varint()?) },
            2 => Head::Update { table, ids: read_ids(reader)? },
            3 => Head::Delete { table, ids: read_ids(reader)? },
            4 => {
                let next_row = reader.varint()?;
                Head::Begin { table, next_row, schema: read_schema(reader)? }
            }
            5 => Head::Chunk { table, ids: read_ids(reader)? },
            6 => Head::Gone(table),
            9 => Head::Widen { table, schema: read_schema(reader)? },
            _ => return Err(reader.malformed()),
        }))
    }
}
