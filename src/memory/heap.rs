//! Whether the allocator can give what a reservation counts.
//!
//! The module's memory is bounded, and a heap that many sizes went through has holes: bytes may be free without lying
//! together. An allocation that fails ends the module with all that it answers, so a large one is tried before it is counted
//! on. Execution is single-threaded, so what can be had now can still be had until the next wait.

use std::hint::black_box;

use crate::limits::{PROBE_SLACK, PROBED_BYTES};

/// Returns whether this number of bytes can be allocated in one piece, and a little beside. Few bytes are not tried.
pub(super) fn has_room(bytes: usize) -> bool {
    if bytes < PROBED_BYTES {
        return true;
    }
    let mut probe: Vec<u8> = Vec::new();
    let fits = probe.try_reserve_exact(bytes.saturating_add(PROBE_SLACK)).is_ok();
    // Otherwise the compiler leaves out the allocation, and takes it for made.
    black_box(&probe);
    fits
}

#[cfg(test)]
mod tests {
    use super::has_room;

    #[test]
    fn what_no_memory_has_is_no_room() {
        assert!(has_room(0) && has_room(1 << 20));
        assert!(!has_room(usize::MAX) && !has_room(isize::MAX.cast_unsigned()));
    }
}
