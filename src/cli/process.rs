//! What a serving process asks of the system it runs on.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// Buffers of this size and larger go back to the system when they are freed.
#[cfg(target_env = "gnu")]
const GIVEN_BACK_BYTES_MIN: i32 = 256 << 10;
/// Heaps that all threads share. glibc gives them up to eight a core, and each keeps what it once held:
/// bodies are decoded on many threads, one after the other (`cargo bench --bench serve` measures it).
#[cfg(target_env = "gnu")]
const HEAPS_MAX: i32 = 2;

/// Before anything is served, and before there are threads.
pub fn prepare() {
    allow_files();
    give_memory_back();
}

/// Raises the limit on open files to the allowed maximum: 1,024 is common, and fewer than the listener's connections.
/// Clients that use all of them must not keep the spool from opening a file.
fn allow_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        warn!("the limit on open files stays as it is: {error}");
    }
}

/// glibc learns from the first large buffer that is freed to keep buffers of up to 32 MiB for later, in
/// each of its arenas. Bodies would so take several times what the memory budget allows.
#[cfg(target_env = "gnu")]
fn give_memory_back() {
    use std::ffi::c_int;

    const M_TRIM_THRESHOLD: c_int = -1;
    const M_MMAP_THRESHOLD: c_int = -3;
    const M_ARENA_MAX: c_int = -8;

    unsafe extern "C" {
        fn mallopt(parameter: c_int, value: c_int) -> c_int;
    }
    // SAFETY: the signature is glibc's, and these parameters take any positive number.
    let set = unsafe {
        mallopt(M_MMAP_THRESHOLD, GIVEN_BACK_BYTES_MIN)
            & mallopt(M_TRIM_THRESHOLD, GIVEN_BACK_BYTES_MIN)
            & mallopt(M_ARENA_MAX, HEAPS_MAX)
    };
    if set == 0 {
        warn!("the allocator keeps freed memory: memory use may exceed the budget");
    }
}

#[cfg(not(target_env = "gnu"))]
fn give_memory_back() {}
