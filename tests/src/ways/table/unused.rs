//! What is no use of a credential, and what is not done to the sensor, and is not reported as such.

use super::row;
use crate::ways::Place::{Key, OtherDirectory, OtherFile, Sensor};
use crate::ways::Sees::Nothing;
use crate::ways::SensorPart::Pid;
use crate::ways::State::{Built, NotYet};
use crate::ways::{Way, When};

pub(super) fn ways() -> Vec<Way> {
    [
        ("o_path", "o_path", Key),
        ("stat", "stat", Key),
        ("statx", "statx", Key),
        ("access", "access", Key),
        ("faccessat2", "faccessat2", Key),
        ("denied_access", "denied_access", Key),
        ("name_to_handle_at", "name_to_handle_at", Key),
        ("inotify", "inotify", Key),
        ("core_dump_of_another", "core_dump_of_another", Key),
        ("scm_left", "scm_left", Key),
        ("denied_lease", "denied_lease", Key),
        ("denied_mmap", "denied_mmap", Key),
        ("denied_getfd", "denied_getfd", Key),
        ("own_environ_inherited", "own_environ_inherited", Key),
        (
            "own_thread_environ_inherited",
            "own_thread_environ_inherited",
            Key,
        ),
        ("limit_of_number", "limit_of_number", Sensor(Pid)),
        ("priority_of_number", "priority_of_number", Sensor(Pid)),
        ("io_priority_of_number", "io_priority_of_number", Sensor(Pid)),
        ("number_written", "number_written", Sensor(Pid)),
        ("unrelated_file", "unrelated", OtherFile),
        ("unrelated_directory", "list", OtherDirectory),
    ]
    .map(|(name, program, place)| {
        Way::new(name, Nothing, [Built, Built, Built])
            .program(program)
            .to(place)
    })
    .into_iter()
    .chain(
        ["own_environ_forked", "own_thread_environ_held"]
            .map(|name| Way::new(name, Nothing, [Built, Built, Built]).when(When::BeforeSensor)),
    )
    .chain(row(
        "sent to a process that has no number left for it",
        [Way::new("scm_full", Nothing, [Built, Built, NotYet])],
    ))
    .collect()
}
