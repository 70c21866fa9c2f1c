//! Connections to sockets of this host that have a name, of which the agent knows whether somebody holds keys there: `fentry/security_unix_stream_connect`, elsewhere
//! `syscalls:sys_exit_connect`; refused ones by the latter everywhere.
//!
//! Who answers is the process that called `listen`: for a socket that was handed down, by a service manager, that is whoever made it.

use aya_ebpf::{
    helpers::{bpf_probe_read_user, bpf_probe_read_user_str_bytes, generated::bpf_probe_read_kernel},
    macros::{fentry, tracepoint},
    programs::{FEntryContext, TracePointContext},
};
use claviger_sensor_common::{
    AgentSocketRecord, OPERATION_SOCKET, ObjectKey, Probe, RECORD_AGENT_SOCKET, REQUEST_SOCKET, RepeatKey,
    SOCKET_NAME_BYTES,
};

use crate::{
    arguments::{Arguments, result},
    attempts::is_refusal,
    descriptors, labels,
    numbers::untyped,
    offsets::{agent_pid, offset},
    path::{self, Place},
    read::{Probed, Read, pointer},
    repeats,
    report::submit,
    task,
};

/// include/linux/socket.h
const AF_UNIX: u16 = 1;
/// include/linux/net.h: sockets without connections are no agent's.
const SOCK_DGRAM: u16 = 2;
/// include/uapi/linux/un.h: the family stands before the name.
const FAMILY_BYTES: u32 = 2;
const SUN_PATH_BYTES: u32 = 108;

/// `security_unix_stream_connect(sock, other, newsk)`: `other` is the one that listens. Also of io_uring, and of 32-bit programs.
#[fentry(function = "security_unix_stream_connect")]
pub fn fentry_security_unix_stream_connect(ctx: FEntryContext) -> i32 {
    let listens: *const u8 = ctx.arg(1);
    let listens = untyped(listens);
    connected(listens, listens);
    0
}

/// `connect(descriptor, address, length)`, allowed or refused.
#[tracepoint]
pub fn sys_exit_connect(ctx: TracePointContext) -> u32 {
    let result = result(&ctx);
    let arguments = Arguments::current();
    if result == 0 {
        by_descriptor(arguments.first() as u32, arguments.second());
    } else if is_refusal(result) {
        by_name(-result as u32, arguments.second(), 0);
    }
    0
}

/// Only refused ones.
#[tracepoint]
pub fn sys_exit_connect_denied(ctx: TracePointContext) -> u32 {
    let result = result(&ctx);
    if is_refusal(result) {
        by_name(-result as u32, Arguments::current().second(), 0);
    }
    0
}

/// The socket of a descriptor has been connected, if it is a stream of this host. Its peer has the name of the one that listens, until whoever answers closes it:
/// then the name is the one that was asked for.
#[inline(always)]
fn by_descriptor(descriptor: u32, address: u64) {
    let file = descriptors::checked_file(descriptor);
    // A file that is no socket keeps something else there; only a socket can have been connected.
    let socket = pointer::<Probed>(file, offset!(file_private));
    let own = pointer::<Probed>(socket, offset!(socket_sock));
    if Probed::read::<u16>(own, offset!(socket_family)) != AF_UNIX
        || Probed::read::<u16>(own, offset!(sock_type)) == SOCK_DGRAM
    {
        return;
    }
    let peer = pointer::<Probed>(own, offset!(unix_peer));
    // It may let go of its name while it is looked at.
    if has_left_path(peer) || connected(peer as u64, own as u64) == NAMELESS {
        by_name(0, address, own as u64);
    }
}

/// Whether a socket was bound to a path, and has let go of it.
#[inline(always)]
fn has_left_path(named: *const u8) -> bool {
    if named.is_null() {
        return true;
    }
    let address = pointer::<Probed>(named, offset!(unix_address));
    pointer::<Probed>(named, offset!(unix_path_dentry)).is_null()
        && !address.is_null()
        && Probed::read::<u8>(address, offset!(unix_address_name) + FAMILY_BYTES) != 0
}

/// What [`connected`] answers of a socket that has no name.
const NAMELESS: u32 = 1;

/// The current task is connected to a socket that has the name of `named`; `knows` is one that knows who listens. Global, so that what it takes of the stack is free
/// again behind it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn connected(named: u64, knows: u64) -> u32 {
    if task::current_pid() == agent_pid() {
        labels::answer_seen(REQUEST_SOCKET);
        return 0;
    }
    let named = named as *const u8;
    // Once: behind this it may be gone.
    let place = Place {
        dentry: pointer::<Probed>(named, offset!(unix_path_dentry)),
        mount: pointer::<Probed>(named, offset!(unix_path_mnt)),
    };
    let object = if place.dentry.is_null() || place.mount.is_null() {
        match hashed(named) {
            0 => return NAMELESS,
            hash => ObjectKey {
                inode: hash,
                device: 0,
                generation: 0,
            },
        }
    } else {
        labels::key::<Probed>(pointer::<Probed>(place.dentry, offset!(dentry_inode)))
    };
    let key = repeats::key(OPERATION_SOCKET, object, 0, 0);
    repeats::first_only(Probe::AgentSocket as u32, &key, || {
        report(&key, &place, named, knows as *const u8)
    });
    0
}

