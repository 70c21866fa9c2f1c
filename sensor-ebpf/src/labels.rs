//! What is known of objects, and the handshake by which the agent sets it.

use core::intrinsics::{AtomicOrdering, atomic_xadd};

use aya_ebpf::{
    helpers::bpf_probe_read_kernel_str_bytes,
    macros::map,
    maps::{Array, HashMap},
};
use claviger_sensor_common::{
    DIRECTORIES_MAX, DIRECTORY_LEADS_ON, Label, LabelRequest, NAME_HASH_BYTES, NAMES_MAX, NameKey,
    OBJECTS_MAX, ObjectKey, PREFILTER_WORDS, REQUEST_ARMED, REQUEST_DENIED, REQUEST_DIRECTORY, REQUEST_DONE,
    REQUEST_ENVIRON, REQUEST_IDENTIFY, REQUEST_KCORE, REQUEST_MAPS, REQUEST_MEM, REQUEST_OBJECT,
    REQUEST_PLACE, REQUEST_PURPOSE, REQUEST_SMAPS, REQUEST_WAY, TAKEN_MAX, WAYS_MAX, name_hash,
};
use zerocopy::IntoBytes as _;

use crate::{
    agent_root,
    offsets::offset,
    open_descriptors, overlay, process_files,
    read::{Probed, Read, pointer},
    repeats::NOT_THERE_YET,
    tamper_mounts, task,
};

/// `BPF_F_NO_PREALLOC`: memory is taken as labels are set.
const NO_PREALLOC: u32 = 1;

/// Labelled objects.
#[map]
static OBJECTS: HashMap<ObjectKey, Label> = HashMap::with_max_entries(OBJECTS_MAX, NO_PREALLOC);

/// Labelled directories.
#[map]
static DIRECTORIES: HashMap<ObjectKey, Label> = HashMap::with_max_entries(DIRECTORIES_MAX, NO_PREALLOC);

/// Known names in labelled directories.
#[map]
static NAMES: HashMap<NameKey, Label> = HashMap::with_max_entries(NAMES_MAX, NO_PREALLOC);

/// One bit for each inode number that may be labelled: dismisses an unrelated file without a hash lookup. Bits are only ever set, by [`pass`].
#[map]
static PREFILTER: Array<u64> = Array::with_max_entries(PREFILTER_WORDS, 0);

/// Bits of [`PREFILTER`] that are set: who puts one here first sets it. Older kernels have no atomic operation for that but addition.
#[map]
static PASSED: HashMap<u32, u32> = HashMap::with_max_entries(PREFILTER_WORDS * 64, NO_PREALLOC);

/// How many objects were labelled by [`take`], and how many of them the agent has looked after.
#[map]
static TAKEN: Array<u64> = Array::with_max_entries(2, 0);

/// Directories whose names matter though they are not labelled: a new directory in one leads on, or a credential lies in it.
#[map]
static WAYS: HashMap<ObjectKey, u32> = HashMap::with_max_entries(WAYS_MAX, NO_PREALLOC);

/// 1 once the agent reads what it is told: before that, what happens to paths all over the host is nobody's.
#[map]
static WATCHING: Array<u32> = Array::with_max_entries(1, 0);

/// The agent's question.
#[map]
static REQUEST: Array<LabelRequest> = Array::with_max_entries(1, 0);

/// Word and number of the bit of an inode number.
#[inline(always)]
fn prefilter_place(inode: u64) -> (u32, u32) {
    // overlayfs puts the number of the layer into the upper half.
    let inode = inode & 0xffff_ffff;
    let mixed = inode ^ (inode >> 19);
    ((mixed >> 6) as u32 & (PREFILTER_WORDS - 1), mixed as u32 & 63)
}

/// Whether an object of this inode number may be labelled.
#[inline(always)]
pub fn may_be_labelled(inode: u64) -> bool {
    let (word, bit) = prefilter_place(inode);
    PREFILTER.get(word).is_some_and(|word| word & 1 << bit != 0)
}

/// Whether a directory of this inode number may be one in which new directories matter.
#[inline(always)]
pub fn may_lead_on(inode: u64) -> bool {
    may_be_labelled(below(inode))
}

/// Stands for what is below a directory: other bits of the prefilter than the directory's own.
#[inline(always)]
fn below(inode: u64) -> u64 {
    inode.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 7
}

/// The key of an inode.
#[inline(always)]
pub fn key<R: Read>(inode: *const u8) -> ObjectKey {
    ObjectKey {
        inode: R::read(inode, offset!(inode_ino)),
        device: R::read(pointer::<R>(inode, offset!(inode_sb)), offset!(sb_dev)),
        generation: R::read(inode, offset!(inode_generation)),
    }
}

/// The label of an object.
#[inline(always)]
pub fn of_object(key: &ObjectKey) -> Option<Label> {
    // SAFETY: a label is eight bytes written once; a copy torn by a concurrent update would name another label of this agent.
    unsafe { OBJECTS.get(key) }.copied()
}

/// The label of a directory.
#[inline(always)]
pub fn of_directory(key: &ObjectKey) -> Option<Label> {
    // SAFETY: as for objects.
    unsafe { DIRECTORIES.get(key) }.copied()
}

/// Whether the agent reads what it is told.
#[inline(always)]
pub fn is_watching() -> bool {
    WATCHING.get(0).is_some_and(|watching| *watching != 0)
}

