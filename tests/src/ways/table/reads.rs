//! Reads of a credential file.

use super::row;
use crate::ways::Place::{Copied, NoKey, Token, Written};
use crate::ways::Sees::Access;
use crate::ways::State::Built;
use crate::ways::{Way, When};

const READ: crate::ways::Sees = Access("read");

pub(super) fn ways() -> Vec<Way> {
    [
        opens(),
        kernels_own_opens(),
        descriptors(),
        other_mounts(),
        copies(),
    ]
    .concat()
}

fn opens() -> Vec<Way> {
    let named = row(
        "`open`, `openat`, `openat2`",
        [
            Way::new("open", READ, [Built, Built, Built]),
            Way::new("openat", READ, [Built, Built, Built]),
            Way::new("openat2", READ, [Built, Built, Built]),
            Way::new("relative_to_cwd", READ, [Built, Built, Built]),
            Way::new("relative_to_descriptor", READ, [Built, Built, Built]),
            Way::new("openat2_in_root", READ, [Built, Built, Built]),
            Way::new("symlink", READ, [Built, Built, Built]),
            Way::new("symlinked_directory", READ, [Built, Built, Built]),
            Way::new("hard_link", READ, [Built, Built, Built]),
            Way::new("bind_mount", READ, [Built, Built, Built]),
            Way::new("bind_mounted_directory", READ, [Built, Built, Built]),
            Way::new("detached_mount", READ, [Built, Built, Built]),
            Way::new("proc_root", READ, [Built, Built, Built]),
            Way::new("proc_cwd", READ, [Built, Built, Built]),
            Way::new("proc_fd", READ, [Built, Built, Built]),
            Way::new("proc_fd_of_another", READ, [Built, Built, Built]),
            Way::new("proc_map_files", READ, [Built, Built, Built]),
            Way::new("thread", READ, [Built, Built, Built]),
            Way::new("chroot", READ, [Built, Built, Built]),
            Way::new("after_replace", READ, [Built, Built, Built]),
            Way::new("after_creation", READ, [Built, Built, Built]).to(NoKey),
            Way::new("renamed_away", READ, [Built, Built, Built]),
            Way::new("renamed_back", READ, [Built, Built, Built]),
            Way::new("kubernetes_token", READ, [Built, Built, Built])
                .program("openat")
                .to(Token),
            Way::new("kubernetes_rotation", READ, [Built, Built, Built]).to(Token),
        ],
    );
    let at_once = row(
        "made at a credential's name",
        [Way::new("created_renamed", READ, [Built, Built, Built]).to(NoKey)],
    );
    let replaced = row(
        "put over a credential",
        [
            Way::new("replaced_linked", READ, [Built, Built, Built]),
            Way::new("replaced_renamed", READ, [Built, Built, Built]),
        ],
    );
    let creat = row(
        "`creat`",
        [Way::new("creat", Access("write"), [Built, Built, Built]).to(Written)],
    );
    let by_handle = row(
        "`open_by_handle_at`",
        [Way::new("open_by_handle_at", READ, [Built, Built, Built])],
    );
    [named, at_once, replaced, creat, by_handle].concat()
}

fn kernels_own_opens() -> Vec<Way> {
    let compat = row(
        "32-bit `open`",
        [
            Way::new("int80_open", READ, [Built, Built, Built]),
            Way::new("int80_openat", READ, [Built, Built, Built]),
            Way::new("int80_openat2", READ, [Built, Built, Built]),
            Way::new("program32_open", READ, [Built, Built, Built]),
            Way::new("program32_openat", READ, [Built, Built, Built]),
            Way::new("program32_openat2", READ, [Built, Built, Built]),
        ],
    );
    let uring = row(
        "io_uring `OPENAT`, `OPENAT2`",
        [
            Way::new("uring_openat", READ, [Built, Built, Built]),
            Way::new("uring_personality", READ, [Built, Built, Built]),
            Way::new("uring_openat2", READ, [Built, Built, Built]),
            Way::new("uring_worker", READ, [Built, Built, Built]),
            Way::new("uring_sqpoll", READ, [Built, Built, Built]),
            Way::new("uring_worker_deferred", READ, [Built, Built, Built]),
            Way::new("uring_many", READ, [Built, Built, Built]),
            Way::new("uring_overflow", READ, [Built, Built, Built]),
            Way::new("uring_overflow_worker", READ, [Built, Built, Built]),
        ],
    );
    [compat, uring, fixed_files(), silent()].concat()
}

fn fixed_files() -> Vec<Way> {
    let opened = row(
        "io_uring, into a fixed file",
        [
            Way::new("uring_fixed_file", READ, [Built, Built, Built]),
            Way::new("uring_fixed_anywhere", READ, [Built, Built, Built]),
            Way::new("uring_fixed_symlink", READ, [Built, Built, Built]),
            Way::new("uring_fixed_proc_cwd", READ, [Built, Built, Built]),
            Way::new("uring_fixed_chroot", READ, [Built, Built, Built]),
            Way::new("uring_fixed_relative", READ, [Built, Built, Built]),
            Way::new("uring_fixed_long_path", READ, [Built, Built, Built]),
        ],
    );
    let replaced = row(
        "io_uring, and another file is put",
        [
            Way::new("uring_replaced", READ, [Built, Built, Built]),
            Way::new("uring_fixed_replaced", READ, [Built, Built, Built]),
            Way::new("uring_drained_replaced", READ, [Built, Built, Built]),
        ],
    );
    let rows = [
        row(
            "an io_uring with a fixed file, inherited",
            [Way::new(
                "ring_inherited",
                Access("inherit"),
                [Built, Built, Built],
            )],
        ),
        row(
            "an io_uring with a fixed file, received",
            [
                Way::new("ring_received", Access("receive"), [Built, Built, Built]),
                Way::new("scm_ring", Access("receive"), [Built, Built, Built]),
            ],
        ),
        row(
            "a fixed file put in by another process",
            [
                Way::new("ring_message", READ, [Built, Built, Built]),
                Way::new("ring_registered", READ, [Built, Built, Built]),
            ],
        ),
    ];
    [opened, replaced, rows.concat()].concat()
}

