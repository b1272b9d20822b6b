//! Rows of a chunk by the value of some columns: an index in memory, or the pages of a stored one.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use super::content::Content;
use super::key_index::{EncodedKeys, KeyIndex, KeyRange};
use super::key_pages::{self, PAGE_BYTES, key_hash};
use crate::storage::cache::Slots;
use crate::storage::checkpoint::{PagedFile, StoredHashes, StoredKey};
use crate::storage::error::StorageError;

/// What is known of a chunk's rows by one key.
#[derive(Debug)]
pub(super) struct KeyEntry {
    columns: Box<[usize]>,
    with_nulls: bool,
    /// The least and the greatest key; `None` without any.
    range: OnceLock<Option<KeyRange>>,
    pub(super) index: Arc<Slots<Arc<KeyIndex>>>,
    stored: Option<StoredHashes>,
    /// All pages of the stored index.
    pages: Arc<Slots<Arc<[u8]>>>,
}

/// How the rows of a chunk are found that have a key.
pub(super) enum KeyLookup {
    Index(Arc<KeyIndex>),
    Pages(Arc<Content>, Arc<KeyEntry>, StoredHashes),
}

impl KeyEntry {
    /// As a manifest has it.
    pub(super) fn of_stored(key: &StoredKey) -> Self {
        Self {
            columns: key.columns.clone().into(),
            with_nulls: false,
            range: OnceLock::from(key.range.clone()),
            index: Slots::empty(1),
            stored: key.hashes,
            pages: Slots::empty(1),
        }
    }

    fn new(columns: &[usize], with_nulls: bool, same: Option<&Self>) -> Self {
        let range = same.and_then(|same| same.range.get().cloned());
        Self {
            columns: columns.into(),
            with_nulls,
            range: range.map_or_else(OnceLock::new, OnceLock::from),
            index: Slots::empty(1),
            stored: same.and_then(|same| same.stored),
            pages: same.map_or_else(|| Slots::empty(1), |same| Arc::clone(&same.pages)),
        }
    }

    /// As a manifest keeps it; `None` if the index was not stored with the rows.
    pub(super) fn to_stored(&self) -> Option<StoredKey> {
        let range = self.range.get()?.clone();
        (!self.with_nulls).then(|| StoredKey {
            columns: self.columns.to_vec(),
            range,
            hashes: self.stored,
        })
    }
}

impl Content {
    /// Takes note of indexes that were stored with the rows; what is in memory of them stays.
    pub(super) fn learn(&self, stored: &[StoredKey]) {
        let mut keys = self.keys.write();
        for key in stored {
            let known = keys
                .iter()
                .position(|entry| entry.columns.as_ref() == key.columns && !entry.with_nulls);
            let mut entry = KeyEntry::of_stored(key);
            match known {
                Some(at) => {
                    entry.index = Arc::clone(&keys[at].index);
                    keys[at] = Arc::new(entry);
                }
                None => keys.push(Arc::new(entry)),
            }
        }
    }

    fn entry(&self, columns: &[usize], with_nulls: bool) -> Arc<KeyEntry> {
        let find = |keys: &[Arc<KeyEntry>], with_nulls| {
            let same = |entry: &&Arc<KeyEntry>| {
                entry.columns.as_ref() == columns && entry.with_nulls == with_nulls
            };
            keys.iter().find(same).cloned()
        };
        if let Some(entry) = find(&self.keys.read(), with_nulls) {
            return entry;
        }
        let mut keys = self.keys.write();
        if let Some(entry) = find(&keys, with_nulls) {
            return entry;
        }
        let same = find(&keys, !with_nulls);
        let entry = Arc::new(KeyEntry::new(columns, with_nulls, same.as_deref()));
        keys.push(Arc::clone(&entry));
        entry
    }

    /// How to find rows whose key is between two; `None` if there are none.
    pub(super) fn key_lookup(
        self: &Arc<Self>,
        columns: &[usize],
        with_nulls: bool,
        (least, greatest): (&[u8], &[u8]),
    ) -> Result<Option<KeyLookup>, ArrowError> {
        let entry = self.entry(columns, with_nulls);
        let meets = |range: &Option<KeyRange>| {
            range
                .as_ref()
                .is_some_and(|(from, to)| from.as_ref() <= greatest && least <= to.as_ref())
        };
        if entry.range.get().is_some_and(|range| !meets(range)) {
            return Ok(None);
        }
        if let Some(index) = entry.index.get(0) {
            return Ok(Some(KeyLookup::Index(index)));
        }
        if let Some(hashes) = entry.stored {
            return Ok(Some(KeyLookup::Pages(Arc::clone(self), entry, hashes)));
        }
        let index = self.worked_out(&entry.index, || {
            let places: Vec<usize> = (0..columns.len()).collect();
            KeyIndex::build(&self.project(columns)?, &places, with_nulls).map(Arc::new)
        })?;
        let range = entry.range.get_or_init(|| index.range().cloned());
        Ok(meets(range).then_some(KeyLookup::Index(index)))
    }

