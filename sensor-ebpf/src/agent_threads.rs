//! The sensor's own threads, for calls that name one of them where they mean a process.

use aya_ebpf::{macros::map, maps::HashMap};
use claviger_sensor_common::AGENT_THREADS_MAX;

use crate::{
    offsets::{agent_pid, offset},
    read::{Read, Typed},
    task,
};

/// By thread id. Those that run when the probes are attached are put in by the agent.
#[map]
static AGENT_THREADS: HashMap<u32, u32> = HashMap::with_max_entries(AGENT_THREADS_MAX, 0);

/// A thread of this process was created.
#[inline(always)]
pub fn began(process: u32, thread: u32) {
    if process == agent_pid() {
        let _full = AGENT_THREADS.insert(thread, 0u32, 0);
    }
}

/// A thread ended, and its process goes on.
#[inline(always)]
pub fn ended(task: *const u8) {
    if Typed::read::<u32>(task, offset!(task_tgid)) == agent_pid() {
        let _not_there = AGENT_THREADS.remove(Typed::read::<u32>(task, offset!(task_pid)));
    }
}

/// Whether the current task means the sensor, or one of its threads, by this id.
#[inline(always)]
pub fn is_named(id: u32) -> bool {
    // SAFETY: the value is not looked at.
    let is_own = id == agent_pid() || unsafe { AGENT_THREADS.get(id) }.is_some();
    is_own && task::is_in_first_pid_namespace()
}
