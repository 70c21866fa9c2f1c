//! Processes that share their open files or their memory with one that has read a credential and are no threads of it (`clone` with CLONE_FILES or
//! CLONE_VM, `vfork`): what one has read, the other can write.
//!
//! Threads always share their memory, so one that others share has more users than threads. Of a table of open files that does not follow, for a thread
//! can leave it: such a table is remembered when a process is created that shares it.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, LruHashMap},
};
use claviger_sensor_common::{Counter, Probe, SHARERS_MAX};

use crate::{
    numbers::untyped,
    offsets::offset,
    read::{Probed, Read, Typed, pointer},
    repeats::NOT_THERE_YET,
    report::lose,
    task,
};

/// `BPF_F_NO_PREALLOC`: memory is taken as entries are made.
const NO_PREALLOC: u32 = 1;

/// Tables of open files that processes share, by their address, until the last one ends: 1 where one of them has read a credential.
#[map]
static SHARED_TABLES: HashMap<u64, u32> = HashMap::with_max_entries(SHARERS_MAX, NO_PREALLOC);

/// Memory that processes share of which one has read a credential, by its address, and where the arguments lie in it. What lies there at that address
/// later has them somewhere else, but for what was forked from it. At the bound the one not met for longest is forgotten.
#[map]
static SHARED_MEMORY: LruHashMap<u64, u64> = LruHashMap::with_max_entries(SHARERS_MAX, 0);

/// 1 once anything was shared so. Before that, no open pays for a lookup.
#[map]
static IS_ANY_SHARED: Array<u32> = Array::with_max_entries(1, 0);

/// The current task's table of open files, and its memory.
#[inline(always)]
fn table() -> u64 {
    untyped(pointer::<Typed>(task::current(), offset!(task_files)))
}

#[inline(always)]
fn memory() -> *const u8 {
    pointer::<Typed>(task::current(), offset!(task_mm))
}

#[inline(always)]
fn arguments_at(memory: *const u8) -> u64 {
    Probed::read(memory, offset!(mm_arg_start))
}

/// Whether any processes share anything, as far as that is remembered.
#[inline(always)]
pub fn are_any() -> bool {
    IS_ANY_SHARED.get(0).is_some_and(|any| *any != 0)
}

#[inline(always)]
fn there_are() {
    if let Some(any) = IS_ANY_SHARED.get_ptr_mut(0) {
        // SAFETY: an element of an array; only ever set to this.
        unsafe { *any = 1 };
    }
}

/// A process was created, which is no thread.
#[inline(always)]
pub fn created(parent: *const u8, child: *const u8) {
    let table = pointer::<Typed>(child, offset!(task_files));
    if table.is_null() || table != pointer::<Typed>(parent, offset!(task_files)) {
        return;
    }
    there_are();
    // One that is there stays as it is.
    let table = untyped(table);
    let _there = SHARED_TABLES.insert(table, 0u32, NOT_THERE_YET);
    if SHARED_TABLES.get_ptr(table).is_none() {
        lose(Probe::FileCopied, Counter::LostReaders);
    }
}

/// The current process has read a credential: so has whoever shares with it.
#[inline(always)]
pub fn one_has_read() {
    if let Some(has_read) = SHARED_TABLES.get_ptr_mut(table()) {
        // SAFETY: a value of the map; only ever set to this.
        unsafe { *has_read = 1 };
    }
    let memory = memory();
    let users: u32 = Probed::read(memory, offset!(mm_users));
    let signal = pointer::<Typed>(task::current(), offset!(task_signal));
    let threads: u32 = Probed::read(signal, offset!(signal_threads));
    if users > threads {
        there_are();
        let _full = SHARED_MEMORY.insert(untyped(memory), arguments_at(memory), 0);
    }
}

/// Whether the current process shares with one that has read a credential.
#[inline(always)]
pub fn share_with_reader() -> bool {
    // SAFETY: a number that only ever becomes 1.
    let has_read = unsafe { SHARED_TABLES.get(table()) }.copied();
    if has_read == Some(1) {
        return true;
    }
    let memory = memory();
    // SAFETY: a torn copy would only have what is written looked at, or not.
    let arguments = unsafe { SHARED_MEMORY.get(untyped(memory)) }.copied();
    arguments.is_some_and(|arguments| arguments == arguments_at(memory))
}

/// The current process ends, or has started another program: its table is shared no more, if it is its only user.
#[inline(always)]
pub fn left() {
    if !are_any() {
        return;
    }
    let table = table();
    let users: u32 = Probed::read(table as *const u8, offset!(files_count));
    if users <= 1 {
        let _not_there = SHARED_TABLES.remove(table);
    }
}
