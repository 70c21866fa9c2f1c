//! Keys of the kernel's keyrings: `syscalls:sys_exit_keyctl`, of commands that read a key or give it to others, allowed or refused.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use claviger_sensor_common::{
    Calls, KernelKeyRecord, OPERATION_KEY, ObjectKey, Probe, RECORD_KERNEL_KEY, REQUEST_KEY,
};

use crate::{
    arguments::{Arguments, result},
    attempts::is_refusal,
    begun, labels,
    offsets::agent_pid,
    repeats,
    report::submit,
    task,
};

/// Commands of include/uapi/linux/keyctl.h.
const KEYCTL_CHOWN: u64 = 4;
const KEYCTL_SETPERM: u64 = 5;
const KEYCTL_READ: u64 = 11;

/// `keyctl` is asked for.
#[tracepoint]
pub fn sys_enter_keyctl(_ctx: TracePointContext) -> u32 {
    begun::begins(Calls::Keys);
    0
}

/// `keyctl(command, key, …)`. A read without room for the key (`length` 0) asks for its size and is none.
#[tracepoint]
pub fn sys_exit_keyctl(ctx: TracePointContext) -> u32 {
    let began = begun::began(Calls::Keys);
    if task::current_pid() == agent_pid() {
        labels::answer_seen(REQUEST_KEY);
        return 0;
    }
    let result = result(&ctx);
    if (result < 0 && !is_refusal(result)) || (result >= 0 && !began) {
        return 0;
    }
    let arguments = Arguments::current();
    let command = arguments.first() as u32;
    match u64::from(command) {
        KEYCTL_CHOWN | KEYCTL_SETPERM => {}
        KEYCTL_READ if arguments.fourth() != 0 => {}
        _ => return 0,
    }
    let object = ObjectKey {
        inode: u64::from(arguments.second() as u32),
        device: command,
        generation: 0,
    };
    let errno = if result < 0 { -result as u32 } else { 0 };
    let key = repeats::key(OPERATION_KEY, object, 0, errno);
    repeats::first_only(Probe::KernelKey as u32, &key, || {
        submit::<KernelKeyRecord>(Probe::KernelKey as u32, RECORD_KERNEL_KEY, |record| {
            // SAFETY: `record` is a reservation of this size.
            let record = unsafe { &mut *record };
            record.key = key;
            task::snapshot(&raw mut record.task);
            true
        })
    });
    0
}
