//! Single bytes of every file, changed: each change is found, or was of a byte that holds nothing.

use super::harness::{DIR, Database, Do, Model};
use crate::error::Report as _;
use crate::storage::fs::simulated::{Fault, SimulatedFileSystem};

/// A disk with a checkpoint of several files, and a log after it; and what is on it.
fn disk() -> (SimulatedFileSystem, Model) {
    let fs = SimulatedFileSystem::new(5);
    let (mut database, mut model) = Database::open(&fs).unwrap();
    let steps = [
        Do::Insert(0, 30),
        Do::Rename("one"),
        Do::Checkpoint,
        Do::Insert(100, 20),
        Do::Update(3, 7),
        Do::Checkpoint,
        Do::Delete(2),
        Do::Insert(200, 60),
        Do::Rename("two"),
        Do::Update(5, 8),
    ];
    for step in &steps {
        database.commit(&mut model, step).unwrap();
    }
    // As a kill leaves it: without a clean end, but with what the kernel has.
    let killed = fs.copy();
    drop(database);
    (killed, model)
}

#[test]
fn no_changed_byte_is_read_as_data() {
    let (fs, model) = disk();
    let files = fs.all_files();
    let sizes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    let mut random = 12_345u64;
    let mut pick = |bound: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) as usize % bound
    };
    let (mut found, mut harmless) = (0, 0);
    for _ in 0..10_000 {
        let mut at = pick(sizes);
        let bit = pick(8);
        let mut files_before = files.iter();
        let (path, bytes) = loop {
            let (path, bytes) = files_before.next().unwrap();
            if at < bytes.len() {
                break (path, bytes);
            }
            at -= bytes.len();
        };
        let copy = fs.copy();
        let mut bytes = bytes.clone();
        bytes[at] ^= 1 << bit;
        copy.put(path, bytes);
        match Database::open(&copy) {
            Err(error) => {
                let code = error.sqlstate().0;
                assert_eq!(code, "XX001", "{error}");
                found += 1;
            }
            Ok((_, read)) => {
                assert_eq!(read, model, "byte {at} of {path:?} was read as data");
                harmless += 1;
            }
        }
    }
    // Only unused room of the last segment, and the note after the last commit, hold nothing.
    println!("{found} found, {harmless} of bytes that hold nothing");
    assert!(found > harmless, "{found} found, {harmless} harmless");
}

#[test]
fn missing_files_are_missed() {
    let (fs, _) = disk();
    for (path, _) in fs.all_files() {
        let copy = SimulatedFileSystem::new(1);
        for (other, bytes) in fs.all_files() {
            if other != path {
                copy.put(&other, bytes);
            }
        }
        use crate::storage::fs::FileSystem as _;
        for dir in ["", "/wal", "/chunks"] {
            copy.create_dir_all(std::path::Path::new(&format!("{DIR}{dir}"))).unwrap();
        }
        if path.ends_with("graphwire.lock") {
            Database::open(&copy).unwrap();
            continue;
        }
        let error = Database::open(&copy).err().unwrap_or_else(|| panic!("{path:?} is not missed"));
        assert_eq!(error.sqlstate().0, "XX001", "{path:?}: {error}");
    }
}

/// A disk on which a checkpoint counts, but nothing of the one before it was removed; and what is on it.
fn disk_between_checkpoints() -> (SimulatedFileSystem, Model) {
    for at in 0.. {
        let fs = SimulatedFileSystem::new(5);
        let (mut database, mut model) = Database::open(&fs).unwrap();
        let steps = [Do::Insert(0, 30), Do::Checkpoint, Do::Insert(100, 40), Do::Update(3, 7)];
        for step in &steps {
            database.commit(&mut model, step).unwrap();
        }
        fs.set_fault(Fault::Fail(at));
        let done = database.commit(&mut model, &Do::Checkpoint);
        fs.set_fault(Fault::None);
        let manifests = fs.all_files().into_iter().filter(|(path, _)| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("manifest-"))
        });
        if done.is_ok() && manifests.count() == 2 {
            database.commit(&mut model, &Do::Delete(2)).unwrap();
            let killed = fs.copy();
            drop(database);
            return (killed, model);
        }
    }
    unreachable!("the loop has no end")
}

#[test]
fn every_combination_of_files_is_the_store_or_refused() {
    use crate::storage::fs::FileSystem as _;
    let (fs, model) = disk_between_checkpoints();
    let files: Vec<_> =
        fs.all_files().into_iter().filter(|(path, _)| !path.ends_with("graphwire.lock")).collect();
    assert!((6..=12).contains(&files.len()), "{:?}", files.iter().map(|(p, _)| p));
    let (mut opened, mut refused) = (0, 0);
    for chosen in 0u32..1 << files.len() {
        let copy = SimulatedFileSystem::new(1);
        for dir in ["", "/wal", "/chunks"] {
            copy.create_dir_all(std::path::Path::new(&format!("{DIR}{dir}"))).unwrap();
        }
        let there = files.iter().enumerate().filter(|(at, _)| chosen & 1 << at != 0);
        for (_, (path, bytes)) in there {
            copy.put(path, bytes.clone());
        }
        match Database::open(&copy) {
            Ok((_, found)) if chosen == 0 => assert_eq!(found, Model::default()),
            Ok((_, found)) => {
                assert_eq!(found, model, "{chosen:b} of {:?}", files.iter().map(|(p, _)| p));
                opened += 1;
            }
            Err(error) => {
                assert_eq!(error.sqlstate().0, "XX001", "{error}");
                refused += 1;
            }
        }
    }
    println!("{opened} of {} combinations are the store, {refused} refused", 1 << files.len());
    assert!(opened >= 4 && refused > opened, "{opened} {refused}");
}

#[test]
fn files_that_do_not_belong_are_refused() {
    for name in ["wal/notes.txt", "chunks/x.parquet", "manifest-2", "wal/00000000000000000099.wal"]
    {
        let (fs, _) = disk();
        fs.put(&std::path::Path::new(DIR).join(name), b"?".to_vec());
        assert!(Database::open(&fs).is_err(), "{name}");
    }
}

#[test]
fn what_a_crash_leaves_behind_is_removed() {
    let (fs, model) = disk();
    let left =
        ["wal/00000000000000000099.new", "manifest-00000000000000000009.new", "chunks/99.parquet"];
    for name in left {
        fs.put(&std::path::Path::new(DIR).join(name), b"?".to_vec());
    }
    let (_, read) = Database::open(&fs).unwrap();
    assert_eq!(read, model);
    let names: Vec<_> = fs.all_files().into_iter().map(|(path, _)| path).collect();
    for name in left {
        assert!(!names.iter().any(|path| path.ends_with(name)), "{name} is still there");
    }
}
