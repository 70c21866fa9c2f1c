//! Files that a process writes once it has read a credential: one of them may be a copy. Which is found out by the agent, by the content; here they
//! are only named.
//!
//! Most files are opened for reading and most processes have read none, so an open costs a look at its mode, and one for writing a lookup.

use aya_ebpf::{
    helpers::generated::bpf_ktime_get_boot_ns,
    macros::{map, tracepoint},
    maps::{HashMap, LruHashMap},
    programs::TracePointContext,
};
use claviger_sensor_common::{
    Ancestor, Counter, FileVersion, ObjectKey, Probe, READERS_MAX, RECORD_WRITTEN, WRITTEN_MAX,
    WRITTEN_PER_SECOND_MAX, WRITTEN_QUIET_NS, WrittenRecord,
};

use crate::{
    arguments::result,
    descriptors,
    file_use::{FMODE_WRITE, S_IFMT, S_IFREG, version},
    fixed_files, holders, labels,
    numbers::untyped,
    offsets::offset,
    path,
    read::{Probed, Read, Typed, pointer},
    report::{lose, submit},
    sharers, task,
};

/// `BPF_F_NO_PREALLOC`: memory is taken as entries are made.
const NO_PREALLOC: u32 = 1;
const SECOND_NS: u64 = 1_000_000_000;

/// What is known of a process that has read a credential.
#[repr(C)]
#[derive(Clone, Copy)]
struct Reader {
    /// The program run that has: the next one has its memory no more.
    exec_id: u64,
    /// When what it had open for writing was looked at, as it read a credential.
    looked_ns: u64,
    /// The second that `written` counts in.
    second: u64,
    /// Files reported in it.
    written: u64,
}

/// A file and who wrote it.
#[repr(C)]
#[derive(Clone, Copy)]
struct Write {
    writer: Ancestor,
    exec_id: u64,
    object: ObjectKey,
}

/// Who has read a credential, until it ends.
#[map]
static READERS: HashMap<Ancestor, Reader> = HashMap::with_max_entries(READERS_MAX, NO_PREALLOC);

/// When a file was last reported of its writer. No account depends on it. The agent looks at it for longer than it is left out here, and anew
/// whenever its writer has read another credential.
#[map]
static WRITTEN: LruHashMap<Write, u64> = LruHashMap::with_max_entries(WRITTEN_MAX, 0);

/// Which version of a file it was when it was last reported, whoever wrote it: the agent looks at that one, and at what follows for a while. No account
/// depends on it. At the bound the file not met for longest is forgotten, and reported once more when it is met.
#[map]
static LOOKED_AT: LruHashMap<ObjectKey, FileVersion> = LruHashMap::with_max_entries(WRITTEN_MAX, 0);

/// The current process has read a credential. Global, as [`crate::file_use::known`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn has_read() -> u32 {
    let process = task::current_process();
    if reader(&process).is_some() {
        return 0;
    }
    let reader = Reader {
        exec_id: task::current_exec_id(),
        looked_ns: 0,
        second: 0,
        written: 0,
    };
    if READERS.insert(process, reader, 0).is_err() {
        lose(Probe::FileCopied, Counter::LostReaders);
    }
    sharers::one_has_read();
    0
}

/// A process that has read a credential, or was forked by one that has, forked: the child has its memory.
#[inline(always)]
pub fn forked(parent: *const u8, child: *const u8) {
    // SAFETY: a torn copy would only have the child looked at once more or less.
    let Some(reader) = (unsafe { READERS.get(task::identify::<Typed>(parent)) }).copied() else {
        return;
    };
    if reader.exec_id != task::exec_id::<Typed>(parent) {
        return;
    }
    let reader = Reader {
        looked_ns: 0,
        second: 0,
        written: 0,
        ..reader
    };
    if READERS.insert(task::identify::<Typed>(child), reader, 0).is_err() {
        lose(Probe::FileCopied, Counter::LostReaders);
    }
}

/// A file was made in memory (memfd_create): no open of it is seen.
#[tracepoint]
pub fn sys_exit_memfd_create(ctx: TracePointContext) -> u32 {
    let made = result(&ctx);
    if made >= 0 && is_reader() {
        written(untyped(descriptors::file::<Probed>(made as u32)));
    }
    0
}

