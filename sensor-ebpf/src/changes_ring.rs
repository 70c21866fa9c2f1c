//! Changes by io_uring, beside the exits of the system calls, or, beside [`crate::changed_objects`], refusals of such: `tp_btf`, in the forms that
//! [`crate::io_uring`] names. What was asked is kept until its end, names of attributes too. Where a completion is suppressed it is told at once, and its
//! end is unknown; what is done to names says nothing of a refusal then. Of what is open then see [`crate::changes_ring_ends`].
//!
//! Who asks, and what the paths start at, is kept as well: another task may complete it, and the process can be elsewhere by then ([`asked`]). What is completed
//! without room for that see [`overflow`].
//!
//! What tells is global, each part for itself: together they are more than the verifier's stack has room for (6.1).

mod asked;
mod overflow;

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use claviger_sensor_common::{
    CHANGE_APPEARED, CHANGE_ATTRIBUTE, CHANGE_EXCHANGED, CHANGE_LINKED, CHANGE_REMOVED, CHANGE_RENAMED,
    CHANGE_SYMLINKED, CHANGE_TRUNCATED, Counter, END_UNKNOWN, MISSING, Probe, UNKNOWN_ID,
};

use self::asked::{CHANGES_ASKED, Start, remember};
pub use self::asked::{is_under_way, over};

use crate::{
    attempts::{AT_FDCWD, is_refusal},
    change_calls::both,
    changed_names::{AT_REMOVEDIR, concerned, tell},
    changed_paths::held_file,
    changes::{Facts, RENAME_EXCHANGE, two},
    changes_ring_ends::{self, Where},
    given::{Given, concerns, fill, only},
    io_uring::COMPLETION_SUPPRESSED,
    numbers::untyped,
    offsets::{agent_pid, offset},
    read::{Probed, Read, Typed, pointer},
    report::lose,
    task,
};

/// include/uapi/linux/io_uring.h
const IORING_OP_RENAMEAT: u8 = 35;
const IORING_OP_UNLINKAT: u8 = 36;
const IORING_OP_MKDIRAT: u8 = 37;
const IORING_OP_SYMLINKAT: u8 = 38;
const IORING_OP_LINKAT: u8 = 39;
const IORING_OP_FSETXATTR: u8 = 41;
const IORING_OP_SETXATTR: u8 = 42;
const IORING_OP_FTRUNCATE: u8 = 55;
/// REQ_F_FIXED_FILE: the same bit as IOSQE_FIXED_FILE.
const FIXED_FILE: u32 = 1;

/// Kernels from 6.4.
#[btf_tracepoint(function = "io_uring_submit_req")]
pub fn io_uring_submit_req_changes(ctx: BtfTracePointContext) -> i32 {
    submitted::<true>(ctx.arg(0));
    0
}

/// Kernels before.
#[btf_tracepoint(function = "io_uring_submit_sqe")]
pub fn io_uring_submit_sqe_changes(ctx: BtfTracePointContext) -> i32 {
    submitted::<true>(ctx.arg(0));
    0
}

/// For refusals only.
#[btf_tracepoint(function = "io_uring_submit_req")]
pub fn io_uring_submit_req_changes_denied(ctx: BtfTracePointContext) -> i32 {
    submitted::<false>(ctx.arg(0));
    0
}

/// For refusals only.
#[btf_tracepoint(function = "io_uring_submit_sqe")]
pub fn io_uring_submit_sqe_changes_denied(ctx: BtfTracePointContext) -> i32 {
    submitted::<false>(ctx.arg(0));
    0
}

/// Kernels from 6.13.
#[btf_tracepoint(function = "io_uring_complete")]
pub fn io_uring_complete_entry_changes(ctx: BtfTracePointContext) -> i32 {
    let entry: *const u8 = ctx.arg(2);
    completed::<true>(ctx.arg(1), Typed::read(entry, offset!(ring_result)));
    0
}

/// Kernels before.
#[btf_tracepoint(function = "io_uring_complete")]
pub fn io_uring_complete_result_changes(ctx: BtfTracePointContext) -> i32 {
    completed::<true>(ctx.arg(1), ctx.arg(3));
    0
}

/// For refusals only.
#[btf_tracepoint(function = "io_uring_complete")]
pub fn io_uring_complete_entry_changes_denied(ctx: BtfTracePointContext) -> i32 {
    let entry: *const u8 = ctx.arg(2);
    completed::<false>(ctx.arg(1), Typed::read(entry, offset!(ring_result)));
    0
}

/// For refusals only.
#[btf_tracepoint(function = "io_uring_complete")]
pub fn io_uring_complete_result_changes_denied(ctx: BtfTracePointContext) -> i32 {
    completed::<false>(ctx.arg(1), ctx.arg(3));
    0
}

#[inline(always)]
fn is_change(opcode: u8) -> bool {
    (IORING_OP_RENAMEAT..=IORING_OP_LINKAT).contains(&opcode)
        || is_of_attribute(opcode)
        || opcode == IORING_OP_FTRUNCATE
}

