//! The kernel half, as built with this very binary.

use aya::include_bytes_aligned;

/// The eBPF object. The build script made it from the sources that this binary was built from.
pub static OBJECT: &[u8] = include_bytes_aligned!(env!("CLAVIGER_EBPF_OBJECT"));
