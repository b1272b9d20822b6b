//! The tenants and quotas of a server, as they are stored: one small file that is replaced as a whole.
//!
//! ```text
//! DATA/                  the system tenant's own store, as it would be without tenants
//! DATA/tenants/registry  this list
//! DATA/tenants/usage     what is used of quotas, at most a second old
//! DATA/tenants/7/        the store of tenant 7, and of nobody else
//! DATA/tenants/7/tmp/    temporary files of its statements
//! ```
//!
//! A tenant is there once the registry names it, and gone once it does not. What a crash leaves behind is a folder whose
//! number the registry does not name; its number was taken before the folder was made, so it is never used again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::access::quota::{QuotaDef, SavedUsage};
use crate::error::{PgError, SqlState};
use crate::storage::document::{read_document, write_document};
use crate::storage::fs::FileSystem;
use crate::types::{Oid, TenantId};

const TENANTS_DIR: &str = "tenants";

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::session) struct TenantRecord {
    pub(in crate::session) id: TenantId,
    pub(in crate::session) name: String,
    /// A role of the system tenant.
    pub(in crate::session) owner: Oid,
    /// Microseconds since 1970.
    pub(in crate::session) created_us: i64,
    pub(in crate::session) suspended: bool,
    pub(in crate::session) options: BTreeMap<String, String>,
}

/// Everything that is stored of tenants and quotas.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::session) struct Registry {
    /// Numbers below were given.
    pub(in crate::session) next_id: u32,
    pub(in crate::session) tenants: Vec<TenantRecord>,
    pub(in crate::session) quotas: Vec<QuotaDef>,
}

/// Where they are stored.
#[derive(Debug, Clone)]
pub(in crate::session) struct TenantFiles {
    pub(in crate::session) fs: Arc<dyn FileSystem>,
    data: PathBuf,
}

/// The registry, and its file if there is one.
#[derive(Debug)]
pub(in crate::session) struct StoredRegistry {
    files: Option<TenantFiles>,
    registry: Mutex<Registry>,
}

fn damaged(path: &Path, error: &dyn std::fmt::Display) -> PgError {
    PgError::new(
        SqlState::DATA_CORRUPTED,
        format!("data in file \"{}\" is corrupted: {error}", path.display()),
    )
}

impl TenantFiles {
    pub(in crate::session) fn new(fs: Arc<dyn FileSystem>, data: PathBuf) -> Self {
        Self { fs, data }
    }

    fn folder(&self) -> PathBuf {
        self.data.join(TENANTS_DIR)
    }

    fn registry(&self) -> PathBuf {
        self.folder().join("registry")
    }

    fn usage(&self) -> PathBuf {
        self.folder().join("usage")
    }

    /// Where a tenant's store is.
    pub(in crate::session) fn store(&self, tenant: TenantId) -> PathBuf {
        self.folder().join(tenant.to_string())
    }

    fn read<T: serde::de::DeserializeOwned>(&self, path: &Path) -> Result<Option<T>, PgError> {
        let Some(content) = read_document(self.fs.as_ref(), path)? else { return Ok(None) };
        serde_json::from_slice(&content).map(Some).map_err(|error| damaged(path, &error))
    }

    fn write(&self, path: &Path, content: &impl Serialize) -> Result<(), PgError> {
        let content = serde_json::to_vec(content)
            .map_err(|error| PgError::internal(format!("could not store tenants: {error}")))?;
        self.fs.create_dir_all(&self.folder())?;
        Ok(write_document(self.fs.as_ref(), path, &content)?)
    }

    /// What was used of quotas when it was last stored.
    pub(in crate::session) fn read_usage(&self) -> Result<Vec<SavedUsage>, PgError> {
        Ok(self.read(&self.usage())?.unwrap_or_default())
    }

    /// Stores what is used of quotas.
    pub(in crate::session) fn write_usage(&self, usage: &[SavedUsage]) -> Result<(), PgError> {
        self.write(&self.usage(), &usage)
    }

    /// Removes a tenant's folder, with all that is in it.
    pub(in crate::session) fn remove_store(&self, tenant: TenantId) -> Result<(), PgError> {
        let folder = self.store(tenant);
        if self.fs.exists(&folder) {
            self.fs.remove_dir_all(&folder)?;
        }
        Ok(())
    }

