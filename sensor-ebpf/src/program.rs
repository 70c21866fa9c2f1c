//! What a program start truly runs, where its executable only carries it out: a script by its interpreter, a program by the dynamic loader
//! started itself, an applet of a program of many names.
//!
//! - A script that the kernel was given (`#!`, binfmt_misc) is no longer in hand when the program is known to run: its file has been put away. It
//!   hangs in the list of what the task has still to do before it returns to user space, the earliest of those that were opened to be executed,
//!   and is told from there as an object.
//! - Of a script that an argument names (`python3 script.py`) the arguments are told as far as there is room. The agent reads in them what is
//!   run, and keeps no other.
//! - What the dynamic loader runs is the first file that it maps.
//!
//! Most programs are none of these, and cost a look at their name.

use aya_ebpf::{
    helpers::{
        bpf_probe_read_kernel_str_bytes, bpf_probe_read_user_str_bytes, generated::bpf_probe_read_user,
    },
    macros::map,
    maps::{Array, HashMap},
};
use claviger_sensor_common::{
    APPLET_BYTES, Ancestor, CLOSING_MAX, FIRST_ARGUMENT_PIECES_MAX, Family, LOADING_MAX, MISSING,
    NAME_LETTERS, NOT_TOLD_NO_ARGUMENT, NOT_TOLD_UNREADABLE, NameWord, PROGRAM_ARGUMENTS,
    PROGRAM_GIVEN_BYTES, PROGRAM_MAPPED, PROGRAM_SCRIPT_FILE, PROGRAM_SCRIPT_PATH, Probe, ProgramRecord,
    RECORD_PROGRAM, RUNS_APPLET, RUNS_INTERPRETER, RUNS_LOADER, RUNS_SCRIPT, RUNS_TOLD, family_of, is_loader,
};

use crate::{
    file_use::{OPENED_TO_RUN, S_IFMT, S_IFREG},
    labels,
    numbers::untyped,
    offsets::offset,
    path,
    read::{Probed, Read, Typed, pointer},
    report::submit,
    task,
};

/// `BPF_F_NO_PREALLOC`
const NO_PREALLOC: u32 = 1;
/// include/uapi/asm-generic/mman-common.h
const PROT_EXEC: u64 = 0x4;
/// include/uapi/linux/mman.h: of what glibc's loader loads, and of nothing else that it maps.
const MAP_DENYWRITE: u64 = 0x800;

/// Processes in which the dynamic loader was started and has mapped nothing yet, with the number of their program run.
#[map]
static LOADING: HashMap<Ancestor, u64> = HashMap::with_max_entries(LOADING_MAX, NO_PREALLOC);

/// How many times the loader was started itself: while that is 0, nothing else is looked at when files are mapped or processes end.
#[map]
static LOADERS: Array<u64> = Array::with_max_entries(1, 0);

/// What a start runs: the bits of [`claviger_sensor_common::ExecRecord::runs`], and above [`NOT_TOLD_SHIFT`] why it is not told.
pub const NOT_TOLD_SHIFT: u32 = 16;

/// The current task has just become this program: tells what it runs. Global, so that the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn started(exe: u64, filename: u64, is_script: u32) -> u32 {
    let dentry = pointer::<Probed>(exe as *const u8, offset!(file_dentry));
    let mut name = [0u8; 16];
    // SAFETY: the helper copies a string from any address and reports a fault instead of taking it.
    let _no_name = unsafe {
        bpf_probe_read_kernel_str_bytes(pointer::<Probed>(dentry, offset!(dentry_name)), &mut name)
    };
    let script = if is_script != 0 { RUNS_SCRIPT } else { 0 };
    let loader = is_loader(&name);
    note_loading(loader);
    if loader {
        return script | RUNS_LOADER;
    }
    let name = word(&name);
    match family_of(name) {
        Family::None if is_script != 0 => script | tell(filename, 0),
        Family::None => 0,
        Family::Applets => script | RUNS_APPLET | applet(filename, script),
        Family::Interpreter if is_script != 0 => script | RUNS_INTERPRETER | tell(filename, 0),
        Family::Interpreter => RUNS_INTERPRETER | by_arguments(name.0, 1, 0),
    }
}

/// The letters that a name begins with.
#[inline(always)]
fn word(name: &[u8; 16]) -> NameWord {
    let mut word = NameWord(0);
    for byte in &name[..NAME_LETTERS] {
        match word.with(*byte) {
            Some(longer) => word = longer,
            None => break,
        }
    }
    word
}

/// Of a program of many names: by which it was called, and the script that the applet runs if it is a shell.
#[inline(always)]
fn applet(filename: u64, script: u32) -> u32 {
    let first = arguments().0;
    let called = called_as(first);
    // As `busybox cat`: the name is the next argument.
    let shifted = matches!(family_of(NameWord(called)), Family::Applets);
    let (at, called) = if shifted {
        let next = behind(first);
        if next == 0 {
            return NOT_TOLD_NO_ARGUMENT << NOT_TOLD_SHIFT;
        }
        (next, called_as(next))
    } else {
        (first, called)
    };
    if script != 0 {
        return tell(filename, at);
    }
    match family_of(NameWord(called)) {
        Family::Interpreter => match by_arguments(called, 1 + shifted as u32, at) {
            told if told & RUNS_TOLD != 0 => told,
            not_told => tell(0, at) | not_told,
        },
        _ => tell(0, at),
    }
}

