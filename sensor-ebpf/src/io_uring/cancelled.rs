//! Opens that are chained behind what fails: they never run, and where that was to succeed silently, none of them completes either.
//! `tp_btf/io_uring_fail_link(request, link)` (6.0) tells of each. Of changes see [`crate::changes_ring`].

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use super::{opens, over};
use crate::{
    numbers::untyped,
    offsets::offset,
    read::{Read, Typed},
};

/// What was kept until its end is let go.
#[btf_tracepoint(function = "io_uring_fail_link")]
pub fn io_uring_fail_link(ctx: BtfTracePointContext) -> i32 {
    let request: *const u8 = ctx.arg(1);
    if opens(Typed::read(request, offset!(ring_opcode))) {
        over(untyped(request));
    }
    0
}
