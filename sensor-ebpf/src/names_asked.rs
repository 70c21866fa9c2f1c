//! Changes as they were asked for, by path or by descriptor: `syscalls:sys_enter_{rename,unlink,link,symlink,chmod,chown,setxattr,truncate,…}`, where they are seen by system
//! calls. The caller's memory can be another at the end of the call, for another thread may write to it meanwhile, and so can what a descriptor of it stands for; so both are read at
//! the beginning and kept until the end. What the kernel itself reads, it reads some ten nanoseconds later. A path in a page that was not in memory is
//! read at the end, when the kernel has had it fetched, and who supplies such a page can have written over it since. So it is marked as read late: where it
//! leads to no credential, the agent counts the change as lost.

use aya_ebpf::{
    helpers::bpf_probe_read_kernel_buf,
    macros::{map, tracepoint},
    maps::HashMap,
    programs::TracePointContext,
};
use claviger_sensor_common::{
    CHANGE_ATTRIBUTE, CHANGE_SYMLINKED, Calls, Counter, GIVEN_PATH_BYTES, GivenPath, IN_FLIGHT_MAX,
    KnownFile, PATH_BYTES, PathBytes, Probe,
};
use zerocopy::IntoBytes as _;

use crate::{
    arguments::{Arguments, number},
    begun::begins,
    changed_names::{asked, concerned},
    changed_paths::{PathChange, unpacked, walked},
    changes::{Attributes, Facts, NOTHING_KNOWN, known_by_call, one, two},
    descriptors,
    given::{Given, concerns, fill, only, target},
    numbers::untyped,
    offsets::{agent_pid, offset},
    read::{Probed, pointer},
    report::lose,
    task,
};

/// What a thread has asked for. Of an attribute, the second is its name.
#[repr(C)]
#[derive(Clone, Copy)]
struct Names {
    what: u32,
    /// 1 where there is a second.
    has_second: u32,
    /// 1 where the first could be read.
    is_first_read: u32,
    /// 1 where the second could be read, or there is none.
    is_second_read: u32,
    /// Mode or owner that it is to have, as [`unpacked`] takes it.
    after: u64,
    /// What a descriptor held: the `struct file`, and what is known of it. Null where it is by path.
    held: u64,
    descriptor: u32,
    reserved: u32,
    file: KnownFile,
    first: GivenPath,
    second: GivenPath,
}

pub const NO_PATH: GivenPath = GivenPath {
    given_length: 0,
    given_truncated: 0,
    above: 0,
    root_length: 0,
    given: [0; GIVEN_PATH_BYTES],
    base: PathBytes {
        length: 0,
        truncated: 0,
        components: [0; PATH_BYTES],
    },
};

/// What a new entry begins with: it is too large to be put together anywhere else than in its place.
#[unsafe(no_mangle)]
static NO_NAMES: Names = Names {
    what: 0,
    has_second: 0,
    is_first_read: 0,
    is_second_read: 0,
    after: 0,
    held: 0,
    descriptor: 0,
    reserved: 0,
    file: NOTHING_KNOWN,
    first: NO_PATH,
    second: NO_PATH,
};

/// Changes of names under way that may concern us, by thread.
#[map]
static NAMES_ASKED: HashMap<u32, Names> = HashMap::with_max_entries(IN_FLIGHT_MAX, 1);

/// A change of names is asked for.
#[tracepoint]
pub fn sys_enter_names(ctx: TracePointContext) -> u32 {
    if task::current_pid() == agent_pid() {
        return 0;
    }
    if let Some((what, from, to)) = asked(number(&ctx), &Arguments::current())
        && concerned::<true>(what, from, to)
    {
        keep(Calls::Names, (what, UNKNOWN), from, to);
    }
    0
}

/// Of what is none of a mode or an owner.
const UNKNOWN: u64 = u64::MAX;

/// A change of what a path leads to is asked for.
#[tracepoint]
pub fn sys_enter_by_path(ctx: TracePointContext) -> u32 {
    if task::current_pid() == agent_pid() {
        return 0;
    }
    if let Some(change) = PathChange::of(number(&ctx), &Arguments::current()) {
        if change.is_of_descriptor() {
            keep_held(Calls::Paths, &change, change.given.directory as u32);
        } else if concerns::<true>(change.given) {
            let attribute = Given::here(change.attribute);
            keep(Calls::Paths, (change.what, change.after), change.given, attribute);
        }
    }
    0
}

/// A change of what a descriptor holds is asked for.
#[tracepoint]
pub fn sys_enter_by_descriptor(ctx: TracePointContext) -> u32 {
    let arguments = Arguments::current();
    if task::current_pid() != agent_pid()
        && let Some(change) = PathChange::of_descriptor(number(&ctx), &arguments)
    {
        keep_held(Calls::Descriptors, &change, arguments.first() as u32);
    }
    0
}

/// Keeps what a descriptor holds, where that is a credential: another thread can put something else there meanwhile. Of everything else it is kept that the call
/// began.
#[inline(always)]
fn keep_held(calls: Calls, change: &PathChange, descriptor: u32) {
    if kept_held(change.what, descriptor, change.attribute, change.after) == 0 {
        begins(calls);
    }
}

