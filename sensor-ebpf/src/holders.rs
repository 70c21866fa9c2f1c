//! Which processes may hold a credential in their memory: those that have read one, or were started with one, and what they forked. Their next
//! program has none of it.

use aya_ebpf::{macros::map, maps::HashMap};
use claviger_sensor_common::{Ancestor, Counter, HOLDERS_MAX, Probe};

use crate::{
    offsets::{agent_pid, offset},
    read::{Probed, Read, Typed, pointer},
    report::lose,
    task,
};

/// `BPF_F_NO_PREALLOC`: memory is taken as entries are made.
const NO_PREALLOC: u32 = 1;

/// What is known of one. Its executable is kept for its end, when the kernel has let go of its memory before it says so.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Holder {
    /// The program run that holds it.
    exec_id: u64,
    pub exe_inode: u64,
    pub exe_device: u32,
    reserved: u32,
}

/// Until they end.
#[map]
static HOLDERS: HashMap<Ancestor, Holder> = HashMap::with_max_entries(HOLDERS_MAX, NO_PREALLOC);

/// This task's process may hold a credential. Global, as [`crate::file_use::known`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn holds(task: u64) -> u32 {
    let task = task as *const u8;
    let process = task::identify::<Probed>(task);
    // A core of the agent is prevented, and it reads them all.
    if process.pid == agent_pid() {
        return 0;
    }
    let exec_id = task::exec_id::<Probed>(task);
    if is_kept(&process, exec_id) {
        return 0;
    }
    let exe = pointer::<Probed>(pointer::<Probed>(task, offset!(task_mm)), offset!(mm_exe_file));
    let inode = pointer::<Probed>(exe, offset!(file_inode));
    let holder = Holder {
        exec_id,
        exe_inode: Probed::read(inode, offset!(inode_ino)),
        exe_device: Probed::read(pointer::<Probed>(inode, offset!(inode_sb)), offset!(sb_dev)),
        reserved: 0,
    };
    keep(&process, &holder);
    0
}

#[inline(always)]
fn is_kept(process: &Ancestor, exec_id: u64) -> bool {
    // SAFETY: a torn copy would only have it kept once more.
    unsafe { HOLDERS.get(process) }.is_some_and(|holder| holder.exec_id == exec_id)
}

#[inline(always)]
fn keep(process: &Ancestor, holder: &Holder) {
    if HOLDERS.insert(process, holder, 0).is_err() {
        lose(Probe::CoreDump, Counter::LostReaders);
    }
}

/// A process was forked: it has what its parent had. Whether that was anything.
#[inline(always)]
pub fn forked(parent: *const u8, child: *const u8) -> bool {
    // SAFETY: a torn copy would name another executable for a core.
    let holder = unsafe { HOLDERS.get(task::identify::<Typed>(parent)) };
    if let Some(holder) = holder.copied()
        && holder.exec_id == task::exec_id::<Typed>(parent)
    {
        keep(&task::identify::<Typed>(child), &holder);
        return true;
    }
    false
}

/// A process has ended: what was kept of it, if its last program may have held a credential. Told once, whichever of its threads was last.
#[inline(always)]
pub fn ended(task: *const u8) -> Option<Holder> {
    let process = task::identify::<Typed>(task);
    // SAFETY: as above.
    let holder = unsafe { HOLDERS.get(process) }.copied()?;
    HOLDERS.remove(process).ok()?;
    (holder.exec_id == task::exec_id::<Typed>(task)).then_some(holder)
}
