//! A stored index of keys that do not ascend with their rows: hashes in order, each with the offset of its row.
//!
//! ```text
//! page    4,096 bytes: count:u32  entry × 511  crc:u32 (of what stands before it)
//! entry   hash:u32  offset:u32        ascending through all pages; unused ones are zeros
//! ```
//!
//! A key is looked for where its hash would be if hashes were spread evenly, which they nearly are, so one page is read,
//! seldom two. What is found may be another key with the same hash: the caller compares.

use crate::storage::codec::Malformed;

/// Bytes of a page.
pub(in crate::storage) const PAGE_BYTES: usize = 4096;
const ENTRIES: usize = 511;
const MALFORMED: Malformed = Malformed("page of a key index");

/// The hash of an encoded key. Files depend on it: FNV-1a from a seed, mixed once more.
pub(in crate::storage) fn key_hash(seed: u64, key: &[u8]) -> u32 {
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ seed;
    for byte in key {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    (hash >> 32) as u32
}

/// The pages of an index of `rows` keys.
pub(in crate::storage) fn put_pages<'a>(
    out: &mut Vec<u8>,
    seed: u64,
    rows: usize,
    key: impl Fn(usize) -> &'a [u8],
) -> usize {
    let mut entries: Vec<u64> =
        (0..rows).map(|row| u64::from(key_hash(seed, key(row))) << 32 | row as u64).collect();
    entries.sort_unstable();
    for entries in entries.chunks(ENTRIES) {
        let start = out.len();
        out.extend_from_slice(&(entries.len() as u32).to_le_bytes());
        for entry in entries {
            out.extend_from_slice(&((entry >> 32) as u32).to_le_bytes());
            out.extend_from_slice(&(*entry as u32).to_le_bytes());
        }
        out.resize(start + PAGE_BYTES - 4, 0);
        let crc = crc32fast::hash(&out[start..]);
        out.extend_from_slice(&crc.to_le_bytes());
    }
    rows.div_ceil(ENTRIES)
}

/// A page that was checked.
struct Page<B>(B, usize);

impl<B: AsRef<[u8]>> Page<B> {
    fn new(page: B) -> Result<Self, Malformed> {
        let bytes = page.as_ref();
        let count = bytes.first_chunk::<4>().map_or(0, |count| u32::from_le_bytes(*count) as usize);
        if bytes.len() != PAGE_BYTES || count == 0 || count > ENTRIES {
            return Err(MALFORMED);
        }
        Ok(Self(page, count))
    }

    fn number(&self, at: usize) -> u32 {
        let bytes = self.0.as_ref().get(at..at + 4).and_then(|bytes| bytes.first_chunk::<4>());
        bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    fn hash(&self, entry: usize) -> u32 {
        self.number(4 + 8 * entry)
    }

    fn offset(&self, entry: usize) -> u32 {
        self.number(8 + 8 * entry)
    }

    fn first_at_least(&self, hash: u32) -> usize {
        let (mut from, mut to) = (0, self.1);
        while from < to {
            let middle = from + (to - from) / 2;
            if self.hash(middle) < hash {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        from
    }
}

/// Whether a page is what was written.
pub(in crate::storage) fn is_whole(page: &[u8]) -> bool {
    page.len() == PAGE_BYTES
        && page
            .split_last_chunk::<4>()
            .is_some_and(|(content, crc)| crc32fast::hash(content) == u32::from_le_bytes(*crc))
}

/// Offsets of the rows whose key has this hash, ascending. `page` gives a page that was checked.
///
/// # Errors
/// Those of `page`, and [`Malformed`] if it is none.
pub(in crate::storage) fn find<B: AsRef<[u8]>, E: From<Malformed>>(
    hash: u32,
    pages: usize,
    mut page: impl FnMut(usize) -> Result<B, E>,
) -> Result<Vec<usize>, E> {
    let mut found = Vec::new();
    if pages == 0 {
        return Ok(found);
    }
    let mut at = ((u64::from(hash) * pages as u64) >> 32) as usize;
    let mut current = Page::new(page(at)?)?;
    // Equal hashes may begin on the page before.
    while at > 0 && current.hash(0) >= hash {
        at -= 1;
        current = Page::new(page(at)?)?;
    }
    loop {
        let from = current.first_at_least(hash);
        let equal = (from..current.1).take_while(|entry| current.hash(*entry) == hash);
        found.extend(equal.map(|entry| current.offset(entry) as usize));
        at += 1;
        if at == pages || current.hash(current.1 - 1) > hash {
            break;
        }
        current = Page::new(page(at)?)?;
    }
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_up(bytes: &[u8], pages: usize, hash: u32) -> Vec<usize> {
        let page = |at: usize| {
            let page = &bytes[at * PAGE_BYTES..(at + 1) * PAGE_BYTES];
            assert!(is_whole(page));
            Ok::<_, Malformed>(page)
        };
        find(hash, pages, page).unwrap()
    }

    #[test]
    fn every_key_is_found_where_it_is() {
        for rows in [1usize, 2, 511, 512, 5000, 60_000] {
            let keys: Vec<Vec<u8>> =
                (0..rows).map(|row| format!("key {}", row / 2).into_bytes()).collect();
            let mut bytes = Vec::new();
            let pages = put_pages(&mut bytes, 7, rows, |row| &keys[row]);
            assert_eq!(bytes.len(), pages * PAGE_BYTES);
            for row in (0..rows).step_by(97) {
                let found = look_up(&bytes, pages, key_hash(7, &keys[row]));
                let (even, odd) = (row / 2 * 2, row / 2 * 2 + 1);
                assert!(found.contains(&even), "{rows} {row} {found:?}");
                assert_eq!(found.contains(&odd), odd < rows);
            }
            for strange in 0..100u32 {
                let found = look_up(&bytes, pages, strange.wrapping_mul(0x0123_4567));
                assert!(found.len() < 4);
            }
        }
    }

    #[test]
    fn many_rows_with_one_key_run_over_pages() {
        let mut bytes = Vec::new();
        let pages = put_pages(&mut bytes, 1, 2000, |_| b"same");
        let found = look_up(&bytes, pages, key_hash(1, b"same"));
        assert_eq!(found, (0..2000).collect::<Vec<_>>());
    }

    #[test]
    fn a_changed_bit_is_noticed() {
        let mut bytes = Vec::new();
        put_pages(&mut bytes, 1, 10, |_| b"x");
        for at in 0..PAGE_BYTES {
            let mut page = bytes[..PAGE_BYTES].to_vec();
            page[at] ^= 4;
            assert!(!is_whole(&page), "{at}");
        }
    }
}