/// Whether a credential may lie in a directory, or appear behind it.
#[inline(always)]
pub fn is_way(directory: *const u8) -> bool {
    let key = key::<Probed>(directory);
    // SAFETY: the value is not looked at.
    unsafe { WAYS.get(key) }.is_some() || of_directory(&key).is_some()
}

/// The label of a dentry's name in a labelled directory.
#[inline(always)]
pub fn of_name(directory: ObjectKey, dentry: *const u8) -> Option<Label> {
    let mut padded = [0u64; NAME_HASH_BYTES / 8];
    let name = pointer::<Probed>(dentry, offset!(dentry_name));
    // SAFETY: the helper copies a string of at most this many bytes from any address and reports a fault instead of taking it.
    unsafe { bpf_probe_read_kernel_str_bytes(name, padded.as_mut_bytes()) }.ok()?;
    let name_hash = name_hash(&padded);
    // SAFETY: as for objects.
    unsafe { NAMES.get(NameKey { directory, name_hash }) }.copied()
}

/// The agent's question, where this very thread asked it.
#[inline(always)]
fn asked() -> Option<&'static mut LabelRequest> {
    let request = REQUEST.get_ptr_mut(0)?;
    // SAFETY: the one element of an array, written by one agent thread at a time, which waits for the answer.
    let request = unsafe { &mut *request };
    (request.state & REQUEST_ARMED != 0 && request.tid == task::current_tid()).then_some(request)
}

/// Answers the agent: writes the numbers of the inode that it opens, and labels it, or remembers the operations of the file.
#[inline(always)]
pub fn answer(file: *const u8, inode: *const u8) {
    let Some(request) = asked() else { return };
    agent_root::learn();
    let purpose = request.state & REQUEST_PURPOSE;
    // A file of an overlay is known by the file of the layer that has its content: anybody can open that in its place, and by either way it is one.
    let key = match purpose {
        REQUEST_OBJECT => key::<Probed>(overlay::content(inode)),
        REQUEST_IDENTIFY => match overlay::shown(file, false, false) {
            Some((key, _)) => key,
            None => key::<Probed>(inode),
        },
        _ => key::<Probed>(inode),
    };
    let set = match purpose {
        REQUEST_OBJECT => {
            let label = request.label.at_look(open_descriptors::look().number);
            OBJECTS.insert(key, label, 0).is_ok()
        }
        REQUEST_DIRECTORY => DIRECTORIES.insert(key, request.label, 0).is_ok(),
        REQUEST_WAY => WAYS.insert(key, 0u32, 0).is_ok(),
        REQUEST_IDENTIFY => true,
        REQUEST_PLACE => tamper_mounts::learn(&key, request.label.id),
        REQUEST_ENVIRON | REQUEST_MEM | REQUEST_MAPS | REQUEST_SMAPS | REQUEST_KCORE => {
            process_files::learn(purpose, Probed::read(file, offset!(file_operations)))
        }
        _ => false,
    };
    if !set {
        return;
    }
    if purpose == REQUEST_OBJECT || purpose == REQUEST_DIRECTORY {
        let mut passed = pass(key.inode) && pass(Probed::read(inode, offset!(inode_ino)));
        if purpose == REQUEST_DIRECTORY && request.label.flags & DIRECTORY_LEADS_ON != 0 {
            passed &= pass(below(key.inode));
        }
        if !passed {
            return;
        }
    }
    request.object = key;
    request.state = REQUEST_DONE | purpose;
}

/// Lets a number through the prefilter; false where there is no memory for that.
#[inline(always)]
fn pass(number: u64) -> bool {
    if may_be_labelled(number) {
        return true;
    }
    let (word, bit) = prefilter_place(number);
    if PASSED.insert(word << 6 | bit, 0u32, NOT_THERE_YET).is_err() {
        // Somebody else sets it now, or it cannot be.
        return may_be_labelled(number);
    }
    if let Some(word) = PREFILTER.get_ptr_mut(word) {
        // SAFETY: an element of an array is eight aligned bytes. The bit is 0, and nobody else adds it.
        unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(word, 1 << bit) };
    }
    true
}

/// Labels an object as what is known of its name; false where it cannot be: as many are as there is room for, or as the agent can look after.
#[inline(always)]
pub fn take(object: &ObjectKey, label: Label) -> bool {
    if of_object(object).is_some() {
        return true;
    }
    let label = Label {
        id: label.id,
        flags: 0,
    };
    let label = label.at_look(open_descriptors::look().number);
    let looked_after = TAKEN.get(1).copied().unwrap_or_default();
    if TAKEN
        .get(0)
        .copied()
        .unwrap_or_default()
        .wrapping_sub(looked_after)
        >= TAKEN_MAX
    {
        return false;
    }
    if OBJECTS.insert(object, label, NOT_THERE_YET).is_err() {
        return of_object(object).is_some();
    }
    if let Some(taken) = TAKEN.get_ptr_mut(0) {
        // SAFETY: an element of an array is eight aligned bytes.
        unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(taken, 1) };
    }
    pass(object.inode)
}

/// Answers the agent that its open was refused.
#[inline(always)]
pub fn answer_denied() {
    answer_seen(REQUEST_DENIED);
}

/// Answers the agent that what it did was seen.
#[inline(always)]
pub fn answer_seen(purpose: u32) {
    if let Some(request) = asked()
        && request.state & REQUEST_PURPOSE == purpose
    {
        request.state = REQUEST_DONE | purpose;
    }
}
