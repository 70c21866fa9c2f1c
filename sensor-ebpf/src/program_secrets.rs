//! Programs that are started with a credential in their environment or arguments: `tp_btf/sched_process_exec` walks both for names that the
//! agent has put into a map; among them those of variables by which a program loads code. A program of its own, for kernels before 5.17 do not take it.
//!
//! Values never leave this half. That there is one is looked at, and, for names that say so, whether it is a URL with a password. A process that
//! has only just become its program is alone and has not run: nobody of its own changes what is read here.

use core::ffi::c_void;

use aya_ebpf::{
    helpers::{bpf_probe_read_user_buf, bpf_probe_read_user_str_bytes, generated::bpf_loop},
    macros::{btf_tracepoint, map},
    maps::{Array, HashMap},
    programs::BtfTracePointContext,
};
use claviger_sensor_common::{
    Counter, FOUND_MAX, FOUND_NAME_BYTES, FOUND_RECORDS_MAX, LOADS_CODE, ONLY_WITH_PASSWORD, PIECE_BYTES,
    PIECES_MAX, PLACE_HEADER, PLACE_OPTION, PLACE_SUFFIX, PLACE_VARIABLE, Probe, ProgramSecretRecord,
    RECORD_PROGRAM_SECRET, SECRET_NAME_MASK, SECRET_NAME_WORDS, SECRET_NAMES_MAX, secret_name_bit,
    secret_name_seed, secret_name_step,
};

use crate::{
    holders,
    numbers::untyped,
    offsets::{agent_pid, offset},
    read::{Probed, Read, Typed, pointer, unknown},
    report::{count, submit},
    task,
};

/// Names by their hash, with flags.
#[map]
static SECRET_NAMES: HashMap<u64, u32> = HashMap::with_max_entries(SECRET_NAMES_MAX, 0);

/// One bit for each hash that may be there: dismisses other names without a hash lookup.
#[map]
static SECRET_NAME_BITS: Array<u64> = Array::with_max_entries(SECRET_NAME_WORDS, 0);

/// A name that was found: where it lies in the memory of the process.
#[repr(C)]
#[derive(Clone, Copy)]
struct Found {
    at: u64,
    /// As [`named`] tells it.
    named: u64,
}

/// The walk over the strings of an environment, or of arguments. Without padding, which the verifier takes for unset.
#[repr(C)]
struct Walk {
    at: u64,
    end: u64,
    /// [`PLACE_VARIABLE`] or [`PLACE_OPTION`].
    place: u32,
    /// 1 within a string that is longer than a piece.
    inside: u32,
    /// 1 where memory could not be read.
    broken: u32,
    count: u32,
    left_out: u32,
    /// Records that were made of what was found before.
    told: u32,
    /// 1 where a credential was found.
    credential: u32,
    /// 1 where not the whole environment was looked at.
    unread: u32,
    found: [Found; FOUND_MAX],
}

/// `sched_process_exec(task, old_pid, bprm)`: the task has its new memory and has not run yet.
#[btf_tracepoint(function = "sched_process_exec")]
pub fn process_exec_secrets(_ctx: BtfTracePointContext) -> i32 {
    if task::current_pid() == agent_pid() {
        return 0;
    }
    let mm = pointer::<Typed>(task::current(), offset!(task_mm));
    let mut walk = Walk {
        at: Probed::read(mm, offset!(mm_env_start)),
        end: Probed::read(mm, offset!(mm_env_end)),
        place: PLACE_VARIABLE,
        inside: unknown(0),
        broken: 0,
        count: unknown(0),
        left_out: 0,
        told: unknown(0),
        credential: unknown(0),
        unread: 0,
        found: [Found { at: 0, named: 0 }; FOUND_MAX],
    };
    each_string(&mut walk);
    walk.unread = u32::from(walk.broken != 0 || walk.at < walk.end);
    walk.at = Probed::read(mm, offset!(mm_arg_start));
    walk.end = Probed::read(mm, offset!(mm_arg_end));
    walk.place = PLACE_OPTION;
    walk.inside = unknown(0);
    walk.broken = 0;
    each_string(&mut walk);
    if walk.unread != 0 || walk.broken != 0 || walk.at < walk.end {
        count(Probe::ProgramSecrets, Counter::Seen);
        count(Probe::ProgramSecrets, Counter::LostUnreadable);
    }
    if walk.count == 0 && walk.unread == 0 {
        return 0;
    }
    if walk.credential != 0 {
        holders::holds(untyped(task::current()));
    }
    tell_found(&raw mut walk);
    0
}

