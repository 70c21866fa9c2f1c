//! Memory that is no longer needed.

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
