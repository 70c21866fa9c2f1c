//! Two ways to read kernel memory.

use aya_ebpf::helpers::bpf_probe_read_kernel;

/// A way to read a member at an offset.
pub trait Read {
    /// Reads a `T` at `base + offset`.
    fn read<T: Copy + Default>(base: *const u8, offset: u32) -> T;
}

/// By plain load, from a pointer whose type the verifier knows (a task, or an argument of a hook). Cheaper, and a wrong offset is
/// refused at load. A fault reads zeros.
pub struct Typed;

/// By helper, from any address. A fault reads zeros.
pub struct Probed;

impl Read for Typed {
    #[inline(always)]
    fn read<T: Copy + Default>(base: *const u8, offset: u32) -> T {
        // SAFETY: the verifier admits this load only where the pointer's BTF type has a member of this size there, and the kernel
        // handles its faults. Volatile keeps the load as wide as it is written.
        unsafe { core::ptr::read_volatile(base.add(offset as usize).cast::<T>()) }
    }
}

impl Read for Probed {
    #[inline(always)]
    fn read<T: Copy + Default>(base: *const u8, offset: u32) -> T {
        // SAFETY: the helper copies from any address and reports a fault instead of taking it.
        unsafe { bpf_probe_read_kernel(base.wrapping_add(offset as usize).cast::<T>()) }.unwrap_or_default()
    }
}

/// Reads a pointer.
#[inline(always)]
pub fn pointer<R: Read>(base: *const u8, offset: u32) -> *const u8 {
    R::read::<usize>(base, offset) as *const u8
}
