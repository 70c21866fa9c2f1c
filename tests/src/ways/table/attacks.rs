//! Attacks on the sensor, in forms that do it no harm.

use super::row;
use crate::ways::Place::Sensor;
use crate::ways::Sees::Tamper;
use crate::ways::SensorPart::{Config, Link, Map, Pid, Program, State as StateFile};
use crate::ways::State::NotYet;
use crate::ways::Way;

pub(super) fn ways() -> Vec<Way> {
    let (signal, bpf) = (Tamper("signal"), Tamper("bpf"));
    let (mount, written) = (Tamper("mount_over"), Tamper("file_written"));
    let rows = [
        row(
            "a signal to it",
            [
                Way::new("signal_kill", signal, [NotYet, NotYet, NotYet]).to(Sensor(Pid)),
                Way::new("signal_tkill", signal, [NotYet, NotYet, NotYet]).to(Sensor(Pid)),
                Way::new("signal_tgkill", signal, [NotYet, NotYet, NotYet]).to(Sensor(Pid)),
                Way::new("signal_sigqueue", signal, [NotYet, NotYet, NotYet]).to(Sensor(Pid)),
                Way::new("signal_pidfd", signal, [NotYet, NotYet, NotYet]).to(Sensor(Pid)),
                Way::new("denied_signal", signal, [NotYet, NotYet, NotYet]).to(Sensor(Pid)),
            ],
        ),
        row(
            "`bpf()`",
            [
                Way::new("bpf_link_taken", bpf, [NotYet, NotYet, NotYet]).to(Sensor(Link)),
                Way::new("bpf_detach", bpf, [NotYet, NotYet, NotYet]).to(Sensor(Link)),
                Way::new("bpf_map_taken", bpf, [NotYet, NotYet, NotYet]).to(Sensor(Map)),
                Way::new("bpf_map_write", bpf, [NotYet, NotYet, NotYet]).to(Sensor(Map)),
            ],
        ),
        row(
            "a mount over its files",
            [
                Way::new("mount_over_config", mount, [NotYet, NotYet, NotYet])
                    .program("mount_over")
                    .to(Sensor(Config)),
                Way::new("mount_over_state", mount, [NotYet, NotYet, NotYet])
                    .program("mount_over")
                    .to(Sensor(StateFile)),
                Way::new("mount_over_program", mount, [NotYet, NotYet, NotYet])
                    .program("mount_over")
                    .to(Sensor(Program)),
            ],
        ),
        row(
            "its program, configuration or state",
            [
                Way::new("written_config", written, [NotYet, NotYet, NotYet])
                    .program("file_written")
                    .to(Sensor(Config)),
                Way::new("written_state", written, [NotYet, NotYet, NotYet])
                    .program("file_written")
                    .to(Sensor(StateFile)),
                Way::new("written_program", written, [NotYet, NotYet, NotYet])
                    .program("file_written")
                    .to(Sensor(Program)),
            ],
        ),
    ];
    rows.concat()
}
