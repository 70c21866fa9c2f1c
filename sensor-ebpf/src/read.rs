//! Two ways to read kernel memory.

use aya_ebpf::helpers::bpf_probe_read_kernel;
use claviger_sensor_common::CALL_READ_ONLY_CAST;

/// A way to read a member at an offset.
pub trait Read {
    /// Whether one read may go over several members.
    const GOES_OVER_MEMBERS: bool;

    /// Reads a `T` at `base + offset`.
    fn read<T: Copy + Default>(base: *const u8, offset: u32) -> T;
}

/// By plain load, from a pointer whose type the verifier knows (a task, or an argument of a hook). Cheaper, and a wrong offset is
/// refused at load. A fault reads zeros.
pub struct Typed;

/// By helper, from any address. A fault reads zeros.
pub struct Probed;

impl Read for Typed {
    const GOES_OVER_MEMBERS: bool = false;

    #[inline(always)]
    fn read<T: Copy + Default>(base: *const u8, offset: u32) -> T {
        // SAFETY: the verifier admits this load only where the pointer's BTF type has a member of this size there, and the kernel
        // handles its faults. Volatile keeps the load as wide as it is written.
        unsafe { core::ptr::read_volatile(base.add(offset as usize).cast::<T>()) }
    }
}

impl Read for Probed {
    const GOES_OVER_MEMBERS: bool = true;

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

/// A number of which the verifier knows nothing any more. Before 6.7 it looks at the callback of `bpf_loop` as it is called first, and takes away what
/// only a later call comes to: what such a callback counts must not be known to it at the beginning.
#[inline(always)]
pub fn unknown(number: u32) -> u32 {
    Probed::read((&raw const number).cast(), 0)
}

/// Gives a pointer that is a mere number a type, by its BTF id, so that [`Typed`] can read from it: the kernel function
/// `bpf_rdonly_cast` (6.2), which costs nothing at run time. The loader puts its id where its stand-in is called.
#[inline(always)]
pub fn cast(pointer: *const u8, kind: u32) -> *const u8 {
    // SAFETY: no such function is ever called: the loader replaces the call, or the verifier refuses the program.
    let cast: extern "C" fn(*const u8, u32) -> *const u8 =
        unsafe { core::mem::transmute(CALL_READ_ONLY_CAST as usize) };
    cast(pointer, kind)
}