#[inline(always)]
fn is_of_attribute(opcode: u8) -> bool {
    (opcode == IORING_OP_FSETXATTR || opcode == IORING_OP_SETXATTR)
        && offset!(ring_attribute_path) != MISSING
        && offset!(ring_attribute_name) != MISSING
}

/// The name of an attribute, which stands at the beginning of `struct xattr_name`.
#[inline(always)]
fn attribute_name(command: *const u8) -> *const u8 {
    pointer::<Probed>(command, offset!(ring_attribute_name))
}

#[inline(always)]
fn submitted<const SUCCESSES: bool>(request: *const u8) {
    let opcode: u8 = Typed::read(request, offset!(ring_opcode));
    if !is_change(opcode) || task::current_pid() == agent_pid() {
        return;
    }
    let command = request.wrapping_add(offset!(ring_command) as usize);
    let name = |at: u32| pointer::<Probed>(pointer::<Probed>(command, at), offset!(filename_name));
    let number = |at: u32| Probed::read::<i32>(command, at);
    let nobody = core::ptr::null();
    let (what, directory, given, second_directory, second) = match opcode {
        IORING_OP_RENAMEAT => {
            let flags: u32 = Probed::read(command, offset!(ring_rename_flags));
            let what = if flags & RENAME_EXCHANGE != 0 {
                CHANGE_EXCHANGED
            } else {
                CHANGE_RENAMED
            };
            let old = number(offset!(ring_rename_old_directory));
            let new = number(offset!(ring_rename_new_directory));
            (
                what,
                old,
                name(offset!(ring_rename_old)),
                new,
                name(offset!(ring_rename_new)),
            )
        }
        IORING_OP_UNLINKAT => {
            if number(offset!(ring_unlink_flags)) as u64 & AT_REMOVEDIR != 0 {
                return;
            }
            let directory = number(offset!(ring_unlink_directory));
            (
                CHANGE_REMOVED,
                directory,
                name(offset!(ring_unlink_name)),
                0,
                nobody,
            )
        }
        IORING_OP_MKDIRAT => {
            let directory = number(offset!(ring_mkdir_directory));
            (
                CHANGE_APPEARED,
                directory,
                name(offset!(ring_mkdir_name)),
                0,
                nobody,
            )
        }
        IORING_OP_SYMLINKAT | IORING_OP_LINKAT => {
            let what = if opcode == IORING_OP_LINKAT {
                CHANGE_LINKED
            } else {
                CHANGE_SYMLINKED
            };
            let old = number(offset!(ring_link_old_directory));
            let new = number(offset!(ring_link_new_directory));
            (
                what,
                old,
                name(offset!(ring_link_old)),
                new,
                name(offset!(ring_link_new)),
            )
        }
        IORING_OP_SETXATTR => (
            CHANGE_ATTRIBUTE,
            AT_FDCWD,
            name(offset!(ring_attribute_path)),
            0,
            attribute_name(command),
        ),
        IORING_OP_FSETXATTR => (CHANGE_ATTRIBUTE, 0, attribute_name(command), 0, nobody),
        // Nothing is to be kept of what has no name.
        _ => (CHANGE_TRUNCATED, 0, nobody, 0, nobody),
    };
    let from = Given {
        directory,
        text: given as u64,
    };
    let to = Given {
        directory: second_directory,
        text: second as u64,
    };
    let ring: u64 = Probed::read(request, offset!(ring_context));
    let is_silent = is_suppressed(request);
    if is_silent && !(SUCCESSES && is_by_file(opcode)) {
        // Nothing would tell when it is over, nor that it was refused.
        if SUCCESSES {
            told_now(opcode, what, END_UNKNOWN, from, to);
        }
        return;
    }
    let may_concern = match opcode {
        IORING_OP_FTRUNCATE | IORING_OP_FSETXATTR => true,
        IORING_OP_SETXATTR => concerns::<false>(from),
        _ => concerned::<false>(what, from, to),
    };
    if !remember(untyped(request), what, may_concern, &from, &to) {
        return;
    }
    if SUCCESSES && is_silent {
        changes_ring_ends::submitted(untyped(request), ring, what, place(request, ring));
    } else if overflow::change_kept(untyped(request), ring) == 0 && SUCCESSES {
        // Its end may not be seen.
        if may_concern && !is_by_file(opcode) {
            told_now(opcode, what, END_UNKNOWN, from, to);
            over(untyped(request));
        }
    }
}

/// Whether what is changed is named by a descriptor, or by a place of the ring.
#[inline(always)]
fn is_by_file(opcode: u8) -> bool {
    opcode == IORING_OP_FSETXATTR || opcode == IORING_OP_FTRUNCATE
}

#[inline(always)]
fn is_suppressed(request: *const u8) -> bool {
    Probed::read::<u32>(request, offset!(ring_flags)) & COMPLETION_SUPPRESSED != 0
}

/// Where the file of a request that has just been submitted lies: it is taken when it runs.
#[inline(always)]
fn place(request: *const u8, ring: u64) -> Where {
    if offset!(ring_descriptor) == MISSING {
        return Where::NOWHERE;
    }
    let is_fixed = Probed::read::<u32>(request, offset!(ring_flags)) & FIXED_FILE != 0;
    Where {
        ring: if is_fixed { ring } else { 0 },
        descriptor: Probed::read(request, offset!(ring_descriptor)),
    }
}

