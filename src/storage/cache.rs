//! What was read of stored chunks, kept for the next reader, within a bound.
//!
//! ```text
//! chunk ──► slot ── value? ──► yes: marked as used, given out, no lock that others wait for
//!                   └────────► no:  read from the file, admitted; the oldest values that nobody used meanwhile go
//! ```
//!
//! A value that a reader still holds, or a part of which it holds, is *pinned*: dropping it here would free nothing, so it
//! stays and counts. Rows that are in no file yet stand in slots too, but the cache does not know them: they cannot go.
//!
//! What was read once has no second chance: a scan of more than there is room for does not drive out what is read again
//! and again.
//!
//! Source: the clock of second chances; F. J. Corbató, "A Paging Experiment with the Multics System", 1968.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use arrow::array::{Array, ArrayData, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use parking_lot::{Mutex, RwLock};

use crate::types::Measure;

/// What can be kept.
pub(in crate::storage) trait Cached: Clone + Send + Sync + 'static {
    /// Bytes of memory it takes.
    fn bytes(&self) -> usize;

    /// References to its memory; more than at first are readers.
    fn references(&self) -> usize;
}

impl Cached for ArrayRef {
    fn bytes(&self) -> usize {
        array_bytes(self.as_ref())
    }

    /// Of the array itself and, as parts of it may be held without it, of its buffers.
    fn references(&self) -> usize {
        fn of(data: &ArrayData) -> usize {
            let nulls = data.nulls().map_or(0, |nulls| nulls.buffer().strong_count());
            let buffers: usize = data.buffers().iter().map(|buffer| buffer.strong_count()).sum();
            nulls + buffers + data.child_data().iter().map(of).sum::<usize>()
        }
        Arc::strong_count(self) + of(&self.to_data())
    }
}

impl Cached for Arc<[u64]> {
    fn bytes(&self) -> usize {
        size_of_val::<[u64]>(self)
    }

    fn references(&self) -> usize {
        Arc::strong_count(self)
    }
}

impl Cached for Arc<[u8]> {
    fn bytes(&self) -> usize {
        self.len()
    }

    fn references(&self) -> usize {
        Arc::strong_count(self)
    }
}

/// Bytes of the values of an array; what it shares with others counts only as far as its own values go.
pub(in crate::storage) fn array_bytes(array: &dyn Array) -> usize {
    let views = |used: usize| used + array.len() * size_of::<u128>() + array.len() / 8;
    match array.data_type() {
        DataType::Utf8View => views(array.as_string_view().total_buffer_bytes_used()),
        DataType::BinaryView => views(array.as_binary_view().total_buffer_bytes_used()),
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            let (from, to) = (lists.value_offsets().first(), lists.value_offsets().last());
            let (from, to) = (from.copied().unwrap_or(0), to.copied().unwrap_or(0));
            let elements = lists.values().slice(from as usize, (to - from) as usize);
            array_bytes(elements.as_ref()) + array.len() * size_of::<i32>()
        }
        _ => array.to_data().get_slice_memory_size().unwrap_or(0),
    }
}

/// Places of values, each of which is there or was dropped.
pub(in crate::storage) struct Slots<V> {
    slots: Box<[Slot<V>]>,
    /// Where bytes are counted, once the cache knows a value.
    counted: OnceLock<Arc<AtomicUsize>>,
}

struct Slot<V> {
    held: RwLock<Option<Held<V>>>,
    used: AtomicBool,
}

struct Held<V> {
    value: V,
    bytes: usize,
    /// References when nobody read it yet.
    references: usize,
}

impl<V> Slot<V> {
    fn new(held: Option<Held<V>>) -> Self {
        Self { held: RwLock::new(held), used: AtomicBool::new(false) }
    }
}

impl<V> Held<V> {
    /// A value that cannot go, until [`BufferCache::adopt`].
    fn fresh(value: V) -> Self {
        Self { value, bytes: 0, references: usize::MAX }
    }
}

impl<V> fmt::Debug for Slots<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slots").field("places", &self.slots.len()).finish_non_exhaustive()
    }
}

impl<V: Cached> Slots<V> {
    /// Places without values.
    pub(in crate::storage) fn empty(places: usize) -> Arc<Self> {
        let slots = (0..places).map(|_| Slot::new(None)).collect();
        Arc::new(Self { slots, counted: OnceLock::new() })
    }

    /// Values that cannot go, until [`BufferCache::adopt`].
    pub(in crate::storage) fn of(values: impl IntoIterator<Item = V>) -> Arc<Self> {
        let slots = values.into_iter().map(|value| Slot::new(Some(Held::fresh(value)))).collect();
        Arc::new(Self { slots, counted: OnceLock::new() })
    }

