//! System calls whose beginning is seen beside their end, in families of which one program sees the beginnings.

/// Which family. As an index, that of an array of the kernel half in which the agent writes 1 once its program is attached: from then on a call that
/// has an end only did not happen, for something else answered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Calls {
    /// Changes of names.
    Names = 0,
    /// Changes of what a path leads to.
    Paths = 1,
    /// Changes of what a descriptor holds.
    Descriptors = 2,
    /// `ptrace` and `process_vm_*`.
    Requests = 3,
    /// `pidfd_getfd` and `process_madvise`.
    RequestsByDescriptor = 4,
    /// `ioctl`, as far as it is looked at.
    Ioctls = 5,
    /// `keyctl`.
    Keys = 6,
    /// `mount` and `move_mount`.
    Mounts = 7,
    /// Limits and priorities.
    Holds = 8,
    /// `bpf`.
    Bpf = 9,
}

/// How many there are.
pub const CALLS: u32 = 10;
