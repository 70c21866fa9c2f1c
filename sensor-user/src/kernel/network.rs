//! The hooks of what processes do on the network; the same at every level, but for who sends on a socket that another process has opened.

use super::hook::{Either, Hook, Point, Program, program};
use crate::config::FileOpenHook;

/// Those at a level of opens.
pub(super) const fn at(level: FileOpenHook) -> &'static [Hook] {
    match level {
        FileOpenHook::Tracepoint => &[OPENERS],
        FileOpenHook::Lsm | FileOpenHook::Fentry => &[SENDERS_TOO],
    }
}

/// What programs on a cgroup that is not the root of the hierarchy do not see.
pub(super) const ELSEWHERE: &str = "connections outside of the cgroups that the sensor is shown";

const NAME: &str = "cgroup/connect4";
const PROGRAMS: &[Program] = &[program("connect4", Point::Addresses)];
const CANNOT_SEE: &[&str] = &["packets of raw sockets"];

const OPENERS: Hook = Hook {
    name: NAME,
    programs: PROGRAMS,
    beside: &ALL,
    cannot_see: CANNOT_SEE,
};

const SENDERS_TOO: Hook = Hook {
    name: NAME,
    programs: PROGRAMS,
    beside: &ALL_AND_SENDERS,
    cannot_see: CANNOT_SEE,
};

const SENDERS: Program = program(
    "fentry_security_socket_sendmsg",
    Point::Fentry("security_socket_sendmsg"),
);

const CONNECT6: Either = Either {
    programs: &[program("connect6", Point::Addresses)],
    otherwise: "connections by IPv6",
};
const SENDMSG4: Either = Either {
    programs: &[program("sendmsg4", Point::Addresses)],
    otherwise: "datagrams of sockets that are not connected",
};
const SENDMSG6: Either = Either {
    programs: &[program("sendmsg6", Point::Addresses)],
    otherwise: "datagrams by IPv6 of sockets that are not connected",
};
const EGRESS: Either = Either {
    programs: &[program("egress", Point::Egress)],
    otherwise: "what is asked for on connections, and which name they are for",
};
const INGRESS: Either = Either {
    programs: &[program("ingress", Point::Ingress)],
    otherwise: "how requests are answered, and which addresses names have",
};

const UNSENT: &str = "who sends on a socket that another process has opened";

/// Nothing here sees who sends.
const ALL: [Either; 6] = [
    CONNECT6,
    SENDMSG4,
    SENDMSG6,
    EGRESS,
    INGRESS,
    Either {
        programs: &[],
        otherwise: UNSENT,
    },
];

const ALL_AND_SENDERS: [Either; 6] = [
    CONNECT6,
    SENDMSG4,
    SENDMSG6,
    EGRESS,
    INGRESS,
    Either {
        programs: &[SENDERS],
        otherwise: UNSENT,
    },
];
