//! Requests that are chained behind one that fails: they never run, and where that one was to succeed silently, none of them completes either.
//! `tp_btf/io_uring_fail_link(request, link)` (6.0) tells of each.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use super::{opens, over};
use crate::{
    changes_ring,
    file_use::untyped,
    offsets::offset,
    read::{Read, Typed},
};

/// What was kept until its end is let go.
#[btf_tracepoint(function = "io_uring_fail_link")]
pub fn io_uring_fail_link(ctx: BtfTracePointContext) -> i32 {
    let request: *const u8 = ctx.arg(1);
    let opcode: u8 = Typed::read(request, offset!(ring_opcode));
    if opens(opcode) {
        over(untyped(request));
    } else if changes_ring::is_change(opcode) {
        changes_ring::over(untyped(request));
    }
    0
}