/// A number for the name of a socket in the abstract namespace; 0 of one that has none.
#[inline(always)]
fn hashed(named: *const u8) -> u64 {
    let mut name = [0u64; SOCKET_NAME_BYTES / 8];
    let Some(length) = abstract_name(named, zerocopy::transmute_mut!(&mut name)) else {
        return 0;
    };
    // FNV-1a, over words.
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ u64::from(length);
    for word in name {
        hash = (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash | 1
}

/// Copies the name that a socket has in the abstract namespace, without its zero, to what is zero; its length.
#[inline(always)]
fn abstract_name(named: *const u8, to: &mut [u8; SOCKET_NAME_BYTES]) -> Option<u32> {
    let address = pointer::<Probed>(named, offset!(unix_address));
    if address.is_null() {
        return None;
    }
    let length: u32 = Probed::read(address, offset!(unix_address_length));
    let text = address
        .wrapping_add(offset!(unix_address_name) as usize)
        .wrapping_add(FAMILY_BYTES as usize);
    let is_named = length > FAMILY_BYTES + 1 && length <= FAMILY_BYTES + SUN_PATH_BYTES;
    if !is_named || Probed::read::<u8>(text, 0) != 0 {
        return None;
    }
    let length = length - FAMILY_BYTES - 1;
    // The verifier has to see the bound, which the compiler knows, and would leave out.
    // SAFETY: a variable of this function.
    let length = unsafe { (&raw const length).read_volatile() } & (SOCKET_NAME_BYTES as u32 - 1);
    // SAFETY: the helper copies from any address and reports a fault instead of taking it; so many bytes are there.
    let read = unsafe { bpf_probe_read_kernel(to.as_mut_ptr().cast(), length, text.wrapping_add(1).cast()) };
    (read == 0).then_some(length)
}

/// The process and the user that a socket has for those of the one that listens; 0 and `u32::MAX` where it knows none.
#[inline(always)]
fn peer(knows: *const u8) -> (u32, u32) {
    if knows.is_null() {
        return (0, u32::MAX);
    }
    let pid = pointer::<Probed>(knows, offset!(sock_peer_pid));
    let cred = pointer::<Probed>(knows, offset!(sock_peer_cred));
    let number = if pid.is_null() {
        0
    } else {
        Probed::read(pid, offset!(pid_numbers))
    };
    (number, Probed::read(cred, offset!(cred_euid)))
}

#[inline(always)]
fn report(key: &RepeatKey, place: &Place, named: *const u8, knows: *const u8) -> bool {
    submit::<AgentSocketRecord>(Probe::AgentSocket as u32, RECORD_AGENT_SOCKET, |record| {
        // SAFETY: `record` is a reservation of this size.
        let record = unsafe { &mut *record };
        record.key = *key;
        (record.peer_pid, record.peer_uid) = peer(knows);
        record.name_length = 0;
        record.is_abstract = 0;
        record.path.length = 0;
        record.path.truncated = 0;
        task::snapshot(&raw mut record.task);
        if place.dentry.is_null() {
            record.is_abstract = 1;
            record.name = [0; SOCKET_NAME_BYTES];
            record.name_length = abstract_name(named, &mut record.name).unwrap_or_default();
            return record.name_length != 0;
        }
        // Whatever the process has for its root: a name is the catalogue's by where it lies.
        path::walk_below(&Place::NOWHERE, place, &mut record.path);
        true
    })
}

/// A connection to a path was refused, or has succeeded and is known by its name alone; `knows` knows who listens, and is 0 where nothing does. Global, for the same
/// reason.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn by_name(errno: u32, address: u64, knows: u64) -> u32 {
    let family = address as *const u16;
    // SAFETY: the helper copies from any user address and reports a fault instead of taking it.
    if task::current_pid() == agent_pid() || unsafe { bpf_probe_read_user(family) } != Ok(AF_UNIX) {
        return 0;
    }
    submit::<AgentSocketRecord>(Probe::AgentSocket as u32, RECORD_AGENT_SOCKET, |record| {
        // SAFETY: `record` is a reservation of this size.
        let record = unsafe { &mut *record };
        let object = ObjectKey {
            inode: 0,
            device: 0,
            generation: 0,
        };
        record.key = repeats::key(OPERATION_SOCKET, object, 0, errno);
        (record.peer_pid, record.peer_uid) = peer(knows as *const u8);
        record.is_abstract = 0;
        record.path.length = 0;
        record.path.truncated = 0;
        task::snapshot(&raw mut record.task);
        let text = (address as *const u8).wrapping_add(FAMILY_BYTES as usize);
        // SAFETY: as above.
        let Ok(given) = (unsafe { bpf_probe_read_user_str_bytes(text, &mut record.name) }) else {
            return false;
        };
        record.name_length = given.len() as u32;
        let begins = if record.name[0] == b'/' {
            path::root::<Probed>(task::current())
        } else {
            path::working_directory()
        };
        path::walk_below(&Place::NOWHERE, &begins, &mut record.path);
        record.name_length != 0
    });
    0
}
