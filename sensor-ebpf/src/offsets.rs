//! Frozen globals, written by the loader before the programs are loaded. The verifier knows their values.

use claviger_sensor_common::{Offsets, RING_BYTES};

/// Where this kernel keeps what is read. All zero until the loader fills it; a program with zeros is refused or reads nothing.
#[unsafe(no_mangle)]
static OFFSETS: Offsets = {
    // SAFETY: Offsets is plain integers; all zero is a value of it.
    unsafe { core::mem::zeroed() }
};

/// Process id of the agent in the initial pid namespace.
#[unsafe(no_mangle)]
static AGENT_PID: u32 = 0;

/// Bytes of the ring, as it was made.
#[unsafe(no_mangle)]
static RING_SIZE: u32 = RING_BYTES;

macro_rules! offset {
    ($field:ident) => {
        $crate::offsets::value(|offsets| &raw const offsets.$field)
    };
}
pub(crate) use offset;

/// Reads one offset. Volatile, for the value that the compiler sees is not the value that is loaded.
#[inline(always)]
pub fn value(field: impl FnOnce(&Offsets) -> *const u32) -> u32 {
    // SAFETY: `field` projects into a static, which lives for ever.
    unsafe { core::ptr::read_volatile(field(&OFFSETS)) }
}

/// The agent's process id.
#[inline(always)]
pub fn agent_pid() -> u32 {
    // SAFETY: a static that lives for ever.
    unsafe { core::ptr::read_volatile(&raw const AGENT_PID) }
}

/// Bytes of the ring.
#[inline(always)]
pub fn ring_bytes() -> u32 {
    // SAFETY: a static that lives for ever.
    unsafe { core::ptr::read_volatile(&raw const RING_SIZE) }
}
