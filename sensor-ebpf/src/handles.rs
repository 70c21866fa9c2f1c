//! Refusals of `open_by_handle_at`. A handle names no path, and the file is not looked for where the caller may not open by handle: what it
//! says is compared with the labels.

use aya_ebpf::{helpers::bpf_probe_read_user, macros::tracepoint, programs::TracePointContext};
use claviger_sensor_common::{
    FileUseRecord, MATCHED_OBJECT, OPENED_FOR_READING, OPENED_FOR_WRITING, OPERATION_OPEN, ObjectKey, Probe,
    RECORD_FILE_USE,
};

use crate::{
    arguments::{Arguments, result},
    attempts::{AT_FDCWD, is_refusal},
    descriptors, labels, numbers,
    offsets::offset,
    path,
    read::{Probed, Read, pointer},
    repeats,
    report::submit,
    task,
};

/// include/linux/exportfs.h: FILEID_INO32_GEN and the same with the directory's, of ext4 and many others; tmpfs puts the generation first.
const INO32_GEN: u32 = 1;
const INO32_GEN_PARENT: u32 = 2;
/// FILEID_BTRFS_WITHOUT_PARENT, and with it.
const BTRFS: u32 = 0x4d;
const BTRFS_PARENT: u32 = 0x4f;
/// FILEID_INO64_GEN of XFS, and with the directory's.
const INO64_GEN: u32 = 0x81;
const INO64_GEN_PARENT: u32 = 0x82;
/// Bytes of a handle of tmpfs.
const TMPFS_BYTES: u32 = 12;
/// O_ACCMODE: 0 reads, 1 writes, 2 both.
const ACCESS_MODE: u32 = 3;

/// `struct file_handle` with the part of it that is looked at.
#[repr(C)]
#[derive(Clone, Copy)]
struct Handle {
    bytes: u32,
    kind: u32,
    words: [u32; 5],
}

/// Where other programs see all other refusals.
#[tracepoint]
pub fn sys_exit_handles_denied(ctx: TracePointContext) -> u32 {
    let result = result(&ctx);
    if is_refusal(result) {
        let arguments = Arguments::current();
        refused_of_handle(
            -result as u32,
            arguments.first() as i32,
            arguments.second(),
            arguments.third() as u32,
        );
    }
    0
}

/// An open by handle was refused. Global, so that what it takes of the stack is not taken from uses.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn refused_of_handle(errno: u32, mount: i32, handle: u64, flags: u32) -> u32 {
    // SAFETY: the helper copies from any user address and reports a fault instead of taking it.
    let Ok(handle) = (unsafe { bpf_probe_read_user(handle as *const Handle) }) else {
        return 0;
    };
    let [first, second, third, _, fifth] = handle.words;
    let (inode, generation) = match handle.kind {
        INO32_GEN if handle.bytes == TMPFS_BYTES => (u64::from(second) | u64::from(third) << 32, first),
        INO32_GEN | INO32_GEN_PARENT => (u64::from(first), second),
        INO64_GEN | INO64_GEN_PARENT => (u64::from(first) | u64::from(second) << 32, third),
        BTRFS | BTRFS_PARENT => (u64::from(first) | u64::from(second) << 32, fifth),
        _ => return 0,
    };
    if !labels::may_be_labelled(inode) {
        return 0;
    }
    let place = if mount == AT_FDCWD {
        path::working_directory()
    } else {
        path::of_file(descriptors::checked_file(mount as u32))
    };
    let super_block = pointer::<Probed>(
        pointer::<Probed>(place.dentry, offset!(dentry_inode)),
        offset!(inode_sb),
    );
    let object = ObjectKey {
        inode,
        device: Probed::read(super_block, offset!(sb_dev)),
        generation,
    };
    let Some(label) = labels::of_object(&object) else {
        return 0;
    };
    let access = match flags & ACCESS_MODE {
        0 => OPENED_FOR_READING,
        1 => OPENED_FOR_WRITING,
        _ => OPENED_FOR_READING | OPENED_FOR_WRITING,
    };
    report_refused(
        object.inode,
        numbers::numbers(object),
        numbers::bits(label),
        access,
        errno,
    );
    0
}

/// Reports. Global, so that the verifier looks at it once and not for each form of a handle.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn report_refused(inode: u64, numbers: u64, label: u64, access: u32, errno: u32) -> u32 {
    let key = repeats::key(OPERATION_OPEN, numbers::object(inode, numbers), access, errno);
    let probe = Probe::FileOpenDenied as u32;
    repeats::first_only(probe, &key, || {
        submit::<FileUseRecord>(probe, RECORD_FILE_USE, |record| {
            // SAFETY: `record` is a reservation of this size.
            let record = unsafe { &mut *record };
            record.key = key;
            record.label = numbers::label(label);
            record.matched = MATCHED_OBJECT;
            record.reserved = 0;
            // The agent knows where it found the file.
            record.path.length = 0;
            record.path.truncated = 0;
            task::snapshot(&raw mut record.task);
            true
        })
    });
    0
}
