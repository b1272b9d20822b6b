//! Single bytes of every file, changed: each change is found.

use super::harness::{DIR, Database, Do, Model, options};
use crate::error::Report as _;
use crate::storage::fs::simulated::{Fault, SimulatedFileSystem};
use crate::storage::verify;

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
    // What was committed last is known to be durable only once the log has a note of it.
    let is_noted = |fs: &SimulatedFileSystem| {
        let files = fs.all_files();
        let segments =
            files.iter().filter(|(path, _)| path.extension().is_some_and(|it| it == "wal"));
        let last = segments.max_by_key(|(path, _)| path.clone());
        last.and_then(|(_, bytes)| last_frame(bytes)).is_some_and(|(_, kind)| kind == 3)
    };
    while !is_noted(&fs) {
        std::thread::yield_now();
    }
    // As a kill leaves it: without a clean end, but with what the kernel has.
    let killed = fs.copy();
    drop(database);
    (killed, model)
}

/// The last frame of a segment, if it is one without a payload: where it is, and its kind. 3 is a note that says what is
/// durable, 4 the segment's end.
fn last_frame(bytes: &[u8]) -> Option<(usize, u8)> {
    let end = bytes.iter().rposition(|byte| *byte != 0)?;
    let is_frame =
        |at: &usize| bytes.get(at + 4..at + 6).is_some_and(|magic| magic == [0x47, 0x57]);
    let at = (0..end + 1).step_by(8).rfind(is_frame)?;
    (at + FRAME > end).then(|| (at, bytes[at + 6]))
}

const FRAME: usize = 32;

/// How many of a file's bytes hold something. Behind the last frame of a segment is room for others; what is durable does
/// not depend on the note before it.
fn used(path: &std::path::Path, bytes: &[u8]) -> usize {
    if path.extension().is_none_or(|extension| extension != "wal") {
        return bytes.len();
    }
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    match last_frame(bytes) {
        Some((at, 3)) => at,
        Some((at, _)) => at + FRAME,
        None => end.next_multiple_of(8),
    }
}

/// A start finds it, or gives what was there before and `graphwire verify` finds it: an index page that nobody asked for.
#[test]
fn no_changed_byte_is_read_as_data() {
    let (fs, model) = disk();
    let files = fs.all_files();
    let files: Vec<_> = files
        .into_iter()
        .map(|(path, bytes)| (used(&path, &bytes), path, bytes))
        .filter(|(used, ..)| *used > 0)
        .collect();
    let sizes: usize = files.iter().map(|(used, ..)| used).sum();
    let mut random = 12_345u64;
    let mut pick = |bound: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) as usize % bound
    };
    let mut by_verify = 0;
    for _ in 0..10_000 {
        let (mut at, bit) = (pick(sizes), pick(8));
        let mut files_before = files.iter();
        let (path, bytes) = loop {
            let (used, path, bytes) = files_before.next().unwrap();
            if at < *used {
                break (path, bytes);
            }
            at -= used;
        };
        let changed = || {
            let (copy, mut bytes) = (fs.copy(), bytes.clone());
            bytes[at] ^= 1 << bit;
            copy.put(path, bytes);
            copy
        };
        let found = match Database::open(&changed()) {
            Err(error) => Err(error),
            Ok((_, read)) => {
                assert_eq!(read, model, "byte {at} of {path:?} was read as data");
                by_verify += 1;
                verify::inspect(&options(&changed())).map(|_| ())
            }
        };
        let error = found.err().unwrap_or_else(|| panic!("byte {at} of {path:?} is not missed"));
        assert_eq!(error.sqlstate().0, "XX001", "{error}");
    }
    println!("10000 found, {by_verify} of them by verify alone");
    assert!(by_verify < 1000, "{by_verify}");
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