/// Tells that what lies at a place is changed, as it was asked, and nobody sees how that ends; 0 where nothing is told, for it is no credential.
#[inline(always)]
pub fn end_unknown(request: u64, what: u32, file: u64) -> u32 {
    let Some(asked) = CHANGES_ASKED.get_ptr(request) else {
        return 0;
    };
    // SAFETY: a value of the map that stays until it is removed by [`over`].
    let attribute = untyped(unsafe { (*asked).first.given.as_ptr() });
    by_file(
        what,
        END_UNKNOWN,
        file,
        if what == CHANGE_TRUNCATED { 0 } else { attribute },
        0,
    )
}

/// Tells a change of what a path leads to, of the current task, with what the path starts at now. When it runs, which may be later, the process may be elsewhere, or have another root.
#[inline(always)]
fn told_now(opcode: u8, what: u32, errno: u32, from: Given, to: Given) {
    let (first, second) = (untyped(from.text as *const u8), untyped(to.text as *const u8));
    if opcode == IORING_OP_SETXATTR {
        attribute_by_path(errno, first, second, LATE);
    } else {
        names(
            what | LATE,
            errno,
            both(from.directory, to.directory),
            first,
            second,
        );
    }
}

/// With what is told: the paths may have started elsewhere.
const LATE: u32 = 1 << 31;

/// Tells a change of names.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn names(what: u32, errno: u32, directories: u64, from: u64, to: u64) -> u32 {
    let (from, to) = (Given::at(directories, from), Given::at(directories >> 32, to));
    tell::<false>(what & !LATE, errno, what & LATE != 0, from, to);
    0
}

/// Tells that an attribute was set of what a path leads to.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn attribute_by_path(errno: u32, path: u64, attribute: u64, what: u32) -> u32 {
    let given = Given::here(path);
    if !concerns::<false>(given) {
        return 0;
    }
    let mut facts = Facts::new(CHANGE_ATTRIBUTE);
    facts.errno = errno;
    facts.by_path = true;
    facts.read_late = what & LATE != 0;
    two(&facts, |path, name| {
        fill::<false>(path, given) && only::<false>(name, attribute)
    });
    0
}

/// Tells what was done to an open file. `whose` as in [`crate::changes::Facts`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn by_file(what: u32, errno: u32, file: u64, attribute: u64, whose: u64) -> u32 {
    let nothing = both(UNKNOWN_ID as i32, UNKNOWN_ID as i32);
    held_file::<false>(what, errno, file as *const u8, attribute, nothing, whose)
}

#[inline(always)]
fn completed<const SUCCESSES: bool>(request: *const u8, result: i32) {
    let opcode: u8 = Probed::read(request, offset!(ring_opcode));
    if !is_change(opcode) {
        return;
    }
    let errno = -result as u32;
    if (SUCCESSES && result == 0) || is_refusal(i64::from(result)) {
        if is_by_file(opcode) {
            ring_change_of_file_ended(untyped(request), errno);
        } else {
            ring_change_ended(untyped(request), u32::from(opcode), errno);
        }
    }
    over(untyped(request));
}

/// Tells how a change of an open file has ended, once. Global, so that the verifier looks at it once; below it there is little room on the stack.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn ring_change_of_file_ended(request: u64, errno: u32) -> u32 {
    let Some(asked) = CHANGES_ASKED.get_ptr(request) else {
        return 0;
    };
    // SAFETY: a value of the map that stays while this program runs.
    let asked = unsafe { &*asked };
    let attribute = if asked.what == CHANGE_TRUNCATED {
        0
    } else {
        untyped(asked.first.given.as_ptr())
    };
    by_file(
        asked.what,
        errno,
        untyped(pointer::<Probed>(request as *const u8, offset!(ring_file))),
        attribute,
        untyped((&raw const asked.actor).cast()),
    )
}

/// Tells how a change by path has ended, once. Global, for the same reason.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn ring_change_ended(request: u64, opcode: u32, errno: u32) -> u32 {
    let Some(asked) = CHANGES_ASKED.get_ptr(request) else {
        return 0;
    };
    // SAFETY: a value of the map that stays while this program runs.
    let asked = unsafe { &*asked };
    if asked.are_starts_known() {
        asked::told_change_asked(request, errno);
    }
    match asked.start_now() {
        Start::Same => {}
        Start::Unknown => lose(Probe::CredentialChange, Counter::LostDescriptorGone),
        Start::Another => {
            let what = asked.what | (u32::from(asked.are_starts_known()) * LATE);
            let (first, second) = (asked.first.given.as_ptr(), asked.second_text());
            if opcode as u8 == IORING_OP_SETXATTR {
                attribute_by_path(errno, untyped(first), second, what);
            } else {
                let directories = both(asked.directory, asked.second_directory);
                names(what, errno, directories, untyped(first), second);
            }
        }
    }
    0
}
