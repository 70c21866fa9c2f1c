//! The arguments of the current system call, as they stand in the saved registers of the task.

use aya_ebpf::{EbpfContext as _, helpers::generated::bpf_task_pt_regs, programs::TracePointContext};

use claviger_sensor_common::MISSING;

use crate::{
    offsets::offset,
    read::{Read, Typed},
    task,
};

/// The saved registers.
pub struct Arguments(*const u8);

impl Arguments {
    /// Those of the current task.
    #[inline(always)]
    pub fn current() -> Self {
        // SAFETY: the helper takes the current task and returns its saved registers, typed.
        Self(unsafe { bpf_task_pt_regs(task::current().cast_mut().cast()) } as *const u8)
    }

    /// The first.
    #[inline(always)]
    pub fn first(&self) -> u64 {
        Typed::read(self.0, offset!(regs_first))
    }

    /// The second.
    #[inline(always)]
    pub fn second(&self) -> u64 {
        Typed::read(self.0, offset!(regs_second))
    }

    /// The third.
    #[inline(always)]
    pub fn third(&self) -> u64 {
        Typed::read(self.0, offset!(regs_third))
    }

    /// The fourth.
    #[inline(always)]
    pub fn fourth(&self) -> u64 {
        Typed::read(self.0, offset!(regs_fourth))
    }

    /// The fifth.
    #[inline(always)]
    pub fn fifth(&self) -> u64 {
        Typed::read(self.0, offset!(regs_fifth))
    }
}

/// The number of the system call under way, of a 32-bit one among those; of a thread of the kernel's that works for a process, that of the call that made it.
#[inline(always)]
pub fn call_number() -> u32 {
    if offset!(regs_number) == MISSING {
        return u32::MAX;
    }
    Typed::read::<u64>(Arguments::current().0, offset!(regs_number)) as u32
}

/// Whether the system call under way may be one that runs a program, a 32-bit one too. Where the number is not known, it may.
#[inline(always)]
pub fn may_execute() -> bool {
    const EXECVE: u32 = 59;
    const EXECVEAT: u32 = 322;
    const EXECVE_32: u32 = 11;
    const EXECVEAT_32: u32 = 358;
    matches!(
        call_number(),
        EXECVE | EXECVEAT | EXECVE_32 | EXECVEAT_32 | u32::MAX
    )
}

/// Numbers of the system calls that programs tell apart, of x86-64.
pub mod number {
    pub const OPEN: i64 = 2;
    pub const KILL: i64 = 62;
    pub const PTRACE: i64 = 101;
    pub const SETPRIORITY: i64 = 141;
    pub const CREAT: i64 = 85;
    pub const RT_SIGQUEUEINFO: i64 = 129;
    pub const MOUNT: i64 = 165;
    pub const TKILL: i64 = 200;
    pub const TGKILL: i64 = 234;
    pub const OPENAT: i64 = 257;
    pub const IOPRIO_SET: i64 = 251;
    pub const RT_TGSIGQUEUEINFO: i64 = 297;
    pub const PRLIMIT64: i64 = 302;
    pub const PROCESS_VM_READV: i64 = 310;
    pub const PROCESS_VM_WRITEV: i64 = 311;
    pub const OPEN_BY_HANDLE_AT: i64 = 304;
    pub const OPENAT2: i64 = 437;
    pub const PIDFD_GETFD: i64 = 438;
    pub const PROCESS_MADVISE: i64 = 440;
}

/// Which call it is, in the context of `syscalls:sys_exit_*`: one program stands behind several calls, so that the verifier looks at it once.
#[inline(always)]
pub fn number(ctx: &TracePointContext) -> i64 {
    // SAFETY: the format of syscalls:sys_exit_* has the number at 8; the verifier admits a load from the context.
    i64::from(unsafe { ctx.as_ptr().cast::<u8>().add(8).cast::<i32>().read_volatile() })
}

/// The result of the call, in the context of `syscalls:sys_exit_*`: common fields (8 bytes), the call's number (8 bytes), its result.
#[inline(always)]
pub fn result(ctx: &TracePointContext) -> i64 {
    // SAFETY: as above; the result is at 16 on every kernel with 64-bit longs.
    unsafe { ctx.as_ptr().cast::<u8>().add(16).cast::<i64>().read_volatile() }
}