/// Where the arguments begin and end.
#[inline(always)]
fn arguments() -> (u64, u64) {
    let mm = pointer::<Typed>(task::current(), offset!(task_mm));
    (
        Probed::read(mm, offset!(mm_arg_start)),
        Probed::read(mm, offset!(mm_arg_end)),
    )
}

/// The letters that the last component of an argument begins with.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn called_as(argument: u64) -> u64 {
    let mut text = [0u8; APPLET_BYTES];
    // SAFETY: the helper copies a string from any user address and reports a fault instead of taking it.
    if unsafe { bpf_probe_read_user_str_bytes(argument as *const u8, &mut text) }.is_err() {
        return 0;
    }
    let mut word = NameWord(0);
    let mut letters = 0;
    for byte in text {
        match byte {
            0 => break,
            b'/' => {
                word = NameWord(0);
                letters = 0;
            }
            // A login shell's name begins so.
            b'-' if letters == 0 => {}
            byte if letters < NAME_LETTERS => match word.with(byte) {
                Some(longer) => {
                    word = longer;
                    letters += 1;
                }
                None => letters = NAME_LETTERS,
            },
            _ => {}
        }
    }
    word.0
}

/// The argument behind one; 0 where that is too long to be passed over, or cannot be read.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn behind(argument: u64) -> u64 {
    let mut at = argument;
    for _ in 0..FIRST_ARGUMENT_PIECES_MAX {
        let mut piece = [0u8; APPLET_BYTES];
        // SAFETY: as above.
        let Ok(copied) = (unsafe { bpf_probe_read_user_str_bytes(at as *const u8, &mut piece) }) else {
            return 0;
        };
        let length = copied.len();
        if length < APPLET_BYTES - 1 {
            at += length as u64 + 1;
            return if at < arguments().1 { at } else { 0 };
        }
        at += length as u64;
    }
    0
}

/// Tells the arguments behind the first `passed`: what they say is for the agent to read, which knows the options of each interpreter.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn by_arguments(interpreter: u64, passed: u32, applet: u64) -> u32 {
    let (first, end) = arguments();
    let mut at = behind(first);
    if passed > 1 && at != 0 {
        at = behind(at);
    }
    if at == 0 || at >= end {
        return NOT_TOLD_NO_ARGUMENT << NOT_TOLD_SHIFT;
    }
    let told = submit::<ProgramRecord>(Probe::ProcessExec as u32, RECORD_PROGRAM, |record| {
        // SAFETY: `record` is a reservation of this size.
        let record = unsafe { &mut *record };
        begin(record);
        called(record, applet);
        let bytes = end - at;
        record.given_truncated = u32::from(bytes > PROGRAM_GIVEN_BYTES as u64);
        let bytes = bytes.min(PROGRAM_GIVEN_BYTES as u64);
        // SAFETY: the helper copies from any user address, at most as many bytes as there is room for, and reports a fault instead of taking it.
        if unsafe { bpf_probe_read_user(record.given.as_mut_ptr().cast(), bytes as u32, at as *const _) } != 0
        {
            return false;
        }
        record.given_length = bytes as u32;
        record.how = PROGRAM_ARGUMENTS;
        record.interpreter = interpreter;
        path::walk(&path::working_directory(), &mut record.path);
        true
    });
    if told {
        RUNS_TOLD
    } else {
        NOT_TOLD_UNREADABLE << NOT_TOLD_SHIFT
    }
}

/// What a program of many names was called by.
#[inline(always)]
fn called(record: &mut ProgramRecord, applet: u64) {
    if applet != 0 {
        // SAFETY: the helper copies a string from any user address and reports a fault instead of taking it.
        let name = unsafe { bpf_probe_read_user_str_bytes(applet as *const u8, &mut record.applet) };
        record.applet_length = name.map_or(0, <[u8]>::len) as u32;
    }
}

/// Tells the script that the kernel was given under `filename`, and what a program of many names was called by.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn tell(filename: u64, applet: u64) -> u32 {
    let script = if filename != 0 { script() } else { 0 };
    let told = submit::<ProgramRecord>(Probe::ProcessExec as u32, RECORD_PROGRAM, |record| {
        // SAFETY: `record` is a reservation of this size.
        let record = unsafe { &mut *record };
        begin(record);
        if filename != 0 {
            // SAFETY: the helper copies a string from any address and reports a fault instead of taking it.
            let given = unsafe { bpf_probe_read_kernel_str_bytes(filename as *const u8, &mut record.given) };
            let length = given.map_or(0, <[u8]>::len);
            given_as(record, length);
            record.how = if script != 0 {
                PROGRAM_SCRIPT_FILE
            } else {
                PROGRAM_SCRIPT_PATH
            };
        }
        called(record, applet);
        if script != 0 {
            object(record, script as *const u8);
        } else if record.how != 0 {
            path::walk(&path::working_directory(), &mut record.path);
        }
        true
    });
    if told { RUNS_TOLD } else { 0 }
}