    /// How many places there are.
    pub(in crate::storage) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Puts a value in, for good until [`BufferCache::adopt`].
    pub(in crate::storage) fn keep(&self, at: usize, value: V) {
        if let Some(slot) = self.slots.get(at) {
            *slot.held.write() = Some(Held::fresh(value));
        }
    }

    /// The value, if it is there.
    pub(in crate::storage) fn get(&self, at: usize) -> Option<V> {
        let slot = self.slots.get(at)?;
        let value = slot.held.read().as_ref().map(|held| held.value.clone());
        if value.is_some() && !slot.used.load(Ordering::Relaxed) {
            slot.used.store(true, Ordering::Relaxed);
        }
        value
    }

    /// Whether there is one; it does not count as used.
    pub(in crate::storage) fn is_filled(&self, at: usize) -> bool {
        self.slots.get(at).is_some_and(|slot| slot.held.read().is_some())
    }
}

impl<V> Drop for Slots<V> {
    fn drop(&mut self) {
        let Some(counted) = self.counted.get() else { return };
        let held = self.slots.iter_mut().filter_map(|slot| slot.held.get_mut().as_ref());
        let bytes: usize = held.map(|held| held.bytes).sum();
        counted.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Slots whatever their values are.
trait Evict: Send + Sync {
    /// Whether a value was used since it was asked last.
    fn was_used(&self, at: usize) -> bool;
    /// Drops a value unless a reader holds it; the bytes that became free.
    fn evict(&self, at: usize) -> Option<usize>;
}

impl<V: Cached> Evict for Slots<V> {
    fn was_used(&self, at: usize) -> bool {
        self.slots.get(at).is_some_and(|slot| slot.used.swap(false, Ordering::Relaxed))
    }

    fn evict(&self, at: usize) -> Option<usize> {
        let Some(slot) = self.slots.get(at) else { return Some(0) };
        let mut held = slot.held.write();
        match held.as_ref() {
            Some(kept) if kept.value.references() > kept.references => None,
            Some(kept) => {
                let bytes = kept.bytes;
                *held = None;
                Some(bytes)
            }
            None => Some(0),
        }
    }
}

/// So many pinned values are met before it is given up to make room for one: the next that comes looks at others.
const PINNED_MAX: usize = 256;

/// Keeps values of slots within a bound. Pinned ones may go over it; nothing else is kept then.
pub struct BufferCache {
    bytes_max: usize,
    bytes: Arc<AtomicUsize>,
    ring: Mutex<Ring>,
    hits: AtomicU64,
    reads: AtomicU64,
}

#[derive(Default)]
struct Ring {
    slots: VecDeque<(Weak<dyn Evict>, usize)>,
    /// Slots that are gone are looked for when there are so many.
    clean_at: usize,
}

impl fmt::Debug for BufferCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes_max, bytes, ring: _, hits, reads } = self;
        let shown = &mut f.debug_struct("BufferCache");
        shown.field("bytes_max", bytes_max).field("bytes", bytes);
        shown.field("hits", hits).field("reads", reads).finish()
    }
}