/// Makes a record of what was found, and room for more. Global, so that the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn tell_found(walk: *mut Walk) -> u32 {
    // The verifier only knows that it may be null.
    if walk.is_null() {
        return 1;
    }
    // SAFETY: what the caller keeps on its stack.
    let walk = unsafe { &mut *walk };
    submit::<ProgramSecretRecord>(Probe::ProgramSecrets as u32, RECORD_PROGRAM_SECRET, |record| {
        // SAFETY: `record` is a reservation of this size.
        let record = unsafe { &mut *record };
        record.count = walk.count;
        record.left_out = walk.left_out;
        record.unread = walk.unread;
        record.padding = 0;
        for (to, from) in record.found.iter_mut().zip(&walk.found) {
            to.hash = from.named & SECRET_NAME_MASK;
            to.place = (from.named >> PLACE_AT) as u32 & 0xf;
            to.length = 0;
            let length = (from.named & LENGTH) as usize;
            // The name and not a byte of what is behind it.
            if let Some(room) = to.name.get_mut(..length)
                    // SAFETY: the helper copies from any user address and reports a fault instead of taking it.
                    && unsafe { bpf_probe_read_user_buf(from.at as *const u8, room) }.is_ok()
            {
                to.length = length as u32;
            }
        }
        task::snapshot(&raw mut record.task);
        true
    });
    walk.count = 0;
    walk.told += 1;
    0
}

#[inline(always)]
fn each_string(walk: &mut Walk) {
    // SAFETY: the callback takes a number and the pointer given here, which outlives the call.
    unsafe {
        bpf_loop(
            PIECES_MAX,
            next as *const () as *mut c_void,
            (&raw mut *walk).cast(),
            0,
        );
    }
}

/// One string, or a piece of a long one.
extern "C" fn next(_index: u64, walk: *mut Walk) -> i64 {
    // SAFETY: what the caller keeps on its stack.
    let walk = unsafe { &mut *walk };
    if walk.at >= walk.end {
        return 1;
    }
    let mut piece = [0u8; PIECE_BYTES];
    // SAFETY: the helper copies a string from any user address and reports a fault instead of taking it.
    let Ok(copied) = (unsafe { bpf_probe_read_user_str_bytes(walk.at as *const u8, &mut piece) }) else {
        walk.broken = 1;
        return 1;
    };
    let length = copied.len();
    // One that fills the piece is taken to go on; if it does not, what follows is empty.
    let ends = length < PIECE_BYTES - 1;
    let begin = walk.at;
    let begins = walk.inside == 0;
    walk.at += length as u64 + u64::from(ends);
    walk.inside = u32::from(!ends);
    if !begins {
        return 0;
    }
    let named = named(begin, walk.place, u32::from(walk.at < walk.end));
    if named == 0 || (named & NEEDS_PASSWORD != 0 && has_password(begin + (named & LENGTH) + 1) == 0) {
        return 0;
    }
    walk.credential |= u32::from(named & LOADS == 0);
    if walk.count == FOUND_MAX as u32 {
        // The last record is made at the end, with the count of what is left out.
        if walk.told + 1 >= FOUND_RECORDS_MAX {
            walk.left_out += 1;
            return 0;
        }
        tell_found(walk);
    }
    let Some(room) = walk.found.get_mut(walk.count as usize) else {
        return 0;
    };
    *room = Found { at: begin, named };
    walk.count += 1;
    0
}

/// Parts of what [`named`] tells: the length of the name, its place, whether it needs a password or is of code, and the rest of the hash.
const LENGTH: u64 = FOUND_NAME_BYTES as u64 - 1;
const PLACE_AT: u32 = 8;
const NEEDS_PASSWORD: u64 = 1 << 12;
const LOADS: u64 = 1 << 13;