/// What every record begins with, and nothing else.
#[inline(always)]
fn begin(record: &mut ProgramRecord) {
    record.process = task::current_process();
    record.process.exec_id = task::current_exec_id() as u32;
    record.how = 0;
    record.applet_length = 0;
    record.inode = 0;
    record.device = 0;
    record.marks = 0;
    record.interpreter = 0;
    record.given_length = 0;
    record.given_truncated = 0;
    record.path.length = 0;
    record.path.truncated = 0;
}

#[inline(always)]
fn given_as(record: &mut ProgramRecord, length: usize) {
    record.given_length = length as u32;
    record.given_truncated = u32::from(length + 1 >= record.given.len());
}

/// The file that is run.
#[inline(always)]
fn object(record: &mut ProgramRecord, file: *const u8) {
    let key = labels::key::<Probed>(pointer::<Probed>(file, offset!(file_inode)));
    record.inode = key.inode;
    record.device = key.device;
    record.marks = task::marks(untyped(file));
    path::walk(&path::of_file(file), &mut record.path);
}

/// The file that was given to be executed and has been put away for its interpreter; 0 where it is not found.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn script() -> u64 {
    if offset!(file_work) == MISSING {
        return 0;
    }
    let mut work = pointer::<Probed>(task::current(), offset!(task_works));
    let mut found = 0;
    for _ in 0..CLOSING_MAX {
        if work.is_null() {
            return found;
        }
        let file = work.wrapping_sub(offset!(file_work) as usize);
        if was_opened_to_be_executed(file) {
            // The last one met is the earliest put away: behind it come interpreters.
            found = file as u64;
        }
        // `struct callback_head` begins with the next.
        work = pointer::<Probed>(work, 0);
    }
    0
}

/// Whether what is at this address is a file, and was opened to be executed. Other things hang in the list too; what is read of them is no file,
/// whose inode is its name's.
#[inline(always)]
fn was_opened_to_be_executed(file: *const u8) -> bool {
    let flags: u32 = Probed::read(file, offset!(file_flags));
    let inode = pointer::<Probed>(file, offset!(file_inode));
    let dentry = pointer::<Probed>(file, offset!(file_dentry));
    if flags & OPENED_TO_RUN == 0
        || inode.is_null()
        || inode != pointer::<Probed>(dentry, offset!(dentry_inode))
    {
        return false;
    }
    Probed::read::<u16>(inode, offset!(inode_mode)) & S_IFMT == S_IFREG
}

/// Awaits what the loader maps, where it was started itself; another program of this process is not waited for any more.
#[inline(always)]
fn note_loading(is_loader: bool) {
    if is_loader {
        if let Some(loaders) = LOADERS.get_ptr_mut(0)
            && LOADING
                .insert(task::current_process(), task::current_exec_id(), 0)
                .is_ok()
        {
            // SAFETY: a slot of an array, which lives as long as the map. Only whether it is 0 matters.
            unsafe { loaders.write_volatile(1) };
        }
    } else {
        ended(&task::current_process());
    }
}

/// Whether the loader was ever started itself.
#[inline(always)]
fn any_loader() -> bool {
    // SAFETY: as above.
    LOADERS
        .get_ptr(0)
        .is_some_and(|loaders| unsafe { loaders.read_volatile() } != 0)
}

/// A process has ended, or runs another program.
#[inline(always)]
pub fn ended(process: &Ancestor) {
    if any_loader() {
        let _not_there = LOADING.remove(process);
    }
}

/// A file is mapped: if the loader does it and has mapped none, this is what it runs.
#[inline(always)]
pub fn mapped(file: *const u8, protection: u64, flags: u64) {
    if (protection & PROT_EXEC != 0 || flags & MAP_DENYWRITE != 0) && any_loader() {
        loaded(untyped(file));
    }
}

/// As [`mapped`]. Global, so that it takes nothing of the stack of what else looks at mapped files.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn loaded(file: u64) -> u32 {
    let process = task::current_process();
    // SAFETY: a value of the map, which is only compared.
    let exec_id = unsafe { LOADING.get(process) }.copied();
    if exec_id != Some(task::current_exec_id()) || LOADING.remove(process).is_err() {
        return 0;
    }
    submit::<ProgramRecord>(Probe::ProcessExec as u32, RECORD_PROGRAM, |record| {
        // SAFETY: `record` is a reservation of this size.
        let record = unsafe { &mut *record };
        begin(record);
        record.how = PROGRAM_MAPPED;
        object(record, file as *const u8);
        true
    }) as u32
}