impl BufferCache {
    /// A cache of at most so many bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            bytes: Arc::default(),
            ring: Mutex::default(),
            hits: AtomicU64::new(0),
            reads: AtomicU64::new(0),
        }
    }

    /// Bytes that it holds now, pinned ones among them.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Bytes that it may hold.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// How often a value was read from a file.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// The value of a slot, which `read` makes if it is not there.
    ///
    /// # Errors
    /// Those of `read`.
    pub(in crate::storage) fn get_or_read<V: Cached, E>(
        &self,
        slots: &Arc<Slots<V>>,
        at: usize,
        read: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, E> {
        if let Some(value) = slots.get(at) {
            return Ok(value);
        }
        // What is read stays when the statement that wanted it ends.
        let _scope = Measure::outside();
        let value = read()?;
        self.reads.fetch_add(1, Ordering::Relaxed);
        Ok(self.admit(slots, at, value))
    }

    /// Puts values that were read together into slots that have none, from the first on.
    pub(in crate::storage) fn admit_all<V: Cached>(
        &self,
        slots: &Arc<Slots<V>>,
        values: impl IntoIterator<Item = V>,
    ) {
        self.reads.fetch_add(1, Ordering::Relaxed);
        for (at, value) in values.into_iter().enumerate() {
            self.admit(slots, at, value);
        }
    }

    /// Puts a value into a slot; gives the one that is there now, as another reader may have been faster.
    fn admit<V: Cached>(&self, slots: &Arc<Slots<V>>, at: usize, value: V) -> V {
        let (bytes, references) = (value.bytes(), value.references());
        let Some(slot) = slots.slots.get(at) else { return value };
        let mut ring = self.ring.lock();
        {
            let mut held = slot.held.write();
            if let Some(held) = held.as_ref() {
                return held.value.clone();
            }
            *held = Some(Held { value: value.clone(), bytes, references });
        }
        self.count(slots, at, bytes, &mut ring);
        value
    }

    /// From now on the values of these slots may go, as they are in a file.
    pub(in crate::storage) fn adopt<V: Cached>(&self, slots: &Arc<Slots<V>>) {
        let mut ring = self.ring.lock();
        for (at, slot) in slots.slots.iter().enumerate() {
            let bytes = {
                let mut held = slot.held.write();
                let Some(held) = held.as_mut().filter(|held| held.bytes == 0) else { continue };
                held.bytes = held.value.bytes();
                // Who reads it at this moment is taken for a part of it.
                held.references = held.value.references();
                held.bytes
            };
            self.count(slots, at, bytes, &mut ring);
        }
    }

    fn count<V: Cached>(&self, slots: &Arc<Slots<V>>, at: usize, bytes: usize, ring: &mut Ring) {
        slots.counted.get_or_init(|| Arc::clone(&self.bytes));
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let slots: Weak<Slots<V>> = Arc::downgrade(slots);
        ring.slots.push_back((slots, at));
        self.make_room(ring);
    }

    fn make_room(&self, ring: &mut Ring) {
        if ring.slots.len() > ring.clean_at {
            ring.slots.retain(|(slots, _)| slots.strong_count() > 0);
            ring.clean_at = 2 * ring.slots.len() + 1024;
        }
        // Each is asked twice at most: once it may say that it was used.
        let (mut turns, mut pinned) = (2 * ring.slots.len(), 0);
        while self.bytes() > self.bytes_max && turns > 0 && pinned < PINNED_MAX {
            turns -= 1;
            let Some((weak, at)) = ring.slots.pop_front() else { return };
            let Some(slots) = weak.upgrade() else { continue };
            if slots.was_used(at) {
                ring.slots.push_back((weak, at));
                continue;
            }
            match slots.evict(at) {
                Some(bytes) => {
                    self.bytes.fetch_sub(bytes, Ordering::Relaxed);
                }
                None => {
                    pinned += 1;
                    ring.slots.push_back((weak, at));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;

    use super::*;

    fn array(from: i64) -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(from..from + 128))
    }

    fn read(cache: &BufferCache, slots: &Arc<Slots<ArrayRef>>, at: usize, from: i64) -> ArrayRef {
        cache.get_or_read(slots, at, || Ok::<_, ()>(array(from))).unwrap()
    }

    #[test]
    fn holds_no_more_than_it_may() {
        let cache = BufferCache::new(10 * 1024);
        let slots = Slots::empty(100);
        for round in 0..3 {
            for at in 0..100 {
                assert_eq!(&read(&cache, &slots, at, at as i64), &array(at as i64), "{round}");
                assert!(cache.bytes() <= 10 * 1024);
            }
        }
        let filled = (0..100).filter(|at| slots.is_filled(*at)).count();
        assert_eq!(filled, 10);
        drop(slots);
        assert_eq!(cache.bytes(), 0);
    }

    #[test]
    fn what_is_read_often_stays() {
        let cache = BufferCache::new(10 * 1024);
        let (often, slots) = (Slots::empty(1), Slots::empty(100));
        let before = cache.reads();
        for at in 0..100 {
            read(&cache, &often, 0, 7);
            read(&cache, &slots, at, 0);
        }
        assert_eq!(cache.reads() - before, 101);
    }

    #[test]
    fn what_a_reader_holds_counts_until_it_is_dropped() {
        let cache = BufferCache::new(4 * 1024);
        let slots = Slots::empty(60);
        let whole = |at| read(&cache, &slots, at, 0);
        let held: Vec<ArrayRef> = (0..20).map(|at| whole(at).slice(3, 9)).collect();
        assert_eq!(cache.bytes(), 20 * 1024);
        let more: Vec<ArrayRef> = (20..40).map(whole).collect();
        assert_eq!(cache.bytes(), 40 * 1024);
        // What is read again is what is held already, so it is in memory once.
        assert!(held.iter().enumerate().all(|(at, part)| {
            part.to_data().buffers()[0].data_ptr() == whole(at).to_data().buffers()[0].data_ptr()
        }));
        drop((held, more));
        read(&cache, &Slots::empty(1), 0, 0);
        assert!(cache.bytes() <= 4 * 1024, "{}", cache.bytes());
    }

    #[test]
    fn rows_that_are_in_no_file_stay() {
        let cache = BufferCache::new(1024);
        let fresh = Slots::of([array(1)]);
        for _ in 0..10 {
            read(&cache, &Slots::empty(1), 0, 0);
        }
        assert!(fresh.is_filled(0) && cache.bytes() <= 1024);
        cache.adopt(&fresh);
        cache.adopt(&fresh);
        let others = Slots::empty(2);
        read(&cache, &others, 0, 0);
        read(&cache, &others, 1, 0);
        assert!(!fresh.is_filled(0));
    }
}
