//! The hooks of each probe, in order of preference, and what each cannot see.

use super::hook::{ANSWERED, Either, Hook, Point, Program, program};
use crate::config::FileOpenHook;

const OPENS: &[&str] = &["open", "openat", "openat2", "creat", "open_by_handle_at"];

const NO_RING: &str = "opens by io_uring";

const NO_RING_REFUSALS: &str = "refusals of io_uring";

const OPEN_LSM: Hook = Hook {
    name: "lsm/file_open",
    programs: &[
        program(
            "lsm_file_open_asked",
            Point::LsmWithResult("file_open", &OPENED_BESIDE),
        ),
        program(
            "lsm_file_open_asked",
            Point::LsmWithResult("file_open", &ADMITTED_BESIDE),
        ),
        program("lsm_file_open", Point::Lsm("file_open")),
    ],
    beside: &[],
    cannot_see: &[],
};

const OPEN_FENTRY: Hook = Hook {
    name: "fentry/security_file_open",
    programs: &[
        OPENED,
        ADMITTED,
        program("fentry_security_file_open", Point::Fentry("security_file_open")),
    ],
    beside: &[],
    cannot_see: &[],
};

/// See what came of an open.
const OPENED: Program = program("fexit_do_dentry_open", Point::Fexit("do_dentry_open"));
const OPENED_BESIDE: Program = program("fexit_do_dentry_open_beside", Point::Fexit("do_dentry_open"));

/// See the answer of all LSMs.
const ADMITTED: Program = program("fexit_security_file_open", Point::Fexit("security_file_open"));
const ADMITTED_BESIDE: Program = program(
    "fexit_security_file_open_beside",
    Point::Fexit("security_file_open"),
);

/// What a program cannot see that sees opens, for it is asked before the outcome is known.
pub(super) fn seen_too_early(program: &Program) -> Option<&'static str> {
    let asked = match program.point {
        Point::LsmWithResult(_, result) => result,
        _ => program,
    };
    match asked.name {
        "lsm_file_open" | "fentry_security_file_open" => Some(
            "whether an LSM after the hook, or the file system, refused an open: its outcome is then said as succeeded",
        ),
        "fexit_security_file_open" | "fexit_security_file_open_beside" => Some(
            "whether the file system, or the holder of a lease, refused an open: its outcome is then said as succeeded",
        ),
        _ => None,
    }
}

const OPEN_TRACEPOINT: Hook = Hook {
    name: "tracepoint/syscalls/sys_exit_openat",
    programs: &[
        program("sys_exit_opens_typed", Point::Exits(OPENS)),
        program("sys_exit_opens", Point::Exits(OPENS)),
    ],
    beside: &[
        Either {
            programs: &[
                program("io_uring_submit_req", Point::BtfTracepoint("io_uring_submit_req")),
                program("io_uring_submit_sqe", Point::BtfTracepoint("io_uring_submit_sqe")),
            ],
            otherwise: NO_RING,
        },
        Either {
            programs: &[
                program(
                    "io_uring_complete_result",
                    Point::BtfTracepoint("io_uring_complete"),
                ),
                program(
                    "io_uring_complete_entry",
                    Point::BtfTracepoint("io_uring_complete"),
                ),
            ],
            otherwise: NO_RING,
        },
        Either {
            programs: &[program(
                "io_uring_cqe_overflow",
                Point::BtfTracepoint("io_uring_cqe_overflow"),
            )],
            otherwise: "opens by an io_uring that has no room for their completion",
        },
        RING_ENDS,
        Either {
            programs: RINGS_LOOKED_THROUGH,
            otherwise: "where the path leads of an io_uring open without completion, when it runs after the call that submits it has ended",
        },
        Either {
            programs: CANCELLED,
            otherwise: TOO_MANY_CANCELLED,
        },
        Either {
            programs: &[program(
                "io_uring_queue_async_work",
                Point::BtfTracepoint("io_uring_queue_async_work"),
            )],
            otherwise: "an open by a worker of an io_uring whose file is replaced before its completion is asked for",
        },
        Either {
            programs: &[program("sys_exit_ioctl_opens", Point::Exits(&["ioctl"]))],
            otherwise: "opens by XFS's own request (XFS_IOC_OPEN_BY_HANDLE)",
        },
        Either {
            programs: &[program("sys_exit_acct", Point::Exits(&["acct"]))],
            otherwise: "the file that process accounting is written to (acct)",
        },
    ],
    cannot_see: &[
        "the object of an io_uring open without completion whose file is gone when the call that submits it ends, or that a thread of the kernel submits: only its path",
    ],
};