/// A process has ended.
#[inline(always)]
pub fn ended(process: &Ancestor) {
    let _not_there = READERS.remove(process);
}

/// The current process, if this very program run has read a credential.
#[inline(always)]
fn reader(process: &Ancestor) -> Option<*mut Reader> {
    let reader = READERS.get_ptr_mut(process)?;
    // SAFETY: a value of the map, which stays while this program runs.
    (unsafe { (*reader).exec_id } == task::current_exec_id()).then_some(reader)
}

/// Whether the current program run has read a credential, or shares with one that has.
#[inline(always)]
fn is_reader() -> bool {
    reader(&task::current_process()).is_some() || (sharers::are_any() && joins_readers() != 0)
}

/// Whether the current process shares with one that has read a credential. It counts as one itself then. Global, as [`crate::file_use::known`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn joins_readers() -> u32 {
    if !sharers::share_with_reader() {
        return 0;
    }
    has_read();
    holders::holds(untyped(task::current()));
    1
}

/// A file was opened.
#[inline(always)]
pub fn opened<R: Read>(file: *const u8) {
    let mode: u32 = R::read(file, offset!(file_mode));
    if mode & FMODE_WRITE != 0 && is_reader() {
        written(untyped(file));
    }
}

/// A file has come, open, from another process.
#[inline(always)]
pub fn received<R: Read>(file: *const u8) {
    let mode: u32 = R::read(file, offset!(file_mode));
    if mode & FMODE_WRITE != 0 {
        received_to_write(untyped(file));
    }
}

/// As [`received`]. Global, so that what it takes of the stack is free again behind it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn received_to_write(file: u64) -> u32 {
    if is_reader() { written(file) } else { 0 }
}

/// A credential was read: what is open for writing meanwhile may take it up, as the standard output of `cat`. What was open when this was last
/// done is not reported again for as long, so it is not looked at either. Global, as [`crate::file_use::known`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn look_at_what_is_open() -> u32 {
    let Some(reader) = reader(&task::current_process()) else {
        return 0;
    };
    // SAFETY: the helper only returns a number.
    let now = unsafe { bpf_ktime_get_boot_ns() };
    // SAFETY: a value of the map, which stays while this program runs; a torn time would only make for one look more or less.
    let looked = unsafe { &mut (*reader).looked_ns };
    if *looked == 0 || now.wrapping_sub(*looked) >= WRITTEN_QUIET_NS {
        *looked = now;
        descriptors::each::<Open>(Probe::FileCopied);
    }
    0
}

/// A program was started. If a reader has started it, it has what that one had open, as a file in memory, and nothing else of it: what is in these files by
/// now is all that the reader can have written.
#[inline(always)]
pub fn program_started() {
    if was_reader() != 0 {
        look_at_what_was_left_open();
        forget_reader();
    } else {
        // It may have read one itself, which it inherited.
        look_at_what_is_open();
    }
}

/// Whether the program that ran before in the current process had read a credential. Global, as what follows, so that what it takes of the stack is free
/// again behind it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn was_reader() -> u32 {
    let Some(reader) = READERS.get_ptr_mut(task::current_process()) else {
        return 0;
    };
    // SAFETY: a value of the map, which stays while this program runs.
    (unsafe { (*reader).exec_id } != task::current_exec_id()) as u32
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn look_at_what_was_left_open() -> u32 {
    descriptors::each::<LeftOpen>(Probe::FileCopied);
    0
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn forget_reader() -> u32 {
    let _not_there = READERS.remove(task::current_process());
    0
}

/// What is open for writing, in rings too.
struct Open;

impl descriptors::Take for Open {
    const RINGS: Option<Probe> = Some(Probe::FileCopied);

    #[inline(always)]
    fn take(file: *const u8) -> u32 {
        let mode: u32 = Probed::read(file, offset!(file_mode));
        if mode & FMODE_WRITE != 0 {
            written(untyped(file));
        }
        0
    }
}

/// As [`Open`], of what the program run before has left open.
struct LeftOpen;

impl descriptors::Take for LeftOpen {
    const RINGS: Option<Probe> = Some(Probe::FileCopied);

    #[inline(always)]
    fn take(file: *const u8) -> u32 {
        let mode: u32 = Probed::read(file, offset!(file_mode));
        if mode & FMODE_WRITE != 0 && is_as_reported(untyped(file)) == 0 {
            written(untyped(file));
        }
        0
    }
}

/// Whether a file is as it was when it was last reported. Global, so that what it takes of the stack is free again behind it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn is_as_reported(file: u64) -> u32 {
    let at = file as *const u8;
    let inode = pointer::<Probed>(at, offset!(file_inode));
    let now = version(at);
    // SAFETY: a torn version is another one.
    let looked_at = unsafe { LOOKED_AT.get(labels::key::<Probed>(inode)) }.copied();
    // Stores to memory need not change the times of the file.
    let mapping = pointer::<Probed>(inode, offset!(inode_mapping));
    let is_mapped = Probed::read::<i32>(mapping, offset!(mapping_writable)) > 0;
    let is_told_apart = now.changed_s != 0;
    (!is_mapped && is_told_apart && looked_at.is_some_and(|before| is_same(&before, &now))) as u32
}