/// Which name that is known a string begins with, of an environment or of arguments; 0 where it is none. An option's value may be the next argument
/// (`more`). Global, so that the verifier looks at the loop once, and for itself.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn named(string: u64, place: u32, more: u32) -> u64 {
    // The name, what ends it, and whether something is behind that.
    let mut text = [0u8; FOUND_NAME_BYTES + 8];
    // SAFETY: the helper copies a string from any user address and reports a fault instead of taking it.
    if unsafe { bpf_probe_read_user_str_bytes(string as *const u8, &mut text) }.is_err() {
        return 0;
    }
    let place = if place == PLACE_VARIABLE {
        PLACE_VARIABLE
    } else if text[0] == b'-' {
        PLACE_OPTION
    } else {
        PLACE_HEADER
    };
    let ends_name = if place == PLACE_HEADER { b':' } else { b'=' };
    let mut whole = secret_name_seed(place);
    let mut last = secret_name_seed(PLACE_SUFFIX);
    let mut last_two = last;
    let mut length = 0;
    let mut end = 1;
    for (at, byte) in text[..FOUND_NAME_BYTES].iter().enumerate() {
        let mut byte = *byte;
        if byte == 0 || byte == ends_name {
            length = at;
            end = byte;
            break;
        }
        if place == PLACE_HEADER {
            byte = byte.to_ascii_lowercase();
        }
        whole = secret_name_step(whole, byte);
        last_two = secret_name_step(last_two, byte);
        last = secret_name_step(last, byte);
        if byte == b'_' {
            // Behind the last underscore but one stands what stood behind the last.
            last_two = last;
            last = secret_name_seed(PLACE_SUFFIX);
        }
    }
    // Any numbers to the verifier from here on, so that what follows is looked at once and not for each length.
    let (length, end) = forgotten(length, end);
    let has_value = if end == ends_name {
        text.get(length + 1).is_some_and(|byte| *byte != 0)
    } else {
        place == PLACE_OPTION && end == 0 && more != 0
    };
    // A name without a value is none.
    if !has_value {
        return 0;
    }
    let (hash, flags) = if let Some(flags) = known(whole) {
        (whole, flags)
    } else if place != PLACE_VARIABLE {
        return 0;
    } else if let Some(flags) = known(last_two) {
        (last_two, flags)
    } else if let Some(flags) = known(last) {
        (last, flags)
    } else {
        return 0;
    };
    let needs = if flags & ONLY_WITH_PASSWORD != 0 {
        NEEDS_PASSWORD
    } else {
        0
    };
    let loads = if flags & LOADS_CODE != 0 { LOADS } else { 0 };
    (hash & SECRET_NAME_MASK) | needs | loads | u64::from(place) << PLACE_AT | length as u64
}

/// Two numbers, of which the verifier knows nothing but their bounds any more: they come back by way of a helper.
#[inline(always)]
fn forgotten(length: usize, end: u8) -> (usize, u8) {
    let both = (length as u64) << 8 | u64::from(end);
    let both: u64 = Probed::read((&raw const both).cast(), 0);
    ((both >> 8) as usize & (FOUND_NAME_BYTES - 1), both as u8)
}

/// The flags of a name that is known.
#[inline(always)]
fn known(hash: u64) -> Option<u32> {
    let (word, bit) = secret_name_bit(hash);
    if SECRET_NAME_BITS.get(word)? & bit == 0 {
        return None;
    }
    // SAFETY: a value is four bytes, and is replaced as a whole.
    unsafe { SECRET_NAMES.get(hash) }.copied()
}

/// Bytes of a URL that are looked through for a password.
const URL_BYTES: usize = 80;

/// Whether a value is a URL with a password: `scheme://user:password@host`. Of a longer one that has not come to its `@` it is supposed. Global, so
/// that the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn has_password(value: u64) -> u32 {
    let mut url = [0u8; URL_BYTES];
    // SAFETY: the helper copies a string from any user address and reports a fault instead of taking it.
    if unsafe { bpf_probe_read_user_str_bytes(value as *const u8, &mut url) }.is_err() {
        return 0;
    }
    // Slashes of `://` that came, then the colon behind the user's name, then the at.
    let mut step = 0;
    for (at, byte) in url.into_iter().enumerate() {
        step = match (step, byte) {
            (4, b'@') => return 1,
            (step, 0) => return u32::from(step == 4 && at == URL_BYTES - 1),
            (0, b':') => 1,
            (1, b'/') => 2,
            (2, b'/') => 3,
            (1 | 2, _) => 0,
            (3, b':') => 4,
            (3, b'/' | b'@') => return 0,
            (step, _) => step,
        };
    }
    0
}