/// Looks through the opens by io_uring that have no completion, as the sensor asks.
const RINGS_LOOKED_THROUGH: &[Program] = &[program(
    "sys_exit_io_uring_register",
    Point::Exits(&["io_uring_register"]),
)];

/// Sees what never runs, for what it is chained to has failed.
const CANCELLED: &[Program] = &[program(
    "io_uring_fail_link",
    Point::BtfTracepoint("io_uring_fail_link"),
)];

const TOO_MANY_CANCELLED: &str =
    "how opens by io_uring end, once somebody had very many cancelled that have no completion";

const TOO_MANY_SILENT: &str =
    "refusals of io_uring, once somebody has opened very many files by requests that have no completion";

/// Sees what came of opens by io_uring whose completion is suppressed.
pub(super) const RING_ENDS: Either = Either {
    programs: &[program(
        "sys_exit_io_uring_enter",
        Point::Exits(&["io_uring_enter"]),
    )],
    otherwise: "the object of an io_uring open without completion: only its path",
};

/// At both levels, where a program can be told what a function returned.
const RECEIVED_AT_LAST: Hook = Hook {
    name: "fexit/receive_fd",
    programs: &[
        program("fexit_receive_fd_inner", Point::Fexit("__receive_fd")),
        program("fexit_receive_fd", Point::Fexit("receive_fd")),
    ],
    beside: &[
        Either {
            // Beside the inner one, where the compiler has put a copy of that into it.
            programs: &[program("fexit_receive_fd", Point::Fexit("receive_fd"))],
            otherwise: "descriptors taken from another process (pidfd_getfd), or put in by a seccomp supervisor",
        },
        Either {
            programs: &[program(
                "fexit_receive_fd_replace",
                Point::Fexit("receive_fd_replace"),
            )],
            otherwise: "descriptors put in by a seccomp supervisor under a number that he chooses",
        },
    ],
    cannot_see: &[],
};

const NO_ROOM_FOR_RECEIVED: &str =
    "whether the process had room for a descriptor that it was sent: it is then said as received";

const RECEIVED_LSM: Hook = Hook {
    name: "lsm/file_receive",
    programs: &[program("lsm_file_receive", Point::Lsm("file_receive"))],
    beside: &[],
    cannot_see: &[NO_ROOM_FOR_RECEIVED],
};

const RECEIVED_FENTRY: Hook = Hook {
    name: "fentry/security_file_receive",
    programs: &[program(
        "fentry_security_file_receive",
        Point::Fentry("security_file_receive"),
    )],
    beside: &[],
    cannot_see: &[NO_ROOM_FOR_RECEIVED],
};

const RECEIVED_TRACEPOINT: Hook = Hook {
    name: "tp_btf/skb_copy_datagram_iovec",
    programs: &[program(
        "message_taken",
        Point::BtfTracepoint("skb_copy_datagram_iovec"),
    )],
    beside: &[Either {
        programs: &[program("sys_exit_pidfd_getfd", Point::Exits(&["pidfd_getfd"]))],
        otherwise: "descriptors taken from another process (pidfd_getfd)",
    }],
    cannot_see: &[
        "descriptors put in by a seccomp supervisor, but while they are held",
        "whether a message that carries a descriptor was taken with room for it",
    ],
};

/// At both levels, where a program can be told what a function returned.
const MAPPED_AT_LAST: Hook = Hook {
    name: "fexit/vm_mmap_pgoff",
    programs: &[program("fexit_vm_mmap_pgoff", Point::Fexit("vm_mmap_pgoff"))],
    beside: &[],
    cannot_see: &[],
};

const NOT_MAPPED: &str = "whether the kernel refused to map a file: it is then said as mapped";

