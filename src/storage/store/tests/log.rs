//! The log's own promises.

use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::harness::{DATABASE, Database, Do, Model};
use crate::storage::fs::simulated::SimulatedFileSystem;
use crate::storage::wal::{CommitRecord, Entry, LogOptions, ObjectKey, Scribe};
use crate::storage::{StorageError, Store, StoreOptions};
use crate::types::CommitNo;

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
                        others_first: true,
                        publish: None,
                        done: Some(Box::new(done)),
                    };
                    store.log().append(0, Scribe::Thread, entry).unwrap();
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

/// Who commits writes the log in turns with its thread: each commit is answered, in the order of its number.
#[test]
fn committers_write_the_log_themselves() {
    const CLIENTS: u64 = 4;
    const COMMITS: u64 = 200;
    let dir = tempfile::tempdir().unwrap();
    let log = LogOptions { segment_bytes: 4 << 10, ..LogOptions::default() };
    let options = StoreOptions { log, ..StoreOptions::local(dir.path()) };
    let store = Store::open(options.clone()).unwrap().store;
    let order = Mutex::new(());
    let published = Arc::new(Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (store, order, published) = (&store, &order, &published);
            scope.spawn(move || {
                for at in 0..COMMITS {
                    let (sender, receiver) = mpsc::channel();
                    let done = move |result: Result<(), StorageError>| sender.send(result).unwrap();
                    let scribe = if at % 3 == 0 { Scribe::Thread } else { Scribe::Caller };
                    let seen = Arc::clone(published);
                    let entry = |number: CommitNo| Entry {
                        record: put(client * COMMITS + at),
                        sync: at % 5 != 0,
                        others_first: at % 2 == 0,
                        publish: Some(Box::new(move || seen.lock().push(number))),
                        done: Some(Box::new(done)),
                    };
                    let turn = order.lock();
                    store.log().append(0, scribe, entry).unwrap();
                    drop(turn);
                    if scribe == Scribe::Caller {
                        store.log().write_here();
                    }
                    receiver.recv().unwrap().unwrap();
                }
            });
        }
    });
    let numbers = published.lock().clone();
    assert_eq!(numbers.len() as u64, CLIENTS * COMMITS);
    assert!(numbers.is_sorted(), "{numbers:?}");
    store.close();
    let last = *numbers.last().unwrap();
    drop(store);
    assert_eq!(Store::open(options).unwrap().last, last);
}

/// What nobody waits for is synced soon by the log's thread, if a committer wrote it just when that went to sleep, too.
#[test]
fn what_a_committer_leaves_is_synced_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let log = LogOptions { sync_delay: Duration::from_micros(200), ..LogOptions::default() };
    let store = Store::open(StoreOptions { log, ..StoreOptions::local(dir.path()) }).unwrap().store;
    let syncs = || store.log().stats().syncs.load(Ordering::Relaxed);
    for key in 0..500 {
        let before = syncs();
        let entry = |_| Entry {
            record: put(key),
            sync: false,
            others_first: key % 2 == 0,
            publish: None,
            done: None,
        };
        store.log().append(0, Scribe::Caller, entry).unwrap();
        store.log().write_here();
        let begun = Instant::now();
        while syncs() == before {
            assert!(begun.elapsed() < Duration::from_secs(20), "commit {key} is never synced");
            std::thread::sleep(Duration::from_micros(10 * (key % 20)));
        }
    }
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
