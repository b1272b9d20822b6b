//! Blocks of memory between what mimalloc packs well and what it takes from the system one by one.
//!
//! ```text
//! up to 80 KB    mimalloc: many to a page of 64 or 512 KB
//! up to 512 KB   here: a slot of a size class each, whose memory goes when the block is freed
//! above          mimalloc: memory of its own
//! ```
//!
//! The columns of a batch and the blocks of a file are of this size. mimalloc 3 puts them into pages of 4 MB, other ones for
//! each thread and size, and such a page stays for as long as one block of it is used: beside a cache whose blocks come
//! and go, the holes took nearly as much memory as the blocks.
//!
//! Slots are in one range of addresses, of which only what is written takes memory. Each class takes spans of it, for
//! good. A slot is *warm* when it was freed and still has its memory, which is quick to use again; each class keeps a few
//! of those. Others are *cold*: their memory was given back, and reads as zeros.
#![expect(unsafe_code, reason = "an allocator")]

use std::alloc::{GlobalAlloc, Layout};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// A smaller block is mimalloc's.
const BLOCK_BYTES_MIN: usize = (80 << 10) + 1;
/// Bytes of the slots of each class.
const CLASS_BYTES: [usize; 6] = [96 << 10, 128 << 10, 192 << 10, 256 << 10, 384 << 10, 512 << 10];
/// Every slot is at a multiple of this, and no two in one.
const UNIT_BYTES: usize = 32 << 10;
/// What a class takes of the range at a time.
const SPAN_UNITS: u32 = 48;
/// What every slot is aligned to.
const ALIGN_MAX: usize = 4096;
/// No slot.
const NONE: u32 = u32::MAX;

/// The range of addresses is so many times the memory of the process: what all classes ever held at once.
const RANGE_PER_MEMORY: usize = 6;
/// Each class keeps one in so many bytes of the memory of the process warm.
const WARM_SHARE: usize = 128;

/// An allocator that takes blocks of middle size from a range of addresses, once there is one, and all else from another.
#[derive(Debug)]
pub(crate) struct Blocks<A>(pub(crate) A);

static RANGE: OnceLock<Range> = OnceLock::new();

/// Addresses, and which slots in them are free.
struct Range {
    base: usize,
    /// For each unit in which a free slot begins, the next free slot of its list.
    next: &'static [AtomicU32],
    /// The first unit that no class has taken.
    untaken: AtomicU32,
    classes: [Mutex<Class>; CLASS_BYTES.len()],
    warm_slots_max: [u32; CLASS_BYTES.len()],
}

/// The free slots of a size, by their units.
#[derive(Debug, Clone, Copy)]
struct Class {
    warm: u32,
    warm_slots: u32,
    cold: u32,
    /// What is left of the span that was taken last: nothing was ever there.
    fresh: u32,
    fresh_end: u32,
}

/// A slot that was taken.
struct Taken {
    block: *mut u8,
    is_zero: bool,
}

/// The class of blocks of this layout, if it is one of ours.
fn class_of(layout: Layout) -> Option<usize> {
    if layout.size() < BLOCK_BYTES_MIN || layout.align() > ALIGN_MAX {
        return None;
    }
    CLASS_BYTES.iter().position(|bytes| layout.size() <= *bytes)
}

/// From here on blocks come from a range of their own, in a process that is to use so much memory, and huge pages or not.
/// Without room for such a range nothing changes.
pub(crate) fn open(memory_bytes: usize, huge_pages: bool) {
    RANGE.get_or_init(|| Range::reserve(memory_bytes, huge_pages).unwrap_or_else(Range::empty));
}

/// Addresses that take no memory before something is written there.
fn reserve(bytes: usize) -> Option<usize> {
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANON);
    // SAFETY: the system chooses addresses that nobody has.
    let base =
        unsafe { libc::mmap(ptr::null_mut(), bytes, access, kind | libc::MAP_NORESERVE, -1, 0) };
    (base != libc::MAP_FAILED).then(|| base.expose_provenance())
}

impl Range {
    fn empty() -> Self {
        Self::of(0, &[], 0)
    }