/// Opens that io_uring does not say the success of.
fn silent() -> Vec<Way> {
    let held = row(
        "io_uring, completion suppressed (",
        [
            Way::new("uring_suppressed", READ, [Built, Built, Built]),
            Way::new("uring_suppressed_fixed", READ, [Built, Built, Built]),
            Way::new("uring_suppressed_anywhere", READ, [Built, Built, Built]),
            Way::new("uring_suppressed_symlink", READ, [Built, Built, Built]),
            Way::new("uring_suppressed_worker", READ, [Built, Built, Built]),
        ],
    );
    let gone = row(
        "the same, submitted by the polling thread",
        [
            Way::new("uring_suppressed_sqpoll", READ, [Built, Built, Built]),
            Way::new("uring_suppressed_closed", READ, [Built, Built, Built]),
            Way::new("uring_suppressed_closed_in_root", READ, [Built, Built, Built]),
            Way::new("uring_suppressed_closed_symlink", READ, [Built, Built, Built]),
            Way::new("uring_suppressed_closed_proc_cwd", READ, [Built, Built, Built]),
            Way::new("uring_suppressed_closed_mounts", READ, [Built, Built, Built]),
            Way::new("uring_suppressed_replaced", READ, [Built, Built, Built]),
            Way::new("uring_suppressed_replaced_labelled", READ, [Built, Built, Built]),
            Way::new("uring_worker_replaced", READ, [Built, Built, Built]),
            Way::new("uring_worker_replaced_labelled", READ, [Built, Built, Built]),
            Way::new("uring_worker_replaced_environ", READ, [Built, Built, Built]),
            Way::new("uring_drained_reversed", READ, [Built, Built, Built]),
        ],
    );
    let late = row(
        "the same, run after the call that submits it",
        [Way::new("uring_suppressed_late", READ, [Built, Built, Built])],
    );
    let ended = row(
        "opened for a thread that has ended",
        [Way::new("uring_ended_openat", READ, [Built, Built, Built])],
    );
    [held, gone, late, ended].concat()
}

fn descriptors() -> Vec<Way> {
    let receive = Access("receive");
    let rows = [
        row("fanotify", [Way::new("fanotify", READ, [Built, Built, Built])]),
        row(
            "`mmap` of a descriptor",
            [Way::new("mmap", Access("map"), [Built, Built, Built])],
        ),
        row(
            "`execve` that inherits",
            [
                Way::new("inherit", Access("inherit"), [Built, Built, Built]),
                Way::new("inherit_high", Access("inherit"), [Built, Built, Built]),
                Way::new("inherit_highest", Access("inherit"), [Built, Built, Built]),
                Way::new("opened_as_program", Access("inherit"), [Built, Built, Built]),
            ],
        ),
        row(
            "descriptor received by `SCM_RIGHTS`",
            [
                Way::new("scm_recvmsg", receive, [Built, Built, Built]),
                Way::new("scm_peek", receive, [Built, Built, Built]),
                Way::new("scm_recvmmsg", receive, [Built, Built, Built]),
                Way::new("scm_diverted", receive, [Built, Built, Built]),
            ],
        ),
        row(
            "the same by io_uring `RECVMSG`",
            [
                Way::new("scm_uring", receive, [Built, Built, Built]),
                Way::new("scm_uring_reading", receive, [Built, Built, Built]),
            ],
        ),
        row(
            "`pidfd_getfd`",
            [Way::new("pidfd_getfd", receive, [Built, Built, Built])],
        ),
        row(
            "seccomp's `NOTIF_ADDFD`",
            [
                Way::new("seccomp_addfd", receive, [Built, Built, Built]),
                Way::new("seccomp_addfd_same_number", receive, [Built, Built, Built]),
            ],
        ),
        row(
            "open before the sensor was",
            [Way::new("held", READ, [Built, Built, Built]).when(When::BeforeSensor)],
        ),
    ];
    rows.concat()
}

fn other_mounts() -> Vec<Way> {
    let overlay = row(
        "overlayfs",
        [
            Way::new("overlay_lower", READ, [Built, Built, Built]),
            Way::new("overlay_upper", READ, [Built, Built, Built]),
            Way::new("overlay_copied_up", READ, [Built, Built, Built]),
            Way::new("overlay_lower_directly", READ, [Built, Built, Built]),
            Way::new("overlay_upper_directly", READ, [Built, Built, Built]),
        ],
    );
    let elsewhere = row(
        "the same where its content",
        [
            Way::new("overlay_metacopy", READ, [Built, Built, Built]),
            Way::new("overlay_data_only", READ, [Built, Built, Built]),
            Way::new("overlay_on_overlay", READ, [Built, Built, Built]),
            Way::new("overlay_data_inherited", Access("inherit"), [Built, Built, Built]),
        ],
    );
    let idmapped = row(
        "idmapped mount",
        [Way::new("idmapped_mount", READ, [Built, Built, Built])],
    );
    [overlay, elsewhere, idmapped].concat()
}

fn copies() -> Vec<Way> {
    row(
        "a copy written by a process",
        [Way::new("copy", READ, [Built, Built, Built])
            .program("openat")
            .to(Copied)
            .when(When::Afterwards)],
    )
}
