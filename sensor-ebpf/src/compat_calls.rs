//! Opens by 32-bit system calls, of 32-bit programs and by `int $0x80`, where opens are seen by tracepoints: `tp_btf/sys_exit`, which every
//! system call of the host passes, so only where it is asked for.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{
    attempts::{AT_FDCWD, O_CREAT_WRONLY_TRUNC, how, is_refusal, refused_by},
    descriptors,
    file_open::returned,
    handles,
    offsets::offset,
    read::{Probed, Read, Typed},
    task,
};

/// arch/x86/entry/syscalls/syscall_32.tbl
mod number {
    pub const OPEN: u32 = 5;
    pub const CREAT: u32 = 8;
    pub const OPENAT: u32 = 295;
    pub const OPEN_BY_HANDLE_AT: u32 = 342;
    pub const OPENAT2: u32 = 437;
}

/// `sys_exit(regs, result)`
#[btf_tracepoint(function = "sys_exit")]
pub fn compat_exits(ctx: BtfTracePointContext) -> i32 {
    if !task::is_in_compat_call() {
        return 0;
    }
    let regs: *const u8 = ctx.arg(0);
    let number = Typed::read::<u64>(regs, offset!(regs_number)) as u32;
    if !matches!(
        number,
        number::OPEN | number::CREAT | number::OPENAT | number::OPEN_BY_HANDLE_AT | number::OPENAT2
    ) {
        return 0;
    }
    // The upper half of a 32-bit call's result means nothing.
    let result = i64::from(ctx.arg::<i32>(1));
    if result >= 0 {
        returned::<Probed>(descriptors::file::<Typed>(result as u32));
    } else if is_refusal(result) {
        failed(number, -result as u32, regs);
    }
    0
}

#[inline(always)]
fn failed(number: u32, errno: u32, regs: *const u8) {
    let first = Typed::read::<u64>(regs, offset!(regs_compat_first)) as u32;
    let second = Typed::read::<u64>(regs, offset!(regs_compat_second)) as u32;
    let third = Typed::read::<u64>(regs, offset!(regs_third)) as u32;
    let (directory, given, (flags, in_root)) = match number {
        number::OPEN => (AT_FDCWD, first, (second, 0)),
        number::CREAT => (AT_FDCWD, first, (O_CREAT_WRONLY_TRUNC, 0)),
        number::OPENAT => (first as i32, second, (third, 0)),
        number::OPENAT2 => (first as i32, second, how(u64::from(third) as *const u8)),
        _ => {
            handles::refused_of_handle(errno, first as i32, u64::from(second), third);
            return;
        }
    };
    refused_by(errno, directory, u64::from(given), flags, in_root);
}
