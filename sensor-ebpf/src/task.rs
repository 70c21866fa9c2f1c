//! Who acts: the current task as it is at this moment.

use aya_ebpf::helpers::{
    bpf_probe_read_kernel_buf, bpf_probe_read_kernel_str_bytes,
    generated::{bpf_get_current_cgroup_id, bpf_get_current_task_btf},
};
use claviger_sensor_common::{
    ANCESTORS_MAX, Ancestor, MARK_DELETED, MARK_LAYER_UNKNOWN, MARK_MEMFD, MARK_UPPER_LAYER, MISSING,
    NAME_BYTES, PathBytes, RootOfTask, TaskSnapshot, UNKNOWN_ID,
};

use crate::{
    numbers::untyped,
    offsets::offset,
    overlay::{self, Layer},
    path,
    read::{Probed, Read, Typed, pointer},
};

/// The current task, typed for the verifier.
#[inline(always)]
pub fn current() -> *const u8 {
    // SAFETY: the helper has no conditions; a task runs.
    unsafe { bpf_get_current_task_btf() as *const u8 }
}

/// Process id of the current task, in the initial pid namespace.
#[inline(always)]
pub fn current_pid() -> u32 {
    (aya_ebpf::helpers::bpf_get_current_pid_tgid() >> 32) as u32
}

/// Thread id of the current task, in the initial pid namespace.
#[inline(always)]
pub fn current_tid() -> u32 {
    aya_ebpf::helpers::bpf_get_current_pid_tgid() as u32
}

/// Whether the current task may do what was given to an io_uring: it has one, or works for one.
#[inline(always)]
pub fn may_run_ring() -> bool {
    let has_ring = offset!(task_ring) != MISSING && Typed::read::<u64>(current(), offset!(task_ring)) != 0;
    has_ring || is_ring_worker()
}

/// Whether the current task is a worker of an io_uring.
#[inline(always)]
pub fn is_ring_worker() -> bool {
    /// include/linux/sched.h
    const PF_IO_WORKER: u32 = 0x10;
    Typed::read::<u32>(current(), offset!(task_flags)) & PF_IO_WORKER != 0
}

/// Whether the current task is a thread of the kernel's that works for no ring, and so for no process that could be named.
#[inline(always)]
pub fn is_of_kernel() -> bool {
    /// include/linux/sched.h
    const PF_KTHREAD: u32 = 0x20_0000;
    Typed::read::<u32>(current(), offset!(task_flags)) & PF_KTHREAD != 0
}

/// Whether the system call under way is a 32-bit one.
#[inline(always)]
pub fn is_in_compat_call() -> bool {
    /// arch/x86/include/asm/thread_info.h
    const TS_COMPAT: u32 = 0x2;
    Typed::read::<u32>(current(), offset!(thread_status)) & TS_COMPAT != 0
}

/// What identifies the current process.
#[inline(always)]
pub fn current_process() -> Ancestor {
    identify::<Typed>(current())
}

/// How many programs the current process has started.
#[inline(always)]
pub fn current_exec_id() -> u64 {
    Typed::read(current(), offset!(task_exec_id))
}

/// What identifies the process of a task given by any pointer.
#[inline(always)]
pub fn identify<R: Read>(task: *const u8) -> Ancestor {
    let leader = pointer::<R>(task, offset!(task_group_leader));
    Ancestor {
        pid: R::read(task, offset!(task_tgid)),
        exec_id: 0,
        start_boottime_ns: R::read(leader, offset!(task_start_boottime)),
    }
}

/// How many programs the process of a task given by any pointer has started.
#[inline(always)]
pub fn exec_id<R: Read>(task: *const u8) -> u64 {
    R::read(task, offset!(task_exec_id))
}

/// When the process of a task given by any pointer was created, in nanoseconds since boot.
#[inline(always)]
pub fn created_boot_ns(task: *const u8) -> u64 {
    Probed::read(
        pointer::<Probed>(task, offset!(task_group_leader)),
        offset!(task_start_boottime),
    )
}

/// Whether a process has run another program since it was created, as far as is known.
#[inline(always)]
pub fn has_run_another(task: *const u8) -> bool {
    offset!(task_parent_exec_id) != MISSING
        && Probed::read::<u64>(task, offset!(task_parent_exec_id)) != exec_id::<Probed>(task)
}

/// Writes the snapshot of the current task to `out`. Global, so that the verifier looks at it once for each program and not for each state in
/// which it is called.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn snapshot(out: *mut TaskSnapshot) -> u32 {
    // The verifier only knows that it may be null.
    if out.is_null() {
        return 1;
    }
    // SAFETY: the helper only returns a number.
    snapshot_of::<Typed>(current(), unsafe { bpf_get_current_cgroup_id() }, out);
    // SAFETY: it points into what the caller gave, which is not null.
    ancestors_of_current(unsafe { &raw mut (*out).ancestors });
    0
}

