//! The hooks of changes: of names, lengths, modes, owners and attributes of files.
//!
//! At the levels of LSM and fentry both are `fentry` and `fexit` of the functions that every change comes through: no LSM hook is told how it ended.

use super::hook::{ANSWERED, Either, Hook, Point, Program, program};
use crate::config::FileOpenHook;

const NAMES: &[&str] = &[
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "unlink",
    "unlinkat",
];
const BY_PATH: &[&str] = &[
    "truncate",
    "chmod",
    "fchmodat",
    "chown",
    "lchown",
    "fchownat",
    "setxattr",
    "lsetxattr",
    "removexattr",
    "lremovexattr",
];
const BY_PATH_NEWER: &[&str] = &["fchmodat2", "setxattrat", "removexattrat"];
const BY_DESCRIPTOR: &[&str] = &["ftruncate", "fchmod", "fchown", "fsetxattr", "fremovexattr"];
const APPEARS: &[&str] = &["mkdir", "mkdirat", "mount", "move_mount"];
/// Where directories are seen as they are made.
const MOUNTS: &[&str] = &["mount", "move_mount"];

const fn either(programs: &'static [Program], otherwise: &'static str) -> Either {
    Either { programs, otherwise }
}

const NO_RING_REFUSALS: &str = "refused changes by io_uring";
const NO_ROOM_REFUSALS: &str = "refused changes by an io_uring that has no room for their completion";

/// Sees changes that never run, for what they are chained to has failed.
const RING_CANCELLED: &[Program] = &[program(
    "io_uring_fail_link_changes",
    Point::BtfTracepoint("io_uring_fail_link"),
)];
const TOO_MANY_CANCELLED: &str =
    "changes by io_uring, once somebody had very many cancelled that have no completion";

const FUNCTIONS: Hook = Hook {
    name: "fexit/notify_change",
    programs: &[program("fexit_notify_change", Point::Fexit("notify_change"))],
    beside: &[
        either(
            &[program("fentry_notify_change", Point::Fentry("notify_change"))],
            "changes of modes, owners and lengths",
        ),
        either(
            &[program("fexit_vfs_rename", Point::Fexit("vfs_rename"))],
            "renames",
        ),
        either(
            &[program("fentry_vfs_rename", Point::Fentry("vfs_rename"))],
            "renames",
        ),
        either(
            &[program("fexit_vfs_unlink", Point::Fexit("vfs_unlink"))],
            "removals",
        ),
        either(
            &[program("fentry_vfs_unlink", Point::Fentry("vfs_unlink"))],
            "removals",
        ),
        either(
            &[program("fexit_vfs_link", Point::Fexit("vfs_link"))],
            "hard links",
        ),
        either(
            &[program("fentry_vfs_link", Point::Fentry("vfs_link"))],
            "hard links",
        ),
        either(
            &[program("fexit_vfs_symlink", Point::Fexit("vfs_symlink"))],
            "symbolic links",
        ),
        either(
            &[program("fexit_vfs_setxattr", Point::Fexit("vfs_setxattr"))],
            "attributes that are set",
        ),
        either(
            &[program("fexit_vfs_removexattr", Point::Fexit("vfs_removexattr"))],
            "attributes that are removed",
        ),
        // Kernels before 6.2 set an access control list as any attribute.
        either(
            &[
                program("fexit_vfs_set_acl", Point::Fexit("vfs_set_acl")),
                program("fexit_vfs_setxattr", Point::Fexit("vfs_setxattr")),
            ],
            "access control lists apart from other attributes",
        ),
        either(
            &[
                program("fexit_vfs_remove_acl", Point::Fexit("vfs_remove_acl")),
                program("fexit_vfs_removexattr", Point::Fexit("vfs_removexattr")),
            ],
            "access control lists apart from other attributes",
        ),
        either(
            &[program("fexit_vfs_mkdir", Point::Fexit("vfs_mkdir"))],
            "new directories before the next scan",
        ),
        either(
            &[program("sys_exit_appears", Point::Exits(MOUNTS))],
            "new mounts before the next scan",
        ),
        either(
            &[program("sys_exit_names_denied", Point::Exits(NAMES))],
            "refused changes of names",
        ),
        either(
            &[program(
                "sys_exit_by_path_denied",
                Point::ExitsAndNewer(BY_PATH, BY_PATH_NEWER),
            )],
            "refused changes by path",
        ),
        either(
            &[program(
                "sys_exit_by_descriptor_denied",
                Point::Exits(BY_DESCRIPTOR),
            )],
            "refused changes by descriptor",
        ),
        either(
            &[
                program(
                    "io_uring_submit_req_changes_denied",
                    Point::BtfTracepoint("io_uring_submit_req"),
                ),
                program(
                    "io_uring_submit_sqe_changes_denied",
                    Point::BtfTracepoint("io_uring_submit_sqe"),
                ),
            ],
            NO_RING_REFUSALS,
        ),
        either(
            &[
                program(
                    "io_uring_complete_result_changes_denied",
                    Point::BtfTracepoint("io_uring_complete"),
                ),
                program(
                    "io_uring_complete_entry_changes_denied",
                    Point::BtfTracepoint("io_uring_complete"),
                ),
            ],
            NO_RING_REFUSALS,
        ),
        either(
            &[program(
                "io_uring_cqe_overflow_changes_denied",
                Point::BtfTracepoint("io_uring_cqe_overflow"),
            )],
            NO_ROOM_REFUSALS,
        ),
        either(RING_CANCELLED, TOO_MANY_CANCELLED),
    ],
    cannot_see: &["refused changes by 32-bit system calls"],
};

