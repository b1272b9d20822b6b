//! A store with one table, driven as sessions drive it, and a plain model of what it must hold.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use arrow::array::{AsArray, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use parking_lot::Mutex;

use crate::storage::fs::FileSystem;
use crate::storage::fs::simulated::SimulatedFileSystem;
use crate::storage::wal::{AppendError, CommitRecord, Entry, LogOptions, ObjectKey, Scribe};
use crate::storage::{
    CheckpointDatabase, EncodedKeys, RowWrite, StorageError, Store, StoreOptions, StoreSnapshot,
    TableVersion, TableWrites,
};
use crate::types::{CommitNo, Oid, RowId};

pub(super) const DIR: &str = "/data";
pub(super) const DATABASE: Oid = Oid(5);
pub(super) const TABLE: Oid = Oid(16_400);
const OBJECT: ObjectKey = ObjectKey { kind: 4, id: 16_400 };

/// What the table holds, by row id, and the catalog object.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Model {
    pub(super) rows: BTreeMap<u64, (i64, String)>,
    pub(super) object: Option<Vec<u8>>,
}

/// A step of a workload.
#[derive(Debug, Clone)]
pub(super) enum Do {
    Insert(i64, usize),
    Update(usize, i64),
    Delete(usize),
    Rename(&'static str),
    Rewrite,
    Checkpoint,
}

pub(super) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("number", DataType::Int64, true),
        Field::new("text", DataType::Utf8View, true),
    ]))
}

pub(super) fn options(fs: &SimulatedFileSystem) -> StoreOptions {
    let log = LogOptions { segment_bytes: 4096, sync_delay: Duration::from_millis(1) };
    let fs: Arc<dyn FileSystem> = Arc::new(fs.clone());
    StoreOptions { fs, log, ..StoreOptions::local(Path::new(DIR)) }
}

/// An open store as a database keeps it.
pub(super) struct Database {
    pub(super) store: Arc<Store>,
    visible: Arc<Mutex<StoreSnapshot>>,
    pending: StoreSnapshot,
    epoch: u64,
    object: Option<Vec<u8>>,
}

fn rows_of(numbers: impl Iterator<Item = i64> + Clone) -> RecordBatch {
    let texts = numbers.clone().map(text_of).collect::<Vec<_>>();
    let columns: Vec<arrow::array::ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(numbers)),
        Arc::new(StringViewArray::from_iter_values(texts)),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

fn text_of(number: i64) -> String {
    format!("the text of row number {number}")
}

/// The rows of the table in a snapshot, all of them read.
pub(super) fn rows_in(store: &StoreSnapshot) -> Result<BTreeMap<u64, (i64, String)>, StorageError> {
    let mut rows = BTreeMap::new();
    let Some(version) = store.table(TABLE) else { return Ok(rows) };
    for chunk in version.chunks() {
        let (numbers, texts) = (chunk.column(0)?, chunk.column(1)?);
        let (numbers, texts) = (numbers.as_primitive::<Int64Type>(), texts.as_string_view());
        for at in (0..chunk.len()).filter(|at| chunk.is_live(*at)) {
            let row = (numbers.value(at), texts.value(at).to_owned());
            assert!(rows.insert(chunk.row_id(at)?.0, row).is_none(), "two rows with one id");
        }
        look_up(version, &rows)?;
    }
    Ok(rows)
}

/// Finds some of the rows by their number.
fn look_up(
    version: &TableVersion,
    rows: &BTreeMap<u64, (i64, String)>,
) -> Result<(), StorageError> {
    for (number, text) in rows.values().take(3) {
        let number: arrow::array::ArrayRef = Arc::new(Int64Array::from(vec![*number]));
        let text: arrow::array::ArrayRef = Arc::new(StringViewArray::from(vec![text.as_str()]));
        let batch = RecordBatch::try_from_iter([("number", number), ("text", text)])?;
        for column in [0, 1] {
            let keys = EncodedKeys::encode(&batch, &[column])?;
            let found = version.find_key(&[column], keys.encoded(0))?;
            assert!(!found.is_empty(), "{batch:?} is not found by column {column}");
        }
    }
    Ok(())
}

impl Database {
    pub(super) fn open(fs: &SimulatedFileSystem) -> Result<(Self, Model), StorageError> {
        let mut opened = Store::open(options(fs))?;
        let found = opened.databases.remove(&DATABASE).unwrap_or_default();
        let object = found.objects.get(&OBJECT).cloned();
        let model = Model { rows: rows_in(&found.store)?, object: object.clone() };
        let mut pending = found.store;
        pending.commit = opened.last;
        let visible = Arc::new(Mutex::new(pending.clone()));
        Ok((Self { store: opened.store, visible, pending, epoch: 0, object }, model))
    }