    /// Removes the folders that a crash left behind, and temporary files.
    fn tidy(&self, registry: &Registry) -> Result<(), PgError> {
        let folder = self.folder();
        if !self.fs.exists(&folder) {
            return Ok(());
        }
        for name in self.fs.list(&folder)? {
            let Ok(id) = name.parse::<u32>() else { continue };
            if registry.tenants.iter().any(|tenant| tenant.id.0 == id) {
                continue;
            }
            if id >= registry.next_id {
                let reason = format!("the registry knows nothing of tenant {id}");
                return Err(damaged(&folder, &reason));
            }
            tracing::warn!(tenant = id, "removing what is left of a tenant that is gone");
            self.remove_store(TenantId(id))?;
        }
        Ok(())
    }
}

impl StoredRegistry {
    /// Reads the registry; an empty one if there is none.
    ///
    /// # Errors
    /// `XX001` if it is damaged, or if there are folders of tenants it does not know.
    pub(in crate::session) fn open(files: Option<TenantFiles>) -> Result<Self, PgError> {
        let mut registry = Registry::default();
        if let Some(files) = &files {
            if let Some(stored) = files.read(&files.registry())? {
                registry = stored;
            }
            files.tidy(&registry)?;
        }
        registry.next_id = registry.next_id.max(1);
        Ok(Self { files, registry: Mutex::new(registry) })
    }

    /// Where it is stored.
    pub(in crate::session) fn files(&self) -> Option<&TenantFiles> {
        self.files.as_ref()
    }

    /// As it is now.
    pub(in crate::session) fn get(&self) -> Registry {
        self.registry.lock().clone()
    }

    /// Changes it. What cannot be stored did not happen.
    ///
    /// # Errors
    /// `53100`, `58030` if it cannot be written.
    pub(in crate::session) fn change<T>(
        &self,
        change: impl FnOnce(&mut Registry) -> T,
    ) -> Result<T, PgError> {
        let mut registry = self.registry.lock();
        let mut changed = registry.clone();
        let result = change(&mut changed);
        if let Some(files) = &self.files {
            files.write(&files.registry(), &changed)?;
        }
        *registry = changed;
        Ok(result)
    }
}

/// The number of a tenant in a data directory, for what is done with its store while no server runs.
///
/// # Errors
/// `42704` if there is none of this name, `XX001` if the registry is damaged.
pub fn tenant_store(fs: &Arc<dyn FileSystem>, data: &Path, name: &str) -> Result<PathBuf, PgError> {
    let files = TenantFiles::new(Arc::clone(fs), data.to_owned());
    let registry: Registry = files.read(&files.registry())?.unwrap_or_default();
    let found = registry.tenants.iter().find(|tenant| tenant.name == name);
    found.map(|tenant| files.store(tenant.id)).ok_or_else(|| {
        PgError::new(SqlState::UNDEFINED_OBJECT, format!("tenant \"{name}\" does not exist"))
    })
}

/// The names and stores of all tenants in a data directory.
///
/// # Errors
/// `XX001` if the registry is damaged.
pub fn tenant_stores(
    fs: &Arc<dyn FileSystem>,
    data: &Path,
) -> Result<Vec<(String, PathBuf)>, PgError> {
    let files = TenantFiles::new(Arc::clone(fs), data.to_owned());
    let registry: Registry = files.read(&files.registry())?.unwrap_or_default();
    let stores = registry.tenants.iter();
    Ok(stores.map(|tenant| (tenant.name.clone(), files.store(tenant.id))).collect())
}

/// Where a tenant's store goes while no server runs: that of the tenant of this name, or of a new one.
///
/// # Errors
/// `42602` for a name that no tenant may have, `XX001` if the registry is damaged, `58030` if it cannot be written.
pub fn tenant_store_or_new(
    fs: &Arc<dyn FileSystem>,
    data: &Path,
    name: &str,
) -> Result<PathBuf, PgError> {
    let files = TenantFiles::new(Arc::clone(fs), data.to_owned());
    let registry = StoredRegistry::open(Some(files.clone()))?;
    let known = registry.get().tenants.into_iter().find(|tenant| tenant.name == name);
    if let Some(known) = known {
        return Ok(files.store(known.id));
    }
    super::tenants::check_name(name)?;
    let id = registry.change(|registry| {
        let id = TenantId(registry.next_id);
        registry.next_id += 1;
        registry.tenants.push(TenantRecord {
            id,
            name: name.to_owned(),
            owner: crate::session::engine::SYSTEM_ROLE,
            created_us: crate::session::engine::now_us(),
            suspended: false,
            options: BTreeMap::new(),
        });
        id
    })?;
    Ok(files.store(id))
}

/// The files that say which tenants there are, to be copied with a data directory.
pub fn registry_files(data: &Path) -> [PathBuf; 2] {
    let folder = data.join(TENANTS_DIR);
    [folder.join("registry"), folder.join("usage")]
}