    fn reserve(memory_bytes: usize, huge_pages: bool) -> Option<Self> {
        let units =
            (memory_bytes.saturating_mul(RANGE_PER_MEMORY) / UNIT_BYTES).min(NONE as usize - 1);
        let (next, base) = (reserve(units * size_of::<AtomicU32>())?, reserve(units * UNIT_BYTES)?);
        if huge_pages {
            // Where the system has none, there are none.
            // SAFETY: it changes which pages are made, of addresses that are ours.
            let _ = unsafe {
                libc::madvise(
                    ptr::with_exposed_provenance_mut(base),
                    units * UNIT_BYTES,
                    libc::MADV_HUGEPAGE,
                )
            };
        }
        // SAFETY: there are as many, of bytes that are zeros and stay for good.
        let next = unsafe { std::slice::from_raw_parts(ptr::with_exposed_provenance(next), units) };
        Some(Self::of(base, next, memory_bytes))
    }

    fn of(base: usize, next: &'static [AtomicU32], memory_bytes: usize) -> Self {
        let class = Class { warm: NONE, warm_slots: 0, cold: NONE, fresh: 0, fresh_end: 0 };
        Self {
            base,
            next,
            untaken: AtomicU32::new(0),
            classes: [class; CLASS_BYTES.len()].map(Mutex::new),
            warm_slots_max: CLASS_BYTES.map(|bytes| (memory_bytes / WARM_SHARE / bytes) as u32),
        }
    }

    fn class(&self, class: usize) -> MutexGuard<'_, Class> {
        self.classes[class].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn block(&self, unit: u32) -> *mut u8 {
        ptr::with_exposed_provenance_mut(self.base + unit as usize * UNIT_BYTES)
    }

    /// The unit of a block, if it is one of this range.
    fn unit_of(&self, block: *mut u8) -> Option<u32> {
        let unit = block.addr().checked_sub(self.base)? / UNIT_BYTES;
        (unit < self.next.len()).then_some(unit as u32)
    }

    fn next(&self, unit: u32) -> u32 {
        self.next[unit as usize].load(Ordering::Relaxed)
    }

    fn take(&self, at: usize) -> Option<Taken> {
        let mut class = self.class(at);
        if class.warm != NONE {
            let unit = class.warm;
            class.warm = self.next(unit);
            class.warm_slots -= 1;
            return Some(Taken { block: self.block(unit), is_zero: false });
        }
        if class.cold != NONE {
            let unit = class.cold;
            class.cold = self.next(unit);
            return Some(Taken { block: self.block(unit), is_zero: true });
        }
        let units = (CLASS_BYTES[at] / UNIT_BYTES) as u32;
        if class.fresh + units > class.fresh_end {
            let after = |first: u32| {
                first.checked_add(SPAN_UNITS).filter(|end| *end as usize <= self.next.len())
            };
            let taken = self.untaken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after);
            class.fresh = taken.ok()?;
            class.fresh_end = class.fresh + SPAN_UNITS;
        }
        let unit = class.fresh;
        class.fresh += units;
        Some(Taken { block: self.block(unit), is_zero: true })
    }

    fn give(&self, at: usize, unit: u32) {
        let mut class = self.class(at);
        if class.warm_slots < self.warm_slots_max[at] {
            return self.keep_warm(&mut class, unit);
        }
        drop(class);
        // SAFETY: nobody uses the slot: it was freed, and is in no list.
        let given =
            unsafe { libc::madvise(self.block(unit).cast(), CLASS_BYTES[at], libc::MADV_DONTNEED) };
        let mut class = self.class(at);
        if given != 0 {
            return self.keep_warm(&mut class, unit);
        }
        self.next[unit as usize].store(class.cold, Ordering::Relaxed);
        class.cold = unit;
    }

    fn keep_warm(&self, class: &mut Class, unit: u32) {
        self.next[unit as usize].store(class.warm, Ordering::Relaxed);
        class.warm = unit;
        class.warm_slots += 1;
    }
}

/// A slot for a block, if it is one of ours and there is one.
fn take(layout: Layout) -> Option<Taken> {
    RANGE.get()?.take(class_of(layout)?)
}

/// Where a block is, if it is in a slot.
fn place_of(block: *mut u8, layout: Layout) -> Option<(&'static Range, usize, u32)> {
    let (class, range) = (class_of(layout)?, RANGE.get()?);
    Some((range, class, range.unit_of(block)?))
}

