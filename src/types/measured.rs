//! What a statement really holds: the bytes its work allocated and has not freed, whatever operators say of themselves.
//!
//! ```text
//! a thread works for a statement ──► Scope ──► allocator counts ──► Measure ── more than operators reserved? ──► branch
//! ```
//!
//! Operators reserve by estimates. Some keep far more (a slice that keeps its whole batch alive, values beside their
//! lengths), and a tenant's limit would hold nobody. So the allocator counts, and what is beyond the reservations is
//! taken from the statement's [`MemoryBranch`] as well.
//! Without [`Measured`] as the process's allocator nothing is counted, and reservations alone hold.
#![expect(unsafe_code, reason = "an allocator, and a pointer to what the thread works for")]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};
use std::task::Waker;

use parking_lot::Mutex;

use super::memory::{MemoryBranch, OutOfMemory};

/// Bytes that a thread counts by itself before it adds them to its statement's.
const THREAD_BYTES: isize = 64 << 10;
/// Differences between measured and taken that are let pass.
const SLACK: usize = 1 << 20;

thread_local! {
    static WORKS_FOR: Cell<*const Measure> = const { Cell::new(ptr::null()) };
    static COUNTED: Cell<isize> = const { Cell::new(0) };
}

/// An allocator that counts for whom it allocates.
#[derive(Debug)]
pub struct Measured<A>(pub A);

// SAFETY: every call goes to the allocator inside, unchanged.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Measured<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as the caller says.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as the caller says.
        unsafe { self.0.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as the caller says.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: as the caller says.
        unsafe { self.0.realloc(pointer, layout, size) }
    }
}

fn count(bytes: isize) {
    // A thread that ends has nobody to count for.
    let _ = COUNTED.try_with(|counted| {
        let sum = counted.get() + bytes;
        counted.set(sum);
        if sum.unsigned_abs() > THREAD_BYTES.unsigned_abs() {
            hand_over(counted);
        }
    });
}

/// Adds what the thread counted to those it works for.
fn hand_over(counted: &Cell<isize>) {
    let works_for = WORKS_FOR.get();
    // SAFETY: a scope set it, and holds the measure until it sets another.
    if let Some(measure) = unsafe { works_for.as_ref() } {
        measure.bytes.fetch_add(counted.get(), Ordering::Relaxed);
    }
    counted.set(0);
}

/// The memory of one statement, as measured.
pub struct Measure {
    bytes: AtomicIsize,
    branch: Arc<MemoryBranch>,
    /// What of the branch is taken for bytes that no operator reserved.
    taken: AtomicUsize,
    settling: Mutex<Ending>,
}

/// Why the statement ends, and whom to tell.
#[derive(Default)]
struct Ending {
    refused: Option<OutOfMemory>,
    waker: Option<Waker>,
}

