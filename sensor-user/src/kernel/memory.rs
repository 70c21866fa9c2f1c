//! Memory that is no longer needed.

#[cfg(target_env = "gnu")]
use std::ffi::c_int;

/// Free memory that each arena of the allocator may keep at its end, and the size from which a piece is mapped by itself, in bytes.
#[cfg(target_env = "gnu")]
const KEPT: c_int = 1 << 20;

/// Arenas of the allocator. Only one thread allocates much at a time, and each arena keeps some megabytes that nobody else can have.
#[cfg(target_env = "gnu")]
const ARENAS: c_int = 2;

/// Has memory that is freed given back soon, and threads share it. Left alone, glibc keeps up to 64 MiB in each thread's arena once large pieces were
/// freed, such as a batch. To be called before there are threads. Other C libraries are left alone.
#[cfg_attr(
    target_env = "gnu",
    expect(unsafe_code, reason = "the C library's function has no safe form")
)]
pub fn keep_little() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it changes numbers of the allocator, under the allocator's own lock.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, KEPT);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
        libc::mallopt(libc::M_ARENA_MAX, ARENAS);
    }
}

/// Gives memory that was freed back to the system. Loading takes many times what is kept of it, in small pieces, of which the C library gives back
/// nothing by itself. Other C libraries than glibc are left alone.
#[cfg_attr(
    target_env = "gnu",
    expect(unsafe_code, reason = "the C library's function has no safe form")
)]
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it touches nothing but free memory of the allocator, under the allocator's own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}
