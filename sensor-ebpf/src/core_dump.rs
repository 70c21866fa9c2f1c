//! Cores of processes that may hold a credential: `tp_btf/sched_process_exit` (5.5). By then the kernel has put down whether it wrote one, be it to a
//! file, to a program or to a socket; a signal that would have had it write one says only that.
//!
//! One that SIGKILL cut short is not put down by the kernel, and so not told.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use claviger_sensor_common::{CoreDumpRecord, Probe, RECORD_CORE_DUMP};

use crate::{
    holders,
    offsets::offset,
    path,
    read::{Probed, Read, Typed, pointer},
    report::submit,
    task,
};

/// wait(2): beside the signal in the status of a process.
const CORE_WRITTEN: u32 = 0x80;
const SIGNAL: u32 = 0x7f;

/// `sched_process_exit(task)`: only the last thread's end is the process's.
#[btf_tracepoint(function = "sched_process_exit")]
pub fn process_exit_core(ctx: BtfTracePointContext) -> i32 {
    let ended: *const u8 = ctx.arg(0);
    let signal = pointer::<Typed>(ended, offset!(task_signal));
    let live: u32 = Probed::read(signal, offset!(signal_live));
    if live != 0 {
        return 0;
    }
    let Some(holder) = holders::ended(ended) else {
        return 0;
    };
    let code: u32 = Probed::read(signal, offset!(signal_exit_code));
    if code & CORE_WRITTEN == 0 {
        return 0;
    }
    submit::<CoreDumpRecord>(Probe::CoreDump as u32, RECORD_CORE_DUMP, |record| {
        // SAFETY: `record` is a reservation of this size.
        let record = unsafe { &mut *record };
        task::snapshot(&raw mut record.task);
        record.task.exe_inode = holder.exe_inode;
        record.task.exe_device = holder.exe_device;
        record.signal = code & SIGNAL;
        record.reserved = 0;
        path::walk(&path::working_directory(), &mut record.directory);
        true
    });
    0
}