/// Writes the ancestors of the current process. Global, so that what it takes of the stack is free again behind it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn ancestors_of_current(out: *mut [Ancestor; ANCESTORS_MAX]) -> u32 {
    if out.is_null() {
        return 1;
    }
    ancestors::<Typed>(pointer::<Typed>(current(), offset!(task_group_leader)), out);
    0
}

/// Writes the snapshot of another task to `out`. Global, for the same reason.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn snapshot_of_another(task: u64, out: *mut TaskSnapshot) -> u32 {
    if out.is_null() {
        return 1;
    }
    let task = task as *const u8;
    snapshot_of::<Probed>(task, cgroup_id::<Probed>(task), out);
    let leader = pointer::<Probed>(task, offset!(task_group_leader));
    // SAFETY: it points into what the caller gave, which is not null.
    ancestors::<Probed>(leader, unsafe { &raw mut (*out).ancestors });
    0
}

/// Writes to `out` which tree of files the current task sees.
#[inline(always)]
pub fn write_root(out: *mut RootOfTask) {
    let task = current();
    let nsproxy = pointer::<Typed>(task, offset!(task_nsproxy));
    let namespace = pointer::<Probed>(nsproxy, offset!(nsproxy_mnt_ns));
    let dentry = path::root::<Typed>(task).dentry;
    let inode = pointer::<Probed>(dentry, offset!(dentry_inode));
    // SAFETY: `out` points into a reservation of the ring that holds a RootOfTask.
    unsafe {
        (&raw mut (*out).namespace_sequence).write(if offset!(mnt_ns_sequence) == MISSING {
            0
        } else {
            Probed::read(namespace, offset!(mnt_ns_sequence))
        });
        (&raw mut (*out).inode).write(Probed::read(inode, offset!(inode_ino)));
        (&raw mut (*out).device).write(Probed::read(
            pointer::<Probed>(inode, offset!(inode_sb)),
            offset!(sb_dev),
        ));
        (&raw mut (*out).reserved).write(0);
    }
}

/// The cgroup v2 id of a task given by any pointer; 0 where the kernel has no cgroups.
#[inline(always)]
pub fn cgroup_id<R: Read>(task: *const u8) -> u64 {
    if offset!(task_cgroups) == MISSING || offset!(css_set_cgroup) == MISSING {
        return 0;
    }
    let set = pointer::<R>(task, offset!(task_cgroups));
    let cgroup = pointer::<Probed>(set, offset!(css_set_cgroup));
    Probed::read(pointer::<Probed>(cgroup, offset!(cgroup_node)), offset!(node_id))
}

/// Writes the snapshot of a task, whose cgroup is given, to `out`, but for its ancestors.
#[inline(always)]
fn snapshot_of<R: Read>(task: *const u8, cgroup_id: u64, out: *mut TaskSnapshot) {
    let login_uid = offset!(task_loginuid);
    // One after the other, so that little of it is on the stack at a time.
    // SAFETY: `out` points into a reservation of the ring that holds a TaskSnapshot.
    unsafe {
        (&raw mut (*out).cgroup_id).write(cgroup_id);
        (&raw mut (*out).pid).write(R::read(task, offset!(task_tgid)));
        (&raw mut (*out).tid).write(R::read(task, offset!(task_pid)));
        (&raw mut (*out).login_uid).write(if login_uid == MISSING {
            UNKNOWN_ID
        } else {
            R::read(task, login_uid)
        });
        (&raw mut (*out).pid_namespace)
            .write(pid_namespace(pointer::<Probed>(task, offset!(task_thread_pid))));

        let leader = pointer::<R>(task, offset!(task_group_leader));
        (&raw mut (*out).start_boottime_ns).write(R::read(leader, offset!(task_start_boottime)));
        (&raw mut (*out).exec_id).write(exec_id::<R>(leader) as u32);
        // Where it cannot be read, the helper writes zeros.
        let _read =
            bpf_probe_read_kernel_buf(leader.wrapping_add(offset!(task_comm) as usize), &mut (*out).comm);

        let exe = pointer::<R>(pointer::<R>(task, offset!(task_mm)), offset!(mm_exe_file));
        let exe_inode = pointer::<R>(exe, offset!(file_inode));
        (&raw mut (*out).exe_inode).write(R::read(exe_inode, offset!(inode_ino)));
        (&raw mut (*out).exe_device).write(R::read(
            pointer::<R>(exe_inode, offset!(inode_sb)),
            offset!(sb_dev),
        ));
        (&raw mut (*out).exe_marks).write(marks(untyped(exe)));

        let nsproxy = pointer::<R>(task, offset!(task_nsproxy));
        (&raw mut (*out).mount_namespace).write(namespace::<R>(
            nsproxy,
            offset!(nsproxy_mnt_ns),
            offset!(mnt_ns_inum),
        ));
        (&raw mut (*out).network_namespace).write(namespace::<R>(
            nsproxy,
            offset!(nsproxy_net_ns),
            offset!(net_ns_inum),
        ));

        // Not by type: where the kernel's types say what RCU protects, it may be null to the verifier.
        let cred = pointer::<Probed>(task, offset!(task_real_cred));
        (&raw mut (*out).effective_capabilities).write(Probed::read(cred, offset!(cred_cap_effective)));
        let [uid, gid, euid, egid] = ids(cred);
        (&raw mut (*out).uid).write(uid);
        (&raw mut (*out).gid).write(gid);
        (&raw mut (*out).euid).write(euid);
        (&raw mut (*out).egid).write(egid);
        (&raw mut (*out).user_namespace).write(namespace::<Probed>(
            cred,
            offset!(cred_user_ns),
            offset!(user_ns_inum),
        ));
    }
}

