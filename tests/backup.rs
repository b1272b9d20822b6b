//! Backups of a running server, and stores made of them: all of it, up to a commit, up to a moment.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use graphwire::session::{Engine, EngineOptions, LoginPolicy, Session};
use graphwire::storage::backup::{backup, restore};
use graphwire::storage::fs::{FileSystem, LocalFileSystem};
use graphwire::storage::{StorageError, StoreOptions, Until, verify};
use graphwire::types::CommitNo;

struct Dirs {
    _root: tempfile::TempDir,
    data: PathBuf,
    archive: PathBuf,
    backup: PathBuf,
    restored: PathBuf,
}

impl Dirs {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let dir = |name| root.path().join(name);
        let (data, archive) = (dir("data"), dir("archive"));
        Self { data, archive, backup: dir("backup"), restored: dir("restored"), _root: root }
    }

    fn restore(
        &self,
        target: &Path,
        archives: &[PathBuf],
        until: Until,
    ) -> Result<u64, StorageError> {
        let fs: Arc<dyn FileSystem> = Arc::new(LocalFileSystem);
        restore(&fs, &self.backup, archives, target, until).map(|summary| summary.last.0)
    }

    /// Everything that was kept: the archive, and the log of the data directory.
    fn logs(&self) -> Vec<PathBuf> {
        vec![self.archive.clone(), self.data.join("wal")]
    }
}

async fn open(dir: &Path, archive: Option<&Path>) -> Arc<Engine> {
    let archive = archive.map(Path::to_path_buf);
    let options = EngineOptions {
        login: LoginPolicy::TrustLoopback,
        store: Some(StoreOptions { archive, ..StoreOptions::local(dir) }),
        ..EngineOptions::default()
    };
    Engine::open(options).await.unwrap()
}

async fn run(engine: &Arc<Engine>, text: &str) {
    let mut session = Session::local(engine, "graphwire").await.unwrap();
    session.run_text(text).await.unwrap();
}

async fn checkpoint(engine: &Arc<Engine>) {
    let engine = Arc::clone(engine);
    tokio::task::spawn_blocking(move || engine.checkpoint().unwrap()).await.unwrap();
}

async fn close(engine: Arc<Engine>) {
    tokio::task::spawn_blocking(move || engine.close().unwrap()).await.unwrap();
}

/// The names in table `t`, in order of their ids; none where the table is not there yet.
async fn names(dir: &Path) -> Vec<String> {
    let engine = open(dir, None).await;
    let mut session = Session::local(&engine, "graphwire").await.unwrap();
    let query = "SELECT string_agg(name, ',' ORDER BY id) FROM t";
    let found = match session.run_text(query).await {
        Ok(results) => {
            let settings = session.output_settings();
            let last = results.last().unwrap();
            let text = graphwire::session::display::text_table(last, &settings).unwrap();
            let line = text.lines().nth(2).unwrap_or_default().trim().to_owned();
            line.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
        }
        Err(error) => {
            assert_eq!(error.code().0, "42P01", "{error}");
            Vec::new()
        }
    };
    drop(session);
    close(engine).await;
    found
}

fn now_us() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_micros()).unwrap()
}

/// A moment that no commit shares with the ones before or after.
fn moment() -> i64 {
    let before = now_us();
    while now_us() <= before + 1 {}
    let moment = now_us();
    while now_us() <= moment + 1 {}
    moment
}

/// Fills a store with `a` to `h`, checkpoints between them, a backup after `c`. Gives the moment after each.
async fn history(dirs: &Dirs) -> Vec<i64> {
    let engine = open(&dirs.data, Some(&dirs.archive)).await;
    run(&engine, "CREATE TABLE t (id serial PRIMARY KEY, name text)").await;
    let mut moments = vec![moment()];
    for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        run(&engine, &format!("INSERT INTO t (name) VALUES ('{name}')")).await;
        moments.push(moment());
        match name {
            "c" => {
                // While the server runs.
                backup(&LocalFileSystem, &dirs.data, &dirs.backup).unwrap();
            }
            "b" | "d" | "f" => checkpoint(&engine).await,
            _ => {}
        }
    }
    close(engine).await;
    moments
}