// SAFETY: a slot is as long and aligned as the layout wants, and nobody else's until it is given back; a block of a slot is
// known by its address, and every other goes to the allocator inside.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Blocks<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match take(layout) {
            Some(taken) => taken.block,
            // SAFETY: as the caller says.
            None => unsafe { self.0.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match place_of(block, layout) {
            Some((range, class, unit)) => range.give(class, unit),
            // SAFETY: as the caller says.
            None => unsafe { self.0.dealloc(block, layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some(taken) = take(layout) else {
            // SAFETY: as the caller says.
            return unsafe { self.0.alloc_zeroed(layout) };
        };
        if !taken.is_zero {
            // SAFETY: the slot is at least as long.
            unsafe { ptr::write_bytes(taken.block, 0, layout.size()) };
        }
        taken.block
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller says of the size; the alignment is that of a layout.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        let (place, class) = (place_of(block, layout), class_of(wanted));
        match place {
            Some((_, same, _)) if class == Some(same) => return block,
            // SAFETY: as the caller says.
            None if class.is_none() => return unsafe { self.0.realloc(block, layout, size) },
            Some(_) | None => {}
        }
        // SAFETY: another block; what both have room for is copied, and the old one is given back as it was taken.
        unsafe {
            let moved = self.alloc(wanted);
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, size.min(layout.size()));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

#[cfg(test)]
mod tests {
    use std::alloc::System;

    use super::*;

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, 128).unwrap()
    }

    fn is_in_a_slot(block: *mut u8, bytes: usize) -> bool {
        place_of(block, layout(bytes)).is_some()
    }

    #[test]
    fn blocks_are_known_by_their_size_and_address() {
        let allocator = Blocks(System);
        let sizes = [1000, 80 << 10, 81 << 10, 96 << 10, 100_000, 400_000, 512 << 10, 513 << 10];
        // SAFETY: every block is freed as it was allocated.
        unsafe {
            let early = System.alloc(layout(100_000));
            open(64 << 20, false);
            assert!(RANGE.get().unwrap().base != 0);
            for (at, bytes) in sizes.into_iter().enumerate() {
                let block = allocator.alloc(layout(bytes));
                assert!(block.addr().is_multiple_of(128));
                ptr::write_bytes(block, 7, bytes);
                assert_eq!(is_in_a_slot(block, bytes), (2..7).contains(&at), "{bytes}");
                allocator.dealloc(block, layout(bytes));
            }
            // What came from elsewhere, as before there was a range, goes back there.
            assert!(!is_in_a_slot(early, 100_000));
            allocator.dealloc(early, layout(100_000));
        }
    }

    #[test]
    fn slots_are_used_again_and_never_shared() {
        open(64 << 20, false);
        let threads = (0..4u8).map(|own| {
            std::thread::spawn(move || {
                let allocator = Blocks(System);
                let mut blocks: Vec<(*mut u8, usize)> = Vec::new();
                for round in 0..4000usize {
                    let bytes = BLOCK_BYTES_MIN + (round * 7919 + own as usize * 131) % 430_000;
                    // SAFETY: blocks are as long as was asked for, and freed as they were allocated.
                    unsafe {
                        let block = allocator.alloc_zeroed(layout(bytes));
                        assert!((*block, *block.add(bytes - 1)) == (0, 0));
                        ptr::write_bytes(block, own + 1, bytes);
                        blocks.push((block, bytes));
                        if blocks.len() > 60 {
                            let (block, bytes) = blocks.swap_remove(round % 60);
                            assert!((*block, *block.add(bytes - 1)) == (own + 1, own + 1));
                            allocator.dealloc(block, layout(bytes));
                        }
                    }
                }
                for (block, bytes) in blocks {
                    // SAFETY: as above.
                    unsafe { allocator.dealloc(block, layout(bytes)) };
                }
            })
        });
        threads.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
        let warm: u32 =
            (0..CLASS_BYTES.len()).map(|at| RANGE.get().unwrap().class(at).warm_slots).sum();
        assert!(warm > 0);
    }

    #[test]
    fn a_block_that_grows_keeps_what_it_holds() {
        open(64 << 20, false);
        let allocator = Blocks(System);
        // SAFETY: the block is as long as was asked for last, and freed as that.
        unsafe {
            let mut bytes = 1000;
            let mut block = allocator.alloc(layout(bytes));
            ptr::write_bytes(block, 1, bytes);
            for wanted in [90_000, 95_000, 130_000, 600_000, 300_000, 2000] {
                block = allocator.realloc(block, layout(bytes), wanted);
                let kept = bytes.min(wanted).min(1000);
                assert!((0..kept).all(|at| *block.add(at) == 1), "{wanted}");
                bytes = wanted;
            }
            allocator.dealloc(block, layout(bytes));
        }
    }
}
