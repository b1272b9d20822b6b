//! `verify`, `backup` and `restore`: what is done with a data directory rather than in it.
//!
//! A data directory holds a store for each tenant; each of these does its work for one of them, or for all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use graphwire::session::{
    Engine, EngineOptions, LoginPolicy, Session, registry_files, tenant_store, tenant_store_or_new,
    tenant_stores,
};
use graphwire::storage::fs::{FileSystem, LocalFileSystem};
use graphwire::storage::{StoreOptions, Until, backup as copies, verify as checks};
use graphwire::types::CommitNo;

use crate::commands::{describe_start, print_line};
use crate::config::{BackupArgs, RestoreArgs, VerifyArgs};

fn local() -> Arc<dyn FileSystem> {
    Arc::new(LocalFileSystem)
}

/// Checks a data directory; changes nothing.
pub(crate) async fn verify(args: VerifyArgs) -> Result<(), String> {
    if let Some(tenant) = &args.tenant {
        let dir = tenant_store(&local(), &args.data_dir, tenant).map_err(|e| e.to_string())?;
        return verify_store(dir, Some(tenant)).await;
    }
    verify_store(args.data_dir.clone(), None).await?;
    for (tenant, dir) in tenant_stores(&local(), &args.data_dir).map_err(|e| e.to_string())? {
        verify_store(dir, Some(&tenant)).await?;
    }
    Ok(())
}

async fn verify_store(dir: PathBuf, tenant: Option<&str>) -> Result<(), String> {
    let options = StoreOptions::local(dir);
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
    let whose = tenant.map_or_else(String::new, |tenant| format!("tenant \"{tenant}\": "));
    print_line(&format!(
        "{whose}no damage found: {rows} rows in {tables} tables, {graphs} property graphs, {files} table files, {log_bytes} bytes of log, last commit {last}"
    ));
    Ok(())
}

/// Copies a data directory, or the store of one tenant in it.
pub(crate) fn backup(args: &BackupArgs) -> Result<(), String> {
    let (data, to) = (args.data_dir.as_path(), args.to.as_path());
    if let Some(tenant) = &args.tenant {
        let dir = tenant_store(&local(), data, tenant).map_err(|error| error.to_string())?;
        return backup_store(&dir, to, Some(tenant));
    }
    backup_store(data, to, None)?;
    let tenants = tenant_stores(&local(), data).map_err(|error| error.to_string())?;
    for (tenant, dir) in &tenants {
        backup_store(dir, &same_place(dir, data, to)?, Some(tenant))?;
    }
    copy_registry(data, to)
}

fn backup_store(dir: &Path, to: &Path, tenant: Option<&str>) -> Result<(), String> {
    let summary = copies::backup(&LocalFileSystem, dir, to).map_err(|error| error.to_string())?;
    let copies::BackupSummary { last, files } = summary;
    let whose = tenant.map_or_else(String::new, |tenant| format!("tenant \"{tenant}\": "));
    print_line(&format!("{whose}backed up: {files} table files, last commit {last}"));
    Ok(())
}

/// The place in one directory that a path has in another.
fn same_place(path: &Path, from: &Path, to: &Path) -> Result<PathBuf, String> {
    let inside = path.strip_prefix(from).map_err(|error| error.to_string())?;
    Ok(to.join(inside))
}

/// Copies the list of tenants. It comes last: without it, the copy has none.
fn copy_registry(from: &Path, to: &Path) -> Result<(), String> {
    let fs = LocalFileSystem;
    for file in registry_files(from) {
        if !fs.exists(&file) {
            continue;
        }
        let target = same_place(&file, from, to)?;
        let content = fs.read(&file).map_err(|error| error.to_string())?;
        if let Some(folder) = target.parent() {
            fs.create_dir_all(folder).map_err(|error| error.to_string())?;
        }
        fs.write_atomic(&target, &content).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Makes a data directory of a backup, or puts one tenant into a data directory.
pub(crate) fn restore(args: &RestoreArgs) -> Result<(), String> {
    let until = match (args.until_commit, &args.until_time) {
        (Some(commit), _) => Until::Commit(CommitNo(commit)),
        (None, Some(time)) => chrono::DateTime::parse_from_rfc3339(time)
            .map(|time| Until::Time(time.timestamp_micros()))
            .map_err(|_| format!("\"{time}\" is not a time like 2026-11-21T04:00:00Z"))?,
        (None, None) => Until::End,
    };
    let (from, data) = (args.from.as_path(), args.data_dir.as_path());
    if let Some(tenant) = &args.tenant {
        return restore_tenant(args, tenant, until);
    }
    restore_store(from, &args.archive, data, until, None)?;
    let tenants = tenant_stores(&local(), from).map_err(|error| error.to_string())?;
    for (tenant, dir) in &tenants {
        let target = same_place(dir, from, data)?;
        let archives: Vec<PathBuf> = args
            .archive
            .iter()
            .filter_map(|archive| same_place(dir, from, archive).ok())
            .filter(|archive| archive.is_dir())
            .collect();
        restore_store(dir, &archives, &target, until, Some(tenant))?;
    }
    copy_registry(from, data)
}

fn restore_store(
    from: &Path,
    archives: &[PathBuf],
    target: &Path,
    until: Until,
    tenant: Option<&str>,
) -> Result<(), String> {
    let restored = copies::restore(&local(), from, archives, target, until);
    let copies::BackupSummary { last, files } = restored.map_err(|error| error.to_string())?;
    let whose = tenant.map_or_else(String::new, |tenant| format!("tenant \"{tenant}\": "));
    print_line(&format!("{whose}restored: {files} table files, last commit {last}"));
    Ok(())
}

/// Puts a backup in a tenant's place.
fn restore_tenant(args: &RestoreArgs, tenant: &str, until: Until) -> Result<(), String> {
    let fs = local();
    let data = args.data_dir.as_path();
    if !data.is_dir() {
        return Err(format!("there is no data directory \"{}\"", data.display()));
    }
    let lock = fs.lock(&data.join("graphwire.lock")).map_err(|error| error.to_string())?;
    let Some(_lock) = lock else {
        return Err(format!("data directory \"{}\" is in use by another process", data.display()));
    };
    let target = tenant_store_or_new(&fs, data, tenant).map_err(|error| error.to_string())?;
    let fresh = target.with_extension("restored");
    restore_store(&args.from, &args.archive, &fresh, until, Some(tenant))?;
    if fs.exists(&target) {
        let before = target.with_extension(format!("before-{}", chrono::Utc::now().timestamp()));
        fs.rename(&target, &before).map_err(|error| error.to_string())?;
        print_line(&format!("what it was is in \"{}\"", before.display()));
    }
    fs.rename(&fresh, &target).map_err(|error| error.to_string())
}