    /// The index of a key, if it is in memory or can be made of rows that never were in a file; `None` where pages of a
    /// file are to be looked into.
    pub(super) fn key_index(&self, columns: &[usize]) -> Result<Option<Arc<KeyIndex>>, ArrowError> {
        let entry = self.entry(columns, false);
        if let Some(index) = entry.index.get(0) {
            return Ok(Some(index));
        }
        if entry.stored.is_some() {
            return Ok(None);
        }
        let index = self.worked_out(&entry.index, || {
            let places: Vec<usize> = (0..columns.len()).collect();
            KeyIndex::build(&self.project(columns)?, &places, false).map(Arc::new)
        })?;
        entry.range.get_or_init(|| index.range().cloned());
        Ok(Some(index))
    }

    /// The encoded key of one row.
    fn key_of(&self, columns: &[usize], offset: usize) -> Result<EncodedKeys, ArrowError> {
        let mut fields = Vec::with_capacity(columns.len());
        let mut values = Vec::with_capacity(columns.len());
        for column in columns {
            fields.push(self.schema.field(*column).clone().with_nullable(true));
            values.push(self.slice(*column, offset, 1)?);
        }
        let batch = RecordBatch::try_new(Arc::new(arrow::datatypes::Schema::new(fields)), values)?;
        EncodedKeys::encode(&batch, &(0..columns.len()).collect::<Vec<_>>())
    }
}

impl KeyLookup {
    /// Gives the offset of each row with this encoded key, ascending, deleted ones included.
    pub(super) fn find(&self, key: &[u8], mut found: impl FnMut(usize)) -> Result<(), ArrowError> {
        match self {
            Self::Index(index) => index.find(key, found),
            Self::Pages(content, entry, hashes) => {
                for offset in candidates(content, entry, *hashes, key)? {
                    if content.key_of(&entry.columns, offset)?.encoded(0) == key {
                        found(offset);
                    }
                }
            }
        }
        Ok(())
    }

    /// The same for keys that are many: pages that will be read again and again are read at once.
    pub(super) fn for_many(self) -> Result<Self, ArrowError> {
        if let Self::Pages(content, entry, hashes) = &self
            && let Some(file) = content.file()
        {
            all_pages(file, entry, *hashes)?;
        }
        Ok(self)
    }
}

fn all_pages(
    file: &PagedFile,
    entry: &KeyEntry,
    hashes: StoredHashes,
) -> Result<Arc<[u8]>, StorageError> {
    file.cache().get_or_read(&entry.pages, 0, || file.read_pages(hashes, 0, hashes.pages))
}

/// A page that was read alone is likely to have its neighbors asked for when the cache has this much room left.
const ROOMY: usize = 4;

fn candidates(
    content: &Content,
    entry: &KeyEntry,
    hashes: StoredHashes,
    key: &[u8],
) -> Result<Vec<usize>, ArrowError> {
    let Some(file) = content.file() else { return Ok(Vec::new()) };
    let hash = key_hash(hashes.seed, key);
    let cache = file.cache();
    let known = match entry.pages.get(0) {
        Some(pages) => Some(pages),
        None if cache.bytes() < cache.bytes_max() / ROOMY => Some(all_pages(file, entry, hashes)?),
        None => None,
    };
    let found = match &known {
        Some(pages) => key_pages::find(hash, hashes.pages, |at| {
            let page = pages.get(at * PAGE_BYTES..(at + 1) * PAGE_BYTES);
            Ok::<_, StorageError>(Cow::Borrowed(page.unwrap_or_default()))
        }),
        None => key_pages::find(hash, hashes.pages, |at| {
            Ok(Cow::Owned(file.read_pages(hashes, at, 1)?.to_vec()))
        }),
    };
    let mut found = found?;
    found.retain(|offset| *offset < content.rows());
    Ok(found)
}