/// This version of a file was reported. Global, for the same reason.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn reported(file: u64) -> u32 {
    let file = file as *const u8;
    let inode = pointer::<Probed>(file, offset!(file_inode));
    let _full = LOOKED_AT.insert(labels::key::<Probed>(inode), version(file), 0);
    0
}

#[inline(always)]
fn is_same(one: &FileVersion, other: &FileVersion) -> bool {
    one.size == other.size
        && one.modified_s == other.modified_s
        && one.modified_ns == other.modified_ns
        && one.changed_s == other.changed_s
        && one.changed_ns == other.changed_ns
}

/// A ring has opened something, and nothing tells which descriptor it got: all that is open may be it. Global, so that what it takes of the stack is
/// free again behind it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn look_for_what_was_opened() -> u32 {
    if reader(&task::current_process()).is_some() {
        descriptors::each::<Open>(Probe::FileCopied);
    }
    0
}

/// The same, of what it has opened without a descriptor.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn look_for_what_was_opened_in(ring: u64) -> u32 {
    if reader(&task::current_process()).is_some() {
        fixed_files::each::<Open>(Probe::FileCopied, ring);
    }
    0
}

/// Reports a file that a reader may write, where it is a regular one and was not reported lately. Global, as [`crate::file_use::known`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn written(file: u64) -> u32 {
    let file = file as *const u8;
    let inode = pointer::<Probed>(file, offset!(file_inode));
    let kind: u16 = Probed::read(inode, offset!(inode_mode));
    if kind & S_IFMT != S_IFREG {
        return 0;
    }
    let write = Write {
        writer: task::current_process(),
        exec_id: task::current_exec_id(),
        object: labels::key::<Probed>(inode),
    };
    // Of the program run before too, for it may have left this open.
    let Some(reader) = READERS.get_ptr_mut(write.writer) else {
        return 0;
    };
    // SAFETY: the helper only returns a number.
    let now = unsafe { bpf_ktime_get_boot_ns() };
    // SAFETY: a torn time would only repeat a report, or leave one out for another ten seconds.
    let last = unsafe { WRITTEN.get(write) };
    if last.is_some_and(|last| now.wrapping_sub(*last) < WRITTEN_QUIET_NS) {
        return 0;
    }
    if !has_share(reader, now) {
        lose(Probe::FileCopied, Counter::LostWritten);
        return 0;
    }
    let submitted = submit::<WrittenRecord>(Probe::FileCopied as u32, RECORD_WRITTEN, |record| {
        // SAFETY: `record` is a reservation of this size.
        let record = unsafe { &mut *record };
        record.writer = write.writer;
        record.exec_id = write.exec_id;
        record.object = write.object;
        record.marks = task::marks(untyped(file));
        record.reserved = 0;
        path::walk(&path::of_file(file), &mut record.path);
        true
    });
    if submitted {
        let _full = WRITTEN.insert(write, now, 0);
        reported(untyped(file));
    }
    0
}

/// Whether one more may be reported of a reader in this second. Its threads may each get one too many.
#[inline(always)]
fn has_share(reader: *mut Reader, now: u64) -> bool {
    // SAFETY: a value of the map, which stays while this program runs; torn counts do no harm.
    let reader = unsafe { &mut *reader };
    let second = now / SECOND_NS;
    if reader.second != second {
        reader.second = second;
        reader.written = 0;
    }
    reader.written += 1;
    reader.written <= u64::from(WRITTEN_PER_SECOND_MAX)
}
