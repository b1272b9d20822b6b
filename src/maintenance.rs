//! `verify`, `backup` and `restore`: what is done with a data directory rather than in it.

use std::sync::Arc;

use graphwire::session::{Engine, EngineOptions, LoginPolicy, Session};
use graphwire::storage::fs::{FileSystem, LocalFileSystem};
use graphwire::storage::{StoreOptions, Until, backup as copies, verify as checks};
use graphwire::types::CommitNo;

use crate::commands::{describe_start, print_line};
use crate::config::{BackupArgs, RestoreArgs, VerifyArgs};

/// Checks a data directory; changes nothing.
pub(crate) async fn verify(args: VerifyArgs) -> Result<(), String> {
    let options = StoreOptions::local(args.data_dir);
    let inspected = tokio::task::spawn_blocking(move || checks::inspect(&options))
        .await
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())?;
    let checks::Inspected { databases, last, rows, files, log_bytes, lock } = inspected;
    let options = EngineOptions { login: LoginPolicy::TrustLoopback, ..EngineOptions::default() };
    let engine = Engine::open_inspected(options, databases, last)
        .await
        .map_err(|error| describe_start(&error))?;
    let (mut tables, mut graphs) = (0, 0);
    for name in engine.database_names() {
        let mut session =
            Session::local(&engine, &name).await.map_err(|error| error.to_string())?;
        let checked = session.verify().await;
        let (of_tables, of_graphs) =
            checked.map_err(|error| format!("database \"{name}\": {error} [{}]", error.code()))?;
        tables += of_tables;
        graphs += of_graphs;
    }
    drop(lock);
    print_line(&format!(
        "no damage found: {rows} rows in {tables} tables, {graphs} property graphs, {files} table files, {log_bytes} bytes of log, last commit {last}"
    ));
    Ok(())
}

/// Copies a data directory.
pub(crate) fn backup(args: &BackupArgs) -> Result<(), String> {
    let summary = copies::backup(&LocalFileSystem, &args.data_dir, &args.to)
        .map_err(|error| error.to_string())?;
    let copies::BackupSummary { last, files } = summary;
    print_line(&format!("backed up: {files} table files, last commit {last}"));
    Ok(())
}

/// Makes a data directory of a backup.
pub(crate) fn restore(args: &RestoreArgs) -> Result<(), String> {
    let until = match (args.until_commit, &args.until_time) {
        (Some(commit), _) => Until::Commit(CommitNo(commit)),
        (None, Some(time)) => chrono::DateTime::parse_from_rfc3339(time)
            .map(|time| Until::Time(time.timestamp_micros()))
            .map_err(|_| format!("\"{time}\" is not a time like 2026-11-21T04:00:00Z"))?,
        (None, None) => Until::End,
    };
    let fs: Arc<dyn FileSystem> = Arc::new(LocalFileSystem);
    let restored = copies::restore(&fs, &args.from, &args.archive, &args.data_dir, until);
    let copies::BackupSummary { last, files } = restored.map_err(|error| error.to_string())?;
    print_line(&format!("restored: {files} table files, last commit {last}"));
    Ok(())
}
