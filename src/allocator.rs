//! What the process has of the system's memory, kept near what it uses. Blocks that mimalloc would leave holes for are in
//! `blocks`.
#![expect(unsafe_code, reason = "the allocator and the system are told by functions of C")]

#[cfg(target_os = "linux")]
use crate::blocks;

/// `mi_option_purge_delay` of mimalloc 3 (`mimalloc.h`), which the binding does not name.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
/// Freed memory goes back to the system after so long; by default after a second, in which a load frees hundreds of
/// megabytes.
const PURGE_DELAY_MS: std::ffi::c_long = 10;
/// With less memory than this the process uses small pages only.
#[cfg(target_os = "linux")]
const HUGE_PAGES_MB_MIN: usize = 2048;

/// Keeps what the process has of the system near what it uses, of `memory_mb` megabytes.
///
/// A huge page is resident as a whole if one of its bytes is used. They are worth that where there is much memory.
pub(crate) fn keep_to(memory_mb: usize) {
    // SAFETY: the option exists, and may be set at any time.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, PURGE_DELAY_MS) };
    #[cfg(target_os = "linux")]
    {
        let huge_pages = memory_mb >= HUGE_PAGES_MB_MIN;
        // SAFETY: it takes numbers alone, and changes which pages are made from now on.
        if !huge_pages && unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) } != 0 {
            tracing::warn!("huge pages could not be turned off");
        }
        blocks::open(memory_mb << 20, huge_pages);
    }
}