/// Real and effective user and group, by one read where they stand as in all kernels so far: each real, then saved, then effective, user before group.
#[inline(always)]
fn ids(cred: *const u8) -> [u32; 4] {
    let first = offset!(cred_uid);
    if [offset!(cred_gid), offset!(cred_euid), offset!(cred_egid)] == [first + 4, first + 16, first + 20] {
        let [uid, gid, _, _, euid, egid]: [u32; 6] = Probed::read(cred, first);
        [uid, gid, euid, egid]
    } else {
        [
            Probed::read(cred, first),
            Probed::read(cred, offset!(cred_gid)),
            Probed::read(cred, offset!(cred_euid)),
            Probed::read(cred, offset!(cred_egid)),
        ]
    }
}

/// What marks an executable: `MARK_` bits. Global, so that what it takes of the stack is free again behind it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn marks(file: u64) -> u32 {
    let file = file as *const u8;
    let inode = pointer::<Probed>(file, offset!(file_inode));
    if inode.is_null() {
        // A kernel thread has none.
        return 0;
    }
    let dentry = pointer::<Probed>(file, offset!(file_dentry));
    let links: u32 = Probed::read(inode, offset!(inode_links));
    let is_root = dentry == pointer::<Probed>(dentry, offset!(dentry_parent));
    let marks = match overlay::layer(inode) {
        Layer::None | Layer::Lower => 0,
        Layer::Upper => MARK_UPPER_LAYER,
        Layer::Unknown => MARK_LAYER_UNKNOWN,
    };
    // A file that is its own root was never in a directory.
    if is_root && is_memfd(dentry) {
        return marks | MARK_MEMFD;
    }
    let is_named = links != 0 && (is_root || !pointer::<Probed>(dentry, offset!(dentry_hashed)).is_null());
    if is_named { marks } else { marks | MARK_DELETED }
}

/// Whether the kernel has called it so. A name in a directory proves nothing, this one is in none.
#[inline(always)]
fn is_memfd(dentry: *const u8) -> bool {
    let name: [u8; 8] = Probed::read(pointer::<Probed>(dentry, offset!(dentry_name)), 0);
    matches!(name, [b'm', b'e', b'm', b'f', b'd', b':', ..])
}

/// Writes what memfd_create(2) has called a file, which lies nowhere.
#[inline(always)]
pub fn memfd_name(file: *const u8, out: &mut PathBytes) {
    let dentry = pointer::<Probed>(file, offset!(file_dentry));
    let name = pointer::<Probed>(dentry, offset!(dentry_name));
    let Some(room) = out.components.first_chunk_mut::<NAME_BYTES>() else {
        return;
    };
    // SAFETY: the helper copies a string from any address and reports a fault instead of taking it.
    let copied = unsafe { bpf_probe_read_kernel_str_bytes(name, room) };
    out.length = copied.map_or(0, |name| name.len() + 1) as u32;
    out.truncated = 0;
}

/// Bytes of a `struct upid`: a number, and the namespace in which it is one.
const NUMBER_BYTES: u32 = 16;

/// The innermost of the `struct upid` of a `struct pid`, and how deep its namespace lies.
#[inline(always)]
fn innermost_number(pid: *const u8) -> (*const u8, u32) {
    let level: u32 = Probed::read(pid, offset!(pid_level));
    let numbers = pid.wrapping_add(offset!(pid_numbers) as usize);
    (numbers.wrapping_add((level * NUMBER_BYTES) as usize), level)
}

