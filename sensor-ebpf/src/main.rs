//! The kernel half of the sensor: one file per family of hooks.
//!
//! - [`file_open`]: opens of credential files, by `lsm/file_open`, `fentry/security_file_open` or the exits of the open calls
//! - [`process`]: programs started, processes created and ended
//!
//! What all share: where the kernel keeps things ([`offsets`]), reading them ([`read`]), who acts ([`task`]), where a file lies
//! ([`path`]), what is known of objects ([`labels`]), and the accounts and records ([`report`]). [`abi`] holds
//! nothing but the layout of what both halves share.
//!
//! Offsets are never taken from bindings: rustc emits no relocations for them, so another kernel would silently be read wrongly.
//! They come from the running kernel's BTF as frozen globals. Reads from typed pointers are checked against that BTF by the verifier.
#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(internal_features, reason = "atomic_xadd: see report.rs")]

mod abi;
mod file_open;
mod labels;
mod offsets;
mod path;
mod process;
mod read;
mod report;
mod task;

/// The helpers used are open to GPL-compatible programs only, so this half is offered under the GPL too.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 4] = *b"GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier refuses a program from which this can be reached.
    loop {}
}
