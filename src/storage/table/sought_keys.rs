//! Keys of many rows that are looked for together.

use super::key_index::{EncodedKeys, Hashing, least_and_greatest};

/// Keys to be found, in the orders in which indexes have them.
pub(super) struct SoughtKeys<'a> {
    keys: &'a EncodedKeys,
    /// Those without a null.
    rows: Vec<u32>,
    /// Hash and row, ascending, for each way of hashing that was met.
    orders: Vec<(Hashing, Vec<(u32, u32)>)>,
}

impl<'a> SoughtKeys<'a> {
    /// The keys of some rows.
    pub(super) fn new(keys: &'a EncodedKeys, rows: impl Iterator<Item = usize>) -> Self {
        let rows = rows.filter(|row| keys.get(*row).is_some()).map(|row| row as u32).collect();
        Self { keys, rows, orders: Vec::new() }
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The least and the greatest; `None` without any.
    pub(super) fn range(&self) -> Option<(&'a [u8], &'a [u8])> {
        least_and_greatest(self.rows().map(|(_, key)| key))
    }

    /// Row and key of each, in order of rows.
    pub(super) fn rows(&self) -> impl Iterator<Item = (usize, &'a [u8])> {
        let keys = self.keys;
        self.rows.iter().map(move |row| (*row as usize, keys.encoded(*row as usize)))
    }

    /// Row, key and hash of each, in order of hashes.
    pub(super) fn in_order_of(
        &mut self,
        hashing: Hashing,
    ) -> impl Iterator<Item = (usize, &'a [u8], u32)> {
        let keys = self.keys;
        let at = match self.orders.iter().position(|(known, _)| *known == hashing) {
            Some(at) => at,
            None => {
                let hashes = self
                    .rows
                    .iter()
                    .filter_map(|row| Some((hashing.hash(keys.encoded(*row as usize))?, *row)));
                let mut order: Vec<(u32, u32)> = hashes.collect();
                order.sort_unstable();
                self.orders.push((hashing, order));
                self.orders.len() - 1
            }
        };
        let order = self.orders.get(at).map(|(_, order)| order.as_slice()).unwrap_or_default();
        order.iter().map(move |(hash, row)| (*row as usize, keys.encoded(*row as usize), *hash))
    }
}
