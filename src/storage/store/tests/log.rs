//! The log's own promises.

use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};

use super::harness::{DATABASE, Database, Do, Model};
use crate::storage::fs::simulated::SimulatedFileSystem;
use crate::storage::wal::{CommitRecord, Entry, ObjectKey};
use crate::storage::{StorageError, Store};

fn put(key: u64) -> CommitRecord {
    let mut record = CommitRecord::new(DATABASE, 1);
    record.put(ObjectKey { kind: 4, id: key }, b"object");
    record
}

#[test]
fn commits_that_come_together_share_a_sync() {
    const CLIENTS: u64 = 32;
    const COMMITS: u64 = 50;
    let fs = crate::storage::fs::LocalFileSystem;
    let dir = tempfile::tempdir().unwrap();
    let options = crate::storage::StoreOptions {
        fs: Arc::new(fs),
        ..crate::storage::StoreOptions::local(dir.path())
    };
    let store = Store::open(options).unwrap().store;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let store = Arc::clone(&store);
            std::thread::spawn(move || {
                for at in 0..COMMITS {
                    let (sender, receiver) = mpsc::channel();
                    let done = move |result: Result<(), StorageError>| sender.send(result).unwrap();
                    let entry = |_| Entry {
                        record: put(client * COMMITS + at),
                        sync: true,
                        publish: None,
                        done: Some(Box::new(done)),
                    };
                    store.log().append(0, entry).unwrap();
                    receiver.recv().unwrap().unwrap();
                }
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    let commits = store.log().stats().commits.load(Ordering::Relaxed);
    let syncs = store.log().stats().syncs.load(Ordering::Relaxed);
    assert_eq!(commits, CLIENTS * COMMITS);
    assert!(commits > 4 * syncs, "{commits} commits took {syncs} syncs");
}

#[test]
fn commits_are_numbered_without_gaps_over_restarts_and_segments() {
    let fs = SimulatedFileSystem::new(1);
    let mut model = Model::default();
    let mut commits = 0;
    for _ in 0..5 {
        let (mut database, found) = Database::open(&fs).unwrap();
        assert_eq!(found, model);
        for at in 0..20 {
            database.commit(&mut model, &Do::Insert(at, 10)).unwrap();
            commits += 1;
        }
        assert_eq!(database.last().0, commits);
    }
}

#[test]
fn a_second_process_is_kept_out() {
    let fs = SimulatedFileSystem::new(1);
    let (first, _) = Database::open(&fs).unwrap();
    assert!(matches!(Database::open(&fs).err(), Some(StorageError::InUse { .. })));
    drop(first);
    Database::open(&fs).unwrap();
}