const ALL: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_alone_is_a_store_as_it_was() {
    let dirs = Dirs::new();
    history(&dirs).await;
    dirs.restore(&dirs.restored, &[], Until::End).unwrap();
    assert_eq!(names(&dirs.restored).await, ALL[..3]);
    // It can be opened as it is, too, and a restore needs an empty directory.
    assert_eq!(names(&dirs.backup).await, ALL[..3]);
    let error = dirs.restore(&dirs.restored, &[], Until::End).unwrap_err();
    assert!(matches!(error, StorageError::Unexplained { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_and_the_log_since_give_any_moment() {
    let dirs = Dirs::new();
    let moments = history(&dirs).await;
    let target = |at: usize| dirs.restored.join(at.to_string());
    std::fs::create_dir_all(&dirs.restored).unwrap();
    for (count, moment) in moments.iter().enumerate() {
        let target = target(count);
        dirs.restore(&target, &dirs.logs(), Until::Time(*moment)).unwrap();
        // The backup's checkpoint has two rows already.
        assert_eq!(names(&target).await, ALL[..count.max(2)], "moment {count}");
    }
    let target = target(99);
    dirs.restore(&target, &dirs.logs(), Until::End).unwrap();
    assert_eq!(names(&target).await, ALL);
    let options = StoreOptions::local(&target);
    verify::inspect(&options).unwrap();
    // What is written to it later is of another store: the archive does not go on from there.
    let engine = open(&target, None).await;
    run(&engine, "INSERT INTO t (name) VALUES ('i')").await;
    close(engine).await;
    assert_eq!(names(&target).await.len(), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_and_the_log_since_give_any_commit() {
    let dirs = Dirs::new();
    history(&dirs).await;
    std::fs::create_dir_all(&dirs.restored).unwrap();
    let whole = dirs.restored.join("whole");
    let last = dirs.restore(&whole, &dirs.logs(), Until::End).unwrap();
    let mut before = 0;
    for commit in 1..=last {
        let target = dirs.restored.join(commit.to_string());
        let reached = dirs.restore(&target, &dirs.logs(), Until::Commit(CommitNo(commit))).unwrap();
        let found = names(&target).await;
        assert_eq!(found, ALL[..found.len()], "commit {commit}");
        assert!(found.len() >= before && found.len() <= before.max(2) + 1, "commit {commit}");
        assert!(reached <= commit.max(reached.min(last)));
        before = found.len();
    }
    assert_eq!(before, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_in_the_log_is_refused() {
    let dirs = Dirs::new();
    history(&dirs).await;
    let mut archived: Vec<PathBuf> =
        std::fs::read_dir(&dirs.archive).unwrap().map(|entry| entry.unwrap().path()).collect();
    archived.sort();
    assert!(archived.len() >= 3, "{archived:?}");
    std::fs::remove_file(&archived[archived.len() - 1]).unwrap();
    let error = dirs.restore(&dirs.restored, &dirs.logs(), Until::End).unwrap_err();
    let code = graphwire::error::Report::sqlstate(&error).0;
    assert_eq!(code, "XX001", "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_a_backup_is_found() {
    let dirs = Dirs::new();
    history(&dirs).await;
    let chunk = std::fs::read_dir(dirs.backup.join("chunks")).unwrap().next().unwrap().unwrap();
    // The backup may share the file with the store, so it is replaced and not written to.
    let mut bytes = std::fs::read(chunk.path()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::remove_file(chunk.path()).unwrap();
    std::fs::write(chunk.path(), bytes).unwrap();
    let error = verify::inspect(&StoreOptions::local(&dirs.backup)).unwrap_err();
    assert_eq!(graphwire::error::Report::sqlstate(&error).0, "XX001", "{error}");
    verify::inspect(&StoreOptions::local(&dirs.data)).unwrap();
}
