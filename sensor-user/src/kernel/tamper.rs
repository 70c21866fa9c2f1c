//! The hooks of what is done to the sensor itself.

use super::hook::{ANSWERED, Either, Hook, Point, program};

const MOUNTS_BY_ANOTHER_PATH: &str = "mounts over the sensor's files by another path to them";

const MOUNTS: &[&str] = &["mount", "move_mount"];
const HOLDS: &[&str] = &[
    "prlimit64",
    "sched_setscheduler",
    "sched_setparam",
    "sched_setattr",
    "sched_setaffinity",
    "setpriority",
];
/// A kernel without block devices has none.
const HOLDS_OF_BLOCK_DEVICES: &[&str] = &["ioprio_set"];

/// What a program on a cgroup that is not the root of the hierarchy does not see.
pub(super) const SETTINGS_ELSEWHERE: &str = "who has the kernel call no trampolines (kernel.ftrace_enabled), outside of the cgroups that the sensor is shown";

/// What is done to the sensor itself; the same at every level, but that trampolines show more.
pub(super) const TAMPER: Hook = Hook {
    name: "tp_btf/signal_generate",
    programs: &[program(
        "signal_generate",
        Point::BtfTracepoint("signal_generate"),
    )],
    beside: &[
        Either {
            programs: &[program(
                "sys_exit_signals",
                Point::Exits(&[
                    "kill",
                    "tkill",
                    "tgkill",
                    "rt_sigqueueinfo",
                    "rt_tgsigqueueinfo",
                    "pidfd_send_signal",
                ]),
            )],
            otherwise: "signals that were refused",
        },
        Either {
            programs: &[program("sys_exit_bpf", Point::Exits(&["bpf"]))],
            otherwise: "bpf() on the sensor's links, programs and maps",
        },
        Either {
            programs: &[
                program("fentry_security_bpf", Point::Fentry("security_bpf")),
                program("sys_enter_bpf", Point::Enters(&["bpf"])),
            ],
            otherwise: "bpf() whose arguments another thread changes while it is under way",
        },
        Either {
            programs: &[program(
                "fentry_security_sb_mount",
                Point::Fentry("security_sb_mount"),
            )],
            otherwise: MOUNTS_BY_ANOTHER_PATH,
        },
        Either {
            programs: &[program(
                "fentry_security_move_mount",
                Point::Fentry("security_move_mount"),
            )],
            otherwise: MOUNTS_BY_ANOTHER_PATH,
        },
        Either {
            programs: &[program("sys_enter_mounts", Point::Enters(MOUNTS))],
            otherwise: ANSWERED,
        },
        Either {
            programs: &[program("sys_exit_mounts", Point::Exits(MOUNTS))],
            otherwise: "mounts over the sensor's files",
        },
        Either {
            programs: &[program(
                "sys_enter_holds",
                Point::EntersAndNewer(HOLDS, HOLDS_OF_BLOCK_DEVICES),
            )],
            otherwise: ANSWERED,
        },
        Either {
            programs: &[program(
                "sys_exit_holds",
                Point::ExitsAndNewer(HOLDS, HOLDS_OF_BLOCK_DEVICES),
            )],
            otherwise: "limits and priorities set on the sensor",
        },
        Either {
            programs: &[program(
                "oom_score_adj_update",
                Point::BtfTracepoint("oom_score_adj_update"),
            )],
            otherwise: "whether the sensor is made the first to end when memory runs out",
        },
        Either {
            programs: &[program(
                "cgroup_attach_task",
                Point::BtfTracepoint("cgroup_attach_task"),
            )],
            otherwise: "the sensor moved to another cgroup",
        },
        Either {
            programs: &[program("cgroup_freeze", Point::BtfTracepoint("cgroup_freeze"))],
            otherwise: "the sensor's cgroup frozen",
        },
        Either {
            programs: &[program("sysctl", Point::Settings)],
            otherwise: "who has the kernel call no trampolines (kernel.ftrace_enabled)",
        },
    ],
    cannot_see: &[
        "signals that the kernel sends because a process asked for them (F_SETOWN)",
        "refused signals, bpf(), mounts, limits and priorities by 32-bit system calls",
    ],
};