    /// Does a step, and waits. `after` becomes what the table holds if it is done, whether or not it was.
    pub(super) fn commit(&mut self, after: &mut Model, step: &Do) -> Result<(), StorageError> {
        if matches!(step, Do::Checkpoint) {
            return self.checkpoint();
        }
        let model = after.clone();
        let mut record = CommitRecord::new(DATABASE, 1);
        let mut object = self.object.clone();
        let base = self.pending.clone();
        let version = match base.table(TABLE) {
            Some(version) => version.as_ref().clone(),
            None => {
                let version = TableVersion::empty(TABLE, schema());
                record.whole(&version)?;
                version
            }
        };
        let id_at = |at: usize| model.rows.keys().nth(at % model.rows.len().max(1)).copied();
        let mut writes = TableWrites::default();
        match step {
            Do::Insert(from, count) => {
                let numbers = *from..*from + *count as i64;
                let first = version.take_ids(*count as u64);
                for (id, number) in (first.0..).zip(numbers.clone()) {
                    after.rows.insert(id, (number, text_of(number)));
                }
                Arc::make_mut(&mut writes.steps)
                    .push(RowWrite::Insert { rows: rows_of(numbers), first });
            }
            Do::Update(at, number) => {
                if let Some(id) = id_at(*at) {
                    after.rows.insert(id, (*number, text_of(*number)));
                    let rows = rows_of(*number..*number + 1);
                    Arc::make_mut(&mut writes.steps)
                        .push(RowWrite::Update { rows, ids: [RowId(id)].into() });
                }
            }
            Do::Delete(at) => {
                if let Some(id) = id_at(*at) {
                    after.rows.remove(&id);
                    Arc::make_mut(&mut writes.steps)
                        .push(RowWrite::Delete { ids: [RowId(id)].into() });
                }
            }
            Do::Rename(name) => {
                record.put(OBJECT, name.as_bytes());
                object = Some(name.as_bytes().to_vec());
                after.object.clone_from(&object);
            }
            Do::Rewrite => record.whole(&version)?,
            Do::Checkpoint => {}
        }
        record.rows(TABLE, &version.schema, &writes)?;
        let next = base.with_table(Arc::new(writes.apply(&version)?));
        let (sender, receiver) = mpsc::channel();
        let visible = Arc::clone(&self.visible);
        let pending = &mut self.pending;
        // The log's thread writes every other commit, and this thread the others.
        let scribe =
            if pending.commit.0.is_multiple_of(2) { Scribe::Thread } else { Scribe::Caller };
        let appended = self.store.log().append(self.epoch, scribe, |commit| {
            let mut next = next;
            next.commit = commit;
            *pending = next.clone();
            Entry {
                record,
                sync: true,
                others_first: false,
                publish: Some(Box::new(move || *visible.lock() = next)),
                done: Some(Box::new(move |result| sender.send(result).unwrap())),
            }
        });
        match appended {
            Ok(_) if scribe == Scribe::Caller => self.store.log().write_here(),
            Ok(_) => {}
            Err(AppendError::Refused(error)) => return Err(error),
            Err(AppendError::Stale { epoch }) => {
                self.epoch = epoch;
                self.pending = self.visible.lock().clone();
                *after = model;
                return self.commit(after, step);
            }
        }
        receiver.recv().unwrap()?;
        self.object = object;
        Ok(())
    }

    pub(super) fn checkpoint(&self) -> Result<(), StorageError> {
        self.store.checkpoint(|| -> Result<_, StorageError> {
            let visible = self.visible.lock().clone();
            let object = self.object.iter().map(|object| (OBJECT, object.clone()));
            Ok(vec![CheckpointDatabase {
                oid: DATABASE,
                through: visible.commit,
                objects: object.collect(),
                tables: visible.tables().cloned().collect(),
                keys: [(TABLE, vec![vec![0], vec![1]])].into(),
            }])
        })?;
        Ok(())
    }

    /// What is visible now.
    pub(super) fn visible(&self) -> Model {
        Model { rows: rows_in(&self.visible.lock()).unwrap(), object: self.object.clone() }
    }

    pub(super) fn last(&self) -> CommitNo {
        self.visible.lock().commit
    }
}

/// Workloads that together do everything a store does.
pub(super) fn workloads() -> Vec<Vec<Do>> {
    let mixed = vec![
        Do::Insert(0, 3),
        Do::Update(1, 50),
        Do::Rename("first"),
        Do::Insert(10, 1),
        Do::Delete(0),
        Do::Checkpoint,
        Do::Update(0, 60),
        Do::Rename("second"),
        Do::Insert(20, 2),
        Do::Checkpoint,
        Do::Delete(1),
        Do::Rewrite,
        Do::Insert(30, 1),
    ];
    let many_segments = (0..6)
        .flat_map(|at| [Do::Insert(at * 100, 40), Do::Update(at as usize * 7, at)])
        .chain([Do::Checkpoint, Do::Insert(1000, 40), Do::Checkpoint, Do::Checkpoint])
        .collect();
    vec![mixed, many_segments]
}
