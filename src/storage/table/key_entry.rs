//! Rows of a chunk by the value of some columns: an index in memory, or the pages of a stored one.

use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use super::content::Content;
use super::key_index::{EncodedKeys, Hashing, KeyIndex, KeyRange, number_range};
use super::key_pages::{self, PAGE_BYTES, key_hash};
use super::sought_keys::SoughtKeys;
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
    /// The pages of the stored index, each in a slot of its own.
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
            pages: Slots::empty(key.hashes.map_or(0, |hashes| hashes.pages)),
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
            pages: same.map_or_else(|| Slots::empty(0), |same| Arc::clone(&same.pages)),
        }
    }

    /// The least and the greatest key, if they are whole numbers.
    pub(super) fn number_range(&self) -> Option<(i64, i64)> {
        number_range(self.range.get()?.as_ref()?)
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
        let index = self.made(&entry)?;
        let range = entry.range.get_or_init(|| index.range().cloned());
        Ok(meets(range).then_some(KeyLookup::Index(index)))
    }

    /// The index of a key, made of all rows if it is not in memory.
    fn made(&self, entry: &KeyEntry) -> Result<Arc<KeyIndex>, ArrowError> {
        self.worked_out(&entry.index, || {
            let places: Vec<usize> = (0..entry.columns.len()).collect();
            let keys = self.project(&entry.columns)?;
            KeyIndex::build(&keys, &places, entry.with_nulls).map(Arc::new)
        })
    }

    /// What is known of a key, whose range among it.
    pub(super) fn key_entry(&self, columns: &[usize]) -> Result<Arc<KeyEntry>, ArrowError> {
        let entry = self.entry(columns, false);
        if entry.range.get().is_none() {
            let range = self.made(&entry)?.range().cloned();
            entry.range.get_or_init(|| range);
        }
        Ok(entry)
    }

    /// Gives the offsets of rows with a key of one whole number, which is given in both forms.
    pub(super) fn find_number_by(
        self: &Arc<Self>,
        entry: &Arc<KeyEntry>,
        number: i64,
        encoded: &[u8],
        found: impl FnMut(usize),
    ) -> Result<(), ArrowError> {
        if let Some(index) = entry.index.get(0) {
            index.find_number(number, encoded, found);
        } else if let Some(hashes) = entry.stored {
            KeyLookup::Pages(Arc::clone(self), Arc::clone(entry), hashes).find(encoded, found)?;
        } else {
            self.made(entry)?.find_number(number, encoded, found);
        }
        Ok(())
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
    pub(super) fn find(&self, key: &[u8], found: impl FnMut(usize)) -> Result<(), ArrowError> {
        match self {
            Self::Index(index) => index.find(key, found),
            Self::Pages(content, entry, hashes) => {
                let hash = key_hash(hashes.seed, key);
                find_stored((content, entry, *hashes), (key, hash), &mut None, found)?;
            }
        }
        Ok(())
    }

    /// Gives row and offset of all of many keys that are there, in no order. The index is passed through once.
    pub(super) fn find_many(
        &self,
        sought: &mut SoughtKeys<'_>,
        mut found: impl FnMut(usize, usize),
    ) -> Result<(), ArrowError> {
        match self {
            Self::Index(index) => match index.hashing() {
                None => sought.rows().for_each(|(row, key)| {
                    index.find(key, |offset| found(row, offset));
                }),
                Some(hashing) => sought.in_order_of(hashing).for_each(|(row, key, hash)| {
                    index.find_hashed(key, hash, |offset| found(row, offset));
                }),
            },
            Self::Pages(content, entry, hashes) => {
                let mut last = None;
                for (row, key, hash) in sought.in_order_of(Hashing::Stored(hashes.seed)) {
                    let found = |offset| found(row, offset);
                    find_stored((content, entry, *hashes), (key, hash), &mut last, found)?;
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

/// Reads all pages at once, unless they are in memory.
fn all_pages(file: &PagedFile, entry: &KeyEntry, hashes: StoredHashes) -> Result<(), StorageError> {
    if (0..hashes.pages).all(|at| entry.pages.is_filled(at)) {
        return Ok(());
    }
    let bytes = file.read_pages(hashes, 0, hashes.pages)?;
    file.cache().admit_all(&entry.pages, bytes.chunks(PAGE_BYTES).map(Arc::from));
    Ok(())
}

/// A page that was read alone is likely to have its neighbors asked for when the cache has this much room left.
const ROOMY: usize = 4;

/// The page of an index that was read last, and its place.
type LastPage = Option<(usize, Arc<[u8]>)>;

/// Gives the offsets of rows with a key: of those that have its hash, which others may have too.
fn find_stored(
    (content, entry, hashes): (&Content, &KeyEntry, StoredHashes),
    (key, hash): (&[u8], u32),
    last: &mut LastPage,
    mut found: impl FnMut(usize),
) -> Result<(), ArrowError> {
    for offset in candidates(content, entry, hashes, hash, last)? {
        if content.key_of(&entry.columns, offset)?.encoded(0) == key {
            found(offset);
        }
    }
    Ok(())
}

/// Rows whose key has a hash.
fn candidates(
    content: &Content,
    entry: &KeyEntry,
    hashes: StoredHashes,
    hash: u32,
    last: &mut LastPage,
) -> Result<Vec<usize>, ArrowError> {
    let Some(file) = content.file() else { return Ok(Vec::new()) };
    let cache = file.cache();
    let page = |at: usize| {
        if let Some((place, page)) = last
            && *place == at
        {
            return Ok(Arc::clone(page));
        }
        let page = match entry.pages.get(at) {
            Some(page) => page,
            None => {
                if cache.bytes() < cache.bytes_max() / ROOMY {
                    all_pages(file, entry, hashes)?;
                }
                cache.get_or_read(&entry.pages, at, || file.read_pages(hashes, at, 1))?
            }
        };
        *last = Some((at, Arc::clone(&page)));
        Ok(page)
    };
    let mut found = key_pages::find::<_, StorageError>(hash, hashes.pages, page)?;
    found.retain(|offset| *offset < content.rows());
    Ok(found)
}
