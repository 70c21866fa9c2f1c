//! Settings of the kernel without which hooks do not run, written by whomever and through whichever procfs: `cgroup/sysctl` on the topmost cgroup
//! (5.2). With `kernel.ftrace_enabled` at 0 no trampoline is called, so neither LSM nor fentry sees anything; the self-test says that they are blind,
//! and this who made them so. What the kernel answers is not known here.

use aya_ebpf::{helpers::generated::bpf_sysctl_get_name, macros::cgroup_sysctl, programs::SysctlContext};
use claviger_sensor_common::{
    OPERATION_TAMPER, ObjectKey, Probe, RECORD_TAMPER, REQUEST_SETTING, TAMPER_SETTING, TamperRecord,
};

use crate::{
    labels,
    offsets::{agent_pid, offset},
    read::{Read, Typed},
    repeats,
    report::submit,
    tamper::fill,
    task,
};

/// What a program here answers: it goes on as the kernel has it.
const ALLOWED: i32 = 1;

const FTRACE_ENABLED: &[u8; 21] = b"kernel/ftrace_enabled";

/// A setting is read or written. What is returned decides whether it may be, and always allows it.
#[cgroup_sysctl]
pub fn sysctl(ctx: SysctlContext) -> i32 {
    // SAFETY: the context of this kind of program; the verifier admits a load of this member.
    let is_written = unsafe { (*ctx.sysctl).write } != 0;
    if Typed::read::<u32>(task::current(), offset!(task_tgid)) == agent_pid() {
        labels::answer_seen(REQUEST_SETTING);
    } else if is_written {
        written(&ctx);
    }
    ALLOWED
}

#[inline(always)]
fn written(ctx: &SysctlContext) {
    let mut name = [0u8; 32];
    // SAFETY: the helper writes at most this many bytes, with a zero at their end.
    let length = unsafe { bpf_sysctl_get_name(ctx.sysctl, name.as_mut_ptr().cast(), name.len() as u64, 0) };
    if length != FTRACE_ENABLED.len() as i64 || name[..FTRACE_ENABLED.len()] != FTRACE_ENABLED[..] {
        return;
    }
    let key = repeats::key(OPERATION_TAMPER + TAMPER_SETTING, ObjectKey::default(), 0, 0);
    submit::<TamperRecord>(Probe::SensorTamper as u32, RECORD_TAMPER, |record| {
        // SAFETY: `record` is a reservation of this size.
        let record = unsafe { &mut *record };
        fill(record, key, 0, 0);
        record.path.given[..FTRACE_ENABLED.len()].copy_from_slice(FTRACE_ENABLED);
        record.path.given_length = FTRACE_ENABLED.len() as u32;
        true
    });
}
