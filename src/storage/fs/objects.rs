//! A directory of a [`FileSystem`] as an object store, so that checkpoints can go to any other one too, and a test can
//! still fail any of their operations.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::DateTime;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};

use super::FileSystem;
use crate::storage::error::StorageError;

const NAME: &str = "directory";

/// Objects that are files below a directory. An object is durable, with its name, when it was put.
#[derive(Debug)]
pub struct FsObjects {
    fs: Arc<dyn FileSystem>,
    root: PathBuf,
}

impl fmt::Display for FsObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FsObjects({})", self.root.display())
    }
}

fn failed(error: StorageError) -> Error {
    match &error {
        StorageError::Io { path, source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            Error::NotFound { path: path.clone(), source: Box::new(error) }
        }
        _ => Error::Generic { store: NAME, source: Box::new(error) },
    }
}

/// The error that an object store gave, as it was if it is one of ours.
pub(crate) fn storage_error(error: Error, path: &std::path::Path) -> StorageError {
    let source = match error {
        Error::Generic { source, .. } | Error::NotFound { source, .. } => source,
        other => Box::new(other),
    };
    match source.downcast::<StorageError>() {
        Ok(own) => *own,
        Err(other) => StorageError::Io {
            operation: "access",
            path: path.display().to_string(),
            source: std::io::Error::other(other),
        },
    }
}

impl FsObjects {
    /// The files below `root`.
    pub fn new(fs: Arc<dyn FileSystem>, root: PathBuf) -> Self {
        Self { fs, root }
    }

    fn path(&self, location: &Path) -> PathBuf {
        location.parts().fold(self.root.clone(), |path, part| path.join(part.as_ref()))
    }

    fn meta(&self, location: &Path, size: u64) -> ObjectMeta {
        ObjectMeta {
            location: location.clone(),
            // Nothing asks for it, and a file's time says when it was copied.
            last_modified: DateTime::UNIX_EPOCH,
            size,
            e_tag: None,
            version: None,
        }
    }

    fn read(&self, location: &Path, options: &GetOptions) -> Result<GetResult> {
        let path = self.path(location);
        let file = self.fs.open_read(&path).map_err(failed)?;
        let size = file.len().map_err(failed)?;
        let range = match &options.range {
            None => 0..size,
            Some(GetRange::Bounded(range)) => range.start..range.end.min(size),
            Some(GetRange::Offset(start)) => *start..size,
            Some(GetRange::Suffix(count)) => size.saturating_sub(*count)..size,
        };
        let short = || failed(StorageError::corrupt(&path, "it is too short"));
        let length = range.end.checked_sub(range.start).ok_or_else(short)?;
        let bytes = match options.head {
            true => Vec::new(),
            false => file.read_at(range.start, length as usize).map_err(failed)?,
        };
        let content = stream::once(async move { Ok(bytes.into()) });
        Ok(GetResult {
            payload: GetResultPayload::Stream(content.boxed()),
            meta: self.meta(location, size),
            range: Range { start: range.start, end: range.end },
            attributes: Attributes::new(),
        })
    }

    fn names(&self, prefix: Option<&Path>) -> Result<Vec<ObjectMeta>> {
        let folder = prefix.cloned().unwrap_or_default();
        let names = self.fs.list(&self.path(&folder)).map_err(failed)?;
        names
            .into_iter()
            .map(|name| {
                let location = folder.clone().join(name);
                let size = self.fs.open_read(&self.path(&location)).and_then(|file| file.len());
                Ok(self.meta(&location, size.map_err(failed)?))
            })
            .collect()
    }
}

fn no_such_operation<T>(operation: &str) -> Result<T> {
    Err(Error::NotImplemented { operation: operation.to_owned(), implementer: NAME.to_owned() })
}

#[async_trait]
impl ObjectStore for FsObjects {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        _options: PutOptions,
    ) -> Result<PutResult> {
        let content = match payload.as_ref() {
            [only] => only.clone(),
            many => many.concat().into(),
        };
        self.fs.write_atomic(&self.path(location), &content).map_err(failed)?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(
        &self,
        _location: &Path,
        _options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        no_such_operation("put_multipart_opts")
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.read(location, &options)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (fs, root) = (Arc::clone(&self.fs), self.root.clone());
        let removed = locations.map(move |location| {
            let location = location?;
            let objects = Self { fs: Arc::clone(&fs), root: root.clone() };
            objects.fs.remove(&objects.path(&location)).map_err(failed)?;
            Ok(location)
        });
        removed.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.names(prefix) {
            Ok(names) => stream::iter(names.into_iter().map(Ok)).boxed(),
            Err(error) => stream::once(async move { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let objects = self.list(prefix).try_collect().await?;
        Ok(ListResult { common_prefixes: Vec::new(), objects })
    }

    async fn copy_opts(&self, from: &Path, to: &Path, _options: CopyOptions) -> Result<()> {
        self.fs.link_or_copy(&self.path(from), &self.path(to)).map_err(failed)
    }
}
