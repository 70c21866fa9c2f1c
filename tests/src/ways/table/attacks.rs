//! Attacks on the sensor, in forms that do it no harm.

use super::row;
use crate::ways::Place::Sensor;
use crate::ways::Sees::Tamper;
use crate::ways::SensorPart::{Config, Key, Link, Map, Pid, Program, State as StateFile};
use crate::ways::State::Built;
use crate::ways::Way;

pub(super) fn ways() -> Vec<Way> {
    let (signal, bpf) = (Tamper("signal"), Tamper("bpf"));
    let (mount, written) = (Tamper("mount_over"), Tamper("file_written"));
    let rows = [
        row(
            "a signal to it",
            [
                Way::new("signal_kill", signal, [Built, Built, Built]).to(Sensor(Pid)),
                Way::new("signal_tkill", signal, [Built, Built, Built]).to(Sensor(Pid)),
                Way::new("signal_tgkill", signal, [Built, Built, Built]).to(Sensor(Pid)),
                Way::new("signal_sigqueue", signal, [Built, Built, Built]).to(Sensor(Pid)),
                Way::new("signal_pidfd", signal, [Built, Built, Built]).to(Sensor(Pid)),
                Way::new("denied_signal", signal, [Built, Built, Built]).to(Sensor(Pid)),
            ],
        ),
        row(
            "`bpf()`",
            [
                Way::new("bpf_link_taken", bpf, [Built, Built, Built]).to(Sensor(Link)),
                Way::new("bpf_detach", bpf, [Built, Built, Built]).to(Sensor(Link)),
                Way::new("bpf_map_taken", bpf, [Built, Built, Built]).to(Sensor(Map)),
                Way::new("bpf_map_write", bpf, [Built, Built, Built]).to(Sensor(Map)),
                Way::new("bpf_map_write_hidden", bpf, [Built, Built, Built]).to(Sensor(Map)),
            ],
        ),
        row(
            "a mount over its files",
            [
                Way::new("mount_over_config", mount, [Built, Built, Built])
                    .program("mount_over")
                    .to(Sensor(Config)),
                Way::new("mount_over_state", mount, [Built, Built, Built])
                    .program("mount_over")
                    .to(Sensor(StateFile)),
                Way::new("mount_over_program", mount, [Built, Built, Built])
                    .program("mount_over")
                    .to(Sensor(Program)),
                Way::new("mount_over_chroot", mount, [Built, Built, Built]).to(Sensor(Config)),
                Way::new("denied_mount_over_chroot", mount, [Built, Built, Built]).to(Sensor(Config)),
                Way::new("mount_over_detached", mount, [Built, Built, Built]).to(Sensor(Config)),
            ],
        ),
        row(
            "the same by another path to them",
            [Way::new("mount_over_elsewhere", mount, [Built, Built, Built]).to(Sensor(Config))],
        ),
        row(
            "its program, configuration or state",
            [
                Way::new("written_config", written, [Built, Built, Built])
                    .program("file_written")
                    .to(Sensor(Config)),
                Way::new("written_state", written, [Built, Built, Built])
                    .program("file_written")
                    .to(Sensor(StateFile)),
                Way::new("written_program", written, [Built, Built, Built])
                    .program("file_written")
                    .to(Sensor(Program)),
            ],
        ),
        row(
            "its keys opened",
            [
                Way::new("own_key_read", Tamper("key_read"), [Built, Built, Built]).to(Sensor(Key)),
                Way::new("own_key_by_link", Tamper("key_read"), [Built, Built, Built]).to(Sensor(Key)),
                Way::new("denied_own_key", Tamper("key_read"), [Built, Built, Built]).to(Sensor(Key)),
            ],
        ),
        row(
            "one of its keys by another name",
            [Way::new(
                "uring_suppressed_closed_own_key",
                Tamper("key_read"),
                [Built, Built, Built],
            )
            .program("uring_suppressed_closed_link")
            .to(Sensor(Key))],
        ),
        row(
            "a name or the mode of its files",
            [
                Way::new("own_name_removed", Tamper("file_removed"), [Built, Built, Built])
                    .to(Sensor(StateFile)),
                Way::new(
                    "own_mode_set_chroot",
                    Tamper("file_changed"),
                    [Built, Built, Built],
                )
                .to(Sensor(StateFile)),
                Way::new("own_mode_set", Tamper("file_changed"), [Built, Built, Built]).to(Sensor(StateFile)),
            ],
        ),
    ];
    [rows.concat(), holds()].concat()
}

/// What starves it, holds it still, or changes it.
fn holds() -> Vec<Way> {
    let of_pid = |name, what| Way::new(name, Tamper(what), [Built, Built, Built]).to(Sensor(Pid));
    let limits = row(
        "limits and priorities",
        [
            of_pid("limit", "limit"),
            of_pid("limit_of_thread", "limit"),
            of_pid("denied_limit", "limit"),
            of_pid("affinity", "scheduling"),
            of_pid("priority", "scheduling"),
            of_pid("priority_of_group", "scheduling"),
            of_pid("denied_priority_of_user", "scheduling"),
            of_pid("priority_wide", "scheduling"),
            of_pid("io_priority_wide", "scheduling"),
            of_pid("limit_unshared", "limit"),
            of_pid("denied_priority_across_users", "scheduling"),
            of_pid("io_priority", "scheduling"),
        ],
    );
    let score = row("its `oom_score_adj`", [of_pid("oom_score", "oom_score")]);
    let cgroups = row(
        "moved to another cgroup",
        [
            of_pid("cgroup_moved", "cgroup"),
            of_pid("cgroup_frozen", "freeze"),
        ],
    );
    let process = row(
        "its process:",
        [
            of_pid("sensor_traced", "process"),
            of_pid("sensor_thread_traced", "process"),
            of_pid("sensor_mem", "process"),
            of_pid("sensor_written", "process"),
            of_pid("sensor_descriptor", "process"),
            of_pid("sensor_descriptor_elsewhere", "process"),
            of_pid("sensor_advised", "process"),
        ],
    );
    [limits, score, cgroups, process].concat()
}
