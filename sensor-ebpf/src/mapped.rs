//! Labelled files mapped into memory: a descriptor can be mapped long after it was opened, and by another program.
//!
//! - `vm_mmap_pgoff` at its exit, where a program can be told what a function returned (5.17), or else `lsm/mmap_file` or `fentry/security_mmap_file`, which
//!   are asked before the kernel itself may refuse
//! - `syscalls:sys_exit_mmap`: the descriptor that was given

use aya_ebpf::{
    macros::{fentry, fexit, lsm, tracepoint},
    programs::{FEntryContext, FExitContext, LsmContext, TracePointContext},
};
use claviger_sensor_common::{Counter, OPERATION_MAP, Probe, REQUEST_MAPPED};

use crate::{
    arguments::{Arguments, result},
    descriptors,
    file_use::used,
    labels,
    numbers::untyped,
    offsets::agent_pid,
    program,
    read::{Probed, Read, Typed},
    report::lose,
    task,
};

/// include/uapi/asm-generic/mman-common.h
const MAP_ANONYMOUS: u64 = 0x20;

/// Hooks 1 and 2: the address where it is mapped, or an error, which is negative.
#[fexit(function = "vm_mmap_pgoff")]
pub fn fexit_vm_mmap_pgoff(ctx: FExitContext) -> i32 {
    let file: *const u8 = ctx.arg(0);
    if !file.is_null() && ctx.ret::<i64>().is_ok_and(|address| address > 0) {
        mapped::<Typed>(file, ctx.arg(3), ctx.arg(4));
    }
    0
}

/// Hook 1, where that cannot be.
#[lsm(hook = "mmap_file")]
pub fn lsm_mmap_file(ctx: LsmContext) -> i32 {
    let file: *const u8 = ctx.arg(0);
    // Of a mere number: until 6.14 the verifier takes an argument of an LSM hook for one that is never null, and takes the check out.
    if untyped(file) != 0 {
        mapped::<Typed>(file, ctx.arg(1), ctx.arg(3));
    }
    0
}

/// Hook 2, where that cannot be.
#[fentry(function = "security_mmap_file")]
pub fn fentry_security_mmap_file(ctx: FEntryContext) -> i32 {
    let file: *const u8 = ctx.arg(0);
    if !file.is_null() {
        mapped::<Typed>(file, ctx.arg(1), ctx.arg(2));
    }
    0
}

/// Hook 3, where pointers can be given types (6.2).
#[tracepoint]
pub fn sys_exit_mmap_typed(ctx: TracePointContext) -> u32 {
    if let Some(descriptor) = descriptor(&ctx) {
        let arguments = Arguments::current();
        mapped_by_call::<Typed>(
            descriptors::typed_file(descriptor),
            arguments.third(),
            arguments.fourth(),
        );
    }
    0
}

/// Hook 3, on kernels before.
#[tracepoint]
pub fn sys_exit_mmap(ctx: TracePointContext) -> u32 {
    if let Some(descriptor) = descriptor(&ctx) {
        let arguments = Arguments::current();
        mapped_by_call::<Probed>(
            descriptors::file::<Typed>(descriptor),
            arguments.third(),
            arguments.fourth(),
        );
    }
    0
}

/// The descriptor that was mapped, where one was. It may have been closed since.
#[inline(always)]
fn descriptor(ctx: &TracePointContext) -> Option<u32> {
    // Addresses are positive, errors are not.
    if result(ctx) <= 0 {
        return None;
    }
    let arguments = Arguments::current();
    if arguments.fourth() & MAP_ANONYMOUS != 0 {
        return None;
    }
    descriptors::checked::<Typed>(arguments.fifth() as u32)
}

#[inline(always)]
fn mapped_by_call<R: Read>(file: *const u8, protection: u64, flags: u64) {
    if file.is_null() {
        lose(Probe::FileMapped, Counter::LostDescriptorGone);
    } else {
        mapped::<R>(file, protection, flags);
    }
}

#[inline(always)]
fn mapped<R: Read>(file: *const u8, protection: u64, flags: u64) {
    if task::current_pid() == agent_pid() {
        labels::answer_seen(REQUEST_MAPPED);
        return;
    }
    program::mapped(file, protection, flags);
    used::<R>(Probe::FileMapped, OPERATION_MAP, file);
}
