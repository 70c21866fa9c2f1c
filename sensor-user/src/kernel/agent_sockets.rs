//! The hooks of connections to sockets of this host.

use super::hook::{Either, Hook, Point, program};
use crate::config::FileOpenHook;

const REFUSED: &str = "refused connections to sockets of programs that hold keys";

/// Those at a level of opens, in order of preference.
pub(super) const fn at(level: FileOpenHook) -> &'static [Hook] {
    match level {
        FileOpenHook::Tracepoint => &[BY_CALL],
        FileOpenHook::Lsm | FileOpenHook::Fentry => &[BY_FUNCTION, BY_CALL],
    }
}

const BY_FUNCTION: Hook = Hook {
    name: "fentry/security_unix_stream_connect",
    programs: &[program(
        "fentry_security_unix_stream_connect",
        Point::Fentry("security_unix_stream_connect"),
    )],
    beside: &[Either {
        programs: &[program("sys_exit_connect_denied", Point::Exits(&["connect"]))],
        otherwise: REFUSED,
    }],
    cannot_see: &["what is said to sockets that were connected before the sensor"],
};

const BY_CALL: Hook = Hook {
    name: "tracepoint/syscalls/sys_exit_connect",
    programs: &[program("sys_exit_connect", Point::Exits(&["connect"]))],
    beside: &[],
    cannot_see: &[
        "what is said to sockets that were connected before the sensor",
        "connections to sockets of programs that hold keys by io_uring and by 32-bit system calls",
    ],
};