const TRACEPOINT: Hook = Hook {
    name: "tracepoint/syscalls/sys_exit_fchmod",
    programs: &[program("sys_exit_by_descriptor", Point::Exits(BY_DESCRIPTOR))],
    beside: &[
        either(
            &[program("sys_enter_by_descriptor", Point::Enters(BY_DESCRIPTOR))],
            ANSWERED,
        ),
        either(
            &[program(
                "sys_enter_by_path",
                Point::EntersAndNewer(BY_PATH, BY_PATH_NEWER),
            )],
            "changes by path whose path another thread changes while the call runs",
        ),
        either(
            &[program(
                "sys_exit_by_path",
                Point::ExitsAndNewer(BY_PATH, BY_PATH_NEWER),
            )],
            "changes of modes, owners, lengths and attributes by path",
        ),
        either(
            &[program("sys_enter_names", Point::Enters(NAMES))],
            "changes of names whose path another thread changes while the call runs",
        ),
        either(
            &[program("sys_exit_names", Point::Exits(NAMES))],
            "changes of names",
        ),
        either(
            &[program("sys_exit_appears", Point::Exits(APPEARS))],
            "new directories and mounts before the next scan",
        ),
        either(
            &[
                program(
                    "io_uring_submit_req_changes",
                    Point::BtfTracepoint("io_uring_submit_req"),
                ),
                program(
                    "io_uring_submit_sqe_changes",
                    Point::BtfTracepoint("io_uring_submit_sqe"),
                ),
            ],
            "changes by io_uring",
        ),
        either(
            &[
                program(
                    "io_uring_complete_result_changes",
                    Point::BtfTracepoint("io_uring_complete"),
                ),
                program(
                    "io_uring_complete_entry_changes",
                    Point::BtfTracepoint("io_uring_complete"),
                ),
            ],
            "changes by io_uring",
        ),
        either(
            &[program(
                "io_uring_cqe_overflow_changes",
                Point::BtfTracepoint("io_uring_cqe_overflow"),
            )],
            "changes by an io_uring that has no room for their completion",
        ),
        either(RING_CANCELLED, TOO_MANY_CANCELLED),
    ],
    cannot_see: &[
        "changes by 32-bit system calls",
        "changes by path but by the path itself: not by another name of the file, nor through a symbolic link to its directory",
    ],
};

/// The hook at a level.
pub(super) const fn at(level: FileOpenHook) -> Hook {
    match level {
        FileOpenHook::Lsm | FileOpenHook::Fentry => FUNCTIONS,
        FileOpenHook::Tracepoint => TRACEPOINT,
    }
}