/// Global, so that what it takes of the stack is free again behind it. 0 where it is no credential.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn kept_held(what: u32, descriptor: u32, attribute: u64, after: u64) -> u32 {
    let file = descriptors::checked_file(descriptor);
    if file.is_null() {
        return 0;
    }
    let inode = pointer::<Probed>(file, offset!(file_inode));
    let known = known_by_call(pointer::<Probed>(file, offset!(file_dentry)), inode);
    if known.matched == 0 {
        return 0;
    }
    let Some(names) = new(what, after) else {
        return 0;
    };
    names.held = untyped(file);
    names.descriptor = descriptor;
    names.file = known;
    names.has_second = u32::from(attribute != 0);
    names.is_first_read = 1;
    walked(&mut names.first, file, 0);
    read_second(names, Given::here(attribute));
    1
}

#[inline(always)]
fn keep(calls: Calls, (what, after): (u32, u64), from: Given, to: Given) {
    let Some(names) = new(what, after) else {
        begins(calls);
        return;
    };
    names.has_second = u32::from(to.text != 0);
    read_first(names, from);
    read_second(names, to);
}

/// A new entry of this thread; nothing where there is no room: then what is asked for is read when the call has ended.
#[inline(always)]
fn new(what: u32, after: u64) -> Option<&'static mut Names> {
    let thread = task::current_tid();
    let nothing: &Names = &NO_NAMES;
    NAMES_ASKED.insert(thread, nothing, 0).ok()?;
    // SAFETY: a value of the map, of this thread alone.
    let names = unsafe { NAMES_ASKED.get_ptr_mut(thread)?.as_mut() }?;
    names.what = what;
    names.after = after;
    Some(names)
}

#[inline(always)]
fn read_first(names: &mut Names, from: Given) {
    let is_read = if names.what == CHANGE_SYMLINKED {
        target::<true>(&mut names.first, from.text)
    } else {
        fill::<true>(&mut names.first, from)
    };
    names.is_first_read = u32::from(is_read);
}

#[inline(always)]
fn read_second(names: &mut Names, to: Given) {
    let is_read = if names.what == CHANGE_ATTRIBUTE {
        only::<true>(&mut names.second, to.text)
    } else {
        to.text == 0 || fill::<true>(&mut names.second, to)
    };
    names.is_second_read = u32::from(is_read);
}

impl Names {
    /// What the file has now, where it is there still.
    #[inline(always)]
    fn after_of_held(&self) -> Attributes {
        let file = descriptors::checked_file(self.descriptor);
        if untyped(file) == self.held {
            Attributes::of(pointer::<Probed>(file, offset!(file_inode)))
        } else {
            unpacked(self.what, self.after)
        }
    }
}

/// What [`names_ended`] returns where one of the names could not be read at the beginning, and is to be read now: by [`read_rest`], and then it ended.
pub const READ_AT_END: u32 = 1;
/// What it returns where the beginning did not concern us, or was not there: something else has answered the call.
pub const NOT_KEPT: u32 = 2;

/// Reads what could not be read at the beginning, and that alone: what was read then may be another by now. Global, so that the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn read_rest(directories: u64, from: u64, to: u64) -> u32 {
    let Some(names) = NAMES_ASKED.get_ptr_mut(task::current_tid()) else {
        return 0;
    };
    // SAFETY: a value of the map, of this thread alone.
    let names = unsafe { &mut *names };
    if names.is_first_read == 0 {
        read_first(names, Given::at(directories, from));
    }
    if names.is_second_read == 0 {
        read_second(names, Given::at(directories >> 32, to));
    }
    0
}

/// The change that this thread has asked for has ended; with `errno`, it is told. The second time what is not read is lost. Global, so that the verifier looks
/// at it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn names_ended(is_told: u32, errno: u32, is_second_time: u32) -> u32 {
    let thread = task::current_tid();
    let Some(names) = NAMES_ASKED.get_ptr(thread) else {
        return NOT_KEPT;
    };
    // SAFETY: a value of the map, of this thread alone, that stays until it is removed below.
    let names = unsafe { &*names };
    let is_read = names.is_first_read & names.is_second_read != 0;
    if is_told != 0 && !is_read && is_second_time == 0 {
        return READ_AT_END;
    }
    if is_told != 0 && !is_read {
        lose(Probe::CredentialChange, Counter::LostUnreadable);
    } else if is_told != 0 {
        let mut facts = Facts::new(names.what);
        facts.errno = errno;
        facts.by_path = names.held == 0;
        facts.read_late = is_second_time != 0 && facts.by_path;
        facts.file = names.file;
        facts.after = if errno == 0 && names.held != 0 {
            names.after_of_held()
        } else {
            unpacked(names.what, names.after)
        };
        if names.has_second == 0 {
            one(&facts, |path| copy(&names.first, path));
        } else {
            two(&facts, |path, second| {
                copy(&names.first, path) && copy(&names.second, second)
            });
        }
    }
    let _there = NAMES_ASKED.remove(thread);
    0
}

#[inline(always)]
fn copy(from: &GivenPath, to: &mut GivenPath) -> bool {
    // SAFETY: the helper copies from any address and reports a fault instead of taking it.
    unsafe { bpf_probe_read_kernel_buf((&raw const *from).cast(), to.as_mut_bytes()) }.is_ok()
}
