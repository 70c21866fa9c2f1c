//! The sensor itself: what is labelled, which policy holds, whether it tests itself, what it costs.

use std::time::UNIX_EPOCH;

use super::{
    Beside,
    definitions::{counter, gauge, seconds},
};
use crate::{
    agent::Status,
    metrics::{Definition, Label, Snapshot, Type, Unit},
};

static BUILD: Definition = Definition {
    kind: Type::Info,
    ..gauge(
        "claviger_sensor_build",
        &[Label {
            name: "version",
            values: || vec![env!("CARGO_PKG_VERSION")],
        }],
        "The version of the sensor.",
        "Hosts that differ were not all updated.",
    )
};

static STARTED: Definition = seconds(
    "claviger_sensor_start_time",
    &[],
    "When the sensor began to watch, in seconds since 1970. All counters began with 0 then.",
    "Again and again another one: the sensor is killed, or ends with an error. The time between is in gaps of the reason `not_watching`.",
);

static LABELLED_FILES: Definition = gauge(
    "claviger_sensor_labelled_files",
    &[],
    "Credential files that are known and watched.",
    "0 on a host with credentials: `claviger-sensor config catalogue` says where they are looked for.",
);

static LABELLED_DIRECTORIES: Definition = gauge(
    "claviger_sensor_labelled_directories",
    &[],
    "Directories in which a credential is noticed as it appears.",
    "Nothing.",
);

static NOT_LABELLED: Definition = gauge(
    "claviger_sensor_not_labelled",
    &[],
    "Credentials that could not be labelled and are not watched: a table or a map is full, or the hook did not answer.",
    "Anything but 0: their uses go unseen. Make the patterns of the catalogue narrower.",
);

static LEFT_OUT: Definition = gauge(
    "claviger_sensor_places_left_out",
    &[],
    "Places that the last scan left out for its bounds: too many names, files or homes, too deep, served by another, or links to what belongs to another.",
    "Credentials there are not watched. Make the patterns of the catalogue narrower, or name the place.",
);

static CATALOGUE_ENTRIES: Definition = gauge(
    "claviger_sensor_catalogue_entries",
    &[],
    "Entries of the catalogue in force.",
    "Hosts that differ have other files in `catalogue.directory`.",
);

static CATALOGUE_FILES: Definition = gauge(
    "claviger_sensor_catalogue_files",
    &[],
    "The operator's files in the catalogue in force.",
    "As above.",
);

static CATALOGUE_REFUSED: Definition = gauge(
    "claviger_sensor_catalogue_refused",
    &[],
    "1 while the newest catalogue is not in force because one of its files is wrong; what held before goes on holding.",
    "1: `claviger-sensor config check` says which file, which line and why.",
);

static RELOADS: Definition = counter(
    "claviger_sensor_reloads",
    &[],
    "Catalogues that were taken while the sensor ran.",
    "It rises with each SIGHUP. Where nobody sent one: somebody changes what is watched.",
);

static RELOADS_REFUSED: Definition = counter(
    "claviger_sensor_reloads_refused",
    &[],
    "Catalogues that were refused while the sensor ran, because a file is wrong.",
    "`claviger-sensor config check` says which file, which line and why.",
);

static TESTS: Definition = counter(
    "claviger_sensor_self_tests",
    &[],
    "Self-tests made: what every probe is there to see was done, and it was looked whether it was seen.",
    "It must rise by one each `probes.self_test_interval_ms`. Where it stands still, the thread that labels files hangs.",
);

static TESTS_FAILED: Definition = counter(
    "claviger_sensor_self_tests_failed",
    &[],
    "Self-tests in which a probe saw nothing.",
    "`claviger_sensor_probe_blind` says which probe.",
);

static MEMORY: Definition = Definition {
    unit: Some(Unit::Bytes),
    ..gauge(
        "claviger_sensor_resident_memory",
        &[],
        "Resident memory of the sensor.",
        "Growing for days: report it.",
    )
};

static CPU: Definition = Definition {
    unit: Some(Unit::Seconds),
    ..counter(
        "claviger_sensor_cpu",
        &[],
        "CPU time of the sensor's process, to the tick of 10 ms. What the programs in the kernel take is not in it.",
        "More than a few hundredths of a second each second: see which of the counters above rises as fast.",
    )
};

pub(super) static METRICS: [&Definition; 15] = [
    &BUILD,
    &STARTED,
    &LABELLED_FILES,
    &LABELLED_DIRECTORIES,
    &NOT_LABELLED,
    &LEFT_OUT,
    &CATALOGUE_ENTRIES,
    &CATALOGUE_FILES,
    &CATALOGUE_REFUSED,
    &RELOADS,
    &RELOADS_REFUSED,
    &TESTS,
    &TESTS_FAILED,
    &MEMORY,
    &CPU,
];

#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds of CPU time are exact for centuries"
)]
pub(super) fn measure(snapshot: &mut Snapshot, status: &Status, beside: &Beside<'_>) {
    snapshot.set(&BUILD, [env!("CARGO_PKG_VERSION")], true);
    let started = beside.started.duration_since(UNIX_EPOCH).unwrap_or_default();
    snapshot.set(&STARTED, [], started.as_secs_f64());
    snapshot.set(&LABELLED_FILES, [], status.labelled.files);
    snapshot.set(&LABELLED_DIRECTORIES, [], status.labelled.directories);
    snapshot.set(&NOT_LABELLED, [], status.labelled.not_labelled);
    snapshot.set(&LEFT_OUT, [], status.labelled.left_out);
    snapshot.set(&CATALOGUE_ENTRIES, [], status.policy.entries);
    snapshot.set(&CATALOGUE_FILES, [], status.policy.files.len());
    snapshot.set(&CATALOGUE_REFUSED, [], status.policy.refused.is_some());
    snapshot.set(&RELOADS, [], status.policy.taken);
    snapshot.set(&RELOADS_REFUSED, [], status.policy.refusals);
    if let Some(test) = &status.self_test {
        snapshot.set(&TESTS, [], test.done);
        snapshot.set(&TESTS_FAILED, [], test.failed);
    }
    snapshot.set(&MEMORY, [], status.usage.resident_memory_bytes);
    snapshot.set(&CPU, [], status.usage.cpu_time_us as f64 / 1e6);
}
