//! Memory by branches: what a statement takes counts for its tenant and for the server too.
//!
//! ```text
//! server ─┬─ tenant ─┬─ role ─┬─ statement
//!         └─ tenant  └─ …     └─ …
//! ```
//!
//! Numbers only: who takes memory and what for is the affair of those who take it.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// A share of memory with a limit of its own, inside that of its parent.
#[derive(Debug)]
pub struct MemoryBranch {
    level: &'static str,
    bytes_max: AtomicUsize,
    used: AtomicUsize,
    peak: AtomicUsize,
    parent: Option<Arc<MemoryBranch>>,
    spare: OnceLock<Spare>,
}

/// Gives back memory that was only kept because it was there; asked for some bytes, says how many are free now.
struct Spare(Box<dyn Fn(usize) -> usize + Send + Sync>);

impl fmt::Debug for Spare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spare")
    }
}

/// Why memory was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfMemory {
    /// Whose limit it was: `server`, `tenant`, `role` or `statement`.
    pub level: &'static str,
    /// That limit in bytes.
    pub bytes_max: usize,
    /// What was taken under it already.
    pub used: usize,
    /// What was wanted.
    pub wanted: usize,
}

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { level, bytes_max, used, wanted } = self;
        write!(
            f,
            "The memory of the {level} is used up: limit={bytes_max} used={used} requested={wanted} bytes."
        )
    }
}

impl MemoryBranch {
    /// A branch without a parent.
    pub fn root(level: &'static str, bytes_max: usize) -> Arc<Self> {
        Self::new(level, bytes_max, None)
    }

    /// A branch inside this one; without a limit of its own, this one's holds.
    pub fn child(self: &Arc<Self>, level: &'static str, bytes_max: Option<usize>) -> Arc<Self> {
        Self::new(level, bytes_max.unwrap_or(usize::MAX), Some(Arc::clone(self)))
    }

    fn new(level: &'static str, bytes_max: usize, parent: Option<Arc<Self>>) -> Arc<Self> {
        Arc::new(Self {
            level,
            bytes_max: AtomicUsize::new(bytes_max),
            used: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            parent,
            spare: OnceLock::new(),
        })
    }

    /// Another limit; what was taken already stays.
    pub fn set_bytes_max(&self, bytes_max: Option<usize>) {
        self.bytes_max.store(bytes_max.unwrap_or(usize::MAX), Ordering::Relaxed);
    }

    /// The limit that holds here: the smallest of its own and those above.
    pub fn bytes_max(&self) -> usize {
        let own = self.bytes_max.load(Ordering::Relaxed);
        self.parent.as_ref().map_or(own, |parent| own.min(parent.bytes_max()))
    }

    /// Bytes taken now.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// The most bytes that were taken at a time.
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// Takes memory whatever the limits say, for what cannot be refused.
    pub fn take(&self, bytes: usize) {
        let used = self.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.peak.fetch_max(used, Ordering::Relaxed);
        if let Some(parent) = &self.parent {
            parent.take(bytes);
        }
    }

    /// Who gives back memory before it is refused here; the first one stays.
    pub fn spare(&self, give: impl Fn(usize) -> usize + Send + Sync + 'static) {
        self.spare.get_or_init(|| Spare(Box::new(give)));
    }

    /// Takes memory if there is so much under every limit on the way up, or once what is kept to spare was given back;
    /// else nothing.
    ///
    /// # Errors
    /// The first limit that is in the way.
    pub fn try_take(&self, bytes: usize) -> Result<(), OutOfMemory> {
        match self.take_if_free(bytes) {
            Err(_) if self.spare.get().is_some_and(|spare| spare.0(bytes) > 0) => {
                self.take_if_free(bytes)
            }
            answer => answer,
        }
    }

    fn take_if_free(&self, bytes: usize) -> Result<(), OutOfMemory> {
        let bytes_max = self.bytes_max.load(Ordering::Relaxed);
        let fits = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= bytes_max);
        let before = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
            .map_err(|used| OutOfMemory { level: self.level, bytes_max, used, wanted: bytes })?;
        if let Some(parent) = &self.parent
            && let Err(refused) = parent.try_take(bytes)
        {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(refused);
        }
        self.peak.fetch_max(before + bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Gives memory back.
    pub fn give(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(parent) = &self.parent {
            parent.give(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_leaves_every_level_as_it_was() {
        let server = MemoryBranch::root("server", 100);
        let (one, other) = (server.child("tenant", Some(60)), server.child("tenant", None));
        let statement = one.child("statement", None);
        statement.try_take(50).unwrap();
        let refused = statement.try_take(20).unwrap_err();
        assert_eq!((refused.level, refused.bytes_max, refused.used), ("tenant", 60, 50));
        other.try_take(50).unwrap();
        assert_eq!(other.try_take(1).unwrap_err().level, "server");
        assert_eq!((server.used(), one.used(), statement.used()), (100, 50, 50));
        statement.give(50);
        assert_eq!((server.used(), one.used(), statement.peak()), (50, 0, 50));
        assert_eq!((one.bytes_max(), other.bytes_max()), (60, 100));
    }
}
