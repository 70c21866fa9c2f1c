//! Other ways to a secret.

use super::row;
use crate::ways::Place::{BlockDevice, Device, KeyDirectory, Nowhere, Sensor};
use crate::ways::Sees::{
    Discovery, Environment, KernelKey, MachineSecret, OwnSecret, Secret, SecretBeside, SecretBy,
};
use crate::ways::SensorPart::Pid;
use crate::ways::State::Built;
use crate::ways::{Way, When};

pub(super) fn ways() -> Vec<Way> {
    [processes(), descriptors(), machine(), keys_and_starts()].concat()
}

fn processes() -> Vec<Way> {
    let rows = [
        row(
            "another process's `environ`",
            [
                Way::new("proc_environ", Secret("environ"), [Built, Built, Built]),
                Way::new("proc_mem", Secret("mem"), [Built, Built, Built]),
                Way::new("proc_maps", Secret("maps"), [Built, Built, Built]),
                Way::new("proc_smaps", Secret("maps"), [Built, Built, Built]),
                Way::new("proc_task_environ", Secret("environ"), [Built, Built, Built]),
                Way::new("denied_environ", Secret("environ"), [Built, Built, Built]),
            ],
        ),
        row(
            "`process_vm_readv`",
            [
                Way::new(
                    "process_vm_readv",
                    Secret("process_vm_readv"),
                    [Built, Built, Built],
                ),
                Way::new(
                    "process_vm_readv_thread",
                    Secret("process_vm_readv"),
                    [Built, Built, Built],
                ),
                Way::new(
                    "sensor_thread_read",
                    Secret("process_vm_readv"),
                    [Built, Built, Built],
                )
                .to(Sensor(Pid)),
            ],
        ),
        row(
            "`ptrace` attach and seize",
            [
                Way::new("ptrace_attach", Secret("ptrace"), [Built, Built, Built]),
                Way::new("ptrace_seize", Secret("ptrace"), [Built, Built, Built]),
                Way::new("ptrace_seize_thread", Secret("ptrace"), [Built, Built, Built]),
                Way::new("denied_ptrace", Secret("ptrace"), [Built, Built, Built]),
            ],
        ),
        row(
            "`PTRACE_TRACEME`",
            [
                Way::new("ptrace_traceme", Secret("ptrace_traceme"), [Built, Built, Built]),
                Way::new(
                    "ptrace_from_start",
                    SecretBeside("ptrace_from_start"),
                    [Built, Built, Built],
                ),
            ],
        ),
        row(
            "core dump",
            [
                Way::new("core_dump", OwnSecret("core"), [Built, Built, Built]),
                Way::new("core_dump_of_forked", OwnSecret("core"), [Built, Built, Built]),
                Way::new("core_dump_of_started", OwnSecret("core"), [Built, Built, Built]),
            ],
        ),
    ];
    rows.concat()
}

fn descriptors() -> Vec<Way> {
    let by = |name, part, operation| Way::new(name, SecretBy(part, operation), [Built, Built, Built]);
    let of_all =
        |name, part, operation| Way::new(name, MachineSecret(part, operation), [Built, Built, Built]);
    let rows = [
        row(
            "an open descriptor of one of these",
            [
                by("environ_received", "environ", "receive"),
                by("maps_received_uring", "maps", "receive"),
                by("mem_taken", "mem", "receive"),
                by("mem_inherited", "mem", "inherit"),
                of_all("kcore_received", "kcore", "receive")
                    .program("scm_recvmsg")
                    .to(Device("/proc/kcore")),
                of_all("block_device_received", "block_device", "receive")
                    .program("scm_recvmsg")
                    .to(BlockDevice),
                of_all("block_device_inherited", "block_device", "inherit")
                    .program("inherit")
                    .to(BlockDevice),
            ],
        ),
        row(
            "the same by seccomp's",
            [by("environ_added", "environ", "receive")],
        ),
        row(
            "one of these open before",
            [
                by("environ_held", "environ", "read")
                    .program("proc_environ")
                    .when(When::BeforeSensor),
                of_all("block_device_held", "block_device", "read")
                    .program("held")
                    .to(BlockDevice)
                    .when(When::BeforeSensor),
            ],
        ),
    ];
    rows.concat()
}

fn machine() -> Vec<Way> {
    let memory = row(
        "`/proc/kcore`, `/dev/mem`",
        [
            Way::new("kcore", MachineSecret("kcore", "read"), [Built, Built, Built])
                .program("open_device")
                .to(Device("/proc/kcore")),
            Way::new("dev_mem", MachineSecret("dev_mem", "read"), [Built, Built, Built])
                .program("open_device")
                .to(Device("/dev/mem")),
        ],
    );
    let device = row(
        "block device of a mounted file system",
        [Way::new(
            "block_device",
            MachineSecret("block_device", "read"),
            [Built, Built, Built],
        )
        .program("open_device")
        .to(BlockDevice)],
    );
    let silent = row(
        "any of these by another name, opened by io_uring",
        [
            Way::new(
                "uring_suppressed_closed_environ",
                Secret("environ"),
                [Built, Built, Built],
            ),
            Way::new(
                "uring_suppressed_sqpoll_mem",
                Secret("mem"),
                [Built, Built, Built],
            ),
            Way::new(
                "uring_suppressed_closed_device",
                MachineSecret("block_device", "read"),
                [Built, Built, Built],
            )
            .program("uring_suppressed_closed_link")
            .to(BlockDevice),
        ],
    );
    [memory, device, silent].concat()
}

fn keys_and_starts() -> Vec<Way> {
    let keys = row(
        "`keyctl` read",
        [
            Way::new("keyctl_read", KernelKey, [Built, Built, Built]).to(Nowhere),
            Way::new("keyctl_setperm", KernelKey, [Built, Built, Built]).to(Nowhere),
            Way::new("keyctl_chown", KernelKey, [Built, Built, Built]).to(Nowhere),
            Way::new("denied_keyctl_read", KernelKey, [Built, Built, Built]).to(Nowhere),
        ],
    );
    let starts = row(
        "a credential in environment or arguments",
        [
            Way::new("environment", Environment, [Built, Built, Built]).to(Nowhere),
            Way::new("command_line", Environment, [Built, Built, Built]).to(Nowhere),
        ],
    );
    let listing = row(
        "a directory of credentials is listed",
        [Way::new("list", Discovery, [Built, Built, Built]).to(KeyDirectory)],
    );
    [keys, starts, listing].concat()
}