impl fmt::Debug for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Measure").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Measure {
    /// The measure of a statement whose operators reserve from `branch`, and nobody else does.
    pub fn new(branch: Arc<MemoryBranch>) -> Arc<Self> {
        Arc::new(Self {
            bytes: AtomicIsize::new(0),
            branch,
            taken: AtomicUsize::new(0),
            settling: Mutex::default(),
        })
    }

    /// What this thread works for.
    pub fn current() -> Option<Arc<Self>> {
        let works_for = WORKS_FOR.get();
        if works_for.is_null() {
            return None;
        }
        // SAFETY: the pointer is of an Arc that the scope holds, and this is one more count of it.
        unsafe {
            Arc::increment_strong_count(works_for);
            Some(Arc::from_raw(works_for))
        }
    }

    /// From here on this thread works for the statement, until the scope is dropped.
    pub fn enter(self: &Arc<Self>) -> Scope {
        Scope::new(Some(Arc::clone(self)))
    }

    /// From here on this thread works for nobody: what it allocates stays when the statement ends.
    pub fn outside() -> Scope {
        Scope::new(None)
    }

    /// Settles what this thread works for, in the middle of work that takes long.
    ///
    /// # Errors
    /// As [`Self::settle`].
    pub fn look() -> Result<(), OutOfMemory> {
        COUNTED.with(hand_over);
        // SAFETY: a scope set it, and holds the measure until it sets another.
        match unsafe { WORKS_FOR.get().as_ref() } {
            Some(measure) => measure.settle(),
            None => Ok(()),
        }
    }

    /// Takes from the branch what is held beyond what operators reserved, or gives back what no longer is.
    ///
    /// # Errors
    /// The limit that is in the way, now and from then on; the statement has to end.
    pub fn settle(&self) -> Result<(), OutOfMemory> {
        // Whoever comes while another settles goes on: the other sees the same bytes.
        let Some(mut ending) = self.settling.try_lock() else { return Ok(()) };
        if let Some(refused) = ending.refused {
            return Err(refused);
        }
        let held = usize::try_from(self.bytes.load(Ordering::Relaxed)).unwrap_or(0);
        let taken = self.taken.load(Ordering::Relaxed);
        let reserved = self.branch.used().saturating_sub(taken);
        let wanted = held.saturating_sub(reserved);
        if wanted > taken + SLACK {
            if let Err(refused) = self.branch.try_take(wanted - taken) {
                ending.refused = Some(refused);
                if let Some(waker) = ending.waker.take() {
                    waker.wake();
                }
                return Err(refused);
            }
            self.taken.store(wanted, Ordering::Relaxed);
        } else if wanted + SLACK < taken {
            self.branch.give(taken - wanted);
            self.taken.store(wanted, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Why the statement has to end, if it has to; `waker` is woken when that changes.
    pub fn refused(&self, waker: &Waker) -> Option<OutOfMemory> {
        let mut ending = self.settling.lock();
        if ending.waker.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            ending.waker = Some(waker.clone());
        }
        ending.refused
    }
}

impl Drop for Measure {
    fn drop(&mut self) {
        self.branch.give(self.taken.load(Ordering::Relaxed));
    }
}

/// As long as this lives, the thread that made it counts for a statement, or for nobody.
#[derive(Debug)]
pub struct Scope {
    /// Keeps the pointer alive.
    _measure: Option<Arc<Measure>>,
    before: *const Measure,
    /// It must be dropped on its thread.
    _thread: PhantomData<*const ()>,
}

impl Scope {
    fn new(measure: Option<Arc<Measure>>) -> Self {
        COUNTED.with(hand_over);
        let pointer = measure.as_ref().map_or(ptr::null(), Arc::as_ptr);
        let before = WORKS_FOR.replace(pointer);
        Self { _measure: measure, before, _thread: PhantomData }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        COUNTED.with(hand_over);
        WORKS_FOR.set(self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allocate(bytes: isize) {
        count(bytes);
    }

    #[test]
    fn what_no_operator_reserved_is_taken_from_the_branch() {
        let tenant = MemoryBranch::root("tenant", 100 << 20);
        let statement = tenant.child("statement", None);
        let measure = Measure::new(Arc::clone(&statement));
        statement.try_take(10 << 20).unwrap();
        {
            let _scope = measure.enter();
            allocate(30 << 20);
            let _outside = Measure::outside();
            allocate(500 << 20);
        }
        measure.settle().unwrap();
        assert_eq!(tenant.used(), 30 << 20);
        // Operators that say so later are not counted twice.
        statement.try_take(15 << 20).unwrap();
        measure.settle().unwrap();
        assert_eq!(tenant.used(), 30 << 20);
        {
            let _scope = measure.enter();
            allocate(80 << 20);
        }
        assert_eq!(measure.settle().unwrap_err().level, "tenant");
        assert_eq!(measure.refused(Waker::noop()).unwrap().level, "tenant");
        statement.give(25 << 20);
        drop(measure);
        assert_eq!(tenant.used(), 0);
    }

    #[test]
    fn threads_work_for_whom_they_entered() {
        let branch = MemoryBranch::root("tenant", usize::MAX);
        let measure = Measure::new(branch);
        assert!(Measure::current().is_none());
        let scope = measure.enter();
        let inside = Measure::current().unwrap();
        assert!(Arc::ptr_eq(&inside, &measure));
        let thread = std::thread::spawn(move || {
            let _scope = inside.enter();
            allocate(7 << 20);
        });
        thread.join().unwrap();
        drop(scope);
        allocate(9 << 20);
        assert!(Measure::current().is_none());
        assert_eq!(measure.bytes.load(Ordering::Relaxed) >> 20, 7);
    }
}
