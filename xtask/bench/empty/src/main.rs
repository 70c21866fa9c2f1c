//! Programs that do nothing, one for each hook by which the sensor sees files opened.
#![no_std]
#![no_main]

use aya_ebpf::macros::{fentry, lsm, tracepoint};
use aya_ebpf::programs::{FEntryContext, LsmContext, TracePointContext};

/// On `syscalls:sys_exit_openat`.
#[tracepoint]
pub fn empty_tracepoint(_: TracePointContext) -> u32 {
    0
}

/// On `lsm/file_open`.
#[lsm(hook = "file_open")]
pub fn empty_lsm(_: LsmContext) -> i32 {
    0
}

/// On `fentry/security_file_open`.
#[fentry(function = "security_file_open")]
pub fn empty_fentry(_: FEntryContext) -> i32 {
    0
}

/// LSM programs are for GPL-compatible code only.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 4] = *b"GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