const MAPPED_LSM: Hook = Hook {
    name: "lsm/mmap_file",
    programs: &[program("lsm_mmap_file", Point::Lsm("mmap_file"))],
    beside: &[],
    cannot_see: &[NOT_MAPPED],
};

const MAPPED_FENTRY: Hook = Hook {
    name: "fentry/security_mmap_file",
    programs: &[program(
        "fentry_security_mmap_file",
        Point::Fentry("security_mmap_file"),
    )],
    beside: &[],
    cannot_see: &[NOT_MAPPED],
};

const MAPPED_TRACEPOINT: Hook = Hook {
    name: "tracepoint/syscalls/sys_exit_mmap",
    programs: &[
        program("sys_exit_mmap_typed", Point::Exits(&["mmap"])),
        program("sys_exit_mmap", Point::Exits(&["mmap"])),
    ],
    beside: &[],
    cannot_see: &["files mapped by 32-bit system calls"],
};

/// Opens by 32-bit system calls, beside [`OPEN_TRACEPOINT`], where they are asked for.
pub(super) const COMPAT: Either = Either {
    programs: &[program("compat_exits", Point::BtfTracepoint("sys_exit"))],
    otherwise: "opens by 32-bit system calls (int 0x80), which probes.compat_calls asks for",
};

const NO_HANDLES: &str = "refusals of open_by_handle_at";

/// The program that sees every refused open by path, where opens themselves are seen by LSM or fentry.
pub(super) const DENIED: Hook = Hook {
    name: "fexit/do_filp_open",
    programs: &[program("fexit_do_filp_open", Point::Fexit("do_filp_open"))],
    beside: &[Either {
        programs: &[program(
            "sys_exit_handles_denied",
            Point::Exits(&["open_by_handle_at"]),
        )],
        otherwise: NO_HANDLES,
    }],
    cannot_see: &[ODD_HANDLES],
};

const ODD_HANDLES: &str =
    "refusals of open_by_handle_at on file systems whose handles are of a form of their own";

/// The programs that look at refused opens where opens themselves are seen by LSM or fentry.
pub(super) const DENIED_BY_CALL: Hook = Hook {
    name: "tracepoint/syscalls/sys_exit_openat",
    programs: &[program("sys_exit_opens_denied", Point::Exits(OPENS))],
    beside: &[
        Either {
            programs: &[
                program(
                    "io_uring_submit_req_denied",
                    Point::BtfTracepoint("io_uring_submit_req"),
                ),
                program(
                    "io_uring_submit_sqe_denied",
                    Point::BtfTracepoint("io_uring_submit_sqe"),
                ),
            ],
            otherwise: NO_RING_REFUSALS,
        },
        Either {
            programs: &[
                program(
                    "io_uring_complete_result_denied",
                    Point::BtfTracepoint("io_uring_complete"),
                ),
                program(
                    "io_uring_complete_entry_denied",
                    Point::BtfTracepoint("io_uring_complete"),
                ),
            ],
            otherwise: NO_RING_REFUSALS,
        },
        Either {
            programs: RINGS_LOOKED_THROUGH,
            otherwise: TOO_MANY_SILENT,
        },
        Either {
            programs: CANCELLED,
            otherwise: TOO_MANY_CANCELLED,
        },
    ],
    cannot_see: &["refusals of 32-bit system calls", ODD_HANDLES],
};

/// Where opens are seen by tracepoints, the same programs see refusals.
pub(super) const DENIED_ALREADY: Hook = Hook {
    programs: &[],
    beside: &[],
    cannot_see: &[ODD_HANDLES],
    ..DENIED_BY_CALL
};

const REQUESTS: &[&str] = &["ptrace", "process_vm_readv", "process_vm_writev"];
const REQUESTS_BY_DESCRIPTOR: &[&str] = &["pidfd_getfd", "process_madvise"];

