//! Listings of directories in which credentials lie: `syscalls:sys_exit_{getdents64,getdents}`, with the descriptor resolved to its directory.
//! The same at every level: `security_file_permission` would see them too, and every read and write besides.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use claviger_sensor_common::{
    Counter, DIRECTORY_OF_CREDENTIALS, DirectoryListRecord, OPERATION_LIST, Probe, RECORD_DIRECTORY_LIST,
    REQUEST_LISTED,
};

use crate::{
    arguments::{Arguments, result},
    descriptors, labels,
    offsets::{agent_pid, offset},
    path,
    read::{Probed, Read, pointer},
    repeats,
    report::{lose, submit},
    task,
};

/// Entries were handed out. The call that finds none left tells nothing new.
#[tracepoint]
pub fn sys_exit_lists(ctx: TracePointContext) -> u32 {
    if result(&ctx) <= 0 {
        return 0;
    }
    if task::current_pid() == agent_pid() {
        labels::answer_seen(REQUEST_LISTED);
        return 0;
    }
    let file = descriptors::checked_file(Arguments::current().first() as u32);
    if file.is_null() {
        lose(Probe::DirectoryList, Counter::LostDescriptorGone);
        return 0;
    }
    let inode = pointer::<Probed>(file, offset!(file_inode));
    if labels::may_be_labelled(Probed::read(inode, offset!(inode_ino))) {
        listed(file, inode);
    }
    0
}

#[inline(always)]
fn listed(file: *const u8, inode: *const u8) {
    let object = labels::key::<Probed>(inode);
    let Some(label) = labels::of_directory(&object) else {
        return;
    };
    if label.flags & DIRECTORY_OF_CREDENTIALS == 0 {
        return;
    }
    let key = repeats::key(OPERATION_LIST, object, 0, 0);
    let probe = Probe::DirectoryList as u32;
    repeats::first_only(probe, &key, || {
        submit::<DirectoryListRecord>(probe, RECORD_DIRECTORY_LIST, |record| {
            // SAFETY: `record` is a reservation of this size.
            let record = unsafe { &mut *record };
            record.key = key;
            record.label = label;
            task::snapshot(&raw mut record.task);
            path::walk(&path::of_file(file), &mut record.path);
            true
        })
    });
}