/// Bits of a number that one node of the tree of ids is for.
const TREE_BITS: u32 = 6;
/// How deep that tree can be: ids have 22 bits at most.
const TREE_DEPTH_MAX: u32 = 4;
/// What marks a pointer to a node of a tree, in its lowest two bits.
const TREE_NODE: u64 = 0b10;

/// The `struct pid *` that the current task names by a number, as the kernel looks it up for its calls (`find_vpid`): of a process or of any of its threads. 0
/// where there is none. Global, so that the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pid_named(number: u32) -> u64 {
    if offset!(pid_ns_ids) == MISSING
        || offset!(tree_node_shift) == MISSING
        || offset!(tree_node_slots) == MISSING
    {
        return 0;
    }
    let (own, level) = innermost_number(pointer::<Probed>(current(), offset!(task_thread_pid)));
    let names = pointer::<Probed>(own, offset!(upid_namespace));
    let mut entry: u64 = Probed::read(names, offset!(pid_ns_ids));
    for _ in 0..TREE_DEPTH_MAX {
        if entry & 0b11 != TREE_NODE {
            break;
        }
        let node = (entry - TREE_NODE) as *const u8;
        let shift = u32::from(Probed::read::<u8>(node, offset!(tree_node_shift))) & 31;
        let slot = number >> shift & ((1 << TREE_BITS) - 1);
        entry = Probed::read(node, offset!(tree_node_slots) + slot * 8);
    }
    // What was found says itself whether it is that number, however the tree was read.
    let numbers = (entry as *const u8).wrapping_add(offset!(pid_numbers) as usize);
    let found = numbers.wrapping_add((level * NUMBER_BYTES) as usize);
    let is_it = Probed::read::<u32>(found, 0) == number
        && Probed::read::<u32>(entry as *const u8, offset!(pid_level)) >= level
        && pointer::<Probed>(found, offset!(upid_namespace)) == names;
    if is_it { entry } else { 0 }
}

/// The pid namespace in which a `struct pid` was made, by its inode number. What the process makes may be in another (`unshare(CLONE_NEWPID)`), but it
/// itself names processes in this one for as long as it lives.
#[inline(always)]
fn pid_namespace(pid: *const u8) -> u32 {
    let (number, _level) = innermost_number(pid);
    namespace::<Probed>(number, offset!(upid_namespace), offset!(pid_ns_inum))
}

/// Whether the current task names processes as the first pid namespace does, in which the sensor is. To another the sensor has no name.
#[inline(always)]
pub fn is_in_first_pid_namespace() -> bool {
    let pid = pointer::<Typed>(current(), offset!(task_thread_pid));
    Probed::read::<u32>(pid, offset!(pid_level)) == 0
}

#[inline(always)]
fn namespace<R: Read>(holder: *const u8, member: u32, number: u32) -> u32 {
    R::read(pointer::<R>(holder, member), number)
}

/// Writes the ancestors of a process, parent first, and fills the rest with zeros. Ends at a process without a parent or at pid 0.
#[inline(always)]
fn ancestors<R: Read>(leader: *const u8, out: *mut [Ancestor; ANCESTORS_MAX]) {
    let mut parent = pointer::<R>(leader, offset!(task_real_parent));
    let mut ended = false;
    for place in 0..ANCESTORS_MAX {
        let mut ancestor = Ancestor {
            pid: 0,
            exec_id: 0,
            start_boottime_ns: 0,
        };
        if !ended {
            let (pid, above) = process_and_parent::<R>(parent);
            ended = pid == 0;
            if !ended {
                let leader = pointer::<R>(parent, offset!(task_group_leader));
                ancestor = Ancestor {
                    pid,
                    exec_id: exec_id::<R>(parent) as u32,
                    start_boottime_ns: R::read(leader, offset!(task_start_boottime)),
                };
                parent = above;
            }
        }
        // SAFETY: `place` is below the length of the array that `out` points to.
        unsafe { (&raw mut (*out)[place]).write(ancestor) };
    }
}

/// The process of a task, and the task that started it, by one read where they stand as in all kernels so far: `pid`, `tgid`, a canary, `real_parent`.
#[inline(always)]
fn process_and_parent<R: Read>(task: *const u8) -> (u32, *const u8) {
    let first = offset!(task_pid);
    if R::GOES_OVER_MEMBERS && [offset!(task_tgid), offset!(task_real_parent)] == [first + 4, first + 16] {
        let [numbers, _canary, parent]: [usize; 3] = R::read(task, first);
        ((numbers >> 32) as u32, parent as *const u8)
    } else {
        (
            R::read(task, offset!(task_tgid)),
            pointer::<R>(task, offset!(task_real_parent)),
        )
    }
}