/// The system calls by which a process reaches for another; the same at every level.
pub(super) const REACHED: Hook = Hook {
    name: "tracepoint/syscalls/sys_exit_ptrace",
    programs: &[program(
        "sys_exit_reaches",
        Point::ExitsAndNewer(REQUESTS, REQUESTS_BY_DESCRIPTOR),
    )],
    beside: &[
        Either {
            programs: &[program("sys_enter_reaches", Point::Enters(REQUESTS))],
            otherwise: ANSWERED,
        },
        Either {
            programs: &[program(
                "sys_enter_by_process",
                Point::EntersAndNewer(&[], REQUESTS_BY_DESCRIPTOR),
            )],
            otherwise: "what is done to the sensor by a process descriptor that another thread closes while the call runs",
        },
        Either {
            programs: &[program("sys_enter_ioctl", Point::Enters(&["ioctl"]))],
            otherwise: ANSWERED,
        },
        Either {
            programs: &[program("sys_exit_ioctl_reaches", Point::Exits(&["ioctl"]))],
            otherwise: "subvolumes of btrfs that are sent or searched",
        },
    ],
    cannot_see: &["ptrace and process_vm_readv by 32-bit system calls"],
};

/// Keys of the kernel's keyrings; the same at every level.
pub(super) const KEYS: Hook = Hook {
    name: "tracepoint/syscalls/sys_exit_keyctl",
    programs: &[program("sys_exit_keyctl", Point::Exits(&["keyctl"]))],
    beside: &[Either {
        programs: &[program("sys_enter_keyctl", Point::Enters(&["keyctl"]))],
        otherwise: ANSWERED,
    }],
    cannot_see: &[
        "keyctl by 32-bit system calls",
        "keys that sign or decrypt without being read",
    ],
};

/// What is not seen of core dumps; the same at every level.
pub(super) const NOT_OF_CORES: [&str; 2] = [
    "cores of processes that read a credential and closed it before the sensor was there",
    "cores whose writing SIGKILL cut short",
];

/// Listings of directories; the same at every level.
pub(super) const LISTED: Hook = Hook {
    name: "tracepoint/syscalls/sys_exit_getdents64",
    programs: &[program(
        "sys_exit_lists",
        Point::Exits(&["getdents64", "getdents"]),
    )],
    beside: &[],
    cannot_see: &["directories listed by 32-bit system calls"],
};

const MADE_IN_MEMORY: Either = Either {
    programs: &[program("sys_exit_memfd_create", Point::Exits(&["memfd_create"]))],
    otherwise: "copies in files that are made in memory",
};

/// What may become a copy is seen by the programs that see opens, and what is made in memory by one beside them.
pub(super) const fn copied(level: FileOpenHook) -> Hook {
    Hook {
        name: of_opens(level).name,
        programs: &[],
        beside: &[MADE_IN_MEMORY],
        cannot_see: &[
            "copies that are written by another process than the one that read, those that it forked, and those that share its memory or open files",
            "copies that hold more than the credential, or hold it in another form",
        ],
    }
}

/// How opens are seen at a level.
pub(super) const fn of_opens(level: FileOpenHook) -> Hook {
    match level {
        FileOpenHook::Lsm => OPEN_LSM,
        FileOpenHook::Fentry => OPEN_FENTRY,
        FileOpenHook::Tracepoint => OPEN_TRACEPOINT,
    }
}

/// How received descriptors are seen at a level, the best first.
pub(super) const fn of_received(level: FileOpenHook) -> &'static [Hook] {
    match level {
        FileOpenHook::Lsm => &[RECEIVED_AT_LAST, RECEIVED_LSM],
        FileOpenHook::Fentry => &[RECEIVED_AT_LAST, RECEIVED_FENTRY],
        FileOpenHook::Tracepoint => &[RECEIVED_TRACEPOINT],
    }
}

/// How mapped files are seen at a level, the best first.
pub(super) const fn of_mapped(level: FileOpenHook) -> &'static [Hook] {
    match level {
        FileOpenHook::Lsm => &[MAPPED_AT_LAST, MAPPED_LSM],
        FileOpenHook::Fentry => &[MAPPED_AT_LAST, MAPPED_FENTRY],
        FileOpenHook::Tracepoint => &[MAPPED_TRACEPOINT],
    }
}

/// A hook's full name, as events and `check` show it.
#[must_use]
pub const fn name(hook: FileOpenHook) -> &'static str {
    of_opens(hook).name
}
